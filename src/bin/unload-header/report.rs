//! What `unload-header add` tells: a line for each job that has ended, and a summary.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::{Write, stderr, stdout};
use std::time::Instant;

use indicatif::HumanDuration;
use serde_json::json;
use unload_header::copy::CopyError;
use unload_header::error::Error;
use unload_header::job::{Job, PlannedObject};
use unload_header::receipt::{Outcome, Receipt};
use unload_header::s3::Effort;
use unload_header::seal::JobId;
use unload_header::settings::Settings;
use unload_header::uri::Uri;

use crate::bars::Bars;
use crate::failure::Failure;
use crate::show::{self, Sum, count, size};
use crate::work::named;

/// How a job has ended.
pub enum End {
    Receipt(Receipt),
    /// In a dry run: nothing would be written, but this asked of S3, and so many sources deleted.
    Idle {
        receipt: Receipt,
        effort: Effort,
        deletes: usize,
    },
    Planned(PlannedObject),
    Failed(Uri, Error),
}

/// A job that has ended, or what there is no job for.
pub struct JobEnd {
    pub unit: usize,
    pub siblings: usize,
    pub job: Option<Job>,
    pub end: End,
}

/// What has ended so far, and how it is told.
pub struct Report {
    json: bool,
    pub bars: Bars,
    outcomes: BTreeMap<&'static str, u64>,
    bytes: u64,
    through: u64,
    requests: u64,
    planned: Sum,
    /// With OUTPUT=single: where planned objects go, and what for.
    targets: HashMap<Uri, JobId>,
    begun: Instant,
}

impl Report {
    pub fn new(json: bool, jobs: u16) -> Report {
        let (outcomes, planned) = (BTreeMap::new(), Sum::new(jobs));
        let (targets, begun) = (HashMap::new(), Instant::now());
        Report { json, bars: Bars::new(), outcomes, bytes: 0, through: 0, requests: 0, planned, targets, begun }
    }

    /// Two unloads may be planned to become the same object. The second will find it taken.
    pub fn planned_once(&mut self, answer: JobEnd) -> JobEnd {
        let (End::Planned(object), Some(job)) = (&answer.end, &answer.job) else { return answer };
        let (target, id) = (object.target.clone(), JobId::new(job.uri(), job.folder()));
        match self.targets.entry(target.clone()) {
            Entry::Vacant(place) => {
                place.insert(id);
                answer
            }
            Entry::Occupied(place) => {
                let error = Error::FinalKeyTaken { target, other: place.get().to_string(), job: id.to_string() };
                JobEnd { end: End::Failed(named(job), error), ..answer }
            }
        }
    }

    pub fn done(&self) -> u64 {
        self.outcomes.values().sum()
    }

    pub fn tell(&mut self, end: &End) -> Result<(), Failure> {
        let outcome = match end {
            End::Receipt(receipt) => {
                let is_new = receipt.outcome == Outcome::Written;
                if let Some(written) = receipt.written.as_ref().filter(|_| is_new) {
                    self.bytes += written.bytes;
                    self.through += written.bytes_through;
                }
                self.requests += receipt.requests;
                receipt.outcome.name()
            }
            End::Idle { receipt, effort, deletes } => {
                self.planned.add_idle(*effort, *deletes);
                receipt.outcome.name()
            }
            End::Planned(object) => {
                self.planned.add(object);
                "planned"
            }
            End::Failed(_, error) if is_stop(error) => "stopped",
            End::Failed(..) => "failed",
        };
        *self.outcomes.entry(outcome).or_default() += 1;
        let line = if self.json { json(end, outcome)? } else { text(end, outcome) };
        let is_failure = matches!(end, End::Failed(..));
        self.bars.without(|| match is_failure && !self.json {
            true => writeln!(stderr(), "{line}"),
            false => writeln!(stdout(), "{line}"),
        })?;
        Ok(())
    }

    pub fn end(self, settings: &Settings, is_dry: bool, stopping: bool) -> Result<(), Failure> {
        self.bars.end();
        let outcomes: Vec<String> = self.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        let nothing = if stopping { "nothing is done" } else { "nothing is there" };
        let outcomes = if outcomes.is_empty() { nothing.to_owned() } else { outcomes.join(", ") };
        let took = HumanDuration(self.begun.elapsed());
        match is_dry {
            true => {
                let later = match settings.deletes_last() {
                    true => " Sources that a manifest lists are deleted after the manifest of their final objects.",
                    false => "",
                };
                writeln!(stderr(), "{outcomes}: {}. Nothing was written.{later}", self.planned)?;
            }
            false => {
                let (bytes, through) = (size(self.bytes), size(self.through));
                let requests = count(self.requests, "request");
                writeln!(stderr(), "{outcomes}: {bytes} written, {through} through, {requests}, {took}")?;
            }
        }
        let number = |outcome| self.outcomes.get(outcome).copied().unwrap_or_default();
        // What waits is not done, and nothing that comes later will do it here.
        match (stopping, number("failed") + number("waiting")) {
            (true, _) => Err(Failure::Stopped("stopped; the same command goes on".to_owned())),
            (false, 0) => Ok(()),
            (false, _) => Err(Failure::Named),
        }
    }
}

/// Whether a job was ended by Ctrl-C.
fn is_stop(error: &Error) -> bool {
    error.kind() == "OutOfTime"
}

/// Why something has not been done.
fn reason(error: &Error) -> String {
    match error {
        Error::Copy(CopyError::OutOfTime { done, all, .. }) if *done > 0 => {
            format!("S3 has {done} of the {all} parts, which the next run takes")
        }
        error if is_stop(error) => "the same command goes on".to_owned(),
        error => error.to_string(),
    }
}

fn json(end: &End, outcome: &str) -> Result<String, serde_json::Error> {
    match end {
        End::Receipt(receipt) | End::Idle { receipt, .. } => serde_json::to_string(receipt),
        End::Planned(object) => Ok(show::planned_json(object)?.to_string()),
        End::Failed(uri, error) => {
            let (sources, kind) = ([uri.to_string()], error.kind());
            Ok(json!({"sources": sources, "outcome": outcome, "errorType": kind, "reason": reason(error)}).to_string())
        }
    }
}

fn text(end: &End, outcome: &str) -> String {
    match end {
        End::Receipt(receipt) | End::Idle { receipt, .. } => show::receipt(receipt),
        End::Planned(object) => show::planned_tree(object),
        End::Failed(uri, error) => {
            let kind = if is_stop(error) { String::new() } else { format!("{}: ", error.kind()) };
            show::line(&format!("{outcome:<9}  {uri}  {kind}{}", reason(error)))
        }
    }
}
