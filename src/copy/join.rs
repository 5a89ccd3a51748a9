//! How the slices of an unload are joined: what they are compressed with, where their rows begin, and
//! what stands between them.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::job::Source;
use super::lead::Lead;
use super::range::ByteRange;
use crate::crc::Crc;
use crate::error::Error;
use crate::s3::{AT_ONCE, Object, S3, S3Error};
use crate::unload::Dialect;
use crate::unload::options::Compression;

/// What is read of each other source to see how it is compressed.
const START: u64 = 16;

/// The sources of a job, joined so that each row stands on a line of its own and no header between them.
/// `own` is the dialect of the header that each of them begins with, if it does.
pub async fn join(
    s3: &S3,
    objects: Vec<Object>,
    lead: &Lead,
    compression: Option<Compression>,
    own: Option<&Dialect>,
) -> Result<Vec<Source>, Error> {
    let header = match own.map(|dialect| lead.own_header(dialect)).transpose()?.flatten() {
        Some((header, _)) => header,
        None => b"",
    };
    let start = header.len() as u64;
    let last = objects.iter().rposition(|object| object.size > start);
    let ends = objects.iter().enumerate().map(|(index, object)| {
        let is_followed = last > Some(index);
        async move {
            begins_alike(s3, object, lead, compression, header).await?;
            let may_lack = is_followed && compression.is_none() && object.size > start;
            Ok::<bool, Error>(may_lack && last_byte(s3, object, lead).await? != Some(b'\n'))
        }
    });
    let ends: Vec<bool> = stream::iter(ends).buffered(AT_ONCE).try_collect().await?;
    let joined = objects.into_iter().zip(ends).map(|(object, newline)| match object.size {
        0 => Source::from(object),
        size => {
            let crc = object.crc.map(|crc| crc.behind(Crc::of(crc.algorithm, header), size - start));
            Source { start, crc, newline, object }
        }
    });
    Ok(joined.collect())
}

/// Refuses a source that is compressed in another way than the first, or has another header.
async fn begins_alike(
    s3: &S3,
    object: &Object,
    lead: &Lead,
    expected: Option<Compression>,
    header: &[u8],
) -> Result<(), Error> {
    if object.uri == lead.uri {
        return Ok(());
    }
    let length = START.max(header.len() as u64);
    let Some(range) = ByteRange::new(0, length.min(object.size)) else { return Ok(()) };
    let start = s3.get_range(object, range).await?;
    let (uri, first, found) = (object.uri.clone(), lead.uri.clone(), Compression::of(&start));
    if found != expected {
        return Err(Error::MixedCompression { uri, found, first, expected });
    } else if !start.starts_with(header) {
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
