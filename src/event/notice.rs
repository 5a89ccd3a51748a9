//! What an event says of one object, and of what S3 and EventBridge write it.
//!
//! Fields that are not needed are not read, so that a newer minor version is understood, and so is a server that leaves
//! some out.

use aws_lambda_events::s3::S3Entity;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use super::EventError;
use crate::s3::Seen;
use crate::uri::Uri;

/// What happened to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Created {
        uri: Uri,
        seen: Option<Seen>,
    },
    /// Something else happened to an object.
    Other {
        uri: Uri,
        event_name: String,
    },
}

/// A record of an S3 event notification (S3 user guide, "Event message structure").
#[derive(Deserialize)]
struct S3Record {
    #[serde(rename = "eventName")]
    event_name: String,
    s3: S3Entity,
}

/// The detail of an event of EventBridge (S3 user guide, "Event message structure" of EventBridge events).
#[derive(Deserialize)]
struct Detail {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

/// Only the key has to be right.
#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(default)]
    size: Value,
    #[serde(default)]
    etag: Value,
}

impl Notice {
    pub(super) fn of_s3(index: usize, value: &Value) -> Result<Notice, EventError> {
        let wrong = |problem: String| EventError::Record { index, problem };
        let S3Record { event_name, s3 } = S3Record::deserialize(value).map_err(|error| wrong(error.to_string()))?;
        let bucket = s3.bucket.name.ok_or_else(|| wrong("it has no s3.bucket.name".into()))?;
        let key = s3.object.key.ok_or_else(|| wrong("it has no s3.object.key".into()))?;
        let key = form_decoded(&key).ok_or_else(|| wrong(format!("its key {key:?} is not the encoding of UTF-8")))?;
        let seen = seen(s3.object.size, s3.object.e_tag);
        // Some servers keep the prefix `s3:`, which S3 itself drops.
        let is_created = event_name.trim_start_matches("s3:").starts_with("ObjectCreated:");
        Notice::new(Uri::new(bucket, key), seen, is_created, &event_name).map_err(wrong)
    }

    /// EventBridge does not encode the key (S3 user guide, "Using EventBridge"; the key in its example is bare).
    pub(super) fn of_event_bridge(detail_type: &str, detail: &Value) -> Result<Notice, EventError> {
        let wrong = |problem| EventError::Detail { detail_type: detail_type.to_owned(), problem };
        let Detail { bucket, object } = Detail::deserialize(detail).map_err(|error| wrong(error.to_string()))?;
        let uri = Uri::new(bucket.name, object.key);
        let seen = seen(object.size.as_i64(), object.etag.as_str().map(str::to_owned));
        Notice::new(uri, seen, detail_type == "Object Created", detail_type).map_err(wrong)
    }

    /// An object that has to be there, of a bucket that can have events.
    pub(super) fn new(uri: Uri, seen: Option<Seen>, is_created: bool, event_name: &str) -> Result<Notice, String> {
        // AWS reserves this ending for directory buckets (S3 user guide, "General purpose bucket naming rules").
        if uri.bucket.ends_with("--x-s3") {
            let bucket = uri.bucket;
            return Err(format!("{bucket} is a directory bucket, which has no events and no tags; unload to another"));
        }
        match is_created {
            true => Ok(Notice::Created { uri, seen }),
            false => Ok(Notice::Other { uri, event_name: event_name.to_owned() }),
        }
    }
}

/// What an event tells of an object; `None` if it leaves the size out.
fn seen(size: Option<i64>, etag: Option<String>) -> Option<Seen> {
    let size = size.and_then(|size| u64::try_from(size).ok())?;
    Some(Seen { size, etag: etag.filter(|etag| !etag.is_empty()) })
}

/// S3 encodes keys as in a form: a space is `+`, and `+` is `%2B`.
fn form_decoded(key: &str) -> Option<String> {
    percent_decoded(&key.replace('+', " "))
}

pub(super) fn percent_decoded(key: &str) -> Option<String> {
    percent_decode_str(key).decode_utf8().ok().map(|key| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, key: &str) -> Value {
        serde_json::json!({"eventName": name, "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}}})
    }

    fn created(notice: Result<Notice, EventError>) -> (Uri, Option<Seen>) {
        match notice.unwrap() {
            Notice::Created { uri, seen } => (uri, seen),
            other => panic!("{other:?}"),
        }
    }

    fn key(encoded: &str) -> String {
        created(Notice::of_s3(0, &record("ObjectCreated:Put", encoded))).0.key
    }

    #[test]
    fn keys_are_form_decoded() {
        assert_eq!(key("unload/eventname%3DZZ+Top/0000_part_00"), "unload/eventname=ZZ Top/0000_part_00");
        assert_eq!(key("a%2Bb%2Fc"), "a+b/c");
        assert_eq!(key("gr%C3%B6%C3%9Fe%25"), "größe%");
    }

    #[test]
    fn every_way_of_creating_counts() {
        for how in ["Put", "Post", "Copy", "CompleteMultipartUpload"] {
            for prefix in ["", "s3:"] {
                let notice = Notice::of_s3(0, &record(&format!("{prefix}ObjectCreated:{how}"), "k"));
                assert_eq!(created(notice).0, Uri::new("b", "k"));
            }
        }
        let notice = Notice::of_s3(0, &record("ObjectRemoved:Delete", "k")).unwrap();
        assert!(matches!(notice, Notice::Other { event_name, .. } if event_name == "ObjectRemoved:Delete"));
    }

    /// A job copies the version that is newest when it runs, which is what S3 gives without a version id.
    #[test]
    fn a_version_makes_no_difference_and_a_delete_marker_is_no_object() {
        for version in [Value::Null, "".into(), "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY".into()] {
            let mut record = record("ObjectCreated:Copy", "k");
            record["s3"]["object"]["versionId"] = version;
            assert_eq!(created(Notice::of_s3(0, &record)).0, Uri::new("b", "k"));
        }
        let marker = Notice::of_s3(0, &record("ObjectRemoved:DeleteMarkerCreated", "k")).unwrap();
        assert!(matches!(marker, Notice::Other { .. }));
    }

    #[test]
    fn what_an_event_tells_of_the_object_is_a_hint() {
        let of_s3 = |size: Value, etag: Value| {
            let object = serde_json::json!({"key": "k", "size": size, "eTag": etag});
            let s3 = serde_json::json!({"bucket": {"name": "b"}, "object": object});
            created(Notice::of_s3(0, &serde_json::json!({"eventName": "ObjectCreated:Put", "s3": s3}))).1
        };
        let of_event_bridge = |size: Value, etag: Value| {
            let object = serde_json::json!({"key": "k", "size": size, "etag": etag});
            let detail = serde_json::json!({"bucket": {"name": "b"}, "object": object});
            created(Notice::of_event_bridge("Object Created", &detail)).1
        };
        let seen = |etag: Option<&str>| Some(Seen { size: 7, etag: etag.map(str::to_owned) });
        for of in [&of_s3 as &dyn Fn(Value, Value) -> Option<Seen>, &of_event_bridge] {
            assert_eq!(of(7.into(), "e".into()), seen(Some("e")));
            assert_eq!(of(7.into(), "".into()), seen(None));
            assert_eq!(of(7.into(), Value::Null), seen(None));
            assert_eq!((of(Value::Null, "e".into()), of((-1).into(), "e".into())), (None, None));
        }
        assert_eq!(of_event_bridge("7".into(), 1.into()), None, "it is no reason to refuse an event");
    }

    #[test]
    fn a_directory_bucket_is_refused() {
        let mut record = record("ObjectCreated:Put", "k");
        record["s3"]["bucket"]["name"] = "mine--use1-az4--x-s3".into();
        assert!(Notice::of_s3(0, &record).unwrap_err().to_string().contains("is a directory bucket"));
    }

    #[test]
    fn event_bridge_tells_keys_as_they_are() {
        let detail = serde_json::json!({"bucket": {"name": "b"}, "object": {"key": "a+b %20c"}});
        let notice = |detail_type: &str| Notice::of_event_bridge(detail_type, &detail);
        assert_eq!(created(notice("Object Created")), (Uri::new("b", "a+b %20c"), None));
        assert!(
            matches!(notice("Object Deleted").unwrap(), Notice::Other { event_name, .. } if event_name == "Object Deleted")
        );
        let error = Notice::of_event_bridge("Object Created", &Value::Null).unwrap_err().to_string();
        assert!(error.starts_with("the detail of an event \"Object Created\" tells of no object: "), "{error}");
    }
}
