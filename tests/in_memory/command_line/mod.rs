//! The command line, as the binary that users run.

mod failures;

use std::process::{Output, Stdio};
use std::time::Duration;

use aws_sdk_s3::config::Credentials;
use local_s3::{Content, Fault, Object};
use serde_json::Value;
use support::{MIB, World, manifest, rows};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use unload_header::demo::{BUCKET, EVENTS, fill};
use unload_header::s3::{Attributes, Precondition, S3};
use unload_header::uri::Uri;

/// Starts it with nothing in its environment but what is needed for this world.
pub fn start(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_unload-header"))
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL_S3", world.endpoint())
        .envs([("AWS_REGION", "us-east-1"), ("UNLOAD_PREFIX", "unload/"), ("AWS_ACCESS_KEY_ID", world.access_key())])
        .env("AWS_SECRET_ACCESS_KEY", support::secret())
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Runs it on a bucket, with this on standard input.
pub async fn run(world: &World, arguments: &[&str], input: &str) -> Output {
    let mut child = start(world, arguments, &[]);
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    child.wait_with_output().await.unwrap()
}

/// Its status, standard output and standard error.
pub async fn said(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let done = run(world, arguments, "").await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

/// The lines of JSON that it writes, sorted by what they are of.
pub fn json(out: &str) -> Vec<Value> {
    let mut lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| (line["final"].to_string(), line["sources"].to_string(), line["uri"].to_string()));
    lines
}

/// A world with an unload of three slices and its sidecar, and no manifest.
pub async fn unloaded() -> World {
    let world = World::in_process().await;
    for slice in 0..3 {
        world.put(&format!("unload/q_000{slice}_part_00"), format!("{slice}|a\n")).await;
    }
    world.put("unload/q_.headers", "id,name").await;
    world
}

pub fn place(world: &World, key: &str) -> String {
    format!("s3://{}/{key}", world.bucket)
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
    assert!(text(&partly.stderr).contains("no columns for s3://my-unloads/unload/forgotten_"));

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

#[tokio::test]
async fn headers_are_added_to_all_that_is_there() {
    let world = unloaded().await;
    let all = place(&world, "unload/");
    let (status, out, err) = said(&world, &["add", &all, "--dry-run", "--json"]).await;
    let planned = json(&out);
    assert_eq!((status, planned.len(), &planned[0]["outcome"]), (0, 3, &"planned".into()), "{err}");
    assert_eq!(planned[0]["plan"][0]["upload"][0], "header");
    assert!(err.contains("3 planned: 3 parts") && err.contains("Nothing was written."), "{err}");
    assert!(world.keys().await.iter().all(|key| key.starts_with("unload/")));

    let (status, out, err) = said(&world, &["add", &all, "--json", "--jobs", "2"]).await;
    let written = json(&out);
    assert_eq!((status, written.len()), (0, 3), "{err}");
    for (planned, written) in planned.iter().zip(&written) {
        assert_eq!(written["outcome"], "written");
        for field in ["final", "sources", "columns", "columns_from", "bytes", "bytes_through", "parts", "requests"] {
            assert_eq!(planned[field], written[field], "{field}");
        }
    }
    assert_eq!(world.text("final/q_0001_part_00").await, "id|name\n1|a\n");

    let (status, out, err) = said(&world, &["add", &all]).await;
    assert_eq!((status, out.lines().filter(|line| line.starts_with("unchanged ")).count()), (0, 3));
    assert!(err.starts_with("3 unchanged: "), "{err}");
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "no control codes without a terminal");
}

#[tokio::test]
async fn globs_choose_what_is_meant() {
    let world = unloaded().await;
    let all = place(&world, "unload/");
    for (globs, count) in [
        (&["--include", "*_0001_*"][..], 1),
        (&["--exclude", "*_0001_*"], 2),
        (&["--include", "*_0001_*", "--include", "*_0002_*", "--exclude", "*2_part*"], 1),
        (&["--include", "*.csv"], 0),
    ] {
        let arguments = [&["add", &all, "--dry-run", "--json"], globs].concat();
        assert_eq!(said(&world, &arguments).await.1.lines().count(), count, "{globs:?}");
    }
    let (status, _, err) = said(&world, &["add", &all, "--include", "["]).await;
    assert_eq!((status, err.contains("glob")), (2, true), "{err}");
}

#[tokio::test]
async fn slices_without_a_manifest_become_one_object() {
    let world = unloaded().await;
    world.put("unload/other.csv", "id|name\n9|z\n").await;
    let (status, out, err) = said(&world, &["add", &place(&world, ""), "--output", "single", "--json"]).await;
    let lines = json(&out);
    assert_eq!((status, lines.len()), (0, 2), "{err}{out}");
    assert_eq!(world.text("final/q.csv").await, "id|name\n0|a\n1|a\n2|a\n");
    let skipped = lines.iter().find(|line| line["outcome"] == "skipped").unwrap();
    assert!(skipped["reason"].as_str().unwrap().starts_with("UNLOAD did not choose its name; to put it"), "{skipped}");

    // Not all of its slices are below this place.
    let part = place(&world, "unload/q_000");
    let (_, out, _) = said(&world, &["add", &part, "--output", "single", "--json"]).await;
    assert!(out.contains("it may have more slices than those below"), "{out}");

    // The function, once a manifest is there, finds that it is done.
    let keys = [0, 1, 2].map(|slice| format!("unload/q_000{slice}_part_00"));
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 4)).collect();
    world.put("unload/q_manifest", manifest(&world.bucket, &entries, &[])).await;
    assert_eq!(world.receipt(&[("OUTPUT", "single")], "unload/q_manifest").await.outcome.name(), "unchanged");

    // A slice of an earlier UNLOAD, which the manifest does not list.
    world.put("unload/q_0003_part_00", "3|old\n").await;
    let (status, out, _) = said(&world, &["add", &place(&world, "unload/q_"), "--output", "single", "--json"]).await;
    assert!(status == 0 && out.contains("does not list it"), "{out}");
    assert_eq!(world.text("final/q.csv").await, "id|name\n0|a\n1|a\n2|a\n");
}

/// The manifest, or else a sidecar, tells where the unload prefix ends; neither is below the place that is named.
#[tokio::test]
async fn a_partition_is_not_taken_for_an_unload_of_its_own() {
    let world = World::in_process().await;
    let keys = [1, 2].map(|year| format!("unload/sales/year={year}/0000_part_00"));
    for key in &keys {
        world.put(key, "1\n").await;
    }
    world.put("unload/sales.headers", "a").await;
    let (_, out, _) = said(&world, &["add", &place(&world, "unload/sales/"), "--output", "single", "--json"]).await;
    assert_eq!(out.matches("/sales.csv\"").count(), 2, "{out}");
    world.local().delete(&world.bucket, "unload/sales.headers");
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 2)).collect();
    world.put("unload/sales/manifest", manifest(&world.bucket, &entries, &["a", "year"])).await;
    let one = place(&world, "unload/sales/year=1/");
    let (_, out, _) = said(&world, &["add", &one, "--output", "single", "--json"]).await;
    assert!(out.contains(&format!("name {} itself", place(&world, "unload/sales/"))), "{out}");
    world.put("unload/sales/manifest", "{\"entries\": 1}").await;
    let (status, out, _) = said(&world, &["add", &place(&world, "unload/"), "--output", "single", "--json"]).await;
    assert_eq!((status, out.matches("InvalidManifest").count(), out.matches("does not list it").count()), (1, 1, 2));
}

/// Slices that are left of an unload whose manifest and other slices are gone.
#[tokio::test]
async fn what_a_manifest_listed_is_not_replaced_by_what_is_left_of_it() {
    let world = unloaded().await;
    let keys = [0, 1, 2].map(|slice| format!("unload/q_000{slice}_part_00"));
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 4)).collect();
    world.put("unload/q_manifest", manifest(&world.bucket, &entries, &[])).await;
    let all = place(&world, "unload/");
    let arguments = ["add", &all, "--output", "single", "--json"];
    assert_eq!(said(&world, &arguments).await.0, 0);
    world.local().delete(&world.bucket, "unload/q_manifest");
    for deletes in ["off", "on"] {
        let arguments = [&arguments[..], &["--delete-source", deletes]].concat();
        let (status, out, _) = said(&world, &arguments).await;
        assert_eq!((status, out.contains("\"unchanged\"")), (0, true), "the same slices: {out}");
    }
    world.local().delete(&world.bucket, &keys[0]);
    for more in [&["--dry-run"][..], &[], &["--delete-source", "on"]] {
        let (status, out, _) = said(&world, &[&arguments[..], more].concat()).await;
        assert_eq!((status, out.contains("ManifestGone")), (1, true), "{out}");
    }
    assert_eq!(world.text("final/q.csv").await, "id|name\n0|a\n1|a\n2|a\n");
    world.local().delete(&world.bucket, "final/q.csv");
    assert_eq!(said(&world, &arguments).await.0, 0, "it is a new unload, as who deletes the object says");
}

/// The manifest of a folder lists some of its files, and the others are not of its unload.
#[tokio::test]
async fn a_folder_with_a_manifest_is_that_manifests() {
    let world = World::in_process().await;
    for (key, text) in [("unload/a/x.csv", "1\n"), ("unload/a/y.csv", "2\n"), ("unload/a/.headers", "n")] {
        world.put(key, text).await;
    }
    world.put("unload/a/manifest", manifest(&world.bucket, &[("unload/a/x.csv", 2)], &[])).await;
    let arguments = ["add", &place(&world, "unload/a/"), "--output", "single", "--json"];
    for _ in 0..2 {
        let (status, out, err) = said(&world, &arguments).await;
        assert_eq!((status, out.matches("does not list it").count()), (0, 1), "{out}{err}");
        assert_eq!(world.text("final/a.csv").await, "n\n1\n");
    }
}

/// Of an unload of which some slices are gone, the rest would be taken for all of it.
#[tokio::test]
async fn sources_that_no_manifest_lists_are_kept() {
    let world = unloaded().await;
    let arguments = ["add", &place(&world, "unload/"), "--output", "single", "--delete-source", "on", "--json"];
    for outcome in ["written", "unchanged"] {
        let (status, out, err) = said(&world, &arguments).await;
        let receipt = &json(&out)[0];
        assert_eq!((status, &receipt["outcome"]), (0, &outcome.into()), "{err}");
        assert_eq!(receipt["reason"], "the sources are kept, since no manifest lists them");
    }
    assert!(world.get("unload/q_0000_part_00").await.is_some());
}

#[tokio::test]
async fn an_unload_gets_its_final_manifest() {
    let world = unloaded().await;
    let keys = [0, 1, 2].map(|slice| format!("unload/q_000{slice}_part_00"));
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 4)).collect();
    world.put("unload/q_manifest", manifest(&world.bucket, &entries, &[])).await;
    world.put("unload/r_0000_part_00", "no manifest\n").await;
    world.put("unload/r_.headers", "a").await;
    let arguments = ["add", &place(&world, "unload/"), "--final-manifest", "on", "--json"];
    let (status, out, err) = said(&world, &arguments).await;
    assert_eq!((status, out.lines().count()), (0, 5), "{err}");
    // Another manifest lists two of the same slices.
    world.put("unload/q_000.headers", "id,name").await;
    world.local().delete(&world.bucket, "final/q_manifest");
    world.put("unload/q_000manifest", manifest(&world.bucket, &entries[..2], &[])).await;
    let (status, _, err) = said(&world, &arguments).await;
    assert_eq!(status, 0, "{err}");
    for (key, count) in [("final/q_manifest", 3), ("final/q_000manifest", 2)] {
        let found: Value = serde_json::from_str(&world.text(key).await).unwrap();
        assert_eq!(found["entries"].as_array().unwrap().len(), count, "{key}");
    }
}

#[tokio::test]
async fn check_tells_what_is_not_done() {
    let world = unloaded().await;
    let all = place(&world, "unload/");
    world.put("unload/lost_0000_part_00", "1|a\n").await;
    assert_eq!(said(&world, &["add", &all]).await.0, 1, "one has no columns");
    world.put("unload/lost_.headers", "id,name").await;
    world.put("unload/q_0001_part_00", "1|changed\n").await;
    world.local().delete(&world.bucket, "unload/q_0002_part_00");
    let before = world.keys().await;
    let (status, out, err) = said(&world, &["check", &all, "--json"]).await;
    let found: Vec<String> = json(&out)
        .iter()
        .map(|line| format!("{} {}", line["state"].as_str().unwrap(), line["uri"].as_str().unwrap().replace(&all, "")))
        .collect();
    let gone = format!("orphan {}", place(&world, "final/q_0002_part_00"));
    let mut expected = [gone.as_str(), "missing lost_0000_part_00", "done q_0000_part_00", "outdated q_0001_part_00"];
    let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!((status, found), (1, expected.to_vec()), "{err}");
    assert_eq!(world.keys().await, before);
    world.local().delete(&world.bucket, "final/q_0002_part_00");
    assert_eq!(said(&world, &["add", &all]).await.0, 0);
    let (status, _, err) = said(&world, &["check", &all]).await;
    assert_eq!((status, err.as_str()), (0, "3 done\n"));
}

/// Intermediate objects are no orphans: they belong to a run, or are left to the lifecycle rule.
#[tokio::test]
async fn check_says_what_intermediate_objects_are() {
    let world = unloaded().await;
    let all = place(&world, "unload/");
    let create = world.client.create_multipart_upload().bucket(&world.bucket).key(".unload-header/0/2");
    create.send().await.unwrap();
    let object =
        Object::new("rows").with_metadata("unload-header", "f 4 job=0123456789abcdef of=s3://b/unload/q_manifest");
    world.local().put(&world.bucket, ".unload-header/0/1", object);
    // Of a final bucket with no prefix, it is not told twice.
    for more in [&["--output", "single"][..], &["--output", "single", "--final-bucket", &world.bucket]] {
        let (status, out, err) = said(&world, &[&["check", &all], more].concat()).await;
        let told = |text: &str| out.lines().filter(|line| line.contains(text)).collect::<Vec<_>>().join("; ");
        let object = told(".unload-header/0/1");
        assert!(
            object.starts_with("intermediate") && object.contains("slices of s3://b/unload/q_manifest"),
            "{out}{err}"
        );
        assert!(told(".unload-header/0/2").starts_with("upload") && !out.contains("orphan"), "{out}");
        assert_eq!((status, out.matches(".unload-header/").count()), (1, 2), "{out}");
    }
}

/// Nothing is an orphan whose job was left out, fails, or writes a manifest of final objects.
#[tokio::test]
async fn only_what_nothing_asks_for_is_an_orphan() {
    let world = unloaded().await;
    let all = place(&world, "unload/");
    let keys = [0, 1, 2].map(|slice| format!("unload/q_000{slice}_part_00"));
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 4)).collect();
    world.put("unload/q_manifest", manifest(&world.bucket, &entries, &[])).await;
    assert_eq!(said(&world, &["add", &all, "--final-manifest", "on"]).await.0, 0);
    for more in [&[][..], &["--final-manifest", "on"], &["--include", "*_0001_*"]] {
        let (status, out, err) = said(&world, &[&["check", &all], more].concat()).await;
        assert_eq!((status, out.contains("orphan")), (0, false), "{more:?}: {out}{err}");
    }
    world.local().delete(&world.bucket, "unload/q_.headers");
    let (status, out, _) = said(&world, &["check", &all]).await;
    assert_eq!((status, out.matches("failed ").count(), out.contains("orphan")), (1, 3, false), "{out}");
    world.local().delete(&world.bucket, "unload/q_manifest");
    let (_, out, _) = said(&world, &["check", &all]).await;
    assert!(out.contains(&format!("orphan    {}", place(&world, "final/q_manifest"))), "{out}");
}

#[tokio::test]
async fn headers_are_set_and_shown() {
    let world = unloaded().await;
    let (unload, key) = (place(&world, "unload/r_"), place(&world, "unload/r_0000_part_00"));
    world.put("unload/r_0000_part_00", "1;a\n").await;
    let set = ["headers", "set", &unload, "id", "the name", "--options", "DELIMITER ';'"];
    assert_eq!(said(&world, &set).await.1, format!("written    {unload}.headers\n"));
    assert_eq!(said(&world, &set).await.1, format!("unchanged  {unload}.headers\n"));
    let (status, out, err) = said(&world, &["headers", "show", &key]).await;
    assert_eq!(status, 0, "{err}");
    for line in [
        "  header  \"id;the name\\n\"",
        "  names   [\"id\",\"the name\"]",
        &format!("  from    the sidecar {unload}.headers"),
        "  not     the metadata x-amz-meta-headers (not set)",
    ] {
        assert!(out.lines().any(|it| it == line), "{line} in {out}");
    }
    let (status, _, err) = said(&world, &["headers", "set", &unload, "other"]).await;
    assert_eq!((status, err.contains("--replace writes over it")), (1, true), "{err}");
    assert_eq!(said(&world, &["headers", "set", &unload, "other", "--replace"]).await.0, 0);
    assert_eq!(world.text("unload/r_.headers").await, "{\"columns\":[\"other\"]}\n");
    let done = run(&world, &["headers", "set", &unload, "--replace", "--file", "-"], "id,\"full name\"\n").await;
    assert!(done.status.success());
    assert_eq!(world.text("unload/r_.headers").await, "{\"columns\":[\"id\",\"full name\"]}\n");
    for wrong in [&["headers", "set", &unload, "a", "--options", "GZIPP"][..], &["headers", "set", &unload, ""]] {
        assert_eq!(said(&world, wrong).await.0, 2, "{wrong:?}");
    }
}

/// What S3 has when it is stopped is not copied again.
#[tokio::test]
async fn ctrl_c_and_sigterm_leave_the_parts_to_the_next_run() {
    for signal in ["-INT", "-TERM"] {
        stopped_by(signal).await;
    }
}

async fn stopped_by(signal: &str) {
    let world = World::in_process().await;
    let source = Object::new(Content::repeat(rows(MIB), 2 << 30));
    world.local().put(&world.bucket, "unload/q_0000_part_00", source);
    world.put("unload/q_.headers", "idx,venue,name").await;
    world.handler(&[]);
    let mut copies = 0;
    world.local().judge(move |request| {
        let is_copy = request.operation == "UploadPartCopy";
        copies += i32::from(is_copy);
        (is_copy && copies > 10).then_some(Fault::Late(Duration::from_secs(3_600)))
    });
    let mut child = start(&world, &["add", &place(&world, "unload/")], &[]);
    let written = || {
        let requests = world.local().take_requests();
        requests.iter().filter(|request| request.operation.starts_with("UploadPart")).count()
    };
    let mut begun = 0;
    while begun <= 20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        begun += written();
    }
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    let mut err = String::new();
    let mut stderr = child.stderr.take().unwrap();
    let read = tokio::time::timeout(Duration::from_secs(60), stderr.read_to_string(&mut err)).await;
    read.unwrap_or_else(|_| panic!("{signal} does not end it: {err}")).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130), "{err}");
    assert!(err.contains("stopping: ") && err.contains(" of the 48 parts"), "{err}");
    let done = err.split("  S3 has ").nth(1).and_then(|rest| rest.split_once(' ')?.0.parse::<usize>().ok()).unwrap();
    assert!((1..=11).contains(&done), "ten copies, and the header's part: {err}");
    assert!(err.ends_with("stopped; the same command goes on\n"), "{err}");
    world.local().judge(|_| None);
    written();
    let (status, out, _) = said(&world, &["add", &place(&world, "unload/"), "--json"]).await;
    // A part that S3 had when the signal came may have been answered too late to be told.
    let again = written();
    assert_eq!((status, json(&out)[0]["parts"].as_u64()), (0, Some(48)));
    assert!((48 - 11..=48 - done).contains(&again), "{again} parts again, {done} were there");
}

/// What is only being looked at leaves nothing behind, and nobody waits for it.
#[tokio::test]
async fn ctrl_c_does_not_wait_for_what_writes_nothing() {
    for signal in ["-INT", "-TERM"] {
        let world = unloaded().await;
        world
            .local()
            .judge(|request| (request.operation == "HeadObject").then_some(Fault::Late(Duration::from_secs(9))));
        let mut child = start(&world, &["add", &place(&world, "unload/"), "--jobs", "2"], &[]);
        while !world.local().take_requests().iter().any(|request| request.operation == "HeadObject") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (id, begun) = (child.id().unwrap().to_string(), std::time::Instant::now());
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(130), "{err}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: {err}", begun.elapsed());
        assert_eq!(err.matches("stopped    s3://").count(), 2, "{err}");
        assert!(world.keys().await.iter().all(|key| key.starts_with("unload/")));
    }
}

/// What an app writes to it becomes a final object, as on AWS.
#[tokio::test]
async fn serve_runs_the_function_on_what_is_written() {
    let none = World::in_process().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut served = start(&none, &["serve", &port, "--output", "single"], &[]);
    let (mut out, mut line) = (BufReader::new(served.stdout.take().unwrap()), String::new());
    while !line.starts_with('#') {
        line.clear();
        assert!(out.read_line(&mut line).await.unwrap() > 0);
    }
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .region(aws_config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new(local_s3::ACCESS_KEY, local_s3::SECRET_KEY, None, None, "test"));
    let s3 = S3::new(&config.load().await);
    let put = async |key: &str, text: String| {
        let uri = Uri::new(BUCKET, key);
        s3.put(&uri, text.into(), &Attributes::default(), &Precondition::None, None).await.unwrap();
    };
    put("unload/mine_.headers", "id,name".to_owned()).await;
    put("unload/mine_0000_part_00", "1|a\n".to_owned()).await;
    put("unload/mine_manifest", manifest(BUCKET, &[("unload/mine_0000_part_00", 4)], &[])).await;
    let (mut err, mut said) = (BufReader::new(served.stderr.take().unwrap()), String::new());
    while !said.contains("written    s3://my-unloads/final/mine.csv") {
        assert!(err.read_line(&mut said).await.unwrap() > 0, "{said}");
    }
    let found = s3.get_small(&Uri::new(BUCKET, "final/mine.csv"), 100).await.unwrap().unwrap();
    assert_eq!(found.bytes, "id|name\n1|a\n");
    let taken = self::said(&none, &["serve", &port]).await;
    assert_eq!((taken.0, taken.2.contains(&format!("port {port} of 127.0.0.1 can't be had"))), (1, true), "{taken:?}");
    served.kill().await.unwrap();
}
