//! Where the names of columns come from, which of several wins, and what an event of theirs does; on any S3 server.

use support::{MIB, World};
use unload_header::receipt::{ColumnsFrom, Outcome};

#[tokio::test]
async fn the_first_place_that_names_columns_wins() {
    let world = World::new().await;
    let key = "unload/q_0000_part_00";
    let manifest = format!(
        r#"{{"entries":[{{"url":"s3://{}/{key}","meta":{{"content_length":4}}}}],"schema":{{"elements":[{{"name":"m1"}},{{"name":"m2"}}]}}}}"#,
        world.bucket
    );
    world.put(key, "1|2\n").await;
    let found = async || {
        let receipt = world.receipt(&[], key).await;
        (receipt.written.unwrap().columns_from, world.text("final/q_0000_part_00").await)
    };
    world.put("unload/q_manifest", manifest).await;
    assert_eq!(found().await, (ColumnsFrom::Manifest, "m1|m2\n1|2\n".to_owned()));
    world.put("unload/q_.headers", "u1,u2").await;
    assert_eq!(found().await, (ColumnsFrom::Sidecar, "u1|u2\n1|2\n".to_owned()));
    world.put("unload/q_0000_part_00.headers", "k1,k2").await;
    assert_eq!(found().await, (ColumnsFrom::Sidecar, "k1|k2\n1|2\n".to_owned()));
    world.put_with(key, "1|2\n", |put| put.metadata("headers", r#"["d1", "d2"]"#)).await;
    assert_eq!(found().await, (ColumnsFrom::Metadata, "d1|d2\n1|2\n".to_owned()));
}

#[tokio::test]
async fn metadata_may_hold_rfc_2047_words() {
    let world = World::new().await;
    let words = "=?UTF-8?B?aWQsZ3LDtsOfZQ==?=";
    world.put_with("unload/q000", "1|2\n", |put| put.metadata("headers", words)).await;
    world.receipt(&[], "unload/q000").await;
    assert_eq!(world.text("final/q000").await, "id|größe\n1|2\n");
}

#[tokio::test]
async fn no_columns_anywhere_lists_every_place() {
    let world = World::new().await;
    world.put("unload/2026000", "1\n").await;
    world.put("unload/2026manifest", r#"{"entries":[]}"#).await;
    let error = world.error(&[], &["unload/2026000"]).await;
    let bucket = &world.bucket;
    for place in [
        "the metadata x-amz-meta-headers (not set)".to_owned(),
        format!("s3://{bucket}/unload/2026000.headers (no such key)"),
        format!("s3://{bucket}/unload/2026.headers (no such key)"),
        format!("s3://{bucket}/unload/202manifest (no such manifest)"),
        format!("s3://{bucket}/unload/2026manifest (does not list the object)"),
        format!("not at the places of s3://{bucket}/unload/202, since no other object is evidence for it"),
        "not at those of its folder, since its name is one that UNLOAD writes".to_owned(),
    ] {
        assert!(error.contains(&place), "{place} is not in: {error}");
    }
    assert_eq!(world.run(&[], &["unload/2026000"]).await.unwrap_err().kind(), "ColumnsNotFound");
    assert_eq!(world.get("final/2026000").await, None);
}

#[tokio::test]
async fn a_manifest_of_another_run_is_not_used_for_an_object() {
    let world = World::new().await;
    world.put("unload/q_000", "1|2\n").await;
    let manifest = |key: &str, size: u32| {
        let url = format!("s3://{}/{key}", world.bucket);
        format!(
            r#"{{"entries":[{{"url":"{url}","meta":{{"content_length":{size}}}}}],"schema":{{"elements":[{{"name":"a"}}]}}}}"#
        )
    };
    world.put("unload/q_manifest", manifest("unload/q_001", 4)).await;
    assert!(world.error(&[], &["unload/q_000"]).await.contains("does not list the object"));
    world.put("unload/q_manifest", manifest("unload/q_000", 5)).await;
    assert!(world.error(&[], &["unload/q_000"]).await.contains("lists the object with another size"));
}

#[tokio::test]
async fn a_late_sidecar_starts_the_jobs_of_its_objects() {
    let world = World::new().await;
    for key in [
        "unload/q_0000_part_00",
        "unload/q_0001_part_00",
        "unload/q_2_0000_part_00",
        "unload/q_manifest",
        "unload/q_x/0000_part_00",
    ] {
        world.put(key, "1\n").await;
    }
    world.put("unload/q_.headers", "id").await;
    let answer = world.run(&[], &["unload/q_.headers"]).await.unwrap();
    assert_eq!(answer.receipts.len(), 2, "{:?}", answer.receipts);
    assert_eq!(world.text("final/q_0001_part_00").await, "id\n1\n");
    assert_eq!(world.get("final/q_2_0000_part_00").await, None);
    assert_eq!(world.get("final/q_x/0000_part_00").await, None);
}

#[tokio::test]
async fn a_sidecar_before_its_objects_waits() {
    let world = World::new().await;
    world.put("unload/q_.headers", "id").await;
    let receipt = world.receipt(&[], "unload/q_.headers").await;
    assert_eq!(
        (receipt.outcome, receipt.reason.as_deref()),
        (Outcome::Waiting, Some("none of its data objects is there yet"))
    );
}

#[tokio::test]
async fn a_partitioned_unload_has_one_sidecar() {
    let world = World::new().await;
    for (sidecar, folder) in [("unload/a.headers", "a"), ("unload/b/.headers", "b")] {
        let data = format!("unload/{folder}/year=2026/eventname=ZZ Top/0000_part_00");
        world.put(&data, "1\n").await;
        world.put(sidecar, "id").await;
        for arrived in [&data, sidecar] {
            world.receipt(&[], arrived).await;
        }
        assert_eq!(world.text(&format!("final/{folder}/year=2026/eventname=ZZ Top/0000_part_00")).await, "id\n1\n");
    }
}

#[tokio::test]
async fn a_verbose_manifest_does_its_entries() {
    let world = World::new().await;
    let entry = |key: &str| format!(r#"{{"url":"s3://{}/{key}","meta":{{"content_length":2}}}}"#, world.bucket);
    let entries = [entry("unload/q_0000_part_00"), entry("unload/q_0001_part_00")].join(",");
    let verbose = format!(r#"{{"entries":[{entries}],"schema":{{"elements":[{{"name":"id"}}]}}}}"#);
    world.put("unload/q_manifest", verbose).await;
    world.put("unload/q_0000_part_00", "1\n").await;
    let error = world.error(&[], &["unload/q_manifest"]).await;
    assert!(error.contains("q_0001_part_00 is not there"), "{error}");
    assert_eq!(world.text("final/q_0000_part_00").await, "id\n1\n", "the others are done all the same");
    world.put("unload/q_0001_part_00", "2\n").await;
    assert_eq!(world.run(&[], &["unload/q_manifest"]).await.unwrap().receipts.len(), 2);
    assert_eq!(world.text("final/q_0001_part_00").await, "id\n2\n");

    world.put("unload/q_.headers", "other").await;
    let receipt = world.receipt(&[], "unload/q_manifest").await;
    assert_eq!(receipt.outcome, Outcome::Skipped);
    assert!(receipt.reason.unwrap().contains("unload/q_.headers names the columns"));
}

#[tokio::test]
async fn a_plain_manifest_is_skipped_and_a_foreign_one_refused() {
    let world = World::new().await;
    world.put("unload/q_manifest", r#"{"entries":[{"url":"s3://b/k"}]}"#).await;
    let receipt = world.receipt(&[], "unload/q_manifest").await;
    assert_eq!(receipt.reason.as_deref(), Some("a manifest without column names; it is not VERBOSE"));
    world.put("unload/q_manifest", r#"{"entries":[{"url":"s3://b/k"}],"schema":{"elements":[{"name":"id"}]}}"#).await;
    let error = world.error(&[], &["unload/q_manifest"]).await;
    assert!(error.contains("lists s3://b/k, which is not below UNLOAD_PREFIX=\"unload/\""), "{error}");
    world.put("unload/q_manifest", r#"{"entries":[],"schema":{"elements":[{"name":"id"}]}}"#).await;
    let receipt = world.receipt(&[], "unload/q_manifest").await;
    assert_eq!(receipt.reason.as_deref(), Some("a manifest that lists no objects"));
    world.put("unload/q_manifest", "{\"entries\":").await;
    assert!(world.error(&[], &["unload/q_manifest"]).await.contains("is not the JSON of a manifest"));
}

#[tokio::test]
async fn with_a_verbose_manifest_promised_data_objects_wait_for_it() {
    let world = World::new().await;
    world.put("unload/q_0000_part_00", "1\n").await;
    let receipt = world.receipt(&[("UNLOAD_OPTIONS", "MANIFEST VERBOSE")], "unload/q_0000_part_00").await;
    assert_eq!(receipt.outcome, Outcome::Waiting);
}

#[tokio::test]
async fn sidecars_that_are_wrong_say_how() {
    let world = World::new().await;
    world.put("unload/q_000", "1\n").await;
    for (text, message) in [
        (&b""[..], "the list of columns is empty"),
        (b"id,,name", "column 2 has no name"),
        (b"caf\xe9", "byte 3 is not UTF-8"),
        (b"[\"id\"", "begins like JSON"),
        (br#"{"columns": ["id"], "options": "CSV ESCAPE"}"#, "CSV can't be used with ESCAPE"),
        (br#"["a|b"]"#, "the name of column 1, \"a|b\", has the delimiter in it"),
    ] {
        world.put("unload/q_.headers", text).await;
        let error = world.error(&[], &["unload/q_000"]).await;
        assert!(error.contains(message) && error.contains("unload/q_.headers"), "{message} is not in: {error}");
    }
    world.put("unload/q_.headers", vec![b'a'; MIB + 1]).await;
    let error = world.error(&[], &["unload/q_000"]).await;
    assert!(
        error.contains("unload/q_.headers failed: S3.ObjectTooLong, it has 1048577 bytes, and at most 1048576"),
        "{error}"
    );
    assert_eq!(world.get("final/q_000").await, None);
}

#[tokio::test]
async fn the_sidecars_options_win() {
    let world = World::new().await;
    world.put("unload/q_.headers", r#"{"columns": ["id", "a;b"], "options": "CSV DELIMITER ';'", "bom": true}"#).await;
    world.put("unload/q_000", "1;2\n").await;
    world.receipt(&[("UNLOAD_OPTIONS", "FORMAT PARQUET")], "unload/q_000").await;
    assert_eq!(world.text("final/q_000").await, "\u{feff}id;\"a;b\"\n1;2\n");
}

#[tokio::test]
async fn formats_that_name_their_columns_are_skipped() {
    let world = World::new().await;
    world.put("unload/q_000", "PAR1 and more").await;
    for (options, reason) in [
        ("FORMAT PARQUET", "FORMAT PARQUET names its columns itself"),
        ("FORMAT JSON", "FORMAT JSON names its columns itself"),
        ("CSV HEADER", "HEADER: UNLOAD has put a header on it itself"),
    ] {
        let receipt = world.receipt(&[("UNLOAD_OPTIONS", options)], "unload/q_000").await;
        assert_eq!((receipt.outcome, receipt.reason.as_deref()), (Outcome::Skipped, Some(reason)));
    }
    world.put("unload/q_.headers", "id").await;
    let receipt = world.receipt(&[], "unload/q_000").await;
    assert_eq!(receipt.reason.as_deref(), Some("it is Parquet, which names its columns itself"));
    assert_eq!(world.get("final/q_000").await, None);
}
