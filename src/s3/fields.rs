//! Fields that several operations have in common, of requests and of answers.

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{ChecksumType, EncodingType};
use bytes::Bytes;

use super::{S3Error, parts_in};

/// The CRC that an answer has, whichever of the three algorithms it is of.
macro_rules! crc_of {
    ($answer:expr) => {{
        let found = [
            (Algorithm::Crc64Nvme, $answer.checksum_crc64_nvme()),
            (Algorithm::Crc32, $answer.checksum_crc32()),
            (Algorithm::Crc32c, $answer.checksum_crc32_c()),
        ];
        found.into_iter().find_map(|(algorithm, value)| Crc::parse(algorithm, value?))
    }};
}

/// The CRC of the whole that an answer about an object has, and whether it has a composite checksum instead.
macro_rules! checksum_of {
    ($answer:expr, $etag:expr) => {{
        let is_crc32 = $answer.checksum_crc32().or($answer.checksum_crc32_c()).is_some();
        let is_composite = is_composite($answer.checksum_type(), is_crc32, $etag);
        (crc_of!($answer).filter(|_| !is_composite), is_composite)
    }};
}

/// What HeadObject and a GetObject of the whole tell of an object, with the archive that it is in.
macro_rules! head_of {
    ($operation:literal, $uri:expr, $answer:expr, $archive:expr) => {{
        let answer = $answer;
        let (size, etag) = (answer.content_length.and_then(|size| u64::try_from(size).ok()), answer.e_tag.clone());
        let (Some(size), Some(etag)) = (size, etag) else {
            return Err(S3Error::unusable($operation, $uri, "no Content-Length or ETag"));
        };
        let (crc, is_composite) = checksum_of!(answer, &etag);
        Head {
            modified: answer.last_modified.map_or(0, |time| time.secs()),
            tagged: answer.tag_count.is_some_and(|count| count > 0),
            archive: $archive,
            kms_key_id: answer.ssekms_key_id,
            attributes: Attributes {
                metadata: answer.metadata.unwrap_or_default(),
                content_type: answer.content_type,
                content_disposition: answer.content_disposition,
                content_encoding: answer.content_encoding,
                content_language: answer.content_language,
                cache_control: answer.cache_control,
                expires: answer.expires_string,
                tagging: None,
                kms_key_id: None,
            },
            object: ObjectVersion { uri: $uri.clone(), size, etag, crc, is_composite },
        }
    }};
}

/// Puts a CRC, if there is one, on a request or on a part of one.
macro_rules! with_crc {
    ($request:expr, $crc:expr) => {{
        let crc: Option<Crc> = $crc;
        let of = |algorithm| crc.filter(|crc| crc.algorithm == algorithm).map(Crc::base64);
        $request
            .set_checksum_crc64_nvme(of(Algorithm::Crc64Nvme))
            .set_checksum_crc32(of(Algorithm::Crc32))
            .set_checksum_crc32_c(of(Algorithm::Crc32c))
    }};
}

/// Puts the attributes on a request that makes an object. PutObject and CreateMultipartUpload share no trait.
macro_rules! with_attributes {
    ($request:expr, $attributes:expr) => {
        $request
            .set_metadata(Some($attributes.metadata.clone()))
            .set_content_type($attributes.content_type.clone())
            .set_content_disposition($attributes.content_disposition.clone())
            .set_content_encoding($attributes.content_encoding.clone())
            .set_content_language($attributes.content_language.clone())
            .set_cache_control($attributes.cache_control.clone())
            .set_expires($attributes.expiry())
            .set_tagging($attributes.tagging.clone().filter(|tags| !tags.is_empty()))
            .set_server_side_encryption($attributes.encryption())
            .set_ssekms_key_id($attributes.kms_key_id.clone())
    };
}
pub(super) use {checksum_of, crc_of, head_of, with_attributes, with_crc};

/// Whether the checksum is a checksum of the parts' checksums. A server that does not say which of the two it is may
/// drop the `-N` that tells it; then the checksum of any object in parts is taken for one, but for CRC64NVME, which is
/// always of the whole (S3 user guide, "Checking object integrity").
pub(super) fn is_composite(kind: Option<&ChecksumType>, is_crc32: bool, etag: &str) -> bool {
    match kind {
        Some(kind) => *kind == ChecksumType::Composite,
        None => is_crc32 && parts_in(etag).is_some(),
    }
}

/// A body that is sent in one piece. One that streams is sent in signed chunks, which several servers refuse or store
/// wrongly.
pub(super) fn in_memory(body: Bytes) -> ByteStream {
    ByteStream::new(SdkBody::from(body))
}

/// Takes 404 for an answer: the key is not there.
pub(super) fn absent<T>(error: S3Error) -> Result<Option<T>, S3Error> {
    match error.status {
        Some(404) => Ok(None),
        _ => Err(error),
    }
}

/// A key of a list. The lists are asked for in URL encoding, since XML can't hold some characters and changes others; a
/// server that knows of no encoding does not say that it used it.
pub(super) fn decoded(key: String, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return key;
    }
    let spaced = key.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8().map(|key| key.into_owned());
    decoded.unwrap_or(key)
}
