//! The unloads without a manifest, of data objects that no manifest lists.
//!
//! Which unload an object is of is decided as the function decides where its columns are looked for: a number in a key
//! counts if the objects before it are there; and of the readings that are left, the nearest with a sidecar or a manifest
//! is taken. Whoever names an unload itself has told as well.

use std::collections::{BTreeMap, HashMap, HashSet};

use unload_header::error::Error;
use unload_header::header::membership::Readings;
use unload_header::receipt::{Outcome, Receipt};
use unload_header::s3::{ListedObject, S3};
use unload_header::settings::Settings;
use unload_header::unload::Unload;
use unload_header::unload::manifest::Entry;
use unload_header::unload::name::{Evidence, Name, Number, readings};
use unload_header::uri::Uri;

use crate::unit::{Globs, Unit};

/// What there is below a prefix.
pub struct Found<'a> {
    pub all: &'a [ListedObject],
    /// The data objects that no manifest lists.
    pub data: Vec<&'a ListedObject>,
    /// The prefixes of the unloads that have a manifest.
    pub prefixes: HashSet<&'a str>,
}

/// Which unload a data object is of.
enum Reading<'k> {
    One(Name<'k>),
    /// Each of these may be, and is likely to be.
    Several(Vec<Name<'k>>),
}

/// The units of unloads without a manifest.
pub async fn units_of(
    settings: &Settings,
    s3: &S3,
    place: &Uri,
    globs: &Globs,
    found: Found<'_>,
) -> Result<Vec<Unit>, Error> {
    let listed = found.all.iter().map(|object| object.key.as_str()).collect();
    let mut keys = Keys { settings, s3, place, listed, prefixes: &found.prefixes, others: HashMap::new() };
    let (mut units, mut unclear) = (Vec::new(), BTreeMap::new());
    let mut slices: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
    for ListedObject { key, seen, .. } in found.data {
        let uri = place.sibling(key);
        let name = match keys.reading(key).await? {
            Reading::One(name) => name,
            Reading::Several(names) => {
                unclear.extend(names.iter().map(|name| (name.unload_prefix, uri.clone())));
                continue;
            }
        };
        let (prefix, unload) = (name.unload_prefix, place.sibling(name.unload_prefix));
        // Whoever names a folder below UNLOAD_PREFIX means all that is in it.
        let is_meant = prefix == place.key && place.key != settings.unload_prefix;
        let why = if found.prefixes.contains(prefix) {
            format!("{}, of its unload, does not list it", place.sibling(name.manifest()))
        } else if name.number != Number::None || is_meant {
            slices.entry(prefix).or_default().push(Entry { uri, size: Some(seen.size), rows: None, mandatory: None });
            continue;
        } else if settings.unload_prefix.starts_with(prefix) {
            format!(
                "UNLOAD did not choose its name; to put it together with others, move them to a folder below {unload}"
            )
        } else {
            format!("UNLOAD did not choose its name; name {unload} to put together all that is in it")
        };
        units.extend(globs.take(prefix).then(|| left(&uri, Outcome::Skipped, why)));
    }
    for prefix in unclear.keys() {
        slices.entry(prefix).or_default();
    }
    units.extend(slices.into_iter().filter(|(prefix, _)| globs.take(prefix)).map(|(prefix, entries)| {
        let unload = place.sibling(prefix);
        if let Some(slice) = unclear.get(prefix) {
            let why = format!(
                "another unload with a sidecar or a manifest may have written {slice}; remove one of the sidecars, or write a \
                 manifest of one of the unloads"
            );
            left(&unload, Outcome::Waiting, why)
        } else if prefix.starts_with(&place.key) {
            Unit::Found(Unload::found(&place.bucket, prefix, entries))
        } else {
            let how = match prefix.starts_with(&settings.unload_prefix) {
                true => format!("name {unload} itself"),
                false => format!("UNLOAD_PREFIX={:?} has to end before it does", settings.unload_prefix),
            };
            left(&unload, Outcome::Waiting, format!("it may have more slices than those below {place}; {how}"))
        }
    }));
    Ok(units)
}

fn left(uri: &Uri, outcome: Outcome, why: String) -> Unit {
    Unit::Left(Receipt::idle(uri, outcome, why))
}

/// What keys are there.
struct Keys<'a> {
    settings: &'a Settings,
    s3: &'a S3,
    place: &'a Uri,
    /// All below the place.
    listed: HashSet<&'a str>,
    prefixes: &'a HashSet<&'a str>,
    /// Those elsewhere that were asked for.
    others: HashMap<String, bool>,
}

impl Keys<'_> {
    async fn is_there(&mut self, key: &str) -> Result<bool, Error> {
        if !key.starts_with(&self.settings.unload_prefix) || key.starts_with(&self.place.key) {
            return Ok(self.listed.contains(key));
        } else if let Some(is_there) = self.others.get(key) {
            return Ok(*is_there);
        }
        let is_there = self.s3.head(&self.place.sibling(key)).await?.is_some();
        self.others.insert(key.to_owned(), is_there);
        Ok(is_there)
    }

    async fn reading<'k>(&mut self, key: &'k str) -> Result<Reading<'k>, Error> {
        let Readings { counted, folders } = Readings::of(key, self.settings);
        let mut credible = Vec::new();
        for name in &counted {
            let has_evidence = match &name.evidence {
                Evidence::Itself => true,
                Evidence::Listed => false,
                Evidence::Sibling(key) => self.is_there(key).await?,
            };
            credible.extend(has_evidence.then(|| name.clone()));
        }
        // If the numbers agree, it is enough that somebody has named the columns of that unload.
        let base = |name: &Name<'_>| name.unload_prefix.len() + name.partition.len();
        let agree = counted.iter().all(|name| base(name) == base(&counted[0]));
        for names in [if agree { &counted } else { &credible }, &folders] {
            if let Some(reading) = self.confirmed(names).await? {
                return Ok(reading);
            } else if !credible.is_empty() {
                break;
            }
        }
        let names = if credible.is_empty() { folders } else { credible };
        let is_named = |name: &&Name<'_>| name.unload_prefix == self.place.key;
        let name = names.iter().find(is_named).or(names.first()).cloned();
        // Where UNLOAD_PREFIX cuts through the unload's name, no reading is below it.
        Ok(Reading::One(name.unwrap_or_else(|| readings(key).swap_remove(0))))
    }

    /// What a sidecar or a manifest confirms, in the nearest folder where any does.
    async fn confirmed<'k>(&mut self, names: &[Name<'k>]) -> Result<Option<Reading<'k>>, Error> {
        for folder in names.chunk_by(|one, next| one.partition == next.partition) {
            let mut confirmed: Vec<Name<'k>> = Vec::new();
            for name in folder {
                for key in name.sidecars().into_iter().chain([name.manifest()]) {
                    let is_new = confirmed.iter().all(|other| other.unload_prefix != name.unload_prefix);
                    if is_new && self.is_there(&key).await? {
                        confirmed.push(name.clone());
                    }
                }
            }
            // An unload whose manifest does not list the object is the less likely one.
            let (listing, others): (Vec<_>, Vec<_>) =
                confirmed.into_iter().partition(|name| self.prefixes.contains(name.unload_prefix));
            let mut likely = if others.is_empty() { listing } else { others };
            match likely.len() {
                0 => (),
                1 => return Ok(Some(Reading::One(likely.swap_remove(0)))),
                _ => return Ok(Some(Reading::Several(likely))),
            }
        }
        Ok(None)
    }
}
