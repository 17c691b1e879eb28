//! What happens when: entries with ids instead of names.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::expect::Condition;
use super::topology::Prefix;
use super::{EventId, FlowId, LinkId, NodeId, ServiceId};
use crate::source::Span;

/// A named instant; the entry that makes it points here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Where it is named.
    pub span: Span,
}

/// An instant: an event's, or the timeline's start, and an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRef {
    /// `None`: the timeline's start.
    pub event: Option<EventId>,
    /// Nanoseconds after it, or before if negative.
    pub offset_ns: i64,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub when: When,
    /// What.
    pub action: Action,
    /// Undone after this long, in ns.
    pub lasts_ns: Option<u64>,
    /// The event it makes.
    pub event: Option<EventId>,
    /// As written, for people: `down primary`.
    pub text: String,
    /// The statement.
    pub span: Span,
}

/// When an entry acts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At an instant.
    At(TimeRef),
    /// As soon as the condition holds, watched from the moment when every entry before it in the file has acted.
    Condition {
        /// What must hold. Uses counters and gauges of flows only.
        condition: Condition,
        /// Fails the run (error) when it did not come true in this time, in ns; `None`: the scenario's timeout.
        within_ns: Option<u64>,
    },
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Starts flows.
    Start(Vec<FlowId>),
    /// Stops flows.
    Stop(Vec<FlowId>),
    /// Closes a service's listener on these nodes, and each connection after its current transaction.
    StopService(ServiceId, Vec<NodeId>),
    /// Opens it again.
    StartService(ServiceId, Vec<NodeId>),
    /// Takes the carrier away.
    Down(Vec<Target>),
    /// Gives it back.
    Up(Vec<Target>),
    /// Drops everything without a sign.
    Silence(Vec<Target>),
    /// Ends that.
    Unsilence(Vec<Target>),
    /// Gives a node an address, on the interface whose subnet holds it or on the one named; neighbours are told.
    AddAddress {
        /// What.
        prefix: Prefix,
        /// To whom.
        node: NodeId,
        /// Where, if said.
        interface: Option<String>,
    },
    /// Takes an address from a node.
    RemoveAddress {
        /// Which.
        address: IpAddr,
        /// From whom.
        node: NodeId,
    },
    /// Takes an address from one node and gives it to another.
    MoveAddress {
        /// What.
        prefix: Prefix,
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
        /// Where at the new one, if said.
        interface: Option<String>,
    },
    /// Only makes an event.
    Mark,
}

/// What a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Every link of a node.
    Node(NodeId),
    /// One link.
    Link(LinkId),
    /// The link of one interface.
    Interface(NodeId, String),
}
