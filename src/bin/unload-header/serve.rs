//! `unload-header serve`: an S3 in memory with the sample events' bucket, which runs the function on each object that is
//! written below UNLOAD_PREFIX, until it is stopped.

use std::io::{Write, stderr, stdout};

use local_s3::LocalS3;
use serde_json::json;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::demo as bucket;
use unload_header::job::Handler;
use unload_header::settings::Settings;

use crate::arguments::SettingFlags;
use crate::client::in_memory;
use crate::failure::Failure;
use crate::show;

pub async fn run(port: u16, flags: &SettingFlags) -> Result<(), Failure> {
    let prefix = |name: &str| (name == "UNLOAD_PREFIX").then(|| "unload/".to_owned());
    let settings =
        Settings::read(|name| flags.value(name).or_else(|| std::env::var(name).ok()).or_else(|| prefix(name)))?;
    let taken = |error| Failure::Failed(format!("port {port} of 127.0.0.1 can't be had: {error}"));
    let s3 = LocalS3::start(port).await.map_err(taken)?;
    bucket::fill(&s3)?;
    let mut created = s3.created();
    let handler = Handler::new(Settings { function_name: None, ..settings }, in_memory(&s3).await);
    let mut out = stdout();
    writeln!(out, "export AWS_ENDPOINT_URL_S3={}", s3.endpoint())?;
    writeln!(out, "export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}", local_s3::ACCESS_KEY, local_s3::SECRET_KEY)?;
    writeln!(out, "export AWS_REGION=us-east-1")?;
    writeln!(
        out,
        "# s3://{} is served until this is stopped; what you write below it becomes final objects",
        bucket::BUCKET
    )?;
    while let Some((bucket, key)) = created.recv().await {
        if !key.starts_with(&handler.settings.unload_prefix) {
            continue;
        }
        let detail = json!({"bucket": {"name": bucket}, "object": {"key": key}});
        let event = json!({"source": "aws.s3", "detail-type": "Object Created", "detail": detail});
        match handler.handle(&event, Deadline::after(MAX_TIMEOUT)).await {
            Ok(answer) => {
                answer.receipts.iter().try_for_each(|receipt| writeln!(stderr(), "{}", show::receipt(receipt)))?
            }
            Err(error) => writeln!(stderr(), "failed     s3://{bucket}/{key}  {}: {error}", error.kind())?,
        }
    }
    Ok(())
}
