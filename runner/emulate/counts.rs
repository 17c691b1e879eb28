//! What one way of a link counts. In: one count for each thing that happens to a packet. Out: the numbers, and whether they add up.

/// Packets of one way. What came in or was made is in one of the other places, and `queued` is told by who holds the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Came in.
    pub entered: u64,
    /// Made by `duplicate`.
    pub duplicated: u64,
    /// Handed on.
    pub delivered: u64,
    /// Taken by a cut, a partition or a link that is down.
    pub cut: u64,
    /// Taken by a `drop`.
    pub filtered: u64,
    /// Taken by the black hole.
    pub oversized: u64,
    /// Taken by `loss`.
    pub lost: u64,
    /// The queue had no place for them.
    pub overflowed: u64,
    /// Taken by the queue's management.
    pub managed: u64,
    /// Lost by scn itself or the machine: a buffer was full, or a frame could not be sent.
    pub failed: u64,
    /// Had a bit flipped; counted elsewhere too.
    pub corrupted: u64,
    /// Held back; counted elsewhere too.
    pub reordered: u64,
    /// Marked as having met congestion instead of dropped; counted elsewhere too.
    pub marked: u64,
    /// Were several packets in one though each was to be judged alone; counted elsewhere too.
    pub joined: u64,
}

impl Counts {
    /// Every packet is in one place, `queued` of them still on the way.
    #[must_use]
    pub fn closes(&self, queued: u64) -> bool {
        let Counts { entered, duplicated, delivered, cut, filtered, oversized, lost, overflowed, managed, failed, .. } = self;
        entered + duplicated == delivered + cut + filtered + oversized + lost + overflowed + managed + failed + queued
    }
}
