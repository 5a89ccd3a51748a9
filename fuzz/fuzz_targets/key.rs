//! A key: always a reading, each of which is a way to cut the key in pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unload_header::unload::Role;
use unload_header::unload::name::{partitions, readings};

fuzz_target!(|key: &str| {
    let names = readings(key);
    assert!(!names.is_empty());
    for name in &names {
        let rest = key.strip_prefix(name.unload_prefix).expect("it begins with the unload prefix");
        assert!(rest.contains(name.partition) && rest.ends_with(name.extension));
        assert!(name.sidecars().iter().all(|sidecar| Role::of(sidecar) == Role::Sidecar));
        assert_eq!(Role::of(&name.manifest()), Role::Manifest);
    }
    assert!(partitions(key).iter().all(|column| key.contains(column)));
});
