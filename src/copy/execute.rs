//! A plan carried out on S3: one PutObject, or a multipart upload; and the proof of what came out.
//!
//! Every read and every copied part is pinned to its source's ETag, and the write that makes the final
//! object is refused if anything else has been written there since the job began.

use bytes::Bytes;

use super::job::Job;
use super::multipart::multipart;
use super::part::{self, Part, Piece};
use super::plan::{self, Plan};
use super::seal::{self, Seal};
use crate::crc::{Algorithm, Crc};
use crate::error::Error;
use crate::receipt::Proof;
use crate::s3::{S3, S3Error, Stood, Written, parts_in};
use crate::uri::Uri;

/// A final object that was written and proved.
#[derive(Debug)]
pub struct Done {
    pub plan: Plan,
    pub etag: String,
    pub proof: Proof,
}

/// Writes the final object, sealed, and proves it.
pub async fn execute(s3: &S3, job: &mut Job) -> Result<Done, Error> {
    let plan = plan::plan(job.line(), &plan::S3);
    let plan = plan.map_err(|source| Error::Plan { uri: job.target.clone(), source })?;
    let expected = job.crc();
    let (written, expected) = match plan.parts.as_slice() {
        [] => put(s3, job, &plan, &[], expected).await?,
        [Part::Upload(pieces)] => put(s3, job, &plan, pieces, expected).await?,
        _ => {
            seal(job, &plan, expected);
            (multipart(s3, job, &plan, expected).await?, expected)
        }
    };
    let proof = prove(s3, &job.target, &plan, &written, expected).await?;
    Ok(Done { plan, etag: written.etag, proof })
}

fn seal(job: &mut Job, plan: &Plan, crc: Option<Crc>) {
    let seal = Seal { size: plan.length, crc, ..job.seal.clone() };
    job.attributes.metadata.insert(seal::KEY.to_owned(), seal.to_string());
}

/// One PutObject, whose body's CRC is sent along where that of the sources is not known; and the CRC that it has.
async fn put(
    s3: &S3,
    job: &mut Job,
    plan: &Plan,
    pieces: &[Piece],
    expected: Option<Crc>,
) -> Result<(Written, Option<Crc>), Error> {
    let _room = s3.hold(part::length(pieces)).await;
    let body = job.bytes(s3, pieces).await?;
    let crc = expected.unwrap_or_else(|| Crc::of(Algorithm::Crc64Nvme, &body));
    match sealed(s3, job, plan, &body, Some(crc)).await {
        // That of the body alone is no condition for the object to be right.
        Err(error) if expected.is_none() && error.is_of_what_it_does_not_know() => {
            Ok((sealed(s3, job, plan, &body, None).await?, None))
        }
        written => Ok((written?, Some(crc))),
    }
}

async fn sealed(s3: &S3, job: &mut Job, plan: &Plan, body: &Bytes, crc: Option<Crc>) -> Result<Written, S3Error> {
    seal(job, plan, crc);
    let put = async |stood: &Stood| s3.put(&job.target, body.clone(), &job.attributes, stood, crc).await;
    job.stood.held(put).await
}

/// S3 has said that it found the expected CRC; otherwise the object that stands there now must be the
/// one that was sent.
async fn prove(s3: &S3, target: &Uri, plan: &Plan, written: &Written, expected: Option<Crc>) -> Result<Proof, Error> {
    let unproved = |expected: String, found: String| Error::Unproved { uri: target.clone(), expected, found };
    let wrong = |found: Option<Crc>| expected.zip(found).filter(|(expected, found)| expected != found);
    if let Some((expected, found)) = wrong(written.crc) {
        return Err(unproved(format!("CRC {}", expected.base64()), format!("CRC {}", found.base64())));
    }
    if let Some(expected) = expected.filter(|expected| written.crc == Some(*expected)) {
        return Ok(Proof::Crc(expected.algorithm));
    }
    let found = s3.head(target).await?.ok_or_else(|| Error::Missing { uri: target.clone() })?.object;
    if found.etag != written.etag {
        return Err(Error::Rewritten { uri: target.clone(), etag: written.etag.clone(), found: found.etag });
    }
    let parts = parts_in(&found.etag).unwrap_or(plan.parts.len());
    if (found.size, parts) != (plan.length, plan.parts.len()) || wrong(found.crc).is_some() {
        let describe = |size, parts, crc: Option<Crc>| {
            format!("{size} bytes in {parts} parts and CRC {}", crc.map_or("unknown".to_owned(), Crc::base64))
        };
        let expected = describe(plan.length, plan.parts.len(), expected);
        return Err(unproved(expected, describe(found.size, parts, found.crc)));
    }
    Ok(expected.filter(|_| found.crc == expected).map_or(Proof::Size, |crc| Proof::Crc(crc.algorithm)))
}
