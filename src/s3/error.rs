//! An operation that failed: what S3 said of it, and what that means.

use std::error::Error;
use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;

use crate::crc::Crc;
use crate::uri::Uri;

/// An operation that S3 refused, or that did not reach it. `Display` says what to do where that is known.
#[derive(Debug)]
pub struct S3Error {
    pub operation: &'static str,
    pub uri: Uri,
    pub part: Option<usize>,
    pub status: Option<u16>,
    pub code: Option<String>,
    pub message: String,
    pub request_id: Option<String>,
    /// If S3 says that the bucket is in another region than the client.
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
        E: Error + ProvideErrorMetadata + RequestId + 'static,
    {
        // The SDK does not follow such a redirect. The answer to a HEAD has only this header, no body
        // (awslabs/aws-sdk-rust#183, dacort/s3grep#4).
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
            None if status.is_some_and(|status| status >= 300) => String::new(),
            None if status.is_some() => {
                // An SDK that can't read an answer takes that for its own fault.
                let cause = causes(&error).pop().unwrap_or_default().replace(" This is likely a bug in the SDK.", "");
                format!("the server answered with what can't be read: {cause}")
            }
            None => causes(&error).join(": "),
        };
        S3Error { operation, uri: uri.clone(), part: None, status, code, message, request_id, regions }
    }

    /// An answer that has no error status, but lacks what is needed.
    pub(super) fn unusable(operation: &'static str, uri: &Uri, what: &str) -> S3Error {
        S3Error::own(operation, uri, "UnusableAnswer", format!("the server answered with {what}"))
    }

    /// An object that must be there is not.
    pub fn gone(operation: &'static str, uri: &Uri) -> S3Error {
        S3Error { status: Some(404), ..S3Error::own(operation, uri, "NoSuchKey", "it is not there".to_owned()) }
    }

    pub(super) fn broken_off(uri: &Uri, what: &dyn fmt::Display) -> S3Error {
        S3Error::own("GetObject", uri, "BrokenOff", format!("the server answered with a body that broke off: {what}"))
    }

    /// Bytes of an object that have not its CRC.
    pub fn other_bytes(uri: &Uri, crc: Crc) -> S3Error {
        let message =
            format!("the server answered with other bytes than those of the {} {}", crc.algorithm.name(), crc.base64());
        S3Error::own("GetObject", uri, "BadDigest", message)
    }

    /// A read shows something that a list does not tell of an object, and for which the object must be looked at before.
    pub(super) fn not_listed(uri: &Uri, what: &str) -> S3Error {
        S3Error::own("GetObject", uri, "NotListed", format!("no list tells that {what}"))
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

    /// What a refusal means, where S3's own code says too little.
    fn diagnosis(&self) -> Diagnosis<'_> {
        let is_read = matches!(self.operation, "HeadObject" | "GetObject");
        let is_denied = self.status == Some(403) && matches!(self.code.as_deref(), None | Some("AccessDenied"));
        match &self.regions {
            Some(regions) => Diagnosis::OtherRegion(regions),
            None if self.lacks_customer_key() => Diagnosis::CustomerKeyEncrypted,
            None if is_read && is_denied => Diagnosis::AccessDenied,
            None if self.is_unsent(["no credentials found in chain", "while loading credentials"]) => {
                Diagnosis::NoCredentials
            }
            None if self.is_unsent(["region must be set", "Invalid region"]) => Diagnosis::NoRegion,
            None => Diagnosis::AsS3Says,
        }
    }

    fn lacks_customer_key(&self) -> bool {
        self.code.as_deref() == Some("InvalidRequest") && self.message.contains("Server Side Encryption")
    }

    /// Whether the SDK has sent nothing, for one of these reasons in its words.
    fn is_unsent(&self, reasons: [&str; 2]) -> bool {
        self.status.is_none() && reasons.iter().any(|reason| self.message.contains(reason))
    }

    /// What Lambda shows as errorType: S3's own code, like `S3.SlowDown`, or what is known of its cause.
    pub fn kind(&self) -> String {
        match self.diagnosis() {
            Diagnosis::OtherRegion(_) => "OtherRegion".to_owned(),
            Diagnosis::CustomerKeyEncrypted => "CustomerKeyEncrypted".to_owned(),
            Diagnosis::AccessDenied => "AccessDenied".to_owned(),
            Diagnosis::NoCredentials | Diagnosis::NoRegion | Diagnosis::AsS3Says => self.code_or_status(),
        }
    }

    fn code_or_status(&self) -> String {
        match (&self.code, self.status) {
            (Some(code), _) => format!("S3.{code}"),
            (None, Some(status)) => format!("S3.{status}"),
            (None, None) => "S3.NoAnswer".to_owned(),
        }
    }

    /// Whether something has changed since the job looked: its source, what is at its final key, or its upload. Only
    /// conditional requests, reads of one version and requests on an upload are to be asked this.
    /// CompleteMultipartUpload may fail so after it has answered 200.
    pub fn is_overtaken(&self) -> bool {
        const CODES: [&str; 5] =
            ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "NoSuchUpload", "InvalidPart"];
        match self.code.as_deref() {
            Some("NoSuchBucket") => false,
            Some(code) if CODES.contains(&code) => true,
            _ => matches!(self.status, Some(404 | 409 | 412)),
        }
    }

    /// Whether the server may have refused a field that it does not know, like a checksum of a newer algorithm.
    pub fn is_unsupported(&self) -> bool {
        self.status == Some(501) || self.code.as_deref() == Some("InvalidArgument")
    }

    /// Whether S3 has another part of that number than the one that was to be completed.
    pub fn is_invalid_part(&self) -> bool {
        self.code.as_deref() == Some("InvalidPart")
    }

    /// Whether the object would have another size or CRC than the request says, or is not what a list has told.
    pub fn is_other_result(&self) -> bool {
        let size = self.operation == "CompleteMultipartUpload" && self.code.as_deref() == Some("InvalidRequest");
        size || matches!(self.code.as_deref(), Some("BadDigest" | "NotListed"))
    }

    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        match (self.status, self.code.as_deref()) {
            (Some(status), _) if status >= 500 || status == 429 => true,
            // No answer, or one that can't be read.
            (None | Some(200), None) => true,
            (_, code) => matches!(code, Some("BrokenOff" | "InternalError" | "RequestTimeout" | "SlowDown")),
        }
    }

    /// What S3 said, in one line.
    fn answer(&self) -> String {
        let part = self.part.map_or_else(String::new, |part| format!("of part {part} "));
        let message = if self.message.is_empty() { String::new() } else { format!(", {}", self.message) };
        let request = self.request_id.as_ref().map_or_else(String::new, |id| format!(" (request {id})"));
        format!("{} {part}for {} failed: {}{message}{request}", self.operation, self.uri, self.code_or_status())
    }
}

/// An error and its causes, each in one line. What the SDK shows instead, `DisplayErrorContext`, has all of the answer, which
/// may hold rows.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let in_one_line = |text: String| text.lines().map(str::trim).collect::<Vec<_>>().join("; ").replace(":;", ":");
    causes.map(|cause| in_one_line(cause.to_string())).collect()
}

enum Diagnosis<'e> {
    /// S3 answered 403 to a read, which may hide a 404.
    AccessDenied,
    OtherRegion(&'e Regions),
    /// The writer of the object keeps its key.
    CustomerKeyEncrypted,
    NoCredentials,
    NoRegion,
    AsS3Says,
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (uri, bucket, answer) = (&self.uri, &self.uri.bucket, self.answer());
        match self.diagnosis() {
            Diagnosis::AccessDenied => write!(
                f,
                "S3 answered 403 for {uri}: either the function lacks s3:GetObject on it, or there is no such key and the \
                 function lacks s3:ListBucket on the bucket {bucket} for that prefix, without which S3 answers 403 instead of \
                 404, or it is encrypted with a KMS key for which the function lacks kms:Decrypt, or the bucket is another \
                 account's than BUCKET_OWNER or FINAL_BUCKET_OWNER says, or another account's with Requester Pays, which is \
                 not supported ({answer})"
            ),
            Diagnosis::OtherRegion(regions) => write!(
                f,
                "the bucket {bucket} is in the region {}, and the function in {}; choose a bucket of the function's \
                 region, from which S3 can replicate, or deploy the function where its buckets are ({answer})",
                regions.bucket, regions.own
            ),
            Diagnosis::CustomerKeyEncrypted => write!(
                f,
                "{uri} is encrypted with a key that its writer keeps (SSE-C), so that the function can't read it; unload \
                 with ENCRYPTED and KMS_KEY_ID instead ({answer})"
            ),
            Diagnosis::NoCredentials => write!(
                f,
                "no AWS credentials could be had: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in \
                 as with the AWS CLI ({answer})"
            ),
            Diagnosis::NoRegion => write!(f, "there is no valid AWS region: set AWS_REGION to the bucket's ({answer})"),
            Diagnosis::AsS3Says => f.write_str(&answer),
        }
    }
}

impl Error for S3Error {}
