//! What a final object is to be made of: its sources, as they are in S3 now.

mod each;
mod single;

use std::ops::ControlFlow;

use super::context::Context;
use super::existing::Existing;
use super::tasks::Subject;
use crate::error::Error;
use crate::receipt::Receipt;
use crate::s3::{Head, Object};

pub struct Sources {
    /// The first source. Its attributes are copied to the final object.
    pub first: Head,
    pub objects: Vec<Object>,
    /// The version of the manifest that lists the objects, if one does.
    pub manifest_version: Option<String>,
}

impl Sources {
    pub fn uris(&self) -> Vec<String> {
        self.objects.iter().map(|object| object.uri.to_string()).collect()
    }
}

/// Looks at the sources of a job. It breaks off with a receipt if there is nothing to do.
pub async fn look(context: &Context<'_>, existing: &Existing) -> Result<ControlFlow<Receipt, Sources>, Error> {
    match &context.job.subject {
        Subject::Object { uri, unload } => each::look(context, uri, unload.as_deref(), existing).await,
        Subject::Folder { unload, folder } => single::look(context, unload, folder, existing).await,
    }
}

/// Refuses an object whose content S3 does not have, or does not give.
fn refuse_unreadable(source: &Head) -> Result<(), Error> {
    let uri = source.object.uri.clone();
    match &source.archive {
        _ if source.is_client_encrypted() => Err(Error::ClientSideEncrypted { uri }),
        Some(class) => Err(Error::ObjectArchived { uri, class: class.clone() }),
        None => Ok(()),
    }
}
