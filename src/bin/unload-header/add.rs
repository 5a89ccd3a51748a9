//! `unload-header add`: headers on all that is below a prefix, or what that would be.

use std::collections::{BTreeMap, HashMap};
use std::io::{Write, stderr, stdout};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use indicatif::HumanDuration;
use tokio::time::interval;
use unload_header::copy::CopyError;
use unload_header::deadline::Deadline;
use unload_header::error::Error;
use unload_header::job::{DoneUnload, Ended, Intent, Job, PlannedObject, dry_run, run as run_job};
use unload_header::receipt::{Outcome, Receipt};
use unload_header::settings::Settings;
use unload_header::uri::Uri;

use crate::arguments::Add;
use crate::bars::{Bars, TICK};
use crate::client::{below_unload_prefix, client, settings};
use crate::failure::Failure;
use crate::show::{self, Sum, count, size};
use crate::stop::asked_to_stop;
use crate::units::{Globs, units};
use crate::work::{Asked, What, Work};

/// Nobody waits for an answer, as Lambda does.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 86_400);

/// How a job has ended.
enum End {
    Receipt(Receipt),
    Planned(PlannedObject),
    Failed(Uri, Error),
}

/// A job that has ended, or what there is no job for.
struct Answer {
    unit: usize,
    siblings: usize,
    job: Option<Job>,
    end: End,
}

/// What has ended so far, and how it is told.
struct Report {
    json: bool,
    bars: Bars,
    outcomes: BTreeMap<&'static str, u64>,
    bytes: u64,
    through: u64,
    requests: u64,
    planned: Sum,
    begun: Instant,
}

pub async fn run(add: Add) -> Result<(), Failure> {
    let meant = add.meant;
    let settings = &settings(&meant.settings)?;
    let globs = &Globs::new(&meant.selection).map_err(|error| Failure::Usage(error.to_string()))?;
    let place = &below_unload_prefix(settings, &meant.place)?;
    let s3 = &client(settings).await;
    let (deadline, stop) = Deadline::stoppable(NO_DEADLINE);
    let (work, mut report) = (&Work::new(settings, s3, &deadline, meant.jobs), Report::new(meant.json));
    let asked = work.asked(units(settings, s3, place, globs), place);
    let answers = asked.map(|asked| answer(work, asked, add.dry_run)).buffer_unordered(work.jobs);
    let (mut answers, mut unloads, mut ticks) = (pin!(answers), HashMap::new(), interval(TICK));
    let (mut stopping, mut interrupt) = (false, Box::pin(asked_to_stop()));
    loop {
        tokio::select! {
            next = answers.next() => {
                let Some(answer) = next else { break };
                report.tell(&answer)?;
                if settings.final_manifest && !add.dry_run {
                    let (unit, siblings) = (answer.unit, answer.siblings);
                    let mut ended: Vec<Answer> = unloads.remove(&unit).unwrap_or_default();
                    ended.push(answer);
                    if ended.len() <= siblings {
                        unloads.insert(unit, ended);
                    } else {
                        final_manifests(work, settings, &deadline, ended, &mut report).await?;
                    }
                }
            }
            _ = ticks.tick() => {
                report.bars.show(work, report.done())?;
                // Whatever is left is only being looked for.
                if stopping && work.is_idle() {
                    break;
                }
            }
            _ = &mut interrupt => {
                if stopping {
                    return Err(Failure::Stopped("stopped at once; uploads may be left open".to_owned()));
                }
                stopping = true;
                stop.now();
                interrupt = Box::pin(asked_to_stop());
                report.bars.without(|| writeln!(stderr(), "stopping: parts that S3 has are left to the next run (again: at once)"))?;
            }
        }
    }
    report.end(add.dry_run, stopping)
}

async fn answer(work: &Work<'_>, asked: Asked, is_dry: bool) -> Answer {
    let Asked { unit, siblings, what } = asked;
    let (job, end) = match what {
        What::Idle(receipt) => (None, End::Receipt(receipt)),
        What::Failed(uri, error) => (None, End::Failed(uri, error)),
        What::Job(job, effort) => {
            let end = work.with(&job, async |s3| match is_dry {
                true => dry_run(work.settings, s3, &job, work.deadline).await.map(|intent| match intent {
                    Intent::Idle { receipt, .. } => End::Receipt(receipt.adding(effort)),
                    Intent::Write(object) => {
                        End::Planned(PlannedObject { effort: object.effort.and(effort), ..object })
                    }
                }),
                false => run_job(work.settings, s3, &job, work.deadline)
                    .await
                    .map(|receipt| End::Receipt(receipt.adding(effort))),
            });
            let end = end.await.unwrap_or_else(|error| End::Failed(job.uri().clone(), error));
            (Some(job), end)
        }
    };
    Answer { unit, siblings, job, end }
}

/// Writes the manifests of the final objects of an unload of which all jobs have ended.
async fn final_manifests(
    work: &Work<'_>,
    settings: &Settings,
    deadline: &Deadline,
    answers: Vec<Answer>,
    report: &mut Report,
) -> Result<(), Failure> {
    let ended: Vec<(Option<Job>, Ended)> = answers
        .into_iter()
        .filter_map(|Answer { job, end, .. }| {
            let result = match end {
                End::Receipt(receipt) => Ok(receipt),
                End::Failed(_, error) => Err(error),
                End::Planned(_) => return None,
            };
            Some((job, Ended { messages: Vec::new(), result }))
        })
        .collect();
    for unload in DoneUnload::of(&ended) {
        let end = match unload.write_before(settings, work.s3, deadline).await {
            Ok(receipt) => End::Receipt(receipt),
            Err(error) => End::Failed(unload.manifest().clone(), error),
        };
        report.tell(&Answer { unit: 0, siblings: 0, job: None, end })?;
    }
    Ok(())
}

impl Report {
    fn new(json: bool) -> Report {
        let (outcomes, planned) = (BTreeMap::new(), Sum::default());
        Report { json, bars: Bars::new(), outcomes, bytes: 0, through: 0, requests: 0, planned, begun: Instant::now() }
    }

    fn done(&self) -> u64 {
        self.outcomes.values().sum()
    }

    fn tell(&mut self, answer: &Answer) -> Result<(), Failure> {
        let outcome = match &answer.end {
            End::Receipt(receipt) => {
                let is_new = receipt.outcome == Outcome::Written;
                if let Some(written) = receipt.written.as_ref().filter(|_| is_new) {
                    self.bytes += written.bytes;
                    self.through += written.bytes_through;
                }
                self.requests += receipt.requests;
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
        let line = if self.json { json(&answer.end, outcome)? } else { text(&answer.end, outcome) };
        let is_failure = matches!(answer.end, End::Failed(..));
        self.bars.without(|| match is_failure && !self.json {
            true => writeln!(stderr(), "{line}"),
            false => writeln!(stdout(), "{line}"),
        })?;
        Ok(())
    }

    fn end(self, is_dry: bool, stopping: bool) -> Result<(), Failure> {
        self.bars.end();
        let outcomes: Vec<String> = self.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        let outcomes = if outcomes.is_empty() { "nothing is there".to_owned() } else { outcomes.join(", ") };
        let took = HumanDuration(self.begun.elapsed());
        match is_dry {
            true => writeln!(stderr(), "{outcomes}: {}. Nothing was written.", self.planned)?,
            false => {
                let (bytes, through) = (size(self.bytes), size(self.through));
                let requests = count(self.requests, "request");
                writeln!(stderr(), "{outcomes}: {bytes} written, {through} through, {requests}, {took}")?;
            }
        }
        let number = |outcome| self.outcomes.get(outcome).copied().unwrap_or_default();
        match (stopping, number("failed")) {
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

fn json(end: &End, outcome: &str) -> Result<String, serde_json::Error> {
    match end {
        End::Receipt(receipt) => serde_json::to_string(receipt),
        End::Planned(object) => Ok(show::planned_json(object)?.to_string()),
        End::Failed(uri, error) => Ok(show::failure(outcome, uri, error).to_string()),
    }
}

fn text(end: &End, outcome: &str) -> String {
    match end {
        End::Receipt(receipt) => show::receipt(receipt),
        End::Planned(object) => show::planned_tree(object),
        End::Failed(uri, Error::Copy(CopyError::OutOfTime { done, all, .. })) => {
            format!("{outcome:<9}  {uri}  S3 has {done} of the {all} parts, which the next run takes")
        }
        End::Failed(uri, error) if is_stop(error) => format!("{outcome:<9}  {uri}"),
        End::Failed(uri, error) => format!("{outcome:<9}  {uri}  {}: {error}", error.kind()),
    }
}
