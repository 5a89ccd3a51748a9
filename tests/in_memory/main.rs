//! What only the S3 in memory can show, which counts requests, fails on demand and has a clock that can be paused;
//! and what needs no S3 at all.

mod accounts;
mod arrival_order;
mod at_once;
mod book;
mod bucket;
mod cleanup;
// The command line is built with that feature only.
#[cfg(feature = "cli")]
mod command_line;
#[cfg(feature = "cli")]
mod command_line_agreement;
#[cfg(feature = "cli")]
mod command_line_units;
mod concurrency;
mod costs;
mod deletion;
mod docs;
#[cfg(feature = "cli")]
mod doctor;
mod dry_run;
mod faults;
mod final_manifest;
mod groups;
mod held_rows;
mod idempotence;
mod intermediates;
mod layout;
mod lists;
mod merge_safety;
mod naming;
mod only_aws;
mod overtaken;
mod part_size;
mod plan;
mod policy;
mod proof;
mod properties;
// The demonstration and the command line are built with that feature only.
#[cfg(feature = "cli")]
mod readme;
mod recorded_answers;
mod requests;
mod resume;
// The samples and their bucket are in the library with that feature only.
#[cfg(feature = "cli")]
mod sample_events;
mod steps;
mod troubleshooting;
mod ways_in;
mod wire;
mod worlds;
