//! A multipart upload: begun or taken up, its parts written at a pace that S3 can take, completed;
//! or left to the next try, or aborted.
//!
//! S3's own list of parts is the only state. An upload that is left open gets one part more, with a number
//! that no part has yet, and never completed with the others, that names everything which its parts depend on:
//! the fingerprint, the plan and the expected CRC. A run takes an upload up only if it bears just the
//! mark that this run would leave. When it was begun would not do in its place: S3 dates an object that
//! came in parts by when its upload began (S3 user guide, "Working with object metadata"), so that a
//! new source can look older than an upload that holds parts of the one before.

use std::collections::{BTreeMap, VecDeque};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

use super::job::Job;
use super::pace::Pace;
use super::part::Part;
use super::plan::{self, Plan};
use super::seal::hex;
use crate::crc::{Algorithm, Crc};
use crate::error::Error;
use crate::s3::{self, S3, Stood, Upload, Written};

/// The highest number that a part can have (AWS, S3 user guide, "Amazon S3 multipart upload limits"). It is
/// that of the mark, unless a plan has as many parts: then it stands where one is missing.
const LAST: i32 = 10_000;
/// Parts that were in flight can end after an abort, and then it has to be repeated (AWS, S3 API
/// reference, AbortMultipartUpload).
const ABORTS: u32 = 3;

/// How often an upload is completed with parts as S3 has listed them.
const COMPLETIONS: u32 = 3;

/// An upload of a job's plan.
struct Run<'a> {
    s3: &'a S3,
    job: &'a Job,
    plan: &'a Plan,
    expected: Option<Crc>,
    /// That of the upload; `None` on a server that knows no such thing.
    algorithm: Option<Algorithm>,
    /// What the part says that leaves the upload to the next try.
    mark: String,
    upload: Upload,
    /// The parts that S3 has.
    done: BTreeMap<i32, s3::Part>,
}

pub async fn multipart(s3: &S3, job: &Job, plan: &Plan, expected: Option<Crc>) -> Result<Written, Error> {
    let found = s3.uploads(&job.target).await?;
    let (mut run, others) = Run::begin(s3, job, plan, expected, found).await?;
    let result = match run.write().await {
        Ok(()) => run.complete().await,
        Err(error) => Err(error),
    };
    match &result {
        // Of runs that were stopped, or that will find this one's result when they look again.
        Ok(_) => {
            for upload in others {
                abort(s3, &upload).await;
            }
        }
        Err(error) if error.transient() && run.leave().await => (),
        Err(_) => abort(s3, &run.upload).await,
    }
    result
}

impl<'a> Run<'a> {
    /// Takes up the upload that bears this job's mark, or begins one; and says which others there are.
    async fn begin(
        s3: &'a S3,
        job: &'a Job,
        plan: &'a Plan,
        expected: Option<Crc>,
        mut found: Vec<Upload>,
    ) -> Result<(Run<'a>, Vec<Upload>), Error> {
        let mark = mark(job, plan, expected);
        for (index, upload) in found.iter().enumerate() {
            let parts = s3.parts(upload).await?;
            if let Some(marked) = parts.iter().find(|part| is_mark(part, &mark)) {
                let algorithm = marked.crc.map(|crc| crc.algorithm);
                let upload = found.swap_remove(index);
                tracing::info!(upload = upload.id, parts = parts.len() - 1, "an upload is taken up");
                let lengths: BTreeMap<i32, u64> = (1..).zip(plan.parts.iter().map(Part::length)).collect();
                let is_done = |part: &s3::Part| lengths.get(&part.number) == Some(&part.size) && !is_mark(part, &mark);
                let done = parts.into_iter().filter(is_done);
                let done = done.map(|part| (part.number, part)).collect();
                return Ok((Run { s3, job, plan, expected, algorithm, mark, upload, done }, found));
            }
        }
        let requests = s3.requests();
        // An upload has an algorithm even where no CRC of the whole is known: so that S3 shows the CRC of the mark, whose
        // ETag is no MD5 under SSE-KMS, and since a bucket with Object Lock wants a checksum of each part.
        let algorithm = Some(expected.map_or(Algorithm::Crc64Nvme, |crc| crc.algorithm));
        let (upload, algorithm) = match s3.create(&job.target, &job.attributes, algorithm).await {
            Err(error) if expected.is_none() && error.is_of_what_it_does_not_know() => {
                (s3.create(&job.target, &job.attributes, None).await?, None)
            }
            upload => (upload?, algorithm),
        };
        if s3.requests() > requests + 1 {
            // An answer was lost, and an upload with it that nobody knows of.
            found = s3.uploads(&job.target).await?;
            found.retain(|other| other.id != upload.id);
        }
        Ok((Run { s3, job, plan, expected, algorithm, mark, upload, done: BTreeMap::new() }, found))
    }

    /// Writes the parts that are missing. No part is begun that can't end before the deadline, by the
    /// speed that copies were measured at and by the slowest part so far.
    async fn write(&mut self) -> Result<(), Error> {
        let (s3, job, upload) = (self.s3, self.job, &self.upload);
        let algorithm = self.algorithm;
        let missing = (1..).zip(&self.plan.parts).filter(|(number, _)| !self.done.contains_key(number));
        let (mut uploads, mut copies): (VecDeque<_>, VecDeque<_>) =
            missing.partition(|(_, part)| matches!(part, Part::Upload(_)));
        let mut pace = Pace::new(plan::S3.in_flight);
        let mut slowest = Duration::ZERO;
        let mut in_flight = FuturesUnordered::new();
        loop {
            while in_flight.len() < pace.allowed() {
                let ends_in_time = |part: &Part| plan::S3.time(part.length()).max(slowest) <= job.deadline.left();
                // Uploads as far as there is room for their bytes, and one at least; then copies.
                let next = uploads.front().filter(|(_, part)| ends_in_time(part));
                let room = next.and_then(|(_, part)| s3.try_hold(part.length()));
                let next = match room.is_some() || next.is_some() && in_flight.is_empty() {
                    true => uploads.pop_front(),
                    false => copies.pop_front_if(|(_, part)| ends_in_time(part)),
                };
                let Some(next) = next else { break };
                let begun = pace.begin();
                in_flight.push(async move {
                    let _room = match next.1 {
                        Part::Upload(_) if room.is_none() => s3.hold(next.1.length()).await,
                        _ => room,
                    };
                    let (s3, since) = (s3.watched(), Instant::now());
                    let part = write_part(&s3, job, upload, next, algorithm).await;
                    (begun, s3.slowed(), since.elapsed(), part.map_err(|error| (next, error)))
                });
            }
            tokio::select! {
                biased;
                ended = in_flight.next() => match ended {
                    None if uploads.is_empty() && copies.is_empty() => return Ok(()),
                    None => return Err(self.out_of_time()),
                    Some((begun, slowed, took, Ok(part))) => {
                        self.done.insert(part.number, part);
                        pace.end(begun, slowed);
                        slowest = slowest.max(took);
                    }
                    // What S3 does not take among others it may take alone.
                    Some((begun, .., Err((part, error)))) if error.transient() && pace.allowed() > 1 => {
                        match part.1 {
                            Part::Upload(_) => uploads.push_front(part),
                            Part::Copy { .. } => copies.push_front(part),
                        }
                        pace.end(begun, true);
                    }
                    Some((.., Err((_, error)))) => return Err(error),
                },
                () = sleep_until(job.deadline.last_call()) => return Err(self.out_of_time()),
            }
        }
    }

    async fn complete(&mut self) -> Result<Written, Error> {
        let mut tries = 1;
        loop {
            let parts: Vec<s3::Part> = self.done.values().cloned().collect();
            let complete = async |stood: &Stood| {
                self.s3.complete(&self.upload, &parts, self.plan.length, stood, self.expected).await
            };
            match timeout_at(self.job.deadline.last_call(), self.job.stood.held(complete)).await {
                Err(_) => return Err(self.out_of_time()),
                Ok(Err(error)) if error.is_of_another_part() && tries < COMPLETIONS && self.relisted().await? => (),
                Ok(result) => return Ok(result?),
            }
            tries += 1;
        }
    }

    /// Takes S3's list for which parts there are; whether it told anything new. A copy that seemed to have timed
    /// out can end after its retry, and so replace it: with the same bytes, since nobody writes to the upload but
    /// runs of this very plan, and under SSE-KMS with another ETag all the same.
    async fn relisted(&mut self) -> Result<bool, Error> {
        let listed = self.s3.parts(&self.upload).await?;
        let mut is_new = false;
        for part in listed {
            let Some(known) = self.done.get_mut(&part.number).filter(|known| known.size == part.size) else { continue };
            let is_same = known.crc.zip(part.crc).is_none_or(|(known, listed)| known == listed);
            if is_same && known.etag != part.etag {
                is_new = true;
                *known = part;
            }
        }
        Ok(is_new)
    }

    /// Leaves the upload to the next try; whether it could be.
    async fn leave(&self) -> bool {
        let free = (1..=LAST).rev().find(|number| !self.done.contains_key(number));
        let Some(number) = free.filter(|_| !self.done.is_empty()) else { return false };
        let marked = self.s3.upload_part(&self.upload, number, self.mark.clone().into(), self.algorithm);
        matches!(timeout_at(self.job.deadline.end(), marked).await, Ok(Ok(_)))
    }

    fn out_of_time(&self) -> Error {
        Error::OutOfTime { uri: self.job.target.clone(), parts: Some((self.done.len(), self.plan.parts.len())) }
    }
}

async fn write_part(
    s3: &S3,
    job: &Job,
    upload: &Upload,
    (number, part): (i32, &Part),
    algorithm: Option<Algorithm>,
) -> Result<s3::Part, Error> {
    match part {
        Part::Upload(pieces) => Ok(s3.upload_part(upload, number, job.bytes(s3, pieces).await?, algorithm).await?),
        Part::Copy { source, range } => Ok(s3.copy_part(upload, number, &job.sources[*source].object, *range).await?),
    }
}

/// What the mark of a job's upload says.
fn mark(job: &Job, plan: &Plan, expected: Option<Crc>) -> String {
    let crc = expected.map_or_else(String::new, Crc::base64);
    hex(&Sha256::digest(format!("{}\n{crc}\n{plan}", job.seal.fingerprint.as_str())))
}

/// A part shows no bytes, but their CRC; on a server that knows no CRCs, their MD5 as its ETag.
fn is_mark(part: &s3::Part, mark: &str) -> bool {
    let says_so = || match part.crc {
        Some(crc) => crc == Crc::of(crc.algorithm, mark.as_bytes()),
        None => part.etag.trim_matches('"') == hex(&md5::Md5::digest(mark)),
    };
    part.size == mark.len() as u64 && says_so()
}

/// Aborts an upload until no part of it is left.
async fn abort(s3: &S3, upload: &Upload) {
    for _ in 0..ABORTS {
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
    tracing::warn!(upload = upload.id, "an upload has parts after {ABORTS} aborts");
}
