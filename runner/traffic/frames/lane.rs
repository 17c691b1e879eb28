//! What both ends of one start of a flow know together while it runs: which of its last frames have come. In: numbers of items. Out: what is
//! under way, lost, late, a copy. The two ends work on threads of their own; nothing here waits.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use futures_util::task::AtomicWaker;

/// Items whose fate is told apart at once, at least and at most.
const LEAST: u64 = 1 << 12;
const MOST: u64 = 1 << 26;

/// One start of a flow.
pub struct Lane {
    /// Which of the flow's starts.
    pub number: u32,
    /// Wakes the sender when something has come.
    pub sender: AtomicWaker,
    /// A bit of each of the last items: it has come.
    come: Box<[AtomicU64]>,
    /// Those that have come in time and for the first time.
    arrived: AtomicU64,
    /// The fate of all before this one is sealed.
    sealed: AtomicU64,
    /// Between these instants the receiver last had no room, ns.
    missed_ns: [AtomicI64; 2],
}

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// An item's first frame, in time.
    First,
    /// One more of the same.
    Copy,
    /// One that had been counted as lost.
    Late,
}

impl Lane {
    /// A start at whose rate so many items are under way at once.
    pub fn new(number: u32, under_way: u64) -> Lane {
        let items = under_way.clamp(LEAST, MOST).next_power_of_two();
        let come = (0..items / 64).map(|_| AtomicU64::new(0)).collect();
        let missed_ns = [AtomicI64::new(i64::MAX), AtomicI64::new(i64::MIN)];
        Lane { number, sender: AtomicWaker::new(), come, arrived: AtomicU64::new(0), sealed: AtomicU64::new(0), missed_ns }
    }

    /// Items that can be told apart at once: what is further behind must be sealed before another is sent.
    pub fn room(&self) -> u64 {
        self.come.len() as u64 * 64
    }

    fn word(&self, item: u64) -> (&AtomicU64, u64) {
        (&self.come[(item / 64 % self.come.len() as u64) as usize], 1 << (item % 64))
    }

    /// The receiver has seen an item.
    pub fn came(&self, item: u64) -> Arrival {
        if item < self.sealed.load(Ordering::Acquire) {
            return Arrival::Late;
        }
        let (word, bit) = self.word(item);
        if word.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return Arrival::Copy;
        }
        self.arrived.fetch_add(1, Ordering::AcqRel);
        Arrival::First
    }

    /// The receiver has seen one that cannot be told from others.
    pub fn came_unnamed(&self) {
        self.arrived.fetch_add(1, Ordering::AcqRel);
    }

    /// The receiver had no room for frames.
    pub fn missed(&self, from_ns: i64, to_ns: i64) {
        self.missed_ns[0].store(from_ns, Ordering::Release);
        self.missed_ns[1].store(to_ns, Ordering::Release);
    }

    /// The receiver had no room at an instant between these.
    pub fn may_have_missed(&self, from_ns: i64, to_ns: i64) -> bool {
        from_ns <= self.missed_ns[1].load(Ordering::Acquire) && self.missed_ns[0].load(Ordering::Acquire) <= to_ns
    }

    /// So many have come in time.
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Acquire)
    }

    /// Seals the fate of an item and all before it; whether it has come.
    pub fn seal(&self, item: u64) -> bool {
        self.sealed.fetch_max(item + 1, Ordering::AcqRel);
        let (word, bit) = self.word(item);
        word.fetch_and(!bit, Ordering::AcqRel) & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_once_and_in_time() {
        let lane = Lane::new(1, 0);
        assert_eq!(lane.room(), LEAST);
        assert_eq!([lane.came(0), lane.came(2), lane.came(2)], [Arrival::First, Arrival::First, Arrival::Copy]);
        assert_eq!([lane.seal(0), lane.seal(1), lane.seal(2)], [true, false, true]);
        assert_eq!((lane.came(1), lane.arrived()), (Arrival::Late, 2));
        // What takes their places is not taken for them.
        assert_eq!(lane.came(LEAST + 2), Arrival::First);
    }
}
