//! The proof that what S3 has is what was sent.

use super::CopyError;
use super::plan::Plan;
use crate::crc::Crc;
use crate::receipt::Proof;
use crate::s3::{ObjectVersion, S3, Stored, parts_in};
use crate::uri::Uri;

/// Either S3 has said that it computed the expected CRC; or the object is looked at, and must be the one that was sent.
pub async fn prove(
    s3: &S3,
    target: &Uri,
    plan: &Plan,
    stored: &Stored,
    expected: Option<Crc>,
) -> Result<Proof, CopyError> {
    let unproved = |expected: String, found: String| CopyError::ResultUnproved { uri: target.clone(), expected, found };
    if let Some((expected, found)) = wrong(expected, stored.crc) {
        return Err(unproved(format!("CRC {}", expected.base64()), format!("CRC {}", found.base64())));
    }
    if let Some(expected) = expected.filter(|expected| stored.crc == Some(*expected)) {
        return Ok(Proof::Crc(expected.algorithm));
    }
    let found = s3.head(target).await?.ok_or_else(|| CopyError::ObjectMissing { uri: target.clone() })?.object;
    if found.etag != stored.etag {
        return Err(CopyError::Rewritten { uri: target.clone(), etag: stored.etag.clone(), found: found.etag });
    }
    proof_of(target, plan, &found, expected)
}

/// Whether an object that was found is the one that was to be sent, and how that is known.
pub fn proof_of(target: &Uri, plan: &Plan, found: &ObjectVersion, expected: Option<Crc>) -> Result<Proof, CopyError> {
    let parts = parts_in(&found.etag).unwrap_or(plan.parts.len());
    if (found.size, parts) != (plan.length, plan.parts.len()) || wrong(expected, found.crc).is_some() {
        let describe = |size, parts, crc: Option<Crc>| {
            format!("{size} bytes in {parts} parts and CRC {}", crc.map_or("unknown".to_owned(), Crc::base64))
        };
        let expected = describe(plan.length, plan.parts.len(), expected);
        let found = describe(found.size, parts, found.crc);
        return Err(CopyError::ResultUnproved { uri: target.clone(), expected, found });
    }
    Ok(expected.filter(|_| found.crc == expected).map_or(Proof::Size, |crc| Proof::Crc(crc.algorithm)))
}

fn wrong(expected: Option<Crc>, found: Option<Crc>) -> Option<(Crc, Crc)> {
    expected.zip(found).filter(|(expected, found)| expected != found)
}
