//! What the function does with what it finds in a bucket, on any S3 server.

mod support;

use support::readers::decompressed;
use support::{MIB, World, rows};
use unload_header::receipt::{ColumnsFrom, Outcome};

const CSV: (&str, &str) = ("UNLOAD_OPTIONS", "FORMAT CSV");

#[tokio::test]
async fn a_small_object_gets_its_header() {
    let world = World::new().await;
    world.put("unload/q42_.headers", "eventid,eventname").await;
    world.put("unload/q42_0000_part_00", "1|Salome\n2|Boris Godunov\n").await;
    let receipt = world.receipt(&[], "unload/q42_0000_part_00").await;
    assert_eq!(world.text("final/q42_0000_part_00").await, "eventid|eventname\n1|Salome\n2|Boris Godunov\n");
    assert_eq!(receipt.outcome, Outcome::Written);
    assert_eq!(receipt.final_uri, Some(format!("s3://{}/final/q42_0000_part_00", world.bucket)));
    let written = receipt.written.unwrap();
    assert_eq!((written.columns_from, written.columns, written.parts), (ColumnsFrom::Sidecar, 2, 1));
    assert_eq!((written.bytes, written.bytes_through), (43, 42));
}

#[tokio::test]
async fn an_empty_object_gets_a_header_too() {
    let world = World::new().await;
    world.put("unload/q.headers", "id,name").await;
    world.put("unload/q000", "").await;
    assert_eq!(world.receipt(&[CSV], "unload/q000").await.outcome, Outcome::Written);
    assert_eq!(world.text("final/q000").await, "id,name\n");
}

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
        format!("not at the places of s3://{bucket}/unload/202, since nothing beside the object bears it out"),
        "not at those of its folder, since its name is one that UNLOAD writes".to_owned(),
    ] {
        assert!(error.contains(&place), "{place} is not in: {error}");
    }
    assert_eq!(world.run(&[], &["unload/2026000"]).await.unwrap_err().kind(), "ColumnsNotFound");
    assert_eq!(world.get("final/2026000").await, None);
}

#[tokio::test]
async fn a_manifest_of_another_run_does_not_speak_for_an_object() {
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
async fn a_late_sidecar_does_the_objects_that_it_speaks_for() {
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

#[tokio::test]
async fn compressed_objects_get_a_compressed_header() {
    use std::io::Write;
    let world = World::new().await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"1,Salome\n").unwrap();
    world.put("unload/q_.headers", "id,name").await;
    world.put("unload/q_0000_part_00.csv", gzip.finish().unwrap()).await;
    let options = ("UNLOAD_OPTIONS", "CSV GZIP EXTENSION 'csv'");
    let variables = [options, ("FINAL_KEY", "final/{path}{compression}")];
    world.receipt(&variables, "unload/q_0000_part_00.csv").await;
    let result = world.get("final/q_0000_part_00.csv.gz").await.unwrap();
    assert_eq!(decompressed(&result), b"id,name\n1,Salome\n");
}

#[tokio::test]
async fn metadata_and_content_headers_come_along() {
    let world = World::new().await;
    for size in [9, 6 * MIB] {
        world.put("unload/q_.headers", "id").await;
        world
            .put_with("unload/q_000", rows(size), |put| {
                put.metadata("owner", "=?UTF-8?Q?J=C3=B6rg?=")
                    .content_language("de")
                    .content_disposition("attachment; filename=\"q.csv\"")
                    .cache_control("no-store")
                    .content_type("application/octet-stream")
            })
            .await;
        world.receipt(&[CSV], "unload/q_000").await;
        let object = world.object("final/q_000").await.unwrap();
        let owner = format!("owner: {}", object.metadata().unwrap().get("owner").unwrap());
        let (owner, _) = mailparse::parse_header(owner.as_bytes()).unwrap();
        assert_eq!(owner.get_value(), "Jörg", "some servers choose other RFC 2047 words for it");
        assert_eq!(object.content_language(), Some("de"));
        assert_eq!(object.content_disposition(), Some("attachment; filename=\"q.csv\""));
        assert_eq!(object.cache_control(), Some("no-store"));
        assert_eq!(object.content_type(), Some("text/csv; charset=utf-8"), "the default type is no type");
    }
    world.put_with("unload/q_000", "1\n", |put| put.content_type("text/tab-separated-values")).await;
    world.receipt(&[], "unload/q_000").await;
    assert_eq!(world.object("final/q_000").await.unwrap().content_type(), Some("text/tab-separated-values"));
}

#[tokio::test]
async fn a_filename_is_what_a_browser_saves() {
    let world = World::new().await;
    world.put("unload/q_.headers", r#"{"columns": ["id"], "filename": "Größe \"1\".csv"}"#).await;
    world.put("unload/q_000", "1\n").await;
    world.receipt(&[], "unload/q_000").await;
    let object = world.object("final/q_000").await.unwrap();
    assert_eq!(
        object.content_disposition(),
        Some("attachment; filename=\"Gr__e _1_.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22%2Ecsv")
    );
    assert_eq!(object.content_type(), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn all_records_are_tried_and_each_failure_is_named() {
    let world = World::new().await;
    world.put("unload/a.headers", "id").await;
    for key in ["unload/a000", "unload/b000", "unload/c000"] {
        world.put(key, "1\n").await;
    }
    let keys = ["unload/b000", "unload/a000", "unload/c000", "unload/gone000", "unload/a000"];
    let error = world.run(&[], &keys).await.unwrap_err();
    assert_eq!(error.kind(), "SeveralObjectsFailed");
    let message = error.to_string();
    assert!(message.starts_with("3 of 4 objects failed: "), "{message}");
    assert!(
        ["unload/b000:", "unload/c000:", "unload/gone000 is not there"].iter().all(|it| message.contains(it)),
        "{message}"
    );
    assert_eq!(world.text("final/a000").await, "id\n1\n");
}

#[tokio::test]
async fn what_is_not_its_business_is_skipped_with_a_reason() {
    let world = World::new().await;
    for (key, reason) in [
        ("other/q000", "not below UNLOAD_PREFIX=\"unload/\""),
        ("final/q000", "not below UNLOAD_PREFIX=\"unload/\", a final object"),
        ("unload/folder/", "a directory marker"),
        ("unload/folder_$folder$", "a directory marker"),
    ] {
        let receipt = world.receipt(&[], key).await;
        assert_eq!((receipt.outcome, receipt.reason.as_deref()), (Outcome::Skipped, Some(reason)));
    }
}

#[tokio::test]
async fn client_side_encryption_is_refused() {
    let world = World::new().await;
    world.put_with("unload/q_000", "opaque", |put| put.metadata("x-amz-key", "k")).await;
    assert!(world.error(&[], &["unload/q_000"]).await.contains("was encrypted by the client"));
}
