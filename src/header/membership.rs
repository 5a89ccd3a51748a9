//! Which unload a data object belongs to.
//!
//! If a manifest lists the object, it belongs to that manifest's unload. Otherwise each reading of its key counts for
//! which there is evidence among the objects beside it. See [`crate::unload::name`] for readings and evidence.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};

use super::HeaderError;
use crate::s3::{Head, S3, SMALL_REQUESTS_AT_ONCE};
use crate::seal::{JobId, Seal};
use crate::settings::{Output, Settings};
use crate::unload::name::{Evidence, Name, Number, readings};
use crate::unload::{Unload, manifest};
use crate::uri::Uri;

/// The readings of a data object's key whose unload prefix is below UNLOAD_PREFIX: the function may read nothing else.
pub struct Readings<'k> {
    /// Those in which the object's name ends in UNLOAD's own numbers.
    pub counted: Vec<Name<'k>>,
    /// Those in which the name is not UNLOAD's. Its folder is taken for the unload prefix.
    pub folders: Vec<Name<'k>>,
}

/// What the manifests of several readings say of an object.
#[derive(Default)]
pub struct Listings {
    /// The manifests that list the object as it is now.
    pub current: Vec<Unload>,
    /// The unload prefixes of manifests that list another version of the object.
    pub outdated: Vec<String>,
    /// For messages: the manifests that do not list it as it is now, and why.
    pub looked: Vec<String>,
}

impl<'k> Readings<'k> {
    pub fn of(key: &'k str, settings: &Settings) -> Readings<'k> {
        let below = |name: &Name<'_>| name.manifest().starts_with(&settings.unload_prefix);
        let names = readings(key).into_iter().filter(below);
        let (mut counted, folders): (Vec<_>, Vec<_>) = names.partition(|name| name.number != Number::None);
        // A name with several extensions has several readings of the same unload.
        let mut seen = Vec::new();
        counted.retain(|name: &Name<'_>| {
            let is_new = !seen.contains(&(name.unload_prefix, name.evidence.clone()));
            seen.push((name.unload_prefix, name.evidence.clone()));
            is_new
        });
        Readings { counted, folders }
    }
}

/// Reads a manifest; `None` if there is no such object, or it is no manifest.
pub async fn read_manifest(s3: &S3, uri: &Uri) -> Result<Option<Unload>, HeaderError> {
    let found = s3.get_small(uri, manifest::MAX_BYTES).await?.filter(|found| manifest::is_one(&found.bytes));
    let Some(found) = found else { return Ok(None) };
    let unload = Unload::parse(uri, found.etag, found.modified, &found.bytes);
    unload.map(Some).map_err(|source| HeaderError::InvalidManifest { uri: uri.clone(), source })
}

/// Reads the manifest of each reading and looks for the object in it.
pub async fn listings(s3: &S3, source: &Head, names: &[Name<'_>]) -> Result<Listings, HeaderError> {
    let uri = &source.object.uri;
    let mut listings = Listings::default();
    let mut seen = HashSet::new();
    let manifests = names.iter().map(|name| uri.sibling(name.manifest()));
    let manifests: Vec<Uri> = manifests.filter(|manifest| seen.insert(manifest.clone())).collect();
    let reads = stream::iter(&manifests).map(|manifest| read_manifest(s3, manifest));
    let mut reads = reads.buffered(SMALL_REQUESTS_AT_ONCE).zip(stream::iter(&manifests));
    while let Some((unload, manifest)) = reads.next().await {
        let Some(unload) = unload? else {
            listings.looked.push(format!("{manifest} (no such manifest)"));
            continue;
        };
        match misfit(&unload, source) {
            None => listings.current.push(unload),
            Some(why) => {
                let is_listed = unload.entry(&uri.key).is_some();
                listings.outdated.extend(is_listed.then(|| unload.prefix().to_owned()));
                listings.looked.push(format!("{manifest} ({why})"));
            }
        }
    }
    Ok(listings)
}

/// Why a manifest does not list an object as it is now, if it does not. It may be the manifest of an earlier UNLOAD to
/// the same prefix, whose columns may be others.
pub fn misfit(unload: &Unload, source: &Head) -> Option<&'static str> {
    match unload.entry(&source.object.uri.key) {
        None => Some("does not list the object"),
        Some(entry) if entry.size.is_some_and(|size| size != source.object.size) => {
            Some("lists the object with another size")
        }
        Some(_) if unload.is_before(source.modified) => Some("lists the object, which was written after it"),
        Some(_) => None,
    }
}

/// Whether there is evidence for a reading of an object's key. With DELETE_SOURCE, the object that would be the evidence
/// may have been deleted, and its final object serves instead.
pub async fn has_evidence(settings: &Settings, s3: &S3, source: &Uri, name: &Name<'_>) -> Result<bool, HeaderError> {
    let sibling = match &name.evidence {
        Evidence::Itself => return Ok(true),
        Evidence::Listed => return Ok(false),
        Evidence::Sibling(key) => source.sibling(key),
    };
    if s3.head(&sibling).await?.is_some() {
        return Ok(true);
    }
    if !settings.delete_source || settings.output == Output::Single {
        return Ok(false);
    }
    let job = JobId::new(&sibling, "");
    for target in settings.final_uris(&sibling, (readings(&sibling.key)[0].unload_prefix, ""))? {
        let seal = s3.head(&target).await?.as_ref().and_then(Seal::on);
        if seal.is_some_and(|seal| seal.job.as_ref() == Some(&job)) {
            return Ok(true);
        }
    }
    Ok(false)
}
