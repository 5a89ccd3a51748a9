//! What a final object is made of.

use bytes::{Bytes, BytesMut};

use super::plan::{Origin, Piece};
use super::range::ByteRange;
use super::seal::Fingerprint;
use crate::deadline::Deadline;
use crate::s3::{Attributes, Object, S3, S3Error, Stood};
use crate::uri::Uri;

/// All that it takes to write one.
#[derive(Debug)]
pub struct Job {
    pub header: Bytes,
    pub sources: Vec<Object>,
    /// The first bytes of the first source, which had to be looked at anyway.
    pub head: Bytes,
    pub target: Uri,
    /// What stood at the target before anything else of the job was looked at.
    pub stood: Stood,
    pub attributes: Attributes,
    pub fingerprint: Fingerprint,
    pub deadline: Deadline,
}

impl Job {
    /// The bytes of an upload: from the header, from the head at hand, or read now.
    pub async fn bytes(&self, s3: &S3, pieces: &[Piece]) -> Result<Bytes, S3Error> {
        let mut bytes = BytesMut::with_capacity(pieces.iter().map(|piece| piece.range.length() as usize).sum());
        for Piece { of, range } in pieces {
            let slice = range.start as usize..range.end as usize;
            match of {
                Origin::Header => bytes.extend_from_slice(&self.header[slice]),
                Origin::Source(source) if self.has(*source, *range) => bytes.extend_from_slice(&self.head[slice]),
                Origin::Source(source) => bytes.extend_from_slice(&s3.get_range(&self.sources[*source], *range).await?),
            }
        }
        Ok(bytes.freeze())
    }

    fn has(&self, source: usize, range: ByteRange) -> bool {
        source == 0 && range.end <= self.head.len() as u64
    }
}
