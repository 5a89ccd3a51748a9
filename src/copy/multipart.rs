//! A multipart upload: begun or resumed, its parts written at a pace that S3 can take, and completed; or left to the next
//! try, or aborted.
//!
//! S3's own list of parts is the only state. An upload that is left open gets one part more, the *mark*. Its number is
//! one that no part has yet, and it is never completed with the others. It names all that the parts depend on: the
//! fingerprint, the plan, the expected CRC and the intermediate objects. A try resumes an upload only if it has the mark that
//! this try would leave, whatever the number of dots behind it: that is how many parts the next try may have in flight at
//! first. The time at which an upload began would not do instead: S3 dates an object that came in parts by when its upload began
//! (S3 user guide, "Working with object metadata"), so that a new source can look older than an upload that holds parts
//! of the source before.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, Instant};

use super::pace::Pace;
use super::part::PlannedPart;
use super::plan::{Limits, Plan};
use super::queue::{NumberedPart, Queue};
use super::{Assembly, CopyError};
use crate::crc::{self, Algorithm, Crc};
use crate::s3::{CreatedUpload, MAX_PARTS, OpenUpload, Precondition, Reservation, S3, Stored, UploadedPart};
use crate::seal::hex;

/// The highest number that a part can have. It is the mark's, unless a plan has as many parts: then the mark takes the
/// number of a missing part.
const LAST_PART_NUMBER: i32 = MAX_PARTS as i32;
/// Parts that are in flight can end after an abort, which then has to be repeated (AWS, S3 API reference,
/// AbortMultipartUpload).
const MAX_ABORTS: u32 = 3;
/// How often an upload is completed, each time with the parts as S3 has listed them since.
const MAX_COMPLETIONS: u32 = 3;

/// The upload of one plan.
struct PlannedUpload<'a> {
    s3: &'a S3,
    assembly: &'a Assembly,
    plan: &'a Plan,
    expected: Option<Crc>,
    /// The checksum algorithm of the upload, if it was created with one.
    algorithm: Option<Algorithm>,
    /// The content of the mark.
    mark: String,
    upload: OpenUpload,
    /// The parts that S3 has, by number.
    done: BTreeMap<i32, UploadedPart>,
    pace: Pace,
}

/// A part that has ended, well or not.
struct EndedPart<'a> {
    part: NumberedPart<'a>,
    /// What [`Pace::begin`] said when it began.
    begun: u64,
    took: Duration,
    result: Result<UploadedPart, CopyError>,
}

/// The open upload that has the mark of a plan.
pub struct Marked {
    /// Among the open uploads.
    index: usize,
    algorithm: Option<Algorithm>,
    /// The parts of the plan that S3 has, by number.
    pub done: BTreeMap<i32, UploadedPart>,
    /// How many may be in flight at first.
    first: u64,
}

/// Looks for the open upload that a try of this very plan has left.
pub async fn marked(
    s3: &S3,
    assembly: &Assembly,
    plan: &Plan,
    expected: Option<Crc>,
    open: &[OpenUpload],
) -> Result<Option<Marked>, CopyError> {
    let marks = [true, false].map(|has_algorithm| mark(assembly, plan, expected, has_algorithm));
    for (index, upload) in open.iter().enumerate() {
        let parts = s3.parts(upload).await?;
        let found = |mark: &String| parts.iter().find_map(|part| marked_with(part, mark));
        let (algorithm, first) = match marks.each_ref().map(found) {
            [Some(first), _] => (Some(algorithm(assembly, expected)), first),
            [None, Some(first)] => (None, first),
            [None, None] => continue,
        };
        let lengths: BTreeMap<i32, u64> = (1..).zip(plan.parts.iter().map(PlannedPart::length)).collect();
        let is_mark = |part: &UploadedPart| marks.iter().any(|mark| marked_with(part, mark).is_some());
        let is_done = |part: &UploadedPart| lengths.get(&part.number) == Some(&part.size) && !is_mark(part);
        let done = parts.into_iter().filter(is_done).map(|part| (part.number, part)).collect();
        return Ok(Some(Marked { index, algorithm, done, first }));
    }
    Ok(None)
}

/// Writes an object in parts; and tells the CRC that it must have, which S3 was told as well. Where those of the sources are
/// not known, it is that of the parts, if all were sent.
pub async fn multipart(
    s3: &S3,
    assembly: &Assembly,
    plan: &Plan,
    expected: Option<Crc>,
) -> Result<(Stored, Option<Crc>), CopyError> {
    let open = s3.uploads(&assembly.target).await?;
    let (mut upload, others) = PlannedUpload::begin(s3, assembly, plan, expected, open).await?;
    let result = match upload.write().await {
        Ok(()) => upload.complete().await,
        Err(error) => Err(error),
    };
    match &result {
        // The other uploads are of tries that were stopped, or that will find this one's final object when they look.
        Ok(_) => {
            for other in others {
                abort(s3, &other).await;
            }
        }
        Err(error) if error.is_transient() && upload.leave().await => (),
        Err(_) => abort(s3, &upload.upload).await,
    }
    result
}

impl<'a> PlannedUpload<'a> {
    /// Resumes the open upload that has this plan's mark, or begins one; and returns the other open uploads.
    async fn begin(
        s3: &'a S3,
        assembly: &'a Assembly,
        plan: &'a Plan,
        expected: Option<Crc>,
        mut open: Vec<OpenUpload>,
    ) -> Result<(PlannedUpload<'a>, Vec<OpenUpload>), CopyError> {
        let usual = Limits::AWS.at_once(plan.parts.iter().map(PlannedPart::length).max().unwrap_or_default());
        if let Some(Marked { index, algorithm, done, first }) = marked(s3, assembly, plan, expected, &open).await? {
            let upload = open.swap_remove(index);
            tracing::info!(upload = upload.id, parts = done.len(), "an upload is resumed");
            // Even if S3 has them already, so that each run counts the same bytes.
            assembly.first_bytes.all(s3).await?;
            s3.wrote(done.len() as u64, done.values().map(|part| part.size).sum());
            let pace = Pace::new(first, usual, Limits::AWS.in_flight);
            let mark = mark(assembly, plan, expected, algorithm.is_some());
            return Ok((PlannedUpload { s3, assembly, plan, expected, algorithm, mark, upload, done, pace }, open));
        }
        let requests = s3.effort().requests;
        let (upload, algorithm) = create(s3, assembly, plan, expected).await?;
        if s3.effort().requests > requests + 1 {
            // An answer may have been lost, and with it an upload that nobody knows of.
            open = s3.uploads(&assembly.target).await?;
            open.retain(|other| other.id != upload.id);
        }
        let (done, pace) = (BTreeMap::new(), Pace::new(usual, usual, Limits::AWS.in_flight));
        let mark = mark(assembly, plan, expected, algorithm.is_some());
        Ok((PlannedUpload { s3, assembly, plan, expected, algorithm, mark, upload, done, pace }, open))
    }

    /// Writes the parts that are missing. A part is begun only if it can end before the deadline, by the speed that
    /// copies were measured at and by the slowest part so far.
    async fn write(&mut self) -> Result<(), CopyError> {
        let (s3, assembly, upload, algorithm) = (self.s3, self.assembly, &self.upload, self.algorithm);
        let missing = (1..).zip(&self.plan.parts).filter(|(number, _)| !self.done.contains_key(number));
        let mut queue = Queue::new(missing);
        let mut slowest = Duration::ZERO;
        let mut in_flight = FuturesUnordered::new();
        loop {
            while in_flight.len() < self.pace.allowed() {
                let ends_in_time =
                    |part: &PlannedPart| Limits::AWS.time(part.length()).max(slowest) <= assembly.deadline.left();
                let Some((part, memory)) = queue.next(&s3.memory, in_flight.is_empty(), ends_in_time) else { break };
                in_flight.push(write_part(s3, assembly, upload, algorithm, part, memory, self.pace.begin()));
            }
            let ended = tokio::select! {
                biased;
                ended = in_flight.next() => ended,
                () = assembly.deadline.last_call_comes() => {
                    self.pace.late();
                    return Err(self.out_of_time());
                }
            };
            match ended {
                None if queue.is_empty() => return Ok(()),
                None => return Err(self.out_of_time()),
                Some(EndedPart { took, result: Ok(part), .. }) => {
                    s3.wrote(1, part.size);
                    self.pace.end(took, Limits::AWS.time(part.size));
                    self.done.insert(part.number, part);
                    slowest = slowest.max(took);
                }
                // S3 may refuse a part among others, and take it alone.
                Some(EndedPart { part, begun, result: Err(error), .. })
                    if error.is_transient() && self.pace.allowed() > 1 =>
                {
                    queue.put_back(part);
                    self.pace.refused(begun);
                }
                Some(EndedPart { result: Err(error), .. }) => return Err(error),
            }
        }
    }

    async fn complete(&mut self) -> Result<(Stored, Option<Crc>), CopyError> {
        let mut tries = 1;
        loop {
            let expected = self.expected.or_else(|| self.crc_by_parts());
            // S3 refuses the CRC of a part if the upload has no algorithm.
            let crc = |part: &UploadedPart| part.crc.filter(|_| self.algorithm.is_some());
            let parts = self.done.values().map(|part| UploadedPart { crc: crc(part), ..part.clone() });
            let parts: Vec<UploadedPart> = parts.collect();
            let complete = async |condition: &Precondition| {
                self.s3.complete(&self.upload, &parts, self.plan.length, condition, expected).await
            };
            let completed = self.assembly.precondition.held(complete);
            match self.assembly.deadline.before_last_call(completed).await {
                None => return Err(self.out_of_time()),
                Some(Err(error)) if error.is_invalid_part() && tries < MAX_COMPLETIONS && self.relist().await? => (),
                Some(result) => return Ok((result?, expected)),
            }
            tries += 1;
        }
    }

    /// The CRC of the whole, if the parts tell it: rows that were sent had the CRCs of their sources.
    fn crc_by_parts(&self) -> Option<Crc> {
        if !self.assembly.crcs_come_with_rows {
            return None;
        }
        let crcs = (1..).zip(&self.plan.parts).map(|(number, part)| {
            let crc = match part {
                PlannedPart::Upload(_) => self.done.get(&number).and_then(|done| done.crc),
                copy => crc_of_copy(self.assembly, copy),
            };
            (crc.filter(|crc| Some(crc.algorithm) == self.algorithm), part.length())
        });
        crc::expected(b"", crcs)
    }

    /// Takes the ETags of parts from S3's list, and tells whether any of them has changed. A copy that seemed to have
    /// timed out can end after its retry, and so replace it: with the same bytes, since only tries of this very plan
    /// write to the upload, but under SSE-KMS with another ETag. The CRC shows that they are the same; an upload under
    /// SSE-KMS has one.
    async fn relist(&mut self) -> Result<bool, CopyError> {
        let listed = self.s3.parts(&self.upload).await?;
        let mut is_new = false;
        for part in listed {
            let Some(known) = self.done.get_mut(&part.number).filter(|known| known.size == part.size) else { continue };
            let is_same = known.crc.is_some() && known.crc == part.crc;
            if is_same && known.etag != part.etag {
                is_new = true;
                *known = part;
            }
        }
        Ok(is_new)
    }

    /// Leaves the upload to the next try by writing the mark; tells whether that could be done.
    async fn leave(&self) -> bool {
        let free = (1..=LAST_PART_NUMBER).rev().find(|number| !self.done.contains_key(number));
        let Some(number) = free.filter(|_| !self.done.is_empty()) else { return false };
        let mark = with_dots(&self.mark, self.pace.allowed());
        let marked = self.s3.upload_part(&self.upload, number, mark.into(), self.algorithm);
        match self.assembly.deadline.before_end(marked).await {
            // The next try has to know it again.
            Some(Ok(part)) => marked_with(&part, &self.mark).is_some(),
            _ => false,
        }
    }

    fn out_of_time(&self) -> CopyError {
        let (done, all) = (self.done.len(), self.plan.parts.len());
        CopyError::OutOfTime { uri: self.assembly.target.clone(), done, all }
    }
}

/// Creates an upload. It has a checksum algorithm if the CRC of the whole is known, which is held against it. Otherwise there
/// is nothing to hold against; S3 keeps a CRC64NVME then all the same (S3 user guide, "Checking object integrity"), and other
/// servers need not read each part that they copy. It has one nevertheless if little is copied, since the parts that are
/// uploaded would need their MD5, which takes more CPU; and under SSE-KMS, where the mark's ETag is no MD5, and only its CRC
/// shows it.
async fn create(
    s3: &S3,
    assembly: &Assembly,
    plan: &Plan,
    expected: Option<Crc>,
) -> Result<(OpenUpload, Option<Algorithm>), CopyError> {
    let Assembly { target, attributes, .. } = assembly;
    let algorithm = Some(algorithm(assembly, expected));
    if !has_algorithm(assembly, plan, expected) {
        let CreatedUpload { upload, is_under_kms } = s3.create(target, attributes, None).await?;
        if !is_under_kms {
            return Ok((upload, None));
        }
        abort(s3, &upload).await;
    }
    match s3.create(target, attributes, algorithm).await {
        Err(error) if expected.is_none() && error.is_unsupported() => {
            Ok((s3.create(target, attributes, None).await?.upload, None))
        }
        created => Ok((created?.upload, algorithm)),
    }
}

/// Whether an upload that is created for this plan has a checksum algorithm, as far as is known before; see [`create`].
fn has_algorithm(assembly: &Assembly, plan: &Plan, expected: Option<Crc>) -> bool {
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

/// The CRC of a copied part, if it is all rows of a data object whose CRC is known.
fn crc_of_copy(assembly: &Assembly, part: &PlannedPart) -> Option<Crc> {
    let PlannedPart::Copy { source, range } = part else { return None };
    let source = &assembly.sources[*source];
    let is_all = range.start == source.start && range.end == source.object.size;
    source.crc.filter(|_| is_all && !source.is_intermediate)
}

/// The algorithm of an upload that has one: that of the data objects, as far as their CRCs are known.
fn algorithm(assembly: &Assembly, expected: Option<Crc>) -> Algorithm {
    let known = expected
        .or_else(|| assembly.sources.iter().filter(|source| !source.is_intermediate).find_map(|source| source.crc));
    known.map_or(Algorithm::Crc64Nvme, |crc| crc.algorithm)
}

async fn write_part<'a>(
    s3: &S3,
    assembly: &Assembly,
    upload: &OpenUpload,
    algorithm: Option<Algorithm>,
    part: NumberedPart<'a>,
    memory: Option<Reservation>,
    begun: u64,
) -> EndedPart<'a> {
    if let PlannedPart::Upload(_) = part.1 {
        // S3 can copy while the bytes of an upload are summed up.
        tokio::task::yield_now().await;
    }
    let _memory = match part.1 {
        PlannedPart::Upload(_) if memory.is_none() => s3.memory.bodies.reserve(part.1.length()).await,
        _ => memory,
    };
    let _turn = match part.1 {
        PlannedPart::Copy { .. } => s3.turn_to_copy().await,
        PlannedPart::Upload(_) => None,
    };
    let since = Instant::now();
    let result = match part {
        (number, PlannedPart::Upload(pieces)) => match assembly.bytes(s3, pieces).await {
            Ok(body) => s3.upload_part(upload, number, body, algorithm).await.map_err(CopyError::from),
            Err(error) => Err(error),
        },
        (number, PlannedPart::Copy { source, range }) => {
            let source = &assembly.sources[*source].object;
            s3.copy_part(upload, number, source, *range).await.map_err(CopyError::from)
        }
    };
    EndedPart { part, begun, took: since.elapsed(), result }
}

/// The content of the mark of an upload, which has a checksum algorithm or none.
fn mark(assembly: &Assembly, plan: &Plan, expected: Option<Crc>, has_algorithm: bool) -> String {
    let crc = expected.map_or_else(String::new, Crc::base64);
    let mut sum = Sha256::new_with_prefix(format!("{}\n{crc}\n{plan}", assembly.seal.fingerprint.as_str()));
    assembly
        .sources
        .iter()
        .filter(|source| source.is_intermediate)
        .for_each(|source| sum.update(&source.object.uri.key));
    if !has_algorithm {
        sum.update("\nwithout a checksum");
    }
    hex(&sum.finalize())
}

/// The mark, and how many parts the next try may have in flight at first.
fn with_dots(mark: &str, first: usize) -> String {
    mark.to_owned() + &".".repeat(first)
}

/// If a part is the mark, how many dots it has. S3 does not show a part's bytes, but their number and CRC; without an
/// algorithm, their MD5 as the ETag.
fn marked_with(part: &UploadedPart, mark: &str) -> Option<u64> {
    let dots = part.size.checked_sub(mark.len() as u64).filter(|dots| (1..=Limits::AWS.in_flight).contains(dots))?;
    let content = with_dots(mark, dots as usize);
    let is_it = match part.crc {
        Some(crc) => crc == Crc::of(crc.algorithm, content.as_bytes()),
        None => part.etag.trim_matches('"') == hex(&md5::Md5::digest(content)),
    };
    is_it.then_some(dots)
}

/// Aborts an upload, again if parts of it are left.
pub async fn abort(s3: &S3, upload: &OpenUpload) {
    for _ in 0..MAX_ABORTS {
        let aborted = async {
            s3.abort(upload).await?;
            s3.parts(upload).await
        };
        match aborted.await {
            Ok(parts) if parts.is_empty() => return,
            Ok(_) => (),
            Err(failure) => {
                tracing::warn!(upload = upload.id, "an upload could not be aborted: {failure}");
                return;
            }
        }
    }
    tracing::warn!(upload = upload.id, "an upload has parts after {MAX_ABORTS} aborts");
}
