//! What the server keeps: objects, uploads, and the rules of buckets.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crc_fast::CrcAlgorithm;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::content::Content;
pub use crate::object::{Headers, Object};
use crate::policy::Grant;

/// The configuration of a bucket.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The key of the bucket's default encryption, SSE-KMS.
    pub kms_key_id: Option<String>,
    /// Object Lock with a default retention.
    pub is_locked: bool,
    /// `None` is the server's own region.
    pub region: Option<&'static str>,
    /// `None` is [`ACCOUNT`](crate::policy::ACCOUNT).
    pub owner: Option<&'static str>,
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Clone, Debug)]
pub struct Upload {
    pub bucket: String,
    pub key: String,
    /// `None` if CreateMultipartUpload named no algorithm. Then the object gets a CRC64NVME.
    pub algorithm: Option<CrcAlgorithm>,
    /// The object's checksum will be one of the parts' checksums.
    pub is_composite: bool,
    pub headers: Headers,
    pub parts: BTreeMap<i32, StoredPart>,
    pub begun: SystemTime,
    /// How many changes the store had seen then.
    pub since: u64,
}

#[derive(Clone, Debug)]
pub struct StoredPart {
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
    /// What the role's key pair may do; everything if this is `None`.
    pub policy: Option<Vec<Grant>>,
    /// Is told the bucket and the key of each object that is written.
    pub created_objects: Option<UnboundedSender<(String, String)>>,
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
            created_objects: None,
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
        static NONE: Rules = Rules { kms_key_id: None, is_locked: false, region: None, owner: None };
        self.rules.get(bucket).unwrap_or(&NONE)
    }

    pub fn set_rules(&mut self, bucket: &str, rules: Rules) {
        self.rules.insert(bucket.to_owned(), rules);
    }

    /// The ETag of bytes written under this KMS key, if any. Under SSE-KMS it is no MD5, and a new one each time that the
    /// same bytes are written (recorded: localstack, test_s3_multipart_upload_sse).
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
        if let Some(watcher) = &self.created_objects {
            // Whoever watched may have gone.
            let _ = watcher.send((bucket.to_owned(), key.to_owned()));
        }
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

    /// Begins an upload, with an algorithm and whether its checksum is composite, and returns its id.
    pub fn create(
        &mut self,
        bucket: &str,
        key: &str,
        (algorithm, is_composite): (Option<CrcAlgorithm>, bool),
        headers: Headers,
    ) -> String {
        self.created += 1;
        let id = format!("upload-{:06}", self.created);
        let upload = Upload {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            algorithm,
            is_composite,
            headers,
            parts: BTreeMap::new(),
            begun: self.now(),
            since: self.change,
        };
        self.uploads.insert(id.clone(), upload);
        id
    }
}
