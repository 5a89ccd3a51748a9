//! What a dry run says is what the run then does.

use crc_fast::CrcAlgorithm;
use local_s3::{Content, Object};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::{MIB, World, manifest, rows};
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::job::{AtKey, Demand, Handler, Intent, demands_of, dry_run, run};
use unload_header::receipt::Outcome;
use unload_header::uri::Uri;

/// An unload: the sizes of its slices in bytes, and how it was written.
#[derive(Clone, Debug)]
struct Shape {
    sizes: Vec<u64>,
    single: bool,
    checksum: Checksum,
    verbose: bool,
    sidecar: bool,
    deletes: bool,
    /// What is at the final key: nothing, an object without a seal, or what an earlier run has made.
    before: u8,
}

/// What S3 keeps of a slice.
#[derive(Clone, Copy, Debug)]
enum Checksum {
    OfWhole,
    OfParts,
    None,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let (small, part, large) = (0..100_000_u64, 4 * MIB as u64..6 * MIB as u64, 6 * MIB as u64..400 * MIB as u64);
    let checksums = prop_oneof![Just(Checksum::OfWhole), Just(Checksum::OfParts), Just(Checksum::None)];
    let size = prop_oneof![3 => small, 2 => part, 2 => large];
    let flags = (any::<bool>(), checksums, any::<bool>(), any::<bool>(), any::<bool>());
    (prop::collection::vec(size, 1..8), flags, 0..3_u8).prop_map(
        |(sizes, (single, checksum, verbose, sidecar, deletes), before)| Shape {
            sizes,
            single,
            checksum,
            verbose,
            sidecar: sidecar || !verbose,
            deletes,
            before,
        },
    )
}

/// Rows of this many bytes, the last of which ends in a newline.
fn slice(size: u64, checksum: Checksum) -> Object {
    let line = rows(64);
    let whole = size / line.len() as u64 * line.len() as u64;
    let object = Object::new(Content::repeat(line, whole));
    match checksum {
        Checksum::OfWhole => object,
        Checksum::OfParts => object.composite(CrcAlgorithm::Crc32IsoHdlc, 8 * MIB as u64),
        Checksum::None => object.with_checksum(None),
    }
}

impl Shape {
    /// Puts the unload there, and returns what is said of it to the function: its settings and the jobs' keys.
    async fn made(&self, world: &World) -> (Handler, Vec<String>) {
        let keys: Vec<String> = (0..self.sizes.len()).map(|slice| format!("unload/q_{slice:04}_part_00")).collect();
        let slices: Vec<Object> = self.sizes.iter().map(|size| slice(*size, self.checksum)).collect();
        let lengths: Vec<u64> = slices.iter().map(|slice| slice.content.length()).collect();
        keys.iter().zip(slices).for_each(|(key, slice)| world.local().put("bucket", key, slice));
        let columns = if self.verbose { &["idx", "venue", "name"][..] } else { &[] };
        let entries: Vec<(&str, u64)> = keys.iter().map(String::as_str).zip(lengths).collect();
        world.local().put("bucket", "unload/q_manifest", Object::new(manifest("bucket", &entries, columns)));
        if self.sidecar {
            world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
        }
        let output = if self.single { "single" } else { "each" };
        let deletes = if self.deletes { "on" } else { "off" };
        let (events, finals) = match self.single {
            true => (vec!["unload/q_manifest".to_owned()], vec!["final/q.csv".to_owned()]),
            false => (keys.clone(), keys.iter().map(|key| key.replace("unload/", "final/")).collect()),
        };
        match self.before {
            0 => (),
            1 => finals.iter().for_each(|key| world.local().put("bucket", key, Object::new("somebody's"))),
            _ => {
                let kept = [("OUTPUT", output), ("CHECK_COLUMNS", "off"), ("BOM", "on")];
                let events: Vec<&str> = events.iter().map(String::as_str).collect();
                world.run(&kept, &events).await.unwrap();
            }
        }
        // After the runs before, since it sets the role's permissions.
        let handler = world.handler(&[("OUTPUT", output), ("DELETE_SOURCE", deletes), ("CHECK_COLUMNS", "off")]);
        (handler, events)
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_the_run_then_does() {
    let (mut runner, mut jobs, mut wrote, mut through) = (TestRunner::deterministic(), 0, 0, 0);
    let all = if support::is_exhaustive() { 500 } else { 60 };
    while jobs < all {
        let shape = shapes().new_tree(&mut runner).unwrap().current();
        let world = World::in_memory().await;
        let (handler, events) = shape.made(&world).await;
        for key in events {
            let demands = demands_of(&handler.settings, &handler.s3, &Uri::new("bucket", key), None).await.unwrap();
            for demand in demands {
                let Demand::Job(job) = demand else { continue };
                jobs += 1;
                let (settings, deadline) = (&handler.settings, &Deadline::after(MAX_TIMEOUT));
                let before = world.local().keys("bucket");
                let intent = dry_run(settings, &handler.s3.counting(), &job, deadline).await.unwrap();
                assert_eq!(world.local().keys("bucket"), before, "a dry run writes nothing");
                assert!(world.local().uploads().is_empty());
                let receipt = run(settings, &handler.s3.counting(), &job, deadline).await.unwrap();
                let Intent::Write(planned) = intent else { panic!("{shape:?}: {receipt:?}") };
                let written = receipt.written.as_ref().unwrap();
                assert_eq!(receipt.outcome, Outcome::Written);
                let said = (planned.forecast.plan.parts.len(), planned.effort.requests, planned.effort.bytes_read);
                assert_eq!(said, (written.parts, receipt.requests, written.bytes_through), "{shape:?}");
                assert_eq!(Some(planned.target.to_string()), receipt.final_uri);
                assert_eq!((planned.forecast.plan.length, planned.columns), (written.bytes, written.columns));
                let at_key = [AtKey::Nothing, AtKey::Unsealed, AtKey::Outdated][usize::from(shape.before)];
                assert_eq!(planned.at_key, at_key);
                (wrote, through) = (wrote + written.bytes, through + written.bytes_through);

                let again = dry_run(settings, &handler.s3.counting(), &job, deadline).await.unwrap();
                let again_run = run(settings, &handler.s3.counting(), &job, deadline).await.unwrap();
                let Intent::Idle { receipt, .. } = again else { panic!("{shape:?}") };
                assert_eq!((receipt.outcome, again_run.outcome), (Outcome::Unchanged, Outcome::Unchanged));
                assert_eq!(receipt.requests, again_run.requests, "{shape:?}");
            }
        }
    }
    println!("{jobs} jobs, {wrote} bytes written, {through} through");
}

/// What a run that was stopped has left is in the forecast.
#[tokio::test(start_paused = true)]
async fn parts_that_are_there_already_are_not_forecast() {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_0000_part_00", slice(4 << 30, Checksum::OfWhole));
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    let handler = world.handler(&[("CHECK_COLUMNS", "off")]);
    let uri = Uri::new("bucket", "unload/q_0000_part_00");
    let job =
        demands_of(&handler.settings, &handler.s3, &uri, None).await.unwrap().into_iter().find_map(
            |demand| match demand {
                Demand::Job(job) => Some(job),
                Demand::Idle(_) => None,
            },
        );
    let (job, mut copies) = (job.unwrap(), 0);
    world.local().judge(move |request| {
        let is_copy = request.operation == "UploadPartCopy";
        copies += i32::from(is_copy);
        (is_copy && copies > 10).then_some(local_s3::Fault::Error(503, "SlowDown"))
    });
    let (settings, deadline) = (&handler.settings, &Deadline::after(MAX_TIMEOUT));
    let error = run(settings, &handler.s3.counting(), &job, deadline).await.unwrap_err();
    assert_eq!(error.kind(), "S3.SlowDown");
    world.local().judge(|_| None);
    let dry = dry_run(settings, &handler.s3.counting(), &job, deadline).await.unwrap();
    let receipt = run(settings, &handler.s3.counting(), &job, deadline).await.unwrap();
    let Intent::Write(planned) = dry else { panic!("{receipt:?}") };
    assert!(planned.forecast.resumed >= 10, "{}", planned.forecast.resumed);
    assert_eq!(planned.effort.requests, receipt.requests);
}
