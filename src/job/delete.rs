//! The deletion of sources whose final object is proved, and of the intermediate objects that it was made of.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::context::Context;
use crate::copy::plan::Limits;
use crate::copy::{Leftovers, groups};
use crate::error::Error;
use crate::receipt::{Outcome, Proof, Receipt};
use crate::s3::{ObjectVersion, S3, SMALL_REQUESTS_AT_ONCE};
use crate::uri::Uri;

/// Deletes the sources of a final object, if DELETE_SOURCE says so and it is time, and tells it in the receipt.
pub async fn if_due(context: &Context<'_>, objects: &[ObjectVersion], receipt: Receipt) -> Result<Receipt, Error> {
    let Context { settings, s3, job, .. } = context;
    match settings.delete_source {
        true if is_due(context) => sources(s3, objects, receipt).await,
        false => Ok(receipt),
        true if !job.is_listed() => Ok(receipt.because("the sources are kept, since no manifest lists them")),
        true => Ok(receipt.because("the source is kept until the manifest of its unload's final objects is there")),
    }
}

/// Whether a job deletes its sources. Of an unload without a manifest that is half deleted, the rest would be taken for
/// all of it.
pub fn is_due(context: &Context<'_>) -> bool {
    let Context { settings, job, .. } = context;
    settings.delete_source && job.is_listed() && !settings.deletes_last()
}

/// Whether it is known that a final object is right. If another run wrote it, only a CRC proves that.
pub fn is_proved(receipt: &Receipt) -> bool {
    let proof = receipt.written.as_ref().map(|written| written.proof);
    receipt.outcome != Outcome::Unchanged || proof != Some(Proof::Size)
}

/// The intermediate objects of a final object that is there and proved, if it may have been made of any. The run that wrote
/// it deletes them, unless it was killed before. If they can't be listed, they are left to the lifecycle rule.
pub async fn leftovers(context: &Context<'_>, objects: &[ObjectVersion], receipt: &Receipt) -> Option<Leftovers> {
    let limits = Limits { max_parts: context.s3.max_parts.into(), ..Limits::AWS };
    let target = receipt.final_uri.as_deref().and_then(Uri::parse).filter(|_| is_proved(receipt));
    let target = target.filter(|_| groups::may_have_been_needed(objects.iter().map(|object| object.size), &limits))?;
    let left = Leftovers::of_job(context.s3, &target, &context.job_id()).await;
    left.inspect_err(|failure| tracing::warn!("intermediate objects could not be looked for, and stay: {failure}")).ok()
}

/// Deletes the sources of a final object.
pub async fn sources(s3: &S3, objects: &[ObjectVersion], receipt: Receipt) -> Result<Receipt, Error> {
    if !is_proved(&receipt) {
        return Ok(
            receipt.because("the source is kept: without a CRC, only the run that wrote the object can prove it")
        );
    }
    let deleted = stream::iter(objects).map(|source| delete(s3, source));
    let deleted: Vec<bool> = deleted.buffer_unordered(SMALL_REQUESTS_AT_ONCE).try_collect().await?;
    let kept = deleted.iter().filter(|deleted| !**deleted).count();
    Ok(receipt.because(match (kept, deleted.len()) {
        (0, 1) => "the source is deleted".to_owned(),
        (1, 1) => "the source is not deleted: it has changed since".to_owned(),
        (0, all) => format!("the {all} sources are deleted"),
        (kept, all) => format!("{kept} of the {all} sources are not deleted: they have changed since"),
    }))
}

/// Deletes a source if it is still the one that was copied, and tells whether it was. A server that knows no conditional
/// deletes answers 501; then the source is looked at first.
async fn delete(s3: &S3, source: &ObjectVersion) -> Result<bool, Error> {
    let deleted = match s3.delete(&source.uri, Some(&source.etag)).await {
        Err(error) if error.status == Some(501) => match s3.head(&source.uri).await? {
            Some(found) if found.object.etag == source.etag => s3.delete(&source.uri, None).await,
            None => return Ok(true),
            Some(_) => Err(error),
        },
        result => result,
    };
    match deleted {
        Ok(()) => Ok(true),
        // It is gone: a first answer was lost, or another run has deleted it.
        Err(error) if error.status == Some(404) => Ok(true),
        Err(error) if error.is_overtaken() || error.status == Some(501) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
