//! What there is below a prefix: the data objects and unloads that jobs are made of.

use std::collections::HashSet;

use futures_util::stream::{self, LocalBoxStream, StreamExt, TryStreamExt};
use unload_header::error::Error;
use unload_header::header::HeaderError;
use unload_header::header::membership::read_manifest;
use unload_header::s3::{ListedObject, S3};
use unload_header::settings::{Output, Settings};
use unload_header::unload::{Role, Unload};
use unload_header::uri::Uri;

use crate::found::{self, Found};
use crate::unit::{Globs, Unit};

/// How many manifests are read at the same time. Each may take 32 MiB.
const MANIFESTS_AT_ONCE: usize = 4;

/// All units below a prefix. If manifests decide what becomes of the data objects that they list, all keys are listed
/// before the first unit comes; else a page at a time.
pub fn units<'a>(
    settings: &'a Settings,
    s3: &'a S3,
    place: &'a Uri,
    globs: &'a Globs,
) -> LocalBoxStream<'a, Result<Unit, Error>> {
    let pages = stream::try_unfold(Some(None), move |token: Option<Option<String>>| async move {
        let Some(token) = token else { return Ok(None) };
        let page = s3.list_page(&place.bucket, &place.key, token).await?;
        Ok::<_, Error>(Some((page.objects, page.next.map(Some))))
    });
    let objects = pages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten();
    let by_manifest = settings.output == Output::Single || settings.final_manifest || settings.options.verbose_manifest;
    if !by_manifest {
        let taken = objects.try_filter(|object: &ListedObject| std::future::ready(globs.take(&object.key)));
        let data = taken.try_filter_map(async |object| {
            let ListedObject { key, seen, .. } = object;
            let uri = place.sibling(key);
            let is_data = match Role::of(&uri.key) {
                Role::Data => true,
                // Any object may have a manifest's name. What can't be read is told by its own job.
                Role::Manifest => matches!(read_manifest(s3, &uri).await, Ok(None) | Err(HeaderError::S3(_))),
                Role::Sidecar | Role::DirectoryMarker => false,
            };
            Ok(is_data.then_some(Unit::Object(uri, Some(seen))))
        });
        return data.boxed_local();
    }
    let all = async move {
        let objects: Vec<ListedObject> = objects.try_collect().await?;
        grouped(settings, s3, place, globs, objects).await
    };
    stream::once(all).map_ok(|units| stream::iter(units.into_iter().map(Ok))).try_flatten().boxed_local()
}

/// The units of objects of which a manifest may list some.
async fn grouped(
    settings: &Settings,
    s3: &S3,
    place: &Uri,
    globs: &Globs,
    objects: Vec<ListedObject>,
) -> Result<Vec<Unit>, Error> {
    let manifests = objects.iter().filter(|object| Role::of(&object.key) == Role::Manifest).map(|object| async move {
        let read = read_manifest(s3, &place.sibling(&object.key)).await;
        // What is wrong with it, its own job tells.
        read.unwrap_or_else(|_| {
            let prefix = object.key.strip_suffix("manifest").unwrap_or_default();
            Some(Unload::found(&place.bucket, prefix, Vec::new()))
        })
    });
    let manifests: Vec<Option<Unload>> = stream::iter(manifests).buffered(MANIFESTS_AT_ONCE).collect().await;
    let unloads: Vec<Unload> = manifests.into_iter().flatten().collect();
    let manifests: HashSet<&str> = unloads.iter().map(|unload| unload.manifest.key.as_str()).collect();
    let is_data = |object: &&ListedObject| match Role::of(&object.key) {
        Role::Data => true,
        Role::Manifest => !manifests.contains(object.key.as_str()),
        Role::Sidecar | Role::DirectoryMarker => false,
    };
    let data: Vec<&ListedObject> = objects.iter().filter(is_data).collect();
    let (mut units, mut listed) = (Vec::new(), HashSet::new());
    let single = settings.output == Output::Single;
    for unload in &unloads {
        let entries = unload.all_entries().map(|entry| &entry.uri).filter(|uri| uri.bucket == place.bucket);
        let keys: Vec<&str> = entries.map(|uri| uri.key.as_str()).collect();
        let manifest = unload.manifest.clone();
        if single {
            units.extend(globs.take(unload.prefix()).then_some(Unit::Object(manifest, None)));
            listed.extend(keys);
        // Of an unload that globs leave a part of, each data object is by itself.
        } else if keys.iter().all(|key| globs.take(key)) && !globs.exclude.is_match(&manifest.key) {
            let is_there: HashSet<&str> = keys.iter().copied().collect();
            let objects = data.iter().filter(|object| is_there.contains(object.key.as_str()));
            let objects = objects.map(|object| (place.sibling(&object.key), object.seen.clone()));
            units.push(Unit::Listed { manifest, objects: objects.collect() });
            listed.extend(keys);
        }
    }
    let others = data.into_iter().filter(|object| !listed.contains(object.key.as_str()));
    if single {
        let prefixes = unloads.iter().map(Unload::prefix).collect();
        let found = Found { all: &objects, data: others.collect(), prefixes };
        units.extend(found::units_of(settings, s3, place, globs, found).await?);
    } else {
        let taken = others.filter(|object| globs.take(&object.key));
        units.extend(taken.map(|object| Unit::Object(place.sibling(&object.key), Some(object.seen.clone()))));
    }
    Ok(units)
}
