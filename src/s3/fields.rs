//! Fields that several operations have in common, of requests and of answers.

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::EncodingType;
use bytes::Bytes;

use super::S3Error;

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
pub(super) use {crc_of, with_attributes, with_crc};

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
