//! The sample events, one after the other: what came in, what came out, and the receipt.

use std::io::{self, Read, Write, stdout};

use local_s3::LocalS3;
use serde_json::Value;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::demo as bucket;
use unload_header::job::Handler;
use unload_header::receipt::{ColumnsFrom, Outcome, Proof, Receipt};
use unload_header::settings::{Output, SettingError, Settings};
use unload_header::unload::Compression;
use unload_header::unload::name::SIDECAR;
use unload_header::uri::Uri;

use crate::client::in_memory;
use crate::failure::Failure;
use crate::show;

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

    let mut out = stdout();
    writeln!(
        out,
        "s3://{} is in memory, and looks as if Redshift had unloaded to it. Each sample event of",
        bucket::BUCKET
    )?;
    writeln!(out, "events/ goes through the function: what came in, the names, what came out, and the receipt.")?;
    let (mut written, mut proved, mut failed) = (0, 0, 0);
    for (handler, name, shows, event) in all.chain(merged) {
        let output = if handler.settings.output == Output::Single { " ── OUTPUT=single" } else { "" };
        writeln!(out, "\n── events/{name}.json{output} ── {shows}")?;
        match handler.handle(&serde_json::from_str::<Value>(event)?, Deadline::after(MAX_TIMEOUT)).await {
            Ok(answer) if answer.receipts.is_empty() => writeln!(out, "   answered, nothing to do")?,
            Ok(answer) => {
                for receipt in &answer.receipts {
                    let is_proved = receipt.written.as_ref().is_some_and(|it| matches!(it.proof, Proof::Crc(_)));
                    written += usize::from(receipt.outcome == Outcome::Written);
                    proved += usize::from(receipt.outcome == Outcome::Written && is_proved);
                    print(&mut out, &local, receipt)?;
                }
                let reply = serde_json::to_value(&answer)?;
                if reply.get("receipts").is_none() {
                    writeln!(out, "   the answer: {reply}")?;
                }
            }
            Err(error) => {
                failed += 1;
                writeln!(out, "   failed, so that Lambda retries it: {}\n   {error}", error.kind())?;
            }
        }
    }
    writeln!(
        out,
        "\n{written} final objects written, {proved} of them with the CRC that header and rows must have together, as"
    )?;
    if (failed, proved) != (1, written) {
        return Err(Failure::Failed(format!(
            "S3 computed it. {failed} events failed; one should, and all CRCs be known"
        )));
    }
    writeln!(out, "S3 computed it. {failed} event failed, as it should: nobody names the columns of its object.")?;
    Ok(())
}

fn print(out: &mut impl Write, local: &LocalS3, receipt: &Receipt) -> io::Result<()> {
    if let Some(target) = &receipt.final_uri {
        let by_sidecar = receipt.written.as_ref().is_some_and(|it| it.columns_from == ColumnsFrom::Sidecar);
        let keys = local.keys(bucket::BUCKET).into_iter().filter(|key| by_sidecar && key.ends_with(SIDECAR));
        let is_of =
            |uri: &String| receipt.sources.iter().any(|source| source.starts_with(uri.trim_end_matches(SIDECAR)));
        let names = keys.map(|key| format!("s3://{}/{key}", bucket::BUCKET)).find(is_of);
        let sources = receipt.sources.iter().map(|source| ("in   ", source));
        for (way, uri) in sources.chain(names.iter().map(|uri| ("names", uri))).chain([("out  ", target)]) {
            writeln!(out, "   {way}  {uri}")?;
            first_lines(local, uri).iter().try_for_each(|line| writeln!(out, "            {line}"))?;
        }
    }
    writeln!(out, "   {}", show::receipt(receipt))
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
