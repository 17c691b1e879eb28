//! What expectations say. In: nothing. Out: the types of conditions' surroundings: kinds, quantifiers, windows.

use super::{Expr, Text};
use crate::source::{Span, Spanned};

/// One statement of `expect`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectStatement {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// `require`, `note` or neither.
    pub kind: ExpectKind,
    /// `always`, `never` or neither.
    pub quantifier: Quantifier,
    /// What must hold.
    pub condition: Expr,
    /// `during A..B`, `before E`, `after E`, `within D after E [and stays]`, `sampled every D`, in the order written.
    pub clauses: Vec<WindowClause>,
    /// The text for people.
    pub text: Option<Spanned<Text>>,
    /// All of it.
    pub span: Span,
}

/// What a violated expectation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectKind {
    /// Fails the run and lets it go on.
    Plain,
    /// Stops the run.
    Require,
    /// Reports only.
    Note,
}

/// `always` and `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// Over the window as a whole.
    None,
    /// At every moment.
    Always,
    /// At no moment.
    Never,
}

/// A clause after a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowClause {
    /// All of it.
    pub span: Span,
    /// What it says.
    pub kind: WindowKind,
}

/// Clauses of an expectation.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowKind {
    /// `during A..B`.
    During(Expr, Expr),
    /// `before E`.
    Before(Expr),
    /// `after E`.
    After(Expr),
    /// `within D [after E] [and stays]`.
    Within {
        /// D.
        limit: Expr,
        /// E; `None`: the window's or run's start.
        after: Option<Expr>,
        /// `and stays`.
        stays: bool,
    },
    /// `sampled every D`.
    Sampled(Expr),
}
