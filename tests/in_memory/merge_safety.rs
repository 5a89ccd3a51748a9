//! OUTPUT=single on the S3 in memory, with AWS's rules: what is counted, what changes under a run, what
//! is wrong with a manifest, and what is proved.

use std::time::Duration;

use local_s3::store::Store;
use local_s3::{Content, Fault, Object};
use support::{MIB, World, manifest, rows};
use unload_header::copy::part::{Origin, Piece};
use unload_header::copy::plan::{Limits, plan};
use unload_header::crc::Algorithm;
use unload_header::deadline::MAX_TIMEOUT;
use unload_header::receipt::{Outcome, Proof, Receipt};

const SINGLE: [(&str, &str); 1] = [("OUTPUT", "single")];
const DELETE: [(&str, &str); 2] = [("OUTPUT", "single"), ("DELETE_SOURCE", "on")];
const MANIFEST: &str = "unload/q_manifest";
const FINAL: &str = "final/q.csv";
const HEADER: &str = "idx|venue|name\n";

fn key(slice: usize) -> String {
    format!("unload/q_{slice:04}_part_00")
}

fn lists(slices: &[Content]) -> Object {
    let keys: Vec<String> = (0..slices.len()).map(key).collect();
    let entries: Vec<(&str, u64)> = keys.iter().map(String::as_str).zip(slices.iter().map(Content::length)).collect();
    Object::new(manifest("bucket", &entries, &["idx", "venue", "name"]))
}

/// An unload of these slices.
async fn world(slices: &[Content]) -> World {
    let world = World::in_memory().await;
    for (index, slice) in slices.iter().enumerate() {
        world.local().put("bucket", &key(index), Object::new(slice.clone()));
    }
    world.local().put("bucket", MANIFEST, lists(slices));
    world
}

/// So many bytes of rows, the last of which ends; one row, where there is no room for more.
fn slice(size: u64) -> Content {
    if (5..32).contains(&size) {
        return Content::from(format!("{}|b|\n", "a".repeat(size as usize - 4)));
    }
    let mut slice = Content::repeat(rows(MIB), size.saturating_sub(1));
    slice.append(&Content::from(if size > 0 { "\n" } else { "" }));
    slice
}

fn slices(sizes: &[u64]) -> Vec<Content> {
    sizes.iter().map(|size| slice(*size)).collect()
}

fn whole(header: &str, slices: &[Content]) -> Content {
    slices.iter().fold(Content::from(header.to_owned()), |mut whole, slice| {
        whole.append(slice);
        whole
    })
}

fn right(world: &World, expected: &Content) {
    assert!(world.local().get("bucket", FINAL).expect("a final object").content == *expected);
    assert!(world.local().uploads().is_empty());
}

/// Lets something happen just before the nth request of an operation.
fn meanwhile(world: &World, operation: &'static str, nth: usize, what: impl FnOnce(&mut Store) + Send + 'static) {
    world.local().fail(operation, nth, Fault::Meanwhile(Box::new(what)));
}

async fn merge(world: &World) -> Receipt {
    world.receipt(&SINGLE, MANIFEST).await
}

/// What passes through the function is what the plan uploads, and a look at each slice that is copied: its
/// first 16 bytes, and the last one. The first slice needs no look at its start, and the last none at its end.
#[tokio::test(start_paused = true)]
async fn the_fewest_bytes_pass_through() {
    const M: u64 = MIB as u64;
    for (what, sizes) in [
        ("1,000 slices of 1 MiB", vec![M; 1_000]),
        ("3 slices of 2 GiB", vec![2_048 * M; 3]),
        ("1 byte between two of 100 MiB", vec![100 * M, 1, 100 * M]),
        ("0-byte slices anywhere", vec![0, 100 * M, 0, 0, 100 * M, 0]),
        ("1,000 slices of 1 KiB", vec![1_024; 1_000]),
    ] {
        let slices = slices(&sizes);
        let world = world(&slices).await;
        let receipt = merge(&world).await;
        right(&world, &whole(HEADER, &slices));
        let line = std::iter::once((Origin::Header, HEADER.len() as u64))
            .chain(sizes.iter().enumerate().map(|(index, size)| (Origin::Source(index), *size)));
        let line = line.filter_map(|(of, size)| Piece::new(of, 0, size)).collect();
        let plan = plan(line, &Limits::AWS).unwrap();
        let rows: u64 = plan.uploaded() - HEADER.len() as u64;
        let last = sizes.iter().rposition(|size| *size > 0);
        let first = sizes.iter().position(|size| *size > 0);
        let looks = sizes.iter().enumerate().map(|(index, size)| match *size {
            0 => 0,
            size if size < 5 * M && Some(index) != last => 0,
            size => 16.min(size) * u64::from(Some(index) != first) + u64::from(Some(index) != last),
        });
        let of_manifest = lists(&slices).content.length();
        let looks: u64 = looks.sum::<u64>() + of_manifest;
        let written = receipt.written.unwrap();
        println!(
            "{what}: {} bytes through, {} of them to look at the slices; the least to upload is {rows}; \
             {} parts, {} requests",
            written.bytes_through, looks, written.parts, receipt.requests
        );
        assert_eq!(written.proof, Proof::Crc(Algorithm::Crc64Nvme));
        // The first slice is looked at in one piece of 5 MiB, in which the header then takes some room.
        assert!(written.bytes_through <= rows + looks + HEADER.len() as u64, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unload_that_is_not_complete_is_tried_again() {
    let slices = slices(&[10, 20, 30]);
    let world = world(&slices).await;
    world.local().delete("bucket", &key(1));
    world.local().put("bucket", &key(2), Object::new(slice(31)));
    let error = world.run(&SINGLE, &[MANIFEST]).await.unwrap_err();
    assert_eq!(error.kind(), "UnloadIncomplete");
    assert_eq!(
        error.to_string(),
        "the unload of s3://bucket/unload/q_manifest is not complete yet: 1 of the objects that it lists are not \
         there: s3://bucket/unload/q_0001_part_00; 1 have another size than it says: \
         s3://bucket/unload/q_0002_part_00 (31 bytes, not 30)"
    );
    // Either is enough.
    world.local().put("bucket", &key(1), Object::new(slices[1].clone()));
    assert!(world.error(&SINGLE, &[MANIFEST]).await.contains("1 have another size"));
    world.local().delete("bucket", &key(2));
    assert!(world.error(&SINGLE, &[MANIFEST]).await.contains("1 of the objects that it lists are not there"));
    assert!(world.local().get("bucket", FINAL).is_none());
    world.local().put("bucket", &key(2), Object::new(slices[2].clone()));
    merge(&world).await;
    right(&world, &whole(HEADER, &slices));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_manifest_is_said() {
    let world = world(&slices(&[10])).await;
    let error = async |manifest: Object| {
        world.local().put("bucket", MANIFEST, manifest);
        let error = world.run(&SINGLE, &[MANIFEST]).await.unwrap_err();
        (error.kind(), error.to_string())
    };
    let manifest = |bucket: &str, keys: &[&str]| {
        let entries: Vec<_> = keys.iter().map(|key| (*key, 10)).collect();
        Object::new(manifest(bucket, &entries, &["id"]))
    };
    let text = |kind: &str, message: &str| (kind.to_owned(), format!("the manifest s3://bucket/{MANIFEST} {message}"));
    assert_eq!(
        error(manifest("other", &["unload/q_0000_part_00"])).await,
        text(
            "ManifestEntryElsewhere",
            "lists s3://other/unload/q_0000_part_00, which is not below UNLOAD_PREFIX=\"unload/\" in its own bucket"
        )
    );
    assert_eq!(error(manifest("bucket", &["secret/q_0000_part_00"])).await.0, "ManifestEntryElsewhere");
    assert_eq!(error(manifest("bucket", &[])).await, text("InvalidManifest", "can't be used: it lists no objects"));
    let twice = ["unload/q_0000_part_00", "unload/q_0000_part_00"];
    assert_eq!(
        error(manifest("bucket", &twice)).await,
        text("InvalidManifest", "can't be used: it lists s3://bucket/unload/q_0000_part_00 twice")
    );
    let (kind, message) = error(Object::new("{\"entries\": [")).await;
    assert_eq!(kind, "InvalidManifest");
    assert!(message.contains("it is not the JSON of a manifest: EOF while parsing"), "{message}");
    let (kind, message) = error(Object::new(Content::repeat(" ", 32 * MIB as u64 + 1))).await;
    assert_eq!(kind, "S3.ObjectTooLong");
    assert!(message.contains("33554433") && message.contains("33554432"), "{message}");
    assert!(world.local().get("bucket", FINAL).is_none());
}

/// Before each request in turn that reads or copies a slice, one of them is overwritten.
#[tokio::test(start_paused = true)]
async fn slices_that_change_meanwhile_are_never_mixed() {
    let before = slices(&[12 * MIB as u64, 7, 12 * MIB as u64]);
    let mut after = before.clone();
    after[2] = Content::repeat("9|other|row\n", 12 * MIB as u64);
    for (operation, count) in
        [("HeadObject", 5), ("GetObject", 9), ("UploadPartCopy", 2), ("CompleteMultipartUpload", 1)]
    {
        for nth in 1..=count {
            let world = world(&before).await;
            let newest = Object::new(after[2].clone());
            meanwhile(&world, operation, nth, move |store| store.put("bucket", &key(2), newest));
            merge(&world).await;
            // If all was copied before the change, the object is of the old slices until the new manifest's event comes.
            let found = world.local().get("bucket", FINAL).unwrap().content;
            let complete = operation == "CompleteMultipartUpload" || nth == count;
            assert!(found == whole(HEADER, &after) || complete && found == whole(HEADER, &before), "{operation} {nth}");
            merge(&world).await;
            right(&world, &whole(HEADER, &after));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_is_written_anew_has_an_event_of_its_own() {
    let before = slices(&[10, 20]);
    let after = slices(&[15, 25]);
    for nth in 1..=2 {
        let world = world(&before).await;
        let newest = after.clone();
        meanwhile(&world, "HeadObject", nth, move |store| {
            store.put("bucket", MANIFEST, lists(&newest));
            newest
                .iter()
                .enumerate()
                .for_each(|(index, slice)| store.put("bucket", &key(index), Object::new(slice.clone())));
        });
        let receipt = merge(&world).await;
        assert_eq!(receipt.outcome, Outcome::Skipped, "{receipt:?}");
        merge(&world).await;
        right(&world, &whole(HEADER, &after));
    }
}

/// Rows that are cut off, and newlines that are put in, are part of what S3 is told to expect.
#[tokio::test(start_paused = true)]
async fn a_wrong_copy_never_becomes_a_final_object() {
    let own = |size: u64, end: &str| {
        let mut slice = Content::from("a|b|c\n");
        slice.append(&Content::repeat(rows(MIB), size));
        slice.append(&Content::from(end.to_owned()));
        slice
    };
    let (large, variables) = (8 * MIB as u64, [SINGLE[0], ("UNLOAD_OPTIONS", "HEADER")]);
    let slices = [own(large, "1|2|3"), own(large, "4|5|6\n"), own(0, "7|8|9\n")];
    let world = world(&slices).await;
    let receipt = world.receipt(&variables, MANIFEST).await;
    assert_eq!(receipt.written.unwrap().proof, Proof::Crc(Algorithm::Crc64Nvme));
    let mut expected = Content::from(HEADER);
    for (slice, newline) in slices.iter().zip(["\n", "", ""]) {
        expected.append(&slice.slice(6, slice.length()));
        expected.append(&Content::from(newline));
    }
    right(&world, &expected);

    world.local().delete("bucket", FINAL);
    world.local().judge(|request| request.copy_range.as_ref().map(|_| Fault::wrong_range()));
    let error = world.run(&variables, &[MANIFEST]).await.unwrap_err();
    assert_eq!(error.kind(), "S3.BadDigest");
    assert!(world.local().get("bucket", FINAL).is_none() && world.local().uploads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_unload_again_writes_nothing() {
    let slices = slices(&[10, 6 * MIB as u64, 20]);
    let world = world(&slices).await;
    let first = merge(&world).await;
    let again = merge(&world).await;
    assert_eq!((first.outcome, again.outcome), (Outcome::Written, Outcome::Unchanged));
    let (first, again) = (first.written.unwrap(), again.written.unwrap());
    assert_eq!(
        (first.etag, first.proof, again.bytes_through),
        (again.etag, again.proof, lists(&slices).content.length())
    );
    world.local().put("bucket", "unload/q_.headers", Object::new("x,y,z"));
    assert_eq!(merge(&world).await.outcome, Outcome::Written);
    right(&world, &whole("x|y|z\n", &slices));
    world.local().delete("bucket", MANIFEST);
    assert_eq!(world.run(&SINGLE, &[MANIFEST]).await.unwrap_err().kind(), "ObjectMissing");
}

#[tokio::test(start_paused = true)]
async fn all_sources_are_deleted_once_their_object_is_proved() {
    for size in [10, 6 * MIB as u64] {
        let before = slices(&[size, 0, size]);
        let world = world(&before).await;
        let receipt = world.receipt(&DELETE, MANIFEST).await;
        assert_eq!(receipt.reason.as_deref(), Some("the 3 sources are deleted"));
        assert_eq!(world.local().keys("bucket"), [FINAL, MANIFEST]);
        assert_eq!(world.receipt(&DELETE, MANIFEST).await.outcome, Outcome::Unchanged, "the event comes again");
        right(&world, &whole(HEADER, &before));

        // The next unload writes the same manifest, and its slices are still on their way.
        tokio::time::sleep(Duration::from_secs(60)).await;
        world.local().put("bucket", MANIFEST, lists(&before));
        assert_eq!(world.run(&DELETE, &[MANIFEST]).await.unwrap_err().kind(), "UnloadIncomplete");
    }
}

/// The same manifest again makes the same object, but only its own version may answer for sources that
/// are gone.
#[tokio::test(start_paused = true)]
async fn sources_are_deleted_only_under_the_seal_of_their_manifest() {
    let slices = slices(&[10, 20]);
    let world = world(&slices).await;
    merge(&world).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.local().put("bucket", MANIFEST, lists(&slices));
    assert_eq!(merge(&world).await.outcome, Outcome::Unchanged);
    assert_eq!(world.receipt(&DELETE, MANIFEST).await.outcome, Outcome::Written);
    assert_eq!(world.receipt(&DELETE, MANIFEST).await.outcome, Outcome::Unchanged);
    right(&world, &whole(HEADER, &slices));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_has_changed_is_not_deleted() {
    let before = slices(&[10, 20]);
    let world = world(&before).await;
    meanwhile(&world, "DeleteObject", 2, |store| store.put("bucket", &key(1), Object::new("other rows\n")));
    let receipt = world.receipt(&DELETE, MANIFEST).await;
    assert_eq!(receipt.reason.as_deref(), Some("1 of the 2 sources are not deleted: they have changed since"));
    assert!(world.local().get("bucket", &key(0)).is_none() && world.local().get("bucket", &key(1)).is_some());
    right(&world, &whole(HEADER, &before));
}

/// Three tries of 15 minutes for 2.8 TiB in slices of 6.2 GB, on an S3 that takes ten times as long as was measured.
#[tokio::test(start_paused = true)]
async fn a_long_merge_goes_on_where_it_was() {
    let slices = slices(&vec![6_200_000_000; 500]);
    let world = world(&slices).await;
    world.local().judge(move |request| {
        let (first, last) = request.copy_range.as_ref()?.strip_prefix("bytes=")?.split_once('-')?;
        Some(Fault::Late(10 * Limits::AWS.time(last.parse::<u64>().ok()? - first.parse::<u64>().ok()?)))
    });
    for _ in 0..2 {
        let error = world.run_for(MAX_TIMEOUT, &SINGLE, &[MANIFEST]).await.unwrap_err();
        assert_eq!(error.kind(), "OutOfTime", "{error}");
    }
    assert_eq!(merge(&world).await.outcome, Outcome::Written);
    right(&world, &whole(HEADER, &slices));
}
