//! One final object: from what it is to be made of to the receipt.
//!
//! What stands at the final key is looked at before anything else, and the write at the end is refused
//! if that has changed. So whatever a run writes was made from what was there after it began, and a
//! run that began earlier can't write over it. Whenever something has changed under a run, it begins anew.

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, Instant, timeout_at};

use crate::copy::seal::{self, Fingerprint, Owner, Seal};
use crate::copy::{Alike, Done, Job, Lead, execute, join};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::header::first::{First, Opening};
use crate::header::{Line, attributes};
use crate::receipt::{Outcome, Proof, Receipt};
use crate::run::{Gathered, Run, Stop};
use crate::s3::{AT_ONCE, Attributes, Object, S3, Stood};
use crate::settings::{SettingError, Settings};
use crate::task::{Scope, Sources, needs_no_header};
use crate::unload::Options;
use crate::unload::options::Compression;
use crate::uri::Uri;
use crate::{each, single};

/// How often a run begins anew before it fails; each time somebody else has got further.
const TRIES: u32 = 5;

/// The wait before an overtaken run begins anew, longer each time.
const PAUSE: Duration = Duration::from_millis(250);

/// Writes a final object, as often as the run is overtaken by others.
pub async fn write(settings: &Settings, s3: &S3, scope: &Scope, deadline: Deadline) -> Result<Receipt, Error> {
    let (begun, s3) = (Instant::now(), &s3.counting());
    let out_of_time = || Error::OutOfTime { uri: scope.uri().clone(), parts: None };
    if deadline.left().is_zero() {
        return Err(out_of_time());
    }
    let receipt = timeout_at(deadline.end(), tries(&Run { settings, s3, scope, deadline })).await;
    let receipt = receipt.unwrap_or_else(|_| Err(out_of_time()))?;
    Ok(receipt.measured(s3.effort(), begun.elapsed()))
}

async fn tries(run: &Run<'_>) -> Result<Receipt, Error> {
    let (mut compression, mut refused) = (run.scope.compression().or(run.settings.options.compression), false);
    let (mut thorough, mut last) = (false, String::new());
    for number in 1..=TRIES {
        match run.attempt(compression, thorough).await {
            Ok(receipt) | Err(Stop::Settled(receipt)) => return Ok(receipt),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Gone(error)) => return run.done_before().await?.ok_or(error),
            Err(Stop::Refused(error)) if refused => return Err(error),
            Err(Stop::Refused(error)) => (refused, last) = (true, error.to_string()),
            Err(Stop::Overtaken(error)) => {
                last = error.to_string();
                // Whoever has overtaken it may have more to do.
                tokio::time::sleep(PAUSE * number).await;
            }
            Err(Stop::Unlike(error)) => (thorough, last) = (true, error.to_string()),
            Err(Stop::Compressed(found)) => {
                (compression, last) = (found, "its name does not tell how it is compressed".to_owned());
            }
        }
        tracing::info!(object = %run.scope.uri(), "begun anew: {last}");
    }
    Err(Error::Overtaken { uri: run.scope.uri().clone(), tries: TRIES, last })
}

/// What is wanted: a header in front of sources, and what comes along with them.
struct Wanted {
    gathered: Gathered,
    options: Options,
    line: Line,
    attributes: Attributes,
    fingerprint: Fingerprint,
    /// If it had to be looked at for the header.
    start: Option<Start>,
}

/// How the sources begin.
struct Start {
    lead: Lead,
    compression: Option<Compression>,
    opening: Opening,
}

impl Run<'_> {
    async fn attempt(&self, compression: Option<Compression>, thorough: bool) -> Result<Receipt, Stop> {
        let target = self.target(compression)?;
        let stood = self.s3.head(&target).await?;
        let seal = stood.as_ref().and_then(Seal::on);
        let taken = self.taken(&target, seal.as_ref());
        let seal = seal.filter(|_| taken.is_none());
        let taken = match taken {
            // What the object is compressed with may tell another key.
            Some(error) if !self.settings.final_key.tells_compression() => return Err(error.into()),
            taken => taken,
        };
        let gathered = match &self.scope.sources {
            Sources::Object { uri, unload } => {
                each::gather(self, uri, unload.as_deref(), &target, seal.as_ref()).await?
            }
            Sources::Folder { unload, folder } => single::gather(self, unload, folder, &target, seal.as_ref()).await?,
        };
        let wanted = self.wanted(gathered).await?;
        let sources = wanted.gathered.objects.iter().map(|object| object.uri.to_string()).collect();
        if let (Some(seal), Some(stood)) = (seal.filter(|seal| self.is_of(seal, &wanted)), &stood)
            && let Some(proof) = seal.proof(&stood.object)
        {
            let mut written = wanted.line.written(stood.object.size, &stood.object.etag, 0, proof);
            written.columns = seal.columns.unwrap_or(written.columns);
            let receipt = Receipt::standing(&target, sources, Outcome::Unchanged, Some(written));
            return Ok(self.dispose(wanted.gathered.objects.iter(), receipt).await?);
        }
        let stood = stood.map_or(Stood::Nothing, |head| Stood::Object(head.object.etag));
        let (line, mut job) = self.job(wanted, target, stood, taken, thorough).await?;
        let Done { plan, etag, proof } = execute(self.s3, &mut job).await?;
        let written = line.written(plan.length, &etag, plan.parts.len(), proof);
        let receipt = Receipt::standing(&job.target, sources, Outcome::Written, Some(written));
        Ok(self.dispose(job.sources.iter().map(|source| &source.object), receipt).await?)
    }

    /// A final object that another job has written is never replaced, nor are this job's sources deleted for it.
    fn taken(&self, target: &Uri, seal: Option<&Seal>) -> Option<Error> {
        let job = self.owner();
        let other = seal?.owner.as_ref().filter(|other| **other != job)?;
        Some(Error::Taken { target: target.clone(), other: other.to_string(), job: job.to_string() })
    }

    fn owner(&self) -> Owner {
        Owner::new(self.scope.uri(), self.scope.folder())
    }

    /// Where the sources are gone and the final key depends on what they were compressed with: the receipt of the
    /// final object that was made of them.
    async fn done_before(&self) -> Result<Option<Receipt>, Error> {
        if !self.settings.final_key.tells_compression() {
            return Ok(None);
        }
        let version = match &self.scope.sources {
            Sources::Object { .. } => None,
            Sources::Folder { unload, .. } => Some(seal::version(&unload.etag, unload.modified)),
        };
        for target in self.settings.final_uris(self.scope.uri(), self.scope.unload_prefix())? {
            let seal = self.s3.head(&target).await?.as_ref().and_then(Seal::on);
            let is_its_own = |seal: &Seal| seal.owner == Some(self.owner()) && seal.manifest_version == version;
            if seal.is_some_and(|seal| is_its_own(&seal)) {
                if let Some(sidecar) = &self.scope.sidecar {
                    return Ok(Some(each::too_late(&target, self.scope.uri(), sidecar)));
                }
                let sources = vec![self.scope.uri().to_string()];
                let receipt = Receipt::standing(&target, sources, Outcome::Unchanged, None);
                return Ok(Some(
                    receipt.because("the sources are gone; the final object that was made of them stands"),
                ));
            }
        }
        Ok(None)
    }

    fn target(&self, compression: Option<Compression>) -> Result<Uri, SettingError> {
        self.settings.final_uri(self.scope.uri(), self.scope.unload_prefix(), compression)
    }

    async fn wanted(&self, mut gathered: Gathered) -> Result<Wanted, Stop> {
        let Run { settings, scope, .. } = self;
        let Gathered { first, objects, columns, .. } = &mut gathered;
        let uri = &first.object.uri;
        let options = match columns {
            Some(found) => found.options(settings)?,
            None => settings.options.clone(),
        };
        if !settings.check_columns {
            *columns = columns.take().map(|found| found.lacking(&options));
        }
        if let Some(reason) = needs_no_header(&options, settings.output, columns.as_ref()) {
            return Err(Stop::Settled(Receipt::idle(scope.uri(), Outcome::Skipped, reason)));
        }
        let mut start = None;
        let line = match columns {
            Some(found) => Line::given(settings, uri, found, &options.dialect)?,
            None => Line::own(settings, uri, &start.insert(self.start(objects, &options).await?).opening)?,
        };
        let filename = columns.as_ref().and_then(|found| found.columns.filename.as_deref());
        let attributes = attributes::of_final(settings, first, filename, &options.dialect);
        let fingerprint = Fingerprint::of(objects, &line.asked(&options, settings), options.header, &attributes);
        Ok(Wanted { gathered, options, line, attributes, fingerprint, start })
    }

    /// Whether a seal is that of what is wanted. Where sources are to be deleted it must name the very
    /// manifest that lists them, so that it can answer for them when they are gone.
    fn is_of(&self, seal: &Seal, wanted: &Wanted) -> bool {
        seal.fingerprint == wanted.fingerprint
            && (seal.manifest_version == wanted.gathered.manifest_version || !self.settings.delete_source)
    }

    /// Looks at how the sources begin, and whether the options say so.
    async fn start(&self, objects: &[Object], options: &Options) -> Result<Start, Stop> {
        let lead = Lead::read(self.s3, objects, 0).await?;
        if lead.bytes.starts_with(b"PAR1") {
            let reason = "it is Parquet, which names its columns itself";
            return Err(Stop::Settled(Receipt::idle(self.scope.uri(), Outcome::Skipped, reason)));
        }
        let found = Compression::of(&lead.bytes);
        let named = || options.compression.or(Compression::of_name(&lead.uri.key));
        let compression = if lead.bytes.is_empty() { named() } else { found };
        if options.stated && options.compression != compression && !lead.bytes.is_empty() {
            return Err(Error::CompressionDiffers { uri: lead.uri, said: options.compression, found }.into());
        }
        // The first source that has rows tells. A compressed one without any has bytes all the same.
        let look = |lead: &Lead| Opening::of(&lead.bytes, lead.is_whole(), compression, &options.dialect);
        let (mut opening, mut empty) = (look(&lead), HashSet::from([&objects[lead.source].etag]));
        for index in lead.source + 1..objects.len() {
            if compression.is_none() || opening.first != First::Empty {
                break;
            } else if objects[index].size > 0 && empty.insert(&objects[index].etag) {
                opening = look(&Lead::read(self.s3, objects, index).await?);
            }
        }
        Ok(Start { lead, compression, opening })
    }

    /// `taken` says that another job has the final object at this target, which may not be the right one.
    async fn job(
        &self,
        wanted: Wanted,
        target: Uri,
        stood: Stood,
        taken: Option<Error>,
        thorough: bool,
    ) -> Result<(Line, Job), Stop> {
        let Run { settings, s3, deadline, .. } = self;
        let Wanted { gathered, options, line, mut attributes, fingerprint, start } = wanted;
        let Gathered { first, objects, columns, manifest_version } = gathered;
        let start = match start {
            Some(start) => start,
            None => self.start(&objects, &options).await?,
        };
        let Start { lead, compression, opening } = start;
        if self.target(compression)? != target {
            return Err(Stop::Compressed(compression));
        } else if let Some(error) = taken {
            return Err(error.into());
        }
        let line = match &columns {
            Some(found) if opening.first == First::Empty => {
                Line::given(settings, &lead.uri, &found.clone().lacking(&options), &options.dialect)?
            }
            Some(found) if settings.check_columns => {
                line.fitted(settings, &lead.uri, found, &opening.first, &options.dialect)?
            }
            _ => line,
        };
        let line = line.like(&opening);
        if compression.is_some() {
            attributes.content_type.clone_from(&first.attributes.content_type);
        }
        if first.tagged {
            attributes.tagging = Some(s3.tagging(&first.object.uri).await?);
        }
        let replaced = line.replaces(&lead.uri, &opening, (&options, settings), compression, objects.len() == 1)?;
        let header = if replaced.is_some() { line.compressed(&target, compression)? } else { Bytes::new() };
        let cut = &lead.bytes[..replaced.unwrap_or_default()];
        let is_checked = settings.check_columns && !options.header && cut.len() <= opening.length(false);
        let ambiguous = is_checked.then(|| Bytes::copy_from_slice(line.bare()));
        let alike = Alike { compression, cut, is_promised: options.header, header: ambiguous.as_deref() };
        let sources = join(s3, objects, &lead, &alike, thorough).await?;
        let (owner, columns) = (Some(self.owner()), Some(line.columns()));
        let seal = Seal { fingerprint, owner, columns, size: 0, crc: None, manifest_version };
        let job = Job {
            header,
            ending: line.ending(),
            sources,
            lead,
            compression,
            ambiguous,
            target,
            stood,
            attributes,
            seal,
            deadline: *deadline,
        };
        Ok((line, job))
    }

    /// Deletes the sources of a final object that is proved, if that is wanted. That an earlier run wrote
    /// the object is no proof: only a CRC is.
    async fn dispose(&self, sources: impl Iterator<Item = &Object>, receipt: Receipt) -> Result<Receipt, Error> {
        if !self.settings.delete_source {
            return Ok(receipt);
        }
        let proof = receipt.written.as_ref().map(|written| written.proof);
        if receipt.outcome == Outcome::Unchanged && proof == Some(Proof::Size) {
            return Ok(
                receipt.because("the source is kept: without a CRC, only the run that wrote the object can prove it")
            );
        }
        let deleted = stream::iter(sources).map(|source| self.delete(source)).buffer_unordered(AT_ONCE);
        let deleted: Vec<bool> = deleted.try_collect().await?;
        let kept = deleted.iter().filter(|deleted| !**deleted).count();
        Ok(receipt.because(match (kept, deleted.len()) {
            (0, 1) => "the source is deleted".to_owned(),
            (1, 1) => "the source is not deleted: it has changed since".to_owned(),
            (0, all) => format!("the {all} sources are deleted"),
            (kept, all) => format!("{kept} of the {all} sources are not deleted: they have changed since"),
        }))
    }

    /// Deletes a source as long as it is the one that was copied; whether it was.
    async fn delete(&self, source: &Object) -> Result<bool, Error> {
        let deleted = match self.s3.delete(&source.uri, Some(&source.etag)).await {
            Err(error) if error.status == Some(501) => match self.s3.head(&source.uri).await? {
                Some(found) if found.object.etag == source.etag => self.s3.delete(&source.uri, None).await,
                _ => Err(error),
            },
            result => result,
        };
        match deleted {
            Ok(()) => Ok(true),
            Err(error) if error.overtaken() || error.status == Some(501) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
