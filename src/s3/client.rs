//! How the SDK's client is configured: retries, time-outs, connections and checksums.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, ConfigBag, Intercept, RequestChecksumCalculation, ResponseChecksumValidation, RuntimeComponents,
    SharedInterceptor, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::BoxError;
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::sync::Semaphore;

use super::ahead::Ahead;
use super::memory::Memory;
use super::traffic::{TooManyRequests, Traffic, Watch};
use super::{ALL_COPIES_AT_ONCE, ALL_SMALL_REQUESTS_AT_ONCE, LISTED_FROM, MAX_PARTS, Owners, S3};

/// How often a request is sent at most. The waits between are up to 1, 2, 4, 8, 16 and then 20 seconds, each
/// shortened at random: about a minute in all.
pub(super) const ATTEMPTS: u32 = 10;
/// For requests that S3 answers at once: HEAD, lists, small reads. A connection that died while the function was
/// frozen stalls until this time-out (awslabs/aws-sdk-rust#1417).
pub(super) const SHORT_TIMEOUT: Duration = Duration::from_secs(10);
/// For requests whose bytes S3 has to receive or to copy.
pub(super) const LONG_TIMEOUT: Duration = Duration::from_secs(60);
/// The client closes an idle connection before S3 does: S3 was seen to close one after 5 seconds
/// (JuliaCloud/AWSCore.jl#35), and after 20 (vectordotdev/vector#9703). The SDK's default is 90.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

impl S3 {
    /// A client with region, credentials and endpoint from the environment.
    pub async fn from_env() -> S3 {
        S3::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
    }

    /// A client with the retries, time-outs and checksums that copying needs.
    pub fn new(config: &SdkConfig) -> S3 {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).operation_attempt_timeout(SHORT_TIMEOUT);
        // By default all requests together may retry some hundred times, which a burst of SlowDown uses up. Here, a
        // part that is refused lowers the number of parts in flight instead.
        let retries = RetryPartition::custom("unload-header").token_bucket(TokenBucket::unlimited());
        let http = HttpClient::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).pool_idle_timeout(IDLE_TIMEOUT);
        let http = config.http_client().unwrap_or_else(|| http.build_https());
        let mut config = Builder::from(config)
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .retry_partition(retries.build())
            .retry_classifier(TooManyRequests)
            .timeout_config(timeouts.clone().build())
            // While S3 copies a part it sends nothing, which this protection takes for a stalled stream
            // (smithy-lang/smithy-rs#4439).
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // S3 refuses a part whose CRC is of another algorithm than the upload's.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        // Of others the SDK asks, at every step of a request, whether they are switched on.
        config.push_interceptor(SharedInterceptor::permanent(Watch));
        config.push_interceptor(SharedInterceptor::permanent(LengthOfNothing));
        let config = config.build();
        let patient = config.to_builder().timeout_config(timeouts.operation_attempt_timeout(LONG_TIMEOUT).build());
        S3 {
            patient: Client::from_conf(patient.build()),
            client: Client::from_conf(config),
            traffic: Traffic::default(),
            owners: Owners::default(),
            ahead: Ahead::default(),
            small_requests: Arc::new(Semaphore::new(ALL_SMALL_REQUESTS_AT_ONCE)),
            copies: Arc::new(Semaphore::new(ALL_COPIES_AT_ONCE)),
            memory: Memory::default(),
            max_parts: MAX_PARTS,
            listed_from: LISTED_FROM,
        }
    }
}

/// Says of a PUT or POST without a body that it has none, as HTTP wants it (RFC 9110, section 8.6). The SDK does not, which
/// AWS takes, but Ceph refuses for UploadPartCopy (`ceph/ceph`, rgw_rest_s3.cc), and some proxies for
/// CreateMultipartUpload (`s3fs-fuse/s3fs-fuse#324`). It is not signed, as no proxy may keep such a header as it is.
#[derive(Debug)]
struct LengthOfNothing;

impl Intercept for LengthOfNothing {
    fn name(&self) -> &'static str {
        "LengthOfNothing"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let is_said = request.headers().contains_key("content-length");
        let is_empty = request.body().content_length() == Some(0);
        if matches!(request.method(), "PUT" | "POST") && is_empty && !is_said {
            request.headers_mut().insert("content-length", "0");
        }
        Ok(())
    }
}

/// The configuration of one request that may take longer than all others.
pub(super) fn with_timeout(attempt: Duration) -> Builder {
    Builder::default().timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
}
