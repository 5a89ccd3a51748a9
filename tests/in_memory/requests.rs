//! What only a server that counts, forbids and fails on demand can show; it has AWS's rules.

use local_s3::{Content, Fault, Object, Request};
use support::{MIB, World, rows};

const KEY: &str = "unload/q_0000_part_00";
const FINAL: &str = "final/q_0000_part_00";

/// A world with one source of this size and its sidecar.
async fn world(size: u64) -> World {
    let world = World::in_process().await;
    let local = world.local();
    local.put(&world.bucket, "unload/q_.headers", Object::new("idx,venue,name"));
    local.put(&world.bucket, KEY, Object::new(Content::repeat(rows(MIB), size)));
    world
}

fn count(requests: &[Request], operation: &str) -> usize {
    requests.iter().filter(|request| request.operation == operation).count()
}

fn operations(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| request.operation).collect()
}

#[tokio::test]
async fn five_mebibytes_pass_through_whatever_the_size() {
    for mib in [6, 100, 400] {
        let world = world(mib * MIB as u64).await;
        let receipt = world.receipt(&[], KEY).await;
        let requests = world.local().take_requests();
        let written = receipt.written.unwrap();
        assert_eq!(written.bytes_through, (5 * MIB + "idx,venue,name".len()) as u64);
        let sent: u64 = requests.iter().filter(|it| it.operation == "UploadPart").map(|it| it.bytes).sum();
        assert_eq!(sent, 5 * MIB as u64, "the header and what is missing to the least part");
        assert_eq!(count(&requests, "UploadPartCopy"), written.parts - 1);
        assert_eq!(requests.len() as u64, receipt.requests, "the receipt counts what went out");
        assert!(requests.len() <= written.parts + 10, "{:?}", operations(&requests));
        let result = world.local().get(&world.bucket, FINAL).unwrap();
        let mut expected = Content::from("idx|venue|name\n");
        expected.append(&world.local().get(&world.bucket, KEY).unwrap().content);
        assert!(result.content == expected, "{mib} MiB");
    }
}

#[tokio::test]
async fn tags_come_along() {
    for size in [100, 6 * MIB as u64] {
        let world = world(size).await;
        let local = world.local();
        let mut source = local.get(&world.bucket, KEY).unwrap();
        source.headers.tagging = Some("team=data%20eng&cost%2Bcentre=4%3D2".to_owned());
        local.put(&world.bucket, KEY, source);
        world.receipt(&[], KEY).await;
        let tags = local.get(&world.bucket, FINAL).unwrap().headers.tagging;
        assert_eq!(tags.as_deref(), Some("team=data%20eng&cost%2Bcentre=4%3D2"));
        assert_eq!(count(&local.take_requests(), "GetObjectTagging"), 1);
    }
}

#[tokio::test]
async fn the_kms_key_is_asked_for() {
    for size in [100, 6 * MIB as u64] {
        let world = world(size).await;
        world.receipt(&[("FINAL_KMS_KEY_ID", "arn:aws:kms:us-east-1:123456789012:key/final")], KEY).await;
        let headers = world.local().get(&world.bucket, FINAL).unwrap().headers;
        assert_eq!(headers.kms_key_id.as_deref(), Some("arn:aws:kms:us-east-1:123456789012:key/final"));
    }
}

#[tokio::test]
async fn a_403_in_place_of_a_404_names_the_permission() {
    let world = world(100).await;
    world.local().deny_list();
    for missing in [FINAL.to_owned(), format!("{KEY}.headers")] {
        let error = world.run(&[], &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "AccessDenied");
        let message = error.to_string();
        assert!(message.contains(&missing) && message.contains("lacks s3:ListBucket"), "{message}");
        world.local().put(&world.bucket, &missing, Object::new("there"));
    }
}

/// A server that answers a range with less than that.
#[tokio::test]
async fn a_range_that_comes_short_is_an_error() {
    let world = world(100).await;
    // The whole source, whose size is not the one that the event tells; and then its range.
    world.local().fail("GetObject", 1, Fault::HalfAnswer);
    world.local().fail("GetObject", 4, Fault::HalfAnswer);
    let error = world.run(&[], &[KEY]).await.unwrap_err().to_string();
    assert!(error.contains("the server answered with 50 bytes for bytes=0-99"), "{error}");
    assert!(world.local().get(&world.bucket, FINAL).is_none());
}

/// A 403 that has another reason keeps its code.
#[tokio::test]
async fn an_archived_source_is_told_apart_from_a_forbidden_one() {
    let world = world(100).await;
    for nth in [1, 4] {
        world.local().fail("GetObject", nth, Fault::Error(403, "InvalidObjectState"));
    }
    assert_eq!(world.run(&[], &[KEY]).await.unwrap_err().kind(), "S3.InvalidObjectState");
}

/// A permanent refusal fails the invocation, says which part of which object, and leaves nothing.
#[tokio::test]
async fn a_lasting_fault_leaves_nothing_behind() {
    for (operation, part) in
        [("UploadPart", "of part 1 "), ("UploadPartCopy", "of part 2 "), ("CompleteMultipartUpload", "")]
    {
        let world = world(12 * MIB as u64).await;
        world.local().fail(operation, 1, Fault::Error(403, "AccessDenied"));
        let error = world.run(&[], &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "S3.AccessDenied");
        let message = format!("{operation} {part}for s3://{}/{FINAL} failed: S3.AccessDenied", world.bucket);
        assert!(error.to_string().starts_with(&message), "{error}");
        assert!(world.local().uploads().is_empty() && world.local().get(&world.bucket, FINAL).is_none());
    }
}

/// A thousand keys are a page.
#[tokio::test]
async fn a_sidecar_is_used_for_more_objects_than_a_page_lists() {
    let world = world(100).await;
    for slice in 1..1_100 {
        world.local().put(&world.bucket, &format!("unload/q_{slice:04}_part_00"), Object::new("1|2|3\n"));
    }
    let answer = world.run(&[], &["unload/q_.headers"]).await.unwrap();
    assert_eq!(answer.receipts.len(), 1_100);
    assert_eq!(world.local().keys(&world.bucket).iter().filter(|key| key.starts_with("final/")).count(), 1_100);
}

/// S3 answers 403 to every read of an object that is archived.
#[tokio::test]
async fn an_archived_source_is_refused() {
    let world = world(1_000).await;
    let local = world.local();
    let put = |object| local.put(&world.bucket, KEY, object);
    for class in ["GLACIER", "DEEP_ARCHIVE"] {
        put(Object::new(rows(1_000)).archived(class, false));
        let error = world.run(&[], &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "ObjectArchived");
        assert!(error.to_string().contains(&format!("storage class {class}, from which")), "{error}");
    }
    put(Object::new(rows(1_000)).archived("GLACIER", true));
    world.receipt(&[], KEY).await;
    put(Object::new(rows(8 * MIB)).archived("GLACIER_IR", true));
    world.receipt(&[], KEY).await;
    assert!(world.local().get(&world.bucket, FINAL).is_some());
}

/// Its ETag is no MD5 then (S3 API, "Object"); that of the final object follows its own key.
#[tokio::test]
async fn a_source_under_a_kms_key_is_copied() {
    for size in [1_000, 8 * MIB] {
        let world = world(0).await;
        let mut source = Object::new(rows(size));
        source.headers.kms_key_id = Some("arn:aws:kms:us-east-1:123456789012:key/source".to_owned());
        source.etag = "0123456789abcdef0123456789abcdef".to_owned();
        world.local().put(&world.bucket, KEY, source);
        for key in ["", "arn:aws:kms:us-east-1:123456789012:key/final"] {
            let variables =
                [("FINAL_KMS_KEY_ID", key), ("SourceKmsKeyArn", "arn:aws:kms:us-east-1:123456789012:key/source")];
            world.receipt(&variables, KEY).await;
            let result = world.local().get(&world.bucket, FINAL).unwrap();
            assert_eq!(result.headers.kms_key_id.as_deref().unwrap_or_default(), key);
            assert!(result.content == Content::from([b"idx|venue|name\n", &rows(size)[..]].concat()), "{size}");
            world.client.delete_object().bucket(&world.bucket).key(FINAL).send().await.unwrap();
        }
    }
}
