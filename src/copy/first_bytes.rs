//! The first bytes of a job's sources.

use super::plan::Limits;
use crate::s3::{HeldBytes, ObjectVersion, S3, S3Error};
use crate::uri::Uri;

/// How much is read of the first source that has any bytes: as much as the part with the header must have.
pub const LENGTH: u64 = Limits::AWS.min_part;

/// The first 5 MiB of the first source that has any bytes, or all of it if it has fewer.
#[derive(Clone, Debug)]
pub struct FirstBytes {
    /// The index of that source among the job's.
    pub source: usize,
    pub uri: Uri,
    /// The size of that source.
    pub size: u64,
    pub bytes: HeldBytes,
}

impl FirstBytes {
    pub async fn read(s3: &S3, objects: &[ObjectVersion]) -> Result<FirstBytes, S3Error> {
        let source = objects.iter().position(|object| object.size > 0).unwrap_or_default();
        let ObjectVersion { uri, size, .. } = &objects[source];
        let bytes = s3.start(&objects[source], LENGTH).await?;
        Ok(FirstBytes { source, uri: uri.clone(), size: *size, bytes })
    }

    /// Whether these are all bytes of the source.
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.size
    }
}
