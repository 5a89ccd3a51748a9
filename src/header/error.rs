//! Why there is no header for an object.

use super::columns::ColumnsError;
use super::encode::EncodeError;
use crate::s3::S3Error;
use crate::settings::SettingError;
use crate::unload::Compression;
use crate::unload::manifest::ManifestError;
use crate::unload::options::OptionsError;
use crate::uri::Uri;

/// A variant has the name that Lambda shows as errorType, but those that [`HeaderError::kind`] names.
#[derive(Debug, strum::IntoStaticStr, thiserror::Error)]
pub enum HeaderError {
    #[error("no columns for {uri}: looked at {looked}")]
    ColumnsNotFound { uri: Uri, looked: String },
    #[error("the header list in {place} can't be used: {source}")]
    InvalidColumns { place: String, source: ColumnsError },
    #[error("the options in {place} can't be used: {source}")]
    InvalidOptions { place: String, source: OptionsError },
    #[error("the manifest {uri} can't be used: {source}")]
    InvalidManifest { uri: Uri, source: ManifestError },
    #[error(
        "{uri} has columns in two places, {one} and {other}, and nothing tells which of the two unloads it belongs to; \
         remove one of them, or write the object's own sidecar, {uri}.headers"
    )]
    ColumnsAmbiguous { uri: Uri, one: Uri, other: Uri },
    #[error(
        "{place} names {}, so that the first record of {uri} should have {}, but it has {found}{}; {cause}correct the \
         names or the options, or set CHECK_COLUMNS=off",
        counted(*columns, "column"),
        counted(*expected, if *by_width { "character" } else { "field" }),
        shown(record.as_deref())
    )]
    ColumnsDiffer {
        uri: Uri,
        place: String,
        columns: usize,
        expected: usize,
        found: usize,
        by_width: bool,
        /// The likely cause, as a clause of the message, or nothing.
        cause: String,
        /// The first characters of the record, if they may be shown.
        record: Option<String>,
    },
    #[error(
        "the first record of {uri} does not end within what is looked at (5 MiB, or 16 MiB decompressed), so that its \
         fields can't be counted; correct the options, or set CHECK_COLUMNS=off"
    )]
    RecordUnended { uri: Uri },
    #[error(
        "the first record of {uri}, which HEADER in the options says is a header, does not end within what is looked at \
         (5 MiB); correct the options"
    )]
    HeaderTooLong { uri: Uri },
    #[error(
        "the first record of {uri} is the header itself, and nothing says whether it is one or a row; say HEADER in the \
         options if UNLOAD wrote it, or set CHECK_COLUMNS=off with options that do not say HEADER, and it is a row"
    )]
    HeaderOrRow { uri: Uri },
    #[error(
        "{uri} has a header of its own within {compression}, where it can't be cut off or replaced; unload \
         without HEADER"
    )]
    HeaderInside { uri: Uri, compression: Compression },
    #[error(
        "{uri} begins with a byte order mark within {compression}, where it can't be moved before a header; \
         write the object without one"
    )]
    ByteOrderMarkInside { uri: Uri, compression: Compression },
    #[error("no header for {uri} from {place}: {source}")]
    HeaderUnwritable { uri: Uri, place: String, source: EncodeError },
    #[error("the header for {uri} can't be compressed: {source}")]
    HeaderUncompressible { uri: Uri, source: std::io::Error },
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error(transparent)]
    S3(#[from] S3Error),
}

impl HeaderError {
    /// What Lambda shows as errorType.
    pub fn kind(&self) -> String {
        match self {
            HeaderError::S3(error) => error.kind(),
            HeaderError::Setting(_) => "InvalidSetting".to_owned(),
            HeaderError::HeaderUnwritable { source: EncodeError::TooLong(_), .. } => "HeaderTooLong".to_owned(),
            other => <&str>::from(other).to_owned(),
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn shown(record: Option<&str>) -> String {
    record.map_or_else(String::new, |record| format!(" (it begins {record:?})"))
}
