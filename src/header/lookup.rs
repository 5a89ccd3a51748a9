//! Where the columns of an object, or of an unload, are written down: metadata, a sidecar, or a verbose manifest.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::HeaderError;
use super::columns::{self, Columns, ColumnsError};
use super::membership::{self, Listings, Readings};
use crate::receipt::ColumnsFrom;
use crate::s3::{Head, S3, SMALL_REQUESTS_AT_ONCE};
use crate::settings::Settings;
use crate::unload::name::{self, Evidence, Name, SIDECAR};
use crate::unload::options::Field;
use crate::unload::{Dialect, Options, Unload};
use crate::uri::Uri;

/// The name of the metadata that names columns, after `x-amz-meta-`.
const METADATA: &str = "headers";

/// Columns, and where they were found.
#[derive(Clone, Debug)]
pub struct FoundColumns {
    pub columns: Columns,
    pub from: ColumnsFrom,
    /// For messages: `the sidecar s3://…`.
    pub place: String,
    /// The columns of PARTITION BY, by the names of the object's partition folders. Where it is not known which folders
    /// these are, the names of all `name=value/` folders that the object lies directly in.
    pub partitions: Vec<String>,
    /// For messages: the places that were looked at before, and why they name none.
    pub looked: Vec<String>,
}

impl FoundColumns {
    /// The list without the columns of PARTITION BY, if that leaves `count`. An app may list all columns of its query,
    /// but the rows lack these.
    pub fn of_rows(&self, count: usize) -> Option<FoundColumns> {
        // The first folders may be the user's own.
        let rests = (0..self.partitions.len()).map(|from| self.without(&self.partitions[from..]));
        rests.into_iter().find(|rest| rest.columns.names.len() == count)
    }

    /// The list without the columns of PARTITION BY, if these options say that the rows lack them.
    pub fn without_partitions(self, options: &Options) -> FoundColumns {
        let rest = self.without(&self.partitions);
        if options.rows_lack_partitions && !rest.columns.names.is_empty() { rest } else { self }
    }

    fn without(&self, partitions: &[String]) -> FoundColumns {
        let mut rest = self.clone();
        rest.columns.names.retain(|name| !partitions.iter().any(|partition| partition.eq_ignore_ascii_case(name)));
        rest
    }

    /// The options that were found with the columns, or else UNLOAD_OPTIONS.
    pub fn options(&self, settings: &Settings) -> Result<Options, HeaderError> {
        match &self.columns.options {
            None => Ok(settings.options.clone()),
            Some(sql) => {
                Options::parse(sql).map_err(|source| HeaderError::InvalidOptions { place: self.place.clone(), source })
            }
        }
    }
}

/// The search for the columns of one source.
struct Search<'a> {
    settings: &'a Settings,
    s3: &'a S3,
    source: &'a Head,
    /// For messages: the places that name no columns, and why.
    looked: Vec<String>,
}

/// Finds the columns of a data object. Only places below UNLOAD_PREFIX are looked at: the function may read no
/// others.
pub async fn of_object(settings: &Settings, s3: &S3, source: &Head) -> Result<FoundColumns, HeaderError> {
    let mut search = Search { settings, s3, source, looked: Vec::new() };
    let found = search.of_object().await?;
    search.result(found)
}

/// Finds the columns of an unload, or of an object that it lists: `source`.
pub async fn of_unload(
    settings: &Settings,
    s3: &S3,
    source: &Head,
    unload: &Unload,
) -> Result<FoundColumns, HeaderError> {
    let mut search = Search { settings, s3, source, looked: Vec::new() };
    let found = match search.own().await? {
        None => search.of(unload).await?,
        found => found,
    };
    search.result(found)
}

/// Whether an object's metadata names its columns, so that no sidecar is read.
pub fn is_in_metadata(source: &Head) -> bool {
    source.attributes.metadata.contains_key(METADATA)
}

/// The sidecars that the search for an object's columns will most likely read: its own, and those of its unload, or of the
/// likeliest reading of its key.
pub fn likely_sidecars(settings: &Settings, object: &Uri, unload: Option<&Unload>) -> Vec<Uri> {
    let Readings { counted, folders } = Readings::of(&object.key, settings);
    let mut keys = vec![format!("{}{SIDECAR}", object.key)];
    keys.extend(match unload {
        Some(unload) => unload.sidecars(),
        None => counted.first().or(folders.first()).map(Name::sidecars).unwrap_or_default(),
    });
    keys.retain(|key| key.starts_with(&settings.unload_prefix));
    keys.into_iter().map(|key| object.sibling(key)).collect()
}

/// The columns that FIXEDWIDTH names, unless it only numbers them.
pub fn of_fixed_width(options: &Options) -> Result<Option<FoundColumns>, HeaderError> {
    let Dialect::FixedWidth(fields) = &options.dialect else { return Ok(None) };
    if !fields.iter().all(Field::is_named) {
        return Ok(None);
    }
    let names = fields.iter().map(|field| field.id.clone()).collect();
    found(Columns::named(names), ColumnsFrom::Options, "FIXEDWIDTH in UNLOAD_OPTIONS".to_owned(), "").map(Some)
}

impl Search<'_> {
    fn result(self, found: Option<FoundColumns>) -> Result<FoundColumns, HeaderError> {
        match found {
            Some(found) => Ok(FoundColumns { looked: self.looked, ..found }),
            None => Err(self.none()),
        }
    }

    async fn of_object(&mut self) -> Result<Option<FoundColumns>, HeaderError> {
        if let Some(found) = self.own().await? {
            return Ok(Some(found));
        }
        let Search { settings, s3, source, .. } = *self;
        let Readings { counted, folders } = Readings::of(&source.object.uri.key, settings);
        if let Some(found) = self.among(&counted).await? {
            return Ok(Some(found));
        }
        for name in counted.iter().filter(|_| !folders.is_empty()) {
            // A wrong guess can't be undone once the source is deleted.
            let may_be = settings.delete_source && name.evidence != Evidence::Listed;
            if may_be || membership::has_evidence(settings, s3, &source.object.uri, name).await? {
                self.looked.push("not at those of its folder, since its name is one that UNLOAD writes".to_owned());
                return Ok(None);
            }
        }
        self.among(&folders).await
    }

    /// What the object's metadata or its own sidecar says.
    async fn own(&mut self) -> Result<Option<FoundColumns>, HeaderError> {
        let object = &self.source.object;
        if let Some(value) = self.source.attributes.metadata.get(METADATA) {
            let place = "the metadata x-amz-meta-headers".to_owned();
            return found(Columns::of_metadata(value), ColumnsFrom::Metadata, place, &object.uri.key).map(Some);
        }
        self.looked.push("the metadata x-amz-meta-headers (not set)".to_owned());
        self.only_one(vec![(format!("{}{SIDECAR}", object.uri.key), &object.uri.key)]).await
    }

    /// What the sidecars and manifests of several readings say, the nearest folder first.
    async fn among(&mut self, names: &[Name<'_>]) -> Result<Option<FoundColumns>, HeaderError> {
        let (mut names, asks_manifests) = (names.to_vec(), names.len() > 1);
        if asks_manifests {
            let Listings { current, outdated, looked } = membership::listings(self.s3, self.source, &names).await?;
            match current.as_slice() {
                [] => self.looked.extend(looked),
                [unload] => return self.of(unload).await,
                [one, other, ..] => return Err(self.ambiguous(&one.manifest, &other.manifest)),
            }
            match outdated.is_empty() {
                true => names = self.with_evidence(names).await?,
                // The object is of a new UNLOAD to that prefix, whose manifest is not there yet.
                false => names.retain(|name| outdated.iter().any(|prefix| prefix == name.unload_prefix)),
            }
        }
        for folder in names.chunk_by(|one, next| one.partition == next.partition) {
            let sidecars = folder.iter().flat_map(|name| name.sidecars().into_iter().map(move |key| (key, name)));
            if let Some(found) = self.only_one(sidecars.map(|(key, name)| (key, name.partition)).collect()).await? {
                return Ok(Some(found));
            }
        }
        if !asks_manifests {
            let Listings { current, looked, .. } = membership::listings(self.s3, self.source, &names).await?;
            self.looked.extend(looked);
            if let [unload] = current.as_slice() {
                return self.manifest(unload);
            }
        }
        Ok(None)
    }

    /// Of readings with different numbers, those for which there is evidence.
    async fn with_evidence<'k>(&mut self, names: Vec<Name<'k>>) -> Result<Vec<Name<'k>>, HeaderError> {
        let base = |name: &Name<'_>| name.unload_prefix.len() + name.partition.len();
        if names.iter().all(|name| base(name) == base(&names[0])) {
            return Ok(names);
        }
        let Search { settings, s3, source, .. } = *self;
        let uri = &source.object.uri;
        let looks = stream::iter(&names).map(|name| membership::has_evidence(settings, s3, uri, name));
        let found: Vec<bool> = looks.buffered(SMALL_REQUESTS_AT_ONCE).try_collect().await?;
        let mut credible = Vec::new();
        for (name, has_evidence) in names.into_iter().zip(found) {
            if has_evidence {
                credible.push(name);
            } else {
                let unload = uri.sibling(name.unload_prefix);
                self.looked.push(format!("not at the places of {unload}, since no other object is evidence for it"));
            }
        }
        Ok(credible)
    }

    /// What the sidecars of an unload say, or else its manifest.
    async fn of(&mut self, unload: &Unload) -> Result<Option<FoundColumns>, HeaderError> {
        let partition = unload.folder_of(&self.source.object.uri.key);
        let sidecars = unload.sidecars().into_iter().map(|key| (key, partition)).collect();
        match self.only_one(sidecars).await? {
            Some(found) => Ok(Some(found)),
            None => self.manifest(unload),
        }
    }

    fn manifest(&mut self, unload: &Unload) -> Result<Option<FoundColumns>, HeaderError> {
        let manifest = &unload.manifest;
        let why = match (&unload.columns, membership::misfit(unload, self.source)) {
            (None, _) if unload.version.is_none() => "no such manifest",
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

    /// What the one of these sidecars says that is there. Only those below UNLOAD_PREFIX are looked at. Each comes with the
    /// partition behind its unload prefix. If two are there it is an error, since nothing tells which of them is the object's.
    async fn only_one(&mut self, sidecars: Vec<(String, &str)>) -> Result<Option<FoundColumns>, HeaderError> {
        let Search { settings, s3, source, .. } = *self;
        let mut keys = HashSet::new();
        let sidecars = sidecars.into_iter().filter(|(key, _)| key.starts_with(&settings.unload_prefix));
        let sidecars: Vec<(Uri, &str)> = sidecars
            .filter(|(key, _)| keys.insert(key.clone()))
            .map(|(key, partition)| (source.object.uri.sibling(key), partition))
            .collect();
        let looks = stream::iter(&sidecars).map(|(uri, _)| s3.get_small(uri, columns::MAX_BYTES));
        let mut looks = looks.buffered(SMALL_REQUESTS_AT_ONCE).zip(stream::iter(&sidecars));
        let mut only: Option<(&Uri, FoundColumns)> = None;
        while let Some((text, (uri, partition))) = looks.next().await {
            let Some(text) = text? else {
                self.looked.push(format!("{uri} (no such key)"));
                continue;
            };
            let place = format!("the sidecar {uri}");
            let found = found(Columns::parse(&text.bytes), ColumnsFrom::Sidecar, place, partition)?;
            if let Some((one, _)) = only {
                return Err(self.ambiguous(one, uri));
            }
            only = Some((uri, found));
        }
        Ok(only.map(|(_, found)| found))
    }

    fn ambiguous(&self, one: &Uri, other: &Uri) -> HeaderError {
        HeaderError::ColumnsAmbiguous { uri: self.source.object.uri.clone(), one: one.clone(), other: other.clone() }
    }

    fn none(&self) -> HeaderError {
        HeaderError::ColumnsNotFound { uri: self.source.object.uri.clone(), looked: self.looked.join(", ") }
    }
}

/// `partition` is the folders of the object's partition, or if these are not known, the object's key.
fn found(
    columns: Result<Columns, ColumnsError>,
    from: ColumnsFrom,
    place: String,
    partition: &str,
) -> Result<FoundColumns, HeaderError> {
    let partitions = name::partitions(partition).into_iter().map(str::to_owned).collect();
    match columns {
        Ok(columns) => Ok(FoundColumns { columns, from, place, partitions, looked: Vec::new() }),
        Err(source) => Err(HeaderError::InvalidColumns { place, source }),
    }
}
