//! How the objects in S3 differ from what a manifest lists.

use std::fmt;

use super::Unload;
use super::manifest::Entry;
use crate::uri::Uri;

/// How many URIs a message names. Lambda keeps no more than 256 KB of an error.
const SHOWN: usize = 20;

/// The objects that are not as their manifest says.
#[derive(Debug)]
pub struct Incompleteness {
    pub manifest: Uri,
    pub missing: Vec<Uri>,
    pub changed: Vec<ChangedObject>,
    /// Written after the manifest, and so by another UNLOAD.
    pub later: Vec<Uri>,
}

/// An object that has another size than its manifest says, in bytes.
#[derive(Debug)]
pub struct ChangedObject {
    pub uri: Uri,
    pub size: u64,
    pub listed: u64,
}

impl Incompleteness {
    /// That of an unload none of whose objects has been looked at.
    pub fn of(unload: &Unload) -> Incompleteness {
        Incompleteness { manifest: unload.manifest.clone(), missing: vec![], changed: vec![], later: vec![] }
    }

    /// Whether nothing is missing: the unload is complete.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.changed.is_empty() && self.later.is_empty()
    }

    /// Compares an object with its entry in the manifest.
    pub fn compare(&mut self, unload: &Unload, entry: &Entry, size: u64, modified: i64) {
        let uri = entry.uri.clone();
        match entry.size.filter(|listed| *listed != size) {
            Some(listed) => self.changed.push(ChangedObject { uri, size, listed }),
            None => self.later.extend(unload.is_before(modified).then_some(uri)),
        }
    }
}

impl fmt::Display for Incompleteness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |count: usize, what: &str, listed: String| (count > 0).then(|| format!("{count} {what}: {listed}"));
        let said = [
            said(self.missing.len(), "of the objects that it lists are not there", listed(&self.missing, ", ")),
            said(self.changed.len(), "have another size than it says", listed(&self.changed, ", ")),
            said(
                self.later.len(),
                "were written after it, by another UNLOAD to the same prefix, whose manifest is yet to come, or by somebody \
                 who has copied or changed them: then write the manifest once more",
                listed(&self.later, ", "),
            ),
        ];
        f.write_str(&said.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

impl fmt::Display for ChangedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes, not {})", self.uri, self.size, self.listed)
    }
}

/// The first items, and how many more there are.
pub fn listed(items: &[impl fmt::Display], between: &str) -> String {
    let mut listed: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    listed.extend((items.len() > SHOWN).then(|| format!("and {} more", items.len() - SHOWN)));
    listed.join(between)
}
