//! What a job would do.

use bytes::Bytes;

use super::context::Context;
use super::delete;
use super::demands::Job;
use super::prepared::{Prepared, Ready};
use super::run::in_time;
use crate::copy::{Forecast, forecast};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::header::FoundColumns;
use crate::receipt::{ColumnsFrom, Receipt};
use crate::s3::{Effort, Precondition, S3};
use crate::settings::Settings;
use crate::uri::Uri;

/// What a job would end with.
pub enum Intent {
    /// This receipt, and so many sources deleted.
    Idle {
        receipt: Receipt,
        deletes: usize,
        /// All that the job would ask and read.
        effort: Effort,
        /// The columns of a final object that is there already, unless the sources bring their header themselves.
        found: Option<FoundColumns>,
    },
    Write(PlannedObject),
}

/// A final object that would be written.
pub struct PlannedObject {
    pub target: Uri,
    pub at_key: AtKey,
    pub sources: Vec<Uri>,
    pub columns_from: ColumnsFrom,
    /// How many the header names.
    pub columns: usize,
    /// Where they were found; `None` if the sources bring their header themselves.
    pub found: Option<FoundColumns>,
    /// The header, not compressed.
    pub header: Bytes,
    pub forecast: Forecast,
    /// Sources that would be deleted, if S3 can prove the final object.
    pub deletes: usize,
    /// All that the job would ask and read, if nothing has to be done twice.
    pub effort: Effort,
}

/// What is at the final key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtKey {
    Nothing,
    /// What this job made of other sources, another header or other settings.
    Outdated,
    /// An object that no job has written.
    Unsealed,
}

/// Goes through a job up to where something would be written, and changes nothing.
pub async fn dry_run(settings: &Settings, s3: &S3, job: &Job, deadline: &Deadline) -> Result<Intent, Error> {
    let context = &Context { settings, s3, job, deadline, anew: false };
    in_time(context, intent).await
}

/// The same as if there were no final object yet, so that the header is made though it is there.
pub async fn dry_run_anew(settings: &Settings, s3: &S3, job: &Job, deadline: &Deadline) -> Result<Intent, Error> {
    let context = &Context { settings, s3, job, deadline, anew: true };
    in_time(context, intent).await
}

async fn intent(context: &Context<'_>, prepared: Prepared) -> Result<Intent, Error> {
    let Ready { line, mut assembly, objects, columns, is_its_own, .. } = match prepared {
        Prepared::Idle(receipt) => {
            let effort = context.s3.effort();
            return Ok(Intent::Idle { receipt: receipt.adding(effort), deletes: 0, effort, found: None });
        }
        Prepared::AlreadyThere { receipt, objects, columns: found } => {
            let deletes = if delete::is_due(context) && delete::is_proved(&receipt) { objects.len() } else { 0 };
            let left = delete::leftovers(context, &objects, &receipt).await;
            let clearing = left.map_or(Effort::default(), |left| left.effort());
            let effort = deletions(context.s3.effort().and(clearing), deletes);
            return Ok(Intent::Idle { receipt: receipt.adding(effort), deletes, effort, found });
        }
        Prepared::Ready(ready) => *ready,
    };
    let forecast = forecast(context.s3, &mut assembly).await?;
    let deletes = if delete::is_due(context) { objects.len() } else { 0 };
    let at_key = match assembly.precondition {
        Precondition::Absent | Precondition::None => AtKey::Nothing,
        Precondition::Etag(_) if is_its_own => AtKey::Outdated,
        Precondition::Etag(_) => AtKey::Unsealed,
    };
    Ok(Intent::Write(PlannedObject {
        at_key,
        sources: objects.into_iter().map(|object| object.uri).collect(),
        columns_from: line.from(),
        columns: line.columns(),
        found: columns,
        header: line.bytes(&assembly.target, None)?,
        deletes,
        effort: deletions(context.s3.effort().and(forecast.effort), deletes),
        forecast,
        target: assembly.target,
    }))
}

fn deletions(effort: Effort, count: usize) -> Effort {
    (0..count).fold(effort, |effort, _| effort.and(Effort::DELETE))
}
