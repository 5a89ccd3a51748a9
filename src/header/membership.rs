//! Which unload a data object belongs to.
//!
//! A manifest that lists the object decides. Where none does, and the key has several readings, those count that
//! the objects beside it bear out. See [`crate::unload::name`] for the readings.

use crate::copy::seal::{Owner, Seal};
use crate::error::Error;
use crate::s3::{Head, S3};
use crate::settings::{Output, Settings};
use crate::unload::name::{Evidence, Name, Number, readings};
use crate::unload::{Unload, manifest};
use crate::uri::Uri;

/// The readings of a data object's key that are below UNLOAD_PREFIX, where the function may look.
pub struct Readings<'k> {
    /// Those in which UNLOAD has counted the object.
    pub counted: Vec<Name<'k>>,
    /// Those in which the object's name is somebody else's, and its folder stands for the unload.
    pub folders: Vec<Name<'k>>,
}

/// What the manifests of several readings say of an object.
#[derive(Default)]
pub struct Listed {
    /// Those that list it as it is now.
    pub now: Vec<Unload>,
    /// The unload prefixes of those that list another version of it.
    pub before: Vec<String>,
    /// The manifests that say nothing of it, and why.
    pub looked: Vec<String>,
}

impl<'k> Readings<'k> {
    pub fn of(key: &'k str, settings: &Settings) -> Readings<'k> {
        let below = |name: &Name<'_>| name.manifest().starts_with(&settings.unload_prefix);
        let names = readings(key).into_iter().filter(below);
        let (mut counted, folders): (Vec<_>, Vec<_>) = names.partition(|name| name.number != Number::None);
        // The same unload by another extension.
        let mut seen = Vec::new();
        counted.retain(|name: &Name<'_>| {
            let is_new = !seen.contains(&(name.unload_prefix, name.evidence.clone()));
            seen.push((name.unload_prefix, name.evidence.clone()));
            is_new
        });
        Readings { counted, folders }
    }
}

/// Reads a manifest; `None` where there is none, or another object of that name.
pub async fn unload(s3: &S3, uri: &Uri) -> Result<Option<Unload>, Error> {
    let found = s3.get_small(uri, manifest::MAX_BYTES).await?.filter(|found| manifest::is_one(&found.bytes));
    let Some(found) = found else { return Ok(None) };
    let unload = Unload::parse(uri, found.etag, found.modified, &found.bytes);
    unload.map(Some).map_err(|source| Error::Manifest { uri: uri.clone(), source })
}

/// Asks the manifest of each reading whether it lists the object.
pub async fn listed(s3: &S3, source: &Head, names: &[Name<'_>]) -> Result<Listed, Error> {
    let uri = &source.object.uri;
    let mut listed = Listed::default();
    let mut manifests: Vec<Uri> = Vec::new();
    for manifest in names.iter().map(|name| uri.sibling(name.manifest())) {
        if manifests.contains(&manifest) {
            continue;
        }
        manifests.push(manifest.clone());
        let Some(unload) = unload(s3, &manifest).await? else {
            listed.looked.push(format!("{manifest} (no such manifest)"));
            continue;
        };
        match misfit(&unload, source) {
            None => listed.now.push(unload),
            Some(why) => {
                let is_listed = unload.entry(&uri.key).is_some();
                listed.before.extend(is_listed.then(|| unload.prefix().to_owned()));
                listed.looked.push(format!("{manifest} ({why})"));
            }
        }
    }
    Ok(listed)
}

/// Why a manifest does not speak for an object as it is now, if it does not: one that stood there before a new
/// UNLOAD with other columns has nothing to say of the new objects.
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

/// Whether the objects beside an object bear a reading of its key out. With DELETE_SOURCE the final object stands
/// for one that is gone.
pub async fn is_borne_out(settings: &Settings, s3: &S3, source: &Uri, name: &Name<'_>) -> Result<bool, Error> {
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
    let owner = Owner::new(&sibling, "");
    for target in settings.final_uris(&sibling, (readings(&sibling.key)[0].unload_prefix, ""))? {
        let seal = s3.head(&target).await?.as_ref().and_then(Seal::on);
        if seal.is_some_and(|seal| seal.owner.as_ref() == Some(&owner)) {
            return Ok(true);
        }
    }
    Ok(false)
}
