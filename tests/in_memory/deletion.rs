//! DELETE_SOURCE: when a source is deleted, and when it is kept.

use crc_fast::CrcAlgorithm;
use local_s3::{Fault, Object};
use support::{World, manifest};
use unload_header::receipt::Outcome;

use crate::bucket::{FINAL, KEY, LARGE, source, world};

const DELETE: [(&str, &str); 1] = [("DELETE_SOURCE", "on")];

/// Lets the source be written again just before it is deleted.
fn overwritten_before_deletion(world: &World) {
    let overwrite = |store: &mut local_s3::store::Store| store.put("bucket", KEY, Object::new("other rows"));
    world.local().fail("DeleteObject", 1, Fault::Meanwhile(Box::new(overwrite)));
}

#[tokio::test(start_paused = true)]
async fn a_source_is_deleted_once_its_result_is_proved() {
    for size in [100, LARGE] {
        for algorithm in [Some(CrcAlgorithm::Crc64Nvme), None] {
            let world = world(size).await;
            world.local().put("bucket", KEY, source(size).with_checksum(algorithm));
            let receipt = world.receipt(&DELETE, KEY).await;
            assert_eq!(receipt.reason.as_deref(), Some("the source is deleted"));
            assert!(world.local().get("bucket", KEY).is_none());
            assert_eq!(world.local().get("bucket", FINAL).unwrap().content.length(), size + 15);
            assert_eq!(world.receipt(&DELETE, KEY).await.outcome, Outcome::Unchanged, "the event comes again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_is_kept_when_anything_is_in_doubt() {
    // It was written again since.
    let world = world(100).await;
    overwritten_before_deletion(&world);
    let receipt = world.receipt(&DELETE, KEY).await;
    assert_eq!(receipt.reason.as_deref(), Some("the source is not deleted: it has changed since"));
    assert_eq!(world.local().get("bucket", KEY).unwrap().content.to_bytes(), "other rows");
    // The result is an earlier run's, and nothing but its size is known.
    for (size, algorithm, kept) in
        [(LARGE, None, true), (100, None, false), (LARGE, Some(CrcAlgorithm::Crc32IsoHdlc), false)]
    {
        let world = crate::bucket::world(size).await;
        world.local().put("bucket", KEY, source(size).with_checksum(algorithm));
        world.receipt(&[], KEY).await;
        let receipt = world.receipt(&DELETE, KEY).await;
        assert_eq!(receipt.outcome, Outcome::Unchanged);
        assert_eq!(world.local().get("bucket", KEY).is_some(), kept, "{:?}", receipt.reason);
    }
    // The result was refused.
    let world = crate::bucket::world(LARGE).await;
    world.local().judge(|request| (request.operation == "UploadPartCopy").then_some(Fault::wrong_range()));
    world.run(&DELETE, &[KEY]).await.unwrap_err();
    assert!(world.local().get("bucket", KEY).is_some());
}

/// S3 refuses to delete one of three slices: the run fails. The next can't know whether it is still what was copied, since the
/// seal tells that of all sources together.
#[tokio::test(start_paused = true)]
async fn sources_of_which_some_were_deleted_are_told() {
    let world = World::in_memory().await;
    let keys = ["unload/q_0000_part_00", "unload/q_0001_part_00", "unload/q_0002_part_00"];
    keys.iter().for_each(|key| world.local().put("bucket", key, Object::new("1\n")));
    let listed = manifest("bucket", &keys.map(|key| (key, 2)), &["id"]);
    world.local().put("bucket", "unload/q_manifest", Object::new(listed));
    let variables = [("OUTPUT", "single"), ("DELETE_SOURCE", "on")];
    world.local().judge(move |request| {
        let is_last = request.operation == "DeleteObject" && request.key == keys[2];
        is_last.then_some(Fault::Error(403, "AccessDenied"))
    });
    world.run(&variables, &["unload/q_manifest"]).await.unwrap_err();
    world.local().judge(|_| None);
    let receipt = world.receipt(&variables, "unload/q_manifest").await;
    assert_eq!(receipt.outcome, Outcome::Unchanged);
    let reason = receipt.reason.unwrap();
    assert!(reason.starts_with("2 of the 3 sources are gone") && reason.contains("the others (1) stay"), "{reason}");
    assert!(world.local().get("bucket", keys[2]).is_some());
}

/// The first answer is lost, and the retry finds no object: it is deleted all the same.
#[tokio::test(start_paused = true)]
async fn a_deletion_whose_answer_is_lost_is_a_deletion() {
    let world = world(100).await;
    world.local().fail("DeleteObject", 1, Fault::LostAnswer);
    let receipt = world.receipt(&DELETE, KEY).await;
    assert_eq!(receipt.reason.as_deref(), Some("the source is deleted"));
    assert!(world.local().get("bucket", KEY).is_none());
}

/// A server that can't delete by ETag: looked at once more, and then deleted.
#[tokio::test(start_paused = true)]
async fn a_server_without_conditional_deletion_deletes_all_the_same() {
    let world = world(100).await;
    world.local().deny_conditions();
    world.receipt(&DELETE, KEY).await;
    assert!(world.local().get("bucket", KEY).is_none());
    world.local().put("bucket", KEY, source(100));
    world.local().delete("bucket", FINAL);
    overwritten_before_deletion(&world);
    assert!(world.receipt(&DELETE, KEY).await.reason.unwrap().contains("is not deleted"));
    world.local().put("bucket", KEY, source(100));
    world.local().delete("bucket", FINAL);
    let gone = |store: &mut local_s3::store::Store| store.delete("bucket", KEY);
    world.local().fail("DeleteObject", 1, Fault::Meanwhile(Box::new(gone)));
    assert_eq!(world.receipt(&DELETE, KEY).await.reason.as_deref(), Some("the source is deleted"));
}
