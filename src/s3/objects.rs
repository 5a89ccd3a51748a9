//! Operations on whole objects, and lists of them.

use std::fmt;
use std::time::Duration;

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ArchiveStatus, ChecksumMode, ChecksumType, EncodingType, ObjectAttributes, StorageClass};
use bytes::{Bytes, BytesMut};

use super::client::{ATTEMPTS, LONG_TIMEOUT, SHORT_TIMEOUT, with_timeout};
use super::fields::{absent, crc_of, decoded, in_memory, with_attributes, with_crc};
use super::{
    Attributes, Head, ListPage, ListedObject, ObjectVersion, Precondition, S3, S3Error, SmallObject, Stored, parts_in,
};
use crate::byte_range::ByteRange;
use crate::crc::{Algorithm, Crc};
use crate::uri::Uri;

impl S3 {
    /// HeadObject, with the object's CRC; `None` if there is no such object. S3 shows the CRC of an object under a KMS
    /// key only to who may decrypt it (S3 API reference, HeadObject), so that a refused request is sent again without
    /// asking for the CRC.
    pub async fn head(&self, uri: &Uri) -> Result<Option<Head>, S3Error> {
        match self.head_with(uri, Some(ChecksumMode::Enabled)).await {
            Err(error) if error.status == Some(403) => match self.head_with(uri, None).await {
                Err(_) => Err(error),
                head => head,
            },
            // The answer to a HEAD has no code: the one to a GET says what was wrong.
            Err(error) if error.status == Some(400) && error.regions.is_none() => {
                match self.get(uri, 1, |request| request.range("bytes=0-0")).await {
                    Err(said) if said.status == Some(400) => Err(said),
                    _ => Err(error),
                }
            }
            head => head,
        }
    }

    async fn head_with(&self, uri: &Uri, mode: Option<ChecksumMode>) -> Result<Option<Head>, S3Error> {
        let request = self
            .client
            .head_object()
            .bucket(&uri.bucket)
            .set_expected_bucket_owner(self.owner(&uri.bucket))
            .key(&uri.key)
            .set_checksum_mode(mode);
        let head = match request.customize().interceptor(self.traffic.clone()).send().await {
            Ok(head) => head,
            Err(error) => return absent(self.error("HeadObject", uri, error)),
        };
        let modified = head.last_modified.map_or(0, |time| time.secs());
        let tagged = head.tag_count().is_some_and(|count| count > 0);
        let is_composite = is_composite(&head);
        let crc = crc_of!(head).filter(|_| !is_composite);
        let archive = archive(&head);
        let attributes = Attributes {
            metadata: head.metadata.unwrap_or_default(),
            content_type: head.content_type,
            content_disposition: head.content_disposition,
            content_encoding: head.content_encoding,
            content_language: head.content_language,
            cache_control: head.cache_control,
            expires: head.expires_string,
            tagging: None,
            kms_key_id: None,
        };
        let size = head.content_length.and_then(|size| u64::try_from(size).ok());
        let (Some(size), Some(etag)) = (size, head.e_tag) else {
            return Err(S3Error::unusable("HeadObject", uri, "no Content-Length or ETag"));
        };
        let object = ObjectVersion { uri: uri.clone(), size, etag, crc, is_composite };
        Ok(Some(Head { object, attributes, archive, tagged, kms_key_id: head.ssekms_key_id, modified }))
    }

    /// GetObject of a whole small object; `None` if there is no such object, an error if it has more than `limit` bytes.
    pub async fn get_small(&self, uri: &Uri, limit: u64) -> Result<Option<SmallObject>, S3Error> {
        match self.get(uri, limit, |request| request).await {
            Ok(found) => Ok(Some(found)),
            Err(error) => absent(error),
        }
    }

    /// GetObject of a range of the version that has this ETag.
    pub async fn get_range(&self, object: &ObjectVersion, range: ByteRange) -> Result<Bytes, S3Error> {
        let pinned = |request: GetObjectFluentBuilder| request.if_match(&object.etag).range(range.to_string());
        let SmallObject { bytes, .. } = self.get(&object.uri, range.length(), pinned).await?;
        match bytes.len() as u64 == range.length() {
            true => Ok(bytes),
            false => Err(S3Error::unusable("GetObject", &object.uri, &format!("{} bytes for {range}", bytes.len()))),
        }
    }

    /// GetObject of at most `limit` bytes. The SDK retries only what fails before the body.
    async fn get(
        &self,
        uri: &Uri,
        limit: u64,
        with: impl Fn(GetObjectFluentBuilder) -> GetObjectFluentBuilder,
    ) -> Result<SmallObject, S3Error> {
        let mut attempt = 1;
        loop {
            let request = with(
                self.client
                    .get_object()
                    .bucket(&uri.bucket)
                    .set_expected_bucket_owner(self.owner(&uri.bucket))
                    .key(&uri.key),
            );
            let answer = request.customize().interceptor(self.traffic.clone()).send().await;
            let answer = answer.map_err(|error| self.error("GetObject", uri, error))?;
            let size = answer.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX);
            if size > limit {
                return Err(S3Error::too_long(uri, size, limit));
            }
            match read(uri, answer.body, size).await {
                Err(_) if attempt < ATTEMPTS => tokio::time::sleep(Duration::from_millis(100) * attempt).await,
                result => {
                    let bytes = result?;
                    self.traffic.read(bytes.len() as u64);
                    let modified = answer.last_modified.map_or(0, |time| time.secs());
                    return Ok(SmallObject { bytes, etag: answer.e_tag.unwrap_or_default(), modified });
                }
            }
            attempt += 1;
        }
    }

    /// GetObjectAttributes, all pages: the CRC of the whole of an object in parts, combined from those of the parts.
    /// `None` if a part has no CRC, if the answer is of another version (the operation takes no condition), or if the
    /// server has no such operation.
    pub async fn crc_of_parts(&self, object: &ObjectVersion) -> Result<Option<Crc>, S3Error> {
        let uri = &object.uri;
        let (mut whole, mut size, mut after) = (None::<Crc>, 0, None);
        loop {
            let request = self
                .client
                .get_object_attributes()
                .bucket(&uri.bucket)
                .set_expected_bucket_owner(self.owner(&uri.bucket))
                .key(&uri.key);
            let request =
                request.object_attributes(ObjectAttributes::ObjectParts).object_attributes(ObjectAttributes::Etag);
            let request = request.set_part_number_marker(after.take());
            let answer = request.customize().interceptor(self.traffic.clone()).send().await;
            let answer = match answer.map_err(|error| self.error("GetObjectAttributes", uri, error)) {
                Err(error) if matches!(error.status, Some(400 | 405 | 501)) => return Ok(None),
                answer => answer?,
            };
            let is_the_one = answer.e_tag().map(|etag| etag.trim_matches('"')) == Some(object.etag.trim_matches('"'));
            let Some(page) = answer.object_parts().filter(|_| is_the_one) else { return Ok(None) };
            for part in page.parts() {
                let length = part.size().and_then(|size| u64::try_from(size).ok());
                let (Some(crc), Some(length)) = (crc_of!(part), length) else { return Ok(None) };
                whole = match whole {
                    None => Some(crc),
                    Some(whole) if whole.algorithm != crc.algorithm => return Ok(None),
                    Some(whole) => Some(whole.then(crc, length)),
                };
                size += length;
            }
            after = page.next_part_number_marker().filter(|_| page.is_truncated() == Some(true)).map(str::to_owned);
            if after.is_none() {
                return Ok(whole.filter(|_| size == object.size));
            }
        }
    }

    /// GetObjectTagging, in the form in which CreateMultipartUpload takes it.
    pub async fn tagging(&self, uri: &Uri) -> Result<String, S3Error> {
        let request = self
            .client
            .get_object_tagging()
            .bucket(&uri.bucket)
            .set_expected_bucket_owner(self.owner(&uri.bucket))
            .key(&uri.key);
        let answer = request.customize().interceptor(self.traffic.clone()).send().await;
        let answer = answer.map_err(|error| self.error("GetObjectTagging", uri, error))?;
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        // Nobody but AWS may set tags that begin with aws:, S3 answers InvalidTag (S3 user guide, "Categorizing your objects using tags").
        let own = answer.tag_set.iter().filter(|tag| !tag.key.starts_with("aws:"));
        let tags = own.map(|tag| format!("{}={}", encode(&tag.key), encode(&tag.value)));
        Ok(tags.collect::<Vec<_>>().join("&"))
    }

    /// ListObjectsV2, all pages: the keys that begin with `prefix`.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, S3Error> {
        let (mut keys, mut token) = (Vec::new(), None);
        loop {
            let page = self.list_page(bucket, prefix, token).await?;
            keys.extend(page.objects.into_iter().map(|object| object.key));
            token = page.next;
            if token.is_none() {
                return Ok(keys);
            }
        }
    }

    /// One page of ListObjectsV2: the first, or the one that a page before names as its next.
    pub async fn list_page(&self, bucket: &str, prefix: &str, token: Option<String>) -> Result<ListPage, S3Error> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(bucket)
            .set_expected_bucket_owner(self.owner(bucket))
            .prefix(prefix)
            .set_continuation_token(token);
        let request = request.encoding_type(EncodingType::Url);
        let page = request.customize().interceptor(self.traffic.clone()).send().await;
        let page = page.map_err(|error| self.error("ListObjectsV2", &Uri::new(bucket, prefix), error))?;
        let encoding = page.encoding_type.as_ref();
        let objects = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let size = object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
            Some(ListedObject { key: decoded(object.key?, encoding), size })
        });
        let objects = objects.collect();
        Ok(ListPage { objects, next: page.next_continuation_token.filter(|_| page.is_truncated == Some(true)) })
    }

    /// PutObject. S3 refuses it if the precondition does not hold or the body has another CRC.
    pub async fn put(
        &self,
        target: &Uri,
        body: Bytes,
        attributes: &Attributes,
        precondition: &Precondition,
        crc: Option<Crc>,
    ) -> Result<Stored, S3Error> {
        let request = self
            .client
            .put_object()
            .bucket(&target.bucket)
            .set_expected_bucket_owner(self.owner(&target.bucket))
            .key(&target.key);
        let request = with_crc!(with_attributes!(request, attributes), crc).body(in_memory(body));
        let request = request.set_if_none_match(precondition.if_none_match()).set_if_match(precondition.if_match());
        let request = request.customize().interceptor(self.traffic.clone()).config_override(with_timeout(LONG_TIMEOUT));
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.error("PutObject", target, error))?;
        let crc = crc_of!(answer);
        let etag = answer.e_tag.ok_or_else(|| S3Error::unusable("PutObject", target, "no ETag"))?;
        Ok(Stored { etag, crc })
    }

    /// DeleteObject, if the object still has this ETag; without one, whatever object is there.
    pub async fn delete(&self, uri: &Uri, etag: Option<&str>) -> Result<(), S3Error> {
        let request = self
            .client
            .delete_object()
            .bucket(&uri.bucket)
            .set_expected_bucket_owner(self.owner(&uri.bucket))
            .key(&uri.key);
        let request = request.set_if_match(etag.map(str::to_owned));
        let answer = request.customize().interceptor(self.traffic.clone()).send().await;
        answer.map(drop).map_err(|error| self.error("DeleteObject", uri, error))
    }
}

/// Whether the checksum is a checksum of the parts' checksums. A server that does not say which of the two it is may
/// drop the `-N` that tells it; then the checksum of any object in parts is taken for one, but for CRC64NVME, which is
/// always of the whole (S3 user guide, "Checking object integrity").
fn is_composite(head: &HeadObjectOutput) -> bool {
    let is_crc32 = head.checksum_crc32().or(head.checksum_crc32_c()).is_some();
    match head.checksum_type() {
        Some(kind) => *kind == ChecksumType::Composite,
        None => is_crc32 && head.e_tag().and_then(parts_in).is_some(),
    }
}

/// The archive from which the object would have to be restored before S3 gives anything of it: a storage class, or a tier
/// of INTELLIGENT_TIERING (S3 user guide, "Working with archived objects").
fn archive(head: &HeadObjectOutput) -> Option<String> {
    let class = head.storage_class().filter(|class| matches!(class, StorageClass::Glacier | StorageClass::DeepArchive));
    let place = class.map(StorageClass::as_str).or(head.archive_status().map(ArchiveStatus::as_str));
    let is_restored = head.restore().is_some_and(|restore| restore.contains("ongoing-request=\"false\""));
    place.filter(|_| !is_restored).map(str::to_owned)
}

/// Reads a body of a known length; HTTP sees to it that it has that length.
async fn read(uri: &Uri, mut body: ByteStream, length: u64) -> Result<Bytes, S3Error> {
    let cut = |what: &dyn fmt::Display| S3Error::broken_off(uri, what);
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or_default());
    while let Some(chunk) = tokio::time::timeout(SHORT_TIMEOUT, body.next()).await.map_err(|late| cut(&late))? {
        bytes.extend_from_slice(&chunk.map_err(|error| cut(&DisplayErrorContext(error)))?);
    }
    Ok(bytes.freeze())
}
