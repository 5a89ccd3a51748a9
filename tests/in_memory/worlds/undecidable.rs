//! Worlds in which what is in S3 does not tell what is right, so that the oracle would ask for the
//! impossible. They are made anew. All others are held to the letter: a wrong object is wrong, whoever guessed.
//!
//! Only folders are ever undecidable: `sales/dt=A/0000_part_00` may be of TO `sales/dt=A/`, of `sales/` and of
//! `sales`, each a legal UNLOAD. Names are not: `q1000` is no file 1000 of `q` where there is no `q999`, and a
//! folder's `.headers` is not for a name that has a reading of its own: an error is right until a manifest tells.

use super::model::{Manifest, Settings, Unload};

pub fn any(settings: &Settings, unloads: &[Unload]) -> bool {
    if unloads.iter().any(|unload| unloads.iter().any(|other| other.name != unload.name && borrows(unload, other))) {
        return true;
    }
    // A manifest starts each job there, and lists its slices.
    if settings.single {
        return false;
    }
    unloads.iter().any(|unload| keys(unload).any(|(key, listed)| undecidable(settings, unloads, unload, key, listed)))
}

/// Whether a sidecar of `other` is at one of the two places where that of a partitioned unload may be, while its own
/// is missing: `q.headers` may be that of TO `q`, with PARTITION BY or without, and of nothing else in sight.
fn borrows(unload: &Unload, other: &Unload) -> bool {
    let lacks = unload.sidecar.is_none_or(|sidecar| !sidecar.early);
    let root = unload.root();
    let places = [format!("{root}.headers"), format!("{}.headers", root.trim_end_matches('/'))];
    lacks && unload.partition.is_some() && other.sidecar_key().is_some_and(|key| places.contains(&key))
}

/// The objects of an unload, and whether its newest manifest lists them in the end.
fn keys(unload: &Unload) -> impl Iterator<Item = (&str, bool)> {
    let newest = unload.runs.last().unwrap();
    let told = unload.manifest != Manifest::None;
    let listed = move |key: &str| told && newest.complete && newest.slices.iter().any(|slice| slice.key == key);
    unload.runs.iter().flat_map(|run| &run.slices).map(move |slice| (slice.key.as_str(), listed(&slice.key)))
}

fn undecidable(settings: &Settings, unloads: &[Unload], of: &Unload, key: &str, listed: bool) -> bool {
    let mut others =
        unloads.iter().filter(|it| it.name != of.name && it.sidecar.is_some() && reads(it, key)).peekable();
    if others.peek().is_none() {
        return false;
    }
    // Its manifest sets right what was guessed before it came, if the unload has columns and the rows are still there.
    let has_columns = of.sidecar.is_some() || of.manifest == Manifest::Verbose;
    if listed && has_columns && !settings.delete {
        return false;
    }
    // The nearest folder comes first; of two that are as near, an error names both.
    let depth = |unload: &Unload| unload.root().trim_end_matches('/').len();
    let nearer = |it: &Unload| depth(it) < depth(of);
    let Some(sidecar) = of.sidecar else { return true };
    match (sidecar.early, settings.delete) {
        (true, _) => !others.all(|it| nearer(it) || depth(it) == depth(of)),
        (false, true) => true,
        (false, false) => !others.all(nearer),
    }
}

/// Whether a key could have been written by an UNLOAD to this prefix, as far as folders tell: the prefix, or
/// the prefix and a slash, then partition folders only.
fn reads(unload: &Unload, key: &str) -> bool {
    let Some(rest) = key.strip_prefix(&unload.to) else { return false };
    let (folders, _) = rest.rsplit_once('/').unwrap_or(("", rest));
    let in_folder = unload.to.ends_with('/') && !rest.contains('/');
    let folders = folders.strip_prefix('/').unwrap_or(folders);
    let at_folder = unload.to.ends_with('/') || rest.starts_with('/');
    in_folder || at_folder && !folders.is_empty() && folders.split('/').all(|folder| folder.contains('='))
}
