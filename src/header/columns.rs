//! The list of columns in a sidecar or in an object's metadata, in any of three forms.
//!
//! ```text
//! ["id", "full name"]                                     a JSON array
//! {"columns": ["id"], "options": "CSV GZIP", "bom": true} a JSON object; its options win over UNLOAD_OPTIONS
//! id,"full name"                                          text: one line is a CSV record,
//! id⏎full name⏎                                           several lines are one name each
//! ```
//!
//! Text that can be read in two ways is refused: a wrong header is worse than none.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;

use crate::unload::options::{masked, names_a_secret};

/// The size up to which a sidecar is read: 1 MiB.
pub const MAX_BYTES: u64 = 1 << 20;

/// How many characters of a line an error shows.
const SHOWN: usize = 100;

/// The column names, and what else was said with them.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    #[serde(rename = "columns")]
    pub names: Vec<String>,
    /// The options of the UNLOAD statement, as in UNLOAD_OPTIONS.
    pub options: Option<String>,
    /// The name under which a browser saves the final object.
    pub filename: Option<String>,
    pub bom: Option<bool>,
}

#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    #[error("the list of columns is empty")]
    Empty,
    #[error("column {position} has no name")]
    Unnamed { position: usize },
    #[error("byte {at} is not UTF-8; save the file as UTF-8")]
    Utf8 { at: usize },
    #[error("it begins like JSON, but is not the JSON of a header list: {}", told(_0))]
    Json(#[from] serde_json::Error),
    #[error(
        "line {line}, {text:?}, may be {one}, or {other}; write the names as a JSON array, like [\"id\", \"name\"]"
    )]
    Ambiguous { line: usize, text: String, one: &'static str, other: &'static str },
    #[error("it is no CSV record: {0}")]
    Csv(#[from] csv::Error),
}

impl Columns {
    /// Names alone, as a manifest has them.
    pub fn named(names: Vec<String>) -> Result<Columns, ColumnsError> {
        Columns { names, ..Columns::default() }.checked()
    }

    /// ```
    /// use unload_header::header::Columns;
    /// let columns = Columns::parse(b"id,\"full name\"\n")?;
    /// assert_eq!(columns.names, ["id", "full name"]);
    /// # Ok::<(), unload_header::header::columns::ColumnsError>(())
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Columns, ColumnsError> {
        let text = std::str::from_utf8(bytes).map_err(|error| ColumnsError::Utf8 { at: error.valid_up_to() })?;
        let text = text.trim_start_matches('\u{feff}').trim();
        match text.chars().next() {
            None => Err(ColumnsError::Empty),
            Some('[') => Columns::named(serde_json::from_str(text)?),
            Some('{') => serde_json::from_str::<Columns>(text)?.checked(),
            Some(_) => {
                let lines: Vec<&str> = text.lines().map(str::trim).collect();
                refuse_ambiguous(&lines)?;
                Columns::named(if lines.len() > 1 {
                    lines.into_iter().map(str::to_owned).collect()
                } else {
                    record(text)?
                })
            }
        }
    }

    /// Reads `x-amz-meta-headers`. S3 returns metadata that is not ASCII as RFC 2047 words (S3 user guide,
    /// "Working with object metadata").
    pub fn of_metadata(value: &str) -> Result<Columns, ColumnsError> {
        let words = format!("headers: {value}");
        match mailparse::parse_header(words.as_bytes()) {
            Ok((header, _)) if value.contains("=?") => Columns::parse(header.get_value().as_bytes()),
            _ => Columns::parse(value.as_bytes()),
        }
    }

    /// The names that occur more than once. Redshift allows that, and so does this.
    pub fn duplicates(&self) -> Vec<&str> {
        let (mut seen, mut twice) = (HashSet::new(), Vec::new());
        for name in &self.names {
            if !seen.insert(name.as_str()) && !twice.contains(&name.as_str()) {
                twice.push(name.as_str());
            }
        }
        twice
    }

    fn checked(self) -> Result<Columns, ColumnsError> {
        if self.names.is_empty() {
            return Err(ColumnsError::Empty);
        }
        match self.names.iter().position(|name| name.is_empty()) {
            Some(index) => Err(ColumnsError::Unnamed { position: index + 1 }),
            None => Ok(self),
        }
    }
}

/// Refuses text that may be meant in another way than it would be read.
fn refuse_ambiguous(lines: &[&str]) -> Result<(), ColumnsError> {
    let is_comment = |line: &&str| line.starts_with('#');
    let is_several = lines.len() > 1;
    for (index, line) in lines.iter().enumerate() {
        let (one, other) = if line.contains('\r') {
            ("one line with a carriage return in it", "several")
        } else if is_several && is_comment(line) && !lines.iter().all(is_comment) {
            ("a name", "a comment")
        } else if is_open(line) {
            ("a name with a quotation mark in it", "the beginning of a name that goes on behind it")
        } else if is_several && line.starts_with('"') {
            ("a name with quotation marks around it", "a quoted name, as in CSV")
        } else if is_several && line.contains(',') {
            ("one name with a comma in it", "a CSV record of several names")
        } else {
            continue;
        };
        let text = line.chars().take(SHOWN).collect();
        return Err(ColumnsError::Ambiguous { line: index + 1, text, one, other });
    }
    Ok(())
}

/// Whether a quotation mark at the beginning of a field is not closed within the line.
fn is_open(line: &str) -> bool {
    let (mut is_quoted, mut is_start) = (false, true);
    for c in line.chars() {
        match c {
            '"' if is_start || is_quoted => (is_quoted, is_start) = (!is_quoted, is_quoted),
            ',' if !is_quoted => is_start = true,
            c if c.is_whitespace() => (),
            _ => is_start = false,
        }
    }
    is_quoted
}

/// The message of an error. If it shows a value with a secret, only the place of the error.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !names_a_secret(&text) { text } else { format!("line {} column {}", error.line(), error.column()) }
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Columns { names, options, filename, bom } = self;
        let options = options.as_deref().map(masked);
        f.debug_struct("Columns")
            .field("names", names)
            .field("options", &options)
            .field("filename", filename)
            .field("bom", bom)
            .finish()
    }
}

fn record(line: &str) -> Result<Vec<String>, csv::Error> {
    // Most lines are as simple, and to make a reader takes a hundred times as long as this.
    match line.contains(['"', '\u{feff}']) {
        true => csv_record(line),
        false => Ok(line.split(',').map(|name| name.trim().to_owned()).collect()),
    }
}

fn csv_record(line: &str) -> Result<Vec<String>, csv::Error> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record)?;
    Ok(record.iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(text: &str) -> Vec<String> {
        Columns::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}")).names
    }

    fn error(text: &str) -> String {
        Columns::parse(text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn json_array() {
        assert_eq!(names(r#" ["id", " spaced ", "a,b", "größe"] "#), ["id", " spaced ", "a,b", "größe"]);
    }

    #[test]
    fn json_object_with_all_it_may_say() {
        let text = r#"{"columns": ["id"], "options": "CSV GZIP", "filename": "q.csv", "bom": true}"#;
        let columns = Columns::parse(text.as_bytes()).unwrap();
        assert_eq!((columns.options.as_deref(), columns.filename.as_deref()), (Some("CSV GZIP"), Some("q.csv")));
        assert_eq!(columns.bom, Some(true));
        assert_eq!(names(r#"{"columns": ["id"]}"#), ["id"]);
    }

    #[test]
    fn one_line_is_a_csv_record() {
        assert_eq!(names("id, name ,\"a, b\",\"say \"\"hi\"\"\"\r\n"), ["id", "name", "a, b", "say \"hi\""]);
        assert_eq!(names("id"), ["id"]);
    }

    proptest! {
        #[test]
        fn a_simple_line_is_split_as_csv_is(line in r#"[^"\r\n]{1,20}|[ ,a#'é\u{a0}]{1,10}"#) {
            prop_assume!(!line.trim().is_empty());
            prop_assert_eq!(record(line.trim()).unwrap(), csv_record(line.trim()).unwrap());
        }
    }

    #[test]
    fn several_lines_are_one_name_each() {
        assert_eq!(names("id\nprice net\r\n5\" pipe\n\n"), ["id", "price net", "5\" pipe"]);
        assert_eq!(names("#id\n#name"), ["#id", "#name"]);
    }

    #[test]
    fn refuses_what_can_be_read_in_two_ways() {
        for (text, line, other) in [
            ("id\nprice, net\n", 2, "a CSV record of several names"),
            ("id,name\ncity\n", 1, "a CSV record of several names"),
            ("id,\"full\nname\"", 1, "the beginning of a name that goes on behind it"),
            ("id\n\"full\nname\"", 2, "the beginning of a name that goes on behind it"),
            ("id,\"name", 1, "the beginning of a name that goes on behind it"),
            ("\"id\"\n\"name\"", 1, "a quoted name, as in CSV"),
            ("id\rname", 1, "several"),
            ("id\nna\rme\n", 2, "several"),
            ("# of the orders\nid\nname", 1, "a comment"),
            ("id\n#name", 2, "a comment"),
        ] {
            let error = error(text);
            assert!(error.starts_with(&format!("line {line}, ")), "{text:?}: {error}");
            assert!(error.contains(&format!("or {other}; write the names as a JSON array")), "{text:?}: {error}");
        }
        assert_eq!(names("#id,\"a\"\"b\",c"), ["#id", "a\"b", "c"]);
    }

    #[test]
    fn secrets_in_options_are_not_shown() {
        let text = r#"{"columns": ["id"], "options": "CREDENTIALS 'TOPSECRET' GZIP"}"#;
        let shown = format!("{:?}", Columns::parse(text.as_bytes()).unwrap());
        assert!(shown.contains("GZIP") && !shown.contains("TOPSECRET"), "{shown}");
        let error = error(r#"{"columns": "CREDENTIALS 'TOPSECRET'"}"#);
        assert!(error.ends_with("line 1 column 37") && !error.contains("TOPSECRET"), "{error}");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        assert_eq!(names("\u{feff}id,name"), ["id", "name"]);
        assert_eq!(names("\u{feff}[\"id\"]"), ["id"]);
    }

    #[test]
    fn metadata_may_be_rfc_2047_words() {
        let names = |value| Columns::of_metadata(value).unwrap().names;
        assert_eq!(names("=?UTF-8?Q?id,gr=C3=B6=C3=9Fe?="), ["id", "größe"]);
        assert_eq!(names("=?UTF-8?B?aWQsZ3LDtsOfZQ==?="), ["id", "größe"]);
        assert_eq!(names("=?UTF-8?B?aWQsZ3I=?= =?UTF-8?B?w7bDn2U=?="), ["id", "größe"], "words join");
        assert_eq!(names("[\"id\", \"a=?b\"]"), ["id", "a=?b"]);
        assert_eq!(names("id,name"), ["id", "name"]);
    }

    #[test]
    fn duplicates_are_kept_and_told() {
        let columns = Columns::parse(b"id,name,id,id").unwrap();
        assert_eq!(columns.names.len(), 4);
        assert_eq!(columns.duplicates(), ["id"]);
    }

    #[test]
    fn refuses_lists_that_name_nothing() {
        for text in ["", " \n ", "[]", r#"{"columns": []}"#] {
            assert!(matches!(Columns::parse(text.as_bytes()), Err(ColumnsError::Empty)), "{text}");
        }
        for text in ["id,,name", "id\n\nname", r#"["id", ""]"#, "id,"] {
            assert!(matches!(Columns::parse(text.as_bytes()), Err(ColumnsError::Unnamed { .. })), "{text}");
        }
        assert_eq!(error("id,,name"), "column 2 has no name");
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        assert_eq!(
            Columns::parse(b"id,caf\xe9").unwrap_err().to_string(),
            "byte 6 is not UTF-8; save the file as UTF-8"
        );
        assert!(error(r#"["id""#).starts_with("it begins like JSON, but is not"));
        assert!(error(r#"[1, 2]"#).contains("invalid type"));
        assert!(error(r#"{"colums": ["id"]}"#).contains("unknown field `colums`"), "a misspelt key is no key");
        assert!(error(r#"{"options": "CSV"}"#).contains("missing field `columns`"));
    }
}
