//! The mark: a part of an upload that was left open, which names all that the other parts depend on: the fingerprint, the
//! plan, the expected CRC, the checksum algorithm and the intermediate objects.
//!
//! Its number is one that no part has yet, and it is never completed with the others. Behind it are dots: as many as parts
//! that the next try may have in flight at first.
//!
//! The time at which an upload began would not do instead: S3 dates an object that came in parts by when its upload began (S3
//! user guide, "Working with object metadata"), so that a new source can look older than an upload that holds parts of the
//! source before.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::checksum::algorithm;
use super::part::PlannedPart;
use super::plan::{Limits, Plan};
use super::{Assembly, CopyError};
use crate::crc::{Algorithm, Crc};
use crate::s3::{OpenUpload, S3, UploadedPart};
use crate::seal::hex;

/// The open upload that has the mark of a plan.
pub struct Marked {
    /// Among the open uploads.
    pub index: usize,
    pub algorithm: Option<Algorithm>,
    /// The parts of the plan that S3 has, by number.
    pub done: BTreeMap<i32, UploadedPart>,
    /// How many may be in flight at first.
    pub first: u64,
}

/// Looks for the open upload that a try of this very plan has left.
pub async fn marked(
    s3: &S3,
    assembly: &Assembly,
    plan: &Plan,
    expected: Option<Crc>,
    open: &[OpenUpload],
) -> Result<Option<Marked>, CopyError> {
    let marks = [Some(algorithm(assembly, expected)), None]
        .map(|algorithm| (algorithm, mark(assembly, plan, expected, algorithm)));
    for (index, upload) in open.iter().enumerate() {
        let parts = s3.parts(upload).await?;
        let dots = |mark: &String| parts.iter().find_map(|part| marked_with(part, mark));
        let mut found = marks.iter().filter_map(|(algorithm, mark)| dots(mark).map(|first| (*algorithm, first)));
        let Some((algorithm, first)) = found.next() else { continue };
        let lengths: BTreeMap<i32, u64> = (1..).zip(plan.parts.iter().map(PlannedPart::length)).collect();
        let is_mark = |part: &UploadedPart| marks.iter().any(|(_, mark)| marked_with(part, mark).is_some());
        let is_done = |part: &UploadedPart| lengths.get(&part.number) == Some(&part.size) && !is_mark(part);
        let done = parts.into_iter().filter(is_done).map(|part| (part.number, part)).collect();
        return Ok(Some(Marked { index, algorithm, done, first }));
    }
    Ok(None)
}

/// The content of the mark of an upload, which has this checksum algorithm, or none.
pub fn mark(assembly: &Assembly, plan: &Plan, expected: Option<Crc>, algorithm: Option<Algorithm>) -> String {
    let crc = expected.map_or_else(String::new, Crc::base64);
    let mut sum = Sha256::new_with_prefix(format!("{}\n{crc}\n{plan}", assembly.seal.fingerprint.as_str()));
    assembly
        .sources
        .iter()
        .filter(|source| source.is_intermediate)
        .for_each(|source| sum.update(&source.object.uri.key));
    sum.update(algorithm.map_or("\nwithout a checksum", Algorithm::name));
    hex(&sum.finalize())
}

/// The mark, and how many parts the next try may have in flight at first.
pub fn with_dots(mark: &str, first: usize) -> String {
    mark.to_owned() + &".".repeat(first)
}

/// If a part is the mark, how many dots it has. S3 does not show a part's bytes, but their number and CRC; without an
/// algorithm, their MD5 as the ETag.
pub fn marked_with(part: &UploadedPart, mark: &str) -> Option<u64> {
    let dots = part.size.checked_sub(mark.len() as u64).filter(|dots| (1..=Limits::AWS.in_flight).contains(dots))?;
    let content = with_dots(mark, dots as usize);
    let is_it = match part.crc {
        Some(crc) => crc == Crc::of(crc.algorithm, content.as_bytes()),
        None => part.etag.trim_matches('"') == hex(&md5::Md5::digest(content)),
    };
    is_it.then_some(dots)
}
