//! Column headers on what Amazon Redshift UNLOADs to S3, put there by S3 itself.
//!
//! # The way through
//!
//! ```text
//! event -> objects created -> jobs -> sources -> columns -> header -> plan of parts -> copy -> receipt
//! ```
//!
//! [`job`] goes this way from left to right. All but the requests to S3 are values made from values.
//!
//! # The words
//!
//! * **unload**: what one UNLOAD statement writes. Its **unload prefix** is the URI after `TO`.
//! * **data object**, or **slice**: a file of rows that it writes. **Manifest**: the list of them, written last.
//! * **sidecar**: an object with a key like `<unload prefix>.headers` that names the columns.
//! * **job**: one final object that is to be made.
//! * **source**: a data object that a job copies, in the version of one ETag.
//! * **run**: a job done once, from the look at the final key to the receipt. If something changes meanwhile, the run begins
//!   anew; each time is a **try**.
//! * **header**: the column names as the first line of a file, in the file's own dialect.
//! * **final object**: the header and then the rows of the sources, at the **final key**.
//! * **intermediate object**: sources put together before the rest, where there are more of them than a final object may have
//!   parts.
//! * **plan**: the parts of the final object's multipart upload, most of which S3 copies itself.
//! * **seal**: metadata of the final object that tells which job made it, and of what.
//! * **proof**: how it is known that the final object is right: a CRC that S3 computed, or its size and ETag.
//! * **receipt**: what happened to one final object, as one line of JSON.
//!
//! # Layout
//!
//! No module imports from one that is listed above it.
//!
//! * [`job`]: from an object that was created to a receipt. Its table shows the steps.
//! * [`metrics`]: what became of the jobs of a call, for CloudWatch.
//! * [`error`]: all that can go wrong, gathered from the modules.
//! * [`copy`]: the plan of a final object's parts, its execution, and the proof.
//! * [`header`]: where the columns are written down, and the line that they make.
//! * [`seal`]: how a final object tells what it is.
//! * [`receipt`]: what happened to one final object.
//! * [`event`]: whatever the function is called with, as the objects that were created. [`settings`]: the environment, checked at start.
//! * [`s3`]: one function for each S3 operation. Nothing else knows the SDK.
//! * [`unload`]: what Redshift writes: keys, manifests, options, records, compression.
//! * [`uri`], [`byte_range`], [`crc`], [`deadline`]: small values.
//! * `demo`, with the feature `cli`: a bucket to try the sample events on.

#![warn(clippy::expect_used, clippy::unwrap_used)]

pub mod byte_range;
pub mod copy;
pub mod crc;
pub mod deadline;
#[cfg(feature = "cli")]
pub mod demo;
pub mod error;
pub mod event;
pub mod header;
pub mod job;
pub mod metrics;
pub mod receipt;
pub mod s3;
pub mod seal;
pub mod settings;
pub mod unload;
pub mod uri;
