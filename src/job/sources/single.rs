//! OUTPUT=single: the sources are all objects of one folder that a manifest lists, in the manifest's order.

use std::collections::HashSet;
use std::iter::repeat_with;
use std::ops::ControlFlow;
use std::pin::pin;

use futures_util::future::{Either, join, ready};
use futures_util::{StreamExt, stream};

use super::super::context::Context;
use super::super::existing::Existing;
use super::super::try_end::Assumptions;
use super::found::{Sources, refuse_unreadable};
use super::listed::{Listed, listed, looked_at, may_be_listed};
use crate::error::Error;
use crate::receipt::{Outcome, Receipt};
use crate::s3::{Head, ObjectVersion, S3, S3Error, SMALL_REQUESTS_AT_ONCE};
use crate::seal::{Seal, manifest_hash};
use crate::unload::manifest::Entry;
use crate::unload::{Incompleteness, ManifestVersion, Unload};

pub async fn look(
    context: &Context<'_>,
    unload: &Unload,
    folder: &str,
    existing: &Existing,
    assumptions: &Assumptions,
) -> Result<ControlFlow<Receipt, Sources>, Error> {
    let Context { s3, job, .. } = context;
    // The slices are looked at beside the manifest, and count only if it is still the one.
    let manifest = async {
        let Some(version) = &unload.version else { return Ok(None) };
        another_manifest(context, s3.head(&unload.manifest).await?, version, existing).await
    };
    let (another, compared) = join(manifest, compared(context, unload, folder, assumptions)).await;
    if let Some(receipt) = another? {
        return Ok(ControlFlow::Break(receipt));
    }
    let manifest_hash = unload.version.as_ref().map(manifest_hash);
    let (Compared { first, objects, incompleteness }, crcs_come_with_rows) = compared?;
    let is_gone = !incompleteness.missing.is_empty();
    // The objects were there when the final object was made of this version of the manifest.
    let is_of_version = |seal: &Seal| manifest_hash.is_some() && seal.manifest_hash == manifest_hash;
    if is_gone && existing.seal.as_ref().is_some_and(is_of_version) {
        let reason = match (incompleteness.missing.len(), objects.len()) {
            (_, 0) => "the sources are gone, and the final object that was made of them is there".to_owned(),
            // A deletion was stopped. That these are still the ones that were copied is not known any more.
            (gone, left) => format!(
                "{gone} of the {} sources are gone, and the final object that was made of all is there; the others \
                 ({left}) stay: if nothing was written to them since, delete them",
                gone + left
            ),
        };
        return Ok(ControlFlow::Break(existing.sources_gone(context, &reason)));
    }
    if let Some(first) = first.filter(|_| incompleteness.is_none()) {
        return Ok(ControlFlow::Continue(Sources { first, objects, manifest_hash, crcs_come_with_rows }));
    }
    let error = Error::UnloadIncomplete(Box::new(incompleteness));
    if is_gone {
        return existing.under_another_key(context).await?.map(ControlFlow::Break).ok_or(error);
    }
    match job.sidecar {
        Some(_) => Ok(ControlFlow::Break(Receipt::idle(&unload.manifest, Outcome::Waiting, error.to_string()))),
        None => Err(error),
    }
}

/// The receipt if the manifest that is there is not the version that asked for the job.
async fn another_manifest(
    context: &Context<'_>,
    found: Option<Head>,
    version: &ManifestVersion,
    existing: &Existing,
) -> Result<Option<Receipt>, Error> {
    let manifest = context.job.uri();
    match found {
        None if existing.seal.is_some() => {
            let reason = "the manifest is gone, and its final object is there";
            Ok(Some(existing.receipt(context).because(reason)))
        }
        None => {
            let receipt = existing.under_another_key(context).await?;
            receipt.map(Some).ok_or_else(|| Error::ObjectMissing { uri: manifest.clone() })
        }
        Some(head) if head.object.etag != version.etag => {
            let reason = "it has been written anew meanwhile, and its own event follows";
            Ok(Some(Receipt::idle(manifest, Outcome::Skipped, reason)))
        }
        Some(_) => Ok(None),
    }
}

/// An object that is there.
struct Found {
    object: ObjectVersion,
    /// In seconds since 1970.
    modified: i64,
    /// Unless it was found by a list.
    head: Option<Head>,
}

impl From<Head> for Found {
    fn from(head: Head) -> Found {
        Found { object: head.object.clone(), modified: head.modified, head: Some(head) }
    }
}

impl Found {
    fn listed(listed: Listed, entry: &Entry) -> Found {
        Found { modified: listed.modified, object: listed.object(entry), head: None }
    }
}

/// The objects of a folder that are there, and how they differ from their entries.
struct Compared {
    /// What HeadObject tells of the first entry's object.
    first: Option<Head>,
    objects: Vec<ObjectVersion>,
    incompleteness: Incompleteness,
}

/// Compares the objects of a folder with their entries. They are found by lists, where that may be; then of most of them the
/// CRCs are not known before their rows are read, as is told besides.
async fn compared(
    context: &Context<'_>,
    unload: &Unload,
    folder: &str,
    assumptions: &Assumptions,
) -> Result<(Compared, bool), Error> {
    let (s3, entries) = (context.s3, unload.entries(folder));
    if assumptions.crcs_come_with_rows && may_be_listed(context, entries) {
        let lists = if assumptions.lists_are_right { listed(s3, unload, folder).await } else { Vec::new() };
        let mut compared = compare(s3, unload, entries, lists).await?;
        // A composite checksum that comes with rows is none of theirs: S3 has to be asked for the CRCs.
        if !compared.objects.iter().any(|object| object.is_composite) {
            let looked_at: HashSet<usize> = looked_at(entries).collect();
            // In each try the same is known of them, whether it has looked at them or not.
            let others = compared.objects.iter_mut().enumerate().filter(|(index, _)| !looked_at.contains(index));
            others.for_each(|(_, object)| object.crc = None);
            return Ok((compared, true));
        }
    }
    Ok((compare(s3, unload, entries, Vec::new()).await?, false))
}

/// Looks at each object of which no list tells.
async fn compare(s3: &S3, unload: &Unload, entries: &[Entry], lists: Vec<Option<Listed>>) -> Result<Compared, Error> {
    let lists = lists.into_iter().chain(repeat_with(|| None));
    let found = stream::iter(entries.iter().zip(lists)).map(|(entry, listed)| match listed {
        Some(listed) => Either::Left(ready(Ok(Some(Found::listed(listed, entry))))),
        None => Either::Right(async { Ok::<_, S3Error>(s3.head(&entry.uri).await?.map(Found::from)) }),
    });
    let found = found.buffered(SMALL_REQUESTS_AT_ONCE);
    let mut compared = Compared { first: None, objects: Vec::new(), incompleteness: Incompleteness::of(unload) };
    let mut found = pin!(found.zip(stream::iter(entries)));
    while let Some((found, entry)) = found.next().await {
        match found? {
            None => compared.incompleteness.missing.push(entry.uri.clone()),
            Some(Found { object, modified, head }) => {
                head.iter().try_for_each(refuse_unreadable)?;
                compared.incompleteness.compare(unload, entry, object.size, modified);
                compared.objects.push(object);
                compared.first = compared.first.or(head);
            }
        }
    }
    Ok(compared)
}
