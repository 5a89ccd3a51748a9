//! What S3 refused, with all that it said of it.

use std::fmt;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;

use crate::uri::Uri;

/// An operation that S3 refused, or that did not reach it.
#[derive(Debug)]
pub struct S3Error {
    pub operation: &'static str,
    pub uri: Uri,
    pub part: Option<usize>,
    pub status: Option<u16>,
    pub code: Option<String>,
    pub message: String,
    pub request_id: Option<String>,
    /// If S3 says that these are two.
    pub regions: Option<Box<Regions>>,
}

/// Where a bucket is, and where the client is.
#[derive(Clone, Debug)]
pub struct Regions {
    pub bucket: String,
    pub own: String,
}

impl S3Error {
    /// `own` is the client's region.
    pub(super) fn new<E>(operation: &'static str, uri: &Uri, error: SdkError<E>, own: &str) -> S3Error
    where
        E: std::error::Error + ProvideErrorMetadata + RequestId + 'static,
    {
        // The SDK follows no such answer; that to a HEAD has nothing but the header (awslabs/aws-sdk-rust#183,
        // dacort/s3grep#4).
        let region = error.raw_response().and_then(|response| response.headers().get("x-amz-bucket-region"));
        let regions = region.filter(|region| *region != own).map(|region| {
            let (bucket, own) = (region.to_owned(), own.to_owned());
            Box::new(Regions { bucket, own })
        });
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let request_id = error.request_id().map(str::to_owned);
        let message = match error.message() {
            Some(message) => message.to_owned(),
            None if status.is_some() => String::new(),
            None => DisplayErrorContext(&error).to_string(),
        };
        S3Error { operation, uri: uri.clone(), part: None, status, code, message, request_id, regions }
    }

    /// An answer that is no error by its status, and can't be used.
    pub(super) fn unusable(operation: &'static str, uri: &Uri, what: &str) -> S3Error {
        S3Error::own(operation, uri, "UnusableAnswer", format!("the server answered with {what}"))
    }

    pub(super) fn broken_off(uri: &Uri, what: &dyn fmt::Display) -> S3Error {
        S3Error::own("GetObject", uri, "BrokenOff", format!("the server answered with a body that broke off: {what}"))
    }

    pub(super) fn too_long(uri: &Uri, size: u64, limit: u64) -> S3Error {
        let message = format!("it has {size} bytes, and at most {limit} are read of such an object");
        S3Error::own("GetObject", uri, "ObjectTooLong", message)
    }

    fn own(operation: &'static str, uri: &Uri, code: &str, message: String) -> S3Error {
        let code = Some(code.to_owned());
        let uri = uri.clone();
        S3Error { operation, uri, part: None, status: None, code, message, request_id: None, regions: None }
    }

    pub(super) fn of_part(self, number: i32) -> S3Error {
        S3Error { part: usize::try_from(number).ok(), ..self }
    }

    /// Whether the world has changed under a job: its source, what stands at its final key, or its upload.
    /// To be asked of pinned and conditional requests, and of those on an upload. CompleteMultipartUpload
    /// may say so after it has answered 200.
    pub fn overtaken(&self) -> bool {
        const CODES: [&str; 5] =
            ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "NoSuchUpload", "InvalidPart"];
        match self.code.as_deref() {
            Some("NoSuchBucket") => false,
            Some(code) if CODES.contains(&code) => true,
            _ => matches!(self.status, Some(404 | 409 | 412)),
        }
    }

    /// Whether a server may have refused what it does not know, as a checksum of a newer algorithm.
    pub fn is_of_what_it_does_not_know(&self) -> bool {
        self.status == Some(501) || self.code.as_deref() == Some("InvalidArgument")
    }

    /// Whether a part that was to be completed is not the one that S3 has.
    pub fn is_of_another_part(&self) -> bool {
        self.code.as_deref() == Some("InvalidPart")
    }

    /// Whether the object is encrypted with a key that its writer keeps.
    pub fn lacks_customer_key(&self) -> bool {
        self.code.as_deref() == Some("InvalidRequest") && self.message.contains("Server Side Encryption")
    }

    /// Whether S3 found another result than it was told to expect.
    pub fn refuses_result(&self) -> bool {
        let size = self.operation == "CompleteMultipartUpload" && self.code.as_deref() == Some("InvalidRequest");
        size || self.code.as_deref() == Some("BadDigest")
    }

    /// Whether it may go well another time.
    pub fn transient(&self) -> bool {
        match (self.status, self.code.as_deref()) {
            (Some(status), _) if status >= 500 || status == 429 => true,
            // No answer, or one that can't be read.
            (None | Some(200), None) => true,
            (_, code) => matches!(code, Some("BrokenOff" | "InternalError" | "RequestTimeout" | "SlowDown")),
        }
    }

    /// S3's own code, as Lambda's errorType: `S3.SlowDown`.
    pub fn kind(&self) -> String {
        match (&self.code, self.status) {
            (Some(code), _) => format!("S3.{code}"),
            (None, Some(status)) => format!("S3.{status}"),
            (None, None) => "S3.NoAnswer".to_owned(),
        }
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.operation)?;
        if let Some(part) = self.part {
            write!(f, "of part {part} ")?;
        }
        write!(f, "for {} failed: {}", self.uri, self.kind())?;
        if !self.message.is_empty() {
            write!(f, ", {}", self.message)?;
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for S3Error {}
