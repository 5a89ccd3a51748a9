//! What an object that was created asks for.

mod each;
mod job;
mod manifests;
mod single;
mod task;

pub use self::job::{Job, Subject};
pub use self::single::tasks_of_found;
pub use self::task::Task;
use crate::error::Error;
use crate::s3::S3;
use crate::settings::{Output, Settings};
use crate::unload::Role;
use crate::uri::Uri;

/// What the event of an object asks for.
pub async fn tasks_of(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Task>, Error> {
    if let Some(bucket) = settings.unload_bucket.as_ref().filter(|bucket| **bucket != uri.bucket) {
        return Err(Error::OtherBucket { uri: uri.clone(), bucket: bucket.clone() });
    }
    let prefix = &settings.unload_prefix;
    if !uri.key.starts_with(prefix) {
        let own = if settings.is_final(&uri.bucket, &uri.key) { ", a final object" } else { "" };
        return Ok(vec![Task::skipped(uri, format!("not below UNLOAD_PREFIX={prefix:?}{own}"))]);
    }
    match (Role::of(&uri.key), settings.output) {
        (Role::DirectoryMarker, _) => Ok(vec![Task::skipped(uri, "a directory marker")]),
        (Role::Data, Output::Each) => Ok(vec![Task::object(uri.clone())]),
        (Role::Data, Output::Single) => single::tasks_of_object(settings, s3, uri).await,
        (Role::Sidecar, Output::Each) => each::tasks_of_sidecar(settings, s3, uri).await,
        (Role::Sidecar, Output::Single) => single::tasks_of_sidecar(settings, s3, uri).await,
        (Role::Manifest, Output::Each) => each::tasks_of_manifest(settings, s3, uri).await,
        (Role::Manifest, Output::Single) => single::tasks_of_manifest(settings, s3, uri).await,
    }
}
