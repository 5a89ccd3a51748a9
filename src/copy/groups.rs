//! More parts than an upload may have: some of them go by *intermediate objects*.
//!
//! A final object has 10,000 parts at most, and each source that S3 copies needs a part of its own. So of 10,002 parts,
//! three that are next to each other first become an object of their own, and the final object copies that as one part:
//! 10,000 in all. An intermediate object may have 10,000 parts as well, and is copied in parts of up to 5 GiB. So 10,000
//! times 10,000 sources would do, and what is refused is what S3 can't hold.
//!
//! # Which parts
//!
//! The parts are planned as if there were no end of them (`plan`): no byte more passes through the function than one upload
//! would take. Intermediate objects consist of those very parts. What is in one is copied twice. So it is one stretch of
//! parts, the one with the fewest bytes of those that are long enough; and that is cut into as few intermediate objects
//! as its parts allow, since each takes requests of its own and S3's time to be completed. It is the least time as well,
//! by the plan's model, but where sources of very different sizes alternate: then several short stretches would take
//! fewer bytes, and more requests.
//!
//! An intermediate object begins and ends where a source does, so that its CRC follows from those of its sources. A border
//! between two parts that is also one between two sources is nearly everywhere: a part that borrows from its neighbours
//! borrows from the left, and so mostly ends with a source.
//!
//! In the last gigabytes below S3's own limit parts are wasted at the borders: 5 GiB at most for each intermediate object.
//!
//! # What becomes of them
//!
//! * **Where.** At [`INTERMEDIATES`](crate::settings::INTERMEDIATES), `.unload-header/`, in the final bucket: not below the
//!   final prefix, whose readers would take them for final objects, nor below UNLOAD_PREFIX, where they would start the
//!   function. The settings refuse a prefix or a final key that would meet them.
//! * **Their keys** are `.unload-header/<job>/<fingerprint>`: hashes of the job, and of all that decides their bytes: the
//!   header, and each source's ETag, size, beginning and newline. So a try finds what the one before has made, and nothing
//!   that another job, other rows or other names have.
//! * **Right or absent**, like a final object: each copied part is pinned to its source's ETag, S3 is told the CRC, and the
//!   object has a seal. One that is found is used only if seal, size and CRC are those that it would be given.
//! * **The final object** copies them pinned to their ETags. Its own seal and CRC are those of its sources, as if there were
//!   no intermediate objects: `unchanged` means the same. The mark of its upload names them.
//! * **Two runs** of one job share them: who comes second finds them, or is refused when it completes its own. When one has
//!   ended and deletes them while the other still copies, the other begins anew and finds the final object.
//! * **Out of time**, a try leaves those that are done, and the upload of the next with its mark.
//! * **They are deleted** when the final object is proved; by a later run of the job, if that one was killed first; and by
//!   the bucket's lifecycle rule after two days, if nobody comes back. No run deletes those of another job.

use std::ops::Range;

use super::part::{Origin, Piece, PlannedPart};
use super::plan::{Limits, Plan, PlanError, uncut};
use crate::byte_range::ByteRange;

/// Consecutive sources that become an intermediate object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their indices in the job. Those that begin with 0 have the header in front of them.
    pub sources: Range<usize>,
    /// Of the intermediate object. Its sources are counted from the group's first.
    pub plan: Plan,
}

/// How a final object is put together: the intermediate objects, in order; and the final object's own parts, in which each
/// intermediate object is one source in the place of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    pub groups: Vec<Group>,
    pub last: Plan,
}

/// Plans a final object of these pieces. There are no groups if its parts are enough without.
pub fn grouped(pieces: &[Piece], limits: &Limits) -> Result<Grouping, PlanError> {
    let parts = uncut(pieces, limits)?;
    let borders = Borders::of(pieces, &parts, limits);
    let missing = borders.weight(0, borders.last()).saturating_sub(limits.max_parts);
    if missing == 0 {
        return Ok(Grouping { groups: Vec::new(), last: Plan::of(parts, limits)? });
    }
    let too_many = || PlanError::TooManyParts {
        parts: borders.weight(0, borders.last()) - borders.saved(0, borders.last()),
        allowed: limits.max_parts,
    };
    let (from, to) = borders.stretch(missing).ok_or_else(too_many)?;

    let (mut groups, mut own) = (Vec::new(), Vec::new());
    let mut rest = parts.into_iter();
    // Parts taken so far, and sources that the intermediate objects have replaced.
    let (mut taken, mut replaced) = (0, 0);
    for (from, to) in borders.groups(from, to) {
        let (begin, end) = (&borders.all[from], &borders.all[to]);
        own.extend(rest.by_ref().take(begin.part - taken).map(|part| moved(part, replaced)));
        let parts = rest.by_ref().take(end.part - begin.part).map(|part| moved(part, begin.source)).collect();
        let plan = Plan::of(parts, limits)?;
        let range = ByteRange { start: 0, end: plan.length };
        own.push(PlannedPart::Copy { source: begin.source - replaced, range });
        groups.push(Group { sources: begin.source..end.source, plan });
        taken = end.part;
        replaced += end.source - begin.source - 1;
    }
    own.extend(rest.map(|part| moved(part, replaced)));
    Ok(Grouping { groups, last: Plan::of(own, limits)? })
}

/// Whether sources of these sizes may have been more than parts: each takes two parts at most, a copy and a newline, and
/// one more for each 5 GiB. One source alone makes no group.
pub fn may_have_been_needed(sizes: impl ExactSizeIterator<Item = u64>, limits: &Limits) -> bool {
    sizes.len() > 1 && sizes.map(|size| 2 + size / limits.max_part).sum::<u64>() >= limits.max_parts
}

impl Grouping {
    /// The bytes that pass through the function.
    pub fn uploaded(&self) -> u64 {
        self.last.uploaded() + self.groups.iter().map(|group| group.plan.uploaded()).sum::<u64>()
    }

    /// Of the intermediate objects and the final one together.
    pub fn parts(&self) -> usize {
        self.last.parts.len() + self.groups.iter().map(|group| group.plan.parts.len()).sum::<usize>()
    }

    /// In bytes, of the intermediate objects and the final one together.
    pub fn length(&self) -> u64 {
        self.last.length + self.groups.iter().map(|group| group.plan.length).sum::<u64>()
    }
}

/// The part of a plan in which sources are counted from another one.
fn moved(part: PlannedPart, by: usize) -> PlannedPart {
    match part {
        PlannedPart::Copy { source, range } => PlannedPart::Copy { source: source - by, range },
        PlannedPart::Upload(mut pieces) => {
            for piece in &mut pieces {
                if let Origin::Source(source) = &mut piece.of {
                    *source -= by;
                }
            }
            PlannedPart::Upload(pieces)
        }
    }
}

/// The places where both a part and a source begin, the beginning and the end of it all among them.
struct Borders {
    all: Vec<Border>,
    /// For each, the last one that an intermediate object can reach which begins there.
    reach: Vec<usize>,
    /// Of a part, in bytes.
    max_part: u64,
}

struct Border {
    /// The first part behind it, and the first source.
    part: usize,
    source: usize,
    /// How many parts are before it if no copy is cut more often than it must be, and how many bytes.
    weight: u64,
    offset: u64,
}

impl Borders {
    fn of(pieces: &[Piece], parts: &[PlannedPart], limits: &Limits) -> Borders {
        let begins = pieces.iter().scan(0, |offset, piece| {
            *offset += piece.length();
            Some((*offset - piece.length(), piece.of))
        });
        let begins =
            begins.filter_map(|(at, of)| if let Origin::Source(source) = of { Some((at, source)) } else { None });
        let end =
            pieces.iter().rev().find_map(|it| if let Origin::Source(source) = it.of { Some(source + 1) } else { None });
        // Before the first source is the header, which stays with it.
        let mut begins = begins.skip(1).peekable();
        let (mut weight, mut offset) = (0, 0);
        let mut all = Vec::new();
        for (part, planned) in parts.iter().enumerate() {
            while begins.next_if(|(at, _)| *at < offset).is_some() {}
            let begun = begins.next_if(|(at, _)| *at == offset).map(|(_, source)| source);
            all.extend(begun.or((part == 0).then_some(0)).map(|source| Border { part, source, weight, offset }));
            weight += match planned {
                PlannedPart::Copy { range, .. } => range.length().div_ceil(limits.max_part),
                PlannedPart::Upload(_) => 1,
            };
            offset += planned.length();
        }
        all.push(Border { part: parts.len(), source: end.unwrap_or_default(), weight, offset });
        let (mut reach, mut to) = (Vec::new(), 0);
        for from in &all {
            while to + 1 < all.len() && all[to + 1].weight - from.weight <= limits.max_parts {
                to += 1;
            }
            reach.push(to);
        }
        Borders { all, reach, max_part: limits.max_part }
    }

    fn last(&self) -> usize {
        self.all.len() - 1
    }

    fn weight(&self, from: usize, to: usize) -> u64 {
        self.all[to].weight - self.all[from].weight
    }

    fn bytes(&self, from: usize, to: usize) -> u64 {
        self.all[to].offset - self.all[from].offset
    }

    /// How many parts the final object has less if this becomes one intermediate object.
    fn saved_by(&self, from: usize, to: usize) -> u64 {
        self.weight(from, to) - self.bytes(from, to).div_ceil(self.max_part)
    }

    /// The intermediate objects that a stretch becomes, each as long as it can be. What would save no part is left out.
    fn groups(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, usize)> {
        let next = move |at: usize| (at < to).then(|| self.reach[at].clamp(at + 1, to));
        let all = std::iter::successors(Some(from), move |at| next(*at)).filter_map(move |at| Some((at, next(at)?)));
        all.filter(|(from, to)| *to <= self.reach[*from] && self.saved_by(*from, *to) > 0)
    }

    fn saved(&self, from: usize, to: usize) -> u64 {
        self.groups(from, to).map(|(from, to)| self.saved_by(from, to)).sum()
    }

    /// The stretch with the fewest bytes of those that save so many parts.
    fn stretch(&self, missing: u64) -> Option<(usize, usize)> {
        let (mut best, mut to) = (None, 0);
        for from in 0..self.last() {
            while to < self.last() && self.saved(from, to) < missing {
                to += 1;
            }
            // One that begins later may be cut better, and end before.
            while to > from && self.saved(from, to - 1) >= missing {
                to -= 1;
            }
            if self.saved(from, to) >= missing {
                let found = (self.bytes(from, to), from, to);
                best = best.min(Some(found)).or(Some(found));
            }
        }
        best.map(|(_, from, to)| (from, to))
    }
}
