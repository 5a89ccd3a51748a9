//! OUTPUT=each: a final object for each data object.

use std::sync::Arc;

use super::demand::{Demand, refuse_elsewhere};
use super::job::{Job, Subject};
use super::manifests::unloads_of_sidecar;
use crate::error::Error;
use crate::header::membership;
use crate::s3::{ListedObject, S3, Seen};
use crate::settings::Settings;
use crate::unload::manifest::Entry;
use crate::unload::name::{self, SIDECAR};
use crate::unload::{Role, Unload};
use crate::uri::Uri;

/// The data objects that a sidecar may be for, of those that are there.
pub async fn demands_of_sidecar(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Demand>, Error> {
    let stem = uri.key.strip_suffix(SIDECAR).unwrap_or(&uri.key);
    // A sidecar `unload/q.headers` below UNLOAD_PREFIX=`unload/q.` has a stem that is not below it.
    let below = if stem.starts_with(&settings.unload_prefix) { stem } else { &settings.unload_prefix };
    let mut objects = s3.list(&uri.bucket, below).await?;
    objects.retain(|ListedObject { key, .. }| {
        let is_for = || key == stem || name::readings(key).iter().any(|name| name.sidecars().contains(&uri.key));
        Role::of(key) == Role::Data && key.starts_with(&settings.unload_prefix) && is_for()
    });
    if objects.is_empty() {
        let deleted = if settings.delete_source { ", or DELETE_SOURCE has deleted them" } else { "" };
        return Ok(vec![Demand::waiting(uri, format!("none of its data objects is there yet{deleted}"))]);
    }
    let demand = |ListedObject { key, seen, .. }| Demand::object(uri.sibling(key), Some(seen)).by_sidecar(uri);
    let mut demands: Vec<Demand> = objects.into_iter().map(demand).collect();
    if settings.final_manifest {
        for unload in unloads_of_sidecar(settings, s3, uri).await? {
            demands.extend(jobs_of(settings, unload)?.into_iter().map(|demand| demand.by_sidecar(uri)));
        }
    }
    Ok(demands)
}

/// The entries of a verbose manifest, unless a sidecar names their columns. If the final objects are to have a manifest as
/// well, those of any manifest.
pub async fn demands_of_manifest(
    settings: &Settings,
    s3: &S3,
    uri: &Uri,
    seen: Option<Seen>,
) -> Result<Vec<Demand>, Error> {
    let Some(unload) = membership::read_manifest(s3, uri).await? else {
        return Ok(vec![Demand::object(uri.clone(), seen)]);
    };
    if settings.final_manifest && unload.folders().next().is_some() {
        return jobs_of(settings, unload);
    } else if unload.columns.is_none() {
        return Ok(vec![Demand::skipped(uri, "a manifest without column names; it is not VERBOSE")]);
    } else if unload.folders().next().is_none() {
        return Ok(vec![Demand::skipped(uri, "a manifest that lists no objects")]);
    }
    for sidecar in unload.sidecars().into_iter().map(|key| uri.sibling(key)) {
        if sidecar.key.starts_with(&settings.unload_prefix) && s3.head(&sidecar).await?.is_some() {
            return Ok(vec![Demand::skipped(uri, format!("the sidecar {sidecar} names the columns"))]);
        }
    }
    jobs_of(settings, unload)
}

/// A job for each entry of an unload.
fn jobs_of(settings: &Settings, unload: Unload) -> Result<Vec<Demand>, Error> {
    refuse_elsewhere(&unload, &settings.unload_prefix)?;
    let unload = Arc::new(unload);
    let subject = |Entry { uri, size, .. }: &Entry| {
        let seen = size.map(|size| Seen { size, etag: None });
        Subject::Object { uri: uri.clone(), seen, unload: Some(unload.clone()) }
    };
    let jobs = unload.all_entries().map(|entry| Job { subject: subject(entry), sidecar: None });
    Ok(jobs.map(Demand::Job).collect())
}
