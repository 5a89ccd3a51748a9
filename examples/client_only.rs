//! A function that has an S3 client and asks one question, a HEAD of the object that its event names: what `make bench-start`
//! holds the start of `bootstrap` against.

use lambda_runtime::{LambdaEvent, run, service_fn, tracing};
use serde_json::Value;
use unload_header::s3::S3;
use unload_header::uri::Uri;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    let s3 = &S3::from_env().await;
    let ask = async |event: LambdaEvent<Value>| {
        let object = &event.payload["Records"][0]["s3"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let head = s3.head(&Uri::new(text(&object["bucket"]["name"]), text(&object["object"]["key"]))).await?;
        Ok::<_, lambda_runtime::Error>(head.map(|head| head.object.size))
    };
    run(service_fn(ask)).await
}
