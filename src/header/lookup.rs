//! Where the columns of an object, or of an unload, are written down: metadata, a sidecar, the verbose
//! manifest.

use super::columns::{self, Columns, ColumnsError};
use super::owner::{self, Listed, Readings};
use crate::error::Error;
use crate::receipt::ColumnsFrom;
use crate::s3::{Head, S3};
use crate::settings::Settings;
use crate::unload::name::{self, Evidence, Name, SIDECAR};
use crate::unload::options::Field;
use crate::unload::{Dialect, Options, Unload};
use crate::uri::Uri;

/// The columns, and where they were found.
#[derive(Clone, Debug)]
pub struct Found {
    pub columns: Columns,
    pub from: ColumnsFrom,
    /// For messages: `the sidecar s3://…`.
    pub place: String,
    /// The columns that name the folders of the object's partition, as far as is known; otherwise those of all
    /// `name=value/` folders that it lies directly in.
    pub partitions: Vec<String>,
}

impl Found {
    /// Who lists the columns of a query with PARTITION BY may name those that name the folders as well, which the
    /// rows lack. Those of the rows, if that makes so many.
    pub fn of_rows(&self, count: usize) -> Option<Found> {
        // The first of the folders may be the user's own.
        let rests = (0..self.partitions.len()).map(|from| self.without(&self.partitions[from..]));
        rests.into_iter().find(|rest| rest.columns.names.len() == count)
    }

    /// Those of the rows, if these options say that the rows lack the others.
    pub fn lacking(self, options: &Options) -> Found {
        let rest = self.without(&self.partitions);
        if options.rows_lack_partitions && !rest.columns.names.is_empty() { rest } else { self }
    }

    fn without(&self, partitions: &[String]) -> Found {
        let mut rest = self.clone();
        rest.columns.names.retain(|name| !partitions.iter().any(|partition| partition.eq_ignore_ascii_case(name)));
        rest
    }

    /// What was said with the columns wins over UNLOAD_OPTIONS.
    pub fn options(&self, settings: &Settings) -> Result<Options, Error> {
        match &self.columns.options {
            None => Ok(settings.options.clone()),
            Some(sql) => Options::parse(sql).map_err(|source| Error::Options { place: self.place.clone(), source }),
        }
    }
}

/// Looks for the columns of one source.
struct Search<'a> {
    settings: &'a Settings,
    s3: &'a S3,
    source: &'a Head,
    /// The places that say nothing, and why.
    looked: Vec<String>,
}

/// Finds the columns of a data object. Only places below UNLOAD_PREFIX are looked at: the function may read no
/// others.
pub async fn of_object(settings: &Settings, s3: &S3, source: &Head) -> Result<Found, Error> {
    let mut search = Search { settings, s3, source, looked: Vec::new() };
    if let Some(found) = search.own().await? {
        return Ok(found);
    }
    let Readings { counted, folders } = Readings::of(&source.object.uri.key, settings);
    if let Some(found) = search.among(&counted).await? {
        return Ok(found);
    }
    for name in counted.iter().filter(|_| !folders.is_empty()) {
        // A guess can't be taken back once the source is deleted.
        let may_be = settings.delete_source && name.evidence != Evidence::Listed;
        if may_be || owner::is_borne_out(settings, s3, &source.object.uri, name).await? {
            search.looked.push("not at those of its folder, since its name is one that UNLOAD writes".to_owned());
            return Err(search.none());
        }
    }
    search.among(&folders).await?.ok_or_else(|| search.none())
}

/// Finds the columns of an unload, or of an object that it lists: `source`.
pub async fn of_unload(settings: &Settings, s3: &S3, source: &Head, unload: &Unload) -> Result<Found, Error> {
    let mut search = Search { settings, s3, source, looked: Vec::new() };
    match search.own().await? {
        Some(found) => Ok(found),
        None => search.of(unload).await?.ok_or_else(|| search.none()),
    }
}

/// The columns that were found; or, where there are none, those that FIXEDWIDTH in UNLOAD_OPTIONS names,
/// if it does not just number them.
pub fn or_of_spec(columns: Result<Found, Error>, settings: &Settings) -> Result<Found, Error> {
    match (columns, &settings.options.dialect) {
        (Err(Error::NoColumns { .. }), Dialect::FixedWidth(fields)) if fields.iter().all(Field::is_named) => {
            let names = fields.iter().map(|field| field.id.clone()).collect();
            found(Columns::named(names), ColumnsFrom::Options, "FIXEDWIDTH in UNLOAD_OPTIONS".to_owned(), "")
        }
        (columns, _) => columns,
    }
}

impl Search<'_> {
    /// What the object's metadata or its own sidecar says.
    async fn own(&mut self) -> Result<Option<Found>, Error> {
        let object = &self.source.object;
        if let Some(value) = self.source.attributes.metadata.get("headers") {
            let place = "the metadata x-amz-meta-headers".to_owned();
            return found(Columns::of_metadata(value), ColumnsFrom::Metadata, place, &object.uri.key).map(Some);
        }
        self.looked.push("the metadata x-amz-meta-headers (not set)".to_owned());
        self.sidecar(format!("{}{SIDECAR}", object.uri.key), &object.uri.key).await
    }

    /// What the places of several readings say, the nearest folder first.
    async fn among(&mut self, names: &[Name<'_>]) -> Result<Option<Found>, Error> {
        let (mut names, asks_manifests) = (names.to_vec(), names.len() > 1);
        if asks_manifests {
            let Listed { now, before, looked } = owner::listed(self.s3, self.source, &names).await?;
            match now.as_slice() {
                [] => self.looked.extend(looked),
                [unload] => return self.of(unload).await,
                [one, other, ..] => return Err(self.ambiguous(&one.manifest, &other.manifest)),
            }
            match before.is_empty() {
                true => names = self.borne_out(names).await?,
                // Its new manifest is yet to come.
                false => names.retain(|name| before.iter().any(|prefix| prefix == name.unload_prefix)),
            }
        }
        for folder in names.chunk_by(|one, next| one.partition == next.partition) {
            let sidecars = folder.iter().flat_map(|name| name.sidecars().into_iter().map(move |key| (key, name)));
            if let Some(found) = self.only_one(sidecars.map(|(key, name)| (key, name.partition)).collect()).await? {
                return Ok(Some(found));
            }
        }
        if !asks_manifests {
            let Listed { now, looked, .. } = owner::listed(self.s3, self.source, &names).await?;
            self.looked.extend(looked);
            if let [unload] = now.as_slice() {
                return self.manifest(unload);
            }
        }
        Ok(None)
    }

    /// Of readings that count the object differently, those that can be right.
    async fn borne_out<'k>(&mut self, names: Vec<Name<'k>>) -> Result<Vec<Name<'k>>, Error> {
        let base = |name: &Name<'_>| name.unload_prefix.len() + name.partition.len();
        if names.iter().all(|name| base(name) == base(&names[0])) {
            return Ok(names);
        }
        let mut credible = Vec::new();
        for name in names {
            if owner::is_borne_out(self.settings, self.s3, &self.source.object.uri, &name).await? {
                credible.push(name);
            } else {
                let unload = self.source.object.uri.sibling(name.unload_prefix);
                self.looked
                    .push(format!("not at the places of {unload}, since nothing beside the object bears it out"));
            }
        }
        Ok(credible)
    }

    /// What the sidecars of an unload say, or its manifest.
    async fn of(&mut self, unload: &Unload) -> Result<Option<Found>, Error> {
        let partition = unload.folder_of(&self.source.object.uri.key);
        let sidecars = unload.sidecars().into_iter().map(|key| (key, partition)).collect();
        match self.only_one(sidecars).await? {
            Some(found) => Ok(Some(found)),
            None => self.manifest(unload),
        }
    }

    fn manifest(&mut self, unload: &Unload) -> Result<Option<Found>, Error> {
        let manifest = &unload.manifest;
        let why = match (&unload.columns, owner::misfit(unload, self.source)) {
            (None, _) => "not VERBOSE, so without column names",
            (Some(_), Some(why)) => why,
            (Some(names), None) => {
                let place = format!("the manifest {manifest}");
                let partition = unload.folder_of(&self.source.object.uri.key);
                return found(Columns::named(names.clone()), ColumnsFrom::Manifest, place, partition).map(Some);
            }
        };
        self.looked.push(format!("{manifest} ({why})"));
        Ok(None)
    }

    /// What one of these sidecars says, each with the partition behind its unload prefix. That there are two is
    /// an error: nobody can tell which of them is the object's.
    async fn only_one(&mut self, sidecars: Vec<(String, &str)>) -> Result<Option<Found>, Error> {
        let (mut only, mut keys): (Option<(String, Found)>, Vec<String>) = (None, Vec::new());
        for (key, partition) in sidecars {
            if keys.contains(&key) {
                continue;
            }
            keys.push(key.clone());
            match (self.sidecar(key.clone(), partition).await?, &only) {
                (None, _) => (),
                (Some(found), None) => only = Some((key, found)),
                (Some(_), Some((one, _))) => {
                    let uri = &self.source.object.uri;
                    return Err(self.ambiguous(&uri.sibling(one), &uri.sibling(key)));
                }
            }
        }
        Ok(only.map(|(_, found)| found))
    }

    /// What a sidecar says; `key` is below UNLOAD_PREFIX, or it is not looked at.
    async fn sidecar(&mut self, key: String, partition: &str) -> Result<Option<Found>, Error> {
        if !key.starts_with(&self.settings.unload_prefix) {
            return Ok(None);
        }
        let uri = self.source.object.uri.sibling(key);
        match self.s3.get_small(&uri, columns::MAX_BYTES).await? {
            Some(text) => {
                let place = format!("the sidecar {uri}");
                found(Columns::parse(&text.bytes), ColumnsFrom::Sidecar, place, partition).map(Some)
            }
            None => {
                self.looked.push(format!("{uri} (no such key)"));
                Ok(None)
            }
        }
    }

    fn ambiguous(&self, one: &Uri, other: &Uri) -> Error {
        Error::Ambiguous { uri: self.source.object.uri.clone(), one: one.clone(), other: other.clone() }
    }

    fn none(&self) -> Error {
        Error::NoColumns { uri: self.source.object.uri.clone(), looked: self.looked.join(", ") }
    }
}

/// `partition` is the folders of the object's partition, or its key where these are not known.
fn found(
    columns: Result<Columns, ColumnsError>,
    from: ColumnsFrom,
    place: String,
    partition: &str,
) -> Result<Found, Error> {
    let partitions = name::partitions(partition).into_iter().map(str::to_owned).collect();
    match columns {
        Ok(columns) => Ok(Found { columns, from, place, partitions }),
        Err(source) => Err(Error::Columns { place, source }),
    }
}
