//! What it would take to write a final object.

use std::time::Duration;

use super::checksum::is_told_by_parts;
use super::execute::planned;
use super::groups::Grouping;
use super::intermediate::{Leftovers, find, join};
use super::mark::marked;
use super::part::{Origin, PlannedPart, length};
use super::plan::{Limits, Plan};
use super::{Assembly, CopyError};
use crate::crc::Crc;
use crate::s3::{Effort, ObjectVersion, S3};
use crate::uri::Uri;

/// How long a body and any other request are taken to need. These are assumptions.
const BODY: Duration = Duration::from_millis(100);
const REQUEST: Duration = Duration::from_millis(30);

/// A plan, and what carrying it out takes if no request has to be repeated.
#[derive(Debug)]
pub struct Forecast {
    pub intermediates: Vec<PlannedIntermediate>,
    /// Of the final object itself.
    pub plan: Plan,
    /// What the plan puts together: data objects, and intermediate objects.
    pub sources: Vec<Uri>,
    /// How many of the parts S3 has from a try that was stopped, those of intermediate objects among them.
    pub resumed: usize,
    pub effort: Effort,
    pub time: Duration,
}

/// An intermediate object that would be made, unless it is there.
#[derive(Debug)]
pub struct PlannedIntermediate {
    pub uri: Uri,
    pub plan: Plan,
    pub sources: Vec<Uri>,
    pub is_there: bool,
}

/// What one object takes.
struct Share {
    resumed: usize,
    effort: Effort,
    time: Duration,
}

/// Looks for intermediate objects and at the open uploads, as [`execute`](super::execute()) does, and writes nothing.
pub async fn forecast(s3: &S3, assembly: &mut Assembly) -> Result<Forecast, CopyError> {
    let Grouping { groups, last: plan } = planned(s3, assembly)?;
    // They are read in any case, since that was begun.
    assembly.first_bytes.all(s3).await?;
    let expected = assembly.crc();
    let (mut intermediates, mut all) =
        (Vec::new(), Share { resumed: 0, effort: Effort::default(), time: Duration::ZERO });
    let look = async |mut group: Assembly, plan: &Plan| {
        let expected = group.crc();
        let found = find(s3, &mut group, plan, expected).await?;
        let share = match &found {
            Some(_) => Share { resumed: plan.parts.len(), effort: Effort::default(), time: REQUEST },
            None => of_object(s3, &group, plan, expected).await?,
        };
        all = all.and(share);
        let sources = group.sources.into_iter().map(|source| source.object.uri).collect();
        let (uri, is_there) = (group.target.clone(), found.is_some());
        intermediates.push(PlannedIntermediate { uri, plan: plan.clone(), sources, is_there });
        let not_yet = || ObjectVersion {
            uri: group.target,
            size: plan.length,
            etag: String::new(),
            crc: expected,
            is_composite: false,
        };
        Ok(found.unwrap_or_else(not_yet))
    };
    join(assembly, &groups, look).await?;
    all = all.and(of_object(s3, assembly, &plan, expected).await?);
    if !intermediates.is_empty() {
        let (there, others): (Vec<_>, Vec<_>) = intermediates.iter().partition(|it| it.is_there);
        let there = there.into_iter().map(|it| it.uri.clone()).collect();
        // The uploads to the others are aborted when these are made.
        let left = Leftovers::of(s3, there).await?.effort();
        let effort = others.iter().fold(left, |effort, _| effort.and(Effort::DELETE));
        // Where there is nothing to be looked for, nobody has looked yet.
        let looked = if others.len() == intermediates.len() { Effort::PUT } else { Effort::default() };
        all = all.and(Share { resumed: 0, effort: effort.and(looked), time: REQUEST * (effort.requests as u32 + 1) });
    }
    let sources = assembly.sources.iter().map(|source| source.object.uri.clone()).collect();
    let Share { resumed, effort, time } = all;
    Ok(Forecast { intermediates, plan, sources, resumed, effort, time })
}

/// What it takes to write this one object.
async fn of_object(s3: &S3, assembly: &Assembly, plan: &Plan, expected: Option<Crc>) -> Result<Share, CopyError> {
    if let [] | [PlannedPart::Upload(_)] = plan.parts.as_slice() {
        let mut effort = plan.parts.iter().map(|part| reads(assembly, part)).fold(Effort::default(), Effort::and);
        let time = BODY + REQUEST * effort.requests as u32;
        effort = effort.and(Effort::PUT);
        return Ok(Share { resumed: 0, effort, time });
    }
    let open = s3.uploads(&assembly.target).await?;
    let marked = marked(s3, assembly, plan, expected, &open).await?;
    let is_resumed = marked.is_some();
    let others = open.len() - usize::from(is_resumed);
    let done = marked.map(|marked| marked.done).unwrap_or_default();
    let missing: Vec<&PlannedPart> =
        (1..).zip(&plan.parts).filter(|(number, _)| !done.contains_key(number)).map(|(_, part)| part).collect();

    let mut effort = missing.iter().map(|part| reads(assembly, part).and(Effort::PUT)).fold(Effort::PUT, Effort::and);
    let mut time = copy_time(&missing) + Duration::from_millis(Limits::AWS.completion_ms) + BODY;
    if !is_resumed {
        effort = effort.and(Effort::PUT);
        time += REQUEST;
    }
    // S3 tells the CRC of the whole when it has the parts, or has to be asked for the object.
    if expected.is_none() && !is_told_by_parts(assembly, plan, expected) {
        effort = effort.and(Effort::GET);
        time += REQUEST;
    }
    // Each of the others is aborted, and listed to see that nothing is left of it.
    let ends = Effort::DELETE.and(Effort::PUT);
    effort = (0..others).fold(effort, |effort, _| effort.and(ends));
    time += REQUEST * 2 * others as u32;
    Ok(Share { resumed: done.len(), effort, time })
}

impl Share {
    fn and(&self, other: Share) -> Share {
        let (effort, time) = (self.effort.and(other.effort), self.time + other.time);
        Share { resumed: self.resumed + other.resumed, effort, time }
    }
}

/// What is read for a part.
fn reads(assembly: &Assembly, part: &PlannedPart) -> Effort {
    let PlannedPart::Upload(pieces) = part else { return Effort::default() };
    let read = assembly.ranges(pieces).filter(|piece| !assembly.is_known(piece));
    let asked = read.map(|piece| match piece.of {
        Origin::Source(source) => assembly.asked(source, piece.range).length(),
        Origin::Header | Origin::Newline => 0,
    });
    asked.fold(Effort::default(), |effort, bytes_read| effort.and(Effort { bytes_read, ..Effort::GET }))
}

/// A copy begins whenever another ends. So they take as long as the longest of them, or as all of them divided by the
/// number in flight.
fn copy_time(parts: &[&PlannedPart]) -> Duration {
    let times = || {
        parts.iter().filter_map(|part| match part {
            PlannedPart::Copy { range, .. } => Some(Limits::AWS.time(range.length())),
            PlannedPart::Upload(pieces) => (length(pieces) > 0).then_some(BODY),
        })
    };
    let all: Duration = times().sum();
    times().max().unwrap_or_default().max(all / Limits::AWS.in_flight as u32)
}
