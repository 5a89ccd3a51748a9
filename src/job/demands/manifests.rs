//! The manifests that may list an object, or the objects of a sidecar.

use crate::error::Error;
use crate::header::membership;
use crate::s3::S3;
use crate::settings::Settings;
use crate::unload::Unload;
use crate::unload::name::{self, Number, SIDECAR};
use crate::uri::Uri;

/// The unloads that a sidecar may be for, of those whose manifest is there. The sidecar may also be that of one data object
/// of the unload.
pub async fn unloads_of_sidecar(settings: &Settings, s3: &S3, uri: &Uri) -> Result<Vec<Unload>, Error> {
    let stem = uri.key.strip_suffix(SIDECAR).unwrap_or(&uri.key);
    let mut keys = vec![uri.sibling(format!("{stem}manifest")), uri.sibling(format!("{stem}/manifest"))];
    keys.retain(|manifest| manifest.key.starts_with(&settings.unload_prefix));
    keys.extend(manifests(settings, &uri.sibling(stem), |number| number != Number::None));
    let mut unloads = Vec::new();
    for manifest in keys {
        let unload = membership::read_manifest(s3, &manifest).await?;
        let is_for = |unload: &Unload| unload.sidecars().contains(&uri.key) || unload.entry(stem).is_some();
        unloads.extend(unload.filter(is_for));
    }
    Ok(unloads)
}

/// The manifests that may list an object, each once.
pub fn manifests(settings: &Settings, object: &Uri, counts: impl Fn(Number) -> bool) -> Vec<Uri> {
    let names = name::readings(&object.key).into_iter().filter(|name| counts(name.number));
    let mut keys: Vec<String> = names.map(|name| name.manifest()).collect();
    let mut seen = Vec::new();
    keys.retain(|key| {
        let is_new = key.starts_with(&settings.unload_prefix) && !seen.contains(key) && *key != object.key;
        seen.push(key.clone());
        is_new
    });
    keys.into_iter().map(|key| object.sibling(key)).collect()
}
