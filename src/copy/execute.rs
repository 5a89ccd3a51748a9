//! A plan carried out on S3: one PutObject, or a multipart upload that is completed or aborted.
//!
//! Every read and every copied part is pinned to its source's ETag. A crash between
//! CreateMultipartUpload and the abort, or a lost answer to the first, leaves an open upload behind,
//! which the bucket's lifecycle rule ends.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::plan::{self, Origin, Part, Piece, Plan};
use super::range::ByteRange;
use crate::error::Error;
use crate::s3::{Attributes, CompletedPart, Object, S3, S3Error, Upload};
use crate::uri::Uri;

/// All that a final object is made of.
#[derive(Debug)]
pub struct Job {
    pub header: Bytes,
    pub sources: Vec<Object>,
    /// The first bytes of the first source, which had to be looked at anyway.
    pub head: Bytes,
    pub target: Uri,
    pub attributes: Attributes,
}

/// A final object that was written and looked at.
#[derive(Debug)]
pub struct Done {
    pub plan: Plan,
    pub etag: String,
    /// Bytes of the sources that were read, `Job::head` not counted.
    pub read: u64,
}

/// Writes the final object, and asks S3 for its size and ETag.
pub async fn execute(s3: &S3, job: &Job) -> Result<Done, Error> {
    let sizes: Vec<u64> = job.sources.iter().map(|source| source.size).collect();
    let plan = plan::plan(job.header.len() as u64, &sizes, &plan::S3)
        .map_err(|source| Error::Plan { uri: job.target.clone(), source })?;
    let etag = match plan.parts.as_slice() {
        [] => s3.put(&job.target, Bytes::new(), &job.attributes).await?,
        [Part::Upload(pieces)] => s3.put(&job.target, job.bytes(s3, pieces).await?, &job.attributes).await?,
        parts => multipart(s3, job, parts, plan.length).await?,
    };
    prove(s3, &job.target, plan.length, &etag).await?;
    let read = plan.parts.iter().map(|part| job.unread(part)).sum();
    Ok(Done { plan, etag, read })
}

async fn multipart(s3: &S3, job: &Job, parts: &[Part], length: u64) -> Result<String, S3Error> {
    let upload = s3.create(&job.target, &job.attributes).await?;
    let written = async {
        let mut done: Vec<CompletedPart> = stream::iter(parts.iter().zip(1..))
            .map(|(part, number)| write(s3, job, &upload, number, part))
            .buffer_unordered(usize::try_from(plan::S3.in_flight).unwrap_or(1))
            .try_collect()
            .await?;
        done.sort_by_key(|part| part.part_number);
        s3.complete(&upload, done, length).await
    };
    match written.await {
        Ok(etag) => Ok(etag),
        Err(error) => {
            // Parts that were in flight may end after it, so that the upload has to be aborted again.
            if let Err(failure) = s3.abort(&upload).await {
                tracing::warn!(upload = upload.id, "the upload could not be aborted: {failure}");
            }
            Err(error)
        }
    }
}

async fn write(s3: &S3, job: &Job, upload: &Upload, number: i32, part: &Part) -> Result<CompletedPart, S3Error> {
    match part {
        Part::Upload(pieces) => s3.upload_part(upload, number, job.bytes(s3, pieces).await?).await,
        Part::Copy { source, range } => s3.copy_part(upload, number, &job.sources[*source], *range).await,
    }
}

impl Job {
    /// The bytes of an upload: from the header, from the head at hand, or read now.
    async fn bytes(&self, s3: &S3, pieces: &[Piece]) -> Result<Bytes, S3Error> {
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

    /// How many bytes of a part have to be read besides the head.
    fn unread(&self, part: &Part) -> u64 {
        let Part::Upload(pieces) = part else { return 0 };
        let unread = |piece: &&Piece| matches!(piece.of, Origin::Source(source) if !self.has(source, piece.range));
        pieces.iter().filter(unread).map(|piece| piece.range.length()).sum()
    }
}

/// The object that stands there now must be the one that was sent.
async fn prove(s3: &S3, target: &Uri, size: u64, etag: &str) -> Result<(), Error> {
    let found = s3.head(target).await?.ok_or_else(|| Error::Missing { uri: target.clone() })?;
    if (found.size, found.etag.as_str()) == (size, etag) {
        return Ok(());
    }
    let describe = |size: u64, etag: &str| format!("{size} bytes and ETag {etag}");
    Err(Error::Unproved {
        uri: target.clone(),
        expected: describe(size, etag),
        found: describe(found.size, &found.etag),
    })
}
