//! `unload-header doctor`: whether a store keeps what the promises rely on, tried with objects of the doctor's own.

mod probes;
mod scratch;

use std::io::{Write, stdout};

use serde_json::json;
use unload_header::s3::{Precondition, S3, S3Error};

use self::probes::PROBES;
use self::scratch::Scratch;
use crate::arguments::Doctor;
use crate::failure::Failure;
use crate::stop::asked_to_stop;

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

/// Tries all, and takes away whatever was written for it, also if it is stopped.
pub async fn run(doctor: Doctor) -> Result<(), Failure> {
    let scratch = Scratch::new(S3::from_env().await, &doctor.place, doctor.kms_key_id);
    // Without a bucket, credentials or permissions, nothing is known of the store.
    scratch.put(&scratch.uri("anything"), "anything", &Precondition::None).await?;
    let result = tokio::select! {
        result = tell_all(&scratch, doctor.json) => result,
        () = asked_to_stop() => Err(Failure::Stopped(format!("stopped; {} is empty again", scratch.folder))),
    };
    tokio::select! {
        cleared = scratch.clear() => cleared.map_err(|error| {
            Failure::Failed(format!("what is in {} could not be deleted again: {error}", scratch.folder))
        })?,
        () = asked_to_stop() => {
            return Err(Failure::Stopped(format!("stopped at once; something may be left in {}", scratch.folder)));
        }
    }
    result
}

async fn tell_all(scratch: &Scratch, is_json: bool) -> Result<(), Failure> {
    let (mut out, mut verdicts) = (stdout(), Vec::new());
    for (relied_on, probe) in PROBES {
        let verdict = probe(scratch).await.unwrap_or_else(|error| Verdict::NotKept(short(&error)));
        let (word, seen) = verdict.parts();
        verdicts.push((word, relied_on));
        match is_json {
            true => writeln!(out, "{}", json!({"relied_on": relied_on, "verdict": word, "seen": seen}))?,
            false => writeln!(out, "{word:<9}  {relied_on}\n           {seen}")?,
        }
    }
    if !is_json {
        write!(out, "{}", table(&verdicts))?;
    }
    match verdicts.iter().filter(|(word, _)| *word == "not kept").count() {
        0 => Ok(()),
        not_kept => Err(Failure::Failed(format!("{not_kept} of {} are not kept here", PROBES.len()))),
    }
}

/// All once more, by what became of them.
fn table(verdicts: &[(&str, &str)]) -> String {
    let mut table = String::new();
    for of in ["kept", "not kept", "not tried"] {
        let such: Vec<&str> =
            verdicts.iter().filter(|(word, _)| *word == of).map(|(_, relied_on)| *relied_on).collect();
        if !such.is_empty() {
            table += &format!("\n{of} here: {}\n  {}\n", such.len(), such.join("\n  "));
        }
    }
    table
}

/// What S3 answered.
fn short(error: &S3Error) -> String {
    match (error.status, &error.code) {
        (Some(status), Some(code)) => format!("{} answered {status} {code}", error.operation),
        (Some(status), None) if error.message.is_empty() => format!("{} answered {status}", error.operation),
        (Some(_), None) => format!("{}: {}", error.operation, error.message),
        (None, _) => error.to_string(),
    }
}
