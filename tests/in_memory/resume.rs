//! Jobs that take longer than the function may: S3 copies at the speed that it was measured at, and the
//! clock, which is the test's own, runs through hours in seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use local_s3::{Content, Fault, Object, Request};
use support::{MIB, World, rows};
use tokio::time::{Instant, timeout};
use unload_header::copy::plan::Limits;
use unload_header::deadline::MAX_TIMEOUT;
use unload_header::error::Error;
use unload_header::job::Answer;
use unload_header::receipt::Outcome;

const KEY: &str = "unload/q_0000_part_00";
const FINAL: &str = "final/q_0000_part_00";
const TIB: u64 = 1 << 40;
/// Enough for more parts than a page of ListParts has.
const SIZE: u64 = 2 * TIB;
/// Enough for three pages.
const PAGES: u64 = 4 * TIB;
/// How many times as long as was measured a copied part takes, so that a call is not enough.
const SLOW: u32 = 7;

/// A short cycle, since S3 sums it up for each of thousands of parts; no size of a part is a multiple of it.
fn source(size: u64) -> Object {
    Object::new(Content::repeat(rows(MIB / 64 + 32), size))
}

/// A bucket in which a copied part takes `slower` times what was measured.
async fn world(size: u64, slower: u32) -> World {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    world.local().put("bucket", KEY, source(size));
    world.local().judge(move |request| copying(request).map(|length| Fault::Late(slower * Limits::AWS.time(length))));
    world
}

/// How many bytes a request has copied.
fn copying(request: &Request) -> Option<u64> {
    let (first, last) = request.copy_range.as_ref()?.strip_prefix("bytes=")?.split_once('-')?;
    Some(last.parse::<u64>().ok()? - first.parse::<u64>().ok()? + 1)
}

/// One try, with so much time.
async fn attempt(world: &World, time: Duration) -> Result<Answer, Error> {
    let begun = Instant::now();
    let result = world.run_for(time, &[], &[KEY]).await;
    assert!(begun.elapsed() < time, "Lambda is told what happened before it ends the function");
    result
}

fn done(result: Result<Answer, Error>) -> usize {
    result.unwrap().receipts.remove(0).written.unwrap().parts
}

/// How many ranges were copied, and how many of them more than once.
fn copies(world: &World) -> (usize, usize) {
    let mut ranges = BTreeMap::new();
    for range in world.local().take_requests().into_iter().filter_map(|request| request.copy_range) {
        *ranges.entry(range).or_insert(0) += 1;
    }
    (ranges.len(), ranges.values().filter(|times| **times > 1).count())
}

fn right(world: &World, header: &str, source: &Object) {
    let mut expected = Content::from(header.to_owned());
    expected.append(&source.content);
    assert!(world.local().get("bucket", FINAL).unwrap().content == expected);
    assert!(world.local().uploads().is_empty());
}

/// S3 takes so many of the parts, and then hangs until the deadline.
#[tokio::test(start_paused = true)]
async fn a_stopped_job_goes_on_where_it_was() {
    let parts = done(attempt(&world(PAGES, 1).await, Duration::from_secs(100_000)).await);
    assert!(parts > 2_000, "{parts} parts");
    for percent in [10, 50, 99] {
        let world = world(PAGES, 1).await;
        let (stops_at, mut begun) = (parts * percent / 100, 1);
        world.local().judge(move |request| {
            let length = copying(request)?;
            begun += 1;
            Some(Fault::Late(if begun <= stops_at { Limits::AWS.time(length) } else { Duration::from_secs(86_400) }))
        });
        let error = attempt(&world, 3 * MAX_TIMEOUT).await.unwrap_err();
        assert_eq!(error.kind(), "OutOfTime");
        assert!(error.to_string().contains(&format!("S3 has {stops_at} of the {parts} parts")), "{error}");
        let in_flight = copies(&world).0 + 1 - stops_at;
        world.local().judge(|_| None);
        assert_eq!(done(attempt(&world, MAX_TIMEOUT).await), parts);
        let again = copies(&world).0;
        let twice = stops_at + again - parts;
        println!("stopped at {percent} %, {stops_at} of {parts} parts: {again} copied then, {twice} of them twice,");
        println!("  but for the {in_flight} that were in flight");
        assert_eq!((twice, in_flight <= 192), (0, true));
        right(&world, "idx|venue|name\n", &source(PAGES));
    }
}

#[tokio::test(start_paused = true)]
async fn no_part_is_begun_that_cannot_end() {
    let begun = Instant::now();
    let parts = done(attempt(&world(SIZE, 1).await, Duration::from_secs(100_000)).await);
    let all = begun.elapsed();
    for slower in [1, 3] {
        let world = world(SIZE, slower).await;
        attempt(&world, slower * all / 2).await.unwrap_err();
        attempt(&world, 2 * slower * all).await.unwrap();
        assert_eq!(copies(&world), (parts - 1, 0), "no range was copied twice");
        right(&world, "idx|venue|name\n", &source(SIZE));
    }
}

/// From one part to the next, S3 takes ten times as long: what was in flight is copied once more.
#[tokio::test(start_paused = true)]
async fn parts_in_flight_at_the_end_are_copied_once_more() {
    let world = world(SIZE, SLOW).await;
    let begun = Instant::now();
    world.local().judge(move |request| {
        let slower = if begun.elapsed() < MAX_TIMEOUT / 2 { SLOW } else { 10 * SLOW };
        copying(request).map(|length| Fault::Late(slower * Limits::AWS.time(length)))
    });
    attempt(&world, MAX_TIMEOUT).await.unwrap_err();
    world.local().judge(|_| None);
    attempt(&world, MAX_TIMEOUT).await.unwrap();
    let (_, twice) = copies(&world);
    assert!((1..=192).contains(&twice), "{twice}");
    right(&world, "idx|venue|name\n", &source(SIZE));
}

/// Tries of 15 minutes until it is done, with Lambda's waits between them; how many, and how long in all.
async fn tries(size: u64, at_most: u32) -> Option<(u32, Duration)> {
    let (world, begun) = (world(size, 1).await, Instant::now());
    for number in 1..=at_most {
        if attempt(&world, MAX_TIMEOUT).await.is_ok() {
            right(&world, "idx|venue|name\n", &source(size));
            return Some((number, begun.elapsed()));
        }
        tokio::time::sleep(Duration::from_secs(if number % 3 == 2 { 120 } else { 60 })).await;
    }
    None
}

/// Of 10,000 parts, so that the mark has no number of its own.
#[tokio::test(start_paused = true)]
async fn the_largest_object_is_done_in_five_tries() {
    let size = (Limits::AWS.max_parts - 1) * Limits::AWS.max_part;
    let (number, time) = tries(size, 20).await.unwrap();
    println!("48.8 TiB: {number} tries, {:.1} hours", time.as_secs_f64() / 3_600.0);
    assert_eq!(number, 5);
}

/// A plan of 10,000 parts, of which only the first copy hangs: the mark takes its number.
#[tokio::test(start_paused = true)]
async fn ten_thousand_parts_are_left_to_the_next_try_as_well() {
    let size = (Limits::AWS.max_parts - 1) * Limits::AWS.max_part;
    let (world, mut first) = (world(size, 1).await, None);
    world.local().judge(move |request| {
        copying(request)?;
        let hangs = *first.get_or_insert(request.copy_range.clone()) == request.copy_range;
        hangs.then(|| Fault::Late(Duration::from_secs(86_400)))
    });
    let error = attempt(&world, 3 * MAX_TIMEOUT).await.unwrap_err();
    assert!(error.to_string().contains("S3 has 9999 of the 10000 parts"), "{error}");
    copies(&world);
    world.local().judge(|_| None);
    assert_eq!(done(attempt(&world, MAX_TIMEOUT).await), 10_000);
    assert_eq!(copies(&world).0, 1);
    right(&world, "idx|venue|name\n", &source(size));
}

/// What the three tries of a direct event are enough for.
#[tokio::test(start_paused = true)]
async fn thirty_three_tebibytes_take_three_tries() {
    assert!(tries(11 * TIB, 1).await.is_some(), "and 11 TiB one");
    assert_eq!(tries(33 * TIB, 3).await.unwrap().0, 3);
    assert!(tries(36 * TIB, 3).await.is_none());
}

/// A job that was stopped in the middle; without CRCs, which would tell two jobs apart as well.
async fn stopped() -> World {
    let world = world(SIZE, SLOW).await;
    world.local().put("bucket", KEY, source(SIZE).with_checksum(None));
    attempt(&world, MAX_TIMEOUT).await.unwrap_err();
    assert_eq!(world.local().uploads().len(), 1);
    world.local().take_requests();
    world
}

/// Rows of the same size, names of the same length: every part would look right.
#[tokio::test(start_paused = true)]
async fn an_upload_of_another_job_is_not_resumed() {
    let other = Object::new(Content::repeat("9|other|row\n".repeat(1_000), SIZE)).with_checksum(None);
    let world = stopped().await;
    world.local().put("bucket", KEY, other.clone());
    let parts = done(attempt(&world, 20 * MAX_TIMEOUT).await);
    assert_eq!(copies(&world), (parts - 1, 0), "all of them once more");
    right(&world, "idx|venue|name\n", &other);

    let world = stopped().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("IDX,VENUE,NAME"));
    assert_eq!(done(attempt(&world, 20 * MAX_TIMEOUT).await), parts);
    assert_eq!(copies(&world), (parts - 1, 0));
    right(&world, "IDX|VENUE|NAME\n", &source(SIZE));
}

/// The function was ended without notice, so that its upload bears no mark.
#[tokio::test(start_paused = true)]
async fn an_upload_of_a_run_that_was_killed_is_cleared_away() {
    let world = world(SIZE, SLOW).await;
    timeout(MAX_TIMEOUT / 2, world.run(&[], &[KEY])).await.unwrap_err();
    assert_eq!(world.local().uploads().len(), 1);
    attempt(&world, 20 * MAX_TIMEOUT).await.unwrap();
    right(&world, "idx|venue|name\n", &source(SIZE));
}

/// The mark has a CRC all the same.
#[tokio::test(start_paused = true)]
async fn a_source_without_a_crc_goes_on_as_well() {
    let world = world(SIZE, SLOW).await;
    world.local().put("bucket", KEY, source(SIZE).with_checksum(None));
    attempt(&world, MAX_TIMEOUT).await.unwrap_err();
    attempt(&world, 20 * MAX_TIMEOUT).await.unwrap();
    assert_eq!(copies(&world).1, 0);
    right(&world, "idx|venue|name\n", &source(SIZE));
}

/// S3 stops answering in the middle: the parts that it has are kept for the next try.
#[tokio::test(start_paused = true)]
async fn a_job_that_fails_for_now_is_left_to_the_next_try() {
    let world = world(SIZE, 1).await;
    let (begun, outage) = (Instant::now(), 60..3_600);
    world.local().judge(move |request| {
        let length = copying(request)?;
        Some(match outage.contains(&begun.elapsed().as_secs()) {
            true => Fault::Error(503, "SlowDown"),
            false => Fault::Late(Limits::AWS.time(length)),
        })
    });
    let error = world.run_for(2 * MAX_TIMEOUT, &[], &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "S3.SlowDown");
    let kept = world.local().uploads()[0].parts.len();
    assert!(kept > 64, "{kept}");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    attempt(&world, 20 * MAX_TIMEOUT).await.unwrap();
    right(&world, "idx|venue|name\n", &source(SIZE));
}

/// Nothing is begun that can't end, and nothing is waited for too long.
#[tokio::test(start_paused = true)]
async fn the_deadline_is_kept_whatever_hangs() {
    for operation in
        ["HeadObject", "GetObject", "ListMultipartUploads", "CreateMultipartUpload", "UploadPart", "UploadPartCopy"]
    {
        let world = world(SIZE, 1).await;
        world.local().judge(move |it| (it.operation == operation).then(|| Fault::Late(Duration::from_secs(86_400))));
        assert_eq!(attempt(&world, Duration::from_secs(60)).await.unwrap_err().kind(), "OutOfTime", "{operation}");
        world.local().judge(|_| None);
        attempt(&world, MAX_TIMEOUT).await.unwrap();
        right(&world, "idx|venue|name\n", &source(SIZE));
    }
}

/// Complete hangs, and takes effect or not: the next try finds out.
#[tokio::test(start_paused = true)]
async fn a_completion_that_hangs_is_settled_by_the_next_try() {
    for (fault, outcome) in [(Fault::Late(MAX_TIMEOUT), Outcome::Written), (Fault::LostAnswer, Outcome::Unchanged)] {
        let world = world(SIZE, 1).await;
        world.local().fail("CompleteMultipartUpload", 1, fault);
        let mut first = true;
        world.local().judge(move |request| {
            let again = request.operation == "CompleteMultipartUpload" && !std::mem::take(&mut first);
            again.then(|| Fault::Late(MAX_TIMEOUT))
        });
        assert_eq!(attempt(&world, MAX_TIMEOUT).await.unwrap_err().kind(), "OutOfTime");
        world.local().judge(|_| None);
        assert_eq!(attempt(&world, MAX_TIMEOUT).await.unwrap().receipts[0].outcome, outcome);
        assert_eq!(copies(&world).1, 0, "the parts are kept");
        right(&world, "idx|venue|name\n", &source(SIZE));
    }
}

/// A sidecar for a thousand objects, and time for some of them.
#[tokio::test(start_paused = true)]
async fn objects_for_which_there_was_no_time_are_done_by_the_next_try() {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("id"));
    for slice in 0..1_000 {
        world.local().put("bucket", &format!("unload/q_{slice:04}_part_00"), Object::new("1\n"));
    }
    world.local().judge(|it| (it.operation == "PutObject").then(|| Fault::Late(Duration::from_secs(10))));
    let error = world.run_for(Duration::from_secs(100), &[], &["unload/q_.headers"]).await.unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("712 of 1000 objects failed: the function's time is up: s3://bucket/"), "{message}");
    assert!(message.ends_with("is left to the next try; and 692 more"), "{message}");
    let answer = world.run(&[], &["unload/q_.headers"]).await.unwrap();
    let written = answer.receipts.iter().filter(|receipt| receipt.outcome == Outcome::Written).count();
    assert_eq!((answer.receipts.len(), written), (1_000, 712));
}
