//! All that it takes to write one final object.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::part::{self, Origin, Piece};
use super::plan::Limits;
use super::{CopyError, FirstBytes, Source};
use crate::byte_range::ByteRange;
use crate::crc::{self, Crc};
use crate::deadline::Deadline;
use crate::s3::{Attributes, ObjectVersion, Precondition, S3, S3Error, SMALL_REQUESTS_AT_ONCE};
use crate::seal::{self, Seal};
use crate::unload::Compression;
use crate::uri::Uri;

/// How many bytes of sources are read ahead while the body of an upload is put together.
const READ_AHEAD: u64 = 5 << 20;

/// A header, sources, and where the final object goes.
#[derive(Debug)]
pub struct Assembly {
    pub header: Bytes,
    /// The line ending of rows.
    pub ending: &'static [u8],
    pub sources: Vec<Source>,
    /// Whether all sources are small, and of most the CRCs are not known before their rows are read.
    pub crcs_come_with_rows: bool,
    pub first_bytes: FirstBytes,
    pub compression: Option<Compression>,
    /// A header, without its line ending, that no source may begin with, since it might be a row.
    pub forbidden_header: Option<Bytes>,
    pub target: Uri,
    /// What was at the target before the job looked at anything else.
    pub precondition: Precondition,
    pub attributes: Attributes,
    /// What is known of the seal before the parts are planned.
    pub seal: Seal,
    pub deadline: Deadline,
}

impl Assembly {
    /// The final object's bytes, in order, by where they come from.
    pub fn pieces(&self) -> Vec<Piece> {
        let header = Piece::new(Origin::Header, 0, self.header.len() as u64);
        let sources = self.sources.iter().enumerate().flat_map(|(index, source)| {
            let newline = source.newline.then(|| Piece::new(Origin::Newline, 0, self.ending.len() as u64));
            [Piece::new(Origin::Source(index), source.start, source.object.size), newline.flatten()]
        });
        std::iter::once(header).chain(sources).flatten().collect()
    }

    /// The CRC that the final object must have, if those of all sources are known that have rows.
    pub fn crc(&self) -> Option<Crc> {
        let some_have_rows = self.sources.iter().any(Source::has_rows);
        let counts = |source: &&Source| source.has_rows() || !some_have_rows;
        let pieces = self.sources.iter().filter(counts).flat_map(|source| {
            let newline = source
                .newline
                .then(|| (source.crc.map(|crc| Crc::of(crc.algorithm, self.ending)), self.ending.len() as u64));
            std::iter::once((source.crc, source.object.size - source.start)).chain(newline)
        });
        crc::expected(&self.header, pieces)
    }

    /// The seal of the object, which will have so many bytes and this CRC.
    pub fn sealed(&self, size: u64, crc: Option<Crc>) -> Seal {
        Seal { size, crc, ..self.seal.clone() }
    }

    /// Puts that seal into the object's metadata.
    pub fn seal_with(&mut self, size: u64, crc: Option<Crc>) {
        let seal = self.sealed(size, crc).to_string();
        self.attributes.metadata.insert(seal::KEY.to_owned(), seal);
    }

    /// The body of an upload. What is not in the header or in the first bytes is read now.
    pub async fn bytes(&self, s3: &S3, pieces: &[Piece]) -> Result<Bytes, CopyError> {
        // Many small pieces are read side by side, and large ones in ranges one after the other, so that little has been
        // read that is not part of the body yet.
        let largest = pieces.iter().map(Piece::length).max().unwrap_or_default();
        let at_once =
            READ_AHEAD.checked_div(largest).map_or(1, |count| (count as usize).clamp(1, SMALL_REQUESTS_AT_ONCE));
        let read = stream::iter(self.ranges(pieces)).map(|piece| self.read(s3, piece)).buffered(at_once);
        let body = BytesMut::with_capacity(part::length(pieces) as usize);
        let body = read.try_fold(body, async |mut body, bytes| {
            body.extend_from_slice(&bytes);
            Ok(body)
        });
        Ok(body.await?.freeze())
    }

    /// The pieces of a body in the ranges in which they are read.
    pub fn ranges(&self, pieces: &[Piece]) -> impl Iterator<Item = Piece> {
        pieces.iter().flat_map(|Piece { of, range }| {
            let (of, end) = (*of, self.known(*of));
            let halves =
                [ByteRange::new(range.start, range.end.min(end)), ByteRange::new(range.start.max(end), range.end)];
            let split = |range: ByteRange| range.split(range.length().div_ceil(READ_AHEAD));
            halves.into_iter().flatten().flat_map(split).map(move |range| Piece { of, range })
        })
    }

    /// Whether these pieces, which are all, are the header and behind it the first bytes, whole.
    pub fn is_whole(&self, pieces: &[Piece]) -> bool {
        let rows = pieces.iter().filter(|piece| piece.of != Origin::Header).collect::<Vec<_>>();
        let is_all = |range: &ByteRange| range.length() == self.first_bytes.length();
        matches!(rows[..], [piece @ Piece { of: Origin::Source(_), range }] if self.is_known(piece) && is_all(range))
    }

    /// Whether such a range need not be asked of S3.
    pub fn is_known(&self, Piece { of, range }: &Piece) -> bool {
        !matches!(of, Origin::Source(_)) || range.end <= self.known(*of)
    }

    /// Which bytes are asked of a source for a range of it: all of a small one, if they can be held against its CRC.
    pub fn asked(&self, source: usize, range: ByteRange) -> ByteRange {
        let ObjectVersion { size, crc, .. } = self.sources[source].object;
        match (self.crcs_come_with_rows || crc.is_some()) && size < Limits::AWS.min_part {
            true => ByteRange { start: 0, end: size },
            false => range,
        }
    }

    /// Reads a range of a source; of a small one, from bytes that have its CRC, if S3 tells one.
    async fn read_source(&self, s3: &S3, source: usize, range: ByteRange) -> Result<Bytes, S3Error> {
        let (object, asked) = (&self.sources[source].object, self.asked(source, range));
        let bytes = match self.crcs_come_with_rows && asked.length() == object.size {
            true => s3.get_all(object).await?,
            false => s3.get_range(object, asked).await?,
        };
        object.held_against_crc(&bytes)?;
        Ok(bytes.slice((range.start - asked.start) as usize..(range.end - asked.start) as usize))
    }

    async fn read(&self, s3: &S3, piece: Piece) -> Result<Bytes, CopyError> {
        let Piece { of, range } = piece;
        let slice = range.start as usize..range.end as usize;
        match of {
            Origin::Header => Ok(self.header.slice(slice)),
            Origin::Newline => Ok(Bytes::from_static(self.ending).slice(slice)),
            Origin::Source(_) if self.is_known(&piece) => Ok(self.first_bytes.all(s3).await?.slice(slice)),
            Origin::Source(index) => {
                let (source, bytes) = (&self.sources[index], self.read_source(s3, index, range).await?);
                let forbidden = self.forbidden_header.as_deref();
                match source.is_unchecked && !source.is_like_the_first(range, &bytes, self.compression, forbidden) {
                    true => Err(CopyError::SlicesUnlike { uri: source.object.uri.clone() }),
                    false => Ok(bytes),
                }
            }
        }
    }

    /// How many bytes of it need not be read, since they are among the first bytes.
    fn known(&self, of: Origin) -> u64 {
        match of {
            Origin::Source(source) if self.sources[source].object.uri == *self.first_bytes.uri() => {
                self.first_bytes.length()
            }
            _ => 0,
        }
    }
}
