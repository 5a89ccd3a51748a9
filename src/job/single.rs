//! OUTPUT=single: a final object for each unload, or for each partition of it, of all objects that its
//! manifest lists.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::copy::names_itself;
use crate::copy::seal::{self, Seal};
use crate::each::too_late;
use crate::error::{Error, Lacking};
use crate::header::{lookup, owner};
use crate::receipt::{Outcome, Receipt};
use crate::run::{Gathered, Run, Stop};
use crate::s3::{AT_ONCE, Object, S3};
use crate::settings::{Output, Settings};
use crate::task::{self, Scope, Sources, Task, needs_no_header};
use crate::unload::Unload;
use crate::unload::manifest::ManifestError;
use crate::unload::name::{self, Number, SIDECAR};
use crate::uri::Uri;

pub async fn tasks_of_manifest(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    match owner::unload(s3, uri).await? {
        Some(unload) => tasks_of(settings, unload),
        None if s3.head(uri).await?.is_none() => Err(Error::Missing { uri: uri.clone() }),
        None => tasks_of_object(settings, s3, uri).await,
    }
}

/// The manifest starts the job. Its own event may have been given up before the object was there: if it lists the
/// object and the final object does not stand, the object's event starts the job as well.
pub async fn tasks_of_object(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    for manifest in manifests(settings, uri, |_| true) {
        let Some(unload) = owner::unload(s3, &manifest).await? else { continue };
        if unload.entry(&uri.key).is_none() {
            continue;
        }
        let (version, folder) = (seal::version(&unload.etag, unload.modified), unload.folder_of(&uri.key).to_owned());
        let mut tasks = tasks_of(settings, unload)?;
        tasks.retain(|task| matches!(task, Task::Job(scope) if scope.folder() == folder));
        let [Task::Job(scope)] = tasks.as_slice() else { continue };
        let target = settings.final_uri(scope.uri(), scope.unload_prefix(), scope.compression())?;
        let standing = s3.head(&target).await?.as_ref().and_then(Seal::on);
        if standing.is_some_and(|seal| seal.manifest_version.as_deref() == Some(&version)) {
            return Ok(vec![Task::waiting(uri, format!("{target}, which it is part of, stands"))]);
        }
        return Ok(tasks);
    }
    Ok(vec![Task::waiting(uri, "its unload's manifest will start the job")])
}

/// The jobs of the unload that a sidecar, or the sidecar of a data object, speaks for, if its manifest is there.
pub async fn tasks_of_sidecar(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let stem = uri.key.strip_suffix(SIDECAR).unwrap_or(&uri.key);
    let mut keys = vec![uri.sibling(format!("{stem}manifest")), uri.sibling(format!("{stem}/manifest"))];
    keys.retain(|manifest| manifest.key.starts_with(&settings.unload_prefix));
    keys.extend(manifests(settings, &uri.sibling(stem), |number| number != Number::None));
    let mut tasks = Vec::new();
    for manifest in keys {
        let unload = owner::unload(s3, &manifest).await?;
        let speaks = |unload: &Unload| unload.sidecars().contains(&uri.key) || unload.entry(stem).is_some();
        if let Some(unload) = unload.filter(speaks) {
            tasks.extend(tasks_of(settings, unload)?.into_iter().map(|task| task.by_sidecar(uri)));
        }
    }
    if tasks.is_empty() {
        tasks.push(Task::waiting(uri, "the manifest of its unload is not there yet"));
    }
    Ok(tasks)
}

/// The manifests that may list an object, each once.
fn manifests(settings: &Settings, object: &Uri, counts: impl Fn(Number) -> bool) -> Vec<Uri> {
    let names = name::readings(&object.key).into_iter().filter(|name| counts(name.number));
    let mut keys: Vec<String> = names.map(|name| name.manifest()).collect();
    let mut seen = Vec::new();
    keys.retain(|key| {
        let is_new = key.starts_with(&settings.unload_prefix) && !seen.contains(key) && *key != object.key;
        seen.push(key.clone());
        is_new
    });
    keys.into_iter().map(|key| object.sibling(key)).collect()
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
    let mut targets = HashMap::new();
    for folder in unload.folders() {
        let target = settings.final_uri(&unload.manifest, (unload.prefix(), folder), None)?;
        if let Some(other) = targets.insert(target.clone(), folder) {
            return wrong(ManifestError::SameFinalKey { one: other.to_owned(), other: folder.to_owned(), target });
        }
        if !unload.is_in_order(folder) {
            tracing::warn!(manifest = %unload.manifest, folder, "lists objects in another order than that of their names");
        }
    }
    let unload = Arc::new(unload);
    let folder = |folder: &str| Sources::Folder { unload: unload.clone(), folder: folder.to_owned() };
    Ok(unload.folders().map(|it| Task::Job(Scope { sources: folder(it), sidecar: None })).collect())
}

/// The sources, all of them, in the manifest's order; and their columns.
pub async fn gather(
    run: &Run<'_>,
    unload: &Unload,
    folder: &str,
    target: &Uri,
    seal: Option<&Seal>,
) -> Result<Gathered, Stop> {
    let Run { settings, s3, scope, .. } = run;
    let uri = &unload.manifest;
    let settled = |outcome, reason: String| Err(Stop::Settled(Receipt::idle(uri, outcome, reason)));
    let stands = |reason| {
        let receipt = Receipt::standing(target, vec![uri.to_string()], Outcome::Unchanged, None);
        Err(Stop::Settled(receipt.because(reason)))
    };
    match s3.head(uri).await? {
        None if seal.is_some() => return stands("the manifest is gone; its final object stands"),
        None => return Err(Stop::Gone(Error::Missing { uri: uri.clone() })),
        Some(head) if head.object.etag != unload.etag => {
            let reason = "it has been written anew meanwhile, and its own event follows";
            return settled(Outcome::Skipped, reason.to_owned());
        }
        Some(_) => (),
    }
    let version = seal::version(&unload.etag, unload.modified);

    let entries = unload.entries(folder);
    let (mut first, mut objects, mut lacking) = (None, Vec::<Object>::new(), Lacking::of(unload));
    let mut heads =
        stream::iter(entries).map(|entry| async move { s3.head(&entry.uri).await.map(|head| (entry, head)) });
    let mut heads = heads.by_ref().buffered(AT_ONCE);
    while let Some((entry, head)) = heads.try_next().await? {
        match head {
            None => lacking.missing.push(entry.uri.clone()),
            Some(head) => {
                task::refuse_unreadable(&head)?;
                lacking.look(unload, entry, &head);
                objects.push(head.object.clone());
                first.get_or_insert(head);
            }
        }
    }
    // They were there when the final object was made of just this version of the manifest.
    if !lacking.missing.is_empty() && seal.is_some_and(|seal| seal.manifest_version.as_deref() == Some(&version)) {
        return match &scope.sidecar {
            Some(sidecar) => Err(Stop::Settled(too_late(target, uri, sidecar))),
            None => stands("sources are gone; the final object that was made of them stands"),
        };
    }
    match first {
        Some(first) if lacking.nothing() => {
            let columns = lookup::of_unload(settings, s3, &first, unload).await;
            let columns = match (columns, needs_no_header(&settings.options, Output::Single, None)) {
                (Err(Error::NoColumns { .. }), Some(reason)) => return settled(Outcome::Skipped, reason.to_owned()),
                (Err(Error::NoColumns { .. }), None) if settings.options.header => None,
                (columns, _) => Some(lookup::or_of_spec(columns, settings)),
            };
            if let Some(Err(Error::NoColumns { .. })) = &columns
                && let Some(reason) = names_itself(s3, &objects, !settings.options.stated).await?
            {
                return settled(Outcome::Skipped, reason.to_owned());
            }
            let columns = columns.transpose()?;
            Ok(Gathered { first, objects, columns, manifest_version: Some(version) })
        }
        _ => {
            let (is_gone, error) = (!lacking.missing.is_empty(), Error::Incomplete(Box::new(lacking)));
            match scope.sidecar {
                _ if is_gone => Err(Stop::Gone(error)),
                Some(_) => settled(Outcome::Waiting, error.to_string()),
                None => Err(error.into()),
            }
        }
    }
}
