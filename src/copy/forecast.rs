//! What it would take to write a final object.

use std::time::Duration;

use super::part::{PlannedPart, length};
use super::plan::{Limits, Plan};
use super::{Assembly, CopyError, execute, multipart};
use crate::s3::{Effort, S3};

/// How long CompleteMultipartUpload, a body and any other request are taken to need. These are assumptions.
const COMPLETION: Duration = Duration::from_secs(2);
const BODY: Duration = Duration::from_millis(100);
const REQUEST: Duration = Duration::from_millis(30);

/// A plan, and what carrying it out takes if no request has to be repeated.
#[derive(Debug)]
pub struct Forecast {
    pub plan: Plan,
    /// How many of the parts S3 has from a try that was stopped.
    pub resumed: usize,
    pub effort: Effort,
    pub time: Duration,
}

/// Looks at the open uploads to the final key, as [`execute`](super::execute()) does, and writes nothing.
pub async fn forecast(s3: &S3, assembly: &Assembly) -> Result<Forecast, CopyError> {
    let plan = execute::planned(assembly)?;
    if let [] | [PlannedPart::Upload(_)] = plan.parts.as_slice() {
        let mut effort = plan.parts.iter().map(|part| reads(assembly, part)).fold(Effort::default(), Effort::and);
        let time = BODY + REQUEST * effort.requests as u32;
        effort = effort.and(Effort::PUT);
        return Ok(Forecast { plan, resumed: 0, effort, time });
    }
    let expected = assembly.crc();
    let open = s3.uploads(&assembly.target).await?;
    let marked = multipart::marked(s3, assembly, &plan, expected, &open).await?;
    let is_resumed = marked.is_some();
    let others = open.len() - usize::from(is_resumed);
    let done = marked.map(|marked| marked.done).unwrap_or_default();
    let missing: Vec<&PlannedPart> =
        (1..).zip(&plan.parts).filter(|(number, _)| !done.contains_key(number)).map(|(_, part)| part).collect();

    let mut effort = missing.iter().map(|part| reads(assembly, part).and(Effort::PUT)).fold(Effort::PUT, Effort::and);
    let mut time = copy_time(&missing) + COMPLETION + BODY;
    if !is_resumed {
        effort = effort.and(Effort::PUT);
        time += REQUEST;
    }
    // S3 tells the CRC of the whole when it has the parts, or has to be asked for the object.
    if expected.is_none() {
        effort = effort.and(Effort::GET);
        time += REQUEST;
    }
    // Each of the others is aborted, and listed to see that nothing is left of it.
    let ends = Effort::DELETE.and(Effort::PUT);
    effort = (0..others).fold(effort, |effort, _| effort.and(ends));
    time += REQUEST * 2 * others as u32;
    Ok(Forecast { resumed: done.len(), plan, effort, time })
}

/// What is read for a part.
fn reads(assembly: &Assembly, part: &PlannedPart) -> Effort {
    let PlannedPart::Upload(pieces) = part else { return Effort::default() };
    let read = assembly.ranges(pieces).filter(|piece| !assembly.is_known(piece));
    read.fold(Effort::default(), |effort, piece| effort.and(Effort { bytes_read: piece.length(), ..Effort::GET }))
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
