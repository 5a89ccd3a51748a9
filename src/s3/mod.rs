//! The S3 client: one function for each S3 operation, in `objects`, `reads` and `uploads`; some of them can be begun
//! `ahead`. Nothing else knows the AWS SDK.

mod ahead;
mod client;
mod effort;
mod error;
mod fields;
mod memory;
mod object;
mod objects;
mod precondition;
mod reads;
mod traffic;
mod uploads;

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::ahead::Ahead;
pub use self::effort::{Effort, Progress};
pub use self::error::{Regions, S3Error};
pub use self::memory::{HeldBytes, Memory, Reservation};
pub use self::object::{Attributes, Head, ListPage, ListedObject, ObjectVersion, Seen, SmallObject, parts_in};
pub use self::precondition::{Precondition, Stored};
use self::traffic::Traffic;
pub use self::uploads::{CreatedUpload, OpenUpload, UploadedPart};
use crate::uri::Uri;

/// How many small requests one job makes at the same time, where it has many to make.
pub const SMALL_REQUESTS_AT_ONCE: usize = 32;
/// How many of them all jobs make at the same time, and how many copies. Each takes a connection, and a function has 1,024
/// file descriptors (AWS, Lambda developer guide, "Lambda quotas").
const ALL_SMALL_REQUESTS_AT_ONCE: usize = 128;
const ALL_COPIES_AT_ONCE: usize = 512;

/// From how many objects on they are listed, and not looked at one by one: when their HEADs would not all go at once.
pub const LISTED_FROM: usize = SMALL_REQUESTS_AT_ONCE + 1;

/// How many parts an upload may have, and the highest number of one (S3 user guide, "Amazon S3 multipart upload limits").
pub const MAX_PARTS: u16 = 10_000;

/// The S3 client. Clones share their connections, the memory for bytes, and what was begun ahead.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    /// For requests whose bytes S3 has to receive or to copy.
    patient: Client,
    traffic: Traffic,
    owners: Owners,
    ahead: Ahead,
    small_requests: Arc<Semaphore>,
    copies: Arc<Semaphore>,
    pub memory: Memory,
    /// How many parts a plan may have: [`MAX_PARTS`], and less in tests that try with few slices what is done with many.
    pub max_parts: u16,
    /// [`LISTED_FROM`], and less in tests that try with few slices what is done with many.
    pub listed_from: usize,
}

/// The accounts that own the buckets, where that is known. S3 answers 403 if another does (S3 user guide, "Verifying bucket
/// ownership with bucket owner condition").
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// Of one bucket.
    pub of_bucket: Option<(String, String)>,
    /// Of all others.
    pub of_others: Option<String>,
}

impl S3 {
    /// The same client, with counters of its own that start at 0.
    pub fn counting(&self) -> S3 {
        S3 { traffic: self.traffic.counting(), ..self.clone() }
    }

    /// The same client, for buckets of these accounts.
    pub fn owned_by(self, owners: Owners) -> S3 {
        S3 { owners, ..self }
    }

    /// The account that must own a bucket.
    fn owner(&self, bucket: &str) -> Option<String> {
        let own = self.owners.of_bucket.as_ref().filter(|(name, _)| name == bucket);
        own.map(|(_, owner)| owner.clone()).or_else(|| self.owners.of_others.clone())
    }

    /// What this client and its clones have asked and read so far.
    pub fn effort(&self) -> Effort {
        self.traffic.effort()
    }

    /// What all clients have asked and read so far that come from the same one by [`counting`](S3::counting).
    pub fn effort_of_all(&self) -> Effort {
        self.traffic.effort_of_all()
    }

    /// How far this client and its clones have got.
    pub fn progress(&self) -> Progress {
        self.traffic.progress()
    }

    /// Parts and bytes are about to be written. Whatever was begun before has begun anew.
    pub fn begins(&self, parts: u64, bytes: u64) {
        self.traffic.begins(parts, bytes);
    }

    /// Parts and bytes were written.
    pub fn wrote(&self, parts: u64, bytes: u64) {
        self.traffic.wrote(parts, bytes);
    }

    /// Waits until a copy may be made besides those of all other jobs; it ends when this is dropped.
    pub async fn turn_to_copy(&self) -> Option<OwnedSemaphorePermit> {
        turn(&self.copies).await
    }

    fn error<E>(&self, operation: &'static str, uri: &Uri, error: SdkError<E>) -> S3Error
    where
        E: std::error::Error + ProvideErrorMetadata + RequestId + 'static,
    {
        S3Error::new(operation, uri, error, self.client.config().region().map_or("", Region::as_ref))
    }
}

/// Waits for the turn of a request, which ends when this is dropped. Who has a turn waits for nothing but S3.
async fn turn(of: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(of).acquire_owned().await.ok()
}
