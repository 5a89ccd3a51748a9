//! OUTPUT=single: the sources are all objects of one folder that a manifest lists, in the manifest's order.

use std::ops::ControlFlow;
use std::pin::pin;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::super::context::Context;
use super::super::existing::Existing;
use super::found::{Sources, refuse_unreadable};
use crate::error::Error;
use crate::receipt::{Outcome, Receipt};
use crate::s3::{Head, ObjectVersion, S3Error, SMALL_REQUESTS_AT_ONCE};
use crate::seal::{Seal, manifest_hash};
use crate::unload::manifest::Entry;
use crate::unload::{Incompleteness, ManifestVersion, Unload};

pub async fn look(
    context: &Context<'_>,
    unload: &Unload,
    folder: &str,
    existing: &Existing,
) -> Result<ControlFlow<Receipt, Sources>, Error> {
    let Context { s3, job, .. } = context;
    let entries = unload.entries(folder);
    // The manifest comes first. The slices are looked at beside it, and count only if it is still the one.
    let looked = unload.version.iter().map(|_| &unload.manifest).chain(entries.iter().map(|entry| &entry.uri));
    let mut heads = stream::iter(looked).map(|uri| s3.head(uri)).buffered(SMALL_REQUESTS_AT_ONCE);
    if let Some(version) = &unload.version {
        let manifest = heads.try_next().await?.flatten();
        if let Some(receipt) = another_manifest(context, manifest, version, existing).await? {
            return Ok(ControlFlow::Break(receipt));
        }
    }
    let manifest_hash = unload.version.as_ref().map(manifest_hash);
    let Compared { first, objects, incompleteness } = compare(unload, entries, heads).await?;
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
        return Ok(ControlFlow::Continue(Sources { first, objects, manifest_hash }));
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

/// The objects of a folder that are there, and how they differ from their entries.
struct Compared {
    first: Option<Head>,
    objects: Vec<ObjectVersion>,
    incompleteness: Incompleteness,
}

async fn compare(
    unload: &Unload,
    entries: &[Entry],
    heads: impl Stream<Item = Result<Option<Head>, S3Error>>,
) -> Result<Compared, Error> {
    let mut compared = Compared { first: None, objects: Vec::new(), incompleteness: Incompleteness::of(unload) };
    let mut heads = pin!(heads.zip(stream::iter(entries)));
    while let Some((head, entry)) = heads.next().await {
        match head? {
            None => compared.incompleteness.missing.push(entry.uri.clone()),
            Some(head) => {
                refuse_unreadable(&head)?;
                compared.incompleteness.compare(unload, entry, head.object.size, head.modified);
                compared.objects.push(head.object.clone());
                compared.first.get_or_insert(head);
            }
        }
    }
    Ok(compared)
}
