//! A job carried out: sources in order, a header, and one final object.

pub mod execute;
pub mod plan;
pub mod range;

pub use execute::{Done, Job, execute};
