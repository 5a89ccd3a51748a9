//! Uploads that are open, and what of them is completed.

use unload_header::s3::{Precondition, S3Error, UploadedPart};

use crate::doctor::Verdict;
use crate::doctor::scratch::{CRC, PART, Scratch, bytes, holds, refused_unwritten};

pub async fn wrong_size(it: &Scratch) -> Result<Verdict, S3Error> {
    let (upload, parts) = it.parts(&it.uri("wrong-size"), CRC, &[bytes(10, 7)]).await?;
    let completed = it.s3.complete(&upload, &parts, 11, &Precondition::None, None).await;
    refused_unwritten(it, &upload.target, completed).await
}

pub async fn unlisted(it: &Scratch) -> Result<Verdict, S3Error> {
    let bodies = [bytes(PART, 8), bytes(10, 8), bytes(20, 8)];
    let (upload, parts) = it.parts(&it.uri("unlisted"), CRC, &bodies).await?;
    it.s3.complete(&upload, &parts[..2], PART + 10, &Precondition::None, None).await?;
    let length = it.head(&upload.target).await?.object.size;
    Ok(holds(length == PART + 10, format!("{length} bytes of {}", PART + 10)))
}

pub async fn uploads(it: &Scratch) -> Result<Verdict, S3Error> {
    let (upload, _) = it.parts(&it.uri("uploads"), CRC, &[bytes(10, 9)]).await?;
    let is_listed = async || {
        let open = it.s3.uploads(&upload.target).await?;
        Ok::<_, S3Error>(open.iter().any(|open| open.id == upload.id))
    };
    let before = is_listed().await?;
    it.s3.abort(&upload).await?;
    let after = is_listed().await? || !it.s3.parts(&upload).await?.is_empty();
    let said = |is: bool| if is { "yes" } else { "no" };
    Ok(holds(before && !after, format!("listed: {}; gone after the abort: {}", said(before), said(!after))))
}

pub async fn listed(it: &Scratch) -> Result<Verdict, S3Error> {
    let (upload, parts) = it.parts(&it.uri("listed"), CRC, &[bytes(10, 9), bytes(20, 9)]).await?;
    let listed = it.s3.parts(&upload).await?;
    let sizes = |parts: &[_]| parts.iter().map(|part: &UploadedPart| (part.number, part.size)).collect::<Vec<_>>();
    let crcs = listed.iter().filter(|part| part.crc.is_some()).count();
    let are_right = listed.iter().zip(&parts).all(|(found, sent)| found.crc == sent.crc);
    let seen = format!("{} of {}, {crcs} with a CRC", listed.len(), parts.len());
    Ok(holds(sizes(&listed) == sizes(&parts) && are_right, seen))
}
