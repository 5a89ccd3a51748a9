//! FINAL_MANIFEST: a manifest of the final objects of an unload, once all of them are there. Its own event tells that the
//! unload is done, and `COPY … MANIFEST` loads it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::answer::Ended;
use super::delete;
use super::tasks::{Job, Subject};
use crate::crc::{Algorithm, Crc};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::receipt::{Outcome, Receipt};
use crate::s3::{Attributes, ObjectVersion, Precondition, S3, S3Error, Stored};
use crate::seal::{self, Fingerprint, JobId, Seal, manifest_version};
use crate::settings::Settings;
use crate::unload::Unload;
use crate::unload::manifest::Entry;
use crate::uri::Uri;

/// How often it is begun, where something else is written to its key meanwhile.
const MOST_TRIES: u32 = 5;
/// What tells the job of a final manifest from those of the unload's folders, which end in `/`.
const ITS_FOLDER: &str = "manifest";

/// The jobs of one unload that a call has done, and how they ended.
pub struct Done<'a> {
    unload: &'a Arc<Unload>,
    ended: Vec<(&'a Job, &'a Ended)>,
}

/// A final object, and the entries that it was made of.
struct Listed<'a> {
    object: ObjectVersion,
    entries: &'a [Entry],
}

impl<'a> Done<'a> {
    /// The unloads of which all jobs were done in this call, none of which failed: the others are tried again, all of
    /// them.
    pub fn of(ended: &'a [(Option<Job>, Ended)]) -> Vec<Done<'a>> {
        let mut unloads: BTreeMap<&Uri, Done<'a>> = BTreeMap::new();
        for (job, end) in ended {
            let Some((job, unload)) = job.as_ref().and_then(|job| Some((job, unload_of(job)?))) else { continue };
            let done = unloads.entry(&unload.manifest).or_insert_with(|| Done { unload, ended: Vec::new() });
            done.ended.push((job, end));
        }
        unloads.into_values().filter(Done::is_whole).collect()
    }

    fn is_whole(&self) -> bool {
        let jobs = match self.ended.first().map(|(job, _)| &job.subject) {
            Some(Subject::Folder { .. }) => self.unload.folders().count(),
            _ => self.unload.all_entries().map(|entry| &entry.uri).collect::<HashSet<_>>().len(),
        };
        self.ended.len() == jobs && self.ended.iter().all(|(_, end)| end.result.is_ok())
    }

    /// The messages that asked for any of its jobs.
    pub fn messages(&self) -> Vec<usize> {
        let mut messages: Vec<usize> = self.ended.iter().flat_map(|(_, end)| end.messages.iter().copied()).collect();
        messages.sort_unstable();
        messages.dedup();
        messages
    }

    fn receipts(&self) -> impl Iterator<Item = (&'a Job, &'a Receipt)> {
        self.ended.iter().filter_map(|(job, end)| Some((*job, end.result.as_ref().ok()?)))
    }

    /// Writes the manifest, unless it is there already, and then deletes the sources that were kept for it.
    pub async fn write_before(&self, settings: &Settings, s3: &S3, deadline: Deadline) -> Result<Receipt, Error> {
        let (begun, s3) = (Instant::now(), s3.counting());
        let out_of_time = || Error::OutOfTime { uri: settings.final_manifest(&self.unload.manifest) };
        if deadline.left().is_zero() {
            return Err(out_of_time());
        }
        let receipt = timeout_at(deadline.end(), self.write(settings, &s3)).await;
        Ok(receipt.unwrap_or_else(|_| Err(out_of_time()))?.measured(s3.effort(), begun.elapsed()))
    }

    async fn write(&self, settings: &Settings, s3: &S3) -> Result<Receipt, Error> {
        let manifest = &self.unload.manifest;
        let version = manifest_version(&self.unload.etag, self.unload.modified);
        let job = JobId::new(manifest, ITS_FOLDER);
        let target = settings.final_manifest(manifest);
        for _ in 0..MOST_TRIES {
            let head = s3.head(&target).await?;
            let seal = head.as_ref().and_then(Seal::on);
            if let Some(other) = seal.as_ref().and_then(|seal| seal.job.as_ref()).filter(|other| **other != job) {
                let (other, job) = (other.to_string(), job.to_string());
                return Err(Error::FinalKeyTaken { target, other, job });
            }
            let is_listed = seal.as_ref().is_some_and(|seal| seal.manifest_version.as_ref() == Some(&version));
            let listed = match self.listed(s3).await? {
                Ok(listed) => listed,
                // Its sources were deleted after it was written.
                Err(_) if is_listed => return self.finish(settings, s3, &target, Outcome::Unchanged).await,
                Err(why) => return Ok(Receipt::idle(manifest, Outcome::Skipped, why)),
            };
            let body = self.body(&listed);
            let objects: Vec<ObjectVersion> = listed.into_iter().map(|listed| listed.object).collect();
            let mut attributes = attributes(settings);
            let fingerprint = Fingerprint::of(&objects, &body, false, &attributes);
            if is_listed && seal.is_some_and(|seal| seal.fingerprint == fingerprint) {
                return self.finish(settings, s3, &target, Outcome::Unchanged).await;
            }
            match s3.head(manifest).await? {
                Some(head) if head.object.etag == self.unload.etag => (),
                _ => {
                    let why = "it has been written anew or deleted meanwhile: no manifest of its final objects";
                    return Ok(Receipt::idle(manifest, Outcome::Skipped, why));
                }
            }
            let size = body.len() as u64;
            let crc = Some(Crc::of(Algorithm::Crc64Nvme, &body));
            let seal = Seal {
                fingerprint,
                job: Some(job.clone()),
                columns: None,
                size,
                crc,
                manifest_version: Some(version.clone()),
            };
            attributes.metadata.insert(seal::KEY.to_owned(), seal.to_string());
            let precondition = head.map_or(Precondition::Absent, |head| Precondition::Etag(head.object.etag));
            let put = async |condition: &Precondition| put(s3, &target, &body, &attributes, condition, crc).await;
            match precondition.held(put).await {
                Ok(_) => return self.finish(settings, s3, &target, Outcome::Written).await,
                Err(error) if error.is_overtaken() => (),
                Err(error) => return Err(error.into()),
            }
        }
        let last = "another run has written there".to_owned();
        Err(Error::KeepsChanging { uri: target, tries: MOST_TRIES, last })
    }

    /// The final objects in the manifest's order; or why they can't be listed.
    async fn listed(&self, s3: &S3) -> Result<Result<Vec<Listed<'a>>, String>, Error> {
        let mut listed = Vec::new();
        for (job, receipt) in self.receipts() {
            let (Some(uri), Outcome::Written | Outcome::Unchanged) = (&receipt.final_uri, receipt.outcome) else {
                return Ok(Err(format!("no manifest of its final objects: {} has none", job.uri())));
            };
            let Some(uri) = Uri::parse(uri) else { continue };
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
                None => match s3.head(&uri).await? {
                    Some(head) => head.object,
                    None => return Err(Error::ObjectMissing { uri }),
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
                json!({"url": object.uri.to_string(), "meta": meta(object.size, rows(entries))})
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
        if settings.deletes_last() {
            for (job, receipt) in self.receipts() {
                // One that is of a later UNLOAD waits for that one's manifest.
                if let Some(copied) = receipt.copied.as_ref().filter(|_| self.misfit(job.uri(), receipt).is_none()) {
                    delete::sources(s3, std::slice::from_ref(&copied.version), receipt.clone()).await?;
                }
            }
        }
        Ok(Receipt::of_final(target, vec![self.unload.manifest.to_string()], outcome, None))
    }
}

fn unload_of(job: &Job) -> Option<&Arc<Unload>> {
    match &job.subject {
        Subject::Object { unload, .. } => unload.as_ref(),
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
