//! Where the columns of an object, or of an unload, are written down: metadata, a sidecar, the verbose
//! manifest.

use super::columns::{self, Columns, ColumnsError};
use crate::error::Error;
use crate::receipt::ColumnsFrom;
use crate::s3::{Head, Object, S3};
use crate::settings::Settings;
use crate::unload::name::{self, SIDECAR};
use crate::unload::options::Field;
use crate::unload::{Dialect, Manifest, Name, Options, manifest};
use crate::uri::Uri;

const NOT_VERBOSE: &str = "not VERBOSE, so without column names";

/// The columns, and where they were found.
#[derive(Clone, Debug)]
pub struct Found {
    pub columns: Columns,
    pub from: ColumnsFrom,
    /// For messages: `the sidecar s3://…`.
    pub place: String,
}

impl Found {
    /// A manifest may name the columns of PARTITION BY as well, which the rows lack. Those of the rows, if
    /// that makes so many.
    pub fn of_rows(&self, uri: &Uri, count: usize) -> Option<Found> {
        let partitions = name::partitions(&uri.key);
        let mut rest = self.clone();
        rest.columns.names.retain(|name| !partitions.iter().any(|partition| partition.eq_ignore_ascii_case(name)));
        (self.from == ColumnsFrom::Manifest && rest.columns.names.len() == count).then_some(rest)
    }

    /// What was said with the columns wins over UNLOAD_OPTIONS.
    pub fn options(&self, settings: &Settings) -> Result<Options, Error> {
        match &self.columns.options {
            None => Ok(settings.options.clone()),
            Some(sql) => Options::parse(sql).map_err(|source| Error::Options { place: self.place.clone(), source }),
        }
    }
}

/// Finds the columns of a data object; the first place that has any wins. `names` are the readings of
/// its key, and only places that begin with `prefix`, UNLOAD_PREFIX, are looked at: the function may
/// read no others.
pub async fn of_object(s3: &S3, head: &Head, names: &[Name<'_>], prefix: &str) -> Result<Found, Error> {
    let object = &head.object;
    let mut looked = match beside(s3, head, names.iter().map(Name::sidecar), prefix).await? {
        Ok(found) => return Ok(found),
        Err(looked) => looked,
    };
    for uri in distinct(names.iter().map(Name::manifest), &object.uri, prefix) {
        let useless = match s3.get_small(&uri, manifest::MAX_BYTES).await? {
            None => "no such key",
            Some((json, _)) => match speaks_for(&uri, &json, object)? {
                Ok(names) => return found(Columns::named(names), ColumnsFrom::Manifest, format!("the manifest {uri}")),
                Err(useless) => useless,
            },
        };
        looked.push(format!("{uri} ({useless})"));
    }
    Err(Error::NoColumns { uri: object.uri.clone(), looked: looked.join(", ") })
}

/// Finds the columns of an unload, given its first data object, its sidecars' keys, and its manifest with
/// the names that that has.
pub async fn of_unload(
    s3: &S3,
    first: &Head,
    sidecars: Vec<String>,
    prefix: &str,
    (manifest, names): (&Uri, Option<&[String]>),
) -> Result<Found, Error> {
    match (beside(s3, first, sidecars.into_iter(), prefix).await?, names) {
        (Ok(found), _) => Ok(found),
        (_, Some(names)) => {
            found(Columns::named(names.to_vec()), ColumnsFrom::Manifest, format!("the manifest {manifest}"))
        }
        (Err(looked), None) => {
            let looked = format!("{}, {manifest} ({NOT_VERBOSE})", looked.join(", "));
            Err(Error::NoColumns { uri: first.object.uri.clone(), looked })
        }
    }
}

/// The columns that were found; or, where there are none, those that FIXEDWIDTH in UNLOAD_OPTIONS names,
/// if it does not just number them.
pub fn or_of_spec(columns: Result<Found, Error>, settings: &Settings) -> Result<Found, Error> {
    match (columns, &settings.options.dialect) {
        (Err(Error::NoColumns { .. }), Dialect::FixedWidth(fields)) if fields.iter().all(Field::is_named) => {
            let names = fields.iter().map(|field| field.id.clone()).collect();
            found(Columns::named(names), ColumnsFrom::Options, "FIXEDWIDTH in UNLOAD_OPTIONS".to_owned())
        }
        (columns, _) => columns,
    }
}

/// What the object's metadata or a sidecar says; or which places say nothing.
async fn beside(
    s3: &S3,
    head: &Head,
    sidecars: impl Iterator<Item = String>,
    prefix: &str,
) -> Result<Result<Found, Vec<String>>, Error> {
    let object = &head.object;
    if let Some(value) = head.attributes.metadata.get("headers") {
        let place = "the metadata x-amz-meta-headers".to_owned();
        return Ok(Ok(found(Columns::of_metadata(value), ColumnsFrom::Metadata, place)?));
    }
    let mut looked = vec!["the metadata x-amz-meta-headers (not set)".to_owned()];
    let own = format!("{}{SIDECAR}", object.uri.key);
    for uri in distinct(std::iter::once(own).chain(sidecars), &object.uri, prefix) {
        if let Some((text, _)) = s3.get_small(&uri, columns::MAX_BYTES).await? {
            return Ok(Ok(found(Columns::parse(&text), ColumnsFrom::Sidecar, format!("the sidecar {uri}"))?));
        }
        looked.push(format!("{uri} (no such key)"));
    }
    Ok(Err(looked))
}

/// The columns that a manifest has for an object, or why it has none: one that stood there before a
/// new UNLOAD with other columns must not speak for the new objects.
fn speaks_for(uri: &Uri, json: &[u8], object: &Object) -> Result<Result<Vec<String>, &'static str>, Error> {
    let manifest = Manifest::parse(json).map_err(|source| Error::Manifest { uri: uri.clone(), source })?;
    let Some(names) = manifest.columns else { return Ok(Err(NOT_VERBOSE)) };
    let entry = manifest.entries.iter().find(|entry| entry.uri == object.uri);
    Ok(match entry {
        None => Err("does not list the object"),
        Some(entry) if entry.size.is_some_and(|size| size != object.size) => Err("lists the object with another size"),
        Some(_) => Ok(names),
    })
}

fn found(columns: Result<Columns, ColumnsError>, from: ColumnsFrom, place: String) -> Result<Found, Error> {
    match columns {
        Ok(columns) => Ok(Found { columns, from, place }),
        Err(source) => Err(Error::Columns { place, source }),
    }
}

fn distinct(keys: impl Iterator<Item = String>, object: &Uri, prefix: &str) -> Vec<Uri> {
    let mut uris: Vec<Uri> = Vec::new();
    for uri in keys.filter(|key| key.starts_with(prefix)).map(|key| object.sibling(key)) {
        if !uris.contains(&uri) {
            uris.push(uri);
        }
    }
    uris
}
