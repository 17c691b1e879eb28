//! Statements in braces, with the `for` and `if` blocks that may stand among them. In: nothing. Out: the types, for any sort of
//! statement. Expands nothing.

use super::{Expr, Name};
use crate::source::Span;

/// What stands in braces.
pub type Block<S> = Vec<Nested<S>>;

/// A statement, or several under a `for` or an `if`.
#[derive(Debug, Clone, PartialEq)]
pub enum Nested<S> {
    /// One statement.
    Statement(S),
    /// `for NAME in VALUES { ... }`.
    For(ForBlock<S>),
    /// `if CONDITION { ... } else { ... }`.
    If(IfBlock<S>),
}

/// `for i in 1..3 { ... }`: what stands inside, once for each value.
#[derive(Debug, Clone, PartialEq)]
pub struct ForBlock<S> {
    /// The name that stands for the value inside.
    pub name: Name,
    /// A range of counts or a list.
    pub values: Expr,
    /// What stands inside.
    pub body: Block<S>,
    /// All of it.
    pub span: Span,
}

/// `if clients > 10 { ... } else if ipv6 { ... } else { ... }`.
#[derive(Debug, Clone, PartialEq)]
pub struct IfBlock<S> {
    /// Known before anything runs.
    pub condition: Expr,
    /// What stands if it holds.
    pub then: Block<S>,
    /// What stands otherwise; `else if` is one [`Nested::If`] in here.
    pub otherwise: Block<S>,
    /// All of it.
    pub span: Span,
}

/// The statements that stand under no `for` and no `if`.
pub fn plain<S>(block: &Block<S>) -> impl Iterator<Item = &S> + Clone {
    block.iter().filter_map(|nested| match nested {
        Nested::Statement(statement) => Some(statement),
        _ => None,
    })
}

/// Every statement, however deep under `for` and `if`, in the order of the text.
pub fn each<'a, S>(block: &'a Block<S>, visit: &mut impl FnMut(&'a S)) {
    for nested in block {
        match nested {
            Nested::Statement(statement) => visit(statement),
            Nested::For(inner) => each(&inner.body, visit),
            Nested::If(inner) => {
                each(&inner.then, visit);
                each(&inner.otherwise, visit);
            }
        }
    }
}
