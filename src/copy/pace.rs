//! How many parts are in flight. It begins with as many as surely end in a call; each part that ends in about the time
//! that was measured lets two more begin, and one that S3 refuses, however often it is asked, halves the number.
//!
//! That S3 asks to slow down, and takes the part later, is no reason to have fewer in flight. It means that too many have
//! begun in the same second, and the client's waits at random have spread them by then.
//!
//! The next try of the same upload goes on at the pace of the last. If that one's deadline came while parts were in flight,
//! they were too many: on a slow S3, all that began together would be lost in each try.

use std::time::Duration;

/// The pace of one upload. A part is known by how many were begun before it.
#[derive(Debug)]
pub struct Pace {
    /// As many as this try begins with.
    first: f64,
    /// As many as a first try begins with.
    usual: f64,
    most: f64,
    allowed: f64,
    begun: u64,
    ended: u64,
    /// The last part that was begun before the pace was halved. That it and those before it are refused is no reason to
    /// halve the pace again.
    cut: u64,
}

impl Pace {
    pub fn new(first: u64, usual: u64, most: u64) -> Pace {
        let (first, usual, most) = (first as f64, usual as f64, most as f64);
        Pace { first, usual, most, allowed: first, begun: 0, ended: 0, cut: 0 }
    }

    /// Parts that may be in flight now; always one at least.
    pub fn allowed(&self) -> usize {
        self.allowed as usize
    }

    /// A part begins; returns its number.
    pub fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    /// A part has ended well, in this time, and was measured to take that time. If it took much longer, then S3 has no
    /// speed left for more than there were at first; or each part takes long, and so one more is tried in each round.
    pub fn end(&mut self, took: Duration, measured: Duration) {
        self.ended += 1;
        if took <= measured * 3 / 2 {
            self.allowed = (self.allowed + 2.0).min(self.most);
        } else if self.allowed < self.first {
            self.allowed = (self.allowed + 1.0).min(self.first);
        } else if self.allowed < self.usual {
            self.allowed = (self.allowed + 1.0 / self.allowed).min(self.usual);
        }
    }

    /// The deadline has come while parts were in flight. So few may be in flight from now on that they would have ended in a
    /// quarter of the time.
    pub fn late(&mut self) {
        self.allowed = self.allowed.min(self.ended as f64 / 4.0).max(1.0);
    }

    /// S3 has refused a part.
    pub fn refused(&mut self, part: u64) {
        if part > self.cut {
            self.allowed = (self.allowed / 2.0).max(1.0);
            self.cut = self.begun;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn parts_that_are_refused_halve_it_once_and_it_comes_back() {
        let mut pace = Pace::new(64, 64, 64);
        let burst: Vec<u64> = (0..64).map(|_| pace.begin()).collect();
        burst.iter().for_each(|part| pace.refused(*part));
        assert_eq!(pace.allowed(), 32);
        for expected in [16, 8, 4, 2, 1, 1] {
            let part = pace.begin();
            pace.refused(part);
            assert_eq!(pace.allowed(), expected);
        }
        (0..32).for_each(|_| pace.end(SECOND, SECOND));
        assert_eq!(pace.allowed(), 64);
    }

    #[test]
    fn as_many_as_end_in_a_quarter_of_the_time_follow_those_that_did_not_end() {
        for (ended, allowed) in [(0, 1), (1, 1), (40, 10), (400, 64)] {
            let mut pace = Pace::new(64, 64, 64);
            (0..ended).for_each(|_| pace.end(2 * SECOND, SECOND));
            pace.late();
            assert_eq!(pace.allowed(), allowed, "{ended}");
        }
    }

    #[test]
    fn it_grows_as_long_as_parts_take_the_measured_time() {
        let mut pace = Pace::new(64, 64, 192);
        pace.end(2 * SECOND, SECOND);
        assert_eq!(pace.allowed(), 64, "S3 has no speed left");
        (0..64).for_each(|_| pace.end(3 * SECOND / 2, SECOND));
        assert_eq!(pace.allowed(), 192, "three times as many in a round");
        pace.refused(1);
        pace.begin();
        pace.refused(2);
        pace.refused(3);
        (0..100).for_each(|_| pace.end(2 * SECOND, SECOND));
        assert_eq!(pace.allowed(), 64, "no more than at first, if parts take long");
    }

    #[test]
    fn a_try_that_began_with_few_tries_one_more_in_each_round_of_long_parts() {
        let mut pace = Pace::new(1, 64, 192);
        for round in 1..=8_usize {
            assert!((round - 1..=round).contains(&pace.allowed()), "{round}: {}", pace.allowed());
            (0..round).for_each(|_| pace.end(2 * SECOND, SECOND));
        }
        (0..10_000).for_each(|_| pace.end(2 * SECOND, SECOND));
        assert_eq!(pace.allowed(), 64, "no more than a first try begins with");
    }
}
