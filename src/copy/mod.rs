//! A job carried out: sources in order, a header, and one final object.

pub mod plan;
pub mod range;
