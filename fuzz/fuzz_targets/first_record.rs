//! The first record of a file in a dialect: found as the csv crate finds it; and a header in front of
//! whatever else is found whole. The input is a number of options, whether these are all rows, names with a 1
//! between them, a 0, and rows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unload_header::header::beginning::{Beginning, FirstRecord, expected, without_ending};
use unload_header::header::encode;
use unload_header::unload::Compression;
use unload_header::unload::{Dialect, Options};

const BOM: &[u8] = "\u{feff}".as_bytes();
const OPTIONS: [&str; 9] = [
    "CSV",
    "CSV DELIMITER '|'",
    "",
    "DELIMITER '\\t'",
    "ESCAPE",
    "ADDQUOTES",
    "ADDQUOTES ESCAPE DELIMITER ','",
    "FIXEDWIDTH 'a:3'",
    "FIXEDWIDTH 'a:1,b:7'",
];

fuzz_target!(|input: &[u8]| {
    let [which, whole, input @ ..] = input else { return };
    let (which, whole, mut halves) = (*which, whole % 2 == 1, input.splitn(2, |byte| *byte == 0));
    let (Some(names), Some(rows)) = (halves.next(), halves.next()) else { return };
    let sql = OPTIONS[usize::from(which) % OPTIONS.len()];
    let dialect = Options::parse(sql).expect("they are right").dialect;
    let compression = Compression::of(rows);
    let opening = Beginning::of(rows, whole, compression, &dialect);
    if let (FirstRecord::Complete { bytes, fields, .. }, Dialect::Csv { delimiter }, None) =
        (&opening.first, &dialect, compression)
    {
        as_the_csv_crate(bytes, *fields, *delimiter);
    }

    let names: Vec<_> = String::from_utf8_lossy(names).split('\x01').map(str::to_owned).collect();
    let Ok(header) = encode(&names, &dialect) else { return };
    if header.starts_with(BOM) {
        return;
    }
    let opening = Beginning::of(&[&header, rows].concat(), whole, None, &dialect);
    let fields = expected(names.len(), &dialect);
    assert_eq!(opening.first, FirstRecord::Complete { bytes: header, fields, crlf: false }, "{names:?}");
});

fn as_the_csv_crate(record: &[u8], fields: usize, delimiter: u8) {
    if without_ending(record).is_empty() || record.starts_with(BOM) {
        return;
    }
    let newline = csv::Terminator::Any(b'\n');
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(delimiter).terminator(newline);
    let mut records = reader.from_reader(record).into_byte_records();
    assert_eq!(records.next().and_then(Result::ok).map(|record| record.len()), Some(fields));
    assert!(records.next().is_none(), "one record only");
}
