//! Which parts a final object is put together from.
//!
//! The object is a line of bytes: the header, then the sources. A part of a multipart upload is either
//! a copy of a range within one source, which S3 moves itself, or an upload, whose bytes pass through
//! the function. [`plan`] chooses, in this order: the fewest bytes uploaded; then the least time at the
//! measured speed of a copied part, give or take a tenth; then the fewest parts.
//!
//! A header takes a part of its own, and one number is kept for the mark of an upload that is left to the
//! next try, so that a source may have 9,998 times 5 GiB: 48.82 TiB. In the last 10 GiB below S3's own
//! limit, the parts would be enough only if gigabytes went through the function.
//!
//! # Fewest bytes
//!
//! A part has at least 5 MiB, unless it is the last. So a header, or a source below 5 MiB, is gathered
//! with its neighbours into an upload of at least 5 MiB, for which the sources that are copied on either
//! side lend their tail or their head. If `F` bytes must be uploaded between two copies, the upload costs
//! `max(F, 5 MiB)`, whoever lends; so a choice of the sources that are copied has a fixed cost, if there
//! is enough to lend. It is best to borrow from the left first, since what a source has left behind
//! nobody else can use, while its head's loss leaves it less to lend to the right.
//!
//! `copied` goes through the sources from left to right and keeps, for each that may be copied last so
//! far, the cheapest ways there that are not worse in both bytes uploaded and bytes of its head lent.
//! A source of 5 MiB or more that is *not* copied, with at least 5 MiB to be uploaded on either side of
//! it, could be copied as it is, and cheaper; so at most one such source is passed over behind a copy and
//! one before the next, and each source need look back at three others only.

use std::fmt;
use std::time::Duration;

use super::range::ByteRange;

const MIB: u64 = 1 << 20;

/// S3's rules for an upload, and what a copied part was measured to take. A value, so that tests can
/// hold the planner against exhaustive search on a small scale.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The least that any part but the last may have, in bytes.
    pub min_part: u64,
    pub max_part: u64,
    pub max_parts: u64,
    pub max_object: u64,
    /// Parts that are copied at the same time.
    pub in_flight: u64,
    /// A copied part takes this long, in milliseconds, and one more for each `bytes_per_ms`.
    pub fixed_ms: u64,
    pub bytes_per_ms: u64,
}

/// AWS, S3 user guide, "Amazon S3 multipart upload limits": 5 MiB to 5 GiB, 10,000 parts, 48.8 TiB.
/// One of the parts is kept for the mark. Speed: `awslabs/aws-c-s3#288`, 2.5 s and 73 to 92 MiB/s for each part.
pub const S3: Limits = Limits {
    min_part: 5 * MIB,
    max_part: 5 << 30,
    max_parts: 9_999,
    max_object: 10_000 * (5 << 30),
    in_flight: 64,
    fixed_ms: 2_500,
    bytes_per_ms: 80 * MIB / 1_000,
};

impl Limits {
    /// What a copied part of this length, in bytes, was measured to take.
    pub fn time(&self, length: u64) -> Duration {
        Duration::from_millis(self.fixed_ms + length / self.bytes_per_ms)
    }
}

/// A part of a multipart upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes that pass through the function.
    Upload(Vec<Piece>),
    /// A range of a source, given by its place in the job, that S3 copies itself.
    Copy { source: usize, range: ByteRange },
}

/// A range of the header or of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub of: Origin,
    pub range: ByteRange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Header,
    /// A source, by its place in the job.
    Source(usize),
}

/// The parts in order. A single upload is a PutObject; no part at all is an empty object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub parts: Vec<Part>,
    /// Of the final object, in bytes.
    pub length: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("the final object would have {length} bytes; S3 allows {allowed}")]
    TooLarge { length: u64, allowed: u64 },
    #[error("the final object would need at least {parts} parts; S3 allows {allowed}")]
    TooManyParts { parts: u64, allowed: u64 },
}

/// Plans a final object of a header and sources, all lengths in bytes.
///
/// ```
/// use unload_header::copy::plan::{S3, plan};
/// let plan = plan(100, &[6 << 30], &S3)?;
/// assert_eq!(plan.uploaded(), 5 << 20);
/// # Ok::<(), unload_header::copy::plan::PlanError>(())
/// ```
pub fn plan(header: u64, sources: &[u64], limits: &Limits) -> Result<Plan, PlanError> {
    let length = sources.iter().fold(header, |sum, length| sum.saturating_add(*length));
    if length > limits.max_object {
        return Err(PlanError::TooLarge { length, allowed: limits.max_object });
    }
    let stretches = stretches(header, sources, &copied(header, sources, limits.min_part));
    let counts = counts(&stretches, limits)?;
    let parts = stretches.into_iter().zip(counts).flat_map(|(stretch, count)| stretch.split(count)).collect();
    Ok(Plan { parts, length })
}

impl Part {
    /// In bytes.
    pub fn length(&self) -> u64 {
        match self {
            Part::Upload(pieces) => pieces.iter().map(|piece| piece.range.length()).sum(),
            Part::Copy { range, .. } => range.length(),
        }
    }

    /// Cuts it into `count` parts of about the same length.
    fn split(self, count: u64) -> Vec<Part> {
        let line = ByteRange { start: 0, end: self.length() };
        let part = |cut: ByteRange| match &self {
            Part::Copy { source, range } => {
                let range = ByteRange { start: range.start + cut.start, end: range.start + cut.end };
                Part::Copy { source: *source, range }
            }
            Part::Upload(pieces) => Part::Upload(within(pieces, cut)),
        };
        line.split(count).map(part).collect()
    }
}

/// What of `pieces`, one behind the other, lies in the range `cut`.
fn within(pieces: &[Piece], cut: ByteRange) -> Vec<Piece> {
    let mut at = 0;
    let overlap = pieces.iter().filter_map(|Piece { of, range }| {
        let before = at;
        at += range.length();
        let (start, end) = (cut.start.max(before), cut.end.min(at));
        let range = ByteRange::new(range.start + start.checked_sub(before)?, range.start + end.checked_sub(before)?)?;
        Some(Piece { of: *of, range })
    });
    overlap.collect()
}

impl Plan {
    /// The bytes that pass through the function.
    pub fn uploaded(&self) -> u64 {
        self.parts.iter().filter(|part| matches!(part, Part::Upload(_))).map(Part::length).sum()
    }
}

/// One way to come to a source whose middle is copied, with all before it settled.
#[derive(Clone, Copy)]
struct Way {
    /// Bytes uploaded so far, up to the copied range.
    cost: u64,
    /// Bytes of the source's head that were lent to the upload before it.
    head: u64,
    /// The source copied before, by its place among the candidates and among the ways to it.
    before: Option<(usize, usize)>,
    /// Bytes of its tail that it lent.
    tail: u64,
}

/// The range of each source that is copied, at most one of a source, so that the fewest bytes are
/// uploaded. See the module's documentation for why it is.
fn copied(header: u64, sources: &[u64], min_part: u64) -> Vec<(usize, ByteRange)> {
    let before: Vec<u64> = std::iter::once(header)
        .chain(sources.iter().scan(header, |sum, length| {
            *sum += length;
            Some(*sum)
        }))
        .collect();
    let total = before[sources.len()];
    let last = sources.iter().rposition(|length| *length > 0);
    let candidates: Vec<usize> =
        (0..sources.len()).filter(|index| sources[*index] >= min_part || Some(*index) == last).collect();
    // The last part may be as small as it likes, but S3 may want a range's source to be over 5 MiB.
    let leaves_a_part = |source: usize, head: u64| match sources[source].checked_sub(head) {
        Some(rest) if Some(source) == last => rest > 0 && (head == 0 || sources[source] > min_part),
        rest => rest >= Some(min_part),
    };

    let mut ways: Vec<Vec<Way>> = Vec::new();
    for (place, &source) in candidates.iter().enumerate() {
        let mut found = Vec::new();
        let mut add = |way: Way| found.extend(leaves_a_part(source, way.head).then_some(way));
        let needed = |bytes: u64| if bytes == 0 { 0 } else { min_part.saturating_sub(bytes) };
        if place < 3 {
            let bytes = before[source];
            let head = needed(bytes);
            add(Way { cost: bytes + head, head, before: None, tail: 0 });
        }
        for previous in place.saturating_sub(3)..place {
            let from = candidates[previous];
            let bytes = before[source] - before[from + 1];
            for (index, way) in ways[previous].iter().enumerate() {
                let needed = needed(bytes);
                let tail = needed.min(sources[from] - way.head - min_part);
                let (cost, head) = (way.cost + bytes + needed, needed - tail);
                add(Way { cost, head, before: Some((previous, index)), tail });
            }
        }
        found.sort_by_key(|way| (way.cost, way.head));
        let mut least = u64::MAX;
        found.retain(|way| {
            let better = way.head < least;
            least = least.min(way.head);
            better
        });
        ways.push(found);
    }

    let ends = ways.iter().zip(&candidates).enumerate().flat_map(|(place, (ways, source))| {
        let rest = total - before[source + 1];
        ways.iter().enumerate().map(move |(index, way)| (way.cost + rest, (place, index)))
    });
    let mut next = ends.filter(|(cost, _)| *cost < total).min().map(|(_, end)| end);
    let mut copied = Vec::new();
    let mut tail = 0;
    while let Some((place, index)) = next {
        let (source, way) = (candidates[place], ways[place][index]);
        let range = ByteRange { start: way.head, end: sources[source] - tail };
        copied.push((source, range));
        (next, tail) = (way.before, way.tail);
    }
    copied.reverse();
    copied
}

/// The line as it alternates between what is uploaded and what is copied, not yet cut into parts.
fn stretches(header: u64, sources: &[u64], copied: &[(usize, ByteRange)]) -> Vec<Part> {
    let mut stretches = Vec::new();
    let mut upload: Vec<Piece> = Vec::new();
    let mut copied = copied.iter().peekable();
    let header = std::iter::once((Origin::Header, header));
    let sources = sources.iter().enumerate().map(|(index, length)| (Origin::Source(index), *length));
    for (of, length) in header.chain(sources) {
        let piece = |start, end| ByteRange::new(start, end).map(|range| Piece { of, range });
        match copied.next_if(|(source, _)| of == Origin::Source(*source)) {
            None => upload.extend(piece(0, length)),
            Some((source, range)) => {
                upload.extend(piece(0, range.start));
                if !upload.is_empty() {
                    stretches.push(Part::Upload(std::mem::take(&mut upload)));
                }
                stretches.push(Part::Copy { source: *source, range: *range });
                upload.extend(piece(range.end, length));
            }
        }
    }
    if !upload.is_empty() {
        stretches.push(Part::Upload(upload));
    }
    stretches
}

/// Into how many parts each stretch is cut: uploads into parts of 5 to 10 MiB, so that few bytes are
/// held at a time; copies by the time that they take.
fn counts(stretches: &[Part], limits: &Limits) -> Result<Vec<u64>, PlanError> {
    let counts = |size: u64| {
        stretches.iter().map(move |stretch| {
            let (length, most) = (stretch.length(), (stretch.length() / limits.min_part).max(1));
            match stretch {
                Part::Upload(_) => most,
                Part::Copy { .. } => length.div_ceil(size).min(most).max(length.div_ceil(limits.max_part)),
            }
        })
    };
    let sizes = std::iter::successors(Some(limits.min_part), |size| {
        (*size < limits.max_part).then(|| (size + size / 16 + 1).min(limits.max_part))
    });
    let allowed = sizes.filter(|size| counts(*size).sum::<u64>() <= limits.max_parts);
    let timed: Vec<(u64, u64)> = allowed.map(|size| (size, milliseconds(stretches, counts(size), limits))).collect();
    let least = timed.iter().map(|(_, ms)| *ms).min();
    let chosen = timed.iter().rev().find(|(_, ms)| Some(*ms) <= least.map(|least| least + least / 10));
    match chosen {
        Some((size, _)) => Ok(counts(*size).collect()),
        None => {
            let parts = counts(limits.max_part).sum();
            Err(PlanError::TooManyParts { parts, allowed: limits.max_parts })
        }
    }
}

/// What the copies take, if a new one begins whenever one ends: as long as the longest, or as all of
/// them shared out among those in flight.
fn milliseconds(stretches: &[Part], counts: impl Iterator<Item = u64>, limits: &Limits) -> u64 {
    let (mut longest, mut sum) = (0, 0);
    for (stretch, count) in stretches.iter().zip(counts).filter(|(stretch, _)| matches!(stretch, Part::Copy { .. })) {
        let (fixed, length) = (limits.fixed_ms, stretch.length());
        longest = longest.max(fixed + length / count / limits.bytes_per_ms);
        sum += count * fixed + length / limits.bytes_per_ms;
    }
    longest.max(sum / limits.in_flight)
}

impl fmt::Display for Plan {
    /// A line for each part: `  2  copy    source 0 bytes=5242780-205993180`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, number) in self.parts.iter().zip(1..) {
            match part {
                Part::Copy { source, range } => writeln!(f, "{number:>5}  copy    source {source} {range}")?,
                Part::Upload(pieces) => {
                    let pieces: Vec<String> = pieces.iter().map(Piece::to_string).collect();
                    writeln!(f, "{number:>5}  upload  {}", pieces.join(" + "))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            Origin::Header => write!(f, "header {}", self.range),
            Origin::Source(source) => write!(f, "source {source} {}", self.range),
        }
    }
}
