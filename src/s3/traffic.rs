//! A watch on the requests that go out, and which answers are asked for again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::config::interceptors::{BeforeTransmitInterceptorContextRef, InterceptorContext};
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

use super::effort::{Effort, Progress};

/// Counts what goes out, each try for itself, and the rows that come in.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic {
    counters: Arc<Counters>,
    /// Those of all clients that count for themselves, together.
    all: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    effort: Mutex<Effort>,
    progress: Mutex<Progress>,
}

impl Traffic {
    /// The same, with counters of its own that start at 0.
    pub(super) fn counting(&self) -> Traffic {
        Traffic { all: self.all.clone(), ..Traffic::default() }
    }

    pub(super) fn effort(&self) -> Effort {
        *lock(&self.counters.effort)
    }

    pub(super) fn effort_of_all(&self) -> Effort {
        *lock(&self.all.effort)
    }

    fn add(&self, effort: Effort) {
        for counters in [&self.counters, &self.all] {
            let mut sum = lock(&counters.effort);
            *sum = sum.and(effort);
        }
    }

    pub(super) fn progress(&self) -> Progress {
        *lock(&self.counters.progress)
    }

    pub(super) fn read(&self, bytes: u64) {
        self.add(Effort { bytes_read: bytes, ..Effort::default() });
    }

    pub(super) fn begins(&self, parts: u64, bytes: u64) {
        *lock(&self.counters.progress) = Progress { parts, parts_written: 0, bytes, bytes_written: 0 };
    }

    pub(super) fn wrote(&self, parts: u64, bytes: u64) {
        let mut progress = lock(&self.counters.progress);
        progress.parts_written += parts;
        progress.bytes_written += bytes;
    }

    /// Watches what a request sends. An interceptor of the request itself would do the same, and the SDK would put together
    /// its whole configuration anew for each.
    pub(super) fn watch<F: Future>(&self, request: F) -> impl Future<Output = F::Output> + use<F> {
        // In a box, since the SDK's futures are large, and would lie within those of whoever sends.
        SENDER.scope(self.clone(), Box::pin(request))
    }
}

tokio::task_local! {
    /// Who is sending a request in this task.
    static SENDER: Traffic;
}

/// Tells the sender of each request.
#[derive(Debug)]
pub(super) struct Watch;

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        SENDER.try_with(|sender| sender.add(billed(request.method(), request.uri())))?;
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How AWS bills a request: as a PUT, also if it is a list of objects, of uploads or of parts; as a GET; or not at all.
fn billed(method: &str, uri: &str) -> Effort {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let lists = |word: &str| ["list-type", "uploads", "uploadId"].contains(&word.split('=').next().unwrap_or_default());
    match method {
        "DELETE" => Effort::DELETE,
        "GET" if query.split('&').any(lists) => Effort::PUT,
        "GET" | "HEAD" => Effort::GET,
        _ => Effort::PUT,
    }
}

/// AWS's S3 says 503 for too many requests; other servers say 429, which the SDK would not try again.
#[derive(Debug)]
pub(super) struct TooManyRequests;

impl ClassifyRetry for TooManyRequests {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|response| response.status().as_u16()) {
            Some(429) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "TooManyRequests"
    }
}
