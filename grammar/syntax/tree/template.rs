//! Templates with parameters. In: nothing. Out: the types. Instantiates nothing.

use super::{Block, Expr, Name, ParamDecl};

/// `topology NAME(params) { ... }`, `action NAME(params) { ... }`, `check NAME(params) { ... }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Template<S> {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<ParamDecl>,
    /// What stands inside.
    pub body: Block<S>,
}

/// `fn NAME(params) = EXPRESSION`.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionDecl {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<ParamDecl>,
    /// Its value.
    pub value: Expr,
}
