//! Rows are held against the CRC of their slice, also where that of the whole can't be known; and what lists do not tell of
//! slices is told by what is read.

use crc_fast::CrcAlgorithm;
use local_s3::{Fault, Object};
use support::{MIB, World, manifest};
use unload_header::crc::Algorithm;
use unload_header::deadline::MAX_TIMEOUT;
use unload_header::receipt::Proof;
use unload_header::s3::LISTED_FROM;

use crate::lists::{FINAL, MANIFEST, SINGLE, count, is_right, key, merge, slice, spoiled, world};

/// Gives a slice another checksum.
fn rechecked(world: &World, slice: usize, algorithm: Option<CrcAlgorithm>) {
    let object = world.local().get("bucket", &key(slice)).unwrap().with_checksum(algorithm);
    world.local().put("bucket", &key(slice), object);
}

/// A call that reads a slice wrongly, so many times, begins anew, and leaves its second upload open. The next sees nothing wrong.
async fn stopped_in_its_second_try(world: &World, mut times: usize) {
    let (mut sent, mut creates) = (0, 0);
    world.local().judge(move |request| {
        creates += usize::from(request.operation == "CreateMultipartUpload");
        let is_part = request.operation == "UploadPart" && request.bytes > MIB as u64;
        sent += usize::from(is_part && creates > 1);
        if is_part && sent > 6 { Some(Fault::Error(503, "SlowDown")) } else { spoiled(request, 20, &mut times) }
    });
    world.run_for(MAX_TIMEOUT, &SINGLE, &[MANIFEST]).await.map(drop).unwrap_err();
    world.local().judge(|_| None);
}

/// A server may tell a checksum with the rows that is none of theirs, and HeadObject none.
#[tokio::test(start_paused = true)]
async fn a_checksum_that_only_reads_show_is_not_believed_twice() {
    for checksum in ["AAAAAAAAAAA=", "AAAAAAAAAAA=-1"] {
        let (world, expected) = world(LISTED_FROM, 32, None).await;
        world.local().judge(move |request| {
            let is_slice = request.operation == "GetObject" && request.key.contains("_part_");
            is_slice.then(|| {
                Fault::OtherAnswer(Box::new(move |answer| {
                    answer.headers_mut().insert("x-amz-checksum-crc64nvme", checksum.parse().unwrap());
                }))
            })
        });
        merge(&world).await;
        assert!(is_right(&world, &expected), "{checksum}");
    }
}

/// Where no CRC of the whole follows from those of the slices, nothing else tells that rows are wrong.
#[tokio::test(start_paused = true)]
async fn other_bytes_never_become_rows_where_the_crcs_do_not_combine() {
    for size in [32, MIB] {
        for (wrong, unlike, algorithm) in [(20, 21, None), (20, 0, Some(CrcAlgorithm::Crc32IsoHdlc)), (0, 21, None)] {
            let (world, _) = world(LISTED_FROM, size, Some(CrcAlgorithm::Crc64Nvme)).await;
            rechecked(&world, unlike, algorithm);
            let mut times = usize::MAX;
            world.local().judge(move |request| spoiled(request, wrong, &mut times));
            let result = world.run(&SINGLE, &[MANIFEST]).await.map(drop).map_err(|error| error.kind());
            assert_eq!(result, Err("S3.BadDigest".to_owned()), "{size} {wrong} {unlike}");
            assert!(world.local().get("bucket", FINAL).is_none() && world.local().uploads().is_empty());
        }
    }
}

/// What a try has sent that held no rows against their CRCs is not taken up by one that tells it as proved.
#[tokio::test(start_paused = true)]
async fn what_was_not_held_against_crcs_is_not_told_as_proved() {
    for is_composite in [false, true] {
        // One slice without a CRC, so that none is expected of the whole.
        let (world, expected) = world(120, MIB, Some(CrcAlgorithm::Crc64Nvme)).await;
        rechecked(&world, 100, None);
        if is_composite {
            // The first try finds it when it reads it.
            let composite = Object::new(slice(15, MIB)).composite(CrcAlgorithm::Crc64Nvme, MIB as u64);
            world.local().put("bucket", &key(15), composite);
        }
        stopped_in_its_second_try(&world, usize::MAX).await;
        let (receipt, _) = merge(&world).await;
        assert!(
            is_right(&world, &expected),
            "{is_composite}: a wrong object, told as {:?}",
            receipt.written.unwrap().proof
        );
    }
}

/// The upload that a try has left which had looked at each slice is of their algorithm.
#[tokio::test(start_paused = true)]
async fn an_upload_is_not_resumed_with_another_algorithm() {
    let (world, expected) = world(120, MIB, Some(CrcAlgorithm::Crc32IsoHdlc)).await;
    [0, 119].into_iter().for_each(|slice| rechecked(&world, slice, None));
    stopped_in_its_second_try(&world, 1).await;
    let result = world.run(&SINGLE, &[MANIFEST]).await.map(drop).map_err(|error| error.to_string());
    assert_eq!(result, Ok(()));
    assert!(is_right(&world, &expected));
}

/// As `merge::a_slice_that_its_client_has_encrypted_is_refused`, of many.
#[tokio::test(start_paused = true)]
async fn one_of_many_slices_that_its_client_has_encrypted_is_refused() {
    let (world, _) = world(LISTED_FROM, 32, None).await;
    let object = world.local().get("bucket", &key(7)).unwrap().with_metadata("x-amz-key", "k");
    world.local().put("bucket", &key(7), object);
    let result = world.run(&SINGLE, &[MANIFEST]).await.map(drop).map_err(|error| error.kind());
    assert_eq!(result, Err("ClientSideEncrypted".to_owned()));
}

/// The first slice has no rows, and so no parts.
#[tokio::test(start_paused = true)]
async fn composite_checksums_behind_an_empty_slice_are_seen_at_once() {
    let (world, _) = world(LISTED_FROM, MIB, None).await;
    let mut entries = vec![(key(0), 0)];
    world.local().put("bucket", &key(0), Object::new(""));
    for number in 1..LISTED_FROM {
        let slice = slice(number, MIB);
        entries.push((key(number), slice.length()));
        world.local().put(
            "bucket",
            &key(number),
            Object::new(slice).composite(CrcAlgorithm::Crc32IsoHdlc, 5 * MIB as u64),
        );
    }
    let entries: Vec<(&str, u64)> = entries.iter().map(|(key, size)| (key.as_str(), *size)).collect();
    world.local().put("bucket", MANIFEST, Object::new(manifest("bucket", &entries, &["idx", "venue", "name"])));
    let (_, requests) = merge(&world).await;
    assert_eq!(count(&requests, "CreateMultipartUpload"), 1, "nothing is sent twice");
}

/// The first slice of three has neither rows nor a CRC.
#[tokio::test(start_paused = true)]
async fn slices_without_rows_need_no_crc() {
    let (world, _) = world(3, 12 * MIB, Some(CrcAlgorithm::Crc32IsoHdlc)).await;
    world.local().put("bucket", &key(0), Object::new("").with_checksum(None));
    let sizes = (0..3).map(|number| world.local().get("bucket", &key(number)).unwrap().content.length());
    let entries: Vec<(String, u64)> = (0..3).map(key).zip(sizes).collect();
    let entries: Vec<(&str, u64)> = entries.iter().map(|(key, size)| (key.as_str(), *size)).collect();
    world.local().put("bucket", MANIFEST, Object::new(manifest("bucket", &entries, &["idx", "venue", "name"])));
    let (receipt, _) = merge(&world).await;
    assert_eq!(
        receipt.written.unwrap().proof,
        Proof::Crc(Algorithm::Crc32),
        "parts are copied, and nothing else tells their CRC"
    );
}

/// The CRC of a slice is known, and that of the whole is not.
#[tokio::test(start_paused = true)]
async fn no_source_is_deleted_for_other_bytes_than_its_own() {
    for (slices, size) in [(3, 32), (3, 3 * MIB), (LISTED_FROM, 32), (LISTED_FROM, MIB)] {
        let (world, _) = world(slices, size, Some(CrcAlgorithm::Crc64Nvme)).await;
        rechecked(&world, 0, None);
        let mut times = usize::MAX;
        world.local().judge(move |request| spoiled(request, 1, &mut times));
        let result = world.run(&[SINGLE[0], ("DELETE_SOURCE", "on")], &[MANIFEST]).await.map(drop);
        assert!(result.is_err() && world.local().get("bucket", &key(1)).is_some(), "{slices} {size}: {result:?}");
    }
}

/// A manifest may say anything.
#[tokio::test(start_paused = true)]
async fn sizes_that_no_object_has_are_no_panic() {
    let (world, _) = world(LISTED_FROM, 32, None).await;
    let keys: Vec<String> = (0..LISTED_FROM).map(key).collect();
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), u64::MAX / 2)).collect();
    world.local().put("bucket", MANIFEST, Object::new(manifest("bucket", &entries, &["idx", "venue", "name"])));
    let result = world.run(&SINGLE, &[MANIFEST]).await.map(drop).map_err(|error| error.kind());
    assert_eq!(result, Err("UnloadIncomplete".to_owned()));
}
