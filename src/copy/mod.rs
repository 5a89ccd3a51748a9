//! A job carried out: sources in order, a header, and one final object.

pub mod execute;
pub mod job;
mod multipart;
mod pace;
pub mod plan;
pub mod range;
pub mod seal;

pub use execute::{Done, execute};
pub use job::Job;
