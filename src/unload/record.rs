//! The first record of a file, read in the file's dialect.

use super::Dialect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// In bytes, its newline included.
    pub length: usize,
    pub fields: usize,
}

impl Record {
    /// The record that `bytes` begin with; `None` where it does not end within them. A newline within
    /// quotes or behind an escape character does not end it.
    ///
    /// ```
    /// use unload_header::unload::{Options, Record};
    /// let dialect = Options::parse("CSV")?.dialect;
    /// assert_eq!(Record::first(b"id,\"a,\nb\"\n1,2\n", &dialect), Some(Record { length: 10, fields: 2 }));
    /// # Ok::<(), unload_header::unload::options::OptionsError>(())
    /// ```
    pub fn first(bytes: &[u8], dialect: &Dialect) -> Option<Record> {
        let (delimiter, quotes, escape) = match dialect {
            Dialect::Csv { delimiter } => (Some(*delimiter), true, false),
            Dialect::Text { delimiter, add_quotes, escape } => (Some(*delimiter), *add_quotes, *escape),
            Dialect::FixedWidth(_) | Dialect::Json | Dialect::Parquet => (None, false, false),
        };
        let (mut fields, mut quoted, mut escaped) = (1, false, false);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if escape => escaped = true,
                b'"' if quotes => quoted = !quoted,
                _ if quoted => (),
                b'\n' => return Some(Record { length: at + 1, fields }),
                byte => fields += usize::from(Some(*byte) == delimiter),
            }
        }
        None
    }
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
    }

    #[test]
    fn is_none_where_it_goes_on() {
        assert_eq!(first("CSV", ""), None);
        assert_eq!(first("CSV", "a,\"b\n"), None);
        assert_eq!(first("", "a|b"), None);
    }
}
