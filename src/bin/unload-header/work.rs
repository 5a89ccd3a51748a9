//! Jobs done side by side, and how far they are.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::iter::{once, repeat};

use futures_util::{Stream, StreamExt, stream};
use unload_header::deadline::Deadline;
use unload_header::error::Error;
use unload_header::job::{Demand, Job, Subject};
use unload_header::receipt::Receipt;
use unload_header::s3::{Effort, Progress, S3};
use unload_header::settings::{Output, Settings};
use unload_header::uri::Uri;

use crate::unit::Unit;

/// What jobs are done with.
pub struct Work<'a> {
    pub settings: &'a Settings,
    pub s3: &'a S3,
    pub deadline: &'a Deadline,
    /// How many at the same time.
    pub jobs: usize,
    /// What is under way: what the job is of, and the client that counts for it.
    running: RefCell<BTreeMap<u64, (Uri, S3)>>,
    begun: Cell<u64>,
    /// Of the jobs that have ended.
    ended: Cell<Progress>,
}

/// One of the things that a unit asks for.
pub struct Asked {
    /// The number of its unit.
    pub unit: usize,
    /// How many others the unit asks for.
    pub siblings: usize,
    pub what: What,
}

pub enum What {
    /// A job, and what was asked of S3 to find it.
    Job(Job, Effort),
    /// Nothing to do, and what was asked of S3 to find that.
    Idle(Receipt, Effort),
    Failed(Uri, Error),
}

impl<'a> Work<'a> {
    pub fn new(settings: &'a Settings, s3: &'a S3, deadline: &'a Deadline, jobs: u16) -> Work<'a> {
        let (running, begun, ended) = (RefCell::default(), Cell::default(), Cell::default());
        Work { settings, s3, deadline, jobs: jobs.into(), running, begun, ended }
    }

    /// What units ask for, mostly each job once. Nothing more is looked for after the deadline.
    pub fn asked(&self, units: impl Stream<Item = Result<Unit, Error>>, place: &Uri) -> impl Stream<Item = Asked> {
        let Work { settings, s3, deadline, .. } = *self;
        let in_time = units.take_while(|_| std::future::ready(!deadline.left().is_zero())).enumerate();
        let demands = in_time.map(move |(unit, found)| async move {
            let s3 = s3.counting();
            let (uri, demands) = match found {
                Ok(found) => (found.uri(), found.demands(settings, &s3).await),
                Err(error) => (place.clone(), Err(error)),
            };
            let what: Vec<What> = match demands {
                Err(error) => vec![What::Failed(uri, error)],
                Ok(demands) => {
                    let efforts = once(s3.effort()).chain(repeat(Effort::default()));
                    let what = demands.into_iter().zip(efforts).map(|(demand, effort)| match demand {
                        Demand::Job(job) => What::Job(job, effort),
                        Demand::Idle(receipt) => What::Idle(receipt, effort),
                    });
                    what.collect()
                }
            };
            let siblings = what.len().saturating_sub(1);
            stream::iter(what.into_iter().map(move |what| Asked { unit, siblings, what }))
        });
        // Several manifests may list the same object. One that is to have a manifest of its final objects needs all of them.
        let is_once = settings.output == Output::Each && !settings.final_manifest;
        let mut seen = HashSet::new();
        demands.buffered(self.jobs).flatten().filter(move |asked| {
            let is_new = match &asked.what {
                What::Job(job, _) if is_once => seen.insert(job.uri().clone()),
                _ => true,
            };
            std::future::ready(is_new)
        })
    }

    /// Does something for a job, with a client that counts for it.
    pub async fn with<T>(&self, job: &Job, doing: impl AsyncFnOnce(&S3) -> T) -> T {
        let (number, s3) = (self.begun.get(), self.s3.counting());
        self.begun.set(number + 1);
        self.running.borrow_mut().insert(number, (named(job), s3.clone()));
        let result = doing(&s3).await;
        self.running.borrow_mut().remove(&number);
        self.ended.set(sum(self.ended.get(), s3.progress()));
        result
    }

    /// What the jobs are of that are under way.
    pub fn unfinished(&self) -> Vec<Uri> {
        self.running.borrow().values().map(|(uri, _)| uri.clone()).collect()
    }

    /// The jobs that are writing, by their number, with how far each of them is.
    pub fn writing(&self) -> Vec<(u64, Uri, Progress)> {
        let running = self.running.borrow();
        let writing = running.iter().map(|(number, (uri, s3))| (*number, uri.clone(), s3.progress()));
        writing.filter(|(.., progress)| progress.parts > 0).collect()
    }

    /// How far all jobs together are.
    pub fn progress(&self) -> Progress {
        self.running.borrow().values().fold(self.ended.get(), |all, (_, s3)| sum(all, s3.progress()))
    }
}

/// What a job is of, for messages: a data object, a manifest, or the prefix of an unload without one; and the folder.
pub fn named(job: &Job) -> Uri {
    match &job.subject {
        Subject::Object { uri, .. } => uri.clone(),
        Subject::Folder { unload, folder } => unload.manifest.sibling(format!("{}{folder}", unload.prefix())),
    }
}

/// What has ended of each unit of which not all has ended.
pub struct ByUnit<T>(HashMap<usize, Vec<T>>);

impl<T> Default for ByUnit<T> {
    fn default() -> ByUnit<T> {
        ByUnit(HashMap::new())
    }
}

impl<T> ByUnit<T> {
    /// One more thing that a unit asks for has ended. All of them, if it is the last.
    pub fn ended(&mut self, unit: usize, siblings: usize, one: T) -> Option<Vec<T>> {
        let ended = self.0.entry(unit).or_default();
        ended.push(one);
        if ended.len() > siblings { self.0.remove(&unit) } else { None }
    }
}

fn sum(one: Progress, other: Progress) -> Progress {
    Progress {
        parts: one.parts + other.parts,
        parts_written: one.parts_written + other.parts_written,
        bytes: one.bytes + other.bytes,
        bytes_written: one.bytes_written + other.bytes_written,
    }
}
