//! `unload-header doctor` says what a store keeps, and leaves nothing behind.

use std::collections::BTreeMap;
use std::process::Stdio;

use local_s3::Fault;
use serde_json::Value;
use support::World;
use tokio::process::Command;

/// What it says of each thing that the promises rely on.
async fn said(world: &World) -> (Option<i32>, BTreeMap<String, (String, String)>) {
    let done = Command::new(env!("CARGO_BIN_EXE_unload-header"))
        .args(["doctor", &format!("s3://{}/scratch", world.bucket), "--json"])
        .env_clear()
        .envs([("AWS_ENDPOINT_URL_S3", world.endpoint()), ("AWS_SECRET_ACCESS_KEY", support::secret())])
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "test")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = String::from_utf8(done.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let verdicts = lines.map(|it| (text(&it["relied_on"]), (text(&it["verdict"]), text(&it["seen"]))));
    (done.status.code(), verdicts.collect())
}

fn not_kept(verdicts: &BTreeMap<String, (String, String)>) -> Vec<&str> {
    verdicts.iter().filter(|(_, (verdict, _))| verdict == "not kept").map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn all_is_kept_by_the_s3_in_memory() {
    let world = World::in_process().await;
    let (status, verdicts) = said(&world).await;
    assert_eq!((status, not_kept(&verdicts)), (Some(0), Vec::new()), "{verdicts:?}");
    assert_eq!(verdicts.values().filter(|(verdict, _)| verdict == "not tried").count(), 1, "KMS needs a key");
    assert_eq!(verdicts.len(), 22);
    assert!(world.local().keys(&world.bucket).is_empty() && world.local().uploads().is_empty());
}

#[tokio::test]
async fn what_is_not_kept_is_said() {
    let is_conditional = |name: &str| name.contains("If-None-Match") || name.contains("If-Match");
    let world = World::in_process().await;
    world.local().deny_conditions();
    let (status, verdicts) = said(&world).await;
    let missing = not_kept(&verdicts);
    assert!(status == Some(1) && missing.iter().all(|name| is_conditional(name)) && missing.len() >= 6, "{missing:?}");

    let world = World::in_process().await;
    world.local().deny_checksums();
    let missing = said(&world).await.1;
    assert!(not_kept(&missing).iter().filter(|name| name.contains("CRC")).count() >= 4, "{missing:?}");

    let world = World::in_process().await;
    world.local().deny_list();
    let (_, verdicts) = said(&world).await;
    assert_eq!(verdicts["a missing key answers 404"].0, "not kept");

    let world = World::in_process().await;
    world.local().judge(|request| (request.operation == "UploadPartCopy").then_some(Fault::WrongRange));
    let (_, verdicts) = said(&world).await;
    assert_eq!(verdicts["UploadPartCopy copies just the range that it names"].0, "not kept", "{verdicts:?}");
}
