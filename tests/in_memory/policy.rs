//! The template's policy: it allows every call that the function makes, nothing that it never does,
//! and nothing outside its prefixes.

use std::collections::BTreeSet;

use crc_fast::CrcAlgorithm;
use local_s3::policy::Call;
use local_s3::{Content, Fault, Object, Request};
use support::template::Template;
use support::{MIB, World, manifest, rows};

const SOURCE_KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/source";
const FINAL_KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/final";

/// A source with tags, under this key, if any.
fn tagged(content: impl Into<Content>, kms_key_id: &str) -> Object {
    let mut object = Object::new(content);
    object.headers.tagging = Some("team=data".to_owned());
    object.headers.kms_key_id = Some(kms_key_id.to_owned()).filter(|key| !key.is_empty());
    object
}

fn object(action: &str, path: &str) -> Call {
    Call::on(action, path)
}

/// What IAM may be asked for a request, should what it looks for be missing.
fn calls(request: &Request) -> Vec<Call> {
    let reads = ["HeadObject", "GetObject"].contains(&request.operation);
    let missing = reads.then(|| Call::to_list(&request.bucket, &request.key));
    request.needs.iter().cloned().chain(missing).collect()
}

/// All that the function does with OUTPUT=single: an unload with tags, twice, and an abort; and one of more slices than
/// parts, of which there are three here.
async fn everything_of_unloads(world: &World, variables: &[(&str, &str)], key: &str) -> Vec<Request> {
    let (local, bucket) = (world.local(), world.bucket.as_str());
    let put = || {
        local.put(bucket, "unload/q_0000_part_00", tagged("1\n", key));
        let large = Object::new(Content::repeat(rows(MIB), 11 * MIB as u64));
        local.put(bucket, "unload/q_0001_part_00", large.composite(CrcAlgorithm::Crc32IsoHdlc, 8 * MIB as u64));
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
    let keys: Vec<String> = (0..6).map(|slice| format!("unload/r_{slice:04}_part_00")).collect();
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 6 * MIB as u64)).collect();
    let slice = Object::new(Content::repeat(rows(MIB), 6 * MIB as u64));
    keys.iter().for_each(|key| local.put(bucket, key, slice.clone()));
    local.put(bucket, "unload/r_manifest", Object::new(manifest(bucket, &entries, &["id", "venue", "name"])));
    local.fail("UploadPartCopy", 1, Fault::Error(403, "AccessDenied"));
    world.run(variables, &["unload/r_manifest"]).await.unwrap_err();
    world.run(variables, &["unload/r_manifest"]).await.unwrap();
    local.take_requests()
}

/// All that the function does: small and large, tags, sidecars and manifests, an abort, deletion.
async fn everything(world: &World, variables: &[(&str, &str)], key: &str) -> Vec<Request> {
    let local = world.local();
    let bucket = world.bucket.as_str();
    local.put(bucket, "unload/q_.headers", Object::new("id,venue,name"));
    local.put(bucket, "unload/q_0000_part_00", tagged("1|2|3\n", key));
    let large = tagged(Content::repeat(rows(MIB), 6 * MIB as u64), key);
    local.put(bucket, "unload/q_0001_part_00", large.composite(CrcAlgorithm::Crc32IsoHdlc, 5 * MIB as u64));
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
    for (output, final_bucket, kms, delete, trigger) in [
        ("each", "", false, "off", "direct"),
        ("each", "", true, "off", "queue"),
        ("each", "finals", false, "off", "eventbridge"),
        ("each", "", false, "on", "direct"),
        ("single", "", true, "off", "eventbridge"),
        ("single", "finals", false, "on", "queue"),
    ] {
        let world = World::in_process().await.with_max_parts(if output == "single" { 3 } else { 10_000 });
        let keys = if kms { [SOURCE_KEY, FINAL_KEY] } else { ["", ""] };
        let template = Template::with(&[
            ("BucketName", &world.bucket),
            ("Output", output),
            ("FinalBucketName", final_bucket),
            ("SourceKmsKeyArn", keys[0]),
            ("FinalKmsKeyArn", keys[1]),
            ("DeleteSource", delete),
            ("Trigger", trigger),
        ]);
        let variables = template.variables();
        let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let variables: Vec<_> = variables.chain([("SourceKmsKeyArn", keys[0])]).collect();
        let requests = match output {
            "single" => everything_of_unloads(&world, &variables, keys[0]).await,
            _ => everything(&world, &variables, keys[0]).await,
        };
        let calls: BTreeSet<Call> = requests.iter().flat_map(calls).collect();
        let (grants, of_sam) = (template.grants(), template.grants_of_sam());
        for call in &calls {
            assert!(grants.iter().any(|grant| grant.allows(call)), "not allowed: {call:?}");
            assert!(!of_sam.iter().any(|grant| grant.allows(call)), "SAM need not allow {call:?}");
        }
        let (of_queue, grants): (Vec<_>, Vec<_>) = grants.into_iter().partition(|it| it.action.starts_with("sqs:"));
        assert_eq!(of_queue.len(), if trigger == "queue" { 3 } else { 0 }, "what Lambda takes events with");
        assert!(of_queue.iter().all(|grant| grant.resources == ["Events.Arn"]));
        for grant in &grants {
            assert_eq!(grant.account.is_some(), grant.action.starts_with("s3:"), "{grant:?}");
            assert!(calls.iter().any(|call| grant.allows(call)), "never needed: {grant:?}");
        }
        let more = usize::from(delete == "on") + if kms { 3 } else { 0 } + if output == "single" { 6 } else { 0 };
        assert_eq!(grants.len(), 11 + more, "{grants:#?}");

        let bucket = &world.bucket;
        let finals = if final_bucket.is_empty() { bucket } else { final_bucket };
        for forbidden in [
            object("s3:GetObject", &format!("{bucket}/other/key")),
            object("s3:PutObject", &format!("{bucket}/unload/q_0000_part_00")),
            object("s3:PutObject", &format!("{bucket}/other/key")),
            object("s3:DeleteObject", &format!("{bucket}/final/q_0000_part_00")),
            object("s3:DeleteObject", &format!("{finals}/.unload-headers/q_0000_part_00")),
            object("s3:DeleteObject", &format!("{bucket}/other/key")),
            object("s3:GetObject", "another-bucket/unload/q_0000_part_00"),
            object("s3:ListBucket", bucket),
            Call::to_list(bucket, ""),
            Call::to_list(bucket, "other/"),
            object("s3:ListBucket", finals),
            Call::to_list(finals, "other/"),
        ] {
            let all = grants.iter().chain(&of_sam);
            assert!(!all.clone().any(|grant| grant.allows(&forbidden)), "allowed: {forbidden:?}");
        }
        for call in calls.iter().filter(|call| call.action.starts_with("s3:")) {
            let of_another = Call { account: "210987654321".to_owned(), ..call.clone() };
            assert!(!grants.iter().any(|grant| grant.allows(&of_another)), "allowed: {of_another:?}");
        }
    }
}

/// Only the final bucket may be another account's, and only the one that is named.
#[test]
fn the_final_bucket_may_be_another_accounts() {
    let parameters = [("BucketName", "b"), ("FinalBucketName", "f"), ("FinalBucketOwner", "210987654321")];
    let grants = Template::with(&parameters).grants();
    let allowed = |path: &str, account: &str| {
        let call = Call { account: account.to_owned(), ..object("s3:GetObject", path) };
        grants.iter().any(|grant| grant.allows(&call))
    };
    assert!(allowed("f/final/q", "210987654321") && !allowed("f/final/q", "123456789012"));
    assert!(allowed("b/unload/q", "123456789012") && !allowed("b/unload/q", "210987654321"));
}

/// With Output=single no slice costs a call.
#[test]
fn the_bucket_tells_of_what_the_output_needs() {
    for trigger in ["direct", "queue", "eventbridge"] {
        let filters = |output: &str| {
            let parameters = [("BucketName", "b"), ("Output", output), ("UnloadPrefix", "u/"), ("Trigger", trigger)];
            Template::with(&parameters).filters()
        };
        if trigger == "eventbridge" {
            assert!(filters("each").is_empty() && filters("single").is_empty(), "EventBridge is told of all");
        } else {
            assert_eq!(filters("each"), [["prefix u/"]]);
            assert_eq!(filters("single"), [["prefix u/", "suffix manifest"], ["prefix u/", "suffix .headers"]]);
        }
    }
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
