//! When Lambda ends the function, and what time is left until then.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Kept free at the end, to leave an upload to the next try and to answer.
const MARGIN: Duration = Duration::from_secs(10);
/// The longest time-out that Lambda allows.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(900);

/// It can be brought forward while it is waited for. Clones are brought forward together.
#[derive(Clone, Debug)]
pub struct Deadline(watch::Receiver<Instant>);

/// What brings a deadline forward.
#[derive(Debug)]
pub struct Stop(watch::Sender<Instant>);

impl Stop {
    /// No new request may be begun from now on.
    pub fn now(&self) {
        self.0.send_replace(Instant::now() + MARGIN);
    }
}

impl Deadline {
    pub fn after(time: Duration) -> Deadline {
        Deadline::stoppable(time).0
    }

    pub fn stoppable(time: Duration) -> (Deadline, Stop) {
        let (stop, deadline) = watch::channel(Instant::now() + time);
        (Deadline(deadline), Stop(stop))
    }

    /// Lambda's deadline, in milliseconds since 1970. A time in the past is taken for none: cargo-lambda's emulator
    /// says 600,000.
    pub fn at(milliseconds: u64) -> Deadline {
        let at = UNIX_EPOCH + Duration::from_millis(milliseconds);
        Deadline::after(at.duration_since(SystemTime::now()).unwrap_or(MAX_TIMEOUT))
    }

    /// Until then a new request may be begun.
    fn last_call(&self) -> Instant {
        let at = *self.0.borrow();
        at.checked_sub(MARGIN).unwrap_or(at)
    }

    /// Until then everything has to end, so that the function can answer.
    fn end(&self) -> Instant {
        let at = *self.0.borrow();
        at.checked_sub(MARGIN / 5).unwrap_or(at)
    }

    /// The time until the last call.
    pub fn left(&self) -> Duration {
        self.last_call().saturating_duration_since(Instant::now())
    }

    /// Ends when no new request may be begun any more.
    pub async fn last_call_comes(&self) {
        self.comes(Deadline::last_call).await;
    }

    /// What a future comes to; `None` if it does not end before the last call.
    pub async fn before_last_call<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.before(Deadline::last_call, future).await
    }

    /// What a future comes to; `None` if it does not end before everything has to.
    pub async fn before_end<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.before(Deadline::end, future).await
    }

    async fn before<T>(&self, at: fn(&Deadline) -> Instant, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            value = future => Some(value),
            () = self.comes(at) => None,
        }
    }

    async fn comes(&self, at: fn(&Deadline) -> Instant) {
        let mut moved = self.0.clone();
        loop {
            tokio::select! {
                () = sleep_until(at(self)) => return,
                // Without a sender, it is not moved any more.
                Ok(()) = moved.changed() => (),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_says_when_and_the_emulator_how_long() {
        let in_a_minute = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(60);
        let left = Deadline::at(u64::try_from(in_a_minute.as_millis()).unwrap()).left();
        assert!(left > Duration::from_secs(45) && left <= Duration::from_secs(50), "{left:?}");
        assert!(Deadline::at(600_000).left() > Duration::from_secs(800));
    }

    #[tokio::test(start_paused = true)]
    async fn it_can_be_brought_forward_while_it_is_waited_for() {
        let (deadline, stop) = Deadline::stoppable(MAX_TIMEOUT);
        let (begun, clone) = (Instant::now(), deadline.clone());
        let stopped = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            stop.now();
        };
        let waited = clone.before_last_call(std::future::pending::<()>());
        assert_eq!(tokio::join!(stopped, waited).1, None);
        assert_eq!((begun.elapsed(), deadline.left()), (Duration::from_secs(3), Duration::ZERO));
        assert_eq!(deadline.before_end(std::future::pending::<()>()).await, None);
        assert_eq!(begun.elapsed(), Duration::from_secs(3 + 8));
    }
}
