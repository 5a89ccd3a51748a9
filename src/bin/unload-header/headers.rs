//! `unload-header headers`: the columns of an unload, written or shown.

use std::io::{Write, stdout};

use bytes::Bytes;
use serde_json::json;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::header::Columns;
use unload_header::job::{Demand, Intent, demands_of, dry_run, dry_run_anew};
use unload_header::s3::{Attributes, Precondition, S3};
use unload_header::unload::Options;
use unload_header::unload::name::SIDECAR;
use unload_header::uri::Uri;

use crate::arguments::SettingFlags;
use crate::client::{client, read, settings};
use crate::failure::Failure;
use crate::show;

/// Writes a sidecar. One that says something else is replaced only if that is wanted.
pub async fn set(
    place: &Uri,
    names: Vec<String>,
    file: Option<&str>,
    options: Option<String>,
    replace: bool,
) -> Result<(), Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let mut columns = match file {
        Some(file) => Columns::parse(&read(file)?).map_err(|error| usage(&format!("{file}: {error}")))?,
        None => Columns::named(names).map_err(|error| usage(&error))?,
    };
    columns.options = options.or(columns.options);
    if let Some(sql) = &columns.options {
        Options::parse(sql).map_err(|error| usage(&error))?;
    }
    let mut sidecar = json!({"columns": columns.names});
    let others = [
        ("options", columns.options.map(Into::into)),
        ("filename", columns.filename.map(Into::into)),
        ("bom", columns.bom.map(Into::into)),
    ];
    for (name, value) in others {
        if let Some(value) = value {
            sidecar[name] = value;
        }
    }
    let key = if place.key.ends_with(SIDECAR) { place.key.clone() } else { format!("{}{SIDECAR}", place.key) };
    let (uri, body, s3) = (place.sibling(key), format!("{sidecar}\n"), S3::from_env().await);
    let precondition = match s3.get_small(&uri, body.len() as u64 + 1).await {
        Ok(Some(there)) if there.bytes == body => {
            return Ok(writeln!(stdout(), "unchanged  {uri}")?);
        }
        Ok(None) => Precondition::Absent,
        _ => {
            let there = s3.head(&uri).await?;
            if let (Some(_), false) = (&there, replace) {
                return Err(Failure::Failed(format!(
                    "{uri} is there, and says something else; --replace writes over it"
                )));
            }
            there.map_or(Precondition::Absent, |head| Precondition::Etag(head.object.etag))
        }
    };
    let attributes = Attributes { content_type: Some("application/json".to_owned()), ..Attributes::default() };
    let body = Bytes::from(body);
    precondition.held(async |condition| s3.put(&uri, body.clone(), &attributes, condition, None).await).await?;
    Ok(writeln!(stdout(), "written    {uri}")?)
}

/// Shows the columns that each job of an object would use, and where they are from.
pub async fn show(place: &Uri, flags: &SettingFlags) -> Result<(), Failure> {
    let settings = &settings(flags)?;
    let (s3, deadline, mut out) = (client(settings).await, Deadline::after(MAX_TIMEOUT), stdout());
    for demand in demands_of(settings, &s3, place, None).await? {
        let job = match demand {
            Demand::Idle(receipt) => {
                let reason = receipt.reason.unwrap_or_default();
                writeln!(out, "{}", show::line(&format!("{place}: {}: {reason}", receipt.outcome.name())))?;
                continue;
            }
            Demand::Job(job) => job,
        };
        let (state, mut found) = match dry_run(settings, &s3, &job, &deadline).await? {
            Intent::Write(object) => (format!("planned  {}", object.target), object.found),
            Intent::Idle { receipt, found, .. } => {
                let (uri, reason) = (receipt.final_uri.unwrap_or(job.uri().to_string()), receipt.reason);
                let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                (format!("{}  {uri}{reason}", receipt.outcome.name()), found)
            }
        };
        writeln!(out, "{}", show::line(&state))?;
        if let Intent::Write(object) = dry_run_anew(settings, &s3, &job, &deadline).await? {
            writeln!(out, "  header  {:?}", String::from_utf8_lossy(&object.header))?;
            found = object.found;
        }
        if let Some(found) = found {
            writeln!(out, "  names   {}", json!(found.columns.names))?;
            writeln!(out, "  from    {}", found.place)?;
            found.looked.iter().try_for_each(|place| writeln!(out, "  not     {place}"))?;
        }
    }
    Ok(())
}
