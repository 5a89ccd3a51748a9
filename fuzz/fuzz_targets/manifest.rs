//! A manifest: an error, or an unload, each of whose entries lies in one of its folders.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unload_header::unload::Unload;
use unload_header::uri::Uri;

fuzz_target!(|json: &[u8]| {
    let uri = Uri::new("b", "unload/q/manifest");
    let Ok(unload) = Unload::parse(&uri, "etag".to_owned(), 0, json) else { return };
    let in_folders: usize = unload.folders().map(|folder| unload.entries(folder).len()).sum();
    assert_eq!(unload.all_entries().count(), in_folders);
    assert!(unload.all_entries().all(|entry| unload.entry(&entry.uri.key).is_some()));
    assert!(unload.sidecars().iter().all(|sidecar| sidecar.starts_with("unload/q")));
    if let Some(twice) = unload.twice() {
        assert!(unload.all_entries().filter(|entry| entry.uri == *twice).count() > 1);
    }
    let _ = (unload.elsewhere("unload/"), unload.folders().all(|folder| unload.is_in_order(folder)));
});
