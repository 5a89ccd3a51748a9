//! The way from an object that was created to the receipt of its final object.
//!
//! | step | file |
//! |---|---|
//! | an event: the jobs that its objects ask for, done side by side | `handler` |
//! | a manifest of an unload's final objects | `final_manifest` |
//! | the answer, in the form of who calls | `answer` |
//! | what one object asks for, by its role and by OUTPUT | `tasks` |
//! | one job: tried until it is finished | `run` |
//! | one try, which goes through the steps below from top to bottom | `attempt` |
//! | what is at the final key already | `existing` |
//! | what the final object is made of: the sources and their columns | `sources`, `columns` |
//! | the header, and the sources behind it | `wanted`, `assemble`, `join` |
//! | the copy | [`crate::copy`] |
//! | or what the copy would be | `dry_run` |
//! | the sources deleted, if that is wanted | `delete` |
//!
//! What is at the final key is looked at before anything else, and the write at the end is refused if that has changed
//! since. So whatever a try writes was made from what was there after the try began, and a try that began earlier can't
//! overwrite it. Whenever something has changed during a try, the job begins anew.

mod answer;
mod assemble;
mod attempt;
mod columns;
mod context;
mod delete;
mod dry_run;
mod existing;
mod final_manifest;
mod handler;
mod join;
mod run;
mod sources;
mod tasks;
mod try_end;
mod wanted;

pub use answer::{Answer, Ended};
pub use dry_run::{AtKey, Intent, PlannedObject, dry_run};
pub use final_manifest::DoneUnload;
pub use handler::Handler;
pub use run::run;
pub use tasks::{Job, Subject, Task, tasks_of, tasks_of_found};
