//! The form of filling: numbered, addressed, verifiable bytes. In: who sends what to whom. Out: the bytes, and what is wrong with
//! bytes that came. Sends and receives nothing.
//!
//! ```text
//! 1..=31 bytes    the first byte is the length; the rest is filling
//! 32 and more     0  magic 0xa7          12  sender's node, u16
//!                 1  version, direction  14  0
//!                 2  flow, u16           16  number of the message in its direction of the connection, u64
//!                 4  run, u32            24  length of the whole, u32
//!                 8  connection, u32     28  check of bytes 0..28, u32;   then filling       (all little-endian)
//! ```
//!
//! Filling is cut from one table of incompressible bytes (its period is longer than the window of common compressors, so one table
//! serves for `random` too), at a place that depends on the message's number and direction, so that the receiver verifies content by comparing
//! memory and a message in the wrong place has the wrong content.

use std::io::IoSlice;
use std::sync::LazyLock;

/// Bytes of the header.
pub const HEADER: usize = 32;
/// The first byte of a message with a header.
pub const MAGIC: u8 = 0xa7;
/// A sender that does not know yet whom it serves.
pub const UNKNOWN_FLOW: u16 = u16::MAX;
/// A sender that does not know yet on which connection.
pub const UNKNOWN_CONNECTION: u32 = u32::MAX;

const VERSION: u8 = 1;
/// Copies between places that lie alike within so many bytes are fast.
pub const ALIGNED: usize = 64;
/// The filling repeats after this many bytes: a prime number of them, so that no shift by another round number goes unseen, each aligned.
const PERIOD: usize = ALIGNED * 1021;
/// The longest piece that lies in the table in one.
const PIECE: usize = 65_536;
/// One call is given so many pieces: over TCP each call ends with a packet that is not full, so that calls of 64 KiB make twice as many packets.
const MOST_PIECES: usize = 17;

#[repr(align(4096))]
struct Table([u8; PERIOD + PIECE]);

/// xorshift64*, from a fixed start: every version of the program has the same table.
static TABLE: LazyLock<Box<Table>> = LazyLock::new(|| {
    let mut table = Box::new(Table([0; PERIOD + PIECE]));
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for at in 0..PERIOD {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        table.0[at] = (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8;
    }
    table.0.copy_within(0..PIECE.min(PERIOD), PERIOD);
    for at in PERIOD + PERIOD..PERIOD + PIECE {
        table.0[at] = table.0[at - PERIOD];
    }
    table
});

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Client to server.
    Forward = 0,
    /// Server to client.
    Back = 1,
}

/// What the header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Which way it goes.
    pub way: Way,
    /// The flow.
    pub flow: u16,
    /// The run.
    pub run: u32,
    /// The connection, as the client numbers them.
    pub connection: u32,
    /// The sender's node.
    pub node: u16,
    /// The number of the message in its direction of the connection, from 0.
    pub sequence: u64,
    /// The whole message, bytes.
    pub length: u32,
}

impl Header {
    /// As bytes.
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0] = MAGIC;
        bytes[1] = VERSION << 4 | self.way as u8;
        bytes[2..4].copy_from_slice(&self.flow.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.run.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.connection.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.node.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.length.to_le_bytes());
        let check = check(&bytes);
        bytes[28..32].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// From bytes; `None`: not a whole header of ours.
    pub fn decode(bytes: &[u8]) -> Option<Header> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        if bytes[0] != MAGIC || bytes[1] & !1 != VERSION << 4 || check(bytes) != u32_at(bytes, 28) {
            return None;
        }
        Some(Header {
            way: if bytes[1] & 1 == 0 { Way::Forward } else { Way::Back },
            flow: u16_at(bytes, 2),
            run: u32_at(bytes, 4),
            connection: u32_at(bytes, 8),
            node: u16_at(bytes, 12),
            sequence: u64_at(bytes, 16),
            length: u32_at(bytes, 24),
        })
    }
}

fn u16_at(bytes: &[u8; HEADER], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8; HEADER], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// A check of the first 28 bytes: every bit of them changes half of it.
fn check(bytes: &[u8; HEADER]) -> u32 {
    let words = [u64_at(bytes, 0), u64_at(bytes, 8), u64_at(bytes, 16), u64::from(u32_at(bytes, 24))];
    let mut sum = 0x5c3e_1d47_90ab_2f61_u64;
    for word in words {
        sum = (sum ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25);
        sum ^= sum >> 32;
    }
    sum = sum.wrapping_mul(0xd6e8_feb8_6659_fd93);
    (sum >> 32) as u32
}

/// Where in the table a message's filling begins; of one that is numbered by its header this is aligned.
fn base(header: &Header) -> usize {
    let base = (header.sequence.wrapping_mul(4_099).wrapping_add(header.way as u64 * 32_749) % PERIOD as u64) as usize;
    if (header.length as usize) < HEADER { base } else { base / ALIGNED * ALIGNED }
}

/// The bytes of one message, without holding them.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    head: [u8; HEADER],
    head_length: usize,
    length: usize,
    base: usize,
}

impl Frame {
    /// The message with this header: short ones have only their length before the filling. A length of 0 counts as 1.
    pub fn new(header: &Header) -> Frame {
        let length = (header.length as usize).max(1);
        let base = base(header);
        if length < HEADER {
            let mut head = [0; HEADER];
            head[0] = length as u8;
            return Frame { head, head_length: 1, length, base };
        }
        Frame { head: header.encode(), head_length: HEADER, length, base }
    }

    /// The message that this header came with, whose own bytes are these: its check has vouched for them.
    pub fn received(header: &Header, head: [u8; HEADER]) -> Frame {
        Frame { head, head_length: HEADER, length: (header.length as usize).max(1), base: base(header) }
    }

    /// Bytes in all.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The bytes from a place on, as many as lie together: never empty before the end.
    pub fn piece(&self, at: usize) -> &[u8] {
        if at < self.head_length {
            return &self.head[at..self.head_length];
        }
        let left = self.length.saturating_sub(at).min(PIECE);
        let start = (self.base + at) % PERIOD;
        &TABLE.0[start..start + left]
    }

    /// The bytes from a place on, as many as one call of the kernel is given, and in how many pieces they lie.
    pub fn pieces(&self, at: usize) -> ([IoSlice<'_>; MOST_PIECES], usize) {
        let mut pieces = [IoSlice::new(&[]); MOST_PIECES];
        let (mut at, mut count) = (at, 0);
        while count < MOST_PIECES && at < self.length {
            let piece = self.piece(at);
            pieces[count] = IoSlice::new(piece);
            (at, count) = (at + piece.len(), count + 1);
        }
        (pieces, count)
    }

    /// Appends the bytes from `at` to `end` to a buffer.
    pub fn append(&self, at: usize, end: usize, buffer: &mut Vec<u8>) {
        let mut at = at;
        while at < end.min(self.length) {
            let piece = self.piece(at);
            let piece = &piece[..piece.len().min(end - at)];
            buffer.extend_from_slice(piece);
            at += piece.len();
        }
    }

    /// Compares bytes that stand at a place of the message; tells the place of the first wrong one.
    pub fn first_wrong(&self, at: usize, bytes: &[u8]) -> Option<usize> {
        let mut done = 0;
        while done < bytes.len() {
            let piece = self.piece(at + done);
            let length = piece.len().min(bytes.len() - done);
            if length == 0 {
                return Some(at + done);
            }
            if piece[..length] != bytes[done..done + length] {
                let wrong = piece.iter().zip(&bytes[done..]).position(|(a, b)| a != b).unwrap_or(0);
                return Some(at + done + wrong);
            }
            done += length;
        }
        None
    }
}

/// The filling of a message that has no header of this form: so many bytes, at most 65536, that depend on its number.
pub fn filling(number: u64, length: usize) -> &'static [u8] {
    let base = (number.wrapping_mul(4_099) % PERIOD as u64) as usize;
    &TABLE.0[base..base + length.min(PIECE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u32) -> Header {
        Header { way: Way::Back, flow: 3, run: 77, connection: 12, node: 4, sequence: 9, length }
    }

    #[test]
    fn headers_round_trip_and_notice_every_flipped_bit() {
        let bytes = header(1024).encode();
        assert_eq!(Header::decode(&bytes), Some(header(1024)));
        for bit in 0..HEADER * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&damaged), None, "bit {bit}");
        }
    }

    #[test]
    fn a_wrong_byte_is_found_wherever_it_is() {
        for length in [1u32, 2, 31, 32, 33, 1024, 200_000] {
            let frame = Frame::new(&header(length));
            let mut bytes = Vec::new();
            frame.append(0, length as usize, &mut bytes);
            assert_eq!(bytes.len(), length as usize);
            assert_eq!(frame.first_wrong(0, &bytes), None);
            for at in [0, length as usize / 2, length as usize - 1] {
                bytes[at] ^= 0x40;
                assert_eq!(frame.first_wrong(0, &bytes), Some(at));
                bytes[at] ^= 0x40;
            }
        }
    }

    #[test]
    fn neighbours_differ() {
        let (a, b) = (Frame::new(&header(31)), Frame::new(&Header { sequence: 10, ..header(31) }));
        let mut bytes = Vec::new();
        a.append(0, 31, &mut bytes);
        assert!(b.first_wrong(0, &bytes).is_some());
    }

    #[test]
    fn pieces_are_the_bytes_and_lie_as_they_do_in_the_message() {
        for length in [32u32, 4097, 65_536, 1 << 20, 3_000_000] {
            let frame = Frame::new(&header(length));
            let (mut bytes, mut sent) = (Vec::new(), Vec::new());
            frame.append(0, length as usize, &mut bytes);
            while sent.len() < bytes.len() {
                let at = sent.len();
                let (pieces, count) = frame.pieces(at);
                assert!(count > 0);
                for piece in &pieces[..count] {
                    let aligned = piece.as_ptr() as usize % ALIGNED == sent.len() % ALIGNED;
                    assert!(aligned || sent.len() < HEADER, "at {} of {length}", sent.len());
                    sent.extend_from_slice(piece);
                }
            }
            assert!(sent == bytes, "{length}");
        }
        assert_eq!(Frame::new(&header(1 << 20)).pieces(0).0.iter().map(|piece| piece.len()).sum::<usize>(), 1 << 20, "a MiB is one call");
    }

    #[test]
    fn a_shift_by_a_round_number_is_seen() {
        let frame = Frame::new(&header(3_000_000));
        let mut bytes = Vec::new();
        frame.append(HEADER, HEADER + 1000, &mut bytes);
        let round = (6..21).map(|power| 1 << power).chain((1..20).map(|times| times * 100_000)).chain((1..40).map(|times| times * 1448));
        round.for_each(|shift| assert!(frame.first_wrong(HEADER + shift, &bytes).is_some(), "{shift}"));
    }
}
