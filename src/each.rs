//! OUTPUT=each: a final object for each data object.

use crate::copy::names_itself;
use crate::error::Error;
use crate::header::lookup;
use crate::receipt::{Outcome, Receipt};
use crate::run::{Gathered, Run, Stop};
use crate::s3::S3;
use crate::settings::{Output, Settings};
use crate::task::{self, Scope, Task, needs_no_header};
use crate::unload::Role;
use crate::unload::name::{self, SIDECAR};
use crate::uri::Uri;

/// The data objects that a sidecar speaks for, as far as they are there.
pub async fn tasks_of_sidecar(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let stem = uri.key.strip_suffix(SIDECAR).unwrap_or(&uri.key);
    let mut keys = s3.list(&uri.bucket, stem).await?;
    keys.retain(|key| {
        let speaks = || key == stem || name::readings(key).iter().any(|name| name.unload_prefix == stem);
        Role::of(key) == Role::Data && key.starts_with(&settings.unload_prefix) && speaks()
    });
    if keys.is_empty() {
        return Ok(vec![Task::waiting(uri, "none of its data objects is there yet")]);
    }
    Ok(keys.into_iter().map(|key| Task::Job(Scope::Object(uri.sibling(key)))).collect())
}

/// The entries of a verbose manifest, unless a sidecar names their columns.
pub async fn tasks_of_manifest(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    let unload = task::unload(s3, uri).await?.ok_or_else(|| Error::Missing { uri: uri.clone() })?;
    if unload.columns.is_none() {
        return Ok(vec![Task::skipped(uri, "a manifest without column names; it is not VERBOSE")]);
    } else if unload.folders().next().is_none() {
        return Ok(vec![Task::skipped(uri, "a manifest that lists no objects")]);
    }
    for unload in [Some(unload.prefix()), unload.prefix().strip_suffix('/')].into_iter().flatten() {
        let sidecar = uri.sibling(format!("{unload}{SIDECAR}"));
        if sidecar.key.starts_with(&settings.unload_prefix) && s3.head(&sidecar).await?.is_some() {
            return Ok(vec![Task::skipped(uri, format!("the sidecar {sidecar} names the columns"))]);
        }
    }
    task::refuse_elsewhere(&unload, &settings.unload_prefix)?;
    Ok(unload.all_entries().map(|entry| Task::Job(Scope::Object(entry.uri.clone()))).collect())
}

/// The source and its columns.
pub async fn gather(run: &Run<'_>, uri: &Uri, target: &Uri, is_sealed: bool) -> Result<Gathered, Stop> {
    let Run { settings, s3, .. } = run;
    let Some(first) = s3.head(uri).await? else {
        let receipt = Receipt::standing(target, vec![uri.to_string()], Outcome::Unchanged, None);
        return Err(match is_sealed {
            true => Stop::Settled(receipt.because("the source is gone; its final object stands")),
            false => Error::Missing { uri: uri.clone() }.into(),
        });
    };
    task::refuse_unreadable(&first)?;
    let columns = lookup::of_object(s3, &first, &name::readings(&uri.key), &settings.unload_prefix).await;
    let idle = |outcome, reason| Err(Stop::Settled(Receipt::idle(uri, outcome, reason)));
    let columns = match (columns, needs_no_header(&settings.options, Output::Each, None)) {
        (Err(Error::NoColumns { .. }), Some(reason)) => return idle(Outcome::Skipped, reason),
        (Err(Error::NoColumns { .. }), None) if settings.options.verbose_manifest => {
            return idle(Outcome::Waiting, "UNLOAD_OPTIONS promises a verbose manifest, which will start it");
        }
        (columns, _) => lookup::or_of_spec(columns, settings),
    };
    if let Err(Error::NoColumns { .. }) = &columns
        && let Some(reason) = names_itself(s3, std::slice::from_ref(&first.object), !settings.options.stated).await?
    {
        return idle(Outcome::Skipped, reason);
    }
    let columns = columns?;
    Ok(Gathered { objects: vec![first.object.clone()], first, columns: Some(columns), unload: None })
}
