//! What can go wrong in the function, and how Lambda is told. Each room has errors of its own; they are gathered here.

use std::fmt;

use lambda_runtime::Diagnostic;

use crate::copy::CopyError;
use crate::event::EventError;
use crate::header::HeaderError;
use crate::s3::S3Error;
use crate::settings::SettingError;
use crate::unload::incompleteness::listed;
use crate::unload::{Compression, Incompleteness};
use crate::uri::Uri;

/// A variant has the name that Lambda shows as errorType, but those that hold the error of one room: see [`Error::kind`].
#[derive(strum::IntoStaticStr, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    #[strum(serialize = "InvalidSetting")]
    Setting(#[from] SettingError),
    #[error(transparent)]
    #[strum(serialize = "InvalidEvent")]
    Event(#[from] EventError),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    S3(#[from] S3Error),
    #[error(
        "{uri} is not in UNLOAD_BUCKET={bucket:?}; correct what sends its event, or deploy a stack for that bucket"
    )]
    OtherBucket { uri: Uri, bucket: String },
    #[error("{uri} is not there; it was deleted, or is not written yet")]
    ObjectMissing { uri: Uri },
    #[error("the manifest {manifest} lists {entry}, which is not below {below} in its own bucket")]
    ManifestEntryElsewhere { manifest: Uri, entry: Uri, below: String },
    #[error(
        "{target} is the final object of {other}, and {job} would take its place; give them final keys of their own, \
         by other unload prefixes or another FINAL_KEY or FINAL_BUCKET, or delete the object if it is not needed any more"
    )]
    FinalKeyTaken { target: Uri, other: String, job: String },
    #[error(
        "{target} was made of what the manifest {manifest} listed, which is gone; what is there now may be a part of it, and \
         does not replace it; delete the final object if it is not needed any more"
    )]
    ManifestGone { target: Uri, manifest: Uri },
    #[error("the unload of {} is not complete yet: {_0}", _0.manifest)]
    UnloadIncomplete(Box<Incompleteness>),
    #[error(
        "{uri} is {}, but {first}, which comes before it, is {}; slices of one unload can be put together only if they \
         are compressed alike",
        compressed(*found), compressed(*expected)
    )]
    MixedCompression { uri: Uri, found: Option<Compression>, first: Uri, expected: Option<Compression> },
    #[error(
        "{uri} does not begin as {first} does, with the same header and byte order mark; they are not of one unload, or \
         one of them has none"
    )]
    HeadersDiffer { uri: Uri, first: Uri },
    #[error(
        "{uri} is {} by the options, and {} by its content; correct the options", compressed(*said), compressed(*found)
    )]
    CompressionDiffers { uri: Uri, said: Option<Compression>, found: Option<Compression> },
    #[error(
        "{uri} was encrypted by the client (it has x-amz-meta-x-amz-key), so that a header can't be put in front; \
         unload with ENCRYPTED and KMS_KEY_ID instead"
    )]
    ClientSideEncrypted { uri: Uri },
    #[error(
        "{uri} is archived in the storage class {class}, from which nothing can be read or copied; restore it, and send \
         its event again"
    )]
    ObjectArchived { uri: Uri, class: String },
    #[error("{uri} was begun {tries} times, and each time something had changed meanwhile, at last: {last}")]
    KeepsChanging { uri: Uri, tries: u32, last: String },
    #[error("the function's time is up: {uri} is left to the next try")]
    OutOfTime { uri: Uri },
    #[error("{} of {total} objects failed: {}", failures.len(), listed(failures, "; "))]
    SeveralObjectsFailed { total: usize, failures: Vec<Error> },
}

impl Error {
    /// What Lambda shows as errorType.
    pub fn kind(&self) -> String {
        match self {
            Error::Header(error) => error.kind(),
            Error::Copy(error) => error.kind(),
            Error::S3(error) => error.kind(),
            other => <&str>::from(other).to_owned(),
        }
    }

    /// Whether the same job may succeed later, though nobody does anything about it.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::S3(error) | Error::Header(HeaderError::S3(error)) => error.is_transient(),
            Error::Copy(error) => error.is_transient(),
            Error::UnloadIncomplete(_) | Error::KeepsChanging { .. } | Error::OutOfTime { .. } => true,
            _ => false,
        }
    }

    /// One error for all that failed; `None` if nothing did.
    pub fn of_all(total: usize, mut failures: Vec<Error>) -> Option<Error> {
        match failures.len() {
            0 | 1 => failures.pop(),
            _ => Some(Error::SeveralObjectsFailed { total, failures }),
        }
    }
}

fn compressed(compression: Option<Compression>) -> String {
    compression.map_or("not compressed".to_owned(), |compression| compression.to_string())
}

/// As `Display`: the runtime logs a failure by its `Debug`, for people to read.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        Diagnostic { error_type: error.kind(), error_message: error.to_string() }
    }
}
