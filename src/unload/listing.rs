//! An unload, as its manifest lists it.

use std::collections::{BTreeMap, HashSet};

use super::manifest::{Entry, Manifest, ManifestError};
use super::name;
use crate::uri::Uri;

/// How much later than its manifest a slice may be, in seconds: S3 dates objects in whole seconds, by clocks of its
/// own. Redshift writes a manifest, which has the sizes of all slices, when they are there.
pub const CLOCKS: i64 = 5;

#[derive(Debug)]
pub struct Unload {
    pub manifest: Uri,
    /// The manifest's.
    pub etag: String,
    /// When the manifest was written, in seconds since 1970.
    pub modified: i64,
    /// `None` where the manifest is not VERBOSE.
    pub columns: Option<Vec<String>>,
    /// The entries in the manifest's order, by the folder of their partition: `year=2026/month=11/`, or empty.
    folders: BTreeMap<String, Vec<Entry>>,
}

impl Unload {
    pub fn parse(manifest: &Uri, etag: String, modified: i64, json: &[u8]) -> Result<Unload, ManifestError> {
        let Manifest { entries, columns } = Manifest::parse(json)?;
        let mut unload = Unload { manifest: manifest.clone(), etag, modified, columns, folders: BTreeMap::new() };
        for entry in entries {
            let folder = unload.folder_of(&entry.uri.key).to_owned();
            unload.folders.entry(folder).or_default().push(entry);
        }
        Ok(unload)
    }

    /// The URI after UNLOAD's `TO`, without the bucket. With PARTITION BY it ends in a `/`, whether the
    /// user's did or not.
    pub fn prefix(&self) -> &str {
        self.manifest.key.strip_suffix("manifest").unwrap_or(&self.manifest.key)
    }

    /// The sidecars that speak for all of it.
    pub fn sidecars(&self) -> Vec<String> {
        name::sidecars(self.prefix(), self.folders.keys().any(|folder| !folder.is_empty()))
    }

    /// The folders that there are, each of which is a partition; without PARTITION BY just one, "".
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.folders.keys().map(String::as_str)
    }

    /// Those of one folder.
    pub fn entries(&self, folder: &str) -> &[Entry] {
        self.folders.get(folder).map_or(&[], Vec::as_slice)
    }

    pub fn all_entries(&self) -> impl Iterator<Item = &Entry> {
        self.folders.values().flatten()
    }

    /// What it says of the object of this key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries(self.folder_of(key)).iter().find(|entry| entry.uri.key == key)
    }

    /// Whether an object was written too late to be the one that it lists: then a later UNLOAD to the same prefix
    /// has written it, whose manifest is yet to come.
    pub fn is_before(&self, modified: i64) -> bool {
        modified > self.modified.saturating_add(CLOCKS)
    }

    /// An object that is listed twice, if there is one.
    pub fn twice(&self) -> Option<&Uri> {
        let mut seen = HashSet::new();
        self.all_entries().map(|entry| &entry.uri).find(|uri| !seen.insert(*uri))
    }

    /// An object that does not begin with `prefix` in the manifest's own bucket, if there is one.
    pub fn elsewhere(&self, prefix: &str) -> Option<&Uri> {
        let is_elsewhere = |uri: &&Uri| uri.bucket != self.manifest.bucket || !uri.key.starts_with(prefix);
        self.all_entries().map(|entry| &entry.uri).find(is_elsewhere)
    }

    /// Whether the entries of a folder are in the order of slices and parts, or serial numbers.
    pub fn is_in_order(&self, folder: &str) -> bool {
        self.entries(folder).iter().map(|entry| name::readings(&entry.uri.key)[0].number).is_sorted()
    }

    /// The folder behind the unload prefix that a key lies in.
    pub fn folder_of<'k>(&self, key: &'k str) -> &'k str {
        let below = key.strip_prefix(self.prefix()).unwrap_or_default();
        &below[..below.rfind('/').map_or(0, |slash| slash + 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!((odd.twice(), odd.elsewhere("u/")), (None, Some(&Uri::new("b", "v/q_000"))));
        let even = unload("u/q_manifest", &["u/q_0000_part_00", "u/q_0000_part_01", "u/q_0001_part_00"]);
        assert!(even.is_in_order("") && even.elsewhere("u/").is_none());
        assert_eq!(unload("u/qmanifest", &["u/q000", "u/q001", "u/q000"]).twice(), Some(&Uri::new("b", "u/q000")));
    }
}
