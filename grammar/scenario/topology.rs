//! Nodes and links of a scenario, replicas expanded. Addresses that the file does not say are given by the planner.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::NodeId;
use crate::source::Span;

/// Nodes and links.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Topology {
    /// Nodes, routers, bridges, in the order written.
    pub nodes: Vec<Node>,
    /// Links, in the order written.
    pub links: Vec<Link>,
    /// Routes as written.
    pub routes: Vec<Route>,
    /// `routing manual`: the planner computes no routes.
    pub routing_manual: bool,
}

/// A node, router or bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// `client`, or `client[7]` of a replica.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Where it is declared.
    pub span: Span,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Has addresses, does not forward.
    Host,
    /// Has addresses, forwards.
    Router,
    /// Joins links into one broadcast domain.
    Bridge,
}

/// A link between two nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// As written, or made of its ends: `client--lan`.
    pub name: String,
    /// The name was written.
    pub named: bool,
    /// First and second end, as written.
    pub ends: [End; 2],
    /// From the first end to the second.
    pub forward: Impairment,
    /// From the second end to the first.
    pub back: Impairment,
    /// The statement.
    pub span: Span,
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Which node.
    pub node: NodeId,
    /// The interface's name, if written.
    pub interface: Option<String>,
    /// Addresses as written, each with its place.
    pub addresses: Vec<(Prefix, Span)>,
    /// The end as written.
    pub span: Span,
}

/// An address and the length of its subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Prefix {
    /// The address as written, host bits kept.
    pub address: IpAddr,
    /// Bits of the subnet.
    pub length: u8,
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// What a link does to packets, one way. All zero: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Impairment {
    /// Propagation delay in ns.
    pub delay_ns: u64,
}

/// A route as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Whose table.
    pub node: NodeId,
    /// Where to.
    pub to: Prefix,
    /// Next hop.
    pub via: IpAddr,
    /// The statement.
    pub span: Span,
}
