//! What patterns say. In: nothing. Out: the types of steps.

use super::{Block, Expr, Name, ParamDecl};
use crate::source::Span;

/// A pattern's declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternDecl {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<ParamDecl>,
    /// Its steps.
    pub steps: Block<Step>,
}

/// One statement of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// All of it.
    pub span: Span,
    /// What it says.
    pub kind: StepKind,
}

/// Who does a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The end that opened.
    Client,
    /// The end that was reached.
    Server,
}

/// The verbs of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    /// `client sends [random|file] X`.
    Sends {
        /// Who.
        by: Side,
        /// The word before it.
        sent: SentAs,
        /// A size, a range of sizes, a text, bytes; a file's path, a text.
        what: Expr,
    },
    /// `client expects [line] X [within D]`; `what` is `None` for `any`.
    Expects {
        /// Who.
        by: Side,
        /// `line` was said.
        line: bool,
        /// A size, a text, bytes, a regex; `None` is `any`.
        what: Option<Expr>,
        /// `within D`.
        within: Option<Expr>,
    },
    /// `server echoes`.
    Echoes {
        /// Who.
        by: Side,
    },
    /// `pause D`, `client pauses D`.
    Pause {
        /// Who; `None`: the side that acts next.
        by: Option<Side>,
        /// A duration or a distribution of durations.
        duration: Expr,
    },
    /// `repeat N { ... }`.
    Repeat {
        /// How often.
        count: Expr,
        /// What.
        steps: Block<Step>,
    },
    /// `choose { 70% { ... } 30% { ... } }`.
    Choose {
        /// The ways, one of which is taken each time.
        branches: Vec<Branch>,
    },
    /// `client closes`, `resets`, `half closes`.
    Closes {
        /// Who.
        by: Side,
        /// How.
        how: Close,
    },
}

/// One way of a `choose`.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// How often it is taken: a ratio.
    pub ratio: Expr,
    /// What happens then.
    pub steps: Block<Step>,
    /// All of it.
    pub span: Span,
}

/// How a message is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentAs {
    /// As it stands; a size is numbered filling.
    Plain,
    /// `random`: filling that does not compress.
    Random,
    /// `file`: what a file holds.
    File,
}

/// Ways to end a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// An orderly end both ways.
    Close,
    /// An abortive end (RST).
    Reset,
    /// An end of sending only.
    Half,
}
