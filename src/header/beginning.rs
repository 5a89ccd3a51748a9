//! What a source begins with: a byte order mark and its first record.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::unload::options::Field;
use crate::unload::{BOM, Compression, Dialect, Record};

/// How many bytes are decompressed at first to find the end of the first record.
const FIRST_LOOK: u64 = 64 << 10;
/// How many bytes are decompressed at most.
const MAX_LOOK: u64 = 16 << 20;

/// What the first bytes of a file tell.
#[derive(Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Whether the file begins with a byte order mark.
    pub bom: bool,
    pub first: FirstRecord,
}

#[derive(Debug, PartialEq, Eq)]
pub enum FirstRecord {
    /// The file has no record.
    Absent,
    /// Its bytes, line ending included; how many fields it has, or with fixed widths, how many characters; and whether
    /// all records end in `\r\n`.
    Complete { bytes: Vec<u8>, fields: usize, crlf: bool },
    /// It does not end within what was read.
    Unended,
}

impl Beginning {
    /// Whether these bytes tell what many more would: the first record ends within them, and not as all others have to for
    /// their style.
    pub fn is_told_by(bytes: &[u8], dialect: &Dialect) -> bool {
        let is_fixed = matches!(dialect, Dialect::FixedWidth(_));
        let ends =
            |first: &FirstRecord| matches!(first, FirstRecord::Complete { bytes, .. } if !bytes.ends_with(b"\r\n"));
        !is_fixed && ends(&Beginning::of(bytes, false, Compression::of(bytes), dialect).first)
    }

    /// `whole` says that these are all bytes of the file, so that the first record may end where they end.
    pub fn of(bytes: &[u8], whole: bool, compression: Option<Compression>, dialect: &Dialect) -> Beginning {
        let Some(compression) = compression.filter(|_| !bytes.is_empty()) else {
            return Beginning::within(bytes, whole, dialect);
        };
        let mut most = FIRST_LOOK;
        loop {
            let (text, ended) = compression.begin(bytes, most);
            let beginning = Beginning::within(&text, whole && ended, dialect);
            if beginning.first != FirstRecord::Unended || (text.len() as u64) < most || most >= MAX_LOOK {
                return beginning;
            }
            most = (8 * most).min(MAX_LOOK);
        }
    }

    fn within(text: &[u8], whole: bool, dialect: &Dialect) -> Beginning {
        let (bom, text) = text.strip_prefix(BOM).map_or((false, text), |rest| (true, rest));
        let record = match Record::first(text, dialect) {
            None if whole && text.is_empty() => return Beginning { bom, first: FirstRecord::Absent },
            None if whole => {
                let ended = Record::first(&[text, b"\n"].concat(), dialect);
                ended.map(|record| Record { length: text.len(), crlf: false, ..record })
            }
            record => record,
        };
        let Some(Record { length, fields, crlf }) = record else {
            return Beginning { bom, first: FirstRecord::Unended };
        };
        let is_sure = matches!(dialect, Dialect::FixedWidth(widths) if Field::sum(widths) == fields);
        let crlf = crlf && (is_sure || all_end_in_crlf(&text[length..], dialect));
        Beginning { bom, first: FirstRecord::Complete { bytes: text[..length].to_vec(), fields, crlf } }
    }

    /// How many bytes of a file that is not compressed this is: the mark, and the first record if `with_record`.
    pub fn length(&self, with_record: bool) -> usize {
        let record = match &self.first {
            FirstRecord::Complete { bytes, .. } if with_record => bytes.len(),
            _ => 0,
        };
        record + if self.bom { BOM.len() } else { 0 }
    }
}

/// Whether there are more records, and all of them end in `\r\n`. One record does not tell, since a value may end in a
/// carriage return.
fn all_end_in_crlf(mut rest: &[u8], dialect: &Dialect) -> bool {
    let mut records = std::iter::from_fn(|| {
        let record = Record::first(rest, dialect)?;
        rest = &rest[record.length..];
        Some(record.crlf)
    });
    records.next() == Some(true) && records.all(|crlf| crlf)
}

/// Why rows need no header, if the first bytes of a file tell. A JSON object may go on behind these bytes.
pub fn names_itself(bytes: &[u8], may_be_json: bool) -> Option<&'static str> {
    if bytes.starts_with(b"PAR1") {
        return Some("it is Parquet, which names its columns itself");
    }
    if !may_be_json {
        return None;
    }
    let text = match Compression::of(bytes) {
        Some(compression) => Cow::Owned(compression.begin(bytes, FIRST_LOOK).0),
        None => Cow::Borrowed(bytes),
    };
    let line = text.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    is_json(line).then_some("its first record is a JSON object, which names its columns itself")
}

/// Whether a record is a JSON object, or the beginning of one if it does not end.
pub fn is_json(record: &[u8]) -> bool {
    record.starts_with(b"{")
        && match serde_json::from_slice::<IgnoredAny>(record) {
            Ok(_) => true,
            Err(error) => error.is_eof() && record.len() > 1 && !record.ends_with(b"\n"),
        }
}

/// How many fields the first record must have for so many names; with fixed widths, how many characters.
pub fn expected(names: usize, dialect: &Dialect) -> usize {
    match dialect {
        Dialect::FixedWidth(fields) => Field::sum(fields),
        _ => names,
    }
}

/// A record without its line ending.
pub fn without_ending(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unload::Options;

    fn first(sql: &str, bytes: &[u8], whole: bool, compression: Option<Compression>) -> FirstRecord {
        let beginning = Beginning::of(bytes, whole, compression, &Options::parse(sql).unwrap().dialect);
        assert!(!beginning.bom);
        beginning.first
    }

    fn record(text: &str, fields: usize) -> FirstRecord {
        FirstRecord::Complete { bytes: text.as_bytes().to_vec(), fields, crlf: false }
    }

    #[test]
    fn of_plain_rows() {
        assert_eq!(first("CSV", b"1,\"a\nb\"\n2,c\n", false, None), record("1,\"a\nb\"\n", 2));
        assert_eq!(first("CSV", b"", true, None), FirstRecord::Absent);
        assert_eq!(first("CSV", b"1,2", true, None), record("1,2", 2), "the file ends, and so does the record");
        assert_eq!(first("CSV", b"1,2", false, None), FirstRecord::Unended);
        assert_eq!(first("CSV", b"1,2\r\n", false, None), record("1,2\r\n", 2));
        assert_eq!(first("FIXEDWIDTH 'a:3,b:4'", "1  größ\n2".as_bytes(), false, None), record("1  größ\n", 7));
    }

    /// A value may end in a carriage return.
    #[test]
    fn more_than_one_record_tells_how_all_end() {
        for (sql, rows, expected) in [
            ("", "1|a\r\n2|b\r\n", true),
            ("", "1|a\r\n2|b\n", false),
            ("", "1|a\r\n2|b\r\n3|c\n", false),
            ("", "1|a\r\n", false),
            ("CSV", "1,\"a\"\r\n2,b\r\n3,c", true),
            ("FIXEDWIDTH 'a:1,b:1'", "1a\r\n", true),
            ("FIXEDWIDTH 'a:1,b:2'", "1a\r\n", false),
        ] {
            let FirstRecord::Complete { crlf, .. } = first(sql, rows.as_bytes(), true, None) else {
                panic!("{rows:?}")
            };
            assert_eq!(crlf, expected, "{sql} {rows:?}");
        }
    }

    #[test]
    fn rows_with_names_of_their_own() {
        let json = b"{\"id\":1,\"name\":\"a\"}\n{\"id\":2}\n";
        let names_itself = |bytes: &[u8]| names_itself(bytes, true);
        assert!(
            names_itself(json).is_some() && names_itself(&json[..12]).is_some() && names_itself(b"PAR1...").is_some()
        );
        for compression in [Compression::Gzip, Compression::Bzip2, Compression::Zstd] {
            assert!(names_itself(&compression.member(json).unwrap()).is_some(), "{compression}");
            assert_eq!(names_itself(&compression.member(b"1|a\n").unwrap()), None, "{compression}");
        }
        for rows in [&b""[..], b"1|a\n", b"{}|1\n", b"{a}\n", b"[1]\n", b"{\"id\n", b"{", b"\"PAR1\"\n"] {
            assert_eq!(names_itself(rows), None, "{rows:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_record() {
        let csv = Dialect::Csv { delimiter: b',' };
        let rows = "\u{feff}\"a,b\",c\r\n".as_bytes();
        let member = Compression::Gzip.member(rows).unwrap();
        for (bytes, compression) in [(rows, None), (&member, Some(Compression::Gzip))] {
            let beginning = Beginning::of(bytes, true, compression, &csv);
            assert_eq!(beginning, Beginning { bom: true, first: record("\"a,b\",c\r\n", 2) });
            assert_eq!((beginning.length(false), beginning.length(true)), (3, rows.len()));
        }
        assert_eq!(Beginning::of(BOM, true, None, &csv), Beginning { bom: true, first: FirstRecord::Absent });
        let fixed = Dialect::FixedWidth(vec![Field { id: "a".to_owned(), width: 2 }]);
        let expected = FirstRecord::Complete { bytes: b"ab\r\n".to_vec(), fields: 2, crlf: true };
        assert_eq!(Beginning::of("\u{feff}ab\r\n".as_bytes(), true, None, &fixed).first, expected);
    }

    #[test]
    fn of_compressed_rows() {
        let rows: String = (0..200_000).map(|row| format!("{row}|{}\n", row * 7_919 % 10_007)).collect();
        for compression in [Compression::Gzip, Compression::Bzip2, Compression::Zstd] {
            let member = compression.member(rows.as_bytes()).unwrap();
            let some = member.len() * 2 / 3;
            assert_eq!(first("", &member, true, Some(compression)), record("0|0\n", 2), "{compression}");
            assert_eq!(first("", &member[..some], false, Some(compression)), record("0|0\n", 2), "{compression}");
            let empty = compression.member(b"").unwrap();
            assert_eq!(first("", &empty, true, Some(compression)), FirstRecord::Absent, "{compression}");
            assert_eq!(first("", &member[..6], false, Some(compression)), FirstRecord::Unended, "{compression}");
            let long = format!("{}|2\n3|4\n", "1".repeat(600_000));
            let member = compression.member(long.as_bytes()).unwrap();
            assert_eq!(first("", &member, true, Some(compression)), record(&long[..600_003], 2), "{compression}");
            let two = [empty, compression.member(b"1|2").unwrap()].concat();
            assert_eq!(first("", &two, true, Some(compression)), record("1|2", 2), "{compression}");
        }
    }
}
