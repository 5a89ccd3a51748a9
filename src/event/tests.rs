use serde_json::{Value, json};

use super::*;
use crate::uri::Uri;

fn s3_event(keys: &[&str]) -> Value {
    let record =
        |key: &&str| json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": key}}});
    json!({"Records": keys.iter().map(record).collect::<Vec<_>>()})
}

fn queue(bodies: &[String]) -> Value {
    let message = |(index, body)| json!({"eventSource": "aws:sqs", "messageId": format!("m{index}"), "body": body});
    json!({"Records": bodies.iter().enumerate().map(message).collect::<Vec<_>>()})
}

fn created(message: &Message) -> Vec<String> {
    let key = |notice: &Result<Notice, EventError>| match notice {
        Ok(Notice::Created { uri, .. }) => uri.key.clone(),
        other => format!("{other:?}"),
    };
    message.notices.iter().map(key).collect()
}

/// All that can wrap an event, around this one.
fn wrapped(event: &Value) -> Vec<Value> {
    let sns = json!({"Type": "Notification", "TopicArn": "t", "Message": event.to_string()});
    let failed =
        json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event});
    vec![
        event.clone(),
        json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": event.to_string()}}]}),
        sns,
        failed,
    ]
}

#[test]
fn every_envelope_within_every_other_is_opened() {
    for event in [s3_event(&["a", "c%2Bd+e"]), json!({"Event": "s3:TestEvent", "Bucket": "b"})] {
        let keys = if event.get("Event").is_some() { vec![] } else { vec!["a", "c+d e"] };
        for once in wrapped(&event) {
            for twice in wrapped(&once) {
                let whole = parse(&twice);
                assert_eq!(
                    (whole.form, created(&whole.messages[0])),
                    (Form::Whole, keys.clone().iter().map(|it| it.to_string()).collect())
                );
                let queue = parse(&queue(&[twice.to_string(), s3_event(&["z"]).to_string()]));
                assert_eq!((queue.form, queue.messages.len()), (Form::Queue, 2));
                assert_eq!(created(&queue.messages[0]), keys);
                assert_eq!((queue.messages[1].id.as_str(), created(&queue.messages[1])), ("m1", vec!["z".to_owned()]));
            }
        }
    }
}

#[test]
fn event_bridge_is_understood_directly_and_in_a_queue() {
    let event = json!({
        "detail-type": "Object Created", "source": "aws.s3",
        "detail": {"bucket": {"name": "b"}, "object": {"key": "a+b"}, "reason": "PutObject"}
    });
    assert_eq!(created(&parse(&event).messages[0]), ["a+b"]);
    assert_eq!(created(&parse(&queue(&[event.to_string()])).messages[0]), ["a+b"]);
}

#[test]
fn tasks_are_told_apart_by_their_schema() {
    let tasks = |task: Value| {
        json!({
            "invocationSchemaVersion": "1.0", "invocationId": "i", "job": {"id": "j"}, "tasks": [task]
        })
    };
    for (task, expected) in [
        (json!({"taskId": "t", "s3Key": "a%20b+c", "s3VersionId": "1", "s3BucketArn": "arn:aws:s3:::b"}), "a b+c"),
        (json!({"taskId": "t", "s3Key": "a", "s3VersionId": null, "s3Bucket": "b"}), "a"),
    ] {
        let event = parse(&tasks(task));
        let form = Form::Tasks { schema_version: "1.0".to_owned(), invocation_id: "i".to_owned() };
        assert_eq!((event.form, event.messages[0].id.as_str()), (form, "t"));
        let notice = event.messages[0].notices[0].as_ref().unwrap();
        assert_eq!(*notice, Notice::Created { uri: Uri::new("b", expected), seen: None });
    }
    for task in [json!({"taskId": "t", "s3Key": "a"}), json!({"taskId": "t", "s3Bucket": "b", "s3Key": "%ff"})] {
        assert!(matches!(parse(&tasks(task)).messages[0].notices[..], [Err(EventError::Task { .. })]));
    }
}

#[test]
fn one_bad_record_does_not_hide_the_others() {
    let mut event = s3_event(&["k", "k", "%ff"]);
    event["Records"][0] = json!({"eventName": "ObjectCreated:Put"});
    let notices = parse(&event).messages.remove(0).notices;
    assert_eq!(notices[0].as_ref().unwrap_err().to_string(), "record 0 is no S3 event record: missing field `s3`");
    assert!(notices[1].is_ok());
    assert!(notices[2].as_ref().unwrap_err().to_string().contains("\"%ff\""));
}

#[test]
fn what_is_no_event_is_told_apart() {
    let error = |payload: &Value| match &parse(payload).messages[0].notices[..] {
        [Err(error)] => error.to_string(),
        other => panic!("{other:?}"),
    };
    let seen = error(&json!({"hello": 1}));
    assert!(seen.contains("it has the fields [\"hello\"]; understood are S3 event notifications"), "{seen}");
    for payload in [Value::Null, json!([1]), json!("Records"), json!({"Records": 1}), json!({"requestPayload": null})] {
        assert!(error(&payload).starts_with("the payload is no event"), "{payload}");
    }
    let seen = error(&queue(&["no JSON".to_owned()]));
    assert!(seen.starts_with("the body of an SQS message is not JSON: "), "{seen}");
    assert!(parse(&json!({"Records": []})).messages[0].notices.is_empty(), "an event without records asks for nothing");
}
