//! What the function answers, in the form of who calls it.

use aws_lambda_events::s3::batch_job::{S3BatchJobResponse, S3BatchJobResult};
use serde::{Serialize, Serializer};

use crate::error::Error;
use crate::event::Form;
use crate::receipt::{self, Receipt};

/// What became of an object or a job, and of which messages it was part.
#[derive(Debug)]
pub struct Ended {
    pub messages: Vec<usize>,
    pub result: Result<Receipt, Error>,
}

/// An answer. A failure of an event that is one message has failed the call instead.
#[derive(Debug)]
pub struct Answer {
    pub receipts: Vec<Receipt>,
    /// What failed, where the answer itself tells which messages or tasks did.
    pub failures: Vec<String>,
    /// `None`: the receipts are the answer.
    reply: Option<Reply>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Reply {
    Queue(FailedMessages),
    /// S3 user guide, "Invoke AWS Lambda function".
    Tasks(S3BatchJobResponse),
}

/// Lambda developer guide, "Handling errors for an SQS event source in Lambda".
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailedMessages {
    batch_item_failures: Vec<FailedMessage>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailedMessage {
    item_identifier: String,
}

/// In characters. S3 Batch Operations puts the result of each task into a line of its report.
const MAX_RESULT: usize = 1_000;

impl Answer {
    /// `ids` are those of the messages. An event that is one message fails if anything of it has failed.
    pub fn new(form: Form, ids: Vec<String>, ended: Vec<Ended>) -> Result<Answer, Error> {
        let reply = match form {
            Form::Whole => return Answer::of_whole(ended),
            Form::Queue => Reply::Queue(failed_messages(ids, &ended)),
            Form::Tasks { schema_version, invocation_id } => {
                let mut response = S3BatchJobResponse::default();
                response.invocation_schema_version = Some(schema_version);
                response.treat_missing_keys_as = Some(PERMANENT.to_owned());
                response.invocation_id = Some(invocation_id);
                response.results =
                    ids.into_iter().enumerate().map(|(index, id)| task_result(id, index, &ended)).collect();
                Reply::Tasks(response)
            }
        };
        let (mut receipts, mut failures) = (Vec::new(), Vec::new());
        for Ended { messages, result } in ended {
            match result {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => {
                    // Lambda logs what fails a call. Nobody else tells of these.
                    tracing::error!(messages = messages.len(), error_type = error.kind(), "{error}");
                    failures.push(format!("{}: {error}", error.kind()));
                }
            }
        }
        Ok(Answer { receipts, failures, reply: Some(reply) })
    }

    fn of_whole(ended: Vec<Ended>) -> Result<Answer, Error> {
        let (total, mut receipts, mut failures) = (ended.len(), Vec::new(), Vec::new());
        for Ended { result, .. } in ended {
            match result {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => failures.push(error),
            }
        }
        if let Some(error) = Error::of_all(total, failures) {
            return Err(error);
        }
        receipt::abridge(&mut receipts);
        Ok(Answer { receipts, failures: Vec::new(), reply: None })
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Receipts<'r> {
            receipts: &'r [Receipt],
        }
        match &self.reply {
            None => Receipts { receipts: &self.receipts }.serialize(serializer),
            Some(reply) => reply.serialize(serializer),
        }
    }
}

fn failed_messages(ids: Vec<String>, ended: &[Ended]) -> FailedMessages {
    let has_failed = |index| ended.iter().any(|ended| ended.result.is_err() && ended.messages.contains(&index));
    let failed = ids.into_iter().enumerate().filter(|(index, _)| has_failed(*index));
    FailedMessages {
        batch_item_failures: failed.map(|(_, item_identifier)| FailedMessage { item_identifier }).collect(),
    }
}

const PERMANENT: &str = "PermanentFailure";

/// S3 Batch Operations tries a task again that has failed for now.
fn task_result(id: String, index: usize, ended: &[Ended]) -> S3BatchJobResult {
    let own = || ended.iter().filter(|ended| ended.messages.contains(&index)).map(|ended| &ended.result);
    let failures = || own().filter_map(|result| result.as_ref().err());
    let code = match failures().all(Error::is_transient) {
        _ if failures().next().is_none() => "Succeeded",
        true => "TemporaryFailure",
        false => PERMANENT,
    };
    let texts: Vec<String> = match failures().next() {
        Some(_) => failures().map(|error| format!("{}: {error}", error.kind())).collect(),
        None => own().filter_map(|result| result.as_ref().ok()).map(told).collect(),
    };
    let mut result = S3BatchJobResult::default();
    result.task_id = Some(id);
    result.result_code = Some(code.to_owned());
    result.result_string = Some(texts.join("; ").chars().take(MAX_RESULT).collect());
    result
}

fn told(receipt: &Receipt) -> String {
    let what = receipt.final_uri.as_ref().or(receipt.reason.as_ref()).map_or("", String::as_str);
    format!("{}: {what}", receipt.outcome.name())
}
