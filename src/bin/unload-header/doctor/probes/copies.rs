//! Parts that the store copies itself.

use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use unload_header::byte_range::ByteRange;
use unload_header::s3::{ObjectVersion, Precondition, S3Error};

use super::conditions::replaced;
use crate::doctor::Verdict;
use crate::doctor::scratch::{CRC, PART, Scratch, bytes, crc, holds, refused};
use crate::show::size;

/// How many parts the function copies at a time.
const COPIES: u64 = 64;
/// How many bytes of each copied part are looked at.
const SAMPLE: u64 = 64;
const READS: usize = 4;
/// A key that is another one if anybody encodes or decodes it once too often.
const ODD_KEY: &str = "a b+c%20ü=1/&?#.csv";

pub async fn pinned(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, _) = replaced(it, "copy-pinned").await?;
    let upload = it.create(&it.uri("copy-pinned-to"), CRC).await?;
    Ok(refused(it.s3.copy_part(&upload, 1, &before, ByteRange { start: 0, end: before.size }).await, &[412]))
}

pub async fn ranged(it: &Scratch) -> Result<Verdict, S3Error> {
    let body = bytes(PART + 5_000, 3);
    let source = it.object("copy-ranged", body.clone()).await?;
    let (upload, mut parts) = it.parts(&it.uri("copy-ranged-to"), CRC, &[body.slice(..PART as usize)]).await?;
    parts.push(it.s3.copy_part(&upload, 2, &source, ByteRange { start: 1_234, end: 4_321 }).await?);
    let expected = [&body[..PART as usize], &body[1_234..4_321]].concat();
    it.s3.complete(&upload, &parts, expected.len() as u64, &Precondition::None, None).await?;
    let found = it.text(&upload.target).await?;
    let are = if found == expected { "the same" } else { "others" };
    Ok(holds(found == expected, format!("{} of {} bytes, {are}", found.len(), expected.len())))
}

pub async fn odd_key(it: &Scratch) -> Result<Verdict, S3Error> {
    let source = it.object(ODD_KEY, bytes(1_000, 4)).await?;
    let (upload, mut parts) = (it.create(&it.uri(&format!("{ODD_KEY}.copy")), CRC).await?, Vec::new());
    parts.push(it.s3.copy_part(&upload, 1, &source, ByteRange { start: 0, end: 1_000 }).await?);
    it.s3.complete(&upload, &parts, 1_000, &Precondition::None, None).await?;
    let listed = it.s3.list(&source.uri.bucket, &it.uri("a b").key).await?;
    let keys: Vec<String> = listed.into_iter().map(|object| object.key).collect();
    let is_there = [&source.uri, &upload.target].iter().all(|uri| keys.contains(&uri.key));
    Ok(holds(is_there && it.text(&upload.target).await? == bytes(1_000, 4), format!("{} keys listed", keys.len())))
}

/// Each part is a range of its own, and each has to be where it belongs.
pub async fn at_once(it: &Scratch) -> Result<Verdict, S3Error> {
    let body = bytes(PART + COPIES + SAMPLE, 10);
    let source = &it.object("copies-at-once", body.clone()).await?;
    let upload = &it.create(&it.uri("copies-at-once-to"), CRC).await?;
    let begun = Instant::now();
    let ranges = (0..COPIES).map(|number| ByteRange { start: number, end: number + PART });
    let copies = (1..).zip(ranges.clone()).map(|(number, range)| it.s3.copy_part(upload, number, source, range));
    let mut parts: Vec<_> = stream::iter(copies).buffer_unordered(COPIES as usize).try_collect().await?;
    let took = begun.elapsed();
    parts.sort_unstable_by_key(|part| part.number);
    it.s3.complete(upload, &parts, COPIES * PART, &Precondition::None, None).await?;
    let found = &it.head(&upload.target).await?.object;
    let whole = ranges.map(|range| (crc(&body[range.start as usize..range.end as usize]), range.length()));
    let whole = whole.reduce(|(crc, length), (next, more)| (crc.then(next, more), length + more)).map(|(crc, _)| crc);
    let wrong = if found.crc.is_some() && found.crc == whole { 0 } else { others(it, found, &body).await? };
    let rate = (found.size as f64 / took.as_secs_f64()) as u64;
    let seen = match wrong {
        0 => format!("{} in {:.1} s, {} a second", size(found.size), took.as_secs_f64(), size(rate)),
        _ => format!("{wrong} of {COPIES} parts are others"),
    };
    Ok(holds(wrong == 0 && found.size == COPIES * PART, seen))
}

/// How many parts do not begin as they should, where no CRC tells it. A store may read all of an object for each of these.
async fn others(it: &Scratch, found: &ObjectVersion, body: &Bytes) -> Result<usize, S3Error> {
    let right = stream::iter(0..COPIES).map(|number| async move {
        let range = ByteRange { start: number * PART, end: number * PART + SAMPLE };
        let expected = body.slice(number as usize..(number + SAMPLE) as usize);
        Ok::<_, S3Error>(it.s3.get_range(found, range).await? == expected)
    });
    let right: Vec<bool> = right.buffer_unordered(READS).try_collect().await?;
    Ok(right.into_iter().filter(|is_right| !is_right).count())
}
