//! The first bytes of Zstandard data, without the memory that a frame's window would take.
//!
//! A decoder allocates the window that the frame's header declares, which may be far larger than the data. Only the first
//! blocks are needed here, so they are decoded as a frame of their own, with a window of their size.
//! The layout of a frame: RFC 8878, 3.1.1.

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The last block of a frame, without content.
const LAST: [u8; 3] = [1, 0, 0];

/// The smallest window has 2 to the power of this, in bytes.
const SMALLEST: u32 = 10;

/// Appends what `bytes` decompress to, until `text` has `most` bytes or a block more; tells whether that is all of it.
pub fn begin(bytes: &[u8], most: u64, text: &mut Vec<u8>) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let wanted = most.saturating_sub(text.len() as u64);
        let behind = if wanted == 0 { None } else { skippable(rest).or_else(|| frame(rest, wanted, text)) };
        match behind {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    true
}

/// The bytes after a frame without data, if `bytes` begin with one.
fn skippable(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, rest @ ..] => {
            rest.get(usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?..)
        }
        _ => None,
    }
}

/// Appends what the blocks of a frame decompress to, and returns the bytes after the frame if all of it was read.
fn frame<'b>(bytes: &'b [u8], wanted: u64, text: &mut Vec<u8>) -> Option<&'b [u8]> {
    let (mut rest, has_checksum) = blocks(bytes)?;
    let window = wanted.next_power_of_two().trailing_zeros().max(SMALLEST) - SMALLEST;
    let own = [MAGIC.as_slice(), &[0, (window as u8) << 3]].concat();
    let mut decoder = FrameDecoder::new();
    decoder.init(own.as_slice()).ok()?;
    let mut is_last = false;
    // The decoder gives only what is further back than the window. As soon as it gives anything, that is enough.
    while !is_last && decoder.can_collect() == 0 {
        let Some((block, is_the_last)) = block(rest) else { break };
        decoder.decode_blocks(block, BlockDecodingStrategy::UptoBlocks(1)).ok()?;
        (rest, is_last) = (&rest[block.len()..], is_the_last);
    }
    if !is_last {
        decoder.decode_blocks(LAST.as_slice(), BlockDecodingStrategy::All).ok()?;
    }
    text.extend(decoder.collect()?);
    if is_last { rest.get(if has_checksum { 4 } else { 0 }..) } else { None }
}

/// The blocks of a frame, and whether a checksum follows them.
fn blocks(bytes: &[u8]) -> Option<(&[u8], bool)> {
    let [first, rest @ ..] = bytes.strip_prefix(&MAGIC)? else { return None };
    let is_single_segment = first & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(first & 3)];
    let size = [usize::from(is_single_segment), 2, 4, 8][usize::from(first >> 6)];
    let window = usize::from(!is_single_segment);
    let blocks = rest.get(window + dictionary + size..)?;
    (dictionary == 0).then_some((blocks, first & 4 != 0))
}

/// The first block with its header, if all of it is there, and whether it is the last one.
fn block(bytes: &[u8]) -> Option<(&[u8], bool)> {
    let [a, b, c, ..] = bytes else { return None };
    let header = u32::from_le_bytes([*a, *b, *c, 0]);
    let is_repeated_byte = header >> 1 & 3 == 1;
    let content = if is_repeated_byte { 1 } else { usize::try_from(header >> 3).ok()? };
    Some((bytes.get(..3 + content)?, header & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of raw blocks that declares a window of 2 to the power of `window`.
    fn raw(window: u8, blocks: &[&[u8]]) -> Vec<u8> {
        let mut frame = [MAGIC.as_slice(), &[0, (window - 10) << 3]].concat();
        for (index, block) in blocks.iter().enumerate() {
            let header = (block.len() as u32) << 3 | u32::from(index + 1 == blocks.len());
            frame.extend_from_slice(&header.to_le_bytes()[..3]);
            frame.extend_from_slice(block);
        }
        frame
    }

    fn begun(bytes: &[u8], most: u64) -> (Vec<u8>, bool) {
        let mut text = Vec::new();
        let is_all = begin(bytes, most, &mut text);
        (text, is_all)
    }

    #[test]
    fn as_far_as_it_goes() {
        let frame = raw(27, &[b"1|a\n", b"2|b\n"]);
        assert_eq!(begun(&frame, 100), (b"1|a\n2|b\n".to_vec(), true), "a window of 128 MiB");
        assert_eq!(begun(&frame[..frame.len() - 1], 100), (b"1|a\n".to_vec(), false), "cut");
        let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, b'x', b'y'], &*frame].concat();
        assert_eq!(begun(&[&*skippable, &frame].concat(), 100), (b"1|a\n2|b\n".repeat(2), true));
        let block = &[b'x'; 1 << 10][..];
        let (text, is_all) = begun(&raw(31, &[block; 100]), 2 << 10);
        assert_eq!((text.len(), is_all), (3 << 10, false), "no more than is wanted, and a block");
        for bytes in [&b""[..], &MAGIC, b"\x28\xb5\x2f\xfd\x03\x00\x01\x00\x00", b"1|a\n"] {
            assert_eq!(begun(bytes, 10), (Vec::new(), bytes.is_empty()), "{bytes:?}");
        }
    }
}
