//! The first bytes of a job's sources, which tell how they are compressed and how they begin.

use bytes::Bytes;

use super::plan;
use super::range::ByteRange;
use crate::header::first::{self, First, Opening};
use crate::s3::{Object, S3, S3Error};
use crate::unload::Dialect;
use crate::unload::options::Compression;
use crate::uri::Uri;

/// What is read of the first source with any bytes: as much as the part that carries the header must have.
const LEAD: u64 = plan::S3.min_part;

/// What is read to find out whether rows name their columns themselves, in bytes.
const LOOK: u64 = 64 << 10;

/// Why sources need no names, if the first bytes of the first one with rows say so.
pub async fn names_itself(s3: &S3, objects: &[Object], may_be_json: bool) -> Result<Option<&'static str>, S3Error> {
    for object in objects {
        let Some(range) = ByteRange::new(0, LOOK.min(object.size)) else { continue };
        let start = s3.get_range(object, range).await?;
        let (is_whole, compression) = (range.end == object.size, Compression::of(&start));
        if Opening::of(&start, is_whole, compression, &Dialect::Json).first != First::Empty {
            return Ok(first::names_itself(&start, may_be_json));
        }
    }
    Ok(None)
}

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
