//! What a run does whose world changes under it: its source, its sidecar or its final object, by another hand or
//! another run. On the S3 in memory, with AWS's rules.

use std::time::Duration;

use crc_fast::CrcAlgorithm;
use futures_util::future::join;
use local_s3::{Content, Fault, Object};
use support::World;
use tokio::time::sleep;
use unload_header::receipt::Outcome;

use crate::bucket::{FINAL, KEY, LARGE, SIZES, final_object, meanwhile, operations, other, source, with_header, world};

/// An UNLOAD with ALLOWOVERWRITE in the middle of a run: nothing of the two is mixed.
#[tokio::test(start_paused = true)]
async fn a_source_that_changes_meanwhile_is_begun_anew() {
    for (size, operation, nth) in [
        (100, "GetObject", 1),
        (LARGE, "GetObject", 3),
        (LARGE, "UploadPartCopy", 2),
        (LARGE, "CreateMultipartUpload", 1),
    ] {
        // Where there is no CRC, nothing but the pin tells the two apart.
        for algorithm in [Some(CrcAlgorithm::Crc64Nvme), None] {
            let world = world(size).await;
            world.local().put("bucket", KEY, source(size).with_checksum(algorithm));
            let other = other(size).with_checksum(algorithm);
            let expected = with_header(&other);
            meanwhile(&world, operation, nth, move |store| store.put("bucket", KEY, other));
            let receipt = world.receipt(&[], KEY).await;
            assert_eq!(receipt.outcome, Outcome::Written, "{operation}");
            assert!(final_object(&world).content == expected, "{operation}");
            assert!(world.local().uploads().is_empty(), "{operation}");
            assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Unchanged, "sealed with what it was made of");
        }
    }
}

/// The source is overwritten while HeadObject is still to be answered, and its first bytes have come.
async fn is_right_though_overwritten_behind_its_first_bytes(world: &World, other: Object) {
    let (local, expected) = (world.local().clone(), with_header(&other));
    local.judge(|request| {
        let is_it = request.operation == "HeadObject" && request.key == KEY;
        is_it.then(|| Fault::Late(Duration::from_secs(2)))
    });
    let change = async {
        sleep(Duration::from_secs(1)).await;
        local.put("bucket", KEY, other);
    };
    let (receipt, ()) = join(world.receipt(&[], KEY), change).await;
    assert_eq!(receipt.outcome, Outcome::Written);
    assert!(final_object(world).content == expected);
}

/// First bytes and HEAD go side by side, and the source may change between the two.
#[tokio::test(start_paused = true)]
async fn first_bytes_of_a_version_before_are_not_put_before_its_parts() {
    for algorithm in [Some(CrcAlgorithm::Crc64Nvme), None] {
        let world = world(LARGE).await;
        world.local().put("bucket", KEY, source(LARGE).with_checksum(algorithm));
        is_right_though_overwritten_behind_its_first_bytes(&world, other(LARGE).with_checksum(algorithm)).await;
    }
}

/// The version before had two columns, of which the header would have been refused.
#[tokio::test(start_paused = true)]
async fn the_very_first_bytes_of_a_version_before_tell_nothing() {
    let world = world(LARGE).await;
    world.local().put("bucket", KEY, Object::new(Content::repeat("1|2\n", LARGE)));
    is_right_though_overwritten_behind_its_first_bytes(&world, other(LARGE)).await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_deleted_meanwhile_is_an_error_or_done() {
    for (operation, nth) in [("GetObject", 3), ("UploadPartCopy", 2)] {
        let world = world(LARGE).await;
        meanwhile(&world, operation, nth, |store| store.delete("bucket", KEY));
        let error = world.run(&[], &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "ObjectMissing", "{operation}");
        assert!(world.local().get("bucket", FINAL).is_none() && world.local().uploads().is_empty());
    }
    let world = world(LARGE).await;
    world.receipt(&[], KEY).await;
    world.local().delete("bucket", KEY);
    let receipt = world.receipt(&[], KEY).await;
    assert_eq!(receipt.outcome, Outcome::Unchanged);
    assert_eq!(receipt.reason.as_deref(), Some("the source is gone, and its final object is there"));
}

/// Another run of the same job gets there first.
#[tokio::test(start_paused = true)]
async fn two_runs_of_one_job_write_once() {
    for (size, operation) in [(100, "PutObject"), (LARGE, "CompleteMultipartUpload"), (LARGE, "UploadPart")] {
        let world = world(size).await;
        world.receipt(&[], KEY).await;
        let first = final_object(&world);
        world.local().delete("bucket", FINAL);
        let etag = first.etag.clone();
        meanwhile(&world, operation, 1, move |store| store.put("bucket", FINAL, first));
        let receipt = world.receipt(&[], KEY).await;
        assert_eq!(receipt.outcome, Outcome::Unchanged, "{operation}");
        assert_eq!(receipt.written.unwrap().etag, etag);
        assert!(world.local().uploads().is_empty());
    }
}

/// S3 answers 200 before it has put the parts together. If that fails, the error is in the body.
#[tokio::test(start_paused = true)]
async fn what_completion_finds_after_it_said_200_counts_as_well() {
    for code in ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload", "InvalidPart", "BadDigest"] {
        let world = world(LARGE).await;
        world.local().fail("CompleteMultipartUpload", 1, Fault::ErrorIn200(code));
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written, "{code}");
        let requests = operations(&world);
        let count = |operation| requests.iter().filter(|it| **it == operation).count();
        assert_eq!(count("CreateMultipartUpload"), 2, "{code}: begun anew");
        assert_eq!(count("CompleteMultipartUpload"), 2, "{code}: not asked the same again");
        assert!(world.local().uploads().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_key_that_keeps_changing_ends_as_an_error() {
    for (size, operation) in [(100, "PutObject"), (LARGE, "CompleteMultipartUpload")] {
        let world = world(size).await;
        for nth in 1..=5 {
            let text = format!("of somebody else, {nth}");
            meanwhile(&world, operation, nth, move |store| store.put("bucket", FINAL, Object::new(text)));
        }
        let error = world.run(&[], &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "KeepsChanging");
        assert!(error.to_string().contains("was begun 5 times"), "{error}");
        assert_eq!(final_object(&world).content.to_bytes(), "of somebody else, 5");
        assert!(world.local().uploads().is_empty());
    }
}

/// When the run looks at its final object, another program has replaced it.
#[tokio::test(start_paused = true)]
async fn a_result_that_is_replaced_at_once_is_looked_at_again() {
    let world = world(LARGE).await;
    world.local().put("bucket", KEY, source(LARGE).with_checksum(None));
    meanwhile(&world, "HeadObject", 3, |store| store.put("bucket", FINAL, Object::new("of somebody else")));
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
    assert!(final_object(&world).content == with_header(&source(LARGE)));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_conditional_writes_is_written_to_all_the_same() {
    for size in SIZES {
        let world = world(size).await;
        world.local().deny_conditions();
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Unchanged);
        assert!(final_object(&world).content == with_header(&source(size)));
    }
}
