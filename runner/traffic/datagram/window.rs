//! How far a client that sends as fast as it can may be ahead of the server that takes it in, where both are the program's own and each may have a core
//! of its own: what finds no room in the server's socket would be lost by scn, and not by the network. In: what was sent, what the
//! server says that it has. Out: whether the next one has to wait. Knows no clock.

use super::post::MOST_TOGETHER;

/// What the kernel counts for a datagram that comes alone: so much beside its bytes, and of these up to twice as much.
const ALONE: u64 = 768;
/// So long after the last word both ends look for the next one without sleeping: an idle core takes a good part of it to wake, in which much could have
/// been sent, ns.
pub const LOOK_NS: i64 = 200_000;

/// What of a lane is on its way.
#[derive(Debug, Default)]
pub struct Window {
    /// The number behind the last transaction that was written.
    next: u64,
    /// The number behind the last transaction that is over. What is not over before that is lost, or comes out of order.
    over: u64,
    /// Transactions that were written, their datagrams and their bytes.
    written: (u64, u64, u64),
    /// Their datagrams differ in size.
    uneven: bool,
}

impl Window {
    /// A transaction was written to its end: so many datagrams of so many bytes in all.
    pub fn wrote(&mut self, number: u64, datagrams: u32, bytes: u64) {
        let (datagrams, before) = (u64::from(datagrams), self.written);
        self.uneven |= datagrams != 1 || (before.0 > 0 && before.2 != before.0 * bytes);
        self.written = (before.0 + 1, before.1 + datagrams, before.2 + bytes);
        self.next = self.next.max(number + 1);
    }

    /// The transaction of this number is over: the server has it, or it is lost.
    pub fn over(&mut self, number: u64) {
        self.over = self.over.max(number + 1);
    }

    /// As much is on its way as there is room for, in bytes. `joined`: many datagrams of one size are one piece to the kernel.
    pub fn is_full(&self, room: u64, joined: bool) -> bool {
        let (transactions, datagrams, bytes) = self.written;
        let alone = !joined || self.uneven || 2 * bytes > transactions * MOST_TOGETHER as u64;
        let counted = if alone { datagrams * ALONE + 2 * bytes } else { bytes };
        let under_way = self.next.saturating_sub(self.over);
        under_way > 0 && under_way.saturating_mul(counted / transactions.max(1)) >= room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes transactions of so many bytes until it is full: how many.
    fn fill(window: &mut Window, bytes: u64, room: u64, joined: bool) -> u64 {
        let before = window.next;
        while !window.is_full(room, joined) {
            window.wrote(window.next, 1, bytes);
        }
        window.next - before
    }

    #[test]
    fn it_is_full_of_what_nobody_told_of_and_what_is_lost_leaves_room() {
        let mut window = Window::default();
        assert_eq!(fill(&mut window, 1000, 130_000, true), 130);
        window.over(99);
        assert_eq!(fill(&mut window, 1000, 130_000, true), 100, "those before it are told of, or lost");
        window.over(50);
        assert!(window.is_full(130_000, true), "what comes out of order makes no more room");
        window.over(229);
        assert_eq!(fill(&mut window, 1000, 130_000, false), 47, "what stands alone takes more");
        window.over(276);
        assert_eq!(fill(&mut window, 1000, 10, true), 1, "one is never too many");
        window.over(277);
        assert_eq!(fill(&mut window, 900, 130_000, true), 48, "what differs in size goes alone");
    }

    #[test]
    fn every_datagram_of_a_transaction_counts() {
        let mut window = Window::default();
        window.wrote(0, 100, 6400);
        assert!(!window.is_full(100_000, true));
        window.wrote(1, 100, 6400);
        assert!(window.is_full(100_000, true), "each of the 200 takes the kernel {ALONE} bytes and more");
        let mut large = Window::default();
        assert_eq!(fill(&mut large, 40_000, 130_000, true), 2, "no two of them are one piece");
    }
}
