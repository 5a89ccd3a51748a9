//! Settings and client, from flags and the environment.

use std::fs;
use std::io::Read;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::Credentials;
use local_s3::{ACCESS_KEY, LocalS3, SECRET_KEY};
use unload_header::s3::S3;
use unload_header::settings::Settings;
use unload_header::uri::Uri;

use crate::arguments::SettingFlags;
use crate::failure::Failure;

/// The settings, each from its flag or else from the environment.
pub fn settings(flags: &SettingFlags) -> Result<Settings, Failure> {
    let settings = Settings::read(|name| flags.value(name).or_else(|| std::env::var(name).ok()))?;
    Ok(Settings { function_name: None, ..settings })
}

/// The client for these settings.
pub async fn client(settings: &Settings) -> S3 {
    S3::from_env().await.owned_by(settings.owners())
}

/// The client of an S3 in memory.
pub async fn in_memory(local: &LocalS3) -> S3 {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(local.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "in memory"));
    S3::new(&config.load().await)
}

/// The place that is meant, if it is where unloads are: the longer of its prefix and UNLOAD_PREFIX.
pub fn below_unload_prefix(settings: &Settings, place: &Uri) -> Result<Uri, Failure> {
    let prefix = &settings.unload_prefix;
    if let Some(bucket) = settings.unload_bucket.as_ref().filter(|bucket| **bucket != place.bucket) {
        return Err(Failure::Usage(format!(
            "{place} is not in UNLOAD_BUCKET={bucket:?}, which is set in the environment"
        )));
    }
    if place.key.starts_with(prefix.as_str()) {
        Ok(place.clone())
    } else if prefix.starts_with(&place.key) {
        Ok(place.sibling(prefix.as_str()))
    } else {
        Err(Failure::Usage(format!("{place} is not below UNLOAD_PREFIX={prefix:?}")))
    }
}

/// What a file holds, or standard input for `-`.
pub fn read(file: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match file {
        "-" => {
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes).map_err(|error| format!("standard input: {error}"))
        }
        file => fs::read(file).map_err(|error| format!("{file}: {error}")),
    }
    .map_err(Failure::Failed)
}
