//! The table of docs/cost.md: requests that were counted, seconds by the speed that S3 was measured at, and dollars.

use std::time::Duration;

use local_s3::{Content, Fault, Object, Request};
use support::{MIB, World, manifest, rows};
use tokio::time::Instant;
use unload_header::copy::plan::Limits;

const GB: u64 = 1_000_000_000;
/// In dollars, as docs/cost.md says.
const WRITE: f64 = 0.005 / 1_000.0;
const READ: f64 = 0.0004 / 1_000.0;
const GB_SECOND: f64 = 0.000_013_333_4;
const CALL: f64 = 0.20 / 1_000_000.0;
/// The template's default, in GB.
const MEMORY: f64 = 0.25;

/// Bytes that a request copies, if it does.
fn copied(request: &Request) -> Option<u64> {
    let (first, last) = request.copy_range.as_ref()?.strip_prefix("bytes=")?.split_once('-')?;
    Some(last.parse::<u64>().ok()? - first.parse::<u64>().ok()? + 1)
}

/// Whether S3 bills a request as it bills a PUT (AWS, Amazon S3 pricing: PUT, COPY, POST and LIST; others as GET). That it
/// bills no AbortMultipartUpload and no DELETE is left out.
fn is_write(request: &Request) -> bool {
    !matches!(request.operation, "HeadObject" | "GetObject" | "GetObjectTagging" | "GetObjectAttributes")
}

/// A line of the table, for the events of some objects, each a call of its own.
async fn line(name: &str, output: &str, world: &World, events: &[String]) -> String {
    world.local().judge(|request| {
        let time = match request.operation {
            "UploadPartCopy" => Limits::AWS.time(copied(request).unwrap_or_default()),
            "CompleteMultipartUpload" => Duration::from_secs(2),
            "PutObject" | "UploadPart" => Duration::from_millis(100),
            _ => Duration::from_millis(30),
        };
        Some(Fault::Late(time))
    });
    let (mut seconds, mut longest) = (0.0, 0.0_f64);
    for event in events {
        let begun = Instant::now();
        while world.run(&[("OUTPUT", output)], &[event]).await.is_err() {}
        seconds += begun.elapsed().as_secs_f64();
        longest = longest.max(begun.elapsed().as_secs_f64());
    }
    let (writes, reads): (Vec<_>, Vec<_>) = world.local().take_requests().into_iter().partition(is_write);
    let (writes, reads) = (writes.len() as f64, reads.len() as f64);
    let gb_seconds = seconds * MEMORY;
    let dollars = writes * WRITE + reads * READ + gb_seconds * GB_SECOND + events.len() as f64 * CALL;
    format!("| {name} | `{output}` | {writes} | {reads} | {longest:.1} s | {gb_seconds:.1} | {dollars:.6} $ |")
}

async fn of_one(name: &str, size: u64) -> String {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    let key = "unload/q_0000_part_00".to_owned();
    world.local().put("bucket", &key, Object::new(Content::repeat(rows(MIB / 64 + 32), size)));
    line(name, "each", &world, &[key]).await
}

/// Slices with a verbose manifest. With OUTPUT=each, their own events come first, and the manifest's last.
async fn of_slices(name: &str, output: &str, count: usize, size: u64) -> String {
    let world = World::in_memory().await;
    let keys: Vec<String> = (0..count).map(|slice| format!("unload/q_{slice:04}_part_00")).collect();
    let slice = Object::new(Content::repeat(rows(MIB / 64 + 32), size));
    keys.iter().for_each(|key| world.local().put("bucket", key, slice.clone()));
    let entries: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), size)).collect();
    world.local().put("bucket", "unload/q_manifest", Object::new(manifest("bucket", &entries, &[])));
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    let events = if output == "single" { vec!["unload/q_manifest".to_owned()] } else { keys };
    line(name, output, &world, &events).await
}

#[tokio::test(start_paused = true)]
async fn what_it_costs_is_what_the_docs_say() {
    let table = [
        of_one("1 MB", 1_000_000).await,
        of_one("1 GB", GB).await,
        of_one("6.2 GB", 6_200_000_000).await,
        of_one("1 TB", 1_000 * GB).await,
        of_slices("1,000 slices of 100 KB", "each", 1_000, 100_000).await,
        of_slices("1,000 slices of 100 KB", "single", 1_000, 100_000).await,
        of_slices("16 slices of 6.2 GB", "single", 16, 6_200_000_000).await,
    ];
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cost.md")).unwrap();
    for line in &table {
        assert!(docs.contains(line.as_str()), "docs/cost.md has not {line}; all of it:\n{}", table.join("\n"));
    }
}
