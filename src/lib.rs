//! Column headers on what Amazon Redshift UNLOADs to S3, put there by S3 itself.
//!
//! # The way through
//!
//! ```text
//! payload -> objects created -> role of each key -> job -> columns -> header -> plan -> execute -> receipt
//!           (event)            (unload::name)            (header::lookup) (encode) (copy::plan)  (S3)
//! ```
//!
//! Everything but the look-up and the execution is a value made from a value.
//!
//! # Layout
//!
//! * [`settings`]: the environment, checked once at start.
//! * [`event`]: a notification, as the objects that were created.
//! * [`handler`]: the way through, end to end; [`task`]: what an object that was created asks for.
//! * [`each`] and [`single`]: what a final object is to be made of, a data object or a whole unload.
//! * [`final_object`]: from there to the receipt, in one [`run`] or more.
//! * [`unload`]: what Redshift writes: the names of its objects, the statement's options, manifests.
//! * [`header`]: which unload an object belongs to, where its columns are found and in which forms, the line that
//!   they make, and what the sources begin with, which it must fit or replace.
//! * [`copy`]: the plan of a final object's parts, its execution, and the proof of what came out.
//! * [`deadline`]: when Lambda ends the function.
//! * [`s3`]: one function for each S3 operation. Nothing else knows the SDK.
//! * [`receipt`]: what happened to one final object. [`error`]: what can go wrong.
//! * [`uri`]: the address of an object; [`crc`]: what S3 knows of its bytes.
//! * `demo`, with the feature of that name: a bucket to try the sample events on.

#![warn(clippy::expect_used, clippy::unwrap_used)]

pub mod copy;
pub mod crc;
pub mod deadline;
#[cfg(feature = "demo")]
pub mod demo;
pub mod each;
pub mod error;
pub mod event;
pub mod final_object;
pub mod handler;
pub mod header;
pub mod receipt;
pub mod run;
pub mod s3;
pub mod settings;
pub mod single;
pub mod task;
pub mod unload;
pub mod uri;
