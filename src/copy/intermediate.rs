//! Intermediate objects: made, or found made, and deleted in the end. [`super::groups`] says what they are for.

use bytes::Bytes;

use super::groups::Group;
use super::multipart::{abort, multipart};
use super::plan::Plan;
use super::proof::{proof_of, prove};
use super::{Assembly, CopyError, Source};
use crate::crc::Crc;
use crate::s3::{Attributes, Effort, ObjectVersion, OpenUpload, Precondition, S3, S3Error};
use crate::seal::{Fingerprint, JobId, Seal};
use crate::settings::INTERMEDIATES;
use crate::uri::Uri;

/// Has `make` put each group of sources together, and puts what comes of it in the place of those sources. If it fails, the
/// assembly can't be used any more.
pub async fn join(
    assembly: &mut Assembly,
    groups: &[Group],
    mut make: impl AsyncFnMut(Assembly, &Plan) -> Result<ObjectVersion, CopyError>,
) -> Result<(), CopyError> {
    let mut rest = std::mem::take(&mut assembly.sources).into_iter();
    let (mut sources, mut taken) = (Vec::new(), 0);
    for Group { sources: range, plan } in groups {
        sources.extend(rest.by_ref().take(range.start - taken));
        let own = rest.by_ref().take(range.len()).collect();
        let header = if range.start == 0 { std::mem::take(&mut assembly.header) } else { Bytes::new() };
        let object = make(assembly.of_group(range.start, header, own), plan).await?;
        sources.push(Source { is_intermediate: true, ..Source::from(object) });
        taken = range.end;
    }
    sources.extend(rest);
    assembly.sources = sources;
    Ok(())
}

impl Assembly {
    /// The assembly of an intermediate object of these sources; `first` is the index of the first of them.
    fn of_group(&self, first: usize, header: Bytes, sources: Vec<Source>) -> Assembly {
        let job = self.seal.job.clone();
        let kms_key_id = self.attributes.kms_key_id.clone();
        // What small slices are held against when they are read.
        let unlike = format!("{:?} {:?}", self.compression, self.forbidden_header);
        let of_all = [
            job.as_ref().map_or("", JobId::hash).as_bytes(),
            self.target.to_string().as_bytes(),
            kms_key_id.as_deref().unwrap_or_default().as_bytes(),
            first.to_string().as_bytes(),
            self.ending,
            unlike.as_bytes(),
            &header,
        ]
        .map(<[u8]>::to_vec);
        let of_source = |Source { object, start, newline, .. }: &Source| {
            format!("{} {} {start} {newline}", object.etag, object.size).into_bytes()
        };
        let fingerprint = Fingerprint::over(of_all.into_iter().chain(sources.iter().map(of_source)));
        let target = self.target.sibling(folder(job.as_ref()) + fingerprint.as_str());
        Assembly {
            header,
            ending: self.ending,
            sources,
            crcs_come_with_rows: self.crcs_come_with_rows,
            first_bytes: self.first_bytes.clone(),
            compression: self.compression,
            forbidden_header: self.forbidden_header.clone(),
            target,
            precondition: Precondition::Absent,
            attributes: Attributes { kms_key_id, ..Attributes::default() },
            seal: Seal { fingerprint, job, columns: None, size: 0, crc: None, manifest_hash: None },
            deadline: self.deadline.clone(),
        }
    }
}

/// How the keys of a job's intermediate objects begin.
fn folder(job: Option<&JobId>) -> String {
    format!("{INTERMEDIATES}{}/", job.map_or("", JobId::hash))
}

/// The intermediate object, if it is there and right. If something else is there, it is what may be replaced.
pub async fn find(
    s3: &S3,
    assembly: &mut Assembly,
    plan: &Plan,
    expected: Option<Crc>,
) -> Result<Option<ObjectVersion>, CopyError> {
    let Some(head) = s3.head(&assembly.target).await? else {
        assembly.precondition = Precondition::Absent;
        return Ok(None);
    };
    let is_its_own = Seal::on(&head) == Some(assembly.sealed(plan.length, expected));
    let object = head.object;
    if is_its_own && proof_of(&assembly.target, plan, &object, expected).is_ok() {
        return Ok(Some(object));
    }
    tracing::warn!(object = %assembly.target, "what is there is not the intermediate object, and is replaced");
    assembly.precondition = Precondition::Etag(object.etag);
    Ok(None)
}

/// Makes an intermediate object, unless it is there, and proves it.
pub async fn make(s3: &S3, mut assembly: Assembly, plan: &Plan) -> Result<ObjectVersion, CopyError> {
    let expected = assembly.crc();
    if let Some(found) = find(s3, &mut assembly, plan, expected).await? {
        tracing::info!(object = %found.uri, parts = plan.parts.len(), "an intermediate object is there already");
        s3.wrote(plan.parts.len() as u64, plan.length);
        return Ok(found);
    }
    assembly.seal_with(plan.length, expected);
    let (stored, expected) = match multipart(s3, &assembly, plan, expected).await {
        // Another run of the job was first.
        Err(CopyError::S3(error)) if error.is_overtaken() => {
            return find(s3, &mut assembly, plan, expected).await?.ok_or(error.into());
        }
        stored => stored?,
    };
    match prove(s3, &assembly.target, plan, &stored, expected).await {
        // Another run of the job has ended, and deleted it.
        Err(CopyError::ObjectMissing { uri }) => Err(S3Error::gone("HeadObject", &uri).into()),
        proved => {
            proved?;
            let uri = assembly.target;
            Ok(ObjectVersion { uri, size: plan.length, etag: stored.etag, crc: expected, is_composite: false })
        }
    }
}

/// Intermediate objects that are not needed any more, and uploads of such.
#[derive(Debug)]
pub struct Leftovers {
    objects: Vec<Uri>,
    uploads: Vec<OpenUpload>,
}

impl Leftovers {
    /// These objects, and the uploads to their keys.
    pub async fn of(s3: &S3, objects: Vec<Uri>) -> Result<Leftovers, S3Error> {
        let mut uploads = Vec::new();
        if let Some((folder, _)) = objects.first().and_then(|uri| uri.key.rsplit_once('/')) {
            uploads = s3.uploads_below(&objects[0].sibling(format!("{folder}/"))).await?;
            uploads.retain(|upload| objects.contains(&upload.target));
        }
        Ok(Leftovers { objects, uploads })
    }

    /// All that a job has left in the bucket of its final object.
    pub async fn of_job(s3: &S3, target: &Uri, job: &JobId) -> Result<Leftovers, S3Error> {
        let folder = target.sibling(folder(Some(job)));
        let objects = s3.list(&folder.bucket, &folder.key).await?;
        let uploads = s3.uploads_below(&folder).await?;
        Ok(Leftovers { objects: objects.into_iter().map(|object| folder.sibling(object.key)).collect(), uploads })
    }

    /// What it takes to clear them away.
    pub fn effort(&self) -> Effort {
        let deletions = self.objects.iter().map(|_| Effort::DELETE);
        let aborts = self.uploads.iter().map(|_| Effort::DELETE.and(Effort::PUT));
        deletions.chain(aborts).fold(Effort::default(), Effort::and)
    }

    /// Deletes the objects and aborts the uploads. What can't be deleted is left to the bucket's lifecycle rule.
    pub async fn clear(self, s3: &S3) {
        for upload in &self.uploads {
            abort(s3, upload).await;
        }
        for object in &self.objects {
            if let Err(failure) = s3.delete(object, None).await {
                tracing::warn!(%object, "an intermediate object could not be deleted: {failure}");
            }
        }
    }
}
