//! What S3 tells of an object.

use std::collections::HashMap;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::Bytes;

use super::S3Error;
use crate::crc::Crc;
use crate::uri::Uri;

/// One version of an object, which its ETag tells from others.
#[derive(Clone, Debug)]
pub struct ObjectVersion {
    pub uri: Uri,
    /// In bytes.
    pub size: u64,
    pub etag: String,
    /// The CRC of the whole object, where S3 keeps one.
    pub crc: Option<Crc>,
    /// S3 keeps a checksum of its parts' checksums instead, as a multipart client asked for. The CRCs of the parts
    /// can be asked for.
    pub is_composite: bool,
}

impl ObjectVersion {
    /// An error if these bytes are all of the object, and have not its CRC.
    pub fn held_against_crc(&self, bytes: &[u8]) -> Result<(), S3Error> {
        let crc = self.crc.filter(|_| bytes.len() as u64 == self.size);
        match crc.filter(|crc| Crc::of(crc.algorithm, bytes) != *crc) {
            Some(crc) => Err(S3Error::other_bytes(&self.uri, crc)),
            None => Ok(()),
        }
    }
}

/// What an event, a list or a manifest has told of an object. It is a hint: the object may be another by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// In bytes.
    pub size: u64,
    /// With or without its quotes; manifests tell none.
    pub etag: Option<String>,
}

/// All that HeadObject tells.
#[derive(Clone, Debug)]
pub struct Head {
    pub object: ObjectVersion,
    pub attributes: Attributes,
    /// The storage class, or the tier of it, from which the object would have to be restored first.
    pub archive: Option<String>,
    /// Whether the object has tags. To know them takes another request.
    pub tagged: bool,
    /// The KMS key under which it is encrypted.
    pub kms_key_id: Option<String>,
    /// In seconds since 1970.
    pub modified: i64,
}

/// A page of a list of objects.
#[derive(Clone, Debug)]
pub struct ListPage {
    pub objects: Vec<ListedObject>,
    /// Names the next page, if there is one.
    pub next: Option<String>,
}

/// What a list tells of an object.
#[derive(Clone, Debug)]
pub struct ListedObject {
    pub key: String,
    pub seen: Seen,
    /// In seconds since 1970.
    pub modified: Option<i64>,
    /// Whether it may be in an archive: a list does not tell whether it was restored, nor of a tier of INTELLIGENT_TIERING.
    pub may_be_archived: bool,
}

/// A small object, read whole.
#[derive(Clone, Debug)]
pub struct SmallObject {
    pub bytes: Bytes,
    pub etag: String,
    /// In seconds since 1970.
    pub modified: i64,
}

/// What an object carries besides its bytes. CreateMultipartUpload and UploadPartCopy take over none of it.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    pub metadata: HashMap<String, String>,
    pub content_type: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub cache_control: Option<String>,
    /// The text of the Expires header.
    pub expires: Option<String>,
    /// As URL query parameters.
    pub tagging: Option<String>,
    pub kms_key_id: Option<String>,
}

impl Seen {
    /// Whether it was this version that was seen. Then that version was there before whatever is asked now.
    pub fn is_of(&self, object: &ObjectVersion) -> bool {
        self.etag.as_ref().is_some_and(|etag| etag.trim_matches('"') == object.etag.trim_matches('"'))
    }
}

impl Head {
    /// Whether one of Amazon's encryption clients has encrypted the object: the metadata `x-amz-key` is theirs.
    pub fn is_client_encrypted(&self) -> bool {
        self.attributes.metadata.contains_key("x-amz-key")
    }
}

impl Attributes {
    pub(super) fn encryption(&self) -> Option<ServerSideEncryption> {
        self.kms_key_id.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }

    /// S3 keeps any text as Expires, but the SDK sends only a date.
    pub(super) fn expiry(&self) -> Option<DateTime> {
        DateTime::from_str(self.expires.as_deref()?, DateTimeFormat::HttpDate).ok()
    }
}

/// How many parts the ETag of a multipart object says it has, in AWS's form, `<32 hexadecimal digits>-<parts>`. The
/// ETags of other servers may look like anything.
pub fn parts_in(etag: &str) -> Option<usize> {
    let (sum, parts) = etag.trim_matches('"').split_once('-')?;
    let is_sum = sum.len() == 32 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_sum.then(|| parts.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_etag_in_aws_form_tells_the_parts() {
        assert_eq!(parts_in("\"9b2cf535f27731c974343645a3985328-29\""), Some(29));
        for etag in ["\"9b2cf535f27731c974343645a3985328\"", "\"8476a536-e9f4-11e8-9739-259860012345\"", "\"v-1\""] {
            assert_eq!(parts_in(etag), None, "{etag}");
        }
    }
}
