//! What can be said on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use unload_header::job::JOBS_AT_ONCE;
use unload_header::uri::Uri;

/// Column headers on what Amazon Redshift UNLOADs to S3
///
/// The same as the Lambda function does, for objects that are there already: S3 copies the rows itself, and of a large
/// object only the first 5 MiB pass through this machine. Region, credentials and endpoint are those of the AWS CLI:
/// AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_S3 and so on.
#[derive(Parser)]
#[command(name = "unload-header", version, max_term_width = 100, after_help = EXIT)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT: &str = "Examples:
  unload-header demo
  unload-header add s3://my-unloads/unload/ --unload-prefix unload/ --dry-run

Exit status: 0; 1 if anything failed, each named; 2 for a wrong command line; 130 if it was stopped.";

#[derive(Subcommand)]
pub enum Command {
    /// Put headers on what is there
    #[command(after_help = ADD)]
    Add(Add),
    /// Tell what has its final object, and what has not; change nothing
    #[command(after_help = CHECK)]
    Check(Check),
    /// Write or show the columns of an unload
    #[command(subcommand)]
    Headers(HeadersCommand),
    /// Try whether a store keeps what the promises rely on, with objects of its own that it deletes again
    #[command(after_help = DOCTOR)]
    Doctor(Doctor),
    /// Do what an event asks for, as the function would
    #[command(after_help = EVENT)]
    Event {
        /// A file of JSON; - is standard input
        file: String,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Run the sample events through the function, on an S3 in memory
    Demo,
    /// Serve an S3 in memory on http://127.0.0.1:PORT, and run the function on what is written there
    #[command(after_help = SERVE)]
    Serve {
        /// Where on 127.0.0.1; 0 is any port that is free
        #[arg(default_value_t = 9000)]
        port: u16,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Print the completions of a shell
    #[command(after_help = COMPLETIONS)]
    Completions { shell: Shell },
    /// Print a man page
    #[command(after_help = MAN)]
    Man {
        /// The command that it is of, like add or headers set; none is the page of all
        command: Vec<String>,
    },
}

const ADD: &str = "\
Examples:
  unload-header add s3://my-unloads/unload/2026/ --unload-prefix unload/ --dry-run
  unload-header add s3://my-unloads/unload/q42_ --unload-prefix unload/ --output single
  unload-header add s3://my-unloads/unload/ --unload-prefix unload/ --json > receipts.jsonl";

const CHECK: &str = "\
Example:
  unload-header check s3://my-unloads/unload/ --unload-prefix unload/ && echo all of it is done";

const DOCTOR: &str = "\
Examples:
  unload-header doctor s3://my-unloads/scratch/
  AWS_ENDPOINT_URL_S3=https://s3.example.com unload-header doctor s3://bucket/scratch/ --json";

const EVENT: &str = "\
Examples:
  unload-header event failed.json --unload-prefix unload/
  unload-header event - --unload-prefix unload/ < events/put.json";

const SERVE: &str = "\
Example:
  unload-header serve 9000 --output single";

const COMPLETIONS: &str = "\
Example:
  unload-header completions bash > ~/.local/share/bash-completion/completions/unload-header";

const MAN: &str = "\
Example:
  unload-header man > unload-header.1";

#[derive(Args)]
pub struct Add {
    /// Tell what would be done, and write nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    #[command(flatten)]
    pub scope: Scope,
}

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    pub scope: Scope,
}

/// What a command is for, and how it tells of it.
#[derive(Args)]
pub struct Scope {
    /// Every data object whose key begins so, or with --output single every unload
    #[arg(value_name = "s3://BUCKET/PREFIX", value_parser = place)]
    pub place: Uri,
    #[command(flatten)]
    pub selection: Selection,
    /// How many are worked on at the same time
    #[arg(long, value_name = "N", default_value_t = JOBS_AT_ONCE, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// A line of JSON for each on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub settings: SettingFlags,
}

#[derive(Args)]
pub struct Doctor {
    /// Where the objects are written; about 370 MiB for a minute
    #[arg(value_name = "s3://BUCKET/SCRATCH-PREFIX", value_parser = place)]
    pub place: Uri,
    /// A KMS key to try as well
    #[arg(long, value_name = "KEY")]
    pub kms_key_id: Option<String>,
    /// A line of JSON for each
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Default)]
pub struct Selection {
    /// Only keys that match this glob, or with --output single unload prefixes, like 'unload/*sales*'; may be given again
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// No keys that match this glob, or with --output single no unload prefixes; may be given again
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
}

impl Selection {
    pub fn is_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }
}

#[derive(Subcommand)]
pub enum HeadersCommand {
    /// Write the sidecar of an unload
    #[command(after_help = "\
Examples:
  unload-header headers set s3://my-unloads/unload/q42_ eventid eventname --options 'FORMAT CSV'
  unload-header headers set s3://my-unloads/unload/q42_ --file columns.json")]
    Set {
        /// The URI after UNLOAD's TO, or that of one data object
        #[arg(value_name = "s3://BUCKET/UNLOAD-PREFIX", value_parser = place)]
        place: Uri,
        /// The columns' names
        #[arg(value_name = "NAME", required_unless_present = "file", conflicts_with = "file")]
        names: Vec<String>,
        /// A file with the names, in any form that a sidecar may have; - is standard input
        #[arg(long, value_name = "FILE")]
        file: Option<String>,
        /// The options of the UNLOAD statement, as in SQL
        #[arg(long, value_name = "SQL")]
        options: Option<String>,
        /// Replace a sidecar that says something else
        #[arg(long)]
        replace: bool,
    },
    /// Show which columns a data object or an unload would get, and from where
    #[command(after_help = "\
Example:
  unload-header headers show s3://my-unloads/unload/q42_0000_part_00 --unload-prefix unload/")]
    Show {
        /// A data object, or with --output single a manifest
        #[arg(value_name = "s3://BUCKET/KEY", value_parser = place)]
        place: Uri,
        #[command(flatten)]
        settings: SettingFlags,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum OutputFlag {
    Each,
    Single,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

/// Each is a setting of the function. Those that are not given are taken from the environment, as the function reads
/// them.
#[derive(Args)]
#[command(next_help_heading = "Settings, else from the environment as the function reads them")]
pub struct SettingFlags {
    /// Keys that begin so belong to unloads, like unload/ [UNLOAD_PREFIX]
    #[arg(long, value_name = "PREFIX")]
    unload_prefix: Option<String>,
    /// A final object for each data object, or for each unload [OUTPUT]
    #[arg(long)]
    output: Option<OutputFlag>,
    /// The options of the UNLOAD statement, as in SQL [UNLOAD_OPTIONS]
    #[arg(long, value_name = "SQL")]
    unload_options: Option<String>,
    /// Where final objects go, else to the same bucket [FINAL_BUCKET]
    #[arg(long, value_name = "BUCKET")]
    final_bucket: Option<String>,
    /// Their keys, with {path}, {unload} and {compression} [FINAL_KEY]
    #[arg(long, value_name = "TEMPLATE")]
    final_key: Option<String>,
    /// Refuse a header with another number of columns than the first record has fields [CHECK_COLUMNS]
    #[arg(long)]
    check_columns: Option<Switch>,
    /// Show the first record in the error that says so [SHOW_RECORD]
    #[arg(long)]
    show_record: Option<Switch>,
    /// Begin final objects with a byte order mark, for Excel [BOM]
    #[arg(long)]
    bom: Option<Switch>,
    /// Delete sources whose final object is proved [DELETE_SOURCE]
    #[arg(long)]
    delete_source: Option<Switch>,
    /// Write a manifest of the final objects of each unload [FINAL_MANIFEST]
    #[arg(long)]
    final_manifest: Option<Switch>,
    /// The KMS key of final objects [FINAL_KMS_KEY_ID]
    #[arg(long, value_name = "KEY")]
    final_kms_key_id: Option<String>,
    /// The account that must own the bucket [BUCKET_OWNER]
    #[arg(long, value_name = "ACCOUNT")]
    bucket_owner: Option<String>,
    /// The account that must own the final bucket [FINAL_BUCKET_OWNER]
    #[arg(long, value_name = "ACCOUNT")]
    final_bucket_owner: Option<String>,
}

impl SettingFlags {
    /// The value of a setting, by the name of its environment variable.
    pub fn value(&self, name: &str) -> Option<String> {
        fn word(value: Option<impl ValueEnum>) -> Option<String> {
            Some(value?.to_possible_value()?.get_name().to_owned())
        }
        match name {
            "UNLOAD_PREFIX" => self.unload_prefix.clone(),
            "OUTPUT" => word(self.output),
            "UNLOAD_OPTIONS" => self.unload_options.clone(),
            "FINAL_BUCKET" => self.final_bucket.clone(),
            "FINAL_KEY" => self.final_key.clone(),
            "CHECK_COLUMNS" => word(self.check_columns),
            "SHOW_RECORD" => word(self.show_record),
            "BOM" => word(self.bom),
            "DELETE_SOURCE" => word(self.delete_source),
            "FINAL_MANIFEST" => word(self.final_manifest),
            "FINAL_KMS_KEY_ID" => self.final_kms_key_id.clone(),
            "BUCKET_OWNER" => self.bucket_owner.clone(),
            "FINAL_BUCKET_OWNER" => self.final_bucket_owner.clone(),
            _ => None,
        }
    }
}

/// A bucket, and a prefix that may be empty.
fn place(text: &str) -> Result<Uri, String> {
    let (bucket, prefix) = text
        .strip_prefix("s3://")
        .ok_or("it does not begin with s3://")?
        .split_once('/')
        .unwrap_or((text.trim_start_matches("s3://"), ""));
    if bucket.is_empty() { Err("it names no bucket".to_owned()) } else { Ok(Uri::new(bucket, prefix)) }
}
