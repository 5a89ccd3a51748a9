//! One final object for each data object: from its address to the receipt.
//!
//! What stands at the final key is looked at before anything else, and the write at the end is refused
//! if that has changed. So whatever a run writes was made from what was there after it began, and a
//! run that began earlier can't write over it. Whenever something has changed under a run, it begins anew.

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::copy::range::ByteRange;
use crate::copy::seal::{Fingerprint, Seal};
use crate::copy::{Job, execute, plan};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::header::attributes;
use crate::header::encode;
use crate::header::encode::BOM;
use crate::header::lookup::{self, Found};
use crate::receipt::{Outcome, Proof, Receipt, Written};
use crate::s3::{Object, S3, S3Error, Stood};
use crate::settings::{SettingError, Settings};
use crate::unload::options::Compression;
use crate::unload::{Dialect, Options, name};
use crate::uri::Uri;

/// What is read of a source: as much as the part that carries the header must have. A header that is
/// longer is refused.
const HEAD: u64 = plan::S3.min_part;
/// How often a run begins anew before it fails; each time somebody else has got further.
const TRIES: u32 = 5;

/// Why a try ended without a receipt.
enum Stop {
    Failed(Error),
    /// Something has changed under it.
    Overtaken(Error),
    /// S3 found another result than expected.
    Refused(Error),
    /// It looked for the final object under a key that goes with another compression.
    Compressed(Option<Compression>),
}

/// Does one data object's job, as often as it is overtaken by others.
pub async fn put_header_on(settings: &Settings, s3: &S3, uri: &Uri, deadline: Deadline) -> Result<Receipt, Error> {
    let (begun, s3) = (Instant::now(), s3.counting());
    let out_of_time = || Error::OutOfTime { uri: uri.clone(), parts: None };
    if deadline.left().is_zero() {
        return Err(out_of_time());
    }
    let receipt = timeout_at(deadline.end(), tries(settings, &s3, uri, deadline)).await;
    let receipt = receipt.unwrap_or_else(|_| Err(out_of_time()))?;
    Ok(receipt.measured(s3.requests(), s3.bytes_read(), begun.elapsed()))
}

async fn tries(settings: &Settings, s3: &S3, uri: &Uri, deadline: Deadline) -> Result<Receipt, Error> {
    let (mut compression, mut refused) = (Compression::of_name(&uri.key).or(settings.options.compression), false);
    let mut last = String::new();
    for _ in 0..TRIES {
        match job(settings, s3, uri, compression, deadline).await {
            Ok(receipt) => return Ok(receipt),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Refused(error)) if refused => return Err(error),
            Err(Stop::Refused(error)) => (refused, last) = (true, error.to_string()),
            Err(Stop::Overtaken(error)) => last = error.to_string(),
            Err(Stop::Compressed(found)) => {
                (compression, last) = (found, "its name does not tell how it is compressed".to_owned());
            }
        }
        tracing::info!(object = %uri, "begun anew: {last}");
    }
    Err(Error::Overtaken { uri: uri.clone(), tries: TRIES, last })
}

async fn job(
    settings: &Settings,
    s3: &S3,
    uri: &Uri,
    compression: Option<Compression>,
    deadline: Deadline,
) -> Result<Receipt, Stop> {
    let names = name::readings(&uri.key);
    let target = settings.final_uri(uri, names[0].unload_prefix, compression)?;
    let stood = s3.head(&target).await?;
    let seal = stood.as_ref().and_then(Seal::on);
    let Some(source) = s3.head(uri).await? else {
        let receipt = Receipt::standing(&target, uri, Outcome::Unchanged, None);
        let gone = Err(Error::Missing { uri: uri.clone() }.into());
        return seal.map_or(gone, |_| Ok(receipt.because("the source is gone; its final object stands")));
    };
    if source.attributes.metadata.contains_key("x-amz-key") {
        return Err(Error::ClientEncrypted { uri: uri.clone() }.into());
    }
    let found = match lookup::columns(s3, &source, &names, &settings.unload_prefix).await {
        Ok(found) => found,
        Err(error) => return Ok(without_columns(settings, uri, error)?),
    };
    let options = options(settings, &found)?;
    if let Some(reason) = needs_no_header(&options) {
        return Ok(Receipt::idle(uri, Outcome::Skipped, reason));
    }
    for name in found.columns.duplicates() {
        tracing::warn!(object = %uri, "{} names the column {name:?} more than once", found.place);
    }
    let line = line(settings, uri, &found, &options.dialect)?;
    let mut attributes = attributes::of_final(settings, &source, &found.columns, &options.dialect);
    let fingerprint = Fingerprint::of(std::slice::from_ref(&source), &line, &attributes);
    let written = |size, etag: &str, proof| Written {
        columns_from: found.from,
        columns: found.columns.names.len(),
        bytes: size,
        bytes_through: 0,
        parts: 0,
        proof,
        etag: etag.trim_matches('"').to_owned(),
    };
    if let (Some(seal), Some(stood)) = (seal.filter(|seal| seal.fingerprint == fingerprint), &stood)
        && let Some(proof) = seal.proof(stood)
    {
        let written = written(stood.size, &stood.etag, proof);
        let receipt = Receipt::standing(&target, uri, Outcome::Unchanged, Some(written));
        return Ok(dispose(settings, s3, &source, receipt).await?);
    }

    let head = match ByteRange::new(0, source.size.min(HEAD)) {
        Some(range) => s3.get_range(&source, range).await?,
        None => Bytes::new(),
    };
    if head.starts_with(b"PAR1") {
        return Ok(Receipt::idle(uri, Outcome::Skipped, "it is Parquet, which names its columns itself"));
    }
    let compression = if head.is_empty() { options.compression } else { Compression::of(&head) };
    if settings.final_uri(uri, names[0].unload_prefix, compression)? != target {
        return Err(Stop::Compressed(compression));
    }
    if compression.is_some() {
        attributes.content_type.clone_from(&source.attributes.content_type);
    }
    if source.tagged {
        attributes.tagging = Some(s3.tagging(uri).await?);
    }
    let header = compressed(uri, line, compression)?;
    let stood = stood.map_or(Stood::Nothing, |object| Stood::Object(object.etag));
    let sources = vec![source];
    let mut job = Job { header, sources, head, target, stood, attributes, fingerprint, deadline };
    let done = execute(s3, &mut job).await?;
    let written = Written { parts: done.plan.parts.len(), ..written(done.plan.length, &done.etag, done.proof) };
    let receipt = Receipt::standing(&job.target, uri, Outcome::Written, Some(written));
    Ok(dispose(settings, s3, &job.sources[0], receipt).await?)
}

/// Deletes a source whose final object is proved, if that is wanted. That an earlier run wrote the
/// object is no proof: only a CRC is.
async fn dispose(settings: &Settings, s3: &S3, source: &Object, receipt: Receipt) -> Result<Receipt, Error> {
    if !settings.delete_source {
        return Ok(receipt);
    }
    let proof = receipt.written.as_ref().map(|written| written.proof);
    if receipt.outcome == Outcome::Unchanged && proof == Some(Proof::Size) {
        return Ok(
            receipt.because("the source is kept: without a CRC, only the run that wrote the object can prove it")
        );
    }
    let deleted = match s3.delete(&source.uri, Some(&source.etag)).await {
        Err(error) if error.status == Some(501) => match s3.head(&source.uri).await? {
            Some(found) if found.etag == source.etag => s3.delete(&source.uri, None).await,
            _ => Err(error),
        },
        result => result,
    };
    match deleted {
        Ok(()) => Ok(receipt.because("the source is deleted")),
        Err(error) if error.overtaken() || error.status == Some(501) => {
            Ok(receipt.because("the source is not deleted: it has changed since"))
        }
        Err(error) => Err(error.into()),
    }
}

/// A source without columns is a failure, unless none are needed, or are still to come.
fn without_columns(settings: &Settings, uri: &Uri, error: Error) -> Result<Receipt, Error> {
    match (&error, needs_no_header(&settings.options)) {
        (Error::NoColumns { .. }, Some(reason)) => Ok(Receipt::idle(uri, Outcome::Skipped, reason)),
        (Error::NoColumns { .. }, None) if settings.options.verbose_manifest => {
            Ok(Receipt::idle(uri, Outcome::Waiting, "UNLOAD_OPTIONS promises a verbose manifest, which will start it"))
        }
        _ => Err(error),
    }
}

/// What was said with the columns wins over UNLOAD_OPTIONS.
fn options(settings: &Settings, found: &Found) -> Result<Options, Error> {
    match &found.columns.options {
        None => Ok(settings.options.clone()),
        Some(sql) => Options::parse(sql).map_err(|source| Error::Options { place: found.place.clone(), source }),
    }
}

fn needs_no_header(options: &Options) -> Option<&'static str> {
    match options.dialect {
        Dialect::Parquet => Some("FORMAT PARQUET names its columns itself"),
        Dialect::Json => Some("FORMAT JSON names its columns itself"),
        _ => options.header.then_some("HEADER: UNLOAD has put a header on it itself"),
    }
}

/// The header as text.
fn line(settings: &Settings, uri: &Uri, found: &Found, dialect: &Dialect) -> Result<Vec<u8>, Error> {
    let line = encode(&found.columns.names, dialect).map_err(|source| {
        let (uri, place) = (uri.clone(), found.place.clone());
        Error::Encode { uri, place, source }
    })?;
    let bom = found.columns.bom.unwrap_or(settings.bom);
    Ok(if bom { [BOM, &line].concat() } else { line })
}

/// The header as it stands in the file.
fn compressed(uri: &Uri, line: Vec<u8>, compression: Option<Compression>) -> Result<Bytes, Error> {
    let header = match compression {
        None => line,
        Some(compression) => {
            compression.member(&line).map_err(|source| Error::Compress { uri: uri.clone(), source })?
        }
    };
    if header.len() as u64 > HEAD {
        return Err(Error::LongHeader { uri: uri.clone(), size: header.len(), limit: HEAD });
    }
    Ok(header.into())
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        match &error {
            Error::S3(s3) if s3.overtaken() => Stop::Overtaken(error),
            Error::S3(s3) if s3.refuses_result() => Stop::Refused(error),
            Error::Rewritten { .. } => Stop::Overtaken(error),
            _ => Stop::Failed(error),
        }
    }
}

impl From<S3Error> for Stop {
    fn from(error: S3Error) -> Stop {
        Error::from(error).into()
    }
}

impl From<SettingError> for Stop {
    fn from(error: SettingError) -> Stop {
        Error::from(error).into()
    }
}
