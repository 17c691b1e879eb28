//! The blocks of a pcapng file, by draft-ietf-opsawg-pcapng. In: interfaces, frames, comments, counts. Out: bytes, one whole block at a time,
//! little-endian, with instants in ns. Knows no files and no clock.

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;
/// Tells a reader the order of bytes.
const MAGIC: u32 = 0x1a2b_3c4d;
const ETHERNET: u16 = 1;
/// Instants are in ns: ten to the minus ninth.
const NANOSECONDS: u8 = 9;
/// The length of a section that is not known beforehand.
const UNKNOWN: u64 = u64::MAX;
/// A longer text is cut here, bytes: the length of an option has 16 bits.
const LONGEST: usize = 60_000;

const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
const RESOLUTION: u16 = 9;
const FLAGS: u16 = 2;
const BEGAN: u16 = 2;
const ENDED: u16 = 3;
const RECEIVED: u16 = 4;
const DROPPED: u16 = 5;
const DELIVERED: u16 = 8;

/// Which way a frame went, seen from its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// A frame of a file.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// The position of its interface in the file.
    pub(crate) interface: u32,
    /// ns of the wall clock.
    pub(crate) at_ns: u64,
    /// Its bytes, all of them.
    pub(crate) bytes: &'a [u8],
    pub(crate) direction: Option<Direction>,
    /// Empty: none.
    pub(crate) comment: &'a str,
}

/// What an interface of a file saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// When the capture began, ns of the wall clock.
    pub(crate) began_ns: u64,
    /// When it ended, likewise.
    pub(crate) ended_ns: u64,
    /// Frames that came.
    pub(crate) came: u64,
    /// Of those, frames for which there was no room.
    pub(crate) missed: u64,
}

/// A block that is being put together.
struct Block<'a> {
    to: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Block<'a> {
    fn new(to: &'a mut Vec<u8>, kind: u32) -> Self {
        let start = to.len();
        to.extend_from_slice(&kind.to_le_bytes());
        to.extend_from_slice(&[0; 4]);
        Block { to, start }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.to.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    /// Two halves, the high one first.
    fn instant(&mut self, ns: u64) {
        self.number((ns >> 32) as u32);
        self.number(ns as u32);
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.put(bytes);
        self.put(&[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()]);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.put(&code.to_le_bytes());
        self.put(&(value.len() as u16).to_le_bytes());
        self.padded(value);
    }

    fn text(&mut self, code: u16, text: &str) {
        if !text.is_empty() {
            let end = (0..=text.len().min(LONGEST)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            self.option(code, &text.as_bytes()[..end]);
        }
    }

    fn moment(&mut self, code: u16, ns: u64) {
        let [high, low] = [(ns >> 32) as u32, ns as u32].map(u32::to_le_bytes);
        self.option(code, &[high, low].concat());
    }

    /// The end of the options, and the length, which stands on both sides.
    fn end(mut self) {
        self.number(0);
        let length = (self.to.len() + 4 - self.start) as u32;
        self.number(length);
        self.to[self.start + 4..self.start + 8].copy_from_slice(&length.to_le_bytes());
    }
}

/// The beginning of a file.
pub(crate) fn section(to: &mut Vec<u8>, application: &str, comment: &str) {
    let mut block = Block::new(to, SECTION);
    block.number(MAGIC);
    block.put(&1u16.to_le_bytes());
    block.put(&0u16.to_le_bytes());
    block.put(&UNKNOWN.to_le_bytes());
    block.text(COMMENT, comment);
    block.text(APPLICATION, application);
    block.end();
}

/// The next interface of a file.
pub(crate) fn interface(to: &mut Vec<u8>, name: &str, description: &str) {
    let mut block = Block::new(to, INTERFACE);
    block.put(&ETHERNET.to_le_bytes());
    block.put(&[0; 2]);
    // Frames are kept whole.
    block.number(0);
    block.text(NAME, name);
    block.text(DESCRIPTION, description);
    block.option(RESOLUTION, &[NANOSECONDS]);
    block.end();
}

/// A frame.
pub(crate) fn frame(to: &mut Vec<u8>, frame: &Frame<'_>) {
    let mut block = Block::new(to, PACKET);
    block.number(frame.interface);
    block.instant(frame.at_ns);
    let length = frame.bytes.len() as u32;
    block.number(length);
    block.number(length);
    block.padded(frame.bytes);
    block.text(COMMENT, frame.comment);
    if let Some(direction) = frame.direction {
        let flags: u32 = if direction == Direction::In { 1 } else { 2 };
        block.option(FLAGS, &flags.to_le_bytes());
    }
    block.end();
}

/// What an interface saw, at the end of a file.
pub(crate) fn statistics(to: &mut Vec<u8>, interface: u32, seen: &Seen) {
    let mut block = Block::new(to, STATISTICS);
    block.number(interface);
    block.instant(seen.ended_ns);
    block.moment(BEGAN, seen.began_ns);
    block.moment(ENDED, seen.ended_ns);
    for (code, count) in [(RECEIVED, seen.came), (DROPPED, seen.missed), (DELIVERED, seen.came.saturating_sub(seen.missed))] {
        block.option(code, &count.to_le_bytes());
    }
    block.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocks of a file: kind and length, which must stand on both sides.
    fn blocks(bytes: &[u8]) -> Vec<(u32, usize)> {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (mut found, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let (kind, length) = (number(at), number(at + 4));
            assert_eq!(length % 4, 0);
            assert_eq!(number(at + length as usize - 4), length);
            found.push((kind, length as usize));
            at += length as usize;
        }
        assert_eq!(at, bytes.len());
        found
    }

    #[test]
    fn every_byte_of_a_small_frame_is_known() {
        let mut to = Vec::new();
        let said = Frame { interface: 1, at_ns: 0x0102_0304_0506_0708, bytes: b"abcde", direction: Some(Direction::Out), comment: "lost" };
        frame(&mut to, &said);
        let expected: &[&[u8]] = &[
            &[6, 0, 0, 0, 60, 0, 0, 0],
            &[1, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5],
            &[5, 0, 0, 0, 5, 0, 0, 0],
            b"abcde\0\0\0",
            b"\x01\x00\x04\x00lost",
            &[2, 0, 4, 0, 2, 0, 0, 0],
            &[0, 0, 0, 0],
            &[60, 0, 0, 0],
        ];
        assert_eq!(to, expected.concat());
    }

    #[test]
    fn every_byte_of_the_beginning_is_known() {
        let mut to = Vec::new();
        section(&mut to, "scn", "");
        interface(&mut to, "eth0", "");
        let expected: &[&[u8]] = &[
            &[0x0a, 0x0d, 0x0d, 0x0a, 40, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0],
            &[0xff; 8],
            b"\x04\x00\x03\x00scn\0",
            &[0, 0, 0, 0, 40, 0, 0, 0],
            &[1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            b"\x02\x00\x04\x00eth0",
            &[9, 0, 1, 0, 9, 0, 0, 0],
            &[0, 0, 0, 0, 40, 0, 0, 0],
        ];
        assert_eq!(to, expected.concat());
    }

    #[test]
    fn blocks_of_every_length_are_whole() {
        let mut to = Vec::new();
        section(&mut to, "scn 0.1", "a scenario");
        for length in 0..9 {
            let text = &"abcdefgh"[..length];
            interface(&mut to, text, text);
            frame(&mut to, &Frame { interface: 0, at_ns: 1, bytes: text.as_bytes(), direction: None, comment: text });
            statistics(&mut to, 0, &Seen { came: 3, missed: 1, ..Seen::default() });
        }
        let long = "ä".repeat(LONGEST);
        frame(&mut to, &Frame { interface: 0, at_ns: 1, bytes: &[7; 65_549], direction: None, comment: &long });
        let kinds: Vec<u32> = blocks(&to).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds[..4], [SECTION, INTERFACE, PACKET, STATISTICS]);
        assert_eq!(kinds.len(), 1 + 9 * 3 + 1);
    }
}
