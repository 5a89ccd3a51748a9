//! OUTPUT=single: a final object for each unload, or for each partition of it.

use std::collections::HashMap;
use std::sync::Arc;

use super::demand::{Demand, refuse_elsewhere};
use super::job::{Job, Subject};
use super::manifests::{manifests, unloads_of_sidecar};
use crate::error::Error;
use crate::header::{HeaderError, membership};
use crate::s3::S3;
use crate::seal::{Seal, manifest_hash};
use crate::settings::Settings;
use crate::unload::Unload;
use crate::unload::manifest::ManifestError;
use crate::uri::Uri;

pub async fn demands_of_manifest(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Demand>, Error> {
    match membership::read_manifest(s3, uri).await? {
        Some(unload) => demands_of_unload(settings, unload),
        None if s3.head(uri).await?.is_none() => Err(Error::ObjectMissing { uri: uri.clone() }),
        None => demands_of_object(settings, s3, uri).await,
    }
}

/// The manifest's event asks for the job. That event may have been given up before this object was there: so if the
/// manifest lists the object and its final object has not been made, this object's event asks for the job as well.
pub async fn demands_of_object(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Demand>, Error> {
    for manifest in manifests(settings, uri, |_| true) {
        let Some(unload) = membership::read_manifest(s3, &manifest).await? else { continue };
        if unload.entry(&uri.key).is_none() {
            continue;
        }
        let version = unload.version.as_ref().map(manifest_hash);
        let folder = unload.folder_of(&uri.key).to_owned();
        let mut demands = demands_of_unload(settings, unload)?;
        let is_its_own = |demand: &Demand| matches!(demand, Demand::Job(job) if job.folder() == folder);
        let Some(Demand::Job(job)) = demands.iter().find(|demand| is_its_own(demand)) else { continue };
        let target = settings.final_uri(job.uri(), job.unload_prefix(), job.compression())?;
        let seal = s3.head(&target).await?.as_ref().and_then(Seal::on);
        if seal.is_some_and(|seal| seal.manifest_hash == version) {
            return Ok(vec![Demand::waiting(uri, format!("{target}, which it is part of, is there"))]);
        }
        // A manifest of the final objects takes all of them.
        demands.retain(|demand| settings.final_manifest || is_its_own(demand));
        return Ok(demands);
    }
    Ok(vec![Demand::waiting(uri, "its unload's manifest will start the job")])
}

/// The jobs of each unload that a sidecar may be for, if its manifest is there.
pub async fn demands_of_sidecar(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for unload in unloads_of_sidecar(settings, s3, uri).await? {
        demands.extend(demands_of_unload(settings, unload)?.into_iter().map(|demand| demand.by_sidecar(uri)));
    }
    if demands.is_empty() {
        demands.push(Demand::waiting(uri, "the manifest of its unload is not there yet"));
    }
    Ok(demands)
}

/// A job for each folder of an unload.
pub fn demands_of_unload(settings: &Settings, unload: Unload) -> Result<Vec<Demand>, Error> {
    let invalid = |source| Err(HeaderError::InvalidManifest { uri: unload.manifest.clone(), source }.into());
    if unload.folders().next().is_none() {
        return invalid(ManifestError::Empty);
    } else if let Some(twice) = unload.twice() {
        return invalid(ManifestError::Twice(twice.clone()));
    }
    refuse_elsewhere(&unload, &settings.unload_prefix)?;
    let mut targets = HashMap::new();
    for folder in unload.folders() {
        let target = settings.final_uri(&unload.manifest, (unload.prefix(), folder), None)?;
        if let Some(other) = targets.insert(target.clone(), folder) {
            return invalid(ManifestError::SameFinalKey { one: other.to_owned(), other: folder.to_owned(), target });
        }
        if !unload.is_in_order(folder) {
            tracing::warn!(manifest = %unload.manifest, folder, "lists objects in another order than that of their names");
        }
    }
    let unload = Arc::new(unload);
    let subject = |folder: &str| Subject::Folder { unload: unload.clone(), folder: folder.to_owned() };
    Ok(unload.folders().map(|folder| Demand::Job(Job { subject: subject(folder), sidecar: None })).collect())
}
