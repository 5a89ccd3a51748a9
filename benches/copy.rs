//! The real binary on a real server, beside a bare loop of the same calls: seconds, memory, bytes, and
//! the time to start. `make bench` runs it on SeaweedFS; `make bench ROWS=file` on rows of your own.

use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use support::runtime::Function;
use support::{MIB, World, rows};
use unload_header::byte_range::ByteRange;
use unload_header::copy::part::{Origin, Piece, PlannedPart};
use unload_header::copy::plan::{Limits, plan};

const BOOTSTRAP: &str = env!("CARGO_BIN_EXE_bootstrap");
const COLUMNS: &str = "eventid,venueid,catid,dateid,eventname,starttime";
const HEADER: &str = "eventid|venueid|catid|dateid|eventname|starttime\n";
const CHUNK: u64 = 64 << 20;
const GIB: u64 = 1 << 30;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let world = World::new().await;
    world.put("unload/allevents_.headers", COLUMNS).await;
    let cycle = match std::env::var("ROWS") {
        Ok(file) => std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}")),
        Err(_) => "1|305|8|1851|Gotterdammerung|2008-01-25 14:30:00\n".repeat(20_000).into_bytes(),
    };

    println!("== the result is header and source ({} bytes of rows, repeated)", cycle.len());
    for size in [cycle.len() as u64, CHUNK, GIB] {
        let source = upload(&world, &cycle, size).await;
        let mut function = start(&world).await;
        let receipt = invoke(&world, &mut function).await;
        let expected = hash([HEADER.as_bytes()].into_iter().map(<[u8]>::to_vec).chain(source));
        let found = download(&world).await;
        assert_eq!(expected, found, "{size} bytes");
        println!("{size:>12} bytes: sha256 {found:.16}… as expected; {receipt}");
    }

    println!("== 1 GiB: the function beside a bare loop of the same calls");
    let (mut bare, mut function_times) = (Vec::new(), Vec::new());
    let mut function = start(&world).await;
    for _ in 0..5 {
        bare.push(bare_loop(&world, GIB).await);
        let begun = Instant::now();
        invoke(&world, &mut function).await;
        function_times.push(begun.elapsed());
    }
    let (bare, ours) = (median(bare), median(function_times));
    println!("bare {bare:.2?}, function {ours:.2?}: {:.2} times (limit 1.15)", ratio(ours, bare));

    println!("== peak memory of bootstrap (limit 40 MiB each, 5 MiB apart)");
    copies(&world, SOURCE, SEED, GIB).await;
    for size in [100 * MIB as u64, 10 * GIB] {
        copies(&world, SEED, SOURCE, size).await;
        let mut function = start(&world).await;
        let receipt = invoke(&world, &mut function).await;
        println!("{size:>12} bytes: {:.1} MiB; {receipt}", function.peak_memory());
    }

    println!("== start to the first /next");
    let example = Path::new(BOOTSTRAP).with_file_name("examples").join("bare");
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..31 {
        bare.push(until_ready(&world, example.to_str().unwrap()).await);
        ours.push(until_ready(&world, BOOTSTRAP).await);
    }
    let (bare, ours) = (median(bare), median(ours));
    println!("only a client {bare:.2?}, bootstrap {ours:.2?}: {:.2} times (limit 1.3)", ratio(ours, bare));
}

const SOURCE: &str = "unload/allevents_0000_part_00";
const SEED: &str = "seed";
const FINAL: &str = "final/allevents_0000_part_00";

async fn start(world: &World) -> Function {
    let (endpoint, secret) = (world.endpoint(), support::secret());
    let mut function = Function::start(
        BOOTSTRAP,
        &[("AWS_ENDPOINT_URL_S3", &endpoint), ("AWS_SECRET_ACCESS_KEY", &secret), ("UNLOAD_PREFIX", "unload/")],
    )
    .await;
    function.ready.recv().await;
    function
}

async fn until_ready(world: &World, binary: &str) -> Duration {
    let (endpoint, secret) = (world.endpoint(), support::secret());
    let begun = Instant::now();
    let variables =
        [("AWS_ENDPOINT_URL_S3", endpoint.as_str()), ("AWS_SECRET_ACCESS_KEY", &secret), ("UNLOAD_PREFIX", "unload/")];
    let mut function = Function::start(binary, &variables).await;
    function.ready.recv().await;
    begun.elapsed()
}

/// What the receipt says of bytes and requests.
async fn invoke(world: &World, function: &mut Function) -> String {
    let (how, answer) = function.invoke(world.created(&[SOURCE])).await;
    assert_eq!(how, "response", "{answer}");
    let receipt = &answer["receipts"][0];
    assert_eq!(receipt["outcome"], "written", "{answer}");
    format!(
        "{} through, {} parts, {} requests, proof {}, {} ms",
        receipt["bytes_through"], receipt["parts"], receipt["requests"], receipt["proof"], receipt["elapsed_ms"]
    )
}

/// Puts a source of this size, and gives its bytes once more.
async fn upload(world: &World, cycle: &[u8], size: u64) -> impl Iterator<Item = Vec<u8>> {
    let whole = cycle.repeat((CHUNK as usize).div_ceil(cycle.len()) + 1);
    let length = cycle.len();
    let chunk = move |start: u64| {
        let from = usize::try_from(start).unwrap() % length;
        whole[from..from + usize::try_from(CHUNK.min(size - start)).unwrap()].to_vec()
    };
    let starts = (0..size).step_by(CHUNK as usize);
    if size <= CHUNK {
        world.put(SOURCE, chunk(0)).await;
    } else {
        let id = create(world, SOURCE).await;
        let mut parts = Vec::new();
        for (start, number) in starts.clone().zip(1..) {
            let part = world.client.upload_part().bucket(&world.bucket).key(SOURCE).upload_id(&id).part_number(number);
            let etag = part.body(chunk(start).into()).send().await.unwrap().e_tag;
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
        }
        complete(world, SOURCE, &id, parts).await;
    }
    starts.map(chunk)
}

/// Makes an object of this size from copies of one of 1 GiB.
async fn copies(world: &World, from: &str, key: &str, size: u64) {
    let id = create(world, key).await;
    let copy = |(range, number): (ByteRange, i32)| {
        let range = ByteRange { start: range.start % GIB, end: range.start % GIB + range.length() };
        copy_part(world, key, &id, number, from, range)
    };
    let parts = ByteRange { start: 0, end: size }.split(size.div_ceil(CHUNK)).zip(1..);
    let parts = stream::iter(parts).map(copy).buffered(8).try_collect().await.unwrap();
    complete(world, key, &id, parts).await;
}

/// The plan's own calls and nothing else.
async fn bare_loop(world: &World, size: u64) -> Duration {
    let line = [Piece::new(Origin::Header, 0, HEADER.len() as u64), Piece::new(Origin::Source(0), 0, size)];
    let plan = plan(line.into_iter().flatten().collect(), &Limits::AWS).unwrap();
    let first = rows(5 * MIB);
    let begun = Instant::now();
    let id = create(world, FINAL).await;
    let write = async |(part, number): (&PlannedPart, i32)| match part {
        PlannedPart::Copy { range, .. } => copy_part(world, FINAL, &id, number, SOURCE, *range).await,
        PlannedPart::Upload(_) => {
            let part = world.client.upload_part().bucket(&world.bucket).key(FINAL).upload_id(&id).part_number(number);
            let etag = part.body(first.clone().into()).send().await.unwrap().e_tag;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(etag).build())
        }
    };
    let in_flight = usize::try_from(Limits::AWS.in_flight).unwrap();
    let parts = stream::iter(plan.parts.iter().zip(1..)).map(write).buffered(in_flight);
    let parts = parts.try_collect().await.unwrap();
    complete(world, FINAL, &id, parts).await;
    begun.elapsed()
}

async fn create(world: &World, key: &str) -> String {
    let create = world.client.create_multipart_upload().bucket(&world.bucket).key(key);
    create.send().await.unwrap().upload_id.unwrap()
}

async fn copy_part(
    world: &World,
    key: &str,
    id: &str,
    number: i32,
    source: &str,
    range: ByteRange,
) -> Result<CompletedPart, aws_sdk_s3::Error> {
    let part = world.client.upload_part_copy().bucket(&world.bucket).key(key).upload_id(id).part_number(number);
    let part = part.copy_source(format!("{}/{source}", world.bucket)).copy_source_range(range.to_string());
    let etag = part.send().await?.copy_part_result.and_then(|result| result.e_tag);
    Ok(CompletedPart::builder().part_number(number).set_e_tag(etag).build())
}

async fn complete(world: &World, key: &str, id: &str, parts: Vec<CompletedPart>) {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = world.client.complete_multipart_upload().bucket(&world.bucket).key(key).upload_id(id);
    complete.multipart_upload(parts).send().await.unwrap();
}

async fn download(world: &World) -> String {
    let mut body = world.object(FINAL).await.unwrap().body;
    let mut sum = Sha256::new();
    while let Some(bytes) = body.try_next().await.unwrap() {
        sum.update(&bytes);
    }
    hex(&sum.finalize())
}

fn hash(pieces: impl Iterator<Item = Vec<u8>>) -> String {
    hex(&pieces.fold(Sha256::new(), |sum, piece| sum.chain_update(piece)).finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
