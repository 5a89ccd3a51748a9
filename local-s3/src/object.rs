//! An object, with all that S3 keeps of it.

use std::collections::HashMap;
use std::time::SystemTime;

use crc_fast::CrcAlgorithm;

use crate::checksum::{Checked, Checksum, of_checksums};
use crate::content::Content;

/// An object with all that it carries.
#[derive(Clone, Debug)]
pub struct Object {
    pub content: Content,
    pub etag: String,
    pub modified: SystemTime,
    pub checksum: Option<Checksum>,
    /// The checksums of its parts, if its own is a composite one.
    pub parts: Vec<Checked>,
    /// The header of a checksum that can't be combined, like `x-amz-checksum-sha256`. HEAD shows a dummy value.
    pub other_checksum: Option<&'static str>,
    pub headers: Headers,
    /// SSE-C: the object is encrypted with a key that its writer keeps and sends with each request.
    pub customer_key: bool,
    /// The storage class in which it is archived, and whether it has been restored.
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

impl Headers {
    /// How many tags there are, if there are any.
    pub fn tags(&self) -> Option<usize> {
        self.tagging.as_ref().filter(|tags| !tags.is_empty()).map(|tags| tags.split('&').count())
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

    /// Adds user metadata; the name is without `x-amz-meta-`.
    pub fn with_metadata(mut self, name: &str, value: &str) -> Object {
        self.headers.metadata.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The object archived in this storage class. It can be read only if it was restored.
    pub fn archived(mut self, class: &'static str, is_restored: bool) -> Object {
        self.archive = Some((class, is_restored));
        self
    }

    /// The object with this CRC instead of CRC64NVME; or with none, like older objects and those of other stores.
    pub fn with_checksum(mut self, algorithm: Option<CrcAlgorithm>) -> Object {
        self.checksum = algorithm.map(|algorithm| Checksum::of(algorithm, &self.content));
        self
    }

    /// The object with only a checksum that can't be combined, given by its header's name.
    pub fn with_other_checksum(self, header: &'static str) -> Object {
        Object { checksum: None, other_checksum: Some(header), ..self }
    }

    /// The object as a multipart client with a CRC32 writes it: in parts of this size, with a checksum of the parts'
    /// checksums (`getmoto/moto#8875`, `floci-io/floci#3093`, both tried on AWS).
    pub fn composite(mut self, algorithm: CrcAlgorithm, part: u64) -> Object {
        let length = self.content.length();
        let pieces = (0..length).step_by(part as usize).map(|at| self.content.slice(at, length.min(at + part)));
        self.parts =
            pieces.map(|piece| Checked { size: piece.length(), checksum: Checksum::of(algorithm, &piece) }).collect();
        self.etag = format!("{}-{}", self.etag, self.parts.len());
        self.checksum = Some(Checksum { algorithm, value: of_checksums(algorithm, &self.parts) });
        self
    }

    /// The object encrypted with its writer's own key (SSE-C).
    pub fn with_customer_key(self) -> Object {
        Object { customer_key: true, ..self }
    }
}
