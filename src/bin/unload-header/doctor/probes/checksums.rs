//! CRCs: refused where they are wrong, and told.

use bytes::Bytes;
use unload_header::crc::Crc;
use unload_header::s3::{Attributes, Precondition, S3Error, Stored};
use unload_header::uri::Uri;

use crate::doctor::Verdict;
use crate::doctor::scratch::{CRC, PART, Scratch, bytes, crc, holds, refused_unwritten};

const BODY: &str = "body";

async fn put_with(it: &Scratch, uri: &Uri, crc: Crc) -> Result<Stored, S3Error> {
    it.s3.put(uri, Bytes::from(BODY), &Attributes::default(), &Precondition::None, Some(crc)).await
}

fn bodies() -> [Bytes; 2] {
    [bytes(PART, 6), bytes(10, 6)]
}

/// Writes the same as an upload of two parts.
async fn complete_with(it: &Scratch, uri: &Uri, crc: Crc) -> Result<Stored, S3Error> {
    let (upload, parts) = it.parts(uri, CRC, &bodies()).await?;
    it.s3.complete(&upload, &parts, PART + 10, &Precondition::None, Some(crc)).await
}

fn wrong() -> Crc {
    crc(b"other")
}

/// The right CRC has to be told. A store that tells a wrong one as well, since it was sent, has computed neither.
async fn told(
    it: &Scratch,
    uri: &Uri,
    right: Crc,
    write: impl AsyncFn(Crc) -> Result<Stored, S3Error>,
) -> Result<Verdict, S3Error> {
    let told = async || Ok::<_, S3Error>(it.head(uri).await?.object.crc);
    if write(wrong()).await.is_ok() && told().await? == Some(wrong()) {
        return Ok(Verdict::NotKept("it tells whatever CRC it was sent".to_owned()));
    }
    write(right).await?;
    let found = told().await?;
    let seen = found.map_or("no CRC".to_owned(), |crc| format!("{} {}", crc.algorithm.name(), crc.base64()));
    Ok(holds(found == Some(right), seen))
}

pub async fn put_wrong(it: &Scratch) -> Result<Verdict, S3Error> {
    let uri = it.uri("put-wrong-crc");
    refused_unwritten(it, &uri, put_with(it, &uri, wrong()).await).await
}

pub async fn put(it: &Scratch) -> Result<Verdict, S3Error> {
    let uri = &it.uri("put-crc");
    told(it, uri, crc(BODY.as_bytes()), async |crc| put_with(it, uri, crc).await).await
}

pub async fn complete_wrong(it: &Scratch) -> Result<Verdict, S3Error> {
    let uri = it.uri("complete-wrong-crc");
    refused_unwritten(it, &uri, complete_with(it, &uri, wrong()).await).await
}

pub async fn complete(it: &Scratch) -> Result<Verdict, S3Error> {
    let uri = &it.uri("complete-crc");
    told(it, uri, crc(&bodies().concat()), async |crc| complete_with(it, uri, crc).await).await
}
