//! OUTPUT=single: a final object for each unload, or for each partition of it, of all objects that its
//! manifest lists.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use crate::copy::names_itself;
use crate::copy::seal::{Seal, hex};
use crate::error::{Changed, Error};
use crate::header::lookup;
use crate::receipt::{Outcome, Receipt};
use crate::run::{Gathered, Run, Stop};
use crate::s3::{AT_ONCE, Object, S3};
use crate::settings::{Output, Settings};
use crate::task::{self, Scope, Task, needs_no_header};
use crate::unload::Unload;
use crate::unload::manifest::ManifestError;
use crate::unload::name::{self, Number, SIDECAR};
use crate::uri::Uri;

pub async fn tasks_of_manifest(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let unload = task::unload(s3, uri).await?.ok_or_else(|| Error::Missing { uri: uri.clone() })?;
    tasks_of(settings, unload)
}

/// The jobs of the unload that a sidecar, or the sidecar of a data object, speaks for, if its manifest is there.
pub async fn tasks_of_sidecar(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let stem = uri.key.strip_suffix(SIDECAR).unwrap_or(&uri.key);
    let of_object = name::readings(stem).into_iter().filter(|name| name.number != Number::None);
    let mut manifests = vec![format!("{stem}manifest"), format!("{stem}/manifest")];
    manifests.extend(of_object.map(|name| name.manifest()));
    let mut tasks = Vec::new();
    for manifest in manifests.into_iter().filter(|key| key.starts_with(&settings.unload_prefix)) {
        let unload = task::unload(s3, &uri.sibling(manifest)).await?;
        if let Some(unload) = unload.filter(|unload| unload.sidecars().contains(&uri.key) || unload.lists(stem)) {
            tasks.extend(tasks_of(settings, unload)?);
        }
    }
    if tasks.is_empty() {
        tasks.push(Task::waiting(uri, "the manifest of its unload is not there yet"));
    }
    Ok(tasks)
}

/// A job for each folder.
fn tasks_of(settings: &Settings, unload: Unload) -> Result<Vec<Task>, Error> {
    let wrong = |source| Err(Error::Manifest { uri: unload.manifest.clone(), source });
    if unload.folders().next().is_none() {
        return wrong(ManifestError::Empty);
    } else if let Some(twice) = unload.twice() {
        return wrong(ManifestError::Twice(twice.clone()));
    }
    task::refuse_elsewhere(&unload, &settings.unload_prefix)?;
    for folder in unload.folders().filter(|folder| !unload.is_in_order(folder)) {
        tracing::warn!(manifest = %unload.manifest, folder, "lists objects in another order than that of their names");
    }
    let unload = Arc::new(unload);
    let job = |folder: &str| Task::Job(Scope::Folder { unload: unload.clone(), folder: folder.to_owned() });
    Ok(unload.folders().map(job).collect())
}

/// The sources, all of them, in the manifest's order; and their columns.
pub async fn gather(
    run: &Run<'_>,
    unload: &Unload,
    folder: &str,
    target: &Uri,
    seal: Option<&Seal>,
) -> Result<Gathered, Stop> {
    let Run { settings, s3, .. } = run;
    let uri = &unload.manifest;
    let settled = |outcome, reason| Err(Stop::Settled(Receipt::idle(uri, outcome, reason)));
    let stands = |reason| {
        let receipt = Receipt::standing(target, vec![uri.to_string()], Outcome::Unchanged, None);
        Err(Stop::Settled(receipt.because(reason)))
    };
    let version = match s3.head(uri).await? {
        None if seal.is_some() => return stands("the manifest is gone; its final object stands"),
        None => return Err(Error::Missing { uri: uri.clone() }.into()),
        Some(head) if head.object.etag != unload.etag => {
            return settled(Outcome::Skipped, "it has been written anew meanwhile, and its own event follows");
        }
        Some(head) => hex(&Sha256::digest(format!("{} {}", unload.etag, head.modified)))[..16].to_owned(),
    };

    let entries = unload.entries(folder);
    let (mut first, mut objects, mut missing, mut changed) = (None, Vec::<Object>::new(), Vec::new(), Vec::new());
    let mut heads =
        stream::iter(entries).map(|entry| async move { s3.head(&entry.uri).await.map(|head| (entry, head)) });
    let mut heads = heads.by_ref().buffered(AT_ONCE);
    while let Some((entry, head)) = heads.try_next().await? {
        match head {
            None => missing.push(entry.uri.clone()),
            Some(head) => {
                task::refuse_unreadable(&head)?;
                let (uri, size) = (entry.uri.clone(), head.object.size);
                changed.extend(entry.size.filter(|listed| *listed != size).map(|listed| Changed { uri, size, listed }));
                objects.push(head.object.clone());
                first.get_or_insert(head);
            }
        }
    }
    // They were there when the final object was made of just this version of the manifest.
    if !missing.is_empty() && seal.is_some_and(|seal| seal.unload.as_deref() == Some(&version)) {
        return stands("sources are gone; the final object that was made of them stands");
    }
    match first {
        Some(first) if missing.is_empty() && changed.is_empty() => {
            let named = (uri, unload.columns.as_deref());
            let columns = lookup::of_unload(s3, &first, unload.sidecars(), &settings.unload_prefix, named).await;
            let columns = match (columns, needs_no_header(&settings.options, Output::Single, None)) {
                (Err(Error::NoColumns { .. }), Some(reason)) => return settled(Outcome::Skipped, reason),
                (Err(Error::NoColumns { .. }), None) if settings.options.header => None,
                (columns, _) => Some(lookup::or_of_spec(columns, settings)),
            };
            if let Some(Err(Error::NoColumns { .. })) = &columns
                && let Some(reason) = names_itself(s3, &objects, !settings.options.stated).await?
            {
                return settled(Outcome::Skipped, reason);
            }
            let columns = columns.transpose()?;
            Ok(Gathered { first, objects, columns, unload: Some(version) })
        }
        _ => Err(Error::Incomplete { manifest: uri.clone(), missing, changed }.into()),
    }
}
