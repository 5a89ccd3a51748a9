//! Worlds made at random: unloads that get in each other's way, and the order of what is written.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::model::{Manifest, Model, Partition, Run, Settings, Sidecar, Slice, Unload, Write};
use super::random::Random;
use super::undecidable;

/// What a prefix is likely to be used with.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Seldom with PARTITION BY.
    Plain,
    /// With PARTITION BY, by these columns.
    By(&'static [&'static str]),
    Folder,
}

use Kind::{By, Folder, Plain};

const NUMBERED: &[(&str, Kind)] = &[
    ("q", Plain),
    ("q1", Plain),
    ("q_", Plain),
    ("q/", Plain),
    ("q10", Plain),
    ("q1/", Plain),
    ("q1_", Plain),
    ("", Folder),
];
const YEARS: &[(&str, Kind)] =
    &[("r2026", Plain), ("r202", Plain), ("r20", Plain), ("r2026/", Plain), ("", Plain), ("", Folder)];
const FOLDERS: &[(&str, Kind)] = &[
    ("sales/", By(&["year"])),
    ("sales", By(&["year"])),
    ("sales", By(&["dt", "grade"])),
    ("sales/", By(&["dt"])),
    ("sales_", By(&["year"])),
    ("sales/", By(&["grade"])),
    ("sales/", Plain),
    ("sales", Plain),
    ("sales/dt=2026-11-22/", Plain),
    ("sales/dt=2026-11-22", Plain),
    ("sales/dt=2026-11-22/", By(&["grade"])),
    ("sales/dt=2026-11-22", By(&["grade"])),
    ("sales/", Folder),
    ("", By(&["year"])),
];

const VALUES: [&str; 7] = ["A", "A-", "2026", "ZZ Top", "__HIVE_DEFAULT_PARTITION__", "2026-11-22", "2026-11-23"];
const ODD: [&str; 4] = [
    "20261122_101112_00042_kq7zr_5d2c1a9e-77b0-4e0e-9c3b-1f0a2b3c4dee",
    "part-00000-6f1e.c000.csv",
    "data.csv",
    "weekly export",
];

impl Model {
    /// The world of a seed. A world whose keys collide, or in which it is not known what is right, is made anew.
    pub fn of(seed: u64) -> Model {
        let mut random = Random::new(seed);
        loop {
            let settings = settings(seed, &mut random);
            let unloads = unloads(&settings, &mut random);
            if collide(&unloads) || undecidable::any(&settings, &unloads) {
                continue;
            }
            let writes = writes(&unloads, &mut random);
            return Model { settings, unloads, writes };
        }
    }
}

fn settings(seed: u64, random: &mut Random) -> Settings {
    let options = random.one(&["", "", "FORMAT CSV", "FORMAT AS CSV ALLOWOVERWRITE", "ALLOWOVERWRITE"]);
    let check = random.percent(85);
    let (single, delete, final_manifest) = (seed % 4 >= 2, seed % 2 == 1, (seed / 4).is_multiple_of(3));
    Settings { single, delete, final_manifest, check, options: options.to_owned() }
}

fn unloads(settings: &Settings, random: &mut Random) -> Vec<Unload> {
    let family = random.one(&[NUMBERED, NUMBERED, YEARS, FOLDERS, FOLDERS]);
    let mut prefixes = family.to_vec();
    if random.percent(15) {
        prefixes = [NUMBERED, YEARS, FOLDERS].concat();
    }
    random.shuffle(&mut prefixes);
    let names = ['a', 'b', 'c', 'd'].into_iter().take(random.between(2, 4));
    let alike = random.percent(60).then(|| random.between(2, 4));
    names.zip(prefixes).map(|(name, (to, kind))| unload(name, to, kind, alike, settings, random)).collect()
}

/// One unload; `alike` is how many columns all of the world have.
fn unload(name: char, to: &str, kind: Kind, alike: Option<usize>, settings: &Settings, random: &mut Random) -> Unload {
    let columns = match kind {
        By(columns) => Some(columns),
        Plain if random.percent(10) => Some(["year"].as_slice()),
        _ => None,
    };
    let partition = columns.map(|columns| Partition { columns: columns.to_vec(), include: random.percent(25) });
    let athena = kind == Folder;
    let mut manifest = random.one(&[
        Manifest::None,
        Manifest::Plain,
        Manifest::Plain,
        Manifest::Verbose,
        Manifest::Verbose,
        Manifest::Verbose,
    ]);
    let mut sidecar = random.percent(if manifest == Manifest::Verbose { 30 } else { 85 }).then(|| Sidecar {
        early: random.percent(65),
        options: random.percent(40),
        all: partition.is_some() && random.percent(50),
        array: random.percent(50),
    });
    if athena {
        manifest = Manifest::None;
        sidecar = Some(Sidecar { early: random.percent(65), options: random.percent(40), all: false, array: true });
    }
    let mut csv = settings.options.contains("CSV");
    if let Some(sidecar) = &mut sidecar {
        if sidecar.options && random.percent(50) {
            csv = !csv;
            // Until a late one is there, a verbose manifest's names would be written in the other dialect.
            sidecar.early |= manifest == Manifest::Verbose;
        }
        // Without CHECK_COLUMNS only options tell that rows lack the partition columns.
        sidecar.options |= sidecar.all && !settings.check;
    }
    if !settings.check && partition.as_ref().is_some_and(|it| !it.include) && manifest == Manifest::Verbose {
        manifest = Manifest::Plain;
    }
    let serial = !athena && random.percent(40);
    let to = format!("unload/{to}");
    let mut unload =
        Unload { name, to, partition, athena, serial, csv, manifest, sidecar, own: None, runs: Vec::new() };
    let width = alike.unwrap_or_else(|| random.between(2, 4));
    let folders = folders(&unload, random);
    let names = slice_names(&unload, random);
    let rows = random.between(1, 3);
    unload.runs.push(run(&unload, 1, width, &folders, &names, rows, random));
    if !athena && random.percent(35) {
        second(&mut unload, width, &folders, &names, rows, settings, random);
    } else if !settings.single && unload.partition.is_none() && random.percent(10) {
        let slice = random.one(&unload.runs[0].slices);
        unload.own = Some(format!("{}.headers", slice.key));
    }
    unload
}

/// UNLOAD once more with the same prefix: other rows and names, of equal size as often as not.
fn second(
    unload: &mut Unload,
    width: usize,
    folders: &[String],
    names: &[String],
    rows: usize,
    settings: &Settings,
    random: &mut Random,
) {
    let (width, rows) = if random.percent(60) { (width, rows) } else { (random.between(2, 4), random.between(1, 3)) };
    let fewer = |count: usize, random: &mut Random| if random.percent(60) { count } else { random.between(1, count) };
    let (folders, names) = (&folders[..fewer(folders.len(), random)], &names[..fewer(names.len(), random)]);
    let mut next = run(unload, 2, width, folders, names, rows, random);
    if random.percent(35) {
        next.complete = false;
        let written = random.between(1, next.slices.len().max(2) - 1);
        let mut order: Vec<usize> = (0..next.slices.len()).collect();
        random.shuffle(&mut order);
        let kept: BTreeSet<usize> = order.into_iter().take(written).collect();
        let mut number = 0..;
        next.slices.retain(|_| kept.contains(&number.next().unwrap()));
    }
    // Rows of the new run would get the old names until a late sidecar is there. That is corrected when it comes,
    // but not where the sources are deleted by then, or where it never comes.
    if let Some(sidecar) = &mut unload.sidecar {
        sidecar.early |= settings.delete || !next.complete;
    }
    unload.runs.push(next);
}

fn run(
    unload: &Unload,
    number: usize,
    width: usize,
    folders: &[String],
    names: &[String],
    rows: usize,
    random: &mut Random,
) -> Run {
    let by = unload.partition.as_ref().map(|it| it.columns.clone()).unwrap_or_default();
    let mut columns: Vec<String> = (0..width).map(|column| format!("{}{number}c{column}", unload.name)).collect();
    // The query may have them anywhere.
    let at = if by.is_empty() || unload.runs.is_empty() { random.below(width + 1) } else { 0 };
    columns.splice(at..at, by.iter().map(|name| (*name).to_owned()));
    let include = unload.partition.as_ref().is_some_and(|it| it.include);
    let mut slices = Vec::new();
    for folder in folders {
        for name in names {
            let count = if unload.partition.is_none() && random.percent(20) { 0 } else { rows };
            let record = |row: usize| {
                let value =
                    |column: &String| match folder.split('/').find_map(|it| it.strip_prefix(&format!("{column}="))) {
                        Some(value) if include => Some(value.to_owned()),
                        Some(_) => None,
                        None => Some(format!("{}{number}s{:02}r{row}", unload.name, slices.len())),
                    };
                columns.iter().filter_map(value).collect::<Vec<_>>().join(unload.delimiter()) + "\n"
            };
            let rows = (0..count).map(record).collect();
            slices.push(Slice { key: format!("{}{folder}{name}", unload.root()), folder: folder.clone(), rows });
        }
    }
    Run { columns, slices, complete: true }
}

/// The partitions, or the one place where all slices are.
fn folders(unload: &Unload, random: &mut Random) -> Vec<String> {
    let Some(partition) = &unload.partition else { return vec![String::new()] };
    let mut folders = BTreeSet::new();
    for _ in 0..random.between(1, 3) {
        let folder: String = partition.columns.iter().map(|name| format!("{name}={}/", random.one(&VALUES))).collect();
        folders.insert(folder);
    }
    folders.into_iter().collect()
}

fn slice_names(unload: &Unload, random: &mut Random) -> Vec<String> {
    let count = random.between(1, if unload.partition.is_some() { 2 } else { 3 });
    if unload.athena {
        let mut odd = ODD.map(str::to_owned);
        random.shuffle(&mut odd);
        return odd[..count].to_vec();
    }
    if unload.serial {
        return (0..count).map(|number| format!("{number:03}")).collect();
    }
    // Slice numbers have gaps.
    let numbers: BTreeSet<usize> = (0..count).map(|_| random.below(6)).collect();
    numbers.into_iter().map(|number| format!("{number:04}_part_00")).collect()
}

/// Whether two unloads write the same key, or have one and the same prefix, so that they are one to everybody.
fn collide(unloads: &[Unload]) -> bool {
    let mut keys = BTreeSet::new();
    let mut roots = BTreeSet::new();
    for unload in unloads {
        let slices = unload.runs.iter().flat_map(|run| &run.slices).map(|slice| slice.key.clone());
        let mut own: BTreeSet<String> = slices.collect();
        own.extend([unload.manifest_key(), unload.sidecar_key(), unload.own.clone()].into_iter().flatten());
        own.insert(format!("{} (prefix)", unload.to));
        if own.into_iter().any(|key| !keys.insert(key)) {
            return true;
        }
        if unload.partition.is_some() && !roots.insert(unload.root()) {
            return true;
        }
    }
    false
}

/// What is written, in an order that Redshift and an app could have.
fn writes(unloads: &[Unload], random: &mut Random) -> Vec<Write> {
    let mut queues: Vec<VecDeque<Write>> = unloads.iter().map(|unload| of_unload(unload, random)).collect();
    let mut writes = Vec::new();
    loop {
        queues.retain(|queue| !queue.is_empty());
        if queues.is_empty() {
            return writes;
        }
        let queue = random.below(queues.len());
        // Some unloads go on for a while before another one does.
        for _ in 0..random.between(1, 4) {
            writes.extend(queues[queue].pop_front());
        }
    }
}

fn of_unload(unload: &Unload, random: &mut Random) -> VecDeque<Write> {
    let mut writes = VecDeque::new();
    for (number, run) in unload.runs.iter().enumerate() {
        let told = |what: &str| format!("{} of {}{}", what, unload.name, number + 1);
        let mut new: Vec<Write> = Vec::new();
        let mut order: Vec<&Slice> = run.slices.iter().collect();
        random.shuffle(&mut order);
        let mut push = |key: &str, body: &str, what: &str, random: &mut Random| {
            let after = Duration::from_millis(random.one(&[0, 5, 700, 3_000, 40_000, 120_000]));
            new.push(Write { key: key.to_owned(), body: body.to_owned(), after, what: told(what) });
        };
        let sidecar = unload.sidecar_key().map(|key| (key, unload.sidecar_text(number)));
        let early = unload.sidecar.is_some_and(|it| it.early);
        let mut late = sidecar.as_ref().filter(|_| !early);
        if let Some((key, text)) = sidecar.as_ref().filter(|_| early) {
            push(key, text, "sidecar", random);
        }
        if let Some(own) = &unload.own {
            push(own, &unload.own_text(), "a slice's sidecar", random);
        }
        for slice in order {
            push(&slice.key, &slice.rows, "slice", random);
            if let Some((key, text)) = late.take_if(|_| random.percent(15)) {
                push(key, text, "sidecar", random);
            }
        }
        if let Some((key, text)) = late.take_if(|_| random.percent(40)) {
            push(key, text, "sidecar", random);
        }
        if let Some(key) = unload.manifest_key().filter(|_| run.complete) {
            push(&key, &unload.manifest_text(number), "manifest", random);
        }
        if let Some((key, text)) = late {
            push(key, text, "sidecar", random);
        }
        // The second UNLOAD begins half a minute after the first at least.
        if number > 0 {
            new[0].after += Duration::from_secs(30);
        }
        writes.extend(new);
    }
    writes
}
