//! The slices of an unload joined: how they are compressed, where their rows begin, and what comes between them.

use futures_util::future::try_join3;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::byte_range::ByteRange;
use crate::copy::plan::Limits;
use crate::copy::source::{MAGIC_LENGTH, begins_with};
use crate::copy::{FirstBytes, Source};
use crate::crc::Crc;
use crate::error::Error;
use crate::header::HeaderError;
use crate::s3::{ObjectVersion, S3, S3Error, SMALL_REQUESTS_AT_ONCE};
use crate::unload::{BOM, Compression};

/// What all sources of a job must begin with.
#[derive(Debug)]
pub struct RequiredBeginning<'a> {
    pub compression: Option<Compression>,
    /// What is cut off the first source: a byte order mark, a header of its own, or nothing.
    pub cut: &'a [u8],
    /// Whether HEADER promises that each source has a header.
    pub is_promised: bool,
    /// A header, without its line ending, that no source may begin with, since it might be a row.
    pub forbidden_header: Option<&'a [u8]>,
    /// Whether all sources are read for the final object, since that is less than two parts.
    pub all_are_read: bool,
}

/// The sources of a job, joined so that each row is on a line of its own and no header is between them. A source that is
/// too small to be copied has to be read later anyway, and is checked then, unless `check_all` says that all are checked
/// now.
pub async fn join(
    s3: &S3,
    objects: &[ObjectVersion],
    first_bytes: &FirstBytes,
    required: &RequiredBeginning<'_>,
    check_all: bool,
) -> Result<Vec<Source>, Error> {
    // If nothing is cut off, the rows of each source begin at 0.
    let begins: Vec<u64> = if required.cut.is_empty() {
        vec![0; objects.len()]
    } else {
        let looks = objects.iter().map(|object| begin(s3, object, first_bytes, required));
        stream::iter(looks).buffered(SMALL_REQUESTS_AT_ONCE).try_collect().await?
    };
    let last = objects.iter().zip(&begins).rposition(|(object, start)| object.size > *start);
    let looks = objects.iter().zip(&begins).enumerate().map(|(index, (object, start))| async move {
        let is_followed = last > Some(index) && object.size > *start;
        // The last source can be a part of its own, however small.
        let is_small = (is_followed || required.all_are_read) && object.size < Limits::AWS.min_part;
        let will_be_read = is_small && object.size > 0 && required.cut.is_empty();
        let is_unchecked = object.uri != *first_bytes.uri() && !check_all && will_be_read;
        let is_checked = async {
            let is_due = required.cut.is_empty() && !is_unchecked;
            if is_due { begin(s3, object, first_bytes, required).await.map(drop) } else { Ok(()) }
        };
        let lacks_newline = async {
            let may_lack = is_followed && required.compression.is_none() && !is_unchecked;
            Ok(may_lack && last_byte(s3, object, first_bytes).await? != Some(b'\n'))
        };
        let ((), newline, object) = try_join3(is_checked, lacks_newline, combined(s3, object)).await?;
        if object.size == 0 {
            return Ok(Source::from(object));
        }
        let cut = |crc: Crc| crc.behind(Crc::of(crc.algorithm, &required.cut_up_to(*start)), object.size - start);
        let crc = object.crc.map(cut);
        Ok::<_, Error>(Source { start: *start, crc, newline, is_unchecked, is_intermediate: false, object })
    });
    stream::iter(looks).buffered(SMALL_REQUESTS_AT_ONCE).try_collect().await
}

/// The object with the CRC of the whole. If a multipart client wrote it, S3 may keep only the CRCs of its parts.
async fn combined(s3: &S3, object: &ObjectVersion) -> Result<ObjectVersion, Error> {
    let crc = if object.is_composite { s3.crc_of_parts(object).await? } else { object.crc };
    Ok(ObjectVersion { crc, ..object.clone() })
}

/// Where the rows of a source begin. Refuses a source that is compressed in another way than the first, or does not begin
/// like it.
async fn begin(
    s3: &S3,
    object: &ObjectVersion,
    first_bytes: &FirstBytes,
    required: &RequiredBeginning<'_>,
) -> Result<u64, Error> {
    if object.uri == *first_bytes.uri() {
        return Ok(required.cut.len() as u64);
    }
    let ending = if required.has_open_header() { 2 } else { 0 };
    let length = MAGIC_LENGTH.max(required.cut.len() as u64 + ending);
    let Some(range) = ByteRange::new(0, length.min(object.size)) else { return Ok(0) };
    let mut start = s3.get_range(object, range).await?;
    let (uri, first, found) = (object.uri.clone(), first_bytes.uri().clone(), Compression::of(&start));
    if found != required.compression {
        return Err(Error::MixedCompression { uri, found, first, expected: required.compression });
    }
    let Some(cut) = required.cut_of(&start, object.size) else {
        let is_header = !required.is_promised && !required.cut.is_empty() && required.cut != BOM;
        return Err(if is_header {
            HeaderError::HeaderOrRow { uri: first }.into()
        } else {
            Error::HeadersDiffer { uri, first }
        });
    };
    if let Some(header) = required.forbidden_header.filter(|_| found.is_none()) {
        let is_all = |bytes: &[u8]| bytes.len() as u64 == object.size;
        let mut is_header = begins_with(&start[cut..], is_all(&start), header);
        let more = ByteRange::new(0, object.size.min((cut + header.len() + 2) as u64));
        if let (None, Some(range)) = (is_header, more) {
            start = s3.get_range(object, range).await?;
            is_header = begins_with(&start[cut..], is_all(&start), header);
        }
        if is_header == Some(true) {
            return Err(HeaderError::HeaderOrRow { uri }.into());
        }
    }
    Ok(cut as u64)
}

impl RequiredBeginning<'_> {
    /// The header that is cut off, divided into the text and its line ending, which may be empty.
    fn parts(&self) -> (&[u8], &[u8]) {
        let bare = match self.cut.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => self.cut,
        };
        self.cut.split_at(bare.len())
    }

    /// Whether the first source is nothing but a header without a line ending.
    fn has_open_header(&self) -> bool {
        !self.cut.is_empty() && self.cut != BOM && self.parts().1.is_empty()
    }

    /// How much is cut off a source that begins with these bytes; never a part of a record.
    fn cut_of(&self, start: &[u8], size: u64) -> Option<usize> {
        let (bare, ending) = self.parts();
        let rest = start.strip_prefix(bare)?;
        if self.cut.is_empty() || self.cut == BOM {
            return (!self.cut.is_empty() || !start.starts_with(BOM)).then_some(bare.len());
        }
        let found: &[u8] = match rest {
            [b'\r', b'\n', ..] => b"\r\n",
            [b'\n', ..] => b"\n",
            _ if size == bare.len() as u64 => b"",
            _ => return None,
        };
        (ending.is_empty() || found.is_empty() || found == ending).then_some(bare.len() + found.len())
    }

    /// What was cut off a source, by its length.
    fn cut_up_to(&self, start: u64) -> Vec<u8> {
        let (bare, _) = self.parts();
        let ending: &[u8] = match start as usize - bare.len().min(start as usize) {
            2 => b"\r\n",
            1 => b"\n",
            _ => b"",
        };
        [bare, ending].concat()
    }
}

async fn last_byte(s3: &S3, object: &ObjectVersion, first_bytes: &FirstBytes) -> Result<Option<u8>, S3Error> {
    if object.uri == *first_bytes.uri() && first_bytes.is_whole() {
        return Ok(first_bytes.bytes().last().copied());
    }
    match ByteRange::new(object.size.saturating_sub(1), object.size) {
        Some(range) => Ok(s3.get_range(object, range).await?.last().copied()),
        None => Ok(None),
    }
}
