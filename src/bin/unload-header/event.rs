//! `unload-header event`: an event from a file, as the function would take it.

use std::io::Read;

use serde_json::Value;
use unload_header::deadline::{Deadline, LONGEST};
use unload_header::job::Handler;
use unload_header::s3::S3;
use unload_header::settings::Settings;

/// Does what the event in a file, or on standard input for `-`, asks for. The answer goes to standard output. It is an
/// error if anything of it has failed, though the answer of SQS or S3 Batch Operations tells that itself.
pub async fn run(file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let text = match file {
        "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
            text
        }
        file => std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?,
    };
    let event: Value = serde_json::from_str(&text).map_err(|error| format!("{file} is not JSON: {error}"))?;
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let handler = Handler::new(settings, S3::from_env().await);
    let answer = handler.handle(&event, Deadline::after(LONGEST)).await;
    let answer = answer.map_err(|error| format!("{}: {error}", error.kind()))?;
    println!("{}", serde_json::to_string_pretty(&answer)?);
    match answer.failures.as_slice() {
        [] => Ok(()),
        failures => Err(failures.join("\n").into()),
    }
}
