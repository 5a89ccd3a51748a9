//! CHECK_COLUMNS: a header must have as many columns as the first record has fields; on any S3 server.

use support::readers::records;
use support::{World, manifest};
use unload_header::receipt::{ColumnsFrom, Outcome};
use unload_header::unload::Compression;
use unload_header::unload::Dialect;

const KEY: &str = "unload/q_0000_part_00";
const SINGLE: (&str, &str) = ("OUTPUT", "single");

/// A source with these bytes, and three columns for it.
async fn world(bytes: impl Into<Vec<u8>>) -> World {
    let world = World::new().await;
    world.put("unload/q_.headers", "id,name,city").await;
    world.put(KEY, bytes).await;
    world
}

/// The kind and the message of what is wrong with it.
async fn refused_by(world: &World, options: &str) -> (String, String) {
    let error = world.run(&[("UNLOAD_OPTIONS", options)], &[KEY]).await.unwrap_err();
    (error.kind(), error.to_string())
}

/// The same, where nothing may come of it.
async fn refused(world: &World, options: &str) -> (String, String) {
    let refused = refused_by(world, options).await;
    assert!(!world.keys().await.iter().any(|key| key.starts_with("final/")), "{refused:?}");
    refused
}

#[tokio::test]
async fn another_number_of_fields_is_refused() {
    let world = world("1|secret\n2|b\n").await;
    let message = format!(
        "the sidecar s3://{bucket}/unload/q_.headers names 3 columns, so that the first record of \
         s3://{bucket}/unload/q_0000_part_00 should have 3 fields, but it has 2; correct the names or the options, or set \
         CHECK_COLUMNS=off",
        bucket = world.bucket
    );
    assert_eq!(refused(&world, "").await, ("ColumnsDiffer".to_owned(), message));
    let receipt = world.receipt(&[("CHECK_COLUMNS", "off")], KEY).await;
    assert_eq!(receipt.outcome, Outcome::Written);
    assert_eq!(world.text("final/q_0000_part_00").await, "id|name|city\n1|secret\n2|b\n");
}

#[tokio::test]
async fn fields_are_counted_in_the_dialect() {
    for (options, rows) in [
        ("CSV", "1,\"a,\"\"b\"\"\nc\",d\n"),
        ("CSV DELIMITER ';'", "1;a,b;c\n"),
        ("ESCAPE", "1|a\\|b\\\nc\\\\|d\n"),
        ("ADDQUOTES", "\"1\"|\"a|b\"|\"c\nd\"\n"),
        ("", "1||\n"),
        ("", "1|a|b"),
        ("FIXEDWIDTH 'a:4,b:5,c:5'", "1   größeKöln \n"),
    ] {
        let world = world(rows).await;
        let receipt = world.receipt(&[("UNLOAD_OPTIONS", options)], KEY).await;
        assert_eq!(receipt.outcome, Outcome::Written, "{options} {rows:?}");
    }
    let world = world("1   Salome\n").await;
    let (kind, message) = refused(&world, "FIXEDWIDTH 'a:4,b:6,c:5'").await;
    assert_eq!(kind, "ColumnsDiffer");
    assert!(message.contains("should have 15 characters, but it has 10"), "{message}");
}

#[tokio::test]
async fn compressed_rows_are_counted_as_well() {
    for compression in [Compression::Gzip, Compression::Bzip2, Compression::Zstd] {
        let member = |rows: &str| compression.member(rows.as_bytes()).unwrap();
        let world = world(member("1|a|b\n2|c|d\n")).await;
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written, "{compression}");
        let world = self::world(member("1|a\n2|b\n")).await;
        assert_eq!(refused(&world, "").await.0, "ColumnsDiffer", "{compression}");
        let world = self::world(member("")).await;
        assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written, "{compression}: no rows, no check");
    }
}

#[tokio::test]
async fn what_the_options_say_of_the_compression_must_be_so() {
    let (kind, message) = refused(&world("1|a|b\n").await, "GZIP").await;
    assert_eq!(kind, "CompressionDiffers");
    assert!(message.ends_with("is gzip by the options, and not compressed by its content; correct the options"));
    let zstd = Compression::Zstd.member(b"1|a|b\n").unwrap();
    let world = world(zstd).await;
    let (_, message) = refused(&world, "BZIP2").await;
    assert!(message.contains("is bzip2 by the options, and zstd by its content"), "{message}");
    let (_, message) = refused(&world, "DELIMITER '|'").await;
    assert!(message.contains("is not compressed by the options, and zstd by its content"), "{message}");
    assert_eq!(world.receipt(&[], KEY).await.outcome, Outcome::Written, "without options, nothing is contradicted");
    for bytes in [Vec::new(), Compression::Zstd.member(b"").unwrap()] {
        world.put(KEY, bytes).await;
        assert_eq!(world.receipt(&[("UNLOAD_OPTIONS", "ZSTD")], KEY).await.outcome, Outcome::Written, "no rows");
    }
}

/// The data may be personal.
#[tokio::test]
async fn a_record_is_shown_only_where_a_setting_allows_it() {
    let world = world(format!("1|{}\n", "größe ".repeat(50))).await;
    let error = world.run(&[], &[KEY]).await.unwrap_err().to_string();
    assert!(!error.contains("größe"), "{error}");
    let error = world.run(&[("SHOW_RECORD", "on")], &[KEY]).await.unwrap_err().to_string();
    let record: String = format!("1|{}", "größe ".repeat(50)).chars().take(200).collect();
    assert!(error.contains(&format!("but it has 2 (it begins {record:?}); correct")), "{error}");
}

#[tokio::test]
async fn fixed_width_names_may_come_from_the_spec() {
    let options = |sql| [("UNLOAD_OPTIONS", sql)];
    let world = World::new().await;
    world.put(KEY, "1  größe \n").await;
    let receipt = world.receipt(&options("FIXEDWIDTH 'id:3,näm:6'"), KEY).await.written.unwrap();
    assert_eq!((receipt.columns_from, receipt.columns), (ColumnsFrom::Options, 2));
    assert_eq!(world.text("final/q_0000_part_00").await, "id näm   \n1  größe \n");
    let error = world.run(&options("FIXEDWIDTH '0:3,1:6'"), &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "ColumnsNotFound", "numbers are no names: {error}");
    let receipt = world.receipt(&options("FIXEDWIDTH 'id:3,näm:6' MANIFEST VERBOSE"), KEY).await;
    assert_eq!(receipt.outcome, Outcome::Waiting, "the manifest will name them");

    world.put("unload/q_manifest", manifest(&world.bucket, &[(KEY, 12)], &[])).await;
    let single = [SINGLE, options("FIXEDWIDTH 'id:3,näm:6'")[0]];
    assert_eq!(world.receipt(&single, "unload/q_manifest").await.written.unwrap().columns_from, ColumnsFrom::Options);
    assert_eq!(world.text("final/q.csv").await, "id näm   \n1  größe \n");

    world.put("unload/q_.headers", "number,name").await;
    let (kind, message) = refused_by(&world, "FIXEDWIDTH 'id:3,name:6'").await;
    assert_eq!(kind, "HeaderUnwritable");
    assert!(message.contains("\"number\", has 6 characters, but its column is 3 wide"), "{message}");
    let (_, message) = refused_by(&world, "FIXEDWIDTH 'id:3,name:5,x:1'").await;
    assert!(message.contains("there are 2 column names, but FIXEDWIDTH has 3 columns"), "{message}");
}

#[tokio::test]
async fn a_record_without_an_end_cannot_be_counted() {
    let world = world(format!("1,\"{}", "x\n".repeat(3 << 20))).await;
    assert_eq!(refused(&world, "CSV").await.0, "RecordUnended");
    assert_eq!(world.receipt(&[("CHECK_COLUMNS", "off")], KEY).await.outcome, Outcome::Written);
}

/// A manifest's names that happen to be as many as the record has characters.
#[tokio::test]
async fn a_width_is_no_number_of_names() {
    let world = World::new().await;
    world.put(KEY, "1x\n").await;
    world.put("unload/q_manifest", manifest(&world.bucket, &[(KEY, 3)], &["id", "name"])).await;
    let (kind, message) = refused(&world, "FIXEDWIDTH 'id:4,name:6'").await;
    assert_eq!(kind, "ColumnsDiffer");
    assert!(message.contains("should have 10 characters, but it has 2"), "{message}");
}

/// Of an unload that becomes one object, the first slice that has rows is looked at.
#[tokio::test]
async fn the_first_slice_with_rows_counts() {
    let world = World::new().await;
    let [empty, rows] = ["", "1|a\n"].map(|rows| Compression::Gzip.member(rows.as_bytes()).unwrap());
    let slices = [empty.clone(), empty.repeat(2), rows];
    for (slice, number) in slices.iter().zip(0..) {
        world.put(&format!("unload/q_{number:04}_part_00.gz"), slice.clone()).await;
    }
    let keys = ["unload/q_0000_part_00.gz", "unload/q_0001_part_00.gz", "unload/q_0002_part_00.gz"];
    let entries: Vec<_> = keys.into_iter().zip(&slices).map(|(key, slice)| (key, slice.len() as u64)).collect();
    for (columns, outcome) in [(&["id", "name", "city"][..], "ColumnsDiffer"), (&["id", "name"], "written")] {
        world.put("unload/q_manifest", manifest(&world.bucket, &entries, columns)).await;
        match world.run(&[SINGLE], &["unload/q_manifest"]).await {
            Ok(_) => assert_eq!(outcome, "written", "{columns:?}"),
            Err(error) => assert_eq!(error.kind(), outcome, "{error}"),
        }
    }
}

/// A source without rows may be larger than one with some: here, for the name in a gzip header.
#[tokio::test]
async fn a_large_source_without_rows_is_passed_over() {
    let world = World::new().await;
    let named = flate2::GzBuilder::new().filename("x".repeat(500)).write(Vec::new(), flate2::Compression::default());
    let slices = [named.finish().unwrap(), Compression::Gzip.member(b"1|a\n").unwrap()];
    let keys = ["unload/q_0000_part_00.gz", "unload/q_0001_part_00.gz"];
    for (key, slice) in keys.into_iter().zip(&slices) {
        world.put(key, slice.clone()).await;
    }
    let entries: Vec<_> = keys.into_iter().zip(&slices).map(|(key, slice)| (key, slice.len() as u64)).collect();
    world.put("unload/q_manifest", manifest(&world.bucket, &entries, &["id", "name", "city"])).await;
    let error = world.run(&[SINGLE], &["unload/q_manifest"]).await.unwrap_err();
    assert_eq!(error.kind(), "ColumnsDiffer", "{error}");
}

/// If the columns are named nowhere, the bytes are looked at before that is an error.
#[tokio::test]
async fn what_names_its_columns_itself_is_skipped_without_names() {
    let json = "{\"id\":1,\"name\":\"a\"}\n{\"id\":2}\n";
    for bytes in [b"PAR1\x15\x04".to_vec(), json.into(), Compression::Gzip.member(json.as_bytes()).unwrap()] {
        let world = World::new().await;
        world.put(KEY, bytes.clone()).await;
        world.put("unload/q_manifest", manifest(&world.bucket, &[(KEY, bytes.len() as u64)], &[])).await;
        for (variables, key) in [(&[][..], KEY), (&[SINGLE], "unload/q_manifest")] {
            let receipt = world.receipt(variables, key).await;
            assert_eq!(receipt.outcome, Outcome::Skipped, "{:?}", receipt.reason);
            assert!(receipt.reason.unwrap().contains("names its columns itself"));
        }
    }
    let world = World::new().await;
    world.put(KEY, json).await;
    let error = world.run(&[("UNLOAD_OPTIONS", "PARALLEL OFF")], &[KEY]).await.unwrap_err();
    assert_eq!(error.kind(), "ColumnsNotFound", "the options say that it is text");
    world.put(KEY, "1|a\n").await;
    assert_eq!(world.run(&[], &[KEY]).await.unwrap_err().kind(), "ColumnsNotFound");
}

#[tokio::test]
async fn likely_causes_are_named() {
    let world = world("{\"id\":1,\"name\":\"a\"}\n").await;
    let (_, message) = refused(&world, "").await;
    assert!(
        message.contains("it is a JSON object, so that the options most likely lack FORMAT JSON; correct"),
        "{message}"
    );
    let world = self::world("{\"id\":1,\"name\":\"a\",\"city\":\"b\"}\n").await;
    let (_, message) = refused(&world, "CSV").await;
    assert!(message.contains("it is a JSON object"), "as many commas as names have: {message}");
    let world = World::new().await;
    let key = "unload/sales/year=2026/city=x/0000_part_00";
    for (columns, rows, cause) in
        [("id,name", "1|a|2026|x\n", "2 more"), ("id,name,jahr,stadt", "1|a\n", "2 fewer"), ("id,name", "1|a|b\n", "")]
    {
        world.put("unload/sales.headers", columns).await;
        world.put(key, rows).await;
        let message = world.run(&[], &[key]).await.unwrap_err().to_string();
        let expected = match cause {
            "2 more" => {
                "; there are as many more as the key has partition folders (year, city), which INCLUDE leaves in the rows; correct"
            }
            "2 fewer" => {
                "; there are as many fewer as the key has partition folders (year, city), which the rows lack; correct"
            }
            _ => "but it has 3; correct",
        };
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn values_may_hold_quotation_marks_and_line_breaks() {
    for (options, rows) in [
        ("ADDQUOTES", "\"say \"hi\"\"|\"b\"|\"c\"\n"),
        ("FIXEDWIDTH 'a:4,b:5,c:5'", "1   grö\neKöln \n2   x    y    \n"),
    ] {
        let world = world(rows).await;
        let receipt = world.receipt(&[("UNLOAD_OPTIONS", options)], KEY).await;
        assert_eq!(receipt.outcome, Outcome::Written, "{options} {rows:?}");
    }
}

/// Whether a verbose manifest names the columns of PARTITION BY is documented nowhere: the rows tell.
#[tokio::test]
async fn columns_of_the_partition_are_left_out_where_the_rows_lack_them() {
    let world = World::new().await;
    let key = "unload/sales/Year=2026/city=Köln/0000_part_00";
    let entries = [(key, 4)];
    for (columns, rows, header) in [
        (&["id", "year", "name", "city"][..], "1|a\n", "id|name\n"),
        (&["id", "name"], "1|a\n", "id|name\n"),
        (&["id", "year"], "1|6\n", "id|year\n"),
    ] {
        world.put(key, rows).await;
        world.put("unload/sales/manifest", manifest(&world.bucket, &entries, columns)).await;
        let receipt = world.receipt(&[SINGLE], "unload/sales/manifest").await;
        let written = receipt.written.unwrap();
        assert_eq!((written.columns_from, written.columns), (ColumnsFrom::Manifest, 2));
        assert_eq!(world.text("final/sales/Year=2026/city=Köln/sales.csv").await, format!("{header}{rows}"));
    }
    // An app that has listed the query's columns has listed those as well.
    world.put(key, "2|b\n").await;
    world.put("unload/sales.headers", "number,year,title,city").await;
    for (check, output, result) in [
        ("on", "single", "final/sales/Year=2026/city=Köln/sales.csv"),
        ("on", "each", "final/sales/Year=2026/city=Köln/0000_part_00"),
        ("off", "each", "final/sales/Year=2026/city=Köln/0000_part_00"),
    ] {
        let options = ("UNLOAD_OPTIONS", "PARTITION BY (year, city)");
        let variables = [("OUTPUT", output), ("CHECK_COLUMNS", check), options];
        world.receipt(&variables, "unload/sales.headers").await;
        assert_eq!(world.text(result).await, "number|title\n2|b\n", "{check} {output}");
    }
}

/// Redshift's limits: 1,600 columns, names of 127 bytes; here with all that a name can hold.
#[tokio::test]
async fn the_widest_table_with_the_longest_names() {
    let world = World::new().await;
    let names: Vec<String> =
        (0..1_600).map(|number| format!("{number:04}{}", "é,\"\n\u{1}".repeat(20) + "xyz")).collect();
    assert!(names.iter().all(|name| name.len() == 127));
    world.put("unload/q_.headers", serde_json::json!(names).to_string()).await;
    let row = vec!["1"; 1_600].join(",") + "\n";
    world.put(KEY, row.clone()).await;
    let written = world.receipt(&[("UNLOAD_OPTIONS", "CSV")], KEY).await.written.unwrap();
    assert_eq!(written.columns, 1_600);
    let result = world.text("final/q_0000_part_00").await;
    let found = records(result.as_bytes(), &Dialect::Csv { delimiter: b',' });
    assert_eq!(found, [names, vec!["1".to_owned(); 1_600]]);
}
