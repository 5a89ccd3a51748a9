//! HTTP in front of the store: a log of the requests, and faults on demand.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::http::{Response, request, response};
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::api::{AByteEarlier, Api};
use crate::policy::{Call, Grant, needs};
use crate::store::{Object, Rules, Store, Upload};

/// A server; one that listens ends with the runtime that it was started on.
#[derive(Clone)]
pub struct LocalS3 {
    endpoint: String,
    store: Arc<Mutex<Store>>,
    traffic: Arc<Mutex<Traffic>>,
    service: S3Service,
}

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
    /// What IAM is asked for it.
    pub needs: Vec<Call>,
    /// Bytes of the body that came with it.
    pub bytes: u64,
}

/// What may happen to a request instead of its answer.
pub enum Fault {
    /// An error answer, with S3's code; nothing takes effect.
    Error(u16, &'static str),
    /// 200 with an `<Error>` body; nothing takes effect.
    ErrorIn200(&'static str),
    /// The connection breaks before anything takes effect.
    Reset,
    /// The connection breaks after all has taken effect.
    LostAnswer,
    /// Half of the answer's body, then the connection breaks.
    CutAnswer,
    /// Half of the answer's body, as if it were all of it.
    HalfAnswer,
    /// It takes effect, and is answered, after this time.
    Late(Duration),
    /// It takes effect, and is answered, once the test says so.
    Held(oneshot::Receiver<()>),
    /// A copied range begins and ends a byte too early.
    WrongRange,
    /// Something else happens first; then the request is answered as always.
    Meanwhile(Box<dyn FnOnce(&mut Store) + Send>),
}

type Judge = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

#[derive(Default)]
struct Traffic {
    requests: Vec<Request>,
    faults: Vec<(&'static str, usize, Fault)>,
    judge: Option<Judge>,
    /// A connection that is idle so long is never answered on again.
    stalls_after: Option<Duration>,
}

impl std::fmt::Debug for LocalS3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalS3").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Default for LocalS3 {
    fn default() -> LocalS3 {
        LocalS3::before(Arc::default(), "http://127.0.0.1".to_owned())
    }
}

impl LocalS3 {
    /// Serves on a port of the loopback address; 0 takes any that is free.
    pub async fn start(port: u16) -> io::Result<LocalS3> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let s3 = LocalS3::before(Arc::default(), format!("http://{}", listener.local_addr()?));
        let serving = s3.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().connection(stream));
            }
        });
        Ok(s3)
    }

    /// Another server of the same objects, with its own log and faults.
    pub fn beside(&self) -> LocalS3 {
        LocalS3::before(self.store.clone(), self.endpoint.clone())
    }

    fn before(store: Arc<Mutex<Store>>, endpoint: String) -> LocalS3 {
        let mut service = S3ServiceBuilder::new(Api::new(store.clone()));
        let mut keys = SimpleAuth::from_single(crate::ACCESS_KEY, crate::SECRET_KEY);
        keys.register(crate::ROLE_KEY.to_owned(), crate::SECRET_KEY.into());
        service.set_auth(keys);
        LocalS3 { endpoint, store, traffic: Arc::default(), service: service.build() }
    }

    /// What `AWS_ENDPOINT_URL_S3` has to be.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn put(&self, bucket: &str, key: &str, object: Object) {
        self.store().put(bucket, key, object);
    }

    pub fn get(&self, bucket: &str, key: &str) -> Option<Object> {
        self.store().object(bucket, key).cloned()
    }

    pub fn delete(&self, bucket: &str, key: &str) {
        self.store().delete(bucket, key);
    }

    /// All keys of a bucket, in order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.store().objects.keys().filter(|(of, _)| of == bucket).map(|(_, key)| key.clone()).collect()
    }

    /// Uploads that are neither completed nor aborted.
    pub fn uploads(&self) -> Vec<Upload> {
        self.store().uploads.values().cloned().collect()
    }

    /// Takes s3:ListBucket away, so that a missing key answers 403.
    pub fn deny_list(&self) {
        self.store().deny_list = true;
    }

    /// Lets the key pair of the role do this and nothing else.
    pub fn permit(&self, policy: Vec<Grant>) {
        self.store().policy = Some(policy);
    }

    /// What holds for all of a bucket from now on.
    pub fn rule(&self, bucket: &str, rules: Rules) {
        self.store().set_rules(bucket, rules);
    }

    /// Refuses CRCs on writes, as a server that does not know them may.
    pub fn deny_checksums(&self) {
        self.store().deny_checksums = true;
    }

    /// Shows composite checksums without the `-N` behind them, as some servers do.
    pub fn hide_composite(&self) {
        self.store().hide_composite = true;
    }

    /// Refuses If-Match and If-None-Match on writes, as some servers do.
    pub fn deny_conditions(&self) {
        self.store().deny_conditions = true;
    }

    /// The requests since the last call.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.traffic().requests)
    }

    /// Lets the `nth` request of an operation from now on meet a fault; the first is 1.
    pub fn fail(&self, operation: &'static str, nth: usize, fault: Fault) {
        self.traffic().faults.push((operation, nth, fault));
    }

    /// Lets a function choose what each request meets.
    pub fn judge(&self, judge: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        self.traffic().judge = Some(Box::new(judge));
    }

    /// Lets a connection that was idle so long die without a word, as those of a function that was frozen
    /// (awslabs/aws-sdk-rust#1417).
    pub fn stall_after(&self, idle: Duration) {
        self.traffic().stalls_after = Some(idle);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connection(self, stream: TcpStream) {
        let last = Mutex::new(Instant::now());
        let answer = service_fn(async |request: hyper::Request<_>| {
            let mark = || *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            let idle = last.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
            let stalls_after = self.traffic().stalls_after;
            if stalls_after.is_some_and(|limit| idle >= limit) {
                std::future::pending::<()>().await;
            }
            let answer = self.answer(request.map(Body::from)).await;
            mark();
            answer
        });
        let io = TokioIo::new(stream);
        // It ends when the client closes it, or at a fault.
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await;
    }

    /// The answer to a request, for clients that need no connection.
    pub async fn answer(&self, request: hyper::Request<Body>) -> Result<Response<Body>, HttpError> {
        let is_head = request.method() == Method::HEAD;
        let mut answer = self.answer_with_body(request).await?;
        // "A HEAD request has no response body" (S3 API reference, HeadObject), that of an error included.
        if is_head && !answer.status().is_success() {
            *answer.body_mut() = Body::empty();
        }
        Ok(answer)
    }

    async fn answer_with_body(&self, mut request: hyper::Request<Body>) -> Result<Response<Body>, HttpError> {
        let (parts, body) = request.into_parts();
        let fault = self.log(&parts);
        request = hyper::Request::from_parts(parts.clone(), body);
        let call = async |request| match self.refused(&parts) {
            Some(answer) => {
                drain(request).await;
                Ok(answer)
            }
            None => self.service.call(request).await,
        };
        match fault {
            None => call(request).await,
            Some(Fault::Error(status, code)) => {
                drain(request).await;
                Ok(error(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code))
            }
            Some(Fault::ErrorIn200(code)) => {
                drain(request).await;
                Ok(error(StatusCode::OK, code))
            }
            Some(Fault::Reset) => Err(broken()),
            Some(Fault::LostAnswer) => call(request).await.and(Err(broken())),
            Some(Fault::CutAnswer) => {
                let (mut parts, half, length) = half(call(request).await?).await;
                parts.headers.insert(CONTENT_LENGTH, length.into());
                let frames: [io::Result<_>; 2] = [Ok(Frame::data(half)), Err(io::ErrorKind::ConnectionReset.into())];
                Ok(Response::from_parts(parts, Body::http_body_unsync(StreamBody::new(stream::iter(frames)))))
            }
            Some(Fault::HalfAnswer) => {
                let (mut parts, half, _) = half(call(request).await?).await;
                parts.headers.insert(CONTENT_LENGTH, half.len().into());
                Ok(Response::from_parts(parts, Body::from(half)))
            }
            Some(Fault::Late(time)) => {
                tokio::time::sleep(time).await;
                call(request).await
            }
            Some(Fault::Held(released)) => {
                // A test that is over lets it go as well.
                let _ = released.await;
                call(request).await
            }
            Some(Fault::WrongRange) => {
                request.extensions_mut().insert(AByteEarlier);
                call(request).await
            }
            Some(Fault::Meanwhile(change)) => {
                change(&mut self.store());
                call(request).await
            }
        }
    }

    /// What is refused before any operation: by the bucket's region, and by the role's policy.
    fn refused(&self, parts: &request::Parts) -> Option<Response<Body>> {
        let store = self.store();
        let request = Request::of(parts, &store);
        // S3 user guide, "Making requests using the REST API"; that a HEAD has the header alone: `dacort/s3grep#4`.
        if let Some(region) = store.rules_of(&request.bucket).region {
            let mut answer = error(StatusCode::MOVED_PERMANENTLY, "PermanentRedirect");
            answer.headers_mut().insert("x-amz-bucket-region", HeaderValue::from_static(region));
            return Some(answer);
        }
        let has_checksum = |name: &hyper::header::HeaderName| name.as_str().starts_with("x-amz-checksum-");
        let is_read = [Method::GET, Method::HEAD].contains(&parts.method);
        if store.deny_checksums && !is_read && parts.headers.keys().any(has_checksum) {
            return Some(error(StatusCode::NOT_IMPLEMENTED, "NotImplemented"));
        }
        let credential = parts.headers.get("authorization").and_then(|value| value.to_str().ok())?;
        let is_role = credential.contains(&format!("Credential={}/", crate::ROLE_KEY));
        let policy = store.policy.as_ref().filter(|_| is_role)?;
        let is_allowed = |call: &Call| policy.iter().any(|grant| grant.allows(call));
        let denied = request.needs.iter().find(|call| !is_allowed(call))?;
        Some(error(StatusCode::FORBIDDEN, "AccessDenied").map(|_| Body::from(denial(denied))))
    }

    /// Writes a request down, and finds the fault that waits for it.
    fn log(&self, parts: &request::Parts) -> Option<Fault> {
        let request = Request::of(parts, &self.store());
        let mut traffic = self.traffic();
        let operation = request.operation;
        let judged = traffic.judge.as_mut().and_then(|judge| judge(&request));
        traffic.requests.push(request);
        let waiting = traffic.faults.iter_mut().filter(|(of, ..)| *of == operation);
        waiting.for_each(|(_, nth, _)| *nth = nth.saturating_sub(1));
        match traffic.faults.iter().position(|(of, nth, _)| *of == operation && *nth == 0) {
            Some(due) => Some(traffic.faults.remove(due).2),
            None => judged,
        }
    }
}

const COPY_RANGE: &str = "x-amz-copy-source-range";

impl Request {
    fn of(parts: &request::Parts, store: &Store) -> Request {
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
        let mut request = Request {
            operation,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            copy_source,
            copy_range: header(COPY_RANGE).map(str::to_owned),
            prefix: query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).map(decode).unwrap_or_default(),
            sends_tags: parts.headers.contains_key("x-amz-tagging"),
            bytes: header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0),
            needs: Vec::new(),
        };
        request.needs = needs(&request, &parts.headers, query, store);
        request
    }
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

async fn drain(request: hyper::Request<Body>) {
    // What can't be read any more needs no reading.
    let _ = request.into_body().collect().await;
}

/// As IAM words it.
fn denial(call: &Call) -> String {
    let action = &call.action;
    let resource = call.resource.replace('&', "&amp;").replace('<', "&lt;").replace(char::is_control, "");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>the role is not authorized to \
         perform: {action} on resource: \"{resource}\" because no identity-based policy allows the {action} action\
         </Message><RequestId>local</RequestId></Error>"
    )
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>a fault on demand</Message>\
         <RequestId>local</RequestId></Error>"
    );
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = status;
    response
}

fn broken() -> HttpError {
    HttpError::new(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)))
}

/// An answer's first half, and the length of the whole.
async fn half(response: Response<Body>) -> (response::Parts, Bytes, usize) {
    let (parts, body) = response.into_parts();
    let whole = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (parts, whole.slice(..whole.len() / 2), whole.len())
}
