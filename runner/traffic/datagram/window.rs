//! How far a client that sends as fast as it can may be ahead of the server that takes it in, where both are the program's own and each may have a core
//! of its own: what finds no room in the server's socket would be lost by scn, and not by the network. In: what was sent, what the
//! server says that it has. Out: whether the next one has to wait. Knows no clock.

use super::post::MOST_TOGETHER;

/// Bytes that may be on their way in pieces of many datagrams: one that is read and one that waits have room in a socket that the kernel gives its usual
/// 208 KiB.
const ROOM: u64 = 2 * MOST_TOGETHER as u64;
/// What the kernel counts for a datagram that comes alone: so much beside its bytes, and of these up to twice as much.
const ALONE: u64 = 768;

/// So long after the last word both ends look for the next one without sleeping: an idle core takes a good part of it to wake, in which much could have
/// been sent, ns.
pub const AWAKE_NS: i64 = 200_000;

/// What of a lane is on its way.
#[derive(Debug, Default)]
pub struct Window {
    /// Transactions begun, and their bytes.
    begun: u64,
    bytes: u64,
    /// The number behind the last transaction of which the server told. What it has not told of before that is lost, or comes out of order.
    over: u64,
}

impl Window {
    /// A transaction of so many bytes was begun.
    pub fn begin(&mut self, bytes: u64) {
        (self.begun, self.bytes) = (self.begun + 1, self.bytes + bytes);
    }

    /// The server has the transaction of this number.
    pub fn told(&mut self, number: u64) {
        self.over = self.over.max(number + 1);
    }

    /// As much as there is room for is on its way. `lanes` share the server's socket; `joined`: many datagrams are one piece to the kernel.
    pub fn is_full(&self, lanes: usize, joined: bool) -> bool {
        let mean = self.bytes / self.begun.max(1);
        let each = if joined { mean } else { ALONE + 2 * mean };
        self.begun.saturating_sub(self.over).saturating_mul(each) >= ROOM / (lanes as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins transactions of 1000 bytes until it is full: how many.
    fn fill(window: &mut Window, lanes: usize, joined: bool) -> u32 {
        let mut begun = 0;
        while !window.is_full(lanes, joined) {
            window.begin(1000);
            begun += 1;
        }
        begun
    }

    #[test]
    fn it_is_full_of_what_nobody_told_of_and_what_is_lost_leaves_room() {
        let mut window = Window::default();
        assert_eq!(fill(&mut window, 1, true), 130);
        window.told(99);
        assert_eq!(fill(&mut window, 1, true), 100, "those before it are told of, or lost");
        window.told(50);
        assert!(window.is_full(1, true), "what comes out of order makes no more room");
        window.told(229);
        assert_eq!(fill(&mut window, 10, true), 13, "several lanes share it");
        window.told(242);
        assert_eq!(fill(&mut window, 1, false), 47, "what stands alone takes more");
        window.told(289);
        assert_eq!(fill(&mut window, 1000, true), 1, "one is never too many");
    }
}
