//! What an object that was created asks for.

mod demand;
mod each;
mod job;
mod manifests;
mod single;

pub use self::demand::Demand;
pub use self::job::{Job, Subject};
pub use self::single::demands_of_unload;
use crate::error::Error;
use crate::s3::{S3, Seen};
use crate::settings::{Output, Settings};
use crate::unload::Role;
use crate::uri::Uri;

/// What the event of an object asks for, with what was told of the object.
pub async fn demands_of(settings: &Settings, s3: &S3, uri: &Uri, seen: Option<Seen>) -> Result<Vec<Demand>, Error> {
    if let Some(bucket) = settings.unload_bucket.as_ref().filter(|bucket| **bucket != uri.bucket) {
        return Err(Error::OtherBucket { uri: uri.clone(), bucket: bucket.clone() });
    }
    let prefix = &settings.unload_prefix;
    if !uri.key.starts_with(prefix) {
        let own = if settings.is_intermediate(&uri.bucket, &uri.key) {
            ", an intermediate object"
        } else if settings.is_final(&uri.bucket, &uri.key) {
            ", a final object"
        } else {
            ""
        };
        return Ok(vec![Demand::skipped(uri, format!("not below UNLOAD_PREFIX={prefix:?}{own}"))]);
    }
    match (Role::of(&uri.key), settings.output) {
        (Role::DirectoryMarker, _) => Ok(vec![Demand::skipped(uri, "a directory marker")]),
        (Role::Data, Output::Each) => Ok(vec![Demand::object(uri.clone(), seen)]),
        (Role::Data, Output::Single) => single::demands_of_object(settings, s3, uri).await,
        (Role::Sidecar, Output::Each) => each::demands_of_sidecar(settings, s3, uri).await,
        (Role::Sidecar, Output::Single) => single::demands_of_sidecar(settings, s3, uri).await,
        (Role::Manifest, Output::Each) => each::demands_of_manifest(settings, s3, uri, seen).await,
        (Role::Manifest, Output::Single) => single::demands_of_manifest(settings, s3, uri).await,
    }
}
