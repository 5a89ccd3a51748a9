//! An event's payload: whatever it is, an error or a list of what was created.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unload_header::event::{self, Notice};

fuzz_target!(|payload: &[u8]| {
    let Ok(payload) = serde_json::from_slice(payload) else { return };
    for notice in event::parse(&payload).messages.into_iter().flat_map(|message| message.notices) {
        match notice {
            Ok(Notice::Created { uri, .. } | Notice::Other { uri, .. }) => assert!(uri.copy_source().is_ascii()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
