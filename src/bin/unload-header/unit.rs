//! A unit: what jobs are made of, and which keys are meant.

use globset::{Glob, GlobSet, GlobSetBuilder};
use unload_header::error::Error;
use unload_header::job::{Demand, demands_of, demands_of_unload};
use unload_header::receipt::Receipt;
use unload_header::s3::{S3, Seen};
use unload_header::settings::Settings;
use unload_header::unload::Unload;
use unload_header::uri::Uri;

use crate::arguments::Selection;

/// What jobs are made of.
pub enum Unit {
    /// A data object, and what a list has told of it; or with OUTPUT=single a manifest.
    Object(Uri, Option<Seen>),
    /// OUTPUT=each: the data objects that a manifest lists.
    Listed { manifest: Uri, objects: Vec<(Uri, Seen)> },
    /// The slices of an unload without a manifest.
    Found(Unload),
    /// Nothing, for the reason that the receipt gives.
    Left(Receipt),
}

/// Which keys are meant.
pub struct Globs {
    include: Option<GlobSet>,
    pub exclude: GlobSet,
}

impl Globs {
    pub fn new(selection: &Selection) -> Result<Globs, globset::Error> {
        let set = |globs: &[String]| {
            let mut set = GlobSetBuilder::new();
            for glob in globs {
                set.add(Glob::new(glob)?);
            }
            set.build()
        };
        let include = Some(&selection.include).filter(|globs| !globs.is_empty()).map(|globs| set(globs));
        Ok(Globs { include: include.transpose()?, exclude: set(&selection.exclude)? })
    }

    pub fn take(&self, key: &str) -> bool {
        self.include.as_ref().is_none_or(|set| set.is_match(key)) && !self.exclude.is_match(key)
    }
}

impl Unit {
    pub async fn demands(self, settings: &Settings, s3: &S3) -> Result<Vec<Demand>, Error> {
        match self {
            Unit::Object(uri, seen) => demands_of(settings, s3, &uri, seen).await,
            Unit::Listed { manifest, objects } => {
                let mut demands = demands_of(settings, s3, &manifest, None).await?;
                // Where a manifest asks for no jobs, since a sidecar names the columns or it is not VERBOSE, the events of
                // its objects do.
                if !demands.iter().any(|demand| matches!(demand, Demand::Job(_))) && !objects.is_empty() {
                    demands.clear();
                    for (object, seen) in objects {
                        demands.extend(demands_of(settings, s3, &object, Some(seen)).await?);
                    }
                }
                Ok(demands)
            }
            Unit::Found(unload) => demands_of_unload(settings, unload),
            Unit::Left(receipt) => Ok(vec![Demand::Idle(receipt)]),
        }
    }

    /// What it is of, for messages.
    pub fn uri(&self) -> Uri {
        match self {
            Unit::Object(uri, _) | Unit::Listed { manifest: uri, .. } => uri.clone(),
            Unit::Found(unload) => unload.manifest.sibling(unload.prefix()),
            Unit::Left(receipt) => receipt.sources.first().and_then(|uri| Uri::parse(uri)).unwrap_or(Uri::new("", "")),
        }
    }
}
