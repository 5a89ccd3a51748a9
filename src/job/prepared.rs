//! What a try comes to before anything is written.

use crate::copy::Assembly;
use crate::header::{FoundColumns, HeaderLine};
use crate::receipt::{Copied, Receipt};
use crate::s3::ObjectVersion;

/// What a try has come to before anything is written or deleted.
pub enum Prepared {
    /// Nothing is to be written.
    Idle(Receipt),
    /// The final object was made of these sources, by this job, and is right.
    AlreadyThere { receipt: Receipt, objects: Vec<ObjectVersion>, columns: Option<FoundColumns> },
    /// It is to be written.
    Ready(Box<Ready>),
}

/// All that it takes to write a final object, and to tell of it.
pub struct Ready {
    pub line: HeaderLine,
    pub assembly: Assembly,
    pub objects: Vec<ObjectVersion>,
    pub copied: Option<Copied>,
    /// `None` if the sources bring their header themselves.
    pub columns: Option<FoundColumns>,
    /// Whether this job wrote what is at the final key now.
    pub is_its_own: bool,
}
