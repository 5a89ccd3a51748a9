//! Checksums of objects and of parts.

use crc_fast::CrcAlgorithm;

use crate::content::Content;

/// A CRC over the whole object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checksum {
    pub algorithm: CrcAlgorithm,
    pub value: u64,
}

/// A part of a finished object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    pub size: u64,
    pub checksum: Checksum,
}

impl Checksum {
    pub fn of(algorithm: CrcAlgorithm, content: &Content) -> Checksum {
        Checksum { algorithm, value: content.crc(algorithm) }
    }
}

pub fn base64(algorithm: CrcAlgorithm, value: u64) -> String {
    use base64::Engine;
    let bytes = value.to_be_bytes();
    let width = if algorithm == CrcAlgorithm::Crc64Nvme { 8 } else { 4 };
    base64::engine::general_purpose::STANDARD.encode(&bytes[8 - width..])
}

/// The value of a composite checksum: that of the parts' checksums, one behind the other.
pub fn of_checksums(algorithm: CrcAlgorithm, parts: &[Checked]) -> u64 {
    let width = if algorithm == CrcAlgorithm::Crc64Nvme { 8 } else { 4 };
    let all: Vec<u8> = parts.iter().flat_map(|part| part.checksum.value.to_be_bytes()[8 - width..].to_vec()).collect();
    crc_fast::checksum(algorithm, &all)
}
