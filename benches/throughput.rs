//! Many small objects through one warm process, beside a bare loop of the same requests with as many in flight: seconds,
//! CPU seconds, peak memory. Without a server, it runs on the S3 in memory, which takes CPU of the same machine.
//!
//! ```sh
//! scripts/with-server.sh seaweedfs cargo bench --locked --features cli --bench throughput
//! ```
//!
//! The bare loop is a process of its own as well: this binary, started with BARE. COUNT and ROUNDS say how many objects
//! there are, 10,000, and how often each way is measured, 5 times; the two take turns. `make bench` names a JSON file, into
//! which the medians are written.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::future::{join, join3};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use support::runtime::{Function, Usage, usage};
use support::{World, manifest, rows};
use tokio::process::Command;
use unload_header::job::JOBS_AT_ONCE;
use unload_header::s3::SMALL_REQUESTS_AT_ONCE;

const BOOTSTRAP: &str = env!("CARGO_BIN_EXE_bootstrap");
const COLUMNS: [&str; 3] = ["idx", "venue", "name"];
const HEADER: &str = "idx|venue|name\n";
/// In bytes.
const SIZE: usize = 10 << 10;
/// As many as the function gathers in a part of 10 MiB, and as many parts as its memory allows.
const SLICES_OF_A_PART: usize = 1_024;
const PARTS_AT_ONCE: usize = 2;

/// What is measured of a way.
#[derive(Clone, Copy, Debug)]
struct Measured {
    seconds: f64,
    cpu: f64,
    /// In MiB.
    peak: f64,
}

impl Measured {
    fn json(self) -> Value {
        json!({"seconds": self.seconds, "cpu": self.cpu, "peak": self.peak})
    }
}

/// What the bare loop asks of each object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bare {
    /// What the event of an object asks.
    Events,
    /// What a verbose manifest's event asks.
    Manifest,
    /// The slices alone, as a merge reads them.
    Gets,
    /// The same, and what was read is uploaded in parts.
    GetsAndParts,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Ok(way) = std::env::var("BARE") {
        return bare(&way).await;
    }
    let (count, rounds) = (number("COUNT", 10_000), number("ROUNDS", 5));
    let world = World::new().await;
    let etag = fill(&world, count).await;
    println!("== {count} objects of {SIZE} bytes, medians of {rounds}");
    let mut of = Vec::new();
    for (name, bare, way) in [
        ("messages of a queue", Bare::Events, Way::Queue),
        ("the command line", Bare::Events, Way::CommandLine),
        ("a verbose manifest", Bare::Manifest, Way::Manifest),
        ("OUTPUT=single, beside GETs alone", Bare::Gets, Way::Single),
        ("OUTPUT=single, beside GETs and parts", Bare::GetsAndParts, Way::Single),
    ] {
        let (mut loops, mut ours) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            loops.push(run_bare(&world, bare, count, &format!("bare {name} {round}")).await);
            ours.extend(way.run(&world, count, &etag, &format!("{name} {round}")).await);
        }
        if ours.is_empty() {
            println!("{name}: left out, since unload-header is not built (--features cli)");
            continue;
        }
        let (bare, ours) = (median(loops), median(ours));
        let rate = |measured: Measured| count as f64 / measured.seconds;
        println!(
            "{name}: {:.0} objects a second, the bare loop {:.0}: {:.2} times (limit 0.9)",
            rate(ours),
            rate(bare),
            rate(ours) / rate(bare)
        );
        println!("  CPU {:.2} s and {:.2} s, peak {:.1} MiB and {:.1} MiB", ours.cpu, bare.cpu, ours.peak, bare.peak);
        of.push(json!({"what": name, "function": ours.json(), "loop": bare.json()}));
    }
    if let Some(results) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let measured = json!({"time": time, "count": count, "size": SIZE, "rounds": rounds, "of": of});
        std::fs::write(results, format!("{measured:#}\n")).unwrap();
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

fn key(unload: &str, slice: usize) -> String {
    format!("unload/{unload}_{slice:04}_part_00")
}

fn slice() -> Vec<u8> {
    let mut slice = rows(SIZE);
    slice.last_mut().into_iter().for_each(|last| *last = b'\n');
    slice
}

/// Two unloads of the same slices, one with a sidecar and one with a verbose manifest, and one to warm up with; the
/// slices' ETag.
async fn fill(world: &World, count: usize) -> String {
    let (keys, body) = (|unload: &str| (0..count).map(|slice| key(unload, slice)).collect::<Vec<_>>(), slice());
    for unload in ["s", "v"] {
        let (keys, body) = (keys(unload), &body);
        let puts = stream::iter(&keys).map(|key| world.put(key, body.clone()));
        puts.buffer_unordered(16).collect::<()>().await;
    }
    let (listed, sizes) = (keys("v"), SIZE as u64);
    let entries: Vec<(&str, u64)> = listed.iter().map(|key| (key.as_str(), sizes)).collect();
    world.put("unload/v_manifest", manifest(&world.bucket, &entries, &COLUMNS)).await;
    world.put("unload/s_.headers", COLUMNS.join(",")).await;
    world.put("unload/w_.headers", COLUMNS.join(",")).await;
    world.put(&key("w", 0), body).await;
    let head = world.client.head_object().bucket(&world.bucket).key(key("s", 0)).send().await.unwrap();
    head.e_tag.unwrap().trim_matches('"').to_owned()
}

/// How objects come to the function.
#[derive(Clone, Copy)]
enum Way {
    Queue,
    CommandLine,
    Manifest,
    Single,
}

impl Way {
    /// `None` without the command line. `what` is part of the final keys.
    async fn run(self, world: &World, count: usize, etag: &str, what: &str) -> Option<Measured> {
        let record = |key: &str| {
            let object = json!({"key": key, "size": SIZE, "eTag": etag});
            json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": world.bucket}, "object": object}})
        };
        let message = |slice: usize| {
            let body = json!({"Records": [record(&key("s", slice))]}).to_string();
            json!({"messageId": slice.to_string(), "body": body})
        };
        match self {
            Way::CommandLine => return command_line(world, what).await,
            Way::Queue => {
                let event = json!({"Records": (0..count).map(message).collect::<Vec<_>>()});
                let (measured, answer) = invoke(world, "each", what, record(&key("w", 0)), event).await;
                assert_eq!(answer["batchItemFailures"], json!([]));
                Some(measured)
            }
            Way::Manifest | Way::Single => {
                let output = if matches!(self, Way::Single) { "single" } else { "each" };
                let event = json!({"Records": [record("unload/v_manifest")]});
                let (measured, answer) = invoke(world, output, what, record(&key("w", 0)), event).await;
                let receipts = answer["receipts"].as_array().unwrap();
                assert_eq!(receipts.len(), if output == "single" { 1 } else { count });
                assert!(receipts.iter().all(|receipt| receipt["outcome"] == "written"), "{answer}");
                Some(measured)
            }
        }
    }
}

async fn invoke(world: &World, output: &str, what: &str, warm_up: Value, event: Value) -> (Measured, Value) {
    let (endpoint, secret) = (world.endpoint(), support::secret());
    let placeholder = if output == "single" { "{unload}" } else { "{path}" };
    let final_key = format!("final/{what}/{placeholder}");
    let variables = [
        ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("UNLOAD_PREFIX", "unload/"),
        ("OUTPUT", output),
        ("FINAL_KEY", &final_key),
    ];
    let mut function = Function::start(BOOTSTRAP, &variables).await;
    function.ready.recv().await;
    function.invoke(json!({"Records": [warm_up]})).await;
    let (begun, before) = (Instant::now(), usage(function.id()).unwrap().cpu);
    let (how, answer) = function.invoke(event).await;
    let (seconds, after) = (begun.elapsed().as_secs_f64(), usage(function.id()).unwrap());
    assert_eq!(how, "response", "{answer}");
    (Measured { seconds, cpu: after.cpu - before, peak: after.peak }, answer)
}

async fn command_line(world: &World, what: &str) -> Option<Measured> {
    let binary = Path::new(BOOTSTRAP).with_file_name("unload-header");
    if !binary.exists() {
        return None;
    }
    let mut command = Command::new(binary);
    let place = format!("s3://{}/unload/s_", world.bucket);
    command.args(["add", &place, "--unload-prefix", "unload/", "--json"]);
    command.args(["--final-key", &format!("final/{what}/{{path}}")]);
    Some(measure(world, command).await)
}

async fn run_bare(world: &World, bare: Bare, count: usize, what: &str) -> Measured {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("BARE", format!("{bare:?}")).env("COUNT", count.to_string());
    command.env("BUCKET", &world.bucket).env("WHAT", what);
    measure(world, command).await
}

/// Runs a process to its end.
async fn measure(world: &World, mut command: Command) -> Measured {
    command
        .env("AWS_ENDPOINT_URL_S3", world.endpoint())
        .env("AWS_SECRET_ACCESS_KEY", support::secret())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_REGION", "us-east-1");
    let begun = Instant::now();
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let id = process.id().unwrap();
    let (mut last, mut ticks) = (None, tokio::time::interval(Duration::from_millis(10)));
    let status = loop {
        tokio::select! {
            status = process.wait() => break status.unwrap(),
            _ = ticks.tick() => last = usage(id).or(last),
        }
    };
    assert!(status.success(), "{command:?}");
    let Usage { cpu, peak, .. } = last.unwrap();
    Measured { seconds: begun.elapsed().as_secs_f64(), cpu, peak }
}

/// The requests of a way and nothing else.
async fn bare(way: &str) {
    let variable = |name: &str| std::env::var(name).unwrap();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", variable("AWS_SECRET_ACCESS_KEY"), None, None, "bench"))
        .load()
        .await;
    let config = aws_sdk_s3::config::Builder::from(&config)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    let (client, bucket, what) = (Client::from_conf(config), variable("BUCKET"), variable("WHAT"));
    let (client, bucket, what) = (&client, &bucket, &what);
    let head = async |key: &str| client.head_object().bucket(bucket).key(key).send().await.is_ok();
    let get = async |key: &str| match client.get_object().bucket(bucket).key(key).send().await {
        Ok(answer) => Some(answer.body.collect().await.unwrap().into_bytes()),
        Err(_) => None,
    };
    let put = async |key: &str, rows: &[u8]| {
        let body = [HEADER.as_bytes(), rows].concat();
        let put = client.put_object().bucket(bucket).key(key).if_none_match("*");
        put.body(body.into()).send().await.unwrap();
    };
    let ways = [Bare::Events, Bare::Manifest, Bare::Gets, Bare::GetsAndParts];
    let way = ways.into_iter().find(|it| format!("{it:?}") == way).unwrap();
    let is_merge = matches!(way, Bare::Gets | Bare::GetsAndParts);
    let (keys, at_once) = (0..number("COUNT", 0), if is_merge { SMALL_REQUESTS_AT_ONCE } else { JOBS_AT_ONCE.into() });
    let unload = if way == Bare::Events { "s" } else { "v" };
    if way == Bare::GetsAndParts {
        let target = format!("final/{what}");
        let upload = client.create_multipart_upload().bucket(bucket).key(&target).send().await.unwrap();
        let upload = upload.upload_id().unwrap();
        let part = async |number: i32, slices: std::ops::Range<usize>| {
            let rows = stream::iter(slices).map(|slice| async move { get(&key(unload, slice)).await.unwrap() });
            let rows: Vec<_> = rows.buffered(at_once).collect().await;
            let part = client.upload_part().bucket(bucket).key(&target).upload_id(upload).part_number(number);
            let etag = part.body(rows.concat().into()).send().await.unwrap().e_tag;
            CompletedPart::builder().part_number(number).set_e_tag(etag).build()
        };
        let parts = (1..).zip(keys.clone().step_by(SLICES_OF_A_PART));
        let parts =
            stream::iter(parts).map(|(number, first)| part(number, first..keys.end.min(first + SLICES_OF_A_PART)));
        let parts: Vec<_> = parts.buffered(PARTS_AT_ONCE).collect().await;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = client.complete_multipart_upload().bucket(bucket).key(&target).upload_id(upload);
        complete.multipart_upload(parts).send().await.unwrap();
        return;
    }
    let one = async |slice| {
        let (source, own) = (key(unload, slice), format!("{}.headers", key(unload, slice)));
        let (target, sidecar) = (format!("final/{what}/{slice}"), format!("unload/{unload}_.headers"));
        let rows = match way {
            Bare::Gets | Bare::GetsAndParts => return drop(get(&source).await.unwrap()),
            Bare::Events => {
                head(&target).await;
                join3(get(&source), get(&own), get(&sidecar)).await.0
            }
            Bare::Manifest => {
                head(&target).await;
                let (_, rows) = join(head("unload/v_manifest"), get(&source)).await;
                join(get(&own), get(&sidecar)).await;
                rows
            }
        };
        put(&target, &rows.unwrap()).await;
    };
    stream::iter(keys).map(one).buffer_unordered(at_once).collect::<()>().await;
}

fn median(mut measured: Vec<Measured>) -> Measured {
    measured.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    measured[measured.len() / 2]
}
