//! How much is done at the same time: small objects by the dozen, large ones as far as there is memory for them, and never
//! so much that jobs wait for each other.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::GzBuilder;
use local_s3::{Content, Fault, Object, Request};
use serde_json::{Value, json};
use support::runtime::{Function, usage};
use support::{MIB, World, manifest, rows};
use tokio::time::Instant;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};

/// Messages of a queue, each with the event of one object.
fn queue(world: &World, keys: &[String]) -> Value {
    let message = |(number, key): (usize, &String)| json!({"messageId": number.to_string(), "body": world.created(&[key]).to_string()});
    json!({"Records": keys.iter().enumerate().map(message).collect::<Vec<_>>()})
}

/// An unload of objects of these sizes.
fn put(world: &World, sizes: impl IntoIterator<Item = u64>) -> Vec<String> {
    world.local().put(&world.bucket, "unload/q_.headers", Object::new("idx,venue,name"));
    let mut keys = Vec::new();
    for size in sizes {
        keys.push(format!("unload/q_{:04}_part_00", keys.len()));
        world.local().put(&world.bucket, &keys[keys.len() - 1], Object::new(Content::repeat(rows(MIB), size)));
    }
    keys
}

/// Does what an event asks for, each request of which takes a second; how many seconds it took.
async fn seconds(world: &World, variables: &[(&str, &str)], event: &Value) -> u64 {
    let begun = Instant::now();
    let answer = world.handler(variables).handle(event, Deadline::after(MAX_TIMEOUT)).await.unwrap();
    assert!(answer.failures.is_empty(), "{:?}", answer.failures);
    begun.elapsed().as_secs()
}

fn a_second(_: &Request) -> Option<Fault> {
    Some(Fault::Late(Duration::from_secs(1)))
}

/// docs/semantics.md computes with 32 jobs of three steps.
#[tokio::test(start_paused = true)]
async fn thirty_two_small_objects_are_worked_on_at_once() {
    let world = World::in_memory().await;
    let keys = put(&world, vec![10 << 10; 96]);
    world.local().judge(a_second);
    assert_eq!(seconds(&world, &[], &queue(&world, &keys)).await, 3 * 96 / 32);
}

/// Each holds 5 MiB of its source to its end.
#[tokio::test(start_paused = true)]
async fn no_more_large_objects_are_worked_on_than_there_is_memory_for() {
    let world = World::in_memory().await;
    let keys = put(&world, vec![2_000 * MIB as u64; 12]);
    let (most, begun) = (Arc::new(Mutex::new((0, 0))), Instant::now());
    let in_flight = Arc::new(Mutex::new(BTreeMap::new()));
    let (seen, copies) = (most.clone(), in_flight.clone());
    world.local().judge(move |request| {
        let mut seen = seen.lock().unwrap();
        match request.operation {
            "GetObject" if request.key.ends_with("_part_00") => seen.0 += 1,
            "CompleteMultipartUpload" => seen.0 -= 1,
            "UploadPartCopy" => *copies.lock().unwrap().entry(begun.elapsed().as_secs()).or_insert(0) += 1,
            _ => (),
        }
        seen.1 = seen.1.max(seen.0);
        a_second(request)
    });
    seconds(&world, &[], &queue(&world, &keys)).await;
    assert_eq!(*most.lock().unwrap(), (0, 4));
    let copies = in_flight.lock().unwrap().values().copied().max();
    assert!((64..=512).contains(&copies.unwrap()), "{copies:?}");
}

/// A function has 1,024 file descriptors, and each request in flight takes one. Besides, S3 would refuse as many a second
/// as all jobs could make.
#[tokio::test(start_paused = true)]
async fn no_more_requests_are_in_flight_than_there_are_descriptors_for() {
    let world = World::in_memory().await;
    let keys: Vec<String> =
        (0..64).flat_map(|day| (0..60).map(move |slice| format!("unload/q/day={day}/{slice:04}_part_00"))).collect();
    keys.iter().for_each(|key| world.local().put("bucket", key, Object::new("1|2|3\n")));
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 6)).collect();
    world.local().put("bucket", "unload/q/manifest", Object::new(manifest("bucket", &entries, &["a", "b", "c"])));
    let begun = Instant::now();
    let in_flight = Arc::new(Mutex::new(BTreeMap::new()));
    let seen = in_flight.clone();
    world.local().judge(move |request| {
        *seen.lock().unwrap().entry(begun.elapsed().as_secs()).or_insert(0) += 1;
        a_second(request)
    });
    seconds(&world, &[("OUTPUT", "single")], &world.created(&["unload/q/manifest"])).await;
    let most = in_flight.lock().unwrap().values().copied().max();
    assert!((128..=256).contains(&most.unwrap()), "{most:?}");
    assert!(world.local().keys("bucket").iter().filter(|key| key.starts_with("final/")).count() == 64);
}

/// Small and large ones, all of which need memory, some of it twice.
#[tokio::test(start_paused = true)]
async fn jobs_that_share_memory_all_come_to_an_end() {
    let world = World::in_memory().await;
    let mib = MIB as u64;
    let keys = put(&world, [5 * mib, 6 * mib, 3 * mib, 100, 12 * mib].repeat(8));
    // What an event tells wrongly: each is taken for a small one.
    let mut event = queue(&world, &keys);
    for message in event["Records"].as_array_mut().unwrap().iter_mut().step_by(3) {
        let mut body: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
        body["Records"][0]["s3"]["object"]["size"] = 1.into();
        message["body"] = body.to_string().into();
    }
    world.local().judge(a_second);
    assert!(seconds(&world, &[], &event).await < 120);
}

/// First bytes that break off are read again by who holds memory for a part already, while others hold all that there is for
/// first bytes, and wait for memory for theirs.
#[tokio::test(start_paused = true)]
async fn first_bytes_that_break_off_hold_nobody_up() {
    let world = World::in_memory().await;
    let keys = put(&world, [200 * MIB as u64; 12]);
    let (first, mut seen) = (keys[..4].to_vec(), BTreeMap::new());
    world.local().judge(move |request| {
        if request.operation == "GetObject" && first.contains(&request.key) {
            let seen = seen.entry(request.key.clone()).or_insert(0);
            *seen += 1;
            if *seen <= 10 {
                return Some(Fault::CutAnswer);
            }
        }
        a_second(request)
    });
    assert!(seconds(&world, &[], &queue(&world, &keys)).await < 60);
    assert_eq!(world.local().keys("bucket").iter().filter(|key| key.starts_with("final/")).count(), 12);
}

/// Of each partition, the first slice has 640 KiB and no row, so that the beginning of the next is read beside its own. All
/// first slices together are as much as there is memory for.
#[tokio::test(start_paused = true)]
async fn jobs_that_read_two_beginnings_do_not_wait_for_each_other() {
    let world = World::in_memory().await;
    let member = |rows: &[u8]| {
        let mut member = GzBuilder::new().comment(vec![b'x'; 60_000]).write(Vec::new(), flate2::Compression::fast());
        member.write_all(rows).unwrap();
        member.finish().unwrap()
    };
    let slices = [Object::new(member(b"").repeat(11)), Object::new(member(b"1|2|3\n"))];
    let mut entries = Vec::new();
    for day in 0..32 {
        for (slice, object) in slices.iter().enumerate() {
            entries.push((format!("unload/q/day={day}/{slice:04}_part_00.gz"), object.content.length()));
            world.local().put("bucket", &entries[entries.len() - 1].0, object.clone());
        }
    }
    let entries: Vec<(&str, u64)> = entries.iter().map(|(key, size)| (key.as_str(), *size)).collect();
    world.local().put("bucket", "unload/q/manifest", Object::new(manifest("bucket", &entries, &["a", "b", "c"])));
    world.local().judge(a_second);
    let event = world.created(&["unload/q/manifest"]);
    assert!(seconds(&world, &[("OUTPUT", "single"), ("UNLOAD_OPTIONS", "GZIP")], &event).await < 120);
}

/// 400 MiB of objects, of which no more are held than there is memory for; the rest is the function's own.
#[tokio::test]
async fn many_objects_take_no_more_memory_than_few() {
    let mut peaks = Vec::new();
    for (count, size) in [(8, 4 * MIB as u64), (100, 4 * MIB as u64), (1_000, 10 << 10)] {
        let world = World::in_process().await;
        let keys = put(&world, vec![size; count]);
        let mut function = Function::of(&world, env!("CARGO_BIN_EXE_bootstrap"), &[]).await;
        let (how, answer) = function.invoke(queue(&world, &keys)).await;
        assert_eq!((how.as_str(), &answer["batchItemFailures"]), ("response", &json!([])));
        let usage = usage(function.id()).unwrap();
        println!("{count} of {size} bytes: {usage:?}");
        assert!(usage.files < 300, "{usage:?}");
        peaks.push(usage.peak);
    }
    assert!(peaks[1] < peaks[0] + 30.0 && peaks[2] < peaks[0] + 30.0, "{peaks:?} MiB");
}
