//! What AWS's S3 does and few other servers do: on the S3 in memory, each rule switched on where it matters.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::primitives::DateTime;
use crc_fast::CrcAlgorithm;
use local_s3::store::{Headers, Store};
use local_s3::{Content, Fault, Object, Rules};
use support::{MIB, World, manifest, rows};
use tokio::time::Instant;
use unload_header::crc::Algorithm;
use unload_header::receipt::{Outcome, Proof};

const KEY: &str = "unload/q_0000_part_00";
const FINAL: &str = "final/q_0000_part_00";
const LARGE: u64 = 100 * MIB as u64;
/// Small and large: one PutObject, and a multipart upload.
const SIZES: [u64; 2] = [100, LARGE];
const KMS_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/default";
const KMS: [(&str, &str); 1] = [("FINAL_KMS_KEY_ID", KMS_KEY)];

fn source(size: u64) -> Object {
    Object::new(Content::repeat(rows(MIB), size))
}

async fn world(source: Object) -> World {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    world.local().put("bucket", KEY, source);
    world
}

fn is_right(world: &World, source: &Object) -> bool {
    let mut expected = Content::from("idx|venue|name\n");
    expected.append(&source.content);
    world.local().get("bucket", FINAL).is_some_and(|found| found.content == expected)
}

fn count(world: &World, operation: &str) -> usize {
    world.local().take_requests().iter().filter(|request| request.operation == operation).count()
}

/// The bucket's default encryption is SSE-KMS, so that the mark's ETag is no MD5; and no CRC of the whole is known.
#[tokio::test(start_paused = true)]
async fn a_stopped_upload_under_kms_is_resumed() {
    let sources =
        [source(LARGE).with_checksum(None), source(LARGE), source(LARGE).with_checksum(Some(CrcAlgorithm::Crc32Iscsi))];
    for source in sources {
        let world = world(source.clone()).await;
        world.local().rule("bucket", Rules { kms_key_id: Some(KMS_KEY.to_owned()), ..Rules::default() });
        let mut copies = 0;
        world.local().judge(move |request| {
            copies += usize::from(request.copy_source.is_some());
            (request.copy_source.is_some() && copies > 1).then(|| Fault::Late(Duration::from_secs(86_400)))
        });
        let error = world.run_for(Duration::from_secs(60), &KMS, &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "OutOfTime");
        world.local().judge(|_| None);
        world.local().take_requests();
        assert_eq!(world.receipt(&KMS, KEY).await.outcome, Outcome::Written);
        assert_eq!(count(&world, "CreateMultipartUpload"), 0, "it is resumed");
        assert!(is_right(&world, &source) && world.local().uploads().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_with_object_lock_takes_it() {
    for size in SIZES {
        for algorithm in [None, Some(CrcAlgorithm::Crc64Nvme)] {
            let source = source(size).with_checksum(algorithm);
            let world = world(source.clone()).await;
            world.local().rule("bucket", Rules { is_locked: true, ..Rules::default() });
            assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
            assert!(is_right(&world, &source), "{size}");
        }
    }
}

/// S3 computed the CRC of what was read, although the CRC of the source is not known.
#[tokio::test(start_paused = true)]
async fn a_small_object_has_a_proof_without_a_crc_of_the_source() {
    let world = world(source(100).with_checksum(None)).await;
    for outcome in [Outcome::Written, Outcome::Unchanged] {
        let receipt = world.receipt(&[], KEY).await;
        let proof = receipt.written.unwrap().proof;
        assert_eq!((receipt.outcome, proof), (outcome, Proof::Crc(Algorithm::Crc64Nvme)));
    }
}

/// What a run asks of each upload that it creates: the algorithm and the type of a checksum.
async fn asked(world: &World, variables: &[(&str, &str)], event: &str) -> Vec<[Option<String>; 2]> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    world.local().judge(move |request| {
        let seen = Arc::clone(&seen);
        (request.operation == "CreateMultipartUpload").then(|| {
            Fault::OtherRequest(Box::new(move |parts| {
                let named = |name: &str| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
                seen.lock().unwrap().push(["x-amz-checksum-algorithm", "x-amz-checksum-type"].map(named));
            }))
        })
    });
    assert_eq!(world.receipt(variables, event).await.outcome, Outcome::Written);
    std::mem::take(&mut *asked.lock().unwrap())
}

/// There is nothing to hold it against, and some servers read each part that they copy to sum it up. S3 keeps one all the same.
#[tokio::test(start_paused = true)]
async fn an_upload_asks_for_a_checksum_only_if_one_is_known() {
    for (algorithm, expected) in [
        (None, [None, None]),
        (Some(CrcAlgorithm::Crc64Nvme), [Some("CRC64NVME".to_owned()), Some("FULL_OBJECT".to_owned())]),
        (Some(CrcAlgorithm::Crc32Iscsi), [Some("CRC32C".to_owned()), Some("FULL_OBJECT".to_owned())]),
    ] {
        let world = world(source(LARGE).with_checksum(algorithm)).await;
        assert_eq!(asked(&world, &[], KEY).await, [expected]);
        let kept = world.local().get("bucket", FINAL).unwrap().checksum.unwrap();
        assert_eq!(kept.algorithm, algorithm.unwrap_or(CrcAlgorithm::Crc64Nvme));
    }
}

/// All of it passes through the function, and a CRC takes less CPU than the MD5 of each part. A server that knows no CRCs is
/// written to without.
#[tokio::test(start_paused = true)]
async fn a_merge_of_small_slices_asks_for_a_checksum_though_none_is_known() {
    for knows_crcs in [true, false] {
        let world = World::in_memory().await;
        let keys: Vec<String> = (10..30).map(|number| format!("unload/q_00{number}_part_00")).collect();
        let (slice, mut expected) = (source(MIB as u64).with_checksum(None), Content::from("idx|venue|name\n"));
        keys.iter().for_each(|key| {
            world.local().put("bucket", key, slice.clone());
            expected.append(&slice.content);
            expected.append(&Content::from(if slice.content.to_bytes().ends_with(b"\n") { "" } else { "\n" }));
        });
        let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), MIB as u64)).collect();
        world.local().put(
            "bucket",
            "unload/q_manifest",
            Object::new(manifest("bucket", &entries, &["idx", "venue", "name"])),
        );
        if !knows_crcs {
            world.local().deny_checksums();
        }
        let [first, ..] = &asked(&world, &[("OUTPUT", "single")], "unload/q_manifest").await[..] else {
            panic!("no upload")
        };
        assert_eq!(first[0].as_deref(), Some("CRC64NVME"), "{knows_crcs}");
        assert!(world.local().get("bucket", "final/q.csv").unwrap().content == expected, "{knows_crcs}");
        assert!(world.local().uploads().is_empty());
    }
}

/// A part without a CRC has its MD5 with it, so that S3 refuses other bytes.
#[tokio::test(start_paused = true)]
async fn a_part_whose_bytes_changed_on_the_way_is_refused() {
    for algorithm in [None, Some(CrcAlgorithm::Crc64Nvme)] {
        let world = world(source(LARGE).with_checksum(algorithm)).await;
        let header = if algorithm.is_none() { "content-md5" } else { "x-amz-checksum-crc64nvme" };
        world.local().judge(move |request| {
            (request.operation == "UploadPart").then(|| {
                Fault::OtherRequest(Box::new(move |parts| {
                    // As if the body were another: what is said of it no longer fits.
                    let other = "AAAAAAAAAAAAAAAAAAAAAA==".parse().unwrap();
                    assert!(parts.headers.insert(header, other).is_some());
                }))
            })
        });
        let error = world.run(&[], &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "S3.BadDigest");
        assert!(world.local().get("bucket", FINAL).is_none() && world.local().uploads().is_empty());
    }
}

/// Not AWS, but a server that knows no CRCs and says so: nothing of it is needed then.
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_crcs_is_written_to_without() {
    for size in SIZES {
        let source = source(size).with_checksum(None);
        let world = world(source.clone()).await;
        world.local().deny_checksums();
        for outcome in [Outcome::Written, Outcome::Unchanged] {
            assert_eq!(world.receipt(&[], KEY).await.outcome, outcome);
        }
        assert!(is_right(&world, &source) && world.local().uploads().is_empty());
    }
}

/// As multipart clients write, whose default is a CRC32.
#[tokio::test(start_paused = true)]
async fn the_crc_of_a_source_in_parts_follows_from_those_of_the_parts() {
    for (algorithm, proof) in
        [(CrcAlgorithm::Crc32IsoHdlc, Algorithm::Crc32), (CrcAlgorithm::Crc32Iscsi, Algorithm::Crc32c)]
    {
        for (size, part) in [(100, 30), (LARGE, 8 * MIB as u64), (LARGE, 64 << 10)] {
            for is_hidden in [false, true] {
                let source = source(size).composite(algorithm, part);
                let world = world(source.clone()).await;
                if is_hidden {
                    world.local().hide_composite();
                }
                let receipt = world.receipt(&[], KEY).await;
                assert_eq!(receipt.written.unwrap().proof, Proof::Crc(proof), "{size} {part} {is_hidden}");
                assert!(is_right(&world, &source));
                assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Unchanged);
            }
        }
        let world = world(source(LARGE).composite(algorithm, 8 * MIB as u64)).await;
        world.local().judge(|request| request.copy_range.as_ref().map(|_| Fault::wrong_range()));
        assert_eq!(world.run(&[], &[KEY]).await.unwrap_err().kind(), "S3.BadDigest");
        assert!(world.local().get("bucket", FINAL).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_tell_of_parts_leaves_the_size_as_proof() {
    let source = source(LARGE).composite(CrcAlgorithm::Crc32IsoHdlc, 8 * MIB as u64);
    let world = world(source.clone()).await;
    world.local().fail("GetObjectAttributes", 1, Fault::Error(501, "NotImplemented"));
    assert_eq!(world.receipt(&[], KEY).await.written.unwrap().proof, Proof::Size);
    assert!(is_right(&world, &source));
}

/// GetObjectAttributes takes no condition: what it says may be of an object that was there only meanwhile.
#[tokio::test(start_paused = true)]
async fn the_parts_of_another_version_tell_nothing_of_this_one() {
    let [source, other] = [rows(MIB), rows(MIB).to_ascii_uppercase()]
        .map(|rows| Object::new(Content::repeat(rows, LARGE)).composite(CrcAlgorithm::Crc32IsoHdlc, 8 * MIB as u64));
    let world = world(source.clone()).await;
    for (operation, object) in [("GetObjectAttributes", other), ("CreateMultipartUpload", source.clone())] {
        let put = move |store: &mut Store| store.put("bucket", KEY, object);
        world.local().fail(operation, 1, Fault::Meanwhile(Box::new(put)));
    }
    assert_eq!(world.receipt(&[], KEY).await.written.unwrap().proof, Proof::Size);
    assert!(is_right(&world, &source));
}

#[tokio::test(start_paused = true)]
async fn slices_in_parts_have_their_headers_cut_off_from_their_crcs() {
    let world = World::in_memory().await;
    let (first, second) = ("unload/q_0000_part_00", "unload/q_0001_part_00");
    let slice = || Object::new([b"idx|venue|name\n", &rows(20 * MIB)[..]].concat());
    let composite = || slice().composite(CrcAlgorithm::Crc32IsoHdlc, 8 * MIB as u64);
    world.local().put("bucket", first, composite());
    world.local().put("bucket", second, composite());
    let size = slice().content.length();
    let entries = manifest("bucket", &[(first, size), (second, size)], &[]);
    world.local().put("bucket", "unload/q_manifest", Object::new(entries));
    let receipt = world.receipt(&[("OUTPUT", "single"), ("UNLOAD_OPTIONS", "HEADER")], "unload/q_manifest").await;
    assert_eq!(receipt.written.unwrap().proof, Proof::Crc(Algorithm::Crc32));
    let expected = [b"idx|venue|name\n", &rows(20 * MIB)[..], &rows(20 * MIB)[..]].concat();
    assert!(world.local().get("bucket", "final/q.csv").unwrap().content == Content::from(expected));
}

/// The key was changed, and the role may no longer use the older one.
#[tokio::test(start_paused = true)]
async fn a_final_object_under_an_older_key_is_looked_at_and_replaced() {
    for size in SIZES {
        let world = world(source(size)).await;
        let put_away = |object: Object| {
            let mut object = object;
            object.headers.kms_key_id = Some("arn:aws:kms:us-east-1:123456789012:key/older".to_owned());
            world.local().put("bucket", FINAL, object);
        };
        put_away(Object::new("of somebody else"));
        assert_eq!(world.receipt(&KMS, KEY).await.outcome, Outcome::Written);
        put_away(world.local().get("bucket", FINAL).unwrap());
        let receipt = world.receipt(&KMS, KEY).await;
        assert_eq!((receipt.outcome, receipt.written.unwrap().proof), (Outcome::Unchanged, Proof::Size));
        assert!(is_right(&world, &source(size)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_403_names_the_permission_to_decrypt() {
    let mut encrypted = source(100);
    encrypted.headers.kms_key_id = Some("arn:aws:kms:us-east-1:123456789012:key/unknown".to_owned());
    let error = world(encrypted).await.run(&[], &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "AccessDenied");
    let message = error.to_string();
    assert!(message.contains("the function lacks kms:Decrypt") && message.contains(KEY), "{message}");
}

/// A copy that seemed to have timed out ends after its retry; under SSE-KMS its part has another ETag then.
#[tokio::test(start_paused = true)]
async fn a_part_that_was_copied_twice_is_taken_as_it_is_listed() {
    for algorithm in [None, Some(CrcAlgorithm::Crc64Nvme)] {
        let source = source(LARGE).with_checksum(algorithm);
        let world = world(source.clone()).await;
        world.local().rule("bucket", Rules { kms_key_id: Some(KMS_KEY.to_owned()), ..Rules::default() });
        for nth in [1, 2] {
            let again = move |store: &mut Store| {
                let upload = store.uploads.values_mut().next().unwrap();
                upload.parts.get_mut(&2).unwrap().etag = format!("another-{nth}");
            };
            world.local().fail("CompleteMultipartUpload", nth, Fault::Meanwhile(Box::new(again)));
        }
        assert_eq!(world.receipt(&KMS, KEY).await.outcome, Outcome::Written);
        assert_eq!(count(&world, "CreateMultipartUpload"), 1, "the upload is not thrown away");
        assert!(world.local().uploads().is_empty());
        assert!(is_right(&world, &source));
    }
}

/// Without a CRC, another ETag means other bytes.
#[tokio::test(start_paused = true)]
async fn a_part_that_was_replaced_by_other_bytes_is_never_completed() {
    for algorithm in [None, Some(CrcAlgorithm::Crc64Nvme)] {
        let source = source(LARGE).with_checksum(algorithm);
        let world = world(source.clone()).await;
        let other = |store: &mut Store| {
            let part = store.uploads.values_mut().next().unwrap().parts.get_mut(&2).unwrap();
            part.content = Content::repeat("other", part.content.length());
            part.etag = part.content.etag();
        };
        world.local().fail("CompleteMultipartUpload", 1, Fault::Meanwhile(Box::new(other)));
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
        assert_eq!(count(&world, "CreateMultipartUpload"), 2, "begun anew");
        assert!(is_right(&world, &source));
    }
}

/// The bucket's own key, which only the answer to CreateMultipartUpload tells.
#[tokio::test(start_paused = true)]
async fn an_upload_without_a_crc_asks_for_one_if_the_bucket_has_a_key() {
    let world = world(source(LARGE).with_checksum(None)).await;
    world.local().rule("bucket", Rules { kms_key_id: Some(KMS_KEY.to_owned()), ..Rules::default() });
    let asked = asked(&world, &[("FinalBucketKmsKeyArn", KMS_KEY)], KEY).await;
    let algorithms: Vec<_> = asked.iter().map(|[algorithm, _]| algorithm.as_deref()).collect();
    assert_eq!(algorithms, [None, Some("CRC64NVME")]);
    assert!(world.local().uploads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_another_region_is_named_with_both() {
    for (variables, bucket) in [(vec![("FINAL_BUCKET", "finals")], "finals"), (vec![], "bucket")] {
        let world = world(source(100)).await;
        world.local().rule(bucket, Rules { region: Some("eu-west-1"), ..Rules::default() });
        let error = world.run(&variables, &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "OtherRegion");
        let message = error.to_string();
        let start = format!("the bucket {bucket} is in the region eu-west-1, and the function in us-east-1; choose");
        assert!(message.starts_with(&start), "{message}");
    }
}

/// A connection that died while the function was frozen: no answer ever comes by it.
#[tokio::test(start_paused = true)]
async fn what_never_answers_costs_seconds() {
    for (operation, size, event) in [
        ("HeadObject", 100, KEY),
        ("GetObject", 100, KEY),
        ("ListMultipartUploads", LARGE, KEY),
        ("ListObjectsV2", 100, "unload/q_.headers"),
    ] {
        let world = world(source(size)).await;
        world.local().fail(operation, 1, Fault::Late(Duration::from_secs(3_600)));
        let begun = Instant::now();
        assert_eq!(world.receipt(&[], event).await.outcome, Outcome::Written);
        assert!(begun.elapsed() < Duration::from_secs(12), "{operation}: {:?}", begun.elapsed());
    }
}

/// The clock is the real one: the pool of connections has no other.
#[tokio::test]
async fn a_connection_is_given_up_before_s3_does() {
    let world = World::in_process().await;
    world.put("unload/q_.headers", "id").await;
    world.put(KEY, "1\n").await;
    world.local().stall_after(Duration::from_secs(5));
    world.receipt(&[], KEY).await;
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    let begun = Instant::now();
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Unchanged);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_overtaken_waits_before_it_begins_anew() {
    let world = world(source(100)).await;
    let meanwhile = |store: &mut Store| store.put("bucket", FINAL, Object::new("of somebody else"));
    world.local().fail("PutObject", 1, Fault::Meanwhile(Box::new(meanwhile)));
    let begun = Instant::now();
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
    assert!((Duration::from_millis(250)..Duration::from_secs(2)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

/// XML has no way to write some characters, and changes others.
#[tokio::test(start_paused = true)]
async fn keys_with_control_characters_are_listed() {
    let world = World::in_memory().await;
    for (sidecar, key) in [
        ("unload/a\rb_.headers", "unload/a\rb_0000_part_00"),
        ("unload/a\u{1}b_.headers", "unload/a\u{1}b_0000_part_00"),
        ("unload/a b+c%20_.headers", "unload/a b+c%20_0000_part_00"),
    ] {
        world.local().put("bucket", sidecar, Object::new("id"));
        world.local().put("bucket", key, Object::new("1\n"));
        assert_eq!(world.receipt(&[], sidecar).await.outcome, Outcome::Written, "{key:?}");
        let written = world.local().get("bucket", &key.replacen("unload/", "final/", 1));
        assert_eq!(written.unwrap().content.to_bytes(), "id\n1\n", "{key:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_to_a_key_that_xml_changes_is_found() {
    for key in ["unload/a\rb_0000_part_00", "unload/a b+c%20_0000_part_00"] {
        let world = world(source(0)).await;
        world.local().put("bucket", &format!("{key}.headers"), Object::new("idx,venue,name"));
        world.local().put("bucket", key, source(LARGE));
        // One that XML can't tell of, to a key that begins like this.
        let other = format!("{}\u{1}", key.replacen("unload/", "final/", 1));
        let begin = move |store: &mut Store| {
            store.create("bucket", &other, (None, false), Headers::default());
        };
        world.local().fail("HeadObject", 1, Fault::Meanwhile(Box::new(begin)));
        world.local().fail("UploadPartCopy", 2, Fault::Late(Duration::from_secs(86_400)));
        let error = world.run_for(Duration::from_secs(60), &[], &[key]).await.unwrap_err();
        assert_eq!((error.kind().as_str(), world.local().uploads().len()), ("OutOfTime", 2));
        world.local().take_requests();
        assert_eq!(world.receipt(&[], key).await.outcome, Outcome::Written);
        assert_eq!(count(&world, "CreateMultipartUpload"), 0, "{key:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn expires_comes_along() {
    for size in [100, 6 * MIB] {
        let world = world(source(0)).await;
        let expires = DateTime::from_secs(1_900_000_000);
        world.put_with(KEY, rows(size), |put| put.expires(expires)).await;
        world.receipt(&[], KEY).await;
        let found = world.object(FINAL).await.unwrap();
        assert_eq!(found.expires_string(), Some("Sun, 17 Mar 2030 17:46:40 GMT"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_under_its_writers_own_key_is_refused_with_the_reason() {
    let error = world(source(100).with_customer_key()).await.run(&[], &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "CustomerKeyEncrypted");
    assert!(error.to_string().contains("(SSE-C), so that the function can't read it"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn tags_of_aws_itself_stay_behind() {
    for (tags, expected) in
        [("aws%3Acloudformation%3Astack=s&team=data", Some("team=data")), ("aws%3Acloudformation%3Astack=s", None)]
    {
        let mut tagged = source(100);
        tagged.headers.tagging = Some(tags.to_owned());
        let world = world(tagged).await;
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
        assert_eq!(world.local().get("bucket", FINAL).unwrap().headers.tagging.as_deref(), expected);
    }
}
