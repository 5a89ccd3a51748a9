//! The way through, end to end: payload, objects created, the role of each, jobs, receipts.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::each::put_header_on;
use crate::error::Error;
use crate::event::{self, Notice};
use crate::receipt::{Outcome, Receipt};
use crate::s3::S3;
use crate::settings::Settings;
use crate::unload::name::{self, SIDECAR};
use crate::unload::{Manifest, Role, manifest};
use crate::uri::Uri;

/// Objects that are worked on at the same time, each of which holds 10 MiB at most.
const JOBS_AT_ONCE: usize = 4;

/// The function: its settings and its client.
#[derive(Clone, Debug)]
pub struct Handler {
    pub settings: Settings,
    pub s3: S3,
}

#[derive(Debug, Serialize)]
pub struct Answer {
    pub receipts: Vec<Receipt>,
}

/// What an object that was created asks for.
enum Task {
    Job(Uri),
    Idle(Receipt),
}

impl Handler {
    /// Does what an event asks for. All of it is tried; if any failed, so does the call, so that Lambda
    /// tries it again.
    pub async fn handle(&self, payload: &Value, deadline: Deadline) -> Result<Answer, Error> {
        let (mut jobs, mut receipts, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for notice in event::parse(payload)? {
            let tasks = match notice {
                Ok(Notice::Created(uri)) => self.tasks(&uri).await,
                Ok(Notice::Other { uri, event_name }) => {
                    Ok(vec![skipped(&uri, format!("{event_name} creates no object"))])
                }
                Err(error) => Err(error.into()),
            };
            match tasks {
                Err(error) => failures.push(error),
                Ok(tasks) => tasks.into_iter().for_each(|task| match task {
                    Task::Idle(receipt) => receipts.push(receipt),
                    Task::Job(uri) => jobs.extend(seen.insert(uri.clone()).then_some(uri)),
                }),
            }
        }
        receipts.iter().for_each(Receipt::log);
        let job = |uri| put_header_on(&self.settings, &self.s3, uri, deadline);
        let mut done = stream::iter(&jobs).map(job).buffered(JOBS_AT_ONCE);
        while let Some(result) = done.next().await {
            match result {
                Ok(receipt) => {
                    receipt.log();
                    receipts.push(receipt);
                }
                Err(error) => failures.push(error),
            }
        }
        match Error::of_all(receipts.len() + failures.len(), failures) {
            Some(error) => Err(error),
            None => Ok(Answer { receipts }),
        }
    }

    async fn tasks(&self, uri: &Uri) -> Result<Vec<Task>, Error> {
        let prefix = &self.settings.unload_prefix;
        if !uri.key.starts_with(prefix) {
            let own = if self.settings.is_final(&uri.bucket, &uri.key) { ", a final object" } else { "" };
            return Ok(vec![skipped(uri, format!("not below UNLOAD_PREFIX={prefix:?}{own}"))]);
        }
        match Role::of(&uri.key) {
            Role::DirectoryMarker => Ok(vec![skipped(uri, "a directory marker")]),
            Role::Data => Ok(vec![Task::Job(uri.clone())]),
            Role::Sidecar => self.tasks_of_sidecar(uri).await,
            Role::Manifest => self.tasks_of_manifest(uri).await,
        }
    }

    /// The data objects that a sidecar speaks for, as far as they are there.
    async fn tasks_of_sidecar(&self, uri: &Uri) -> Result<Vec<Task>, Error> {
        let stem = uri.key.strip_suffix(SIDECAR).unwrap_or(&uri.key);
        let mut keys = self.s3.list(&uri.bucket, stem).await?;
        keys.retain(|key| {
            let speaks = || key == stem || name::readings(key).iter().any(|name| name.unload_prefix == stem);
            Role::of(key) == Role::Data && key.starts_with(&self.settings.unload_prefix) && speaks()
        });
        if keys.is_empty() {
            return Ok(vec![Task::Idle(Receipt::idle(uri, Outcome::Waiting, "none of its data objects is there yet"))]);
        }
        Ok(keys.into_iter().map(|key| Task::Job(uri.sibling(key))).collect())
    }

    /// The entries of a verbose manifest, unless a sidecar names their columns.
    async fn tasks_of_manifest(&self, uri: &Uri) -> Result<Vec<Task>, Error> {
        let json = self.s3.get_small(uri, manifest::MAX_BYTES).await?;
        let json = json.ok_or_else(|| Error::Missing { uri: uri.clone() })?;
        let manifest = Manifest::parse(&json).map_err(|source| Error::Manifest { uri: uri.clone(), source })?;
        if manifest.columns.is_none() {
            return Ok(vec![skipped(uri, "a manifest without column names; it is not VERBOSE")]);
        } else if manifest.entries.is_empty() {
            return Ok(vec![skipped(uri, "a manifest that lists no objects")]);
        }
        let unload = uri.key.strip_suffix("manifest").unwrap_or(&uri.key);
        for unload in [Some(unload), unload.strip_suffix('/')].into_iter().flatten() {
            let sidecar = uri.sibling(format!("{unload}{SIDECAR}"));
            if sidecar.key.starts_with(&self.settings.unload_prefix) && self.s3.head(&sidecar).await?.is_some() {
                return Ok(vec![skipped(uri, format!("the sidecar {sidecar} names the columns"))]);
            }
        }
        let prefix = &self.settings.unload_prefix;
        let tasks = manifest.entries.into_iter().map(|entry| {
            match entry.uri.bucket == uri.bucket && entry.uri.key.starts_with(prefix) {
                true => Ok(Task::Job(entry.uri)),
                false => Err(Error::Elsewhere { manifest: uri.clone(), entry: entry.uri, prefix: prefix.clone() }),
            }
        });
        tasks.collect()
    }
}

fn skipped(uri: &Uri, reason: impl Into<String>) -> Task {
    Task::Idle(Receipt::idle(uri, Outcome::Skipped, reason))
}
