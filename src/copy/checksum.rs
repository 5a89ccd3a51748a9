//! Which checksum an upload has, and what its parts tell of the CRC of the whole.
//!
//! An upload has a checksum algorithm if the CRC of the whole is known, which is held against it. Otherwise there is nothing
//! to hold against; S3 keeps a CRC64NVME then all the same (S3 user guide, "Checking object integrity"), and other servers need
//! not read each part that they copy. It has one nevertheless if little is copied, since the parts that are uploaded would need
//! their MD5, which takes more CPU; and under SSE-KMS, where the mark's ETag is no MD5, and only its CRC shows it.

use std::collections::BTreeMap;

use super::Assembly;
use super::part::PlannedPart;
use super::plan::Plan;
use crate::crc::{self, Algorithm, Crc};
use crate::s3::UploadedPart;

/// The algorithm of an upload that has one: that of the data objects, as far as their CRCs are known.
pub fn algorithm(assembly: &Assembly, expected: Option<Crc>) -> Algorithm {
    let mut data = assembly.sources.iter().filter(|source| !source.is_intermediate && source.has_rows());
    let known = expected.or_else(|| data.find_map(|source| source.crc));
    known.map_or(Algorithm::Crc64Nvme, |crc| crc.algorithm)
}

/// Whether an upload for this plan has a checksum algorithm, as far as is known before it is created: that a bucket has a
/// KMS key of its own is told by the answer.
pub fn has_algorithm(assembly: &Assembly, plan: &Plan, expected: Option<Crc>) -> bool {
    expected.is_some() || 2 * plan.uploaded() >= plan.length || assembly.attributes.kms_key_id.is_some()
}

/// Whether the CRC of the whole will be known by its parts: all of them are sent, or are copies whose CRC is known.
pub fn is_told_by_parts(assembly: &Assembly, plan: &Plan, expected: Option<Crc>) -> bool {
    let is_known = |part: &PlannedPart| match part {
        PlannedPart::Upload(_) => true,
        copy => crc_of_copy(assembly, copy).is_some_and(|crc| crc.algorithm == algorithm(assembly, expected)),
    };
    assembly.crcs_come_with_rows && has_algorithm(assembly, plan, expected) && plan.parts.iter().all(is_known)
}

/// The CRC of the whole, if the parts that S3 has tell it: rows that were sent had the CRCs of their sources.
pub fn by_parts(
    assembly: &Assembly,
    plan: &Plan,
    algorithm: Option<Algorithm>,
    done: &BTreeMap<i32, UploadedPart>,
) -> Option<Crc> {
    if !assembly.crcs_come_with_rows {
        return None;
    }
    let crcs = (1..).zip(&plan.parts).map(|(number, part)| {
        let crc = match part {
            PlannedPart::Upload(_) => done.get(&number).and_then(|done| done.crc),
            copy => crc_of_copy(assembly, copy),
        };
        (crc.filter(|crc| Some(crc.algorithm) == algorithm), part.length())
    });
    crc::expected(b"", crcs)
}

/// The CRC of a copied part, if it is all rows of a data object whose CRC is known.
fn crc_of_copy(assembly: &Assembly, part: &PlannedPart) -> Option<Crc> {
    let PlannedPart::Copy { source, range } = part else { return None };
    let source = &assembly.sources[*source];
    let is_all = range.start == source.start && range.end == source.object.size;
    source.crc.filter(|_| is_all && !source.is_intermediate)
}
