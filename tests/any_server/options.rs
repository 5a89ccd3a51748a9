//! Every combination of UNLOAD's options that shapes what it writes: two files as Redshift would write them go
//! in, and readers that know nothing of this project find names and rows in what comes out.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::redshift::{Form, Manifest, Partition, Text, WIDTHS};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use support::readers::{decompressed, records};
use support::{World, is_exhaustive, manifest};
use unload_header::receipt;
use unload_header::unload::BOM;
use unload_header::unload::{Dialect, Options};

/// What is to become of an unload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Written,
    /// The object has its names already.
    Skipped,
    /// Without a manifest, it is not known which objects an unload has.
    Waiting,
    /// A header within compressed data can't be replaced.
    HeaderInside,
}

/// One unload, in its own folder, and what came out of it.
struct Unload<'w> {
    world: &'w World,
    form: Form,
    is_single: bool,
    bom: bool,
    folder: String,
}

impl Unload<'_> {
    /// A manifest that is VERBOSE names the columns, FIXEDWIDTH's spec may, or else a sidecar does.
    fn names(&self) -> Vec<String> {
        match self.form.manifest == Manifest::Verbose || self.is_named_by_spec() {
            true => self.form.in_rows(&self.form.own()),
            false => self.form.wanted(),
        }
    }

    fn is_named_by_spec(&self) -> bool {
        self.form.text == Text::FixedWidth && self.form.extension && self.form.manifest != Manifest::Verbose
    }

    fn expected(&self) -> Outcome {
        let Form { text, header, compression, manifest, .. } = self.form;
        match text {
            _ if self.is_single && manifest == Manifest::None => Outcome::Waiting,
            Text::Json | Text::Parquet => Outcome::Skipped,
            _ if header && !self.is_single && manifest == Manifest::Verbose => Outcome::Skipped,
            _ if header && compression.is_some() => Outcome::HeaderInside,
            _ => Outcome::Written,
        }
    }

    /// Writes what Redshift and the app write, and runs the function on the events of that.
    async fn unload(&self) -> Outcome {
        let Unload { world, form, folder, .. } = self;
        let (prefix, keys) = form.keys(folder);
        let files = form.values().map(|rows| form.file(&rows));
        let mut events: Vec<&str> = keys.iter().map(String::as_str).collect();
        if form.manifest != Manifest::Verbose && !self.is_named_by_spec() {
            let sidecar = json!(form.wanted()).to_string();
            world.put(&format!("{prefix}.headers"), sidecar).await;
        }
        for (key, file) in keys.iter().zip(&files) {
            world.put(key, file.clone()).await;
        }
        let manifest_key = format!("{prefix}manifest");
        if form.manifest != Manifest::None {
            let columns: &[&str] = if form.manifest == Manifest::Verbose { &form.own() } else { &[] };
            let entries: Vec<_> =
                keys.iter().zip(&files).map(|(key, file)| (key.as_str(), file.len() as u64)).collect();
            world.put(&manifest_key, manifest(&world.bucket, &entries, columns)).await;
            events.push(&manifest_key);
        }
        let sql = form.sql();
        let output = if self.is_single { "single" } else { "each" };
        let bom = if self.bom { "on" } else { "off" };
        let variables = [("UNLOAD_OPTIONS", sql.as_str()), ("OUTPUT", output), ("BOM", bom)];
        match world.run(&variables, &events).await {
            Ok(answer) => {
                let is = |outcome| answer.receipts.iter().any(|receipt| receipt.outcome == outcome);
                match (is(receipt::Outcome::Written), is(receipt::Outcome::Skipped)) {
                    (true, _) => Outcome::Written,
                    (false, true) => Outcome::Skipped,
                    (false, false) => Outcome::Waiting,
                }
            }
            Err(error) if error.to_string().contains("has a header of its own within") => Outcome::HeaderInside,
            Err(error) => panic!("{sql}, {output}: {error}"),
        }
    }

    /// The final objects' keys, and the rows that each must have.
    fn finals(&self) -> Vec<(String, Vec<Vec<String>>)> {
        let (prefix, keys) = self.form.keys(&self.folder);
        let below = |key: &str| key.strip_prefix("unload/").unwrap().to_owned();
        let values = self.form.values();
        if !self.is_single {
            return keys.iter().zip(values).map(|(key, rows)| (format!("final/{}", below(key)), rows)).collect();
        }
        let folder = match self.form.partition {
            Partition::None => below(prefix.trim_end_matches('_')),
            _ => below(keys[0].rsplit_once('/').unwrap().0) + "/q",
        };
        let extension = self.form.compression.map_or("", |compression| compression.extension());
        vec![(format!("final/{folder}.csv{extension}"), values.concat())]
    }
}

/// An object for tests/any_server/readers.py.
fn sample(what: &str, bytes: &[u8], form: &Form, dialect: &Dialect, expected: &[Vec<String>]) -> String {
    let (quotes, escape) = match form.text {
        Text::Delimited { add_quotes, escape } => (add_quotes, escape),
        _ => (form.text == Text::Csv, false),
    };
    let widths: Vec<usize> = match dialect {
        Dialect::FixedWidth(fields) => fields.iter().map(|field| field.width).collect(),
        _ => Vec::new(),
    };
    let kind = if form.text == Text::Csv { "csv" } else { "text" };
    let delimiter = form.delimiter();
    json!({
        "what": what,
        "bytes": BASE64_STANDARD.encode(bytes),
        "compression": form.compression.map(|compression| compression.to_string()),
        "dialect": {"kind": kind, "delimiter": delimiter, "quotes": quotes, "escape": escape, "widths": widths},
        "names": expected[0],
        "rows": expected[1..],
    })
    .to_string()
}

/// Has them read by what their users read them with, which TEST_READERS, a Python, has.
fn read_by_others(samples: &[String]) {
    let Ok(python) = std::env::var("TEST_READERS") else { return };
    let mut readers = Command::new(python).arg("tests/any_server/readers.py").stdin(Stdio::piped()).spawn().unwrap();
    let sent = readers.stdin.take().unwrap().write_all(samples.join("\n").as_bytes());
    assert!(readers.wait().unwrap().success() && sent.is_ok());
}

/// All of them if EXHAUSTIVE is 1, in process some 800, on other servers some 250.
#[tokio::test]
async fn names_and_rows_are_read_back() {
    let is_remote = std::env::var("TEST_S3_ENDPOINT").is_ok();
    let every = match (is_remote, is_exhaustive()) {
        (true, _) => 97,
        (false, true) => 1,
        (false, false) => 29,
    };
    let world = if is_remote { World::new().await } else { World::in_memory().await };
    let (mut counts, mut samples) = (BTreeMap::new(), Vec::new());
    let forms = Form::all().into_iter().flat_map(|form| [(form, false), (form, true)]).enumerate();
    for (number, (form, is_single)) in forms.filter(|(number, _)| number % every == 0) {
        let (bom, folder) = (number % 3 == 0, format!("unload/{number}"));
        let unload = Unload { world: &world, form, is_single, bom, folder };
        let what = format!("{} {}", form.sql(), if is_single { "single" } else { "each" });
        let outcome = unload.unload().await;
        assert_eq!(outcome, unload.expected(), "{what}");
        *counts.entry(outcome).or_insert(0) += 1;
        if outcome != Outcome::Written {
            continue;
        }
        let dialect = dialect(&form);
        for (key, rows) in unload.finals() {
            let bytes = world.get(&key).await.unwrap_or_else(|| panic!("{what}: no {key}"));
            let expected: Vec<_> = [unload.names()].into_iter().chain(rows).collect();
            assert_eq!(decompressed(&bytes).starts_with(BOM), bom, "{what}");
            assert_eq!(records(&decompressed(&bytes), &dialect), expected, "{what}");
            samples.push(sample(&what, &bytes, &form, &dialect, &expected));
        }
    }
    println!("{} combinations, 0 failures: {counts:?}", counts.values().sum::<i32>());
    read_by_others(&samples);
}

/// The table of docs/forms.md: a line for each dialect, as the function sees and makes it.
#[tokio::test]
async fn the_documents_table_is_what_comes_out() {
    let world = World::new().await;
    let mut table = String::new();
    for (number, form) in Form::all().into_iter().enumerate() {
        let is_told = form.parallel && form.null.is_none() && form.compression.is_none();
        let is_named = !form.extension && (form.partition, form.manifest) == (Partition::None, Manifest::None);
        if !is_told || !is_named {
            continue;
        }
        let unload = Unload { world: &world, form, is_single: false, bom: false, folder: format!("unload/{number}") };
        let source = form.file(&form.values()[0][..1]);
        let header = match unload.unload().await {
            Outcome::Written => {
                let result = world.text(&unload.finals()[0].0).await;
                let header = unload_header::unload::Record::first(result.as_bytes(), &dialect(&form)).unwrap();
                format!("`{}`", shown(&result[..header.length]))
            }
            _ => "has its names already, and is skipped".to_owned(),
        };
        let sql = format!("`{}`", shown(&form.sql())).replace("``", "none");
        let sample =
            if form.text == Text::Parquet { "…".to_owned() } else { shown(&String::from_utf8(source).unwrap()) };
        table += &format!("| {sql} | `{sample}` | {header} | {} |\n", in_pandas(&form));
    }
    let documented = std::fs::read_to_string("docs/forms.md").unwrap();
    assert!(documented.contains(&table), "docs/forms.md should have these lines:\n{table}");
}

fn dialect(form: &Form) -> Dialect {
    Options::parse(&form.sql()).unwrap().dialect
}

/// On one line, within a cell.
fn shown(text: &str) -> String {
    let text = text.replace("\r\n", "␍⏎").replace('\n', "⏎").replace('\r', "␍").replace('\t', "⇥");
    text.replace('|', "\\|")
}

/// How pandas reads it, as tests/any_server/readers.py does.
fn in_pandas(form: &Form) -> String {
    let delimiter = shown(&form.delimiter().to_string()).replace('⇥', "\\t");
    let sep = if delimiter == "," { String::new() } else { format!("sep=\"{delimiter}\"") };
    let quotes = match form.text {
        Text::Delimited { add_quotes: true, escape: true } => "doublequote=False, escapechar=\"\\\\\"",
        Text::Delimited { add_quotes: true, .. } => "doublequote=False",
        Text::Delimited { escape: true, .. } => "quoting=3, escapechar=\"\\\\\"",
        Text::Delimited { .. } => "quoting=3",
        Text::Csv => "",
        Text::FixedWidth => return format!("`read_fwf(…, widths={WIDTHS:?})`"),
        Text::Json | Text::Parquet => return String::new(),
    };
    let arguments = [sep.as_str(), quotes].into_iter().filter(|it| !it.is_empty());
    let arguments: String = arguments.map(|argument| format!(", {argument}")).collect();
    format!("`read_csv(…{arguments})`")
}
