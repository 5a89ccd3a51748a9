//! Exactly one outcome: what a run does that finds its work done, its world changed, or a result that
//! can't be right. On the S3 in memory, with AWS's rules.

mod support;

use std::time::Duration;

use crc_fast::CrcAlgorithm;
use local_s3::store::Store;
use local_s3::{Content, Fault, Object};
use support::{MIB, World, rows};
use unload_header::crc::Algorithm;
use unload_header::receipt::{Outcome, Proof};

const KEY: &str = "unload/q_0000_part_00";
const FINAL: &str = "final/q_0000_part_00";
const LARGE: u64 = 100 * MIB as u64;
/// Small and large: one PutObject, and a multipart upload.
const SIZES: [u64; 2] = [100, LARGE];

async fn world(size: u64) -> World {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    world.local().put("bucket", KEY, source(size));
    world
}

fn source(size: u64) -> Object {
    Object::new(Content::repeat(rows(MIB), size))
}

fn other(size: u64) -> Object {
    Object::new(Content::repeat("9|other|row\n".repeat(1_000), size))
}

/// Lets something happen just before the nth request of an operation.
fn meanwhile(world: &World, operation: &'static str, nth: usize, what: impl FnOnce(&mut Store) + Send + 'static) {
    world.local().fail(operation, nth, Fault::Meanwhile(Box::new(what)));
}

fn with_header(source: &Object) -> Content {
    let mut content = Content::from("idx|venue|name\n");
    content.append(&source.content);
    content
}

fn standing(world: &World) -> Object {
    world.local().get("bucket", FINAL).expect("a final object")
}

fn operations(world: &World) -> Vec<&'static str> {
    world.local().take_requests().iter().map(|request| request.operation).collect()
}

#[tokio::test(start_paused = true)]
async fn the_same_job_again_writes_nothing() {
    for size in [0, 100, LARGE] {
        let world = world(size).await;
        let first = world.receipt(&[], KEY).await;
        operations(&world);
        let again = world.receipt(&[], KEY).await;
        assert_eq!(again.outcome, Outcome::Unchanged);
        assert_eq!(operations(&world), ["HeadObject", "HeadObject", "GetObject", "GetObject"]);
        let (first, again) = (first.written.unwrap(), again.written.unwrap());
        assert_eq!((again.etag, again.bytes, again.proof), (first.etag, first.bytes, Proof::Crc(Algorithm::Crc64Nvme)));
        assert_eq!((again.bytes_through, again.parts), ("idx,venue,name".len() as u64, 0));
    }
}

/// What the columns come from costs a request more or less.
#[tokio::test(start_paused = true)]
async fn a_repeated_job_takes_as_many_requests_as_its_columns_are_far() {
    let world = World::in_memory().await;
    let (metadata, sidecar, manifest) = ("unload/a000", "unload/s_0000_part_00", "unload/m_0000_part_00");
    world.local().put("bucket", metadata, Object::new("1\n").with_metadata("headers", "id"));
    world.local().put("bucket", sidecar, Object::new("1\n"));
    world.local().put("bucket", "unload/s_0000_part_00.headers", Object::new("id"));
    world.local().put("bucket", manifest, Object::new("1\n"));
    let entries =
        format!(r#"{{"entries":[{{"url":"s3://bucket/{manifest}"}}],"schema":{{"elements":[{{"name":"id"}}]}}}}"#);
    world.local().put("bucket", "unload/m_manifest", Object::new(entries));
    for (key, requests) in [(metadata, 2), (sidecar, 3), (manifest, 5)] {
        world.receipt(&[], key).await;
        let again = world.receipt(&[], key).await;
        assert_eq!((again.outcome, again.requests), (Outcome::Unchanged, requests), "{key}");
    }
}

/// Whatever the object is made of: rows, names, options, what comes along.
#[tokio::test(start_paused = true)]
async fn another_job_is_done_anew() {
    let world = world(100).await;
    let again = async |world: &World, variables: &[(&str, &str)]| world.receipt(variables, KEY).await.outcome;
    assert_eq!(again(&world, &[]).await, Outcome::Written);
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,other"));
    assert_eq!(again(&world, &[]).await, Outcome::Written);
    world.local().put("bucket", KEY, other(100));
    assert_eq!(again(&world, &[]).await, Outcome::Written);
    world.local().put("bucket", KEY, other(100).with_metadata("owner", "me"));
    assert_eq!(again(&world, &[]).await, Outcome::Written);
    for variables in [[("BOM", "on")], [("UNLOAD_OPTIONS", "CSV DELIMITER '|'")], [("FINAL_KMS_KEY_ID", "alias/k")]] {
        again(&world, &[]).await;
        assert_eq!(again(&world, &variables).await, Outcome::Written, "{variables:?}");
        assert_eq!(again(&world, &variables).await, Outcome::Unchanged, "{variables:?}");
    }
}

/// A name that deceives about the compression makes the first guess of the final key wrong.
#[tokio::test(start_paused = true)]
async fn the_final_key_follows_the_content_and_not_the_name() {
    let world = World::in_memory().await;
    let gzip = unload_header::unload::Compression::Gzip;
    world.local().put("bucket", "unload/q_.headers", Object::new("id"));
    world.local().put("bucket", "unload/q_000.csv", Object::new(gzip.member(b"1\n").unwrap()));
    world.local().put("bucket", "unload/q_001.gz", Object::new("1\n"));
    let variables = [("FINAL_KEY", "final/{path}{compression}")];
    for (key, result) in [("unload/q_000.csv", "final/q_000.csv.gz"), ("unload/q_001.gz", "final/q_001.gz")] {
        for outcome in [Outcome::Written, Outcome::Unchanged] {
            let receipt = world.receipt(&variables, key).await;
            assert_eq!((receipt.outcome, receipt.final_uri), (outcome, Some(format!("s3://bucket/{result}"))));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_its_own_is_replaced() {
    for size in SIZES {
        let world = world(size).await;
        world.local().put("bucket", FINAL, Object::new("of somebody else"));
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
        assert!(standing(&world).content == with_header(&source(size)));
        let sealed = standing(&world).headers.metadata;
        let mut cut = Object::new("cut");
        cut.headers.metadata = sealed;
        world.local().put("bucket", FINAL, cut);
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written, "the seal is of another size");
    }
}

/// An UNLOAD with ALLOWOVERWRITE in the middle of a run: nothing of the two is mixed.
#[tokio::test(start_paused = true)]
async fn a_source_that_changes_meanwhile_is_begun_anew() {
    for (size, operation, nth) in
        [(100, "GetObject", 3), (LARGE, "GetObject", 3), (LARGE, "UploadPartCopy", 2), (LARGE, "UploadPart", 1)]
    {
        let world = world(size).await;
        meanwhile(&world, operation, nth, move |store| store.put("bucket", KEY, other(size)));
        let receipt = world.receipt(&[], KEY).await;
        assert_eq!(receipt.outcome, Outcome::Written, "{operation}");
        assert!(standing(&world).content == with_header(&other(size)), "{operation}");
        assert!(world.local().uploads().is_empty(), "{operation}");
    }
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
        let first = standing(&world);
        world.local().delete("bucket", FINAL);
        let etag = first.etag.clone();
        meanwhile(&world, operation, 1, move |store| store.put("bucket", FINAL, first));
        let receipt = world.receipt(&[], KEY).await;
        assert_eq!(receipt.outcome, Outcome::Unchanged, "{operation}");
        assert_eq!(receipt.written.unwrap().etag, etag);
        assert!(world.local().uploads().is_empty());
    }
}

/// S3 says 200 before it has put the parts together; what it finds then stands in the body.
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
        assert_eq!(standing(&world).content.to_bytes(), "of somebody else, 5");
        assert!(world.local().uploads().is_empty());
    }
}

/// The object that stands there when the run looks is somebody else's, written since.
#[tokio::test(start_paused = true)]
async fn a_result_that_is_replaced_at_once_is_looked_at_again() {
    let world = world(LARGE).await;
    world.local().put("bucket", KEY, source(LARGE).with_checksum(None));
    meanwhile(&world, "HeadObject", 3, |store| store.put("bucket", FINAL, Object::new("of somebody else")));
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
    assert!(standing(&world).content == with_header(&source(LARGE)));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_conditional_writes_is_written_to_all_the_same() {
    for size in SIZES {
        let world = world(size).await;
        world.local().deny_conditions();
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Unchanged);
        assert!(standing(&world).content == with_header(&source(size)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_says_what_the_proof_was() {
    for size in SIZES {
        for (algorithm, proof) in [
            (Some(CrcAlgorithm::Crc64Nvme), Proof::Crc(Algorithm::Crc64Nvme)),
            (Some(CrcAlgorithm::Crc32IsoHdlc), Proof::Crc(Algorithm::Crc32)),
            (Some(CrcAlgorithm::Crc32Iscsi), Proof::Crc(Algorithm::Crc32c)),
            (None, if size == LARGE { Proof::Size } else { Proof::Crc(Algorithm::Crc64Nvme) }),
        ] {
            let world = world(size).await;
            world.local().put("bucket", KEY, source(size).with_checksum(algorithm));
            for outcome in [Outcome::Written, Outcome::Unchanged] {
                let receipt = world.receipt(&[], KEY).await;
                assert_eq!((receipt.outcome, receipt.written.unwrap().proof), (outcome, proof));
            }
            let kept = standing(&world).checksum.unwrap().algorithm;
            assert_eq!(kept, algorithm.unwrap_or(CrcAlgorithm::Crc64Nvme), "the same as the source's");
        }
    }
}

/// S3 keeps more algorithms than those whose checksums combine (shown by the SDK's `ChecksumAlgorithm`).
#[tokio::test(start_paused = true)]
async fn a_checksum_that_does_not_combine_proves_nothing() {
    let others = ["md5", "sha1", "sha256", "sha512", "xxhash3", "xxhash64", "xxhash128"];
    let headers = others.map(|other| &*format!("x-amz-checksum-{other}").leak());
    for (size, header) in SIZES.into_iter().flat_map(|size| headers.map(|header| (size, header))) {
        let world = world(size).await;
        world.local().put("bucket", KEY, source(size).with_other_checksum(header));
        for outcome in [Outcome::Written, Outcome::Unchanged] {
            let receipt = world.receipt(&[], KEY).await;
            // A small object is proved by the CRC of what was sent.
            let proof = if size == LARGE { Proof::Size } else { Proof::Crc(Algorithm::Crc64Nvme) };
            assert_eq!((receipt.outcome, receipt.written.unwrap().proof), (outcome, proof), "{header}");
        }
        assert!(standing(&world).content == with_header(&source(size)));
    }
}

/// S3 itself refuses it, though nobody has read the source.
#[tokio::test(start_paused = true)]
async fn a_wrong_range_never_becomes_a_final_object() {
    for algorithm in [CrcAlgorithm::Crc64Nvme, CrcAlgorithm::Crc32IsoHdlc, CrcAlgorithm::Crc32Iscsi] {
        for nth in 1..=3 {
            let world = world(LARGE).await;
            world.local().put("bucket", KEY, source(LARGE).with_checksum(Some(algorithm)));
            let mut copies = 0;
            world.local().judge(move |request| {
                copies += usize::from(request.operation == "UploadPartCopy");
                (request.operation == "UploadPartCopy" && copies % 3 == nth % 3).then_some(Fault::WrongRange)
            });
            let error = world.run(&[], &[KEY]).await.unwrap_err();
            assert_eq!(error.kind(), "S3.BadDigest");
            let completes = operations(&world).iter().filter(|it| **it == "CompleteMultipartUpload").count();
            assert_eq!(completes, 2, "begun anew once");
            assert!(world.local().get("bucket", FINAL).is_none() && world.local().uploads().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_range_once_is_mended() {
    let world = world(LARGE).await;
    world.local().fail("UploadPartCopy", 2, Fault::WrongRange);
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
    assert!(standing(&world).content == with_header(&source(LARGE)));
}

/// A store that loses bytes without an error, and knows no CRCs: the size tells.
#[tokio::test(start_paused = true)]
async fn a_result_of_another_size_is_an_error() {
    let world = world(LARGE).await;
    world.local().put("bucket", KEY, source(LARGE).with_checksum(None));
    meanwhile(&world, "HeadObject", 3, |store| {
        let stored = store.object("bucket", FINAL).unwrap().clone();
        store.put("bucket", FINAL, Object { content: "short".into(), ..stored });
    });
    let error = world.run(&[], &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "ResultUnproved");
    assert!(error.to_string().contains("was written with 5 bytes"), "{error}");
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written, "and no later run takes it for done");
}

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

/// S3 refuses everything for a while, with as many parts in flight as there may be.
#[tokio::test(start_paused = true)]
async fn a_burst_of_slow_down_slows_the_pace_and_is_survived() {
    let size = 1 << 40;
    let world = world(size).await;
    let begun = tokio::time::Instant::now();
    let (most, now) = (std::sync::Arc::new(std::sync::Mutex::new((0, 0))), Duration::from_secs(120));
    let seen = most.clone();
    world.local().judge(move |request| {
        if request.operation != "UploadPartCopy" {
            return None;
        }
        let mut seen = seen.lock().unwrap();
        if begun.elapsed() < now {
            seen.0 += 1;
            return Some(Fault::Error(503, "SlowDown"));
        }
        seen.1 += 1;
        Some(Fault::Late(Duration::from_secs(2)))
    });
    let receipt = world.receipt(&[], KEY).await;
    let parts = receipt.written.unwrap().parts;
    let (refused, taken) = *most.lock().unwrap();
    println!("{parts} parts: {refused} copies refused, {taken} taken");
    assert_eq!(taken, parts - 1, "each is taken once");
    assert!(refused > 64, "{refused}");
    assert!(standing(&world).content == with_header(&source(size)));
}
