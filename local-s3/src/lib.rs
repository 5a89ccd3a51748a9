//! An S3 server in memory, with AWS's rules, for demonstrations and tests.
//!
//! It is strict where servers that people run are lenient: the least size of a part, the form of a
//! range, pins and conditional writes, checksums, permissions to list. Objects share their bytes, so
//! that a copy of gigabytes costs no memory. Every request is written down, and any of them can be made
//! to fail.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let s3 = local_s3::LocalS3::start(0).await?;
//! s3.put("bucket", "key", local_s3::Object::new("rows\n"));
//! println!("export AWS_ENDPOINT_URL_S3={}", s3.endpoint());
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! * [`content`]: bytes that are shared, cut and joined; `combine`: their CRCs.
//! * [`store`]: objects and uploads.
//! * `api`: the operations; `rules`: what AWS refuses, and how; [`policy`]: what IAM is asked, and answers.
//! * [`server`]: HTTP, the log of requests, faults.

#![warn(clippy::expect_used, clippy::unwrap_used)]

mod api;
mod combine;
pub mod content;
pub mod policy;
mod rules;
pub mod server;
pub mod store;

pub use content::Content;
pub use server::{Fault, LocalS3, Request};
pub use store::{Object, Rules, Upload};

/// The key pair that the server takes.
pub const ACCESS_KEY: &str = "test";
pub const SECRET_KEY: &str = "testtesttest";
/// That of a role, with the same secret: it may do what [`LocalS3::permit`] says.
pub const ROLE_KEY: &str = "role";
