//! FINAL_MANIFEST: a manifest of the final objects of an unload, once all of them are there. Its own event tells that the
//! unload is done, and `COPY … MANIFEST` loads it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::answer::Ended;
use super::delete;
use super::demands::{Job, Subject};
use super::dry_run::AtKey;
use super::existing::taken;
use super::run::MAX_TRIES;
use crate::crc::{Algorithm, Crc};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::receipt::{Outcome, Receipt};
use crate::s3::{Attributes, ObjectVersion, Precondition, S3, S3Error, SMALL_REQUESTS_AT_ONCE, Stored};
use crate::seal::{self, Fingerprint, JobId, Seal, manifest_hash};
use crate::settings::Settings;
use crate::unload::manifest::Entry;
use crate::unload::{ManifestVersion, Unload};
use crate::uri::Uri;

/// What tells the job of a final manifest from those of the unload's folders, which end in `/`.
const ITS_FOLDER: &str = "manifest";

/// An unload of which a call has done all jobs, and none has failed.
pub struct DoneUnload<'a> {
    unload: &'a Unload,
    version: &'a ManifestVersion,
    /// In the manifest's order.
    jobs: Vec<(&'a Job, &'a Receipt)>,
    /// The messages that asked for any of them.
    pub messages: Vec<usize>,
}

/// What becomes of the manifest of an unload's final objects.
pub enum ManifestIntent {
    /// It is there; or none is to be written, for the reason that the receipt gives.
    Idle(Box<Receipt>),
    Write {
        target: Uri,
        at_key: AtKey,
    },
}

/// What a look at a manifest of final objects comes to.
enum Look {
    There,
    Undue(Receipt),
    Due { at_key: AtKey, body: Bytes, attributes: Attributes, precondition: Precondition, crc: Option<Crc> },
}

/// What has become of each job, by what it is of: an object, or a folder of a manifest.
type ById<'a> = HashMap<(&'a Uri, &'a str), (&'a Job, &'a Ended)>;

/// A final object, and the entries that it was made of.
struct Listed<'a> {
    object: ObjectVersion,
    entries: &'a [Entry],
}

impl<'a> DoneUnload<'a> {
    /// The manifest of the unload.
    pub fn manifest(&self) -> &Uri {
        &self.unload.manifest
    }

    /// An unload is left out if any of its jobs is not among these, or has failed: then all of them are retried.
    pub fn of(ended: &'a [(Option<Job>, Ended)]) -> Vec<DoneUnload<'a>> {
        let mut unloads: BTreeMap<&Uri, (&Unload, ById)> = BTreeMap::new();
        for (job, ended) in ended {
            if let Some((job, unload)) = job.as_ref().and_then(|job| Some((job, unload_of(job)?))) {
                let (_, jobs) = unloads.entry(&unload.manifest).or_insert_with(|| (unload, ById::new()));
                jobs.insert((job.uri(), job.folder()), (job, ended));
            }
        }
        unloads.into_values().filter_map(|(unload, jobs)| DoneUnload::whole(unload, &jobs)).collect()
    }

    fn whole(unload: &'a Unload, jobs: &ById<'a>) -> Option<DoneUnload<'a>> {
        let is_merged = jobs.values().all(|(job, _)| matches!(job.subject, Subject::Folder { .. }));
        let all: Vec<(&Uri, &str)> = match is_merged {
            true => unload.folders().map(|folder| (&unload.manifest, folder)).collect(),
            false => unload.all_entries().map(|entry| (&entry.uri, "")).collect(),
        };
        let ended = all.iter().map(|id| jobs.get(id).copied()).collect::<Option<Vec<_>>>()?;
        let version = unload.version.as_ref()?;
        let receipts = ended.iter().map(|(job, ended)| Some((*job, ended.result.as_ref().ok()?)));
        let messages: BTreeSet<usize> = ended.iter().flat_map(|(_, ended)| ended.messages.iter().copied()).collect();
        Some(DoneUnload {
            unload,
            version,
            jobs: receipts.collect::<Option<_>>()?,
            messages: messages.into_iter().collect(),
        })
    }

    /// Writes the manifest, unless it is there already, and then deletes the sources that were kept for it.
    pub async fn write_before(&self, settings: &Settings, s3: &S3, deadline: &Deadline) -> Result<Receipt, Error> {
        let (begun, s3) = (Instant::now(), s3.counting());
        let out_of_time = || Error::OutOfTime { uri: settings.final_manifest(&self.unload.manifest) };
        let receipt = deadline.before_end(self.write(settings, &s3)).await;
        Ok(receipt.unwrap_or_else(|| Err(out_of_time()))?.measured(s3.effort(), begun.elapsed()))
    }

    /// What [`write_before`](DoneUnload::write_before) would do.
    pub async fn dry_run(&self, settings: &Settings, s3: &S3) -> Result<ManifestIntent, Error> {
        let target = settings.final_manifest(&self.unload.manifest);
        let receipt = |outcome| Receipt::of_final(&target, vec![self.unload.manifest.to_string()], outcome, None);
        Ok(match self.look(settings, s3, &target).await? {
            Look::There => ManifestIntent::Idle(Box::new(receipt(Outcome::Unchanged))),
            Look::Undue(receipt) => ManifestIntent::Idle(Box::new(receipt)),
            Look::Due { at_key, .. } => ManifestIntent::Write { target, at_key },
        })
    }

    async fn write(&self, settings: &Settings, s3: &S3) -> Result<Receipt, Error> {
        let target = settings.final_manifest(&self.unload.manifest);
        // Unlike a job, it does not wait before the next try: it is small, and whoever has overtaken it is done.
        for _ in 0..MAX_TRIES {
            let (body, attributes, precondition, crc) = match self.look(settings, s3, &target).await? {
                Look::There => return self.finish(settings, s3, &target, Outcome::Unchanged).await,
                Look::Undue(receipt) => return Ok(receipt),
                Look::Due { body, attributes, precondition, crc, .. } => (body, attributes, precondition, crc),
            };
            let put = async |condition: &Precondition| put(s3, &target, &body, &attributes, condition, crc).await;
            match precondition.held(put).await {
                Ok(_) => return self.finish(settings, s3, &target, Outcome::Written).await,
                Err(error) if error.is_overtaken() => (),
                Err(error) => return Err(error.into()),
            }
        }
        let last = "another run has written there".to_owned();
        Err(Error::KeepsChanging { uri: target, tries: MAX_TRIES, last })
    }

    /// Looks at everything, and changes nothing.
    async fn look(&self, settings: &Settings, s3: &S3, target: &Uri) -> Result<Look, Error> {
        let manifest = &self.unload.manifest;
        let undue = |why: String| Ok(Look::Undue(Receipt::idle(manifest, Outcome::Skipped, why)));
        let version = manifest_hash(self.version);
        let job = JobId::new(manifest, ITS_FOLDER);
        let head = s3.head(target).await?;
        let seal = head.as_ref().and_then(Seal::on);
        if let Some(error) = taken(target, seal.as_ref(), &job) {
            return Err(error);
        }
        let is_listed = seal.as_ref().is_some_and(|seal| seal.manifest_hash.as_ref() == Some(&version));
        let listed = match self.listed(s3, &version).await? {
            Ok(listed) => listed,
            // Its sources were deleted after it was written.
            Err(_) if is_listed => return Ok(Look::There),
            Err(why) => return undue(why),
        };
        let body = self.body(&listed);
        let objects: Vec<ObjectVersion> = listed.into_iter().map(|listed| listed.object).collect();
        let mut attributes = attributes(settings);
        let fingerprint = Fingerprint::of(&objects, &body, false, &attributes);
        if is_listed && seal.as_ref().is_some_and(|seal| seal.fingerprint == fingerprint) {
            return Ok(Look::There);
        }
        match s3.head(manifest).await? {
            Some(head) if self.version.is_of(&head.object.etag, head.modified) => (),
            _ => {
                return undue(
                    "it has been written anew or deleted meanwhile: no manifest of its final objects".to_owned(),
                );
            }
        }
        let at_key = match (&head, &seal) {
            (None, _) => AtKey::Nothing,
            (Some(_), Some(_)) => AtKey::Outdated,
            (Some(_), None) => AtKey::Unsealed,
        };
        let (size, crc) = (body.len() as u64, Some(Crc::of(Algorithm::Crc64Nvme, &body)));
        let seal = Seal { fingerprint, job: Some(job), columns: None, size, crc, manifest_hash: Some(version) };
        attributes.metadata.insert(seal::KEY.to_owned(), seal.to_string());
        let precondition = head.map_or(Precondition::Absent, |head| Precondition::Etag(head.object.etag));
        Ok(Look::Due { at_key, body, attributes, precondition, crc })
    }

    /// The final objects in the manifest's order; or why they can't be listed.
    async fn listed(&self, s3: &S3, version: &str) -> Result<Result<Vec<Listed<'a>>, String>, Error> {
        let mut listed = Vec::new();
        for (job, receipt) in &self.jobs {
            let uri = receipt.final_uri.as_deref().and_then(Uri::parse);
            let (Some(uri), Outcome::Written | Outcome::Unchanged) = (uri, receipt.outcome) else {
                return Ok(Err(format!("no manifest of its final objects: {} has none", job.uri())));
            };
            let (entries, misfit) = match &job.subject {
                Subject::Folder { folder, .. } => (self.unload.entries(folder), None),
                Subject::Object { uri, .. } => (self.unload.entries_of(&uri.key), self.misfit(uri, receipt)),
            };
            if let Some(why) = misfit {
                return Ok(Err(format!("no manifest of its final objects: {why}")));
            }
            let object = match &receipt.written {
                Some(written) => {
                    let etag = written.etag.clone();
                    ObjectVersion { uri, size: written.bytes, etag, crc: None, is_composite: false }
                }
                // Its sources are gone. The seal told that it is made of this manifest's.
                None => match s3.head(&uri).await? {
                    Some(head) if Seal::on(&head).is_some_and(|it| it.manifest_hash.as_deref() == Some(version)) => {
                        // As a receipt has it, so that the fingerprint is the same.
                        let etag = head.object.etag.trim_matches('"').to_owned();
                        ObjectVersion { etag, ..head.object }
                    }
                    _ => return Ok(Err(format!("no manifest of its final objects: {uri} has changed meanwhile"))),
                },
            };
            listed.push(Listed { object, entries });
        }
        Ok(Ok(listed))
    }

    /// Why a source is not the one that the manifest lists, as far as that can be told.
    fn misfit(&self, uri: &Uri, receipt: &Receipt) -> Option<String> {
        let Some(copied) = &receipt.copied else {
            return Some(format!("{uri} is gone, so that nothing tells of which unload its final object is"));
        };
        let entry = self.unload.entry(&uri.key)?;
        if entry.size.is_some_and(|size| size != copied.version.size) || self.unload.is_before(copied.modified) {
            return Some(format!("{uri} is of a later UNLOAD, whose own manifest follows"));
        }
        None
    }

    /// In UNLOAD's own form: VERBOSE if the unload's manifest is.
    fn body(&self, listed: &[Listed<'_>]) -> Bytes {
        let rows = |entries: &[Entry]| entries.iter().map(|entry| entry.rows).sum::<Option<u64>>();
        let meta = |bytes: u64, rows: Option<u64>| {
            let mut meta = Map::from_iter([("content_length".to_owned(), bytes.into())]);
            meta.extend(rows.map(|rows| ("record_count".to_owned(), rows.into())));
            Value::Object(meta)
        };
        let entries: Vec<Value> = listed
            .iter()
            .map(|Listed { object, entries }| {
                let mut entry = json!({"url": object.uri.to_string(), "meta": meta(object.size, rows(entries))});
                if let Some(mandatory) = entries.iter().find_map(|entry| entry.mandatory) {
                    entry["mandatory"] = mandatory.into();
                }
                entry
            })
            .collect();
        let mut manifest = json!({"entries": entries});
        if let Some(schema) = &self.unload.schema {
            let bytes = listed.iter().map(|listed| listed.object.size).sum();
            let all = listed.iter().map(|listed| rows(listed.entries)).sum();
            manifest["schema"] = schema.clone();
            manifest["meta"] = meta(bytes, all);
        }
        format!("{manifest:#}\n").into()
    }

    /// The receipt; with DELETE_SOURCE, after the sources were deleted that were kept until now.
    async fn finish(&self, settings: &Settings, s3: &S3, target: &Uri, outcome: Outcome) -> Result<Receipt, Error> {
        let receipt = Receipt::of_final(target, vec![self.unload.manifest.to_string()], outcome, None);
        let mut ends: BTreeMap<String, usize> = BTreeMap::new();
        let due = self.jobs.iter().filter(|_| settings.deletes_last()).filter_map(|(job, receipt)| {
            // One that is of a later UNLOAD waits for that one's manifest.
            let copied = receipt.copied.as_ref().filter(|_| self.misfit(job.uri(), receipt).is_none())?;
            Some(delete::sources(s3, std::slice::from_ref(&copied.version), Receipt::clone(receipt)))
        });
        let mut deleted = stream::iter(due).buffer_unordered(SMALL_REQUESTS_AT_ONCE);
        while let Some(receipt) = deleted.try_next().await? {
            *ends.entry(receipt.reason.unwrap_or_default()).or_default() += 1;
        }
        let ends: Vec<String> = ends.into_iter().map(|(end, count)| format!("{end} ({count})")).collect();
        Ok(if ends.is_empty() { receipt } else { receipt.because(ends.join("; ")) })
    }
}

fn unload_of(job: &Job) -> Option<&Unload> {
    match &job.subject {
        Subject::Object { unload, .. } => unload.as_deref(),
        Subject::Folder { unload, .. } => Some(unload),
    }
}

fn attributes(settings: &Settings) -> Attributes {
    Attributes {
        content_type: Some("application/json".to_owned()),
        kms_key_id: settings.final_kms_key_id.clone(),
        ..Attributes::default()
    }
}

/// A server that knows no CRCs gets none.
async fn put(
    s3: &S3,
    target: &Uri,
    body: &Bytes,
    attributes: &Attributes,
    precondition: &Precondition,
    crc: Option<Crc>,
) -> Result<Stored, S3Error> {
    match s3.put(target, body.clone(), attributes, precondition, crc).await {
        Err(error) if error.is_unsupported() => s3.put(target, body.clone(), attributes, precondition, None).await,
        result => result,
    }
}
