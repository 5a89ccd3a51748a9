//! Where the columns of a data object are written down: its metadata, a sidecar, the verbose manifest.

use super::columns::{self, Columns, ColumnsError};
use crate::error::Error;
use crate::receipt::ColumnsFrom;
use crate::s3::{Object, S3};
use crate::unload::{Manifest, Name, manifest};
use crate::uri::Uri;

/// The columns, and where they were found.
#[derive(Clone, Debug)]
pub struct Found {
    pub columns: Columns,
    pub from: ColumnsFrom,
    /// For messages: `the sidecar s3://…`.
    pub place: String,
}

/// Finds the columns of `object`; the first place that has any wins. `names` are the readings of its
/// key, and only places that begin with `prefix`, UNLOAD_PREFIX, are looked at: the function may read
/// no others.
pub async fn columns(s3: &S3, object: &Object, names: &[Name<'_>], prefix: &str) -> Result<Found, Error> {
    let mut looked = Vec::new();
    match object.attributes.metadata.get("headers") {
        Some(value) => {
            return found(
                Columns::parse(&decoded(value)),
                ColumnsFrom::Metadata,
                "the metadata x-amz-meta-headers".into(),
            );
        }
        None => looked.push("the metadata x-amz-meta-headers (not set)".to_owned()),
    }

    let own = format!("{}{}", object.uri.key, crate::unload::name::SIDECAR);
    let places = std::iter::once(own).chain(names.iter().map(Name::sidecar));
    for uri in distinct(places, &object.uri, prefix) {
        match s3.get_small(&uri, columns::MAX_BYTES).await? {
            Some(bytes) => return found(Columns::parse(&bytes), ColumnsFrom::Sidecar, format!("the sidecar {uri}")),
            None => looked.push(format!("{uri} (no such key)")),
        }
    }

    for uri in distinct(names.iter().map(Name::manifest), &object.uri, prefix) {
        let useless = match s3.get_small(&uri, manifest::MAX_BYTES).await? {
            None => "no such key",
            Some(json) => match speaks_for(&uri, &json, object)? {
                Ok(names) => return found(Columns::named(names), ColumnsFrom::Manifest, format!("the manifest {uri}")),
                Err(useless) => useless,
            },
        };
        looked.push(format!("{uri} ({useless})"));
    }
    Err(Error::NoColumns { uri: object.uri.clone(), looked: looked.join(", ") })
}

/// The columns that a manifest has for an object, or why it has none: one that stood there before a
/// new UNLOAD with other columns must not speak for the new objects.
fn speaks_for(uri: &Uri, json: &[u8], object: &Object) -> Result<Result<Vec<String>, &'static str>, Error> {
    let manifest = Manifest::parse(json).map_err(|source| Error::Manifest { uri: uri.clone(), source })?;
    let Some(names) = manifest.columns else { return Ok(Err("not VERBOSE, so without column names")) };
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

/// S3 gives metadata that is not ASCII as RFC 2047 words (S3 user guide, "Working with object metadata").
fn decoded(value: &str) -> Vec<u8> {
    if !value.contains("=?") {
        return value.as_bytes().to_vec();
    }
    let line = format!("headers: {value}");
    match mailparse::parse_header(line.as_bytes()) {
        Ok((header, _)) => header.get_value().into_bytes(),
        Err(_) => value.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_2047_words_are_decoded() {
        assert_eq!(decoded("=?UTF-8?Q?id,gr=C3=B6=C3=9Fe?="), "id,größe".as_bytes());
        assert_eq!(decoded("=?UTF-8?B?aWQsZ3LDtsOfZQ==?="), "id,größe".as_bytes());
        assert_eq!(decoded("=?UTF-8?B?aWQsZ3I=?= =?UTF-8?B?w7bDn2U=?="), "id,größe".as_bytes(), "words join");
        assert_eq!(decoded("[\"id\", \"a=?b\"]"), b"[\"id\", \"a=?b\"]");
        assert_eq!(decoded("id,name"), b"id,name");
    }
}
