//! What an object that was created asks for.

use std::sync::Arc;

use crate::error::Error;
use crate::header::lookup::Found;
use crate::receipt::{ColumnsFrom, Outcome, Receipt};
use crate::s3::Head;
use crate::settings::Output;
use crate::unload::options::Compression;
use crate::unload::{Dialect, Options, Unload, name};
use crate::uri::Uri;

#[derive(Debug)]
pub enum Task {
    Job(Scope),
    /// There is nothing to do, or not yet.
    Idle(Receipt),
}

/// What one final object is to be made of, and what asks for it.
#[derive(Clone, Debug)]
pub struct Scope {
    pub sources: Sources,
    /// The sidecar whose event asks for the job, if one does: the sources' own events ask for it as well, and fail
    /// where something is missing.
    pub sidecar: Option<Uri>,
}

#[derive(Clone, Debug)]
pub enum Sources {
    /// A data object; and the unload that lists it, if that unload's manifest asks for the job.
    Object { uri: Uri, unload: Option<Arc<Unload>> },
    /// The objects of an unload that lie in one of its folders; with no PARTITION BY it has one, "".
    Folder { unload: Arc<Unload>, folder: String },
}

impl Task {
    pub fn skipped(uri: &Uri, reason: impl Into<String>) -> Task {
        Task::Idle(Receipt::idle(uri, Outcome::Skipped, reason))
    }

    pub fn waiting(uri: &Uri, reason: impl Into<String>) -> Task {
        Task::Idle(Receipt::idle(uri, Outcome::Waiting, reason))
    }

    pub fn object(uri: Uri) -> Task {
        Task::Job(Scope { sources: Sources::Object { uri, unload: None }, sidecar: None })
    }

    /// The same, asked for by a sidecar's event.
    pub fn by_sidecar(self, sidecar: &Uri) -> Task {
        match self {
            Task::Job(scope) => Task::Job(Scope { sidecar: Some(sidecar.clone()), ..scope }),
            idle => idle,
        }
    }
}

impl Scope {
    /// The object that the job is of, or the manifest.
    pub fn uri(&self) -> &Uri {
        match &self.sources {
            Sources::Object { uri, .. } => uri,
            Sources::Folder { unload, .. } => &unload.manifest,
        }
    }

    pub fn folder(&self) -> &str {
        match &self.sources {
            Sources::Object { .. } => "",
            Sources::Folder { folder, .. } => folder,
        }
    }

    /// The unload prefix, and the folder of the partition behind it. It is the likeliest one for a data object,
    /// whatever event asks for the job, since the final key may depend on it.
    pub fn unload_prefix(&self) -> (&str, &str) {
        match &self.sources {
            Sources::Object { uri, .. } => (name::readings(&uri.key)[0].unload_prefix, ""),
            Sources::Folder { unload, folder } => (unload.prefix(), folder),
        }
    }

    /// What names say about the compression, which may deceive.
    pub fn compression(&self) -> Option<Compression> {
        match &self.sources {
            Sources::Object { uri, .. } => Compression::of_name(&uri.key),
            Sources::Folder { unload, folder } => {
                unload.entries(folder).first().and_then(|entry| Compression::of_name(&entry.uri.key))
            }
        }
    }

    /// What the same job asks for in another event's name: without a sidecar it fails where something is missing,
    /// and with the unload that lists its object nothing need be looked for.
    pub fn merge(&mut self, other: Scope) {
        self.sidecar = self.sidecar.take().and(other.sidecar);
        if let (Sources::Object { unload: none @ None, .. }, Sources::Object { unload, .. }) =
            (&mut self.sources, other.sources)
        {
            *none = unload;
        }
    }
}

/// The function may read nothing that is not below UNLOAD_PREFIX; and UNLOAD lists nothing but what it has written
/// behind its own prefix: a manifest that somebody has made for COPY may list slices of several unloads.
pub fn refuse_elsewhere(unload: &Unload, unload_prefix: &str) -> Result<(), Error> {
    let own = format!("the manifest's own prefix, {:?},", unload.prefix());
    for (prefix, below) in [(unload_prefix, format!("UNLOAD_PREFIX={unload_prefix:?}")), (unload.prefix(), own)] {
        if let Some(entry) = unload.elsewhere(prefix) {
            return Err(Error::Elsewhere { manifest: unload.manifest.clone(), entry: entry.clone(), below });
        }
    }
    Ok(())
}

/// Why an unload with these options needs no header, if it does not. Where HEADER has put one on each
/// object, only somebody who has named columns beside it may want others: a manifest has just those.
pub fn needs_no_header(options: &Options, output: Output, columns: Option<&Found>) -> Option<&'static str> {
    let are_its_own = columns.is_none_or(|found| found.from == ColumnsFrom::Manifest);
    match options.dialect {
        Dialect::Parquet => Some("FORMAT PARQUET names its columns itself"),
        Dialect::Json => Some("FORMAT JSON names its columns itself"),
        _ if options.header && output == Output::Each && are_its_own => {
            Some("HEADER: UNLOAD has put a header on it itself")
        }
        _ => None,
    }
}

/// Refuses a source whose rows S3 does not have, or does not give.
pub fn refuse_unreadable(source: &Head) -> Result<(), Error> {
    let uri = source.object.uri.clone();
    match &source.archive {
        _ if source.is_client_encrypted() => Err(Error::ClientEncrypted { uri }),
        Some(class) => Err(Error::Archived { uri, class: class.clone() }),
        None => Ok(()),
    }
}
