//! The first record of a file, read in the file's dialect.

use super::Dialect;
use super::options::Field;

/// The UTF-8 byte order mark, which tells Excel that a file is UTF-8.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// In bytes, its newline included.
    pub length: usize,
    /// How many fields it has; with fixed widths, how many characters.
    pub fields: usize,
    /// Whether it ends in a carriage return and a newline, neither of which is known to be part of a value.
    pub crlf: bool,
}

impl Record {
    /// The record that `bytes` begin with; `None` if it does not end within them. A newline within
    /// quotes, behind an escape character or within a fixed width does not end it.
    ///
    /// ```
    /// use unload_header::unload::{Options, Record};
    /// let dialect = Options::parse("CSV")?.dialect;
    /// let record = Record { length: 10, fields: 2, crlf: false };
    /// assert_eq!(Record::first(b"id,\"a,\nb\"\n1,2\n", &dialect), Some(record));
    /// # Ok::<(), unload_header::unload::options::OptionsError>(())
    /// ```
    pub fn first(bytes: &[u8], dialect: &Dialect) -> Option<Record> {
        let (delimiter, quotes, escape) = match dialect {
            Dialect::Csv { delimiter } => (Some(*delimiter), Quotes::Doubled, false),
            Dialect::Text { delimiter, add_quotes: true, escape } => (Some(*delimiter), Quotes::Around, *escape),
            Dialect::Text { delimiter, add_quotes: false, escape } => (Some(*delimiter), Quotes::None, *escape),
            Dialect::FixedWidth(fields) => return Record::of_width(bytes, Field::sum(fields)),
            Dialect::Json | Dialect::Parquet => (None, Quotes::None, false),
        };
        let ends = |byte: u8| Some(byte) == delimiter || byte == b'\n';
        let (mut fields, mut escaped, mut place) = (1, false, Place::Start);
        for (at, byte) in bytes.iter().enumerate() {
            let still = if place == Place::Quoted { Place::Quoted } else { Place::Within };
            // With ADDQUOTES, a quotation mark within a value is not doubled. Only one at the end of the field closes it.
            let closes = || match bytes[at + 1..] {
                [b'\r', b'\n', ..] => true,
                [next, ..] => quotes == Quotes::Doubled || ends(next),
                [] => true,
            };
            place = match byte {
                _ if escaped => {
                    escaped = false;
                    still
                }
                b'\\' if escape => {
                    escaped = true;
                    still
                }
                b'"' if place == Place::Quoted && closes() => Place::Closed,
                b'"' if quotes == Quotes::Doubled && place == Place::Closed => Place::Quoted,
                b'"' if quotes != Quotes::None && place == Place::Start => Place::Quoted,
                _ if place == Place::Quoted => Place::Quoted,
                b'\n' => return Some(Record { length: at + 1, fields, crlf: place == Place::Return }),
                b'\r' => Place::Return,
                byte if Some(*byte) == delimiter => {
                    fields += 1;
                    Place::Start
                }
                _ => Place::Within,
            };
        }
        None
    }

    /// A record of `width` characters, which may include line breaks, if a line ends after them; otherwise, a record up to
    /// the first newline.
    fn of_width(bytes: &[u8], width: usize) -> Option<Record> {
        let newline = bytes.iter().position(|byte| *byte == b'\n')?;
        let end = behind(bytes, width);
        if let Some((crlf, ending)) = end.and_then(|end| ending(&bytes[end..])) {
            let length = end.unwrap_or_default() + ending;
            // If all lines are of the same length, they are more likely records of another width.
            let mut lines = bytes[..length - ending].split(|byte| *byte == b'\n').map(characters);
            let first = lines.next();
            if newline >= length - ending || lines.any(|line| Some(line) != first) {
                return Some(Record { length, fields: width, crlf });
            }
        }
        let line = &bytes[..newline];
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        Some(Record { length: newline + 1, fields: characters(text), crlf: text.len() < line.len() })
    }
}

fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| begins_character(byte)).count()
}

/// The index after the first `characters` characters.
fn behind(bytes: &[u8], characters: usize) -> Option<usize> {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| begins_character(byte)).map(|(at, _)| at);
    starts.chain([bytes.len()]).nth(characters)
}

/// Whether a byte begins a character, in UTF-8.
fn begins_character(byte: &u8) -> bool {
    !matches!(byte, 0x80..=0xbf)
}

/// Whether bytes begin with a line ending, which of the two, and how long it is.
fn ending(bytes: &[u8]) -> Option<(bool, usize)> {
    match bytes {
        [b'\r', b'\n', ..] => Some((true, 2)),
        [b'\n', ..] => Some((false, 1)),
        _ => None,
    }
}

/// What quotation marks around a value mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    /// CSV: a quotation mark within the value is doubled.
    Doubled,
    /// ADDQUOTES: the value is between them unchanged.
    Around,
}

/// Where in a field a byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Within,
    Quoted,
    /// After a quotation mark that ended it, or was the first of a doubled one.
    Closed,
    /// After a carriage return.
    Return,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unload::Options;

    fn first(sql: &str, bytes: &str) -> Option<(usize, usize)> {
        let record = Record::first(bytes.as_bytes(), &Options::parse(sql).unwrap().dialect);
        record.map(|record| (record.length, record.fields))
    }

    #[test]
    fn ends_at_the_first_newline_that_is_not_a_value() {
        assert_eq!(first("", "a|b\n1|2\n"), Some((4, 2)));
        assert_eq!(first("", "a\\\n1|2\n"), Some((3, 1)), "no escape character");
        assert_eq!(first("ESCAPE", "a\\\nb|c\\|d\\\\|e\n"), Some((14, 3)));
        assert_eq!(first("ADDQUOTES", "\"a\nb\"|\"c|d\"\n"), Some((12, 2)));
        assert_eq!(first("ADDQUOTES ESCAPE", "\"a\\\"\nb\"|\"c\"\n"), Some((12, 2)));
        assert_eq!(first("CSV", "\"say \"\"hi\"\"\n\",b\nx"), Some((16, 2)));
        assert_eq!(first("CSV DELIMITER ';'", "a,b;c\n"), Some((6, 2)));
        assert_eq!(first("CSV", "\n"), Some((1, 1)));
        assert_eq!(first("CSV", "5\" pipe,\"a\"\n"), Some((12, 2)), "a quote within a field is nothing else");
    }

    #[test]
    fn quotes_around_a_value_may_hold_others() {
        assert_eq!(first("ADDQUOTES", "\"say \"hi\"\"|2\nx"), Some((13, 2)));
        assert_eq!(first("ADDQUOTES", "\"\"\"|\"\"|\"a\"b\"\n3|"), Some((13, 3)));
        assert_eq!(first("ADDQUOTES", "\"5\"\"\r\nx"), Some((6, 1)));
        assert_eq!(first("ADDQUOTES DELIMITER ','", "1,\"5\"\"\n2,"), Some((7, 2)));
    }

    #[test]
    fn a_fixed_width_may_hold_a_line_break() {
        let sql = "FIXEDWIDTH 'a:3,b:4'";
        assert_eq!(first(sql, "1  a\nbc\n2  x"), Some((8, 7)));
        assert_eq!(first(sql, "1  a\r\nö\r\n2  x"), Some((10, 7)));
        assert_eq!(first(sql, "1  abc\r\n2  x"), Some((8, 7)), "the return is a value's last");
        assert_eq!(first(sql, "1  abcd\n2  x"), Some((8, 7)));
        assert_eq!(first(sql, "1  ab\n2  x"), Some((6, 5)), "too narrow");
        assert_eq!(first("FIXEDWIDTH 'a:5'", "12\n34\n56\n"), Some((3, 2)), "lines that are alike are records");
    }

    #[test]
    fn tells_how_it_ends() {
        for (sql, bytes, crlf) in [
            ("", "a|b\r\n", true),
            ("", "a\r|b\n", false),
            ("ESCAPE", "a|b\\\r\n", false),
            ("ADDQUOTES", "\"a\r\n\"\n", false),
            ("CSV", "\"a\"\r\n", true),
            ("FIXEDWIDTH 'a:1'", "a\r\n", true),
        ] {
            let record = Record::first(bytes.as_bytes(), &Options::parse(sql).unwrap().dialect);
            assert_eq!(record.map(|record| record.crlf), Some(crlf), "{sql} {bytes:?}");
        }
    }

    #[test]
    fn is_none_where_it_goes_on() {
        assert_eq!(first("CSV", ""), None);
        assert_eq!(first("CSV", "a,\"b\n"), None);
        assert_eq!(first("", "a|b"), None);
    }
}
