//! Worlds made at random: two to four unloads whose prefixes and folders get in each other's way, written in
//! an order that Redshift and an app could have, with events that come late, twice and in any order, calls
//! that are killed between two requests and retried, and a second UNLOAD over the first. An oracle that
//! knows which unload wrote which object says what is right at the end: see `worlds/oracle.rs`.
//!
//! `WORLDS=2000 cargo test --all-features --test in_memory worlds -- --nocapture` tries that many of
//! them, and `WORLD=17` tells the whole story of one. A world's number is all its chance: its rest by four says OUTPUT
//! and DELETE_SOURCE, and every third has FINAL_MANIFEST.

mod final_manifests;
mod making;
mod model;
mod oracle;
mod random;
mod running;
mod undecidable;

#[test]
fn each_object_is_right_or_absent() {
    running::all(0);
}

#[test]
fn each_object_is_right_or_absent_and_no_source_is_lost() {
    running::all(1);
}

#[test]
fn each_unload_is_right_or_absent() {
    running::all(2);
}

#[test]
fn each_unload_is_right_or_absent_and_no_source_is_lost() {
    running::all(3);
}
