//! One try of a job.

use std::ops::ControlFlow;

use super::assemble::assemble;
use super::context::Context;
use super::existing::Existing;
use super::try_end::{Assumptions, BeginAnew, TryEnd};
use super::wanted::want;
use super::{columns, delete, sources};
use crate::copy::{ProvedObject, execute};
use crate::error::Error;
use crate::receipt::{Outcome, Receipt, Written};

/// Tries once.
pub async fn attempt(context: &Context<'_>, assumptions: &Assumptions) -> Result<TryEnd, Error> {
    match steps(context, assumptions).await {
        Err(error) => BeginAnew::after(error).map(TryEnd::BeginAnew),
        end => end,
    }
}

async fn steps(context: &Context<'_>, assumptions: &Assumptions) -> Result<TryEnd, Error> {
    let existing = Existing::look(context, assumptions.compression).await?;
    let sources = match sources::look(context, &existing).await? {
        ControlFlow::Break(receipt) => return Ok(TryEnd::Finished(receipt)),
        ControlFlow::Continue(sources) => sources,
    };
    let header = match columns::decide(context, &sources).await? {
        ControlFlow::Break(receipt) => return Ok(TryEnd::Finished(receipt)),
        ControlFlow::Continue(header) => header,
    };
    let wanted = match want(context, sources, header).await? {
        ControlFlow::Break(receipt) => return Ok(TryEnd::Finished(receipt)),
        ControlFlow::Continue(wanted) => wanted,
    };
    if let Some(receipt) = wanted.already_there(context, &existing) {
        let receipt = receipt.made_of(wanted.sources.copied(), context.job.rows());
        let receipt = delete::if_wanted(context, &wanted.sources.objects, receipt).await?;
        return Ok(TryEnd::Finished(receipt));
    }
    let (objects, uris) = (wanted.sources.objects.clone(), wanted.sources.uris());
    let copied = wanted.sources.copied();
    let (line, mut assembly) = match assemble(context, wanted, existing, assumptions).await? {
        ControlFlow::Break(end) => return Ok(end),
        ControlFlow::Continue(assembled) => assembled,
    };
    let ProvedObject { plan, etag, proof } = execute(context.s3, &mut assembly).await?;
    let written = Written::new(line.from(), line.columns(), plan.length, plan.parts.len(), &etag, proof);
    let receipt = Receipt::of_final(&assembly.target, uris, Outcome::Written, Some(written));
    let receipt = receipt.made_of(copied, context.job.rows());
    Ok(TryEnd::Finished(delete::if_wanted(context, &objects, receipt).await?))
}
