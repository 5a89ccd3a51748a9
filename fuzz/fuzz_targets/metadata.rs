//! The metadata x-amz-meta-headers: an error, or names none of which is empty.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unload_header::header::Columns;

fuzz_target!(|value: &str| {
    if let Ok(columns) = Columns::of_metadata(value) {
        assert!(!columns.names.is_empty() && columns.names.iter().all(|name| !name.is_empty()));
    }
});
