//! A job carried out: sources in order, a header, and one final object.

pub mod execute;
pub mod job;
pub mod join;
pub mod lead;
mod multipart;
mod pace;
pub mod part;
pub mod plan;
pub mod range;
pub mod seal;
pub mod source;

pub use execute::{Done, execute};
pub use job::Job;
pub use join::{Alike, join};
pub use lead::{Lead, names_itself};
pub use source::Source;
