//! Conditional writes: what must be at a key for a write to be accepted, and what S3 answers to one.

use super::S3Error;
use crate::crc::Crc;

/// What must be at a key. S3 refuses the write with 412 if something else is there.
#[derive(Clone, Debug)]
pub enum Precondition {
    /// No object.
    Absent,
    /// The object with this ETag.
    Etag(String),
    /// Anything: for a server that knows no conditional writes.
    None,
}

/// What S3 says of an object that it has stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub etag: String,
    /// The CRC that S3 computed, if it says so.
    pub crc: Option<Crc>,
}

impl Precondition {
    /// Writes on this condition. To a server that answers 501, since it knows no conditional writes, it writes without.
    pub async fn held(&self, write: impl AsyncFn(&Precondition) -> Result<Stored, S3Error>) -> Result<Stored, S3Error> {
        match write(self).await {
            Err(error) if error.status == Some(501) => write(&Precondition::None).await,
            result => result,
        }
    }

    pub(super) fn if_none_match(&self) -> Option<String> {
        matches!(self, Precondition::Absent).then(|| "*".to_owned())
    }

    pub(super) fn if_match(&self) -> Option<String> {
        match self {
            Precondition::Etag(etag) => Some(etag.clone()),
            _ => None,
        }
    }
}
