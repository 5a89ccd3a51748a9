//! What the sources themselves begin with: a header, a byte order mark, records that end in `\r\n`; on any S3
//! server.

use support::{MIB, World, manifest, rows};
use unload_header::error::Error;
use unload_header::receipt::{ColumnsFrom, Outcome};
use unload_header::unload::Compression;

const KEY: &str = "unload/q_0000_part_00";
const OTHER: &str = "unload/q_0001_part_00";
const FINAL: &str = "final/q_0000_part_00";
const SINGLE: (&str, &str) = ("OUTPUT", "single");
const BOM: &str = "\u{feff}";

/// A source with these bytes, and three columns for it.
async fn world(bytes: impl Into<Vec<u8>>) -> World {
    let world = World::new().await;
    world.put("unload/q_.headers", "id,name,city").await;
    world.put(KEY, bytes).await;
    world
}

/// Makes one object of two slices.
async fn merge(world: &World, options: &str, slices: [&[u8]; 2]) -> Result<(), Error> {
    for (key, bytes) in [KEY, OTHER].into_iter().zip(slices) {
        world.put(key, bytes).await;
    }
    let entries = [(KEY, slices[0].len() as u64), (OTHER, slices[1].len() as u64)];
    world.put("unload/q_manifest", manifest(&world.bucket, &entries, &[])).await;
    world.run(&[SINGLE, ("UNLOAD_OPTIONS", options)], &["unload/q_manifest"]).await.map(drop)
}

fn options(sql: &str) -> [(&str, &str); 1] {
    [("UNLOAD_OPTIONS", sql)]
}

fn gzip(rows: &str) -> Vec<u8> {
    Compression::Gzip.member(rows.as_bytes()).unwrap()
}

/// Nobody said HEADER, and yet it is there.
#[tokio::test]
async fn a_header_that_is_there_is_not_doubled() {
    let rows = "id|name|city\n1|a|b\n";
    let world = world(rows).await;
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written);
    assert_eq!(world.text(FINAL).await, rows);
    world.receipt(&[("BOM", "on")], KEY).await;
    assert_eq!(world.text(FINAL).await, format!("{BOM}{rows}"));
    world.put(KEY, "id|name|city").await;
    world.receipt(&[], KEY).await;
    assert_eq!(world.text(FINAL).await, "id|name|city", "no rows, and no newline");

    world.put(KEY, gzip(rows)).await;
    world.receipt(&[], KEY).await;
    assert!(world.get(FINAL).await.unwrap() == gzip(rows), "nothing in front of it");
    let error = world.run(&[("BOM", "on")], &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "HeaderInside", "a byte order mark would have to stand before it: {error}");

    merge(&world, "", [rows.as_bytes(); 2]).await.unwrap();
    assert_eq!(world.text("final/q.csv").await, "id|name|city\n1|a|b\n1|a|b\n");
    let error = merge(&world, "", [&gzip(rows); 2]).await.unwrap_err();
    assert_eq!(error.kind(), "HeaderInside");
}

/// The options are known, and do not say HEADER: cut off it might be a row that is lost, kept a second header.
#[tokio::test]
async fn a_header_that_may_be_a_row_is_refused() {
    let (rows, header) = ("id|name|city\n1|a|b\n", "id|name|city\n");
    let world = world(rows).await;
    let off = [options("PARALLEL OFF")[0], ("CHECK_COLUMNS", "off")];
    for bytes in [rows.as_bytes().to_vec(), gzip(rows)] {
        let sql = if bytes[0] == b'i' { "PARALLEL OFF" } else { "GZIP" };
        world.put(KEY, bytes).await;
        let error = world.run(&options(sql), &[KEY]).await.unwrap_err();
        assert_eq!(error.kind(), "HeaderOrRow", "{error}");
        assert!(error.to_string().contains("say HEADER") && error.to_string().contains("CHECK_COLUMNS=off"), "{error}");
    }
    world.put(KEY, rows).await;
    world.receipt(&off, KEY).await;
    assert_eq!(world.text(FINAL).await, format!("{header}{rows}"), "it is a row");
    world.receipt(&options("HEADER"), KEY).await;
    assert_eq!(world.text(FINAL).await, rows, "it is a header");
    world.receipt(&off, KEY).await;
    world.receipt(&[("CHECK_COLUMNS", "off")], KEY).await;
    assert_eq!(world.text(FINAL).await, rows, "nobody has stated any options, and it is another job");
}

/// Whichever slice it is, whether it is looked at or read, and whether options are stated or not.
#[tokio::test]
async fn one_slice_with_a_header_that_may_be_a_row_is_refused() {
    let world = world("").await;
    let (with, without) = ("id|name|city\n1|a|b\n", "1|a|b\n");
    let long = String::from_utf8(rows(6 * MIB)).unwrap();
    let long_with = format!("id|name|city\n{long}");
    for sql in ["", "PARALLEL OFF"] {
        for slices in [[with, without], [without, with], [&*long_with, &*long], [&*long, &*long_with]] {
            let error = merge(&world, sql, slices.map(str::as_bytes)).await.unwrap_err();
            assert_eq!(error.kind(), "HeaderOrRow", "{sql}: {error}");
        }
    }
    for (key, bytes) in [(KEY, without), (OTHER, with)] {
        world.put(key, bytes).await;
    }
    let entries = [(KEY, without.len() as u64), (OTHER, with.len() as u64)];
    world.put("unload/q_manifest", manifest(&world.bucket, &entries, &[])).await;
    world.run(&[SINGLE, options("PARALLEL OFF")[0], ("CHECK_COLUMNS", "off")], &["unload/q_manifest"]).await.unwrap();
    assert_eq!(world.text("final/q.csv").await, format!("id|name|city\n{without}{with}"), "it is a row");
}

/// What is cut off of a later slice is a whole record.
#[tokio::test]
async fn what_is_cut_off_ends_where_a_record_ends() {
    let world = World::new().await;
    let error = merge(&world, "HEADER", [b"id|n", b"id|name\n1|a\n"]).await.unwrap_err();
    assert_eq!(error.kind(), "HeadersDiffer", "{error}");
    for (slices, expected) in [
        ([&b"id|n"[..], b"id|n\n1|a\n"], "id|n\n1|a\n"),
        ([b"id|n\n1|a\n", b"id|n"], "id|n\n1|a\n"),
        ([b"id|n", b"id|n"], "id|n\n"),
        ([b"id|n\r\n1|a\r\n", b"id|n\r\n2|b\r\n"], "id|n\r\n1|a\r\n2|b\r\n"),
    ] {
        merge(&world, "HEADER", slices).await.unwrap();
        assert_eq!(world.text("final/q.csv").await, expected);
    }
    let error = merge(&world, "HEADER", [b"id|n\n1|a\n", b"id|n\r\n2|b\n"]).await.unwrap_err();
    assert_eq!(error.kind(), "HeadersDiffer", "{error}");
}

/// A value may end in a carriage return; UNLOAD's own lines don't.
#[tokio::test]
async fn one_record_does_not_tell_how_lines_end() {
    let world = world("1|a|b\r\n2|c|d\n").await;
    world.receipt(&[], KEY).await;
    assert_eq!(world.text(FINAL).await, "id|name|city\n1|a|b\r\n2|c|d\n");
    world.put(KEY, "1|a|b\r\n").await;
    world.receipt(&[], KEY).await;
    assert_eq!(world.text(FINAL).await, "id|name|city\n1|a|b\r\n");
    world.put("unload/q_.headers", "[\"id\", \"a\\r\"]").await;
    world.put(KEY, "1|a\r\n2|b\r\n").await;
    world.receipt(&options("ESCAPE"), KEY).await;
    assert_eq!(world.text(FINAL).await, "id|a\\\r\r\n1|a\r\n2|b\r\n", "that of a name is kept");
}

/// Nothing but its name says of what kind its header should be.
#[tokio::test]
async fn an_object_without_bytes_is_of_the_kind_that_its_name_says() {
    for (compression, extension) in [(Compression::Gzip, "gz"), (Compression::Bzip2, "bz2"), (Compression::Zstd, "zst")]
    {
        let world = world("").await;
        let key = format!("{KEY}.{extension}");
        world.put(&key, "").await;
        world.receipt(&[], &key).await;
        let result = world.get(&format!("{FINAL}.{extension}")).await.unwrap();
        assert!(result == compression.member(b"id|name|city\n").unwrap(), "{extension}");
    }
}

/// UNLOAD has put a header on each object, and somebody wants another.
#[tokio::test]
async fn a_header_of_other_names_is_replaced() {
    let world = world("number|letter|town\n1|a|b\n").await;
    let receipt = world.receipt(&options("HEADER"), KEY).await;
    assert_eq!(receipt.written.unwrap().columns_from, ColumnsFrom::Sidecar);
    assert_eq!(world.text(FINAL).await, "id|name|city\n1|a|b\n");

    let large = [b"\"a\nb\",venue,name\n".to_vec(), rows(12 * MIB)].concat();
    world.put(KEY, String::from_utf8(large).unwrap().replace('|', ",")).await;
    let written = world.receipt(&options("CSV HEADER"), KEY).await.written.unwrap();
    assert_eq!(written.bytes_through, 5 * MIB as u64 + 4 + 12, "for what the new header is shorter, and the sidecar");
    let expected = [b"id,name,city\n".to_vec(), rows(12 * MIB)].concat();
    assert!(world.text(FINAL).await == String::from_utf8(expected).unwrap().replace('|', ","));

    world.put(KEY, gzip("number|letter|town\n1|a|b\n")).await;
    let error = world.run(&options("HEADER GZIP"), &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "HeaderInside");
    let same = gzip("id|name|city\n1|a|b\n");
    world.put(KEY, same.clone()).await;
    world.receipt(&options("HEADER GZIP"), KEY).await;
    assert!(world.get(FINAL).await.unwrap() == same, "it has the names already");
    world.put(KEY, gzip("")).await;
    world.receipt(&options("HEADER GZIP"), KEY).await;
    let result = world.get(FINAL).await.unwrap();
    assert!(result == [gzip("id|name|city\n"), gzip("")].concat(), "a slice without rows has no header");
}

/// A manifest has the names that HEADER has put there.
#[tokio::test]
async fn a_header_is_left_alone_if_no_other_names_are_given() {
    let world = World::new().await;
    world.put(KEY, "id|name\n1|a\n").await;
    world.put("unload/q_manifest", manifest(&world.bucket, &[(KEY, 12)], &["id", "name"])).await;
    for key in [KEY, "unload/q_manifest"] {
        let receipt = world.receipt(&options("HEADER MANIFEST VERBOSE"), key).await;
        assert_eq!(receipt.outcome, Outcome::Skipped, "{key}: {:?}", receipt.reason);
    }
    let single = [SINGLE, options("HEADER MANIFEST VERBOSE")[0]];
    assert_eq!(world.receipt(&single, "unload/q_manifest").await.outcome, Outcome::Written);
    assert_eq!(world.text("final/q.csv").await, "id|name\n1|a\n");
}

/// The only slice of an unload may be compressed, and brings its header.
#[tokio::test]
async fn a_compressed_header_stays_where_there_is_one_slice() {
    let world = World::new().await;
    let slice = gzip("id|name\n1|a\n");
    world.put("unload/q_000.gz", slice.clone()).await;
    world.put("unload/q_manifest", manifest(&world.bucket, &[("unload/q_000.gz", slice.len() as u64)], &[])).await;
    let receipt = world.receipt(&[SINGLE, options("HEADER GZIP")[0]], "unload/q_manifest").await;
    let written = receipt.written.unwrap();
    assert_eq!((written.columns_from, written.columns), (ColumnsFrom::Source, 2));
    assert!(world.get("final/q.csv.gz").await.unwrap() == slice);
}

#[tokio::test]
async fn a_byte_order_mark_moves_before_the_header() {
    let rows = "1|a|b\n2|c|d\n";
    let world = world(format!("{BOM}{rows}")).await;
    world.receipt(&[], KEY).await;
    assert_eq!(world.text(FINAL).await, format!("{BOM}id|name|city\n{rows}"));
    world.put("unload/q_.headers", r#"{"columns": ["id", "name", "city"], "bom": false}"#).await;
    world.receipt(&[], KEY).await;
    assert_eq!(world.text(FINAL).await, format!("id|name|city\n{rows}"), "unless somebody has said otherwise");
    world.put("unload/q_.headers", "id,name,city").await;

    world.put(KEY, format!("{BOM}id|name|city\n{rows}")).await;
    world.receipt(&[], KEY).await;
    assert_eq!(world.text(FINAL).await, format!("{BOM}id|name|city\n{rows}"), "header and mark are there already");
    world.put(KEY, format!("{BOM}\"a,b\",c,d\n")).await;
    world.receipt(&options("CSV"), KEY).await;
    assert_eq!(world.text(FINAL).await, format!("{BOM}id,name,city\n\"a,b\",c,d\n"));
    world.put(KEY, BOM).await;
    world.receipt(&[], KEY).await;
    assert_eq!(world.text(FINAL).await, format!("{BOM}id|name|city\n"));

    world.put(KEY, gzip(&format!("{BOM}{rows}"))).await;
    let error = world.run(&[], &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "ByteOrderMarkInside", "{error}");
}

#[tokio::test]
async fn byte_order_marks_of_slices_are_cut_off() {
    let rows = "1|a|b\n2|c|d\n";
    let marked = format!("{BOM}{rows}");
    let world = world("").await;
    merge(&world, "", [marked.as_bytes(); 2]).await.unwrap();
    assert_eq!(world.text("final/q.csv").await, format!("{BOM}id|name|city\n{rows}{rows}"));
    merge(&world, "", [BOM.as_bytes(), marked.as_bytes()]).await.unwrap();
    assert_eq!(world.text("final/q.csv").await, format!("{BOM}id|name|city\n{rows}"), "no rows, but a mark");
    for slices in [[&*marked, rows], [rows, &*marked], [BOM, "id|name|city\n1|a|b\n"]] {
        let error = merge(&world, "", slices.map(str::as_bytes)).await.unwrap_err();
        assert_eq!(error.kind(), "HeadersDiffer", "{error}");
    }
}

#[tokio::test]
async fn the_header_ends_as_the_first_record_does() {
    let world = world("1|a|b\r\n2|c|d\r\n").await;
    world.receipt(&[], KEY).await;
    assert_eq!(world.text(FINAL).await, "id|name|city\r\n1|a|b\r\n2|c|d\r\n");
    world.put(KEY, "number|letter|town\r\n1|a|b\r\n").await;
    world.receipt(&options("HEADER"), KEY).await;
    assert_eq!(world.text(FINAL).await, "id|name|city\r\n1|a|b\r\n");
    world.put(KEY, "id|name|city\r\n1|a|b\r\n").await;
    world.receipt(&[], KEY).await;
    assert_eq!(world.text(FINAL).await, "id|name|city\r\n1|a|b\r\n", "it is there already");
    world.put(KEY, gzip("1|a|b\r\n2|c|d\r\n")).await;
    world.receipt(&[], KEY).await;
    assert!(world.get(FINAL).await.unwrap() == [gzip("id|name|city\r\n"), gzip("1|a|b\r\n2|c|d\r\n")].concat());
    world.put(KEY, "1  a \r\n").await;
    world.put("unload/q_.headers", "id,b").await;
    world.receipt(&options("FIXEDWIDTH 'a:3,b:2'"), KEY).await;
    assert_eq!(world.text(FINAL).await, "id b \r\n1  a \r\n", "the width is that without it");
}

/// A slice whose last row does not end.
#[tokio::test]
async fn rows_that_do_not_end_get_the_ending_of_the_others() {
    let world = world("").await;
    merge(&world, "", [b"0|x|y\r\n1|a|b\r\n2|c|d", b"3|e|f\r\n"]).await.unwrap();
    assert_eq!(world.text("final/q.csv").await, "id|name|city\r\n0|x|y\r\n1|a|b\r\n2|c|d\r\n3|e|f\r\n");
    let rows = String::from_utf8(rows(6 * MIB)).unwrap().replace("r|0", "|0").replace('\n', "\r\n");
    let unended = rows.trim_end().as_bytes();
    merge(&world, "", [unended; 2]).await.unwrap();
    assert!(world.text("final/q.csv").await == format!("id|name|city\r\n{rows}{}", rows.trim_end()));
}
