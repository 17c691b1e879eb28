//! A frame made ready to be built again and again: what is always the same stands there, of each item only what varies is written, and the
//! checksums are the sum of the fixed part and of what varies. In: headers from `headers`. Out: the bytes of each item's frame. Sends nothing.

use scn_grammar::scenario::pattern::Varying;

use super::described::Described;
use super::mark::{MARK, Whose};
use super::sums::{self, Sum};
use super::values::Values;
use crate::traffic::draw::Key;
use crate::traffic::frame::filling;

/// A field that is not always the same, as a part of whole words of 16 bits.
#[derive(Debug, Clone)]
pub(super) struct Patch {
    /// Where the words begin; even.
    pub at: usize,
    /// Their bytes; even.
    pub width: usize,
    /// The field lies so many bits above the end of the words.
    pub shift: u32,
    /// The bits of the words that are the field's.
    pub mask: u128,
    /// What it holds.
    pub values: Values,
    /// It counts for the checksum of IPv4.
    pub network: bool,
    /// It counts for the checksum of the segment.
    pub segment: bool,
}

/// A header of IP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    /// Where it begins.
    pub at: usize,
    /// IPv6, else IPv4.
    pub ipv6: bool,
    /// The sum of what is fixed of IPv4's.
    pub fixed: Sum,
}

/// A header above IP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    /// Where it begins.
    pub at: usize,
    /// Where its checksum stands.
    pub sum_at: usize,
    /// It has a length of its own: UDP.
    pub has_length: bool,
    /// Its checksum counts the addresses and the length.
    pub pseudo: bool,
    /// The sum of what is fixed, a fixed payload too.
    pub fixed: Sum,
}

/// What follows the last header.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    /// Always the same bytes, which stand in the template.
    Fixed,
    /// Filling of this size, with an identity if there is always room for one.
    Filling(Varying),
}

/// A frame to be.
#[derive(Debug, Clone)]
pub struct Template {
    /// The headers, and a payload that is always the same; bits that vary are 0.
    pub(super) bytes: Vec<u8>,
    /// The bits of `bytes` that every frame of the flow has at its end, whatever routers and bridges do.
    pub(super) certain: Vec<u8>,
    /// Where the payload begins.
    pub(super) payload_at: usize,
    pub(super) patches: Vec<Patch>,
    pub(super) network: Option<Network>,
    pub(super) segment: Option<Segment>,
    pub(super) payload: Payload,
    /// Tags of VLANs in front of the network's header: the first one's number if it is always the same.
    pub(super) tags: Vec<Option<u16>>,
    pub(super) whose: Whose,
    pub(super) key: Key,
    /// The largest frame, bytes.
    pub longest: usize,
    /// Of a flow that only watches: `bytes` and `patches` hold what is said of others' frames.
    pub(super) described: Option<Described>,
}

impl Template {
    /// Each frame can be told from all others.
    pub fn is_identified(&self) -> bool {
        matches!(&self.payload, Payload::Filling(size) if size.least() >= MARK as u64)
    }

    /// Payload bytes of an item.
    pub fn payload_bytes(&self, item: u64) -> usize {
        match &self.payload {
            Payload::Fixed => self.bytes.len() - self.payload_at,
            Payload::Filling(Varying::Fixed(size)) => usize::try_from(*size).unwrap_or(usize::MAX).min(self.longest - self.payload_at),
            Payload::Filling(size) => {
                let drawn = self.key.part(item).draw(size).min(size.most());
                usize::try_from(drawn).unwrap_or(usize::MAX).min(self.longest - self.payload_at)
            }
        }
    }

    /// Makes room for a frame ready: what is always the same stands in it.
    pub fn prepare(&self, room: &mut [u8]) {
        room[..self.bytes.len()].copy_from_slice(&self.bytes);
    }

    /// Writes the frame of an item of a start into room that was made ready; its length.
    pub fn write(&self, item: u64, lane: u32, room: &mut [u8]) -> usize {
        let size = self.payload_bytes(item);
        let length = self.payload_at + size;
        let mut in_network: Sum = 0;
        let mut in_segment: Sum = 0;
        for patch in &self.patches {
            let added = patch.put(patch.values.at(item), room);
            in_network += if patch.network { added } else { 0 };
            in_segment += if patch.segment { added } else { 0 };
        }
        if let Payload::Filling(_) = self.payload {
            let payload = &mut room[self.payload_at..length];
            let mut begins = 0;
            if self.is_identified() {
                payload[..MARK].copy_from_slice(&self.whose.mark(lane, item));
                begins = MARK;
            }
            payload[begins..].copy_from_slice(filling(item, size - begins));
            if self.segment.is_some() {
                in_segment += sums::of_bytes(payload);
            }
        }
        self.finish(length, in_network, in_segment, room);
        length
    }

    /// Writes the lengths and checksums.
    fn finish(&self, length: usize, in_network: Sum, in_segment: Sum, room: &mut [u8]) {
        let word = |number: usize| (number as u16).to_be_bytes();
        if let Some(network) = self.network {
            let at = network.at;
            if network.ipv6 {
                room[at + 4..at + 6].copy_from_slice(&word(length - at - IPV6_HEADER));
            } else {
                room[at + 2..at + 4].copy_from_slice(&word(length - at));
                let sum = sums::checksum(network.fixed + in_network + (length - at) as Sum);
                room[at + 10..at + 12].copy_from_slice(&sum.to_be_bytes());
            }
        }
        let Some(segment) = self.segment else { return };
        let own = length - segment.at;
        let mut sum = segment.fixed + in_segment;
        if segment.pseudo {
            sum += own as Sum;
        }
        if segment.has_length {
            room[segment.at + 4..segment.at + 6].copy_from_slice(&word(own));
            sum += own as Sum;
        }
        let sum = match sums::checksum(sum) {
            // Of UDP a checksum of zero stands for none.
            0 if segment.has_length => u16::MAX,
            sum => sum,
        };
        room[segment.sum_at..segment.sum_at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Bytes of the header of IPv6.
pub(super) const IPV6_HEADER: usize = 40;

impl Patch {
    /// Writes a value; its sum.
    fn put(&self, value: u128, room: &mut [u8]) -> Sum {
        let placed = value << self.shift & self.mask;
        let words = &mut room[self.at..self.at + self.width];
        if let [high, low] = words {
            let kept = u16::from_be_bytes([*high, *low]) & !(self.mask as u16);
            [*high, *low] = (kept | placed as u16).to_be_bytes();
            return placed as Sum;
        }
        let mut number = [0; 16];
        number[16 - self.width..].copy_from_slice(words);
        let number = (u128::from_be_bytes(number) & !self.mask | placed).to_be_bytes();
        words.copy_from_slice(&number[16 - self.width..]);
        sums::of_number(placed)
    }
}
