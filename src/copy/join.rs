//! How the slices of an unload are joined: what they are compressed with, where their rows begin, and
//! what stands between them.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::lead::Lead;
use super::plan;
use super::range::ByteRange;
use super::source::{START, Source};
use crate::crc::Crc;
use crate::error::Error;
use crate::header::encode::BOM;
use crate::s3::{AT_ONCE, Object, S3, S3Error};
use crate::unload::options::Compression;

/// How the sources of a job begin.
#[derive(Debug)]
pub struct Alike<'a> {
    pub compression: Option<Compression>,
    /// What each source begins with that is cut off: a byte order mark, a header of its own, or nothing.
    pub cut: &'a [u8],
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
    let start = alike.cut.len() as u64;
    let last = objects.iter().rposition(|object| object.size > start);
    let looks = objects.iter().enumerate().map(|(index, object)| async move {
        let is_followed = last > Some(index) && object.size > start;
        let will_be_read = is_followed && start == 0 && object.size < plan::S3.min_part;
        if object.uri == lead.uri || thorough || !will_be_read {
            begins_alike(s3, object, lead, alike).await?;
            let may_lack = is_followed && alike.compression.is_none();
            let newline = may_lack && last_byte(s3, object, lead).await? != Some(b'\n');
            return Ok((newline, false));
        }
        Ok::<_, Error>((false, true))
    });
    let looks: Vec<(bool, bool)> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    let joined = objects.into_iter().zip(looks).map(|(object, (newline, unseen))| match object.size {
        0 => Source::from(object),
        size => {
            let crc = object.crc.map(|crc| crc.behind(Crc::of(crc.algorithm, alike.cut), size - start));
            Source { start, crc, newline, unseen, object }
        }
    });
    Ok(joined.collect())
}

/// Refuses a source that is compressed in another way than the first, or begins with something else.
async fn begins_alike(s3: &S3, object: &Object, lead: &Lead, alike: &Alike<'_>) -> Result<(), Error> {
    if object.uri == lead.uri {
        return Ok(());
    }
    let length = START.max(alike.cut.len() as u64);
    let Some(range) = ByteRange::new(0, length.min(object.size)) else { return Ok(()) };
    let start = s3.get_range(object, range).await?;
    let (uri, first, found) = (object.uri.clone(), lead.uri.clone(), Compression::of(&start));
    if found != alike.compression {
        return Err(Error::MixedCompression { uri, found, first, expected: alike.compression });
    } else if !start.starts_with(alike.cut) || alike.cut.is_empty() && start.starts_with(BOM) {
        return Err(Error::HeadersDiffer { uri, first });
    }
    Ok(())
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
