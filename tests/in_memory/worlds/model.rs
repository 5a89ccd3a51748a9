//! What a world is made of, and what Redshift and an app write of it.

use std::time::Duration;

use serde_json::json;

pub const BUCKET: &str = "bucket";

pub struct Model {
    pub settings: Settings,
    pub unloads: Vec<Unload>,
    /// In the order in which they reach S3.
    pub writes: Vec<Write>,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub single: bool,
    pub delete: bool,
    pub final_manifest: bool,
    pub check: bool,
    /// UNLOAD_OPTIONS.
    pub options: String,
}

/// All runs of UNLOAD with one prefix.
#[derive(Clone, Debug)]
pub struct Unload {
    /// Every name and every row of it begins so.
    pub name: char,
    /// The key behind TO.
    pub to: String,
    pub partition: Option<Partition>,
    /// Not Redshift's: objects with names of another kind in a folder.
    pub athena: bool,
    pub serial: bool,
    pub csv: bool,
    pub manifest: Manifest,
    pub sidecar: Option<Sidecar>,
    /// A slice that has a sidecar of its own, with names of its own.
    pub own: Option<String>,
    pub runs: Vec<Run>,
}

#[derive(Clone, Debug)]
pub struct Partition {
    pub columns: Vec<&'static str>,
    pub include: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifest {
    None,
    Plain,
    Verbose,
}

#[derive(Clone, Copy, Debug)]
pub struct Sidecar {
    /// Is there before the first slice of each run.
    pub early: bool,
    /// Bears the options; otherwise UNLOAD_OPTIONS are this unload's.
    pub options: bool,
    /// Names the partition columns as well.
    pub all: bool,
    /// How it is written: a JSON array or a line of text, where it bears no options.
    pub array: bool,
}

/// One run of UNLOAD.
#[derive(Clone, Debug)]
pub struct Run {
    /// Of the query.
    pub columns: Vec<String>,
    /// As far as they are written, in the manifest's order.
    pub slices: Vec<Slice>,
    /// Otherwise it stopped half-way: its manifest never comes.
    pub complete: bool,
}

#[derive(Clone, Debug)]
pub struct Slice {
    pub key: String,
    /// With PARTITION BY, `year=2026/`.
    pub folder: String,
    pub rows: String,
}

#[derive(Clone, Debug)]
pub struct Write {
    pub key: String,
    pub body: String,
    /// How long after the one before it.
    pub after: Duration,
    pub what: String,
}

impl Unload {
    /// With PARTITION BY a `/` is added where there is none.
    pub fn root(&self) -> String {
        let slash = if self.partition.is_some() && !self.to.ends_with('/') { "/" } else { "" };
        format!("{}{slash}", self.to)
    }

    pub fn manifest_key(&self) -> Option<String> {
        (self.manifest != Manifest::None).then(|| format!("{}manifest", self.root()))
    }

    pub fn sidecar_key(&self) -> Option<String> {
        self.sidecar.map(|_| format!("{}.headers", self.to))
    }

    /// The columns that the rows of a run have.
    pub fn columns(&self, run: usize) -> Vec<String> {
        let lacks = |name: &String| {
            self.partition.as_ref().is_some_and(|it| !it.include && it.columns.contains(&name.as_str()))
        };
        self.runs[run].columns.iter().filter(|name| !lacks(name)).cloned().collect()
    }

    /// What a header of a run's rows may be, if it is by another run's names.
    pub fn may_be_named(&self, run: usize, names: usize) -> Vec<Vec<String>> {
        let mut lists = vec![self.columns(names)];
        if let (true, Some(partition), Some(Sidecar { all: true, .. })) = (run != names, &self.partition, self.sidecar)
        {
            let all = self.runs[names].columns.clone();
            let rest = all.iter().filter(|name| !partition.columns.contains(&name.as_str())).cloned().collect();
            lists.extend([all, rest]);
        }
        lists
    }

    /// Of a slice's own sidecar.
    pub fn own_columns(&self) -> Vec<String> {
        self.columns(0).iter().map(|name| format!("{name}_own")).collect()
    }

    pub fn own_text(&self) -> String {
        json!({"columns": self.own_columns(), "options": self.options()}).to_string()
    }

    pub fn delimiter(&self) -> &'static str {
        if self.csv { "," } else { "|" }
    }

    pub fn header(&self, names: &[String]) -> String {
        names.join(self.delimiter()) + "\n"
    }

    fn options(&self) -> String {
        let mut options = vec![if self.csv { "FORMAT CSV".to_owned() } else { "DELIMITER '|'".to_owned() }];
        options.extend(
            self.partition.as_ref().map(|it| {
                format!("PARTITION BY ({}){}", it.columns.join(", "), if it.include { " INCLUDE" } else { "" })
            }),
        );
        options.extend(self.serial.then(|| "PARALLEL OFF".to_owned()));
        options.join(" ")
    }

    pub fn sidecar_text(&self, run: usize) -> String {
        let sidecar = self.sidecar.unwrap();
        let names = if sidecar.all { self.runs[run].columns.clone() } else { self.columns(run) };
        match (sidecar.options, sidecar.array) {
            (true, _) => json!({"columns": names, "options": self.options()}).to_string(),
            (false, true) => json!(names).to_string(),
            (false, false) => names.join(","),
        }
    }

    pub fn manifest_text(&self, run: usize) -> String {
        let run = &self.runs[run];
        let entries: Vec<(&str, u64)> =
            run.slices.iter().map(|slice| (slice.key.as_str(), slice.rows.len() as u64)).collect();
        let columns: Vec<&str> = match self.manifest {
            Manifest::Verbose => run.columns.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        support::manifest(BUCKET, &entries, &columns)
    }

    /// One line of a story.
    pub fn told(&self) -> String {
        let partition = self.partition.as_ref().map_or(String::new(), |it| {
            format!(" PARTITION BY ({}){}", it.columns.join(", "), if it.include { " INCLUDE" } else { "" })
        });
        let sidecar = match self.sidecar {
            None => "no sidecar".to_owned(),
            Some(it) => format!("sidecar {}", if it.early { "before the slices" } else { "late" }),
        };
        let runs = self.runs.iter().map(|run| {
            let stopped = if run.complete { "" } else { " (stopped half-way)" };
            format!("{} slices{stopped}, columns {}", run.slices.len(), run.columns.join(","))
        });
        let kind = if self.athena {
            "Athena's"
        } else if self.serial {
            "PARALLEL OFF"
        } else {
            "PARALLEL ON"
        };
        format!(
            "{}: TO '{}'{partition}, {kind}, {}, manifest {:?}, {sidecar}: {}",
            self.name,
            self.to,
            if self.csv { "CSV" } else { "text" },
            self.manifest,
            runs.collect::<Vec<_>>().join("; then ")
        )
    }
}

impl Settings {
    pub fn variables(&self) -> Vec<(&str, &str)> {
        let on = |on| if on { "on" } else { "off" };
        vec![
            ("OUTPUT", if self.single { "single" } else { "each" }),
            ("DELETE_SOURCE", on(self.delete)),
            ("FINAL_MANIFEST", on(self.final_manifest)),
            ("CHECK_COLUMNS", on(self.check)),
            ("UNLOAD_OPTIONS", &self.options),
        ]
    }
}
