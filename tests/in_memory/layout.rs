//! What src/lib.rs says of the layout: a module imports only from those that are listed below it, and no two public types
//! share a name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The Rust files below a folder, without their tests and comments.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| match path.extension() {
        None => files(&path),
        Some(_) => {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().lines();
            let code: Vec<&str> = code.filter(|line| !line.trim_start().starts_with("//")).collect();
            vec![(path, code.join("\n"))]
        }
    });
    found.filter(|(path, _)| !path.ends_with("tests.rs")).collect()
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The names in square brackets of the list of modules, each with its line.
fn listed(lib: &str) -> BTreeMap<String, usize> {
    let layout = lib.split("# Layout").nth(1).unwrap().split("#![warn").next().unwrap().to_owned();
    let lines = layout.lines().enumerate().map(|(at, line)| (at, line.to_owned())).collect::<Vec<_>>();
    let names = lines.iter().flat_map(|(at, line)| {
        let names = line.split("[`").skip(1).filter_map(|rest| rest.split_once("`]"));
        names.map(|(name, _)| (name.to_owned(), *at)).collect::<Vec<_>>()
    });
    names.collect()
}

#[test]
fn no_module_imports_from_one_above_it() {
    let src = folder("src");
    let floors = listed(&std::fs::read_to_string(src.join("lib.rs")).unwrap());
    let mut seen = BTreeSet::new();
    for (path, text) in files(&src) {
        let below = path.strip_prefix(&src).unwrap().to_owned();
        let module = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        // The binaries and the demonstration's bucket are users of the library.
        if ["lib", "main", "bin", "demo"].contains(&module.as_str()) {
            continue;
        }
        let floor = *floors.get(&module).unwrap_or_else(|| panic!("src/lib.rs does not list {module}"));
        for used in text.split("crate::").skip(1).filter_map(|rest| rest.split([':', ';', ' ', ',']).next()) {
            let other = *floors.get(used).unwrap_or_else(|| panic!("{below:?} uses {used}, which src/lib.rs lacks"));
            assert!(other > floor || used == module, "{below:?} imports from {used}, which is not listed below it");
            seen.insert((module.clone(), used.to_owned()));
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (path, text) in ["src", "local-s3/src"].into_iter().flat_map(|path| files(&folder(path))) {
        for line in text.lines().map(str::trim_start) {
            let line =
                line.strip_prefix("pub").map(|rest| rest.split_once(") ").map_or(rest, |(_, rest)| rest).trim_start());
            let kinds = ["struct ", "enum ", "trait ", "type "];
            let Some(rest) = kinds.iter().find_map(|kind| line?.strip_prefix(kind)) else { continue };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            let other = places.insert(name.clone(), path.clone());
            assert_eq!(other, None, "{name} is in {path:?} as well");
        }
    }
    assert!(places.len() > 60, "{}", places.len());
}
