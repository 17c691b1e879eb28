//! The checked and expanded scenario: ids instead of names, integers instead of units, templates filled in. In: nothing.
//! Out: the types that the planner starts from. Everything here may be trusted: what could be wrong was reported before.

pub mod expect;
pub mod pattern;
pub mod requirements;
pub mod timeline;
pub mod topology;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::source::Span;
use expect::Expectation;
use pattern::Pattern;
pub use requirements::{Need, NeedKind, Secret};
use timeline::{Entry, Event};
use topology::Topology;

/// Makes an index newtype: positions in the scenario's own lists, stable from here to the report.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);
        impl $name {
            /// As a position in its list.
            #[must_use]
            pub fn index(self) -> usize { self.0 as usize }
        }
    )*};
}

ids! {
    /// A node, router or bridge: a position in [`topology::Topology::nodes`].
    NodeId;
    /// A position in [`topology::Topology::links`].
    LinkId;
    /// A position in [`Scenario::services`].
    ServiceId;
    /// A position in [`Scenario::flows`].
    FlowId;
    /// A position in [`Scenario::events`].
    EventId;
}

/// One scenario, ready to be planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// `vip_failover`, with its matrix values if it has any: `vip_failover[family=ipv6]`.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// Its tags, in the order written.
    pub tags: Vec<String>,
    /// The file it stands in, by the name it was loaded under.
    pub file: String,
    /// The whole declaration.
    pub span: Span,
    /// Parameters with the value of this run, in the order written.
    pub params: Vec<Param>,
    /// The values of its matrices in this variant, in the order written; empty: it has none.
    #[serde(default)]
    pub matrix: Vec<Param>,
    /// What the machine must have, in the order written.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// The secrets that its texts use.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// The run is cut after this long, in ns.
    pub timeout_ns: u64,
    /// `timeout` was written; otherwise it is the default.
    pub timeout_said: bool,
    /// How late the program may be before it spoils a verdict, in ns, before `--timing`.
    pub tolerance_ns: u64,
    /// Nodes and links.
    pub topology: Topology,
    /// Services as written.
    pub services: Vec<Service>,
    /// Flows, replicas expanded.
    pub flows: Vec<Flow>,
    /// Named instants.
    pub events: Vec<Event>,
    /// What happens when, in the order of the file.
    pub timeline: Vec<Entry>,
    /// What must hold, in the order of the file.
    pub expectations: Vec<Expectation>,
}

impl Scenario {
    /// The name it is declared with, without the values of its matrices.
    #[must_use]
    pub fn declared_name(&self) -> &str {
        self.name.split('[').next().unwrap_or(&self.name)
    }
}

/// A parameter's value in this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its value as it would be written.
    pub value: String,
    /// It was set with `-p`.
    pub set: bool,
}

/// Something that listens, on one or more nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub nodes: Vec<NodeId>,
    /// The address it binds; `None`: every address of the node.
    pub address: Option<IpAddr>,
    /// The TCP port.
    pub port: u16,
    /// What it answers: the server's side of this.
    pub pattern: Pattern,
    /// The declaration.
    pub span: Span,
}

/// One flow from one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// `steady`, or `steady[3]` of a replica.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// The client's node.
    pub from: NodeId,
    /// The server.
    pub to: Destination,
    /// What one transaction is.
    pub pattern: Pattern,
    /// How much of it.
    pub load: Load,
    /// Pause before a broken connection is opened anew, in ns. Default 100 ms.
    pub reconnect_after_ns: u64,
    /// Read `tcp_info` at both ends this often, in ns; `None`: only at each connection's end.
    pub sample_tcp_info_ns: Option<u64>,
    /// The declaration.
    pub span: Span,
}

/// Where a flow goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// A node: the planner adds a peer that speaks the pattern, on this port or a free one.
    Node(NodeId, Option<u16>),
    /// A service, at the nearest of its nodes.
    Service(ServiceId),
    /// An address and a port: whoever answers there.
    Address(IpAddr, u16),
}

/// How much traffic, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Alive at once, at least 1.
    pub connections: u64,
    /// Connections in all, then the flow is complete.
    pub total: Option<u64>,
    /// Transactions of each connection before it is closed; with `total` it is 1 if not said.
    pub transactions: Option<u64>,
    /// Transactions started per second over the whole flow, in 1e-9/s: open loop.
    pub rate_nano: Option<u64>,
    /// Least pause between a connection's end and its successor's start, in ns.
    pub interval_ns: u64,
    /// The flow ends this long after its start, in ns.
    pub duration_ns: Option<u64>,
}
