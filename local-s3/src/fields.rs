//! Fields that several operations have in common, of requests and of answers.

use s3s::dto::{ChecksumType, EncodingType, ServerSideEncryption};

use crate::checksum::Checksum as Kept;

macro_rules! sent {
    ($input:expr) => {{
        let crcs = [
            (CrcAlgorithm::Crc64Nvme, $input.checksum_crc64nvme.clone()),
            (CrcAlgorithm::Crc32IsoHdlc, $input.checksum_crc32.clone()),
            (CrcAlgorithm::Crc32Iscsi, $input.checksum_crc32c.clone()),
        ];
        crcs.into_iter().filter_map(|(algorithm, value)| Some((algorithm, value?))).collect::<Sent>()
    }};
}

macro_rules! headers {
    ($input:expr) => {
        Headers {
            metadata: $input.metadata.clone().unwrap_or_default().into_iter().collect(),
            content_type: $input.content_type.clone().or_else(|| Some("binary/octet-stream".into())),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: $input.content_encoding.clone(),
            content_language: $input.content_language.clone(),
            cache_control: $input.cache_control.clone(),
            expires: $input.expires.clone(),
            tagging: $input.tagging.clone(),
            kms_key_id: $input.ssekms_key_id.clone(),
        }
    };
}

macro_rules! with_checksum {
    ($output:expr, $checksum:expr) => {{
        if let Some(Kept { algorithm, value }) = $checksum {
            let value = Some(base64(algorithm, value));
            match algorithm {
                CrcAlgorithm::Crc32IsoHdlc => $output.checksum_crc32 = value,
                CrcAlgorithm::Crc32Iscsi => $output.checksum_crc32c = value,
                _ => $output.checksum_crc64nvme = value,
            }
        }
    }};
}

pub fn full_object(checksum: Option<Kept>) -> Option<ChecksumType> {
    checksum.map(|_| ChecksumType::from_static(ChecksumType::FULL_OBJECT))
}

/// What an answer says of the encryption. All that S3 writes is encrypted since January 2023 (S3 user guide, "Setting
/// default server-side encryption behavior for Amazon S3 buckets").
pub fn encryption(kms_key_id: Option<&str>) -> ServerSideEncryption {
    let algorithm = if kms_key_id.is_some() { ServerSideEncryption::AWS_KMS } else { ServerSideEncryption::AES256 };
    ServerSideEncryption::from_static(algorithm)
}

/// A composite checksum says so, and of how many parts' checksums it is one (S3 user guide, "Checking object integrity").
macro_rules! with_checksum_of {
    ($output:expr, $object:expr, $store:expr) => {{
        with_checksum!($output, $object.checksum);
        $output.checksum_type = full_object($object.checksum);
        if !$object.parts.is_empty() && $store.hide_composite {
            $output.checksum_type = None;
        } else if !$object.parts.is_empty() {
            let marked = |value: String| format!("{value}-{}", $object.parts.len());
            $output.checksum_crc32 = $output.checksum_crc32.take().map(marked);
            $output.checksum_crc32c = $output.checksum_crc32c.take().map(marked);
            $output.checksum_type = Some(ChecksumType::from_static(ChecksumType::COMPOSITE));
        }
    }};
}

/// What HEAD and GET show of an object.
macro_rules! show {
    ($output:expr, $object:expr) => {{
        $output.metadata = Some($object.headers.metadata.clone().into_iter().collect());
        $output.content_type.clone_from(&$object.headers.content_type);
        $output.content_disposition.clone_from(&$object.headers.content_disposition);
        $output.content_encoding.clone_from(&$object.headers.content_encoding);
        $output.content_language.clone_from(&$object.headers.content_language);
        $output.cache_control.clone_from(&$object.headers.cache_control);
        $output.expires = $object.headers.expires.clone();
        $output.ssekms_key_id.clone_from(&$object.headers.kms_key_id);
        if let Some((class, is_restored)) = $object.archive {
            $output.storage_class = Some(StorageClass::from_static(class));
            $output.restore = is_restored
                .then(|| "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2029 00:00:00 GMT\"".to_owned());
        }
        $output.e_tag = Some(ETag::Strong($object.etag.clone()));
        $output.last_modified = Some($object.modified.into());
    }};
}

/// A key in a list: as a form encodes it, where that is asked for (S3 API reference, ListObjectsV2: "characters that
/// are not supported in XML 1.0"; botocore takes `+` for a space, `decode_list_object`).
pub fn shown(key: &str, encoding: Option<&EncodingType>) -> String {
    const BARE: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*');
    match encoding {
        None => key.to_owned(),
        Some(_) => percent_encoding::utf8_percent_encode(key, BARE).to_string().replace("%20", "+"),
    }
}

pub(crate) use {headers, sent, show, with_checksum, with_checksum_of};
