//! Slices that are found by lists of a thousand, and not looked at one by one.
//!
//! A list tells no CRC. Small slices need none at first: the function reads each whole for its part, S3 tells the CRC with the
//! rows if it has one, and the function holds the rows against it. Which merges do so, and what is known of their slices before
//! they are read, depends on nothing but the job and its objects: each call comes to the same plan and the same mark, whatever a
//! list has told. A try after one in which a slice was not what it should be looks at each.

use std::iter::once;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::super::context::Context;
use crate::copy::plan::Limits;
use crate::s3::{ListedObject, ObjectVersion, S3};
use crate::unload::Unload;
use crate::unload::manifest::Entry;

/// How many lists are asked for at the same time. Each takes about a megabyte of memory.
const LISTS_AT_ONCE: usize = 8;
/// How many objects a list tells of (S3 API reference, ListObjectsV2).
const PAGE: usize = 1_000;

/// What a list tells of the object of an entry.
pub struct Listed {
    etag: String,
    /// In seconds since 1970.
    pub modified: i64,
}

impl Listed {
    /// The object, which has the size that the entry says.
    pub fn object(self, entry: &Entry) -> ObjectVersion {
        let size = entry.size.unwrap_or_default();
        ObjectVersion { uri: entry.uri.clone(), size, etag: self.etag, crc: None, is_composite: false }
    }
}

/// Whether the CRCs of these objects of a folder may come with their rows: there are many, all of them are read whole, and they
/// are no more than one upload can have. Where sources are deleted, their CRCs have to be in the seal, so that a later call
/// knows the object for right.
pub fn may_be_listed(context: &Context<'_>, entries: &[Entry]) -> bool {
    let Context { s3, settings, .. } = context;
    let is_small = |entry: &Entry| entry.size.is_some_and(|size| size < Limits::AWS.min_part);
    let is_there = |entry: &Entry| entry.uri.bucket == entries[0].uri.bucket;
    let bytes = || entries.iter().filter_map(|entry| entry.size).sum::<u64>();
    entries.len() >= s3.listed_from.max(1)
        && entries.iter().all(|entry| is_small(entry) && is_there(entry))
        && bytes() <= Limits::AWS.min_part * u64::from(s3.max_parts)
        && !settings.delete_source
}

/// The entries whose objects are looked at all the same, by their place: the first, whose metadata is copied; the first that has
/// bytes, which are read before all others; and the last that has, which S3 may copy however small it is.
pub fn looked_at(entries: &[Entry]) -> impl Iterator<Item = usize> {
    let has_bytes = |entry: &Entry| entry.size != Some(0);
    let ends = [entries.iter().position(has_bytes), entries.iter().rposition(has_bytes)];
    once(0).chain(ends.into_iter().flatten())
}

/// For each entry of a folder, what lists tell of its object, if it is what the manifest says. Where they tell nothing of it, or
/// anything else, it is to be looked at: keys of others may take its place in a list, and not every server lists as AWS does.
pub async fn listed(s3: &S3, unload: &Unload, folder: &str) -> Vec<Option<Listed>> {
    let entries = unload.entries(folder);
    let key = |index: &usize| entries[*index].uri.key.as_str();
    let mut in_order: Vec<usize> = (0..entries.len()).collect();
    in_order.sort_by_key(key);
    let first = key(&in_order[0]);
    let before_first = first.char_indices().last().map_or("", |(end, _)| &first[..end]);
    let behind = once(before_first).chain(in_order.chunks(PAGE).map(|page| key(&page[page.len() - 1])));
    let (bucket, prefix) = (&entries[0].uri.bucket, &format!("{}{folder}", unload.prefix()));
    let lists = in_order.chunks(PAGE).zip(behind).map(|(page, after)| async move {
        let known = |ListedObject { key: found, seen, modified, may_be_archived }: ListedObject| {
            let at = page[page.binary_search_by(|index| key(index).cmp(found.as_str())).ok()?];
            // With quotes, as HeadObject tells it.
            let etag = format!("\"{}\"", seen.etag?.trim_matches('"'));
            let modified = modified.filter(|modified| !unload.is_before(*modified))?;
            let is_said = seen.size > 0 && entries[at].size == Some(seen.size);
            (is_said && !may_be_archived).then_some((at, Listed { etag, modified }))
        };
        let objects = s3.list_behind(bucket, prefix, after).await?;
        Ok::<_, crate::s3::S3Error>(objects.into_iter().filter_map(known).collect::<Vec<_>>())
    });
    let mut all: Vec<Option<Listed>> = entries.iter().map(|_| None).collect();
    let mut lists = stream::iter(lists).buffer_unordered(LISTS_AT_ONCE);
    loop {
        match lists.try_next().await {
            Ok(Some(found)) => found.into_iter().for_each(|(index, listed)| all[index] = Some(listed)),
            Ok(None) => break,
            // Who may not list may look, and what is wrong with S3 is told by the answer to that.
            Err(failure) => {
                tracing::debug!("slices are looked at one by one: {failure}");
                break;
            }
        }
    }
    looked_at(entries).for_each(|index| all[index] = None);
    all
}
