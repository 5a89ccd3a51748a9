//! What there is below a prefix: the data objects and unloads that jobs are made of.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::FutureExt;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use globset::{Glob, GlobSet, GlobSetBuilder};
use unload_header::error::Error;
use unload_header::header::membership::read_manifest;
use unload_header::job::{Demand, demands_of, demands_of_unload};
use unload_header::receipt::{Outcome, Receipt};
use unload_header::s3::{ListedObject, S3};
use unload_header::settings::{Output, Settings};
use unload_header::unload::manifest::Entry;
use unload_header::unload::name::{Name, Number, readings};
use unload_header::unload::{Role, Unload};
use unload_header::uri::Uri;

use crate::arguments::Selection;

/// What jobs are made of.
pub enum Unit {
    /// A data object, or a manifest.
    Object(Uri),
    /// The slices of an unload without a manifest.
    Found(Unload),
    /// Nothing, for the reason that the receipt gives.
    Left(Receipt),
}

/// Which keys are meant.
pub struct Globs {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Globs {
    pub fn new(selection: &Selection) -> Result<Globs, globset::Error> {
        let set = |globs: &[String]| {
            let mut set = GlobSetBuilder::new();
            for glob in globs {
                set.add(Glob::new(glob)?);
            }
            set.build()
        };
        let include = Some(&selection.include).filter(|globs| !globs.is_empty()).map(|globs| set(globs));
        Ok(Globs { include: include.transpose()?, exclude: set(&selection.exclude)? })
    }

    fn take(&self, key: &str) -> bool {
        self.include.as_ref().is_none_or(|set| set.is_match(key)) && !self.exclude.is_match(key)
    }
}

impl Unit {
    pub async fn demands(self, settings: &Settings, s3: &S3) -> Result<Vec<Demand>, Error> {
        match self {
            Unit::Object(uri) => demands_of(settings, s3, &uri).await,
            Unit::Found(unload) => demands_of_unload(settings, unload),
            Unit::Left(receipt) => Ok(vec![Demand::Idle(receipt)]),
        }
    }
}

/// All units below a prefix. If manifests decide what becomes of the data objects that they list, all keys are listed
/// before the first unit comes; else a page at a time.
pub fn units<'a>(
    settings: &'a Settings,
    s3: &'a S3,
    place: &'a Uri,
    globs: &'a Globs,
) -> BoxStream<'a, Result<Unit, Error>> {
    let pages = stream::try_unfold(Some(None), move |token: Option<Option<String>>| async move {
        let Some(token) = token else { return Ok(None) };
        let page = s3.list_page(&place.bucket, &place.key, token).await?;
        Ok::<_, Error>(Some((page.objects, page.next.map(Some))))
    });
    let objects: BoxStream<'a, Result<ListedObject, Error>> =
        pages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten().boxed();
    let by_manifest = settings.output == Output::Single || settings.final_manifest || settings.options.verbose_manifest;
    if !by_manifest {
        let taken = objects.try_filter(|object| {
            let is_taken = Role::of(&object.key) == Role::Data && globs.take(&object.key);
            std::future::ready(is_taken)
        });
        return taken.map_ok(|object| Unit::Object(place.sibling(object.key))).boxed();
    }
    let all = async move {
        let objects: Vec<ListedObject> = objects.try_collect().await?;
        grouped(settings, s3, place, globs, objects).await
    };
    stream::once(all.boxed()).map_ok(|units: Vec<Unit>| stream::iter(units.into_iter().map(Ok))).try_flatten().boxed()
}

/// The units of objects of which a manifest may list some.
async fn grouped(
    settings: &Settings,
    s3: &S3,
    place: &Uri,
    globs: &Globs,
    objects: Vec<ListedObject>,
) -> Result<Vec<Unit>, Error> {
    let (mut units, mut data, mut listed, mut prefixes) = (Vec::new(), Vec::new(), HashSet::new(), HashSet::new());
    let single = settings.output == Output::Single;
    for object in objects {
        let manifest = match Role::of(&object.key) {
            Role::DirectoryMarker | Role::Sidecar => continue,
            Role::Data => None,
            Role::Manifest => match read_manifest(s3, &place.sibling(&object.key)).await {
                Ok(found) => found,
                // Its own job tells what is wrong with it.
                Err(_) => {
                    let prefix = object.key.strip_suffix("manifest").unwrap_or_default();
                    Some(Unload::found(&place.bucket, prefix, Vec::new()))
                }
            },
        };
        let Some(unload) = manifest else {
            data.push(object);
            continue;
        };
        let keys = unload.all_entries().filter(|entry| entry.uri.bucket == place.bucket);
        listed.extend(keys.map(|entry| entry.uri.key.clone()));
        prefixes.insert(unload.prefix().to_owned());
        if globs.take(if single { unload.prefix() } else { &object.key }) {
            units.push(Unit::Object(place.sibling(object.key)));
        }
    }
    data.retain(|object| !listed.contains(&object.key));
    if single {
        units.extend(found(settings, s3, place, globs, (data, &prefixes)).await?);
    } else {
        data.retain(|object| globs.take(&object.key));
        units.extend(data.into_iter().map(|object| Unit::Object(place.sibling(object.key))));
    }
    Ok(units)
}

/// The unloads without a manifest, of data objects that no manifest lists. `prefixes` are those of the unloads that have
/// one.
async fn found(
    settings: &Settings,
    s3: &S3,
    place: &Uri,
    globs: &Globs,
    (data, prefixes): (Vec<ListedObject>, &HashSet<String>),
) -> Result<Vec<Unit>, Error> {
    let (mut units, mut known) = (Vec::new(), HashMap::new());
    let mut slices: BTreeMap<String, Vec<ListedObject>> = BTreeMap::new();
    for object in data {
        let names = readings(&object.key);
        let uri = place.sibling(&object.key);
        let is_of_manifest = |name: &&Name<'_>| name.number != Number::None && prefixes.contains(name.unload_prefix);
        let name = match names.iter().find(is_of_manifest) {
            Some(name) => name.clone(),
            None => named(settings, s3, place, &names, &mut known).await?,
        };
        if prefixes.contains(name.unload_prefix) {
            units.push(left(&uri, format!("{}, of its unload, does not list it", place.sibling(name.manifest()))));
            continue;
        }
        // Whoever names a folder below UNLOAD_PREFIX means all that is in it.
        let is_meant = name.unload_prefix == place.key && place.key != settings.unload_prefix;
        if name.number == Number::None && !is_meant {
            let folder = place.sibling(name.unload_prefix);
            let why = format!("UNLOAD did not choose its name; name {folder} to put together all that is in it");
            units.push(left(&uri, why));
        } else {
            slices.entry(name.unload_prefix.to_owned()).or_default().push(object);
        }
    }
    let entry = |ListedObject { key, size }| {
        let uri = place.sibling(key);
        Entry { uri, size: Some(size), rows: None, mandatory: None }
    };
    units.extend(slices.into_iter().filter(|(prefix, _)| globs.take(prefix)).map(|(prefix, objects)| {
        let unload = place.sibling(prefix.as_str());
        if prefix.starts_with(&place.key) {
            Unit::Found(Unload::found(&place.bucket, &prefix, objects.into_iter().map(entry).collect()))
        } else {
            left(&unload, format!("it may have more slices than those below {place}; name {unload} itself"))
        }
    }));
    Ok(units)
}

fn left(uri: &Uri, why: String) -> Unit {
    Unit::Left(Receipt::idle(uri, Outcome::Skipped, why))
}

/// The reading of a key that a sidecar or a manifest of the whole unload confirms; else the likeliest. In the folders of
/// a partition, nothing else tells where the unload prefix ends.
async fn named<'k>(
    settings: &Settings,
    s3: &S3,
    place: &Uri,
    names: &[Name<'k>],
    known: &mut HashMap<String, bool>,
) -> Result<Name<'k>, Error> {
    for name in names.iter().filter(|name| names.len() > 1 && name.number == names[0].number) {
        let keys = name.sidecars().into_iter().chain([name.manifest()]);
        for key in keys.filter(|key| key.starts_with(&settings.unload_prefix)) {
            let is_there = match known.get(&key) {
                Some(is_there) => *is_there,
                None => s3.head(&place.sibling(&key)).await?.is_some(),
            };
            known.insert(key, is_there);
            if is_there {
                return Ok(name.clone());
            }
        }
    }
    Ok(names[0].clone())
}
