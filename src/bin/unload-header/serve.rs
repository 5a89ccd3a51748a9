//! `unload-header serve`: the sample events' bucket, until it is stopped.

use std::io::{Write, stdout};

use local_s3::LocalS3;
use unload_header::demo as bucket;

use crate::failure::Failure;

pub async fn run(port: u16) -> Result<(), Failure> {
    let taken = |error| Failure::Failed(format!("port {port} of 127.0.0.1 can't be had: {error}"));
    let s3 = LocalS3::start(port).await.map_err(taken)?;
    bucket::fill(&s3)?;
    let mut out = stdout();
    writeln!(out, "export AWS_ENDPOINT_URL_S3={}", s3.endpoint())?;
    writeln!(out, "export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}", local_s3::ACCESS_KEY, local_s3::SECRET_KEY)?;
    writeln!(out, "export AWS_REGION=us-east-1")?;
    writeln!(out, "# s3://{} is served until this is stopped", bucket::BUCKET)?;
    std::future::pending().await
}
