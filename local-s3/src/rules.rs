//! AWS's rules as functions: what is refused, and with which of S3's codes.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use futures_util::TryStreamExt;
use hyper::HeaderMap;
use s3s::dto::{ChecksumType, CompletedPart, ETag, ETagCondition, StreamingBlob};
use s3s::{S3ErrorCode, S3Result, s3_error};

use crate::checksum::{Checked, Checksum, base64, of_checksums};
use crate::content::Content;
use crate::object::{Headers, Object};
use crate::store::{Store, StoredPart, Upload};

const MIN_PART: u64 = 5 << 20;
const MAX_PART: u64 = 5 << 30;
const MAX_PARTS: i32 = 10_000;
/// The most user metadata, names and values together, in bytes.
const MAX_METADATA: usize = 2 << 10;

/// The CRCs of a request, by their algorithm.
pub type Sent = Vec<(CrcAlgorithm, String)>;

impl Store {
    /// An object, or S3's answer if there is none.
    pub fn found(&self, bucket: &str, key: &str) -> S3Result<&Object> {
        self.object(bucket, key).ok_or_else(|| match self.deny_list {
            true => s3_error!(AccessDenied, "Access Denied"),
            false => s3_error!(NoSuchKey, "The specified key does not exist."),
        })
    }

    pub fn upload(&mut self, id: &str) -> S3Result<&mut Upload> {
        let missing = || s3_error!(NoSuchUpload, "The specified upload does not exist.");
        self.uploads.get_mut(id).ok_or_else(missing)
    }

    /// If-None-Match and If-Match on a write; `upload` is the one that is to be completed.
    pub fn allow(
        &self,
        bucket: &str,
        key: &str,
        none: Option<&ETagCondition>,
        only: Option<&ETagCondition>,
        upload: Option<&Upload>,
    ) -> S3Result<()> {
        let there = self.object(bucket, key);
        let changed = upload.is_some_and(|upload| self.changed_since(upload));
        match (none, only) {
            (None, None) => Ok(()),
            _ if self.deny_conditions => Err(s3_error!(NotImplemented, "A header you provided is not implemented")),
            (Some(_), Some(_)) => Err(s3_error!(NotImplemented, "If-Match and If-None-Match can't be used together")),
            (Some(_), None) if there.is_some() => Err(failed("If-None-Match")),
            (Some(_), None) if changed => Err(conflict("If-None-Match")),
            (Some(_), None) => Ok(()),
            (None, Some(only)) => match there {
                None => Err(s3_error!(NoSuchKey, "The specified key does not exist.")),
                Some(_) if changed => Err(conflict("If-Match")),
                Some(object) if matches(only, &object.etag) => Ok(()),
                Some(_) => Err(failed("If-Match")),
            },
        }
    }
}

impl Object {
    /// An archived object can't be read until it is restored.
    pub fn allow_reading(&self) -> S3Result<()> {
        match self.archive {
            Some((_, false)) => {
                Err(s3_error!(InvalidObjectState, "The operation is not valid for the object's storage class"))
            }
            _ => self.allow_looking(),
        }
    }

    /// Without the key of SSE-C, S3 says 400 to a HEAD as well (S3 user guide, "Using server-side encryption with
    /// customer-provided keys").
    pub fn allow_looking(&self) -> S3Result<()> {
        match self.customer_key {
            true => Err(s3_error!(
                InvalidRequest,
                "The object was stored using a form of Server Side Encryption. The correct parameters must be \
                 provided to retrieve the object."
            )),
            false => Ok(()),
        }
    }
}

impl Store {
    /// A bucket with Object Lock requires a checksum with each write (`offen/docker-volume-backup#727`,
    /// `s3tools/s3cmd#1436`).
    pub fn allow_unchecked(&self, bucket: &str, sent: &Sent, md5: Option<&str>, operation: &str) -> S3Result<()> {
        match self.rules_of(bucket).is_locked && sent.is_empty() && md5.is_none() {
            true => Err(s3_error!(
                InvalidRequest,
                "Content-MD5 OR x-amz-checksum- HTTP header is required for {operation} requests with Object Lock \
                 parameters"
            )),
            false => Ok(()),
        }
    }
}

impl Upload {
    /// Keeps a part, instead of an earlier one with the same number.
    pub fn take(&mut self, number: i32, content: Content, etag: String, now: SystemTime) -> S3Result<()> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(s3_error!(
                InvalidArgument,
                "Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
            ));
        }
        if content.length() > MAX_PART {
            return Err(s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size"));
        }
        self.parts.insert(number, StoredPart { content, etag, modified: now });
        Ok(())
    }

    /// What CompleteMultipartUpload says of the checksum must be of the upload's type: "If the checksum type doesn't match
    /// the checksum type that was specified for the object during the CreateMultipartUpload request, it'd result in a
    /// BadDigest error" (S3 API reference, CompleteMultipartUpload). What S3 takes a checksum without a type for is not
    /// documented: here for one of the algorithm's default type.
    pub fn allow_type(&self, said: Option<&ChecksumType>, sent: &Sent) -> S3Result<()> {
        let composite = match (said, sent.first()) {
            (Some(said), _) => said.as_str() == ChecksumType::COMPOSITE,
            (None, Some((algorithm, _))) => is_composite_by_default(*algorithm),
            (None, None) => return Ok(()),
        };
        match composite == self.is_composite {
            true => Ok(()),
            false => Err(s3_error!(BadDigest, "The checksum type is not that of the upload.")),
        }
    }

    /// The checksum of the checksums of the parts that CompleteMultipartUpload lists, and these. One that was sent, with
    /// the number of parts behind it, must be the same.
    pub fn composite(
        &self,
        sent: &Sent,
        listed: &[CompletedPart],
        algorithm: CrcAlgorithm,
    ) -> S3Result<(Checksum, Vec<Checked>)> {
        let stored = listed.iter().filter_map(|part| self.parts.get(&part.part_number?));
        let checked = |part: &StoredPart| Checked {
            size: part.content.length(),
            checksum: Checksum::of(algorithm, &part.content),
        };
        let parts: Vec<Checked> = stored.map(checked).collect();
        let value = of_checksums(algorithm, &parts);
        let whole = format!("{}-{}", base64(algorithm, value), parts.len());
        match sent.iter().all(|(of, value)| *of == algorithm && *value == whole) {
            true => Ok((Checksum { algorithm, value }, parts)),
            false => Err(s3_error!(BadDigest, "The checksum you specified did not match the calculated checksum.")),
        }
    }

    /// The content of the parts that CompleteMultipartUpload lists.
    pub fn joined(&self, listed: &[CompletedPart]) -> S3Result<Content> {
        if listed.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        if !listed.is_sorted_by(|one, next| one.part_number < next.part_number) {
            return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
        }
        let mut content = Content::default();
        for (index, part) in listed.iter().enumerate() {
            let number = part.part_number.unwrap_or_default();
            let etag = part.e_tag.as_ref().map(ETag::value);
            let stored = self.parts.get(&number).filter(|stored| etag == Some(&stored.etag));
            let stored = stored
                .ok_or_else(|| s3_error!(InvalidPart, "part {number} could not be found, or its ETag is another"))?;
            // S3 compares the CRC of a listed part with its own (localstack's model of S3, complete_multipart).
            let crcs = [
                (CrcAlgorithm::Crc64Nvme, &part.checksum_crc64nvme),
                (CrcAlgorithm::Crc32IsoHdlc, &part.checksum_crc32),
                (CrcAlgorithm::Crc32Iscsi, &part.checksum_crc32c),
            ];
            let sent = crcs.iter().find_map(|(of, value)| Some((*of, value.as_ref()?)));
            // It takes none for an upload that was created without an algorithm.
            let is_wrong =
                |(of, value): (_, &String)| self.algorithm.is_none() || base64(of, stored.content.crc(of)) != *value;
            if sent.is_some_and(is_wrong) {
                return Err(s3_error!(InvalidPart, "the checksum of part {number} is another"));
            }
            let size = stored.content.length();
            if size < MIN_PART && index + 1 < listed.len() {
                return Err(s3_error!(EntityTooSmall, "part {number} has {size} bytes; MinSizeAllowed is {MIN_PART}"));
            }
            content.append(&stored.content);
        }
        Ok(content)
    }
}

/// Which type of checksum an upload gets whose creation names none (S3 user guide, "Checking object integrity", checksum
/// types for multipart uploads: CRC64NVME is of the whole object only; for CRC32 and CRC32C COMPOSITE is the default).
pub fn is_composite_by_default(algorithm: CrcAlgorithm) -> bool {
    algorithm != CrcAlgorithm::Crc64Nvme
}

/// The header as S3 decodes it, which takes a bare `+` for a space (`awslabs/aws-sdk-rust#1357`).
pub fn copy_source(headers: &HeaderMap) -> S3Result<(String, String)> {
    let raw = headers.get("x-amz-copy-source").and_then(|source| source.to_str().ok()).unwrap_or_default();
    let spaced = raw.trim_start_matches('/').replace('+', " ");
    let path = percent_encoding::percent_decode_str(&spaced).decode_utf8().ok();
    let split = path.as_deref().and_then(|path| path.split_once('/'));
    let (bucket, key) = split.ok_or_else(|| s3_error!(InvalidArgument, "the copy source is no bucket and key"))?;
    Ok((bucket.to_owned(), key.to_owned()))
}

/// `bytes=first-last` and nothing else, within the source.
pub fn copy_range(range: &str, length: u64) -> S3Result<(u64, u64)> {
    let form = || s3_error!(InvalidArgument, "The x-amz-copy-source-range value must be of the form bytes=first-last");
    let (first, last) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(form)?;
    let (first, last): (u64, u64) = (first.parse().map_err(|_| form())?, last.parse().map_err(|_| form())?);
    if first >= length {
        return Err(s3_error!(
            InvalidRequest,
            "The specified copy range is invalid for the source object size: {length}"
        ));
    }
    if last >= length || first > last {
        return Err(s3_error!(InvalidArgument, "Range specified is not valid for source object of size: {length}"));
    }
    Ok((first, last + 1))
}

pub fn matches(condition: &ETagCondition, etag: &str) -> bool {
    condition.is_any() || condition.as_etag().is_some_and(|it| it.value() == etag)
}

pub fn failed(condition: &'static str) -> s3s::S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold: {condition}")
}

fn conflict(condition: &'static str) -> s3s::S3Error {
    s3_error!(ConditionalRequestConflict, "The conditional request cannot succeed due to a conflict: {condition}")
}

pub async fn received(body: Option<StreamingBlob>) -> S3Result<Content> {
    let Some(body) = body else { return Ok(Content::default()) };
    let pieces: Vec<Bytes> = body.try_collect().await.map_err(|_| s3_error!(IncompleteBody, "the body broke off"))?;
    Ok(pieces.concat().into())
}

/// The checksum to keep. Those that were sent must be the content's.
pub fn verified(sent: &Sent, algorithm: Option<CrcAlgorithm>, content: &Content) -> S3Result<Checksum> {
    for (of, value) in sent {
        if algorithm.is_some_and(|algorithm| algorithm != *of) {
            return Err(s3_error!(InvalidRequest, "Checksum Type mismatch occurred"));
        }
        if base64(*of, content.crc(*of)) != *value {
            return Err(s3_error!(BadDigest, "The checksum you specified did not match the calculated checksum."));
        }
    }
    let algorithm = sent.first().map(|(of, _)| *of).or(algorithm).unwrap_or(CrcAlgorithm::Crc64Nvme);
    Ok(Checksum::of(algorithm, content))
}

/// A Content-MD5 that was sent must be the content's (S3 API reference, "Error responses": BadDigest).
pub fn has_md5(sent: Option<&str>, content: &Content) -> S3Result<()> {
    match sent.is_some_and(|sent| sent != STANDARD.encode(content.md5())) {
        true => Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received.")),
        false => Ok(()),
    }
}

pub fn allowed(headers: Headers) -> S3Result<Headers> {
    // "System tags cannot be added/updated by requester" (S3 user guide, "Categorizing your objects using tags").
    let is_system = |tag: &str| tag.starts_with("aws:") || tag.to_ascii_lowercase().starts_with("aws%3a");
    if headers.tagging.iter().flat_map(|tags| tags.split('&')).any(is_system) {
        return Err(s3_error!(InvalidTag, "System tags cannot be added/updated by requester"));
    }
    let size: usize = headers.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    match size > MAX_METADATA {
        true => Err(s3s::S3Error::with_message(
            S3ErrorCode::Custom("MetadataTooLarge".into()),
            "Your metadata headers exceed the maximum allowed metadata size",
        )),
        false => Ok(headers),
    }
}
