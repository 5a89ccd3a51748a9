//! A run: one try of one final object, what it gathers for it, and why it may end without having written it.

use crate::deadline::Deadline;
use crate::error::Error;
use crate::header::lookup::Found;
use crate::receipt::Receipt;
use crate::s3::{Head, Object, S3, S3Error};
use crate::settings::{SettingError, Settings};
use crate::task::Scope;
use crate::unload::options::Compression;

/// One final object's run.
pub struct Run<'a> {
    pub settings: &'a Settings,
    pub s3: &'a S3,
    pub scope: &'a Scope,
    pub deadline: Deadline,
}

/// What a final object is to be made of.
pub struct Gathered {
    /// The first source; what it carries comes along.
    pub first: Head,
    pub objects: Vec<Object>,
    /// `None`: the header that the sources bring has to do.
    pub columns: Option<Found>,
    /// Which version of a manifest lists the objects, if one does.
    pub manifest_version: Option<String>,
}

/// Why a try ended without a final object written.
pub enum Stop {
    /// There is nothing to write.
    Settled(Receipt),
    Failed(Error),
    /// Sources are not there, and no final object of them at the key that was looked at.
    Gone(Error),
    /// Something has changed under it.
    Overtaken(Error),
    /// S3 found another result than expected.
    Refused(Error),
    /// A source that was not looked at is not like the others.
    Unlike(Error),
    /// It looked for the final object under a key that goes with another compression.
    Compressed(Option<Compression>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        match &error {
            Error::S3(s3) if s3.overtaken() => Stop::Overtaken(error),
            Error::S3(s3) if s3.refuses_result() => Stop::Refused(error),
            Error::Unlike { .. } => Stop::Unlike(error),
            Error::Rewritten { .. } => Stop::Overtaken(error),
            _ => Stop::Failed(error),
        }
    }
}

impl From<S3Error> for Stop {
    fn from(error: S3Error) -> Stop {
        Error::from(error).into()
    }
}

impl From<SettingError> for Stop {
    fn from(error: SettingError) -> Stop {
        Error::from(error).into()
    }
}
