//! Slices that are found by lists of a thousand, and not looked at one by one.
//!
//! A list tells neither an object's CRC nor its metadata. Slices below 5 MiB do without: they are read for their part, and S3
//! tells the CRC with the bytes. The first of the slices, whose metadata is copied, and the last, which S3 may copy however
//! small it is, are looked at all the same.

use std::collections::HashMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::copy::plan::Limits;
use crate::s3::{ListedObject, ObjectVersion, S3, S3Error};
use crate::unload::manifest::Entry;
use crate::uri::Uri;

/// How many lists are asked for at the same time. Each takes about a megabyte of memory.
const LISTS_AT_ONCE: usize = 8;
/// How many objects a list tells of (S3 API reference, ListObjectsV2).
const PAGE: usize = 1_000;

/// An object as a list tells it.
pub struct Listed {
    pub object: ObjectVersion,
    /// In seconds since 1970.
    pub modified: i64,
}

/// Of these objects of a folder, those that lists tell enough of. All others are to be looked at: keys of others may take
/// their places in a list, and not every server lists as AWS does.
pub async fn listed(s3: &S3, entries: &[Entry]) -> Result<HashMap<Uri, Listed>, S3Error> {
    let is_small = |entry: &Entry| entry.size.is_some_and(|size| size < Limits::AWS.min_part);
    let has_bytes = |entry: &Entry| entry.size != Some(0);
    let mut uris: Vec<&Uri> = entries.iter().map(|entry| &entry.uri).collect();
    uris.sort_by_key(|uri| &uri.key);
    let ([first, .., last], Some(last_with_bytes)) = (uris.as_slice(), entries.iter().rev().find(|it| has_bytes(it)))
    else {
        return Ok(HashMap::new());
    };
    let is_in_one_bucket = uris.iter().all(|uri| uri.bucket == first.bucket);
    if entries.len() < s3.listed_from || !entries.iter().all(is_small) || !is_in_one_bucket {
        return Ok(HashMap::new());
    }
    // The keys are in order, so that those in between begin in the same way.
    let prefix = common_prefix(&first.key, &last.key);
    let before_first = first.key.char_indices().last().map_or("", |(end, _)| &first.key[..end]);
    let behind = std::iter::once(before_first).chain(uris.chunks(PAGE).map(|page| page[page.len() - 1].key.as_str()));
    let lists = behind.take(uris.len().div_ceil(PAGE)).map(|after| s3.list_behind(&first.bucket, prefix, after));
    let pages: Vec<Vec<ListedObject>> = match stream::iter(lists).buffered(LISTS_AT_ONCE).try_collect().await {
        // Who may not list may look; and other servers need not know what AWS's S3 does.
        Err(error) if matches!(error.status, Some(400 | 403 | 405 | 501)) => return Ok(HashMap::new()),
        pages => pages?,
    };
    let found = pages.into_iter().flatten().filter_map(|ListedObject { key, seen, modified, may_be_archived }| {
        let (uri, size) = (first.sibling(key), seen.size);
        let etag = format!("\"{}\"", seen.etag?.trim_matches('"'));
        let object = ObjectVersion { uri: uri.clone(), size, etag, crc: None, is_composite: false };
        (!may_be_archived).then_some((uri, Listed { object, modified: modified? }))
    });
    let mut found: HashMap<Uri, Listed> = found.collect();
    for uri in [&entries[0].uri, &last_with_bytes.uri] {
        found.remove(uri);
    }
    Ok(found)
}

/// What both begin with.
fn common_prefix<'a>(one: &'a str, other: &str) -> &'a str {
    let differs = |((_, one), other): &((usize, char), char)| one != other;
    let end = one.char_indices().zip(other.chars()).find(differs).map_or(one.len(), |((at, _), _)| at);
    &one[..end]
}
