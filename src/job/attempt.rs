//! One try of a job.

use std::ops::ControlFlow;

use super::assemble::assemble;
use super::context::Context;
use super::existing::Existing;
use super::wanted::want;
use super::{columns, delete, sources};
use crate::copy::{CopyError, ProvedObject, execute};
use crate::error::Error;
use crate::receipt::{Outcome, Receipt, Written};
use crate::unload::Compression;

/// What a try takes for granted about its sources. If it turns out to be wrong, the next try knows better.
#[derive(Default)]
pub struct Assumptions {
    /// How they are compressed.
    pub compression: Option<Compression>,
    /// Some slices are not like the others: all are looked at before anything is written.
    pub slices_may_differ: bool,
}

/// How a try ended.
pub enum TryEnd {
    Finished(Receipt),
    BeginAnew(BeginAnew),
}

/// Why a job begins anew.
pub enum BeginAnew {
    /// Something has changed since the try began.
    Overtaken(Error),
    /// S3 would have made another object than expected.
    OtherResult(Error),
    /// A slice that had not been looked at is not like the others.
    SlicesDiffer(Error),
    /// The sources are compressed so, which was not assumed, and belong at another final key.
    OtherCompression(Option<Compression>),
}

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
    if let Some(receipt) = existing.unchanged(context, &wanted) {
        let receipt = delete::sources(context, &wanted.sources.objects, receipt).await?;
        return Ok(TryEnd::Finished(receipt));
    }
    let (objects, uris) = (wanted.sources.objects.clone(), wanted.sources.uris());
    let (line, mut assembly) = match assemble(context, wanted, existing, assumptions).await? {
        ControlFlow::Break(end) => return Ok(end),
        ControlFlow::Continue(assembled) => assembled,
    };
    let ProvedObject { plan, etag, proof } = execute(context.s3, &mut assembly).await?;
    let written = Written {
        columns_from: line.from(),
        columns: line.columns(),
        bytes: plan.length,
        bytes_through: 0,
        parts: plan.parts.len(),
        proof,
        etag: etag.trim_matches('"').to_owned(),
    };
    let receipt = Receipt::of_final(&assembly.target, uris, Outcome::Written, Some(written));
    Ok(TryEnd::Finished(delete::sources(context, &objects, receipt).await?))
}

impl BeginAnew {
    /// Whether a job begins anew after an error; if not, the error itself.
    fn after(error: Error) -> Result<BeginAnew, Error> {
        use crate::header::HeaderError;
        let of_s3 = match &error {
            Error::S3(s3) | Error::Header(HeaderError::S3(s3)) | Error::Copy(CopyError::S3(s3)) => Some(s3),
            _ => None,
        };
        match &error {
            _ if of_s3.is_some_and(|s3| s3.is_overtaken()) => Ok(BeginAnew::Overtaken(error)),
            _ if of_s3.is_some_and(|s3| s3.is_other_result()) => Ok(BeginAnew::OtherResult(error)),
            Error::Copy(CopyError::Rewritten { .. }) => Ok(BeginAnew::Overtaken(error)),
            Error::Copy(CopyError::SlicesUnlike { .. }) => Ok(BeginAnew::SlicesDiffer(error)),
            _ => Err(error),
        }
    }
}
