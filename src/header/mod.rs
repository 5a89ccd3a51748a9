//! The header: where its columns are written down, and what they look like in the file.

pub mod attributes;
pub mod columns;
pub mod compress;
pub mod encode;
pub mod first;
pub mod line;
pub mod lookup;
pub mod owner;
mod zstd;

pub use columns::Columns;
pub use encode::encode;
pub use line::Line;
