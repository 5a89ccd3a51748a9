//! The first record of a file, read in the file's dialect.

use super::Dialect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// In bytes, its newline included.
    pub length: usize,
    pub fields: usize,
    /// It ends in a carriage return and a newline, neither of them part of a value.
    pub crlf: bool,
}

impl Record {
    /// The record that `bytes` begin with; `None` where it does not end within them. A newline within
    /// quotes or behind an escape character does not end it.
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
            Dialect::Csv { delimiter } => (Some(*delimiter), true, false),
            Dialect::Text { delimiter, add_quotes, escape } => (Some(*delimiter), *add_quotes, *escape),
            Dialect::FixedWidth(_) | Dialect::Json | Dialect::Parquet => (None, false, false),
        };
        let (mut fields, mut escaped, mut place) = (1, false, Place::Start);
        for (at, byte) in bytes.iter().enumerate() {
            let still = if place == Place::Quoted { Place::Quoted } else { Place::Within };
            place = match byte {
                _ if escaped => {
                    escaped = false;
                    still
                }
                b'\\' if escape => {
                    escaped = true;
                    still
                }
                b'"' if place == Place::Quoted => Place::Closed,
                b'"' if quotes && matches!(place, Place::Start | Place::Closed) => Place::Quoted,
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
}

/// Where in a field a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Within,
    Quoted,
    /// Behind a quote that ended it, or was the first of two that stand for one.
    Closed,
    /// Behind a carriage return.
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
