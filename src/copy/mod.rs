//! A final object put together from a header and sources in order: the plan of its parts, the requests that carry the
//! plan out, and the proof of what came out.

pub mod assembly;
mod checksum;
mod error;
pub mod execute;
pub mod first_bytes;
mod forecast;
pub mod groups;
mod intermediate;
mod mark;
mod multipart;
mod pace;
pub mod part;
pub mod plan;
mod proof;
mod queue;
pub mod source;

pub use assembly::Assembly;
pub use error::CopyError;
pub use execute::{ProvedObject, execute};
pub use first_bytes::FirstBytes;
pub use forecast::{Forecast, PlannedIntermediate, forecast};
pub use intermediate::Leftovers;
pub use source::Source;
