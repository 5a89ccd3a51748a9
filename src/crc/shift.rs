//! A CRC moved in front of other bytes. `crc_fast::checksum_combine` does the same in a hundred times the time, twice for
//! each slice of an unload.
//!
//! Bytes are a polynomial over GF(2), and a CRC is its remainder. To put `length` bytes behind others is to multiply the
//! others by `x^(8 * length)`. The lowest power is in the highest bit.

use super::Algorithm;

/// The generator of a CRC, and its powers.
struct Field {
    polynomial: u64,
    /// The bit of `x^0`.
    one: u64,
    /// `x^(8 * 2^n)` at each index n.
    powers: [u64; u64::BITS as usize],
}

static CRC64_NVME: Field = Field::new(0x9a6c_9329_ac4b_c9b5, 1 << 63);
static CRC32: Field = Field::new(0xedb8_8320, 1 << 31);
static CRC32C: Field = Field::new(0x82f6_3b78, 1 << 31);

impl Field {
    const fn new(polynomial: u64, one: u64) -> Field {
        let mut field = Field { polynomial, one, powers: [0; u64::BITS as usize] };
        // x^8, as x^0 is in the highest bit.
        field.powers[0] = one >> 8;
        let mut n = 1;
        while n < field.powers.len() {
            field.powers[n] = field.product(field.powers[n - 1], field.powers[n - 1]);
            n += 1;
        }
        field
    }

    const fn product(&self, left: u64, mut right: u64) -> u64 {
        let (mut product, mut bit) = (0, self.one);
        while bit != 0 {
            if left & bit != 0 {
                product ^= right;
            }
            right = right >> 1 ^ if right & 1 == 1 { self.polynomial } else { 0 };
            bit >>= 1;
        }
        product
    }
}

/// The CRC of bytes with the CRC `value`, XOR that of `length` zeros behind them alone.
pub fn shifted(algorithm: Algorithm, value: u64, length: u64) -> u64 {
    let field = match algorithm {
        Algorithm::Crc64Nvme => &CRC64_NVME,
        Algorithm::Crc32 => &CRC32,
        Algorithm::Crc32c => &CRC32C,
    };
    let powers = field.powers.iter().enumerate().filter(|(n, _)| length >> n & 1 == 1);
    powers.fold(value, |value, (_, power)| if value == 0 { 0 } else { field.product(value, *power) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_that_of_the_kept_library(value: u64, bits in 0..u64::BITS, length: u64) {
            for algorithm in Algorithm::ALL {
                let (value, length) = (value >> (64 - 8 * algorithm.width()), length >> bits);
                let expected = crc_fast::checksum_combine(algorithm.parameters(), value, 0, length);
                prop_assert_eq!(shifted(algorithm, value, length), expected);
            }
        }
    }
}
