//! Packets under way: delay, order, and those that are held back so that others overtake them. In: packets with the instant at which they
//! are to leave. Out: packets in the order in which they leave. Decides no delay.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use super::way::Packet;

/// A packet that waits for later ones leaves after this long though they have not come, ns.
pub(super) const HOLD_MOST_NS: u64 = 1_000_000_000;

/// A packet on its way.
struct Due<T> {
    due_ns: u64,
    /// The order in which they came.
    number: u64,
    /// It lets so many later ones pass when it is due.
    lets_pass: u64,
    packet: T,
}

/// Only for the heap: the earliest is the greatest.
struct Stray<T>(Due<T>);

impl<T> PartialEq for Stray<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<T> Eq for Stray<T> {}
impl<T> PartialOrd for Stray<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Stray<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.0.due_ns, other.0.number).cmp(&(self.0.due_ns, self.0.number))
    }
}

/// All packets under way in one direction.
pub(super) struct Transit<T> {
    /// Those that are due after each other.
    lane: VecDeque<Due<T>>,
    /// Those that overtake.
    strays: BinaryHeap<Stray<T>>,
    /// Those that are due and let others pass; at [`Due::due_ns`] they do so no longer.
    held: Vec<Due<T>>,
    /// Those that have let enough pass.
    released: VecDeque<Due<T>>,
    came: u64,
    last_due_ns: u64,
    /// Of all frames here.
    bytes: usize,
}

impl<T: Packet> Transit<T> {
    pub(super) fn new() -> Self {
        Transit {
            lane: VecDeque::new(),
            strays: BinaryHeap::new(),
            held: Vec::new(),
            released: VecDeque::new(),
            came: 0,
            last_due_ns: 0,
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lane.len() + self.strays.len() + self.held.len() + self.released.len()
    }

    /// Bytes of the frames here.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A packet that is to leave at an instant. `in_order`: not before those that came before it.
    pub(super) fn enter(&mut self, due_ns: u64, in_order: bool, packet: T) {
        let due_ns = if in_order { due_ns.max(self.last_due_ns) } else { due_ns };
        self.last_due_ns = self.last_due_ns.max(due_ns);
        self.put(due_ns, 0, packet);
    }

    /// A packet that leaves later than those behind it: after so many of them, or after so many ns more; it does not hold them up.
    pub(super) fn enter_late(&mut self, due_ns: u64, lets_pass: u64, more_ns: u64, packet: T) {
        self.put(due_ns.saturating_add(more_ns), lets_pass, packet);
    }

    fn put(&mut self, due_ns: u64, lets_pass: u64, packet: T) {
        self.came += 1;
        self.bytes += packet.frame().len();
        let due = Due { due_ns, number: self.came, lets_pass, packet };
        if self.lane.back().is_none_or(|last| last.due_ns <= due_ns) {
            self.lane.push_back(due);
        } else {
            self.strays.push(Stray(due));
        }
    }

    /// When the next is due.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let lane = self.lane.front().map(|due| due.due_ns);
        let stray = self.strays.peek().map(|stray| stray.0.due_ns);
        let held = self.held.iter().map(|due| due.due_ns).min();
        let released = self.released.front().map(|due| due.due_ns);
        [lane, stray, held, released].into_iter().flatten().min()
    }

    /// The next packet that is due by now, with the instant at which it was.
    pub(super) fn leave(&mut self, now_ns: u64) -> Option<(u64, T)> {
        let due = self.take(now_ns)?;
        self.bytes -= due.packet.frame().len();
        Some((due.due_ns, due.packet))
    }

    fn take(&mut self, now_ns: u64) -> Option<Due<T>> {
        loop {
            if let Some(due) = self.released.pop_front() {
                return Some(due);
            }
            if let Some(at) = self.held.iter().position(|due| due.due_ns <= now_ns) {
                return Some(self.held.remove(at));
            }
            let mut due = self.first(now_ns)?;
            if due.lets_pass > 0 {
                due.due_ns = due.due_ns.saturating_add(HOLD_MOST_NS);
                self.held.push(due);
                continue;
            }
            self.passed(due.number, due.due_ns);
            return Some(due);
        }
    }

    /// The earliest of those that let nobody pass any more.
    fn first(&mut self, now_ns: u64) -> Option<Due<T>> {
        let key = |due: &Due<T>| (due.due_ns, due.number);
        let lane = self.lane.front().map(key);
        let stray = self.strays.peek().map(|stray| key(&stray.0));
        let earliest = [lane, stray].into_iter().flatten().min()?;
        if earliest.0 > now_ns {
            return None;
        }
        if lane == Some(earliest) { self.lane.pop_front() } else { self.strays.pop().map(|stray| stray.0) }
    }

    /// A packet has left: those before it that wait for later ones have one less to wait for.
    fn passed(&mut self, number: u64, at_ns: u64) {
        if self.held.is_empty() {
            return;
        }
        for at in (0..self.held.len()).rev() {
            let waits = &mut self.held[at];
            if waits.number < number {
                waits.lets_pass -= 1;
                if waits.lets_pass == 0 {
                    let due = self.held.remove(at);
                    self.released.push_front(Due { due_ns: at_ns, ..due });
                }
            }
        }
    }

    /// Takes out what a cut or a partition takes. Out: how many.
    pub(super) fn purge(&mut self, is_taken: impl Fn(&T) -> bool) -> u64 {
        let before = self.len();
        self.lane.retain(|due| !is_taken(&due.packet));
        self.strays.retain(|stray| !is_taken(&stray.0.packet));
        self.held.retain(|due| !is_taken(&due.packet));
        self.released.retain(|due| !is_taken(&due.packet));
        let left = self.lane.iter().chain(self.strays.iter().map(|stray| &stray.0)).chain(&self.held).chain(&self.released);
        self.bytes = left.map(|due| due.packet.frame().len()).sum();
        (before - self.len()) as u64
    }
}
