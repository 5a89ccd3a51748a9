//! CRCs of whole objects. The CRC of a header and a source together can be computed from the CRCs of both, without
//! reading the source. S3 is told that CRC, and refuses an object with another.

mod shift;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, checksum};

use self::shift::shifted;

/// The algorithms of which S3 keeps a value of the whole object, even for a multipart upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Crc64Nvme,
    Crc32,
    Crc32c,
}

/// A CRC over a whole object, or over a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc {
    pub algorithm: Algorithm,
    value: u64,
}

impl Algorithm {
    pub const ALL: [Algorithm; 3] = [Algorithm::Crc64Nvme, Algorithm::Crc32, Algorithm::Crc32c];

    fn parameters(self) -> CrcAlgorithm {
        match self {
            Algorithm::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
            Algorithm::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Algorithm::Crc32c => CrcAlgorithm::Crc32Iscsi,
        }
    }

    /// In bytes.
    fn width(self) -> usize {
        if self == Algorithm::Crc64Nvme { 8 } else { 4 }
    }

    /// Its name in a receipt's `proof`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc64Nvme => "crc64nvme",
            Algorithm::Crc32 => "crc32",
            Algorithm::Crc32c => "crc32c",
        }
    }
}

impl Crc {
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Crc {
        Crc { algorithm, value: checksum(algorithm.parameters(), bytes) }
    }

    /// The CRC of these bytes followed by `length` others, whose CRC is `next`, of the same algorithm.
    pub fn then(self, next: Crc, length: u64) -> Crc {
        match length {
            0 => self,
            _ => Crc { value: shifted(self.algorithm, self.value, length) ^ next.value, ..self },
        }
    }

    /// The CRC of the last `length` of these bytes, if `first` is the CRC of those before them.
    pub fn behind(self, first: Crc, length: u64) -> Crc {
        match length {
            0 => Crc::of(self.algorithm, b""),
            _ => Crc { value: self.value ^ shifted(self.algorithm, first.value, length), ..self },
        }
    }

    /// Reads the form in which S3 writes it; `None` if it is no CRC, like a composite checksum.
    pub fn parse(algorithm: Algorithm, base64: &str) -> Option<Crc> {
        let bytes = STANDARD.decode(base64).ok().filter(|bytes| bytes.len() == algorithm.width())?;
        Some(Crc { algorithm, value: bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)) })
    }

    pub fn base64(self) -> String {
        STANDARD.encode(&self.value.to_be_bytes()[8 - self.algorithm.width()..])
    }
}

/// The CRC that a header followed by sources must have. Each source is given by its CRC and its length. `None` if the CRC
/// of a source is not known, or is of another algorithm than those before it.
pub fn expected(header: &[u8], mut sources: impl Iterator<Item = (Option<Crc>, u64)>) -> Option<Crc> {
    let (first, length) = sources.next()?;
    let first = first?;
    sources.try_fold(Crc::of(first.algorithm, header).then(first, length), |sum, (next, length)| {
        next.filter(|next| next.algorithm == sum.algorithm).map(|next| sum.then(next, length))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the three algorithms, over `123456789`.
    #[test]
    fn check_values() {
        for (algorithm, value) in
            [(Algorithm::Crc64Nvme, "rosUhgp5mIg="), (Algorithm::Crc32, "y/Q5Jg=="), (Algorithm::Crc32c, "4waSgw==")]
        {
            let crc = Crc::of(algorithm, b"123456789");
            assert_eq!(crc.base64(), value);
            assert_eq!(Crc::parse(algorithm, value), Some(crc));
        }
        assert_eq!(Crc::parse(Algorithm::Crc32, "y/Q5Jg==-3"), None, "a composite one");
        assert_eq!(Crc::parse(Algorithm::Crc32, "rosUhgp5mIg="), None);
    }

    #[test]
    fn the_rest_follows_from_the_whole() {
        let whole = b"id|name\n1|a\n2|b\n";
        for (algorithm, at) in Algorithm::ALL.into_iter().flat_map(|it| (0..=whole.len()).map(move |at| (it, at))) {
            let crc = |bytes: &[u8]| Crc::of(algorithm, bytes);
            let (first, rest) = whole.split_at(at);
            assert_eq!(crc(whole).behind(crc(first), rest.len() as u64), crc(rest), "{algorithm:?} {at}");
        }
    }

    #[test]
    fn the_whole_follows_from_its_pieces() {
        for algorithm in Algorithm::ALL {
            let source = |bytes: &[u8]| (Some(Crc::of(algorithm, bytes)), bytes.len() as u64);
            let sources = [source(b"1|a\n"), source(b""), source(b"2|b\n")];
            let whole = Crc::of(algorithm, b"id|name\n1|a\n2|b\n");
            assert_eq!(expected(b"id|name\n", sources.into_iter()), Some(whole));
        }
        let (crc, crc32) = (Crc::of(Algorithm::Crc64Nvme, b"1"), Crc::of(Algorithm::Crc32, b"1"));
        assert_eq!(expected(b"h", [(Some(crc), 1), (Some(crc32), 1)].into_iter()), None);
        assert_eq!(expected(b"h", [(Some(crc), 1), (None, 1)].into_iter()), None);
    }
}
