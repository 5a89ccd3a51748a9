//! Tasks of S3 Batch Operations (S3 user guide, "Invoke AWS Lambda function"; of schema 2.0, which names the bucket and not
//! its ARN: S3 API reference, LambdaInvokeOperation).

use serde::Deserialize;
use serde_json::Value;

use super::notice::percent_decoded;
use super::{Event, EventError, Form, Message, Notice};
use crate::uri::Uri;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    invocation_schema_version: String,
    invocation_id: String,
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    task_id: String,
    s3_key: Option<String>,
    s3_bucket: Option<String>,
    s3_bucket_arn: Option<String>,
}

/// The event of a payload that has tasks.
pub fn parse(payload: &Value) -> Option<Event> {
    let Payload { invocation_schema_version, invocation_id, tasks } = Payload::deserialize(payload).ok()?;
    let messages = tasks.into_iter().map(message).collect();
    Some(Event { form: Form::Tasks { schema_version: invocation_schema_version, invocation_id }, messages })
}

fn message(task: Task) -> Message {
    let id = task.task_id.clone();
    Message { id, notices: vec![notice(task).map_err(|problem| EventError::Task { problem })] }
}

/// A task is an object that is there. Keys are percent-encoded, and `+` is itself.
fn notice(task: Task) -> Result<Notice, String> {
    let of_arn = |arn: String| arn.rsplit(':').next().unwrap_or_default().to_owned();
    let bucket = task.s3_bucket.or_else(|| task.s3_bucket_arn.map(of_arn));
    let bucket = bucket.filter(|bucket| !bucket.is_empty()).ok_or("it has no s3Bucket and no s3BucketArn")?;
    let key = task.s3_key.ok_or("it has no s3Key")?;
    let key = percent_decoded(&key).ok_or_else(|| format!("its key {key:?} is not the encoding of UTF-8"))?;
    Notice::new(Uri::new(bucket, key), None, true, "")
}
