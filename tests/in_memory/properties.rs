//! What holds for every name, key and list, not only for those that somebody thought of.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::prelude::*;
use support::is_exhaustive;
use support::readers::records;
use unload_header::event::{self, Notice};
use unload_header::header::beginning::Beginning;
use unload_header::header::{Columns, encode};
use unload_header::unload::name::{Number, readings};
use unload_header::unload::options::Field;
use unload_header::unload::{Compression, Dialect, Manifest, Options};
use unload_header::uri::Uri;

/// A name with all that can go wrong in one.
fn name() -> impl Strategy<Value = String> {
    "[a-zäß ,;|\"'\\\\\t\r\n日]{1,12}"
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(name(), 1..8)
}

/// Every dialect that has a header, with any delimiter that it can have.
fn dialect() -> impl Strategy<Value = Dialect> {
    let delimiter = || prop::sample::select(b",;|\t^ a\x01'".to_vec());
    let text = |(delimiter, add_quotes, escape)| Dialect::Text { delimiter, add_quotes, escape };
    let field = |width| Field { id: "c".to_owned(), width };
    prop_oneof![
        delimiter().prop_map(|delimiter| Dialect::Csv { delimiter }),
        (delimiter(), any::<bool>(), any::<bool>()).prop_map(text),
        prop::collection::vec((1..14_usize).prop_map(field), 1..8).prop_map(Dialect::FixedWidth),
    ]
}

/// Whether the dialect can hold a name, in a column of this number.
fn holds(dialect: &Dialect, index: usize, name: &str) -> bool {
    match dialect {
        Dialect::Text { escape: true, .. } | Dialect::Csv { .. } => true,
        Dialect::Text { add_quotes: true, .. } => !name.contains('"'),
        Dialect::Text { delimiter, .. } => !name.contains(['\r', '\n', char::from(*delimiter)]),
        Dialect::FixedWidth(fields) => !name.contains(['\r', '\n']) && name.chars().count() <= fields[index].width,
        Dialect::Json | Dialect::Parquet => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if is_exhaustive() { 100_000 } else { 10_000 }))]

    /// A file's beginning is told by a few of its bytes only if all would tell the same.
    #[test]
    fn a_beginning_is_told_by_enough_bytes(
        text in "(\u{feff})?[ab|,\"\\\\\r\n]{0,40}",
        cut in 3..60_usize,
        is_gzip: bool,
        dialect in dialect(),
    ) {
        let compression = is_gzip.then_some(Compression::Gzip);
        let bytes = match compression {
            Some(compression) => compression.member(text.as_bytes()).unwrap(),
            None => text.into_bytes(),
        };
        let early = &bytes[..cut.min(bytes.len())];
        if Beginning::is_told_by(early, &dialect) {
            let told = Beginning::of(early, false, Compression::of(early), &dialect);
            prop_assert_eq!(told, Beginning::of(&bytes, true, compression, &dialect));
        }
    }

    /// A header is refused, or reads back as the names that it was made of.
    #[test]
    fn a_header_reads_back(names in names(), dialect in dialect()) {
        let count = matches!(&dialect, Dialect::FixedWidth(fields) if fields.len() != names.len());
        let holds = !count && names.iter().enumerate().all(|(index, name)| holds(&dialect, index, name));
        let line = encode(&names, &dialect);
        prop_assert_eq!(line.is_ok(), holds, "{:?}", line);
        if let Ok(line) = line {
            let trimmed = |name: &String| name.trim_end().to_owned();
            let names = if let Dialect::FixedWidth(_) = dialect { names.iter().map(trimmed).collect() } else { names };
            prop_assert_eq!(records(&line, &dialect), vec![names]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_list_of_names_reads_back_from_json(names in names()) {
        let json = serde_json::to_vec(&names).unwrap();
        prop_assert_eq!(Columns::parse(&json).unwrap().names, names);
    }

    /// Any key, encoded as S3 encodes it in an event, is that key again.
    #[test]
    fn an_events_key_is_decoded(key in "[a-z+%= /äß日]{1,30}") {
        let encoded = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string().replace("%20", "+");
        let object = serde_json::json!({"bucket": {"name": "b"}, "object": {"key": encoded}});
        let event = serde_json::json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": object}]});
        let notices = event::parse(&event).messages.remove(0).notices;
        prop_assert_eq!(notices[0].as_ref().unwrap(), &Notice::Created { uri: Uri::new("b", key), seen: None });
    }

    /// S3 decodes a copy source as a form does: the key must survive that.
    #[test]
    fn a_copy_source_is_decoded_to_its_key(key in "[ -~äß日]{1,30}") {
        let source = Uri::new("bucket", &*key).copy_source();
        let decoded = percent_decode_str(&source.replace('+', " ")).decode_utf8().unwrap().into_owned();
        prop_assert_eq!(decoded, format!("bucket/{key}"));
    }

    /// Whatever prefix an unload had, it is among the readings of its objects; the first, if it does not
    /// end in a digit.
    #[test]
    fn the_unload_prefix_is_among_the_readings(
        prefix in "([a-z0-9=. ]{1,6}/){0,3}[a-z0-9_=.-]{0,6}",
        slice in 0_u32..10_000,
        part in 0_u32..120,
        extension in "(\\.[a-z]{1,3}){0,2}",
        parallel: bool,
    ) {
        let key = match parallel {
            true => format!("{prefix}{slice:04}_part_{part:02}{extension}"),
            false => format!("{prefix}{part:03}{extension}"),
        };
        let names = readings(&key);
        let number = if parallel { Number::Slice { slice, part } } else { Number::Serial(part) };
        let found = names.iter().position(|name| name.unload_prefix == prefix && name.number == number);
        prop_assert!(found.is_some(), "{prefix:?} is not among {names:?}");
        let plain = !prefix.ends_with(|c: char| c.is_ascii_digit() || c == '/') && !prefix.is_empty();
        prop_assert!(!plain || found == Some(0), "{prefix:?} is not the first of {names:?}");
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,60}", bytes: Vec<u8>) {
        let _ = (Options::parse(&text), Columns::parse(text.as_bytes()), Columns::parse(&bytes));
        let _ = (Manifest::parse(&bytes), readings(&text), Uri::parse(&text));
        for value in [serde_json::json!(text), serde_json::json!({"Records": [text, {"eventName": text}]})] {
            let _ = event::parse(&value);
        }
    }

    /// Words and quotes of the grammar in any order.
    #[test]
    fn no_options_make_the_parser_panic(words in prop::collection::vec(
        prop::sample::select(vec!["FORMAT", "AS", "CSV", "DELIMITER", "','", "FIXEDWIDTH", "'a:1'", "PARTITION", "BY",
            "(", "x", ")", "MAXFILESIZE", "5", "GB", "1.5MB", "ENCRYPTED", "AUTO", "NULL", "''", "'", ";", "MANIFEST",
            "VERBOSE", "PARALLEL", "OFF", "'\\001'", "IAM_ROLE", "default"]), 0..8)) {
        let _ = Options::parse(&words.join(" "));
    }
}
