//! A plan carried out: one PutObject, or a multipart upload; and then the proof.
//!
//! Every read and every copied part is conditional on its source's ETag, and the write that makes the final object is
//! conditional on what was at its key when the job began.

use bytes::Bytes;

use super::multipart::multipart;
use super::part::{self, Piece, PlannedPart};
use super::plan::{self, Limits, Plan};
use super::proof::prove;
use super::{Assembly, CopyError};
use crate::crc::{Algorithm, Crc};
use crate::receipt::Proof;
use crate::s3::{Precondition, S3, S3Error, Stored};
use crate::seal::{self, Seal};

/// A final object that was written and proved.
#[derive(Debug)]
pub struct ProvedObject {
    pub plan: Plan,
    pub etag: String,
    pub proof: Proof,
}

/// Writes the final object with its seal, and proves it.
pub async fn execute(s3: &S3, assembly: &mut Assembly) -> Result<ProvedObject, CopyError> {
    let plan = planned(assembly)?;
    s3.begins(plan.parts.len() as u64, plan.length);
    let expected = assembly.crc();
    let (stored, expected) = match plan.parts.as_slice() {
        [] => put(s3, assembly, &plan, &[], expected).await?,
        [PlannedPart::Upload(pieces)] => put(s3, assembly, &plan, pieces, expected).await?,
        _ => {
            seal(assembly, &plan, expected);
            (multipart(s3, assembly, &plan, expected).await?, expected)
        }
    };
    let proof = prove(s3, &assembly.target, &plan, &stored, expected).await?;
    Ok(ProvedObject { plan, etag: stored.etag, proof })
}

pub fn planned(assembly: &Assembly) -> Result<Plan, CopyError> {
    let plan = plan::plan(assembly.pieces(), &Limits::AWS);
    plan.map_err(|source| CopyError::ObjectTooLarge { uri: assembly.target.clone(), source })
}

fn seal(assembly: &mut Assembly, plan: &Plan, crc: Option<Crc>) {
    let seal = Seal { size: plan.length, crc, ..assembly.seal.clone() };
    assembly.attributes.metadata.insert(seal::KEY.to_owned(), seal.to_string());
}

/// One PutObject, and the CRC that the object must have. Where the CRCs of the sources are not known, it is that of the
/// bytes that are sent.
async fn put(
    s3: &S3,
    assembly: &mut Assembly,
    plan: &Plan,
    pieces: &[Piece],
    expected: Option<Crc>,
) -> Result<(Stored, Option<Crc>), CopyError> {
    let _memory = s3.memory.reserve(part::length(pieces)).await;
    let body = assembly.bytes(s3, pieces).await?;
    let crc = expected.unwrap_or_else(|| Crc::of(Algorithm::Crc64Nvme, &body));
    match put_sealed(s3, assembly, plan, &body, Some(crc)).await {
        // The server does not know the algorithm. The object may do without, as no source has such a CRC either.
        Err(error) if expected.is_none() && error.is_unsupported() => {
            Ok((put_sealed(s3, assembly, plan, &body, None).await?, None))
        }
        stored => {
            let stored = stored?;
            s3.wrote(plan.parts.len() as u64, plan.length);
            Ok((stored, Some(crc)))
        }
    }
}

async fn put_sealed(
    s3: &S3,
    assembly: &mut Assembly,
    plan: &Plan,
    body: &Bytes,
    crc: Option<Crc>,
) -> Result<Stored, S3Error> {
    seal(assembly, plan, crc);
    let Assembly { target, attributes, .. } = &*assembly;
    let put = async |condition: &Precondition| s3.put(target, body.clone(), attributes, condition, crc).await;
    assembly.precondition.held(put).await
}
