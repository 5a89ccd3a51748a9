//! Which parts a final object is put together from.
//!
//! The object consists of the header, the sources' rows, and a newline between two sources where one is missing. A part of
//! a multipart upload is either a copy of a range within one source, which S3 moves itself, or an upload, whose bytes
//! pass through the function. [`plan`] chooses, in this order: the fewest bytes uploaded; then the least time at the
//! measured speed of a copied part, within about a twentieth; then the fewest parts. docs/part-size.md shows what comes
//! of it.
//!
//! # Fewest bytes
//!
//! A part has at least 5 MiB, unless it is the last. So a header, or a source below 5 MiB, is put together with its
//! neighbours in an upload of at least 5 MiB. If they have too few bytes, the copied source before the upload lends its
//! tail and the one after it lends its head. If `F` bytes must be uploaded between two copies, the upload costs `max(F, 5
//! MiB)`, whichever side lends; so each choice of the sources that are copied has a fixed cost, if there is enough to
//! lend. It is best to borrow from the left first: no other upload can use that tail, while a source that lends its head
//! has less to lend on its right.
//!
//! `copied` goes through the sources from left to right. For each that may be the last one copied so far, it keeps the
//! ways to get there of which no other way is better in both bytes uploaded and bytes of its head lent. A source of 5 MiB
//! or more that is *not* copied, with at least 5 MiB to be uploaded on either side of it, could be copied whole, and
//! cheaper. So at most one such source is passed over after a copy and one before the next, and each source needs to look
//! back at three others only. That makes it linear in the number of sources.
//!
//! # When the parts are too few
//!
//! S3 allows 10,000 parts. So one source may have 9,999 times 5 GiB, 48.82 TiB, and the header one part more. In the last
//! 5 GiB below S3's own limit, the parts would be enough only if gigabytes went through the function.
//!
//! Ten thousand sources that could all be copied need a part each, and one more for the header. Then some of them go by
//! intermediate objects: see [`super::groups`]. That takes no byte more through the function.

use std::fmt;
use std::time::Duration;

use super::part::{Origin, Piece, PlannedPart, length, split_at};
use crate::byte_range::ByteRange;

const MIB: u64 = 1 << 20;

/// S3's rules for an upload, and the measured time of a copied part. It is a value so that tests can compare the planner
/// with an exhaustive search on a small scale.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The least that any part but the last may have, in bytes.
    pub min_part: u64,
    pub max_part: u64,
    pub max_parts: u64,
    pub max_object: u64,
    /// The most that an upload may have, in bytes, since it is held in memory: at least twice `min_part`.
    pub upload: u64,
    /// How many parts are in flight at most.
    pub in_flight: u64,
    /// How many bytes are in flight at first. Parts so long that fewer than `in_flight` of them have as many begin with
    /// fewer: on an S3 whose speed is limited, all of them would take longer than a call may.
    pub in_flight_bytes: u64,
    /// A copied part takes so many milliseconds, and one more for each `bytes_per_ms`.
    pub fixed_ms: u64,
    pub bytes_per_ms: u64,
    /// What CompleteMultipartUpload takes.
    pub completion_ms: u64,
    /// So much time is not worth more parts, besides a twentieth of the whole.
    pub spare_ms: u64,
}

impl Limits {
    /// AWS's: 5 MiB to 5 GiB, 10,000 parts, 48.8 TiB (S3 user guide, "Amazon S3 multipart upload limits"). The speed is
    /// fitted to the times of `awslabs/aws-c-s3#288`, by a test. The completion's is an assumption.
    ///
    /// The copies of all jobs together have a bound of their own, in the client. 320 GiB are copied within a call, if S3
    /// copies 400 MiB a second or more in all. With the time to spare, no more than 35 copies of an object begin in a second
    /// on average: a hundredth of the 3,500 writes that S3 takes below a prefix (S3 user guide, "Best practices design
    /// patterns: optimizing Amazon S3 performance").
    pub const AWS: Limits = Limits {
        min_part: 5 * MIB,
        max_part: 5 << 30,
        max_parts: 10_000,
        max_object: 10_000 * (5 << 30),
        upload: 10 * MIB,
        in_flight: 192,
        in_flight_bytes: 320 << 30,
        fixed_ms: 2_450,
        bytes_per_ms: 78 * MIB / 1_000,
        completion_ms: 2_000,
        spare_ms: 220,
    };

    /// The measured time of a copied part of this length, in bytes.
    pub fn time(&self, length: u64) -> Duration {
        Duration::from_millis(self.fixed_ms + length / self.bytes_per_ms)
    }

    /// How many parts of this length, in bytes, are in flight at first.
    pub fn at_once(&self, length: u64) -> u64 {
        (self.in_flight_bytes / length.max(1)).clamp(1, self.in_flight)
    }
}

/// The parts in order. A single upload is a PutObject; no part at all is an empty object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub parts: Vec<PlannedPart>,
    /// Of the final object, in bytes.
    pub length: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("the final object would have {length} bytes; S3 allows {allowed}")]
    TooLarge { length: u64, allowed: u64 },
    #[error(
        "the final object would need at least {parts} parts, and {allowed} are allowed; unload into fewer and larger \
         slices, with a larger MAXFILESIZE"
    )]
    TooManyParts { parts: u64, allowed: u64 },
}

/// Plans a final object of these pieces, in this order. A source is in it once at most, and then up to its end.
///
/// ```
/// use unload_header::copy::part::{Origin, Piece};
/// use unload_header::copy::plan::{Limits, plan};
/// let pieces = [Piece::new(Origin::Header, 0, 100), Piece::new(Origin::Source(0), 0, 6 << 30)];
/// let plan = plan(pieces.into_iter().flatten().collect(), &Limits::AWS)?;
/// assert_eq!(plan.uploaded(), 5 << 20);
/// # Ok::<(), unload_header::copy::plan::PlanError>(())
/// ```
pub fn plan(pieces: Vec<Piece>, limits: &Limits) -> Result<Plan, PlanError> {
    Plan::of(uncut(&pieces, limits)?, limits)
}

/// The parts with the fewest bytes uploaded. A copy may still be longer than a part can be.
pub(super) fn uncut(pieces: &[Piece], limits: &Limits) -> Result<Vec<PlannedPart>, PlanError> {
    let length = pieces.iter().fold(0, |sum: u64, piece| sum.saturating_add(piece.length()));
    if length > limits.max_object {
        return Err(PlanError::TooLarge { length, allowed: limits.max_object });
    }
    let copied = copied(pieces, &candidates(pieces, limits.min_part), limits.min_part);
    Ok(parts(pieces, &copied, limits.min_part, limits.upload))
}

impl Plan {
    /// The plan of these parts, with the copies cut by the time that they take.
    pub(super) fn of(uncut: Vec<PlannedPart>, limits: &Limits) -> Result<Plan, PlanError> {
        let length = uncut.iter().map(PlannedPart::length).sum();
        Ok(Plan { parts: cut_copies(uncut, limits)?, length })
    }

    /// The bytes that pass through the function.
    pub fn uploaded(&self) -> u64 {
        self.parts.iter().filter(|part| matches!(part, PlannedPart::Upload(_))).map(PlannedPart::length).sum()
    }
}

/// The indices of the pieces that can be copied, at least in part. The last part may be smaller than others.
fn candidates(pieces: &[Piece], min_part: u64) -> Vec<usize> {
    let is_last = |index: usize| index + 1 == pieces.len();
    let source = |index: &usize| matches!(pieces[*index].of, Origin::Source(_));
    (0..pieces.len()).filter(source).filter(|index| pieces[*index].length() >= min_part || is_last(*index)).collect()
}

/// One way to write everything before a source whose middle is copied.
#[derive(Clone, Copy)]
struct Way {
    /// Bytes uploaded so far.
    cost: u64,
    /// Bytes of the source's head that were lent to the upload before it.
    head: u64,
    /// The source copied before, by its index among the candidates, and the way to it, by its index among the ways.
    before: Option<(usize, usize)>,
    /// Bytes of its tail that it lent.
    tail: u64,
}

/// The ranges that are copied, at most one of each piece, so that the fewest bytes are uploaded. The module's
/// documentation says why these are. It is long, since it is one dynamic program.
fn copied(pieces: &[Piece], candidates: &[usize], min_part: u64) -> Vec<(usize, ByteRange)> {
    let mut total = 0;
    let mut before = vec![0];
    before.extend(pieces.iter().map(|piece| {
        total += piece.length();
        total
    }));
    let leaves_a_part = |index: usize, head: u64| {
        let ByteRange { start, end } = pieces[index].range;
        match pieces[index].length().checked_sub(head) {
            // S3 may want the source of a range, but not of a whole copy, to be over 5 MiB.
            Some(rest) if index + 1 == pieces.len() => rest > 0 && (start + head == 0 || end > min_part),
            rest => rest >= Some(min_part),
        }
    };

    let mut ways: Vec<Vec<Way>> = Vec::new();
    for (place, &index) in candidates.iter().enumerate() {
        let mut found = Vec::new();
        let mut add = |way: Way| found.extend(leaves_a_part(index, way.head).then_some(way));
        let needed = |bytes: u64| if bytes == 0 { 0 } else { min_part.saturating_sub(bytes) };
        if place < 3 {
            let bytes = before[index];
            let head = needed(bytes);
            add(Way { cost: bytes + head, head, before: None, tail: 0 });
        }
        for previous in place.saturating_sub(3)..place {
            let from = candidates[previous];
            let bytes = before[index] - before[from + 1];
            for (number, way) in ways[previous].iter().enumerate() {
                let needed = needed(bytes);
                let tail = needed.min(pieces[from].length() - way.head - min_part);
                let (cost, head) = (way.cost + bytes + needed, needed - tail);
                add(Way { cost, head, before: Some((previous, number)), tail });
            }
        }
        found.sort_by_key(|way| (way.cost, way.head));
        let mut least = u64::MAX;
        found.retain(|way| {
            let better = way.head < least;
            least = least.min(way.head);
            better
        });
        // There are as many of these as sources, a hundred thousand at times.
        found.shrink_to_fit();
        ways.push(found);
    }

    let ends = ways.iter().zip(candidates).enumerate().flat_map(|(place, (ways, index))| {
        let rest = total - before[index + 1];
        ways.iter().enumerate().map(move |(number, way)| (way.cost + rest, (place, number)))
    });
    let mut next = ends.filter(|(cost, _)| *cost < total).min().map(|(_, end)| end);
    let mut copied = Vec::new();
    let mut tail = 0;
    while let Some((place, number)) = next {
        let (index, way) = (candidates[place], ways[place][number]);
        let ByteRange { start, end } = pieces[index].range;
        copied.push((index, ByteRange { start: start + way.head, end: end - tail }));
        (next, tail) = (way.before, way.tail);
    }
    copied.reverse();
    copied
}

/// The parts if these ranges are copied, whatever their length, and all else is uploaded.
fn parts(pieces: &[Piece], copied: &[(usize, ByteRange)], min_part: u64, largest: u64) -> Vec<PlannedPart> {
    let mut parts = Vec::new();
    let mut upload: Vec<Piece> = Vec::new();
    let mut copied = copied.iter().peekable();
    for (index, Piece { of, range }) in pieces.iter().enumerate() {
        match (of, copied.next_if(|(at, _)| *at == index)) {
            (Origin::Source(source), Some((_, copy))) => {
                upload.extend(Piece::new(*of, range.start, copy.start));
                parts.extend(uploads(std::mem::take(&mut upload), min_part, largest));
                parts.push(PlannedPart::Copy { source: *source, range: *copy });
                upload.extend(Piece::new(*of, copy.end, range.end));
            }
            _ => upload.push(Piece { of: *of, range: *range }),
        }
    }
    parts.extend(uploads(upload, min_part, largest));
    parts
}

/// Uploads of `min_part` to `largest`, which is at least twice as much. They end where a piece ends, if they can, since
/// each range of a piece is a request.
fn uploads(pieces: Vec<Piece>, min_part: u64, largest: u64) -> Vec<PlannedPart> {
    let (mut uploads, mut current, mut size): (Vec<Vec<Piece>>, Vec<Piece>, u64) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        if size >= min_part && size + piece.length() > largest {
            uploads.push(std::mem::take(&mut current));
            size = 0;
        }
        current.push(piece);
        size += piece.length();
        while size > largest {
            let (full, rest) = split_at(std::mem::take(&mut current), largest);
            uploads.push(full);
            (current, size) = (rest, size - largest);
        }
    }
    // What is left over at the end may be less than a part.
    if size < min_part
        && let Some(mut both) = uploads.pop()
    {
        both.append(&mut current);
        let length = length(&both);
        let at = if length > largest { length / 2 } else { length };
        let (left, right) = split_at(both, at);
        uploads.push(left);
        current = right;
    }
    uploads.push(current);
    uploads.into_iter().filter(|pieces| !pieces.is_empty()).map(PlannedPart::Upload).collect()
}

/// Cuts the copies by the time that they take.
fn cut_copies(parts: Vec<PlannedPart>, limits: &Limits) -> Result<Vec<PlannedPart>, PlanError> {
    let copies = parts.iter().filter(|part| matches!(part, PlannedPart::Copy { .. }));
    let lengths: Vec<u64> = copies.map(PlannedPart::length).collect();
    let uploads = (parts.len() - lengths.len()) as u64;
    let size = part_size(&lengths, uploads, limits)?;
    let cut = |part| match part {
        PlannedPart::Copy { source, range } => {
            let copy = move |range| PlannedPart::Copy { source, range };
            range.split(count(range.length(), size, limits)).map(copy).collect()
        }
        upload => vec![upload],
    };
    Ok(parts.into_iter().flat_map(cut).collect())
}

/// Into how many parts of about this size a copy is cut.
fn count(length: u64, size: u64, limits: &Limits) -> u64 {
    length.div_ceil(size).min((length / limits.min_part).max(1)).max(length.div_ceil(limits.max_part))
}

/// The largest size, and so the fewest parts, with which all takes hardly longer than the least time.
fn part_size(copies: &[u64], uploads: u64, limits: &Limits) -> Result<u64, PlanError> {
    let fewest = uploads + copies.iter().map(|length| count(*length, limits.max_part, limits)).sum::<u64>();
    let timed = sizes(copies, limits).into_iter().map(|size| {
        let (mut longest, mut number, mut sum) = (0, 0, 0);
        for length in copies {
            let count = count(*length, size, limits);
            number += count;
            longest = longest.max(length / count);
            sum += count * limits.fixed_ms + length / limits.bytes_per_ms;
        }
        // They go in rounds, since all that begin together end together, or as long as the longest of them.
        let rounds = number.div_ceil(limits.at_once(longest));
        let ms = (limits.fixed_ms + longest / limits.bytes_per_ms).max(sum / number.max(1) * rounds);
        (size, uploads + number, ms + limits.completion_ms)
    });
    let allowed = timed.take_while(|(_, parts, _)| fewest <= limits.max_parts && *parts <= limits.max_parts);
    let allowed: Vec<(u64, u64, u64)> = allowed.collect();
    let least = allowed.iter().map(|(.., ms)| *ms).min();
    match allowed.iter().find(|(.., ms)| Some(*ms) <= least.map(|least| least + least / 20 + limits.spare_ms)) {
        Some((size, ..)) => Ok(*size),
        None => Err(PlanError::TooManyParts { parts: fewest, allowed: limits.max_parts }),
    }
}

/// Sizes of parts to choose from, the largest first: each about a sixteenth more than the next, and those with which the
/// last of up to 32 rounds is as full as the others.
fn sizes(copies: &[u64], limits: &Limits) -> Vec<u64> {
    let longest = copies.iter().copied().max().unwrap_or_default();
    let steps = std::iter::successors(Some(limits.min_part), |size| {
        // All sizes above the longest copy have the same effect.
        (*size < limits.max_part.min(longest)).then(|| (size + size / 16 + 1).min(limits.max_part))
    });
    let all: u64 = copies.iter().sum();
    let full = (1..=32).map(|rounds| all.div_ceil(rounds * limits.in_flight));
    let full = full.filter(|size| (limits.min_part..=limits.max_part.min(longest)).contains(size));
    let mut sizes: Vec<u64> = steps.chain(full).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.reverse();
    sizes
}

/// A line for each part: `  2  copy    source 0 bytes=5242780-205993180`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().zip(1..).try_for_each(|(part, number)| writeln!(f, "{number:>5}  {part}"))
    }
}
