//! A request: which operation it is, on what.

use hyper::Method;
use hyper::http::request;

use crate::policy::Call;

/// A request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The operation's name in AWS's API.
    pub operation: &'static str,
    pub bucket: String,
    /// Decoded; empty for operations on the bucket.
    pub key: String,
    /// `bucket/key`, decoded, of UploadPartCopy.
    pub copy_source: Option<String>,
    /// The range that UploadPartCopy copies, as it was sent.
    pub copy_range: Option<String>,
    /// Of a list.
    pub prefix: String,
    pub sends_tags: bool,
    /// The account that is expected to own the bucket, and that of a copy's source.
    pub owner: Option<String>,
    pub source_owner: Option<String>,
    /// What IAM is asked for it.
    pub needs: Vec<Call>,
    /// Bytes of the body that came with it.
    pub bytes: u64,
}

pub const COPY_RANGE: &str = "x-amz-copy-source-range";

impl Request {
    /// Tells the operation by method and query. What it needs is left empty.
    pub fn parse(parts: &request::Parts) -> Request {
        let path = decode(parts.uri.path().trim_start_matches('/'));
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let copy_source = header("x-amz-copy-source").map(|source| decode(source.trim_start_matches('/')));
        let query = parts.uri.query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        let operation = match parts.method {
            Method::GET if key.is_empty() && has("uploads") => "ListMultipartUploads",
            Method::GET if key.is_empty() => "ListObjectsV2",
            Method::GET if has("tagging") => "GetObjectTagging",
            Method::GET if has("attributes") => "GetObjectAttributes",
            Method::GET if has("uploadId") => "ListParts",
            Method::GET => "GetObject",
            Method::HEAD => "HeadObject",
            Method::PUT if has("partNumber") && copy_source.is_some() => "UploadPartCopy",
            Method::PUT if has("partNumber") => "UploadPart",
            Method::PUT => "PutObject",
            Method::POST if has("uploads") => "CreateMultipartUpload",
            Method::POST if has("uploadId") => "CompleteMultipartUpload",
            Method::DELETE if has("uploadId") => "AbortMultipartUpload",
            Method::DELETE => "DeleteObject",
            _ => "Unknown",
        };
        Request {
            operation,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            copy_source,
            copy_range: header(COPY_RANGE).map(str::to_owned),
            prefix: query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).map(decode).unwrap_or_default(),
            owner: header("x-amz-expected-bucket-owner").map(str::to_owned),
            source_owner: header("x-amz-source-expected-bucket-owner").map(str::to_owned),
            sends_tags: parts.headers.contains_key("x-amz-tagging"),
            bytes: header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0),
            needs: Vec::new(),
        }
    }
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
