//! What an object that was created asks for.

use std::sync::Arc;

use crate::error::Error;
use crate::header::lookup::Found;
use crate::receipt::{ColumnsFrom, Outcome, Receipt};
use crate::s3::{Head, S3};
use crate::settings::Output;
use crate::unload::options::Compression;
use crate::unload::{Dialect, Options, Unload, manifest, name};
use crate::uri::Uri;

#[derive(Debug)]
pub enum Task {
    Job(Scope),
    /// There is nothing to do, or not yet.
    Idle(Receipt),
}

/// What one final object is to be made of.
#[derive(Clone, Debug)]
pub enum Scope {
    /// A data object.
    Object(Uri),
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
}

impl Scope {
    /// The object that the job is of, or the manifest.
    pub fn uri(&self) -> &Uri {
        match self {
            Scope::Object(uri) => uri,
            Scope::Folder { unload, .. } => &unload.manifest,
        }
    }

    pub fn folder(&self) -> &str {
        match self {
            Scope::Object(_) => "",
            Scope::Folder { folder, .. } => folder,
        }
    }

    /// The unload prefix, and the folder of the partition behind it.
    pub fn unload_prefix(&self) -> String {
        match self {
            Scope::Object(uri) => name::readings(&uri.key)[0].unload_prefix.to_owned(),
            Scope::Folder { unload, folder } => format!("{}{folder}", unload.prefix()),
        }
    }

    /// What names say about the compression, which may deceive.
    pub fn compression(&self) -> Option<Compression> {
        match self {
            Scope::Object(uri) => Compression::of_name(&uri.key),
            Scope::Folder { unload, folder } => {
                unload.entries(folder).first().and_then(|entry| Compression::of_name(&entry.uri.key))
            }
        }
    }
}

/// Reads a manifest; `None` where there is none.
pub async fn unload(s3: &S3, uri: &Uri) -> Result<Option<Unload>, Error> {
    let Some((json, etag)) = s3.get_small(uri, manifest::MAX_BYTES).await? else { return Ok(None) };
    let unload = Unload::parse(uri, etag, &json);
    unload.map(Some).map_err(|source| Error::Manifest { uri: uri.clone(), source })
}

/// The function may read nothing that is not below UNLOAD_PREFIX, and writes nothing from it.
pub fn refuse_elsewhere(unload: &Unload, prefix: &str) -> Result<(), Error> {
    match unload.elsewhere(prefix) {
        None => Ok(()),
        Some(entry) => {
            Err(Error::Elsewhere { manifest: unload.manifest.clone(), entry: entry.clone(), prefix: prefix.to_owned() })
        }
    }
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
