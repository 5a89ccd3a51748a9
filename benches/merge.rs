//! OUTPUT=single: the real binary merges unloads on a real server, beside the usual way, which is to download
//! all slices, put them together, and upload the whole. `make bench` runs it on SeaweedFS.

use std::time::Instant;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use support::runtime::Function;
use support::{MIB, World, manifest, rows};
use unload_header::copy::part::{Origin, Piece};
use unload_header::copy::plan::{Limits, plan};

const COLUMNS: [&str; 3] = ["idx", "venue", "name"];
const HEADER: &str = "idx|venue|name\n";
/// A part of the usual way's upload.
const PART: usize = 8 << 20;
const M: u64 = MIB as u64;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    plans();
    for (what, name, sizes) in [
        ("1,000 slices of 1 MiB", "many", vec![M; 1_000]),
        ("3 slices of 2 GiB", "large", vec![2_048 * M; 3]),
        ("1 byte between two of 100 MiB", "byte", vec![100 * M, 1, 100 * M]),
        ("0-byte slices among two of 100 MiB", "empty", vec![0, 100 * M, 0, 0, 100 * M, 0]),
        ("10,000 slices of 10 KiB", "small", vec![10 << 10; 10_000]),
    ] {
        let world = World::new().await;
        let keys = unload(&world, name, &sizes).await;
        println!("== {what}");
        let mut function = start(&world).await;
        let begun = Instant::now();
        let (how, answer) = function.invoke(world.created(&[&format!("unload/{name}_manifest")])).await;
        let seconds = begun.elapsed().as_secs_f64();
        let receipt = &answer["receipts"][0];
        assert_eq!((how.as_str(), &receipt["outcome"]), ("response", &"written".into()), "{answer}");
        println!(
            "merged by S3:  {seconds:>6.2} s, {} bytes through, {} parts, {} requests, peak {:.1} MiB (limit 96)",
            receipt["bytes_through"],
            receipt["parts"],
            receipt["requests"],
            function.peak_memory()
        );
        let begun = Instant::now();
        let (bytes, requests) = download_and_upload(&world, &keys, "usual").await;
        println!("the usual way: {:>6.2} s, {bytes} bytes through, {requests} requests", begun.elapsed().as_secs_f64());
        assert_eq!(hash(&world, &format!("final/{name}.csv")).await, hash(&world, "usual").await, "{what}");
    }
}

fn plans() {
    println!("== 10,000 slices and more planned (limit 50 ms)");
    for (what, sizes) in [
        ("1 MiB", vec![M; 10_000]),
        ("5 MiB", vec![5 * M; 10_000]),
        ("1 GiB, 2 in 100 of 1 MiB", (0..10_000).map(|slice| if slice % 50 == 0 { M } else { 1_024 * M }).collect()),
        (
            "0 to 100 MiB, 100 more than there are parts",
            (0..10_100).map(|slice| slice * 7_919 % 10_007 * 10_478).collect(),
        ),
        ("0 to 100 MiB", (0..10_000).map(|slice| slice * 7_919 % 10_007 * 10_478).collect()),
    ] {
        let header = Piece::new(Origin::Header, 0, 100).into_iter();
        let sources = sizes.iter().enumerate().filter_map(|(index, size)| Piece::new(Origin::Source(index), 0, *size));
        let line: Vec<Piece> = header.chain(sources).collect();
        let begun = Instant::now();
        let plan = plan(line, &Limits::AWS);
        let took = begun.elapsed();
        match plan {
            Ok(plan) => println!("{what}: {took:.1?}, {} bytes through, {} parts", plan.uploaded(), plan.parts.len()),
            Err(error) => println!("{what}: {took:.1?}, {error}"),
        }
    }
}

/// An unload of slices of these sizes: its keys.
async fn unload(world: &World, name: &str, sizes: &[u64]) -> Vec<String> {
    let keys: Vec<String> = (0..sizes.len()).map(|slice| format!("unload/{name}_{slice:04}_part_00")).collect();
    let put = |(key, size): (&String, &u64)| {
        let (key, size) = (key.clone(), *size);
        async move {
            if size <= M {
                world.put(&key, slice(size)).await;
            } else {
                large(world, &key, size).await;
            }
        }
    };
    stream::iter(keys.iter().zip(sizes)).map(put).buffer_unordered(8).collect::<()>().await;
    let entries: Vec<(&str, u64)> = keys.iter().map(String::as_str).zip(sizes.iter().copied()).collect();
    world.put(&format!("unload/{name}_manifest"), manifest(&world.bucket, &entries, &COLUMNS)).await;
    keys
}

/// Rows, the last of which ends.
fn slice(size: u64) -> Vec<u8> {
    let mut slice = rows(size as usize);
    slice.last_mut().into_iter().for_each(|last| *last = b'\n');
    slice
}

async fn large(world: &World, key: &str, size: u64) {
    let id = create(world, key).await;
    let whole = slice(100 * M);
    let mut parts = Vec::new();
    for (start, number) in (0..size).step_by(whole.len()).zip(1..) {
        let length = whole.len().min((size - start) as usize);
        parts.push(upload_part(world, key, &id, number, whole[whole.len() - length..].to_vec()).await);
    }
    complete(world, key, &id, parts).await;
}

/// All slices go through: how many bytes, and requests.
async fn download_and_upload(world: &World, keys: &[String], target: &str) -> (u64, u64) {
    let id = create(world, target).await;
    let (mut buffer, mut parts, mut bytes) = (HEADER.as_bytes().to_vec(), Vec::new(), 0);
    for key in keys {
        let mut body = world.object(key).await.unwrap().body;
        while let Some(chunk) = body.try_next().await.unwrap() {
            bytes += chunk.len() as u64;
            buffer.extend_from_slice(&chunk);
            if buffer.len() >= PART {
                let part = std::mem::take(&mut buffer);
                parts.push(upload_part(world, target, &id, parts.len() as i32 + 1, part).await);
            }
        }
    }
    parts.push(upload_part(world, target, &id, parts.len() as i32 + 1, buffer).await);
    let requests = (keys.len() + parts.len()) as u64 + 2;
    complete(world, target, &id, parts).await;
    (bytes, requests)
}

async fn start(world: &World) -> Function {
    let (endpoint, secret) = (world.endpoint(), support::secret());
    let variables = [
        ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("UNLOAD_PREFIX", "unload/"),
        ("OUTPUT", "single"),
    ];
    let mut function = Function::start(env!("CARGO_BIN_EXE_bootstrap"), &variables).await;
    function.ready.recv().await;
    function
}

async fn create(world: &World, key: &str) -> String {
    let create = world.client.create_multipart_upload().bucket(&world.bucket).key(key);
    create.send().await.unwrap().upload_id.unwrap()
}

async fn upload_part(world: &World, key: &str, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let part = world.client.upload_part().bucket(&world.bucket).key(key).upload_id(id).part_number(number);
    let etag = part.body(body.into()).send().await.unwrap().e_tag;
    CompletedPart::builder().part_number(number).set_e_tag(etag).build()
}

async fn complete(world: &World, key: &str, id: &str, parts: Vec<CompletedPart>) {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = world.client.complete_multipart_upload().bucket(&world.bucket).key(key).upload_id(id);
    complete.multipart_upload(parts).send().await.unwrap();
}

async fn hash(world: &World, key: &str) -> Vec<u8> {
    let mut body = world.object(key).await.unwrap().body;
    let mut sum = Sha256::new();
    while let Some(bytes) = body.try_next().await.unwrap() {
        sum.update(&bytes);
    }
    sum.finalize().to_vec()
}
