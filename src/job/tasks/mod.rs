//! What an object that was created asks for.

mod each;
mod job;
mod single;

pub use self::job::{Job, Subject};
use crate::error::Error;
use crate::receipt::{Outcome, Receipt};
use crate::s3::S3;
use crate::settings::{Output, Settings};
use crate::unload::{Role, Unload};
use crate::uri::Uri;

#[derive(Debug)]
pub enum Task {
    Job(Job),
    /// There is nothing to do, or nothing yet.
    Idle(Receipt),
}

impl Task {
    pub fn skipped(uri: &Uri, reason: impl Into<String>) -> Task {
        Task::Idle(Receipt::idle(uri, Outcome::Skipped, reason))
    }

    fn waiting(uri: &Uri, reason: impl Into<String>) -> Task {
        Task::Idle(Receipt::idle(uri, Outcome::Waiting, reason))
    }

    fn object(uri: Uri) -> Task {
        Task::Job(Job { subject: Subject::Object { uri, unload: None }, sidecar: None })
    }

    /// The same, asked for by a sidecar's event.
    fn by_sidecar(self, sidecar: &Uri) -> Task {
        match self {
            Task::Job(job) => Task::Job(Job { sidecar: Some(sidecar.clone()), ..job }),
            idle => idle,
        }
    }
}

/// What the event of an object asks for.
pub async fn tasks_of(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let prefix = &settings.unload_prefix;
    if !uri.key.starts_with(prefix) {
        let own = if settings.is_final(&uri.bucket, &uri.key) { ", a final object" } else { "" };
        return Ok(vec![Task::skipped(uri, format!("not below UNLOAD_PREFIX={prefix:?}{own}"))]);
    }
    match (Role::of(&uri.key), settings.output) {
        (Role::DirectoryMarker, _) => Ok(vec![Task::skipped(uri, "a directory marker")]),
        (Role::Data, Output::Each) => Ok(vec![Task::object(uri.clone())]),
        (Role::Data, Output::Single) => single::tasks_of_object(settings, s3, uri).await,
        (Role::Sidecar, Output::Each) => each::tasks_of_sidecar(settings, s3, uri).await,
        (Role::Sidecar, Output::Single) => single::tasks_of_sidecar(settings, s3, uri).await,
        (Role::Manifest, Output::Each) => each::tasks_of_manifest(settings, s3, uri).await,
        (Role::Manifest, Output::Single) => single::tasks_of_manifest(settings, s3, uri).await,
    }
}

/// Refuses a manifest that lists objects below another prefix. The function may read nothing that is not below
/// UNLOAD_PREFIX; and UNLOAD lists only what it has written behind its own prefix, but a manifest that was made for COPY
/// may list slices of several unloads.
fn refuse_elsewhere(unload: &Unload, unload_prefix: &str) -> Result<(), Error> {
    let own = format!("the manifest's own prefix, {:?},", unload.prefix());
    for (prefix, below) in [(unload_prefix, format!("UNLOAD_PREFIX={unload_prefix:?}")), (unload.prefix(), own)] {
        if let Some(entry) = unload.elsewhere(prefix) {
            let (manifest, entry) = (unload.manifest.clone(), entry.clone());
            return Err(Error::ManifestEntryElsewhere { manifest, entry, below });
        }
    }
    Ok(())
}
