//! What a final object is to be made of: its sources, as they are in S3 now.

mod each;
mod found;
mod listed;
mod single;

use std::ops::ControlFlow;

pub use self::found::Sources;
use super::context::Context;
use super::demands::Subject;
use super::existing::Existing;
use super::try_end::Assumptions;
use crate::error::Error;
use crate::receipt::Receipt;

/// Looks at the sources of a job. It breaks off with a receipt if there is nothing to do.
pub async fn look(
    context: &Context<'_>,
    existing: &Existing,
    assumptions: &Assumptions,
) -> Result<ControlFlow<Receipt, Sources>, Error> {
    match &context.job.subject {
        Subject::Object { uri, unload, .. } => each::look(context, uri, unload.as_deref(), existing).await,
        Subject::Folder { unload, folder } => single::look(context, unload, folder, existing, assumptions).await,
    }
}
