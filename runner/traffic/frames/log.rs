//! What both ends noted of each frame, and how the notes of the two become items and packets. In: departures, arrivals, what found no room at the
//! receiver. Out: rows. Measures nothing.

use std::collections::VecDeque;

use scn_reports::record::flow::{Item, ItemOutcome, NEVER};
use scn_reports::record::packet::{Missed, Packet, PacketFate};

use crate::traffic::datagram::log::{Log as Notes, Note};
use crate::traffic::runs::Runs;

/// A frame that was handed to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Departure {
    /// The start of the flow.
    pub lane: u32,
    /// Bytes of its payload.
    pub payload: u32,
    /// Its item's number in the start.
    pub item: u64,
    /// When it was meant to be sent, ns.
    pub intended_ns: i64,
    /// When it was, ns.
    pub sent_ns: i64,
    /// How late it was released, ns.
    pub lag_ns: u32,
}

/// A frame of somebody else's that a flow watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// When, ns.
    pub at_ns: i64,
    /// Bytes of its payload.
    pub payload: u32,
}

/// One worker's notes of a flow.
#[derive(Debug, Default)]
pub struct Log {
    /// In the order of sending.
    pub sent: Vec<Departure>,
    /// Of a flow that only watches: what came, in the order of its coming at each interface.
    pub came: Vec<Came>,
    /// What found no room at the receiver: between these instants.
    pub missed: Vec<Missed>,
    /// The node where frames arrive, once it is known.
    pub backend: Option<u16>,
    /// Nobody of scn's looks where they arrive.
    pub unwatched: bool,
    /// The frames cannot be told apart.
    pub alike: bool,
}

/// Rows of a flow, made of both ends' notes.
#[derive(Debug, Default)]
pub struct Rows {
    /// Of each frame sent.
    pub items: Vec<Item>,
    /// Of each frame and each copy, where they can be told apart.
    pub packets: Vec<Packet>,
}

impl Log {
    /// Takes another worker's notes in.
    pub fn join(&mut self, other: Log) {
        self.sent.extend(other.sent);
        self.came.extend(other.came);
        self.missed.extend(other.missed);
        self.backend = self.backend.or(other.backend);
        self.unwatched |= other.unwatched;
        self.alike |= other.alike;
    }

    /// The rows; `notes` holds the arrivals. What took longer than `limit_ns` is lost, what did not come by `until_ns` was perhaps not seen.
    pub fn into_rows(mut self, mut notes: Notes, limit_ns: i64, until_ns: i64) -> Rows {
        self.sent.sort_unstable_by_key(|sent| (sent.lane, sent.item));
        let watched = if self.unwatched { i64::MIN } else { until_ns };
        if self.alike {
            return self.into_alike(&notes.received, limit_ns, watched);
        }
        notes.sent = self.sent.iter().map(|sent| Note::forward(sent.lane, sent.item, sent.sent_ns)).collect();
        let mut packets = notes.into_rows(limit_ns, watched);
        for packet in packets.iter_mut().filter(|packet| packet.fate == PacketFate::Lost) {
            if self.may_have_been_missed(packet.sent_ns, limit_ns) {
                packet.fate = PacketFate::Unseen;
            }
        }
        // Both stand in the order of starts and items, and each departure has one row that is no copy.
        let firsts = packets.iter().filter(|packet| packet.fate != PacketFate::Copy);
        let items = self.sent.iter().zip(firsts).map(|(sent, packet)| self.item(sent, packet.fate, packet.received_ns, limit_ns)).collect();
        packets.sort_unstable_by_key(|packet| (packet.sent_ns, packet.received_ns));
        Rows { items, packets }
    }

    /// Of a flow that only watches: an item for each frame that came while it did, from the first instant of each stretch to the first that is no
    /// part of it.
    pub fn into_watched(mut self, watched_ns: &[(i64, i64)]) -> Vec<Item> {
        self.came.sort_unstable_by_key(|came| came.at_ns);
        let inside = |came: &&Came| watched_ns.iter().any(|(from_ns, to_ns)| (*from_ns..*to_ns).contains(&came.at_ns));
        let item = |came: &Came| Item {
            intended_ns: came.at_ns,
            // Nobody here sent it.
            sent_ns: NEVER,
            done_ns: came.at_ns,
            lag_ns: 0,
            connection: u32::MAX,
            backend: self.backend.unwrap_or(u16::MAX),
            outcome: ItemOutcome::Done,
            status: 0,
            forward_bytes: came.payload,
            back_bytes: 0,
        };
        self.came.iter().filter(inside).map(item).collect()
    }

    /// Of frames that are all alike: what came is what was sent first and has not come. Which one it really was nobody knows.
    fn into_alike(self, received: &Runs<Note>, limit_ns: i64, until_ns: i64) -> Rows {
        let mut waiting: Vec<i64> = received.iter().map(|note| note.at_ns).collect();
        waiting.sort_unstable();
        let mut waiting = VecDeque::from(waiting);
        let mut sent = self.sent.clone();
        sent.sort_unstable_by_key(|sent| sent.sent_ns);
        let mut items = Vec::with_capacity(sent.len());
        for departure in &sent {
            while waiting.front().is_some_and(|at| *at < departure.sent_ns) {
                // Nothing that waits can have come before it was sent: a copy, or a stranger's.
                waiting.pop_front();
            }
            let end_ns = departure.sent_ns.saturating_add(limit_ns);
            let came = waiting.front().copied().filter(|at| *at <= end_ns);
            let (fate, at_ns) = match came {
                Some(at_ns) => {
                    waiting.pop_front();
                    (PacketFate::Arrived, at_ns)
                }
                None if end_ns > until_ns || self.may_have_been_missed(departure.sent_ns, limit_ns) => (PacketFate::Unseen, NEVER),
                None => (PacketFate::Lost, NEVER),
            };
            items.push(self.item(departure, fate, at_ns, limit_ns));
        }
        Rows { items, packets: Vec::new() }
    }

    /// The receiver had no room for a frame when this one may have come.
    fn may_have_been_missed(&self, sent_ns: i64, limit_ns: i64) -> bool {
        self.missed.iter().any(|missed| sent_ns <= missed.to_ns && missed.from_ns <= sent_ns.saturating_add(limit_ns))
    }

    fn item(&self, sent: &Departure, fate: PacketFate, received_ns: i64, limit_ns: i64) -> Item {
        let (outcome, done_ns) = match fate {
            PacketFate::Arrived => (ItemOutcome::Done, received_ns),
            PacketFate::Unseen => (ItemOutcome::Unfinished, NEVER),
            _ => (ItemOutcome::Failed, sent.sent_ns.saturating_add(limit_ns)),
        };
        let done = outcome == ItemOutcome::Done;
        Item {
            intended_ns: sent.intended_ns,
            sent_ns: sent.sent_ns,
            done_ns,
            lag_ns: sent.lag_ns,
            connection: sent.lane,
            backend: self.backend.filter(|_| done).unwrap_or(u16::MAX),
            outcome,
            status: 0,
            forward_bytes: if done { sent.payload } else { 0 },
            back_bytes: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(item: u64, sent_ns: i64) -> Departure {
        Departure { lane: 3, payload: 64, item, intended_ns: sent_ns, sent_ns, lag_ns: 0 }
    }

    fn arrivals(all: &[(u64, i64)]) -> Notes {
        Notes { received: all.iter().map(|(item, at)| Note::forward(3, *item, *at)).collect(), ..Notes::default() }
    }

    #[test]
    fn each_frame_has_its_own_fate() {
        let log = Log { sent: vec![sent(0, 0), sent(1, 10), sent(2, 20), sent(4, 40), sent(5, 900)], backend: Some(7), ..Log::default() };
        let rows = log.into_rows(arrivals(&[(2, 25), (0, 26), (0, 27), (4, 900)]), 100, 950);
        use ItemOutcome::{Done, Failed, Unfinished};
        let items: Vec<_> = rows.items.iter().map(|item| (item.sent_ns, item.outcome, item.done_ns)).collect();
        assert_eq!(items, [(0, Done, 26), (10, Failed, 110), (20, Done, 25), (40, Failed, 140), (900, Unfinished, NEVER)]);
        let fates: Vec<_> = rows.packets.iter().map(|packet| (packet.sent_ns, packet.fate)).collect();
        use PacketFate::{Arrived, Copy, Late, Lost, Unseen};
        assert_eq!(fates, [(0, Arrived), (0, Copy), (10, Lost), (20, Arrived), (40, Late), (900, Unseen)]);
    }

    #[test]
    fn what_the_receiver_missed_is_not_called_lost() {
        let missed = vec![Missed { from_ns: 105, to_ns: 130, count: 1 }];
        let log = Log { sent: vec![sent(0, 0), sent(1, 10), sent(2, 140)], missed, ..Log::default() };
        let rows = log.into_rows(arrivals(&[]), 100, 950);
        let outcomes: Vec<_> = rows.items.iter().map(|item| item.outcome).collect();
        assert_eq!(outcomes, [ItemOutcome::Failed, ItemOutcome::Unfinished, ItemOutcome::Failed]);
    }

    #[test]
    fn of_frames_that_are_alike_as_many_are_lost_as_are_missing() {
        let log = Log { sent: (0..5).map(|n| sent(n, n as i64 * 10)).collect(), alike: true, ..Log::default() };
        let rows = log.into_rows(arrivals(&[(0, 5), (1, 15), (2, 26), (3, 47)]), 100, 950);
        assert!(rows.packets.is_empty());
        let failed: Vec<_> = rows.items.iter().filter(|item| item.outcome == ItemOutcome::Failed).collect();
        assert_eq!(failed.len(), 1);
    }

    #[test]
    fn what_came_while_it_was_watched_is_an_item() {
        let came = [30, 10, 19, 20, 9].map(|at_ns| Came { at_ns, payload: at_ns as u32 });
        let items = Log { came: came.to_vec(), backend: Some(3), ..Log::default() }.into_watched(&[(10, 20), (30, 31)]);
        let all: Vec<_> = items.iter().map(|item| (item.done_ns, item.sent_ns, item.forward_bytes, item.backend)).collect();
        assert_eq!(all, [(10, NEVER, 10, 3), (19, NEVER, 19, 3), (30, NEVER, 30, 3)], "a stop's own instant is no part of it");
    }

    #[test]
    fn where_nobody_looks_nothing_is_known() {
        let log = Log { sent: vec![sent(0, 0)], unwatched: true, ..Log::default() };
        let rows = log.into_rows(arrivals(&[]), 100, 950);
        assert_eq!(rows.items[0].outcome, ItemOutcome::Unfinished);
    }
}
