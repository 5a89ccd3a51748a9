//! OUTPUT=single: one final object for each unload, on any S3 server.

use std::io::Write;

use flate2::GzBuilder;
use serde_json::Value;
use support::readers::decompressed;
use support::{MIB, World, manifest, rows};
use unload_header::receipt::{ColumnsFrom, Outcome, Written};
use unload_header::unload::Compression;

const SINGLE: (&str, &str) = ("OUTPUT", "single");

/// Slices of an unload, its manifest and its sidecar, if there is one.
async fn unload(world: &World, prefix: &str, slices: &[Vec<u8>], columns: &[&str], sidecar: Option<&str>) {
    let keys: Vec<String> = (0..slices.len()).map(|slice| format!("{prefix}{slice:04}_part_00")).collect();
    for (key, slice) in keys.iter().zip(slices) {
        world.put(key, slice.clone()).await;
    }
    let entries: Vec<(&str, u64)> =
        keys.iter().map(String::as_str).zip(slices.iter().map(|slice| slice.len() as u64)).collect();
    world.put(&format!("{prefix}manifest"), manifest(&world.bucket, &entries, columns)).await;
    if let Some(text) = sidecar {
        world.put(&format!("{prefix}.headers"), text).await;
    }
}

async fn merged(world: &World, variables: &[(&str, &str)], manifest: &str) -> Written {
    let variables: Vec<_> = std::iter::once(SINGLE).chain(variables.iter().copied()).collect();
    let receipt = world.receipt(&variables, manifest).await;
    assert_eq!(receipt.outcome, Outcome::Written, "{receipt:?}");
    receipt.written.unwrap()
}

#[tokio::test]
async fn all_slices_become_one_object() {
    let world = World::new().await;
    let slices = ["1|a\n2|b\n", "", "3|c\n"].map(|slice| slice.as_bytes().to_vec());
    unload(&world, "unload/q42_", &slices, &[], Some("id,name")).await;
    let receipt = world.receipt(&[SINGLE], "unload/q42_manifest").await;
    for key in ["unload/q42_0000_part_00", "unload/q42_0001_part_00", "unload/q42_0002_part_00"] {
        assert_eq!(world.receipt(&[SINGLE], key).await.outcome, Outcome::Waiting, "{key}");
    }
    assert_eq!(world.text("final/q42.csv").await, "id|name\n1|a\n2|b\n3|c\n");
    assert_eq!(receipt.sources.len(), 3);
    assert_eq!(receipt.sources[2], format!("s3://{}/unload/q42_0002_part_00", world.bucket));
    let written = receipt.written.unwrap();
    assert_eq!((written.columns_from, written.columns, written.parts), (ColumnsFrom::Sidecar, 2, 1));
    for key in ["unload/q42_manifest", "unload/q42_.headers"] {
        assert_eq!(world.receipt(&[SINGLE], key).await.outcome, Outcome::Unchanged, "{key}");
    }
}

#[tokio::test]
async fn a_verbose_manifest_names_the_columns() {
    let world = World::new().await;
    unload(&world, "unload/q/", &[b"1|a\n".to_vec(), b"2|b\n".to_vec()], &["id", "name"], None).await;
    assert_eq!(merged(&world, &[], "unload/q/manifest").await.columns_from, ColumnsFrom::Manifest);
    assert_eq!(world.text("final/q.csv").await, "id|name\n1|a\n2|b\n");
}

#[tokio::test]
async fn a_plain_manifest_without_columns_anywhere_is_an_error() {
    let world = World::new().await;
    unload(&world, "unload/q_", &[b"1|a\n".to_vec()], &[], None).await;
    let error = world.run(&[SINGLE], &["unload/q_manifest"]).await.unwrap_err();
    assert_eq!(error.kind(), "ColumnsNotFound");
    let place = format!("s3://{}/unload/q_manifest (not VERBOSE, so without column names)", world.bucket);
    assert!(error.to_string().contains(&place), "{error}");
}

/// Older manifests have no sizes, and files of PARALLEL OFF have serial numbers. The order is the manifest's.
#[tokio::test]
async fn a_manifest_without_sizes() {
    let world = World::new().await;
    world.put("unload/q001", "2\n").await;
    world.put("unload/q000", "1\n").await;
    let entry = |key: &str| format!(r#"{{"url":"s3://{}/{key}","mandatory":true}}"#, world.bucket);
    let entries = [entry("unload/q001"), entry("unload/q000")].join(",");
    world.put("unload/qmanifest", format!(r#"{{"entries":[{entries}]}}"#)).await;
    world.put("unload/q.headers", "id").await;
    merged(&world, &[], "unload/qmanifest").await;
    assert_eq!(world.text("final/q.csv").await, "id\n2\n1\n");
}

#[tokio::test]
async fn an_unload_without_rows_is_its_header() {
    let world = World::new().await;
    unload(&world, "unload/q_", &[Vec::new(), Vec::new()], &["id", "name"], None).await;
    merged(&world, &[("UNLOAD_OPTIONS", "CSV")], "unload/q_manifest").await;
    assert_eq!(world.text("final/q.csv").await, "id,name\n");

    let empty = Compression::Gzip.member(b"").unwrap();
    assert_eq!(empty.len(), 20);
    unload(&world, "unload/z_", &[empty.clone(), empty], &["id"], None).await;
    merged(&world, &[("UNLOAD_OPTIONS", "GZIP")], "unload/z_manifest").await;
    assert_eq!(text_of(&world.get("final/z.csv.gz").await.unwrap()), "id\n");
}

#[tokio::test]
async fn each_partition_becomes_an_object() {
    let world = World::new().await;
    let keys = ["city=Köln+Bonn/0000_part_00", "city=ZZ Top/0000_part_00", "city=Köln+Bonn/0001_part_00"];
    let keys = keys.map(|key| format!("unload/sales/{key}"));
    for (key, number) in keys.iter().zip(1..) {
        world.put(key, format!("{number}\n")).await;
    }
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 2)).collect();
    world.put("unload/sales/manifest", manifest(&world.bucket, &entries, &[])).await;
    world.put("unload/sales.headers", "id").await;
    let answer = world.run(&[SINGLE], &["unload/sales.headers", "unload/sales/manifest"]).await.unwrap();
    assert_eq!(answer.receipts.len(), 2, "{:?}", answer.receipts);
    assert_eq!(world.text("final/sales/city=Köln+Bonn/sales.csv").await, "id\n1\n3\n");
    assert_eq!(world.text("final/sales/city=ZZ Top/sales.csv").await, "id\n2\n");
}

#[tokio::test]
async fn compressed_slices_merge_as_members() {
    let world = World::new().await;
    for compression in [Compression::Gzip, Compression::Bzip2, Compression::Zstd] {
        let prefix = format!("unload/{compression}_");
        let slices = ["1|a\n", "", "2|b\n3|c\n"].map(|rows| compression.member(rows.as_bytes()).unwrap());
        unload(&world, &prefix, &slices, &["id", "name"], None).await;
        merged(&world, &[], &format!("{prefix}manifest")).await;
        let key = format!("final/{compression}.csv{}", compression.extension());
        let object = world.get(&key).await.unwrap_or_else(|| panic!("no {key}: {:?}", compression));
        assert_eq!(text_of(&object), "id|name\n1|a\n2|b\n3|c\n");
    }
}

/// A CSV that was compressed.
fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(decompressed(bytes)).unwrap()
}

/// So many records, compressed into so many bytes.
fn gzip(records: std::ops::Range<u64>, fields: usize, size: u64) -> Vec<u8> {
    let rows: String = records.map(|id| format!("{id}{}\n", ",x".repeat(fields - 1))).collect();
    let member = |comment: Option<usize>| {
        let builder = comment.map_or_else(GzBuilder::new, |length| GzBuilder::new().comment(" ".repeat(length)));
        let mut member = builder.write(Vec::new(), flate2::Compression::default());
        member.write_all(rows.as_bytes()).unwrap();
        member.finish().unwrap()
    };
    let bare = member(None);
    if bare.len() as u64 == size { bare } else { member(Some(size as usize - bare.len() - 1)) }
}

/// `UNLOAD … FORMAT CSV GZIP MANIFEST VERBOSE`, with slices of the sizes and the numbers of records that the
/// manifest has; one like this, and those in the folder that MANIFESTS names.
#[tokio::test]
async fn a_manifest_as_a_cluster_writes_it() {
    let world = World::new().await;
    let slices = [("0000", 24_953, 4_016), ("0001", 20, 0), ("0003", 23_822, 3_739)].map(|(slice, size, records)| {
        format!(
            r#"    {{"url":"s3://my-bucket/0054bae4-0314/expression_{slice}_part_00.gz", "meta": {{ "content_length": {size}, "record_count": {records} }}}}"#
        )
    });
    let schema = r#"[{"name": "cellkey", "type": {"base": "character varying", "max_length": 60}}, {"name": "exrpvalue", "type": {"base": "real"}}]"#;
    let entries = slices.join(",\n");
    let mut manifests =
        vec![format!("{{\n  \"entries\": [\n{entries}\n  ],\n  \"schema\": {{\"elements\": {schema}}}\n}}\n")];
    if let Ok(folder) = std::env::var("MANIFESTS") {
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        manifests.extend(files);
    }
    for text in manifests {
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        let names: Vec<String> = manifest["schema"]["elements"]
            .as_array()
            .unwrap()
            .iter()
            .map(|element| element["name"].as_str().unwrap().to_owned())
            .collect();
        let (mut records, mut prefix) = (0, String::new());
        for entry in manifest["entries"].as_array_mut().unwrap() {
            let url = entry["url"].as_str().unwrap().strip_prefix("s3://").unwrap();
            let key = format!("unload/{}", url.split_once('/').unwrap().1);
            let (size, count) = (&entry["meta"]["content_length"], &entry["meta"]["record_count"]);
            let next = records + count.as_u64().unwrap();
            let slice = gzip(records..next, names.len(), size.as_u64().unwrap());
            assert_eq!(slice.len() as u64, size.as_u64().unwrap());
            records = next;
            world.put(&key, slice).await;
            entry["url"] = format!("s3://{}/{key}", world.bucket).into();
            prefix = key[..key.rfind("_part_").unwrap() - 4].to_owned();
        }
        world.put(&format!("{prefix}manifest"), serde_json::to_string_pretty(&manifest).unwrap()).await;
        let written = merged(&world, &[("UNLOAD_OPTIONS", "FORMAT CSV GZIP")], &format!("{prefix}manifest")).await;
        let key = format!("final/{}.csv.gz", prefix.trim_start_matches("unload/").trim_end_matches('_'));
        let text = text_of(&world.get(&key).await.unwrap());
        let mut csv = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(csv.headers().unwrap(), names);
        let ids: Vec<u64> = csv.records().map(|record| record.unwrap()[0].parse().unwrap()).collect();
        assert!(ids.into_iter().eq(0..records), "all records, once, in order");
        println!(
            "{key}: {records} records, {} columns, {} bytes, proof {}",
            names.len(),
            written.bytes,
            written.proof.name()
        );
    }
}

#[tokio::test]
async fn slices_that_are_compressed_differently_are_refused() {
    let world = World::new().await;
    let gzip = Compression::Gzip.member(b"2\n").unwrap();
    unload(&world, "unload/q_", &[b"1\n".to_vec(), gzip], &["id"], None).await;
    let error = world.run(&[SINGLE], &["unload/q_manifest"]).await.unwrap_err();
    assert_eq!(error.kind(), "MixedCompression");
    let expected = "unload/q_0001_part_00 is gzip, but s3://BUCKET/unload/q_0000_part_00, which comes before it, is not \
                    compressed";
    assert!(error.to_string().contains(&expected.replace("BUCKET", &world.bucket)), "{error}");
    assert_eq!(world.get("final/q.csv").await, None);
}

/// Small ones, and some that S3 copies: whole, but for what they lend.
#[tokio::test]
async fn slices_of_any_size_are_joined() {
    let world = World::new().await;
    for sizes in [
        vec![12 * MIB, 1, 12 * MIB],
        vec![0, 6 * MIB, 0, 6 * MIB, 0],
        vec![MIB; 12],
        vec![33, 5 * MIB - 40, 11 * MIB, 3 * MIB, 9 * MIB, 100],
    ] {
        let slices: Vec<Vec<u8>> = sizes.iter().map(|size| rows(*size)).collect();
        unload(&world, "unload/q_", &slices, &["a", "b", "c"], None).await;
        merged(&world, &[], "unload/q_manifest").await;
        let mut expected = b"a|b|c\n".to_vec();
        for (index, slice) in slices.iter().enumerate() {
            expected.extend_from_slice(slice);
            let others = slices[index + 1..].iter().any(|slice| !slice.is_empty());
            expected.extend((others && !slice.is_empty() && !slice.ends_with(b"\n")).then_some(b'\n'));
        }
        assert!(world.get("final/q.csv").await.unwrap() == expected, "{sizes:?}");
    }
}

#[tokio::test]
async fn a_row_that_ends_with_its_slice_gets_a_newline() {
    let world = World::new().await;
    let slices = ["1|a", "2|b\n", "", "3|c", ""].map(|slice| slice.as_bytes().to_vec());
    unload(&world, "unload/q_", &slices, &["id", "name"], None).await;
    merged(&world, &[], "unload/q_manifest").await;
    assert_eq!(world.text("final/q.csv").await, "id|name\n1|a\n2|b\n3|c");
}

/// UNLOAD with HEADER: other names win, and without any the slices' own header does.
#[tokio::test]
async fn the_headers_of_slices_are_cut_off() {
    let world = World::new().await;
    let options = ("UNLOAD_OPTIONS", "CSV HEADER");
    let slices =
        ["id,\"a\nb\"\n1,x\n", "id,\"a\nb\"\n", "", "id,\"a\nb\"\n2,y\n"].map(|slice| slice.as_bytes().to_vec());
    unload(&world, "unload/q_", &slices, &[], None).await;
    let written = merged(&world, &[options], "unload/q_manifest").await;
    assert_eq!((written.columns_from, written.columns), (ColumnsFrom::Source, 2));
    assert_eq!(world.text("final/q.csv").await, "id,\"a\nb\"\n1,x\n2,y\n");
    world.put("unload/q_.headers", "number,letter").await;
    assert_eq!(merged(&world, &[options], "unload/q_.headers").await.columns_from, ColumnsFrom::Sidecar);
    assert_eq!(world.text("final/q.csv").await, "number,letter\n1,x\n2,y\n");

    unload(&world, "unload/e_", &[b"id,name".to_vec(), Vec::new()], &[], None).await;
    merged(&world, &[options], "unload/e_manifest").await;
    assert_eq!(world.text("final/e.csv").await, "id,name\n", "no rows, and no newline");
    // Whether they have one is part of what the object is made of.
    world.put("unload/q_.headers", r#"{"columns": ["number", "letter"], "options": "CSV"}"#).await;
    merged(&world, &[], "unload/q_manifest").await;
    assert!(world.text("final/q.csv").await.starts_with("number,letter\nid,\"a\nb\"\n1,x\n"));
    world.put("unload/q_.headers", r#"{"columns": ["number", "letter"], "options": "CSV HEADER"}"#).await;
    merged(&world, &[], "unload/q_manifest").await;
    assert_eq!(world.text("final/q.csv").await, "number,letter\n1,x\n2,y\n");

    let large: Vec<Vec<u8>> = (0..3).map(|_| [b"id,a,b\n".to_vec(), rows(7 * MIB)].concat()).collect();
    unload(&world, "unload/l_", &large, &[], None).await;
    merged(&world, &[options], "unload/l_manifest").await;
    assert!(world.get("final/l.csv").await.unwrap() == [b"id,a,b\n".to_vec(), rows(7 * MIB).repeat(3)].concat());
}

#[tokio::test]
async fn headers_that_cannot_be_cut_off_are_refused() {
    let world = World::new().await;
    let error = async |options, slices: [Vec<u8>; 2]| {
        unload(&world, "unload/q_", &slices, &["id"], None).await;
        let error = world.run(&[SINGLE, ("UNLOAD_OPTIONS", options)], &["unload/q_manifest"]).await.unwrap_err();
        assert!(!world.keys().await.iter().any(|key| key.starts_with("final/")));
        (error.kind(), error.to_string())
    };
    let gzip = Compression::Gzip.member(b"id\n1\n").unwrap();
    let (kind, message) = error("HEADER GZIP", [gzip.clone(), gzip]).await;
    assert_eq!(kind, "HeaderInside");
    assert!(
        message.ends_with("within gzip, where it can't be cut off or replaced; unload without HEADER"),
        "{message}"
    );
    let (kind, _) = error("HEADER", [b"id\n1\n".to_vec(), b"2\n".to_vec()]).await;
    assert_eq!(kind, "HeadersDiffer");
    let endless = [vec![b'x'; 6 * MIB], b"2\n".to_vec()];
    assert_eq!(error("HEADER", endless.clone()).await.0, "RecordUnended");
    unload(&world, "unload/x_", &endless, &[], None).await;
    let error = world.run(&[SINGLE, ("UNLOAD_OPTIONS", "HEADER")], &["unload/x_manifest"]).await.unwrap_err();
    assert_eq!(error.kind(), "HeaderTooLong");
    unload(&world, "unload/e_", &[Vec::new(), Vec::new()], &[], None).await;
    let error = world.run(&[SINGLE, ("UNLOAD_OPTIONS", "HEADER")], &["unload/e_manifest"]).await.unwrap_err();
    assert_eq!(error.kind(), "ColumnsNotFound");
}

#[tokio::test]
async fn a_merged_file_is_saved_under_its_name() {
    let world = World::new().await;
    let sidecar = r#"{"columns": ["id"], "filename": "größe 2026.csv", "options": "CSV", "bom": true}"#;
    unload(&world, "unload/q_", &[b"1\n".to_vec(), b"2\n".to_vec()], &[], Some(sidecar)).await;
    merged(&world, &[], "unload/q_manifest").await;
    let object = world.object("final/q.csv").await.unwrap();
    let disposition = "attachment; filename=\"gr__e 2026.csv\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%202026%2Ecsv";
    assert_eq!(object.content_disposition(), Some(disposition));
    assert_eq!(object.content_type(), Some("text/csv; charset=utf-8"));
    assert_eq!(world.text("final/q.csv").await, "\u{feff}id\n1\n2\n");
}

#[tokio::test]
async fn a_slice_that_its_client_has_encrypted_is_refused() {
    let world = World::new().await;
    unload(&world, "unload/q_", &[b"1\n".to_vec(), b"2\n".to_vec()], &["id"], None).await;
    world.put_with("unload/q_0001_part_00", "2\n", |put| put.metadata("x-amz-key", "k")).await;
    let error = world.run(&[SINGLE], &["unload/q_manifest"]).await.unwrap_err();
    assert_eq!(error.kind(), "ClientSideEncrypted");
    assert!(error.to_string().contains("q_0001_part_00"), "{error}");
}

#[tokio::test]
async fn parquet_and_json_are_left_alone() {
    let world = World::new().await;
    unload(&world, "unload/q_", &[b"PAR1\x15\x04".to_vec()], &["id"], None).await;
    for options in ["", "PARQUET", "JSON"] {
        let receipt = world.receipt(&[SINGLE, ("UNLOAD_OPTIONS", options)], "unload/q_manifest").await;
        assert_eq!(receipt.outcome, Outcome::Skipped, "{options}");
    }
    assert_eq!(world.get("final/q.csv").await, None);
}

#[tokio::test]
async fn a_sidecar_waits_for_its_manifest() {
    let world = World::new().await;
    world.put("unload/q_0000_part_00", "1\n").await;
    world.put("unload/q_.headers", "id").await;
    assert_eq!(world.receipt(&[SINGLE], "unload/q_.headers").await.outcome, Outcome::Waiting);
    let manifest = manifest(&world.bucket, &[("unload/q_0000_part_00", 2)], &[]);
    world.put("unload/q_manifest", manifest).await;
    assert_eq!(world.receipt(&[SINGLE], "unload/q_.headers").await.outcome, Outcome::Written);
    world.put("unload/q_0000_part_00.headers", "own").await;
    assert_eq!(world.receipt(&[SINGLE], "unload/q_0000_part_00.headers").await.outcome, Outcome::Written);
    assert_eq!(world.text("final/q.csv").await, "own\n1\n", "the first slice's own sidecar is nearest");
}

/// The rows lack the partition's column, and readers take it from the folder.
#[tokio::test]
async fn merged_partitions_read_as_a_hive_data_set() {
    let world = World::new().await;
    let slices = [
        ("unload/sales/year=2025/0000_part_00", "1|a\n"),
        ("unload/sales/year=2026/0000_part_00", "2|b\n"),
        ("unload/sales/year=2026/0001_part_00", "3|c\n"),
    ];
    for (key, rows) in slices {
        world.put(key, rows).await;
    }
    let entries = slices.map(|(key, rows)| (key, rows.len() as u64));
    world.put("unload/sales/manifest", manifest(&world.bucket, &entries, &["id", "year", "name"])).await;
    world.run(&[SINGLE], &["unload/sales/manifest"]).await.unwrap();
    assert_eq!(world.text("final/sales/year=2026/sales.csv").await, "id|name\n2|b\n3|c\n");
    world.read_by("tests/any_server/hive.py", "final/sales/").await;
}
