//! OUTPUT=each: one final object for each data object, with all that comes along; on any S3 server.

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
