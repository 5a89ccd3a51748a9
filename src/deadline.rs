//! When Lambda ends the function, and what time is left until then.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Kept free at the end, to leave an upload to the next try and to answer.
const MARGIN: Duration = Duration::from_secs(10);
/// The longest time-out that Lambda allows.
pub const LONGEST: Duration = Duration::from_secs(900);

#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(time: Duration) -> Deadline {
        Deadline(Instant::now() + time)
    }

    /// Lambda's deadline, in milliseconds since 1970. A time in the past is taken for none: cargo-lambda's emulator
    /// says 600,000.
    pub fn at(milliseconds: u64) -> Deadline {
        let at = UNIX_EPOCH + Duration::from_millis(milliseconds);
        Deadline::after(at.duration_since(SystemTime::now()).unwrap_or(LONGEST))
    }

    /// Until then a new request may be begun.
    pub fn last_call(self) -> Instant {
        self.0.checked_sub(MARGIN).unwrap_or(self.0)
    }

    /// Until then everything has to end, so that the function can answer.
    pub fn end(self) -> Instant {
        self.0.checked_sub(MARGIN / 5).unwrap_or(self.0)
    }

    /// The time until the last call.
    pub fn left(self) -> Duration {
        self.last_call().saturating_duration_since(Instant::now())
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
}
