//! A function that builds an S3 client and does nothing with it: what `make bench` holds the start of
//! `bootstrap` against.

use lambda_runtime::{LambdaEvent, run, service_fn, tracing};
use serde_json::Value;
use unload_header::s3::S3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    let s3 = &S3::from_env().await;
    run(service_fn(|_: LambdaEvent<Value>| async move { Ok::<_, lambda_runtime::Error>(s3.effort().requests) })).await
}
