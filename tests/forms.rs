//! Every combination of UNLOAD's options that shapes what it writes: two files as Redshift would write them go
//! in, and readers that know nothing of this project find names and rows in what comes out.

mod support;

use support::readers::{decompressed, records};
use support::redshift::{Form, Manifest, Partition, Text};
use support::{World, manifest};
use unload_header::unload::Options;

/// What is to become of an unload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Written,
    /// The object has its names already.
    Skipped,
    /// Without a manifest, nobody can tell which objects an unload has.
    Waiting,
    /// A header within compressed data can't be replaced.
    HeaderInside,
}

/// One unload, in its own folder, and what came out of it.
struct Unload<'w> {
    world: &'w World,
    form: Form,
    is_single: bool,
    folder: String,
}

impl Unload<'_> {
    /// A manifest that is VERBOSE names the columns, FIXEDWIDTH's spec may, or else a sidecar does.
    fn names(&self) -> Vec<String> {
        match self.form.manifest {
            _ if self.is_named_by_spec() => self.form.in_rows(&self.form.own()),
            Manifest::Verbose => self.form.in_rows(&self.form.own()),
            _ => self.form.wanted(),
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
            let sidecar = serde_json::json!(form.wanted()).to_string();
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
        let variables = [("UNLOAD_OPTIONS", sql.as_str()), ("OUTPUT", output)];
        match world.run(&variables, &events).await {
            Ok(answer) => {
                let outcomes: Vec<String> =
                    answer.receipts.iter().map(|receipt| format!("{:?}", receipt.outcome)).collect();
                [("Written", Outcome::Written), ("Skipped", Outcome::Skipped), ("Waiting", Outcome::Waiting)]
                    .into_iter()
                    .find(|(name, _)| outcomes.iter().any(|outcome| outcome == name))
                    .unwrap_or_else(|| panic!("{sql}: {outcomes:?}"))
                    .1
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
            _ => below(keys[0].rsplit_once('/').unwrap().0),
        };
        let extension = self.form.compression.map_or("", |compression| compression.extension());
        vec![(format!("final/{folder}.csv{extension}"), values.concat())]
    }
}

/// As many as `every` leaves.
async fn unload_all(every: usize) {
    let world = if every == 1 { World::in_memory().await } else { World::new().await };
    let mut count = std::collections::BTreeMap::new();
    let forms = Form::all().into_iter().flat_map(|form| [(form, false), (form, true)]).enumerate();
    for (number, (form, is_single)) in forms.filter(|(number, _)| number % every == 0) {
        let unload = Unload { world: &world, form, is_single, folder: format!("unload/{number}") };
        let what = format!("{} {}", form.sql(), if is_single { "single" } else { "each" });
        let outcome = unload.unload().await;
        assert_eq!(outcome, unload.expected(), "{what}");
        *count.entry(outcome).or_insert(0) += 1;
        if outcome != Outcome::Written {
            continue;
        }
        let dialect = Options::parse(&form.sql()).unwrap().dialect;
        for (key, rows) in unload.finals() {
            let bytes = world.get(&key).await.unwrap_or_else(|| panic!("{what}: no {key}"));
            let expected: Vec<_> = [unload.names()].into_iter().chain(rows).collect();
            assert_eq!(records(&decompressed(&bytes), &dialect), expected, "{what}");
        }
    }
    println!("{} combinations, 0 failures: {count:?}", count.values().sum::<i32>());
}

#[tokio::test]
async fn names_and_rows_are_read_back() {
    unload_all(std::env::var("EVERY").map_or(1, |every| every.parse().unwrap())).await;
}
