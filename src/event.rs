//! An event: an S3 event notification, as a list of the objects that were created.
//!
//! Format: AWS, S3 user guide, "Event message structure". Fields that are not needed are not read, so that a newer minor
//! version is understood, and so is a server that leaves some out.

use aws_lambda_events::s3::S3Entity;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use crate::uri::Uri;

/// One record of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Created(Uri),
    /// Something else happened to an object.
    Other {
        uri: Uri,
        event_name: String,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum EventError {
    #[error("the payload is no S3 event notification: it has no list \"Records\", but {found}")]
    NoRecords { found: String },
    #[error("record {index} is no S3 event record: {problem}")]
    Record { index: usize, problem: String },
}

/// The records of a notification. One that can't be read does not hide the others. `s3:TestEvent`, which S3 sends when
/// notifications are configured, has none.
pub fn parse(payload: &Value) -> Result<Vec<Result<Notice, EventError>>, EventError> {
    if payload.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    let records = payload.get("Records").and_then(Value::as_array);
    let records = records.ok_or_else(|| EventError::NoRecords { found: summary(payload) })?;
    Ok(records.iter().enumerate().map(|(index, value)| notice(index, value)).collect())
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventName")]
    event_name: String,
    s3: S3Entity,
}

fn notice(index: usize, value: &Value) -> Result<Notice, EventError> {
    let wrong = |problem: String| EventError::Record { index, problem };
    let Record { event_name, s3 } = Record::deserialize(value).map_err(|error| wrong(error.to_string()))?;
    let bucket = s3.bucket.name.ok_or_else(|| wrong("it has no s3.bucket.name".into()))?;
    let key = s3.object.key.ok_or_else(|| wrong("it has no s3.object.key".into()))?;
    let key = decode(&key).ok_or_else(|| wrong(format!("its key {key:?} is not the encoding of UTF-8")))?;
    // AWS reserves this ending for directory buckets (S3 user guide, "General purpose bucket naming rules").
    if bucket.ends_with("--x-s3") {
        return Err(wrong(format!(
            "{bucket} is a directory bucket, which has no events and no tags; unload to another"
        )));
    }
    let uri = Uri::new(bucket, key);
    // Some servers keep the prefix `s3:`, which S3 itself drops.
    match event_name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
        true => Ok(Notice::Created(uri)),
        false => Ok(Notice::Other { uri, event_name }),
    }
}

/// Keys are encoded as in a form: a space is `+`, and `+` is `%2B`.
fn decode(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|key| key.into_owned())
}

/// The beginning of a payload, which may be large.
fn summary(payload: &Value) -> String {
    match payload {
        Value::Object(fields) => format!("the fields {:?}", fields.keys().take(8).collect::<Vec<_>>()),
        Value::Array(_) => "a list".to_owned(),
        other => other.to_string().chars().take(80).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, key: &str) -> Value {
        serde_json::json!({"eventName": name, "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}}})
    }

    fn key(encoded: &str) -> String {
        match notice(0, &record("ObjectCreated:Put", encoded)).unwrap() {
            Notice::Created(uri) => uri.key,
            other => panic!("{other:?}"),
        }
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
                let notice = notice(0, &record(&format!("{prefix}ObjectCreated:{how}"), "k")).unwrap();
                assert_eq!(notice, Notice::Created(Uri::new("b", "k")));
            }
        }
        let notice = notice(0, &record("ObjectRemoved:Delete", "k")).unwrap();
        assert!(matches!(notice, Notice::Other { event_name, .. } if event_name == "ObjectRemoved:Delete"));
    }

    /// A job copies the version that is newest when it runs, which is what S3 gives without a version id.
    #[test]
    fn a_version_makes_no_difference_and_a_delete_marker_is_no_object() {
        for version in [Value::Null, "".into(), "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY".into()] {
            let mut record = record("ObjectCreated:Copy", "k");
            record["s3"]["object"]["versionId"] = version;
            assert_eq!(notice(0, &record).unwrap(), Notice::Created(Uri::new("b", "k")));
        }
        let marker = notice(0, &record("ObjectRemoved:DeleteMarkerCreated", "k")).unwrap();
        assert!(matches!(marker, Notice::Other { .. }));
    }

    #[test]
    fn a_directory_bucket_is_refused() {
        let mut record = record("ObjectCreated:Put", "k");
        record["s3"]["bucket"]["name"] = "mine--use1-az4--x-s3".into();
        assert!(notice(0, &record).unwrap_err().to_string().contains("is a directory bucket"));
    }

    #[test]
    fn a_test_event_has_no_records() {
        let event = serde_json::json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"});
        assert!(parse(&event).unwrap().is_empty());
    }

    #[test]
    fn one_bad_record_does_not_hide_the_others() {
        let bad = serde_json::json!({"eventName": "ObjectCreated:Put"});
        let event =
            serde_json::json!({"Records": [bad, record("ObjectCreated:Put", "k"), record("ObjectCreated:Put", "%ff")]});
        let notices = parse(&event).unwrap();
        assert_eq!(notices[0].as_ref().unwrap_err().to_string(), "record 0 is no S3 event record: missing field `s3`");
        assert!(notices[1].is_ok());
        assert!(notices[2].as_ref().unwrap_err().to_string().contains("\"%ff\""));
    }

    #[test]
    fn what_is_no_event_is_told_apart() {
        let error = parse(&serde_json::json!({"hello": 1})).unwrap_err().to_string();
        assert!(error.contains("but the fields [\"hello\"]"), "{error}");
        assert!(parse(&Value::Null).is_err());
    }
}
