//! An event: what the function is called with, in whatever it is wrapped.
//!
//! | who calls | what it says |
//! |---|---|
//! | S3 | an S3 event notification, or its `s3:TestEvent` |
//! | SNS | records whose messages are such |
//! | SQS | messages with any of these as body: S3's, SNS's (with its envelope or raw), EventBridge's, a failed event |
//! | EventBridge | "Object Created" |
//! | S3 Batch Operations | tasks, of schema 1.0 or 2.0 |
//! | Lambda's OnFailure destination | a failed event, whose `requestPayload` is any of these |

mod notice;
mod tasks;

use serde_json::Value;

pub use self::notice::Notice;

/// What the function is called with. It answers in the form of who calls.
#[derive(Debug)]
pub struct Event {
    pub form: Form,
    pub messages: Vec<Message>,
}

/// Who calls, as far as the answer depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// The event is one message. If anything of it fails, so does the call.
    Whole,
    /// SQS is told which messages failed, and keeps these.
    Queue,
    /// S3 Batch Operations is told what became of each task.
    Tasks { schema_version: String, invocation_id: String },
}

/// What is retried by itself: an SQS message, a task, or the event as a whole. What can't be read of it does not hide
/// the rest.
#[derive(Debug)]
pub struct Message {
    pub id: String,
    pub notices: Vec<Result<Notice, EventError>>,
}

#[derive(Debug, thiserror::Error)]
pub enum EventError {
    #[error(
        "the payload is no event that the function understands: it has {found}; understood are S3 event notifications, \
         by themselves or from SNS, SQS or EventBridge, tasks of S3 Batch Operations, and what Lambda's OnFailure \
         destination keeps of a failed event"
    )]
    Unknown { found: String },
    #[error("record {index} is no S3 event record: {problem}")]
    Record { index: usize, problem: String },
    #[error("the detail of an event {detail_type:?} tells of no object: {problem}")]
    Detail { detail_type: String, problem: String },
    #[error("the task of S3 Batch Operations tells of no object: {problem}")]
    Task { problem: String },
    #[error("the {place} is not JSON: {source}")]
    Json { place: &'static str, source: serde_json::Error },
}

/// Reads a payload by its shape.
pub fn parse(payload: &Value) -> Event {
    if let Some(event) = tasks::parse(payload) {
        return event;
    }
    let records = payload.get("Records").and_then(Value::as_array).filter(|records| !records.is_empty());
    match records.filter(|records| records.iter().all(is_queued)) {
        Some(records) => Event { form: Form::Queue, messages: records.iter().map(queued).collect() },
        None => Event { form: Form::Whole, messages: vec![Message { id: String::new(), notices: notices(payload) }] },
    }
}

/// Whether a record is an SQS message (Lambda developer guide, "Using Lambda with Amazon SQS").
fn is_queued(record: &Value) -> bool {
    record.get("body").is_some_and(Value::is_string) && record.get("messageId").is_some_and(Value::is_string)
}

fn queued(record: &Value) -> Message {
    let id = record.get("messageId").and_then(Value::as_str).unwrap_or_default().to_owned();
    Message { id, notices: record_notices(0, record) }
}

/// All that a payload tells, envelope by envelope.
fn notices(payload: &Value) -> Vec<Result<Notice, EventError>> {
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    if text("Event") == Some("s3:TestEvent") {
        // S3 sends it when notifications are configured.
        Vec::new()
    } else if let Some(records) = payload.get("Records").and_then(Value::as_array) {
        records.iter().enumerate().flat_map(|(index, record)| record_notices(index, record)).collect()
    } else if let Some(message) = text("Message").filter(|_| text("Type") == Some("Notification")) {
        inner("message of SNS", message)
    } else if let (Some(detail_type), Some(detail)) = (text("detail-type"), payload.get("detail")) {
        vec![Notice::of_event_bridge(detail_type, detail)]
    } else if let Some(failed) = payload.get("requestPayload") {
        // Lambda developer guide, "Retaining records of asynchronous invocations".
        notices(failed)
    } else {
        vec![Err(EventError::Unknown { found: summary(payload) })]
    }
}

fn record_notices(index: usize, record: &Value) -> Vec<Result<Notice, EventError>> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    match (text("/body"), text("/Sns/Message")) {
        (Some(body), _) => inner("body of an SQS message", body),
        (_, Some(message)) => inner("message of SNS", message),
        _ => vec![Notice::of_s3(index, record)],
    }
}

fn inner(place: &'static str, json: &str) -> Vec<Result<Notice, EventError>> {
    match serde_json::from_str(json) {
        Ok(payload) => notices(&payload),
        Err(source) => vec![Err(EventError::Json { place, source })],
    }
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
mod tests;
