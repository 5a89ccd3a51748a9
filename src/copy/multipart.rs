//! A multipart upload: begun or resumed, its parts written at a pace that S3 can take, and completed; or left to the next
//! try, or aborted.
//!
//! S3's own list of parts is the only state. An upload that is left open gets one part more, its [mark](super::mark), and a
//! try resumes an upload only if it has the mark that this try would leave.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Duration, Instant};

use super::mark::{Marked, mark, marked, marked_with, with_dots};
use super::pace::Pace;
use super::part::PlannedPart;
use super::plan::{Limits, Plan};
use super::queue::{NumberedPart, Queue};
use super::{Assembly, CopyError, checksum};
use crate::crc::{Algorithm, Crc};
use crate::s3::{CreatedUpload, MAX_PARTS, OpenUpload, Precondition, Reservation, S3, Stored, UploadedPart};

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
            let mark = mark(assembly, plan, expected, algorithm);
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
        let mark = mark(assembly, plan, expected, algorithm);
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
            let expected =
                self.expected.or_else(|| checksum::by_parts(self.assembly, self.plan, self.algorithm, &self.done));
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

/// Creates an upload, [with a checksum algorithm](super::checksum) or without.
async fn create(
    s3: &S3,
    assembly: &Assembly,
    plan: &Plan,
    expected: Option<Crc>,
) -> Result<(OpenUpload, Option<Algorithm>), CopyError> {
    let Assembly { target, attributes, .. } = assembly;
    let algorithm = Some(checksum::algorithm(assembly, expected));
    if !checksum::has_algorithm(assembly, plan, expected) {
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
