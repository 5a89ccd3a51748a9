//! A job, tried until it is finished.

use tokio::time::{Duration, Instant, sleep};

use super::context::Context;
use super::delete;
use super::demands::Job;
use super::prepare::prepare;
use super::prepared::{Prepared, Ready};
use super::try_end::{Assumptions, BeginAnew, TryEnd};
use crate::copy::{ProvedObject, execute};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::receipt::{Outcome, Receipt, Written};
use crate::s3::S3;
use crate::settings::Settings;

/// How many tries a run has before it fails. Each time, something else has got further meanwhile.
pub const MAX_TRIES: u32 = 5;

/// The wait before a run that was overtaken begins anew; twice and three times as long the next times.
const PAUSE: Duration = Duration::from_millis(250);

/// Does a job. It ends before the deadline. What the client counts is told in the receipt.
pub async fn run(settings: &Settings, s3: &S3, job: &Job, deadline: &Deadline) -> Result<Receipt, Error> {
    let begun = Instant::now();
    let context = &Context { settings, s3, job, deadline, anew: false };
    let receipt = in_time(context, carry_out).await?;
    Ok(receipt.measured(s3.effort(), begun.elapsed()))
}

/// Tries a job before the deadline, each time up to where something is written; and then `go_on`, which decides what
/// becomes of it.
pub async fn in_time<T>(
    context: &Context<'_>,
    go_on: impl AsyncFn(&Context<'_>, Prepared) -> Result<T, Error>,
) -> Result<T, Error> {
    let out_of_time = || Err(Error::OutOfTime { uri: context.job.uri().clone() });
    if context.deadline.left().is_zero() {
        return out_of_time();
    }
    // It has tens of kilobytes, and would be moved by each who waits for it.
    let tries = Box::pin(tries(context, go_on));
    context.deadline.before_end(tries).await.unwrap_or_else(out_of_time)
}

async fn tries<T>(
    context: &Context<'_>,
    go_on: impl AsyncFn(&Context<'_>, Prepared) -> Result<T, Error>,
) -> Result<T, Error> {
    let Context { settings, s3, job, .. } = context;
    let compression = job.compression().or(settings.options.compression);
    let mut assumptions =
        Assumptions { compression, slices_may_differ: false, lists_are_right: true, crcs_come_with_rows: true };
    let (mut is_second_result, mut last) = (false, String::new());
    for number in 1..=MAX_TRIES {
        // What another try has begun ahead is no answer for this one.
        let context = &Context { s3: &s3.anew(), ..*context };
        let end = match prepare(context, &assumptions).await {
            Ok(TryEnd::Finished(prepared)) => go_on(context, prepared).await.map(TryEnd::Finished),
            Ok(TryEnd::BeginAnew(why)) => Ok(TryEnd::BeginAnew(why)),
            Err(error) => Err(error),
        };
        let end = match end {
            Err(error) => TryEnd::BeginAnew(BeginAnew::after(error)?),
            Ok(end) => end,
        };
        last = match end {
            TryEnd::Finished(result) => return Ok(result),
            // A result that is wrong twice is no coincidence.
            TryEnd::BeginAnew(BeginAnew::OtherResult(error)) if is_second_result => return Err(error),
            TryEnd::BeginAnew(BeginAnew::OtherResult(error)) => {
                is_second_result = true;
                assumptions.crcs_come_with_rows = false;
                error.to_string()
            }
            TryEnd::BeginAnew(BeginAnew::Overtaken(error)) => {
                assumptions.lists_are_right = false;
                // Whoever has overtaken this job may have more to do.
                sleep(PAUSE * number).await;
                error.to_string()
            }
            TryEnd::BeginAnew(BeginAnew::SlicesDiffer(error)) => {
                assumptions.slices_may_differ = true;
                error.to_string()
            }
            TryEnd::BeginAnew(BeginAnew::OtherCompression(found)) => {
                assumptions.compression = found;
                "its name does not tell how it is compressed".to_owned()
            }
        };
        tracing::info!(object = %job.uri(), "begun anew: {last}");
    }
    Err(Error::KeepsChanging { uri: job.uri().clone(), tries: MAX_TRIES, last })
}

/// Writes the final object, if that is to be done, and deletes the sources, if that is set.
async fn carry_out(context: &Context<'_>, prepared: Prepared) -> Result<Receipt, Error> {
    let Ready { line, mut assembly, objects, copied, .. } = match prepared {
        Prepared::Idle(receipt) => return Ok(receipt),
        Prepared::AlreadyThere { receipt, objects, .. } => {
            if let Some(left) = delete::leftovers(context, &objects, &receipt).await {
                left.clear(context.s3).await;
            }
            return delete::if_due(context, &objects, receipt).await;
        }
        Prepared::Ready(ready) => *ready,
    };
    let ProvedObject { plan, intermediates, etag, proof } = execute(context.s3, &mut assembly).await?;
    let written = Written::new(line.from(), line.columns(), plan.length, plan.parts.len(), &etag, proof);
    let written = Written { intermediates, ..written };
    let uris = objects.iter().map(|object| object.uri.to_string()).collect();
    let receipt = Receipt::of_final(&assembly.target, uris, Outcome::Written, Some(written));
    delete::if_due(context, &objects, receipt.made_of(copied, context.job.rows())).await
}
