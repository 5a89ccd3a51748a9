//! The least that puts a header on by UploadPartCopy, with nothing checked, proved, resumed or logged: what `make bench` holds
//! the function against.
//!
//! It prints a line when its client is there, reads a job as a line of JSON, and prints a line when it is done.

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::BytesMut;
use futures_util::future::Either;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use unload_header::byte_range::ByteRange;

/// The least that a part may have, unless it is the last.
const FIRST: u64 = 5 << 20;

#[derive(Deserialize)]
struct Job {
    bucket: String,
    source: String,
    target: String,
    header: String,
    part_size: u64,
    in_flight: usize,
    /// Whether the server is to keep a CRC of the whole.
    has_crc: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    say("ready")?;
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    work(&client, &serde_json::from_str(&line)?).await?;
    say("done")?;
    // What the process has used is looked at before it ends.
    stdin().lock().read_line(&mut line)?;
    Ok(())
}

fn say(word: &str) -> std::io::Result<()> {
    println!("{word}");
    stdout().flush()
}

async fn work(client: &Client, job: &Job) -> Result<(), Box<dyn Error>> {
    let head = client.head_object().bucket(&job.bucket).key(&job.source).send().await?;
    let size = u64::try_from(head.content_length.unwrap_or_default())?;
    let create = client.create_multipart_upload().bucket(&job.bucket).key(&job.target);
    let create = create
        .set_checksum_algorithm(job.has_crc.then_some(ChecksumAlgorithm::Crc32))
        .set_checksum_type(job.has_crc.then_some(ChecksumType::FullObject));
    let id = create.send().await?.upload_id.unwrap_or_default();
    let rest = ByteRange::new(FIRST, size).ok_or("a source has more than 5 MiB")?;
    let count = rest.length().div_ceil(job.part_size).min(rest.length() / FIRST).max(1);
    let copies =
        (2..).zip(rest.split(count)).map(|(number, range)| Either::Right(copy(client, job, &id, number, range)));
    let parts = std::iter::once(Either::Left(first(client, job, &id))).chain(copies);
    let parts: Vec<CompletedPart> = stream::iter(parts).buffered(job.in_flight).try_collect().await?;
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = client.complete_multipart_upload().bucket(&job.bucket).key(&job.target).upload_id(&id);
    complete.multipart_upload(parts).send().await?;
    Ok(())
}

/// The header and the first bytes of the source.
async fn first(client: &Client, job: &Job, id: &str) -> Result<CompletedPart, Box<dyn Error>> {
    let range = ByteRange { start: 0, end: FIRST }.to_string();
    let answer = client.get_object().bucket(&job.bucket).key(&job.source).range(range).send().await?;
    let mut body = BytesMut::from(job.header.as_bytes());
    body.extend_from_slice(&answer.body.collect().await?.into_bytes());
    let part = client.upload_part().bucket(&job.bucket).key(&job.target).upload_id(id).part_number(1);
    let part = part.set_checksum_algorithm(job.has_crc.then_some(ChecksumAlgorithm::Crc32));
    let answer = part.body(body.freeze().into()).send().await?;
    let part = CompletedPart::builder().part_number(1).set_e_tag(answer.e_tag);
    Ok(part.set_checksum_crc32(answer.checksum_crc32).build())
}

async fn copy(
    client: &Client,
    job: &Job,
    id: &str,
    number: i32,
    range: ByteRange,
) -> Result<CompletedPart, Box<dyn Error>> {
    let part = client.upload_part_copy().bucket(&job.bucket).key(&job.target).upload_id(id).part_number(number);
    let part = part.copy_source(format!("{}/{}", job.bucket, job.source)).copy_source_range(range.to_string());
    let copied = part.send().await?.copy_part_result.ok_or("no CopyPartResult")?;
    let part = CompletedPart::builder().part_number(number).set_e_tag(copied.e_tag);
    Ok(part.set_checksum_crc32(copied.checksum_crc32).build())
}
