//! The operations, by AWS's rules. Codes are those that S3 itself was seen to answer with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use futures_util::stream;
use hyper::header::HeaderValue;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use crate::checksum::{Checked, Checksum as Kept, base64};
use crate::fields::{encryption, full_object, headers, sent, show, shown, with_checksum, with_checksum_of};
use crate::object::{Headers, Object as Stored};
use crate::rules::{
    Sent, allowed, copy_range, copy_source, failed, has_md5, is_composite_by_default, matches, received, verified,
};
use crate::store::Store;

const PAGE: usize = 1_000;

pub struct Api {
    store: Arc<Mutex<Store>>,
}

impl Api {
    pub fn new(store: Arc<Mutex<Store>>) -> Api {
        Api { store }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl S3 for Api {
    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let store = self.store();
        let object = store.found(&input.bucket, &input.key)?;
        object.allow_looking()?;
        let content_length = Some(object.content.length().cast_signed());
        let mut output = HeadObjectOutput { content_length, ..Default::default() };
        show!(output, object);
        if input.checksum_mode.is_some() {
            with_checksum_of!(output, object, store);
        }
        let mut response = S3Response::new(output);
        if let Some(tags) = object.headers.tags() {
            response.headers.insert("x-amz-tagging-count", tags.into());
        }
        if let Some(name) = object.other_checksum.filter(|_| input.checksum_mode.is_some()) {
            response.headers.insert(name, HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA=="));
        }
        Ok(response)
    }

    /// A range comes without a checksum, since S3 keeps one of the whole (S3 user guide, "Checking object integrity").
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let store = self.store();
        let object = store.found(&input.bucket, &input.key)?;
        if input.if_match.as_ref().is_some_and(|only| !matches(only, &object.etag)) {
            return Err(failed("If-Match"));
        }
        object.allow_reading()?;
        let whole = object.content.length();
        let range = match input.range {
            None => None,
            Some(range) => Some(
                range.check(whole).map_err(|_| s3_error!(InvalidRange, "The requested range is not satisfiable"))?,
            ),
        };
        let content = match &range {
            None => object.content.clone(),
            Some(range) => object.content.slice(range.start, range.end),
        };
        let pieces = stream::iter(content.chunks().map(Ok::<Bytes, std::io::Error>));
        let is_whole = range.is_none();
        let mut output = GetObjectOutput {
            content_length: Some(content.length().cast_signed()),
            content_range: range.map(|range| format!("bytes {}-{}/{whole}", range.start, range.end - 1)),
            tag_count: object.headers.tags().and_then(|tags| i32::try_from(tags).ok()),
            body: Some(StreamingBlob::wrap(pieces)),
            ..Default::default()
        };
        show!(output, object);
        let shows_checksum = is_whole && input.checksum_mode.is_some();
        if shows_checksum {
            with_checksum_of!(output, object, store);
        }
        let mut response = S3Response::new(output);
        if let Some(name) = object.other_checksum.filter(|_| shows_checksum) {
            response.headers.insert(name, HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA=="));
        }
        Ok(response)
    }

    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let store = self.store();
        let object = store.found(&request.input.bucket, &request.input.key)?;
        let tags = object.headers.tagging.as_deref().unwrap_or_default().split('&').filter(|tag| !tag.is_empty());
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let tag = |tag: &str| {
            let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
            Tag { key: Some(decoded(key)), value: Some(decoded(value)) }
        };
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set: tags.map(tag).collect(), version_id: None }))
    }

    /// Parts are shown of an object with a checksum of theirs (S3 API reference, GetObjectAttributes).
    async fn get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let input = request.input;
        let store = self.store();
        let object = store.found(&input.bucket, &input.key)?;
        object.allow_looking()?;
        let after = input.part_number_marker.unwrap_or_default();
        let shown = |(number, part): (i32, &Checked)| {
            let mut shown =
                ObjectPart { part_number: Some(number), size: Some(part.size.cast_signed()), ..Default::default() };
            with_checksum!(shown, Some(part.checksum));
            shown
        };
        let mut found = (1..).zip(&object.parts).filter(|(number, _)| *number > after);
        let parts: Vec<ObjectPart> = found.by_ref().take(PAGE).map(shown).collect();
        let more = found.next().is_some();
        let object_parts = GetObjectAttributesParts {
            is_truncated: Some(more),
            next_part_number_marker: parts.last().filter(|_| more).and_then(|last| last.part_number),
            total_parts_count: i32::try_from(object.parts.len()).ok(),
            parts: Some(parts),
            ..Default::default()
        };
        Ok(S3Response::new(GetObjectAttributesOutput {
            e_tag: Some(ETag::Strong(object.etag.clone())),
            object_parts: (!object.parts.is_empty()).then_some(object_parts),
            object_size: Some(object.content.length().cast_signed()),
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let store = self.store();
        if store.deny_list {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let prefix = input.prefix.clone().unwrap_or_default();
        let shown = |key: &String| shown(key, input.encoding_type.as_ref());
        let after = input.continuation_token.or(input.start_after).unwrap_or_default();
        let page = input.max_keys.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE).min(PAGE);
        let mut found = store
            .objects
            .iter()
            .filter(|((bucket, key), _)| *bucket == input.bucket && key.starts_with(&prefix) && *key > after)
            .map(|((_, key), object)| Object {
                key: Some(key.clone()),
                size: Some(object.content.length().cast_signed()),
                e_tag: Some(ETag::Strong(object.etag.clone())),
                last_modified: Some(object.modified.into()),
                storage_class: object.archive.map(|(class, _)| ObjectStorageClass::from_static(class)),
                ..Default::default()
            });
        let mut contents: Vec<Object> = found.by_ref().take(page).collect();
        let more = found.next().is_some();
        let next_continuation_token = contents.last().filter(|_| more).and_then(|last| last.key.clone());
        contents.iter_mut().for_each(|object| object.key = object.key.as_ref().map(shown));
        Ok(S3Response::new(ListObjectsV2Output {
            is_truncated: Some(more),
            encoding_type: input.encoding_type.clone(),
            next_continuation_token,
            key_count: i32::try_from(contents.len()).ok(),
            contents: Some(contents),
            ..Default::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let mut input = request.input;
        let content = received(input.body.take()).await?;
        let mut headers = allowed(headers!(input))?;
        let sent = sent!(input);
        let checksum = Some(verified(&sent, None, &content)?);
        has_md5(input.content_md5.as_deref(), &content)?;
        let mut store = self.store();
        store.allow_unchecked(&input.bucket, &sent, input.content_md5.as_deref(), "Put Object")?;
        store.allow(&input.bucket, &input.key, input.if_none_match.as_ref(), input.if_match.as_ref(), None)?;
        headers.kms_key_id = headers.kms_key_id.or_else(|| store.rules_of(&input.bucket).kms_key_id.clone());
        let etag = store.etag(&content, headers.kms_key_id.as_deref());
        let object = Stored { checksum, headers, etag, ..Stored::new(content) };
        let mut output = PutObjectOutput { e_tag: Some(ETag::Strong(object.etag.clone())), ..Default::default() };
        with_checksum!(output, checksum);
        output.checksum_type = full_object(checksum);
        store.put(&input.bucket, &input.key, object);
        Ok(S3Response::new(output))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let mut headers = allowed(headers!(input))?;
        let algorithm = match input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str) {
            None => None,
            Some(ChecksumAlgorithm::CRC64NVME) => Some(CrcAlgorithm::Crc64Nvme),
            Some(ChecksumAlgorithm::CRC32) => Some(CrcAlgorithm::Crc32IsoHdlc),
            Some(ChecksumAlgorithm::CRC32C) => Some(CrcAlgorithm::Crc32Iscsi),
            Some(other) => return Err(s3_error!(NotImplemented, "no checksum algorithm of this server: {other}")),
        };
        let is_composite = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
            None => algorithm.is_some_and(is_composite_by_default),
            Some(said) => said == ChecksumType::COMPOSITE,
        };
        if is_composite && algorithm == Some(CrcAlgorithm::Crc64Nvme) {
            return Err(s3_error!(InvalidRequest, "The COMPOSITE checksum type cannot be used with crc64nvme"));
        }
        let (bucket, key) = (input.bucket, input.key);
        let mut store = self.store();
        headers.kms_key_id = headers.kms_key_id.or_else(|| store.rules_of(&bucket).kms_key_id.clone());
        let ssekms_key_id = headers.kms_key_id.clone();
        let server_side_encryption = Some(encryption(ssekms_key_id.as_deref()));
        let upload_id = Some(store.create(&bucket, &key, (algorithm, is_composite), headers));
        Ok(S3Response::new(CreateMultipartUploadOutput {
            upload_id,
            bucket: Some(bucket),
            key: Some(key),
            server_side_encryption,
            ssekms_key_id,
            ..Default::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let mut input = request.input;
        let content = received(input.body.take()).await?;
        let mut store = self.store();
        let now = store.now();
        let sent = sent!(input);
        store.allow_unchecked(&input.bucket, &sent, input.content_md5.as_deref(), "Put Part")?;
        let key = store.upload(&input.upload_id)?.headers.kms_key_id.clone();
        let etag = store.etag(&content, key.as_deref());
        let upload = store.upload(&input.upload_id)?;
        verified(&sent, upload.algorithm, &content)?;
        has_md5(input.content_md5.as_deref(), &content)?;
        let checksum = upload.algorithm.map(|algorithm| Kept::of(algorithm, &content));
        upload.take(input.part_number, content, etag.clone(), now)?;
        let mut output = UploadPartOutput { e_tag: Some(ETag::Strong(etag)), ..Default::default() };
        with_checksum!(output, checksum);
        Ok(S3Response::new(output))
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let (bucket, key) = copy_source(&request.headers)?;
        let input = request.input;
        let mut store = self.store();
        let source = store.found(&bucket, &key)?;
        if input.copy_source_if_match.as_ref().is_some_and(|only| !matches(only, &source.etag)) {
            return Err(failed("x-amz-copy-source-If-Match"));
        }
        source.allow_reading()?;
        let content = match &input.copy_source_range {
            None => source.content.clone(),
            Some(range) => {
                let (start, end) = copy_range(range, source.content.length())?;
                source.content.slice(start, end)
            }
        };
        let now = store.now();
        let key = store.upload(&input.upload_id)?.headers.kms_key_id.clone();
        let etag = store.etag(&content, key.as_deref());
        let upload = store.upload(&input.upload_id)?;
        let checksum = upload.algorithm.map(|algorithm| Kept::of(algorithm, &content));
        upload.take(input.part_number, content, etag.clone(), now)?;
        let (e_tag, last_modified) = (Some(ETag::Strong(etag)), Some(now.into()));
        let mut result = CopyPartResult { e_tag, last_modified, ..Default::default() };
        with_checksum!(result, checksum);
        Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let mut store = self.store();
        let upload = store.upload(&input.upload_id)?.clone();
        let listed = input.multipart_upload.as_ref().and_then(|it| it.parts.clone()).unwrap_or_default();
        let content = upload.joined(&listed)?;
        if input.mpu_object_size.is_some_and(|size| size != content.length().cast_signed()) {
            let size = content.length();
            return Err(s3_error!(InvalidRequest, "x-amz-mp-object-size does not match the actual object size {size}"));
        }
        let algorithm = upload.algorithm.unwrap_or(CrcAlgorithm::Crc64Nvme);
        let sent = sent!(input);
        upload.allow_type(input.checksum_type.as_ref(), &sent)?;
        let (checksum, parts) = match upload.is_composite {
            true => upload.composite(&sent, &listed, algorithm)?,
            false => (verified(&sent, Some(algorithm), &content)?, Vec::new()),
        };
        let checksum = Some(checksum);
        let (none, only) = (input.if_none_match.as_ref(), input.if_match.as_ref());
        store.allow(&input.bucket, &input.key, none, only, Some(&upload))?;
        let is_encrypted = upload.headers.kms_key_id.is_some();
        let etag = store.etag(&content, upload.headers.kms_key_id.as_deref());
        let etag = format!("{etag}-{}", listed.len());
        let headers = upload.headers;
        let object = Stored { checksum, parts, etag: etag.clone(), headers, ..Stored::new(content) };
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            e_tag: Some(ETag::Strong(etag)),
            ..Default::default()
        };
        // Under SSE-KMS the answer has none (recorded: localstack, test_s3_multipart_upload_sse).
        if !is_encrypted {
            with_checksum_of!(output, object, store);
        }
        store.put(&input.bucket, &input.key, object);
        store.uploads.remove(&input.upload_id);
        Ok(S3Response::new(output))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let mut store = self.store();
        let upload = store.upload(&input.upload_id)?;
        let after = input.part_number_marker.unwrap_or_default();
        let mut found = upload.parts.range(after + 1..).map(|(number, part)| {
            let mut shown = Part {
                part_number: Some(*number),
                e_tag: Some(ETag::Strong(part.etag.clone())),
                last_modified: Some(part.modified.into()),
                size: Some(part.content.length().cast_signed()),
                ..Default::default()
            };
            with_checksum!(shown, upload.algorithm.map(|algorithm| Kept::of(algorithm, &part.content)));
            shown
        });
        let parts: Vec<Part> = found.by_ref().take(PAGE).collect();
        let more = found.next().is_some();
        Ok(S3Response::new(ListPartsOutput {
            is_truncated: Some(more),
            next_part_number_marker: parts.last().filter(|_| more).and_then(|last| last.part_number),
            parts: Some(parts),
            ..Default::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let store = self.store();
        let prefix = input.prefix.unwrap_or_default();
        let after = (input.key_marker.unwrap_or_default(), input.upload_id_marker.unwrap_or_default());
        let uploads = store.uploads.iter().filter(|(_, it)| it.bucket == input.bucket && it.key.starts_with(&prefix));
        let mut uploads: Vec<_> = uploads.map(|(id, upload)| (upload.key.clone(), id.clone(), upload.begun)).collect();
        uploads.sort();
        let mut found = uploads.into_iter().filter(|(key, id, _)| (key, id) > (&after.0, &after.1));
        let page: Vec<_> = found.by_ref().take(PAGE).collect();
        let last = page.last().filter(|_| found.next().is_some()).cloned();
        let encoding = input.encoding_type.as_ref();
        let upload = |(key, id, begun): (String, String, SystemTime)| MultipartUpload {
            key: Some(shown(&key, encoding)),
            upload_id: Some(id),
            initiated: Some(begun.into()),
            ..Default::default()
        };
        Ok(S3Response::new(ListMultipartUploadsOutput {
            is_truncated: Some(last.is_some()),
            encoding_type: input.encoding_type.clone(),
            next_key_marker: last.as_ref().map(|(key, ..)| shown(key, encoding)),
            next_upload_id_marker: last.map(|(_, id, _)| id),
            uploads: Some(page.into_iter().map(upload).collect()),
            ..Default::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, if_match, .. } = request.input;
        let mut store = self.store();
        store.allow(&bucket, &key, None, if_match.as_ref(), None)?;
        store.delete(&bucket, &key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let mut store = self.store();
        store.upload(&request.input.upload_id)?;
        store.uploads.remove(&request.input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}
