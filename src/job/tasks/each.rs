//! OUTPUT=each: a final object for each data object.

use std::sync::Arc;

use super::job::{Job, Subject};
use super::task::{Task, refuse_elsewhere};
use crate::error::Error;
use crate::header::membership;
use crate::s3::S3;
use crate::settings::Settings;
use crate::unload::Role;
use crate::unload::name::{self, SIDECAR};
use crate::uri::Uri;

/// The data objects that a sidecar may be for, of those that are there.
pub async fn tasks_of_sidecar(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let stem = uri.key.strip_suffix(SIDECAR).unwrap_or(&uri.key);
    let mut keys = s3.list(&uri.bucket, stem).await?;
    keys.retain(|key| {
        let is_for = || key == stem || name::readings(key).iter().any(|name| name.sidecars().contains(&uri.key));
        Role::of(key) == Role::Data && key.starts_with(&settings.unload_prefix) && is_for()
    });
    if keys.is_empty() {
        let deleted = if settings.delete_source { ", or DELETE_SOURCE has deleted them" } else { "" };
        return Ok(vec![Task::waiting(uri, format!("none of its data objects is there yet{deleted}"))]);
    }
    Ok(keys.into_iter().map(|key| Task::object(uri.sibling(key)).by_sidecar(uri)).collect())
}

/// The entries of a verbose manifest, unless a sidecar names their columns.
pub async fn tasks_of_manifest(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let Some(unload) = membership::read_manifest(s3, uri).await? else { return Ok(vec![Task::object(uri.clone())]) };
    if unload.columns.is_none() {
        return Ok(vec![Task::skipped(uri, "a manifest without column names; it is not VERBOSE")]);
    } else if unload.folders().next().is_none() {
        return Ok(vec![Task::skipped(uri, "a manifest that lists no objects")]);
    }
    for sidecar in unload.sidecars().into_iter().map(|key| uri.sibling(key)) {
        if sidecar.key.starts_with(&settings.unload_prefix) && s3.head(&sidecar).await?.is_some() {
            return Ok(vec![Task::skipped(uri, format!("the sidecar {sidecar} names the columns"))]);
        }
    }
    refuse_elsewhere(&unload, &settings.unload_prefix)?;
    let unload = Arc::new(unload);
    let subject = |uri: &Uri| Subject::Object { uri: uri.clone(), unload: Some(unload.clone()) };
    let jobs = unload.all_entries().map(|entry| Job { subject: subject(&entry.uri), sidecar: None });
    Ok(jobs.map(Task::Job).collect())
}
