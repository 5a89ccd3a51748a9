//! What holds on every S3 server: the one in the process, unless TEST_S3_ENDPOINT names another (`make test-servers`).

mod bootstrap;
mod check_columns;
mod columns;
mod copies;
// The command line is built with that feature only.
#[cfg(feature = "cli")]
mod doctor;
mod each;
mod final_manifest_readers;
mod merge;
mod options;
mod redshift;
mod source_beginnings;
