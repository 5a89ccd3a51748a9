//! The Lambda function: settings, client, and then one event after the other.

#![warn(clippy::expect_used, clippy::unwrap_used)]

use lambda_runtime::{LambdaEvent, run, service_fn, tracing};
use serde_json::Value;
use unload_header::deadline::Deadline;
use unload_header::error::Error;
use unload_header::job::Handler;
use unload_header::s3::S3;
use unload_header::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    let settings = Settings::read(|name| std::env::var(name).ok()).map_err(Error::from)?;
    let handler = &Handler::new(settings, S3::from_env().await);
    let handle =
        async |event: LambdaEvent<Value>| handler.handle(&event.payload, Deadline::at(event.context.deadline)).await;
    run(service_fn(handle)).await
}
