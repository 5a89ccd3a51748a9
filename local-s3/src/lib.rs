//! An S3 server in memory, with AWS's rules, for demonstrations and tests.
//!
//! It is strict where other servers are lenient: about the least size of a part, the form of a range, conditional reads
//! and writes, checksums, and permissions. Objects share their bytes, so that a copy of gigabytes costs no memory. Every
//! request is recorded, and any of them can be made to fail.
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
//! No module imports from one that is listed above it.
//!
//! * [`server`]: HTTP, and what tests can ask of the server; `answers`: refusals and broken answers.
//! * `api`: the operations; `fields`: what their requests and answers have in common.
//! * `permissions`: what a request needs; `rules`: what AWS refuses, and with which code.
//! * `faults`: the record of requests, and faults on demand; `request`: which operation a request is.
//! * [`store`]: objects, uploads, and the rules of buckets; `object`: one object.
//! * [`policy`]: what IAM is asked, and what it answers.
//! * `keys`: the key pairs of clients; `checksum`; `combine`: CRCs of joined bytes; [`content`]: bytes that are shared, cut and joined.

#![warn(clippy::expect_used, clippy::unwrap_used)]

mod answers;
mod api;
mod checksum;
mod combine;
pub mod content;
mod faults;
mod fields;
mod keys;
mod object;
mod permissions;
pub mod policy;
mod request;
mod rules;
pub mod server;
pub mod store;

pub use content::Content;
pub use faults::Fault;
// Of the requests and answers that faults change.
pub use hyper::HeaderMap;
pub use keys::{ACCESS_KEY, ROLE_KEY, SECRET_KEY};
pub use object::Object;
pub use request::Request;
pub use server::LocalS3;
pub use store::{Rules, Upload};
