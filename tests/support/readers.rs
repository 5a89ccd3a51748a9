//! Readers of what UNLOAD writes, none of which is the project's own: the csv crate where it knows the
//! dialect, and COPY's rules for the rest.

use std::io::Read;

use unload_header::unload::Compression;
use unload_header::unload::Dialect;
use unload_header::unload::options::Field;

/// All members, streams or frames of a file.
pub fn decompressed(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    match Compression::of(bytes) {
        None => text = bytes.to_vec(),
        Some(Compression::Gzip) => drop(flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut text).unwrap()),
        Some(Compression::Bzip2) => drop(bzip2::read::MultiBzDecoder::new(bytes).read_to_end(&mut text).unwrap()),
        Some(Compression::Zstd) => {
            let mut rest = bytes;
            while !rest.is_empty() {
                ruzstd::decoding::StreamingDecoder::new(&mut rest).unwrap().read_to_end(&mut text).unwrap();
            }
        }
    }
    text
}

/// The records of a text.
pub fn records(text: &[u8], dialect: &Dialect) -> Vec<Vec<String>> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n'));
    match dialect {
        Dialect::Csv { delimiter } => reader.delimiter(*delimiter),
        Dialect::Text { delimiter, add_quotes: true, escape } => {
            reader.delimiter(*delimiter).double_quote(false).escape(escape.then_some(b'\\'))
        }
        Dialect::Text { delimiter, escape: true, .. } => return escaped(text, *delimiter),
        Dialect::Text { delimiter, .. } => reader.delimiter(*delimiter).quoting(false),
        Dialect::FixedWidth(fields) => return fixed_width(text, fields),
        Dialect::Json | Dialect::Parquet => panic!("no records of fields"),
    };
    let records = reader.from_reader(text).into_records();
    records.map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// `\` takes the meaning from what follows (AWS, Redshift database developer guide, COPY, "ESCAPE").
fn escaped(text: &[u8], delimiter: u8) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut chars = std::str::from_utf8(text).unwrap().chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => field.extend(chars.next()),
            '\n' => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            c if c == char::from(delimiter) => record.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    assert!(record.is_empty() && field.is_empty(), "the last record does not end");
    records
}

/// By characters, without the blanks that fill a column up.
fn fixed_width(text: &[u8], fields: &[Field]) -> Vec<Vec<String>> {
    let record = |line: &str| {
        let mut chars = line.chars();
        let mut field = |width: usize| chars.by_ref().take(width).collect::<String>().trim_end().to_owned();
        let record: Vec<String> = fields.iter().map(|Field { width, .. }| field(*width)).collect();
        assert_eq!(chars.next(), None, "{line:?} is longer than its columns");
        record
    };
    std::str::from_utf8(text).unwrap().lines().map(record).collect()
}
