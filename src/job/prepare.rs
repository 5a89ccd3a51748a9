//! One try of a job, up to where something is written.

use std::ops::ControlFlow;

use super::assemble::assemble;
use super::context::Context;
use super::existing::Existing;
use super::prepared::{Prepared, Ready};
use super::specification::specify;
use super::try_end::{Assumptions, TryEnd};
use super::{ahead, columns, sources};
use crate::error::Error;

/// Looks at everything, and changes nothing.
pub async fn prepare(context: &Context<'_>, assumptions: &Assumptions) -> Result<TryEnd<Prepared>, Error> {
    let idle = |receipt| Ok(TryEnd::Finished(Prepared::Idle(receipt)));
    let existing = Existing::look(context, assumptions.compression).await?;
    ahead::beside_the_source(context, &existing);
    let sources = match sources::look(context, &existing, assumptions).await? {
        ControlFlow::Break(receipt) => return idle(receipt),
        ControlFlow::Continue(sources) => sources,
    };
    ahead::behind_the_sources(context, &existing, &sources);
    let header = match columns::decide(context, &sources).await? {
        ControlFlow::Break(receipt) => return idle(receipt),
        ControlFlow::Continue(header) => header,
    };
    let specification = match specify(context, sources, header).await? {
        ControlFlow::Break(receipt) => return idle(receipt),
        ControlFlow::Continue(specification) => specification,
    };
    let (objects, copied) = (specification.sources.objects.clone(), specification.sources.copied(context.job));
    let columns = specification.columns.clone();
    if let Some(receipt) = specification.already_there(context, &existing).filter(|_| !context.anew) {
        let receipt = receipt.made_of(copied, context.job.rows());
        return Ok(TryEnd::Finished(Prepared::AlreadyThere { receipt, objects, columns }));
    }
    let is_of_manifest = existing.seal.as_ref().is_some_and(|seal| seal.manifest_hash.is_some());
    if is_of_manifest && !context.job.is_listed() {
        return Err(Error::ManifestGone { target: existing.target, manifest: context.job.uri().clone() });
    }
    let is_its_own = existing.seal.is_some();
    Ok(match assemble(context, specification, existing, assumptions).await? {
        ControlFlow::Break(end) => end,
        ControlFlow::Continue((line, assembly)) => {
            let ready = Ready { line, assembly, objects, copied, columns, is_its_own };
            TryEnd::Finished(Prepared::Ready(Box::new(ready)))
        }
    })
}
