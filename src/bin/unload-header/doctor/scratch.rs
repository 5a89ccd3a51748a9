//! Where the doctor writes, and what it writes there.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use unload_header::byte_range::ByteRange;
use unload_header::crc::{Algorithm, Crc};
use unload_header::s3::{Attributes, Head, ObjectVersion, OpenUpload, Precondition, S3, S3Error, Stored, UploadedPart};
use unload_header::uri::Uri;

use super::Verdict;
use super::short;

/// The least that a part may have, but the last, in bytes.
pub const PART: u64 = 5 << 20;
/// Of uploads.
pub const CRC: Option<Algorithm> = Some(Algorithm::Crc64Nvme);

pub struct Scratch {
    pub s3: S3,
    pub folder: Uri,
    pub kms_key_id: Option<String>,
}

impl Scratch {
    pub fn new(s3: S3, place: &Uri, kms_key_id: Option<String>) -> Scratch {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let slash = if place.key.is_empty() || place.key.ends_with('/') { "" } else { "/" };
        let folder = place.sibling(format!("{}{slash}unload-header-doctor-{now:x}/", place.key));
        Scratch { s3, folder, kms_key_id }
    }

    pub fn uri(&self, name: &str) -> Uri {
        self.folder.sibling(format!("{}{name}", self.folder.key))
    }

    pub async fn put(&self, uri: &Uri, body: impl Into<Bytes>, condition: &Precondition) -> Result<Stored, S3Error> {
        self.s3.put(uri, body.into(), &Attributes::default(), condition, None).await
    }

    /// An object that is there now.
    pub async fn object(&self, name: &str, body: impl Into<Bytes>) -> Result<ObjectVersion, S3Error> {
        let uri = self.uri(name);
        self.put(&uri, body, &Precondition::None).await?;
        Ok(self.head(&uri).await?.object)
    }

    pub async fn head(&self, uri: &Uri) -> Result<Head, S3Error> {
        let missing = || S3Error::gone("HeadObject", uri);
        self.s3.head(uri).await?.ok_or_else(missing)
    }

    pub async fn text(&self, uri: &Uri) -> Result<Bytes, S3Error> {
        let object = self.head(uri).await?.object;
        match ByteRange::new(0, object.size) {
            Some(range) => self.s3.get_range(&object, range).await,
            None => Ok(Bytes::new()),
        }
    }

    pub async fn create(&self, uri: &Uri, algorithm: Option<Algorithm>) -> Result<OpenUpload, S3Error> {
        Ok(self.s3.create(uri, &Attributes::default(), algorithm).await?.upload)
    }

    /// An upload of these bodies as parts.
    pub async fn parts(
        &self,
        uri: &Uri,
        algorithm: Option<Algorithm>,
        bodies: &[Bytes],
    ) -> Result<(OpenUpload, Vec<UploadedPart>), S3Error> {
        let upload = self.create(uri, algorithm).await?;
        let mut parts = Vec::new();
        for (number, body) in (1..).zip(bodies) {
            parts.push(self.s3.upload_part(&upload, number, body.clone(), algorithm).await?);
        }
        Ok((upload, parts))
    }

    /// Deletes all that is in the doctor's folder.
    pub async fn clear(&self) -> Result<(), S3Error> {
        for upload in self.s3.uploads_below(&self.folder).await? {
            self.s3.abort(&upload).await?;
        }
        for object in self.s3.list(&self.folder.bucket, &self.folder.key).await? {
            self.s3.delete(&self.folder.sibling(object.key), None).await?;
        }
        Ok(())
    }
}

/// Bytes of which none of the first 64 KiB begins what follows it.
pub fn bytes(length: u64, seed: u8) -> Bytes {
    let block: Vec<u8> = (0..1 << 14).map(|at: u32| (at / 64) as u8 ^ (at as u8).wrapping_mul(31) ^ seed).collect();
    let mut bytes = block.repeat((length as usize).div_ceil(block.len()));
    bytes.truncate(length as usize);
    bytes.into()
}

pub fn crc(body: &[u8]) -> Crc {
    Crc::of(Algorithm::Crc64Nvme, body)
}

/// A request that must be refused with one of these.
pub fn refused<T>(result: Result<T, S3Error>, statuses: &[u16]) -> Verdict {
    match result {
        Ok(_) => Verdict::NotKept("it was accepted".to_owned()),
        Err(error) if error.status.is_some_and(|status| statuses.contains(&status)) => Verdict::Kept(short(&error)),
        Err(error) => Verdict::NotKept(short(&error)),
    }
}

/// A write for its content, which must not have taken effect where nothing was.
pub async fn refused_unwritten(it: &Scratch, uri: &Uri, write: Result<Stored, S3Error>) -> Result<Verdict, S3Error> {
    Ok(match refused(write, &[400]) {
        // Who may not list keys is answered 403.
        Verdict::Kept(seen) if matches!(it.s3.head(uri).await, Ok(Some(_))) => {
            Verdict::NotKept(format!("{seen}, and wrote it"))
        }
        verdict => verdict,
    })
}

/// A rule, with what was seen.
pub fn holds(is_kept: bool, seen: impl Into<String>) -> Verdict {
    if is_kept { Verdict::Kept(seen.into()) } else { Verdict::NotKept(seen.into()) }
}
