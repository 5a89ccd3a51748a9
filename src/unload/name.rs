//! The keys that UNLOAD writes, and which unload each of them may belong to.
//!
//! UNLOAD appends a number to whatever prefix it was given, with nothing in between, so that a key can be read in more
//! than one way: `report2026000` is file `000` of the unload `report2026`, or file `6000` of `report202`. In
//! `name=value/` folders, some of which PARTITION BY may have made, the unload prefix may end at any of them.
//! [`readings`] gives all readings of a key, and [`Evidence`] says which other object must be there for a reading to be
//! right.
//!
//! Names: AWS, Redshift database developer guide, UNLOAD, "TO", "PARTITION BY" and "EXTENSION".

/// What an object is for, as far as its key tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Data,
    /// Only if its content is a manifest: any object may have such a name.
    Manifest,
    Sidecar,
    /// `folder/`, or `folder_$folder$` as Hadoop's tools write it.
    DirectoryMarker,
}

/// The end of a sidecar's key.
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

/// The number that UNLOAD gave a data object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// `0007_part_02`: PARALLEL ON.
    Slice { slice: u32, part: u32 },
    /// `002`: PARALLEL OFF.
    Serial(u32),
    /// None: UNLOAD did not choose the name. The folder is taken for the unload prefix.
    None,
}

/// What must be in S3 for a reading to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Only the object itself: it is the first file, or it is a slice, whose numbers may have gaps.
    Itself,
    /// The object with this key, which UNLOAD writes before it comes to this number.
    Sibling(String),
    /// A manifest that lists the object: the name is more likely not UNLOAD's.
    Listed,
}

/// One reading of a data object's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'k> {
    /// The URI after UNLOAD's `TO`, without the bucket. With PARTITION BY it ends in a `/`, even if the
    /// user's did not.
    pub unload_prefix: &'k str,
    /// `year=2026/month=11/`, with PARTITION BY; otherwise empty.
    pub partition: &'k str,
    pub number: Number,
    pub evidence: Evidence,
    /// From its first dot on: `.csv`, `.gz`, or empty.
    pub extension: &'k str,
}

/// The sidecars of a whole unload. With PARTITION BY, UNLOAD adds a `/` to a prefix without one.
pub fn sidecars(unload_prefix: &str, is_partitioned: bool) -> Vec<String> {
    let bare = unload_prefix.strip_suffix('/').filter(|bare| is_partitioned && !bare.is_empty());
    [Some(unload_prefix), bare].into_iter().flatten().map(|prefix| format!("{prefix}{SIDECAR}")).collect()
}

impl Name<'_> {
    /// The sidecars of the whole unload.
    pub fn sidecars(&self) -> Vec<String> {
        sidecars(self.unload_prefix, !self.partition.is_empty())
    }

    /// The unload's manifest.
    pub fn manifest(&self) -> String {
        format!("{}manifest", self.unload_prefix)
    }
}

/// All readings of a data object's key, one at least. The nearest folder and the likeliest number come first.
///
/// ```
/// use unload_header::unload::name::readings;
/// let prefixes: Vec<_> = readings("out/report2026000").iter().map(|name| name.unload_prefix.to_owned()).collect();
/// assert_eq!(prefixes, ["out/report2026", "out/report202", "out/"]);
/// ```
pub fn readings(key: &str) -> Vec<Name<'_>> {
    let folder = &key[..key.rfind('/').map_or(0, |slash| slash + 1)];
    // An extension begins at a dot of the file's name. The shortest one is the likeliest.
    let dots = key.rmatch_indices('.').map(|(at, _)| at).take_while(|at| *at >= folder.len());
    let mut names = Vec::new();
    for end in std::iter::once(key.len()).chain(dots) {
        let (stem, extension) = key.split_at(end);
        let numbers = slice_numbers(stem, folder.len(), extension).chain(serial_numbers(stem, folder.len(), extension));
        names.extend(numbers.map(|(unload_prefix, number, evidence)| Name {
            unload_prefix,
            partition: "",
            number,
            evidence,
            extension,
        }));
    }
    // Only UNLOAD writes `0000_part_00`, but three digits may end any name.
    if !names.iter().any(|name| matches!(name.number, Number::Slice { .. }) && name.evidence == Evidence::Itself) {
        let extension = key[folder.len()..].find('.').map_or("", |dot| &key[folder.len() + dot..]);
        let (number, evidence) = (Number::None, Evidence::Itself);
        names.push(Name { unload_prefix: folder, partition: "", number, evidence, extension });
    }
    names.into_iter().flat_map(|name| with_partitions(folder, name)).collect()
}

/// A name directly in `name=value/` folders may be of an UNLOAD with PARTITION BY, whose prefix may end before any of
/// them. The folders before that are the user's own.
fn with_partitions<'k>(folder: &'k str, name: Name<'k>) -> Vec<Name<'k>> {
    if name.unload_prefix != folder {
        return vec![name];
    }
    let mut ends = vec![folder.len()];
    for segment in folder.split_inclusive('/').rev().take_while(|segment| partition_name(segment).is_some()) {
        ends.push(ends[ends.len() - 1] - segment.len());
    }
    let split = |end| {
        let (unload_prefix, partition) = folder.split_at(end);
        Name { unload_prefix, partition, ..name.clone() }
    };
    ends.into_iter().map(split).collect()
}

/// The names of the `name=value/` folders that a key lies directly in, the nearest last.
pub fn partitions(key: &str) -> Vec<&str> {
    let folder = &key[..key.rfind('/').map_or(0, |slash| slash + 1)];
    let mut names: Vec<_> = folder.split_inclusive('/').rev().map_while(partition_name).collect();
    names.reverse();
    names
}

fn partition_name(folder: &str) -> Option<&str> {
    folder.split_once('=').map(|(name, _)| name).filter(|name| !name.is_empty())
}

/// `…0007_part_02`: four digits, or five if the cluster has that many slices.
fn slice_numbers<'k>(stem: &'k str, from: usize, extension: &str) -> impl Iterator<Item = (&'k str, Number, Evidence)> {
    let found = stem.rfind("_part_").filter(|at| *at >= from).map(|at| (&stem[..at], &stem[at + "_part_".len()..]));
    let part = found.filter(|(_, part)| part.len() >= 2).and_then(|(_, part)| digits(part));
    let before = found.map_or("", |(before, _)| before);
    [4, 5].into_iter().filter_map(move |width| {
        let (prefix, slice) = last_digits(before, from, width)?;
        let evidence = match slice {
            _ if is_of_insert(&prefix[from..]) => Evidence::Listed,
            // UNLOAD also writes slices without rows, so that slice 9999 must be there.
            10_000.. => Evidence::Sibling(format!("{prefix}9999_part_00{extension}")),
            _ => Evidence::Itself,
        };
        Some((prefix, Number::Slice { slice, part: part? }, evidence))
    })
}

/// Whether a name begins `20200303_004509_810669_1007_`, as those of an INSERT into an external table do, whose
/// own number is written like a slice's (AWS, Redshift database developer guide, INSERT (external table)).
fn is_of_insert(prefix: &str) -> bool {
    let Some(numbers) = prefix.strip_suffix('_') else { return false };
    let numbers: Vec<&str> = numbers.split('_').collect();
    let all_digits = numbers.iter().all(|number| !number.is_empty() && digits(number).is_some());
    all_digits && numbers.len() == 4 && (numbers[0].len(), numbers[1].len()) == (8, 6)
}

/// `…002`: three digits, and four from the thousandth file on. A sample of AWS's has four digits throughout. If there are
/// more than four digits in a row, the last four may as well belong to the name if they begin with a 0.
fn serial_numbers<'k>(
    stem: &'k str,
    from: usize,
    extension: &str,
) -> impl Iterator<Item = (&'k str, Number, Evidence)> {
    let run = stem[from..].len() - stem[from..].trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let is_foreign = is_of_spark(&stem[from..]) || ends_in_uuid(&stem[from..]);
    let widths = if run == 4 { [4, 3] } else { [3, 4] };
    widths.into_iter().filter_map(move |width| {
        let (prefix, number) = last_digits(stem, from, width)?;
        let sibling = |number: &str| Evidence::Sibling(format!("{prefix}{number}{extension}"));
        let evidence = match (number, width) {
            _ if is_foreign => Evidence::Listed,
            (1_000.., _) => sibling("999"),
            (_, 4) if run > 4 => Evidence::Listed,
            (0, _) => Evidence::Itself,
            (_, 4) => sibling("0000"),
            _ => sibling("000"),
        };
        Some((prefix, Number::Serial(number), evidence))
    })
}

/// Whether a name begins `part-00000-`, as those of Spark and Hadoop do, which may end in `-c000`.
fn is_of_spark(name: &str) -> bool {
    let task = name.strip_prefix("part-").and_then(|rest| rest.get(..5));
    task.is_some_and(|task| digits(task).is_some())
}

/// Whether a name ends in a UUID, as Athena's and Trino's do. Then its last digits are not the number of a file.
fn ends_in_uuid(name: &str) -> bool {
    let groups: Vec<&str> = name.rsplitn(5, '-').collect();
    let first = groups.get(4).map_or("", |first| first.get(first.len().saturating_sub(8)..).unwrap_or_default());
    let lengths = [12, 4, 4, 4, 8];
    let groups = groups.into_iter().take(4).chain([first]);
    groups.zip(lengths).all(|(group, length)| group.len() == length && group.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Splits `width` digits off the end of `stem`, but none before `from`. Five digits do not begin with 0, since UNLOAD
/// fills up to four.
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

    /// Each reading with a number, and its evidence.
    fn evidence(key: &str) -> Vec<(&str, String)> {
        let names = readings(key).into_iter().filter(|name| name.number != Number::None);
        let told = |evidence| match evidence {
            Evidence::Sibling(key) => key,
            other => format!("{other:?}"),
        };
        names.map(|name| (name.unload_prefix, told(name.evidence))).collect()
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
    fn the_evidence_for_a_number_is_a_file_before_it() {
        assert_eq!(evidence("u/q001.csv"), [("u/q", "u/q000.csv".to_owned())]);
        assert_eq!(evidence("q1000"), [("q", "q999".to_owned()), ("q1", "Itself".to_owned())]);
        assert_eq!(evidence("q1001.gz"), [("q", "q999.gz".to_owned()), ("q1", "q1000.gz".to_owned())]);
        assert_eq!(evidence("q12000"), [("q12", "Itself".to_owned()), ("q1", "q1999".to_owned())]);
        assert_eq!(evidence("q10000"), [("q10", "Itself".to_owned()), ("q1", "Listed".to_owned())]);
        assert_eq!(evidence("v_0002.gz")[0], ("v_", "v_0000.gz".to_owned()), "AWS's sample with four digits");
        let report = [("r2026", "Itself".to_owned()), ("r202", "r2029999_part_00".to_owned())];
        assert_eq!(evidence("r20260000_part_01"), report);
    }

    #[test]
    fn an_extension_with_digits_or_dots() {
        assert_eq!(prefixes("v1.0000_part_00.csv.gz"), ["v1."]);
        assert_eq!(prefixes("a000.b111"), ["a000.b", "a", ""]);
        assert_eq!(readings("x.y/0000_part_00")[0].extension, "", "a dot in a folder is none");
    }

    #[test]
    fn an_unload_prefix_may_end_between_any_two_folders() {
        let key = "unload/sales/year=2026/name=ZZ Top/0000_part_00";
        let name = &readings(key)[2];
        assert_eq!(prefixes(key), ["unload/sales/year=2026/name=ZZ Top/", "unload/sales/year=2026/", "unload/sales/"]);
        assert_eq!(name.partition, "year=2026/name=ZZ Top/");
        assert_eq!(name.manifest(), "unload/sales/manifest");
        assert_eq!(name.sidecars(), ["unload/sales/.headers", "unload/sales.headers"]);
        assert_eq!(readings(key)[0].sidecars(), ["unload/sales/year=2026/name=ZZ Top/.headers"]);
        assert_eq!(prefixes("a=1/000.parquet")[..2], ["a=1/", ""]);
        assert_eq!(readings("a=1/000")[1].sidecars(), [".headers"]);
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
        assert_eq!(readings(key)[0].sidecars(), ["athena/.headers"]);
        assert_eq!(prefixes("athena/dt=1/0f3a.gz"), ["athena/dt=1/", "athena/"]);
        assert_eq!(prefixes("x_part_0"), [""]);
        assert_eq!(prefixes("é"), [""]);
    }

    #[test]
    fn names_that_only_look_like_unloads() {
        let insert = "ext/20200303_004509_810669_1007_0001_part_00.parquet";
        assert_eq!(prefixes(insert), ["ext/20200303_004509_810669_1007_", "ext/"]);
        assert_eq!(readings(insert)[0].evidence, Evidence::Listed);
        assert_eq!(prefixes("ext/2020_1_2_3_0001_part_00"), ["ext/2020_1_2_3_"]);
        for foreign in [
            "20221122_1_6f1e2a3b-0c1d-4e5f-8a9b-012345678000",
            "00000000-0000-0000-0000-000000000000",
            "part-00000-6f1e2a3b-0c1d-4e5f-8a9b-0c1d2e3f4a5b-c000.csv",
            "part-00000.gz",
        ] {
            assert!(evidence(foreign).iter().all(|(_, evidence)| evidence == "Listed"), "{foreign}");
        }
        let uuid = "6f1e2a3b-0c1d-4e5f-8a9b-0c1d2e3f4a5b";
        assert_eq!(evidence(&format!("{uuid}_000")), [(format!("{uuid}_").as_str(), "Itself".to_owned())]);
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
