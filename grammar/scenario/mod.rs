//! The checked and expanded scenario: ids instead of names, integers instead of units, templates filled in. In: nothing.
//! Out: the types that the planner starts from. Everything here may be trusted: what could be wrong was reported before.

pub mod expect;
pub mod flow;
pub mod frame;
pub mod impairment;
pub mod metrics;
pub mod pattern;
pub mod process;
pub mod requirements;
pub mod stress;
pub mod text;
pub mod timeline;
pub mod topology;
pub mod transport;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::Span;
use expect::Expectation;
pub use flow::{Destination, Flow, Load, Service};
use process::Process;
pub use requirements::{Need, NeedKind, Secret};
use stress::Stress;
use timeline::{Entry, Event};
use topology::Topology;

/// Makes an index newtype: positions in the scenario's own lists, stable from here to the report.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
    /// A position in [`Scenario::processes`].
    ProcessId;
    /// A position in [`Scenario::stresses`].
    StressId;
    /// A position in [`Scenario::events`].
    EventId;
}

/// One scenario, ready to be planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Programs under test.
    pub processes: Vec<Process>,
    /// Random mixes of streams.
    pub stresses: Vec<Stress>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its value as it would be written.
    pub value: String,
    /// It was set with `-p`.
    pub set: bool,
}
