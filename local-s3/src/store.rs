//! Objects and uploads, without any protocol.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use crc_fast::CrcAlgorithm;
use tokio::time::Instant;

use crate::content::Content;
use crate::policy::Grant;

/// An object with all that it carries.
#[derive(Clone, Debug)]
pub struct Object {
    pub content: Content,
    pub etag: String,
    pub modified: SystemTime,
    pub checksum: Option<Checksum>,
    /// Of its parts, where the checksum is a composite one, which is no CRC of the whole.
    pub parts: Vec<Checked>,
    /// The header of a checksum that does not combine, like `x-amz-checksum-sha256`. HEAD shows one of no meaning.
    pub other_checksum: Option<&'static str>,
    pub headers: Headers,
    /// Encrypted with a key that its writer keeps and has to send with each request: SSE-C.
    pub customer_key: bool,
    /// The storage class that it has been moved to, and whether it was restored from there.
    pub archive: Option<(&'static str, bool)>,
}

/// What is given with PutObject or CreateMultipartUpload and shown by HEAD.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers {
    pub metadata: HashMap<String, String>,
    pub content_type: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub cache_control: Option<String>,
    pub expires: Option<s3s::dto::Timestamp>,
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

/// A part of a finished object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    pub size: u64,
    pub checksum: Checksum,
}

/// What holds for a whole bucket.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Of the bucket's default encryption, SSE-KMS.
    pub kms_key_id: Option<String>,
    /// It keeps what is written to it, by default, for some days: Object Lock.
    pub is_locked: bool,
    /// `None`: the server's own.
    pub region: Option<&'static str>,
}

impl Checksum {
    pub fn of(algorithm: CrcAlgorithm, content: &Content) -> Checksum {
        Checksum { algorithm, value: content.crc(algorithm) }
    }
}

impl Object {
    pub fn new(content: impl Into<Content>) -> Object {
        let content = content.into();
        let checksum = Some(Checksum::of(CrcAlgorithm::Crc64Nvme, &content));
        let (etag, modified) = (content.etag(), SystemTime::now());
        let (parts, headers) = (Vec::new(), Headers::default());
        let (other_checksum, customer_key, archive) = (None, false, None);
        Object { content, etag, modified, checksum, parts, other_checksum, headers, customer_key, archive }
    }

    /// With a header of user metadata, `x-amz-meta-` left out.
    pub fn with_metadata(mut self, name: &str, value: &str) -> Object {
        self.headers.metadata.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Archived in this storage class, from which nothing is given unless it was restored.
    pub fn archived(mut self, class: &'static str, is_restored: bool) -> Object {
        self.archive = Some((class, is_restored));
        self
    }

    /// With this CRC in place of CRC64NVME, or with none, as older objects and other stores have.
    pub fn with_checksum(mut self, algorithm: Option<CrcAlgorithm>) -> Object {
        self.checksum = algorithm.map(|algorithm| Checksum::of(algorithm, &self.content));
        self
    }

    /// With a checksum that does not combine, by its header's name, and no other.
    pub fn with_other_checksum(self, header: &'static str) -> Object {
        Object { checksum: None, other_checksum: Some(header), ..self }
    }
}

impl Object {
    /// As a multipart client writes it whose default is a CRC32: in parts of this size, with a checksum of their
    /// checksums (`getmoto/moto#8875`, `floci-io/floci#3093`, both tried on AWS).
    pub fn composite(mut self, algorithm: CrcAlgorithm, part: u64) -> Object {
        let length = self.content.length();
        let pieces = (0..length).step_by(part as usize).map(|at| self.content.slice(at, length.min(at + part)));
        self.parts =
            pieces.map(|piece| Checked { size: piece.length(), checksum: Checksum::of(algorithm, &piece) }).collect();
        self.etag = format!("{}-{}", self.etag, self.parts.len());
        self.checksum = Some(Checksum { algorithm, value: crate::rules::of_checksums(algorithm, &self.parts) });
        self
    }

    /// Encrypted with its writer's own key, which has to be sent with each request.
    pub fn with_customer_key(self) -> Object {
        Object { customer_key: true, ..self }
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
    pub begun: SystemTime,
    /// How many changes the store had seen then.
    pub since: u64,
}

#[derive(Clone, Debug)]
pub struct Part {
    pub content: Content,
    pub etag: String,
    pub modified: SystemTime,
}

#[derive(Debug)]
pub struct Store {
    pub objects: BTreeMap<(String, String), Object>,
    pub uploads: BTreeMap<String, Upload>,
    /// Without s3:ListBucket a key that is not there is forbidden, not missing.
    pub deny_list: bool,
    /// A server that refuses If-Match and If-None-Match on writes, as not implemented.
    pub deny_conditions: bool,
    /// A server that knows no CRCs, and says so.
    pub deny_checksums: bool,
    /// A server that shows a composite checksum without the `-N` behind it, and does not say what it is.
    pub hide_composite: bool,
    /// What the key pair of the role may do; all, if nobody has said.
    pub policy: Option<Vec<Grant>>,
    rules: BTreeMap<String, Rules>,
    /// How many ETags were made that are no MD5.
    etags: u64,
    created: u64,
    /// When each key was last written or deleted, in the order of such changes.
    changes: BTreeMap<(String, String), u64>,
    change: u64,
    epoch: (SystemTime, Instant),
}

impl Default for Store {
    fn default() -> Store {
        Store {
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            deny_list: false,
            deny_conditions: false,
            deny_checksums: false,
            hide_composite: false,
            policy: None,
            rules: BTreeMap::new(),
            etags: 0,
            created: 0,
            changes: BTreeMap::new(),
            change: 0,
            epoch: (SystemTime::now(), Instant::now()),
        }
    }
}

impl Store {
    /// The server's clock, which runs with the runtime's, so that tests can pause it.
    pub fn now(&self) -> SystemTime {
        self.epoch.0 + self.epoch.1.elapsed()
    }

    pub fn rules_of(&self, bucket: &str) -> &Rules {
        static NONE: Rules = Rules { kms_key_id: None, is_locked: false, region: None };
        self.rules.get(bucket).unwrap_or(&NONE)
    }

    pub fn set_rules(&mut self, bucket: &str, rules: Rules) {
        self.rules.insert(bucket.to_owned(), rules);
    }

    /// That of bytes written under this key, if any. Under SSE-KMS it is no MD5, and another one each time
    /// that the same bytes are written (recorded: localstack, test_s3_multipart_upload_sse).
    pub fn etag(&mut self, content: &Content, kms_key_id: Option<&str>) -> String {
        if kms_key_id.is_none() {
            return content.etag();
        }
        self.etags += 1;
        Content::from(format!("{} {}", content.etag(), self.etags)).etag()
    }

    pub fn object(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.objects.get(&(bucket.to_owned(), key.to_owned()))
    }

    pub fn put(&mut self, bucket: &str, key: &str, object: Object) {
        let modified = self.now();
        self.objects.insert((bucket.to_owned(), key.to_owned()), Object { modified, ..object });
        self.changed(bucket, key);
    }

    pub fn delete(&mut self, bucket: &str, key: &str) {
        self.objects.remove(&(bucket.to_owned(), key.to_owned()));
        self.changed(bucket, key);
    }

    fn changed(&mut self, bucket: &str, key: &str) {
        self.change += 1;
        self.changes.insert((bucket.to_owned(), key.to_owned()), self.change);
    }

    /// Whether a key was written or deleted since an upload to it was begun.
    pub fn changed_since(&self, upload: &Upload) -> bool {
        let change = self.changes.get(&(upload.bucket.clone(), upload.key.clone()));
        change.is_some_and(|change| *change > upload.since)
    }

    /// Begins an upload and names it.
    pub fn create(&mut self, bucket: &str, key: &str, algorithm: Option<CrcAlgorithm>, headers: Headers) -> String {
        self.created += 1;
        let id = format!("upload-{:06}", self.created);
        let upload = Upload {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            algorithm,
            headers,
            parts: BTreeMap::new(),
            begun: self.now(),
            since: self.change,
        };
        self.uploads.insert(id.clone(), upload);
        id
    }
}
