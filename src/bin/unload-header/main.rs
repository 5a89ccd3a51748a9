//! The command line: `unload-header demo` shows the function at work, `unload-header serve` is the bucket that `make invoke`
//! runs it on, and `unload-header event` does what an event asks for.

#![warn(clippy::expect_used, clippy::unwrap_used)]

mod demo;
mod event;

use std::process::ExitCode;

use local_s3::LocalS3;
use unload_header::demo as bucket;

const USAGE: &str = "\
usage: unload-header demo           run the sample events through the function, on an S3 in memory
       unload-header serve [PORT]   serve the sample events' bucket on http://127.0.0.1:PORT (9000)
       unload-header event FILE     do what an event asks for, as the function would; - is standard input";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["demo"] => demo::run().await,
        ["event", file] => event::run(file).await,
        ["serve"] => serve("9000").await,
        ["serve", port] => serve(port).await,
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(port: &str) -> Result<(), Box<dyn std::error::Error>> {
    let port = port.parse().map_err(|_| format!("{port:?} is no port\n{USAGE}"))?;
    let s3 = LocalS3::start(port).await?;
    bucket::fill(&s3)?;
    println!("export AWS_ENDPOINT_URL_S3={}", s3.endpoint());
    println!("export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}", local_s3::ACCESS_KEY, local_s3::SECRET_KEY);
    println!("export AWS_REGION=us-east-1");
    println!("# s3://{} is served until this is stopped", bucket::BUCKET);
    std::future::pending().await
}
