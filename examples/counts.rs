//! The pure core at its largest, for valgrind to count: `counts CASE 1` makes the input of a case and does the work,
//! `counts CASE 0` only makes the input. scripts/counts.sh subtracts the one from the other. Without a case it lists them.

use std::hint::black_box;

use unload_header::copy::part::{Origin, Piece};
use unload_header::copy::plan::{Limits, plan};
use unload_header::header::encode;
use unload_header::unload::manifest;
use unload_header::unload::{Options, Record, Unload};
use unload_header::uri::Uri;

const MIB: u64 = 1 << 20;
/// Of the largest manifest, in bytes.
const MANIFEST: usize = 16 << 20;

/// What a case does, with or without its work.
type Case = fn(bool) -> Result<(), Box<dyn std::error::Error>>;

const CASES: [(&str, Case); 7] = [
    ("header-csv", |works| header("CSV", works)),
    ("header-text", |works| header("ADDQUOTES ESCAPE", works)),
    ("plan-1-mib", |works| planned(&[MIB; 10_000], works)),
    ("plan-1-gib", |works| planned(&[1_024 * MIB; 9_990], works)),
    ("plan-mixed", |works| {
        planned(&(0..10_000).map(|slice| slice * 7_919 % 10_007 * 10_478).collect::<Vec<u64>>(), works)
    }),
    ("manifest-read", |works| {
        let json = manifest(usize::MAX);
        if works {
            assert!(manifest::is_one(&json));
            black_box(parsed(&json)?);
        }
        Ok(())
    }),
    ("manifest-entries", |works| {
        let unload = parsed(&manifest(10_000))?;
        let keys: Vec<String> = unload.all_entries().map(|entry| entry.uri.key.clone()).collect();
        if works {
            assert!(keys.iter().all(|key| black_box(unload.entry(key)).is_some()));
        }
        Ok(())
    }),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [name, works] => {
            let case = CASES.iter().find(|(case, _)| case == name).ok_or_else(|| format!("there is no case {name}"))?;
            (case.1)(works == "1")
        }
        _ => {
            CASES.iter().for_each(|(name, _)| println!("{name}"));
            Ok(())
        }
    }
}

/// Redshift's 1,600 columns, with names of 127 bytes, encoded; and a record of as many fields, counted.
fn header(options: &str, works: bool) -> Result<(), Box<dyn std::error::Error>> {
    let dialect = Options::parse(options)?.dialect;
    let names: Vec<String> = (0..1_600).map(|column| format!("{column:04}_{}", "x'y".repeat(41))).collect();
    if works {
        let header = encode(black_box(&names), &dialect)?;
        let record = Record::first(black_box(&header), &dialect);
        assert_eq!(record.map(|record| record.fields), Some(names.len()));
    }
    Ok(())
}

fn planned(sizes: &[u64], works: bool) -> Result<(), Box<dyn std::error::Error>> {
    let sources = sizes.iter().enumerate().filter_map(|(index, size)| Piece::new(Origin::Source(index), 0, *size));
    let line: Vec<Piece> = Piece::new(Origin::Header, 0, 100).into_iter().chain(sources).collect();
    if works {
        black_box(plan(line, &Limits::AWS)?);
    }
    Ok(())
}

/// So many entries, or as many as 16 MiB hold.
fn manifest(entries: usize) -> Vec<u8> {
    let entry = |slice: usize| {
        let key = format!("unload/{}{slice:09}_part_00", "k".repeat(128));
        format!(r#"{{"url":"s3://bucket/{key}","meta":{{"content_length":{slice},"record_count":{slice}}}}}"#)
    };
    let mut json = r#"{"entries":["#.to_owned();
    for slice in 0..entries {
        let entry = entry(slice);
        if json.len() + entry.len() + 100 > MANIFEST {
            break;
        }
        json.push_str(if slice > 0 { "," } else { "" });
        json.push_str(&entry);
    }
    json.push_str(r#"],"schema":{"elements":[{"name":"id","type":{"base":"integer"}}]}}"#);
    json.into_bytes()
}

fn parsed(json: &[u8]) -> Result<Unload, manifest::ManifestError> {
    Unload::parse(&Uri::new("bucket", "unload/manifest"), String::new(), 0, json)
}
