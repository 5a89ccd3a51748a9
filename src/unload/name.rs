//! The keys that UNLOAD writes, and which unload each of them belongs to.
//!
//! UNLOAD puts a slice number behind whatever prefix it was given, with nothing in between, so a key
//! can be read in more than one way: `report2026000` is file `000` of the unload `report2026`, or file
//! `6000` of `report202`. [`readings`] gives all of them, the likeliest first.
//!
//! Names: AWS, Redshift database developer guide, UNLOAD, "TO", "PARTITION BY" and "EXTENSION".

/// What an object is for, told by its key alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Data,
    Manifest,
    Sidecar,
    /// `folder/`, or `folder_$folder$` as Hadoop's tools write it.
    DirectoryMarker,
}

/// What a sidecar's key ends in.
pub const SIDECAR: &str = ".headers";

impl Role {
    pub fn of(key: &str) -> Role {
        if key.ends_with('/') || key.ends_with("_$folder$") {
            Role::DirectoryMarker
        } else if key.ends_with(SIDECAR) {
            Role::Sidecar
        } else if key.ends_with("manifest") {
            Role::Manifest
        } else {
            Role::Data
        }
    }
}

/// The part of a data object's name that UNLOAD counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// `0007_part_02`: PARALLEL ON.
    Slice { slice: u32, part: u32 },
    /// `002`: PARALLEL OFF.
    Serial(u32),
    /// No name of UNLOAD's; the folder stands for the unload.
    None,
}

/// One reading of a data object's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'k> {
    /// The URI after UNLOAD's `TO`, without the bucket.
    pub unload_prefix: &'k str,
    /// `year=2026/month=11/`, with PARTITION BY; otherwise empty.
    pub partition: &'k str,
    pub number: Number,
    /// From its first dot on: `.csv`, `.gz`, or empty.
    pub extension: &'k str,
}

impl Name<'_> {
    /// The sidecar that speaks for the whole unload.
    pub fn sidecar(&self) -> String {
        format!("{}{SIDECAR}", self.unload_prefix)
    }

    /// The unload's manifest. UNLOAD adds a `/` to a prefix without one where it partitions.
    pub fn manifest(&self) -> String {
        let slash = if self.partition.is_empty() || self.unload_prefix.ends_with('/') { "" } else { "/" };
        format!("{}{slash}manifest", self.unload_prefix)
    }
}

/// All readings of a data object's key, the likeliest first; never none.
///
/// ```
/// use unload_header::unload::name::readings;
/// let prefixes: Vec<_> = readings("out/report2026000").iter().map(|name| name.unload_prefix.to_owned()).collect();
/// assert_eq!(prefixes, ["out/report2026", "out/report202", "out/"]);
/// ```
pub fn readings(key: &str) -> Vec<Name<'_>> {
    let folder = &key[..key.rfind('/').map_or(0, |slash| slash + 1)];
    // An extension begins at a dot of the file's name; the shortest is the likeliest.
    let dots = key.rmatch_indices('.').map(|(at, _)| at).take_while(|at| *at >= folder.len());
    let mut names = Vec::new();
    for end in std::iter::once(key.len()).chain(dots) {
        let (stem, extension) = key.split_at(end);
        let numbers = slice_numbers(stem, folder.len()).chain(serial_numbers(stem, folder.len()));
        names.extend(numbers.map(|(unload_prefix, number)| Name { unload_prefix, partition: "", number, extension }));
    }
    // `0000_part_00` is UNLOAD's beyond doubt; three digits at the end of a name may be chance.
    if !names.iter().any(|name| matches!(name.number, Number::Slice { .. })) {
        let extension = key[folder.len()..].find('.').map_or("", |dot| &key[folder.len() + dot..]);
        names.push(Name { unload_prefix: folder, partition: "", number: Number::None, extension });
    }
    names.into_iter().flat_map(|name| with_partitions(folder, name)).collect()
}

/// A name directly below `name=value/` folders may be that of an UNLOAD with PARTITION BY: then the
/// unload prefix ends before the first of them, and whether in a `/` of the user's can't be told.
fn with_partitions<'k>(folder: &'k str, name: Name<'k>) -> Vec<Name<'k>> {
    let (root, partition) = folder.split_at(partition_root(folder));
    if partition.is_empty() || name.unload_prefix != folder {
        return vec![name];
    }
    let bare = root.strip_suffix('/').filter(|bare| !bare.is_empty());
    let mut names: Vec<_> = std::iter::once(root)
        .chain(bare)
        .map(|unload_prefix| Name { unload_prefix, partition, ..name.clone() })
        .collect();
    let at = if name.number == Number::None { 0 } else { names.len() };
    names.insert(at, name);
    names
}

/// The names of the `name=value/` folders that a key lies directly in.
pub fn partitions(key: &str) -> Vec<&str> {
    let folder = &key[..key.rfind('/').map_or(0, |slash| slash + 1)];
    let folders = folder[partition_root(folder)..].split_terminator('/');
    folders.filter_map(|folder| Some(folder.split_once('=')?.0)).collect()
}

/// Where the `name=value/` folders at the end of `folder` begin.
fn partition_root(folder: &str) -> usize {
    let mut root = folder.len();
    for segment in folder.split_inclusive('/').rev() {
        if segment.find('=').is_none_or(|at| at == 0) {
            break;
        }
        root -= segment.len();
    }
    root
}

/// `…0007_part_02`: four digits, or five where a cluster has that many slices.
fn slice_numbers(stem: &str, from: usize) -> impl Iterator<Item = (&str, Number)> {
    let found = stem.rfind("_part_").filter(|at| *at >= from).map(|at| (&stem[..at], &stem[at + "_part_".len()..]));
    let part = found.filter(|(_, part)| part.len() >= 2).and_then(|(_, part)| digits(part));
    let before = found.map_or("", |(before, _)| before);
    [4, 5].into_iter().filter_map(move |width| {
        let (prefix, slice) = last_digits(before, from, width)?;
        Some((prefix, Number::Slice { slice, part: part? }))
    })
}

/// `…002`: three digits, four from the thousandth file on and in one sample of AWS's.
fn serial_numbers(stem: &str, from: usize) -> impl Iterator<Item = (&str, Number)> {
    let run = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let widths = if run == 4 { [4, 3] } else { [3, 4] };
    widths.into_iter().filter_map(move |width| {
        let (prefix, number) = last_digits(stem, from, width)?;
        Some((prefix, Number::Serial(number)))
    })
}

/// Splits `width` digits off the end of `stem`, all behind `from`. Five digits do not begin with 0:
/// the number is written with at least four.
fn last_digits(stem: &str, from: usize, width: usize) -> Option<(&str, u32)> {
    let at = stem.len().checked_sub(width).filter(|at| *at >= from && stem.is_char_boundary(*at))?;
    let (prefix, number) = stem.split_at(at);
    (width < 5 || !number.starts_with('0')).then_some((prefix, digits(number)?))
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(key: &str) -> Vec<&str> {
        readings(key).into_iter().map(|name| name.unload_prefix).collect()
    }

    #[test]
    fn slices_of_a_parallel_unload() {
        let name = &readings("unload/q42_0003_part_01.gz")[0];
        assert_eq!(name.unload_prefix, "unload/q42_");
        assert_eq!(name.number, Number::Slice { slice: 3, part: 1 });
        assert_eq!(name.extension, ".gz");
        assert_eq!(prefixes("unload/q42_0003_part_01"), ["unload/q42_"]);
        assert_eq!(prefixes("0000_part_00"), [""]);
        assert_eq!(readings("a/0000_part_100")[0].number, Number::Slice { slice: 0, part: 100 });
    }

    #[test]
    fn files_of_a_serial_unload() {
        assert_eq!(prefixes("unload/q42_000"), ["unload/q42_", "unload/"]);
        assert_eq!(prefixes("unload/000.csv"), ["unload/", "unload/"]);
        assert_eq!(readings("unload/q001.csv.gz")[0].extension, ".csv.gz");
        assert_eq!(readings("unload/q001")[0].number, Number::Serial(1));
    }

    #[test]
    fn four_digits_alone_are_one_number() {
        assert_eq!(prefixes("venue_0000.gz")[0], "venue_");
        assert_eq!(prefixes("venue_1000")[0], "venue_");
    }

    #[test]
    fn digits_that_belong_to_the_prefix() {
        assert_eq!(prefixes("report20260000_part_00"), ["report2026", "report202"]);
        assert_eq!(prefixes("report2026000"), ["report2026", "report202", ""]);
        assert_eq!(prefixes("report20200001_part_00"), ["report2020"], "no five digits from a zero on");
    }

    #[test]
    fn an_extension_with_digits_or_dots() {
        assert_eq!(prefixes("v1.0000_part_00.csv.gz"), ["v1."]);
        assert_eq!(prefixes("a000.b111"), ["a000.b", "a", ""]);
        assert_eq!(readings("x.y/0000_part_00")[0].extension, "", "a dot in a folder is none");
    }

    #[test]
    fn partitions_belong_to_the_prefix_before_them() {
        let key = "unload/sales/year=2026/name=ZZ Top/0000_part_00";
        assert_eq!(prefixes(key), ["unload/sales/", "unload/sales", "unload/sales/year=2026/name=ZZ Top/"]);
        let name = &readings(key)[1];
        assert_eq!(name.partition, "year=2026/name=ZZ Top/");
        assert_eq!(name.manifest(), "unload/sales/manifest");
        assert_eq!(name.sidecar(), "unload/sales.headers");
        assert_eq!(prefixes("unload/sales/year=2026/000.parquet")[..2], ["unload/sales/", "unload/sales"]);
    }

    #[test]
    fn partitions_have_names() {
        assert_eq!(partitions("u/dt=1/x/year=2026/name=a=b/0000_part_00"), ["year", "name"]);
        assert!(partitions("u/0000_part_00").is_empty());
    }

    #[test]
    fn a_folder_like_a_partition_in_front_of_a_name_is_the_users_own() {
        assert_eq!(prefixes("unload/dt=2026-11-22/q42_0000_part_00"), ["unload/dt=2026-11-22/q42_"]);
    }

    #[test]
    fn a_name_that_is_not_unloads() {
        let key = "athena/20261122_101010_00011_abcde_6f1e";
        assert_eq!(prefixes(key), ["athena/"]);
        assert_eq!(readings(key)[0].sidecar(), "athena/.headers");
        assert_eq!(prefixes("athena/dt=1/0f3a.gz"), ["athena/dt=1/", "athena/", "athena"]);
        assert_eq!(prefixes("x_part_0"), [""]);
        assert_eq!(prefixes("é"), [""]);
    }

    #[test]
    fn roles() {
        for (key, role) in [
            ("u/q_manifest", Role::Manifest),
            ("u/manifest", Role::Manifest),
            ("u/q_0000_part_00", Role::Data),
            ("u/q_0000_part_00.headers", Role::Sidecar),
            ("u/.headers", Role::Sidecar),
            ("u/", Role::DirectoryMarker),
            ("u_$folder$", Role::DirectoryMarker),
        ] {
            assert_eq!(Role::of(key), role, "{key}");
        }
    }
}
