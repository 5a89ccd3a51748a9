//! No upload is left behind: neither a run's own nor those that others have left.

use local_s3::Fault;

use crate::bucket::{FINAL, KEY, LARGE, meanwhile, operations, world};

/// Parts in flight can outlive an abort.
#[tokio::test(start_paused = true)]
async fn an_abort_is_repeated_while_parts_are_left() {
    let world = world(LARGE).await;
    world.local().fail("UploadPartCopy", 2, Fault::Error(403, "AccessDenied"));
    let left = std::sync::Arc::new(std::sync::Mutex::new(None));
    let (keep, restore) = (left.clone(), left);
    meanwhile(&world, "AbortMultipartUpload", 1, move |store| {
        *keep.lock().unwrap() = store.uploads.iter().next().map(|(id, upload)| (id.clone(), upload.clone()));
    });
    meanwhile(&world, "ListParts", 1, move |store| store.uploads.extend(restore.lock().unwrap().take()));
    world.run(&[], &[KEY]).await.unwrap_err();
    assert!(world.local().uploads().is_empty());
    assert_eq!(operations(&world).iter().filter(|it| **it == "AbortMultipartUpload").count(), 2);
}

/// Of runs that were stopped, or whose CreateMultipartUpload got no answer.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_done_clears_up_after_others() {
    let world = world(LARGE).await;
    let create = world.client.create_multipart_upload().bucket("bucket");
    create.clone().key(FINAL).send().await.unwrap();
    create.key(format!("{FINAL}0")).send().await.unwrap();
    world.local().fail("CreateMultipartUpload", 1, Fault::LostAnswer);
    world.receipt(&[], KEY).await;
    let left: Vec<_> = world.local().uploads().into_iter().map(|upload| upload.key).collect();
    assert_eq!(left, [format!("{FINAL}0")], "of another key");
}
