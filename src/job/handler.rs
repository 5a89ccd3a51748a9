//! The function: an event, the jobs that it asks for, and the answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::iter::{once, repeat};

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::answer::{Answer, Ended};
use super::demands::{Demand, Job, demands_of};
use super::final_manifest::DoneUnload;
use super::run::run;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::event::{self, Event, EventError, Message, Notice};
use crate::metrics;
use crate::receipt::Receipt;
use crate::s3::{Effort, S3};
use crate::settings::Settings;

/// How many jobs are done at the same time, as far as there is memory for them (`s3::Memory`): several hundred small
/// objects would fit, and four large ones do. More would not be faster, since so many keep a CPU busy: a job of a small
/// object takes three steps, and if each takes 20 ms, 32 of them make 2,700 requests a second.
pub const JOBS_AT_ONCE: u16 = 32;

/// The function: its settings and its client.
#[derive(Clone, Debug)]
pub struct Handler {
    pub settings: Settings,
    pub s3: S3,
}

/// What an event asks for. A job comes with what was asked of S3 to find it, and with the messages that ask for it.
#[derive(Default)]
struct Asked {
    jobs: Vec<(Job, Effort, Vec<usize>)>,
    ended: Vec<Ended>,
}

impl Handler {
    pub fn new(settings: Settings, s3: S3) -> Handler {
        let s3 = s3.owned_by(settings.owners());
        Handler { settings, s3 }
    }

    /// Does what an event asks for. All of it is tried; what failed is told in the form of who calls, so that it is tried
    /// again.
    pub async fn handle(&self, payload: &Value, deadline: Deadline) -> Result<Answer, Error> {
        let before = self.s3.effort_of_all();
        let Event { form, messages } = event::parse(payload);
        let ids = messages.iter().map(|message| message.id.clone()).collect();
        let Asked { jobs, ended } = self.asked(messages, &deadline).await;
        ended.iter().filter_map(|ended| ended.result.as_ref().ok()).for_each(Receipt::log);
        let mut ended: Vec<(Option<Job>, Ended)> = ended.into_iter().map(|ended| (None, ended)).collect();
        let deadline = &deadline;
        let jobs = stream::iter(jobs).enumerate().map(|(index, (job, effort, messages))| async move {
            let receipt = run(&self.settings, &self.s3.counting(), &job, deadline).await;
            let receipt = receipt.map(|receipt| receipt.adding(effort));
            receipt.iter().for_each(Receipt::log);
            (index, (Some(job), Ended { messages, result: receipt }))
        });
        // A job that takes long keeps none of the others waiting.
        let mut done: Vec<_> = jobs.buffer_unordered(JOBS_AT_ONCE.into()).collect().await;
        done.sort_unstable_by_key(|(index, _)| *index);
        ended.extend(done.into_iter().map(|(_, done)| done));
        let last = self.final_manifests(&ended, deadline).await;
        let ended: Vec<Ended> = ended.into_iter().map(|(_, ended)| ended).chain(last).collect();
        if let Some(name) = &self.settings.function_name {
            let effort = self.s3.effort_of_all().since(before);
            let lines = metrics::lines(name, ended.iter().map(|ended| &ended.result), effort);
            lines.iter().for_each(|line| println!("{line}"));
        }
        Answer::new(form, ids, ended)
    }

    /// A manifest of the final objects of each unload of which all are there now, if that is wanted.
    async fn final_manifests(&self, ended: &[(Option<Job>, Ended)], deadline: &Deadline) -> Vec<Ended> {
        let unloads = if self.settings.final_manifest { DoneUnload::of(ended) } else { Vec::new() };
        let mut written = Vec::new();
        for unload in unloads {
            let result = unload.write_before(&self.settings, &self.s3, deadline).await;
            result.iter().for_each(Receipt::log);
            written.push(Ended { messages: unload.messages, result });
        }
        written
    }

    /// The jobs of all messages, each job once.
    async fn asked(&self, messages: Vec<Message>, deadline: &Deadline) -> Asked {
        let (mut asked, mut known) = (Asked::default(), HashMap::new());
        let messages = messages.into_iter().enumerate();
        let notices = messages.flat_map(|(index, it)| it.notices.into_iter().map(move |it| (index, it)));
        let demands = stream::iter(notices).enumerate().map(|(index, (message, notice))| async move {
            let s3 = self.s3.counting();
            let demands = self.demands_of(&s3, notice, deadline).await;
            (index, message, demands, s3.effort())
        });
        let mut demands: Vec<_> = demands.buffer_unordered(JOBS_AT_ONCE.into()).collect().await;
        demands.sort_unstable_by_key(|(index, ..)| *index);
        for (_, message, demands, effort) in demands {
            let demands = demands.unwrap_or_else(|error| {
                asked.ended.push(Ended { messages: vec![message], result: Err(error) });
                Vec::new()
            });
            // What was asked and read to find the demands of a notice is told with the first of them.
            for (demand, effort) in demands.into_iter().zip(once(effort).chain(repeat(Effort::default()))) {
                match demand {
                    Demand::Idle(receipt) => {
                        asked.ended.push(Ended { messages: vec![message], result: Ok(receipt.adding(effort)) });
                    }
                    Demand::Job(job) => match known.entry((job.uri().clone(), job.folder().to_owned())) {
                        Entry::Vacant(place) => {
                            place.insert(asked.jobs.len());
                            asked.jobs.push((job, effort, vec![message]));
                        }
                        Entry::Occupied(place) => {
                            let (known, _, messages) = &mut asked.jobs[*place.get()];
                            known.merge(job);
                            messages.push(message);
                        }
                    },
                }
            }
        }
        asked
    }

    async fn demands_of(
        &self,
        s3: &S3,
        notice: Result<Notice, EventError>,
        deadline: &Deadline,
    ) -> Result<Vec<Demand>, Error> {
        match notice? {
            Notice::Created { uri, .. } if deadline.left().is_zero() => Err(Error::OutOfTime { uri }),
            Notice::Created { uri, seen } => {
                let demands = deadline.before_end(demands_of(&self.settings, s3, &uri, seen)).await;
                demands.unwrap_or(Err(Error::OutOfTime { uri }))
            }
            Notice::Other { uri, event_name } => {
                Ok(vec![Demand::skipped(&uri, format!("{event_name} creates no object"))])
            }
        }
    }
}
