//! What is to be done when, in the order of time. In: things with their instants. Out: the first of them. Limits of one length come in
//! their order, however many there are: those stand in a line, and only what falls before its end is sorted in.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// When, the lane's number, and what of it.
pub type Due = (i64, u32, u64);

/// Things to be done.
#[derive(Debug, Default)]
pub struct Agenda {
    /// In their order.
    line: VecDeque<Due>,
    /// What came when later things stood in the line.
    others: BinaryHeap<Reverse<Due>>,
}

impl Agenda {
    /// Adds one.
    pub fn push(&mut self, due: Due) {
        if self.line.back().is_none_or(|last| *last <= due) {
            self.line.push_back(due);
        } else {
            self.others.push(Reverse(due));
        }
    }

    /// The first.
    pub fn first(&self) -> Option<Due> {
        let other = self.others.peek().map(|Reverse(due)| *due);
        self.line.front().copied().into_iter().chain(other).min()
    }

    /// Takes the first out.
    pub fn pop(&mut self) -> Option<Due> {
        let first = self.first()?;
        if self.line.front() == Some(&first) { self.line.pop_front() } else { self.others.pop().map(|Reverse(due)| due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_order_it_comes_in_it_goes_in_that_of_time() {
        let mut agenda = Agenda::default();
        let mut ought: Vec<Due> = (0..1000i64).map(|n| (n * 7919 % 1009, (n % 3) as u32, n as u64)).collect();
        ought.iter().for_each(|due| agenda.push(*due));
        ought.sort_unstable();
        let gone: Vec<Due> = std::iter::from_fn(|| agenda.pop()).collect();
        assert_eq!(gone, ought);
        assert_eq!(agenda.first(), None);
    }
}
