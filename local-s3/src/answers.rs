//! Answers that no operation makes: refusals, faults, and answers that are cut.

use std::io;

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::http::{Response, response};
use s3s::{Body, HttpError};

use crate::policy::Call;

pub async fn drain(request: hyper::Request<Body>) {
    // A body that can't be read any more need not be read.
    let _ = request.into_body().collect().await;
}

/// As IAM words it.
pub fn denial(call: &Call) -> String {
    let action = &call.action;
    let resource = call.resource.replace('&', "&amp;").replace('<', "&lt;").replace(char::is_control, "");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>the role is not authorized to \
         perform: {action} on resource: \"{resource}\" because no identity-based policy allows the {action} action\
         </Message><RequestId>local</RequestId></Error>"
    )
}

pub fn error(status: StatusCode, code: &str) -> Response<Body> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>a fault on demand</Message>\
         <RequestId>local</RequestId></Error>"
    );
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = status;
    response
}

pub fn broken() -> HttpError {
    HttpError::new(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)))
}

/// An answer with all of its body.
pub async fn whole(response: Response<Body>) -> Response<Bytes> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Response::from_parts(parts, body)
}

/// An answer's first half, and the length of the whole.
pub async fn half(response: Response<Body>) -> (response::Parts, Bytes, usize) {
    let (parts, body) = whole(response).await.into_parts();
    (parts, body.slice(..body.len() / 2), body.len())
}
