//! What a real program told of a flow that it made: how much in which stretch of time, by its own reports, and how it was started and
//! ended. Echoes that it sent one by one stand among the flow's items instead.

use serde::{Deserialize, Serialize};

use super::columns;

/// The tool of one flow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolRecord {
    /// `iperf3`.
    pub name: String,
    /// An instant of its reports may be this far from the truth on the run's clock, ns.
    pub error_ns: u64,
    /// Its reports, in the order of their beginnings.
    #[serde(with = "columns::reports")]
    pub reports: Vec<Report>,
    /// When something went wrong, in order, ns; what, stands among the flow's failures.
    pub errors_ns: Vec<i64>,
    /// How its programs were started and ended, in order.
    pub programs: Vec<ToolProgram>,
}

/// What one end told of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// First instant, ns.
    pub from_ns: i64,
    /// Last instant, ns.
    pub to_ns: i64,
    /// The payload went from server to client.
    pub back: bool,
    /// The receiving end tells it; otherwise the sending one.
    pub receiver: bool,
    /// It counts datagrams, not bytes of a stream.
    pub datagrams: bool,
    /// Payload sent or received, bytes.
    pub bytes: u64,
    /// Datagrams sent or received.
    pub packets: u64,
    /// Datagrams that the receiver misses; less than none where some came late that had been counted before.
    pub lost: i64,
    /// Datagrams that came after a later one.
    pub reordered: u64,
    /// Jitter of RFC 3550 at the last instant, ns; less than 0: it does not tell.
    pub jitter_ns: i64,
}

/// One program that a tool was, from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolProgram {
    /// Its node: a position in the record's nodes.
    pub node: u32,
    /// Its command line.
    pub command: String,
    /// When it was started, ns.
    pub started_ns: i64,
    /// When it had ended, ns; `None`: nobody saw it.
    pub ended_ns: Option<i64>,
    /// Its exit status; of a signal 128 and the signal's number.
    pub status: Option<i32>,
    /// The last that it said on its error output.
    pub said: Vec<String>,
}
