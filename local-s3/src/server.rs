//! The server: HTTP in front of the operations, and what tests can ask of it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use hyper::http::{Response, request};
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::answers::{broken, denial, drain, error, half, whole};
use crate::api::Api;
use crate::faults::{Fault, Recorder};
use crate::keys::{ACCESS_KEY, ROLE_KEY, SECRET_KEY};
use crate::permissions::needs;
use crate::policy::{ACCOUNT, Call, Grant};
use crate::request::Request;
use crate::store::{Object, Rules, Store, Upload};

/// A server. If it listens, it ends with the runtime on which it was started.
#[derive(Clone)]
pub struct LocalS3 {
    endpoint: String,
    store: Arc<Mutex<Store>>,
    traffic: Arc<Mutex<Recorder>>,
    service: S3Service,
    /// The same, for requests without a signature.
    unsigned: S3Service,
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
    /// Listens on a port of the loopback address; 0 is any free port.
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
        let mut keys = SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY);
        keys.register(ROLE_KEY.to_owned(), SECRET_KEY.into());
        service.set_auth(keys);
        let unsigned = S3ServiceBuilder::new(Api::new(store.clone())).build();
        LocalS3 { endpoint, store, traffic: Arc::default(), service: service.build(), unsigned }
    }

    /// The value for `AWS_ENDPOINT_URL_S3`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn put(&self, bucket: &str, key: &str, object: Object) {
        self.store().put(bucket, key, object);
    }

    /// The buckets and keys of objects that are written from now on.
    pub fn created(&self) -> UnboundedReceiver<(String, String)> {
        let (sender, receiver) = unbounded_channel();
        self.store().created_objects = Some(sender);
        receiver
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

    /// Allows the role's key pair this and nothing else.
    pub fn permit(&self, policy: Vec<Grant>) {
        self.store().policy = Some(policy);
    }

    /// Sets the rules of a bucket.
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

    /// Chooses a fault for the `nth` request of an operation from now on; the first is 1.
    pub fn fail(&self, operation: &'static str, nth: usize, fault: Fault) {
        self.traffic().faults.push((operation, nth, fault));
    }

    /// Lets a function choose the fault of each request.
    pub fn judge(&self, judge: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        self.traffic().judge = Some(Box::new(judge));
    }

    /// Never answers on a connection again that was idle for so long, as if the function had been frozen
    /// (awslabs/aws-sdk-rust#1417).
    pub fn stall_after(&self, idle: Duration) {
        self.traffic().stalls_after = Some(idle);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn traffic(&self) -> MutexGuard<'_, Recorder> {
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
        let method = parts.method.clone();
        let fault = self.record(&parts);
        request = hyper::Request::from_parts(parts.clone(), body);
        let call_of = async |service: &S3Service, request| match self.refused(&parts) {
            Some(answer) => {
                drain(request).await;
                Ok(answer)
            }
            None => service.call(request).await,
        };
        let call = async |request| call_of(&self.service, request).await;
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
            Some(Fault::LateEnd(time)) => {
                let (parts, body) = whole(call(request).await?).await.into_parts();
                let halves = [body.slice(..body.len() / 2), body.slice(body.len() / 2..)];
                let frames = stream::iter(halves).enumerate().then(move |(index, half)| async move {
                    tokio::time::sleep(time * index as u32).await;
                    Ok::<_, io::Error>(Frame::data(half))
                });
                Ok(Response::from_parts(parts, Body::http_body_unsync(StreamBody::new(frames))))
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
                // If the sender is dropped, since the test is over, the request goes on as well.
                let _ = released.await;
                call(request).await
            }
            Some(Fault::OtherRequest(change)) => {
                let (mut parts, body) = request.into_parts();
                change(&mut parts);
                parts.headers.remove(AUTHORIZATION);
                call_of(&self.unsigned, hyper::Request::from_parts(parts, body)).await
            }
            Some(Fault::OtherAnswer(change)) => {
                let mut answer = whole(call(request).await?).await;
                change(&mut answer);
                let (mut parts, body) = answer.into_parts();
                // To a HEAD, it is the object's length.
                if method != Method::HEAD {
                    parts.headers.insert(CONTENT_LENGTH, body.len().into());
                }
                Ok(Response::from_parts(parts, Body::from(body)))
            }
            Some(Fault::Meanwhile(change)) => {
                change(&mut self.store());
                call(request).await
            }
        }
    }

    /// The refusal of a request because of the bucket's region or owner, what it lacks, its checksums, or the role's policy.
    fn refused(&self, parts: &request::Parts) -> Option<Response<Body>> {
        let store = self.store();
        let request = request_of(parts, &store);
        // S3 user guide, "Making requests using the REST API"; that a HEAD has the header alone: `dacort/s3grep#4`.
        if let Some(region) = store.rules_of(&request.bucket).region {
            let mut answer = error(StatusCode::MOVED_PERMANENTLY, "PermanentRedirect");
            answer.headers_mut().insert("x-amz-bucket-region", HeaderValue::from_static(region));
            return Some(answer);
        }
        // S3 user guide, "Verifying bucket ownership with bucket owner condition".
        let source = request.copy_source.as_deref().and_then(|source| source.split_once('/'));
        let expected = [(Some(&*request.bucket), &request.owner), (source.map(|(it, _)| it), &request.source_owner)];
        let is_other = |bucket: &str, owner: &str| store.rules_of(bucket).owner.unwrap_or(ACCOUNT) != owner;
        if expected
            .iter()
            .any(|(bucket, owner)| matches!((bucket, owner), (Some(it), Some(owner)) if is_other(it, owner)))
        {
            return Some(error(StatusCode::FORBIDDEN, "AccessDenied"));
        }
        // AWS asks for it where a body comes (`apache/arrow-rs-object-store#155`), Ceph also where S3 copies: there the same
        // code answers UploadPartCopy (`ceph/ceph`, rgw_rest_s3.cc, RGWPutObj_ObjStore_S3::get_params).
        if parts.method == Method::PUT && !parts.headers.contains_key(CONTENT_LENGTH) {
            return Some(error(StatusCode::LENGTH_REQUIRED, "MissingContentLength"));
        }
        let has_checksum = |name: &hyper::header::HeaderName| name.as_str().starts_with("x-amz-checksum-");
        let is_read = [Method::GET, Method::HEAD].contains(&parts.method);
        if store.deny_checksums && !is_read && parts.headers.keys().any(has_checksum) {
            return Some(error(StatusCode::NOT_IMPLEMENTED, "NotImplemented"));
        }
        let credential = parts.headers.get("authorization").and_then(|value| value.to_str().ok())?;
        let is_role = credential.contains(&format!("Credential={}/", ROLE_KEY));
        let policy = store.policy.as_ref().filter(|_| is_role)?;
        let is_allowed = |call: &Call| policy.iter().any(|grant| grant.allows(call));
        let denied = request.needs.iter().find(|call| !is_allowed(call))?;
        Some(error(StatusCode::FORBIDDEN, "AccessDenied").map(|_| Body::from(denial(denied))))
    }

    fn record(&self, parts: &request::Parts) -> Option<Fault> {
        let request = request_of(parts, &self.store());
        self.traffic().record(request)
    }
}

fn request_of(parts: &request::Parts, store: &Store) -> Request {
    let request = Request::parse(parts);
    let needs = needs(&request, &parts.headers, parts.uri.query().unwrap_or_default(), store);
    Request { needs, ..request }
}
