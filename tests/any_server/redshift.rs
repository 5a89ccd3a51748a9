//! What UNLOAD writes, as AWS's Redshift database developer guide has it (UNLOAD, and its examples), for every
//! combination of the options that shape its rows and their keys.

use unload_header::unload::Compression;

/// An UNLOAD statement's options.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub text: Text,
    pub delimiter: Option<char>,
    pub header: bool,
    pub null: Option<&'static str>,
    pub compression: Option<Compression>,
    pub parallel: bool,
    pub extension: bool,
    pub partition: Partition,
    pub manifest: Manifest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Delimited { add_quotes: bool, escape: bool },
    Csv,
    FixedWidth,
    Json,
    Parquet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    None,
    By,
    Include,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifest {
    None,
    Plain,
    Verbose,
}

pub const WIDTHS: [usize; 3] = [6, 12, 6];
const SPEC: &str = "'id:6,näme:12,kind:6'";
const NARROW: &str = "'id:6,näme:12'";

/// Of the last column, by which is partitioned.
const KIND: &str = "Opera";

impl Form {
    /// All that Redshift allows, with several delimiters.
    pub fn all() -> Vec<Form> {
        use Text::*;
        let delimited = [(false, false), (false, true), (true, false), (true, true)];
        let texts = delimited.map(|(add_quotes, escape)| Delimited { add_quotes, escape });
        let mut all = Vec::new();
        for text in texts.into_iter().chain([Csv, FixedWidth, Json, Parquet]) {
            let rows = matches!(text, Delimited { .. } | Csv);
            for delimiter in [None, Some(','), Some('|'), Some(';'), Some('\t')] {
                let default = if text == Csv { ',' } else { '|' };
                if delimiter.is_some_and(|it| !rows || it == default) {
                    continue;
                }
                for header in [false, true].into_iter().take(if rows { 2 } else { 1 }) {
                    let nulls = if rows || text == FixedWidth { 2 } else { 1 };
                    for null in [None, Some("NULL")].into_iter().take(nulls) {
                        let compressions =
                            [None, Some(Compression::Gzip), Some(Compression::Bzip2), Some(Compression::Zstd)];
                        for compression in compressions.into_iter().take(if text == Parquet { 1 } else { 4 }) {
                            all.extend(keys().map(|(parallel, extension, partition, manifest)| Form {
                                text,
                                delimiter,
                                header,
                                null,
                                compression,
                                parallel,
                                extension,
                                partition,
                                manifest,
                            }));
                        }
                    }
                }
            }
        }
        all
    }

    /// As in the statement.
    pub fn sql(&self) -> String {
        let spec = if self.partition == Partition::By { NARROW } else { SPEC };
        let options = [
            match self.text {
                Text::Delimited { .. } => String::new(),
                Text::Csv => "FORMAT AS CSV".to_owned(),
                Text::FixedWidth => format!("FIXEDWIDTH AS {spec}"),
                Text::Json => "FORMAT JSON".to_owned(),
                Text::Parquet => "PARQUET".to_owned(),
            },
            self.delimiter.map_or_else(String::new, |it| {
                format!("DELIMITER AS '{}'", if it == '\t' { "\\t".to_owned() } else { it.to_string() })
            }),
            given("ADDQUOTES", matches!(self.text, Text::Delimited { add_quotes: true, .. })),
            given("ESCAPE", matches!(self.text, Text::Delimited { escape: true, .. })),
            given("HEADER", self.header),
            self.null.map_or_else(String::new, |null| format!("NULL AS '{null}'")),
            self.compression.map_or_else(String::new, |compression| compression.to_string().to_uppercase()),
            given("PARALLEL OFF", !self.parallel),
            given("EXTENSION 'csv'", self.extension),
            match self.partition {
                Partition::None => String::new(),
                Partition::By => "PARTITION BY (kind)".to_owned(),
                Partition::Include => "PARTITION BY (kind) INCLUDE".to_owned(),
            },
            match self.manifest {
                Manifest::None => String::new(),
                Manifest::Plain => "MANIFEST".to_owned(),
                Manifest::Verbose => "MANIFEST VERBOSE".to_owned(),
            },
        ];
        options.into_iter().filter(|option| !option.is_empty()).collect::<Vec<_>>().join(" ")
    }

    pub fn delimiter(&self) -> char {
        self.delimiter.unwrap_or(if self.text == Text::Csv { ',' } else { '|' })
    }

    /// The URI after TO, and the keys of two files.
    pub fn keys(&self, folder: &str) -> (String, [String; 2]) {
        let (prefix, partition) = match self.partition {
            Partition::None => (format!("{folder}/q_"), String::new()),
            _ => (format!("{folder}/q/"), format!("kind={KIND}/")),
        };
        let extension = match (self.text, self.extension, self.compression) {
            (_, true, _) => ".csv",
            (Text::Parquet, ..) => ".parquet",
            (.., compression) => compression.map_or("", Compression::extension),
        };
        let names = if self.parallel { ["0000_part_00", "0001_part_00"] } else { ["000", "001"] };
        let keys = names.map(|name| format!("{prefix}{partition}{name}{extension}"));
        (prefix, keys)
    }

    /// The query's own columns; a manifest's schema has them all, PARTITION BY or not.
    pub fn own(&self) -> [&'static str; 3] {
        ["id", "näme", "kind"]
    }

    /// Names that somebody may want instead, as odd as the form can hold them.
    pub fn wanted(&self) -> Vec<String> {
        let delimiter = self.delimiter();
        let odd = match self.text {
            Text::Csv => format!("größe{delimiter}\n\"net\"\r"),
            Text::Delimited { add_quotes: true, escape: true } => format!("größe{delimiter}\n\"'net\\"),
            Text::Delimited { add_quotes: true, .. } => format!("größe{delimiter}\nnet"),
            Text::Delimited { escape: true, .. } => format!("größe{delimiter}\n\\net"),
            _ => "größe netto".to_owned(),
        };
        self.in_rows(&["number", &odd, "Art"])
    }

    /// The values of two files, the last of which is an empty string where it is NULL.
    pub fn values(&self) -> [Vec<Vec<String>>; 2] {
        let delimiter = self.delimiter();
        let odd = match self.text {
            Text::Csv => format!("a{delimiter}\n\"b\"\r\nc, d"),
            Text::Delimited { add_quotes: true, escape: true } => format!("a{delimiter}\n\"b\"\\'c'"),
            Text::Delimited { add_quotes: true, .. } => format!("a{delimiter}\nb"),
            Text::Delimited { escape: true, .. } => format!("a{delimiter}\nb\\c\r"),
            _ => "Götterdämm".to_owned(),
        };
        let row = |id: &str, name: &str| self.in_rows(&[id, name, KIND]);
        [vec![row("1", &odd), row("2", self.null.unwrap_or(""))], vec![row("3", "Salome")]]
    }

    /// PARTITION BY takes a column out of the rows, unless it says INCLUDE.
    pub fn in_rows(&self, columns: &[&str; 3]) -> Vec<String> {
        let count = if self.partition == Partition::By { 2 } else { 3 };
        columns[..count].iter().map(|column| (*column).to_owned()).collect()
    }

    /// A file with these rows.
    pub fn file(&self, rows: &[Vec<String>]) -> Vec<u8> {
        let header = self.header.then(|| self.record(&self.in_rows(&self.own()), true));
        let text: String = header.into_iter().chain(rows.iter().map(|row| self.record(row, false))).collect();
        match (self.text, self.compression) {
            (Text::Parquet, _) => [b"PAR1", text.as_bytes()].concat(),
            (_, Some(compression)) => compression.member(text.as_bytes()).unwrap(),
            _ => text.into_bytes(),
        }
    }

    /// A line. With ADDQUOTES numbers and NULL may be without quotes, as in one of AWS's examples.
    fn record(&self, values: &[String], is_header: bool) -> String {
        let delimiter = self.delimiter();
        let value = |(index, value): (usize, &String)| match self.text {
            Text::Csv if value.contains([delimiter, '"', '\n', '\r']) => format!("\"{}\"", value.replace('"', "\"\"")),
            Text::Delimited { add_quotes, escape } => {
                let special = |c| {
                    escape
                        && (matches!(c, '\n' | '\r' | '\\') || c == delimiter || add_quotes && matches!(c, '"' | '\''))
                };
                let escaped: String =
                    value.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect();
                let is_bare = !is_header && (index == 0 || value == self.null.unwrap_or(""));
                if add_quotes && !is_bare { format!("\"{escaped}\"") } else { escaped }
            }
            Text::FixedWidth => format!("{value}{}", " ".repeat(WIDTHS[index] - value.chars().count())),
            Text::Json => format!("\"{}\":{value:?}", self.own()[index]),
            _ => value.clone(),
        };
        let values: Vec<String> = values.iter().enumerate().map(value).collect();
        match self.text {
            Text::FixedWidth => format!("{}\n", values.concat()),
            Text::Json => format!("{{{}}}\n", values.join(",")),
            _ => format!("{}\n", values.join(&delimiter.to_string())),
        }
    }
}

/// Of the options that shape the keys, all combinations.
fn keys() -> impl Iterator<Item = (bool, bool, Partition, Manifest)> {
    (0..36).map(|number| {
        let partition = [Partition::None, Partition::By, Partition::Include][number / 4 % 3];
        let manifest = [Manifest::None, Manifest::Plain, Manifest::Verbose][number / 12];
        (number % 2 == 0, number / 2 % 2 == 1, partition, manifest)
    })
}

fn given(option: &str, is_given: bool) -> String {
    if is_given { option.to_owned() } else { String::new() }
}
