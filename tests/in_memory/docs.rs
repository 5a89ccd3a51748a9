//! The documentation names tests that exist, and `docs/semantics.md` names all tests of its promises.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).ok()
}

/// The tests of a file, as `file::test`.
fn tests(file: &str) -> impl Iterator<Item = String> {
    let text = ["any_server", "in_memory"].iter().find_map(|binary| read(&format!("tests/{binary}/{file}.rs")));
    let text = text.unwrap_or_else(|| panic!("docs/semantics.md names {file}, which is no file of tests"));
    let lines: Vec<String> =
        text.lines().map(|line| line.trim_start().trim_start_matches("async ").to_owned()).collect();
    let after = lines.windows(2).filter(|pair| pair[0].starts_with("#[test]") || pair[0].starts_with("#[tokio::test"));
    let names = after.filter_map(|pair| Some(pair[1].strip_prefix("fn ")?.split_once('(')?.0.to_owned()));
    names.map(|name| format!("{file}::{name}")).collect::<Vec<_>>().into_iter()
}

#[test]
fn each_promise_has_its_test_and_each_test_its_promise() {
    let text = read("docs/semantics.md").unwrap();
    let named: BTreeSet<&str> = text.split('`').filter(|code| code.contains("::") && !code.contains(' ')).collect();
    let files: BTreeSet<&str> = named.iter().map(|name| name.split("::").next().unwrap()).collect();
    let there: BTreeSet<String> = files.into_iter().flat_map(tests).collect();
    for name in &named {
        assert!(there.contains(*name), "docs/semantics.md names {name}, which is no test");
    }
    for file in ["concurrency", "deletion", "faults", "merge_safety", "resume", "ways_in"] {
        for test in tests(file) {
            assert!(named.contains(test.as_str()), "docs/semantics.md does not name {test}");
        }
    }
    assert!(named.len() > 30, "{}", named.len());
}

#[test]
fn the_words_are_the_same_in_the_docs_and_in_the_code() {
    let lines = |text: String, comment: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(comment)?.strip_prefix("* **").map(str::to_owned));
        lines.collect()
    };
    let words = lines(read("src/lib.rs").unwrap(), "//! ");
    assert_eq!(words, lines(read("docs/concepts.md").unwrap(), ""));
    assert!(words.len() >= 10, "{words:?}");
}

/// Idioms that a reader who did not grow up with English has to guess.
#[test]
fn no_idiom_has_to_be_guessed() {
    let idioms = ["for good", "tried again", "mended", "speaks for", "no matter of chance"];
    let places =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "template.yaml", "docs", "src", "events"];
    let mut waiting: Vec<PathBuf> =
        places.iter().map(|place| Path::new(env!("CARGO_MANIFEST_DIR")).join(place)).collect();
    let mut looked = 0;
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let found = idioms.iter().find(|idiom| text.contains(*idiom));
        assert_eq!(found, None, "{path:?}");
        looked += 1;
    }
    assert!(looked > 80, "{looked} files");
}

/// Those that the reference names by another errorType, or that hold the error of a module.
const NOT_ITSELF: [&str; 7] = ["Setting", "Event", "Header", "Copy", "S3", "Rewritten", "SlicesUnlike"];

#[test]
fn the_reference_has_every_error() {
    let reference = read("docs/reference.md").unwrap();
    let mut looked = 0;
    for file in ["src/error.rs", "src/header/error.rs", "src/copy/error.rs"] {
        let text = read(file).unwrap();
        let body = text.split("pub enum ").nth(1).unwrap().split("\n}\n").next().unwrap().to_owned();
        let variants = body.lines().filter_map(|line| line.strip_prefix("    "));
        let names = variants.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
        for name in names.map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap()) {
            let is_there = NOT_ITSELF.contains(&name) || reference.contains(&format!("`{name}`"));
            assert!(is_there, "docs/reference.md has no {name}, of {file}");
            looked += 1;
        }
    }
    assert!(looked > 30, "{looked} errors");
}
