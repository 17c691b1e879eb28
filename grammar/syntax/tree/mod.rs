//! The syntax tree: what a text says, every piece with its span, comments kept. In: nothing. Out: the types.
//! Names are not looked up here and quantities keep the dimension their unit says.

mod expectation;
mod expression;
mod flow;
mod pattern;
mod scenario;
mod timeline;
mod topology;

pub use expectation::{ExpectKind, ExpectStatement, Quantifier, WindowClause, WindowKind};
pub use expression::{Argument, BinaryOperator, Call, Expr, ExprKind, Index, Indexed, Name, Text, TextPart};
pub use flow::{FlowDecl, Listen, Over, ServiceDecl, Target, TargetKind};
pub use pattern::{Close, PatternDecl, Side, Step, StepKind};
pub use scenario::{ParamDecl, ScenarioDecl, ScenarioPart, TreeOption, dimension_of_type_word};
pub use timeline::{Operand, TimelineStatement, Verb, WhenClause};
pub use topology::{LinkDecl, LinkEnd, NodeKind, TopologyKind, TopologyStatement};

use crate::source::{FileId, Span, Spanned};

/// One text.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Which text.
    pub file: FileId,
    /// The number after `scn` in the first statement, if that statement is there.
    pub version: Option<Spanned<u32>>,
    /// Declarations in the order of the text.
    pub items: Vec<Item>,
    /// Every `#` and `##` line, in order, with the `#`s, so that a formatter loses none.
    pub comments: Vec<Spanned<String>>,
}

/// A declaration at top level (or, for patterns and lets, inside a scenario).
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The `##` lines over it, without the `##` and one blank.
    pub doc: Vec<String>,
    /// All of it.
    pub span: Span,
    /// What it declares.
    pub kind: ItemKind,
}

/// What can be declared.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemKind {
    /// `use std.patterns (sym)`.
    Use(Use),
    /// `let office = 10.20.0.0/16`.
    Let {
        /// The new name.
        name: Name,
        /// Its value.
        value: Expr,
    },
    /// `pattern NAME(params) { steps }`.
    Pattern(PatternDecl),
    /// `scenario NAME { ... }`.
    Scenario(ScenarioDecl),
}

/// An import.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// Where from.
    pub from: UseFrom,
    /// `as NAME`.
    pub alias: Option<Name>,
    /// `(a, b)`; empty: the module is used qualified.
    pub names: Vec<Name>,
}

/// Where an import comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum UseFrom {
    /// `std.patterns`, `acme.lab`.
    Module(Vec<Name>),
    /// `"./topologies.scn"`.
    File(Spanned<String>),
}
