//! The Internet checksum (RFC 1071). In: bytes and numbers. Out: sums to which more may be added, in any order, and the checksum of one. The
//! sum of what never changes is made once; of each frame only what varies is added (RFC 1624).

/// A sum of 16-bit words that is not folded yet.
pub type Sum = u64;

/// The sum of bytes that begin at an even place.
pub fn of_bytes(bytes: &[u8]) -> Sum {
    // Four bytes at a time: two words side by side, whose carries are folded at the end.
    let mut chunks = bytes.chunks_exact(4);
    let mut sum: Sum = chunks.by_ref().map(|four| u64::from(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))).sum();
    let rest = chunks.remainder();
    for (at, byte) in rest.iter().enumerate() {
        sum += u64::from(*byte) << (24 - 8 * at);
    }
    sum
}

/// The sum of the words of a number that ends at an even place.
pub fn of_number(number: u128) -> Sum {
    let (high, low) = ((number >> 64) as u64, number as u64);
    (high >> 32) + (high & 0xffff_ffff) + (low >> 32) + (low & 0xffff_ffff)
}

/// The checksum of a sum, as it stands in a header.
pub fn checksum(sum: Sum) -> u16 {
    let mut sum = (sum >> 32) + (sum & 0xffff_ffff);
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RFC 1071 says it, word by word.
    fn plainly(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn the_sum_is_that_of_rfc_1071() {
        // The example of RFC 1071, section 3.
        assert_eq!(checksum(of_bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])), !0xddf2);
        let bytes: Vec<u8> = (0..1500u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for length in (0..40).chain([1499, 1500]) {
            assert_eq!(checksum(of_bytes(&bytes[..length])), plainly(&bytes[..length]), "{length} bytes");
        }
        assert_eq!(checksum(of_bytes(&[0xff; 60_000])), 0);
    }

    #[test]
    fn parts_add_up_in_any_order() {
        let number = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128;
        assert_eq!(checksum(of_number(number)), plainly(&number.to_be_bytes()));
        let bytes = [1, 2, 3, 4, 0, 0, 7, 8];
        assert_eq!(checksum(of_bytes(&bytes) + of_number(0x0506)), plainly(&[1, 2, 3, 4, 5, 6, 7, 8]));
    }
}
