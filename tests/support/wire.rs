//! A client of the S3 in memory that needs no connection: with the clock paused, waits cost nothing,
//! and all that can happen has happened before time goes on.

use aws_sdk_s3::config::RuntimeComponents;
use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use local_s3::LocalS3;
use tokio::sync::mpsc;

use crate::MIB;

#[derive(Clone, Debug)]
pub struct Wire(pub LocalS3);

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let s3 = self.0.clone();
        HttpConnectorFuture::new(async move { carry(&s3, request).await })
    }
}

async fn carry(s3: &LocalS3, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let mut request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let host = request.uri().authority().unwrap().as_str().parse().unwrap();
    request.headers_mut().insert("host", host);
    let (parts, body) = request.into_parts();
    // In one piece, which is not copied.
    let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
    let request = hyper::Request::from_parts(parts, body.into());
    let answer = s3.answer(request).await.map_err(|error| ConnectorError::io(error.into()))?;
    let (parts, mut body) = answer.into_parts();
    // A long body comes little by little, as over a network.
    let (sender, mut frames) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(frame) = body.frame().await {
            for frame in pieces(frame.map_err(std::io::Error::other)) {
                if sender.send(frame).await.is_err() {
                    return;
                }
            }
        }
    });
    let body = SdkBody::from_body_1_x(StreamBody::new(stream::poll_fn(move |context| frames.poll_recv(context))));
    let answer = hyper::Response::from_parts(parts, body);
    HttpResponse::try_from(answer).map_err(|error| ConnectorError::user(error.into()))
}

/// A frame in pieces of a megabyte.
fn pieces(frame: Result<Frame<Bytes>, std::io::Error>) -> Vec<Result<Frame<Bytes>, std::io::Error>> {
    match frame.map(Frame::into_data) {
        Ok(Ok(bytes)) => {
            let starts = (0..bytes.len()).step_by(MIB);
            starts.map(|start| Ok(Frame::data(bytes.slice(start..bytes.len().min(start + MIB))))).collect()
        }
        Ok(Err(other)) => vec![Ok(other)],
        Err(error) => vec![Err(error)],
    }
}
