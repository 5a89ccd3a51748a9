//! OUTPUT=each: a final object for each data object.

use std::sync::Arc;

use crate::copy::names_itself;
use crate::copy::seal::Seal;
use crate::error::{Error, Lacking};
use crate::header::{lookup, owner};
use crate::receipt::{Outcome, Receipt};
use crate::run::{Gathered, Run, Stop};
use crate::s3::S3;
use crate::settings::{Output, Settings};
use crate::task::{self, Scope, Sources, Task, needs_no_header};
use crate::unload::name::{self, SIDECAR};
use crate::unload::{Role, Unload};
use crate::uri::Uri;

/// The data objects that a sidecar may speak for, as far as they are there.
pub async fn tasks_of_sidecar(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let stem = uri.key.strip_suffix(SIDECAR).unwrap_or(&uri.key);
    let mut keys = s3.list(&uri.bucket, stem).await?;
    keys.retain(|key| {
        let speaks = || key == stem || name::readings(key).iter().any(|name| name.sidecars().contains(&uri.key));
        let is_data = matches!(Role::of(key), Role::Data);
        is_data && key.starts_with(&settings.unload_prefix) && speaks()
    });
    if keys.is_empty() {
        let deleted = if settings.delete_source { ", or DELETE_SOURCE has deleted them" } else { "" };
        return Ok(vec![Task::waiting(uri, format!("none of its data objects is there yet{deleted}"))]);
    }
    Ok(keys.into_iter().map(|key| Task::object(uri.sibling(key)).by_sidecar(uri)).collect())
}

/// The entries of a verbose manifest, unless a sidecar names their columns.
pub async fn tasks_of_manifest(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let Some(unload) = owner::unload(s3, uri).await? else { return Ok(vec![Task::object(uri.clone())]) };
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
    task::refuse_elsewhere(&unload, &settings.unload_prefix)?;
    let unload = Arc::new(unload);
    let sources = |uri: &Uri| Sources::Object { uri: uri.clone(), unload: Some(unload.clone()) };
    let jobs = unload.all_entries().map(|entry| Scope { sources: sources(&entry.uri), sidecar: None });
    Ok(jobs.map(Task::Job).collect())
}

/// The source and its columns. `unload` is what lists it, if that asks for the job.
pub async fn gather(
    run: &Run<'_>,
    uri: &Uri,
    unload: Option<&Unload>,
    target: &Uri,
    seal: Option<&Seal>,
) -> Result<Gathered, Stop> {
    let Run { settings, s3, scope, .. } = run;
    let idle = |outcome, reason: String| Err(Stop::Settled(Receipt::idle(uri, outcome, reason)));
    if let Some(unload) = unload {
        match s3.head(&unload.manifest).await? {
            None => return Err(Error::Missing { uri: unload.manifest.clone() }.into()),
            Some(head) if head.object.etag == unload.etag => (),
            Some(_) => {
                let reason = format!("{} has been written anew meanwhile, and its own event follows", unload.manifest);
                return idle(Outcome::Skipped, reason);
            }
        }
    }
    let Some(first) = s3.head(uri).await? else {
        return Err(match (seal, &scope.sidecar) {
            (Some(_), Some(sidecar)) => Stop::Settled(too_late(target, uri, sidecar)),
            (Some(_), None) => {
                let receipt = Receipt::standing(target, vec![uri.to_string()], Outcome::Unchanged, None);
                Stop::Settled(receipt.because("the source is gone; its final object stands"))
            }
            (None, _) => Stop::Gone(Error::Missing { uri: uri.clone() }),
        });
    };
    task::refuse_unreadable(&first)?;
    let columns = match unload {
        Some(unload) => match lookup::of_unload(settings, s3, &first, unload).await {
            Err(Error::NoColumns { .. }) if owner::misfit(unload, &first).is_some() => {
                let mut lacking = Lacking::of(unload);
                unload.entry(&uri.key).iter().for_each(|entry| lacking.look(unload, entry, &first));
                return Err(Error::Incomplete(Box::new(lacking)).into());
            }
            columns => columns,
        },
        None => lookup::of_object(settings, s3, &first).await,
    };
    let columns = match (columns, needs_no_header(&settings.options, Output::Each, None)) {
        (Err(Error::NoColumns { .. }), Some(reason)) => return idle(Outcome::Skipped, reason.to_owned()),
        (Err(Error::NoColumns { looked, .. }), None) if scope.sidecar.is_some() => {
            return idle(Outcome::Waiting, format!("the sidecar is not that of its unload: looked at {looked}"));
        }
        (Err(Error::NoColumns { .. }), None) if settings.options.verbose_manifest && unload.is_none() => {
            let reason = "UNLOAD_OPTIONS promises a verbose manifest, which will start it";
            return idle(Outcome::Waiting, reason.to_owned());
        }
        (columns, _) => lookup::or_of_spec(columns, settings),
    };
    if let Err(Error::NoColumns { .. }) = &columns
        && let Some(reason) = names_itself(s3, std::slice::from_ref(&first.object), !settings.options.stated).await?
    {
        return idle(Outcome::Skipped, reason.to_owned());
    }
    let columns = columns?;
    Ok(Gathered { objects: vec![first.object.clone()], first, columns: Some(columns), manifest_version: None })
}

/// The names of a sidecar that came after its sources were deleted.
pub fn too_late(target: &Uri, source: &Uri, sidecar: &Uri) -> Receipt {
    let receipt = Receipt::standing(target, vec![source.to_string()], Outcome::Unchanged, None);
    receipt.because(format!("{sidecar} came too late: the sources were deleted, and the final object stands as it was"))
}
