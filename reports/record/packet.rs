//! What became of each datagram of a flow that has no connections: sent at one end, received at the other, both noted by scn.

use serde::{Deserialize, Serialize};

use super::columns;

/// The datagrams of one flow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Datagrams {
    /// What came later than this after it was sent is late, what did not come is lost, ns.
    pub limit_ns: u64,
    /// Every datagram and every copy, in the order of their sending.
    #[serde(with = "columns::packets")]
    pub packets: Vec<Packet>,
    /// When an answer came to an item that had been counted as lost, in order, ns.
    pub late_ns: Vec<i64>,
    /// What found no room where scn counts what arrives: it may have arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<Missed>,
    /// What found no room in a socket of scn's, and counts as lost though the network had brought it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thrown_away: Vec<Missed>,
    /// They cannot be told apart: how many came is known, and not which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alike: bool,
    /// Nobody of scn's looks where they arrive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unwatched: bool,
    /// The flow sent nothing: its items are the frames of others that it saw arrive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub received_only: bool,
}

/// Arrivals that nobody took in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// Not before this, ns.
    pub from_ns: i64,
    /// Not after this, ns.
    pub to_ns: i64,
    /// How many.
    pub count: u64,
}

/// One datagram, or a copy of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Which way it went.
    pub way: PacketWay,
    /// What became of it.
    pub fate: PacketFate,
    /// The client's socket: a position in the flow's connections.
    pub connection: u32,
    /// When it was handed to the kernel, ns.
    pub sent_ns: i64,
    /// When the other end had it, ns; [`super::flow::NEVER`]: it did not come.
    pub received_ns: i64,
    /// Of an answer: when the client sent what it answers, ns; [`super::flow::NEVER`]: it answers nothing.
    pub asked_ns: i64,
}

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PacketWay {
    /// From client to server.
    Forward = 0,
    /// From server to client.
    Back = 1,
    /// There and back again: the other end takes no notes.
    Round = 2,
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PacketFate {
    /// It came in time.
    Arrived = 0,
    /// A copy of one that came before.
    Copy = 1,
    /// It came after it had been counted as lost.
    Late = 2,
    /// It did not come.
    Lost = 3,
    /// The ends stopped to listen before it could be called lost.
    Unseen = 4,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_is_written_where_there_is_some() {
        let plain = serde_json::to_value(Datagrams { limit_ns: 7, ..Datagrams::default() }).unwrap();
        assert_eq!(plain.as_object().unwrap().len(), 3, "{plain}");
        let missed = vec![Missed { from_ns: 1, to_ns: 2, count: 3 }];
        let all =
            Datagrams { thrown_away: missed.clone(), missed, alike: true, unwatched: true, received_only: true, ..Datagrams::default() };
        let written = serde_json::to_value(&all).unwrap();
        assert_eq!(written["missed"], serde_json::json!([{"from_ns": 1, "to_ns": 2, "count": 3}]));
        assert_eq!(written["thrown_away"], written["missed"]);
        assert_eq!((&written["alike"], &written["unwatched"]), (&true.into(), &true.into()));
        assert_eq!(written["received_only"], true);
        assert_eq!(serde_json::from_value::<Datagrams>(written).unwrap(), all);
        assert_eq!(serde_json::from_value::<Datagrams>(plain).unwrap().missed, []);
    }
}
