//! What is right of the manifests of final objects, at the end of a world.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::model::{BUCKET, Model, Unload};
use super::oracle::{Bucket, Claim, Failure, Kind};

/// Where an unload's goes.
pub fn target(unload: &Unload) -> Option<String> {
    Some(format!("final/{}", unload.manifest_key()?.strip_prefix("unload/")?))
}

/// All that may be there.
pub fn targets(model: &Model) -> BTreeSet<String> {
    let unloads = model.unloads.iter().filter(|_| model.settings.final_manifest);
    unloads.filter_map(target).collect()
}

/// One that is there lists what is there, of a run that has ended. It has to be there, and list all, if all final objects
/// of the last run are right, unless an error names any of them. Nobody can tell what is right of one that two unloads
/// share.
pub fn judge(model: &Model, claims: &[Claim], bucket: &Bucket, errors: &[String]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for unload in model.unloads.iter().filter(|_| model.settings.final_manifest) {
        let Some(target) = target(unload) else { continue };
        if model.unloads.iter().filter(|it| self::target(it).as_ref() == Some(&target)).count() > 1 {
            continue;
        }
        let last = unload.runs.last().unwrap();
        let keys: BTreeSet<&str> = last.slices.iter().map(|slice| slice.key.as_str()).collect();
        let own = claims.iter().filter(|claim| claim.unload == unload.name);
        let own: Vec<&Claim> = own.filter(|it| it.sources.iter().any(|key| keys.contains(key.as_str()))).collect();
        let is_right = |claim: &&Claim| bucket.get(&claim.target).is_some_and(|it| claim.right.contains(it));
        let expected: BTreeMap<String, u64> = own
            .iter()
            .filter_map(|claim| Some((claim.target.clone(), bucket.get(&claim.target)?.len() as u64)))
            .collect();
        let is_due = last.complete && !own.is_empty() && own.iter().all(|claim| claim.due && is_right(claim));
        let about = || own.iter().flat_map(|claim| claim.keys()).chain([target.clone()]).collect::<Vec<_>>();
        let mut fail = |kind, text| failures.push(Failure { kind, text, about: about() });
        match bucket.get(&target).map(|text| listed(text)) {
            Some(_) if !unload.runs.iter().any(|run| run.complete) => {
                fail(Kind::Wrong, format!("{target} is there, and the unload has never ended"));
            }
            Some(found) if is_due && found != expected && !own.iter().any(|claim| claim.is_named(errors)) => {
                fail(Kind::Wrong, format!("{target} lists {found:?}, and should list {expected:?}"));
            }
            None if is_due && !own.iter().any(|claim| claim.is_named(errors)) => {
                fail(Kind::Absent, format!("{target} is not there, and should list {expected:?}"));
            }
            _ => (),
        }
    }
    failures
}

/// The keys that a manifest lists, with their sizes.
fn listed(text: &str) -> BTreeMap<String, u64> {
    let manifest: Value = serde_json::from_str(text).unwrap();
    let entry = |entry: &Value| {
        let key = entry["url"].as_str().unwrap().strip_prefix(&format!("s3://{BUCKET}/")).unwrap().to_owned();
        (key, entry["meta"]["content_length"].as_u64().unwrap())
    };
    manifest["entries"].as_array().unwrap().iter().map(entry).collect()
}
