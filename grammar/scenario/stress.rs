//! Random streams that replace each other. In: nothing. Out: the types that the planner and the traffic engine read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NodeId;
use super::flow::{Destination, ToolKind};
use super::pattern::Varying;
use super::transport::TransportKind;
use crate::source::Span;

/// Keeps so many random streams alive, replacing each that ends, until it is stopped. All choices come from the run's seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stress {
    /// `mix`, or `mix[2]`.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// Where its streams start: each at one of these, equally likely.
    pub from: Vec<NodeId>,
    /// Where all of them go.
    pub to: Destination,
    /// Alive at once, 1 to 10,000. Default 10.
    pub streams: u64,
    /// Streams in all, then it is complete; `None`: until it is stopped.
    pub total: Option<u64>,
    /// How long each lives, ns. Default 1 s to 10 s, equally likely.
    pub duration: Varying,
    /// Payload of each message or packet of a stream, drawn once for each stream, bytes. Default 64 B to 64 KiB.
    pub size: Varying,
    /// Messages a second of each stream, in 1e-9/s, open loop; `None`: each after the answer to the one before.
    pub rate_nano: Option<u64>,
    /// What streams run over, each equally likely; at least one. Default TCP, UDP and ICMP.
    pub transports: Vec<StressTransport>,
    /// The real tools that make streams, each as likely as the program's own; a tool is only taken for a transport that it
    /// knows. Empty: none.
    pub tools: Vec<ToolKind>,
    /// The ports of its servers, both included; `None`: free ones.
    pub ports: Option<(u16, u16)>,
    /// The declaration.
    pub span: Span,
}

/// What a stream runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StressTransport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP echo.
    Icmp,
    /// SCTP.
    Sctp,
}

impl StressTransport {
    /// The transport of its flows.
    #[must_use]
    pub fn kind(self) -> TransportKind {
        match self {
            StressTransport::Tcp => TransportKind::Tcp,
            StressTransport::Udp => TransportKind::Udp,
            StressTransport::Icmp => TransportKind::Icmp,
            StressTransport::Sctp => TransportKind::Sctp,
        }
    }
}
