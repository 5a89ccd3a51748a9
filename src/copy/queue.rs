//! The parts of a multipart upload that are still to be written, and which of them comes next.

use std::collections::VecDeque;

use super::part::PlannedPart;
use crate::s3::{Memory, Reservation};

/// A part with its number, which begins at 1.
pub type NumberedPart<'a> = (i32, &'a PlannedPart);

/// Uploads need memory and copies do not, so each kind has a line of its own.
#[derive(Debug)]
pub struct Queue<'a> {
    uploads: VecDeque<NumberedPart<'a>>,
    copies: VecDeque<NumberedPart<'a>>,
}

impl<'a> Queue<'a> {
    pub fn new(parts: impl Iterator<Item = NumberedPart<'a>>) -> Queue<'a> {
        let (uploads, copies) = parts.partition(|(_, part)| matches!(part, PlannedPart::Upload(_)));
        Queue { uploads, copies }
    }

    pub fn is_empty(&self) -> bool {
        self.uploads.is_empty() && self.copies.is_empty()
    }

    /// The next part, of those that end in time: an upload if there is memory for it, with that memory; otherwise a
    /// copy. If nothing else is in flight, an upload comes without, and has to wait for memory: then other jobs hold it.
    pub fn next(
        &mut self,
        memory: &Memory,
        is_idle: bool,
        ends_in_time: impl Fn(&PlannedPart) -> bool,
    ) -> Option<(NumberedPart<'a>, Option<Reservation>)> {
        let upload = self.uploads.front().filter(|(_, part)| ends_in_time(part));
        let reserved = upload.and_then(|(_, part)| memory.bodies.try_reserve(part.length()));
        let part = match reserved.is_some() || upload.is_some() && is_idle {
            true => self.uploads.pop_front(),
            false => self.copies.pop_front_if(|(_, part)| ends_in_time(part)),
        };
        Some((part?, reserved))
    }

    /// Puts a part back to the front of its line.
    pub fn put_back(&mut self, part: NumberedPart<'a>) {
        match part.1 {
            PlannedPart::Upload(_) => self.uploads.push_front(part),
            PlannedPart::Copy { .. } => self.copies.push_front(part),
        }
    }
}
