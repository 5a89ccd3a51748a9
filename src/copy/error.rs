//! Why a final object could not be written, or not be proved.

use super::plan::PlanError;
use crate::s3::S3Error;
use crate::uri::Uri;

/// A variant has the name that Lambda shows as errorType, but `Rewritten`, which is `KeepsChanging`, and `S3`.
#[derive(Debug, strum::IntoStaticStr, thiserror::Error)]
pub enum CopyError {
    #[error("{uri} does not end in a newline, or is not compressed like those before it")]
    SlicesUnlike { uri: Uri },
    #[error("{uri} can't be written: {source}")]
    ObjectTooLarge { uri: Uri, source: PlanError },
    #[error("{uri} was written with {found}, but {expected} was sent; it can't be right")]
    ResultUnproved { uri: Uri, expected: String, found: String },
    #[error("{uri} was written with ETag {etag}, and has {found} already: somebody else writes there as well")]
    #[strum(serialize = "KeepsChanging")]
    Rewritten { uri: Uri, etag: String, found: String },
    #[error("{uri} was written, and has been deleted since")]
    ObjectMissing { uri: Uri },
    #[error(
        "the function's time is up: S3 has {done} of the {all} parts of {uri}, and the next try goes on from there"
    )]
    OutOfTime { uri: Uri, done: usize, all: usize },
    #[error(transparent)]
    S3(#[from] S3Error),
}

impl CopyError {
    /// The same of a final object, `all` of whose parts are those of its intermediate objects as well: so many of them
    /// were done before.
    pub fn of_final(self, target: &Uri, before: usize, all: usize) -> CopyError {
        match self {
            CopyError::OutOfTime { done, .. } => CopyError::OutOfTime { uri: target.clone(), done: before + done, all },
            other => other,
        }
    }

    /// What Lambda shows as errorType.
    pub fn kind(&self) -> String {
        match self {
            CopyError::S3(error) => error.kind(),
            other => <&str>::from(other).to_owned(),
        }
    }

    /// Whether the same plan may succeed later, so that the parts which S3 has are worth keeping.
    pub fn is_transient(&self) -> bool {
        match self {
            CopyError::S3(error) => error.is_transient(),
            CopyError::OutOfTime { .. } => true,
            _ => false,
        }
    }
}
