//! One function for each S3 operation, with the errors and the counting that all of them share.

mod error;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, ConfigBag, Intercept, RequestChecksumCalculation, ResponseChecksumValidation, RuntimeComponents,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{BoxError, DisplayErrorContext};
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
pub use aws_sdk_s3::types::CompletedPart;
use aws_sdk_s3::types::{CompletedMultipartUpload, ServerSideEncryption};
use bytes::{Bytes, BytesMut};

pub use self::error::S3Error;
use crate::copy::range::ByteRange;
use crate::uri::Uri;

const ATTEMPTS: u32 = 6;
const ATTEMPT: Duration = Duration::from_secs(60);
/// S3 may take minutes to put many parts together (AWS, S3 API reference, CompleteMultipartUpload).
const COMPLETION: Duration = Duration::from_secs(600);
/// A tenth of the speed that copies were measured at; a slower one is stuck.
const SLOWEST_COPY: u64 = 8 << 20;

/// The S3 client, and a count of the requests that went out through it.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    requests: Requests,
}

/// An object as HEAD shows it, pinned to its ETag.
#[derive(Clone, Debug)]
pub struct Object {
    pub uri: Uri,
    pub size: u64,
    pub etag: String,
    pub attributes: Attributes,
    /// The tags themselves need another request.
    pub tagged: bool,
}

/// What an object carries besides its bytes, and CreateMultipartUpload does not take over by itself.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
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

/// A multipart upload that is under way.
#[derive(Clone, Debug)]
pub struct Upload {
    pub target: Uri,
    pub id: String,
}

/// The attributes on a request that makes an object; PutObject and CreateMultipartUpload share no trait.
macro_rules! carrying {
    ($request:expr, $attributes:expr) => {
        $request
            .set_metadata(Some($attributes.metadata.clone()))
            .set_content_type($attributes.content_type.clone())
            .set_content_disposition($attributes.content_disposition.clone())
            .set_content_encoding($attributes.content_encoding.clone())
            .set_content_language($attributes.content_language.clone())
            .set_cache_control($attributes.cache_control.clone())
            .set_tagging($attributes.tagging.clone())
            .set_server_side_encryption($attributes.encryption())
            .set_ssekms_key_id($attributes.kms_key_id.clone())
    };
}

impl S3 {
    /// A client with region, credentials and endpoint from the environment.
    pub async fn from_env() -> S3 {
        S3::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
    }

    /// A client with the retries, time-outs and checksums that copying needs.
    pub fn new(config: &SdkConfig) -> S3 {
        let requests = Requests::default();
        let timeouts =
            TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).operation_attempt_timeout(ATTEMPT);
        let config = Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts.build())
            // It takes S3 silently copying a part for a stalled stream (smithy-lang/smithy-rs#4439).
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // A part's own CRC32 is refused in an upload with another algorithm.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        S3 { client: Client::from_conf(config), requests }
    }

    /// The same client, counting from 0.
    pub fn counting(&self) -> S3 {
        S3 { client: self.client.clone(), requests: Requests::default() }
    }

    /// How many requests went out, tries again included.
    pub fn requests(&self) -> u64 {
        self.requests.0.load(Ordering::Relaxed)
    }

    /// HeadObject; `None` where there is none.
    pub async fn head(&self, uri: &Uri) -> Result<Option<Object>, S3Error> {
        let request = self.client.head_object().bucket(&uri.bucket).key(&uri.key);
        let head = match request.customize().interceptor(self.requests.clone()).send().await {
            Ok(head) => head,
            Err(error) => return absent(S3Error::new("HeadObject", uri, error)),
        };
        let tagged = head.tag_count().is_some_and(|count| count > 0);
        let attributes = Attributes {
            metadata: head.metadata.unwrap_or_default(),
            content_type: head.content_type,
            content_disposition: head.content_disposition,
            content_encoding: head.content_encoding,
            content_language: head.content_language,
            cache_control: head.cache_control,
            tagging: None,
            kms_key_id: None,
        };
        let size = head.content_length.and_then(|size| u64::try_from(size).ok());
        let (Some(size), Some(etag)) = (size, head.e_tag) else {
            return Err(S3Error::answered("HeadObject", uri, "no Content-Length or ETag"));
        };
        Ok(Some(Object { uri: uri.clone(), size, etag, attributes, tagged }))
    }

    /// GetObject of a whole small object; `None` where there is none, an error where it is over `limit` bytes.
    pub async fn get_small(&self, uri: &Uri, limit: u64) -> Result<Option<Bytes>, S3Error> {
        match self.get(uri, limit, |request| request).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => absent(error),
        }
    }

    /// GetObject of a range, of just the version that has this ETag.
    pub async fn get_range(&self, object: &Object, range: ByteRange) -> Result<Bytes, S3Error> {
        let pinned = |request: GetObjectFluentBuilder| request.if_match(&object.etag).range(range.to_string());
        let bytes = self.get(&object.uri, range.length(), pinned).await?;
        match bytes.len() as u64 == range.length() {
            true => Ok(bytes),
            false => Err(S3Error::answered("GetObject", &object.uri, &format!("{} bytes for {range}", bytes.len()))),
        }
    }

    /// GetObject of at most `limit` bytes. The SDK tries again only what fails before the body.
    async fn get(
        &self,
        uri: &Uri,
        limit: u64,
        with: impl Fn(GetObjectFluentBuilder) -> GetObjectFluentBuilder,
    ) -> Result<Bytes, S3Error> {
        let mut attempt = 1;
        loop {
            let request = with(self.client.get_object().bucket(&uri.bucket).key(&uri.key));
            let answer = request.customize().interceptor(self.requests.clone()).send().await;
            let answer = answer.map_err(|error| S3Error::new("GetObject", uri, error))?;
            let size = answer.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX);
            if size > limit {
                return Err(S3Error::too_long(uri, size, limit));
            }
            match read(uri, answer.body, size).await {
                Err(_) if attempt < ATTEMPTS => tokio::time::sleep(Duration::from_millis(100) * attempt).await,
                result => return result,
            }
            attempt += 1;
        }
    }

    /// GetObjectTagging, in the form in which CreateMultipartUpload takes it.
    pub async fn tagging(&self, uri: &Uri) -> Result<String, S3Error> {
        let request = self.client.get_object_tagging().bucket(&uri.bucket).key(&uri.key);
        let answer = request.customize().interceptor(self.requests.clone()).send().await;
        let answer = answer.map_err(|error| S3Error::new("GetObjectTagging", uri, error))?;
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let tags = answer.tag_set.iter().map(|tag| format!("{}={}", encode(&tag.key), encode(&tag.value)));
        Ok(tags.collect::<Vec<_>>().join("&"))
    }

    /// ListObjectsV2, all pages: the keys that begin with `prefix`.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, S3Error> {
        let uri = Uri::new(bucket, prefix);
        let (mut keys, mut token) = (Vec::new(), None);
        loop {
            let request = self.client.list_objects_v2().bucket(bucket).prefix(prefix).set_continuation_token(token);
            let page = request.customize().interceptor(self.requests.clone()).send().await;
            let page = page.map_err(|error| S3Error::new("ListObjectsV2", &uri, error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
            token = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
            if token.is_none() {
                return Ok(keys);
            }
        }
    }

    /// PutObject; answers with the new object's ETag.
    pub async fn put(&self, target: &Uri, body: Bytes, attributes: &Attributes) -> Result<String, S3Error> {
        let request = self.client.put_object().bucket(&target.bucket).key(&target.key);
        let request = carrying!(request, attributes).body(in_memory(body));
        let answer = request.customize().interceptor(self.requests.clone()).send().await;
        let answer = answer.map_err(|error| S3Error::new("PutObject", target, error))?;
        answer.e_tag.ok_or_else(|| S3Error::answered("PutObject", target, "no ETag"))
    }

    /// CreateMultipartUpload.
    pub async fn create(&self, target: &Uri, attributes: &Attributes) -> Result<Upload, S3Error> {
        let request = self.client.create_multipart_upload().bucket(&target.bucket).key(&target.key);
        let request = carrying!(request, attributes);
        let answer = request.customize().interceptor(self.requests.clone()).send().await;
        let answer = answer.map_err(|error| S3Error::new("CreateMultipartUpload", target, error))?;
        let id = answer.upload_id.ok_or_else(|| S3Error::answered("CreateMultipartUpload", target, "no UploadId"))?;
        Ok(Upload { target: target.clone(), id })
    }

    /// UploadPart; part numbers begin at 1.
    pub async fn upload_part(&self, upload: &Upload, number: i32, body: Bytes) -> Result<CompletedPart, S3Error> {
        let Upload { target, id } = upload;
        let request = self.client.upload_part().bucket(&target.bucket).key(&target.key).upload_id(id);
        let request = request.part_number(number).body(in_memory(body));
        let answer = request.customize().interceptor(self.requests.clone()).send().await;
        let error = |error: S3Error| error.of_part(number);
        let answer = answer.map_err(|failure| error(S3Error::new("UploadPart", target, failure)))?;
        let etag = answer.e_tag.ok_or_else(|| error(S3Error::answered("UploadPart", target, "no ETag")))?;
        Ok(CompletedPart::builder().part_number(number).e_tag(etag).build())
    }

    /// UploadPartCopy of a range, or of the whole source, as long as it has this ETag.
    pub async fn copy_part(
        &self,
        upload: &Upload,
        number: i32,
        source: &Object,
        range: ByteRange,
    ) -> Result<CompletedPart, S3Error> {
        let Upload { target, id } = upload;
        let slowest = Duration::from_secs(range.length() / SLOWEST_COPY);
        let part = (range.length() < source.size).then(|| range.to_string());
        let request = self.client.upload_part_copy().bucket(&target.bucket).key(&target.key).upload_id(id);
        let request = request
            .part_number(number)
            .copy_source(source.uri.copy_source())
            .copy_source_if_match(&source.etag)
            .set_copy_source_range(part)
            .customize()
            .interceptor(self.requests.clone())
            .config_override(patience(ATTEMPT + slowest));
        let error = |error: S3Error| error.of_part(number);
        let answer = request.send().await.map_err(|failure| error(S3Error::new("UploadPartCopy", target, failure)))?;
        let etag = answer.copy_part_result.and_then(|result| result.e_tag);
        let etag = etag.ok_or_else(|| error(S3Error::answered("UploadPartCopy", target, "no CopyPartResult")))?;
        Ok(CompletedPart::builder().part_number(number).e_tag(etag).build())
    }

    /// CompleteMultipartUpload of an object of `size` bytes; answers with its ETag.
    pub async fn complete(&self, upload: &Upload, parts: Vec<CompletedPart>, size: u64) -> Result<String, S3Error> {
        let Upload { target, id } = upload;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client.complete_multipart_upload().bucket(&target.bucket).key(&target.key).upload_id(id);
        let request = request.multipart_upload(parts).mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX));
        let request = request.customize().interceptor(self.requests.clone()).config_override(patience(COMPLETION));
        let answer = request.send().await;
        let answer = answer.map_err(|error| S3Error::new("CompleteMultipartUpload", target, error))?;
        answer.e_tag.ok_or_else(|| S3Error::answered("CompleteMultipartUpload", target, "no ETag"))
    }

    /// AbortMultipartUpload.
    pub async fn abort(&self, upload: &Upload) -> Result<(), S3Error> {
        let Upload { target, id } = upload;
        let request = self.client.abort_multipart_upload().bucket(&target.bucket).key(&target.key).upload_id(id);
        let answer = request.customize().interceptor(self.requests.clone()).send().await;
        answer.map(drop).map_err(|error| S3Error::new("AbortMultipartUpload", target, error))
    }
}

impl Attributes {
    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.kms_key_id.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }
}

/// How long one try may take, for an operation that takes longer than others.
fn patience(attempt: Duration) -> Builder {
    Builder::default().timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
}

/// A body that is sent as it is: one that streams goes out in signed chunks, which several servers
/// refuse or store wrongly.
fn in_memory(body: Bytes) -> ByteStream {
    ByteStream::new(SdkBody::from(body))
}

/// Reads a body of a known length; that it is the length sees HTTP to.
async fn read(uri: &Uri, mut body: ByteStream, length: u64) -> Result<Bytes, S3Error> {
    let cut = |what: &dyn fmt::Display| S3Error::answered("GetObject", uri, &format!("a body that broke off: {what}"));
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or_default());
    while let Some(chunk) = tokio::time::timeout(ATTEMPT, body.next()).await.map_err(|late| cut(&late))? {
        bytes.extend_from_slice(&chunk.map_err(|error| cut(&DisplayErrorContext(error)))?);
    }
    Ok(bytes.freeze())
}

/// That a key is not there is an answer.
fn absent<T>(error: S3Error) -> Result<Option<T>, S3Error> {
    match error.status {
        Some(404) => Ok(None),
        _ => Err(error),
    }
}

/// Counts what goes out, each try for itself.
#[derive(Clone, Debug, Default)]
struct Requests(Arc<AtomicU64>);

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "Requests"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
