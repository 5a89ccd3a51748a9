//! Operations on multipart uploads.

use std::time::Duration;

use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, EncodingType, ServerSideEncryption,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};

use super::client::{LONG_TIMEOUT, with_timeout};
use super::fields::{crc_of, decoded, in_memory, with_attributes, with_crc};
use super::{Attributes, ObjectVersion, Precondition, S3, S3Error, Stored};
use crate::byte_range::ByteRange;
use crate::crc::{Algorithm, Crc};
use crate::uri::Uri;

/// S3 may take minutes to put many parts together (AWS, S3 API reference, CompleteMultipartUpload).
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(600);
/// In bytes a second. A copy that is slower for longer than [`LONG_TIMEOUT`] is taken to be stuck. All that are in flight share
/// what speed S3 has: 192 of them are as slow on a store that copies 96 MiB a second, as a hard disk does.
const SLOWEST_COPY: u64 = 512 << 10;

/// A multipart upload that is under way.
#[derive(Clone, Debug)]
pub struct OpenUpload {
    pub target: Uri,
    pub id: String,
}

/// A multipart upload that was just created.
#[derive(Clone, Debug)]
pub struct CreatedUpload {
    pub upload: OpenUpload,
    /// Its parts are encrypted under a KMS key, so that their ETags are no MD5 (S3 API reference, "Object").
    pub is_under_kms: bool,
}

/// A part that S3 has.
#[derive(Clone, Debug)]
pub struct UploadedPart {
    pub number: i32,
    pub size: u64,
    pub etag: String,
    /// Known if the upload was created with an algorithm.
    pub crc: Option<Crc>,
}

impl S3 {
    /// CreateMultipartUpload; with an algorithm, S3 keeps such a CRC of the whole object.
    pub async fn create(
        &self,
        target: &Uri,
        attributes: &Attributes,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedUpload, S3Error> {
        let request = self
            .patient
            .create_multipart_upload()
            .bucket(&target.bucket)
            .set_expected_bucket_owner(self.owner(&target.bucket))
            .key(&target.key);
        let request = with_attributes!(request, attributes)
            .set_checksum_algorithm(algorithm.map(ChecksumAlgorithm::from))
            .set_checksum_type(algorithm.map(|_| ChecksumType::FullObject));
        let answer = self.traffic.watch(request.send()).await;
        let answer = answer.map_err(|error| self.error("CreateMultipartUpload", target, error))?;
        let id = answer.upload_id.ok_or_else(|| S3Error::unusable("CreateMultipartUpload", target, "no UploadId"))?;
        let kms = [ServerSideEncryption::AwsKms, ServerSideEncryption::AwsKmsDsse];
        let is_under_kms = answer.server_side_encryption.is_some_and(|encryption| kms.contains(&encryption));
        Ok(CreatedUpload { upload: OpenUpload { target: target.clone(), id }, is_under_kms })
    }

    /// UploadPart; part numbers begin at 1. The algorithm is that of the upload; if it has none, the MD5 is sent, as a bucket
    /// with Object Lock wants a checksum of each part.
    pub async fn upload_part(
        &self,
        upload: &OpenUpload,
        number: i32,
        body: Bytes,
        algorithm: Option<Algorithm>,
    ) -> Result<UploadedPart, S3Error> {
        let OpenUpload { target, id } = upload;
        let size = body.len() as u64;
        let crc = algorithm.map(|algorithm| Crc::of(algorithm, &body));
        let md5 = crc.is_none().then(|| STANDARD.encode(Md5::digest(&body)));
        let request = self
            .patient
            .upload_part()
            .bucket(&target.bucket)
            .set_expected_bucket_owner(self.owner(&target.bucket))
            .key(&target.key)
            .upload_id(id);
        let request = with_crc!(request, crc).set_content_md5(md5).part_number(number).body(in_memory(body));
        let answer = self.traffic.watch(request.send()).await;
        let error = |error: S3Error| error.of_part(number);
        let answer = answer.map_err(|failure| error(self.error("UploadPart", target, failure)))?;
        let etag = answer.e_tag.ok_or_else(|| error(S3Error::unusable("UploadPart", target, "no ETag")))?;
        Ok(UploadedPart { number, size, etag, crc })
    }

    /// UploadPartCopy of a range, or of the whole source. S3 refuses it if the source no longer has this ETag.
    pub async fn copy_part(
        &self,
        upload: &OpenUpload,
        number: i32,
        source: &ObjectVersion,
        range: ByteRange,
    ) -> Result<UploadedPart, S3Error> {
        let OpenUpload { target, id } = upload;
        let slowest = Duration::from_secs(range.length() / SLOWEST_COPY);
        let part = (range.length() < source.size).then(|| range.to_string());
        let request = self
            .client
            .upload_part_copy()
            .bucket(&target.bucket)
            .set_expected_bucket_owner(self.owner(&target.bucket))
            .key(&target.key)
            .upload_id(id);
        let request = request
            .part_number(number)
            .copy_source(source.uri.copy_source())
            .copy_source_if_match(&source.etag)
            .set_expected_source_bucket_owner(self.owner(&source.uri.bucket))
            .set_copy_source_range(part)
            .customize()
            .config_override(with_timeout(LONG_TIMEOUT + slowest));
        let error = |error: S3Error| error.of_part(number);
        let answer = self
            .traffic
            .watch(request.send())
            .await
            .map_err(|failure| error(self.error("UploadPartCopy", target, failure)))?;
        let result = answer.copy_part_result.as_ref();
        let crc = result.and_then(|result| crc_of!(result));
        let etag = result.and_then(|result| result.e_tag.clone());
        let etag = etag.ok_or_else(|| error(S3Error::unusable("UploadPartCopy", target, "no CopyPartResult")))?;
        Ok(UploadedPart { number, size: range.length(), etag, crc })
    }

    /// CompleteMultipartUpload. S3 refuses it if the precondition does not hold or the whole has another size or CRC.
    pub async fn complete(
        &self,
        upload: &OpenUpload,
        parts: &[UploadedPart],
        size: u64,
        precondition: &Precondition,
        crc: Option<Crc>,
    ) -> Result<Stored, S3Error> {
        let OpenUpload { target, id } = upload;
        let parts = parts.iter().map(|part| {
            let completed = CompletedPart::builder().part_number(part.number).e_tag(&part.etag);
            with_crc!(completed, part.crc).build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(&target.bucket)
            .set_expected_bucket_owner(self.owner(&target.bucket))
            .key(&target.key)
            .upload_id(id);
        let request = with_crc!(request, crc)
            .set_checksum_type(crc.map(|_| ChecksumType::FullObject))
            .multipart_upload(parts)
            .mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX))
            .set_if_none_match(precondition.if_none_match())
            .set_if_match(precondition.if_match());
        let request = request.customize().config_override(with_timeout(COMPLETION_TIMEOUT));
        let answer = self.traffic.watch(request.send()).await;
        let answer = answer.map_err(|error| self.error("CompleteMultipartUpload", target, error))?;
        let crc = crc_of!(answer);
        let etag = answer.e_tag.ok_or_else(|| S3Error::unusable("CompleteMultipartUpload", target, "no ETag"))?;
        Ok(Stored { etag, crc })
    }

    /// AbortMultipartUpload; that the upload is gone already is no error.
    pub async fn abort(&self, upload: &OpenUpload) -> Result<(), S3Error> {
        let OpenUpload { target, id } = upload;
        let request = self
            .patient
            .abort_multipart_upload()
            .bucket(&target.bucket)
            .set_expected_bucket_owner(self.owner(&target.bucket))
            .key(&target.key)
            .upload_id(id);
        let answer = self.traffic.watch(request.send()).await;
        match answer.map_err(|error| self.error("AbortMultipartUpload", target, error)) {
            Err(error) if error.status != Some(404) => Err(error),
            _ => Ok(()),
        }
    }

    /// ListParts, all pages; empty for an upload that is gone.
    pub async fn parts(&self, upload: &OpenUpload) -> Result<Vec<UploadedPart>, S3Error> {
        let OpenUpload { target, id } = upload;
        let (mut parts, mut after) = (Vec::new(), None);
        loop {
            let request = self
                .client
                .list_parts()
                .bucket(&target.bucket)
                .set_expected_bucket_owner(self.owner(&target.bucket))
                .key(&target.key)
                .upload_id(id);
            let request = request.set_part_number_marker(after.take());
            let page = self.traffic.watch(request.send()).await;
            let page = match page.map_err(|error| self.error("ListParts", target, error)) {
                Err(error) if error.status == Some(404) => return Ok(Vec::new()),
                page => page?,
            };
            parts.extend(page.parts().iter().filter_map(|part| {
                let size = u64::try_from(part.size?).ok()?;
                Some(UploadedPart { number: part.part_number?, size, etag: part.e_tag.clone()?, crc: crc_of!(part) })
            }));
            match page.next_part_number_marker.filter(|_| page.is_truncated == Some(true)) {
                None => return Ok(parts),
                next => after = next,
            }
        }
    }

    /// ListMultipartUploads, all pages: the uploads to this very key. Empty for a server that has no such list.
    pub async fn uploads(&self, target: &Uri) -> Result<Vec<OpenUpload>, S3Error> {
        if let Some(begun) = self.ahead.take(|begun| &mut begun.uploads, target) {
            return begun.await;
        }
        let mut uploads = self.uploads_below(target).await?;
        uploads.retain(|upload| upload.target == *target);
        Ok(uploads)
    }

    /// The same, to all keys that begin as this one.
    pub async fn uploads_below(&self, target: &Uri) -> Result<Vec<OpenUpload>, S3Error> {
        let (mut uploads, mut after) = (Vec::new(), (None, None));
        loop {
            let request = self
                .client
                .list_multipart_uploads()
                .bucket(&target.bucket)
                .set_expected_bucket_owner(self.owner(&target.bucket))
                .prefix(&target.key);
            let request = request.set_key_marker(after.0.take()).set_upload_id_marker(after.1.take());
            let request = request.encoding_type(EncodingType::Url);
            let page = self.traffic.watch(request.send()).await;
            let page = match page.map_err(|error| self.error("ListMultipartUploads", target, error)) {
                Err(error) if error.status == Some(501) => return Ok(uploads),
                // `rclone serve s3` says so of a bucket without uploads.
                Err(error) if error.code.as_deref() == Some("NoSuchUpload") => return Ok(uploads),
                page => page?,
            };
            let encoding = page.encoding_type.as_ref();
            uploads.extend(page.uploads.unwrap_or_default().into_iter().filter_map(|upload| {
                let target = target.sibling(decoded(upload.key?, encoding));
                Some(OpenUpload { target, id: upload.upload_id? })
            }));
            match page.next_key_marker.filter(|_| page.is_truncated == Some(true)) {
                None => return Ok(uploads),
                next => after = (next.map(|key| decoded(key, encoding)), page.next_upload_id_marker),
            }
        }
    }
}

impl From<Algorithm> for ChecksumAlgorithm {
    fn from(algorithm: Algorithm) -> ChecksumAlgorithm {
        match algorithm {
            Algorithm::Crc64Nvme => ChecksumAlgorithm::Crc64Nvme,
            Algorithm::Crc32 => ChecksumAlgorithm::Crc32,
            Algorithm::Crc32c => ChecksumAlgorithm::Crc32C,
        }
    }
}
