//! The record of requests, and faults on demand.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::http::{Response, request};
use tokio::sync::oneshot;

use crate::request::{COPY_RANGE, Request};
use crate::store::Store;

/// What may happen to a request instead of being answered.
pub enum Fault {
    /// An error answer, with S3's code; nothing takes effect.
    Error(u16, &'static str),
    /// 200 with an `<Error>` body; nothing takes effect.
    ErrorIn200(&'static str),
    /// The connection breaks before anything takes effect.
    Reset,
    /// The connection breaks after all has taken effect.
    LostAnswer,
    /// Half of the answer's body, then the connection breaks.
    CutAnswer,
    /// Half of the answer's body, and the other half after this time.
    LateEnd(Duration),
    /// Half of the answer's body, as if it were all of it.
    HalfAnswer,
    /// It takes effect, and is answered, after this time.
    Late(Duration),
    /// It takes effect, and is answered, once the test says so.
    Held(oneshot::Receiver<()>),
    /// It is changed, and then answered as if it had come so. Its signature is not looked at.
    OtherRequest(Box<dyn FnOnce(&mut request::Parts) + Send>),
    /// It takes effect, and its answer is changed.
    OtherAnswer(AnswerChange),
    /// Something else happens first; then the request is answered as always.
    Meanwhile(Box<dyn FnOnce(&mut Store) + Send>),
}

/// What becomes of an answer.
pub type AnswerChange = Box<dyn FnOnce(&mut Response<Bytes>) + Send>;

impl Fault {
    /// The server does not know a header.
    pub fn ignoring(header: &'static str) -> Fault {
        Fault::OtherRequest(Box::new(move |parts| drop(parts.headers.remove(header))))
    }

    /// A copied range begins and ends a byte too early.
    pub fn wrong_range() -> Fault {
        Fault::OtherRequest(Box::new(|parts| {
            let range = parts.headers.get(COPY_RANGE).and_then(|range| range.to_str().ok());
            let ends = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
            let earlier = |end: &str| end.parse::<u64>().ok()?.checked_sub(1);
            let earlier = ends.and_then(|(first, last)| Some((earlier(first)?, earlier(last)?)));
            if let Some(range) =
                earlier.and_then(|(first, last)| HeaderValue::try_from(format!("bytes={first}-{last}")).ok())
            {
                parts.headers.insert(COPY_RANGE, range);
            }
        }))
    }
}

/// Chooses what each request meets.
pub type Judge = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// The requests that came in, and the faults that wait for more.
#[derive(Default)]
pub struct Recorder {
    pub requests: Vec<Request>,
    pub faults: Vec<(&'static str, usize, Fault)>,
    pub judge: Option<Judge>,
    /// A connection that was idle for so long is never answered again.
    pub stalls_after: Option<Duration>,
}

impl Recorder {
    /// Records a request, and returns the fault that waits for it.
    pub fn record(&mut self, request: Request) -> Option<Fault> {
        let operation = request.operation;
        let judged = self.judge.as_mut().and_then(|judge| judge(&request));
        self.requests.push(request);
        let waiting = self.faults.iter_mut().filter(|(of, ..)| *of == operation);
        waiting.for_each(|(_, nth, _)| *nth = nth.saturating_sub(1));
        match self.faults.iter().position(|(of, nth, _)| *of == operation && *nth == 0) {
            Some(due) => Some(self.faults.remove(due).2),
            None => judged,
        }
    }
}
