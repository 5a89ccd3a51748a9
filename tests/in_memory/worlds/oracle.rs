//! What is right at the end of a world, by the contract and by who wrote what, and what is not as it should be.
//! It knows nothing of how the function finds it.
//!
//! Decisions, where a reader of S3 can't know better:
//!
//! * A sidecar that the app wrote for a second UNLOAD is used for slices of the first that are not overwritten
//!   (yet): for these either run's names are right; and if it names the partition columns, as many of those as make
//!   up the number of fields that the rows have.
//! * Slices and partitions that a second UNLOAD no longer writes may keep their final object; it need not be
//!   there. With `single` their rows are superseded with the object that held them.
//! * While a second UNLOAD is half-way (for ever, in a world that ends so), nothing is due of what it began to
//!   overwrite: the first one's final objects may be there or absent.
//! * Two unloads with the same final key: one of them has its final object, and the other an error.

use std::collections::BTreeMap;

use super::final_manifests;
use super::model::{BUCKET, Manifest, Model, Settings, Unload};

/// What one job may leave at its final key.
#[derive(Debug)]
pub struct Claim {
    pub unload: char,
    pub target: String,
    /// Any of these is right.
    pub right: Vec<String>,
    /// What was right before.
    pub older: Vec<String>,
    /// Whether it has to be there.
    pub due: bool,
    pub sources: Vec<String>,
    pub manifest: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Wrong,
    Absent,
    Lost,
    Changed,
}

#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub text: String,
    /// Keys that it is about.
    pub about: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Verdict {
    pub failures: Vec<Failure>,
    /// Final objects that have to be there, those that are, and those whose absence an error explains.
    pub due: usize,
    pub right: usize,
    pub explained: Vec<String>,
}

/// A bucket's keys with their content.
pub type Bucket = BTreeMap<String, String>;

pub fn claims(model: &Model) -> Vec<Claim> {
    let of = |unload: &Unload| if model.settings.single { merged(unload) } else { each(unload) };
    model.unloads.iter().flat_map(of).collect()
}

fn each(unload: &Unload) -> Vec<Claim> {
    let last = unload.runs.len() - 1;
    let complete = unload.runs[last].complete;
    let mut keys: Vec<&str> = unload.runs.iter().flat_map(|run| &run.slices).map(|it| it.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    let claim = |key: &str| {
        let rows = |run: usize| unload.runs[run].slices.iter().find(|it| it.key == key).map(|it| it.rows.as_str());
        let written = |run: usize, names: &[String]| Some(unload.header(names) + rows(run)?);
        let newest = (0..=last).rev().find(|run| rows(*run).is_some()).unwrap();
        // Which runs' names a run's rows may have got.
        let names = |run: usize| run..=if unload.sidecar.is_some() { last } else { run };
        let all = |run: usize| {
            let lists = names(run).flat_map(|names| unload.may_be_named(run, names));
            lists.filter_map(|list| written(run, &list)).collect::<Vec<_>>()
        };
        let known = unload.sidecar.is_some() || unload.manifest == Manifest::Verbose;
        let (mut right, mut older) = (Vec::new(), Vec::new());
        if known {
            right = all(newest);
            older = (0..newest).flat_map(all).collect();
        }
        if unload.own.as_deref() == Some(&format!("{key}.headers")) {
            older = std::mem::replace(&mut right, vec![unload.header(&unload.own_columns()) + rows(0).unwrap()]);
        }
        Claim {
            unload: unload.name,
            target: format!("final/{}", key.strip_prefix("unload/").unwrap()),
            due: !right.is_empty() && complete && newest == last,
            right,
            older,
            sources: vec![key.to_owned()],
            manifest: unload.manifest_key(),
        }
    };
    keys.into_iter().map(claim).collect()
}

fn merged(unload: &Unload) -> Vec<Claim> {
    if unload.manifest == Manifest::None || unload.manifest == Manifest::Plain && unload.sidecar.is_none() {
        return Vec::new();
    }
    let last = unload.runs.len() - 1;
    let complete = unload.runs[last].complete;
    let mut folders: Vec<&str> = unload.runs.iter().flat_map(|run| &run.slices).map(|it| it.folder.as_str()).collect();
    folders.sort_unstable();
    folders.dedup();
    let claim = |folder: &str| {
        let slices = |run: usize| unload.runs[run].slices.iter().filter(|it| it.folder == folder);
        let written =
            |run: usize, names: &[String]| slices(run).fold(unload.header(names), |text, slice| text + &slice.rows);
        let names = |run: usize| run..=if unload.sidecar.is_some() { last } else { run };
        let all = |run: usize| {
            let lists = names(run).flat_map(|names| unload.may_be_named(run, names));
            lists.map(|list| written(run, &list)).collect::<Vec<_>>()
        };
        let listed = |run: &usize| unload.runs[*run].complete && slices(*run).next().is_some();
        // One that only a run writes which never got its manifest.
        let newest = (0..=last).rev().find(listed)?;
        Some(Claim {
            unload: unload.name,
            target: format!("final/{}.csv", unload_name(&unload.to, folder)),
            right: all(newest),
            older: (0..newest).flat_map(all).collect(),
            due: complete && newest == last,
            sources: slices(newest).map(|slice| slice.key.clone()).collect(),
            manifest: unload.manifest_key(),
        })
    };
    folders.into_iter().filter_map(claim).collect()
}

/// `{unload}`, as the contract has it.
pub fn unload_name(to: &str, folder: &str) -> String {
    let below = to.strip_prefix("unload/").unwrap().trim_end_matches(['/', '_', '-', '.']);
    let name = if below.is_empty() { "unload" } else { below };
    match folder {
        "" => name.to_owned(),
        folder => format!("{name}/{folder}{}", name.rsplit('/').next().unwrap()),
    }
}

/// Compares what is there at the end with what should be. `errors` are those of the last delivery.
pub fn judge(model: &Model, claims: &[Claim], bucket: &Bucket, errors: &[String]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut targets: BTreeMap<&str, Vec<&Claim>> = BTreeMap::new();
    claims.iter().for_each(|claim| targets.entry(&claim.target).or_default().push(claim));
    let manifests = final_manifests::targets(model);
    let finals = bucket.iter().filter(|(key, _)| key.starts_with("final/") && !manifests.contains(*key));
    for (target, content) in finals {
        let claims = targets.get(target.as_str()).map(Vec::as_slice).unwrap_or_default();
        if !claims.iter().any(|claim| claim.may_be(content)) {
            let should = claims.iter().flat_map(|claim| &claim.right).next();
            let text = match should {
                Some(right) => format!("{target} is {content:?}, and should be {right:?}"),
                None => format!("{target} is {content:?}; nothing should be there"),
            };
            let about = claims.iter().flat_map(|claim| claim.keys()).chain([target.clone()]).collect();
            verdict.failures.push(Failure { kind: Kind::Wrong, text, about });
        }
    }
    for (target, claims) in &targets {
        let due: Vec<&&Claim> = claims.iter().filter(|claim| claim.due).collect();
        if due.is_empty() {
            continue;
        }
        verdict.due += 1;
        let content = bucket.get(*target);
        let is_right = |claim: &Claim| content.is_some_and(|content| claim.right.contains(content));
        if due.iter().any(|claim| is_right(claim)) {
            verdict.right += 1;
        } else if due.iter().all(|claim| claim.is_named(errors)) {
            verdict.explained.push((*target).to_owned());
        }
        for claim in due.iter().filter(|claim| !is_right(claim) && !claim.is_named(errors)) {
            // Said above.
            if content.is_some_and(|content| !claims.iter().any(|claim| claim.may_be(content))) {
                continue;
            }
            let right = &claim.right[0];
            let text = match content {
                None => format!("{target} of {} is not there, and should be {right:?}", claim.unload),
                Some(it) if claim.older.contains(it) => format!("{target} is still {it:?}, and should be {right:?}"),
                Some(it) => format!("{target} is another unload's, {it:?}, and nothing says so of {right:?}"),
            };
            verdict.failures.push(Failure { kind: Kind::Absent, text, about: claim.keys() });
        }
    }
    verdict.failures.extend(final_manifests::judge(model, claims, bucket, errors));
    if model.settings.delete {
        verdict.failures.extend(lost(&model.settings, &model.unloads, claims, bucket));
    }
    verdict
}

/// Rows of the latest version of each data object that are neither there nor in a right final object.
fn lost(settings: &Settings, unloads: &[Unload], claims: &[Claim], bucket: &Bucket) -> Vec<Failure> {
    let mut lost = Vec::new();
    for unload in unloads {
        let last = unload.runs.last().unwrap();
        let mut latest = BTreeMap::new();
        for run in &unload.runs {
            latest.extend(run.slices.iter().map(|slice| (&slice.key, &slice.rows)));
        }
        if settings.single && last.complete {
            latest.retain(|key, _| last.slices.iter().any(|slice| slice.key == **key));
        }
        for (key, rows) in latest {
            let kept = claims.iter().filter(|claim| claim.unload == unload.name).any(|claim| {
                bucket.get(&claim.target).is_some_and(|it| claim.may_be(it) && it.contains(rows.as_str()))
            });
            if !rows.is_empty() && bucket.get(key) != Some(rows) && !kept {
                let text = format!("{key} is deleted, and {rows:?} is in no right final object");
                let about = claims.iter().filter(|it| it.sources.contains(key)).flat_map(Claim::keys);
                lost.push(Failure { kind: Kind::Lost, text, about: about.chain([key.clone()]).collect() });
            }
        }
    }
    lost
}

impl Claim {
    fn may_be(&self, content: &String) -> bool {
        self.right.contains(content) || self.older.contains(content)
    }

    pub fn keys(&self) -> Vec<String> {
        self.sources.iter().chain(&self.manifest).chain([&self.target]).cloned().collect()
    }

    /// Whether an error names its source, its manifest or its final key.
    pub fn is_named(&self, errors: &[String]) -> bool {
        self.keys().iter().any(|key| errors.iter().any(|error| names(error, key)))
    }
}

fn names(error: &str, key: &str) -> bool {
    let uri = format!("s3://{BUCKET}/{key}");
    let ends = |rest: &str| {
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        rest.is_empty() || rest.starts_with([' ', ',', ';', ':', ')', '"', '\'', '`', '\n'])
    };
    error.match_indices(&uri).any(|(at, _)| ends(&error[at + uri.len()..]))
}
