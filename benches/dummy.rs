//! Two ways to merge slices that are too small for a part: to gather them in the function, as it does; and to let S3 do it,
//! with no byte through the function. A slice of any size can be the last part of an upload. So it is put behind a dummy of
//! 5 MiB; the next slice is put behind the result; and when 5 MiB are behind the dummy, they are copied into the final
//! object. docs/performance.md has what came of it. On a server that has nothing else to do:
//!
//! ```sh
//! scripts/with-server.sh seaweedfs cargo bench --locked --bench dummy
//! scripts/with-server.sh ministack cargo bench --locked --bench dummy
//! ```
//!
//! `DIVISOR=10` takes a tenth of the slices.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use support::{World, rows};

const MIB: usize = 1 << 20;
/// The least that a part may have, but the last.
const LEAST: usize = 5 * MIB;
/// What the function uploads at once.
const UPLOAD: usize = 10 * MIB;
const IN_FLIGHT: usize = 64;
const DUMMY: &str = "dummy";

type Failure = Box<dyn std::error::Error>;

/// Requests that S3 bills as PUT, those that it bills as GET, and bytes that came in or went out.
#[derive(Default)]
struct Effort {
    writes: AtomicU64,
    reads: AtomicU64,
    bytes: AtomicU64,
}

/// A bucket, and what it takes to work on it.
struct Bench {
    world: World,
    effort: Effort,
}

/// Part of an object, or all of it.
#[derive(Clone)]
struct Stretch {
    key: String,
    range: Option<Range<usize>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let divisor = std::env::var("DIVISOR").map_or(Ok(1), |divisor| divisor.parse::<usize>())?;
    for (count, size) in [(1_000, MIB), (300, 100 << 10), (10_000, 10 << 10)] {
        let count = count / divisor;
        let mut bench = Bench { world: World::new().await, effort: Effort::default() };
        let all = rows(count * size);
        let keys: Vec<String> = (0..count).map(|slice| format!("unload/q_{slice:05}")).collect();
        let put = async |(key, slice): (&String, &[u8])| bench.world.put(key, slice).await;
        stream::iter(keys.iter().zip(all.chunks(size))).map(put).buffer_unordered(16).collect::<()>().await;
        println!("== {count} slices of {} KiB", size >> 10);
        for (name, by_s3) in [("gathered", false), ("by S3", true)] {
            bench.effort = Effort::default();
            let begun = Instant::now();
            match by_s3 {
                false => bench.gather(&keys, name).await?,
                true => bench.chain(&keys, size, name).await?,
            }
            let seconds = begun.elapsed().as_secs_f64();
            let [writes, reads, bytes] =
                [&bench.effort.writes, &bench.effort.reads, &bench.effort.bytes].map(|it| it.load(Ordering::Relaxed));
            let dollars = (writes as f64 * 0.005 + reads as f64 * 0.0004) / 1_000.0;
            println!("{name:>9}: {seconds:>7.2} s, {writes} PUT, {reads} GET, {bytes} bytes through, {dollars:.5} $");
            assert!(bench.world.get(name).await.as_deref() == Some(all.as_slice()), "{name} is another object");
        }
    }
    Ok(())
}

impl Bench {
    fn wrote(&self, requests: u64) {
        self.effort.writes.fetch_add(requests, Ordering::Relaxed);
    }

    fn moved(&self, bytes: usize) {
        self.effort.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    async fn gather(&self, keys: &[String], target: &str) -> Result<(), Failure> {
        let id = self.create(target).await?;
        let read = async |key: &String| {
            self.effort.reads.fetch_add(1, Ordering::Relaxed);
            let bytes = self.world.object(key).await.ok_or("it is gone")?.body.collect().await?.into_bytes();
            self.moved(bytes.len());
            Ok::<Bytes, Failure>(bytes)
        };
        let mut slices = std::pin::pin!(stream::iter(keys).map(read).buffered(32));
        let (mut body, mut parts) = (Vec::new(), Vec::new());
        loop {
            let slice = slices.try_next().await?;
            body.extend_from_slice(slice.as_deref().unwrap_or_default());
            if body.len() >= UPLOAD || slice.is_none() && !body.is_empty() {
                let number = parts.len() as i32 + 1;
                self.wrote(1);
                self.moved(body.len());
                let part = self.world.client.upload_part().bucket(&self.world.bucket).key(target).upload_id(&id);
                let sent = part.part_number(number).body(std::mem::take(&mut body).into()).send().await?;
                parts.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
            }
            if slice.is_none() {
                break self.complete(target, &id, parts).await;
            }
        }
    }

    /// Groups of slices that have 5 MiB together, each a chain of chains, so that most of it goes side by side.
    async fn chain(&self, keys: &[String], size: usize, target: &str) -> Result<(), Failure> {
        self.wrote(1);
        self.moved(LEAST);
        self.world.put(DUMMY, vec![b'-'; LEAST]).await;
        let in_group = LEAST.div_ceil(size);
        let in_chain = (in_group as f64).sqrt().ceil() as usize;
        let slices: Vec<Stretch> = keys.iter().map(|key| Stretch { key: key.clone(), range: None }).collect();
        let chains = slices.chunks(in_group).enumerate().flat_map(|(group, slices)| {
            slices.chunks(in_chain).enumerate().map(move |(chain, slices)| (group, chain, slices.to_vec()))
        });
        let chains = stream::iter(chains).map(async |(group, chain, slices)| {
            let result = self.behind_each_other(&format!("chain/{group}/{chain}"), &slices, size).await?;
            Ok::<_, Failure>((group, result))
        });
        let mut groups: Vec<Vec<Stretch>> = vec![Vec::new(); keys.len().div_ceil(in_group)];
        for (group, result) in chains.buffered(IN_FLIGHT).try_collect::<Vec<_>>().await? {
            groups[group].push(result);
        }
        let groups = stream::iter(groups).enumerate().map(async |(group, results)| match results.as_slice() {
            [only] => Ok(only.clone()),
            _ => self.behind_each_other(&format!("group/{group}"), &results, size).await,
        });
        let groups: Vec<Stretch> = groups.buffered(IN_FLIGHT).try_collect().await?;
        self.put_together(target, &groups).await
    }

    /// Puts stretches behind the dummy, one after the other, and gives what is behind it then.
    async fn behind_each_other(&self, name: &str, stretches: &[Stretch], size: usize) -> Result<Stretch, Failure> {
        let (mut before, mut length) = (Stretch { key: DUMMY.to_owned(), range: None }, LEAST);
        for (number, stretch) in stretches.iter().enumerate() {
            let next = Stretch { key: format!("{name}/{}", number % 2), range: None };
            self.put_together(&next.key, &[before, stretch.clone()]).await?;
            length += stretch.range.as_ref().map_or(size, Range::len);
            before = next;
        }
        Ok(Stretch { range: Some(LEAST..length), ..before })
    }

    /// An upload of copies.
    async fn put_together(&self, target: &str, stretches: &[Stretch]) -> Result<(), Failure> {
        let id = self.create(target).await?;
        let copies = stream::iter(stretches.iter().zip(1..)).map(async |(Stretch { key, range }, number)| {
            self.wrote(1);
            let part = self.world.client.upload_part_copy().bucket(&self.world.bucket).key(target).upload_id(&id);
            let part = part.part_number(number).copy_source(format!("{}/{key}", self.world.bucket));
            let range = range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1));
            let sent = part.set_copy_source_range(range).send().await?;
            let etag = sent.copy_part_result.and_then(|result| result.e_tag);
            Ok::<_, Failure>(CompletedPart::builder().part_number(number).set_e_tag(etag).build())
        });
        let parts = copies.buffered(IN_FLIGHT).try_collect().await?;
        self.complete(target, &id, parts).await
    }

    async fn create(&self, key: &str) -> Result<String, Failure> {
        self.wrote(1);
        let created = self.world.client.create_multipart_upload().bucket(&self.world.bucket).key(key).send().await?;
        Ok(created.upload_id.ok_or("no UploadId")?)
    }

    async fn complete(&self, key: &str, id: &str, parts: Vec<CompletedPart>) -> Result<(), Failure> {
        self.wrote(1);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.world.client.complete_multipart_upload().bucket(&self.world.bucket).key(key);
        complete.upload_id(id).multipart_upload(parts).send().await?;
        Ok(())
    }
}
