//! Whose buckets the function works on: no other account's, and no other bucket's events.

use std::collections::BTreeSet;
use std::time::Duration;

use crc_fast::CrcAlgorithm;
use local_s3::{Content, Fault, Object, Rules};
use support::{MIB, World, manifest, rows};
use unload_header::receipt::Outcome;

const OWN: &str = "123456789012";
const OTHER: &str = "210987654321";
const LARGE: u64 = 100 * MIB as u64;
const KEY: &str = "unload/q_0000_part_00";

async fn world() -> World {
    let world = World::in_memory().await;
    let large = Object::new(Content::repeat(rows(MIB), LARGE));
    let mut large = large.composite(CrcAlgorithm::Crc32IsoHdlc, 8 * MIB as u64);
    large.headers.tagging = Some("team=data".to_owned());
    world.local().put("bucket", KEY, large);
    world.local().put("bucket", "unload/q_0001_part_00", Object::new("1|2|3\n"));
    let entries = [(KEY, LARGE), ("unload/q_0001_part_00", 6)];
    world.local().put("bucket", "unload/q_manifest", Object::new(manifest("bucket", &entries, &[])));
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    world
}

/// S3 refuses a bucket that somebody else has taken under the name of one that was deleted.
#[tokio::test(start_paused = true)]
async fn each_request_names_the_account_that_owns_the_bucket() {
    let mut operations = BTreeSet::new();
    for (output, events) in
        [("each", [KEY, "unload/q_.headers"]), ("single", ["unload/q_manifest", "unload/q_.headers"])]
    {
        for (bucket, owner, expected) in [("", "", OWN), ("finals", "", OWN), ("finals", OTHER, OTHER)] {
            let world = world().await;
            if owner == OTHER {
                world.local().rule("finals", Rules { owner: Some(OTHER), ..Rules::default() });
            }
            let variables = [
                ("OUTPUT", output),
                ("BUCKET_OWNER", OWN),
                ("FINAL_BUCKET", bucket),
                ("FINAL_BUCKET_OWNER", owner),
                ("DELETE_SOURCE", "on"),
            ];
            // A run that is stopped, one that is refused, and one that does the rest.
            world.local().fail("UploadPartCopy", 2, Fault::Late(Duration::from_secs(86_400)));
            world.run_for(Duration::from_secs(60), &variables, &events).await.unwrap_err();
            world.local().fail("CompleteMultipartUpload", 1, Fault::Error(403, "AccessDenied"));
            world.run(&variables, &events).await.unwrap_err();
            world.run(&variables, &events).await.unwrap();
            let requests = world.local().take_requests();
            let copies = requests.iter().filter(|request| request.copy_source.is_some()).count();
            assert!(copies > 0 && requests.len() > 10, "{requests:#?}");
            for request in requests {
                operations.insert(request.operation);
                let owner = if request.bucket == "finals" { expected } else { OWN };
                assert_eq!(request.owner.as_deref(), Some(owner), "{request:?}");
                assert_eq!(request.source_owner.as_deref(), request.copy_source.as_ref().map(|_| OWN), "{request:?}");
            }
        }
    }
    assert_eq!(operations.len(), 14, "all that src/s3 has: {operations:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_from_or_written_to_another_accounts_bucket() {
    for other in ["bucket", "finals"] {
        let world = world().await;
        world.local().rule(other, Rules { owner: Some(OTHER), ..Rules::default() });
        let variables = [("BUCKET_OWNER", OWN), ("FINAL_BUCKET", "finals")];
        let error = world.run(&variables, &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "AccessDenied");
        assert!(
            error.to_string().contains("another account's than BUCKET_OWNER or FINAL_BUCKET_OWNER says"),
            "{error}"
        );
        assert!(world.local().keys("finals").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn events_of_another_bucket_are_refused() {
    let world = world().await;
    assert_eq!(world.receipt(&[("UNLOAD_BUCKET", "bucket")], KEY).await.outcome, Outcome::Written);
    world.local().take_requests();
    let error = world.run(&[("UNLOAD_BUCKET", "another")], &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "OtherBucket");
    assert!(
        error.to_string().starts_with("s3://bucket/unload/q_0000_part_00 is not in UNLOAD_BUCKET=\"another\""),
        "{error}"
    );
    assert!(world.local().take_requests().is_empty(), "S3 is not even asked");
}
