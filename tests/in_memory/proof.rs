//! What proves that a final object is right, and what becomes of one that can't be.

use crc_fast::CrcAlgorithm;
use local_s3::{Fault, Object};
use unload_header::crc::Algorithm;
use unload_header::receipt::{Outcome, Proof};

use crate::bucket::{FINAL, KEY, LARGE, SIZES, final_object, meanwhile, operations, source, with_header, world};

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
            let kept = final_object(&world).checksum.unwrap().algorithm;
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
        assert!(final_object(&world).content == with_header(&source(size)));
    }
}

/// S3 itself refuses it, although the function has not read the source.
#[tokio::test(start_paused = true)]
async fn a_wrong_range_never_becomes_a_final_object() {
    for algorithm in [CrcAlgorithm::Crc64Nvme, CrcAlgorithm::Crc32IsoHdlc, CrcAlgorithm::Crc32Iscsi] {
        for nth in 1..=3 {
            let world = world(LARGE).await;
            world.local().put("bucket", KEY, source(LARGE).with_checksum(Some(algorithm)));
            let mut copies = 0;
            world.local().judge(move |request| {
                copies += usize::from(request.operation == "UploadPartCopy");
                (request.operation == "UploadPartCopy" && copies % 3 == nth % 3).then_some(Fault::wrong_range())
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
async fn a_range_that_was_wrong_once_is_copied_again() {
    let world = world(LARGE).await;
    world.local().fail("UploadPartCopy", 2, Fault::wrong_range());
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
    assert!(final_object(&world).content == with_header(&source(LARGE)));
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
