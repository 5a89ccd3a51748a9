//! The way through, end to end: payload, objects created, the role of each, jobs, receipts.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::event::{self, Notice};
use crate::receipt::{self, Receipt};
use crate::s3::S3;
use crate::settings::{Output, Settings};
use crate::task::{Scope, Task};
use crate::unload::Role;
use crate::uri::Uri;
use crate::{each, final_object, single};

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
                    Ok(vec![Task::skipped(&uri, format!("{event_name} creates no object"))])
                }
                Err(error) => Err(error.into()),
            };
            match tasks {
                Err(error) => failures.push(error),
                Ok(tasks) => tasks.into_iter().for_each(|task| match task {
                    Task::Idle(receipt) => receipts.push(receipt),
                    Task::Job(scope) => {
                        let id = (scope.uri().clone(), scope.folder().to_owned());
                        jobs.extend(seen.insert(id).then_some(scope));
                    }
                }),
            }
        }
        receipts.iter().for_each(Receipt::log);
        let job = |scope| final_object::write(&self.settings, &self.s3, scope, deadline);
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
            None => {
                receipt::abridge(&mut receipts);
                Ok(Answer { receipts })
            }
        }
    }

    async fn tasks(&self, uri: &Uri) -> Result<Vec<Task>, Error> {
        let Handler { settings, s3 } = self;
        let prefix = &settings.unload_prefix;
        if !uri.key.starts_with(prefix) {
            let own = if settings.is_final(&uri.bucket, &uri.key) { ", a final object" } else { "" };
            return Ok(vec![Task::skipped(uri, format!("not below UNLOAD_PREFIX={prefix:?}{own}"))]);
        }
        match (Role::of(&uri.key), settings.output) {
            (Role::DirectoryMarker, _) => Ok(vec![Task::skipped(uri, "a directory marker")]),
            (Role::Data, Output::Each) => Ok(vec![Task::Job(Scope::Object(uri.clone()))]),
            (Role::Data, Output::Single) => Ok(vec![Task::waiting(uri, "its unload's manifest will start the job")]),
            (Role::Sidecar, Output::Each) => each::tasks_of_sidecar(settings, s3, uri).await,
            (Role::Sidecar, Output::Single) => single::tasks_of_sidecar(settings, s3, uri).await,
            (Role::Manifest, Output::Each) => each::tasks_of_manifest(settings, s3, uri).await,
            (Role::Manifest, Output::Single) => single::tasks_of_manifest(settings, s3, uri).await,
        }
    }
}
