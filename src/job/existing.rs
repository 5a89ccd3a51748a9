//! What is at the final key before anything else of a job is looked at.

use super::context::Context;
use super::demands::Subject;
use crate::error::Error;
use crate::receipt::{Outcome, Receipt};
use crate::s3::{Head, Precondition};
use crate::seal::{JobId, Seal, manifest_hash};
use crate::unload::Compression;
use crate::uri::Uri;

pub struct Existing {
    pub target: Uri,
    pub head: Option<Head>,
    /// The object's seal, if this job wrote the object.
    pub seal: Option<Seal>,
    /// That another job wrote the object, if one did. Such an object is never replaced, nor are this job's sources
    /// deleted for it.
    pub taken: Option<Error>,
}

impl Existing {
    /// `compression` is assumed: the final key may depend on it.
    pub async fn look(context: &Context<'_>, compression: Option<Compression>) -> Result<Existing, Error> {
        let target = context.target(compression)?;
        let head = context.s3.head(&target).await?;
        let seal = head.as_ref().and_then(Seal::on);
        match taken(&target, seal.as_ref(), &context.job_id()) {
            // The sources may turn out to be compressed in another way, and so belong at another key.
            Some(error) if !context.settings.final_key.tells_compression() => Err(error),
            taken => Ok(Existing { target, head, seal: seal.filter(|_| taken.is_none()), taken }),
        }
    }

    /// What must still be there when the final object is written.
    pub fn precondition(&self) -> Precondition {
        self.head.as_ref().map_or(Precondition::Absent, |head| Precondition::Etag(head.object.etag.clone()))
    }

    /// The receipt of the final object, without a look at its sources.
    pub fn receipt(&self, context: &Context<'_>) -> Receipt {
        receipt(context, &self.target)
    }

    /// The receipt of the final object, whose sources are gone.
    pub fn sources_gone(&self, context: &Context<'_>, reason: &str) -> Receipt {
        sources_gone(context, &self.target, reason)
    }

    /// The receipt of a final object that this job made of its sources, which are gone, under the key for another
    /// compression: what they were compressed with is not known any more.
    pub async fn under_another_key(&self, context: &Context<'_>) -> Result<Option<Receipt>, Error> {
        let Context { settings, s3, job, .. } = context;
        if !settings.final_key.tells_compression() {
            return Ok(None);
        }
        let version = match &job.subject {
            Subject::Object { .. } => None,
            Subject::Folder { unload, .. } => unload.version.as_ref().map(manifest_hash),
        };
        for target in settings.final_uris(job.uri(), job.unload_prefix())? {
            let seal = s3.head(&target).await?.as_ref().and_then(Seal::on);
            let is_its_own = |seal: Seal| seal.job == Some(context.job_id()) && seal.manifest_hash == version;
            if seal.is_some_and(is_its_own) {
                let reason = "the sources are gone, and the final object that was made of them is there";
                return Ok(Some(sources_gone(context, &target, reason)));
            }
        }
        Ok(None)
    }
}

/// That another job wrote the object at a final key, if one did.
pub fn taken(target: &Uri, seal: Option<&Seal>, job: &JobId) -> Option<Error> {
    let other = seal?.job.as_ref().filter(|other| *other != job)?;
    Some(Error::FinalKeyTaken { target: target.clone(), other: other.to_string(), job: job.to_string() })
}

fn receipt(context: &Context<'_>, target: &Uri) -> Receipt {
    Receipt::of_final(target, vec![context.job.uri().to_string()], Outcome::Unchanged, None)
}

/// If a sidecar's event asks for the job, the names in it can't be used any more.
fn sources_gone(context: &Context<'_>, target: &Uri, reason: &str) -> Receipt {
    let receipt = receipt(context, target);
    match &context.job.sidecar {
        None => receipt.because(reason),
        Some(sidecar) => receipt
            .because(format!("{sidecar} came too late: the sources were deleted, and the final object is as it was")),
    }
}
