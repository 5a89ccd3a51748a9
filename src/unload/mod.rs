//! What Redshift writes: the names of its objects, the options of the statement, the manifest,
//! and the first record of its rows.

pub mod listing;
pub mod manifest;
pub mod name;
pub mod options;
pub mod record;

pub use listing::Unload;
pub use manifest::Manifest;
pub use name::{Name, Role};
pub use options::{Dialect, Options};
pub use record::Record;
