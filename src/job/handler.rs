//! The way through, end to end: payload, objects created, the role of each, jobs, receipts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::iter::{once, repeat};

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::event::{self, Notice};
use crate::receipt::{self, Receipt};
use crate::s3::{Effort, S3};
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
        let mut seen = HashMap::new();
        for notice in event::parse(payload)? {
            let s3 = self.s3.counting();
            let tasks = match notice {
                Ok(Notice::Created(uri)) => self.tasks(&s3, &uri).await,
                Ok(Notice::Other { uri, event_name }) => {
                    Ok(vec![Task::skipped(&uri, format!("{event_name} creates no object"))])
                }
                Err(error) => Err(error.into()),
            };
            match tasks {
                Err(error) => failures.push(error),
                // What was asked and read for all of them is told with the first.
                Ok(tasks) => tasks.into_iter().zip(once(s3.effort()).chain(repeat(Effort::default()))).for_each(
                    |(task, effort)| match task {
                        Task::Idle(receipt) => receipts.push(receipt.adding(effort)),
                        Task::Job(scope) => match seen.entry((scope.uri().clone(), scope.folder().to_owned())) {
                            Entry::Vacant(place) => {
                                place.insert(jobs.len());
                                jobs.push((scope, effort));
                            }
                            Entry::Occupied(place) => jobs[*place.get()].0.merge(scope),
                        },
                    },
                ),
            }
        }
        receipts.iter().for_each(Receipt::log);
        let job = |(scope, effort): (Scope, Effort)| async move {
            let receipt = final_object::write(&self.settings, &self.s3, &scope, deadline).await;
            receipt.map(|receipt| receipt.adding(effort))
        };
        let mut done = stream::iter(jobs).map(job).buffered(JOBS_AT_ONCE);
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

    async fn tasks(&self, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
        let settings = &self.settings;
        let prefix = &settings.unload_prefix;
        if !uri.key.starts_with(prefix) {
            let own = if settings.is_final(&uri.bucket, &uri.key) { ", a final object" } else { "" };
            return Ok(vec![Task::skipped(uri, format!("not below UNLOAD_PREFIX={prefix:?}{own}"))]);
        }
        match (Role::of(&uri.key), settings.output) {
            (Role::DirectoryMarker, _) => Ok(vec![Task::skipped(uri, "a directory marker")]),
            (Role::Data, Output::Each) => Ok(vec![Task::object(uri.clone())]),
            (Role::Data, Output::Single) => single::tasks_of_object(settings, s3, uri).await,
            (Role::Sidecar, Output::Each) => each::tasks_of_sidecar(settings, s3, uri).await,
            (Role::Sidecar, Output::Single) => single::tasks_of_sidecar(settings, s3, uri).await,
            (Role::Manifest, Output::Each) => each::tasks_of_manifest(settings, s3, uri).await,
            (Role::Manifest, Output::Single) => single::tasks_of_manifest(settings, s3, uri).await,
        }
    }
}
