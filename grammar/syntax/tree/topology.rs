//! What topologies say. In: nothing. Out: the types of nodes, links and routes.

use super::{Expr, Indexed, Name, TreeOption};
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
#[expect(clippy::large_enum_variant, reason = "a tree is made once and short-lived; plain variants read better than boxes")]
pub enum TopologyKind {
    /// `node a, b { options }`, `router r`, `bridge lan`.
    Nodes {
        /// The keyword.
        kind: NodeKind,
        /// The names.
        names: Vec<Indexed>,
        /// `{ ... }`.
        options: Vec<TreeOption>,
    },
    /// `link [NAME:] end <-> end [{ options }]`.
    Link(LinkDecl),
    /// `route client 0.0.0.0/0 via 10.0.0.254`.
    Route {
        /// Whose table.
        node: Indexed,
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
}

/// A link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkDecl {
    /// `wan:`.
    pub name: Option<Name>,
    /// The two ends.
    pub ends: [LinkEnd; 2],
    /// `{ ... }`.
    pub options: Vec<TreeOption>,
}

/// One end of a link: `primary.eth0 10.0.0.1/24, 10.0.0.100/24`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkEnd {
    /// Which node.
    pub node: Indexed,
    /// `.eth0`.
    pub interface: Option<Name>,
    /// Prefixes.
    pub addresses: Vec<Expr>,
    /// All of it.
    pub span: Span,
}
