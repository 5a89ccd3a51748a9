//! A demand: a job, or nothing to do.

use super::job::{Job, Subject};
use crate::error::Error;
use crate::receipt::{Outcome, Receipt};
use crate::s3::Seen;
use crate::unload::Unload;
use crate::uri::Uri;

/// What an object that was created asks for.
#[derive(Debug)]
pub enum Demand {
    Job(Job),
    /// There is nothing to do, or nothing yet.
    Idle(Receipt),
}

impl Demand {
    pub fn skipped(uri: &Uri, reason: impl Into<String>) -> Demand {
        Demand::Idle(Receipt::idle(uri, Outcome::Skipped, reason))
    }

    pub fn waiting(uri: &Uri, reason: impl Into<String>) -> Demand {
        Demand::Idle(Receipt::idle(uri, Outcome::Waiting, reason))
    }

    pub fn object(uri: Uri, seen: Option<Seen>) -> Demand {
        Demand::Job(Job { subject: Subject::Object { uri, seen, unload: None }, sidecar: None })
    }

    /// The same, asked for by a sidecar's event.
    pub fn by_sidecar(self, sidecar: &Uri) -> Demand {
        match self {
            Demand::Job(job) => Demand::Job(Job { sidecar: Some(sidecar.clone()), ..job }),
            idle => idle,
        }
    }
}

/// Refuses a manifest that lists objects below another prefix. The function may read nothing that is not below
/// UNLOAD_PREFIX; and UNLOAD lists only what it has written behind its own prefix, but a manifest that was made for COPY
/// may list slices of several unloads.
pub fn refuse_elsewhere(unload: &Unload, unload_prefix: &str) -> Result<(), Error> {
    let own = format!("the manifest's own prefix, {:?},", unload.prefix());
    for (prefix, below) in [(unload_prefix, format!("UNLOAD_PREFIX={unload_prefix:?}")), (unload.prefix(), own)] {
        if let Some(entry) = unload.elsewhere(prefix) {
            let (manifest, entry) = (unload.manifest.clone(), entry.clone());
            return Err(Error::ManifestEntryElsewhere { manifest, entry, below });
        }
    }
    Ok(())
}
