//! The run record: everything a run left behind, versioned, as one JSON file. In: what the runner fills in. Out: the types that
//! judge and reports read. Measured series are kept whole, as compact columns (`columns`). Renders nothing.

mod account;
pub mod capture;
pub mod columns;
pub mod counted;
#[cfg(test)]
pub(crate) mod example;
mod file;
pub mod flow;
pub mod packet;
pub mod process;
pub mod stress;
pub mod tool;

use serde::{Deserialize, Serialize};

pub use account::LinkAccount;
use capture::CaptureRecord;
use counted::{InterfaceRecord, LinkSample};
pub use file::{MAX_BYTES, RecordError, read, to_json};
use flow::FlowRecord;
use process::{CommandRecord, ProcessRecord};
use stress::StressRecord;

/// The name of the format, in every record.
pub const FORMAT: &str = "scn-run";
/// Raised when a field changes its meaning; new fields have defaults instead.
pub const VERSION: u32 = 1;

/// One run of one scenario. All instants are in ns after the timeline's start, on the run's monotonic clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The version of scn that ran it.
    pub program: String,
    /// What ran.
    pub scenario: ScenarioRecord,
    /// All randomness came from it.
    pub seed: u64,
    /// Wall clock at the timeline's start, RFC 3339 with `Z`.
    pub started: String,
    /// From the timeline's start to the end, ns.
    pub duration_ns: u64,
    /// Building the network took this long, ns.
    pub setup_ns: u64,
    /// Taking it down took this long, ns; 0 if the record was written before.
    pub cleanup_ns: u64,
    /// How it ended.
    pub ended: Ended,
    /// Machine and settings: kernel, cores, privileges, sysctls of the nodes, limits, command line; name and value, in order.
    pub environment: Vec<(String, String)>,
    /// The program may be this late, ns, before it spoils a verdict.
    pub tolerance_ns: u64,
    /// Nodes, for the picture.
    pub nodes: Vec<NodeRecord>,
    /// Links, for the picture.
    pub links: Vec<LinkRecord>,
    /// What was measured, flow by flow.
    pub flows: Vec<FlowRecord>,
    /// Mixes of random streams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stresses: Vec<StressRecord>,
    /// Programs under test, one a copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessRecord>,
    /// Commands of the timeline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandRecord>,
    /// Interfaces whose counters the expectations speak of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceRecord>,
    /// Captures, in the order in which they began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<CaptureRecord>,
    /// What happened, in the order of its instants.
    pub events: Vec<EventRecord>,
    /// What had to hold, in the order of the file, with its verdict once judged.
    pub expectations: Vec<ExpectationRecord>,
    /// Things a reader should know: a fault without effect, a late program, a full disk.
    pub warnings: Vec<String>,
    /// The verdict over all, once judged.
    pub verdict: Option<Verdict>,
    /// The plan as `scn plan --format json` prints it: what `scn judge` judges by.
    pub plan: serde_json::Value,
}

/// What ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioRecord {
    /// Its name, with matrix values.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The file, as it was named on the command line, with `/` between folders.
    pub file: String,
    /// The whole text of the file.
    pub source: String,
    /// First and last line of the declaration, from 1.
    pub lines: (u32, u32),
    /// Parameters: name, value, and whether it was set for this run.
    pub params: Vec<(String, String, bool)>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how", content = "why")]
pub enum Ended {
    /// Everything in the timeline happened and every flow ended.
    Complete,
    /// The scenario's timeout cut it: what was still going on.
    Timeout(String),
    /// A `require` was violated: its name.
    Required(String),
    /// Somebody interrupted it: the signal's name.
    Interrupted(String),
    /// The lab or the machine failed: what.
    Failed(String),
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its name.
    pub name: String,
    /// `host`, `router` or `bridge`.
    pub kind: String,
    /// `eth0 10.0.0.1/24`, one an address; those the node had at the start.
    pub addresses: Vec<String>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRecord {
    /// Its name.
    pub name: String,
    /// Positions in [`RunRecord::nodes`].
    pub ends: [u32; 2],
    /// `direct`, `wire` or `kernel`.
    pub engine: String,
    /// What it does to packets, in words: `delay 2ms`; empty: nothing.
    pub impairment: String,
    /// The engine's own account; `None` for direct links.
    pub account: Option<LinkAccount>,
    /// What it had counted over time, in order, if the expectations speak of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<LinkSample>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Its name, if the file gives it one.
    pub name: Option<String>,
    /// What was done, as written: `down primary`.
    pub text: String,
    /// What sort of thing.
    pub kind: EventKind,
    /// When it was meant to happen; for conditions, when the condition was seen to hold.
    pub planned_ns: i64,
    /// When the program asked for it.
    pub asked_ns: i64,
    /// When the kernel had done it.
    pub done_ns: i64,
    /// The line of the file, from 1; 0: none (an undo).
    pub line: u32,
    /// For a fault with an end (`for 2s`, or a later heal of the same target): when that was.
    pub until_ns: Option<i64>,
    /// Why it could not be done.
    pub error: Option<String>,
}

/// Sorts of events, for the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Traffic starts.
    Start,
    /// Traffic stops.
    Stop,
    /// A fault.
    Fault,
    /// A fault ends.
    Heal,
    /// A change that is neither: an address moves.
    Change,
    /// Only a name for an instant.
    Mark,
}

/// none < pass < inconclusive < fail < error; the worst wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It cannot be told: no data, a cut run, or an error of measurement larger than the margin. Not passed.
    Inconclusive,
    /// It does not hold.
    Fail,
    /// The run itself broke.
    Error,
}

/// An expectation and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectationRecord {
    /// Its text for people; unique in the scenario.
    pub name: String,
    /// Its own words.
    pub words: String,
    /// `expect`, `require` or `note`.
    pub kind: ExpectationKind,
    /// The line it begins on, from 1.
    pub line: u32,
    /// The column it begins in, in characters, from 1.
    pub column: u32,
    /// Its length on that line, in characters.
    pub length: u32,
    /// Once judged.
    pub outcome: Option<Outcome>,
}

/// What a violation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectationKind {
    /// Counts.
    Expect,
    /// Counts, and stops the run.
    Require,
    /// Decides nothing.
    Note,
}

/// A judged expectation, in words and numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What was measured, with unit and known error: `steady.outage.max = 353.2ms ± 3.1ms`.
    pub measured: String,
    /// What had to hold, with values filled in: `< 1500ms`.
    pub expected: String,
    /// Why this verdict, one sentence.
    pub reason: String,
    /// How many samples it rests on.
    pub samples: u64,
    /// The window that was judged, ns: first and last instant.
    pub window_ns: Option<(i64, i64)>,
    /// The instant that decided it.
    pub decided_ns: Option<i64>,
    /// The worst sample: its value in words and its instant.
    pub worst: Option<(String, i64)>,
    /// Events near the deciding instant: positions in [`RunRecord::events`].
    pub nearby: Vec<u32>,
}
