//! The sample events, one after the other: what came in, what came out, and the receipt.

use std::io::Read;

use local_s3::LocalS3;
use serde_json::Value;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::demo as bucket;
use unload_header::job::Handler;
use unload_header::receipt::{Outcome, Receipt};
use unload_header::settings::{Output, SettingError, Settings};
use unload_header::unload::Compression;
use unload_header::uri::Uri;

use crate::client::in_memory;
use crate::failure::Failure;

/// Lines of an object that are shown.
const LINES: usize = 3;

pub async fn run() -> Result<(), Failure> {
    let local = LocalS3::start(0).await?;
    bucket::fill(&local)?;
    let s3 = in_memory(&local).await;
    let with = |output: &str| {
        let settings = Settings::read(|name| match name {
            "UNLOAD_PREFIX" => Some("unload/".to_owned()),
            "OUTPUT" => Some(output.to_owned()),
            _ => None,
        })?;
        Ok::<_, SettingError>(Handler::new(settings, s3.clone()))
    };
    let (each, single) = (&with("each")?, &with("single")?);
    let all = bucket::EVENTS.iter().map(|(name, shows, json)| (each, name, *shows, json));
    let merged = bucket::SINGLE.iter().filter_map(|(name, shows)| {
        let (name, _, json) = bucket::EVENTS.iter().find(|(it, ..)| it == name)?;
        Some((single, name, *shows, json))
    });

    println!("UNLOAD_PREFIX=unload/, all other settings as they are; s3://{} is in memory.", bucket::BUCKET);
    let mut written = 0;
    for (handler, name, shows, json) in all.chain(merged) {
        let output = if handler.settings.output == Output::Single { " ── OUTPUT=single" } else { "" };
        println!("\n── events/{name}.json{output} ── {shows}");
        match handler.handle(&serde_json::from_str::<Value>(json)?, Deadline::after(MAX_TIMEOUT)).await {
            Ok(answer) if answer.receipts.is_empty() => println!("   answered, nothing to do"),
            Ok(answer) => {
                written += answer.receipts.iter().filter(|receipt| receipt.outcome == Outcome::Written).count();
                answer.receipts.iter().try_for_each(|receipt| show(&local, receipt))?;
                let reply = serde_json::to_value(&answer)?;
                if reply.get("receipts").is_none() {
                    println!("   the answer: {reply}");
                }
            }
            Err(error) => println!("   failed, so that Lambda tries again: {}\n   {error}", error.kind()),
        }
    }
    println!("\n{written} final objects written.");
    Ok(())
}

fn show(local: &LocalS3, receipt: &Receipt) -> Result<(), serde_json::Error> {
    if let Some(target) = &receipt.final_uri {
        for (way, uri) in receipt.sources.iter().map(|source| ("in ", source)).chain([("out", target)]) {
            println!("   {way}  {uri}");
            first_lines(local, uri).iter().for_each(|line| println!("          {line}"));
        }
    }
    println!("   {}", serde_json::to_string(receipt)?);
    Ok(())
}

/// What a person would see of an object, decompressed.
fn first_lines(local: &LocalS3, uri: &str) -> Vec<String> {
    let object = Uri::parse(uri).and_then(|uri| local.get(&uri.bucket, &uri.key));
    let head = object.map(|object| object.content.slice(0, 1 << 16).to_bytes()).unwrap_or_default();
    let mut text = Vec::new();
    match Compression::of(&head) {
        Some(Compression::Gzip) => flate2::read::MultiGzDecoder::new(&head[..]).read_to_end(&mut text).map(drop),
        _ => head.as_ref().read_to_end(&mut text).map(drop),
    }
    .unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<String> = text.lines().take(LINES).map(str::to_owned).collect();
    if text.lines().count() > LINES {
        lines.push("…".to_owned());
    } else if lines.is_empty() {
        lines.push("(empty)".to_owned());
    }
    lines
}
