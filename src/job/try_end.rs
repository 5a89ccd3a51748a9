//! What a try assumes, and how it ends.

use crate::copy::CopyError;
use crate::error::Error;
use crate::header::HeaderError;
use crate::unload::Compression;

/// What a try takes for granted about its sources. If it turns out to be wrong, the next try knows better.
pub struct Assumptions {
    /// How they are compressed.
    pub compression: Option<Compression>,
    /// Some slices are not like the others: all are looked at before anything is written.
    pub slices_may_differ: bool,
    /// Lists tell of the slices what HEADs would.
    pub lists_are_right: bool,
    /// S3 tells the CRCs of small slices with their rows.
    pub crcs_come_with_rows: bool,
}

/// How a try ended.
pub enum TryEnd<T> {
    Finished(T),
    BeginAnew(BeginAnew),
}

/// Why a run begins anew.
pub enum BeginAnew {
    /// Something has changed since the try began.
    Overtaken(Error),
    /// S3 would have made another object than expected, or has shown other bytes than those of a source, or what lists do not
    /// tell of it.
    OtherResult(Error),
    /// A slice that had not been looked at is not like the others.
    SlicesDiffer(Error),
    /// The sources are compressed so, which was not assumed, and belong at another final key.
    OtherCompression(Option<Compression>),
}

impl BeginAnew {
    /// Whether a run begins anew after an error; if not, the error itself.
    pub fn after(error: Error) -> Result<BeginAnew, Error> {
        let of_s3 = match &error {
            Error::S3(s3) | Error::Header(HeaderError::S3(s3)) | Error::Copy(CopyError::S3(s3)) => Some(s3),
            _ => None,
        };
        match &error {
            _ if of_s3.is_some_and(|s3| s3.is_overtaken()) => Ok(BeginAnew::Overtaken(error)),
            _ if of_s3.is_some_and(|s3| s3.is_other_result()) => Ok(BeginAnew::OtherResult(error)),
            Error::Copy(CopyError::Rewritten { .. }) => Ok(BeginAnew::Overtaken(error)),
            Error::Copy(CopyError::SlicesUnlike { .. }) => Ok(BeginAnew::SlicesDiffer(error)),
            _ => Err(error),
        }
    }
}
