//! The options of an UNLOAD: an error, or a dialect in which a header can be written or is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unload_header::header::encode;
use unload_header::unload::Options;

fuzz_target!(|sql: &str| {
    let Ok(options) = Options::parse(sql) else { return };
    for names in [&["id"][..], &["id", "näme, \"x\"\n|", "'\\"]] {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        if let Ok(header) = encode(&names, &options.dialect) {
            assert!(header.ends_with(b"\n"));
        }
    }
});
