//! What the README and the other pages tell to do, done: the demonstration's output, the least change, the commands, the
//! sidecars and the Python.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use support::{World, manifest};
use tokio::process::Command;
use unload_header::demo::{BUCKET, fill};
use unload_header::receipt::Outcome;

use crate::book::{pages, prose};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The blocks of code of a page in one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut is_code = false;
    for line in page.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(language) if !is_code => blocks.push((language.to_owned(), String::new())),
            None if is_code => *blocks.last_mut().unwrap() = add(blocks.last().unwrap(), line),
            _ => (),
        }
        is_code ^= line.trim_start().starts_with("```");
    }
    blocks.into_iter().filter(|(of, _)| of == language).map(|(_, text)| text).collect()
}

fn add((language, text): &(String, String), line: &str) -> (String, String) {
    (language.clone(), format!("{text}{line}\n"))
}

/// The samples' bucket, served, with an unload beside the samples.
async fn samples() -> World {
    let mut world = World::in_process().await;
    world.bucket = BUCKET.to_owned();
    fill(world.local()).unwrap();
    world.put("unload/q42_0000_part_00", "1,Salome\n").await;
    world
}

/// Runs a line of shell on a bucket, in an empty folder with a failed event, as somebody would who has installed the
/// command line.
async fn shell(world: &World, line: &str) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_unload-header")).parent().unwrap();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("unload-header-docs-{}-{count}", std::process::id()));
    std::fs::create_dir_all(folder.join(".local/share/bash-completion/completions")).unwrap();
    std::fs::copy(Path::new(ROOT).join("events/failed-event.json"), folder.join("failed.json")).unwrap();
    let done = Command::new("bash")
        .args(["-euo", "pipefail", "-c", line])
        .current_dir(&folder)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", binary.display()))
        .env("HOME", &folder)
        .env("AWS_ENDPOINT_URL_S3", world.endpoint())
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", local_s3::ACCESS_KEY)])
        .env("AWS_SECRET_ACCESS_KEY", support::secret())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    done
}

/// Holds a block of what is shown at a terminal to what is printed. A line of `…` alone stands for any number of lines.
fn assert_shown(block: &str, printed: &str) {
    let mut rest: Vec<&str> = printed.lines().collect();
    let mut is_gap = false;
    for line in block.lines() {
        if line == "…" {
            is_gap = true;
            continue;
        }
        let at = rest.iter().position(|printed| *printed == line);
        let at = at.filter(|at| is_gap || *at == 0).unwrap_or_else(|| panic!("not printed: {line}\n{printed}"));
        rest.drain(..=at);
        is_gap = false;
    }
    assert!(is_gap || rest.is_empty(), "this is printed as well: {rest:#?}");
}

#[tokio::test]
async fn what_is_shown_at_a_terminal_is_what_is_printed() {
    let mut looked = 0;
    for page in pages() {
        for block in blocks(&std::fs::read_to_string(&page).unwrap(), "console") {
            let (command, shown) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
            let world = samples().await;
            let command = if command == "make demo" { "unload-header demo" } else { command };
            if command.contains(" check ") {
                shell(&world, "unload-header add s3://my-unloads/unload/ --unload-prefix unload/").await;
            }
            let done = shell(&world, &format!("{command} 2>&1")).await;
            assert_shown(shown, &String::from_utf8(done.stdout).unwrap());
            looked += 1;
        }
    }
    assert!(looked >= 3, "{looked} blocks");
}

/// Commands that are not run here, and why.
const NOT_RUN: [(&str, &str); 8] = [
    ("make ", "its target is looked up below; make check and make test-servers run what they do"),
    ("cargo install ", "it builds what the tests are built from"),
    ("unload-header serve", "command_line::serve_runs_the_function_on_what_is_written"),
    ("unload-header doctor", "doctor::all_is_kept_by_the_s3_in_memory"),
    ("echo ", "the answers that scripts/deploy.py reads, tried by tests/deployment/test_deploy.py"),
    ("export ", "a variable"),
    ("sha256sum ", "scripts/release.sh makes the file"),
    ("sam deploy ", "it needs AWS"),
];

#[tokio::test]
async fn every_command_is_one() {
    let (makefile, mut ran) = (read("Makefile"), 0);
    for page in pages() {
        let world = samples().await;
        let name = page.strip_prefix(ROOT).unwrap().display().to_string();
        for block in blocks(&std::fs::read_to_string(&page).unwrap(), "sh") {
            let syntax = Command::new("bash").args(["-n", "-c", &block]).output().await.unwrap();
            assert!(syntax.status.success(), "{name}: {block}");
            // What is indented goes on with the line before.
            for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')) {
                if let Some(target) = line.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next()) {
                    assert!(makefile.contains(&format!("\n{target}: ")), "{name}: there is no make {target}");
                }
                if NOT_RUN.iter().any(|(begin, _)| line.starts_with(begin)) {
                    continue;
                }
                assert!(line.starts_with("unload-header "), "{name}: nothing runs {line}");
                let done = shell(&world, line).await;
                let said = [done.stdout, done.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                // Of the samples, one has no columns.
                let is_expected = done.status.success() || done.status.code() == Some(1) && said.contains("forgotten");
                assert!(is_expected, "{name}: {line} ended with {:?}: {said}", done.status);
                ran += 1;
            }
        }
    }
    assert!(ran >= 9, "{ran} commands");
}

/// Commands in the text: that there is such a target, or such a command.
#[tokio::test]
async fn every_command_that_is_named_is_there() {
    let (makefile, world) = (read("Makefile"), samples().await);
    let help = String::from_utf8(shell(&world, "unload-header --help").await.stdout).unwrap();
    let mut looked = 0;
    for page in pages() {
        let text = prose(&std::fs::read_to_string(&page).unwrap());
        for code in text.split('`').skip(1).step_by(2) {
            let is_there = match code.split_whitespace().take(2).collect::<Vec<_>>()[..] {
                ["make", target] => makefile.contains(&format!("\n{target}: ")),
                ["unload-header", command] => help.contains(&format!("\n  {command} ")),
                _ => continue,
            };
            assert!(is_there, "{page:?} names `{code}`");
            looked += 1;
        }
    }
    assert!(looked > 40, "{looked} commands");
}

/// README's statement, with its options as UNLOAD_OPTIONS: what comes first waits, and the manifest starts all.
#[tokio::test]
async fn the_least_change_is_enough() {
    let page = read("README.md");
    let [statement] = &blocks(&page, "sql")[..] else { panic!("README.md has not one statement") };
    let options = statement.split_once("IAM_ROLE default").unwrap().1.trim();
    assert!(page.contains(&format!("`UNLOAD_OPTIONS` is `{options}`")), "{options}");
    let world = World::in_process().await;
    let keys = ["unload/q42_0000_part_00", "unload/q42_0001_part_00"];
    world.put(keys[0], "1,Salome\n2,Boris Godunov\n").await;
    world.put(keys[1], "3,Medea\n").await;
    let each = [("UNLOAD_OPTIONS", options)];
    assert_eq!(world.receipt(&each, keys[0]).await.outcome, Outcome::Waiting);
    let listed = manifest(&world.bucket, &[(keys[0], 25), (keys[1], 8)], &["eventid", "eventname"]);
    world.put("unload/q42_manifest", listed).await;
    world.run(&each, &["unload/q42_manifest"]).await.unwrap();
    assert_eq!(world.text("final/q42_0000_part_00").await, "eventid,eventname\n1,Salome\n2,Boris Godunov\n");
    assert_eq!(world.text("final/q42_0001_part_00").await, "eventid,eventname\n3,Medea\n");
    world.run(&[each[0], ("OUTPUT", "single")], &["unload/q42_manifest"]).await.unwrap();
    assert_eq!(world.text("final/q42.csv").await, "eventid,eventname\n1,Salome\n2,Boris Godunov\n3,Medea\n");
}

#[tokio::test]
async fn every_sidecar_that_is_shown_names_columns() {
    let sidecars = blocks(&read("docs/how-to.md"), "json");
    assert!(sidecars.len() >= 2, "{sidecars:?}");
    for sidecar in sidecars {
        let world = World::in_process().await;
        world.put("unload/q42_.headers", sidecar.as_str()).await;
        world.put("unload/q42_0000_part_00", "1;a\n").await;
        assert_eq!(world.receipt(&[], "unload/q42_0000_part_00").await.outcome, Outcome::Written, "{sidecar}");
    }
}

/// The example is tried with the drivers of Redshift.
#[test]
fn the_python_is_that_of_the_example() {
    let python = blocks(&read("docs/how-to.md"), "python");
    let unload = python.iter().find(|block| block.contains("def unload(")).unwrap();
    assert!(read("examples/boto3_sqlalchemy.py").contains(unload.trim()), "docs/how-to.md has other Python:\n{unload}");
}

#[test]
fn the_readmes_costs_are_those_that_were_counted() {
    let (readme, cost) = (read("README.md").replace('\n', " "), read("docs/cost.md"));
    for size in ["1 GB", "1 TB"] {
        let line = cost.lines().find(|line| line.starts_with(&format!("| {size} | `each` "))).unwrap();
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let seconds: f64 = cells[5].trim_end_matches(" s").parse().unwrap();
        let dollars: f64 = cells[7].trim_end_matches(" $").parse().unwrap();
        let said = format!("{size} takes {seconds:.0} seconds and {dollars:.4} $");
        assert!(readme.contains(&said), "README.md does not say: {said}");
    }
}
