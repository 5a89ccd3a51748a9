//! What `add`, its dry run and `check` tell of the same bucket: the same.

use std::time::Duration;

use local_s3::{Content, Fault, Object};
use support::{MIB, World, manifest, rows};

use crate::command_line::{json, place, said, start, unloaded};

async fn with_manifest(world: &World) {
    let keys = [0, 1, 2].map(|slice| format!("unload/q_000{slice}_part_00"));
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 4)).collect();
    world.put("unload/q_manifest", manifest(&world.bucket, &entries, &[])).await;
}

/// The number before a word of the summary, which is the last line on standard error.
fn number(err: &str, word: &str) -> u64 {
    let line = err.lines().last().unwrap();
    let found = line.split([',', ':', ';']).find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {word} in {line}"))
}

/// Requests for what is there already are part of both.
#[tokio::test]
async fn the_sum_of_a_dry_run_is_that_of_the_run() {
    let world = unloaded().await;
    let all = place(&world, "unload/");
    assert_eq!(said(&world, &["add", &all]).await.0, 0);
    world.put("unload/q_0003_part_00", "3|a\n").await;
    for deletes in ["off", "on"] {
        let arguments = ["add", &all, "--delete-source", deletes];
        let planned = said(&world, &[&arguments[..], &["--dry-run"]].concat()).await.2;
        let done = said(&world, &arguments).await.2;
        assert_eq!(number(&planned, "requests"), number(&done, "requests"), "{planned}{done}");
    }
}

/// Jobs that are done at the same time take no longer than the longest of them.
#[tokio::test]
async fn the_time_of_a_dry_run_is_that_of_so_many_jobs() {
    let world = World::in_process().await;
    world.put("unload/q_.headers", "idx,venue,name").await;
    for slice in 0..4 {
        let source = Object::new(Content::repeat(rows(MIB), 8 << 30));
        world.local().put(&world.bucket, &format!("unload/q_000{slice}_part_00"), source);
    }
    let seconds = async |jobs| {
        let err = said(&world, &["add", &place(&world, "unload/"), "--dry-run", "--jobs", jobs]).await.2;
        number(err.replace("about ", "").split(". ").next().unwrap(), "seconds")
    };
    let (one, four) = (seconds("1").await, seconds("4").await);
    assert!(one.abs_diff(4 * four) <= 3 && four > 2, "{one} and {four} seconds");
}

/// Sources that would be deleted are told, also of final objects that are there.
#[tokio::test]
async fn a_dry_run_tells_what_would_be_deleted() {
    let world = unloaded().await;
    let all = place(&world, "unload/");
    let (_, out, err) = said(&world, &["add", &all, "--delete-source", "on", "--dry-run"]).await;
    assert_eq!((out.matches("; then 1 source deleted").count(), err.contains("then 3 sources deleted")), (3, true));
    for output in ["each", "single"] {
        assert_eq!(said(&world, &["add", &all, "--output", output]).await.0, 0);
    }
    let arguments = ["add", &all, "--delete-source", "on", "--dry-run"];
    let (_, out, err) = said(&world, &arguments).await;
    assert_eq!(out.matches("(the source would be deleted)").count(), 3, "{out}");
    assert!(err.contains("then 3 sources deleted. Nothing was written."), "{err}");
    with_manifest(&world).await;
    assert_eq!(said(&world, &["add", &all, "--output", "single"]).await.0, 0);
    world.local().delete(&world.bucket, "final/q.csv");
    assert_eq!(said(&world, &["add", &all, "--output", "single"]).await.0, 0);
    let (_, out, _) = said(&world, &[&arguments[..], &["--output", "single"]].concat()).await;
    assert!(out.contains("(the 3 sources would be deleted)"), "{out}");
    let (_, out, err) = said(&world, &[&arguments[..], &["--final-manifest", "on"]].concat()).await;
    assert!(!out.contains("would be deleted"), "{out}");
    assert!(
        err.contains("Sources that a manifest lists are deleted after the manifest of their final objects"),
        "{err}"
    );
    assert_eq!(world.keys().await.iter().filter(|key| key.starts_with("unload/q_000")).count(), 3);
}

#[tokio::test]
async fn two_unloads_that_would_become_one_object_are_told_before() {
    let world = unloaded().await;
    world.put("unload/q-0000_part_00", "9|z\n").await;
    world.put("unload/q-.headers", "id,name").await;
    let arguments = ["add", &place(&world, "unload/"), "--output", "single", "--json"];
    let check = |out: &str, field: &str| {
        let lines = json(out);
        let mut states: Vec<String> = lines.iter().map(|line| line[field].as_str().unwrap().to_owned()).collect();
        states.sort();
        states
    };
    let (status, out, _) = said(&world, &[&arguments[..], &["--dry-run"]].concat()).await;
    assert_eq!((status, check(&out, "outcome")), (1, vec!["failed".to_owned(), "planned".to_owned()]), "{out}");
    let (status, out, _) = said(&world, &[&["check"], &arguments[1..]].concat()).await;
    assert_eq!((status, check(&out, "state")), (1, vec!["missing".to_owned(), "taken".to_owned()]), "{out}");
    let (status, out, _) = said(&world, &arguments).await;
    assert_eq!((status, check(&out, "outcome")), (1, vec!["failed".to_owned(), "written".to_owned()]), "{out}");
    let failed = json(&out).into_iter().find(|line| line["outcome"] == "failed").unwrap();
    let named = failed["sources"][0].as_str().unwrap();
    assert!(!named.ends_with("manifest"), "an unload without a manifest is named by its prefix: {failed}");
}

/// A run that was killed before it wrote the manifest of final objects is not all there is to do.
#[tokio::test]
async fn check_looks_at_the_manifests_of_final_objects() {
    let world = unloaded().await;
    with_manifest(&world).await;
    let all = place(&world, "unload/");
    for (output, count) in [("each", 4), ("single", 2)] {
        let settings = [&all, "--output", output, "--final-manifest", "on"];
        assert_eq!(said(&world, &["add", &all, "--output", output]).await.0, 0);
        let (status, out, _) = said(&world, &[&["check"][..], &settings].concat()).await;
        let missing = format!("missing   {all}q_manifest  {}", place(&world, "final/q_manifest"));
        assert_eq!((status, out.contains(&missing)), (1, true), "{out}");
        assert_eq!(said(&world, &[&["add"][..], &settings].concat()).await.0, 0);
        let (_, out, _) = said(&world, &[&["check"][..], &settings].concat()).await;
        assert_eq!(out.matches("done ").count(), count, "{out}");
        world.local().delete(&world.bucket, "final/q_manifest");
    }
    world.put("final/q_manifest", "somebody's").await;
    let settings = [&all, "--output", "single", "--final-manifest", "on"];
    let (_, out, _) = said(&world, &[&["check"][..], &settings].concat()).await;
    assert!(out.contains("(an object that unload-header did not write is at its key)"), "{out}");
    let deletes = [&settings[..], &["--delete-source", "on"]].concat();
    for command in ["add", "check"] {
        let (status, out, _) = said(&world, &[&[command], &deletes[..]].concat()).await;
        assert_eq!(status, 0, "{command}: {out}");
    }
}

/// Of uploads below other prefixes, others tell.
#[tokio::test]
async fn check_tells_of_the_uploads_of_what_is_meant() {
    let world = unloaded().await;
    world.local().put(&world.bucket, "unload/big/q_0000_part_00", Object::new(Content::repeat(rows(MIB), 64 << 20)));
    world.put("unload/big/q_.headers", "idx,venue,name").await;
    world.local().fail("UploadPartCopy", 1, Fault::Late(Duration::from_secs(3_600)));
    let mut killed = start(&world, &["add", &place(&world, "unload/big/")], &[]);
    while world.local().uploads().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    killed.kill().await.unwrap();
    let uploads = async |arguments: &[&str]| said(&world, arguments).await.1.matches("upload ").count();
    let (all, big) = (place(&world, "unload/"), place(&world, "unload/big/"));
    assert_eq!(uploads(&["check", &all]).await, 1);
    assert_eq!(uploads(&["check", &big]).await, 1);
    assert_eq!(uploads(&["check", &all, "--exclude", "unload/big/*"]).await, 0);
    assert_eq!(said(&world, &["add", &place(&world, "unload/q_")]).await.0, 0);
    let (status, out, _) = said(&world, &["check", &place(&world, "unload/q_")]).await;
    assert_eq!((status, out.lines().count()), (0, 3), "{out}");
}

/// What a partitioned unload has made is no orphan because its manifest can't be read.
#[tokio::test]
async fn what_a_failing_unload_has_made_is_no_orphan() {
    let world = World::in_process().await;
    let keys = ["unload/s/y=1 2/0000_part_00", "unload/s/y=3/0000_part_00"];
    for key in keys {
        world.put(key, "1\n").await;
    }
    world.put("unload/s/manifest", manifest(&world.bucket, &keys.map(|key| (key, 2)), &["a"])).await;
    let arguments = [&place(&world, "unload/"), "--output", "single"];
    assert_eq!(said(&world, &[&["add"][..], &arguments].concat()).await.0, 0);
    world.put("unload/s/manifest", "{\"entries\": 1}").await;
    let (status, out, _) = said(&world, &[&["check"][..], &arguments].concat()).await;
    assert_eq!((status, out.matches("failed ").count(), out.matches("orphan").count()), (1, 1, 0), "{out}");
}

#[tokio::test]
async fn a_bucket_that_is_not_the_functions_is_refused_at_once() {
    let world = unloaded().await;
    let all = place(&world, "unload/");
    for (bucket, part) in [
        ("another", "is not in UNLOAD_BUCKET=\"another\""),
        ("s3://another", "It is the environment variable UNLOAD_BUCKET.\n"),
    ] {
        let done = start(&world, &["add", &all], &[("UNLOAD_BUCKET", bucket)]).wait_with_output().await.unwrap();
        let err = String::from_utf8(done.stderr).unwrap();
        assert_eq!((done.status.code(), err.contains(part)), (Some(2), true), "{err}");
    }
}

/// Keys may have any characters; a line for people stays a line, and does nothing to the terminal.
#[tokio::test]
async fn a_line_is_one_whatever_the_key() {
    let world = World::in_process().await;
    let key = "unload/a\nb\u{1b}[31m_";
    world.put(&format!("{key}0000_part_00"), "1\n").await;
    world.put(&format!("{key}.headers"), "n").await;
    let all = place(&world, "unload/");
    for (arguments, lines) in
        [(&["add", &all, "--dry-run"][..], 4), (&["check", &all], 1), (&["add", &all], 1), (&["add", &all], 1)]
    {
        let (_, out, _) = said(&world, arguments).await;
        assert_eq!((out.lines().count(), out.contains('\u{1b}')), (lines, false), "{out}");
        assert!(out.contains("a\\nb\\u{1b}[31m_"), "{out}");
    }
}
