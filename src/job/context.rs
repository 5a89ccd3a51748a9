//! What every step of a job needs to know.

use crate::deadline::Deadline;
use crate::s3::S3;
use crate::seal::JobId;
use crate::settings::{SettingError, Settings};
use crate::unload::Compression;
use crate::uri::Uri;

use super::demands::Job;

/// One job, and what it is done with.
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub s3: &'a S3,
    pub job: &'a Job,
    pub deadline: &'a Deadline,
    /// Whether the final object is looked at as if it were not there yet.
    pub anew: bool,
}

impl Context<'_> {
    /// Where the final object goes if its sources are compressed so.
    pub fn target(&self, compression: Option<Compression>) -> Result<Uri, SettingError> {
        self.settings.final_uri(self.job.uri(), self.job.unload_prefix(), compression)
    }

    pub fn job_id(&self) -> JobId {
        JobId::new(self.job.uri(), self.job.folder())
    }
}
