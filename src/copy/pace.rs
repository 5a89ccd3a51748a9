//! How many parts are in flight: one more after each round that goes well, half as many when S3 asks to slow down, as TCP
//! does.

/// The pace of one upload. A part is known by how many were begun before it.
#[derive(Debug)]
pub struct Pace {
    most: f64,
    allowed: f64,
    begun: u64,
    /// The last part that was begun before the pace was halved. That it and those before it are slowed is no reason to
    /// halve the pace again.
    cut: u64,
}

impl Pace {
    pub fn new(most: u64) -> Pace {
        let most = most as f64;
        Pace { most, allowed: most, begun: 0, cut: 0 }
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

    /// A part has ended; `slowed` says whether S3 asked to slow down.
    pub fn end(&mut self, part: u64, slowed: bool) {
        if !slowed {
            self.allowed = (self.allowed + 1.0 / self.allowed).min(self.most);
        } else if part > self.cut {
            self.allowed = (self.allowed / 2.0).max(1.0);
            self.cut = self.begun;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_halves_it_once_and_it_comes_back() {
        let mut pace = Pace::new(64);
        let burst: Vec<u64> = (0..64).map(|_| pace.begin()).collect();
        burst.iter().for_each(|part| pace.end(*part, true));
        assert_eq!(pace.allowed(), 32);
        for expected in [16, 8, 4, 2, 1, 1] {
            let part = pace.begin();
            pace.end(part, true);
            assert_eq!(pace.allowed(), expected);
        }
        for _ in 0..64 * 64 {
            let part = pace.begin();
            pace.end(part, false);
        }
        assert_eq!(pace.allowed(), 64);
    }
}
