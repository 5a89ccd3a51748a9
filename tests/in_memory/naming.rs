//! Which unload an object belongs to, and which key its final object has, where more than one answer is in sight.

use local_s3::{Fault, Object};
use support::{World, manifest};
use unload_header::receipt::{ColumnsFrom, Outcome};

const SINGLE: (&str, &str) = ("OUTPUT", "single");
const DELETE: (&str, &str) = ("DELETE_SOURCE", "on");

fn put(world: &World, objects: &[(&str, &str)]) {
    for (key, text) in objects {
        world.local().put("bucket", key, Object::new((*text).to_owned()));
    }
}

async fn kind(world: &World, variables: &[(&str, &str)], key: &str) -> String {
    world.run(variables, &[key]).await.expect_err(key).kind()
}

/// Lists objects by their size in the world.
fn list(world: &World, keys: &[&str], columns: &[&str]) -> String {
    let size = |key: &str| world.local().get("bucket", key).map_or(2, |object| object.content.length());
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (*key, size(key))).collect();
    manifest("bucket", &entries, columns)
}

#[tokio::test(start_paused = true)]
async fn a_file_number_needs_the_files_before_it() {
    let world = World::in_memory().await;
    put(&world, &[("unload/q.headers", "of_q"), ("unload/q000", "1\n"), ("unload/q1000", "2\n")]);
    assert_eq!(kind(&world, &[], "unload/q1000").await, "ColumnsNotFound", "it is the first file of q1");
    put(&world, &[("unload/q1.headers", "of_q1")]);
    world.run(&[], &["unload/q1000", "unload/q000"]).await.unwrap();
    assert_eq!(world.text("final/q1000").await, "of_q1\n2\n");
    assert_eq!(world.text("final/q000").await, "of_q\n1\n");
    // With file 999 of q it could be either, and a manifest tells.
    put(&world, &[("unload/q999", "3\n")]);
    assert_eq!(kind(&world, &[], "unload/q1000").await, "ColumnsAmbiguous");
    let listed = list(&world, &["unload/q000", "unload/q999", "unload/q1000"], &[]);
    put(&world, &[("unload/qmanifest", &listed)]);
    world.run(&[], &["unload/q1000"]).await.unwrap();
    assert_eq!(world.text("final/q1000").await, "of_q\n2\n");
}

#[tokio::test(start_paused = true)]
async fn with_delete_source_a_final_object_serves_as_the_file_before() {
    let world = World::in_memory().await;
    put(&world, &[("unload/q1.headers", "of_q1"), ("unload/q.headers", "of_q"), ("unload/q1000", "1\n")]);
    world.run(&[DELETE], &["unload/q1000"]).await.unwrap();
    assert_eq!(world.get("unload/q1000").await, None);
    put(&world, &[("unload/q1001", "2\n")]);
    world.run(&[DELETE], &["unload/q1001"]).await.unwrap();
    assert_eq!(world.text("final/q1001").await, "of_q1\n2\n");
}

#[tokio::test(start_paused = true)]
async fn with_delete_source_no_folder_names_an_object_that_unload_may_have_numbered() {
    use unload_header::unload::Compression;
    let world = World::in_memory().await;
    let variables = [DELETE, ("FINAL_KEY", "final/{path}{compression}"), ("UNLOAD_OPTIONS", "GZIP EXTENSION 'csv'")];
    put(&world, &[("unload/r2026.headers", "id"), ("unload/.headers", "of_folder")]);
    for number in 0..2 {
        let (key, rows) = (format!("unload/r202600{number}.csv"), format!("{number}\n"));
        world.local().put("bucket", &key, Object::new(Compression::Gzip.member(rows.as_bytes()).unwrap()));
        world.run(&variables, &[&key]).await.unwrap();
        let result = world.get(&format!("final/r202600{number}.csv.gz")).await.unwrap();
        assert_eq!(support::readers::decompressed(&result), format!("id\n{rows}").as_bytes());
    }
    // Nothing is left that would bear the third one out.
    world.local().delete("bucket", "final/r2026000.csv.gz");
    put(&world, &[("unload/r2026002.csv", "2\n")]);
    assert_eq!(kind(&world, &[DELETE], "unload/r2026002.csv").await, "ColumnsNotFound");
    // Another bucket's final object bears nothing out.
    put(&world, &[("final/q999", "of another bucket\n"), ("unload/q.headers", "of_q"), ("unload/q1000", "1\n")]);
    assert_eq!(kind(&world, &[DELETE], "unload/q1000").await, "ColumnsNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_depends_on_the_content_is_taken_only_where_it_is_written() {
    for first in ["unload/q_manifest", "unload/q/manifest"] {
        use unload_header::unload::Compression;
        let world = World::in_memory().await;
        put(&world, &[("unload/q/000", "1\n")]);
        world.local().put("bucket", "unload/q_000.csv", Object::new(Compression::Gzip.member(b"2\n").unwrap()));
        for (manifest, key) in [("unload/q/manifest", "unload/q/000"), ("unload/q_manifest", "unload/q_000.csv")] {
            let listed = list(&world, &[key], &["id"]);
            put(&world, &[(manifest, &listed)]);
        }
        world.run(&[SINGLE], &[first]).await.unwrap();
        for outcome in [Outcome::Written, Outcome::Unchanged] {
            for manifest in ["unload/q_manifest", "unload/q/manifest"] {
                let found = world.receipt(&[SINGLE], manifest).await.outcome;
                assert_eq!(found, if manifest == first { Outcome::Unchanged } else { outcome }, "{first} {manifest}");
            }
        }
        assert_eq!(world.text("final/q.csv").await, "id\n1\n");
        assert!(world.get("final/q.csv.gz").await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn objects_without_rows_lack_the_columns_of_the_partition_as_well() {
    for check in ["on", "off"] {
        let world = World::in_memory().await;
        put(&world, &[("unload/sales/.headers", "id,name,year"), ("unload/sales/year=2026/0000_part_00", "")]);
        let variables = [("UNLOAD_OPTIONS", "CSV PARTITION BY (year)"), ("CHECK_COLUMNS", check)];
        world.run(&variables, &["unload/sales/year=2026/0000_part_00"]).await.unwrap();
        assert_eq!(world.text("final/sales/year=2026/0000_part_00").await, "id,name\n", "{check}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_was_made_for_copy_takes_no_slices_of_others() {
    let world = World::in_memory().await;
    put(&world, &[("unload/q_000", "1\n"), ("unload/r_000", "2\n"), ("unload/load_.headers", "id")]);
    let listed = list(&world, &["unload/q_000", "unload/r_000"], &[]);
    put(&world, &[("unload/load_manifest", &listed)]);
    assert_eq!(kind(&world, &[SINGLE, DELETE], "unload/load_manifest").await, "ManifestEntryElsewhere");
    assert!(world.get("unload/q_000").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_folders_sidecar_waits_where_a_name_is_unloads_own() {
    let world = World::in_memory().await;
    put(&world, &[("unload/.headers", "of_folder"), ("unload/r2026000", "1\n")]);
    assert_eq!(kind(&world, &[DELETE], "unload/r2026000").await, "ColumnsNotFound");
    assert!(world.get("unload/r2026000").await.is_some());
    let listed = list(&world, &["unload/r2026000"], &["of_r2026"]);
    put(&world, &[("unload/r2026manifest", &listed)]);
    world.run(&[], &["unload/r2026manifest"]).await.unwrap();
    assert_eq!(world.text("final/r2026000").await, "of_r2026\n1\n");
}

#[tokio::test(start_paused = true)]
async fn names_that_are_not_unloads_are_their_folders() {
    let world = World::in_memory().await;
    put(&world, &[("unload/.headers", "of_folder")]);
    for key in [
        "unload/20200303_004509_810669_1007_0001_part_00",
        "unload/part-00000-6f1e2a3b-0c1d-4e5f-8a9b-0c1d2e3f4a5b-c000.csv",
        "unload/20221122_101010_00011_abcde_6f1e2a3b-0c1d-4e5f-8a9b-012345678000",
        "unload/weekly export",
    ] {
        put(&world, &[(key, "1\n")]);
        world.run(&[], &[key]).await.unwrap();
        assert_eq!(world.text(&key.replace("unload/", "final/")).await, "of_folder\n1\n", "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_may_lie_below_folders_of_the_users_own() {
    for own in ["unload/sales/dt=2026-11-22/.headers", "unload/sales/dt=2026-11-22.headers"] {
        let world = World::in_memory().await;
        let key = "unload/sales/dt=2026-11-22/region=EU/0000_part_00";
        put(&world, &[("unload/sales/.headers", "foreign"), (own, "id"), (key, "1\n")]);
        world.run(&[], &[key]).await.unwrap();
        assert_eq!(world.text(&key.replace("unload/", "final/")).await, "id\n1\n", "{own}");
        let listed = list(&world, &[key], &["id", "region"]);
        put(&world, &[("unload/sales/dt=2026-11-22/manifest", &listed)]);
        world.local().delete("bucket", own);
        world.run(&[SINGLE], &["unload/sales/dt=2026-11-22/manifest"]).await.unwrap();
        assert_eq!(world.text("final/sales/dt=2026-11-22/region=EU/dt=2026-11-22.csv").await, "id\n1\n");
    }
}

#[tokio::test(start_paused = true)]
async fn two_sidecars_that_are_as_near_are_an_error() {
    let world = World::in_memory().await;
    put(&world, &[("unload/q1.headers", "a"), ("unload/q1/.headers", "b"), ("unload/q1/c=v/0000_part_00", "1\n")]);
    let error = world.error(&[], &["unload/q1/c=v/0000_part_00"]).await;
    assert!(error.contains("s3://bucket/unload/q1/.headers and s3://bucket/unload/q1.headers"), "{error}");
    put(&world, &[("unload/q1/c=v/0000_part_00.headers", "own")]);
    world.run(&[], &["unload/q1/c=v/0000_part_00"]).await.unwrap();
    assert_eq!(world.text("final/q1/c=v/0000_part_00").await, "own\n1\n");
}

#[tokio::test(start_paused = true)]
async fn a_manifest_is_skipped_for_its_own_sidecar_only() {
    let world = World::in_memory().await;
    put(&world, &[("unload/q.headers", "of_q"), ("unload/q/0000_part_00", "1\n")]);
    let listed = list(&world, &["unload/q/0000_part_00"], &["of_manifest"]);
    put(&world, &[("unload/q/manifest", &listed)]);
    world.run(&[], &["unload/q/manifest"]).await.unwrap();
    assert_eq!(world.text("final/q/0000_part_00").await, "of_manifest\n1\n");
    put(&world, &[("unload/q/.headers", "of_sidecar")]);
    assert_eq!(world.receipt(&[], "unload/q/manifest").await.outcome, Outcome::Skipped);
}

/// Requests and bytes grow with the slices, not with their square.
#[tokio::test(start_paused = true)]
async fn a_manifest_is_read_once_for_all_its_slices() {
    let mut told = Vec::new();
    for count in [10, 100, 1_000] {
        let world = World::in_memory().await;
        let keys: Vec<String> = (0..count).map(|number| format!("unload/q_{number:04}_part_00")).collect();
        keys.iter().for_each(|key| put(&world, &[(key, "1\n")]));
        let listed = list(&world, &keys.iter().map(String::as_str).collect::<Vec<_>>(), &["id"]);
        put(&world, &[("unload/q_manifest", &listed)]);
        world.local().take_requests();
        let answer = world.run(&[], &["unload/q_manifest"]).await.unwrap();
        let requests = world.local().take_requests();
        let read = |key: &str| requests.iter().filter(|it| it.operation == "GetObject" && it.key == key).count();
        assert_eq!((answer.receipts.len(), read("unload/q_manifest")), (count, 1));
        let through: u64 = answer.receipts.iter().map(|it| it.written.as_ref().unwrap().bytes_through).sum();
        let counted: u64 = answer.receipts.iter().map(|receipt| receipt.requests).sum();
        assert_eq!(counted, requests.len() as u64, "the receipts count all that went out");
        assert_eq!(through, listed.len() as u64 + 2 * count as u64, "the manifest and the rows");
        told.push((count, requests.len(), through));
    }
    println!("slices, requests, bytes through: {told:?}");
    assert!(told.iter().all(|(count, requests, _)| *requests <= 7 * count + 3), "{told:?}");
}

/// A new manifest has an event of its own, and one that is gone has none.
#[tokio::test(start_paused = true)]
async fn a_manifest_that_changes_under_its_jobs_ends_them() {
    for (is_deleted, outcome) in [(false, "skipped"), (true, "ObjectMissing")] {
        let world = World::in_memory().await;
        put(&world, &[("unload/q_000", "1\n")]);
        let listed = list(&world, &["unload/q_000"], &["id"]);
        put(&world, &[("unload/q_manifest", &listed)]);
        let change = move |store: &mut local_s3::store::Store| match is_deleted {
            true => store.delete("bucket", "unload/q_manifest"),
            false => store.put("bucket", "unload/q_manifest", Object::new("{\"entries\":[]}")),
        };
        // The manifest is read, then the final key is looked at.
        let meanwhile = Fault::Meanwhile(Box::new(change));
        world.local().fail("HeadObject", 3, meanwhile);
        match world.run(&[], &["unload/q_manifest"]).await {
            Ok(answer) => assert_eq!((answer.receipts[0].outcome, outcome), (Outcome::Skipped, "skipped")),
            Err(error) => assert_eq!(error.kind(), outcome),
        }
        assert_eq!(world.get("final/q_000").await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn no_partition_takes_the_place_of_another() {
    let world = World::in_memory().await;
    let keys = ["grade=A", "grade=A-", "grade=__HIVE_DEFAULT_PARTITION__"]
        .map(|folder| format!("unload/sales_/{folder}/0000_part_00"));
    keys.iter().zip(["1\n", "2\n", "3\n"]).for_each(|(key, rows)| put(&world, &[(key, rows)]));
    let listed = list(&world, &keys.each_ref().map(String::as_str), &["id"]);
    put(&world, &[("unload/sales_/manifest", &listed)]);
    world.run(&[SINGLE, DELETE], &["unload/sales_/manifest"]).await.unwrap();
    for (folder, rows) in [("grade=A", "1"), ("grade=A-", "2"), ("grade=__HIVE_DEFAULT_PARTITION__", "3")] {
        assert_eq!(world.text(&format!("final/sales/{folder}/sales.csv")).await, format!("id\n{rows}\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_object_of_another_job_is_never_replaced() {
    let world = World::in_memory().await;
    for (prefix, rows) in [("unload/q42_", "1\n"), ("unload/q42/", "2\n")] {
        let key = format!("{prefix}0000_part_00");
        put(&world, &[(&key, rows)]);
        let listed = list(&world, &[&key], &["id"]);
        put(&world, &[(&format!("{prefix}manifest"), &listed)]);
    }
    world.run(&[SINGLE, DELETE], &["unload/q42_manifest"]).await.unwrap();
    let error = world.run(&[SINGLE, DELETE], &["unload/q42/manifest"]).await.unwrap_err();
    assert_eq!(error.kind(), "FinalKeyTaken");
    for named in ["s3://bucket/final/q42.csv", "s3://bucket/unload/q42_manifest", "s3://bucket/unload/q42/manifest"] {
        assert!(error.to_string().contains(named), "{named}: {error}");
    }
    assert_eq!(world.text("final/q42.csv").await, "id\n1\n");
    assert!(world.get("unload/q42/0000_part_00").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn two_keys_that_become_one_are_an_error() {
    let world = World::in_memory().await;
    put(&world, &[("unload/q_.headers", "id"), ("unload/q_000", "1\n"), ("unload/q_000.csv", "2\n")]);
    world.run(&[("FINAL_KEY", "final/{path}.csv"), DELETE], &["unload/q_000"]).await.unwrap();
    assert_eq!(kind(&world, &[("FINAL_KEY", "final/{path}"), DELETE], "unload/q_000.csv").await, "FinalKeyTaken");
    assert!(world.get("unload/q_000.csv").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_slice_later_than_its_manifest_is_of_a_later_unload() {
    let world = World::in_memory().await;
    let keys = ["unload/q_0000_part_00", "unload/q_0001_part_00"];
    put(&world, &[(keys[0], "1\n"), (keys[1], "2\n"), ("unload/q_.headers", "id")]);
    let listed = list(&world, &keys, &[]);
    put(&world, &[("unload/q_manifest", &listed)]);
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    put(&world, &[(keys[1], "9\n")]);
    let error = world.error(&[SINGLE, DELETE], &["unload/q_manifest"]).await;
    assert!(error.contains("1 were written after it, by another UNLOAD to the same prefix"), "{error}");
    assert_eq!(world.receipt(&[SINGLE], "unload/q_.headers").await.outcome, Outcome::Waiting);
    assert_eq!(world.get("final/q.csv").await, None);
    put(&world, &[(keys[0], "8\n"), ("unload/q_manifest", &listed)]);
    world.run(&[SINGLE, DELETE], &["unload/q_manifest"]).await.unwrap();
    assert_eq!(world.text("final/q.csv").await, "id\n8\n9\n");
}

#[tokio::test(start_paused = true)]
async fn a_slice_asks_for_its_manifest() {
    let world = World::in_memory().await;
    let keys = ["unload/q_0000_part_00", "unload/q_0001_part_00"];
    put(&world, &[(keys[0], "1\n")]);
    assert_eq!(world.receipt(&[SINGLE], keys[0]).await.outcome, Outcome::Waiting);
    let listed = list(&world, &keys, &["id"]);
    put(&world, &[("unload/q_manifest", &listed)]);
    assert_eq!(kind(&world, &[SINGLE], "unload/q_manifest").await, "UnloadIncomplete");
    put(&world, &[(keys[1], "2\n")]);
    assert_eq!(world.receipt(&[SINGLE], keys[1]).await.outcome, Outcome::Written);
    assert_eq!(world.text("final/q.csv").await, "id\n1\n2\n");
    assert_eq!(world.receipt(&[SINGLE], keys[0]).await.outcome, Outcome::Waiting, "nothing is left to do");
    // A second UNLOAD over the first. The final object that is there is of the manifest before.
    put(&world, &[(keys[0], "30\n")]);
    let listed = list(&world, &keys, &["id"]);
    put(&world, &[("unload/q_manifest", &listed)]);
    assert_eq!(world.receipt(&[SINGLE], keys[0]).await.outcome, Outcome::Written);
    assert_eq!(world.text("final/q.csv").await, "id\n30\n2\n");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_source_is_done_also_where_its_name_does_not_tell_its_compression() {
    use unload_header::unload::Compression;
    let world = World::in_memory().await;
    let key = "unload/q_0000_part_00.csv";
    world.local().put("bucket", key, Object::new(Compression::Gzip.member(b"1\n").unwrap()));
    let listed = list(&world, &[key], &["id"]);
    put(&world, &[("unload/q_manifest", &listed)]);
    let options = ("UNLOAD_OPTIONS", "GZIP EXTENSION 'csv'");
    let unstated = ("UNLOAD_OPTIONS", "");
    assert_eq!(world.receipt(&[SINGLE, DELETE, options], "unload/q_manifest").await.outcome, Outcome::Written);
    for options in [options, unstated] {
        let again = world.receipt(&[SINGLE, DELETE, options], "unload/q_manifest").await;
        assert_eq!(again.outcome, Outcome::Unchanged);
    }
    let each = [("FINAL_KEY", "final/{path}{compression}"), DELETE];
    world.local().put(
        "bucket",
        key,
        Object::new(Compression::Gzip.member(b"2\n").unwrap()).with_metadata("headers", "id"),
    );
    assert_eq!(world.receipt(&each, key).await.outcome, Outcome::Written);
    assert_eq!(world.receipt(&each, key).await.outcome, Outcome::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_comes_after_its_sources_were_deleted_says_so() {
    let world = World::in_memory().await;
    put(&world, &[("unload/q_0000_part_00", "1\n")]);
    let listed = list(&world, &["unload/q_0000_part_00"], &["id"]);
    put(&world, &[("unload/q_manifest", &listed)]);
    world.run(&[SINGLE, DELETE], &["unload/q_manifest"]).await.unwrap();
    put(&world, &[("unload/q_.headers", "number")]);
    let receipt = world.receipt(&[SINGLE, DELETE], "unload/q_.headers").await;
    assert_eq!(receipt.outcome, Outcome::Unchanged);
    assert!(receipt.reason.unwrap().contains("came too late: the sources were deleted"));
    let receipt = world.receipt(&[DELETE], "unload/q_.headers").await;
    assert!(receipt.reason.unwrap().contains("or DELETE_SOURCE has deleted them"));
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_object_tells_the_columns_of_the_written_one() {
    let world = World::in_memory().await;
    put(&world, &[("unload/sales/year=2026/0000_part_00", "1\n")]);
    let listed = list(&world, &["unload/sales/year=2026/0000_part_00"], &["id", "year"]);
    put(&world, &[("unload/sales/manifest", &listed)]);
    for outcome in [Outcome::Written, Outcome::Unchanged] {
        let receipt = world.receipt(&[SINGLE], "unload/sales/manifest").await;
        let written = receipt.written.unwrap();
        assert_eq!((receipt.outcome, written.columns, written.columns_from), (outcome, 1, ColumnsFrom::Manifest));
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_is_one_by_its_content() {
    let world = World::in_memory().await;
    put(&world, &[("unload/.headers", "id"), ("unload/shipping manifest", "1\n")]);
    world.run(&[], &["unload/shipping manifest"]).await.unwrap();
    assert_eq!(world.text("final/shipping manifest").await, "id\n1\n");
    put(&world, &[("unload/q_.headers", "id,n"), ("unload/q_0001_part_00.manifest", "{\"a\":1}|2\n")]);
    world.run(&[], &["unload/q_0001_part_00.manifest"]).await.unwrap();
    put(&world, &[("unload/q_.headers", "id"), ("unload/q_manifest", "rows\n"), ("unload/q_0000_part_00", "1\n")]);
    world.run(&[], &["unload/q_0000_part_00"]).await.unwrap();
    assert_eq!(kind(&world, &[SINGLE], "unload/gone_manifest").await, "ObjectMissing");
}
