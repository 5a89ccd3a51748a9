//! OUTPUT=single of many small slices, which are found by lists, and not looked at one by one.

use crc_fast::CrcAlgorithm;
use local_s3::{Content, Fault, Object, Request};
use support::{MIB, World, manifest, rows};
use unload_header::crc::Algorithm;
use unload_header::deadline::MAX_TIMEOUT;
use unload_header::receipt::{Outcome, Proof, Receipt};
use unload_header::s3::LISTED_FROM;

pub const SINGLE: [(&str, &str); 1] = [("OUTPUT", "single")];
pub const MANIFEST: &str = "unload/q_manifest";
pub const FINAL: &str = "final/q.csv";

pub fn key(slice: usize) -> String {
    format!("unload/q_{slice:04}_part_00")
}

/// A slice unlike the others: its number, then so many bytes of rows.
pub fn slice(number: usize, size: usize) -> Content {
    let mut slice = Content::from(format!("{number}|first|row\n"));
    slice.append(&Content::from(rows(size)));
    slice
}

/// An unload of slices of this size, with such a checksum, and what is to come of it.
pub async fn world(count: usize, size: usize, algorithm: Option<CrcAlgorithm>) -> (World, Content) {
    let world = World::in_memory().await;
    let (keys, mut expected) = ((0..count).map(key).collect::<Vec<_>>(), Content::from("idx|venue|name\n"));
    let mut entries = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        let slice = slice(number, size);
        expected.append(&slice);
        entries.push((key.as_str(), slice.length()));
        world.local().put("bucket", key, Object::new(slice).with_checksum(algorithm));
    }
    world.local().put("bucket", MANIFEST, Object::new(manifest("bucket", &entries, &["idx", "venue", "name"])));
    (world, expected)
}

pub fn is_right(world: &World, expected: &Content) -> bool {
    world.local().uploads().is_empty() && world.local().get("bucket", FINAL).is_some_and(|it| it.content == *expected)
}

pub async fn merge(world: &World) -> (Receipt, Vec<Request>) {
    world.local().take_requests();
    let receipt = world.receipt(&SINGLE, MANIFEST).await;
    (receipt, world.local().take_requests())
}

pub fn count(requests: &[Request], operation: &str) -> usize {
    requests.iter().filter(|request| request.operation == operation).count()
}

/// Changes a byte of the rows of a slice, so many times.
pub fn spoiled(request: &Request, slice: usize, times: &mut usize) -> Option<Fault> {
    let is_it = request.operation == "GetObject" && request.key == key(slice) && *times > 0;
    *times -= usize::from(is_it);
    is_it.then(|| {
        // A look at a single byte of it is no read of its rows.
        Fault::OtherAnswer(Box::new(|answer| {
            let mut bytes = answer.body().to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= u8::from(bytes.len() > 1);
            *answer.body_mut() = bytes.into();
        }))
    })
}

/// Changes the bodies of all answers to the requests of an operation.
fn change(world: &World, operation: &'static str, how: fn(String) -> String) {
    world.local().judge(move |request| {
        (request.operation == operation).then(|| {
            Fault::OtherAnswer(Box::new(move |answer| {
                let body = String::from_utf8(answer.body().to_vec()).unwrap();
                *answer.body_mut() = how(body).into_bytes().into();
            }))
        })
    });
}

/// The first slice is looked at, since its metadata is copied, and the last, since S3 may copy it.
#[tokio::test(start_paused = true)]
async fn a_thousand_slices_are_found_by_one_request() {
    for (slices, lists) in [(LISTED_FROM - 1, 0), (LISTED_FROM, 1), (1_000, 1), (1_001, 2), (2_500, 3)] {
        let (world, expected) = world(slices, 32, Some(CrcAlgorithm::Crc64Nvme)).await;
        // Keys in between that are none of the unload's, and some before and behind it.
        let others =
            ["unload/a", "unload/q_0000_part_00.headers.old", "unload/q_0007_part_000", "unload/q_x", "unload/z"];
        let others = if slices == 1_000 { &others[..1] } else { &others[..] };
        others.iter().for_each(|key| world.local().put("bucket", key, Object::new("nobody's")));
        let (receipt, requests) = merge(&world).await;
        assert!(is_right(&world, &expected), "{slices}");
        let heads = if lists == 0 { slices } else { 2 };
        // Two keys that are not the unload's take the places of two that are.
        let missed = if lists > 1 { 2 } else { 0 };
        assert_eq!(count(&requests, "ListObjectsV2"), lists, "{slices}");
        let looked = count(&requests, "HeadObject") - 2;
        assert_eq!(looked, heads + missed, "{slices}: the final key and the manifest besides");
        assert_eq!(count(&requests, "GetObject"), slices + 3, "the manifest, two sidecars, and each slice once");
        assert_eq!(receipt.written.unwrap().proof, Proof::Crc(Algorithm::Crc64Nvme));
        let (again, requests) = merge(&world).await;
        assert_eq!(again.outcome, Outcome::Unchanged);
        assert!(count(&requests, "HeadObject") == 2 + heads + missed && count(&requests, "GetObject") == 3);
    }
}

/// Each slice is held against the CRC that S3 tells with it, and the whole against what was sent.
#[tokio::test(start_paused = true)]
async fn what_was_found_by_a_list_is_proved() {
    for (algorithm, proof) in [
        // Of the last slice, which S3 copies, no CRC is known, and the result is looked at.
        (None, Proof::Size),
        (Some(CrcAlgorithm::Crc64Nvme), Proof::Crc(Algorithm::Crc64Nvme)),
        (Some(CrcAlgorithm::Crc32IsoHdlc), Proof::Crc(Algorithm::Crc32)),
    ] {
        let (world, expected) = world(LISTED_FROM, MIB, algorithm).await;
        let (receipt, requests) = merge(&world).await;
        assert!(is_right(&world, &expected));
        assert_eq!(receipt.written.unwrap().proof, proof, "{algorithm:?}");
        assert_eq!(count(&requests, "HeadObject"), 2 + 2 + usize::from(proof == Proof::Size));
        assert_eq!(merge(&world).await.0.outcome, Outcome::Unchanged);
    }
}

/// Also of those that were looked at: the first slices that have rows, the last, and those for which a list had no room.
#[tokio::test(start_paused = true)]
async fn other_bytes_than_those_of_a_slice_never_become_rows() {
    const LAST: usize = LISTED_FROM - 1;
    for (size, algorithm) in [(32, CrcAlgorithm::Crc64Nvme), (MIB, CrcAlgorithm::Crc32Iscsi)] {
        for (slice, times) in [(0, 9), (1, 9), (2, 9), (20, 9), (20, 1), (LAST, 9)] {
            let (world, expected) = world(LISTED_FROM, size, Some(algorithm)).await;
            if slice == 2 {
                let others = (0..999).map(|number| format!("unload/q_0001_part_00.{number:03}"));
                others.for_each(|key| world.local().put("bucket", &key, Object::new("nobody's")));
            }
            let mut left = times;
            world.local().judge(move |request| spoiled(request, slice, &mut left));
            let result = world.run(&SINGLE, &[MANIFEST]).await.map_err(|error| error.kind());
            // The last is copied, where all are not one part.
            let is_harmless = times == 1 || slice == LAST && size == MIB;
            assert_eq!(is_right(&world, &expected), is_harmless, "{size} {slice} {times}");
            assert_eq!(result.err().as_deref(), (!is_harmless).then_some("S3.BadDigest"), "{size} {slice} {times}");
            assert!(is_harmless || world.local().get("bucket", FINAL).is_none());
            assert!(world.local().uploads().is_empty());
        }
    }
}

/// S3 tells with the rows a checksum of the part's checksum. The CRCs of the parts can be asked for.
#[tokio::test(start_paused = true)]
async fn slices_with_composite_checksums_are_looked_at() {
    let (world, expected) = world(LISTED_FROM, MIB, None).await;
    for number in 0..LISTED_FROM {
        let composite = Object::new(slice(number, MIB)).composite(CrcAlgorithm::Crc32IsoHdlc, 5 * MIB as u64);
        world.local().put("bucket", &key(number), composite);
    }
    let (receipt, requests) = merge(&world).await;
    assert!(is_right(&world, &expected));
    assert_eq!(receipt.written.unwrap().proof, Proof::Crc(Algorithm::Crc32));
    assert_eq!(count(&requests, "GetObjectAttributes"), LISTED_FROM);
}

/// A later call knows the object for right by the CRC in its seal, and deletes what is left.
#[tokio::test(start_paused = true)]
async fn slices_that_are_to_be_deleted_are_looked_at() {
    let (world, expected) = world(LISTED_FROM, MIB, Some(CrcAlgorithm::Crc64Nvme)).await;
    world.local().fail("CompleteMultipartUpload", 1, Fault::LostAnswer);
    world.local().take_requests();
    world.receipt(&[SINGLE[0], ("DELETE_SOURCE", "on")], MANIFEST).await;
    assert_eq!(count(&world.local().take_requests(), "ListObjectsV2"), 0);
    assert!(is_right(&world, &expected));
    assert!((0..LISTED_FROM).all(|number| world.local().get("bucket", &key(number)).is_none()));
}

/// The list is older than what is read, or a server lists other ETags than it shows: then each slice is looked at.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_right_is_not_trusted_twice() {
    let (world, expected) = world(LISTED_FROM, 32, None).await;
    change(&world, "ListObjectsV2", |list| list.replace("<ETag>\"", "<ETag>\"x"));
    let (receipt, requests) = merge(&world).await;
    assert_eq!(receipt.outcome, Outcome::Written);
    assert_eq!((count(&requests, "ListObjectsV2"), count(&requests, "HeadObject")), (1, 2 + 2 + 2 + LISTED_FROM));
    assert!(is_right(&world, &expected));
}

/// What else a list tells is believed only if it is what the manifest says.
#[tokio::test(start_paused = true)]
async fn what_a_list_tells_otherwise_is_looked_at() {
    let others: [fn(String) -> String; 7] = [
        |list| list.replace("<Size>", "<Size>1"),
        |list| list.replace("Size>", "Length>"),
        |list| list.replace("<LastModified>20", "<LastModified>21"),
        |list| list.replace("<LastModified>2", "<LastModified>x2"),
        |list| list.replace("LastModified>", "Changed>"),
        |list| list.replace("ETag>", "Tag>"),
        |list| list.split_once("<Contents>").unwrap().0.to_owned() + "</ListBucketResult>",
    ];
    for other in others {
        let (world, expected) = world(LISTED_FROM, 32, None).await;
        change(&world, "ListObjectsV2", other);
        let (receipt, requests) = merge(&world).await;
        assert_eq!((receipt.outcome, count(&requests, "HeadObject")), (Outcome::Written, 2 + LISTED_FROM));
        assert!(is_right(&world, &expected));
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_list_looks_at_each() {
    let (world, expected) = world(LISTED_FROM, 32, None).await;
    world.local().judge(|request| (request.operation == "ListObjectsV2").then_some(Fault::Error(403, "AccessDenied")));
    let (receipt, requests) = merge(&world).await;
    assert_eq!((receipt.outcome, count(&requests, "HeadObject")), (Outcome::Written, 2 + LISTED_FROM));
    assert!(is_right(&world, &expected));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_slice_is_seen_in_a_list_too() {
    let other = |world: &World, key: &str| world.local().put("bucket", key, Object::new("1|2|3\n"));
    let gone = |world: &World, key: &str| world.local().delete("bucket", key);
    let archived = |world: &World, key: &str| {
        let object = world.local().get("bucket", key).unwrap().archived("GLACIER", false);
        world.local().put("bucket", key, object);
    };
    let wrongs: [fn(&World, &str); 3] = [other, gone, archived];
    let kinds = ["UnloadIncomplete", "UnloadIncomplete", "ObjectArchived"];
    let wrongs = wrongs.into_iter().zip(kinds);
    for ((wrong, kind), number) in wrongs.flat_map(|wrong| [0, 7, LISTED_FROM - 1].map(|at| (wrong, at))) {
        let (world, _) = world(LISTED_FROM, 32, None).await;
        wrong(&world, &key(number));
        let error = world.run(&SINGLE, &[MANIFEST]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{number}");
        assert!(error.to_string().contains(&key(number)), "{error}");
        assert!(world.local().get("bucket", FINAL).is_none());
    }
}

/// A slice that is written again while it is read: an object of both would have rows that were never together.
#[tokio::test(start_paused = true)]
async fn a_slice_that_changes_behind_its_list_is_never_mixed_in() {
    for nth in 2..LISTED_FROM + 2 {
        let (world, expected) = world(LISTED_FROM, MIB, None).await;
        // As long as the one before, and written in the same second as the manifest.
        let (newest, mut other) = (Object::new(slice(99, MIB)), Content::from("idx|venue|name\n"));
        let slices = (0..LISTED_FROM).map(|number| if number == LISTED_FROM - 2 { 99 } else { number });
        slices.for_each(|number| other.append(&slice(number, MIB)));
        world.local().fail(
            "GetObject",
            nth,
            Fault::Meanwhile(Box::new(move |store| {
                store.put("bucket", &key(LISTED_FROM - 2), newest);
            })),
        );
        let result = world.run(&SINGLE, &[MANIFEST]).await;
        let is_one_of_both = is_right(&world, &expected) || is_right(&world, &other);
        assert_eq!(is_one_of_both, result.is_ok(), "{nth}: {result:?}");
        assert!(result.is_ok() || world.local().get("bucket", FINAL).is_none());
        assert!(world.local().uploads().is_empty());
    }
}

/// Parts that a stopped try has sent were held against their slices' CRCs by that try. It goes on even if that try had begun
/// anew, and so looked at each slice.
#[tokio::test(start_paused = true)]
async fn a_merge_that_was_stopped_goes_on_with_its_proof() {
    for begins_anew in [false, true] {
        let (world, expected) = world(120, MIB, Some(CrcAlgorithm::Crc64Nvme)).await;
        let (mut got, mut sent) = (0, 0);
        world.local().judge(move |request| {
            got += usize::from(request.operation == "GetObject" && request.key.ends_with("_part_00"));
            if begins_anew && request.operation == "GetObject" && got == 20 {
                sent = 0;
                return Some(Fault::Error(412, "PreconditionFailed"));
            }
            // The mark is small.
            let is_part = request.operation == "UploadPart" && request.bytes > MIB as u64;
            sent += usize::from(is_part && (got > 20 || !begins_anew));
            (is_part && sent > 5).then_some(Fault::Error(503, "SlowDown"))
        });
        let error = world.run_for(MAX_TIMEOUT, &SINGLE, &[MANIFEST]).await.unwrap_err();
        assert!(world.local().get("bucket", FINAL).is_none() && world.local().uploads().len() == 1, "{error}");
        world.local().judge(|_| None);
        let (receipt, requests) = merge(&world).await;
        assert_eq!(count(&requests, "CreateMultipartUpload"), 0, "it is resumed");
        assert!(count(&requests, "UploadPart") < 12);
        assert_eq!(receipt.written.unwrap().proof, Proof::Crc(Algorithm::Crc64Nvme));
        assert!(is_right(&world, &expected));
    }
}
