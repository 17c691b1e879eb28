//! One sending to several receivers: an exchange with each of them, of which the first was written and the others wait for what their
//! receivers say. In: the first. Out: the others, and which is whose. A lane without a group has one exchange for each number.

use std::ops::Range;
use std::rc::Rc;

use super::exchange::Exchange;
use super::lane::Lane;
use super::run::Lanes;

impl Exchange {
    /// By which a lane finds it, where each number is `each` exchanges.
    pub fn key(&self, each: u32) -> u64 {
        self.number.wrapping_mul(u64::from(each)) + u64::from(self.receiver)
    }
}

impl Lane {
    /// The rows of its receivers in the table of connections; its own if it has one.
    pub(super) fn rows(&self, lanes: &Lanes) -> Range<u32> {
        self.number..self.number + lanes.each()
    }

    /// The exchange of a transaction with the receiver at a node; `None`: nothing was sent for that node.
    pub(super) fn key(&self, lanes: &Lanes, number: u64, node: u16) -> Option<u64> {
        if lanes.receivers.is_empty() {
            return Some(number);
        }
        let at = lanes.receivers.iter().position(|receiver| *receiver == node)?;
        Some(number.wrapping_mul(u64::from(lanes.each())) + at as u64)
    }

    /// Begins to wait for a group's other receivers too.
    pub(super) fn with_the_others(self: &Rc<Self>, lanes: &Rc<Lanes>, first: &Exchange) {
        for receiver in 1..lanes.each() {
            let mut other = lanes.exchange();
            other.as_mut().clone_from(first);
            other.receiver = receiver;
            self.wait(lanes, other);
        }
    }

    /// Another receiver has not answered yet.
    pub(super) fn others_wait(&self, lanes: &Lanes, number: u64) -> bool {
        let each = u64::from(lanes.each());
        each > 1 && (0..each).any(|at| self.state.borrow().under_way.contains_key(&(number.wrapping_mul(each) + at)))
    }
}
