//! What was measured on one flow: every item, every connection, every tcp_info sample, kept as compact columns.

use serde::{Deserialize, Serialize};

use super::columns;
use super::packet::Datagrams;
use super::tool::ToolRecord;

/// One flow's measurements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowRecord {
    /// `steady`.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// `client → 10.0.0.100:5003 over tcp, sym(1KiB), 200 connections, 400/s`.
    pub description: String,
    /// The client's node: a position in the record's nodes.
    pub from: u32,
    /// Nodes that may answer: positions in the record's nodes.
    pub to: Vec<u32>,
    /// When it ran: start and stop; empty: it never did. One pair unless it was started again.
    pub ran_ns: Vec<(i64, i64)>,
    /// When it was paused by the timeline: from, to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paused_ns: Vec<(i64, i64)>,
    /// Time between two intended starts at the flow's beginning, ns; 0: closed loop.
    pub interval_ns: u64,
    /// From each of these instants on the longest time between two intended starts, ns; empty: it is always `interval_ns`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals_ns: Vec<(i64, u64)>,
    /// Starts have no equal distance: they come in bursts or at random.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uneven: bool,
    /// Least pause between a connection's end and its successor's start, ns.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pause_ns: u64,
    /// Each item goes to every node of `to`, and the connections of each of its sockets are one for each of them, in turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_each: bool,
    /// Payload of one transaction from client to server, bytes, if always the same.
    pub forward_bytes: Option<u64>,
    /// Payload of one transaction from server to client, bytes, if always the same.
    pub back_bytes: Option<u64>,
    /// The flow did all of its `total`, or its `duration` was over, or it was stopped: nothing was cut short.
    pub finished: bool,
    /// The series end here because of [`MAX_ITEMS`], or because the tool failed that made them; `None`: they are whole.
    pub truncated_at_ns: Option<i64>,
    /// Every transaction, in the order of their ends (those that never ended stand last).
    #[serde(with = "columns::items")]
    pub items: Vec<Item>,
    /// Every connection, in the order of their openings; an item's `connection` is a position here.
    #[serde(with = "columns::connections")]
    pub connections: Vec<Connection>,
    /// Samples of tcp_info in the order of their instants.
    #[serde(with = "columns::tcp")]
    pub tcp: Vec<TcpSample>,
    /// What went wrong, most frequent first, at most 50 kinds.
    pub failures: Vec<Failure>,
    /// Payload with wrong content: how often and where first.
    pub corrupt: Vec<Corruption>,
    /// What became of each datagram; `None`: the flow has connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datagrams: Option<Datagrams>,
    /// What the real program told that made it; `None`: scn made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolRecord>,
    /// What the name that it goes to was found to mean, each time that this was another than before, at most 1000 times; empty: it goes to no
    /// name, or a tool looked it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<LookUp>,
    /// Its numbers in words, in the order in which a report shows them. Filled in once the run was judged.
    #[serde(default)]
    pub summary: Vec<Measurement>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a name was found to mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookUp {
    /// When, ns.
    pub at_ns: i64,
    /// Addresses in the resolver's order.
    pub found: Vec<String>,
    /// Why there are none; empty: there are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failed: String,
}

/// One number of a flow, in words, for reports that only print it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// The metric's name without its flow: `outage.max`, `latency.p99`, `transactions`.
    pub name: String,
    /// Its value with its unit: `353.2ms`. `n/a` when there was nothing to measure.
    pub value: String,
    /// Its known error with its unit: `2.5ms`; empty when the value is exact.
    pub error: String,
    /// What it means, one sentence.
    pub definition: String,
}

/// More items than this are not kept one by one; the series then end early and say so.
pub const MAX_ITEMS: usize = 20_000_000;

/// No instant: it never happened.
pub const NEVER: i64 = i64::MIN;

/// One transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// When it was meant to start. In a closed loop: when it started.
    pub intended_ns: i64,
    /// When its first byte was handed to the kernel; [`NEVER`] if it was not.
    pub sent_ns: i64,
    /// When its last byte was received and verified, or when it failed; [`NEVER`] if neither was seen.
    pub done_ns: i64,
    /// How late the program's own clock released it, ns.
    pub lag_ns: u32,
    /// A position in the connections; `u32::MAX`: none was free.
    pub connection: u32,
    /// The node that answered: a position in the record's nodes; `u16::MAX`: nobody was recognised.
    pub backend: u16,
    /// What became of it.
    pub outcome: ItemOutcome,
    /// The status of the answer (HTTP); 0: none came.
    pub status: u16,
    /// Payload bytes received by the server; `u32::MAX`: at least so many.
    pub forward_bytes: u32,
    /// Payload bytes received by the client; `u32::MAX`: at least so many.
    pub back_bytes: u32,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum ItemOutcome {
    /// As the pattern says.
    Done = 0,
    /// Not as the pattern says, or its connection broke: lost.
    Failed = 1,
    /// No connection was free in time: never sent, not lost.
    Dropped = 2,
    /// The run or the flow ended before it did: neither done nor lost.
    Unfinished = 3,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// When `connect` was called.
    pub opened_ns: i64,
    /// When it was established, its TLS handshake done; [`NEVER`] if it was not.
    pub established_ns: i64,
    /// How long the TLS handshake took that it was established by, ns; 0: it has none. Of QUIC it is all of its opening.
    pub handshake_ns: i64,
    /// When it ended or was seen to be broken; [`NEVER`] if it outlived the flow's record.
    pub closed_ns: i64,
    /// How it ended.
    pub end: ConnectionEnd,
    /// The connection it succeeds after a break: a position in the same list; `u32::MAX`: none.
    pub successor_of: u32,
    /// The node that answered: a position in the record's nodes; `u16::MAX`: unknown.
    pub backend: u16,
    /// Transactions completed on it.
    pub transactions: u32,
    /// `10.0.0.10:40312`, empty if it never had one.
    pub local: String,
    /// `10.0.0.100:5003`.
    pub remote: String,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum ConnectionEnd {
    /// It was still open when the record was made.
    Open = 0,
    /// Orderly, as planned (pattern, total, stop).
    Closed = 1,
    /// The peer refused it.
    Refused = 2,
    /// No answer to its opening in time.
    ConnectTimeout = 3,
    /// No route, or the network said so.
    Unreachable = 4,
    /// The peer reset it.
    Reset = 5,
    /// The peer closed it before the transaction was over.
    EarlyClose = 6,
    /// The peer did not answer in time, or the kernel gave up.
    Timeout = 7,
    /// A transaction was not as the pattern says.
    Mismatch = 8,
    /// Another error of the kernel, or the name that it goes to was not found, or its own client was killed by a fault of the scenario.
    Other = 9,
    /// The TLS handshake failed, or one end ended the connection by an alert.
    Tls = 10,
}

/// One reading of tcp_info (RFC 9293 connection, as Linux tells).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpSample {
    /// When.
    pub at_ns: i64,
    /// A position in the connections.
    pub connection: u32,
    /// Read at the server's end.
    pub server: bool,
    /// Smoothed round-trip time, us.
    pub rtt_us: u32,
    /// Its mean deviation, us.
    pub rttvar_us: u32,
    /// Least round-trip time, us.
    pub min_rtt_us: u32,
    /// Congestion window, segments.
    pub cwnd: u32,
    /// Slow-start threshold, segments.
    pub ssthresh: u32,
    /// Segments retransmitted in all.
    pub retransmits: u32,
    /// Segments thought lost now.
    pub lost: u32,
    /// Segments sent and not acknowledged now.
    pub unacked: u32,
    /// Reordering degree, segments.
    pub reordering: u32,
    /// Bytes acknowledged in all.
    pub bytes_acked: u64,
    /// Bytes received in all.
    pub bytes_received: u64,
    /// Delivery rate, bytes/s.
    pub delivery_rate: u64,
    /// Pacing rate, bytes/s; `u64::MAX` as the kernel says "none" is kept as 0.
    pub pacing_rate: u64,
    /// Congestion state: 0 open, 1 disorder, 2 CWR, 3 recovery, 4 loss.
    pub ca_state: u8,
    /// TCP state as the kernel numbers it (1 established, ...).
    pub state: u8,
}

/// A kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `client expects "220" within 500ms (line 44)`, or `connect to 10.0.0.100:5003`.
    pub step: String,
    /// What happened: `got "554 go away\r\n"`, `connection reset by peer`.
    pub what: String,
    /// The step's line in the file, from 1; 0: none.
    pub line: u32,
    /// How often.
    pub count: u64,
    /// When first, ns.
    pub first_ns: i64,
    /// When last, ns.
    pub last_ns: i64,
}

/// Wrong content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corruption {
    /// When it was seen, ns.
    pub at_ns: i64,
    /// A position in the connections.
    pub connection: u32,
    /// Seen by the server.
    pub server: bool,
    /// `content`: a wrong byte; `misdelivered`: the filling of another run, flow or connection; `sequence`: another transaction's.
    pub kind: CorruptionKind,
    /// Offset of the first wrong byte in the payload.
    pub offset: u32,
    /// In words: expected and seen.
    pub detail: String,
}

/// Sorts of wrong content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorruptionKind {
    /// A wrong byte.
    Content,
    /// The filling of another run, flow or connection.
    Misdelivered,
    /// Another transaction's filling.
    Sequence,
}
