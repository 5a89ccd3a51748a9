//! How the slices of an unload are joined: what they are compressed with, where their rows begin, and
//! what stands between them.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::lead::Lead;
use super::plan;
use super::range::ByteRange;
use super::source::{START, Source, begins_with};
use crate::crc::Crc;
use crate::error::Error;
use crate::header::encode::BOM;
use crate::s3::{AT_ONCE, Object, S3, S3Error};
use crate::unload::options::Compression;

/// How the sources of a job begin.
#[derive(Debug)]
pub struct Alike<'a> {
    pub compression: Option<Compression>,
    /// What the first source begins with that is cut off: a byte order mark, a header of its own, or nothing.
    pub cut: &'a [u8],
    /// Whether HEADER promises headers.
    pub is_promised: bool,
    /// A header, without its ending, that no source may begin with, since it could be a row as well.
    pub header: Option<&'a [u8]>,
}

/// The sources of a job, joined so that each row stands on a line of its own and no header between them.
/// A source that has to be read anyway, since it is too small to be copied, is not looked at now but
/// when it is read, unless the look is `thorough`.
pub async fn join(
    s3: &S3,
    objects: Vec<Object>,
    lead: &Lead,
    alike: &Alike<'_>,
    thorough: bool,
) -> Result<Vec<Source>, Error> {
    // Where its rows begin is known before it is looked at, unless something is cut off.
    let begins: Vec<u64> = if alike.cut.is_empty() {
        vec![0; objects.len()]
    } else {
        let looks = objects.iter().map(|object| begin(s3, object, lead, alike));
        stream::iter(looks).buffered(AT_ONCE).try_collect().await?
    };
    let last = objects.iter().zip(&begins).rposition(|(object, start)| object.size > *start);
    let looks = objects.iter().zip(&begins).enumerate().map(|(index, (object, start))| async move {
        let is_followed = last > Some(index) && object.size > *start;
        let will_be_read = is_followed && alike.cut.is_empty() && object.size < plan::S3.min_part;
        if object.uri == lead.uri || thorough || !will_be_read {
            if alike.cut.is_empty() {
                begin(s3, object, lead, alike).await?;
            }
            let may_lack = is_followed && alike.compression.is_none();
            let newline = may_lack && last_byte(s3, object, lead).await? != Some(b'\n');
            return Ok((newline, false));
        }
        Ok::<_, Error>((false, true))
    });
    let looks: Vec<(bool, bool)> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    let objects = objects.into_iter().map(|object| combined(s3, object));
    let objects: Vec<Object> = stream::iter(objects).buffered(AT_ONCE).try_collect().await?;
    let joined = objects.into_iter().zip(begins).zip(looks).map(|((object, start), (newline, unseen))| {
        if object.size == 0 {
            return Source::from(object);
        }
        let crc =
            object.crc.map(|crc| crc.behind(Crc::of(crc.algorithm, &alike.cut_up_to(start)), object.size - start));
        Source { start, crc, newline, unseen, object }
    });
    Ok(joined.collect())
}

/// With the CRC of the whole, also where a multipart client wrote it, so that S3 has those of the parts only.
async fn combined(s3: &S3, object: Object) -> Result<Object, S3Error> {
    let crc = if object.is_composite { s3.crc_of_parts(&object).await? } else { object.crc };
    Ok(Object { crc, ..object })
}

/// Where the rows of a source begin. Refuses one that is compressed in another way than the first, or begins with
/// something else.
async fn begin(s3: &S3, object: &Object, lead: &Lead, alike: &Alike<'_>) -> Result<u64, Error> {
    if object.uri == lead.uri {
        return Ok(alike.cut.len() as u64);
    }
    let ending = if alike.has_open_header() { 2 } else { 0 };
    let length = START.max(alike.cut.len() as u64 + ending);
    let Some(range) = ByteRange::new(0, length.min(object.size)) else { return Ok(0) };
    let mut start = s3.get_range(object, range).await?;
    let (uri, first, found) = (object.uri.clone(), lead.uri.clone(), Compression::of(&start));
    if found != alike.compression {
        return Err(Error::MixedCompression { uri, found, first, expected: alike.compression });
    }
    let Some(cut) = alike.cut_of(&start, object.size) else {
        let is_header = !alike.is_promised && !alike.cut.is_empty() && alike.cut != BOM;
        return Err(if is_header { Error::HeaderOrRow { uri: first } } else { Error::HeadersDiffer { uri, first } });
    };
    if let Some(header) = alike.header.filter(|_| found.is_none()) {
        let is_all = |bytes: &[u8]| bytes.len() as u64 == object.size;
        let mut is_header = begins_with(&start[cut..], is_all(&start), header);
        let more = ByteRange::new(0, object.size.min((cut + header.len() + 2) as u64));
        if let (None, Some(range)) = (is_header, more) {
            start = s3.get_range(object, range).await?;
            is_header = begins_with(&start[cut..], is_all(&start), header);
        }
        if is_header == Some(true) {
            return Err(Error::HeaderOrRow { uri });
        }
    }
    Ok(cut as u64)
}

impl Alike<'_> {
    /// The header that is cut off, without its ending, and that, if it has one.
    fn parts(&self) -> (&[u8], &[u8]) {
        let bare = match self.cut.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => self.cut,
        };
        self.cut.split_at(bare.len())
    }

    /// Whether all of the first source is a header that does not end.
    fn has_open_header(&self) -> bool {
        !self.cut.is_empty() && self.cut != BOM && self.parts().1.is_empty()
    }

    /// How much is cut off of a source that begins with these bytes: never a part of a record.
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

    /// What was cut off of a source, by its length.
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

async fn last_byte(s3: &S3, object: &Object, lead: &Lead) -> Result<Option<u8>, S3Error> {
    if object.uri == lead.uri && object.size == lead.bytes.len() as u64 {
        return Ok(lead.bytes.last().copied());
    }
    match ByteRange::new(object.size.saturating_sub(1), object.size) {
        Some(range) => Ok(s3.get_range(object, range).await?.last().copied()),
        None => Ok(None),
    }
}
