//! SQS and S3 Batch Operations: which messages and tasks fail, and what the others become.

use std::time::Duration;

use local_s3::{Content, Fault, Object};
use serde_json::{Value, json};
use support::runtime::Function;
use support::{MIB, World, manifest, rows};
use unload_header::deadline::{Deadline, MAX_TIMEOUT};

/// Messages with these bodies; the id of each is its number.
fn queue(bodies: &[Value]) -> Value {
    let message = |(number, body): (usize, &Value)| json!({"messageId": number.to_string(), "body": body.to_string()});
    json!({"Records": bodies.iter().enumerate().map(message).collect::<Vec<_>>()})
}

fn tasks(bucket: &str, keys: &[&str]) -> Value {
    let task = |key: &&str| json!({"taskId": key, "s3Key": key, "s3Bucket": bucket});
    let tasks: Vec<Value> = keys.iter().map(task).collect();
    json!({"invocationSchemaVersion": "2.0", "invocationId": "i", "job": {"id": "j"}, "tasks": tasks})
}

async fn answer(world: &World, variables: &[(&str, &str)], event: &Value, time: Duration) -> Value {
    let answer = world.handler(variables).handle(event, Deadline::after(time)).await.unwrap();
    serde_json::to_value(answer).unwrap()
}

fn failed(answer: &Value) -> Vec<usize> {
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().parse().unwrap()).collect()
}

fn results(answer: &Value) -> Vec<(&str, &str)> {
    let text = |value: &'_ Value| value.as_str().unwrap().to_owned().leak() as &str;
    answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (text(&it["resultCode"]), text(&it["resultString"])))
        .collect()
}

/// A bad one is no event, or of an object without columns, or holds such a record beside a good one.
#[tokio::test(start_paused = true)]
async fn of_ten_messages_the_three_bad_ones_are_kept() {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("a"));
    let keys: Vec<String> = (0..10).map(|slice| format!("unload/q_{slice:04}_part_00")).collect();
    keys.iter().for_each(|key| world.local().put("bucket", key, Object::new("1\n")));
    world.local().put("bucket", "unload/nobody_0000_part_00", Object::new("1\n"));
    let mut bodies: Vec<Value> = keys.iter().map(|key| world.created(&[key])).collect();
    bodies[2] = json!("no event");
    bodies[5] = world.created(&["unload/nobody_0000_part_00"]);
    bodies[8] = world.created(&["unload/nobody_0000_part_00", &keys[8]]);
    let said = answer(&world, &[], &queue(&bodies), MAX_TIMEOUT).await;
    assert_eq!(failed(&said), [2, 5, 8]);
    let written = world.local().keys("bucket").into_iter().filter(|key| key.starts_with("final/")).count();
    assert_eq!(written, 8, "those of seven messages, and the good record of the eighth");

    world.local().put("bucket", "unload/nobody_.headers", Object::new("a"));
    bodies[2] = world.created(&[&keys[2]]);
    assert_eq!(failed(&answer(&world, &[], &queue(&bodies), MAX_TIMEOUT).await), [0_usize; 0]);
    assert!(world.local().get("bucket", "final/nobody_0000_part_00").is_some());
}

/// A job that two messages ask for is done once, and fails for both.
#[tokio::test(start_paused = true)]
async fn messages_that_ask_for_the_same_share_its_end() {
    let world = World::in_memory().await;
    let (key, other) = ("unload/q_0000_part_00", "unload/r_0000_part_00");
    for key in [key, other] {
        world.local().put("bucket", key, Object::new("1\n"));
    }
    world.local().put("bucket", "unload/r_.headers", Object::new("a"));
    let bodies = [key, other, key, other].map(|key| world.created(&[key]));
    assert_eq!(failed(&answer(&world, &[], &queue(&bodies), MAX_TIMEOUT).await), [0, 2]);
    let puts = world.local().take_requests().iter().filter(|request| request.operation == "PutObject").count();
    assert_eq!(puts, 1);
}

/// The bytes that wait to be sent have a bound that all jobs share.
#[tokio::test]
async fn a_manifest_of_ten_slices_is_done_beside_nine_small_messages() {
    let world = World::in_process().await;
    let bucket = world.bucket.clone();
    let slice = Object::new(Content::repeat(rows(MIB), 40 * MIB as u64));
    let keys: Vec<String> = (0..10).map(|slice| format!("unload/big_{slice:04}_part_00")).collect();
    keys.iter().for_each(|key| world.local().put(&bucket, key, slice.clone()));
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 40 * MIB as u64)).collect();
    let manifest = manifest(&bucket, &entries, &["idx", "venue", "name"]);
    world.local().put(&bucket, "unload/big_manifest", Object::new(manifest));
    world.local().put(&bucket, "unload/q_.headers", Object::new("a"));
    let small: Vec<String> = (0..9).map(|slice| format!("unload/q_{slice:04}_part_00")).collect();
    small.iter().for_each(|key| world.local().put(&bucket, key, Object::new("1\n")));
    let mut bodies = vec![world.created(&["unload/big_manifest"])];
    bodies.extend(small.iter().map(|key| world.created(&[key])));
    let mut function = Function::of(&world, env!("CARGO_BIN_EXE_bootstrap"), &[]).await;
    let (how, said) = function.invoke(queue(&bodies)).await;
    assert_eq!((how.as_str(), failed(&said)), ("response", vec![]));
    let written = world.local().keys(&bucket).into_iter().filter(|key| key.starts_with("final/")).count();
    assert_eq!(written, 19);
    let peak = function.peak_memory();
    assert!(peak < 128.0, "{peak} MiB");
}

#[tokio::test(start_paused = true)]
async fn messages_for_which_there_was_no_time_are_kept() {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("a"));
    let keys: Vec<String> = (0..80).map(|slice| format!("unload/q_{slice:04}_part_00")).collect();
    keys.iter().for_each(|key| world.local().put("bucket", key, Object::new("1\n")));
    world.local().judge(|request| {
        let is_slow = request.operation == "PutObject" && !request.key.ends_with("q_0009_part_00");
        is_slow.then(|| Fault::Late(Duration::from_secs(20)))
    });
    let bodies: Vec<Value> = keys.iter().map(|key| world.created(&[key])).collect();
    let begun = tokio::time::Instant::now();
    let kept = failed(&answer(&world, &[], &queue(&bodies), Duration::from_secs(50)).await);
    assert!(begun.elapsed() < Duration::from_secs(50));
    assert!(!kept.is_empty() && kept.len() < 80, "{kept:?}");
    world.local().judge(|_| None);
    assert_eq!(failed(&answer(&world, &[], &queue(&bodies), MAX_TIMEOUT).await), [0_usize; 0]);
}

/// A job that hangs until the deadline is not waited for by the others.
#[tokio::test(start_paused = true)]
async fn a_message_that_takes_long_keeps_no_other_waiting() {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("a"));
    let keys: Vec<String> = (0..10).map(|slice| format!("unload/q_{slice:04}_part_00")).collect();
    keys.iter().for_each(|key| world.local().put("bucket", key, Object::new("1\n")));
    world.local().judge(|request| {
        let hangs = request.operation == "PutObject" && request.key.ends_with("q_0000_part_00");
        hangs.then(|| Fault::Late(Duration::from_secs(86_400)))
    });
    let bodies: Vec<Value> = keys.iter().map(|key| world.created(&[key])).collect();
    assert_eq!(failed(&answer(&world, &[], &queue(&bodies), Duration::from_secs(100)).await), [0]);
}

/// A look that hangs ends before Lambda ends the function, and is not waited for by the others.
#[tokio::test(start_paused = true)]
async fn a_look_that_hangs_fails_its_own_message() {
    let world = World::in_memory().await;
    let bodies: Vec<Value> = (0..10)
        .map(|unload| {
            let key = format!("unload/q{unload}_manifest");
            world.local().put("bucket", &key, Object::new(manifest("bucket", &[], &[])));
            world.created(&[&key])
        })
        .collect();
    world
        .local()
        .judge(|request| (request.key == "unload/q3_manifest").then(|| Fault::Late(Duration::from_secs(86_400))));
    let begun = tokio::time::Instant::now();
    let event = queue(&bodies);
    let said = answer(&world, &[("OUTPUT", "each")], &event, Duration::from_secs(30)).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(failed(&said), [3]);
}

/// To find the jobs takes requests as well.
#[tokio::test(start_paused = true)]
async fn what_there_was_no_time_to_look_at_is_kept() {
    let world = World::in_memory().await;
    let keys: Vec<String> = (0..10).map(|unload| format!("unload/q{unload}_manifest")).collect();
    world.local().judge(|request| (request.operation == "GetObject").then(|| Fault::Late(Duration::from_secs(8))));
    keys.iter().for_each(|key| world.local().put("bucket", key, Object::new(manifest("bucket", &[], &[]))));
    let bodies: Vec<Value> = keys.iter().map(|key| world.created(&[key])).collect();
    let begun = tokio::time::Instant::now();
    let said = answer(&world, &[("OUTPUT", "single")], &queue(&bodies), Duration::from_secs(40)).await;
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    assert_eq!(failed(&said).len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_may_succeed_later_has_failed_for_now() {
    let world = World::in_memory().await;
    let keys = ["unload/a_0000_part_00", "unload/b_0000_part_00", "unload/c_0000_part_00", "unload/d.headers", "other"];
    keys[..3].iter().for_each(|key| world.local().put("bucket", key, Object::new("1\n")));
    for name in ["a", "b"] {
        world.local().put("bucket", &format!("unload/{name}_.headers"), Object::new("x"));
    }
    world.local().judge(|request| {
        (request.operation == "PutObject" && request.key.contains("b_")).then_some(Fault::Error(503, "SlowDown"))
    });
    let said = answer(&world, &[], &tasks("bucket", &keys), MAX_TIMEOUT).await;
    let results = results(&said);
    let codes: Vec<&str> = results.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["Succeeded", "TemporaryFailure", "PermanentFailure", "Succeeded", "Succeeded"]);
    assert_eq!(results[0].1, "written: s3://bucket/final/a_0000_part_00");
    assert!(
        results[1].1.starts_with("S3.SlowDown: PutObject for s3://bucket/final/b_0000_part_00 failed"),
        "{results:?}"
    );
    assert!(
        results[2].1.starts_with("ColumnsNotFound: no columns for s3://bucket/unload/c_0000_part_00"),
        "{results:?}"
    );
    assert!(results[3].1.starts_with("waiting: none of its data objects is there yet"), "{results:?}");
    assert!(results[4].1.starts_with("skipped: not below UNLOAD_PREFIX"), "{results:?}");
}
