//! Requests that are to be refused if something else is at the key.

use futures_util::future::{join_all, try_join_all};
use unload_header::byte_range::ByteRange;
use unload_header::s3::{ObjectVersion, Precondition, S3Error, Stored};
use unload_header::uri::Uri;

use crate::doctor::Verdict;
use crate::doctor::scratch::{CRC, Scratch, holds, refused};

const PUTS: u8 = 16;
const COMPLETES: u8 = 8;
const RACES: u8 = 5;

/// A write that has to be refused, and that must not have taken effect: `before` is what was there.
async fn refused_at(
    it: &Scratch,
    uri: &Uri,
    before: &'static str,
    write: Result<Stored, S3Error>,
) -> Result<Verdict, S3Error> {
    Ok(match refused(write, &[412]) {
        Verdict::Kept(seen) if it.text(uri).await? != before => Verdict::NotKept(format!("{seen}, and wrote it")),
        verdict => verdict,
    })
}

/// An object that another one has replaced, and its present version.
pub async fn replaced(it: &Scratch, name: &str) -> Result<(ObjectVersion, ObjectVersion), S3Error> {
    Ok((it.object(name, "before").await?, it.object(name, "now").await?))
}

pub async fn put_absent(it: &Scratch) -> Result<Verdict, S3Error> {
    let object = it.object("put-absent", "now").await?;
    let put = it.put(&object.uri, "other", &Precondition::Absent).await;
    refused_at(it, &object.uri, "now", put).await
}

pub async fn put_matching(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, now) = replaced(it, "put-matching").await?;
    let put = it.put(&now.uri, "other", &Precondition::Etag(before.etag)).await;
    let verdict = refused_at(it, &now.uri, "now", put).await?;
    it.put(&now.uri, "next", &Precondition::Etag(now.etag)).await?;
    Ok(verdict)
}

async fn complete(it: &Scratch, uri: &Uri, body: u8, condition: &Precondition) -> Result<Stored, S3Error> {
    let (upload, parts) = it.parts(uri, CRC, &[vec![body].into()]).await?;
    it.s3.complete(&upload, &parts, 1, condition, None).await
}

pub async fn complete_absent(it: &Scratch) -> Result<Verdict, S3Error> {
    let object = it.object("complete-absent", "now").await?;
    let completed = complete(it, &object.uri, 0, &Precondition::Absent).await;
    refused_at(it, &object.uri, "now", completed).await
}

pub async fn complete_matching(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, now) = replaced(it, "complete-matching").await?;
    let completed = complete(it, &now.uri, 0, &Precondition::Etag(before.etag)).await;
    let verdict = refused_at(it, &now.uri, "now", completed).await?;
    complete(it, &now.uri, 1, &Precondition::Etag(now.etag)).await?;
    Ok(verdict)
}

/// Whether one of many writers at once, which each write their number, has succeeded, and that one's is there.
async fn one_of_many(
    it: &Scratch,
    uri: &Uri,
    first: u8,
    written: Vec<Result<Stored, S3Error>>,
) -> Result<(bool, String), S3Error> {
    let numbered = (first..).zip(&written);
    let winners: Vec<u8> = numbered.filter(|(_, result)| result.is_ok()).map(|(number, _)| number).collect();
    let is_there = winners.len() == 1 && it.text(uri).await? == winners;
    let other = if winners.len() == 1 && !is_there { ", and another one's is there" } else { "" };
    Ok((is_there, format!("{} of {}{other}", winners.len(), written.len())))
}

/// First where no object is, and then where one is; again with other keys, since a race may end well by chance. The
/// numbers from `first` on are others where one is: the same bytes would have the same ETag.
async fn at_once(
    it: &Scratch,
    name: &str,
    write: impl AsyncFn(&Uri, u8, &Precondition) -> Result<Vec<Result<Stored, S3Error>>, S3Error>,
) -> Result<Verdict, S3Error> {
    let mut seen = String::new();
    for round in 1..=RACES {
        let uri = &it.uri(&format!("{name}-{round}"));
        let (is_one, absent) = one_of_many(it, uri, 0, write(uri, 0, &Precondition::Absent).await?).await?;
        if !is_one {
            return Ok(Verdict::NotKept(format!("If-None-Match: {absent}; in race {round} of {RACES}")));
        }
        let now = it.head(uri).await?.object.etag;
        let (is_next, matching) = one_of_many(it, uri, 100, write(uri, 100, &Precondition::Etag(now)).await?).await?;
        seen = format!("If-None-Match: {absent}; If-Match: {matching}; in race {round} of {RACES}");
        if !is_next {
            return Ok(Verdict::NotKept(seen));
        }
    }
    Ok(Verdict::Kept(seen))
}

pub async fn puts_at_once(it: &Scratch) -> Result<Verdict, S3Error> {
    at_once(it, "puts-at-once", async |uri, first, condition| {
        Ok(join_all((first..first + PUTS).map(|number| it.put(uri, vec![number], condition))).await)
    })
    .await
}

pub async fn completes_at_once(it: &Scratch) -> Result<Verdict, S3Error> {
    at_once(it, "completes-at-once", async |uri, first, condition| {
        let uploads = (first..first + COMPLETES).map(async |number| it.parts(uri, CRC, &[vec![number].into()]).await);
        let uploads = try_join_all(uploads).await?;
        let completed = uploads.iter().map(|(upload, parts)| it.s3.complete(upload, parts, 1, condition, None));
        Ok(join_all(completed).await)
    })
    .await
}

pub async fn delete_matching(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, now) = replaced(it, "delete-matching").await?;
    let verdict = refused(it.s3.delete(&now.uri, Some(&before.etag)).await, &[412]);
    Ok(match it.s3.head(&now.uri).await? {
        None => Verdict::NotKept("the other version was deleted".to_owned()),
        Some(_) => verdict,
    })
}

pub async fn read_pinned(it: &Scratch) -> Result<Verdict, S3Error> {
    let (before, _) = replaced(it, "read-pinned").await?;
    Ok(refused(it.s3.get_range(&before, ByteRange { start: 0, end: 3 }).await, &[412]))
}

pub async fn missing(it: &Scratch) -> Result<Verdict, S3Error> {
    match it.s3.head(&it.uri("missing")).await {
        Ok(found) => Ok(holds(found.is_none(), "404")),
        Err(error) if error.status == Some(403) => {
            Ok(Verdict::NotKept("403: these credentials lack s3:ListBucket for the prefix".to_owned()))
        }
        Err(error) => Err(error),
    }
}
