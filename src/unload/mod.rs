//! What Redshift writes: the names of its objects, the options of the statement, the manifest,
//! and the first record of its rows.

pub mod compression;
pub mod incompleteness;
pub mod manifest;
pub mod name;
pub mod options;
pub mod record;
mod zstd;

pub use compression::Compression;
pub use incompleteness::Incompleteness;
pub use manifest::{Manifest, ManifestVersion, Unload};
pub use name::{Name, Role};
pub use options::{Dialect, Options};
pub use record::{BOM, Record};
