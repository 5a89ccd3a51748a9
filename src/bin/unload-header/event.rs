//! `unload-header event`: an event from a file, as the function would take it.

use std::io::{Write, stdout};

use serde_json::Value;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::job::Handler;
use unload_header::s3::S3;

use crate::arguments::SettingFlags;
use crate::client::{read, settings};
use crate::failure::Failure;

/// Does what the event in a file asks for. The answer goes to standard output. It is an error if anything of it has
/// failed, though the answer of SQS or S3 Batch Operations tells that itself.
pub async fn run(file: &str, flags: &SettingFlags) -> Result<(), Failure> {
    let event: Value = serde_json::from_slice(&read(file)?)
        .map_err(|error| Failure::Failed(format!("{file} is not JSON: {error}")))?;
    let handler = Handler::new(settings(flags)?, S3::from_env().await);
    let answer = handler.handle(&event, Deadline::after(MAX_TIMEOUT)).await?;
    writeln!(stdout(), "{}", serde_json::to_string_pretty(&answer)?)?;
    match answer.failures.as_slice() {
        [] => Ok(()),
        // The function's log has named them.
        _ => Err(Failure::Named),
    }
}
