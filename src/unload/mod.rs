//! What Redshift writes: the names of its objects, the options of the statement, the manifest.

pub mod manifest;
pub mod name;
pub mod options;

pub use manifest::Manifest;
pub use name::{Name, Role};
pub use options::{Dialect, Options};
