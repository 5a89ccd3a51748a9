//! The S3 in memory answers as AWS's S3 was recorded to. The other tests rely on it.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::upload_part_copy::builders::UploadPartCopyFluentBuilder;
use aws_sdk_s3::operation::upload_part_copy::{UploadPartCopyError, UploadPartCopyOutput};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart};
use local_s3::Object;
use local_s3::policy::{Grant, Prefix};
use support::{MIB, World, rows};
use unload_header::uri::Uri;

/// The error's code, or that there was none.
fn code<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E>>) -> String {
    match result {
        Ok(_) => "success".to_owned(),
        Err(error) => error.code().map_or_else(
            || error.raw_response().map_or("no answer".to_owned(), |response| response.status().to_string()),
            str::to_owned,
        ),
    }
}

/// The SDK says nothing of the length of a body that there is not.
async fn sent(copy: UploadPartCopyFluentBuilder) -> Result<UploadPartCopyOutput, SdkError<UploadPartCopyError>> {
    let copy = copy.customize().mutate_request(|request| drop(request.headers_mut().insert("content-length", "0")));
    copy.send().await
}

/// An upload to `key` of the world's bucket.
struct Upload<'w> {
    client: &'w Client,
    bucket: &'w str,
    id: String,
}

impl<'w> Upload<'w> {
    async fn begin(world: &'w World) -> Upload<'w> {
        let create = world.client.create_multipart_upload().bucket(&world.bucket).key("key");
        let create = create.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_type(ChecksumType::FullObject);
        Upload { client: &world.client, bucket: &world.bucket, id: create.send().await.unwrap().upload_id.unwrap() }
    }

    async fn part(&self, number: i32, size: usize) -> CompletedPart {
        let part = self.client.upload_part().bucket(self.bucket).key("key").upload_id(&self.id).part_number(number);
        let part = part.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).body(rows(size).into());
        let etag = part.send().await.unwrap().e_tag;
        CompletedPart::builder().part_number(number).set_e_tag(etag).build()
    }

    fn copy(&self, range: Option<&str>) -> UploadPartCopyFluentBuilder {
        let copy = self.client.upload_part_copy().bucket(self.bucket).key("key").upload_id(&self.id).part_number(1);
        copy.copy_source(format!("{}/source", self.bucket)).set_copy_source_range(range.map(str::to_owned))
    }

    fn complete(
        &self,
        parts: &[CompletedPart],
    ) -> aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
        let complete = self.client.complete_multipart_upload().bucket(self.bucket).key("key").upload_id(&self.id);
        complete.multipart_upload(parts)
    }
}

#[tokio::test]
async fn a_part_below_the_minimum_fails_at_complete_unless_it_is_the_last() {
    let world = World::in_process().await;
    let upload = Upload::begin(&world).await;
    let (small, large, last) =
        (upload.part(1, 5 * MIB - 1).await, upload.part(2, 5 * MIB).await, upload.part(3, 1).await);
    assert_eq!(code(upload.complete(&[small, large.clone(), last.clone()]).send().await), "EntityTooSmall");
    assert_eq!(code(upload.complete(&[last.clone(), large.clone()]).send().await), "InvalidPartOrder");
    let wrong = CompletedPart::builder().part_number(2).e_tag("\"0\"").build();
    assert_eq!(code(upload.complete(&[wrong]).send().await), "InvalidPart");
    assert_eq!(code(upload.complete(&[]).send().await), "MalformedXML");
    assert_eq!(code(upload.complete(&[large.clone(), last.clone()]).send().await), "success");
    assert_eq!(code(upload.complete(&[large, last]).send().await), "NoSuchUpload");
}

#[tokio::test]
async fn a_copy_takes_only_a_range_within_the_source() {
    let world = World::in_process().await;
    world.local().put(&world.bucket, "source", Object::new("0123456789"));
    let upload = Upload::begin(&world).await;
    for (range, expected) in [
        ("bytes=0-9", "success"),
        ("bytes=1-", "InvalidArgument"),
        ("bytes=-2", "InvalidArgument"),
        ("bytes=5-10", "InvalidArgument"),
        ("bytes=10-11", "InvalidRequest"),
        ("0-9", "InvalidArgument"),
    ] {
        assert_eq!(code(sent(upload.copy(Some(range))).await), expected, "{range}");
    }
    assert_eq!(code(sent(upload.copy(None).copy_source_if_match("\"other\"")).await), "PreconditionFailed");
    // As Ceph does.
    assert_eq!(code(upload.copy(None).send().await), "MissingContentLength");
    // A source that was not encoded is decoded all the same: the SDK leaves it to its caller.
    world.local().put(&world.bucket, "a+b", Object::new("1"));
    let source = |key: &str| format!("{}/{key}", world.bucket);
    assert_eq!(code(sent(upload.copy(None).copy_source(source("a+b"))).await), "NoSuchKey");
    assert_eq!(code(sent(upload.copy(None).copy_source(source("a%2Bb"))).await), "success");
}

#[tokio::test]
async fn writes_can_be_conditional() {
    let world = World::in_process().await;
    let put = || world.client.put_object().bucket(&world.bucket).key("key").body(b"1".to_vec().into());
    assert_eq!(code(put().if_match("\"e\"").send().await), "NoSuchKey");
    assert_eq!(code(put().if_none_match("*").send().await), "success");
    assert_eq!(code(put().if_none_match("*").send().await), "PreconditionFailed");
    assert_eq!(code(put().if_match("\"e\"").send().await), "PreconditionFailed");
    let etag = world.object("key").await.unwrap().e_tag.unwrap();
    assert_eq!(code(put().if_match(&etag).if_none_match("*").send().await), "NotImplemented");
    assert_eq!(code(put().if_match(&etag).send().await), "success");
    let upload = Upload::begin(&world).await;
    let part = [upload.part(1, 3).await];
    assert_eq!(code(upload.complete(&part).if_none_match("*").send().await), "PreconditionFailed");
    assert_eq!(code(upload.complete(&part).if_match(&etag).send().await), "success");
}

/// What was written or deleted since an upload was begun is a conflict, if it is not a failed condition.
#[tokio::test]
async fn a_conditional_completion_conflicts_with_what_happened_since() {
    let world = World::in_process().await;
    let local = world.local();
    let upload = Upload::begin(&world).await;
    let part = [upload.part(1, 3).await];
    local.put(&world.bucket, "key", Object::new("1"));
    local.delete(&world.bucket, "key");
    assert_eq!(code(upload.complete(&part).if_none_match("*").send().await), "ConditionalRequestConflict");
    local.put(&world.bucket, "key", Object::new("1"));
    assert_eq!(code(upload.complete(&part).if_match("\"other\"").send().await), "ConditionalRequestConflict");
    assert_eq!(code(upload.complete(&part).if_none_match("*").send().await), "PreconditionFailed");
    local.deny_conditions();
    assert_eq!(code(upload.complete(&part).if_none_match("*").send().await), "NotImplemented");
    assert_eq!(code(upload.complete(&part).send().await), "success");
}

#[tokio::test]
async fn uploads_and_their_parts_are_listed_by_the_thousand() {
    let world = World::in_process().await;
    let upload = Upload::begin(&world).await;
    for number in 1..=1_001 {
        upload.part(number, 1).await;
        Upload::begin(&world).await;
    }
    let list = || world.client.list_parts().bucket(&world.bucket).key("key").upload_id(&upload.id);
    let page = list().send().await.unwrap();
    assert_eq!((page.parts().len(), page.is_truncated()), (1_000, Some(true)));
    assert!(page.parts()[0].checksum_crc64_nvme().is_some() && page.parts()[0].size() == Some(1));
    let page = list().set_part_number_marker(page.next_part_number_marker).send().await.unwrap();
    assert_eq!((page.parts()[0].part_number, page.is_truncated()), (Some(1_001), Some(false)));

    let list = || world.client.list_multipart_uploads().bucket(&world.bucket);
    assert_eq!(list().prefix("other").send().await.unwrap().uploads().len(), 0);
    let page = list().prefix("k").send().await.unwrap();
    assert_eq!((page.uploads().len(), page.is_truncated()), (1_000, Some(true)));
    let next = list().set_key_marker(page.next_key_marker).set_upload_id_marker(page.next_upload_id_marker);
    assert_eq!(next.send().await.unwrap().uploads().len(), 2);
}

#[tokio::test]
async fn an_object_is_deleted_if_it_is_the_one() {
    let world = World::in_process().await;
    world.local().put(&world.bucket, "key", Object::new("1"));
    let delete = || world.client.delete_object().bucket(&world.bucket).key("key");
    assert_eq!(code(delete().if_match("\"other\"").send().await), "PreconditionFailed");
    assert_eq!(code(delete().send().await), "success");
    assert_eq!(code(delete().send().await), "success", "that it is gone already is no error");
    assert!(world.object("key").await.is_none());
}

#[tokio::test]
async fn checksums_are_held_against_the_bytes() {
    let world = World::in_process().await;
    let upload = Upload::begin(&world).await;
    let other = world.client.upload_part().bucket(&world.bucket).key("key").upload_id(&upload.id).part_number(1);
    let other = other.checksum_algorithm(ChecksumAlgorithm::Crc32).body(b"1".to_vec().into());
    assert_eq!(code(other.send().await), "InvalidRequest", "Checksum Type mismatch occurred");
    let part = [upload.part(1, 9).await];
    let wrong = upload.complete(&part).checksum_crc64_nvme("AAAAAAAAAAA=").checksum_type(ChecksumType::FullObject);
    assert_eq!(code(wrong.send().await), "BadDigest");
    assert_eq!(code(upload.complete(&part).mpu_object_size(8).send().await), "InvalidRequest");
    assert_eq!(code(upload.complete(&part).mpu_object_size(9).send().await), "success");

    // An upload with a CRC32 has a checksum of the parts' checksums, unless its creation says otherwise; and no value of
    // the whole is compared with that.
    for (kind, expected) in [(None, "BadDigest"), (Some(ChecksumType::FullObject), "success")] {
        let create = world.client.create_multipart_upload().bucket(&world.bucket).key("key");
        let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32).set_checksum_type(kind);
        let id = create.send().await.unwrap().upload_id.unwrap();
        let upload = Upload { client: &world.client, bucket: &world.bucket, id };
        let part = world.client.upload_part().bucket(&world.bucket).key("key").upload_id(&upload.id).part_number(1);
        let part = part.checksum_algorithm(ChecksumAlgorithm::Crc32).body(b"123456789".to_vec().into());
        let etag = part.send().await.unwrap().e_tag;
        let part = [CompletedPart::builder().part_number(1).set_e_tag(etag).build()];
        // The check value of CRC-32.
        let whole = || upload.complete(&part).checksum_crc32("y/Q5Jg==");
        assert_eq!(code(whole().send().await), "BadDigest", "without the type");
        assert_eq!(code(whole().checksum_type(ChecksumType::FullObject).send().await), expected);
    }

    // Kept for an object that came without one. The check value of CRC-64/NVME.
    world.local().put(&world.bucket, "check", Object::new("123456789"));
    let head = world.client.head_object().bucket(&world.bucket).key("check").checksum_mode(ChecksumMode::Enabled);
    assert_eq!(head.send().await.unwrap().checksum_crc64_nvme(), Some("rosUhgp5mIg="));
}

#[tokio::test]
async fn a_range_or_pin_that_does_not_hold_is_refused() {
    let world = World::in_process().await;
    world.local().put(&world.bucket, "key", Object::new("0123456789"));
    let get = || world.client.get_object().bucket(&world.bucket).key("key");
    assert_eq!(code(get().range("bytes=10-11").send().await), "InvalidRange");
    assert_eq!(code(get().if_match("\"other\"").send().await), "PreconditionFailed");
    let range = get().range("bytes=2-4").send().await.unwrap();
    assert_eq!(range.content_range(), Some("bytes 2-4/10"));
    assert_eq!(range.body.collect().await.unwrap().to_vec(), b"234");
    world.local().deny_list();
    assert_eq!(code(world.client.get_object().bucket(&world.bucket).key("none").send().await), "AccessDenied");
}

/// Who may list a key learns that it is missing: the question has the key itself as prefix.
#[tokio::test(start_paused = true)]
async fn a_missing_key_is_missing_to_those_who_may_list_it() {
    let world = World::in_memory().await;
    // The policy of a function whose final objects lie in another bucket.
    let handler = world.handler(&[("FINAL_BUCKET", "finals")]);
    for (bucket, key, expected) in [
        ("bucket", "unload/none", "none"),
        ("finals", "final/none", "none"),
        ("bucket", "final/none", "403"),
        ("finals", "none", "403"),
        ("bucket", "other", "403"),
    ] {
        let found = handler.s3.head(&Uri::new(bucket, key)).await;
        let said = found.map(|head| if head.is_some() { "there" } else { "none" });
        assert_eq!(said.unwrap_or_else(|error| if error.status == Some(403) { "403" } else { "?" }), expected, "{key}");
    }
}

/// Who may read a key, but not list it, does not learn that it is missing.
#[tokio::test]
async fn a_missing_key_is_forbidden_to_those_who_may_only_read_it() {
    let world = World::in_memory().await;
    let handler = world.handler(&[]);
    let grant = |action: &str, resource: &str, prefix: Option<&str>| Grant {
        action: action.to_owned(),
        resources: vec![resource.to_owned()],
        prefix: prefix.map(|pattern| Prefix { pattern: pattern.to_owned(), if_exists: false }),
        account: None,
    };
    let list = grant("s3:ListBucket", "arn:aws:s3:::bucket", Some("unload/*"));
    world.local().permit(vec![grant("s3:GetObject", "*", None), list]);
    for (bucket, key, status) in
        [("bucket", "unload/none", None), ("bucket", "final/none", Some(403)), ("finals", "unload/none", Some(403))]
    {
        let found = handler.s3.head(&Uri::new(bucket, key)).await;
        assert_eq!(
            found.map(|head| head.is_some()).map_err(|error| error.status),
            status.map_or(Ok(false), |it| Err(Some(it)))
        );
    }
}

#[tokio::test]
async fn metadata_has_its_limit() {
    let world = World::in_process().await;
    let put = world.client.put_object().bucket(&world.bucket).key("key").metadata("name", "x".repeat(2_045));
    assert_eq!(code(put.send().await), "MetadataTooLarge");
}
