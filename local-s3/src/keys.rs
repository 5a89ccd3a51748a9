//! The key pairs that the server accepts.

/// The key pair of a client that may do everything.
pub const ACCESS_KEY: &str = "test";
pub const SECRET_KEY: &str = "testtesttest";
/// The access key of a role, with the same secret. It may do only what [`crate::LocalS3::permit`] says.
pub const ROLE_KEY: &str = "role";
