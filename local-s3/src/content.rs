//! The bytes of an object, as pieces that are shared, repeated and never copied: an object of 48 TiB
//! costs no more than one of a mebibyte.

use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, checksum};
use md5::{Digest, Md5};

use crate::combine::combine;

const MD5_UP_TO: u64 = 64 << 10;

#[derive(Clone, Debug, Default)]
pub struct Content {
    pieces: Vec<Cycle>,
    length: u64,
}

/// The same bytes again and again: `length` of them, beginning at `start`.
#[derive(Clone, Debug)]
struct Cycle {
    bytes: Bytes,
    start: usize,
    length: u64,
    /// Its CRC64NVME, once somebody has asked.
    crc64: OnceLock<u64>,
}

impl Content {
    /// The same bytes again and again, `length` in all.
    pub fn repeat(bytes: impl Into<Bytes>, length: u64) -> Content {
        Content::of(Cycle::new(bytes.into(), 0, length))
    }

    fn of(cycle: Cycle) -> Content {
        let length = if cycle.bytes.is_empty() { 0 } else { cycle.length };
        Content { pieces: if length == 0 { Vec::new() } else { vec![cycle] }, length }
    }

    /// In bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    pub fn append(&mut self, other: &Content) {
        self.pieces.extend(other.pieces.iter().cloned());
        self.length += other.length;
    }

    /// From `start` up to, but without, `end`.
    pub fn slice(&self, start: u64, end: u64) -> Content {
        let mut pieces = Vec::new();
        let mut at = 0;
        for piece in &self.pieces {
            let from = start.clamp(at, at + piece.length) - at;
            let to = end.clamp(at, at + piece.length) - at;
            if from < to {
                let start = (piece.start as u64 + from) % piece.bytes.len() as u64;
                pieces.push(Cycle::new(piece.bytes.clone(), start as usize, to - from));
            }
            at += piece.length;
        }
        let length = pieces.iter().map(|piece| piece.length).sum();
        Content { pieces, length }
    }

    /// The bytes in order.
    pub fn chunks(&self) -> impl Iterator<Item = Bytes> + use<> {
        self.pieces.clone().into_iter().flat_map(Cycle::chunks)
    }

    pub fn to_bytes(&self) -> Bytes {
        let mut chunks = self.chunks();
        match (chunks.next(), chunks.next()) {
            (None, _) => Bytes::new(),
            (Some(only), None) => only,
            _ => self
                .chunks()
                .fold(BytesMut::new(), |mut all, chunk| {
                    all.extend_from_slice(&chunk);
                    all
                })
                .freeze(),
        }
    }

    pub fn crc(&self, algorithm: CrcAlgorithm) -> u64 {
        let sums = self.pieces.iter().map(|piece| (piece.crc(algorithm), piece.length));
        joined(algorithm, sums)
    }

    pub fn md5(&self) -> [u8; 16] {
        Md5::digest(self.to_bytes()).into()
    }

    /// Names these bytes and no others. It is their MD5, as S3's is, for as many as are summed up in no
    /// time; of more than that, tests are not to know.
    pub fn etag(&self) -> String {
        if self.length <= MD5_UP_TO {
            return self.md5().iter().map(|byte| format!("{byte:02x}")).collect();
        }
        format!("{:016x}{:016x}", self.crc(CrcAlgorithm::Crc64Nvme), self.length.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

impl Cycle {
    fn new(bytes: Bytes, start: usize, length: u64) -> Cycle {
        Cycle { bytes, start, length, crc64: OnceLock::new() }
    }

    fn chunks(self) -> impl Iterator<Item = Bytes> {
        let (mut at, mut left) = (self.start, self.length);
        std::iter::from_fn(move || {
            let end = self.bytes.len().min(at.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
            let chunk = (left > 0).then(|| self.bytes.slice(at..end))?;
            left -= chunk.len() as u64;
            at = 0;
            Some(chunk)
        })
    }

    fn crc(&self, algorithm: CrcAlgorithm) -> u64 {
        match algorithm {
            CrcAlgorithm::Crc64Nvme => *self.crc64.get_or_init(|| self.summed(algorithm)),
            _ => self.summed(algorithm),
        }
    }

    /// Without reading a round more than once.
    fn summed(&self, algorithm: CrcAlgorithm) -> u64 {
        let round = self.bytes.len() as u64;
        let first = self.length.min(round - self.start as u64);
        let rounds = (self.length - first) / round;
        let rest = (self.length - first) % round;
        let part = |from: usize, length: u64| {
            let end = from + usize::try_from(length).unwrap_or_default();
            (checksum(algorithm, &self.bytes[from..end]), length)
        };
        let mut sums = vec![part(self.start, first)];
        if rounds > 0 {
            // Each turn of `power` is twice as many rounds as the one before.
            let mut power = part(0, round);
            for bit in 0..u64::BITS - rounds.leading_zeros() {
                sums.extend((rounds >> bit & 1 == 1).then_some(power));
                power = (combine(algorithm, power.0, power.0, power.1), power.1.saturating_mul(2));
            }
        }
        sums.push(part(0, rest));
        joined(algorithm, sums.into_iter())
    }
}

/// The CRC of several stretches of bytes, one behind the other, from the CRC and length of each.
fn joined(algorithm: CrcAlgorithm, sums: impl Iterator<Item = (u64, u64)>) -> u64 {
    sums.filter(|(_, length)| *length > 0)
        .reduce(|(sum, length), (next, more)| (combine(algorithm, sum, next, more), length + more))
        .map_or_else(|| checksum(algorithm, b""), |(sum, _)| sum)
}

impl<B: Into<Bytes>> From<B> for Content {
    fn from(bytes: B) -> Content {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        Content::of(Cycle::new(bytes, 0, length))
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Content) -> bool {
        self.length == other.length && self.crc(CrcAlgorithm::Crc64Nvme) == other.crc(CrcAlgorithm::Crc64Nvme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_and_joins_across_pieces() {
        let content = Content::repeat("abc", 8);
        assert_eq!(content.to_bytes(), "abcabcab");
        assert_eq!(content.slice(2, 7).to_bytes(), "cabca");
        assert_eq!(content.slice(3, 3).length(), 0);
        assert_eq!(content, Content::from("abcabcab"));
        assert_eq!(content.etag(), Content::from("abcabcab").etag());
    }

    #[test]
    fn a_crc_is_that_of_the_bytes() {
        for algorithm in [CrcAlgorithm::Crc64Nvme, CrcAlgorithm::Crc32IsoHdlc, CrcAlgorithm::Crc32Iscsi] {
            for (start, end) in [(0, 0), (0, 1), (1, 3), (2, 9), (5, 100), (6, 7), (7, 1_000), (13, 14)] {
                let mut content = Content::repeat("0123456", 1_000).slice(start, end);
                content.append(&Content::from("tail"));
                assert_eq!(content.crc(algorithm), checksum(algorithm, &content.to_bytes()), "{start}..{end}");
            }
        }
    }
}
