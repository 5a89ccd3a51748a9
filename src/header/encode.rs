//! The header line, written as UNLOAD itself writes a header.
//!
//! "Text transformation options, such as CSV, DELIMITER, ADDQUOTES, and ESCAPE, also apply to the
//! header line" (AWS, Redshift database developer guide, UNLOAD, "HEADER").

use crate::unload::Dialect;
use crate::unload::options::Field;

/// The most that a header may have, in bytes: 5 MiB. Redshift's 1,600 columns with names of 127 bytes
/// take 4 % of it.
pub const MAX_HEADER: usize = 5 << 20;

#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error(
        "the name of column {position}, {name:?}, has {what} in it, which {dialect} has no way to write; \
         unload with {instead}, or choose another name"
    )]
    Unwritable { position: usize, name: String, what: &'static str, dialect: &'static str, instead: &'static str },
    #[error("the name of column {position}, {name:?}, has {length} characters, but its column is {width} wide")]
    TooWide { position: usize, name: String, length: usize, width: usize },
    #[error("there are {names} column names, but FIXEDWIDTH has {fields} columns")]
    Count { names: usize, fields: usize },
    #[error("it would have {0} bytes, and at most {MAX_HEADER} are allowed")]
    TooLong(usize),
    #[error("{0} has no header line")]
    NoHeader(&'static str),
    #[error("the header can't be written as CSV: {0}")]
    Csv(#[from] csv::Error),
}

/// The header line with its `\n`, in the file's dialect.
///
/// ```
/// use unload_header::{header::encode, unload::Options};
/// let names = ["id".to_owned(), "a;b".to_owned()];
/// let options = Options::parse("CSV DELIMITER ';'")?;
/// assert_eq!(encode(&names, &options.dialect)?, b"id;\"a;b\"\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode(names: &[String], dialect: &Dialect) -> Result<Vec<u8>, EncodeError> {
    let line = match dialect {
        Dialect::Text { delimiter, add_quotes, escape } => text(names, *delimiter, *add_quotes, *escape),
        Dialect::Csv { delimiter } => csv(names, *delimiter),
        Dialect::FixedWidth(fields) => fixed_width(names, fields),
        Dialect::Parquet => Err(EncodeError::NoHeader("PARQUET")),
        Dialect::Json => Err(EncodeError::NoHeader("JSON")),
    }?;
    match line.len() {
        0..=MAX_HEADER => Ok(line),
        length => Err(EncodeError::TooLong(length)),
    }
}

fn csv(names: &[String], delimiter: u8) -> Result<Vec<u8>, EncodeError> {
    let mut line = Vec::new();
    let newline = csv::Terminator::Any(b'\n');
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).terminator(newline).from_writer(&mut line);
    writer.write_record(names)?;
    writer.flush().map_err(csv::Error::from)?;
    drop(writer);
    Ok(line)
}

fn text(names: &[String], delimiter: u8, add_quotes: bool, escape: bool) -> Result<Vec<u8>, EncodeError> {
    let delimiter = char::from(delimiter);
    let mut line = String::new();
    for (index, name) in names.iter().enumerate() {
        let unwritable = |what, dialect, instead| {
            Err(EncodeError::Unwritable { position: index + 1, name: name.clone(), what, dialect, instead })
        };
        if escape {
            // An escape character can precede whatever else the name has.
        } else if add_quotes && name.contains('"') {
            return unwritable("a quotation mark", "ADDQUOTES without ESCAPE", "CSV or with ESCAPE");
        } else if !add_quotes && name.contains(delimiter) {
            return unwritable("the delimiter", "text without ADDQUOTES or ESCAPE", "CSV, ADDQUOTES or ESCAPE");
        } else if !add_quotes && name.contains(['\n', '\r']) {
            return unwritable("a line break", "text without ADDQUOTES or ESCAPE", "CSV, ADDQUOTES or ESCAPE");
        }
        if index > 0 {
            line.push(delimiter);
        }
        line.extend(add_quotes.then_some('"'));
        for c in name.chars() {
            let special = matches!(c, '\n' | '\r' | '\\') || c == delimiter || add_quotes && matches!(c, '"' | '\'');
            line.extend((escape && special).then_some('\\'));
            line.push(c);
        }
        line.extend(add_quotes.then_some('"'));
    }
    line.push('\n');
    Ok(line.into_bytes())
}

fn fixed_width(names: &[String], fields: &[Field]) -> Result<Vec<u8>, EncodeError> {
    if names.len() != fields.len() {
        return Err(EncodeError::Count { names: names.len(), fields: fields.len() });
    }
    // Every character has a byte at least, so this line would be refused. Refusing it here saves making it.
    if Field::sum(fields) >= MAX_HEADER {
        return Err(EncodeError::TooLong(Field::sum(fields).saturating_add(1)));
    }
    let mut line = String::new();
    for (index, (name, Field { width, .. })) in names.iter().zip(fields).enumerate() {
        let (position, length) = (index + 1, name.chars().count());
        if name.contains(['\n', '\r']) {
            let (what, dialect, instead) = ("a line break", "FIXEDWIDTH", "CSV");
            return Err(EncodeError::Unwritable { position, name: name.clone(), what, dialect, instead });
        }
        if length > *width {
            return Err(EncodeError::TooWide { position, name: name.clone(), length, width: *width });
        }
        line.push_str(name);
        line.extend(std::iter::repeat_n(' ', width - length));
    }
    line.push('\n');
    Ok(line.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unload::Options;

    fn encoded(sql: &str, names: &[&str]) -> Result<String, EncodeError> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let line = encode(&names, &Options::parse(sql).unwrap().dialect)?;
        Ok(String::from_utf8(line).unwrap())
    }

    fn line(sql: &str, names: &[&str]) -> String {
        encoded(sql, names).unwrap()
    }

    fn error(sql: &str, names: &[&str]) -> String {
        encoded(sql, names).unwrap_err().to_string()
    }

    #[test]
    fn text_as_it_is() {
        assert_eq!(
            line("", &["eventid", "event name", "a,b", "größe", "\"q\""]),
            "eventid|event name|a,b|größe|\"q\"\n"
        );
        assert_eq!(line("DELIMITER '\\t'", &["a", "b|c"]), "a\tb|c\n");
    }

    #[test]
    fn text_refuses_names_that_would_be_two_columns_or_lines() {
        assert_eq!(
            error("", &["a", "b|c"]),
            "the name of column 2, \"b|c\", has the delimiter in it, which text without ADDQUOTES or ESCAPE has no \
             way to write; unload with CSV, ADDQUOTES or ESCAPE, or choose another name"
        );
        assert!(error("", &["a\nb"]).contains("a line break"));
        assert!(error("ADDQUOTES", &["say \"hi\""]).contains("a quotation mark"));
    }

    #[test]
    fn text_with_quotes() {
        assert_eq!(line("ADDQUOTES", &["a|b", "c"]), "\"a|b\"|\"c\"\n");
    }

    #[test]
    fn text_with_escapes() {
        assert_eq!(line("ESCAPE", &["a|b", "c\\d", "e\nf", "g\"h'"]), "a\\|b|c\\\\d|e\\\nf|g\"h'\n");
        assert_eq!(line("ESCAPE ADDQUOTES DELIMITER ','", &["a,b", "g\"h'"]), "\"a\\,b\",\"g\\\"h\\'\"\n");
    }

    #[test]
    fn csv_quotes_only_what_needs_it() {
        assert_eq!(
            line("CSV", &["id", "a b", "a,b", "say \"hi\"", "x\ny", "x\ry"]),
            "id,a b,\"a,b\",\"say \"\"hi\"\"\",\"x\ny\",\"x\ry\"\n"
        );
        assert_eq!(line("CSV DELIMITER ';'", &["a,b", "a;b"]), "a,b;\"a;b\"\n", "a comma is no delimiter here");
    }

    #[test]
    fn fixed_width_pads_and_never_cuts() {
        assert_eq!(line("FIXEDWIDTH 'a:4,b:6'", &["id", "größe"]), "id  größe \n");
        assert_eq!(
            error("FIXEDWIDTH 'a:2'", &["größe"]),
            "the name of column 1, \"größe\", has 5 characters, but its column is 2 wide"
        );
        assert_eq!(error("FIXEDWIDTH 'a:2'", &["a", "b"]), "there are 2 column names, but FIXEDWIDTH has 1 columns");
    }

    #[test]
    fn the_longest_that_redshift_can_ask_for() {
        let longest: Vec<_> = (0..1_600).map(|number| format!("{number:04}{}", "\"".repeat(123))).collect();
        let dialect = Options::parse("CSV").unwrap().dialect;
        assert_eq!(encode(&longest, &dialect).unwrap().len(), 1_600 * (2 + 127 + 123 + 1), "each \" twice");
        assert_eq!(line("FIXEDWIDTH 'a:5242879'", &["a"]).len(), MAX_HEADER);
        assert!(error("FIXEDWIDTH 'a:5242880'", &["a"]).contains("5242881 bytes, and at most 5242880"));
        let most = usize::MAX;
        let sql = format!("FIXEDWIDTH 'a:{most},b:{most}'");
        assert!(error(&sql, &["a", "b"]).contains("at most"), "nothing overflows");
        let names = vec!["é".repeat(60_000); 50];
        assert_eq!(
            encode(&names, &dialect).unwrap_err().to_string(),
            "it would have 6000050 bytes, and at most 5242880 are allowed"
        );
    }

    #[test]
    fn formats_without_a_header_line() {
        assert_eq!(error("PARQUET", &["a"]), "PARQUET has no header line");
        assert_eq!(error("JSON", &["a"]), "JSON has no header line");
    }
}
