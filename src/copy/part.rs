//! The parts of a multipart upload, and the pieces of the final object's bytes that they hold.

use std::fmt;

use crate::byte_range::ByteRange;

/// A part of a multipart upload, before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedPart {
    /// Bytes that pass through the function.
    Upload(Vec<Piece>),
    /// A range of a source, given by its index in the job, that S3 copies itself.
    Copy { source: usize, range: ByteRange },
}

/// Bytes of the final object that come from one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub of: Origin,
    pub range: ByteRange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Header,
    /// A source, by its index in the job.
    Source(usize),
    /// The line ending that a source's last row lacks.
    Newline,
}

impl Piece {
    /// `None` where it would be empty.
    pub fn new(of: Origin, start: u64, end: u64) -> Option<Piece> {
        ByteRange::new(start, end).map(|range| Piece { of, range })
    }

    /// In bytes.
    pub fn length(&self) -> u64 {
        self.range.length()
    }
}

impl PlannedPart {
    /// In bytes.
    pub fn length(&self) -> u64 {
        match self {
            PlannedPart::Upload(pieces) => length(pieces),
            PlannedPart::Copy { range, .. } => range.length(),
        }
    }
}

/// In bytes.
pub fn length(pieces: &[Piece]) -> u64 {
    pieces.iter().map(Piece::length).sum()
}

/// Divides consecutive pieces after so many bytes.
pub fn split_at(pieces: Vec<Piece>, at: u64) -> (Vec<Piece>, Vec<Piece>) {
    let (mut left, mut right, mut before) = (Vec::new(), Vec::new(), 0);
    for Piece { of, range } in pieces {
        let cut = range.start + at.saturating_sub(before).min(range.length());
        left.extend(Piece::new(of, range.start, cut));
        right.extend(Piece::new(of, cut, range.end));
        before += range.length();
    }
    (left, right)
}

/// A line for each piece that is copied, and one for those that are uploaded together.
impl fmt::Display for PlannedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlannedPart::Copy { source, range } => write!(f, "copy    source {source} {range}"),
            PlannedPart::Upload(pieces) => {
                let pieces: Vec<String> = pieces.iter().map(Piece::to_string).collect();
                write!(f, "upload  {}", pieces.join(" + "))
            }
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            Origin::Header => write!(f, "header {}", self.range),
            Origin::Source(source) => write!(f, "source {source} {}", self.range),
            Origin::Newline => f.write_str("newline"),
        }
    }
}
