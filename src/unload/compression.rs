//! How an object is compressed, which its first bytes tell, and a header that is compressed in the same way.
//!
//! A gzip, bzip2 or zstd file may consist of several members, streams or frames (RFC 1952 2.2; `bzip2(1)`; RFC 8878 3),
//! so that a header can be put in front of rows that are not compressed again. The name does not tell: `GZIP EXTENSION
//! 'csv'` writes gzip data without `.gz`.

use std::fmt;
use std::io::{self, Read, Write};

use super::zstd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Bzip2,
    Zstd,
}

impl Compression {
    pub const ALL: [Compression; 3] = [Compression::Gzip, Compression::Bzip2, Compression::Zstd];

    /// The compression that the first bytes of an object tell; `None` if it is not compressed.
    pub fn of(head: &[u8]) -> Option<Compression> {
        match head {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Some(Compression::Bzip2),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// The compression that a name tells, which may not be that of the content.
    pub fn of_name(key: &str) -> Option<Compression> {
        Compression::ALL.into_iter().find(|compression| key.ends_with(compression.extension()))
    }

    /// What UNLOAD appends to a name.
    pub fn extension(self) -> &'static str {
        match self {
            Compression::Gzip => ".gz",
            Compression::Bzip2 => ".bz2",
            Compression::Zstd => ".zst",
        }
    }

    /// The header as a whole member, stream or frame.
    pub fn member(self, header: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Compression::Gzip => {
                let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                member.write_all(header)?;
                member.finish()
            }
            Compression::Bzip2 => {
                let mut stream = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
                stream.write_all(header)?;
                stream.finish()
            }
            Compression::Zstd => {
                let level = ruzstd::encoding::CompressionLevel::Fastest;
                Ok(ruzstd::encoding::compress_to_vec(header, level))
            }
        }
    }

    /// What the first bytes of a file decompress to, `most` bytes or some more, and whether that is all of it.
    pub fn begin(self, bytes: &[u8], most: u64) -> (Vec<u8>, bool) {
        let mut text = Vec::new();
        let mut read = |reader: &mut dyn Read| {
            let mut buffer = [0; 16 << 10];
            while (text.len() as u64) < most {
                match reader.read(&mut buffer) {
                    Ok(0) => return true,
                    Ok(length) => text.extend_from_slice(&buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                    Err(_) => return false,
                }
            }
            false
        };
        let ended = match self {
            Compression::Gzip => read(&mut flate2::read::MultiGzDecoder::new(bytes)),
            Compression::Bzip2 => read(&mut bzip2::read::MultiBzDecoder::new(bytes)),
            Compression::Zstd => zstd::begin(bytes, most, &mut text),
        };
        (text, ended)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::Gzip => "gzip",
            Compression::Bzip2 => "bzip2",
            Compression::Zstd => "zstd",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const ALL: [Compression; 3] = [Compression::Gzip, Compression::Bzip2, Compression::Zstd];

    fn read(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match compression {
            Compression::Gzip => drop(flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out).unwrap()),
            Compression::Bzip2 => drop(bzip2::read::MultiBzDecoder::new(bytes).read_to_end(&mut out).unwrap()),
            Compression::Zstd => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    ruzstd::decoding::StreamingDecoder::new(&mut rest).unwrap().read_to_end(&mut out).unwrap();
                }
            }
        }
        out
    }

    #[test]
    fn a_member_in_front_reads_as_one_file() {
        for compression in ALL {
            let rows = compression.member(b"1|a\n2|b\n").unwrap();
            let whole = [compression.member(b"id|name\n").unwrap(), rows].concat();
            assert_eq!(read(compression, &whole), b"id|name\n1|a\n2|b\n", "{compression}");
            assert_eq!(Compression::of(&whole), Some(compression));
        }
    }

    #[test]
    fn rows_are_no_compression() {
        for head in [&b""[..], b"1", b"BZh|", b"BZh91|", b"id|name\n", b"\x28\xb5"] {
            assert_eq!(Compression::of(head), None, "{head:?}");
        }
    }
}
