//! An S3 whose copied parts take time, in the test's own clock: each begins after a fixed time and then moves at a speed
//! of its own, all of them together no faster than a limit; and more writes a second than it likes are told to slow down.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_s3::{Fault, Request};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

/// What an S3 is like. Bandwidth is in bytes a second.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    /// The time of a copied part of no bytes.
    pub fixed: Duration,
    /// Of each copied part.
    pub speed: u64,
    /// Of all copied parts together.
    pub bandwidth: Option<u64>,
    /// Writes a second, and as many at once after a second without any.
    pub writes: Option<f64>,
}

#[derive(Clone)]
pub struct Simulated {
    nature: Nature,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

struct State {
    /// The copies whose bytes are moving, by how many bytes each will have been given when it ends.
    moving: BinaryHeap<Reverse<(u64, u64)>>,
    ends: Vec<Option<oneshot::Sender<()>>>,
    /// The bytes that a copy would have been given that was moving from the beginning on.
    given: f64,
    at: Instant,
    tokens: f64,
    refilled: Instant,
}

impl Simulated {
    pub fn new(nature: Nature) -> Simulated {
        let now = Instant::now();
        let state = State {
            moving: BinaryHeap::new(),
            ends: Vec::new(),
            given: 0.0,
            at: now,
            tokens: nature.writes.unwrap_or_default(),
            refilled: now,
        };
        let simulated = Simulated { nature, state: Arc::new(Mutex::new(state)), changed: Arc::default() };
        tokio::spawn(simulated.clone().move_bytes());
        simulated
    }

    /// Whether a write is taken, and not told to slow down.
    pub fn takes_a_write(&self) -> bool {
        let Some(rate) = self.nature.writes else { return true };
        let mut state = self.state.lock().unwrap();
        let now = Instant::now();
        state.tokens = (state.tokens + rate * (now - state.refilled).as_secs_f64()).min(rate);
        state.refilled = now;
        let takes = state.tokens >= 1.0;
        state.tokens -= if takes { 1.0 } else { 0.0 };
        takes
    }

    /// Begins to copy so many bytes; the receiver hears when they are there.
    pub fn copy(&self, length: u64) -> oneshot::Receiver<()> {
        let (end, ends) = oneshot::channel();
        let simulated = self.clone();
        tokio::spawn(async move {
            sleep(simulated.nature.fixed).await;
            {
                let mut state = simulated.state.lock().unwrap();
                simulated.advance(&mut state);
                let (number, last) = (state.ends.len() as u64, state.given as u64 + length);
                state.ends.push(Some(end));
                state.moving.push(Reverse((last, number)));
            }
            simulated.changed.notify_one();
        });
        ends
    }

    /// What a request meets.
    pub fn fault(&self, request: &Request) -> Fault {
        if !is_read(request) && !self.takes_a_write() {
            return Fault::Error(503, "SlowDown");
        }
        match copied(request) {
            Some(length) => Fault::Held(self.copy(length)),
            None => Fault::Late(other(request.operation)),
        }
    }

    /// Of each copy, in bytes a second.
    fn speed(&self, moving: usize) -> f64 {
        let shared = self.nature.bandwidth.map_or(f64::MAX, |all| all as f64 / moving as f64);
        shared.min(self.nature.speed as f64)
    }

    fn advance(&self, state: &mut State) {
        let now = Instant::now();
        if !state.moving.is_empty() {
            state.given += self.speed(state.moving.len()) * (now - state.at).as_secs_f64();
        }
        state.at = now;
    }

    async fn move_bytes(self) {
        loop {
            let next = {
                let mut state = self.state.lock().unwrap();
                self.advance(&mut state);
                while let Some(Reverse((last, number))) = state.moving.peek().copied()
                    && last as f64 <= state.given + 1.0
                {
                    state.moving.pop();
                    // Whoever waited may have given up.
                    let _ = state.ends[number as usize].take().map(|end| end.send(()));
                }
                let left = state.moving.peek().map(|Reverse((last, _))| *last as f64 - state.given);
                left.map(|left| state.at + Duration::from_secs_f64(left / self.speed(state.moving.len())))
            };
            match next {
                None => self.changed.notified().await,
                Some(next) => tokio::select! {
                    () = sleep_until(next) => (),
                    () = self.changed.notified() => (),
                },
            }
        }
    }
}

/// The time of a request that copies nothing. These are assumptions, those of docs/cost.md.
pub fn other(operation: &str) -> Duration {
    Duration::from_millis(match operation {
        "CompleteMultipartUpload" => 2_000,
        "PutObject" | "UploadPart" => 100,
        _ => 30,
    })
}

fn is_read(request: &Request) -> bool {
    request.operation.starts_with("Head")
        || request.operation.starts_with("Get")
        || request.operation.starts_with("List")
}

/// How many bytes a request copies, if it does.
fn copied(request: &Request) -> Option<u64> {
    let (first, last) = request.copy_range.as_ref()?.strip_prefix("bytes=")?.split_once('-')?;
    Some(last.parse::<u64>().ok()? - first.parse::<u64>().ok()? + 1)
}
