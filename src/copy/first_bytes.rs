//! The first bytes of a job's sources.

use bytes::Bytes;

use super::plan::Limits;
use crate::byte_range::ByteRange;
use crate::s3::{ObjectVersion, S3, S3Error};
use crate::uri::Uri;

/// How much is read of the first source that has any bytes: as much as the part with the header must have.
const LENGTH: u64 = Limits::AWS.min_part;

/// The first 5 MiB of the first source that has any bytes, or all of it if it has fewer.
#[derive(Clone, Debug)]
pub struct FirstBytes {
    /// The index of that source among the job's.
    pub source: usize,
    pub uri: Uri,
    /// The size of that source.
    pub size: u64,
    pub bytes: Bytes,
}

impl FirstBytes {
    /// Reads them; sources before the one with the index `from` are passed over.
    pub async fn read(s3: &S3, objects: &[ObjectVersion], from: usize) -> Result<FirstBytes, S3Error> {
        let source = (from..objects.len()).find(|index| objects[*index].size > 0).unwrap_or_default();
        let ObjectVersion { uri, size, .. } = &objects[source];
        let bytes = match ByteRange::new(0, LENGTH.min(*size)) {
            Some(range) => s3.get_range(&objects[source], range).await?,
            None => Bytes::new(),
        };
        Ok(FirstBytes { source, uri: uri.clone(), size: *size, bytes })
    }

    /// Whether these are all bytes of the source.
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.size
    }
}
