//! A job carried out: sources in order, a header, and one final object.

pub mod crc;
pub mod execute;
mod multipart;
mod pace;
pub mod plan;
pub mod range;
pub mod seal;

pub use execute::{Done, Job, execute};
