//! What a wire counts, and the flag that cuts it. In: counts of the pump. Out: accounts for the record. Shared by the pump and the
//! lab without locks on the way of a frame, but for the histogram of lateness, which only the two of them touch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;
use scn_reports::record::LinkAccount;

/// Lateness is kept with this many significant digits.
const DIGITS: u8 = 3;
/// Lateness beyond this is kept as this, ns.
const LATEST_NS: u64 = 60_000_000_000;

/// One wire's counters, by direction: frames from the first end, from the second.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Twice the number of cuts so far, and one while it is cut. A frame goes through only if this is even and has not changed
    /// while the frame was on its way.
    state: AtomicU64,
    pub(crate) entered: [AtomicU64; 2],
    pub(crate) delivered: [AtomicU64; 2],
    pub(crate) cut: [AtomicU64; 2],
    pub(crate) dropped: [AtomicU64; 2],
    late: Mutex<Histogram<u64>>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        let late = Histogram::new_with_bounds(1, LATEST_NS, DIGITS).expect("constant bounds that the histogram takes");
        Counters {
            state: AtomicU64::new(0),
            entered: Default::default(),
            delivered: Default::default(),
            cut: Default::default(),
            dropped: Default::default(),
            late: Mutex::new(late),
        }
    }

    /// Cuts the wire or joins it. Frames that are under way when it is cut are lost.
    pub(crate) fn set_cut(&self, cut: bool) {
        let state = self.state.load(Ordering::SeqCst);
        if cut != (state % 2 == 1) {
            // Cut: 0 to 1, 2 to 3. Joined: 1 to 2. Only the lab's owner calls this, one call at a time.
            self.state.store(state + 1, Ordering::SeqCst);
        }
    }

    /// The state that a frame remembers when it enters; `None`: cut, it does not enter.
    pub(crate) fn open(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        state.is_multiple_of(2).then_some(state)
    }

    /// The wire has not been cut since a frame entered.
    pub(crate) fn still(&self, entered_in: u64) -> bool {
        self.state.load(Ordering::Acquire) == entered_in
    }

    /// Remembers how much later than meant a frame went out, ns.
    pub(crate) fn late(&self, ns: u64) {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(ns.max(1));
    }

    /// Frames that the cut took, both ways.
    pub(crate) fn cut_in_all(&self) -> u64 {
        self.cut.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The account as the record has it.
    pub(crate) fn account(&self) -> LinkAccount {
        let read = |counts: &[AtomicU64; 2]| [counts[0].load(Ordering::Acquire), counts[1].load(Ordering::Acquire)];
        // What leaves is read before what enters, so that nothing is negative.
        let (delivered, cut, dropped) = (read(&self.delivered), read(&self.cut), read(&self.dropped));
        let entered = read(&self.entered);
        let waiting = |at: usize| entered[at].saturating_sub(delivered[at] + cut[at] + dropped[at]);
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let late_p99_ns = if late.is_empty() { 0 } else { late.value_at_quantile(0.99) };
        LinkAccount { entered, delivered, cut, dropped, queued: [waiting(0), waiting(1)], late_p99_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_takes_what_is_under_way() {
        let counters = Counters::new();
        let before = counters.open().unwrap();
        counters.set_cut(true);
        counters.set_cut(true);
        assert_eq!(counters.open(), None);
        counters.set_cut(false);
        assert!(!counters.still(before));
        assert!(counters.still(counters.open().unwrap()));
    }

    #[test]
    fn the_account_adds_up() {
        let counters = Counters::new();
        counters.entered[1].store(7, Ordering::Relaxed);
        counters.delivered[1].store(4, Ordering::Relaxed);
        counters.cut[1].store(1, Ordering::Relaxed);
        counters.late(5_000);
        let account = counters.account();
        assert_eq!(account.queued, [0, 2]);
        assert!(account.late_p99_ns >= 5_000);
    }
}
