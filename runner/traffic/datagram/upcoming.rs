//! The next start of an open loop that falls to a worker. In: the flow's starts. Out: one after the other. Starts nothing.

use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::starts::Starts;

/// The next start.
pub struct Upcoming<'a> {
    /// Its number.
    pub k: u64,
    /// When, ns; [`NEVER_DUE`]: there is none.
    pub at_ns: i64,
    count: u64,
    own: &'a dyn Fn(u64) -> u64,
    starts: Option<Starts>,
}

impl<'a> Upcoming<'a> {
    /// The first of `count` starts. `own`: the first from a number on that falls to this worker; `starts`: when; `None`: there is no open loop.
    pub fn new(count: u64, own: &'a dyn Fn(u64) -> u64, starts: Option<Starts>) -> Upcoming<'a> {
        let mut first = Upcoming { k: own(0), at_ns: NEVER_DUE, count, own, starts };
        first.look();
        first
    }

    /// Looks again: the course may have changed.
    pub fn look(&mut self) {
        let starts = self.starts.as_mut().filter(|_| self.k < self.count);
        self.at_ns = starts.map_or(NEVER_DUE, |starts| starts.at(self.k));
    }

    /// Goes on to the next one.
    pub fn pass(&mut self) {
        self.k = (self.own)(self.k + 1);
        self.look();
    }
}
