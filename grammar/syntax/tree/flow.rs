//! What services and flows say. In: nothing. Out: the types. Which options exist is no concern of the tree.

use super::{Block, Call, Expr, Indexed, Name, NodePath, TreeOption};
use crate::source::Span;

/// `service store on primary, backup { listen tcp :5003  serve sym(1KiB) }`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceDecl {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// Its name, with an index in a `for`.
    pub name: Indexed,
    /// The nodes it stands on.
    pub nodes: Vec<NodePath>,
    /// `listen TRANSPORT [ADDRESS]:PORT`.
    pub listen: Option<Listen>,
    /// `serve PATTERN(args)`.
    pub serve: Option<Call>,
    /// The `for` and `if` blocks inside, in which one of both may stand; no plain statement.
    pub under: Block<ServicePart>,
    /// All of it.
    pub span: Span,
}

/// A statement of a service under a `for` or an `if`.
#[derive(Debug, Clone, PartialEq)]
pub enum ServicePart {
    /// `listen TRANSPORT [ADDRESS]:PORT`.
    Listen(Listen),
    /// `serve PATTERN(args)`.
    Serve(Call),
}

/// Where a service listens.
#[derive(Debug, Clone, PartialEq)]
pub struct Listen {
    /// `tcp`.
    pub transport: Name,
    /// The address before `:`.
    pub address: Option<Expr>,
    /// The port after `:`.
    pub port: Expr,
    /// `{ ... }`.
    pub options: Block<TreeOption>,
    /// All of it.
    pub span: Span,
}

/// A flow.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowDecl {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// Its name, with an index in a `for`.
    pub name: Indexed,
    /// Where it starts: a node, for frames an interface.
    pub from: NodePath,
    /// Where it goes.
    pub to: Target,
    /// `via iperf3`: the real tool that makes it.
    pub via: Option<Name>,
    /// `over tcp { ... }` in the head or the body.
    pub over: Option<Over>,
    /// `pattern sym(1KiB)`.
    pub pattern: Option<Call>,
    /// Everything else: `connections 200`, `rate 100/s`, `reconnect after 100ms`, `sample tcp_info every 100ms`.
    /// `values` hold the words too (`after`, `tcp_info`, `every` as `ExprKind::Path`). Under a `for` or an `if` stand `over` and
    /// `pattern` here too: the transport, or the pattern's path or call, is their one value.
    pub options: Block<TreeOption>,
    /// All of it.
    pub span: Span,
}

/// `stress mix from client[*] to sut { ... }`.
#[derive(Debug, Clone, PartialEq)]
pub struct StressDecl {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// Its name, with an index in a `for`.
    pub name: Indexed,
    /// Where its streams start.
    pub from: NodePath,
    /// Where they go.
    pub to: Target,
    /// `{ ... }`.
    pub options: Block<TreeOption>,
    /// All of it.
    pub span: Span,
}

/// A transport and its options.
#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    /// `tcp`.
    pub transport: Name,
    /// `{ ... }`.
    pub options: Block<TreeOption>,
    /// All of it.
    pub span: Span,
}

/// Where a flow goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// All of it.
    pub span: Span,
    /// A name or an address.
    pub kind: TargetKind,
    /// `:PORT`.
    pub port: Option<Expr>,
}

/// What a flow can go to.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetKind {
    /// A node, a service, a process; for frames an interface.
    Name(NodePath),
    /// An address (an `ExprKind::Address`).
    Address(Expr),
}
