//! What timelines say. In: nothing. Out: the types. Which verbs exist is no concern of the tree.

use super::{Block, Expr, Indexed, Name, TreeOption};
use crate::source::Span;

/// One statement of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineStatement {
    /// When.
    pub when: WhenClause,
    /// `for D`.
    pub lasts: Option<Expr>,
    /// What.
    pub verb: Verb,
    /// `as NAME`, with an index in a `for`; `mark NAME` puts the name here too.
    pub name: Option<Indexed>,
    /// All of it.
    pub span: Span,
}

/// When a statement acts.
#[derive(Debug, Clone, PartialEq)]
pub enum WhenClause {
    /// `at 3s`, `failure + 200ms`: an expression of durations and event names.
    At(Expr),
    /// `every 1s from 5s to 20s`.
    Every {
        /// From one to the next.
        period: Expr,
        /// The first.
        from: Expr,
        /// None after this.
        to: Expr,
    },
    /// `when CONDITION within D`.
    Condition {
        /// What must become true.
        condition: Expr,
        /// How long it may take.
        within: Option<Expr>,
    },
}

/// What a statement does: a keyword and its operands.
#[derive(Debug, Clone, PartialEq)]
pub struct Verb {
    /// `start`, `down`, `move`, `mark`...
    pub name: Name,
    /// `move PREFIX from A to B`: operands in order, the small words as `Word`.
    pub operands: Vec<Operand>,
    /// `{ ... }` of `impair`.
    pub options: Block<TreeOption>,
    /// All of it.
    pub span: Span,
}

/// A piece of a verb's sentence.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// `from`, `to`, `on`.
    Word(Name),
    /// A value: a prefix, a path (`r1`, `r1.eth0`, `client[2]`), a list. Comma-separated operands follow one another.
    Value(Expr),
}
