//! Objects and uploads, without any protocol.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use crc_fast::CrcAlgorithm;

use crate::content::Content;

/// An object with all that it carries.
#[derive(Clone, Debug)]
pub struct Object {
    pub content: Content,
    pub etag: String,
    pub modified: SystemTime,
    pub checksum: Checksum,
    pub parts: Option<i32>,
    pub headers: Headers,
}

/// What is given with PutObject or CreateMultipartUpload and shown by HEAD.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    pub metadata: HashMap<String, String>,
    pub content_type: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub cache_control: Option<String>,
    /// As URL query parameters.
    pub tagging: Option<String>,
    pub kms_key_id: Option<String>,
}

/// A CRC over the whole object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checksum {
    pub algorithm: CrcAlgorithm,
    pub value: u64,
}

impl Checksum {
    pub fn of(algorithm: CrcAlgorithm, content: &Content) -> Checksum {
        Checksum { algorithm, value: content.crc(algorithm) }
    }
}

impl Object {
    pub fn new(content: impl Into<Content>) -> Object {
        let content = content.into();
        let checksum = Checksum::of(CrcAlgorithm::Crc64Nvme, &content);
        let (etag, modified) = (content.etag(), SystemTime::now());
        Object { content, etag, modified, checksum, parts: None, headers: Headers::default() }
    }

    /// With a header of user metadata, `x-amz-meta-` left out.
    pub fn with_metadata(mut self, name: &str, value: &str) -> Object {
        self.headers.metadata.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Clone, Debug)]
pub struct Upload {
    pub bucket: String,
    pub key: String,
    /// `None` where Create named no algorithm: then CRC64NVME, which nobody asked for.
    pub algorithm: Option<CrcAlgorithm>,
    pub headers: Headers,
    pub parts: BTreeMap<i32, Part>,
}

#[derive(Clone, Debug)]
pub struct Part {
    pub content: Content,
    pub etag: String,
}

#[derive(Debug, Default)]
pub struct Store {
    pub objects: BTreeMap<(String, String), Object>,
    pub uploads: BTreeMap<String, Upload>,
    /// Without s3:ListBucket a key that is not there is forbidden, not missing.
    pub deny_list: bool,
    created: u64,
}

impl Store {
    pub fn object(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.objects.get(&(bucket.to_owned(), key.to_owned()))
    }

    pub fn put(&mut self, bucket: &str, key: &str, object: Object) {
        self.objects.insert((bucket.to_owned(), key.to_owned()), object);
    }

    /// Begins an upload and names it.
    pub fn create(&mut self, upload: Upload) -> String {
        self.created += 1;
        let id = format!("upload-{}", self.created);
        self.uploads.insert(id.clone(), upload);
        id
    }
}
