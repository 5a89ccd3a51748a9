use super::*;

fn dialect(sql: &str) -> Dialect {
    Options::parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).dialect
}

fn error(sql: &str) -> String {
    Options::parse(sql).expect_err(sql).to_string()
}

#[test]
fn nothing_is_pipe_delimited_text() {
    assert_eq!(dialect(""), Dialect::Text { delimiter: b'|', add_quotes: false, escape: false });
    assert_eq!(Options::parse(" ; ").unwrap(), Options::default());
}

#[test]
fn dialects() {
    assert_eq!(dialect("csv"), Dialect::Csv { delimiter: b',' });
    assert_eq!(dialect("FORMAT AS CSV DELIMITER AS '|'"), Dialect::Csv { delimiter: b'|' });
    assert_eq!(dialect("format csv delimiter '\\t'"), Dialect::Csv { delimiter: b'\t' });
    assert_eq!(
        dialect("DELIMITER '\\001' ADDQUOTES ESCAPE"),
        Dialect::Text { delimiter: 1, add_quotes: true, escape: true }
    );
    assert_eq!(dialect("DELIMITER ''''"), Dialect::Text { delimiter: b'\'', add_quotes: false, escape: false });
    assert_eq!(dialect("FORMAT PARQUET"), Dialect::Parquet);
    assert_eq!(dialect("JSON GZIP"), Dialect::Json);
    let fields = vec![Field { id: "venueid".into(), width: 3 }, Field { id: "1".into(), width: 100 }];
    assert_eq!(dialect("FIXEDWIDTH AS 'venueid:3, 1:100'"), Dialect::FixedWidth(fields));
}

#[test]
fn every_other_option_is_accepted() {
    let sql = "IAM_ROLE 'arn:aws:iam::0123456789012:role/r' FORMAT CSV DELIMITER ';' HEADER NULL AS '\\N' GZIP \
               PARALLEL OFF MAXFILESIZE AS 1.5 GB PARTITION BY (year, \"month of\") INCLUDE MANIFEST VERBOSE \
               ENCRYPTED KMS_KEY_ID 'k' ALLOWOVERWRITE REGION AS 'eu-central-1' EXTENSION 'csv.gz';";
    let options = Options::parse(sql).unwrap();
    let dialect = Dialect::Csv { delimiter: b';' };
    let compression = Some(Compression::Gzip);
    assert_eq!(
        options,
        Options {
            stated: true,
            dialect,
            compression,
            header: true,
            rows_lack_partitions: false,
            verbose_manifest: true
        }
    );
    for sql in [
        "MANIFEST",
        "PARALLEL",
        "PARALLEL TRUE",
        "parallel false",
        "MAXFILESIZE 5",
        "MAXFILESIZE 100MB",
        "MAXFILESIZE 6.2 GB",
        "PARQUET ROWGROUPSIZE 64 MB",
        "ENCRYPTED AUTO",
        "ENCRYPTED MASTER_SYMMETRIC_KEY 'k'",
        "CLEANPATH ZSTD",
        "IAM_ROLE default BZIP2",
        "WITH CREDENTIALS AS 'aws_iam_role=x'",
        "ACCESS_KEY_ID 'a' SECRET_ACCESS_KEY 'b' SESSION_TOKEN 'c'",
    ] {
        Options::parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[test]
fn comments_are_skipped() {
    let sql = "GZIP -- it's compressed, \"mostly\"\nDELIMITER /* not '|', as /* before */ */ ','; -- the end";
    let options = Options::parse(sql).unwrap();
    assert_eq!(options.compression, Some(Compression::Gzip));
    assert_eq!(options.dialect, dialect("DELIMITER ','"));
    assert_eq!(dialect("DELIMITER '-' NULL AS '--'"), dialect("DELIMITER '-'"), "no comment within a text");
    assert_eq!(Options::parse("-- GZIP\n/* HEADER */").unwrap(), Options::default());
    assert_eq!(error("GZIP /* and"), "a comment is opened and not closed: /* and");
    let partitions = "PARTITION BY (\"a -- b)\", c /* d */) GZIP";
    assert_eq!(Options::parse(partitions).unwrap().compression, Some(Compression::Gzip));
}

#[test]
fn a_backslash_makes_a_quotation_mark() {
    assert_eq!(dialect(r"DELIMITER '\''"), dialect("DELIMITER ''''"));
    let options = Options::parse(r"NULL AS 'it\'s' GZIP").unwrap();
    assert_eq!(options.compression, Some(Compression::Gzip));
    for sql in [r"DELIMITER '\'", r"DELIMITER '\' NULL AS '' GZIP"] {
        assert_eq!(dialect(sql), Dialect::Text { delimiter: b'\\', add_quotes: false, escape: false }, "{sql}");
    }
    assert_eq!(dialect(r"NULL AS '\\' DELIMITER ';'"), dialect("DELIMITER ';'"), "an escaped backslash");
}

#[test]
fn what_redshift_does_not_take_is_refused() {
    for sql in ["PARTITION BY ()", "PARTITION BY (a,)", "PARTITION BY (a b)", "PARTITION BY ('a')"] {
        assert!(matches!(Options::parse(sql), Err(OptionsError::Value { .. })), "{sql}");
    }
    for sql in ["WITH", "GZIP WITH", "WITH GZIP", "WITH WITH CREDENTIALS 'x'"] {
        assert_eq!(error(sql), "\"WITH\" is no option of UNLOAD", "{sql}");
    }
    assert!(Options::parse("WITH IAM_ROLE default").is_ok());
}

/// Neither as the value of a setting, nor in what is said of it.
#[test]
fn secrets_are_never_shown() {
    for sql in [
        "CREDENTIALS 'aws_access_key_id=A;aws_secret_access_key=TOPSECRET' GZIPP",
        "CREDENTIALS AS 'TOPSECRET",
        "credentials TOPSECRET GZIP",
        "SECRET_ACCESS_KEY \"TOPSECRET\" GZIP",
        "SECRET_ACCESS_KEY TOPSECRET/x NULL AS 'x",
        "SECRET_ACCES_KEY 'TOPSECRET'",
        "SECERT_ACCES_KEY 'TOPSECRET'",
        "ACCESS_KEY_ID 'A' SECRET_ACCESS_KEY 'it''s TOPSECRET' SESSION_TOKEN 'TOPSECRET' ESCAPE CSV",
        "TOKEN 'TOPSECRET'",
        "ENCRYPTED MASTER_SYMMETRIC_KEY AS 'TOPSECRET' CSV ESCAPE",
        "NULL AS 'x CREDENTIALS 'TOPSECRET'",
        "NULL AS 'x CREDENTIALS 'TOPSECRET' DELIMITER ';",
        "CREDENTIALS 'a' 'TOPSECRET'",
        r"CREDENTIALS 'a\'TOPSECRET' GZIPP",
        "-- CREDENTIALS 'TOPSECRET'\nGZIPP",
        "GZIP /* SECRET_ACCESS_KEY TOPSECRET",
    ] {
        let shown = format!("{} {}", masked(sql), error(sql));
        assert!(!shown.contains("TOPSECRET"), "{sql}: {shown}");
    }
    assert_eq!(masked("CREDENTIALS AS 'x;y' GZIPP DELIMITER ';'"), "CREDENTIALS AS '…' GZIPP DELIMITER ';'");
    assert_eq!(error("CREDENTIALS 'x' GZIPP"), "\"GZIPP\" is no option of UNLOAD");
    let plain = "IAM_ROLE 'arn:aws:iam::1:role/token-reader' ACCESS_KEY_ID 'AKIA' NULL AS 'x' FIXEDWIDTH 'a:1'";
    assert_eq!(masked(plain), plain);
}

#[test]
fn contradictions_are_refused() {
    assert_eq!(error("CSV ADDQUOTES"), "CSV can't be used with ADDQUOTES");
    for sql in [
        "CSV ESCAPE",
        "CSV FIXEDWIDTH 'a:1'",
        "JSON HEADER",
        "JSON DELIMITER ','",
        "FORMAT JSON NULL AS 'x'",
        "PARQUET GZIP",
        "PARQUET HEADER",
        "PARQUET ESCAPE",
        "FIXEDWIDTH 'a:1' DELIMITER ','",
        "FIXEDWIDTH 'a:1' HEADER",
        "GZIP ZSTD",
        "GZIP BZIP2",
        "BZIP2 ZSTD",
        "CSV JSON",
        "CSV DELIMITER '\"'",
        "ADDQUOTES DELIMITER '\"'",
        "ESCAPE DELIMITER '\\'",
        "CLEANPATH ALLOWOVERWRITE",
        "ENCRYPTED AUTO KMS_KEY_ID 'k'",
        "IAM_ROLE default CREDENTIALS 'x'",
    ] {
        assert!(matches!(Options::parse(sql), Err(OptionsError::Conflict(..))), "{sql}");
    }
    assert_eq!(error("KMS_KEY_ID 'k'"), "KMS_KEY_ID needs ENCRYPTED as well");
    assert_eq!(error("ROWGROUPSIZE 32"), "ROWGROUPSIZE needs PARQUET as well");
    assert_eq!(error("HEADER HEADER"), "HEADER is given twice");
    assert_eq!(error("ENCRYPTED ENCRYPTED"), "ENCRYPTED is given twice");
}

#[test]
fn errors_show_what_was_written() {
    assert_eq!(error("HEADERS"), "\"HEADERS\" is no option of UNLOAD");
    assert_eq!(error("DELIMITER '||'"), "DELIMITER needs one ASCII character, but finds \"||\"");
    assert_eq!(error("DELIMITER 'é'"), "DELIMITER needs one ASCII character, but finds \"é\"");
    assert_eq!(error("DELIMITER"), "DELIMITER needs one ASCII character in quotes, but finds nothing");
    assert_eq!(error("FORMAT ORC"), "FORMAT needs CSV, PARQUET or JSON, but finds \"ORC\"");
    assert_eq!(error("NULL AS 'x"), "a quote is opened and not closed: 'x");
    assert_eq!(error("MAXFILESIZE 7 GB"), "MAXFILESIZE needs 5 MB to 6.2 GB, but finds \"7\"");
    assert_eq!(error("MAXFILESIZE 1"), "MAXFILESIZE needs 5 MB to 6.2 GB, but finds \"1\"");
    assert_eq!(error("MAXFILESIZE 100KB"), "MAXFILESIZE needs 5 MB to 6.2 GB, but finds \"100KB\"");
    assert_eq!(error("FORMAT"), "FORMAT needs CSV, PARQUET or JSON, but finds nothing");
    for spec in ["", "a", "a:0", "a:x", ":3", "a:1,,b:2"] {
        let sql = format!("FIXEDWIDTH '{spec}'");
        assert!(matches!(Options::parse(&sql), Err(OptionsError::Value { .. })), "{sql}");
    }
    for sql in ["PARTITION", "PARTITION BY", "PARTITION BY (a", "PARTITION (a)"] {
        assert!(matches!(Options::parse(sql), Err(OptionsError::Value { .. })), "{sql}");
    }
}
