//! What happened to one final object, as one line of JSON: an element of the answer, and the log line.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::crc::Algorithm;
use crate::s3::{Effort, ObjectVersion};
use crate::uri::Uri;

/// How many sources the log line names. CloudWatch cuts a line at 256 KB (AWS, CloudWatch Logs quotas).
const LOGGED_SOURCES: usize = 100;

/// Fields that do not apply are left out of the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Receipt {
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    pub final_uri: Option<String>,
    pub sources: Vec<String>,
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    /// How many rows, if the unload's verbose manifest counts them and the job knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    pub requests: u64,
    pub elapsed_ms: u64,
    /// The one source, as it was copied.
    #[serde(skip)]
    pub copied: Option<Copied>,
}

/// A source in the version that is in a final object.
#[derive(Clone, Debug)]
pub struct Copied {
    pub version: ObjectVersion,
    /// In seconds since 1970.
    pub modified: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The final object was written and proved.
    Written,
    /// The final object was there already.
    Unchanged,
    /// Nothing to do yet: something else has to arrive first.
    Waiting,
    /// Nothing to do, for the reason given.
    Skipped,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Written => "written",
            Outcome::Unchanged => "unchanged",
            Outcome::Waiting => "waiting",
            Outcome::Skipped => "skipped",
        }
    }
}

/// What is known of a final object that this job wrote, now or before.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    pub columns_from: ColumnsFrom,
    pub columns: usize,
    /// The size of the final object.
    pub bytes: u64,
    /// Bytes of sources, sidecars and manifests that the function read.
    pub bytes_through: u64,
    pub parts: usize,
    /// How many objects the slices were put together in before, as there were more slices than parts.
    #[serde(skip_serializing_if = "is_none")]
    pub intermediates: usize,
    pub proof: Proof,
    /// Without its quotes.
    pub etag: String,
}

impl Written {
    /// `bytes_through` is added with what else the job took.
    pub fn new(
        columns_from: ColumnsFrom,
        columns: usize,
        bytes: u64,
        parts: usize,
        etag: &str,
        proof: Proof,
    ) -> Written {
        let etag = etag.trim_matches('"').to_owned();
        Written { columns_from, columns, bytes, bytes_through: 0, parts, intermediates: 0, proof, etag }
    }
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Where the column names were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnsFrom {
    Metadata,
    Sidecar,
    Manifest,
    /// FIXEDWIDTH's spec.
    Options,
    /// The header that UNLOAD itself put on the slices of one final object.
    Source,
}

/// How it is known that the final object is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// S3 computed the CRC that header and sources must have together.
    Crc(Algorithm),
    /// Its size, its ETag and its number of parts are those of what was sent.
    Size,
}

impl Proof {
    pub fn name(self) -> &'static str {
        match self {
            Proof::Crc(algorithm) => algorithm.name(),
            Proof::Size => "size",
        }
    }
}

impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Receipt {
    /// The receipt of a source for which there is nothing to do, or nothing yet.
    pub fn idle(source: &Uri, outcome: Outcome, reason: impl Into<String>) -> Receipt {
        Receipt {
            final_uri: None,
            sources: vec![source.to_string()],
            outcome,
            reason: Some(reason.into()),
            written: None,
            rows: None,
            requests: 0,
            elapsed_ms: 0,
            copied: None,
        }
    }

    /// The receipt of a final object that is there.
    pub fn of_final(final_uri: &Uri, sources: Vec<String>, outcome: Outcome, written: Option<Written>) -> Receipt {
        Receipt {
            final_uri: Some(final_uri.to_string()),
            sources,
            outcome,
            reason: None,
            written,
            rows: None,
            requests: 0,
            elapsed_ms: 0,
            copied: None,
        }
    }

    /// Adds what is known of the sources.
    pub fn made_of(self, copied: Option<Copied>, rows: Option<u64>) -> Receipt {
        Receipt { copied, rows, ..self }
    }

    pub fn because(self, reason: impl Into<String>) -> Receipt {
        Receipt { reason: Some(reason.into()), ..self }
    }

    /// Adds what the job took.
    pub fn measured(self, effort: Effort, elapsed: Duration) -> Receipt {
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        Receipt { elapsed_ms, ..self }.adding(effort)
    }

    /// Adds requests that were made and bytes that were read for it.
    pub fn adding(mut self, effort: Effort) -> Receipt {
        self.requests += effort.requests;
        if let Some(written) = &mut self.written {
            written.bytes_through += effort.bytes_read;
        }
        self
    }

    /// The log line, in the form that the function's log settings ask for.
    pub fn log(&self) {
        let written = self.written.as_ref();
        let mut sources = self.sources.iter().take(LOGGED_SOURCES).cloned().collect::<Vec<_>>().join(" ");
        if self.sources.len() > LOGGED_SOURCES {
            sources += &format!(" and {} more", self.sources.len() - LOGGED_SOURCES);
        }
        tracing::info!(
            "final" = self.final_uri,
            sources,
            outcome = self.outcome.name(),
            reason = self.reason,
            columns_from = written.map(|it| name(&it.columns_from)),
            columns = written.map(|it| it.columns),
            bytes = written.map(|it| it.bytes),
            bytes_through = written.map(|it| it.bytes_through),
            rows = self.rows,
            parts = written.map(|it| it.parts),
            intermediates = written.map(|it| it.intermediates).filter(|count| *count > 0),
            requests = self.requests,
            proof = written.map(|it| it.proof.name()),
            etag = written.map(|it| it.etag.as_str()),
            elapsed_ms = self.elapsed_ms,
            "receipt"
        );
    }
}

/// In bytes. Lambda refuses an answer of more than 6 MB (AWS, Lambda developer guide, "Lambda quotas"), and an
/// invocation whose answer is refused has failed.
const MAX_ANSWER: usize = 4 << 20;

/// Leaves out sources that would make the answer too long, and says so in the receipt.
pub fn abridge(receipts: &mut [Receipt]) {
    let mut left = MAX_ANSWER;
    for receipt in receipts {
        let fits = |source: &&String| {
            let fits = source.len() < left;
            left = left.saturating_sub(source.len());
            fits
        };
        let fitting = receipt.sources.iter().take_while(fits).count();
        if fitting < receipt.sources.len() {
            let reason = receipt.reason.take().map(|reason| format!("{reason}; ")).unwrap_or_default();
            receipt.reason =
                Some(format!("{reason}the first {fitting} of {} sources are named", receipt.sources.len()));
            receipt.sources.truncate(fitting);
        }
    }
}

/// A unit variant as it is serialized.
fn name(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_stays_below_what_lambda_takes() {
        let receipt = |sources: usize| {
            let sources = vec!["s3://bucket/".to_owned() + &"k".repeat(988); sources];
            Receipt::of_final(&Uri::new("b", "k"), sources, Outcome::Written, None)
        };
        let mut receipts = [receipt(3_000), receipt(3_000).because("why"), receipt(1)];
        abridge(&mut receipts);
        assert_eq!(receipts.each_ref().map(|receipt| receipt.sources.len()), [3_000, 1_194, 0]);
        assert_eq!(receipts[0].reason, None);
        assert_eq!(receipts[1].reason.as_deref(), Some("why; the first 1194 of 3000 sources are named"));
        assert!(serde_json::to_vec(&receipts).unwrap().len() < 6_000_000);
    }
}
