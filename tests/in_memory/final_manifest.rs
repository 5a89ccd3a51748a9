//! FINAL_MANIFEST=on: a manifest of the final objects, once all of them are there; never one that is not right.

use std::time::Duration;

use local_s3::store::Store;
use local_s3::{Fault, Object};
use serde_json::{Value, json};
use support::{World, manifest, sample};
use unload_header::receipt::Outcome;

const ON: (&str, &str) = ("FINAL_MANIFEST", "on");
const SLICES: [&str; 3] = ["unload/q_0000_part_00", "unload/q_0001_part_00", "unload/q_0002_part_00"];
const MANIFEST: &str = "unload/q_manifest";
const SIDECAR: &str = "unload/q_.headers";
const FINAL_MANIFEST: &str = "final/q_manifest";

/// An unload of three slices with these rows, of which the manifest counts one each.
fn unload(world: &World, rows: &[&str; 3], columns: &[&str]) {
    for (key, row) in SLICES.iter().zip(rows) {
        world.local().put("bucket", key, Object::new(row.to_string()));
    }
    let entries: Vec<_> = SLICES.iter().zip(rows).map(|(key, row)| (*key, row.len() as u64)).collect();
    let mut text: Value = serde_json::from_str(&manifest("bucket", &entries, columns)).unwrap();
    for entry in text["entries"].as_array_mut().unwrap() {
        entry["meta"]["record_count"] = 1.into();
    }
    world.local().put("bucket", MANIFEST, Object::new(text.to_string()));
}

fn found(world: &World) -> Option<Value> {
    let object = world.local().get("bucket", FINAL_MANIFEST)?;
    Some(serde_json::from_slice(&object.content.to_bytes()).unwrap())
}

/// What the manifest of the final objects must be, by what is there.
fn is_right(world: &World, keys: &[&str], rows: &[u64]) {
    let found = found(world).expect("a manifest of the final objects");
    let entries = found["entries"].as_array().unwrap();
    assert_eq!(entries.len(), keys.len());
    for ((entry, key), rows) in entries.iter().zip(keys).zip(rows) {
        let object = world.local().get("bucket", key).unwrap_or_else(|| panic!("no {key}"));
        let meta = json!({"content_length": object.content.length(), "record_count": rows});
        assert_eq!(*entry, json!({"url": format!("s3://bucket/{key}"), "meta": meta}));
    }
}

fn finals() -> Vec<String> {
    SLICES.iter().map(|key| key.replacen("unload/", "final/", 1)).collect()
}

fn orders<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    if all.is_empty() {
        return vec![Vec::new()];
    }
    let firsts = (0..all.len()).flat_map(|first| {
        let mut rest = all.to_vec();
        let one = rest.remove(first);
        orders(&rest).into_iter().map(move |order| [vec![one.clone()], order].concat())
    });
    firsts.collect()
}

/// Events come in any order, each of them as often as Lambda tries; the sidecar is written before any or by its event.
#[tokio::test(start_paused = true)]
async fn it_is_there_in_the_end_in_any_order_of_events() {
    let events = [SLICES[0], SLICES[1], SLICES[2], MANIFEST, SIDECAR];
    let settings = [("each", "off"), ("each", "on"), ("single", "off"), ("single", "on")];
    for (output, delete) in settings {
        for order in sample(orders(&events), 7) {
            for is_late in [false, true] {
                let world = World::in_memory().await;
                unload(&world, &["1\n", "22\n", "333\n"], &[]);
                if !is_late {
                    world.local().put("bucket", SIDECAR, Object::new("id"));
                }
                let variables = [ON, ("OUTPUT", output), ("DELETE_SOURCE", delete)];
                // Those that fail are retried after all others.
                let mut failed = Vec::new();
                for key in &order {
                    if *key == SIDECAR && is_late {
                        world.local().put("bucket", SIDECAR, Object::new("id"));
                    }
                    if world.run(&variables, &[key]).await.is_err() {
                        failed.push(*key);
                    }
                }
                for key in failed {
                    world.run(&variables, &[key]).await.unwrap();
                }
                let (keys, rows) = match output {
                    "single" => (vec!["final/q.csv".to_owned()], vec![3]),
                    _ => (finals(), vec![1; 3]),
                };
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                is_right(&world, &keys, &rows);
                let left = SLICES.iter().filter(|key| world.local().get("bucket", key).is_some()).count();
                assert_eq!(left, if delete == "on" { 0 } else { 3 }, "{output} {order:?}");

                world.local().take_requests();
                world.run(&variables, &[MANIFEST]).await.unwrap();
                let requests = world.local().take_requests();
                let again = requests.iter().any(|it| it.key == FINAL_MANIFEST && it.operation == "PutObject");
                assert!(!again, "{output}, DELETE_SOURCE={delete}: it was written twice");
            }
        }
    }
}

/// What tells that it is there already is the same, whether the sources are there or not.
#[tokio::test(start_paused = true)]
async fn it_is_not_written_again_when_the_sources_are_gone() {
    for (output, delete) in [("each", "off"), ("each", "on"), ("single", "off"), ("single", "on")] {
        let world = World::in_memory().await;
        unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
        let variables = [ON, ("OUTPUT", output), ("DELETE_SOURCE", delete)];
        for outcome in [Outcome::Written, Outcome::Unchanged, Outcome::Unchanged] {
            let receipts = world.run(&variables, &[MANIFEST]).await.unwrap().receipts;
            assert_eq!(receipts.last().unwrap().outcome, outcome, "{output}, DELETE_SOURCE={delete}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_slice_that_fails_twice() {
    for (output, delete) in [("each", "off"), ("each", "on"), ("single", "on")] {
        let world = World::in_memory().await;
        unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
        let variables = [ON, ("OUTPUT", output), ("DELETE_SOURCE", delete)];
        for _ in 0..2 {
            world.local().fail("PutObject", 1, Fault::Error(403, "AccessDenied"));
            world.run(&variables, &[MANIFEST]).await.unwrap_err();
            assert!(found(&world).is_none(), "{output}");
        }
        let receipts = world.run(&variables, &[MANIFEST]).await.unwrap().receipts;
        assert_eq!(receipts.last().unwrap().outcome, Outcome::Written);
        assert_eq!(receipts.last().unwrap().final_uri.as_deref(), Some("s3://bucket/final/q_manifest"));
        assert_eq!(found(&world).unwrap()["schema"]["elements"][0]["name"], "id", "VERBOSE as the unload's");
        assert_eq!(found(&world).unwrap()["meta"]["record_count"], 3);
        assert_eq!(receipts[0].rows, Some(if output == "single" { 3 } else { 1 }));
    }
}

/// A call that is ended at any request, and then sent again.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_killed_anywhere_is_made_good_by_the_next() {
    for (output, delete) in [("each", "off"), ("each", "on"), ("single", "off"), ("single", "on")] {
        for at in sample(1..60_usize, 5) {
            let world = World::in_memory().await;
            unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
            let variables = [ON, ("OUTPUT", output), ("DELETE_SOURCE", delete)];
            let mut count = 0;
            world.local().judge(move |_| {
                count += 1;
                (count >= at).then(|| Fault::Late(Duration::from_secs(86_400)))
            });
            let killed = world.run_for(Duration::from_secs(100), &variables, &[MANIFEST]).await;
            world.local().judge(|_| None);
            if killed.is_ok() {
                break;
            }
            world.run(&variables, &[MANIFEST]).await.unwrap();
            let keys = if output == "single" { vec!["final/q.csv".to_owned()] } else { finals() };
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            is_right(&world, &keys, if output == "single" { &[3] } else { &[1; 3] });
            let left = SLICES.iter().filter(|key| world.local().get("bucket", key).is_some()).count();
            // A merge that was killed while it deleted keeps the slices that are left.
            let is_left = if delete == "off" { left == 3 } else { left == 0 || output == "single" };
            assert!(is_left, "{output}, killed at {at}: {left}");
        }
    }
}

/// The slices of a second UNLOAD are there, and its manifest is not: the first one's lists none of them.
#[tokio::test(start_paused = true)]
async fn the_slices_of_a_later_unload_are_not_listed_for_an_earlier_one() {
    for (output, delete) in [("each", "off"), ("each", "on"), ("single", "off"), ("single", "on")] {
        let rows = [["4\n", "55\n", "666\n"], ["44444\n", "5\n", "6\n"]];
        for (rows, has_sidecar) in rows.into_iter().flat_map(|rows| [(rows, false), (rows, true)]) {
            let world = World::in_memory().await;
            unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
            if has_sidecar {
                world.local().put("bucket", SIDECAR, Object::new("id"));
            }
            let variables = [ON, ("OUTPUT", output), ("DELETE_SOURCE", delete)];
            tokio::time::sleep(Duration::from_secs(60)).await;
            for (key, row) in SLICES.iter().zip(rows) {
                world.local().put("bucket", key, Object::new(row));
            }
            let all: Vec<&str> = SLICES.iter().copied().chain([MANIFEST]).collect();
            for key in &all {
                let _ = world.run(&variables, &[key]).await;
            }
            assert!(found(&world).is_none(), "{output} {delete} {rows:?}");

            unload(&world, &rows, &["id"]);
            for key in &all {
                world.run(&variables, &[key]).await.unwrap();
            }
            let keys = if output == "single" { vec!["final/q.csv".to_owned()] } else { finals() };
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            is_right(&world, &keys, if output == "single" { &[3] } else { &[1; 3] });
        }
    }
}

/// A call was killed while it deleted; then a later UNLOAD began. Its slices wait for its own manifest.
#[tokio::test(start_paused = true)]
async fn the_sources_of_a_later_unload_are_not_deleted_for_an_earlier_one() {
    let world = World::in_memory().await;
    unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
    world.local().put("bucket", SIDECAR, Object::new("id"));
    let variables = [ON, ("DELETE_SOURCE", "on")];
    world.local().judge(|request| {
        let hangs = request.operation == "DeleteObject" && request.key != SLICES[0];
        hangs.then(|| Fault::Late(Duration::from_secs(86_400)))
    });
    world.run_for(Duration::from_secs(100), &variables, &[MANIFEST]).await.unwrap_err();
    world.local().judge(|_| None);
    assert!(world.local().get("bucket", SLICES[0]).is_none() && found(&world).is_some());
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.local().put("bucket", SLICES[2], Object::new("4444\n"));
    world.run(&variables, &[MANIFEST]).await.unwrap();
    assert!(world.local().get("bucket", SLICES[1]).is_none(), "it goes on where it was");
    assert!(world.local().get("bucket", SLICES[2]).is_some());
    for key in &SLICES[..2] {
        world.local().put("bucket", key, Object::new("5\n"));
    }
    unload(&world, &["5\n", "5\n", "4444\n"], &["id"]);
    world.run(&variables, &[MANIFEST]).await.unwrap();
    let keys = finals();
    is_right(&world, &keys.iter().map(String::as_str).collect::<Vec<_>>(), &[1; 3]);
    assert!(SLICES.iter().all(|key| world.local().get("bucket", key).is_none()));
}

/// The manifest's event was given up, since something was missing. What was missing starts the rest.
#[tokio::test(start_paused = true)]
async fn what_comes_last_starts_it_as_well() {
    for output in ["each", "single"] {
        let world = World::in_memory().await;
        unload(&world, &["1\n", "22\n", "333\n"], &[]);
        let variables = [ON, ("OUTPUT", output)];
        world.run(&variables, &[MANIFEST]).await.unwrap_err();
        world.local().put("bucket", SIDECAR, Object::new("id"));
        world.run(&variables, &[SIDECAR]).await.unwrap();
        assert_eq!(found(&world).unwrap()["entries"].as_array().unwrap().len(), if output == "single" { 1 } else { 3 });
    }
    // A slice's own sidecar.
    for output in ["each", "single"] {
        let world = World::in_memory().await;
        unload(&world, &["1\n", "22\n", "333\n"], &[]);
        let own = SLICES.map(|key| format!("{key}.headers"));
        let last = if output == "each" { 2 } else { 0 };
        (0..3).filter(|at| *at != last).for_each(|at| world.local().put("bucket", &own[at], Object::new("id")));
        let variables = [ON, ("OUTPUT", output)];
        world.run(&variables, &[MANIFEST]).await.unwrap_err();
        world.local().put("bucket", &own[last], Object::new("id"));
        world.run(&variables, &[&own[last]]).await.unwrap();
        assert!(found(&world).is_some(), "{output}");
    }
    let (one, two) = ("unload/s/year=2025/0000_part_00", "unload/s/year=2026/0000_part_00");
    let world = World::in_memory().await;
    world.local().put("bucket", one, Object::new("1\n"));
    world.local().put("bucket", "unload/s/manifest", Object::new(manifest("bucket", &[(one, 2), (two, 2)], &["id"])));
    let variables = [ON, ("OUTPUT", "single")];
    assert_eq!(world.run(&variables, &["unload/s/manifest"]).await.unwrap_err().kind(), "UnloadIncomplete");
    world.local().put("bucket", two, Object::new("2\n"));
    world.run(&variables, &[two]).await.unwrap();
    assert!(world.local().get("bucket", "final/s/manifest").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_is_written_anew_meanwhile_leaves_it_to_its_own_event() {
    for (output, is_same) in [("each", false), ("single", false), ("each", true), ("single", true)] {
        let world = World::in_memory().await;
        unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
        let same = world.local().get("bucket", MANIFEST).unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.local().judge(move |request| {
            let manifest = if is_same { same.clone() } else { Object::new("{\"entries\": []}") };
            let anew = |store: &mut Store| store.put("bucket", MANIFEST, manifest);
            (request.key == FINAL_MANIFEST).then(|| Fault::Meanwhile(Box::new(anew)))
        });
        let receipts = world.run(&[ON, ("OUTPUT", output)], &[MANIFEST]).await.unwrap().receipts;
        assert_eq!(receipts.last().unwrap().outcome, Outcome::Skipped);
        assert!(found(&world).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn partitions_are_listed_in_one_manifest() {
    let (one, two) = ("unload/s/year=2025/0000_part_00", "unload/s/year=2026/0000_part_00");
    for (output, keys) in [
        ("single", ["final/s/year=2025/s.csv", "final/s/year=2026/s.csv"]),
        ("each", ["final/s/year=2025/0000_part_00", "final/s/year=2026/0000_part_00"]),
    ] {
        let world = World::in_memory().await;
        for key in [one, two] {
            world.local().put("bucket", key, Object::new("1\n"));
        }
        let text = manifest("bucket", &[(one, 2), (two, 2)], &["id"]);
        world.local().put("bucket", "unload/s/manifest", Object::new(text));
        let receipts = world.run(&[ON, ("OUTPUT", output)], &["unload/s/manifest"]).await.unwrap().receipts;
        assert_eq!(receipts.len(), 3);
        let object = world.local().get("bucket", "final/s/manifest").unwrap();
        let found: Value = serde_json::from_slice(&object.content.to_bytes()).unwrap();
        let urls: Vec<&str> =
            found["entries"].as_array().unwrap().iter().map(|it| it["url"].as_str().unwrap()).collect();
        assert_eq!(urls, keys.map(|key| format!("s3://bucket/{key}")));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_of_another_job_or_has_no_final_object_is_not_touched() {
    let world = World::in_memory().await;
    unload(&world, &["id\n1\n", "id\n2\n", "id\n3\n"], &["id"]);
    // UNLOAD has put a header on each itself.
    let variables = [ON, ("UNLOAD_OPTIONS", "HEADER")];
    let receipts = world.run(&variables, &[MANIFEST]).await.unwrap().receipts;
    let last = receipts.last().unwrap();
    assert_eq!(last.outcome, Outcome::Skipped);
    assert!(last.reason.as_ref().unwrap().starts_with("no manifest of its final objects: "), "{last:?}");
    assert!(found(&world).is_none());

    // A final object that another setting has put there.
    let world = World::in_memory().await;
    unload(&world, &["1\n", "2\n", "3\n"], &["id"]);
    world.local().put("bucket", "unload/q/manifest_0000_part_00", Object::new("1\n"));
    world.local().put("bucket", "unload/q/manifest_.headers", Object::new("id"));
    world.receipt(&[("FINAL_KEY", "final/q_manifest{path}")], "unload/q/manifest_0000_part_00").await;
    let taken = world.local().keys("bucket").into_iter().find(|key| key.starts_with("final/")).unwrap();
    let object = world.local().get("bucket", &taken).unwrap();
    world.local().put("bucket", FINAL_MANIFEST, object.clone());
    let error = world.run(&[ON], &[MANIFEST]).await.unwrap_err();
    assert_eq!(error.kind(), "FinalKeyTaken");
    assert_eq!(world.local().get("bucket", FINAL_MANIFEST).unwrap().content, object.content);
}

/// Another job's final object is put there between the look at the key and the write.
#[tokio::test(start_paused = true)]
async fn what_another_job_writes_meanwhile_stays() {
    let world = World::in_memory().await;
    unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
    world.run(&[], &[MANIFEST]).await.unwrap();
    let other = world.local().get("bucket", "final/q_0000_part_00").unwrap();
    let meanwhile = other.clone();
    let mut is_first = true;
    world.local().judge(move |request| {
        let is_it = request.operation == "PutObject" && request.key == FINAL_MANIFEST;
        let object = meanwhile.clone();
        let put = move |store: &mut Store| store.put("bucket", FINAL_MANIFEST, object);
        (is_it && std::mem::take(&mut is_first)).then(|| Fault::Meanwhile(Box::new(put)))
    });
    assert_eq!(world.run(&[ON], &[MANIFEST]).await.unwrap_err().kind(), "FinalKeyTaken");
    assert!(world.local().get("bucket", FINAL_MANIFEST).unwrap().content == other.content);
}

/// Its event is what readers go by, so that it comes again, though the final objects have the same sizes.
#[tokio::test(start_paused = true)]
async fn a_final_object_that_is_written_anew_writes_it_anew() {
    for output in ["each", "single"] {
        let world = World::in_memory().await;
        unload(&world, &["1\n", "22\n", "333\n"], &[]);
        for (columns, outcome) in [("id", Outcome::Written), ("no", Outcome::Written), ("no", Outcome::Unchanged)] {
            world.local().put("bucket", SIDECAR, Object::new(columns));
            let receipts = world.run(&[ON, ("OUTPUT", output)], &[SIDECAR]).await.unwrap().receipts;
            assert_eq!(receipts.last().unwrap().outcome, outcome, "{output} {columns}");
        }
    }
}

/// Its sources were deleted long ago, so that only its seal tells what it is made of.
#[tokio::test(start_paused = true)]
async fn a_final_object_that_is_replaced_meanwhile_is_not_listed() {
    for (heads, is_listed) in [(usize::MAX, true), (2, false)] {
        let world = World::in_memory().await;
        unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
        let variables = [("OUTPUT", "single"), ("DELETE_SOURCE", "on")];
        world.run(&variables, &[MANIFEST]).await.unwrap();
        let mut seen = 0;
        world.local().judge(move |request| {
            seen += usize::from(request.operation == "HeadObject" && request.key == "final/q.csv");
            let put = |store: &mut Store| store.put("bucket", "final/q.csv", Object::new("of somebody else"));
            (seen == heads).then(|| Fault::Meanwhile(Box::new(put)))
        });
        world.run(&[ON, variables[0], variables[1]], &[MANIFEST]).await.unwrap();
        assert_eq!(found(&world).is_some(), is_listed);
    }
}

/// What an event lists, and in which order, makes no difference.
#[tokio::test(start_paused = true)]
async fn the_entries_are_in_the_manifests_order() {
    for order in orders(&[SLICES[0], SLICES[1], SLICES[2], MANIFEST]) {
        let world = World::in_memory().await;
        unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
        world.run(&[ON], &order).await.unwrap();
        let keys = finals();
        is_right(&world, &keys.iter().map(String::as_str).collect::<Vec<_>>(), &[1; 3]);
        let receipts = world.run(&[ON], &[MANIFEST]).await.unwrap().receipts;
        assert_eq!(receipts.last().unwrap().outcome, Outcome::Unchanged, "{order:?}");
    }
}

/// A manifest that is not VERBOSE, and one for COPY.
#[tokio::test(start_paused = true)]
async fn it_has_the_form_of_the_unloads_own() {
    let world = World::in_memory().await;
    world.local().put("bucket", SIDECAR, Object::new("id"));
    world.local().put("bucket", SLICES[0], Object::new("1\n"));
    for (mandatory, expected) in [("", Value::Null), (",\"mandatory\": true", true.into())] {
        let text = format!("{{\"entries\": [{{\"url\": \"s3://bucket/{}\"{mandatory}}}]}}", SLICES[0]);
        world.local().put("bucket", MANIFEST, Object::new(text));
        for output in ["each", "single"] {
            world.local().delete("bucket", FINAL_MANIFEST);
            world.run(&[ON, ("OUTPUT", output)], &[MANIFEST]).await.unwrap();
            let found = found(&world).unwrap();
            let url = if output == "each" { "s3://bucket/final/q_0000_part_00" } else { "s3://bucket/final/q.csv" };
            assert_eq!((&found["entries"][0]["url"], &found["entries"][0]["mandatory"]), (&url.into(), &expected));
            assert_eq!(found["entries"][0]["meta"], json!({"content_length": 5}));
            assert!(found.get("schema").is_none() && found.get("meta").is_none(), "{found}");
        }
    }
}

/// The role may read nothing that is not below UNLOAD_PREFIX, and a manifest there is nobody's.
#[tokio::test(start_paused = true)]
async fn no_manifest_outside_the_prefix_is_looked_for() {
    for output in ["each", "single"] {
        let world = World::in_memory().await;
        world.local().put("bucket", "unload/q.0000_part_00", Object::new("1\n"));
        world.local().put("bucket", "unload/q.headers", Object::new("id"));
        let variables = [ON, ("OUTPUT", output), ("UNLOAD_PREFIX", "unload/q.")];
        let receipts = world.run(&variables, &["unload/q.headers"]).await.unwrap().receipts;
        assert_eq!(receipts[0].outcome, Outcome::Waiting);
    }
}

/// A source without a CRC whose final object another run wrote is kept, and the receipt says why.
#[tokio::test(start_paused = true)]
async fn why_a_source_is_kept_is_told_at_the_end() {
    let world = World::in_memory().await;
    let rows: [String; 3] = std::array::from_fn(|slice| format!("{slice}").repeat(6 << 20) + "\n");
    unload(&world, &[&rows[0], &rows[1], &rows[2]], &["id"]);
    for key in SLICES {
        let object = world.local().get("bucket", key).unwrap();
        world.local().put("bucket", key, object.with_checksum(None));
    }
    let object = world.local().get("bucket", MANIFEST).unwrap();
    world.local().put("bucket", MANIFEST, object);
    let variables = [ON, ("DELETE_SOURCE", "on"), ("CHECK_COLUMNS", "off")];
    world.run(&variables, &[SLICES[0]]).await.unwrap();
    let receipts = world.run(&variables, &[MANIFEST]).await.unwrap().receipts;
    let reason = receipts.last().unwrap().reason.as_deref().unwrap();
    assert_eq!(
        reason,
        "the source is deleted (2); the source is kept: without a CRC, only the run that wrote the object can prove it (1)"
    );
    assert!(world.local().get("bucket", SLICES[0]).is_some() && world.local().get("bucket", SLICES[1]).is_none());
}

#[tokio::test(start_paused = true)]
async fn it_is_not_written_without_the_setting() {
    for output in ["each", "single"] {
        let world = World::in_memory().await;
        unload(&world, &["1\n", "22\n", "333\n"], &["id"]);
        world.run(&[("OUTPUT", output)], &[MANIFEST]).await.unwrap();
        assert!(found(&world).is_none());
    }
}
