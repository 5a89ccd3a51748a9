//! A range of an object's bytes.

use std::fmt;

/// From `start` up to, but without, `end`; never empty. `Display` gives S3's form, whose end is the
/// last byte: `bytes=0-4`. Open ends are no form that UploadPartCopy takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    pub start: u64,
    pub end: u64,
}

impl ByteRange {
    /// `None` where it would be empty.
    pub fn new(start: u64, end: u64) -> Option<ByteRange> {
        (start < end).then_some(ByteRange { start, end })
    }

    /// In bytes.
    pub fn length(self) -> u64 {
        self.end - self.start
    }

    /// Cuts it into `count` pieces of the same length, give or take a byte.
    pub fn split(self, count: u64) -> impl Iterator<Item = ByteRange> {
        let at = move |index: u64| {
            let share = u128::from(self.length()) * u128::from(index) / u128::from(count.max(1));
            self.start + u64::try_from(share).unwrap_or(self.length())
        };
        (0..count).filter_map(move |index| ByteRange::new(at(index), at(index + 1)))
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes={}-{}", self.start, self.end - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_the_last_byte() {
        assert_eq!(ByteRange::new(0, 5).unwrap().to_string(), "bytes=0-4");
        assert_eq!(ByteRange::new(5, 5), None);
    }

    #[test]
    fn split_leaves_no_gap() {
        let pieces: Vec<_> = ByteRange::new(10, 21).unwrap().split(3).collect();
        assert_eq!(pieces.iter().map(|piece| piece.length()).collect::<Vec<_>>(), [3, 4, 4]);
        assert_eq!((pieces[0].start, pieces[2].end), (10, 21));
        assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
    }
}
