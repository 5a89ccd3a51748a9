//! The header: which unload an object belongs to, where its columns are written down, the line that they make, and
//! what the sources begin with, which the line must fit or replace.

pub mod attributes;
pub mod beginning;
pub mod columns;
pub mod encode;
mod error;
pub mod header_line;
pub mod lookup;
pub mod membership;

pub use columns::Columns;
pub use encode::encode;
pub use error::HeaderError;
pub use header_line::HeaderLine;
pub use lookup::FoundColumns;
