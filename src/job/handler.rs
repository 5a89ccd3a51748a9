//! The function: an event, the jobs that it asks for, and the answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::iter::{once, repeat};

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use super::run::run;
use super::tasks::{Job, Task, tasks_of};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::event::{self, EventError, Notice};
use crate::receipt::{self, Receipt};
use crate::s3::{Effort, S3};
use crate::settings::Settings;

/// How many jobs are done at the same time.
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

/// What an event asks for. A job comes with what was asked of S3 to find it.
#[derive(Default)]
struct Asked {
    jobs: Vec<(Job, Effort)>,
    receipts: Vec<Receipt>,
    failures: Vec<Error>,
}

impl Handler {
    /// Does what an event asks for. All of it is tried; if any of it failed, so does the call, so that Lambda sends the
    /// event again.
    pub async fn handle(&self, payload: &Value, deadline: Deadline) -> Result<Answer, Error> {
        let Asked { jobs, mut receipts, mut failures } = self.asked(event::parse(payload)?).await;
        receipts.iter().for_each(Receipt::log);
        let done = stream::iter(jobs).map(|(job, effort)| async move {
            let receipt = run(&self.settings, &self.s3, &job, deadline).await;
            receipt.map(|receipt| receipt.adding(effort))
        });
        let mut done = done.buffered(JOBS_AT_ONCE);
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

    /// The jobs of all notices, each job once.
    async fn asked(&self, notices: Vec<Result<Notice, EventError>>) -> Asked {
        let (mut asked, mut known) = (Asked::default(), HashMap::new());
        for notice in notices {
            let s3 = self.s3.counting();
            let tasks = match notice {
                Ok(Notice::Created(uri)) => tasks_of(&self.settings, &s3, &uri).await,
                Ok(Notice::Other { uri, event_name }) => {
                    Ok(vec![Task::skipped(&uri, format!("{event_name} creates no object"))])
                }
                Err(error) => Err(error.into()),
            };
            let tasks = tasks.unwrap_or_else(|error| {
                asked.failures.push(error);
                Vec::new()
            });
            // What was asked and read to find the tasks of a notice is told with the first of them.
            for (task, effort) in tasks.into_iter().zip(once(s3.effort()).chain(repeat(Effort::default()))) {
                match task {
                    Task::Idle(receipt) => asked.receipts.push(receipt.adding(effort)),
                    Task::Job(job) => match known.entry((job.uri().clone(), job.folder().to_owned())) {
                        Entry::Vacant(place) => {
                            place.insert(asked.jobs.len());
                            asked.jobs.push((job, effort));
                        }
                        Entry::Occupied(place) => asked.jobs[*place.get()].0.merge(job),
                    },
                }
            }
        }
        asked
    }
}
