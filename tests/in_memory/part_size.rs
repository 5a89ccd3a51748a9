//! Part size and concurrency: the function's choice, beside the best of all fixed ones, on S3s that are limited or not.
//! docs/part-size.md has the figures.

mod curves;
mod simulated;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use local_s3::{Content, Object};
use simulated::{Nature, Simulated, other};
use support::{World, rows, sample};
use tokio::time::{Instant, sleep};
use unload_header::copy::plan::Limits;
use unload_header::deadline::MAX_TIMEOUT;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const KEY: &str = "unload/q_0000_part_00";
const LIMITS: Limits = Limits::AWS;
const SIZES: [(&str, u64); 13] = [
    ("16 MiB", 16 * MIB),
    ("64 MiB", 64 * MIB),
    ("256 MiB", 256 * MIB),
    ("1 GiB", GIB),
    ("4 GiB", 4 * GIB),
    ("10 GiB", 10 * GIB),
    ("32 GiB", 32 * GIB),
    ("100 GiB", 100 * GIB),
    ("320 GiB", 320 * GIB),
    ("1 TiB", TIB),
    ("4 TiB", 4 * TIB),
    ("12 TiB", 12 * TIB),
    ("48.8 TiB", (LIMITS.max_parts - 1) * LIMITS.max_part),
];

fn nature(bandwidth: Option<u64>, writes: Option<f64>) -> Nature {
    Nature { fixed: LIMITS.time(0), speed: LIMITS.bytes_per_ms * 1_000, bandwidth, writes }
}

/// What the function took, in as many tries of 15 minutes as it needed.
struct Run {
    /// All tries together.
    time: Duration,
    tries: u32,
    parts: usize,
    /// Until the first part was begun.
    lead: Duration,
}

async fn function(nature: Nature, size: u64) -> Run {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    world.local().put("bucket", KEY, Object::new(Content::repeat(rows(MIB as usize / 64 + 32), size)));
    let s3 = Simulated::new(nature);
    let (begun, first) = (Instant::now(), Arc::new(Mutex::new(None)));
    let seen = first.clone();
    world.local().judge(move |request| {
        if request.operation.starts_with("UploadPart") {
            seen.lock().unwrap().get_or_insert(begun.elapsed());
        }
        Some(s3.fault(request))
    });
    let (mut time, mut tries) = (Duration::ZERO, 0);
    loop {
        let begun = Instant::now();
        let answer = world.run_for(MAX_TIMEOUT, &[], &[KEY]).await;
        (time, tries) = (time + begun.elapsed(), tries + 1);
        match answer {
            Ok(answer) => {
                let parts = answer.receipts[0].written.as_ref().unwrap().parts;
                let lead = first.lock().unwrap().unwrap();
                return Run { time, tries, parts, lead };
            }
            Err(error) => assert!(tries < 100, "{error}"),
        }
        sleep(Duration::from_secs(60)).await;
    }
}

/// Parts of one size, and a number of them in flight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fixed {
    part: u64,
    in_flight: usize,
}

impl Fixed {
    fn copies(self, size: u64) -> u64 {
        (size - LIMITS.min_part).div_ceil(self.part)
    }

    /// The bytes of the copy with this number; the first is 0.
    fn length(self, size: u64, number: u64) -> u64 {
        self.part.min(size - LIMITS.min_part - number * self.part)
    }

    /// All that may be best for an object of this size.
    fn all(size: u64) -> Vec<Fixed> {
        let steps = std::iter::successors(Some(LIMITS.min_part), |part| {
            (*part < LIMITS.max_part).then(|| (part * 181 / 128).min(LIMITS.max_part))
        });
        let numbers = [8, 16, 32, 64, 96, 128, LIMITS.in_flight as usize];
        let full = numbers
            .iter()
            .flat_map(|number| (1..=8).map(move |rounds| (size - LIMITS.min_part).div_ceil(*number as u64 * rounds)));
        let parts: Vec<u64> =
            steps.chain(full).filter(|part| (LIMITS.min_part..=LIMITS.max_part).contains(part)).collect();
        let all = parts.iter().flat_map(|part| numbers.map(|in_flight| Fixed { part: *part, in_flight }));
        all.filter(|it| it.copies(size) < LIMITS.max_parts).collect()
    }

    /// No more than the parts take.
    fn least(self, nature: Nature, size: u64) -> Duration {
        let rounds = self.copies(size).div_ceil(self.in_flight as u64) as u32;
        let (first, last) = (LIMITS.time(self.length(size, 0)), LIMITS.time(self.length(size, self.copies(size) - 1)));
        let alone = first.max(first * (rounds - 1) + last);
        let moved = nature.bandwidth.map(|all| Duration::from_secs_f64((size - LIMITS.min_part) as f64 / all as f64));
        let begun = nature.writes.map(|rate| Duration::from_secs_f64((self.copies(size) as f64 / rate - 1.0).max(0.0)));
        alone.max(moved.unwrap_or_default()).max(begun.unwrap_or_default())
    }

    /// A loop that does no more than the parts and the completion, without a deadline.
    async fn time(self, nature: Nature, size: u64) -> Duration {
        let (s3, begun) = (Simulated::new(nature), Instant::now());
        let parts = (0..=self.copies(size)).map(|number| {
            let s3 = s3.clone();
            async move {
                let mut waits = 0;
                while !s3.takes_a_write() {
                    // As the client does: at random, up to 1, 2, 4, 8, 16 and then 20 s.
                    let random = (number * 7_919 + waits * 104_729) % 1_000;
                    sleep(Duration::from_millis(random * (1 << waits.min(5)).min(20))).await;
                    waits += 1;
                }
                match number.checked_sub(1) {
                    None => sleep(other("UploadPart")).await,
                    Some(copy) => s3.copy(self.length(size, copy)).await.unwrap(),
                }
            }
        });
        stream::iter(parts).buffer_unordered(self.in_flight).collect::<()>().await;
        sleep(other("CompleteMultipartUpload")).await;
        begun.elapsed()
    }
}

/// The best fixed choice, and its time. Those that can't be better than what was found are not tried.
async fn best(nature: Nature, size: u64) -> (Duration, Fixed) {
    let mut choices: Vec<_> = Fixed::all(size).into_iter().map(|it| (it.least(nature, size), it)).collect();
    choices.sort_unstable();
    let mut best = (Duration::MAX, choices[0].1);
    for (least, choice) in choices {
        if least + other("CompleteMultipartUpload") < best.0 {
            best = best.min((choice.time(nature, size).await, choice));
        }
    }
    best
}

/// Holds the function to the best choice on some S3s: it may take so many hundredths more. Gives a line of a table for
/// each.
async fn compare(limits: &[(&str, Nature)], hundredths: u32) -> Vec<String> {
    let (mut lines, mut worst) = (Vec::new(), 0.0_f64);
    for (name, nature) in limits {
        for (label, size) in sample(SIZES, 5) {
            let run = function(*nature, size).await;
            let (time, choice) = best(*nature, size).await;
            // What comes before the parts is the same, whatever their size.
            let (ours, best) = (run.time.as_secs_f64(), (run.lead + time).as_secs_f64());
            lines.push(format!(
                "| {name} | {label} | {} | {} | {ours:.1} s | {best:.1} s: {:.0} MiB, {} | {:.2} |",
                run.parts,
                run.tries,
                choice.part as f64 / MIB as f64,
                choice.in_flight,
                ours / best
            ));
            println!("{}", lines[lines.len() - 1]);
            worst = worst.max(ours / best);
        }
    }
    assert!(worst <= 1.0 + f64::from(hundredths) / 100.0, "{worst}");
    lines
}

fn has_in_docs(lines: &[String]) {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/part-size.md")).unwrap();
    let missing = lines.iter().filter(|line| !docs.contains(line.as_str())).count();
    assert_eq!(missing, 0, "docs/part-size.md has other lines than\n{}", lines.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn it_is_close_to_the_best_choice_where_nothing_is_limited() {
    has_in_docs(&compare(&[("none", nature(None, None))], 10).await);
}

#[tokio::test(start_paused = true)]
async fn it_is_close_to_the_best_choice_under_a_cap_of_bandwidth() {
    let caps = [("8 GiB/s", nature(Some(8 * GIB), None)), ("2 GiB/s", nature(Some(2 * GIB), None))];
    has_in_docs(&compare(&caps, 10).await);
}

/// The client waits at random, so that no two runs are alike.
#[tokio::test(start_paused = true)]
async fn it_is_close_to_the_best_choice_while_s3_asks_to_slow_down() {
    let both = nature(Some(2 * GIB), Some(150.0));
    compare(&[("150 writes/s", nature(None, Some(150.0))), ("both", both)], 10).await;
}

/// 1 GiB/s for 192 parts is less than a tenth of the measured speed for each.
#[tokio::test(start_paused = true)]
async fn parts_that_share_little_bandwidth_are_not_taken_to_be_stuck() {
    let run = function(nature(Some(GIB), None), TIB).await;
    assert!(run.time < Duration::from_secs(1_100), "{:?} in {} tries", run.time, run.tries);
}

/// Of parts that begin together, none is copied within a call: 192 of 1.4 GiB take 45 minutes at 100 MiB/s. So the next
/// tries have fewer in flight.
#[tokio::test(start_paused = true)]
async fn an_object_is_done_however_slow_s3_is() {
    for (mib, size) in [(100, TIB / 4), (300, TIB)] {
        let run = function(nature(Some(mib * MIB), None), size).await;
        let least = (size as f64 / (mib * MIB) as f64 / MAX_TIMEOUT.as_secs_f64()).ceil() as u32;
        println!("{} GiB at {mib} MiB/s: {} tries, {least} by the bytes alone", size / GIB, run.tries);
        assert!(run.tries <= least + 4, "{}", run.tries);
    }
}

/// A hundredth of what S3 takes below a prefix: the parts that it refuses at first wait longer than they take.
#[tokio::test(start_paused = true)]
async fn it_is_not_close_to_the_best_choice_where_few_parts_may_begin() {
    compare(&[("35 writes/s", nature(None, Some(35.0)))], 100).await;
}
