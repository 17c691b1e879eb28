//! What is to be done when, in the order of time. In: things with their instants. Out: the first of them. Limits of one length come in
//! their order, however many there are: those stand in a line, and only what falls before its end is sorted in. What need not be
//! done after all is taken out, so that it holds little more than what is still to be done, however long the limits are.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// When, and what.
pub type Due = (i64, u64);

/// Things that need not be done any more may be held, besides as many as are to be done.
const MOST_IDLE: usize = 1024;

/// Things to be done.
#[derive(Debug, Default)]
pub struct Agenda {
    /// In their order.
    line: VecDeque<Due>,
    /// What came when later things stood in the line, and what stayed behind when later ones were taken out of it.
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

    /// Takes one out that need not be done any more. Out of order it may stay until [`Agenda::tidy`].
    pub fn cancel(&mut self, due: Due) {
        if self.line.back().is_none_or(|last| *last < due) {
            return;
        }
        while let Some(first) = self.line.front().copied().filter(|first| *first <= due) {
            self.line.pop_front();
            if first == due {
                return;
            }
            self.others.push(Reverse(first));
        }
    }

    /// Forgets what need not be done any more, if there is much of it beside `wanted` things that are to be done.
    pub fn tidy(&mut self, wanted: usize, is_wanted: impl Fn(&Due) -> bool) {
        if self.line.len() + self.others.len() > 2 * wanted + MOST_IDLE {
            self.line.retain(&is_wanted);
            self.others.retain(|Reverse(due)| is_wanted(due));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_order_it_comes_in_it_goes_in_that_of_time() {
        let mut agenda = Agenda::default();
        let mut ought: Vec<Due> = (0..1000i64).map(|n| (n * 7919 % 1009, n as u64)).collect();
        ought.iter().for_each(|due| agenda.push(*due));
        ought.sort_unstable();
        let gone: Vec<Due> = std::iter::from_fn(|| agenda.pop()).collect();
        assert_eq!(gone, ought);
        assert_eq!(agenda.first(), None);
    }

    #[test]
    fn it_holds_what_is_to_be_done_and_little_more() {
        let mut agenda = Agenda::default();
        let mut waits: VecDeque<Due> = VecDeque::new();
        for n in 0..200_000i64 {
            let due = (n + 1_000_000, n as u64);
            agenda.push(due);
            waits.push_back(due);
            // Two of three are done soon, out of their order; every hundredth never is.
            if n % 3 == 2 {
                for at in [2, 1] {
                    let at = waits.len() - at;
                    if !waits[at].1.is_multiple_of(100) {
                        agenda.cancel(waits.remove(at).unwrap());
                    }
                }
            }
            if let Some(at) = waits.iter().position(|due| !due.1.is_multiple_of(100)).filter(|_| n % 50 == 49) {
                agenda.cancel(waits.remove(at).unwrap());
            }
            agenda.tidy(waits.len(), |due| waits.binary_search(due).is_ok());
            assert!(agenda.line.len() + agenda.others.len() <= 2 * waits.len() + MOST_IDLE);
        }
        agenda.tidy(0, |due| waits.binary_search(due).is_ok());
        let left: Vec<Due> = std::iter::from_fn(|| agenda.pop()).filter(|due| waits.contains(due)).collect();
        assert_eq!(left, Vec::from(waits), "nothing is lost that is to be done");
    }
}
