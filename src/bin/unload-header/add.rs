//! `unload-header add`: headers on all that is below a prefix, or what that would be.

use std::io::{Write, stderr};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::interval;
use unload_header::deadline::Deadline;
use unload_header::error::Error;
use unload_header::job::{DoneUnload, Ended, Intent, Job, PlannedObject, dry_run, run as run_job};
use unload_header::s3::{Effort, S3};
use unload_header::settings::Output;

use crate::arguments::Add;
use crate::bars::TICK;
use crate::client::{below_unload_prefix, client, settings};
use crate::failure::Failure;
use crate::report::{End, JobEnd, Report};
use crate::stop::asked_to_stop;
use crate::unit::Globs;
use crate::units::units;
use crate::work::{Asked, ByUnit, What, Work, named};

/// Nobody waits for an answer, as Lambda does.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 86_400);

pub async fn run(add: Add) -> Result<(), Failure> {
    let scope = add.scope;
    let settings = &settings(&scope.settings)?;
    let globs = &Globs::new(&scope.selection).map_err(|error| Failure::Usage(error.to_string()))?;
    let place = &below_unload_prefix(settings, &scope.place)?;
    let s3 = &client(settings).await;
    let (deadline, stop) = Deadline::stoppable(NO_DEADLINE);
    let (work, mut report) = (&Work::new(settings, s3, &deadline, scope.jobs), Report::new(scope.json, scope.jobs));
    let asked = work.asked(units(settings, s3, place, globs), place);
    let answers = asked.map(|asked| answer(work, asked, add.dry_run)).buffer_unordered(work.jobs);
    let (mut answers, mut unloads, mut ticks) = (pin!(answers), ByUnit::default(), interval(TICK));
    // Those of unloads of which all jobs have ended.
    let mut manifests = FuturesUnordered::new();
    let (mut all_ended, mut stopping, mut interrupt) = (false, false, Box::pin(asked_to_stop()));
    while !(all_ended && manifests.is_empty()) {
        tokio::select! {
            next = answers.next(), if !all_ended => {
                let Some(answer) = next else {
                    all_ended = true;
                    continue;
                };
                let answer = if settings.output == Output::Single { report.planned_once(answer) } else { answer };
                report.tell(&answer.end)?;
                if settings.final_manifest && !add.dry_run
                    && let Some(all) = unloads.ended(answer.unit, answer.siblings, answer)
                {
                    manifests.push(final_manifests(work, all));
                }
            }
            Some(ends) = manifests.next() => ends.iter().try_for_each(|end| report.tell(end))?,
            _ = ticks.tick() => {
                report.bars.show(work, report.done())?;
                // What is only being looked at leaves nothing behind.
                if stopping && work.writing().is_empty() && manifests.is_empty() {
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
    for uri in work.unfinished() {
        report.tell(&End::Failed(uri.clone(), Error::OutOfTime { uri }))?;
    }
    report.end(settings, add.dry_run, stopping)
}

async fn answer(work: &Work<'_>, asked: Asked, is_dry: bool) -> JobEnd {
    let Asked { unit, siblings, what } = asked;
    let (job, end) = match what {
        What::Idle(receipt, effort) if is_dry => {
            (None, End::Idle { receipt: receipt.adding(effort), effort, deletes: 0 })
        }
        What::Idle(receipt, effort) => (None, End::Receipt(receipt.adding(effort))),
        What::Failed(uri, error) => (None, End::Failed(uri, error)),
        What::Job(job, effort) => {
            let end = work.with(&job, async |s3| match is_dry {
                true => planned(work, s3, &job, effort).await,
                false => {
                    let receipt = run_job(work.settings, s3, &job, work.deadline).await;
                    receipt.map(|receipt| End::Receipt(receipt.adding(effort)))
                }
            });
            let end = end.await.unwrap_or_else(|error| End::Failed(named(&job), error));
            (Some(job), end)
        }
    };
    JobEnd { unit, siblings, job, end }
}

/// How a job would end. `before` is what was asked of S3 to find it.
async fn planned(work: &Work<'_>, s3: &S3, job: &Job, before: Effort) -> Result<End, Error> {
    Ok(match dry_run(work.settings, s3, job, work.deadline).await? {
        Intent::Write(object) => End::Planned(PlannedObject { effort: object.effort.and(before), ..object }),
        Intent::Idle { receipt, deletes, effort, .. } => {
            let (receipt, effort) = (receipt.adding(before), effort.and(before));
            let receipt = match deletes {
                0 => receipt,
                1 => receipt.because("the source would be deleted"),
                all => receipt.because(format!("the {all} sources would be deleted")),
            };
            End::Idle { receipt, effort, deletes }
        }
    })
}

/// Writes the manifests of the final objects of an unload of which all jobs have ended.
async fn final_manifests(work: &Work<'_>, answers: Vec<JobEnd>) -> Vec<End> {
    let ended: Vec<(Option<Job>, Ended)> = answers
        .into_iter()
        .filter_map(|JobEnd { job, end, .. }| {
            let result = match end {
                End::Receipt(receipt) => Ok(receipt),
                End::Failed(_, error) => Err(error),
                End::Planned(_) | End::Idle { .. } => return None,
            };
            Some((job, Ended { messages: Vec::new(), result }))
        })
        .collect();
    let mut ends = Vec::new();
    for unload in DoneUnload::of(&ended) {
        let receipt = unload.write_before(work.settings, work.s3, work.deadline).await;
        ends.push(receipt.map_or_else(|error| End::Failed(unload.manifest().clone(), error), End::Receipt));
    }
    ends
}
