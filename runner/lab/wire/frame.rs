//! Frames that are kept: their bytes in buffers that are used again, each with its virtio header. In: bytes of a tap. Out: packets for the
//! model. Sends nothing.

use std::cell::RefCell;
use std::rc::Rc;

use super::log::Ticket;
use crate::emulate::{Mark, Packet, Taken, complete};

/// The virtio header before each frame, by `linux/virtio_net.h`: flags, kind of several in one, its header's length, their size, where the
/// sum begins, where it belongs.
pub(crate) const HEADER_BYTES: usize = 10;
/// In the flags: the checksum is still to be made.
const NEEDS_CHECKSUM: u8 = 1;

/// Buffers have one of these sizes: an ordinary Ethernet frame, a jumbo frame, several packets in one.
const SIZES: [usize; 3] = [2 << 10, 16 << 10, 68 << 10];
/// As many of each are kept for the next frame: some 64 MiB of each.
const KEPT: [usize; 3] = [32_768, 4_096, 960];
/// Buffers begin at such an address: some processors copy to other places at a fraction of the speed.
const ALIGNMENT: usize = 4096;

/// Bytes that belong to one frame.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn new(size: usize) -> Self {
        // A page more for each small buffer would double it; those are copied in no time anyway.
        let alignment = if size < ALIGNMENT { 64 } else { ALIGNMENT };
        let bytes = vec![0; size + alignment];
        let start = bytes.as_ptr().align_offset(alignment).min(alignment);
        Buffer { bytes, start }
    }
}

/// Buffers that are free.
#[derive(Default)]
pub(crate) struct Pool(RefCell<[Vec<Buffer>; 3]>);

impl Pool {
    fn take(&self, length: usize) -> Buffer {
        let Some(class) = SIZES.iter().position(|size| *size >= length) else { return Buffer::new(length) };
        self.0.borrow_mut()[class].pop().unwrap_or_else(|| Buffer::new(SIZES[class]))
    }

    fn give(&self, buffer: Buffer) {
        let room = buffer.bytes.len() - buffer.start;
        let Some(class) = SIZES.iter().rposition(|size| *size <= room) else { return };
        let free = &mut self.0.borrow_mut()[class];
        if free.len() < KEPT[class] {
            free.push(buffer);
        }
    }
}

/// A frame that waits.
pub(crate) struct Stored {
    /// When it came, ns on the monotonic clock.
    pub(crate) came_ns: u64,
    pub(crate) header: [u8; HEADER_BYTES],
    buffer: Buffer,
    length: usize,
    pool: Rc<Pool>,
    /// Where its fate is noted.
    pub(crate) ticket: Option<Ticket>,
}

impl Stored {
    pub(crate) fn new(came_ns: u64, header: [u8; HEADER_BYTES], frame: &[u8], pool: &Rc<Pool>, ticket: Option<Ticket>) -> Self {
        let mut buffer = pool.take(frame.len());
        let start = buffer.start;
        buffer.bytes[start..start + frame.len()].copy_from_slice(frame);
        Stored { came_ns, header, buffer, length: frame.len(), pool: Rc::clone(pool), ticket }
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.buffer));
    }
}

/// The frame is several packets that are not cut apart yet.
pub(crate) fn is_many(header: [u8; HEADER_BYTES]) -> bool {
    header[1] != 0
}

/// A frame's bytes with the checksum that its sender left to the device. Of several packets in one each gets its own when they are cut apart.
pub(crate) fn with_sum(header: [u8; HEADER_BYTES], frame: &[u8]) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    if needs_sum(header) {
        make_sum(header, &mut bytes);
    }
    bytes
}

fn needs_sum(header: [u8; HEADER_BYTES]) -> bool {
    header[0] & NEEDS_CHECKSUM != 0 && !is_many(header)
}

fn make_sum(header: [u8; HEADER_BYTES], frame: &mut [u8]) {
    let number = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
    let (start, offset) = (number(6), number(8));
    if start < frame.len() {
        complete(frame, start, offset);
    }
}

impl Packet for Stored {
    fn frame(&self) -> &[u8] {
        &self.buffer.bytes[self.buffer.start..self.buffer.start + self.length]
    }

    fn frame_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.bytes[self.buffer.start..self.buffer.start + self.length]
    }

    fn finish(&mut self) {
        // Several in one are none where bits are flipped.
        if needs_sum(self.header) {
            make_sum(self.header, self.frame_mut());
            self.header = [0; HEADER_BYTES];
        }
    }

    fn taken(&self, by: Taken) {
        self.ticket.iter().for_each(|ticket| ticket.taken(by));
    }

    fn marked(&self, with: Mark) {
        self.ticket.iter().for_each(|ticket| ticket.marked(with));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again() {
        let pool = Rc::new(Pool::default());
        for length in [60, 1514, 9014, 65_549, 70_000] {
            let frame: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let stored = Stored::new(0, [0; HEADER_BYTES], &frame, &pool, None);
            assert_eq!(stored.frame(), frame);
            let place = stored.frame().as_ptr();
            drop(stored);
            let again = Stored::new(0, [0; HEADER_BYTES], &frame, &pool, None);
            assert!(length == 70_000 || again.frame().as_ptr() == place, "{length}");
        }
    }

    #[test]
    fn a_checksum_is_made_once() {
        let pool = Rc::new(Pool::default());
        let [start, offset] = [34u16, 6].map(u16::to_ne_bytes);
        let header = [NEEDS_CHECKSUM, 0, 0, 0, 0, 0, start[0], start[1], offset[0], offset[1]];
        let mut stored = Stored::new(0, header, &[7; 60], &pool, None);
        stored.finish();
        assert_eq!(stored.header, [0; HEADER_BYTES]);
        let mut expected = [7; 60];
        complete(&mut expected, 34, 6);
        stored.finish();
        assert_eq!(stored.frame(), expected);
        assert_eq!(with_sum(header, &[7; 60]), expected);
        assert_eq!(with_sum([0; HEADER_BYTES], &[7; 60]), [7; 60]);
    }
}
