//! The way from an object that was created to the receipt of its final object.
//!
//! | step | file |
//! |---|---|
//! | an event: the jobs that its objects ask for, done side by side | `handler` |
//! | what one object asks for, by its role and by OUTPUT | `demands` |
//! | one job: tried until it is finished | `run` |
//! | one try up to where something is written, by the steps below from top to bottom | `prepare` |
//! | what is at the final key already | `existing` |
//! | what the steps below will most likely ask, begun at once | `ahead` |
//! | what the final object is made of: the sources and their columns | `sources`, `columns` |
//! | the header, and the sources behind it | `specification`, `assemble`, `join` |
//! | then the copy, and the sources deleted if that is set | `run`, with [`crate::copy`] and `delete` |
//! | or what the copy would be | `dry_run` |
//! | after all jobs, a manifest of an unload's final objects | `final_manifest` |
//! | the answer, in the form of who calls | `answer` |
//!
//! Every step knows the job, the settings and the client (`context`). `prepared` has what a try comes to
//! before it writes, and `try_end` how it may end.
//!
//! What is at the final key is looked at before anything else, and the write at the end is refused if that has changed
//! since. So whatever a try writes was made from what was there after the try began, and a try that began earlier can't
//! overwrite it. Whenever something has changed during a try, the run begins anew.

mod ahead;
mod answer;
mod assemble;
mod columns;
mod context;
mod delete;
mod demands;
mod dry_run;
mod existing;
mod final_manifest;
mod handler;
mod join;
mod prepare;
mod prepared;
mod run;
mod sources;
mod specification;
mod try_end;

pub use answer::{Answer, Ended};
pub use demands::{Demand, Job, Subject, demands_of, demands_of_unload};
pub use dry_run::{AtKey, Intent, PlannedObject, dry_run, dry_run_anew};
pub use final_manifest::{DoneUnload, ManifestIntent};
pub use handler::{Handler, JOBS_AT_ONCE};
pub use run::run;
