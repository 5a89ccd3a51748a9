//! How many requests a run makes, and how many of them one after the other. Each request takes a second on the test's own
//! clock, so that the seconds are the steps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_s3::{Content, Fault, Object, Request};
use serde_json::{Value, json};
use support::{MIB, World, manifest, rows};
use tokio::time::Instant;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::receipt::{Outcome, Receipt};

const KEY: &str = "unload/q_0000_part_00";
const FINAL: &str = "final/q_0000_part_00";
const SMALL: u64 = 1_000;
const LARGE: u64 = 100 * MIB as u64;

/// A world with one source of this size and the sidecar of its unload.
async fn world(size: u64) -> World {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    world.local().put("bucket", KEY, Object::new(Content::repeat(rows(MIB), size)));
    world
}

/// What came of an event: its receipt, what was asked of S3, and in how many steps.
struct Run {
    receipt: Receipt,
    requests: Vec<Request>,
    steps: u64,
}

impl Run {
    async fn of(world: &World, variables: &[(&str, &str)], event: &Value) -> Run {
        world.local().judge(|_| Some(Fault::Late(Duration::from_secs(1))));
        world.local().take_requests();
        let begun = Instant::now();
        let answer = world.handler(variables).handle(event, Deadline::after(MAX_TIMEOUT)).await;
        let receipt = answer.unwrap().receipts.remove(0);
        let requests = world.local().take_requests();
        assert_eq!(requests.len() as u64, receipt.requests, "the receipt counts what went out");
        Run { receipt, requests, steps: begun.elapsed().as_secs() }
    }

    /// The event of one object, as S3 sends it.
    async fn of_key(world: &World, variables: &[(&str, &str)], key: &str) -> Run {
        Run::of(world, variables, &world.created(&[key])).await
    }

    fn operations(&self) -> Vec<&str> {
        self.requests.iter().map(|request| request.operation).collect()
    }

    fn count(&self, operation: &str) -> usize {
        self.operations().into_iter().filter(|it| *it == operation).count()
    }
}

/// An event that tells this of an object, and not what is there.
fn telling(object: Value) -> Value {
    let s3 = json!({"bucket": {"name": "bucket"}, "object": object});
    json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": s3}]})
}

fn is_right(world: &World) -> bool {
    let mut expected = Content::from("idx|venue|name\n");
    expected.append(&world.local().get("bucket", KEY).unwrap().content);
    world.local().get("bucket", FINAL).is_some_and(|found| found.content == expected)
}

#[tokio::test(start_paused = true)]
async fn a_small_object_takes_five_requests_in_three_steps() {
    for size in [0, SMALL, 4 * MIB as u64] {
        let world = world(size).await;
        let run = Run::of_key(&world, &[], KEY).await;
        let expected = ["HeadObject", "GetObject", "GetObject", "GetObject", "PutObject"];
        assert_eq!(run.operations(), expected, "what is there; the source, its own sidecar, the unload's; the result");
        assert_eq!((run.steps, run.receipt.outcome), (3, Outcome::Written));
        assert!(is_right(&world));
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_event_again_takes_four_requests_in_two_steps() {
    for size in [SMALL, LARGE] {
        let world = world(size).await;
        Run::of_key(&world, &[], KEY).await;
        let run = Run::of_key(&world, &[], KEY).await;
        let expected = ["HeadObject", "HeadObject", "GetObject", "GetObject"];
        assert_eq!(run.operations(), expected, "what is there; the source, its own sidecar, the unload's");
        assert_eq!((run.steps, run.receipt.outcome), (2, Outcome::Unchanged));
        assert_eq!(run.receipt.written.unwrap().bytes_through, "idx,venue,name".len() as u64, "no rows are read");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_object_takes_its_parts_and_eight_requests_in_five_steps() {
    let world = world(LARGE).await;
    let run = Run::of_key(&world, &[], KEY).await;
    let parts = run.receipt.written.as_ref().unwrap().parts;
    let expected = [
        &["HeadObject", "HeadObject", "GetObject", "GetObject", "GetObject", "ListMultipartUploads"][..],
        &["CreateMultipartUpload"],
        &vec!["UploadPartCopy"; parts - 1],
        &["UploadPart", "CompleteMultipartUpload"],
    ];
    assert_eq!(run.operations(), expected.concat());
    assert_eq!((run.requests.len(), run.steps), (parts + 8, 5));
    assert!(is_right(&world));
}

/// The header depends on what the rows begin with, and not on all first bytes.
#[tokio::test(start_paused = true)]
async fn a_large_object_is_copied_while_its_first_bytes_are_read() {
    let world = world(LARGE).await;
    let (begun, seen) = (Instant::now(), Arc::new(Mutex::new(BTreeMap::new())));
    let last = seen.clone();
    world.local().judge(move |request| {
        last.lock().unwrap().insert(request.operation, begun.elapsed().as_secs());
        let is_start = request.operation == "GetObject" && request.key == KEY;
        is_start.then_some(Fault::LateEnd(Duration::from_secs(2)))
    });
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
    assert!(is_right(&world));
    let of = |operation: &str| seen.lock().unwrap()[operation];
    assert_eq!((of("CreateMultipartUpload"), of("UploadPartCopy")), (0, 0));
    assert_eq!((of("UploadPart"), of("CompleteMultipartUpload")), (2, 2));
}

/// A HEAD of each, and what the plan needs: the rows of small slices; of large ones how each begins and how each but the last
/// ends, of the first also its first bytes.
#[tokio::test(start_paused = true)]
async fn a_merge_asks_nothing_twice() {
    for (size, rest, steps) in [(SMALL, 10 + 6, 6), (12 * MIB as u64, 20 + 7, 8)] {
        let world = World::in_memory().await;
        let keys: Vec<String> = (0..10).map(|slice| format!("unload/q_{slice:04}_part_00")).collect();
        let slice = Object::new(Content::repeat(rows(32), size - size % 32));
        keys.iter().for_each(|key| world.local().put("bucket", key, slice.clone()));
        let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), size - size % 32)).collect();
        world.local().put("bucket", "unload/q_manifest", Object::new(manifest("bucket", &entries, &[])));
        world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
        let run = Run::of_key(&world, &[("OUTPUT", "single")], "unload/q_manifest").await;
        let parts = run.receipt.written.as_ref().unwrap().parts;
        // One PutObject is a part as well.
        let expected = 10 + rest + if parts > 1 { parts } else { 0 };
        assert_eq!((run.requests.len(), run.steps), (expected, steps), "{:?}", run.operations());
        assert_eq!(run.count("HeadObject"), 10 + 2, "the slices; what is there; whether it is still the manifest");
    }
}

/// S3 Batch Operations tells no size, and other servers may leave it out.
#[tokio::test(start_paused = true)]
async fn without_a_size_the_source_is_looked_at_first() {
    for (size, requests, steps) in [(SMALL, 6, 4), (LARGE, 12, 6)] {
        let world = world(size).await;
        let run = Run::of(&world, &[], &telling(json!({"key": KEY}))).await;
        assert_eq!((run.requests.len(), run.steps), (requests, steps), "{:?}", run.operations());
        assert!(is_right(&world));
    }
}

/// Manifests tell no ETags. Sidecars that were read before the source was there may be older than its rows.
#[tokio::test(start_paused = true)]
async fn without_an_etag_the_sidecars_are_read_after_the_source() {
    for (size, requests, steps) in [(SMALL, 5, 4), (LARGE, 12, 6)] {
        let world = world(size).await;
        let run = Run::of(&world, &[], &telling(json!({"key": KEY, "size": size}))).await;
        assert_eq!((run.requests.len(), run.steps), (requests, steps), "{:?}", run.operations());
        assert!(is_right(&world));
    }
}

/// The object was written again since, or whoever sent the event has made it up.
#[tokio::test(start_paused = true)]
async fn what_an_event_tells_wrongly_does_no_harm() {
    for size in [0, SMALL, 5 * MIB as u64, LARGE] {
        let etag = world(size).await.local().get("bucket", KEY).unwrap().etag;
        for told in [0, SMALL - 1, SMALL, SMALL + 1, 5 * MIB as u64, LARGE, LARGE + 1] {
            for etag in [&etag, "0f6b1d2c3e4f5061728394a5b6c7d8e9"] {
                let world = world(size).await;
                let run = Run::of(&world, &[], &telling(json!({"key": KEY, "size": told, "eTag": etag}))).await;
                assert_eq!(run.receipt.outcome, Outcome::Written);
                assert!(is_right(&world), "{size} {told} {etag}");
                let most = run.receipt.written.as_ref().unwrap().parts + 12;
                assert!(run.requests.len() <= most, "{size} {told} {etag}: {:?}", run.operations());
            }
        }
    }
}

/// What was asked ahead and is not needed is not waited for, nor is an error of it one of the run.
#[tokio::test(start_paused = true)]
async fn what_is_not_needed_in_the_end_counts_for_nothing() {
    let never = || Fault::Late(Duration::from_secs(86_400));
    for fault in [|| Fault::Error(403, "AccessDenied"), never] {
        let world = world(SMALL).await;
        world.local().put("bucket", KEY, Object::new(rows(MIB)).with_metadata("headers", "idx,venue,name"));
        let event = world.created(&[KEY]);
        world.local().judge(move |request| request.key.ends_with(".headers").then(fault));
        let begun = Instant::now();
        let answer = world.handler(&[]).handle(&event, Deadline::after(MAX_TIMEOUT)).await.unwrap();
        assert_eq!((answer.receipts[0].outcome, begun.elapsed()), (Outcome::Written, Duration::ZERO));
        assert!(is_right(&world));
    }
}

/// But what is needed is: nothing is taken for absent that could not be asked.
#[tokio::test(start_paused = true)]
async fn an_error_of_what_is_needed_is_one_of_the_run() {
    for (operation, size) in [("GetObject", SMALL), ("ListMultipartUploads", LARGE)] {
        let world = world(size).await;
        world.local().judge(move |request| {
            let is_it = request.operation == operation && (request.key.is_empty() || request.key.ends_with(".headers"));
            is_it.then(|| Fault::Error(403, "AccessDenied"))
        });
        let error = world.run(&[], &[KEY]).await.unwrap_err();
        assert!(error.kind().ends_with("AccessDenied"), "{error}");
        assert!(world.local().get("bucket", FINAL).is_none());
    }
}

/// Rows that will most likely not be needed are not read.
#[tokio::test(start_paused = true)]
async fn where_the_options_say_that_no_header_is_needed_no_rows_are_read() {
    for options in ["FORMAT PARQUET", "FORMAT JSON", "HEADER", "MANIFEST VERBOSE"] {
        for size in [SMALL, LARGE] {
            let world = world(size).await;
            world.local().delete("bucket", "unload/q_.headers");
            let run = Run::of_key(&world, &[("UNLOAD_OPTIONS", options)], KEY).await;
            let outcome = if options == "MANIFEST VERBOSE" { Outcome::Waiting } else { Outcome::Skipped };
            assert_eq!(run.receipt.outcome, outcome, "{options}");
            assert_eq!(
                (run.count("HeadObject"), run.count("GetObject")),
                (2, 3),
                "{options}: two sidecars, a manifest"
            );
            assert_eq!(run.requests.len(), 5);
        }
    }
}
