//! The sources of a job that were found.

use super::super::demands::{Job, Subject};
use crate::error::Error;
use crate::receipt::Copied;
use crate::s3::{Head, ObjectVersion};

/// The sources of a job, as they are in S3 now.
pub struct Sources {
    /// The first source. Its attributes are copied to the final object.
    pub first: Head,
    pub objects: Vec<ObjectVersion>,
    /// The version of the manifest that lists the objects, if one does.
    pub manifest_hash: Option<String>,
    /// Whether all are small, and of most the CRCs are not known before their rows are read.
    pub crcs_come_with_rows: bool,
}

impl Sources {
    /// The source, if the job is of one and not of the slices of an unload.
    pub fn copied(&self, job: &Job) -> Option<Copied> {
        let is_one = matches!(job.subject, Subject::Object { .. });
        is_one.then(|| Copied { version: self.first.object.clone(), modified: self.first.modified })
    }

    pub fn uris(&self) -> Vec<String> {
        self.objects.iter().map(|object| object.uri.to_string()).collect()
    }
}

/// Refuses an object whose content S3 does not have, or does not give.
pub fn refuse_unreadable(source: &Head) -> Result<(), Error> {
    let uri = source.object.uri.clone();
    match &source.archive {
        _ if source.is_client_encrypted() => Err(Error::ClientSideEncrypted { uri }),
        Some(class) => Err(Error::ObjectArchived { uri, class: class.clone() }),
        None => Ok(()),
    }
}
