//! `unload-header check`: what has its final object, and what has not.

use std::collections::{BTreeMap, HashSet};
use std::io::{Write, stderr, stdout};
use std::pin::pin;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::job::{AtKey, Intent, Job, Subject, dry_run};
use unload_header::receipt::Outcome;
use unload_header::s3::{S3, SMALL_REQUESTS_AT_ONCE};
use unload_header::seal::{JobId, Seal};
use unload_header::settings::Settings;
use unload_header::uri::Uri;

use crate::arguments::Check;
use crate::client::{below_unload_prefix, client, settings};
use crate::failure::Failure;
use crate::units::{Globs, units};
use crate::work::{Asked, What, Work};

/// One thing that was looked at.
struct Finding {
    /// `done`, `missing`, `outdated`, `taken`, `waiting`, `skipped`, `failed`, `orphan` or `upload`.
    state: &'static str,
    uri: Uri,
    final_uri: Option<Uri>,
    reason: Option<String>,
    /// The job that it is of, as a seal names it.
    job: String,
}

impl Finding {
    fn new(state: &'static str, uri: &Uri, reason: impl Into<Option<String>>) -> Finding {
        let job = JobId::new(uri, "").to_string();
        Finding { state, uri: uri.clone(), final_uri: None, reason: reason.into(), job }
    }

    /// Whether nothing is left to be done.
    fn is_done(&self) -> bool {
        matches!(self.state, "done" | "skipped")
    }

    fn json(&self) -> Value {
        let uri = |uri: &Uri| uri.to_string();
        let mut value = json!({"state": self.state, "uri": uri(&self.uri)});
        if let Some(target) = &self.final_uri {
            value["final"] = uri(target).into();
        }
        if let Some(reason) = &self.reason {
            value["reason"] = reason.as_str().into();
        }
        value
    }

    fn text(&self) -> String {
        let target = self.final_uri.as_ref().map(|uri| format!("  {uri}")).unwrap_or_default();
        let reason = self.reason.as_ref().map(|reason| format!("  ({reason})")).unwrap_or_default();
        format!("{:<8}  {}{target}{reason}", self.state, self.uri)
    }
}

pub async fn run(check: Check) -> Result<(), Failure> {
    let meant = check.meant;
    let settings = &settings(&meant.settings)?;
    let globs = &Globs::new(&meant.selection).map_err(|error| Failure::Usage(error.to_string()))?;
    let place = &below_unload_prefix(settings, &meant.place)?;
    let s3 = &client(settings).await;
    let deadline = Deadline::after(MAX_TIMEOUT * 100);
    let work = &Work::new(settings, s3, &deadline, meant.jobs);
    let asked = work.asked(units(settings, s3, place, globs), place);
    let found = asked.map(|asked| finding(work, asked)).buffer_unordered(work.jobs);
    let (mut found, mut states, mut targets, mut is_done) =
        (pin!(found), BTreeMap::<_, u64>::new(), HashSet::new(), true);
    let mut untold = HashSet::new();
    let mut tell = |finding: Finding| -> Result<(), Failure> {
        *states.entry(finding.state).or_default() += 1;
        is_done &= finding.is_done();
        let line = if meant.json { finding.json().to_string() } else { finding.text() };
        Ok(writeln!(stdout(), "{line}")?)
    };
    while let Some(finding) = found.next().await {
        match &finding.final_uri {
            Some(target) => drop(targets.insert(target.clone())),
            None => drop(untold.insert(finding.job.clone())),
        }
        tell(finding)?;
    }
    let finals = Uri::new(settings.final_bucket.as_ref().unwrap_or(&place.bucket), settings.final_key.literal());
    // Globs leave out jobs whose final objects are wanted all the same.
    if meant.selection.is_all() {
        for finding in orphans(settings, s3, place, &finals, (&targets, &untold)).await? {
            tell(finding)?;
        }
    }
    for upload in s3.uploads_below(&finals).await? {
        let reason = "a run that was stopped has left it, or one is under way".to_owned();
        tell(Finding::new("upload", &upload.target, reason))?;
    }
    let states: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    writeln!(stderr(), "{}", if states.is_empty() { "nothing is there".to_owned() } else { states.join(", ") })?;
    match is_done {
        true => Ok(()),
        false => Err(Failure::Named),
    }
}

async fn finding(work: &Work<'_>, asked: Asked) -> Finding {
    match asked.what {
        What::Failed(uri, error) => Finding::new("failed", &uri, format!("{}: {error}", error.kind())),
        What::Idle(receipt) => {
            let uri = receipt.sources.first().and_then(|uri| Uri::parse(uri)).unwrap_or(Uri::new("", ""));
            Finding::new(receipt.outcome.name(), &uri, receipt.reason)
        }
        What::Job(job, _) => {
            let finding = work.with(&job, async |s3| of_job(work.settings, s3, &job, work.deadline).await).await;
            Finding { job: JobId::new(job.uri(), job.folder()).to_string(), ..finding }
        }
    }
}

async fn of_job(settings: &Settings, s3: &S3, job: &Job, deadline: &Deadline) -> Finding {
    let uri = &match &job.subject {
        Subject::Object { uri, .. } => uri.clone(),
        Subject::Folder { unload, folder } => unload.manifest.sibling(format!("{}{folder}", unload.prefix())),
    };
    match dry_run(settings, s3, job, deadline).await {
        Err(error) if error.kind() == "FinalKeyTaken" => Finding::new("taken", uri, error.to_string()),
        Err(error) => Finding::new("failed", uri, format!("{}: {error}", error.kind())),
        Ok(Intent::Idle { receipt, .. }) => {
            let state = if receipt.outcome == Outcome::Unchanged { "done" } else { receipt.outcome.name() };
            let final_uri = receipt.final_uri.as_deref().and_then(Uri::parse);
            Finding { final_uri, ..Finding::new(state, uri, receipt.reason) }
        }
        Ok(Intent::Write(object)) => {
            let (state, reason) = match object.at_key {
                AtKey::Nothing => ("missing", None),
                AtKey::Outdated => ("outdated", Some("made of other rows, columns or settings".to_owned())),
                AtKey::Unsealed => {
                    ("missing", Some("an object that unload-header did not write is at its key".to_owned()))
                }
            };
            Finding { final_uri: Some(object.target), ..Finding::new(state, uri, reason) }
        }
    }
}

/// Final objects that a job below the place has made, and that no job would make now. `targets` are those that jobs
/// would make; what the jobs in `untold` would make is not known.
async fn orphans(
    settings: &Settings,
    s3: &S3,
    place: &Uri,
    finals: &Uri,
    (targets, untold): (&HashSet<Uri>, &HashSet<String>),
) -> Result<Vec<Finding>, Failure> {
    // Their sources were to be deleted, so that nothing tells which are still wanted.
    if settings.delete_source || finals.key.is_empty() && settings.final_bucket.is_none() {
        return Ok(Vec::new());
    }
    let keys = s3.list(&finals.bucket, &finals.key).await?;
    let others = keys.into_iter().map(|key| finals.sibling(key)).filter(|uri| !targets.contains(uri));
    let found = stream::iter(others).map(|uri| async move {
        let seal = s3.head(&uri).await?.as_ref().and_then(Seal::on);
        let job = seal.and_then(|seal| seal.job).map(|job| job.to_string());
        let Some(job) = job.filter(|job| job.starts_with(&place.to_string()) && !untold.contains(job)) else {
            return Ok(None);
        };
        // A manifest of final objects is wanted as long as the unload's own is there.
        if let Some(manifest) = job.strip_suffix(" manifest").and_then(Uri::parse)
            && s3.head(&manifest).await?.is_some()
        {
            return Ok(None);
        }
        let reason = format!("nothing below {place} asks for it any more; {job} did");
        Ok::<_, Failure>(Some(Finding::new("orphan", &uri, reason)))
    });
    let found: Vec<_> = found.buffer_unordered(SMALL_REQUESTS_AT_ONCE).try_collect().await?;
    let mut orphans: Vec<Finding> = found.into_iter().flatten().collect();
    orphans.sort_by(|one, other| one.uri.key.cmp(&other.uri.key));
    Ok(orphans)
}
