//! What a final object is made of.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::lead::Lead;
use super::part::{self, Origin, Piece};
use super::range::ByteRange;
use super::seal::Seal;
use super::source::Source;
use crate::crc::{self, Crc};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::s3::{AT_ONCE, Attributes, S3, Stood};
use crate::unload::options::Compression;
use crate::uri::Uri;

/// What is read ahead of an upload's pieces, in bytes.
const AHEAD: u64 = 5 << 20;

/// All that it takes to write one.
#[derive(Debug)]
pub struct Job {
    pub header: Bytes,
    /// What ends a row.
    pub ending: &'static [u8],
    pub sources: Vec<Source>,
    pub lead: Lead,
    pub compression: Option<Compression>,
    /// A header, without its ending, that no source may begin with.
    pub ambiguous: Option<Bytes>,
    pub target: Uri,
    /// What stood at the target before anything else of the job was looked at.
    pub stood: Stood,
    pub attributes: Attributes,
    /// All that is known of the seal before the parts are planned.
    pub seal: Seal,
    pub deadline: Deadline,
}

impl Job {
    /// The final object's bytes, in order.
    pub fn line(&self) -> Vec<Piece> {
        let header = Piece::new(Origin::Header, 0, self.header.len() as u64);
        let sources = self.sources.iter().enumerate().flat_map(|(index, source)| {
            let newline = source.newline.then(|| Piece::new(Origin::Newline, 0, self.ending.len() as u64));
            [Piece::new(Origin::Source(index), source.start, source.object.size), newline.flatten()]
        });
        std::iter::once(header).chain(sources).flatten().collect()
    }

    /// The CRC that the final object must have, if those of all sources are known.
    pub fn crc(&self) -> Option<Crc> {
        let pieces = self.sources.iter().flat_map(|source| {
            let newline = source
                .newline
                .then(|| (source.crc.map(|crc| Crc::of(crc.algorithm, self.ending)), self.ending.len() as u64));
            std::iter::once((source.crc, source.object.size - source.start)).chain(newline)
        });
        crc::expected(&self.header, pieces)
    }

    /// The bytes of an upload: from the header, from the bytes at hand, or read now.
    pub async fn bytes(&self, s3: &S3, pieces: &[Piece]) -> Result<Bytes, Error> {
        let read = |Piece { of, range }: Piece| async move {
            let slice = range.start as usize..range.end as usize;
            match of {
                Origin::Header => Ok(self.header.slice(slice)),
                Origin::Newline => Ok(Bytes::from_static(self.ending).slice(slice)),
                Origin::Source(_) if range.end <= self.at_hand(of) => Ok(self.lead.bytes.slice(slice)),
                Origin::Source(source) => {
                    let source = &self.sources[source];
                    let bytes = s3.get_range(&source.object, range).await?;
                    let header = self.ambiguous.as_deref();
                    match source.unseen && !source.is_like_the_first(range, &bytes, self.compression, header) {
                        true => Err(Error::Unlike { uri: source.object.uri.clone() }),
                        false => Ok(bytes),
                    }
                }
            }
        };
        let bytes = BytesMut::with_capacity(part::length(pieces) as usize);
        // Many small ones at once, and large ones in ranges one by one, so that what has been read and not
        // put together yet is little.
        let largest = pieces.iter().map(Piece::length).max().unwrap_or_default();
        let at_once = AHEAD.checked_div(largest).map_or(1, |count| (count as usize).clamp(1, AT_ONCE));
        let ranges = pieces.iter().flat_map(|Piece { of, range }| {
            let (of, end) = (*of, self.at_hand(*of));
            let halves =
                [ByteRange::new(range.start, range.end.min(end)), ByteRange::new(range.start.max(end), range.end)];
            let split = |range: ByteRange| range.split(range.length().div_ceil(AHEAD));
            halves.into_iter().flatten().flat_map(split).map(move |range| Piece { of, range })
        });
        let read = stream::iter(ranges).map(read).buffered(at_once);
        let all = read.try_fold(bytes, async |mut bytes, piece| {
            bytes.extend_from_slice(&piece);
            Ok(bytes)
        });
        Ok(all.await?.freeze())
    }

    /// How many bytes of it need not be read.
    fn at_hand(&self, of: Origin) -> u64 {
        if of == Origin::Source(self.lead.source) { self.lead.bytes.len() as u64 } else { 0 }
    }
}
