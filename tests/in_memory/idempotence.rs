//! The same job again writes nothing, another one is done anew: what a run does that finds a final object.

use local_s3::Object;
use support::World;
use unload_header::crc::Algorithm;
use unload_header::receipt::{Outcome, Proof};

use crate::bucket::{FINAL, KEY, LARGE, SIZES, final_object, operations, other, source, with_header, world};

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

/// Sidecars are asked for beside the source, needed or not; a manifest only without them.
#[tokio::test(start_paused = true)]
async fn a_repeated_job_asks_for_a_manifest_only_without_sidecars() {
    let world = World::in_memory().await;
    let (metadata, sidecar, manifest) = ("unload/a000", "unload/s_0000_part_00", "unload/m_0000_part_00");
    world.local().put("bucket", metadata, Object::new("1\n").with_metadata("headers", "id"));
    world.local().put("bucket", sidecar, Object::new("1\n"));
    world.local().put("bucket", "unload/s_0000_part_00.headers", Object::new("id"));
    world.local().put("bucket", manifest, Object::new("1\n"));
    let entries =
        format!(r#"{{"entries":[{{"url":"s3://bucket/{manifest}"}}],"schema":{{"elements":[{{"name":"id"}}]}}}}"#);
    world.local().put("bucket", "unload/m_manifest", Object::new(entries));
    for (key, requests) in [(metadata, 4), (sidecar, 4), (manifest, 5)] {
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
    for variables in [
        [("BOM", "on")],
        [("UNLOAD_OPTIONS", "CSV DELIMITER '|'")],
        [("FINAL_KMS_KEY_ID", "arn:aws:kms:us-east-1:111122223333:key/k")],
    ] {
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
        assert!(final_object(&world).content == with_header(&source(size)));
        let sealed = final_object(&world).headers.metadata;
        let mut cut = Object::new("cut");
        cut.headers.metadata = sealed;
        world.local().put("bucket", FINAL, cut);
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written, "the seal is of another size");
    }
}
