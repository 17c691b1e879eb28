//! What programs under test say. In: nothing. Out: the types.

use super::{Block, Expr, Indexed, Name, NodePath, Target, TreeOption};
use crate::source::Span;

/// `process lb on edge { run "haproxy ..." ... }`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessDecl {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// Its name, with an index in a `for`.
    pub name: Indexed,
    /// The nodes it runs on.
    pub nodes: Vec<NodePath>,
    /// What stands inside.
    pub body: Block<ProcessPart>,
    /// All of it.
    pub span: Span,
}

/// A statement of a process.
#[derive(Debug, Clone, PartialEq)]
pub enum ProcessPart {
    /// `run "haproxy -f ${dir}/haproxy.cfg"`.
    Run {
        /// The command line, a text.
        command: Expr,
        /// All of it.
        span: Span,
    },
    /// `file "haproxy.cfg" = TEXT`.
    File {
        /// Its path under the process's own folder, a text.
        path: Expr,
        /// A text or bytes.
        content: Expr,
        /// All of it.
        span: Span,
    },
    /// `env LANG = "C"`.
    Env {
        /// The variable.
        name: Name,
        /// A text.
        value: Expr,
        /// All of it.
        span: Span,
    },
    /// `ready tcp 10.0.0.100:80 within 5s`.
    Ready {
        /// How it is seen.
        kind: ReadyKind,
        /// `within D`.
        within: Option<Expr>,
        /// All of it.
        span: Span,
    },
    /// `stop SIGTERM within 2s`.
    Stop {
        /// The signal.
        signal: Name,
        /// `within D`.
        within: Option<Expr>,
        /// All of it.
        span: Span,
    },
    /// Anything else, by its keyword.
    Option(TreeOption),
}

/// How a process is seen to be ready.
#[derive(Debug, Clone, PartialEq)]
pub enum ReadyKind {
    /// `tcp ADDRESS:PORT`: a connection is taken.
    Tcp(Target),
    /// `udp ADDRESS:PORT`: the port is bound.
    Udp(Target),
    /// `log /listening/`: a line of its output matches.
    Log(Expr),
    /// `run "curl -fs ..."`: the command, run on its node, succeeds.
    Run(Expr),
}
