//! The first bytes of a job's sources, which tell how they are compressed and how they begin.

use bytes::Bytes;

use super::plan;
use super::range::ByteRange;
use crate::s3::{Object, S3, S3Error};
use crate::uri::Uri;

/// What is read of the first source with any bytes: as much as the part that carries the header must have.
const LEAD: u64 = plan::S3.min_part;

/// The first bytes of a job: those of the first source that has any.
#[derive(Debug)]
pub struct Lead {
    /// Its place in the job.
    pub source: usize,
    pub uri: Uri,
    pub size: u64,
    pub bytes: Bytes,
}

impl Lead {
    /// That of the first source with any bytes, from this one on.
    pub async fn read(s3: &S3, objects: &[Object], from: usize) -> Result<Lead, S3Error> {
        let source = (from..objects.len()).find(|index| objects[*index].size > 0).unwrap_or_default();
        let Object { uri, size, .. } = &objects[source];
        let bytes = match ByteRange::new(0, LEAD.min(*size)) {
            Some(range) => s3.get_range(&objects[source], range).await?,
            None => Bytes::new(),
        };
        Ok(Lead { source, uri: uri.clone(), size: *size, bytes })
    }

    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.size
    }
}
