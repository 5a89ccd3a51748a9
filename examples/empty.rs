//! A function that does nothing: what `make bench-start` holds the start of `bootstrap` against.

use lambda_runtime::{LambdaEvent, run, service_fn, tracing};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    run(service_fn(|_: LambdaEvent<Value>| async { Ok::<_, lambda_runtime::Error>(()) })).await
}
