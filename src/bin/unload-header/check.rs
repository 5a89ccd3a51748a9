//! `unload-header check`: what has its final object, and what has not.

use std::collections::{BTreeMap, HashSet};
use std::io::{Write, stderr, stdout};
use std::pin::pin;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::error::Error;
use unload_header::job::{AtKey, DoneUnload, Ended, Intent, Job, ManifestIntent, dry_run};
use unload_header::receipt::{Outcome, Receipt};
use unload_header::s3::{S3, SMALL_REQUESTS_AT_ONCE};
use unload_header::seal::{JobId, Seal};
use unload_header::settings::{INTERMEDIATES, Output, Settings};
use unload_header::uri::Uri;

use crate::arguments::Check;
use crate::client::{below_unload_prefix, client, settings};
use crate::failure::Failure;
use crate::show;
use crate::unit::Globs;
use crate::units::units;
use crate::work::{ByUnit, What, Work, named};

/// One thing that was looked at.
struct Finding {
    /// `done`, `missing`, `outdated`, `taken`, `waiting`, `skipped`, `failed`, `orphan`, `intermediate` or `upload`.
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
        show::line(&format!("{:<8}  {}{target}{reason}", self.state, self.uri))
    }
}

/// What is asked for, and what was seen of it.
struct Looked {
    finding: Finding,
    job: Option<Job>,
    /// Of a final object that is there.
    receipt: Option<Receipt>,
}

/// What the jobs below a place would make.
#[derive(Default)]
struct Wanted {
    targets: HashSet<Uri>,
    /// Jobs of which it is not known what they would make: they fail, or wait. A seal names a folder behind the URI.
    untold: HashSet<String>,
}

impl Wanted {
    fn add(&mut self, finding: &mut Finding) {
        match &finding.final_uri {
            Some(target) if !self.targets.insert(target.clone()) && !finding.is_done() => {
                finding.state = "taken";
                finding.reason =
                    Some("another unload is to become the same object; give them final keys of their own".to_owned());
            }
            Some(_) => (),
            None => {
                // An unload without a manifest is known by the key that its manifest would have.
                let unload = finding.uri.sibling(format!("{}manifest", finding.uri.key));
                self.untold.extend([finding.job.clone(), JobId::new(&unload, "").to_string()]);
            }
        }
    }

    /// Whether a job may be one of those of which it is not known what they would make.
    fn may_make(&self, job: &str) -> bool {
        let ends = job.match_indices(' ').map(|(at, _)| at).chain([job.len()]);
        ends.into_iter().any(|end| self.untold.contains(&job[..end]))
    }
}

pub async fn run(check: Check) -> Result<(), Failure> {
    let scope = check.scope;
    let settings = &settings(&scope.settings)?;
    let globs = &Globs::new(&scope.selection).map_err(|error| Failure::Usage(error.to_string()))?;
    let place = &below_unload_prefix(settings, &scope.place)?;
    let s3 = &client(settings).await;
    let deadline = Deadline::after(MAX_TIMEOUT * 100);
    let work = &Work::new(settings, s3, &deadline, scope.jobs);
    let asked = work.asked(units(settings, s3, place, globs), place);
    let looked = asked.map(|asked| async move { (asked.unit, asked.siblings, look(work, asked.what).await) });
    let mut looked = pin!(looked.buffer_unordered(work.jobs));
    let (mut states, mut wanted, mut unloads) = (BTreeMap::<_, u64>::new(), Wanted::default(), ByUnit::default());
    let mut is_done = true;
    let mut tell = |finding: &Finding| -> Result<(), Failure> {
        *states.entry(finding.state).or_default() += 1;
        is_done &= finding.is_done();
        let line = if scope.json { finding.json().to_string() } else { finding.text() };
        Ok(writeln!(stdout(), "{line}")?)
    };
    while let Some((unit, siblings, mut looked)) = looked.next().await {
        wanted.add(&mut looked.finding);
        tell(&looked.finding)?;
        if settings.final_manifest
            && let Some(all) = unloads.ended(unit, siblings, looked)
        {
            for mut finding in final_manifests(settings, s3, all).await {
                wanted.add(&mut finding);
                tell(&finding)?;
            }
        }
    }
    let finals = Uri::new(settings.final_bucket.as_ref().unwrap_or(&place.bucket), settings.final_key.literal());
    // Globs leave out jobs whose final objects are wanted all the same.
    if scope.selection.is_all() {
        for finding in orphans(settings, s3, place, &finals, &wanted).await? {
            tell(&finding)?;
        }
    }
    let is_all = scope.selection.is_all() && place.key == settings.unload_prefix;
    let mut uploads = s3.uploads_below(&finals).await?;
    uploads.retain(|upload| is_all || wanted.targets.contains(&upload.target));
    if settings.output == Output::Single && is_all {
        let intermediates = finals.sibling(INTERMEDIATES);
        for object in s3.list(&intermediates.bucket, INTERMEDIATES).await? {
            tell(&intermediate(s3, finals.sibling(object.key)).await?)?;
        }
        uploads.retain(|upload| !upload.target.key.starts_with(INTERMEDIATES));
        uploads.extend(s3.uploads_below(&intermediates).await?);
    }
    for upload in uploads {
        let reason = "a run that was stopped has left it, or one is under way".to_owned();
        tell(&Finding::new("upload", &upload.target, reason))?;
    }
    let states: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    writeln!(stderr(), "{}", if states.is_empty() { "nothing is there".to_owned() } else { states.join(", ") })?;
    match is_done {
        true => Ok(()),
        false => Err(Failure::Named),
    }
}

async fn look(work: &Work<'_>, what: What) -> Looked {
    match what {
        What::Failed(uri, error) => {
            let finding = Finding::new("failed", &uri, format!("{}: {error}", error.kind()));
            Looked { finding, job: None, receipt: None }
        }
        What::Idle(receipt, _) => {
            let uri = receipt.sources.first().and_then(|uri| Uri::parse(uri)).unwrap_or(Uri::new("", ""));
            let finding = Finding::new(receipt.outcome.name(), &uri, receipt.reason.clone());
            Looked { finding, job: None, receipt: Some(receipt) }
        }
        What::Job(job, _) => {
            let intent = work.with(&job, async |s3| dry_run(work.settings, s3, &job, work.deadline).await).await;
            let (finding, receipt) = of_job(&job, intent);
            let finding = Finding { job: JobId::new(job.uri(), job.folder()).to_string(), ..finding };
            Looked { finding, job: Some(job), receipt }
        }
    }
}

fn of_job(job: &Job, intent: Result<Intent, Error>) -> (Finding, Option<Receipt>) {
    let uri = &named(job);
    match intent {
        Err(error) => (of_error(uri, &error), None),
        Ok(Intent::Idle { receipt, .. }) => {
            let state = if receipt.outcome == Outcome::Unchanged { "done" } else { receipt.outcome.name() };
            let final_uri = receipt.final_uri.as_deref().and_then(Uri::parse);
            (Finding { final_uri, ..Finding::new(state, uri, receipt.reason.clone()) }, Some(receipt))
        }
        Ok(Intent::Write(object)) => (of_undone(uri, object.target, object.at_key), None),
    }
}

/// What a run puts slices together in that are more than parts.
async fn intermediate(s3: &S3, uri: Uri) -> Result<Finding, Failure> {
    let seal = s3.head(&uri).await?.as_ref().and_then(Seal::on);
    let of = seal.and_then(|seal| seal.job).map_or("a job that it does not name".to_owned(), |job| job.to_string());
    let reason = format!("slices of {of}; a run that was stopped has left it, or one is under way");
    Ok(Finding::new("intermediate", &uri, reason))
}

fn of_error(uri: &Uri, error: &Error) -> Finding {
    match error.kind().as_str() {
        "FinalKeyTaken" => Finding::new("taken", uri, error.to_string()),
        kind => Finding::new("failed", uri, format!("{kind}: {error}")),
    }
}

fn of_undone(uri: &Uri, target: Uri, at_key: AtKey) -> Finding {
    let (state, reason) = match at_key {
        AtKey::Nothing => ("missing", None),
        AtKey::Outdated => ("outdated", Some("made of other rows, columns or settings".to_owned())),
        AtKey::Unsealed => ("missing", Some("an object that unload-header did not write is at its key".to_owned())),
    };
    Finding { final_uri: Some(target), ..Finding::new(state, uri, reason) }
}

/// The manifest of the final objects of an unload, if all of these are there.
async fn final_manifests(settings: &Settings, s3: &S3, looked: Vec<Looked>) -> Vec<Finding> {
    let ended = looked
        .into_iter()
        .map(|Looked { job, receipt, .. }| Some((job, Ended { messages: Vec::new(), result: Ok(receipt?) })));
    let Some(ended) = ended.collect::<Option<Vec<_>>>() else { return Vec::new() };
    let mut findings = Vec::new();
    for unload in DoneUnload::of(&ended) {
        let manifest = unload.manifest();
        findings.push(match unload.dry_run(settings, s3).await {
            Err(error) => of_error(manifest, &error),
            Ok(ManifestIntent::Write { target, at_key }) => of_undone(manifest, target, at_key),
            Ok(ManifestIntent::Idle(receipt)) => {
                let state = if receipt.outcome == Outcome::Unchanged { "done" } else { receipt.outcome.name() };
                let final_uri = receipt.final_uri.as_deref().and_then(Uri::parse);
                Finding { final_uri, ..Finding::new(state, manifest, receipt.reason) }
            }
        });
    }
    findings
}

/// Final objects that a job below the place has made, and that no job would make now.
async fn orphans(
    settings: &Settings,
    s3: &S3,
    place: &Uri,
    finals: &Uri,
    wanted: &Wanted,
) -> Result<Vec<Finding>, Failure> {
    // Their sources were to be deleted, so that nothing tells which are still wanted.
    if settings.delete_source || finals.key.is_empty() && settings.final_bucket.is_none() {
        return Ok(Vec::new());
    }
    let objects = s3.list(&finals.bucket, &finals.key).await?;
    let others = objects.into_iter().map(|object| finals.sibling(object.key));
    let others = others.filter(|uri| !wanted.targets.contains(uri) && !uri.key.starts_with(INTERMEDIATES));
    let found = stream::iter(others).map(|uri| async move {
        let seal = s3.head(&uri).await?.as_ref().and_then(Seal::on);
        let job = seal.and_then(|seal| seal.job).map(|job| job.to_string());
        let Some(job) = job.filter(|job| job.starts_with(&place.to_string()) && !wanted.may_make(job)) else {
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
