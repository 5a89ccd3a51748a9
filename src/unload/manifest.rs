//! The manifest that `UNLOAD … MANIFEST [VERBOSE]` writes beside its data objects.
//!
//! The sample in AWS's page is not valid JSON; this reads what clusters really write. Keys that are not needed here are
//! ignored, since those of the column types are not documented.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::name;
use crate::uri::Uri;

/// The size up to which a manifest is read, in bytes: 200,000 entries of 160 bytes. README.md, "Limits", says how much memory
/// they take.
pub const MAX_BYTES: u64 = 32 << 20;

/// How much later than its manifest a slice may be dated, in seconds. Redshift writes the manifest after all slices,
/// whose sizes are in it; but S3 dates objects in whole seconds, by the clocks of several servers.
pub const CLOCKS: i64 = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub entries: Vec<Entry>,
    /// The names of `schema.elements`; `None` in a manifest that is not VERBOSE.
    pub columns: Option<Vec<String>>,
    /// `schema` as it is.
    pub schema: Option<Value>,
}

/// One data object of the unload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub uri: Uri,
    /// In bytes. Older manifests do not have it.
    pub size: Option<u64>,
    /// How many, if the manifest is VERBOSE.
    pub rows: Option<u64>,
    /// Whether COPY is to fail if the object is missing, where the manifest says so.
    pub mandatory: Option<bool>,
}

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("it is not the JSON of a manifest: {0}")]
    Json(#[from] serde_json::Error),
    #[error("entry {index} has the url {url:?}, which is no s3://bucket/key")]
    Url { index: usize, url: String },
    #[error("it lists no objects")]
    Empty,
    #[error("it lists {0} twice")]
    Twice(Uri),
    #[error("its folders {one:?} and {other:?} would both become {target}; change FINAL_KEY")]
    SameFinalKey { one: String, other: String, target: Uri },
}

/// Whether an object with a manifest's name is one: a JSON object with a list of entries, or the beginning of one.
pub fn is_one(bytes: &[u8]) -> bool {
    // No value is kept: those of a hundred thousand entries would take more memory than the function has.
    match serde_json::Deserializer::from_slice(bytes).into_iter::<HashMap<String, IgnoredAny>>().next() {
        Some(Ok(fields)) => fields.contains_key("entries"),
        Some(Err(error)) => error.is_eof() && bytes.trim_ascii_start().first() == Some(&b'{'),
        None => false,
    }
}

impl Manifest {
    /// ```
    /// use unload_header::unload::Manifest;
    /// let text = br#"{"entries":[{"url":"s3://b/q_000"}],"schema":{"elements":[{"name":"id"}]}}"#;
    /// assert_eq!(Manifest::parse(text)?.columns.as_deref(), Some(&["id".to_owned()][..]));
    /// # Ok::<(), unload_header::unload::manifest::ManifestError>(())
    /// ```
    pub fn parse(json: &[u8]) -> Result<Manifest, ManifestError> {
        let wire: Wire = serde_json::from_slice(json)?;
        let entries = wire.entries.into_iter().enumerate().map(|(index, entry)| {
            let Meta { content_length: size, record_count: rows } = entry.meta.unwrap_or_default();
            let uri =
                Uri::parse(&entry.url).ok_or_else(|| ManifestError::Url { index, url: entry.url.into_owned() })?;
            Ok(Entry { uri, size, rows, mandatory: entry.mandatory })
        });
        let entries = entries.collect::<Result<_, ManifestError>>()?;
        let columns = wire.schema.as_ref().map(WireSchema::deserialize).transpose()?;
        let columns = columns.map(|schema| schema.elements.into_iter().map(|column| column.name).collect());
        Ok(Manifest { entries, columns, schema: wire.schema })
    }
}

#[derive(Deserialize)]
struct Wire<'j> {
    #[serde(borrow)]
    entries: Vec<WireEntry<'j>>,
    schema: Option<Value>,
}

#[derive(Deserialize)]
struct WireEntry<'j> {
    #[serde(borrow)]
    url: Cow<'j, str>,
    mandatory: Option<bool>,
    meta: Option<Meta>,
}

#[derive(Default, Deserialize)]
struct Meta {
    content_length: Option<u64>,
    record_count: Option<u64>,
}

#[derive(Deserialize)]
struct WireSchema {
    elements: Vec<WireColumn>,
}

#[derive(Deserialize)]
struct WireColumn {
    name: String,
}

/// A version of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestVersion {
    pub etag: String,
    /// In seconds since 1970.
    pub modified: i64,
}

impl ManifestVersion {
    pub fn is_of(&self, etag: &str, modified: i64) -> bool {
        self.etag == etag && self.modified == modified
    }
}

/// An unload, as its manifest lists it.
#[derive(Debug)]
pub struct Unload {
    /// Its manifest's URI, even if it has none.
    pub manifest: Uri,
    /// `None` if it has no manifest, and somebody says that it is what was found in S3.
    pub version: Option<ManifestVersion>,
    /// `None` if the manifest is not VERBOSE.
    pub columns: Option<Vec<String>>,
    pub schema: Option<Value>,
    /// By the folder of a partition: `year=2026/month=11/`, or empty.
    folders: BTreeMap<String, Folder>,
}

/// The entries of one partition.
#[derive(Debug, Default)]
struct Folder {
    /// In the manifest's order.
    entries: Vec<Entry>,
    /// Their places, in the order of their keys: each of ten thousand is looked up for its job.
    by_key: Vec<usize>,
}

impl Unload {
    pub fn parse(manifest: &Uri, etag: String, modified: i64, json: &[u8]) -> Result<Unload, ManifestError> {
        let Manifest { entries, columns, schema } = Manifest::parse(json)?;
        let version = Some(ManifestVersion { etag, modified });
        let unload = Unload { version, columns, schema, ..Unload::empty(manifest.clone()) };
        Ok(unload.with(entries))
    }

    /// An unload without a manifest: these objects behind its prefix, in the order of their numbers and then of their
    /// names.
    pub fn found(bucket: &str, prefix: &str, mut entries: Vec<Entry>) -> Unload {
        entries.sort_by_cached_key(|entry| {
            let names = name::readings(&entry.uri.key);
            let of_it = names.iter().find(|name| name.unload_prefix == prefix);
            (of_it.map(|name| name.number), entry.uri.key.clone())
        });
        Unload::empty(Uri::new(bucket, format!("{prefix}manifest"))).with(entries)
    }

    fn empty(manifest: Uri) -> Unload {
        Unload { manifest, version: None, columns: None, schema: None, folders: BTreeMap::new() }
    }

    fn with(mut self, entries: Vec<Entry>) -> Unload {
        for entry in entries {
            let folder = self.folder_of(&entry.uri.key).to_owned();
            self.folders.entry(folder).or_default().entries.push(entry);
        }
        for Folder { entries, by_key } in self.folders.values_mut() {
            by_key.extend(0..entries.len());
            by_key.sort_by_key(|place| &entries[*place].uri.key);
        }
        self
    }

    /// The URI after UNLOAD's `TO`, without the bucket. With PARTITION BY it ends in a `/`, even if
    /// the user's did not.
    pub fn prefix(&self) -> &str {
        self.manifest.key.strip_suffix("manifest").unwrap_or(&self.manifest.key)
    }

    /// The sidecars of the whole unload.
    pub fn sidecars(&self) -> Vec<String> {
        name::sidecars(self.prefix(), self.folders.keys().any(|folder| !folder.is_empty()))
    }

    /// The folders of the partitions. Without PARTITION BY there is one, "".
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.folders.keys().map(String::as_str)
    }

    /// The entries of one folder.
    pub fn entries(&self, folder: &str) -> &[Entry] {
        self.folders.get(folder).map_or(&[], |folder| &folder.entries)
    }

    pub fn all_entries(&self) -> impl Iterator<Item = &Entry> {
        self.folders.values().flat_map(|folder| &folder.entries)
    }

    /// The entry of the object with this key; the first, if it is listed twice.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        let Folder { entries, by_key } = self.folders.get(self.folder_of(key))?;
        let at = by_key.partition_point(|place| entries[*place].uri.key.as_str() < key);
        by_key.get(at).map(|place| &entries[*place]).filter(|entry| entry.uri.key == key)
    }

    /// The same as a list: of one entry, or of none.
    pub fn entries_of(&self, key: &str) -> &[Entry] {
        self.entry(key).map_or(&[], std::slice::from_ref)
    }

    /// Whether an object was written too late to be the one that the manifest lists. Then it is of a later UNLOAD to the
    /// same prefix, whose manifest is yet to come.
    pub fn is_before(&self, modified: i64) -> bool {
        self.version.as_ref().is_some_and(|version| modified > version.modified.saturating_add(CLOCKS))
    }

    /// The first object that is listed twice.
    pub fn twice(&self) -> Option<&Uri> {
        let mut seen = HashSet::new();
        self.all_entries().map(|entry| &entry.uri).find(|uri| !seen.insert(*uri))
    }

    /// The first object whose key does not begin with `prefix`, or that is in another bucket than the manifest.
    pub fn elsewhere(&self, prefix: &str) -> Option<&Uri> {
        let is_elsewhere = |uri: &&Uri| uri.bucket != self.manifest.bucket || !uri.key.starts_with(prefix);
        self.all_entries().map(|entry| &entry.uri).find(is_elsewhere)
    }

    /// Whether the entries of a folder are in the order of slices and parts, or serial numbers.
    pub fn is_in_order(&self, folder: &str) -> bool {
        self.entries(folder).iter().map(|entry| name::readings(&entry.uri.key)[0].number).is_sorted()
    }

    /// The folders of a key between the unload prefix and the name.
    pub fn folder_of<'k>(&self, key: &'k str) -> &'k str {
        let below = key.strip_prefix(self.prefix()).unwrap_or_default();
        &below[..below.rfind('/').map_or(0, |slash| slash + 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbose_as_a_cluster_writes_it() {
        let text = br#"{
          "entries": [
            {"url":"s3://b/u/q_0000_part_00.gz", "meta": { "content_length": 24953, "record_count": 4016 }},
            {"url":"s3://b/u/q_0001_part_00.gz", "meta": { "content_length": 20, "record_count": 0 }}
          ],
          "schema": {"elements": [
            {"name": "cellkey", "type": { "base": "character varying", "max_length": 60 }},
            {"name": "exrpvalue", "type": { "base": "real" }}
          ]},
          "meta": {"content_length": 24973, "record_count": 4016},
          "author": {"name": "Amazon Redshift", "version": "1.0.0"}
        }"#;
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.columns, Some(vec!["cellkey".to_owned(), "exrpvalue".to_owned()]));
        assert_eq!(
            manifest.entries[1],
            Entry { uri: Uri::new("b", "u/q_0001_part_00.gz"), size: Some(20), rows: Some(0), mandatory: None }
        );
    }

    #[test]
    fn one_is_told_by_its_entries() {
        for (bytes, is_one) in [
            (r#"{"entries":[{"url":"s3://b/q000"}],"schema":{}}"#, true),
            (r#" {"schema":{"elements":[]},"entries":[]} "#, true),
            (r#"{"entries":[{"url":"s3://b/"#, true),
            (r#"{"id":1}"#, false),
            (r#"["entries"]"#, false),
            ("1|2\n", false),
            ("", false),
        ] {
            assert_eq!(super::is_one(bytes.as_bytes()), is_one, "{bytes}");
        }
    }

    #[test]
    fn plain_with_and_without_sizes() {
        let text = br#"{"entries":[{"url":"s3://b/q000","meta":{"content_length":5}},{"url":"s3://b/q001","mandatory":true}]}"#;
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.columns, None);
        assert_eq!(manifest.entries.iter().map(|entry| entry.size).collect::<Vec<_>>(), [Some(5), None]);
    }

    #[test]
    fn refuses_what_is_no_manifest() {
        assert!(matches!(Manifest::parse(b"{"), Err(ManifestError::Json(_))));
        assert!(matches!(Manifest::parse(b"{}"), Err(ManifestError::Json(_))));
        let error = Manifest::parse(br#"{"entries":[{"url":"http://b/k"}]}"#).unwrap_err();
        assert_eq!(error.to_string(), r#"entry 0 has the url "http://b/k", which is no s3://bucket/key"#);
    }

    fn unload(manifest: &str, keys: &[&str]) -> Unload {
        let entries: Vec<_> = keys.iter().map(|key| format!(r#"{{"url":"s3://b/{key}"}}"#)).collect();
        let json = format!(r#"{{"entries":[{}]}}"#, entries.join(","));
        Unload::parse(&Uri::new("b", manifest), "e".to_owned(), 0, json.as_bytes()).unwrap()
    }

    #[test]
    fn one_folder_for_each_partition() {
        let partitioned = unload("u/sales/manifest", &["u/sales/c=b/0000_part_00", "u/sales/c=a/d=1/0001_part_00"]);
        assert_eq!(partitioned.folders().collect::<Vec<_>>(), ["c=a/d=1/", "c=b/"]);
        assert_eq!(partitioned.sidecars(), ["u/sales/.headers", "u/sales.headers"]);
        assert!(partitioned.entry("u/sales/c=b/0001_part_00").is_none());
        assert!(partitioned.entry("u/sales/c=b/0000_part_00").is_some());

        let plain = unload("u/dt=1/q_manifest", &["u/dt=1/q_0000_part_00", "u/dt=1/q_0001_part_00"]);
        assert_eq!(plain.folders().collect::<Vec<_>>(), [""], "a folder of the user's own is no partition");
        assert_eq!(plain.sidecars(), ["u/dt=1/q_.headers"]);
        assert_eq!(unload("u/q/manifest", &["u/q/000"]).sidecars(), ["u/q/.headers"], "u/q is another unload");
        assert_eq!(unload("u/manifest", &["elsewhere/000"]).folders().collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn what_is_later_than_a_manifest_is_not_of_it() {
        let unload = unload("u/q_manifest", &["u/q_000"]);
        assert_eq!([0, CLOCKS, CLOCKS + 1].map(|modified| unload.is_before(modified)), [false, false, true]);
    }

    #[test]
    fn what_is_odd_about_it() {
        let odd = unload("u/q_manifest", &["u/q_0000_part_00", "u/q_0002_part_00", "u/q_0001_part_00", "v/q_000"]);
        assert!(!odd.is_in_order(""));
        assert!(odd.all_entries().all(|entry| odd.entry(&entry.uri.key) == Some(entry)), "found in any order");
        assert_eq!((odd.twice(), odd.elsewhere("u/")), (None, Some(&Uri::new("b", "v/q_000"))));
        let even = unload("u/q_manifest", &["u/q_0000_part_00", "u/q_0000_part_01", "u/q_0001_part_00"]);
        assert!(even.is_in_order("") && even.elsewhere("u/").is_none());
        assert_eq!(unload("u/qmanifest", &["u/q000", "u/q001", "u/q000"]).twice(), Some(&Uri::new("b", "u/q000")));
    }
}
