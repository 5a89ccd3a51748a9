//! Which data objects and unloads the command line finds below a prefix, and what it leaves out.

use serde_json::Value;
use support::{World, manifest};

use crate::command_line::{json, place, said, unloaded};

/// The manifest `unload/q_manifest` of the unload that [`unloaded`] makes.
async fn with_manifest(world: &World, columns: &[&str]) {
    let keys = [0, 1, 2].map(|slice| format!("unload/q_000{slice}_part_00"));
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 4)).collect();
    world.put("unload/q_manifest", manifest(&world.bucket, &entries, columns)).await;
}

async fn finals(world: &World) -> Vec<String> {
    let keys = world.keys().await.into_iter().filter(|key| key.starts_with("final/"));
    keys.map(|key| key.replace("final/", "")).collect()
}

/// A line of `add --json` for each: its outcome and its reason.
fn told(out: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    json(out).iter().map(|line| (text(&line["outcome"]), text(&line["reason"]))).collect()
}

/// The manifest asks for no jobs then, as for the function, to which each data object's own event does.
#[tokio::test]
async fn data_objects_are_done_whose_manifest_asks_for_nothing() {
    for (is_verbose, sidecar) in [(true, true), (false, true), (true, false)] {
        let world = unloaded().await;
        with_manifest(&world, if is_verbose { &["id", "name"] } else { &[] }).await;
        if !sidecar {
            world.local().delete(&world.bucket, "unload/q_.headers");
        }
        let arguments = ["add", &place(&world, "unload/"), "--json", "--unload-options", "MANIFEST VERBOSE"];
        let (status, out, err) = said(&world, &arguments).await;
        assert_eq!((status, out.matches("\"written\"").count(), out.lines().count()), (0, 3, 3), "{out}{err}");
        assert_eq!(finals(&world).await.len(), 3);
        // Only a job that the manifest asks for knows how many rows it counts.
        assert_eq!(world.text("final/q_0002_part_00").await, "id|name\n2|a\n");
    }
}

/// Neither is a key done that is excluded, nor one left out that is included.
#[tokio::test]
async fn globs_are_held_against_the_keys_that_a_manifest_lists() {
    let settings =
        [&["--unload-options", "MANIFEST VERBOSE"][..], &["--final-manifest", "on", "--delete-source", "on"]];
    for (more, is_final_manifest) in settings.into_iter().zip([false, true]) {
        for (globs, done) in [
            (&["--exclude", "*_0001_*"][..], &["q_0000_part_00", "q_0002_part_00"][..]),
            (&["--include", "*_0001_*"], &["q_0001_part_00"]),
            (&["--exclude", "*manifest"], &["q_0000_part_00", "q_0001_part_00", "q_0002_part_00"]),
        ] {
            let world = unloaded().await;
            with_manifest(&world, &["id", "name"]).await;
            let all = place(&world, "unload/");
            let (status, out, err) = said(&world, &[&["add", &all], globs, more].concat()).await;
            assert_eq!(
                (status, finals(&world).await),
                (0, done.iter().map(ToString::to_string).collect()),
                "{out}{err}"
            );
            assert_eq!(world.keys().await.iter().filter(|key| key.contains("_part_")).count(), 3 + done.len());
        }
        let world = unloaded().await;
        with_manifest(&world, &["id", "name"]).await;
        let all = place(&world, "unload/");
        assert_eq!(said(&world, &[&["add", &all, "--include", "*_part_*"], more].concat()).await.0, 0);
        assert_eq!(finals(&world).await.len(), if is_final_manifest { 4 } else { 3 });
    }
}

#[tokio::test]
async fn what_globs_leave_out_is_not_told() {
    let world = unloaded().await;
    world.put("unload/other.csv", "1\n").await;
    with_manifest(&world, &[]).await;
    world.put("unload/q_0007_part_00", "an earlier one\n").await;
    let arguments = ["add", &place(&world, ""), "--output", "single", "--json", "--include", "nothing*"];
    let (status, out, err) = said(&world, &arguments).await;
    assert_eq!((status, out.as_str(), err.starts_with("nothing is there")), (0, "", true), "{err}");
}

/// `q1000` is the first file of `q1`, unless there is a `q999`, as for the function.
#[tokio::test]
async fn a_file_number_counts_only_if_the_files_before_it_are_there() {
    let world = World::in_process().await;
    for (key, text) in [
        ("unload/q000", "h|i\n0|a\n"),
        ("unload/q001", "h|i\n1|a\n"),
        ("unload/q1000", "h|i\n0|b\n"),
        ("unload/q1001", "h|i\n1|b\n"),
    ] {
        world.put(key, text).await;
    }
    let single = ["--output", "single", "--unload-options", "HEADER", "--json"];
    for name in ["unload/", "unload/q", "unload/q1"] {
        let (status, out, err) = said(&world, &[&["add", &place(&world, name)], &single[..]].concat()).await;
        assert_eq!(status, 0, "{name}: {out}{err}");
    }
    assert_eq!(world.text("final/q.csv").await, "h|i\n0|a\n1|a\n");
    assert_eq!(world.text("final/q1.csv").await, "h|i\n0|b\n1|b\n");
    assert_eq!(finals(&world).await.len(), 2);
}

/// A file number that two unloads could have written.
#[tokio::test]
async fn nothing_is_put_together_of_which_two_unloads_may_have_written_a_file() {
    let world = World::in_process().await;
    for file in [0, 999, 1_000, 1_001] {
        world.put(&format!("unload/q{file:03}"), format!("{file}\n")).await;
    }
    world.put("unload/q.headers", "a").await;
    let arguments = ["add", &place(&world, "unload/"), "--output", "single", "--json"];
    let (status, out, _) = said(&world, &arguments).await;
    assert_eq!((status, world.text("final/q.csv").await.as_str()), (0, "a\n0\n999\n1000\n1001\n"), "{out}");

    world.put("unload/q1.headers", "b").await;
    for command in ["add", "check"] {
        let (status, out, _) = said(&world, &[&[command], &arguments[1..]].concat()).await;
        let why = "another unload with a sidecar or a manifest may have written s3://";
        assert_eq!((status, out.matches(why).count(), out.lines().count()), (1, 2, 2), "{out}");
    }
    world.local().delete(&world.bucket, "unload/q.headers");
    world.local().delete(&world.bucket, "final/q.csv");
    let (_, out, _) = said(&world, &arguments).await;
    assert_eq!(world.text("final/q1.csv").await, "b\n1000\n1001\n", "{out}");
}

/// Slices are put together in the order of their numbers, also where these have more digits than the first.
#[tokio::test]
async fn the_order_is_that_of_the_numbers_behind_the_unload_prefix() {
    let world = World::in_process().await;
    for file in [0, 7, 999, 1_000] {
        world.put(&format!("unload/q1{file:03}"), format!("{file}\n")).await;
    }
    world.put("unload/q1.headers", "a").await;
    let (status, out, _) = said(&world, &["add", &place(&world, "unload/"), "--output", "single"]).await;
    assert_eq!((status, world.text("final/q1.csv").await.as_str()), (0, "a\n0\n7\n999\n1000\n"), "{out}");
}

/// Names of Athena's and Spark's end in digits now and then, which are no file's number.
#[tokio::test]
async fn all_of_a_folder_is_put_together_that_unload_has_not_written() {
    let world = World::in_process().await;
    let uuid = "6f1e2a3b-0c1d-4e5f-8a9b-0c1d2e3f4";
    for (name, row) in [("a5b", 1), ("123", 2), ("c5c", 3)] {
        world.put(&format!("unload/athena/2026_00011_abc_{uuid}{name}"), format!("n\n{row}\n")).await;
    }
    world.put(&format!("unload/athena/part-00000-{uuid}c5c-c000.csv"), "n\n4\n").await;
    let arguments = ["add", &place(&world, "unload/athena/"), "--output", "single", "--unload-options", "HEADER"];
    let (status, out, err) = said(&world, &arguments).await;
    assert_eq!((status, finals(&world).await), (0, vec!["athena.csv".to_owned()]), "{out}{err}");
    assert_eq!(world.text("final/athena.csv").await, "n\n2\n1\n3\n4\n");
    let whole = [&arguments[..], &["--unload-prefix", "unload/athena/", "--json"]].concat();
    let (_, out, _) = said(&world, &whole).await;
    let why = format!("move them to a folder below {}", place(&world, "unload/athena/"));
    assert!(told(&out).iter().all(|(outcome, reason)| outcome == "skipped" && reason.contains(&why)), "{out}");
}

/// In the folders of a partition, whoever names the unload tells where its prefix ends.
#[tokio::test]
async fn who_names_an_unload_tells_where_its_folders_begin() {
    let world = World::in_process().await;
    for year in [1, 2] {
        world.put(&format!("unload/sales/year={year}/0000_part_00"), "h\n1\n").await;
    }
    let all = place(&world, "unload/sales/");
    let arguments = ["add", &all, "--output", "single", "--unload-options", "HEADER"];
    assert_eq!(said(&world, &arguments).await.0, 0);
    assert_eq!(finals(&world).await, ["sales/year=1/sales.csv", "sales/year=2/sales.csv"]);
}

/// What is not done is not done with status 0.
#[tokio::test]
async fn an_unload_of_which_a_part_is_named_is_not_done() {
    let world = unloaded().await;
    let part = place(&world, "unload/q_0");
    for command in ["add", "check"] {
        let (status, out, err) = said(&world, &[command, &part, "--output", "single"]).await;
        assert_eq!((status, out.contains("waiting ")), (1, true), "{out}{err}");
    }
    let all = place(&world, "unload/");
    let arguments = ["add", &all, "--unload-options", "MANIFEST VERBOSE"];
    world.local().delete(&world.bucket, "unload/q_.headers");
    let (status, out, _) = said(&world, &arguments).await;
    assert_eq!((status, out.matches("waiting ").count()), (1, 3), "{out}");
}

/// Any object may have a manifest's name.
#[tokio::test]
async fn a_data_object_with_a_manifests_name_is_done() {
    let world = unloaded().await;
    world.put("unload/q_0003_part_00.manifest", "3|a\n").await;
    with_manifest(&world, &[]).await;
    let (status, out, err) = said(&world, &["add", &place(&world, "unload/")]).await;
    assert_eq!((status, out.lines().count()), (0, 4), "{out}{err}");
    assert_eq!(world.text("final/q_0003_part_00.manifest").await, "id|name\n3|a\n");
}
