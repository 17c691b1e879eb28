//! The identity of a frame: 16 bytes at the beginning of its payload that tell the run, the flow, which start of it, and the item. In: these. Out: bytes,
//! and what bytes that came tell. Sends nothing.
//!
//! ```text
//! 0  magic 0xa75c    4  run, u32            9  number of the item, 40 bits
//! 2  flow, u16       8  start of the flow   14 check of bytes 0..14, u16      (all big-endian)
//! ```

/// Bytes of an identity.
pub const MARK: usize = 16;
/// Its first two bytes.
const MAGIC: u16 = 0xa75c;
/// Items of one start that are told apart.
pub const MOST_NUMBERS: u64 = 1 << 40;

/// Whose frames they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whose {
    /// The run.
    pub run: u32,
    /// The flow.
    pub flow: u16,
}

impl Whose {
    /// The first eight bytes, which all frames of a flow have alike, as the two words that a filter of the kernel reads.
    pub fn words(self) -> [u32; 2] {
        [u32::from(MAGIC) << 16 | u32::from(self.flow), self.run]
    }

    /// The identity of an item of the start that has this number.
    pub fn mark(self, lane: u32, number: u64) -> [u8; MARK] {
        let mut bytes = [0; MARK];
        let [first, second] = self.words();
        bytes[..4].copy_from_slice(&first.to_be_bytes());
        bytes[4..8].copy_from_slice(&second.to_be_bytes());
        bytes[8] = lane as u8;
        bytes[9..14].copy_from_slice(&number.to_be_bytes()[3..]);
        let check = check(&bytes);
        bytes[14..].copy_from_slice(&check.to_be_bytes());
        bytes
    }

    /// They begin as an identity of this flow does.
    pub fn begins(self, bytes: &[u8]) -> bool {
        let [first, second] = self.words();
        bytes.get(..4) == Some(&first.to_be_bytes()) && bytes.get(4..8) == Some(&second.to_be_bytes())
    }

    /// The last byte of the start's number and the item's; `None`: no whole identity of this flow.
    pub fn read(self, bytes: &[u8]) -> Option<(u8, u64)> {
        let bytes: &[u8; MARK] = bytes.get(..MARK)?.try_into().ok()?;
        if !self.begins(bytes) || check(bytes).to_be_bytes() != bytes[14..] {
            return None;
        }
        let number = bytes[9..14].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Some((bytes[8], number))
    }
}

/// A check of the first 14 bytes: every bit of them changes half of it.
fn check(bytes: &[u8; MARK]) -> u16 {
    let word = |from: usize, to: usize| bytes[from..to].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let mut sum = 0x5c3e_1d47_90ab_2f61_u64;
    for word in [word(0, 8), word(8, 14)] {
        sum = (sum ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25);
        sum ^= sum >> 32;
    }
    (sum.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 48) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_back_and_notices_every_flipped_bit() {
        let whose = Whose { run: 0x1234_5678, flow: 3 };
        let bytes = whose.mark(0x0105, MOST_NUMBERS - 2);
        assert_eq!(whose.read(&bytes), Some((5, MOST_NUMBERS - 2)));
        assert_eq!(Whose { flow: 4, ..whose }.read(&bytes), None);
        for bit in 0..MARK * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(whose.read(&damaged), None, "bit {bit}");
        }
    }
}
