//! A job, tried until it is finished.

use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::attempt::attempt;
use super::context::Context;
use super::tasks::Job;
use super::try_end::{Assumptions, BeginAnew, TryEnd};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::receipt::Receipt;
use crate::s3::S3;
use crate::settings::Settings;

/// How often a job is tried before it fails. Each time, something else has got further meanwhile.
const MOST_TRIES: u32 = 5;

/// The wait before a job that was overtaken begins anew; twice and three times as long the next times.
const PAUSE: Duration = Duration::from_millis(250);

/// Does a job. It ends before the deadline.
pub async fn run(settings: &Settings, s3: &S3, job: &Job, deadline: Deadline) -> Result<Receipt, Error> {
    let (begun, s3) = (Instant::now(), &s3.counting());
    let out_of_time = || Error::OutOfTime { uri: job.uri().clone() };
    if deadline.left().is_zero() {
        return Err(out_of_time());
    }
    let receipt = timeout_at(deadline.end(), tries(&Context { settings, s3, job, deadline })).await;
    let receipt = receipt.unwrap_or_else(|_| Err(out_of_time()))?;
    Ok(receipt.measured(s3.effort(), begun.elapsed()))
}

async fn tries(context: &Context<'_>) -> Result<Receipt, Error> {
    let Context { settings, job, .. } = context;
    let compression = job.compression().or(settings.options.compression);
    let mut assumptions = Assumptions { compression, slices_may_differ: false };
    let (mut is_second_result, mut last) = (false, String::new());
    for number in 1..=MOST_TRIES {
        last = match attempt(context, &assumptions).await? {
            TryEnd::Finished(receipt) => return Ok(receipt),
            // What S3 makes twice is no matter of chance.
            TryEnd::BeginAnew(BeginAnew::OtherResult(error)) if is_second_result => return Err(error),
            TryEnd::BeginAnew(BeginAnew::OtherResult(error)) => {
                is_second_result = true;
                error.to_string()
            }
            TryEnd::BeginAnew(BeginAnew::Overtaken(error)) => {
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
    Err(Error::KeepsChanging { uri: job.uri().clone(), tries: MOST_TRIES, last })
}
