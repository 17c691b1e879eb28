//! Services, flows and their load. In: nothing. Out: the types that the planner and the traffic engine read. What they run over is
//! in [`super::transport`].

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{Pattern, Varying};
use super::topology::Prefix;
use super::transport::{Listener, Transport};
use super::{NodeId, ProcessId, ServiceId};
use crate::source::Span;

/// Something that listens, on one or more nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Its name, `store` or `store[2]`.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// Where it stands.
    pub nodes: Vec<NodeId>,
    /// The address it binds; `None`: every address of the node.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// What it listens with.
    pub listener: Listener,
    /// What it answers: the server's side of this. `None`: the transport answers by itself (HTTP, ctraffic's wire).
    pub pattern: Option<Pattern>,
    /// The declaration.
    pub span: Span,
}

/// One flow from one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// `steady`, or `steady[3]` of a replica.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// The client's node.
    pub from: NodeId,
    /// The interface its packets leave by; `None`: as the node routes them.
    pub from_interface: Option<String>,
    /// The server.
    pub to: Destination,
    /// `peer none`: nothing of the program's answers there.
    pub peer_none: bool,
    /// What it runs over. Default TCP; ICMP of `via ping`.
    pub transport: Transport,
    /// The real program that makes it; `None`: this one.
    pub tool: Option<Tool>,
    /// What one transaction is. `None`: ICMP, frames, a tool, HTTP with a request, ctraffic's wire.
    pub pattern: Option<Pattern>,
    /// How much of it.
    pub load: Load,
    /// What follows when a connection breaks or can't be opened; `None`: nothing (`reconnect off`).
    pub reconnect: Option<Reconnect>,
    /// How long it waits.
    pub timeouts: Timeouts,
    /// Addresses it starts from, in turn for each connection; empty: the node's own. A prefix stands for all its addresses.
    pub source: Vec<Prefix>,
    /// Ports it starts from, both included, in turn for each connection; `None`: free ones.
    pub ports: Option<(u16, u16)>,
    /// Read `tcp_info` at both ends this often, in ns; `None`: only at each connection's end.
    pub sample_tcp_info_ns: Option<u64>,
    /// The declaration.
    pub span: Span,
}

/// Where a flow goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// A node: the planner adds a peer that speaks the pattern, on this port or a free one.
    Node(NodeId, Option<u16>),
    /// An interface of a node: at one of its addresses; frames arrive there.
    Interface(NodeId, String, Option<u16>),
    /// A service, at the nearest of its nodes.
    Service(ServiceId),
    /// A program under test, at the nearest of its nodes, on this port.
    Process(ProcessId, u16),
    /// An address and a port: whoever answers there. Only ICMP and frames go without a port.
    Address(IpAddr, Option<u16>),
    /// A name that the client's node resolves, and a port: whoever answers there.
    HostName(String, Option<u16>),
}

/// How much traffic, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Alive at once, at least 1.
    pub connections: u64,
    /// Connections in all (datagrams, packets, frames: items), then the flow is complete.
    pub total: Option<u64>,
    /// Transactions of each connection before it is closed; with `total` it is 1 if not said.
    pub transactions: Option<u64>,
    /// Transactions (items) started per second over the whole flow, in 1e-9/s: open loop. At the flow's start if it changes.
    pub rate_nano: Option<u64>,
    /// How that changes while the flow runs, in 1e-9/s.
    pub rate_change: Option<Change>,
    /// Connections started per second, in 1e-9/s: open loop. At the flow's start if it changes.
    pub opens_nano: Option<u64>,
    /// How that changes, in 1e-9/s.
    pub opens_change: Option<Change>,
    /// Payload sent per second over the whole flow, in bit/s. At the flow's start if it changes.
    pub bandwidth_bps: Option<u64>,
    /// How that changes, in bit/s.
    pub bandwidth_change: Option<Change>,
    /// When the starts of `rate`, `opens` and `bandwidth` are. Default constant.
    pub arrivals: Arrivals,
    /// So many start at once, then none until it is time for as many again; the rate stays as said. Default 1.
    pub burst: u64,
    /// How an open loop is shared by the connections. Default [`Phase::Even`].
    pub phase: Phase,
    /// Least pause between a connection's end and its successor's start, in ns. Default 0.
    pub interval_ns: u64,
    /// The flow ends this long after its start, in ns.
    pub duration_ns: Option<u64>,
    /// Payload of each item in bytes: ICMP, ctraffic's wire, tools. Drawn for each item, of a tool once. `None`: of ICMP 56 B, of
    /// ctraffic's wire 1 KiB, of a tool as it chooses.
    pub size: Option<Varying>,
}

impl Default for Load {
    /// One connection, held, in a closed loop.
    fn default() -> Self {
        Load {
            connections: 1,
            total: None,
            transactions: None,
            rate_nano: None,
            rate_change: None,
            opens_nano: None,
            opens_change: None,
            bandwidth_bps: None,
            bandwidth_change: None,
            arrivals: Arrivals::Constant,
            burst: 1,
            phase: Phase::Even,
            interval_ns: 0,
            duration_ns: None,
            size: None,
        }
    }
}

/// How a rate changes while the flow runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// `rate 10/s..100/s within 5s`: evenly up or down to this value, which stays.
    Ramp {
        /// At the end.
        to: u64,
        /// How long it takes, ns.
        within_ns: u64,
    },
    /// `rate [10/s, 50/s, 100/s] every 5s`: to each of these in turn; the last stays.
    Steps {
        /// What follows the first value.
        then: Vec<u64>,
        /// How long each lasts, ns.
        every_ns: u64,
    },
}

/// When the starts of an open loop are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Equally far apart.
    #[default]
    Constant,
    /// Exponentially distributed gaps.
    Poisson,
}

/// How an open loop is shared by the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// One clock for the flow; each start is given to a connection that is free.
    #[default]
    Even,
    /// Each connection has a clock of its own, of its share of the rate, that begins at a random moment of its first period.
    Random,
}

/// What follows when a connection breaks or can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reconnect {
    /// Pause before the first new attempt, ns. Default 100 ms.
    pub after_ns: u64,
    /// Each further pause is so many times the one before, in 1e-9. Default 1.
    pub growth_nano: u64,
    /// No pause is longer, ns. Default: 1 min, and never less than `after_ns`.
    pub most_ns: u64,
    /// Each pause is longer or shorter by up to this share of it, in 1e-9. Default 0.
    pub jitter_nano: u64,
    /// So many attempts for each connection, then it is given up; what it did stays counted. `None`: no end.
    pub limit: Option<u64>,
}

impl Default for Reconnect {
    fn default() -> Self {
        Reconnect {
            after_ns: crate::expand::DEFAULT_RECONNECT_NS,
            growth_nano: 1_000_000_000,
            most_ns: DEFAULT_RECONNECT_MOST_NS,
            jitter_nano: 0,
            limit: None,
        }
    }
}

/// A growing pause before a new attempt is at most this long if nothing is said, ns.
pub const DEFAULT_RECONNECT_MOST_NS: u64 = 60_000_000_000;

/// How long a flow waits. What takes longer fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Timeouts {
    /// For a connection and its handshake, ns; `None`: the engine's default.
    pub connect_ns: Option<u64>,
    /// For what an `expects` without `within` waits for, for the answer to a datagram, packet or request, ns; `None`: the engine's
    /// default.
    pub response_ns: Option<u64>,
    /// A connection over which nothing came for so long has broken, ns; `None`: never.
    pub idle_ns: Option<u64>,
}

/// A real program that makes a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Which.
    pub kind: ToolKind,
    /// Further arguments, as they stand, after those that the flow's own options make.
    pub arguments: Vec<String>,
}

/// Real programs that make flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// `iperf3`: TCP, UDP, SCTP.
    Iperf3,
    /// `iperf` 2: TCP, UDP.
    Iperf,
    /// `ping`: ICMP.
    Ping,
    /// `netperf`: TCP, UDP, SCTP.
    Netperf,
}

impl ToolKind {
    /// The word of the language, which is the program's name too.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ToolKind::Iperf3 => "iperf3",
            ToolKind::Iperf => "iperf",
            ToolKind::Ping => "ping",
            ToolKind::Netperf => "netperf",
        }
    }
}
