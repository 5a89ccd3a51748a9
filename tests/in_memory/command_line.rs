//! `unload-header event`: any event, from a terminal.

use std::process::{Output, Stdio};

use serde_json::Value;
use support::World;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use unload_header::demo::{BUCKET, EVENTS, fill};

/// Runs it on the samples' bucket, with this on standard input.
async fn run(world: &World, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_unload-header"))
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL_S3", world.endpoint())
        .envs([("AWS_REGION", "us-east-1"), ("UNLOAD_PREFIX", "unload/"), ("AWS_ACCESS_KEY_ID", world.access_key())])
        .env("AWS_SECRET_ACCESS_KEY", support::secret())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    child.wait_with_output().await.unwrap()
}

#[tokio::test]
async fn an_event_is_done_as_the_function_would() {
    let mut world = World::in_process().await;
    world.bucket = BUCKET.to_owned();
    fill(world.local()).unwrap();
    world.handler(&[]);
    let json = |name: &str| EVENTS.iter().find(|(it, ..)| *it == name).unwrap().2;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();

    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/events/put.json");
    let done = run(&world, &["event", file], "").await;
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((done.status.code(), &answer["receipts"][0]["outcome"]), (Some(0), &"written".into()));

    let redriven = run(&world, &["event", "-"], json("failed-event")).await;
    let answer: Value = serde_json::from_slice(&redriven.stdout).unwrap();
    assert_eq!((redriven.status.code(), &answer["receipts"][0]["outcome"]), (Some(0), &"unchanged".into()));

    let partly = run(&world, &["event", "-"], json("sqs")).await;
    let answer: Value = serde_json::from_slice(&partly.stdout).unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
    assert_eq!(partly.status.code(), Some(1));
    assert!(text(&partly.stderr).starts_with("ColumnsNotFound: no columns for s3://my-unloads/unload/forgotten_"));

    for (input, said) in [
        ("{", "- is not JSON: "),
        ("{\"hello\": 1}", "InvalidEvent: the payload is no event"),
        (json("no-columns"), "ColumnsNotFound: no columns"),
    ] {
        let failed = run(&world, &["event", "-"], input).await;
        assert_eq!((failed.status.code(), failed.stdout.len()), (Some(1), 0));
        assert!(text(&failed.stderr).starts_with(said), "{}", text(&failed.stderr));
    }
    let missing = run(&world, &["event", "nowhere.json"], "").await;
    assert!(text(&missing.stderr).starts_with("nowhere.json: No such file"), "{}", text(&missing.stderr));
}
