//! The S3 client: how it is set up, and what goes in and out of it. `objects` and `uploads` have one
//! function for each operation.

mod error;
mod objects;
mod traffic;
mod uploads;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat as Format, SdkBody};
use aws_sdk_s3::types::{EncodingType, ServerSideEncryption};
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::error::{Regions, S3Error};
use self::traffic::{TooManyRequests, Traffic};
pub use self::uploads::{Part, Upload};
use crate::crc::Crc;
use crate::uri::Uri;

/// With waits of up to 1, 2, 4, 8, 16 and then 20 seconds between them, each cut short by chance: about
/// a minute in all.
const ATTEMPTS: u32 = 10;
/// For what S3 answers at once: HEAD, lists, small reads. A connection that died while the function was frozen
/// stalls until then (awslabs/aws-sdk-rust#1417).
const QUICK: Duration = Duration::from_secs(10);
/// For what it has to take in, or to move.
const ATTEMPT: Duration = Duration::from_secs(60);
/// Connections are given up before S3 does: it was seen to do so after 5 seconds (JuliaCloud/AWSCore.jl#35), and
/// after 20 (vectordotdev/vector#9703). The SDK's default is 90.
const IDLE: Duration = Duration::from_secs(4);

/// Requests that a job makes at the same time where they are many and small.
pub const AT_ONCE: usize = 32;

/// What all jobs together hold of uploads: 20 MiB, which is counted by 64 KiB.
const PLACE: u64 = 64 << 10;
const ROOM: u32 = 320;

/// Room in memory, until it is dropped.
pub type Room = OwnedSemaphorePermit;

/// The S3 client, and a watch on what goes out through it.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    traffic: Traffic,
    room: Arc<Semaphore>,
}

/// An object, pinned to its ETag.
#[derive(Clone, Debug)]
pub struct Object {
    pub uri: Uri,
    pub size: u64,
    pub etag: String,
    /// Of the whole object, where the server keeps one.
    pub crc: Option<Crc>,
    /// It has a checksum of its parts' checksums instead, as a multipart client writes it: those of the parts can be
    /// asked for.
    pub is_composite: bool,
}

/// All that HEAD shows of an object.
#[derive(Clone, Debug)]
pub struct Head {
    pub object: Object,
    pub attributes: Attributes,
    /// The storage class, or the tier of it, from which the object would have to be restored first.
    pub archive: Option<String>,
    /// The tags themselves need another request.
    pub tagged: bool,
    /// In seconds since 1970.
    pub modified: i64,
}

/// What was asked of S3, tries again included, and how many bytes of objects were read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    pub requests: u64,
    pub bytes_read: u64,
}

/// A small object, read whole.
#[derive(Clone, Debug)]
pub struct Small {
    pub bytes: Bytes,
    pub etag: String,
    /// In seconds since 1970.
    pub modified: i64,
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
    /// As the header has it.
    pub expires: Option<String>,
    /// As URL query parameters.
    pub tagging: Option<String>,
    pub kms_key_id: Option<String>,
}

/// What stood at a key when a job began. A write says so, and S3 refuses it if that has changed.
#[derive(Clone, Debug)]
pub enum Stood {
    Nothing,
    /// An object with this ETag.
    Object(String),
    /// For a server that knows no conditional writes.
    Anything,
}

/// The server's answer to a write.
#[derive(Clone, Debug)]
pub struct Written {
    pub etag: String,
    /// Where the server says which it found.
    pub crc: Option<Crc>,
}

/// The CRC that an answer names, whichever of the three it is.
macro_rules! crc_of {
    ($answer:expr) => {{
        let found = [
            (Algorithm::Crc64Nvme, $answer.checksum_crc64_nvme()),
            (Algorithm::Crc32, $answer.checksum_crc32()),
            (Algorithm::Crc32c, $answer.checksum_crc32_c()),
        ];
        found.into_iter().find_map(|(algorithm, value)| Crc::parse(algorithm, value?))
    }};
}

/// A CRC on a request or on a part of one, if there is any.
macro_rules! with_crc {
    ($request:expr, $crc:expr) => {{
        let crc: Option<Crc> = $crc;
        let of = |algorithm| crc.filter(|crc| crc.algorithm == algorithm).map(Crc::base64);
        $request
            .set_checksum_crc64_nvme(of(Algorithm::Crc64Nvme))
            .set_checksum_crc32(of(Algorithm::Crc32))
            .set_checksum_crc32_c(of(Algorithm::Crc32c))
    }};
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
            .set_expires($attributes.expiry())
            .set_tagging($attributes.tagging.clone().filter(|tags| !tags.is_empty()))
            .set_server_side_encryption($attributes.encryption())
            .set_ssekms_key_id($attributes.kms_key_id.clone())
    };
}
use {carrying, crc_of, with_crc};

impl S3 {
    /// A client with region, credentials and endpoint from the environment.
    pub async fn from_env() -> S3 {
        S3::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
    }

    /// A client with the retries, time-outs and checksums that copying needs.
    pub fn new(config: &SdkConfig) -> S3 {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).operation_attempt_timeout(QUICK);
        // The default allows some hundred tries again for all requests together, which a burst of
        // SlowDown uses up. Here a part that is refused takes part of the pace away instead.
        let tries_again = RetryPartition::custom("unload-header").token_bucket(TokenBucket::unlimited());
        let http = HttpClient::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).pool_idle_timeout(IDLE);
        let http = config.http_client().unwrap_or_else(|| http.build_https());
        let config = Builder::from(config)
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .retry_partition(tries_again.build())
            .retry_classifier(TooManyRequests)
            .timeout_config(timeouts.build())
            // It takes S3 silently copying a part for a stalled stream (smithy-lang/smithy-rs#4439).
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // A part's own CRC32 is refused in an upload with another algorithm.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        S3 {
            client: Client::from_conf(config),
            traffic: Traffic::default(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
        }
    }

    fn error<E>(&self, operation: &'static str, uri: &Uri, error: SdkError<E>) -> S3Error
    where
        E: std::error::Error + ProvideErrorMetadata + RequestId + 'static,
    {
        S3Error::new(operation, uri, error, self.client.config().region().map_or("", Region::as_ref))
    }

    /// The same client, counting from 0.
    pub fn counting(&self) -> S3 {
        S3 { traffic: Traffic::default(), ..self.clone() }
    }

    /// What was asked and read so far.
    pub fn effort(&self) -> Effort {
        Effort { requests: self.traffic.requests(), bytes_read: self.traffic.bytes_read() }
    }

    /// How many requests went out, tries again included.
    pub fn requests(&self) -> u64 {
        self.traffic.requests()
    }

    /// The same client and count, for one request that is to be watched.
    pub fn watched(&self) -> S3 {
        S3 { traffic: self.traffic.watched(), ..self.clone() }
    }

    /// Room for so many bytes of an upload, if there is any now.
    pub fn try_hold(&self, bytes: u64) -> Option<Room> {
        Arc::clone(&self.room).try_acquire_many_owned(places(bytes)).ok()
    }

    /// Waits for room for so many bytes of an upload.
    pub async fn hold(&self, bytes: u64) -> Option<Room> {
        Arc::clone(&self.room).acquire_many_owned(places(bytes)).await.ok()
    }

    /// Whether S3 asked a watched request to slow down.
    pub fn slowed(&self) -> bool {
        self.traffic.slowed()
    }
}

/// How much of the room so many bytes take; one upload has room, however large it is.
fn places(bytes: u64) -> u32 {
    bytes.div_ceil(PLACE).min(ROOM.into()) as u32
}

impl Head {
    /// By one of Amazon's encryption clients, whose metadata this is.
    pub fn is_client_encrypted(&self) -> bool {
        self.attributes.metadata.contains_key("x-amz-key")
    }
}

impl Attributes {
    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.kms_key_id.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }

    /// S3 keeps any text under the name of Expires, and the SDK sends only a date.
    fn expiry(&self) -> Option<DateTime> {
        DateTime::from_str(self.expires.as_deref()?, Format::HttpDate).ok()
    }
}

impl Stood {
    /// A write on this condition. A server that has no conditional writes says 501, and is written to all
    /// the same.
    pub async fn held(&self, write: impl AsyncFn(&Stood) -> Result<Written, S3Error>) -> Result<Written, S3Error> {
        match write(self).await {
            Err(error) if error.status == Some(501) => write(&Stood::Anything).await,
            result => result,
        }
    }

    fn if_none_match(&self) -> Option<String> {
        matches!(self, Stood::Nothing).then(|| "*".to_owned())
    }

    fn if_match(&self) -> Option<String> {
        match self {
            Stood::Object(etag) => Some(etag.clone()),
            _ => None,
        }
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

/// That a key is not there is an answer.
fn absent<T>(error: S3Error) -> Result<Option<T>, S3Error> {
    match error.status {
        Some(404) => Ok(None),
        _ => Err(error),
    }
}

/// A key of a list, which is encoded where that was asked for and the server knows of it: XML has no way to write
/// some characters, and changes others.
fn decoded(key: String, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return key;
    }
    let spaced = key.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8().map(|key| key.into_owned());
    decoded.unwrap_or(key)
}

/// How many parts the ETag of a multipart object says it has, in AWS's form, `<32 hexadecimal digits>-<parts>`;
/// other servers' ETags may look like anything.
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
