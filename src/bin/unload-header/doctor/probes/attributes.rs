//! What is written with an object: tags, metadata, and the key under which it is encrypted.

use bytes::Bytes;
use unload_header::s3::{Attributes, Head, Precondition, S3Error};
use unload_header::uri::Uri;

use crate::doctor::Verdict;
use crate::doctor::scratch::{CRC, Scratch, crc, holds};

/// The same object, by PutObject and by a multipart upload.
async fn both(it: &Scratch, name: &str, attributes: &Attributes) -> Result<[(Uri, Head); 2], S3Error> {
    let (put, multipart) = (it.uri(name), it.uri(&format!("{name}-in-parts")));
    it.s3.put(&put, Bytes::from("body"), attributes, &Precondition::None, Some(crc(b"body"))).await?;
    let upload = it.s3.create(&multipart, attributes, CRC).await?.upload;
    let part = it.s3.upload_part(&upload, 1, Bytes::from("body"), CRC).await?;
    it.s3.complete(&upload, &[part], 4, &Precondition::None, None).await?;
    let heads = [it.head(&put).await?, it.head(&multipart).await?];
    let [one, other] = heads;
    Ok([(put, one), (multipart, other)])
}

/// What was seen of both.
fn verdict(what: &str, [put, multipart]: [bool; 2]) -> Verdict {
    let by = match (put, multipart) {
        (true, true) => "both",
        (true, false) => "PutObject only",
        (false, true) => "the multipart upload only",
        (false, false) => "neither",
    };
    holds(put && multipart, format!("{what}: by {by}"))
}

pub async fn tags(it: &Scratch) -> Result<Verdict, S3Error> {
    let tagging = "owner=a%20b&year=2026";
    let attributes = Attributes { tagging: Some(tagging.to_owned()), ..Attributes::default() };
    let objects = both(it, "tags", &attributes).await?;
    let sorted = |tagging: &str| {
        let mut tags: Vec<String> = tagging.split('&').map(str::to_owned).collect();
        tags.sort_unstable();
        tags
    };
    let mut kept = [false; 2];
    for (kept, (uri, _)) in kept.iter_mut().zip(&objects) {
        *kept = sorted(&it.s3.tagging(uri).await?) == sorted(tagging);
    }
    let counted = objects.map(|(_, head)| head.tagged);
    Ok(match kept {
        [true, true] => verdict("counted", counted),
        kept => verdict("kept", kept),
    })
}

pub async fn metadata(it: &Scratch) -> Result<Verdict, S3Error> {
    let metadata = [("unload-header".to_owned(), "0123 9 crc64nvme=AAAAAAAAAAA= of=s3://b/%20".to_owned())];
    let attributes = Attributes { metadata: metadata.into(), ..Attributes::default() };
    let objects = both(it, "metadata", &attributes).await?;
    Ok(verdict("kept", objects.map(|(_, head)| head.attributes.metadata == attributes.metadata)))
}

pub async fn kms(it: &Scratch) -> Result<Verdict, S3Error> {
    let Some(key) = &it.kms_key_id else { return Ok(Verdict::NotTried("no --kms-key-id".to_owned())) };
    let attributes = Attributes { kms_key_id: Some(key.clone()), ..Attributes::default() };
    let objects = both(it, "kms", &attributes).await?;
    for (uri, _) in &objects {
        if it.text(uri).await? != "body" {
            return Ok(Verdict::NotKept(format!("{uri} reads as something else")));
        }
    }
    let crcs = objects.iter().filter(|(_, head)| head.object.crc == Some(crc(b"body"))).count();
    let taken = objects.map(|(_, head)| head.kms_key_id.is_some());
    Ok(match taken {
        [true, true] => Verdict::Kept(format!("taken by both; {crcs} of 2 with their CRC")),
        taken => verdict("taken", taken),
    })
}
