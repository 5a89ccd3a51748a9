//! The bytes of an object, as pieces that are shared and never copied.

use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest};

#[derive(Clone, Debug, Default)]
pub struct Content {
    pieces: Vec<Bytes>,
    length: u64,
}

impl Content {
    /// The same bytes again and again, `length` in all.
    pub fn repeat(bytes: impl Into<Bytes>, length: u64) -> Content {
        let whole = Content::from(bytes.into());
        let mut content = Content::default();
        while content.length < length && whole.length > 0 {
            content.append(&whole.slice(0, whole.length.min(length - content.length)));
        }
        content
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
            let from = start.clamp(at, at + piece.len() as u64) - at;
            let to = end.clamp(at, at + piece.len() as u64) - at;
            if from < to {
                pieces.push(piece.slice(from as usize..to as usize));
            }
            at += piece.len() as u64;
        }
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        Content { pieces, length }
    }

    pub fn pieces(&self) -> impl Iterator<Item = Bytes> + use<> {
        self.pieces.clone().into_iter()
    }

    pub fn to_bytes(&self) -> Bytes {
        match self.pieces.as_slice() {
            [piece] => piece.clone(),
            pieces => pieces
                .iter()
                .fold(BytesMut::new(), |mut all, piece| {
                    all.extend_from_slice(piece);
                    all
                })
                .freeze(),
        }
    }

    pub fn crc(&self, algorithm: CrcAlgorithm) -> u64 {
        let mut digest = Digest::new(algorithm);
        self.pieces.iter().for_each(|piece| digest.update(piece));
        digest.finalize()
    }

    /// Names these bytes, and no others, without being their MD5: S3 promises no more.
    pub fn etag(&self) -> String {
        format!("{:016x}{:016x}", self.crc(CrcAlgorithm::Crc64Nvme), self.length.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

impl<B: Into<Bytes>> From<B> for Content {
    fn from(bytes: B) -> Content {
        let bytes = bytes.into();
        Content { length: bytes.len() as u64, pieces: vec![bytes] }
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
}
