//! OUTPUT=each: the one source is a data object.

use std::ops::ControlFlow;

use super::super::context::Context;
use super::super::existing::Existing;
use super::found::{Sources, refuse_unreadable};
use crate::error::Error;
use crate::receipt::{Outcome, Receipt};
use crate::unload::Unload;
use crate::uri::Uri;

/// `unload` lists the object, if its manifest asks for the job.
pub async fn look(
    context: &Context<'_>,
    uri: &Uri,
    unload: Option<&Unload>,
    existing: &Existing,
) -> Result<ControlFlow<Receipt, Sources>, Error> {
    let s3 = context.s3;
    if let Some(unload) = unload {
        match s3.head(&unload.manifest).await? {
            None => return Err(Error::ObjectMissing { uri: unload.manifest.clone() }),
            Some(head) if unload.version.as_ref().is_some_and(|version| version.etag == head.object.etag) => (),
            Some(_) => {
                let reason = format!("{} has been written anew meanwhile, and its own event follows", unload.manifest);
                return Ok(ControlFlow::Break(Receipt::idle(uri, Outcome::Skipped, reason)));
            }
        }
    }
    let Some(first) = s3.head(uri).await? else {
        let receipt = match &existing.seal {
            Some(_) => Some(existing.sources_gone(context, "the source is gone, and its final object is there")),
            None => existing.under_another_key(context).await?,
        };
        return receipt.map(ControlFlow::Break).ok_or_else(|| Error::ObjectMissing { uri: uri.clone() });
    };
    refuse_unreadable(&first)?;
    let objects = vec![first.object.clone()];
    Ok(ControlFlow::Continue(Sources { first, objects, manifest_hash: None, crcs_come_with_rows: false }))
}
