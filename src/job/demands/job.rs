//! A job: one final object that is to be made.

use std::sync::Arc;

use crate::s3::Seen;
use crate::unload::{Compression, Unload, name};
use crate::uri::Uri;

/// What one final object is to be made of, and what asks for it.
#[derive(Clone, Debug)]
pub struct Job {
    pub subject: Subject,
    /// The sidecar whose event asks for the job, if one does. Then the job does not fail where something is missing: the
    /// sources' own events ask for it as well, and fail.
    pub sidecar: Option<Uri>,
}

#[derive(Clone, Debug)]
pub enum Subject {
    /// A data object, and what was told of it; and the unload that lists it, if that unload's manifest asks for the job.
    Object { uri: Uri, seen: Option<Seen>, unload: Option<Arc<Unload>> },
    /// The objects of an unload that are in one of its folders. Without PARTITION BY there is one folder, "".
    Folder { unload: Arc<Unload>, folder: String },
}

impl Job {
    /// The data object, or the manifest.
    pub fn uri(&self) -> &Uri {
        match &self.subject {
            Subject::Object { uri, .. } => uri,
            Subject::Folder { unload, .. } => &unload.manifest,
        }
    }

    pub fn folder(&self) -> &str {
        match &self.subject {
            Subject::Object { .. } => "",
            Subject::Folder { folder, .. } => folder,
        }
    }

    /// The unload prefix, and the folder of the partition behind it. For a data object it is that of the likeliest
    /// reading of its key, whatever event asks for the job, since the final key may depend on it.
    pub fn unload_prefix(&self) -> (&str, &str) {
        match &self.subject {
            Subject::Object { uri, .. } => (name::readings(&uri.key)[0].unload_prefix, ""),
            Subject::Folder { unload, folder } => (unload.prefix(), folder),
        }
    }

    /// Whether it is known what the job is to be made of: a data object, or all that a manifest lists.
    pub fn is_listed(&self) -> bool {
        match &self.subject {
            Subject::Object { .. } => true,
            Subject::Folder { unload, .. } => unload.version.is_some(),
        }
    }

    /// How many rows the unload's manifest counts.
    pub fn rows(&self) -> Option<u64> {
        let entries = match &self.subject {
            Subject::Object { uri, unload, .. } => unload.as_ref()?.entries_of(&uri.key),
            Subject::Folder { unload, folder } => unload.entries(folder),
        };
        entries.iter().map(|entry| entry.rows).sum()
    }

    /// The compression that the name of the first source tells, which may not be that of its content.
    pub fn compression(&self) -> Option<Compression> {
        match &self.subject {
            Subject::Object { uri, .. } => Compression::of_name(&uri.key),
            Subject::Folder { unload, folder } => {
                unload.entries(folder).first().and_then(|entry| Compression::of_name(&entry.uri.key))
            }
        }
    }

    /// Makes one job of two events that ask for the same. If one of them is no sidecar's, the job fails where something
    /// is missing. If one of them is a manifest's, its unload need not be looked for.
    pub fn merge(&mut self, other: Job) {
        self.sidecar = self.sidecar.take().and(other.sidecar);
        if let (Subject::Object { seen, unload, .. }, Subject::Object { seen: also_seen, unload: other, .. }) =
            (&mut self.subject, other.subject)
        {
            *seen = seen.take().filter(|seen| seen.etag.is_some()).or(also_seen);
            *unload = unload.take().or(other);
        }
    }
}
