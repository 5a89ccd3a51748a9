//! The proof that what S3 has is what was sent.

use super::CopyError;
use super::plan::Plan;
use crate::crc::Crc;
use crate::receipt::Proof;
use crate::s3::{S3, Stored, parts_in};
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
    let wrong = |found: Option<Crc>| expected.zip(found).filter(|(expected, found)| expected != found);
    if let Some((expected, found)) = wrong(stored.crc) {
        return Err(unproved(format!("CRC {}", expected.base64()), format!("CRC {}", found.base64())));
    }
    if let Some(expected) = expected.filter(|expected| stored.crc == Some(*expected)) {
        return Ok(Proof::Crc(expected.algorithm));
    }
    let found = s3.head(target).await?.ok_or_else(|| CopyError::ObjectMissing { uri: target.clone() })?.object;
    if found.etag != stored.etag {
        return Err(CopyError::Rewritten { uri: target.clone(), etag: stored.etag.clone(), found: found.etag });
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
