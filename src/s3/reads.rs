//! Reads of objects: whole, or a range.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use super::ahead::Start;
use super::client::{ATTEMPTS, SHORT_TIMEOUT};
use super::fields::{absent, checksum_of, crc_of, head_of, is_composite};
use super::memory::{Half, UNIT};
use super::{Attributes, Head, HeldBytes, ObjectVersion, S3, S3Error, SmallObject, turn};
use crate::byte_range::ByteRange;
use crate::crc::{Algorithm, Crc};
use crate::uri::Uri;

/// How much room is left behind a small object that is read whole, so that its header can go in front.
const ROOM_FOR_HEADER: usize = 4 << 10;

/// What is read of an object.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Whole,
    /// All of it, with its checksum; of the version with this ETag, or of any.
    WithChecksum {
        only: Option<&'a str>,
    },
    /// Of the version with this ETag, or of any.
    Range {
        range: ByteRange,
        only: Option<&'a str>,
    },
    /// So many of the first bytes; whoever waits for the very first of them has them as soon as they have come.
    Start {
        length: u64,
        early: &'a Mutex<Option<oneshot::Sender<Start>>>,
    },
}

/// How many bytes are told early.
const EARLY: usize = 64 << 10;

/// What a read comes to: the answer without its body, how many bytes the body has, and the bytes, unless they are more than
/// were wanted.
struct Read {
    answer: GetObjectOutput,
    size: u64,
    bytes: Option<Bytes>,
}

impl S3 {
    /// GetObject of a whole small object; `None` if there is no such object, an error if it has more than `limit` bytes.
    pub async fn get_small(&self, uri: &Uri, limit: u64) -> Result<Option<SmallObject>, S3Error> {
        if let Some(begun) = self.ahead.take(|begun| &mut begun.small, uri) {
            return begun.await;
        }
        match self.read(uri, limit, Wanted::Whole, Some(&self.memory.bodies)).await {
            Err(error) => absent(error),
            Ok(Read { size, bytes: None, .. }) => Err(S3Error::too_long(uri, size, limit)),
            Ok(Read { answer, bytes: Some(bytes), .. }) => {
                let modified = answer.last_modified.map_or(0, |time| time.secs());
                Ok(Some(SmallObject { bytes, etag: answer.e_tag.unwrap_or_default(), modified }))
            }
        }
    }

    /// GetObject of a range of the version that has this ETag. Who asks holds the memory for it.
    pub async fn get_range(&self, object: &ObjectVersion, range: ByteRange) -> Result<Bytes, S3Error> {
        let wanted = Wanted::Range { range, only: Some(&object.etag) };
        let Read { size, bytes, .. } = self.read(&object.uri, range.length(), wanted, None).await?;
        match bytes.filter(|_| size == range.length()) {
            Some(bytes) => Ok(bytes),
            None => Err(S3Error::unusable("GetObject", &object.uri, &format!("{size} bytes for {range}"))),
        }
    }

    /// GetObject of all of the version that has this ETag. If S3 tells a CRC of it, the bytes have that one. An error if the
    /// answer tells what a list has not, and HeadObject would have. Who asks holds the memory for it.
    pub async fn get_all(&self, object: &ObjectVersion) -> Result<Bytes, S3Error> {
        let ObjectVersion { uri, size, etag, .. } = object;
        let wanted = Wanted::WithChecksum { only: Some(etag) };
        let Read { answer, size: found, bytes } = self.read(uri, *size, wanted, None).await?;
        let unusable = |what: String| S3Error::unusable("GetObject", uri, &what);
        let bytes =
            bytes.filter(|_| found == *size).ok_or_else(|| unusable(format!("{found} bytes instead of {size}")))?;
        let head = head_of!("GetObject", uri, answer, None);
        if head.is_client_encrypted() {
            return Err(S3Error::not_listed(uri, "its client has encrypted the object"));
        } else if head.object.is_composite {
            return Err(S3Error::not_listed(uri, "its checksum is one of its parts' checksums"));
        }
        head.object.held_against_crc(&bytes)?;
        Ok(bytes)
    }

    /// The first bytes of an object, at least so many or all of them, and the memory that they take.
    pub async fn start(&self, object: &ObjectVersion, length: u64) -> Result<HeldBytes, S3Error> {
        let length = length.min(object.size);
        if let Some(bytes) = self.begun_start(object, length).await {
            return Ok(bytes);
        }
        let Some(range) = ByteRange::new(0, length) else { return Ok(HeldBytes::new(Bytes::new(), None)) };
        let memory = self.memory.starts.reserve(length).await;
        Ok(HeldBytes::new(self.get_range(object, range).await?, memory))
    }

    /// The same for who has seen the very first of them, and holds memory already: nothing is waited for but S3.
    pub async fn rest_of_start(&self, object: &ObjectVersion, length: u64) -> Result<HeldBytes, S3Error> {
        match self.begun_start(object, length).await {
            Some(bytes) => Ok(bytes),
            None => {
                let memory = self.memory.starts.try_reserve(length);
                let range = ByteRange { start: 0, end: length.min(object.size) };
                Ok(HeldBytes::new(self.get_range(object, range).await?, memory))
            }
        }
    }

    /// The first bytes that were begun to be read, if they are of this version and enough.
    async fn begun_start(&self, object: &ObjectVersion, length: u64) -> Option<HeldBytes> {
        let begun = self.ahead.take(|begun| &mut begun.starts, &object.uri)?.await?;
        (begun.etag == object.etag && begun.bytes.len() as u64 >= length).then_some(begun.bytes)
    }

    /// The very first of the bytes that were begun to be read, if more of them are to come.
    pub async fn early_start(&self, object: &ObjectVersion) -> Option<HeldBytes> {
        let begun = self.ahead.take(|begun| &mut begun.early_starts, &object.uri)?;
        begun.await.filter(|start| start.etag == object.etag).map(|start| start.bytes)
    }

    /// The first bytes of whatever version is there.
    pub(super) async fn any_start(
        &self,
        uri: &Uri,
        length: u64,
        early: oneshot::Sender<Start>,
    ) -> Result<Start, S3Error> {
        let memory = self.memory.starts.reserve(length).await;
        let wanted = Wanted::Start { length, early: &Mutex::new(Some(early)) };
        let Read { answer, bytes, .. } = self.read(uri, length, wanted, None).await?;
        let bytes = HeldBytes::new(bytes.unwrap_or_default(), memory);
        Ok(Start { etag: answer.e_tag.unwrap_or_default(), bytes })
    }

    /// What S3 says to GetObject of an object's first byte.
    pub(super) async fn try_to_read(&self, uri: &Uri) -> Result<(), S3Error> {
        let wanted = Wanted::Range { range: ByteRange { start: 0, end: 1 }, only: None };
        self.read(uri, 1, wanted, None).await.map(drop)
    }

    /// GetObject with all that HeadObject tells, and the bytes; `None` if there is no such object. If it has not this size,
    /// or if it is forbidden to read it, HeadObject tells the rest: what is archived, or under a key that the function may
    /// not use, can still be looked at.
    pub(super) async fn whole(&self, uri: &Uri, size: u64) -> Result<Option<(Head, Option<HeldBytes>)>, S3Error> {
        let memory = self.memory.starts.reserve(size).await;
        match self.read(uri, size, Wanted::WithChecksum { only: None }, None).await {
            Ok(Read { answer, size: found, bytes: Some(bytes) }) if found == size => {
                Ok(Some((head_of!("GetObject", uri, answer, None), Some(HeldBytes::new(bytes, memory)))))
            }
            Err(error) if error.status != Some(403) => absent(error),
            _ => Ok(self.head(uri).await?.map(|head| (head, None))),
        }
    }

    /// GetObject of at most `limit` bytes. They take memory of a half while they are read, unless who asks holds it already.
    /// The SDK retries only what fails before the body.
    async fn read(&self, uri: &Uri, limit: u64, wanted: Wanted<'_>, memory: Option<&Half>) -> Result<Read, S3Error> {
        let _turn = match memory {
            None => turn(&self.small_requests).await,
            // It may have to wait for memory.
            Some(_) => None,
        };
        let room = if matches!(wanted, Wanted::WithChecksum { only: None }) { ROOM_FOR_HEADER } else { 0 };
        let mut attempt = 1;
        loop {
            let request = self
                .client
                .get_object()
                .bucket(&uri.bucket)
                .set_expected_bucket_owner(self.owner(&uri.bucket))
                .key(&uri.key);
            let answer = match wanted {
                Wanted::Whole => self.traffic.watch(request.send()).await,
                Wanted::Range { range, only } => {
                    let request = request.range(range.to_string()).set_if_match(only.map(str::to_owned));
                    self.traffic.watch(request.send()).await
                }
                Wanted::Start { length, .. } => {
                    let range = ByteRange { start: 0, end: length };
                    self.traffic.watch(request.range(range.to_string()).send()).await
                }
                // The SDK's own way to ask for it makes the SDK hold it against the bytes. But a server may show a
                // checksum of the parts' checksums, and not say so; and S3 holds it against the final object.
                Wanted::WithChecksum { only } => {
                    let request = request.set_if_match(only.map(str::to_owned));
                    let ask = |request: &mut HttpRequest| {
                        drop(request.headers_mut().insert("x-amz-checksum-mode", "ENABLED"))
                    };
                    self.traffic.watch(request.customize().mutate_request(ask).send()).await
                }
            };
            let mut answer = answer.map_err(|error| self.error("GetObject", uri, error))?;
            let size = answer.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX);
            if size > limit {
                return Ok(Read { answer, size, bytes: None });
            }
            // S3 has answered by now, and may close a connection from which nobody reads. So little waits for nobody.
            let _memory = match memory {
                Some(half) if size > UNIT => half.reserve(size).await,
                _ => None,
            };
            let tell_early = |bytes: &[u8]| {
                if let (Wanted::Start { early, .. }, Some(etag)) = (wanted, &answer.e_tag)
                    && let Some(early) = early.lock().unwrap_or_else(PoisonError::into_inner).take()
                {
                    let bytes = HeldBytes::new(Bytes::copy_from_slice(bytes), None);
                    // If nobody wants them, they are dropped.
                    let _ = early.send(Start { etag: etag.clone(), bytes });
                }
            };
            match body(uri, std::mem::take(&mut answer.body), size, room, tell_early).await {
                Err(_) if attempt < ATTEMPTS => tokio::time::sleep(Duration::from_millis(100) * attempt).await,
                result => {
                    let bytes = result?;
                    self.traffic.read(bytes.len() as u64);
                    return Ok(Read { answer, size, bytes: Some(bytes) });
                }
            }
            attempt += 1;
        }
    }
}

/// Reads a body of a known length; HTTP sees to it that it has that length. `tell_early` is told the first bytes of a long one.
async fn body(
    uri: &Uri,
    mut body: ByteStream,
    length: u64,
    room: usize,
    tell_early: impl Fn(&[u8]),
) -> Result<Bytes, S3Error> {
    let cut = |what: &dyn fmt::Display| S3Error::broken_off(uri, what);
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or_default() + room);
    while let Some(chunk) = tokio::time::timeout(SHORT_TIMEOUT, body.next()).await.map_err(|late| cut(&late))? {
        bytes.extend_from_slice(&chunk.map_err(|error| cut(&DisplayErrorContext(error)))?);
        if let Some(first) = bytes.get(..EARLY).filter(|_| (bytes.len() as u64) < length) {
            tell_early(first);
        }
    }
    Ok(bytes.freeze())
}
