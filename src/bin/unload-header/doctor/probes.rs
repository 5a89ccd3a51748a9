//! What the promises of docs/semantics.md rely on, each tried once.

use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use unload_header::byte_range::ByteRange;
use unload_header::crc::Algorithm;
use unload_header::s3::{Attributes, ObjectVersion, Precondition, S3Error};

use super::scratch::{PART, Scratch, bytes, crc, holds, refused};
use super::{Probe, Verdict, probe};
use crate::show::size;

/// How many parts the function copies at a time.
const COPIES: u64 = 64;
/// A key that is another one if anybody encodes or decodes it once too often.
const ODD_KEY: &str = "a b+c%20ü=1/&?#.csv";
const CRC: Option<Algorithm> = Some(Algorithm::Crc64Nvme);

pub const PROBES: [(&str, Probe); 22] = [
    ("PutObject with If-None-Match is refused where an object is", probe!(put_absent)),
    ("PutObject with If-Match is refused where another version is", probe!(put_matching)),
    ("of 16 PutObjects with If-None-Match at once, one succeeds", probe!(race)),
    ("CompleteMultipartUpload with If-None-Match is refused where an object is", probe!(complete_absent)),
    ("CompleteMultipartUpload with If-Match is refused where another version is", probe!(complete_matching)),
    ("GetObject with If-Match is refused for another version", probe!(read_pinned)),
    ("UploadPartCopy with x-amz-copy-source-if-match is refused for another version", probe!(copy_pinned)),
    ("UploadPartCopy copies just the range that it names", probe!(copy_ranged)),
    ("keys with spaces, +, % and umlauts are copied and listed as they are", probe!(odd_key)),
    ("PutObject is refused if the body has another CRC", probe!(put_wrong_crc)),
    ("S3 tells the CRC64NVME of an object that was put", probe!(put_crc)),
    ("CompleteMultipartUpload is refused if the whole has another CRC", probe!(complete_wrong_crc)),
    ("S3 tells the CRC64NVME of the whole of a multipart object", probe!(complete_crc)),
    ("CompleteMultipartUpload is refused if the whole has another size", probe!(complete_wrong_size)),
    ("parts that are not completed are left out", probe!(unlisted_part)),
    ("open uploads and their parts are listed, and aborted", probe!(uploads)),
    ("DeleteObject with If-Match is refused for another version", probe!(delete_matching)),
    ("a missing key answers 404", probe!(missing)),
    ("tags are kept, and HeadObject counts them", probe!(tags)),
    ("user metadata is kept by PutObject and by a multipart upload", probe!(metadata)),
    ("objects under the KMS key are written and read", probe!(kms)),
    ("64 parts are copied at a time", probe!(many_copies)),
];

/// An object that another one has replaced, and its present version.
async fn replaced(it: &Scratch, name: &str) -> Result<(ObjectVersion, ObjectVersion), S3Error> {
    let before = it.object(name, bytes(1_000, 1)).await?;
    Ok((before, it.object(name, bytes(1_000, 2)).await?))
}

async fn put_absent(it: &Scratch) -> Result<Verdict, S3Error> {
    let object = it.object("put-absent", "1").await?;
    Ok(refused(it.put(&object.uri, "2", &Precondition::Absent).await, &[412]))
}

async fn put_matching(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, now) = replaced(it, "put-matching").await?;
    let old = it.put(&now.uri, "3", &Precondition::Etag(before.etag)).await;
    let verdict = refused(old, &[412]);
    it.put(&now.uri, "4", &Precondition::Etag(now.etag)).await?;
    Ok(verdict)
}

async fn race(it: &Scratch) -> Result<Verdict, S3Error> {
    let uri = &it.uri("race");
    let puts = (0..16).map(|number: u8| async move { it.put(uri, vec![number], &Precondition::Absent).await });
    let results: Vec<_> = stream::iter(puts).buffer_unordered(16).collect().await;
    let succeeded = results.iter().filter(|result| result.is_ok()).count();
    Ok(holds(succeeded == 1, format!("{succeeded} succeeded")))
}

async fn complete_absent(it: &Scratch) -> Result<Verdict, S3Error> {
    let object = it.object("complete-absent", "1").await?;
    let (upload, parts) = it.parts(&object.uri, CRC, &[bytes(10, 0)]).await?;
    Ok(refused(it.s3.complete(&upload, &parts, 10, &Precondition::Absent, None).await, &[412]))
}

async fn complete_matching(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, now) = replaced(it, "complete-matching").await?;
    let (upload, parts) = it.parts(&now.uri, CRC, &[bytes(10, 0)]).await?;
    Ok(refused(it.s3.complete(&upload, &parts, 10, &Precondition::Etag(before.etag), None).await, &[412]))
}

async fn read_pinned(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, _) = replaced(it, "read-pinned").await?;
    Ok(refused(it.s3.get_range(&before, ByteRange { start: 0, end: 10 }).await, &[412]))
}

async fn copy_pinned(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, _) = replaced(it, "copy-pinned").await?;
    let upload = it.create(&it.uri("copy-pinned-to"), CRC).await?;
    Ok(refused(it.s3.copy_part(&upload, 1, &before, ByteRange { start: 0, end: before.size }).await, &[412]))
}

async fn copy_ranged(it: &Scratch) -> Result<Verdict, S3Error> {
    let body = bytes(PART + 5_000, 3);
    let source = it.object("copy-ranged", body.clone()).await?;
    let (upload, mut parts) = it.parts(&it.uri("copy-ranged-to"), CRC, &[body.slice(..PART as usize)]).await?;
    let range = ByteRange { start: 1_234, end: 4_321 };
    parts.push(it.s3.copy_part(&upload, 2, &source, range).await?);
    let expected = [&body[..PART as usize], &body[1_234..4_321]].concat();
    it.s3.complete(&upload, &parts, expected.len() as u64, &Precondition::None, None).await?;
    let found = it.text(&upload.target).await?;
    Ok(holds(
        found == expected,
        format!(
            "{} of {} bytes, {}",
            found.len(),
            expected.len(),
            if found == expected { "the same" } else { "others" }
        ),
    ))
}

async fn odd_key(it: &Scratch) -> Result<Verdict, S3Error> {
    let source = it.object(ODD_KEY, bytes(1_000, 4)).await?;
    let (upload, mut parts) = (it.create(&it.uri(&format!("{ODD_KEY}.copy")), CRC).await?, Vec::new());
    parts.push(it.s3.copy_part(&upload, 1, &source, ByteRange { start: 0, end: 1_000 }).await?);
    it.s3.complete(&upload, &parts, 1_000, &Precondition::None, None).await?;
    let keys = it.s3.list(&source.uri.bucket, &it.uri("a b").key).await?;
    let is_there = [&source.uri, &upload.target].iter().all(|uri| keys.contains(&uri.key));
    Ok(holds(is_there && it.text(&upload.target).await? == bytes(1_000, 4), format!("{} keys listed", keys.len())))
}

async fn put_wrong_crc(it: &Scratch) -> Result<Verdict, S3Error> {
    let (uri, wrong) = (it.uri("put-wrong-crc"), Some(crc(b"other")));
    let put = it.s3.put(&uri, Bytes::from("body"), &Attributes::default(), &Precondition::None, wrong).await;
    Ok(refused(put, &[400]))
}

async fn put_crc(it: &Scratch) -> Result<Verdict, S3Error> {
    let (uri, right) = (it.uri("put-crc"), crc(b"body"));
    it.s3.put(&uri, Bytes::from("body"), &Attributes::default(), &Precondition::None, Some(right)).await?;
    let found = it.head(&uri).await?.object.crc;
    Ok(holds(
        found == Some(right),
        found.map_or("no CRC".to_owned(), |crc| format!("{} {}", crc.algorithm.name(), crc.base64())),
    ))
}

async fn complete_wrong_crc(it: &Scratch) -> Result<Verdict, S3Error> {
    let (upload, parts) = it.parts(&it.uri("complete-wrong-crc"), CRC, &[bytes(PART, 5), bytes(10, 5)]).await?;
    Ok(refused(it.s3.complete(&upload, &parts, PART + 10, &Precondition::None, Some(crc(b"other"))).await, &[400]))
}

async fn complete_crc(it: &Scratch) -> Result<Verdict, S3Error> {
    let bodies = [bytes(PART, 6), bytes(10, 6)];
    let right = crc(&bodies.concat());
    let (upload, parts) = it.parts(&it.uri("complete-crc"), CRC, &bodies).await?;
    let stored = it.s3.complete(&upload, &parts, PART + 10, &Precondition::None, Some(right)).await?;
    let found = it.head(&upload.target).await?.object.crc;
    let by = if stored.crc == Some(right) { "by the answer to Complete" } else { "by HeadObject" };
    Ok(holds(
        found == Some(right) || stored.crc == Some(right),
        if found.or(stored.crc).is_some() { by } else { "no CRC" },
    ))
}

async fn complete_wrong_size(it: &Scratch) -> Result<Verdict, S3Error> {
    let (upload, parts) = it.parts(&it.uri("complete-wrong-size"), CRC, &[bytes(PART, 7), bytes(10, 7)]).await?;
    Ok(refused(it.s3.complete(&upload, &parts, PART + 11, &Precondition::None, None).await, &[400]))
}

async fn unlisted_part(it: &Scratch) -> Result<Verdict, S3Error> {
    let (upload, parts) =
        it.parts(&it.uri("unlisted-part"), CRC, &[bytes(PART, 8), bytes(10, 8), bytes(20, 8)]).await?;
    it.s3.complete(&upload, &parts[..2], PART + 10, &Precondition::None, None).await?;
    let length = it.head(&upload.target).await?.object.size;
    Ok(holds(length == PART + 10, format!("{length} bytes of {}", PART + 10)))
}

async fn uploads(it: &Scratch) -> Result<Verdict, S3Error> {
    let (upload, parts) = it.parts(&it.uri("uploads"), CRC, &[bytes(10, 9)]).await?;
    let is_listed = it.s3.uploads(&upload.target).await?.iter().any(|open| open.id == upload.id);
    let listed = it.s3.parts(&upload).await?;
    let has_part = listed
        .iter()
        .map(|part| (part.number, part.size, part.crc))
        .eq(parts.iter().map(|part| (part.number, part.size, part.crc)));
    it.s3.abort(&upload).await?;
    let is_gone = it.s3.parts(&upload).await?.is_empty();
    let said = |is: bool| if is { "yes" } else { "no" };
    let seen = format!(
        "listed: {}; its part with size and CRC: {}; gone after the abort: {}",
        said(is_listed),
        said(has_part),
        said(is_gone)
    );
    Ok(holds(is_listed && has_part && is_gone, seen))
}

async fn delete_matching(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, now) = replaced(it, "delete-matching").await?;
    let verdict = refused(it.s3.delete(&now.uri, Some(&before.etag)).await, &[412]);
    Ok(match it.s3.head(&now.uri).await? {
        None => Verdict::NotKept("the other version was deleted".to_owned()),
        Some(_) => verdict,
    })
}

async fn missing(it: &Scratch) -> Result<Verdict, S3Error> {
    match it.s3.head(&it.uri("missing")).await {
        Ok(found) => Ok(holds(found.is_none(), "404")),
        Err(error) if error.status == Some(403) => {
            Ok(Verdict::NotKept("403: these credentials lack s3:ListBucket for the prefix".to_owned()))
        }
        Err(error) => Err(error),
    }
}

async fn tags(it: &Scratch) -> Result<Verdict, S3Error> {
    let (uri, tagging) = (it.uri("tags"), "owner=a%20b&year=2026".to_owned());
    let attributes = Attributes { tagging: Some(tagging.clone()), ..Attributes::default() };
    it.s3.put(&uri, Bytes::from("1"), &attributes, &Precondition::None, None).await?;
    let (is_counted, found) = (it.head(&uri).await?.tagged, it.s3.tagging(&uri).await?);
    let sorted = |tagging: &str| {
        let mut tags: Vec<String> = tagging.split('&').map(str::to_owned).collect();
        tags.sort_unstable();
        tags
    };
    let seen = format!("{found}; {}", if is_counted { "counted" } else { "not counted by HeadObject" });
    Ok(holds(is_counted && sorted(&found) == sorted(&tagging), seen))
}

async fn metadata(it: &Scratch) -> Result<Verdict, S3Error> {
    let metadata = [("unload-header".to_owned(), "0123 9 crc64nvme=AAAAAAAAAAA= of=s3://b/%20".to_owned())];
    let attributes = Attributes { metadata: metadata.into(), ..Attributes::default() };
    let (put, multipart) = (it.uri("metadata"), it.uri("metadata-in-parts"));
    it.s3.put(&put, Bytes::from("1"), &attributes, &Precondition::None, None).await?;
    let upload = it.s3.create(&multipart, &attributes, CRC).await?;
    let part = it.s3.upload_part(&upload, 1, Bytes::from("1"), CRC).await?;
    it.s3.complete(&upload, &[part], 1, &Precondition::None, None).await?;
    let found = [it.head(&put).await?, it.head(&multipart).await?];
    let kept = found.iter().filter(|head| head.attributes.metadata == attributes.metadata).count();
    Ok(holds(kept == 2, format!("by {kept} of both")))
}

async fn kms(it: &Scratch) -> Result<Verdict, S3Error> {
    let Some(key) = &it.kms_key_id else { return Ok(Verdict::NotTried("no --kms-key-id".to_owned())) };
    let attributes = Attributes { kms_key_id: Some(key.clone()), ..Attributes::default() };
    let uri = it.uri("kms");
    it.s3.put(&uri, Bytes::from("body"), &attributes, &Precondition::None, Some(crc(b"body"))).await?;
    let (body, crc) = (it.text(&uri).await?, it.head(&uri).await?.object.crc);
    Ok(holds(body == "body" && crc.is_some(), if crc.is_some() { "with its CRC" } else { "without its CRC" }))
}

async fn many_copies(it: &Scratch) -> Result<Verdict, S3Error> {
    let source = &it.object("many-copies", bytes(PART, 10)).await?;
    let upload = &it.create(&it.uri("many-copies-to"), CRC).await?;
    let begun = Instant::now();
    let copies =
        (1..=COPIES as i32).map(|number| it.s3.copy_part(upload, number, source, ByteRange { start: 0, end: PART }));
    let parts: Vec<_> = stream::iter(copies).buffer_unordered(COPIES as usize).collect().await;
    let took = begun.elapsed();
    let mut parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
    parts.sort_unstable_by_key(|part| part.number);
    it.s3.complete(upload, &parts, COPIES * PART, &Precondition::None, None).await?;
    let length = it.head(&upload.target).await?.object.size;
    let rate = (length as f64 / took.as_secs_f64()) as u64;
    Ok(holds(
        length == COPIES * PART,
        format!("{} in {:.1} s, {} a second", size(length), took.as_secs_f64(), size(rate)),
    ))
}
