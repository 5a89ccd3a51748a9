//! The first bytes of a job's sources.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;

use super::plan::Limits;
use crate::s3::{HeldBytes, ObjectVersion, S3, S3Error};
use crate::uri::Uri;

/// How much is read of the first source that has any bytes: as much as the part with the header must have.
pub const LENGTH: u64 = Limits::AWS.min_part;

/// The first 5 MiB of the first source that has any bytes, or all of it if it has fewer. The very first of them may come
/// before the others: what they tell is mostly enough to begin with the copy.
#[derive(Clone, Debug)]
pub struct FirstBytes {
    /// The index of that source among the job's.
    pub source: usize,
    object: ObjectVersion,
    /// Those that have come.
    bytes: HeldBytes,
    /// All, once they were waited for.
    all: Arc<OnceCell<HeldBytes>>,
}

impl FirstBytes {
    /// Waits for the very first of them.
    pub async fn read(s3: &S3, objects: &[ObjectVersion]) -> Result<FirstBytes, S3Error> {
        let source = objects.iter().position(|object| object.size > 0).unwrap_or_default();
        let object = objects[source].clone();
        // A small source is written at once, with all of them.
        let early = if object.size > LENGTH { s3.early_start(&object).await } else { None };
        let bytes = match early {
            Some(early) => early,
            None => s3.start(&object, LENGTH).await?,
        };
        Ok(FirstBytes { source, object, bytes, all: Arc::default() })
    }

    /// Waits for all of them.
    pub async fn read_on(self, s3: &S3) -> Result<FirstBytes, S3Error> {
        let bytes = self.all(s3).await?;
        Ok(FirstBytes { bytes, ..self })
    }

    /// All of them.
    pub async fn all(&self, s3: &S3) -> Result<HeldBytes, S3Error> {
        match self.have_all_come() {
            true => Ok(self.bytes.clone()),
            false => self.all.get_or_try_init(|| s3.rest_of_start(&self.object, LENGTH)).await.cloned(),
        }
    }

    /// Those that have come, which are not needed here any more.
    pub fn take(&mut self) -> HeldBytes {
        self.all = Arc::default();
        std::mem::take(&mut self.bytes)
    }

    pub fn uri(&self) -> &Uri {
        &self.object.uri
    }

    /// Those that have come: all, or the very first.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many they are when all have come.
    pub fn length(&self) -> u64 {
        self.object.size.min(LENGTH)
    }

    pub fn have_all_come(&self) -> bool {
        self.bytes.len() as u64 == self.length()
    }

    /// Whether those that have come are all bytes of the source.
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.object.size
    }
}
