//! One final object for each data object: from the source's HEAD to the receipt.

use std::time::Instant;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::copy::range::ByteRange;
use crate::copy::{Job, execute, plan};
use crate::error::Error;
use crate::header::encode::BOM;
use crate::header::lookup::{self, Found};
use crate::header::{Columns, encode};
use crate::receipt::{Outcome, Proof, Receipt, Written};
use crate::s3::{Attributes, Object, S3};
use crate::settings::Settings;
use crate::unload::options::Compression;
use crate::unload::{Dialect, Options, name};
use crate::uri::Uri;

/// What is read of a source: as much as the part that carries the header must have. A header that is
/// longer is refused.
const HEAD: u64 = plan::S3.min_part;

/// Does one data object's job.
pub async fn put_header_on(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Receipt, Error> {
    let (begun, s3) = (Instant::now(), s3.counting());
    let receipt = job(settings, &s3, uri).await?;
    Ok(receipt.measured(s3.requests(), begun.elapsed()))
}

async fn job(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Receipt, Error> {
    let source = s3.head(uri).await?.ok_or_else(|| Error::Missing { uri: uri.clone() })?;
    if source.attributes.metadata.contains_key("x-amz-key") {
        return Err(Error::ClientEncrypted { uri: uri.clone() });
    }
    let names = name::readings(&uri.key);
    let found = match lookup::columns(s3, &source, &names, &settings.unload_prefix).await {
        Ok(found) => found,
        Err(error) => return without_columns(settings, uri, error),
    };
    let options = options(settings, &found)?;
    if let Some(reason) = needs_no_header(&options) {
        return Ok(Receipt::idle(uri, Outcome::Skipped, reason));
    }
    for name in found.columns.duplicates() {
        tracing::warn!(object = %uri, "{} names the column {name:?} more than once", found.place);
    }

    let head = match ByteRange::new(0, source.size.min(HEAD)) {
        Some(range) => s3.get_range(&source, range).await?,
        None => Bytes::new(),
    };
    if head.starts_with(b"PAR1") {
        return Ok(Receipt::idle(uri, Outcome::Skipped, "it is Parquet, which names its columns itself"));
    }
    let compression = if head.is_empty() { options.compression } else { Compression::of(&head) };
    let header = header(settings, uri, &found, &options.dialect, compression)?;
    let target = settings.final_uri(uri, names[0].unload_prefix, compression)?;
    let attributes = attributes(settings, s3, &source, &found.columns, &options.dialect, compression).await?;
    let bytes_through = head.len() as u64;

    let job = Job { header, sources: vec![source], head, target, attributes };
    let done = execute(s3, &job).await?;
    let written = Written {
        columns_from: found.from,
        columns: found.columns.names.len(),
        bytes: done.plan.length,
        bytes_through: bytes_through + done.read,
        parts: done.plan.parts.len(),
        proof: Proof::Size,
        etag: done.etag.trim_matches('"').to_owned(),
    };
    Ok(Receipt::written(&job.target, uri, written))
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

fn header(
    settings: &Settings,
    uri: &Uri,
    found: &Found,
    dialect: &Dialect,
    compression: Option<Compression>,
) -> Result<Bytes, Error> {
    let line = encode(&found.columns.names, dialect).map_err(|source| {
        let (uri, place) = (uri.clone(), found.place.clone());
        Error::Encode { uri, place, source }
    })?;
    let bom = found.columns.bom.unwrap_or(settings.bom);
    let plain = if bom { [BOM, &line].concat() } else { line };
    let header = match compression {
        None => plain,
        Some(compression) => {
            compression.member(&plain).map_err(|source| Error::Compress { uri: uri.clone(), source })?
        }
    };
    if header.len() as u64 > HEAD {
        return Err(Error::LongHeader { uri: uri.clone(), size: header.len(), limit: HEAD });
    }
    Ok(header.into())
}

/// What the final object carries: all that the source did, with a type and a name that browsers and
/// Excel understand.
async fn attributes(
    settings: &Settings,
    s3: &S3,
    source: &Object,
    columns: &Columns,
    dialect: &Dialect,
    compression: Option<Compression>,
) -> Result<Attributes, Error> {
    let tagging = if source.tagged { Some(s3.tagging(&source.uri).await?) } else { None };
    let mut attributes =
        Attributes { tagging, kms_key_id: settings.final_kms_key_id.clone(), ..source.attributes.clone() };
    let default = matches!(
        attributes.content_type.as_deref(),
        None | Some("" | "binary/octet-stream" | "application/octet-stream")
    );
    if default && compression.is_none() {
        let kind = if matches!(dialect, Dialect::Csv { .. }) { "text/csv" } else { "text/plain" };
        attributes.content_type = Some(format!("{kind}; charset=utf-8"));
    }
    if let Some(filename) = &columns.filename {
        // RFC 6266: the plain form for those who can't read the other.
        let plain = filename.replace(|c: char| !c.is_ascii() || c.is_ascii_control() || "\"\\".contains(c), "_");
        let encoded = utf8_percent_encode(filename, NON_ALPHANUMERIC);
        attributes.content_disposition = Some(format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"));
    }
    Ok(attributes)
}
