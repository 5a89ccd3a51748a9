//! The pages of the documentation: their links lead somewhere, each says whom it is for, and what the reference lists is
//! what the code has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use unload_header::crc::Algorithm;
use unload_header::receipt::{ColumnsFrom, Outcome, Proof, Receipt, Written};
use unload_header::settings::Settings;
use unload_header::uri::Uri;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// All pages of the repository, but those of what was installed or built.
pub fn pages() -> Vec<PathBuf> {
    let (mut waiting, mut pages) = (vec![PathBuf::from(ROOT)], Vec::new());
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() && !name.starts_with('.') && name != "target" {
                waiting.push(entry);
            } else if name.ends_with(".md") {
                pages.push(entry);
            }
        }
    }
    pages.sort();
    pages
}

/// A page without its blocks of code.
pub fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let mut anchors = BTreeSet::new();
    for heading in headings.map(|line| line.trim_start_matches('#').trim().to_lowercase()) {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|it| !anchors.contains(it));
        anchors.extend(free);
    }
    anchors
}

/// What a page links to: `](…)`, and `src="…"` and `href="…"` of HTML.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let plain: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let ends = [("](", ')'), ("src=\"", '"'), ("href=\"", '"')];
    let all = ends.iter().flat_map(|(begin, end)| {
        plain.split(begin).skip(1).filter_map(|rest| rest.split_once(*end).map(|(link, _)| link.replace('\n', "")))
    });
    all.collect()
}

#[test]
fn every_link_leads_somewhere() {
    let (mut broken, mut looked) = (Vec::new(), 0);
    for page in pages() {
        for link in links(&std::fs::read_to_string(&page).unwrap()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let is_there = target.exists()
                && (anchor.is_empty() || anchors(&std::fs::read_to_string(&target).unwrap()).contains(anchor));
            if !is_there {
                broken.push(format!("{}: {link}", page.strip_prefix(ROOT).unwrap().display()));
            }
            looked += 1;
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
    assert!(looked > 100, "{looked} links");
}

#[test]
fn each_page_says_whom_it_is_for_and_is_in_the_index() {
    let index = read("docs/README.md");
    for page in pages().iter().filter(|page| page.parent().unwrap().ends_with("docs")) {
        let name = page.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(page).unwrap();
        let first = text.lines().skip(1).find(|line| !line.is_empty()).unwrap();
        assert!(text.starts_with("# ") && first.starts_with("For "), "{name} does not say whom it is for: {first}");
        assert!(name == "README.md" || index.contains(&format!("]({name})")), "docs/README.md lacks {name}");
    }
}

/// The rows of the tables of a section of the reference, by their cells.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let reference = read("docs/reference.md");
    let section = reference.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    // A | within code is written \|.
    let lines = section.lines().filter(|line| line.starts_with("| `")).map(|line| line.replace("\\|", "\0"));
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The words in backticks of the first cells.
fn named(rows: &[Vec<String>]) -> BTreeSet<String> {
    rows.iter().flat_map(|row| row[0].split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn the_reference_has_the_settings_that_the_code_reads() {
    let rows = rows("Settings");
    let is_setting = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let code = read("src/settings/mod.rs");
    let code = code.split("pub fn read").nth(1).unwrap().split("Ok(Settings {").next().unwrap();
    let in_code: BTreeSet<String> =
        code.split('"').skip(1).step_by(2).filter(|it| it.len() > 2 && is_setting(it)).map(str::to_owned).collect();
    let listed: BTreeSet<String> = named(&rows).into_iter().filter(|name| is_setting(name)).collect();
    assert_eq!(listed, in_code);

    let settings = Settings::read(|name| (name == "UNLOAD_PREFIX").then(|| "unload/".to_owned())).unwrap();
    for (name, is_on) in [
        ("`CHECK_COLUMNS`", settings.check_columns),
        ("`SHOW_RECORD`", settings.show_record),
        ("`BOM`", settings.bom),
        ("`DELETE_SOURCE`", settings.delete_source),
        ("`FINAL_MANIFEST`", settings.final_manifest),
    ] {
        let row = rows.iter().find(|row| row[0] == name).unwrap();
        assert_eq!(row[1], if is_on { "`on`" } else { "`off`" }, "{name}");
    }

    // The template's parameters are the settings by another name, or have a line of their own.
    let template = read("template.yaml");
    let template = template.split("\nParameters:\n").nth(1).unwrap().split("\nRules:\n").next().unwrap();
    let parameters = template.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let known = named(&rows).into_iter().chain(listed.iter().map(|name| camel(name))).collect::<BTreeSet<_>>();
    let others = ["BucketName", "FinalBucketName", "FinalKmsKeyArn"];
    let mut looked = 0;
    for parameter in parameters.filter(|line| !line.starts_with([' ', '#'])) {
        assert!(known.contains(parameter) || others.contains(&parameter), "docs/reference.md lacks {parameter}");
        looked += 1;
    }
    assert!(looked > 20, "{looked} parameters");
}

/// `UnloadPrefix` for `UNLOAD_PREFIX`.
fn camel(name: &str) -> String {
    name.split('_').map(|word| format!("{}{}", &word[..1], word[1..].to_lowercase())).collect()
}

#[test]
fn the_reference_has_the_fields_of_a_receipt() {
    let written = Written::new(ColumnsFrom::Sidecar, 1, 1, 1, "", Proof::Crc(Algorithm::Crc64Nvme));
    let written = Written { intermediates: 1, ..written };
    let receipt = Receipt::of_final(&Uri::new("b", "k"), Vec::new(), Outcome::Written, Some(written));
    let receipt = serde_json::to_value(receipt.made_of(None, Some(1)).because("why")).unwrap();
    let Value::Object(fields) = receipt else { panic!("{receipt}") };
    assert_eq!(named(&rows("Receipts")), fields.into_iter().map(|(name, _)| name).collect());
}

/// The other way round, `docs::the_reference_has_every_error`.
#[test]
fn every_error_of_the_reference_is_one() {
    let files = ["src/error.rs", "src/header/error.rs", "src/copy/error.rs", "src/s3/error.rs", "src/s3/client.rs"];
    let code: String = files.into_iter().map(read).collect();
    for name in named(&rows("Errors")) {
        let own = name.strip_prefix("S3.").unwrap_or(&name);
        let is_s3s = ["S3.…", "S3.BadDigest", "S3.MetadataTooLarge"].contains(&name.as_str());
        assert!(is_s3s || code.contains(own), "no error is called {name}");
    }
}
