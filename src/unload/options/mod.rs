//! The options of an UNLOAD statement, in UNLOAD's own syntax, and the dialect that they make.
//!
//! `FORMAT CSV DELIMITER ';' GZIP` can be pasted from the statement as it is. What Redshift refuses is
//! refused here too, so that a mistake shows at once and not as a wrong header.
//!
//! Syntax and contradictions: AWS, Redshift database developer guide, UNLOAD.

mod grammar;
mod secret;
mod token;

use std::fmt;

use grammar::{Given, Keyword};
pub use secret::{masked, names_a_secret};

use super::compression::Compression;

/// How rows are written, and so the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Fields are divided by a delimiter, and may be quoted or escaped. This is the default, with `|`.
    Text {
        delimiter: u8,
        add_quotes: bool,
        escape: bool,
    },
    /// A field is quoted if it has to be, and a `"` in it is doubled.
    Csv {
        delimiter: u8,
    },
    FixedWidth(Vec<Field>),
    Parquet,
    Json,
}

/// A column of FIXEDWIDTH's spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// A name or a number, as the user chose.
    pub id: String,
    /// In characters, not bytes (AWS, Redshift database developer guide, "Unloading data in delimited or
    /// fixed-width format").
    pub width: usize,
}

impl Field {
    /// How many characters a record has.
    pub fn sum(fields: &[Field]) -> usize {
        fields.iter().fold(0, |sum, Field { width, .. }| sum.saturating_add(*width))
    }

    /// Whether the id is a name and not a number. Both are allowed: "anything that you choose".
    pub fn is_named(&self) -> bool {
        !self.id.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// What the options say that matters to a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether there are any options. Without any, it is not known either whether rows are compressed.
    pub stated: bool,
    pub dialect: Dialect,
    pub compression: Option<Compression>,
    /// HEADER: UNLOAD itself put the column names at the top of each object.
    pub header: bool,
    /// PARTITION BY without INCLUDE: the rows lack the columns that name their folders.
    pub rows_lack_partitions: bool,
    /// MANIFEST VERBOSE: UNLOAD writes a manifest with the column names.
    pub verbose_manifest: bool,
}

impl Default for Options {
    /// The options of a statement without any.
    fn default() -> Options {
        let dialect = Dialect::Text { delimiter: b'|', add_quotes: false, escape: false };
        Options {
            stated: false,
            dialect,
            compression: None,
            header: false,
            rows_lack_partitions: false,
            verbose_manifest: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    #[error("{0:?} is no option of UNLOAD")]
    Unknown(String),
    #[error("{option} needs {expected}, but finds {}", or_nothing(found.as_deref()))]
    Value { option: String, expected: &'static str, found: Option<String> },
    #[error("a quote is opened and not closed: {0}")]
    OpenQuote(String),
    #[error("a comment is opened and not closed: {0}")]
    OpenComment(String),
    #[error("{0} is given twice")]
    Twice(String),
    #[error("{0} can't be used with {1}")]
    Conflict(String, String),
    #[error("{0} needs {1} as well")]
    Needs(String, String),
}

impl Options {
    /// ```
    /// use unload_header::unload::{Dialect, Options};
    /// let options = Options::parse("FORMAT AS CSV DELIMITER ';' GZIP")?;
    /// assert_eq!(options.dialect, Dialect::Csv { delimiter: b';' });
    /// # Ok::<(), unload_header::unload::options::OptionsError>(())
    /// ```
    pub fn parse(sql: &str) -> Result<Options, OptionsError> {
        let given = grammar::parse(sql).map_err(|error| error.masked(sql))?;
        refuse_contradictions(&given)?;
        Ok(Options::from(&given))
    }
}

impl From<&Given> for Options {
    fn from(given: &Given) -> Options {
        let dialect = if given.has(Keyword::Parquet) {
            Dialect::Parquet
        } else if given.has(Keyword::Json) {
            Dialect::Json
        } else if given.has(Keyword::Csv) {
            Dialect::Csv { delimiter: given.delimiter.unwrap_or(b',') }
        } else if let Some(fields) = &given.fixed_width {
            Dialect::FixedWidth(fields.clone())
        } else {
            let (add_quotes, escape) = (given.has(Keyword::AddQuotes), given.has(Keyword::Escape));
            Dialect::Text { delimiter: given.delimiter.unwrap_or(b'|'), add_quotes, escape }
        };
        let compression = [
            (Keyword::Gzip, Compression::Gzip),
            (Keyword::Bzip2, Compression::Bzip2),
            (Keyword::Zstd, Compression::Zstd),
        ];
        let compression = compression.into_iter().find(|(keyword, _)| given.has(*keyword)).map(|(_, it)| it);
        let (stated, header) = (given.any(), given.has(Keyword::Header));
        let Given { rows_lack_partitions, verbose_manifest, .. } = *given;
        Options { stated, dialect, compression, header, rows_lack_partitions, verbose_manifest }
    }
}

fn refuse_contradictions(given: &Given) -> Result<(), OptionsError> {
    use Keyword::*;
    let contradictions: [(Keyword, &[Keyword]); 11] = [
        (Parquet, &[Csv, Json, Delimiter, FixedWidth, AddQuotes, Escape, Null, Header, Gzip, Bzip2, Zstd]),
        (Json, &[Csv, Delimiter, FixedWidth, AddQuotes, Escape, Null, Header]),
        (Csv, &[FixedWidth, AddQuotes, Escape]),
        (FixedWidth, &[Delimiter, Header]),
        (Gzip, &[Bzip2, Zstd]),
        (Bzip2, &[Zstd]),
        (CleanPath, &[AllowOverwrite]),
        (EncryptedAuto, &[KmsKeyId, MasterSymmetricKey]),
        (IamRole, &[Credentials, AccessKeyId, SecretAccessKey, SessionToken]),
        (Credentials, &[KmsKeyId, MasterSymmetricKey, AccessKeyId, SecretAccessKey, SessionToken]),
        (KmsKeyId, &[MasterSymmetricKey]),
    ];
    for (one, others) in contradictions {
        if let Some(other) = others.iter().find(|other| given.has(one) && given.has(**other)) {
            return Err(OptionsError::Conflict(one.to_string(), other.to_string()));
        }
    }
    let unreadable = [(b'"', Csv), (b'"', AddQuotes), (b'\\', Escape)];
    if let Some((sign, other)) = unreadable.into_iter().find(|it| given.delimiter == Some(it.0) && given.has(it.1)) {
        let delimiter = format!("{Delimiter} '{}'", char::from(sign));
        return Err(OptionsError::Conflict(delimiter, other.to_string()));
    }
    let encrypted = given.has(Encrypted) || given.has(EncryptedAuto);
    match [KmsKeyId, MasterSymmetricKey].into_iter().find(|key| given.has(*key)) {
        Some(key) if !encrypted => Err(OptionsError::Needs(key.to_string(), Encrypted.to_string())),
        _ if given.has(RowGroupSize) && !given.has(Parquet) => {
            Err(OptionsError::Needs(RowGroupSize.to_string(), Parquet.to_string()))
        }
        _ => Ok(()),
    }
}

fn or_nothing(found: Option<&str>) -> String {
    found.map_or_else(|| "nothing".to_owned(), |found| format!("\"{found}\""))
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Text { .. } => "text",
            Dialect::Csv { .. } => "CSV",
            Dialect::FixedWidth(_) => "FIXEDWIDTH",
            Dialect::Parquet => "PARQUET",
            Dialect::Json => "JSON",
        })
    }
}

#[cfg(test)]
mod tests;
