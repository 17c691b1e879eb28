//! Programs under test. In: nothing. Out: the types that the planner and the lab read.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NodeId;
use super::text::Text;
use crate::source::Span;

/// A program on one or more nodes, started before the timeline, in a folder of its own on each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its name, `lb` or `lb[2]`.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// Where it runs, one copy on each.
    pub nodes: Vec<NodeId>,
    /// The command line, for `sh -c`.
    pub command: Text,
    /// Written to its folder before it starts, in the order of the text.
    pub files: Vec<ProcessFile>,
    /// Variables added to the environment, in the order of the text.
    pub env: Vec<(String, Text)>,
    /// When it counts as ready; `None`: as soon as it runs.
    pub ready: Option<Ready>,
    /// How it is stopped.
    pub stop: Stop,
    /// The declaration.
    pub span: Span,
}

/// A file of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessFile {
    /// Its path under the folder, without `..` and a leading `/`.
    pub path: String,
    /// What stands in it.
    pub content: Content,
    /// The statement.
    pub span: Span,
}

/// What stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A text.
    Text(Text),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// When a process counts as ready. Asked again until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ready {
    /// What is looked at.
    pub probe: Probe,
    /// Not ready after this long: the run is an error; ns. Default 10 s.
    pub within_ns: u64,
    /// Where it is said.
    pub span: Span,
}

/// Readiness that is not said `within` takes at most this long, ns.
pub const DEFAULT_READY_NS: u64 = 10_000_000_000;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// A connection is taken there, asked from the process's own node.
    Tcp(ProbeTarget),
    /// The port is bound there.
    Udp(ProbeTarget),
    /// A line of its output matches this regex.
    Log(String),
    /// This command, run on its node, ends with 0.
    Run(Text),
}

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeTarget {
    /// As written.
    Address(IpAddr, u16),
    /// The first address of a node.
    Node(NodeId, u16),
}

/// How a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// First this. Default SIGTERM.
    pub signal: Signal,
    /// After this long SIGKILL, ns. Default 5 s.
    pub within_ns: u64,
}

/// A process that is asked to stop gets this long if nothing is said, ns.
pub const DEFAULT_STOP_NS: u64 = 5_000_000_000;

impl Default for Stop {
    fn default() -> Self {
        Stop { signal: Signal::Term, within_ns: DEFAULT_STOP_NS }
    }
}

/// Signals by their names; numbers are the machine's concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Signal {
    Hup,
    Int,
    Quit,
    Abrt,
    Kill,
    Usr1,
    Usr2,
    Pipe,
    Alrm,
    Term,
    Cont,
    Stop,
    Tstp,
    Winch,
}

/// The signals with the words they are written with.
pub const SIGNALS: &[(&str, Signal)] = &[
    ("SIGHUP", Signal::Hup),
    ("SIGINT", Signal::Int),
    ("SIGQUIT", Signal::Quit),
    ("SIGABRT", Signal::Abrt),
    ("SIGKILL", Signal::Kill),
    ("SIGUSR1", Signal::Usr1),
    ("SIGUSR2", Signal::Usr2),
    ("SIGPIPE", Signal::Pipe),
    ("SIGALRM", Signal::Alrm),
    ("SIGTERM", Signal::Term),
    ("SIGCONT", Signal::Cont),
    ("SIGSTOP", Signal::Stop),
    ("SIGTSTP", Signal::Tstp),
    ("SIGWINCH", Signal::Winch),
];

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(SIGNALS.iter().find(|(_, signal)| signal == self).map_or("SIGTERM", |(word, _)| word))
    }
}
