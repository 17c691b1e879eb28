//! What both ends noted of each datagram, and how the notes of the two become one row. In: notes. Out: [`Packet`]s. Measures nothing.

use scn_reports::record::flow::NEVER;
use scn_reports::record::packet::{Missed, Packet, PacketFate, PacketWay};

use super::exchange::MESSAGES;
use crate::traffic::runs::{Row, Runs};

/// One end's note of one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The client's socket, as the client numbers them.
    pub connection: u32,
    /// From server to client.
    pub back: bool,
    /// The message's number in its direction of the socket.
    pub sequence: u64,
    /// When it was sent or received, ns.
    pub at_ns: i64,
    /// Of an answer: when the client's last datagram before it was sent, ns; [`NEVER`]: this answers none.
    pub asked_ns: i64,
}

impl Note {
    /// One of the way to the server.
    pub fn forward(connection: u32, sequence: u64, at_ns: i64) -> Note {
        Note { connection, back: false, sequence, at_ns, asked_ns: NEVER }
    }
}

/// The next datagram of those that left or came together: of the next transaction, a nanosecond later.
impl Row for Note {
    fn behind(&self, places: u32) -> Option<Note> {
        let sequence = self.sequence.wrapping_add(u64::from(places) * MESSAGES);
        // What answers a question has an instant of its own besides.
        (self.asked_ns == NEVER).then(|| Note { sequence, at_ns: self.at_ns + i64::from(places), ..*self })
    }
}

/// One worker's notes of a flow.
#[derive(Debug, Default)]
pub struct Log {
    /// Datagrams sent.
    pub sent: Runs<Note>,
    /// Datagrams received, copies too.
    pub received: Runs<Note>,
    /// Round trips, where the other end takes no notes.
    pub rounds: Vec<Packet>,
    /// When answers came to what had been counted as lost, ns.
    pub late_ns: Vec<i64>,
    /// What the kernel threw away at a socket, for nobody read it in time.
    pub thrown_away: Vec<Missed>,
}

impl Log {
    /// Takes another worker's notes in.
    pub fn join(&mut self, other: Log) {
        self.sent.join(other.sent);
        self.received.join(other.received);
        self.rounds.extend(other.rounds);
        self.late_ns.extend(other.late_ns);
        self.thrown_away.extend(other.thrown_away);
    }

    /// One row for each datagram and each copy, in the order of their sending. What took longer than `limit_ns` is late; what did not come
    /// by `until_ns`, when the ends stopped to listen, was perhaps only not seen.
    pub fn into_packets(self, limit_ns: i64, until_ns: i64) -> Vec<Packet> {
        let mut packets = self.into_rows(limit_ns, until_ns);
        packets.sort_unstable_by_key(|packet| (packet.sent_ns, packet.received_ns));
        packets
    }

    /// The same in the order of sockets, ways and numbers, behind the round trips.
    pub fn into_rows(self, limit_ns: i64, until_ns: i64) -> Vec<Packet> {
        let key = |note: &Note| (note.connection, note.back, note.sequence);
        let mut packets = self.rounds;
        packets.reserve(self.sent.len());
        let (mut sent, mut received) = (self.sent.into_rows(), self.received.into_rows());
        sent.sort_unstable();
        received.sort_unstable();
        let mut received = received.into_iter().peekable();
        for sent in sent {
            // What was received and never sent is no datagram of this flow.
            while received.next_if(|note| key(note) < key(&sent)).is_some() {}
            let way = if sent.back { PacketWay::Back } else { PacketWay::Forward };
            let row =
                |fate, received_ns, asked_ns| Packet { way, fate, connection: sent.connection, sent_ns: sent.at_ns, received_ns, asked_ns };
            let mut first = true;
            while let Some(note) = received.next_if(|note| key(note) == key(&sent)) {
                let late = note.at_ns.saturating_sub(sent.at_ns) > limit_ns;
                let fate = if !first {
                    PacketFate::Copy
                } else if late {
                    PacketFate::Late
                } else {
                    PacketFate::Arrived
                };
                packets.push(row(fate, note.at_ns, note.asked_ns));
                first = false;
            }
            if first {
                let seen = sent.at_ns.saturating_add(limit_ns) <= until_ns;
                packets.push(row(if seen { PacketFate::Lost } else { PacketFate::Unseen }, NEVER, NEVER));
            }
        }
        packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::runs::tests::come_out_as_they_went_in;

    fn note(back: bool, sequence: u64, at_ns: i64) -> Note {
        Note { connection: 3, back, sequence, at_ns, asked_ns: NEVER }
    }

    #[test]
    fn the_two_ends_make_one_row_of_each_datagram_and_each_copy() {
        let log = Log {
            sent: [note(false, 2, 20), note(false, 1, 10), note(true, 1, 12), note(false, 3, 30), note(false, 4, 900)]
                .into_iter()
                .collect(),
            received: [note(false, 1, 16), note(false, 1, 11), note(true, 1, 14), note(false, 3, 230), note(false, 77, 5)]
                .into_iter()
                .collect(),
            ..Log::default()
        };
        let packets = log.into_packets(100, 950);
        let rows: Vec<_> = packets.iter().map(|p| (p.way, p.fate, p.sent_ns, p.received_ns)).collect();
        use PacketFate::{Arrived, Copy, Late, Lost, Unseen};
        use PacketWay::{Back, Forward};
        assert_eq!(
            rows,
            [
                (Forward, Arrived, 10, 11),
                (Forward, Copy, 10, 16),
                (Back, Arrived, 12, 14),
                (Forward, Lost, 20, NEVER),
                (Forward, Late, 30, 230),
                (Forward, Unseen, 900, NEVER),
            ]
        );
    }

    #[test]
    fn datagrams_that_go_together_are_one_row() {
        let note = |number: u64, at_ns| Note::forward(3, number * MESSAGES, at_ns);
        let mut all: Vec<Note> = (0..1000).map(|n| note(n, 50 + n as i64)).collect();
        // A gap in time, one in the numbers, another socket, the other way, a second message of one transaction, an answer, a copy.
        all.extend([
            note(1000, 1051),
            note(1002, 1052),
            Note { connection: 4, ..note(1003, 1053) },
            Note { back: true, ..note(1004, 1054) },
        ]);
        all.extend([Note::forward(3, 1004 * MESSAGES + 1, 1055), Note { asked_ns: 7, ..note(1005, 1056) }]);
        all.extend([note(1006, 1057), note(1006, 1058)]);
        come_out_as_they_went_in(&all, 9);
    }
}
