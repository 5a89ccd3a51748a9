//! What can go wrong, with what it was and what to do; and how Lambda is told.

use std::fmt;

use lambda_runtime::Diagnostic;

use crate::copy::plan::PlanError;
use crate::event::EventError;
use crate::header::columns::ColumnsError;
use crate::header::encode::EncodeError;
use crate::s3::{Head, Regions, S3Error};
use crate::settings::SettingError;
use crate::unload::Unload;
use crate::unload::manifest::{Entry, ManifestError};
use crate::unload::options::{Compression, OptionsError};
use crate::uri::Uri;

#[derive(thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("{uri} is not there; it was deleted, or is not written yet")]
    Missing { uri: Uri },
    #[error(
        "S3 answered 403 for {}: either the function lacks s3:GetObject on it, or there is no such key and the \
         function lacks s3:ListBucket on the bucket {} for that prefix, without which S3 answers 403 instead of 404, \
         or it is encrypted with a KMS key for which the function lacks kms:Decrypt, or the bucket is another \
         account's and Requester Pays, which is not supported ({_0})",
        _0.uri, _0.uri.bucket
    )]
    Forbidden(S3Error),
    #[error(
        "the bucket {} is in the region {}, and the function in {}; choose a bucket of the function's region, from which \
         S3 can replicate, or deploy the function where its buckets are ({error})",
        error.uri.bucket, regions.bucket, regions.own
    )]
    OtherRegion { regions: Box<Regions>, error: S3Error },
    #[error(
        "{} is encrypted with a key that its writer keeps (SSE-C), so that the function can't read it; unload with \
         ENCRYPTED and KMS_KEY_ID instead ({_0})",
        _0.uri
    )]
    CustomerEncrypted(S3Error),
    #[error(transparent)]
    S3(S3Error),
    #[error("no columns for {uri}: looked at {looked}")]
    NoColumns { uri: Uri, looked: String },
    #[error("the header list in {place} can't be used: {source}")]
    Columns { place: String, source: ColumnsError },
    #[error("the options in {place} can't be used: {source}")]
    Options { place: String, source: OptionsError },
    #[error("the manifest {uri} can't be used: {source}")]
    Manifest { uri: Uri, source: ManifestError },
    #[error("the manifest {manifest} lists {entry}, which is not below {below} in its own bucket")]
    Elsewhere { manifest: Uri, entry: Uri, below: String },
    #[error(
        "{uri} has columns in two places, {one} and {other}, and nothing tells which of the two unloads it belongs to; \
         remove one of them, or write the object's own sidecar, {uri}.headers"
    )]
    Ambiguous { uri: Uri, one: Uri, other: Uri },
    #[error(
        "{target} is the final object of {other}, and {job} would take its place; give them final keys of their own, \
         by other unload prefixes or another FINAL_KEY or FINAL_BUCKET, or delete the object if it is not needed any more"
    )]
    Taken { target: Uri, other: String, job: String },
    #[error("the unload of {} is not complete yet: {_0}", _0.manifest)]
    Incomplete(Box<Lacking>),
    #[error(
        "{uri} is {}, but {first}, which comes before it, is {}; slices of one unload can be put together only if they \
         are compressed alike",
        compressed(*found), compressed(*expected)
    )]
    MixedCompression { uri: Uri, found: Option<Compression>, first: Uri, expected: Option<Compression> },
    #[error(
        "{uri} has a header of its own within {compression}, where it can't be cut off or replaced; unload \
         without HEADER"
    )]
    HeaderInside { uri: Uri, compression: Compression },
    #[error(
        "{uri} begins with a byte order mark within {compression}, where it can't be moved before a header; \
         write the object without one"
    )]
    BomInside { uri: Uri, compression: Compression },
    #[error(
        "{uri} does not begin as {first} does, with the same header and byte order mark; they are not of one unload, or \
         one of them has none"
    )]
    HeadersDiffer { uri: Uri, first: Uri },
    #[error(
        "the first record of {uri} is the header itself, and nobody says whether it is one or a row; say HEADER in the \
         options if UNLOAD wrote it, or set CHECK_COLUMNS=off with options that do not say HEADER, and it is a row"
    )]
    HeaderOrRow { uri: Uri },
    #[error(
        "the first record of {uri}, which HEADER in the options says is a header, does not end within what is looked at \
         (5 MiB); mend the options"
    )]
    HeaderUnended { uri: Uri },
    #[error("{uri} does not end in a newline, or is not compressed like those before it")]
    Unlike { uri: Uri },
    #[error(
        "{place} names {}, so that the first record of {uri} should have {}, but it has {found}{}; {cause}mend the names or the options, or set CHECK_COLUMNS=off",
        counted(*columns, "column"), counted(*expected, if *by_width { "character" } else { "field" }), shown(record.as_deref())
    )]
    ColumnsDiffer {
        uri: Uri,
        place: String,
        columns: usize,
        expected: usize,
        found: usize,
        by_width: bool,
        /// What it most likely comes from, as a sentence's beginning, or nothing.
        cause: String,
        /// The record's first characters, as far as they may be seen.
        record: Option<String>,
    },
    #[error(
        "the first record of {uri} does not end within what is looked at (5 MiB, or 16 MiB decompressed), so that its \
         fields can't be counted; mend the options, or set CHECK_COLUMNS=off"
    )]
    RecordUnended { uri: Uri },
    #[error(
        "{uri} is {} by the options, and {} by its content; mend the options", compressed(*said), compressed(*found)
    )]
    CompressionDiffers { uri: Uri, said: Option<Compression>, found: Option<Compression> },
    #[error("no header for {uri} from {place}: {source}")]
    Encode { uri: Uri, place: String, source: EncodeError },
    #[error("the header for {uri} can't be compressed: {source}")]
    Compress { uri: Uri, source: std::io::Error },
    #[error(
        "{uri} was encrypted by the client (it has x-amz-meta-x-amz-key), so that a header can't be put in front; \
         unload with ENCRYPTED and KMS_KEY_ID instead"
    )]
    ClientEncrypted { uri: Uri },
    #[error(
        "{uri} is archived in the storage class {class}, from which nothing can be read or copied; restore it, and send \
         its event again"
    )]
    Archived { uri: Uri, class: String },
    #[error("{uri} can't be written: {source}")]
    Plan { uri: Uri, source: PlanError },
    #[error("{uri} was written with {found}, but {expected} was sent; it can't be right")]
    Unproved { uri: Uri, expected: String, found: String },
    #[error("{uri} was written with ETag {etag}, and has {found} already: somebody else writes there as well")]
    Rewritten { uri: Uri, etag: String, found: String },
    #[error("{uri} was begun {tries} times, and each time something had changed meanwhile, at last: {last}")]
    Overtaken { uri: Uri, tries: u32, last: String },
    #[error("the function's time is up: {}", progress(uri, *parts))]
    OutOfTime { uri: Uri, parts: Option<(usize, usize)> },
    #[error("{} of {total} objects failed: {}", failures.len(), listed(failures, "; "))]
    Several { total: usize, failures: Vec<Error> },
}

/// The objects that are not as their manifest says.
#[derive(Debug)]
pub struct Lacking {
    pub manifest: Uri,
    pub missing: Vec<Uri>,
    pub changed: Vec<Changed>,
    /// Written after the manifest, and so by another UNLOAD.
    pub later: Vec<Uri>,
}

impl Lacking {
    /// Nothing so far.
    pub fn of(unload: &Unload) -> Lacking {
        Lacking { manifest: unload.manifest.clone(), missing: Vec::new(), changed: Vec::new(), later: Vec::new() }
    }

    pub fn nothing(&self) -> bool {
        self.missing.is_empty() && self.changed.is_empty() && self.later.is_empty()
    }

    /// Holds an object against what the manifest says of it.
    pub fn look(&mut self, unload: &Unload, entry: &Entry, found: &Head) {
        let (uri, size) = (entry.uri.clone(), found.object.size);
        match entry.size.filter(|listed| *listed != size) {
            Some(listed) => self.changed.push(Changed { uri, size, listed }),
            None => self.later.extend(unload.is_before(found.modified).then_some(uri)),
        }
    }
}

/// An object that has another size than its manifest says.
#[derive(Debug)]
pub struct Changed {
    pub uri: Uri,
    pub size: u64,
    pub listed: u64,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes, not {})", self.uri, self.size, self.listed)
    }
}

impl Error {
    /// What Lambda shows as errorType.
    pub fn kind(&self) -> String {
        let kind = match self {
            Error::S3(error) => return error.kind(),
            Error::Setting(_) => "InvalidSetting",
            Error::Event(_) => "InvalidEvent",
            Error::Missing { .. } => "ObjectMissing",
            Error::Forbidden(_) => "AccessDenied",
            Error::OtherRegion { .. } => "OtherRegion",
            Error::CustomerEncrypted(_) => "CustomerKeyEncrypted",
            Error::NoColumns { .. } => "ColumnsNotFound",
            Error::Columns { .. } => "InvalidColumns",
            Error::Options { .. } => "InvalidOptions",
            Error::Manifest { .. } => "InvalidManifest",
            Error::Elsewhere { .. } => "ManifestEntryElsewhere",
            Error::Ambiguous { .. } => "ColumnsAmbiguous",
            Error::Taken { .. } => "FinalKeyTaken",
            Error::Incomplete(_) => "UnloadIncomplete",
            Error::MixedCompression { .. } => "MixedCompression",
            Error::HeaderInside { .. } => "HeaderInside",
            Error::BomInside { .. } => "ByteOrderMarkInside",
            Error::HeadersDiffer { .. } => "HeadersDiffer",
            Error::HeaderOrRow { .. } => "HeaderOrRow",
            Error::Unlike { .. } => "SlicesUnlike",
            Error::HeaderUnended { .. } => "HeaderTooLong",
            Error::ColumnsDiffer { .. } => "ColumnsDiffer",
            Error::RecordUnended { .. } => "RecordUnended",
            Error::CompressionDiffers { .. } => "CompressionDiffers",
            Error::Encode { source: EncodeError::TooLong(_), .. } => "HeaderTooLong",
            Error::Encode { .. } => "HeaderUnwritable",
            Error::Compress { .. } => "HeaderUncompressible",
            Error::ClientEncrypted { .. } => "ClientSideEncrypted",
            Error::Archived { .. } => "ObjectArchived",
            Error::Plan { .. } => "ObjectTooLarge",
            Error::Unproved { .. } => "ResultUnproved",
            Error::Rewritten { .. } | Error::Overtaken { .. } => "KeepsChanging",
            Error::OutOfTime { .. } => "OutOfTime",
            Error::Several { .. } => "SeveralObjectsFailed",
        };
        kind.to_owned()
    }

    /// Whether the same job may go well another time, with what S3 has of it now.
    pub fn transient(&self) -> bool {
        match self {
            Error::S3(error) => error.transient(),
            Error::OutOfTime { .. } | Error::Incomplete(_) => true,
            _ => false,
        }
    }

    /// One error for all that failed; `None` where nothing did.
    pub fn of_all(total: usize, mut failures: Vec<Error>) -> Option<Error> {
        match failures.len() {
            0 | 1 => failures.pop(),
            _ => Some(Error::Several { total, failures }),
        }
    }
}

fn progress(uri: &Uri, parts: Option<(usize, usize)>) -> String {
    match parts {
        None => format!("{uri} is left to the next try"),
        Some((done, all)) => format!("S3 has {done} of the {all} parts of {uri}, and the next try goes on from there"),
    }
}

/// The first of them; Lambda keeps no more than 256 KB of an error.
fn listed(items: &[impl fmt::Display], between: &str) -> String {
    const LISTED: usize = 20;
    let mut listed: Vec<String> = items.iter().take(LISTED).map(ToString::to_string).collect();
    listed.extend((items.len() > LISTED).then(|| format!("and {} more", items.len() - LISTED)));
    listed.join(between)
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |count: usize, what: &str, listed: String| (count > 0).then(|| format!("{count} {what}: {listed}"));
        let said = [
            said(self.missing.len(), "of the objects that it lists are not there", listed(&self.missing, ", ")),
            said(self.changed.len(), "have another size than it says", listed(&self.changed, ", ")),
            said(
                self.later.len(),
                "were written after it, by another UNLOAD to the same prefix, whose manifest is yet to come, or by somebody \
                 who has copied or changed them: then write the manifest once more",
                listed(&self.later, ", "),
            ),
        ];
        f.write_str(&said.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn shown(record: Option<&str>) -> String {
    record.map_or_else(String::new, |record| format!(" (it begins {record:?})"))
}

fn compressed(compression: Option<Compression>) -> String {
    compression.map_or("not compressed".to_owned(), |compression| compression.to_string())
}

impl From<S3Error> for Error {
    /// A 403 to a read may be a 404 in disguise; the answer to a HEAD has no code.
    fn from(error: S3Error) -> Error {
        if let Some(regions) = error.regions.clone() {
            return Error::OtherRegion { regions, error };
        }
        match (error.operation, error.status, error.code.as_deref()) {
            _ if error.lacks_customer_key() => Error::CustomerEncrypted(error),
            ("HeadObject" | "GetObject", Some(403), None | Some("AccessDenied")) => Error::Forbidden(error),
            _ => Error::S3(error),
        }
    }
}

/// As `Display`: the runtime logs a failure by its `Debug`, for people to read.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        Diagnostic { error_type: error.kind(), error_message: error.to_string() }
    }
}
