//! A data object as a source of a final object; or an intermediate object that was made of several.

use crate::byte_range::ByteRange;
use crate::crc::Crc;
use crate::s3::ObjectVersion;
use crate::unload::BOM;
use crate::unload::Compression;

/// How many bytes of a source must be seen to tell how it is compressed.
pub const MAGIC_LENGTH: u64 = 16;

/// What of one data object becomes part of the final object.
#[derive(Debug)]
pub struct Source {
    pub object: ObjectVersion,
    /// Where its rows begin. A header of its own before them is left out.
    pub start: u64,
    /// The CRC of its rows, if that of the whole object is known.
    pub crc: Option<Crc>,
    /// Whether it needs a line ending behind it: its rows do not end in one, and others follow.
    pub newline: bool,
    /// Whether it has yet to be checked that it begins and ends like the others. That is done when its bytes are read.
    pub is_unchecked: bool,
    /// Whether it is an intermediate object, and no data object itself.
    pub is_intermediate: bool,
}

impl From<ObjectVersion> for Source {
    /// All of an object, checked.
    fn from(object: ObjectVersion) -> Source {
        Source { start: 0, crc: object.crc, newline: false, is_unchecked: false, is_intermediate: false, object }
    }
}

impl Source {
    pub fn has_rows(&self) -> bool {
        self.object.size > self.start
    }

    /// Whether a range that was read of it shows that it is compressed like the first source, has neither byte order
    /// mark nor `header`, and ends in a newline. `false` as well if the range is too short to tell.
    pub fn is_like_the_first(
        &self,
        range: ByteRange,
        bytes: &[u8],
        compression: Option<Compression>,
        header: Option<&[u8]>,
    ) -> bool {
        let is_all = range.end == self.object.size;
        let is_header = |header: &[u8]| begins_with(bytes, is_all, header) != Some(false);
        let begins = match range.start {
            0 => {
                let is_enough = bytes.len() as u64 >= MAGIC_LENGTH.min(self.object.size);
                let is_alike = Compression::of(bytes) == compression && !bytes.starts_with(BOM);
                is_enough && is_alike && (compression.is_some() || !header.is_some_and(is_header))
            }
            start => start >= MAGIC_LENGTH,
        };
        let ends = range.end < self.object.size || compression.is_some() || bytes.ends_with(b"\n");
        begins && ends
    }
}

/// Whether bytes begin with a record that equals `header`; `None` if they are too few to tell.
pub fn begins_with(bytes: &[u8], are_all: bool, header: &[u8]) -> Option<bool> {
    match bytes.strip_prefix(header) {
        None if !are_all && header.starts_with(bytes) => None,
        None => Some(false),
        Some([b'\n', ..] | [b'\r', b'\n', ..]) => Some(true),
        Some([] | [b'\r']) if !are_all => None,
        Some(rest) => Some(rest.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::Uri;

    #[test]
    fn what_a_range_tells() {
        let source = |size| {
            let object =
                ObjectVersion { uri: Uri::new("b", "k"), size, etag: String::new(), crc: None, is_composite: false };
            Source { is_unchecked: true, ..Source::from(object) }
        };
        let gzip = Compression::Gzip.member(b"1\n2\n3\n4\n5\n6\n7\n8\n9\n").unwrap();
        let rows = b"1|a\n2|b\n3|c\n4|d\n5|e\n";
        let is = |bytes: &[u8], size, start: u64, compression| {
            let range = ByteRange { start, end: start + bytes.len() as u64 };
            source(size).is_like_the_first(range, bytes, compression, None)
        };
        assert!(is(rows, 20, 0, None) && is(b"1\n", 2, 0, None) && is(&rows[..17], 20, 0, None));
        assert!(!is(&rows[..19], 19, 0, None), "the last row does not end");
        assert!(!is(&gzip, gzip.len() as u64, 0, None) && !is(rows, 20, 0, Some(Compression::Gzip)));
        assert!(is(&gzip, gzip.len() as u64, 0, Some(Compression::Gzip)), "what is compressed ends as it likes");
        assert!(!is(&[BOM, rows].concat(), 23, 0, None), "a byte order mark in the middle of a file");
        assert!(!is(&rows[..15], 20, 0, None) && !is(&rows[15..], 20, 15, None), "cut within the start");
        assert!(is(&rows[16..], 20, 16, None));

        let has_header = |bytes: &[u8], size, header: &[u8]| {
            let range = ByteRange { start: 0, end: bytes.len() as u64 };
            !source(size).is_like_the_first(range, bytes, None, Some(header))
        };
        assert!(has_header(rows, 20, b"1|a") && has_header(b"1|a\r\n", 5, b"1|a"));
        assert!(!has_header(rows, 20, b"1|") && !has_header(b"1|a\n", 4, b"1|a\nb"));
        assert!(has_header(&rows[..17], 20, rows), "too short to tell");
    }
}
