//! The manifest that `UNLOAD … MANIFEST [VERBOSE]` writes beside its data objects.
//!
//! The sample in AWS's page is not valid JSON; this reads what clusters really write. Keys that are
//! not needed here are ignored, since those of the column types are documented nowhere.

use serde::Deserialize;

use crate::uri::Uri;

/// The most that is read of one: 10,000 entries with keys of 1,024 bytes stay below it.
pub const MAX_BYTES: u64 = 16 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub entries: Vec<Entry>,
    /// The names of `schema.elements`; `None` in a manifest that is not VERBOSE.
    pub columns: Option<Vec<String>>,
}

/// One data object of the unload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub uri: Uri,
    /// In bytes; older manifests do not tell.
    pub size: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("it is not the JSON of a manifest: {0}")]
    Json(#[from] serde_json::Error),
    #[error("entry {index} has the url {url:?}, which is no s3://bucket/key")]
    Url { index: usize, url: String },
    #[error("it lists no objects")]
    Empty,
    #[error("it lists {0} twice")]
    Twice(Uri),
    #[error("its folders {one:?} and {other:?} would both become {target}; mend FINAL_KEY")]
    SameFinalKey { one: String, other: String, target: Uri },
}

/// Whether an object with a manifest's name is one: a JSON object with a list of entries, or the beginning of one.
pub fn is_one(bytes: &[u8]) -> bool {
    match serde_json::Deserializer::from_slice(bytes).into_iter::<serde_json::Value>().next() {
        Some(Ok(value)) => value.get("entries").is_some(),
        Some(Err(error)) => error.is_eof() && bytes.trim_ascii_start().first() == Some(&b'{'),
        None => false,
    }
}

impl Manifest {
    /// ```
    /// use unload_header::unload::Manifest;
    /// let text = br#"{"entries":[{"url":"s3://b/q_000"}],"schema":{"elements":[{"name":"id"}]}}"#;
    /// assert_eq!(Manifest::parse(text)?.columns.as_deref(), Some(&["id".to_owned()][..]));
    /// # Ok::<(), unload_header::unload::manifest::ManifestError>(())
    /// ```
    pub fn parse(json: &[u8]) -> Result<Manifest, ManifestError> {
        let wire: Wire = serde_json::from_slice(json)?;
        let entries = wire.entries.into_iter().enumerate().map(|(index, entry)| {
            let size = entry.meta.and_then(|meta| meta.content_length);
            let uri = Uri::parse(&entry.url).ok_or(ManifestError::Url { index, url: entry.url })?;
            Ok(Entry { uri, size })
        });
        Ok(Manifest {
            entries: entries.collect::<Result<_, ManifestError>>()?,
            columns: wire.schema.map(|schema| schema.elements.into_iter().map(|column| column.name).collect()),
        })
    }
}

#[derive(Deserialize)]
struct Wire {
    entries: Vec<WireEntry>,
    schema: Option<WireSchema>,
}

#[derive(Deserialize)]
struct WireEntry {
    url: String,
    meta: Option<WireMeta>,
}

#[derive(Deserialize)]
struct WireMeta {
    content_length: Option<u64>,
}

#[derive(Deserialize)]
struct WireSchema {
    elements: Vec<WireColumn>,
}

#[derive(Deserialize)]
struct WireColumn {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbose_as_a_cluster_writes_it() {
        let text = br#"{
          "entries": [
            {"url":"s3://b/u/q_0000_part_00.gz", "meta": { "content_length": 24953, "record_count": 4016 }},
            {"url":"s3://b/u/q_0001_part_00.gz", "meta": { "content_length": 20, "record_count": 0 }}
          ],
          "schema": {"elements": [
            {"name": "cellkey", "type": { "base": "character varying", "max_length": 60 }},
            {"name": "exrpvalue", "type": { "base": "real" }}
          ]},
          "meta": {"content_length": 24973, "record_count": 4016},
          "author": {"name": "Amazon Redshift", "version": "1.0.0"}
        }"#;
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.columns, Some(vec!["cellkey".to_owned(), "exrpvalue".to_owned()]));
        assert_eq!(manifest.entries[1], Entry { uri: Uri::new("b", "u/q_0001_part_00.gz"), size: Some(20) });
    }

    #[test]
    fn plain_with_and_without_sizes() {
        let text = br#"{"entries":[{"url":"s3://b/q000","meta":{"content_length":5}},{"url":"s3://b/q001","mandatory":true}]}"#;
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.columns, None);
        assert_eq!(manifest.entries.iter().map(|entry| entry.size).collect::<Vec<_>>(), [Some(5), None]);
    }

    #[test]
    fn refuses_what_is_no_manifest() {
        assert!(matches!(Manifest::parse(b"{"), Err(ManifestError::Json(_))));
        assert!(matches!(Manifest::parse(b"{}"), Err(ManifestError::Json(_))));
        let error = Manifest::parse(br#"{"entries":[{"url":"http://b/k"}]}"#).unwrap_err();
        assert_eq!(error.to_string(), r#"entry 0 has the url "http://b/k", which is no s3://bucket/key"#);
    }
}
