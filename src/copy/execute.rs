//! A plan carried out: the intermediate objects, if there are any; one PutObject, or a multipart upload; and then the proof.
//!
//! Every read and every copied part is conditional on its source's ETag, and the write that makes the final object is
//! conditional on what was at its key when the job began.

use bytes::Bytes;

use super::groups::{Grouping, grouped};
use super::intermediate::{Leftovers, join, make};
use super::multipart::multipart;
use super::part::{self, Piece, PlannedPart};
use super::plan::{Limits, Plan};
use super::proof::prove;
use super::{Assembly, CopyError};
use crate::crc::{Algorithm, Crc};
use crate::receipt::Proof;
use crate::s3::{HeldBytes, Precondition, S3, S3Error, Stored};
use crate::uri::Uri;

/// A final object that was written and proved.
#[derive(Debug)]
pub struct ProvedObject {
    pub plan: Plan,
    /// How many intermediate objects it was made of.
    pub intermediates: usize,
    pub etag: String,
    pub proof: Proof,
}

/// Writes the final object with its seal, and proves it. Then its intermediate objects are deleted.
pub async fn execute(s3: &S3, assembly: &mut Assembly) -> Result<ProvedObject, CopyError> {
    let grouping = planned(s3, assembly)?;
    let all = grouping.parts();
    s3.begins(all as u64, grouping.length());
    let expected = assembly.crc();
    let Grouping { groups, last: plan } = grouping;
    let (target, mut made, mut done) = (assembly.target.clone(), Vec::new(), 0);
    let make = async |group: Assembly, plan: &Plan| {
        let object = make(s3, group, plan).await.map_err(|error| error.of_final(&target, done, all))?;
        made.push(object.uri.clone());
        done += plan.parts.len();
        Ok(object)
    };
    join(assembly, &groups, make).await?;
    let (stored, expected) = match plan.parts.as_slice() {
        [] => put(s3, assembly, &plan, &[], expected).await?,
        [PlannedPart::Upload(pieces)] => put(s3, assembly, &plan, pieces, expected).await?,
        _ => {
            assembly.seal_with(plan.length, expected);
            let stored = multipart(s3, assembly, &plan, expected).await;
            stored.map_err(|error| error.of_final(&target, done, all))?
        }
    };
    let proof = prove(s3, &target, &plan, &stored, expected).await?;
    let intermediates = made.len();
    clear(s3, made).await;
    Ok(ProvedObject { plan, intermediates, etag: stored.etag, proof })
}

/// Deletes intermediate objects. The final object is right whatever becomes of them.
async fn clear(s3: &S3, made: Vec<Uri>) {
    if made.is_empty() {
        return;
    }
    match Leftovers::of(s3, made).await {
        Ok(leftovers) => leftovers.clear(s3).await,
        Err(failure) => tracing::warn!("intermediate objects could not be looked for, and stay: {failure}"),
    }
}

pub fn planned(s3: &S3, assembly: &Assembly) -> Result<Grouping, CopyError> {
    let limits = Limits { max_parts: s3.max_parts.into(), ..Limits::AWS };
    let grouping = grouped(&assembly.pieces(), &limits);
    grouping.map_err(|source| CopyError::ObjectTooLarge { uri: assembly.target.clone(), source })
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
    let body = if assembly.is_whole(pieces) {
        assembly.first_bytes.take().behind(&assembly.header)
    } else {
        let memory = s3.memory.bodies.reserve(part::length(pieces)).await;
        let body = assembly.bytes(s3, pieces).await?;
        // They are in the body.
        drop(assembly.first_bytes.take());
        HeldBytes::new(body, memory)
    };
    let crc = expected.unwrap_or_else(|| Crc::of(Algorithm::Crc64Nvme, &body));
    match put_sealed(s3, assembly, plan, &body, Some(crc)).await {
        // The server does not know the algorithm. The object may do without: no CRC of the whole is known.
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
    assembly.seal_with(plan.length, crc);
    let Assembly { target, attributes, .. } = &*assembly;
    let put = async |condition: &Precondition| s3.put(target, body.clone(), attributes, condition, crc).await;
    assembly.precondition.held(put).await
}
