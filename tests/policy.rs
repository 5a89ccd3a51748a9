//! The template's policy: it allows every call that the function makes, nothing that it never does,
//! and nothing outside its prefixes.

mod support;

use std::collections::BTreeSet;

use local_s3::{Content, Fault, Object, Request};
use support::template::{Call, Template};
use support::{MIB, World, manifest, rows};

const SOURCE_KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/source";
const FINAL_KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/final";

fn call(action: &str, resource: &str) -> Call {
    Call { action: action.to_owned(), resource: resource.to_owned(), prefix: None }
}

fn object(action: &str, path: &str) -> Call {
    call(action, &format!("arn:aws:s3:::{path}"))
}

/// What IAM is asked for a request: AWS, S3 user guide, "Required permissions for Amazon S3 API operations".
fn calls(request: &Request, encrypted: bool) -> Vec<Call> {
    let path = format!("{}/{}", request.bucket, request.key);
    let bucket = format!("arn:aws:s3:::{}", request.bucket);
    let final_key = |action| encrypted.then(|| call(action, FINAL_KEY));
    let source_key = || encrypted.then(|| call("kms:Decrypt", SOURCE_KEY));
    let mut calls = match request.operation {
        // A missing key is missing only to those who may list.
        "HeadObject" | "GetObject" => vec![object("s3:GetObject", &path)],
        "GetObjectTagging" => vec![object("s3:GetObjectTagging", &path)],
        "ListObjectsV2" => vec![Call { prefix: Some(request.prefix.clone()), ..call("s3:ListBucket", &bucket) }],
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            vec![object("s3:PutObject", &path)]
        }
        "UploadPartCopy" => {
            let source = request.copy_source.as_deref().unwrap();
            vec![object("s3:GetObject", source), object("s3:PutObject", &path)]
        }
        "AbortMultipartUpload" => vec![object("s3:AbortMultipartUpload", &path)],
        "ListParts" => vec![object("s3:ListMultipartUploadParts", &path)],
        "ListMultipartUploads" => vec![call("s3:ListBucketMultipartUploads", &bucket)],
        // If-Match asks for the object as well.
        "DeleteObject" => vec![object("s3:DeleteObject", &path), object("s3:GetObject", &path)],
        other => panic!("{other}: which permission does it need?"),
    };
    let of_final = request.key.starts_with("final/");
    match request.operation {
        // A HEAD that asks for the checksum needs the key, as a GET does.
        "HeadObject" | "GetObject" if of_final => calls.extend(final_key("kms:Decrypt")),
        "HeadObject" | "GetObject" => calls.extend(source_key()),
        "PutObject" | "CreateMultipartUpload" | "UploadPart" => calls.extend(final_key("kms:GenerateDataKey")),
        "UploadPartCopy" => calls.extend([source_key(), final_key("kms:GenerateDataKey")].into_iter().flatten()),
        "CompleteMultipartUpload" | "ListParts" => calls.extend(final_key("kms:Decrypt")),
        _ => (),
    }
    if ["HeadObject", "GetObject"].contains(&request.operation) {
        calls.push(call("s3:ListBucket", &bucket));
    }
    calls.extend(request.sends_tags.then(|| object("s3:PutObjectTagging", &path)));
    calls
}

/// All that the function does with OUTPUT=single: an unload with tags, twice, and an abort.
async fn everything_of_unloads(world: &World, variables: &[(&str, &str)]) -> Vec<Request> {
    let (local, bucket) = (world.local(), world.bucket.as_str());
    let put = || {
        let mut tagged = Object::new("1\n");
        tagged.headers.tagging = Some("team=data".to_owned());
        local.put(bucket, "unload/q_0000_part_00", tagged);
        local.put(bucket, "unload/q_0001_part_00", Object::new(Content::repeat(rows(MIB), 11 * MIB as u64)));
    };
    put();
    let entries = [("unload/q_0000_part_00", 2), ("unload/q_0001_part_00", 11 * MIB as u64)];
    local.put(bucket, "unload/q_manifest", Object::new(manifest(bucket, &entries, &["id"])));
    local.fail("UploadPartCopy", 1, Fault::Error(403, "AccessDenied"));
    world.run(variables, &["unload/q_manifest"]).await.unwrap_err();
    world.run(variables, &["unload/q_manifest"]).await.unwrap();
    put();
    local.put(bucket, "unload/q_.headers", Object::new("number"));
    world.run(variables, &["unload/q_.headers"]).await.unwrap();
    local.take_requests()
}

/// All that the function does: small and large, tags, sidecars and manifests, an abort, deletion.
async fn everything(world: &World, variables: &[(&str, &str)]) -> Vec<Request> {
    let local = world.local();
    let bucket = world.bucket.as_str();
    let tagged = |content: Content| {
        let mut object = Object::new(content);
        object.headers.tagging = Some("team=data".to_owned());
        object
    };
    local.put(bucket, "unload/q_.headers", Object::new("id,venue,name"));
    local.put(bucket, "unload/q_0000_part_00", tagged("1|2|3\n".into()));
    local.put(bucket, "unload/q_0001_part_00", tagged(Content::repeat(rows(MIB), 6 * MIB as u64)));
    local.put(bucket, "unload/m_000", Object::new("1\n"));
    let entry = format!(r#"{{"url":"s3://{bucket}/unload/m_000"}}"#);
    let manifest = format!(r#"{{"entries":[{entry}],"schema":{{"elements":[{{"name":"id"}}]}}}}"#);
    local.put(bucket, "unload/m_manifest", Object::new(manifest));
    world.run(variables, &["unload/q_.headers", "unload/m_manifest"]).await.unwrap();
    local.put(bucket, "unload/q_0002_part_00", Object::new(Content::repeat(rows(MIB), 6 * MIB as u64)));
    local.fail("UploadPartCopy", 1, Fault::Error(403, "AccessDenied"));
    world.run(variables, &["unload/q_0002_part_00"]).await.unwrap_err();
    local.take_requests()
}

#[tokio::test]
async fn it_allows_all_that_the_function_does_and_no_more() {
    for (output, final_bucket, kms, delete) in [
        ("each", "", false, "off"),
        ("each", "", true, "off"),
        ("each", "finals", false, "off"),
        ("each", "", false, "on"),
        ("single", "", true, "off"),
        ("single", "finals", false, "on"),
    ] {
        let world = World::in_process().await;
        let keys = if kms { [SOURCE_KEY, FINAL_KEY] } else { ["", ""] };
        let template = Template::with(&[
            ("BucketName", &world.bucket),
            ("Output", output),
            ("FinalBucketName", final_bucket),
            ("SourceKmsKeyArn", keys[0]),
            ("FinalKmsKeyArn", keys[1]),
            ("DeleteSource", delete),
        ]);
        let variables = template.variables();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let requests = match output {
            "single" => everything_of_unloads(&world, &variables).await,
            _ => everything(&world, &variables).await,
        };
        let calls: BTreeSet<Call> = requests.iter().flat_map(|request| calls(request, kms)).collect();
        let grants = template.grants();
        for call in &calls {
            assert!(grants.iter().any(|grant| grant.allows(call)), "not allowed: {call:?}");
        }
        for grant in &grants {
            assert!(calls.iter().any(|call| grant.allows(call)), "never needed: {grant:?}");
        }
        let more = usize::from(!final_bucket.is_empty()) + usize::from(delete == "on") + if kms { 3 } else { 0 };
        assert_eq!(grants.len(), 9 + more, "{grants:#?}");

        let bucket = &world.bucket;
        let list = call("s3:ListBucket", &format!("arn:aws:s3:::{bucket}"));
        for forbidden in [
            object("s3:GetObject", &format!("{bucket}/other/key")),
            object("s3:PutObject", &format!("{bucket}/unload/q_0000_part_00")),
            object("s3:PutObject", &format!("{bucket}/other/key")),
            object("s3:DeleteObject", &format!("{bucket}/final/q_0000_part_00")),
            object("s3:DeleteObject", &format!("{bucket}/other/key")),
            object("s3:GetObject", "another-bucket/unload/q_0000_part_00"),
            Call { prefix: Some("other/".to_owned()), ..list },
        ] {
            assert!(!grants.iter().any(|grant| grant.allows(&forbidden)), "allowed: {forbidden:?}");
        }
    }
}

/// With Output=single no slice costs a call.
#[test]
fn the_bucket_tells_of_what_the_output_needs() {
    let filters = |output: &str| {
        let template = Template::with(&[("BucketName", "b"), ("Output", output), ("UnloadPrefix", "u/")]);
        assert_eq!(template.filters(), template.filters_to_set(), "a bucket that was there already");
        template.filters()
    };
    assert_eq!(filters("each"), [["prefix u/"]]);
    assert_eq!(filters("single"), [["prefix u/", "suffix manifest"], ["prefix u/", "suffix .headers"]]);
}

/// A template of the final key may begin anywhere; the policy follows it.
#[test]
fn the_policy_follows_the_final_key() {
    let template = Template::with(&[("BucketName", "b"), ("FinalKey", "with/header/{path}.csv")]);
    let allowed = |path: &str| template.grants().iter().any(|grant| grant.allows(&object("s3:PutObject", path)));
    assert!(allowed("b/with/header/q.csv"));
    assert!(!allowed("b/with/q.csv"));
    let default = Template::with(&[("BucketName", "b")]).grants();
    let allowed = |path: &str| default.iter().any(|grant| grant.allows(&object("s3:PutObject", path)));
    assert!(allowed("b/final/q.csv") && !allowed("b/q.csv"));
}
