//! Slices that are found by lists of a thousand, and not looked at one by one.
//!
//! A list tells neither an object's CRC nor its metadata. Slices below 5 MiB do without: they are read for their part, and S3
//! tells the CRC with the bytes. The first of the slices, whose metadata is copied, and the last, which S3 may copy however
//! small it is, are looked at all the same.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::copy::plan::Limits;
use crate::s3::{ListedObject, ObjectVersion, S3, S3Error};
use crate::unload::manifest::Entry;

/// How many lists are asked for at the same time. Each takes about a megabyte of memory.
const LISTS_AT_ONCE: usize = 8;
/// How many objects a list tells of (S3 API reference, ListObjectsV2).
const PAGE: usize = 1_000;

/// What a list tells of the object of an entry.
pub struct Listed {
    /// In bytes.
    size: u64,
    etag: String,
    /// In seconds since 1970.
    pub modified: i64,
}

impl Listed {
    pub fn object(self, entry: &Entry) -> ObjectVersion {
        ObjectVersion { uri: entry.uri.clone(), size: self.size, etag: self.etag, crc: None, is_composite: false }
    }
}

/// For each of these entries of a folder, what lists tell of its object. Where they tell nothing, it is to be looked at: keys of
/// others may take its place in a list, and not every server lists as AWS does.
pub async fn listed(s3: &S3, entries: &[Entry]) -> Result<Vec<Option<Listed>>, S3Error> {
    let mut all: Vec<Option<Listed>> = entries.iter().map(|_| None).collect();
    if !are_listed(s3, entries) {
        return Ok(all);
    }
    let key = |index: &usize| entries[*index].uri.key.as_str();
    let mut in_order: Vec<usize> = (0..entries.len()).collect();
    in_order.sort_by_key(key);
    let (first, last) = (key(&in_order[0]), key(&in_order[in_order.len() - 1]));
    // The keys in between begin in the same way.
    let (bucket, prefix) = (&entries[0].uri.bucket, common_prefix(first, last));
    let before_first = first.char_indices().last().map_or("", |(end, _)| &first[..end]);
    let behind = std::iter::once(before_first).chain(in_order.chunks(PAGE).map(|page| key(&page[page.len() - 1])));
    let lists = in_order.chunks(PAGE).zip(behind).map(|(page, after)| async move {
        let known = |ListedObject { key: found, seen, modified, may_be_archived }: ListedObject| {
            let at = page.binary_search_by(|index| key(index).cmp(found.as_str())).ok()?;
            // With quotes, as HeadObject tells it.
            let etag = format!("\"{}\"", seen.etag?.trim_matches('"'));
            (!may_be_archived).then_some((page[at], Listed { size: seen.size, etag, modified: modified? }))
        };
        let objects = s3.list_behind(bucket, prefix, after).await?;
        Ok(objects.into_iter().filter_map(known).collect::<Vec<_>>())
    });
    let mut lists = stream::iter(lists).buffer_unordered(LISTS_AT_ONCE);
    loop {
        match lists.try_next().await {
            Ok(Some(found)) => found.into_iter().for_each(|(index, listed)| all[index] = Some(listed)),
            Ok(None) => break,
            // Who may not list may look; and other servers need not know what AWS's S3 does.
            Err(S3Error { status: Some(400 | 403 | 405 | 501), .. }) => break,
            Err(error) => return Err(error),
        }
    }
    let last_with_bytes = entries.iter().rposition(|entry| entry.size != Some(0));
    for index in [Some(0), last_with_bytes].into_iter().flatten() {
        all[index] = None;
    }
    Ok(all)
}

/// Whether these entries are many, small, and in one bucket.
fn are_listed(s3: &S3, entries: &[Entry]) -> bool {
    let is_small = |entry: &Entry| entry.size.is_some_and(|size| size < Limits::AWS.min_part);
    let is_there = |entry: &Entry| entry.uri.bucket == entries[0].uri.bucket;
    entries.len() >= s3.listed_from.max(1) && entries.iter().all(|entry| is_small(entry) && is_there(entry))
}

/// What both begin with.
fn common_prefix<'a>(one: &'a str, other: &str) -> &'a str {
    let differs = |((_, one), other): &((usize, char), char)| one != other;
    let end = one.char_indices().zip(other.chars()).find(differs).map_or(one.len(), |((at, _), _)| at);
    &one[..end]
}
