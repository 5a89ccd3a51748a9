//! Everything that can go wrong with a request, at every request of a run, one at a time and in pairs:
//! the final object is right, or the run fails and leaves nothing that the next one would not take up.
//! The clock is paused, so that waits and time-outs cost nothing.
//!
//! Of the pairs, `make test` tries an eighth: at each two requests each mishap is the first of them once, and the second
//! once. EXHAUSTIVE=1 tries all.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_s3::{Content, Fault, LocalS3, Object, Rules};
use support::{MIB, World, is_exhaustive, manifest, rows};
use unload_header::s3::LISTED_FROM;

use crate::bucket::{KEY, final_object, source, with_header, world};

const HEADER: &str = "idx|venue|name\n";

/// What a run is of.
struct Case {
    /// How many an upload may have.
    max_parts: u16,
    /// From how many slices on they are listed.
    listed_from: usize,
    variables: &'static [(&'static str, &'static str)],
    objects: Vec<(&'static str, Object)>,
    /// The object whose event it is.
    event: &'static str,
    target: &'static str,
    expected: Content,
    /// Of the bucket.
    rules: Rules,
}

/// A data object and the sidecar of its unload.
fn object(size: usize) -> Case {
    let rows = Object::new(rows(size));
    let mut expected = Content::from(HEADER);
    expected.append(&rows.content);
    let sidecar = ("unload/q_.headers", Object::new("idx,venue,name"));
    let (event, target) = ("unload/q_0000_part_00", "final/q_0000_part_00");
    let (max_parts, listed_from) = (10_000, LISTED_FROM);
    let (objects, rules) = (vec![sidecar, (event, rows)], Rules::default());
    Case { max_parts, listed_from, variables: &[], objects, event, target, expected, rules }
}

/// An unload that becomes one object: a slice to copy, one whose row does not end, and one more.
fn unload() -> Case {
    let keys = ["unload/q_0000_part_00", "unload/q_0001_part_00", "unload/q_0002_part_00"];
    let slices = [Object::new(rows(11 * MIB)), Object::new("1|2|3"), Object::new(rows(32))];
    let mut expected = Content::from(HEADER);
    for (slice, newline) in slices.iter().zip(["\n", "\n", ""]) {
        expected.append(&slice.content);
        expected.append(&Content::from(if slice.content.to_bytes().ends_with(b"\n") { "" } else { newline }));
    }
    let mut objects: Vec<(&'static str, Object)> = keys.into_iter().zip(slices).collect();
    let entries: Vec<_> = objects.iter().map(|(key, slice)| (*key, slice.content.length())).collect();
    let event = "unload/q_manifest";
    objects.push((event, Object::new(manifest("bucket", &entries, &["idx", "venue", "name"]))));
    let (variables, target, rules) = (&[("OUTPUT", "single")], "final/q.csv", Rules::default());
    Case { max_parts: 10_000, listed_from: LISTED_FROM, variables, objects, event, target, expected, rules }
}

/// An unload of small slices, which are listed.
fn listed_slices() -> Case {
    let (mut expected, mut objects) = (Content::from(HEADER), Vec::new());
    for number in 1..=4 {
        let mut slice = rows(4 * MIB);
        slice[0] = number;
        let slice = Object::new(slice);
        expected.append(&slice.content);
        objects.push((&*format!("unload/q_000{number}_part_00").leak(), slice));
    }
    let entries: Vec<_> = objects.iter().map(|(key, slice)| (*key, slice.content.length())).collect();
    let event = "unload/q_manifest";
    objects.push((event, Object::new(manifest("bucket", &entries, &["idx", "venue", "name"]))));
    Case { listed_from: 2, objects, event, expected, ..unload() }
}

/// An unload of more slices than parts, which go by two intermediate objects.
fn many_slices() -> Case {
    let keys =
        ["q_0000", "q_0001", "q_0002", "q_0003", "q_0004", "q_0005"].map(|name| format!("unload/{name}_part_00"));
    let mut expected = Content::from(HEADER);
    let mut objects = Vec::new();
    for (number, key) in (1..).zip(keys) {
        let mut slice = rows(6 * MIB);
        slice[0] = number;
        let slice = Object::new(slice);
        expected.append(&slice.content);
        objects.push((&*key.leak(), slice));
    }
    let entries: Vec<_> = objects.iter().map(|(key, slice)| (*key, slice.content.length())).collect();
    let event = "unload/q_manifest";
    objects.push((event, Object::new(manifest("bucket", &entries, &["idx", "venue", "name"]))));
    let (variables, target, rules) = (&[("OUTPUT", "single")], "final/q.csv", Rules::default());
    Case { max_parts: 3, listed_from: LISTED_FROM, variables, objects, event, target, expected, rules }
}

/// What can go wrong with a request.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    Internal,
    SlowDown,
    TooMany,
    Reset,
    CutAnswer,
    TimeOut,
    ErrorIn200,
    LostAnswer,
}

const MISHAPS: [Mishap; 8] = [
    Mishap::Internal,
    Mishap::SlowDown,
    Mishap::TooMany,
    Mishap::Reset,
    Mishap::CutAnswer,
    Mishap::TimeOut,
    Mishap::ErrorIn200,
    Mishap::LostAnswer,
];

impl Mishap {
    /// `None` where a server does no such thing: S3 says 200 before it knows only when it writes.
    fn fault(self, operation: &str) -> Option<Fault> {
        Some(match self {
            Mishap::Internal => Fault::Error(500, "InternalError"),
            Mishap::SlowDown => Fault::Error(503, "SlowDown"),
            Mishap::TooMany => Fault::Error(429, "TooManyRequests"),
            Mishap::Reset => Fault::Reset,
            Mishap::CutAnswer => Fault::CutAnswer,
            Mishap::TimeOut => Fault::Late(Duration::from_secs(3_600)),
            Mishap::ErrorIn200 if operation == "GetObject" => return None,
            Mishap::ErrorIn200 => Fault::ErrorIn200("InternalError"),
            Mishap::LostAnswer => Fault::LostAnswer,
        })
    }
}

/// What came of the cells that were tried.
#[derive(Debug, Default)]
struct Tally {
    cells: usize,
    /// Runs that failed, which is allowed.
    failed: usize,
    wrong: usize,
    orphans: usize,
}

/// A run in which the requests of these numbers meet these mishaps.
async fn cell(case: &Case, mishaps: &[(usize, Mishap)], tally: &mut Tally) {
    let world = World::in_memory().await.with_max_parts(case.max_parts).with_listed_from(case.listed_from);
    let local = world.local();
    case.objects.iter().for_each(|(key, object)| local.put("bucket", key, object.clone()));
    local.rule("bucket", case.rules.clone());
    let (met, due) = (Arc::new(Mutex::new(BTreeSet::new())), mishaps.to_vec());
    let (mut number, meets) = (0, met.clone());
    local.judge(move |request| {
        number += 1;
        let (_, mishap) = due.iter().find(|(at, _)| *at == number)?;
        let fault = mishap.fault(request.operation)?;
        meets.lock().unwrap().insert(number);
        Some(fault)
    });
    let result = world.run(case.variables, &[case.event]).await;
    if met.lock().unwrap().len() < mishaps.len() {
        return;
    }
    tally.cells += 1;
    let right = |local: &LocalS3| local.get("bucket", case.target).is_some_and(|it| it.content == case.expected);
    let wrong = |local: &LocalS3| local.get("bucket", case.target).is_some_and(|it| it.content != case.expected);
    match result {
        Ok(_) => tally.wrong += usize::from(!right(local)),
        Err(_) => {
            tally.failed += 1;
            tally.wrong += usize::from(wrong(local));
            local.judge(|_| None);
            world.run(case.variables, &[case.event]).await.unwrap();
            tally.wrong += usize::from(!right(local));
        }
    }
    if !local.uploads().is_empty() || local.keys("bucket").iter().any(|key| key.starts_with(".unload-header/")) {
        tally.orphans += 1;
        eprintln!("{mishaps:?}: {:?}", local.take_requests().iter().map(|it| it.operation).collect::<Vec<_>>());
    }
}

/// How many requests a run makes.
async fn requests(case: &Case) -> usize {
    let mut tally = Tally::default();
    let mut count = 0;
    while tally.cells == count {
        count += 1;
        cell(case, &[(count, Mishap::Reset)], &mut tally).await;
    }
    count - 1
}

fn report(what: &str, tally: &Tally) {
    let Tally { cells, failed, wrong, orphans } = tally;
    println!("{what}: {cells} cells, {failed} runs failed, {wrong} wrong objects, {orphans} with something left");
    assert_eq!((*wrong, *orphans), (0, 0), "{what}");
}

async fn one_at_a_time(what: &str, case: &Case) {
    let mut tally = Tally::default();
    for number in 1..=requests(case).await {
        for mishap in MISHAPS {
            cell(case, &[(number, mishap)], &mut tally).await;
        }
    }
    report(what, &tally);
    assert!(tally.cells > 30 && tally.failed == 0, "one fault is survived: {tally:?}");
}

/// A retry is a request as well, so that a pair may hit the same request twice.
async fn in_pairs(what: &str, case: &Case, first: Range<usize>) {
    let mut tally = Tally::default();
    let last = requests(case).await + 1;
    for one in first.start..first.end.min(last) {
        for other in one + 1..=last {
            for (first, mishap) in MISHAPS.into_iter().enumerate() {
                for (second, another) in MISHAPS.into_iter().enumerate() {
                    if is_exhaustive() || (first + second) % MISHAPS.len() == (one + other) % MISHAPS.len() {
                        cell(case, &[(one, mishap), (other, another)], &mut tally).await;
                    }
                }
            }
        }
    }
    report(what, &tally);
    assert!(tally.cells > if is_exhaustive() { 500 } else { 100 }, "{tally:?}");
}

#[tokio::test(start_paused = true)]
async fn small_objects_survive_one_fault() {
    one_at_a_time("a small object, one fault", &object(100)).await;
}

#[tokio::test(start_paused = true)]
async fn unloads_survive_one_fault() {
    one_at_a_time("an unload of three slices, one fault", &unload()).await;
}

#[tokio::test(start_paused = true)]
async fn unloads_whose_slices_are_listed_survive_one_fault() {
    one_at_a_time("an unload of four slices that are listed, one fault", &listed_slices()).await;
}

#[tokio::test(start_paused = true)]
async fn merges_by_intermediate_objects_survive_one_fault() {
    one_at_a_time("an unload of more slices than parts, one fault", &many_slices()).await;
}

#[tokio::test(start_paused = true)]
async fn small_objects_survive_two_faults() {
    in_pairs("a small object, two faults", &object(100), 1..usize::MAX).await;
}

#[tokio::test(start_paused = true)]
async fn large_objects_survive_one_fault() {
    one_at_a_time("a large object, one fault", &object(20 * MIB)).await;
}

/// Its upload has no checksum; or one in the end, since the bucket turns out to have a key.
#[tokio::test(start_paused = true)]
async fn large_objects_without_a_crc_survive_one_fault() {
    const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/default";
    let mut case = object(20 * MIB);
    let (_, rows) = case.objects.pop().unwrap();
    case.objects.push((case.event, rows.with_checksum(None)));
    one_at_a_time("a large object without a CRC, one fault", &case).await;
    case.variables = &[("FinalBucketKmsKeyArn", KEY)];
    case.rules.kms_key_id = Some(KEY.to_owned());
    one_at_a_time("a large object without a CRC under a key, one fault", &case).await;
}

/// In two halves, which run side by side.
#[tokio::test(start_paused = true)]
async fn large_objects_survive_two_faults_that_begin_early() {
    in_pairs("a large object, two faults, the first of them early", &object(20 * MIB), 1..4).await;
}

#[tokio::test(start_paused = true)]
async fn large_objects_survive_two_faults_that_begin_late() {
    in_pairs("a large object, two faults, the first of them late", &object(20 * MIB), 4..usize::MAX).await;
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
    assert!(final_object(&world).content == with_header(&source(size)));
}
