//! Operations on whole objects but reads of them, and lists.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{
    ArchiveStatus, ChecksumMode, EncodingType, ObjectAttributes, ObjectStorageClass, StorageClass,
};
use bytes::Bytes;

use super::fields::{
    absent, checksum_of, crc_of, decoded, head_of, in_memory, is_composite, with_attributes, with_crc,
};
use super::{Attributes, Head, ListPage, ListedObject, ObjectVersion, Precondition, S3, S3Error, Seen, Stored, turn};
use crate::crc::{Algorithm, Crc};
use crate::uri::Uri;

impl S3 {
    /// HeadObject, with the object's CRC; `None` if there is no such object. S3 shows the CRC of an object under a KMS
    /// key only to who may decrypt it (S3 API reference, HeadObject), so that a refused request is sent again without
    /// asking for the CRC.
    pub async fn head(&self, uri: &Uri) -> Result<Option<Head>, S3Error> {
        if let Some(begun) = self.ahead.take(|begun| &mut begun.heads, uri) {
            return begun.await;
        }
        match self.head_with(uri, Some(ChecksumMode::Enabled)).await {
            Err(error) if error.status == Some(403) => match self.head_with(uri, None).await {
                Err(_) => Err(error),
                head => head,
            },
            // The answer to a HEAD has no code: the one to a GET says what was wrong.
            Err(error) if error.status == Some(400) && error.regions.is_none() => match self.try_to_read(uri).await {
                Err(said) if said.status == Some(400) => Err(said),
                _ => Err(error),
            },
            head => head,
        }
    }

    async fn head_with(&self, uri: &Uri, mode: Option<ChecksumMode>) -> Result<Option<Head>, S3Error> {
        let _turn = turn(&self.small_requests).await;
        let request = self
            .client
            .head_object()
            .bucket(&uri.bucket)
            .set_expected_bucket_owner(self.owner(&uri.bucket))
            .key(&uri.key)
            .set_checksum_mode(mode);
        let head = match self.traffic.watch(request.send()).await {
            Ok(head) => head,
            Err(error) => return absent(self.error("HeadObject", uri, error)),
        };
        let archive = archive(&head);
        Ok(Some(head_of!("HeadObject", uri, head, archive)))
    }

    /// GetObjectAttributes, all pages: the CRC of the whole of an object in parts, combined from those of the parts.
    /// `None` if a part has no CRC, if the answer is of another version (the operation takes no condition), or if the
    /// server has no such operation.
    pub async fn crc_of_parts(&self, object: &ObjectVersion) -> Result<Option<Crc>, S3Error> {
        let uri = &object.uri;
        let (mut whole, mut size, mut after) = (None::<Crc>, 0, None);
        loop {
            let _turn = turn(&self.small_requests).await;
            let request = self
                .client
                .get_object_attributes()
                .bucket(&uri.bucket)
                .set_expected_bucket_owner(self.owner(&uri.bucket))
                .key(&uri.key);
            let request =
                request.object_attributes(ObjectAttributes::ObjectParts).object_attributes(ObjectAttributes::Etag);
            let request = request.set_part_number_marker(after.take());
            let answer = self.traffic.watch(request.send()).await;
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
        let _turn = turn(&self.small_requests).await;
        let request = self
            .client
            .get_object_tagging()
            .bucket(&uri.bucket)
            .set_expected_bucket_owner(self.owner(&uri.bucket))
            .key(&uri.key);
        let answer = self.traffic.watch(request.send()).await;
        let answer = answer.map_err(|error| self.error("GetObjectTagging", uri, error))?;
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        // Nobody but AWS may set tags that begin with aws:, S3 answers InvalidTag (S3 user guide, "Categorizing your objects using tags").
        let own = answer.tag_set.iter().filter(|tag| !tag.key.starts_with("aws:"));
        let tags = own.map(|tag| format!("{}={}", encode(&tag.key), encode(&tag.value)));
        Ok(tags.collect::<Vec<_>>().join("&"))
    }

    /// ListObjectsV2, all pages: the objects whose keys begin with `prefix`.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ListedObject>, S3Error> {
        let (mut objects, mut token) = (Vec::new(), None);
        loop {
            let page = self.list_page(bucket, prefix, token).await?;
            objects.extend(page.objects);
            token = page.next;
            if token.is_none() {
                return Ok(objects);
            }
        }
    }

    /// One page of ListObjectsV2: the first, or the one that a page before names as its next.
    pub async fn list_page(&self, bucket: &str, prefix: &str, token: Option<String>) -> Result<ListPage, S3Error> {
        self.page(bucket, prefix, token, None).await
    }

    /// The first page of ListObjectsV2 of the objects whose keys come behind `after`: S3 lists a thousand.
    pub async fn list_behind(&self, bucket: &str, prefix: &str, after: &str) -> Result<Vec<ListedObject>, S3Error> {
        let _turn = turn(&self.small_requests).await;
        Ok(self.page(bucket, prefix, None, Some(after.to_owned())).await?.objects)
    }

    async fn page(
        &self,
        bucket: &str,
        prefix: &str,
        token: Option<String>,
        after: Option<String>,
    ) -> Result<ListPage, S3Error> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(bucket)
            .set_expected_bucket_owner(self.owner(bucket))
            .prefix(prefix)
            .set_continuation_token(token)
            .set_start_after(after);
        let request = request.encoding_type(EncodingType::Url);
        let page = self.traffic.watch(request.send()).await;
        let page = page.map_err(|error| self.error("ListObjectsV2", &Uri::new(bucket, prefix), error))?;
        let encoding = page.encoding_type.as_ref();
        let archives =
            [ObjectStorageClass::Glacier, ObjectStorageClass::DeepArchive, ObjectStorageClass::IntelligentTiering];
        let objects = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let size = object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
            let class = object.storage_class;
            Some(ListedObject {
                key: decoded(object.key?, encoding),
                seen: Seen { size, etag: object.e_tag },
                modified: object.last_modified.map(|time| time.secs()),
                may_be_archived: class.is_some_and(|class| archives.contains(&class)),
            })
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
            .patient
            .put_object()
            .bucket(&target.bucket)
            .set_expected_bucket_owner(self.owner(&target.bucket))
            .key(&target.key);
        let request = with_crc!(with_attributes!(request, attributes), crc).body(in_memory(body));
        let request = request.set_if_none_match(precondition.if_none_match()).set_if_match(precondition.if_match());
        let answer = self.traffic.watch(request.send()).await;
        let answer = answer.map_err(|error| self.error("PutObject", target, error))?;
        let crc = crc_of!(answer);
        let etag = answer.e_tag.ok_or_else(|| S3Error::unusable("PutObject", target, "no ETag"))?;
        Ok(Stored { etag, crc })
    }

    /// DeleteObject, if the object still has this ETag; without one, whatever object is there.
    pub async fn delete(&self, uri: &Uri, etag: Option<&str>) -> Result<(), S3Error> {
        let _turn = turn(&self.small_requests).await;
        let request = self
            .client
            .delete_object()
            .bucket(&uri.bucket)
            .set_expected_bucket_owner(self.owner(&uri.bucket))
            .key(&uri.key);
        let request = request.set_if_match(etag.map(str::to_owned));
        let answer = self.traffic.watch(request.send()).await;
        answer.map(drop).map_err(|error| self.error("DeleteObject", uri, error))
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
