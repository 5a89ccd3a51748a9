//! `unload-header doctor`: whether a store keeps what the promises rely on, tried with objects of the doctor's own.

mod probes;
mod scratch;

use std::io::{Write, stdout};

use futures_util::future::LocalBoxFuture;
use serde_json::json;
use unload_header::s3::{S3, S3Error};

use self::probes::PROBES;
use self::scratch::Scratch;
use crate::arguments::Doctor;
use crate::failure::Failure;

/// What a probe has found, and what was seen.
pub enum Verdict {
    Kept(String),
    NotKept(String),
    NotTried(String),
}

impl Verdict {
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Verdict::Kept(seen) => ("kept", seen),
            Verdict::NotKept(seen) => ("not kept", seen),
            Verdict::NotTried(why) => ("not tried", why),
        }
    }
}

/// Tries all, and takes away whatever was written for it.
pub async fn run(doctor: Doctor) -> Result<(), Failure> {
    let scratch = Scratch::new(S3::from_env().await, &doctor.place, doctor.kms_key_id);
    let (mut out, mut not_kept) = (stdout(), 0);
    let mut result = Ok(());
    for (relied_on, probe) in PROBES {
        let verdict = probe(&scratch).await.unwrap_or_else(|error| Verdict::NotKept(short(&error)));
        let (word, seen) = verdict.parts();
        not_kept += usize::from(matches!(verdict, Verdict::NotKept(_)));
        result = match doctor.json {
            true => writeln!(out, "{}", json!({"relied_on": relied_on, "verdict": word, "seen": seen})),
            false => writeln!(out, "{word:<9}  {relied_on}\n           {seen}"),
        };
        if result.is_err() {
            break;
        }
    }
    scratch.clear().await?;
    result?;
    match not_kept {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!("{not_kept} of {} are not kept here", PROBES.len()))),
    }
}

/// What S3 answered.
fn short(error: &S3Error) -> String {
    match (error.status, &error.code) {
        (Some(status), Some(code)) => format!("{} answered {status} {code}", error.operation),
        (Some(status), None) => format!("{} answered {status}", error.operation),
        (None, _) => error.to_string(),
    }
}

type Probe = for<'s> fn(&'s Scratch) -> LocalBoxFuture<'s, Result<Verdict, S3Error>>;

/// A probe as an entry of a table.
macro_rules! probe {
    ($probe:path) => {
        |scratch| Box::pin($probe(scratch))
    };
}
use probe;
