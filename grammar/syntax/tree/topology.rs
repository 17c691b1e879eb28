//! What topologies say. In: nothing. Out: the types of nodes, links and routes.

use super::{Block, Call, Expr, Indexed, Name, NodePath, ProcessDecl, TreeOption};
use crate::source::Span;

/// One statement of a topology.
#[derive(Debug, Clone, PartialEq)]
pub struct TopologyStatement {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// All of it.
    pub span: Span,
    /// What it says.
    pub kind: TopologyKind,
}

/// What can be said in a topology.
#[derive(Debug, Clone, PartialEq)]
pub enum TopologyKind {
    /// `node a, b { options }`, `router r`, `bridge lan`.
    Nodes {
        /// The keyword.
        kind: NodeKind,
        /// The names.
        names: Vec<Indexed>,
        /// `{ ... }`.
        options: Block<TreeOption>,
    },
    /// `link [NAME:] end <-> end [{ options }]`, `vxlan [NAME:] end <-> end [{ options }]`.
    Link(LinkDecl),
    /// `interface a.eth0 { options }`, `vlan a.v123 10.0.0.1/24 on a.eth0 { options }`, `bond`, `macvlan`.
    Interface(InterfaceDecl),
    /// `process ...`, in a topology that brings its programs along.
    Process(ProcessDecl),
    /// `dual_homed(4) as site`: the statements of a template.
    Call {
        /// Which, and its arguments.
        call: Call,
        /// `as NAME`, with an index in a `for`: its nodes and links are `NAME.node`.
        name: Option<Indexed>,
    },
    /// `route client 0.0.0.0/0 via 10.0.0.254`.
    Route {
        /// Whose table.
        node: NodePath,
        /// Where to: a prefix.
        to: Expr,
        /// The next hop: an address.
        via: Expr,
    },
    /// `routing manual`: the word.
    Routing(Name),
}

/// Kinds of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A host.
    Node,
    /// A host that forwards.
    Router,
    /// A bridge made for the run.
    Bridge,
    /// `external bridge`: stands on the machine already.
    ExternalBridge,
    /// `host`: the machine's own network.
    Host,
    /// `remote`: another machine.
    Remote,
}

/// Kinds of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// `link`: a wire.
    Wire,
    /// `vxlan`: a tunnel between two nodes that reach each other.
    Vxlan,
}

/// An interface on others, or the options of one that a link makes.
#[derive(Debug, Clone, PartialEq)]
pub struct InterfaceDecl {
    /// `interface`, `vlan`, `bond`, `macvlan`.
    pub kind: Name,
    /// The interface and its addresses.
    pub end: LinkEnd,
    /// `on a.eth0, a.eth1`: what it stands on; empty for `interface`.
    pub on: Vec<NodePath>,
    /// `{ ... }`.
    pub options: Block<TreeOption>,
}

/// A link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkDecl {
    /// The keyword.
    pub kind: LinkKind,
    /// `wan:`, with an index in a `for`: `wan[i]:`.
    pub name: Option<Indexed>,
    /// The two ends.
    pub ends: [LinkEnd; 2],
    /// `{ ... }`.
    pub options: Block<TreeOption>,
}

/// One end of a link: `primary.eth0 10.0.0.1/24, 10.0.0.100/24`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkEnd {
    /// Which node, or which interface of it.
    pub point: NodePath,
    /// Prefixes.
    pub addresses: Vec<Expr>,
    /// All of it.
    pub span: Span,
}
