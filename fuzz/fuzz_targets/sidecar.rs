//! A sidecar: an error, or names none of which is empty, and which a sidecar of JSON gives again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unload_header::header::Columns;

fuzz_target!(|text: &[u8]| {
    let Ok(columns) = Columns::parse(text) else { return };
    assert!(!columns.names.is_empty() && columns.names.iter().all(|name| !name.is_empty()));
    assert!(columns.duplicates().len() < columns.names.len());
    if let Ok(json) = serde_json::to_vec(&columns.names) {
        assert_eq!(Columns::parse(&json).map(|again| again.names).ok(), Some(columns.names));
    }
});
