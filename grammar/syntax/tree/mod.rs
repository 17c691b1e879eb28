//! The syntax tree: what a text says, every piece with its span, comments kept. In: nothing. Out: the types.
//! Names are not looked up here and quantities keep the dimension their unit says.

mod block;
mod expectation;
mod expression;
mod flow;
mod pattern;
mod process;
mod scenario;
mod template;
mod timeline;
mod topology;

pub use block::{Block, ForBlock, IfBlock, Nested, each, plain};
pub use expectation::{ExpectKind, ExpectStatement, Quantifier, WindowClause, WindowKind};
pub use expression::{Argument, BinaryOperator, Call, Expr, ExprKind, Index, Indexed, Name, NodePath, Text, TextPart};
pub use flow::{FlowDecl, Listen, Over, ServiceDecl, ServicePart, StressDecl, Target, TargetKind};
pub use pattern::{Branch, Close, PatternDecl, SentAs, Side, Step, StepKind};
pub use process::{ProcessDecl, ProcessPart, ReadyKind};
pub use scenario::{Need, ParamDecl, ScenarioDecl, ScenarioPart, TreeOption, dimension_of_type_word};
pub use template::{FunctionDecl, Template};
pub use timeline::{Operand, TimelineStatement, Verb, WhenClause};
pub use topology::{InterfaceDecl, LinkDecl, LinkEnd, LinkKind, NodeKind, TopologyKind, TopologyStatement};

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

/// A declaration at top level (or, for all but `use` and `scenario`, inside a scenario).
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
    /// `secret token from env TOKEN`.
    Secret {
        /// The new name.
        name: Name,
        /// The environment variable that holds its value.
        variable: Name,
    },
    /// `fn NAME(params) = EXPRESSION`.
    Function(FunctionDecl),
    /// `pattern NAME(params) { steps }`.
    Pattern(PatternDecl),
    /// `topology NAME(params) { statements }`.
    Topology(Template<TopologyStatement>),
    /// `action NAME(params) { entries }`.
    Action(Template<TimelineStatement>),
    /// `check NAME(params) { expectations }`.
    Check(Template<ExpectStatement>),
    /// `scenario NAME { ... }`.
    Scenario(ScenarioDecl),
}

impl ItemKind {
    /// The word that begins it.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        match self {
            ItemKind::Use(_) => "use",
            ItemKind::Let { .. } => "let",
            ItemKind::Secret { .. } => "secret",
            ItemKind::Function(_) => "fn",
            ItemKind::Pattern(_) => "pattern",
            ItemKind::Topology(_) => "topology",
            ItemKind::Action(_) => "action",
            ItemKind::Check(_) => "check",
            ItemKind::Scenario(_) => "scenario",
        }
    }

    /// The name that it declares; an import has none of its own.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        match self {
            ItemKind::Use(_) => None,
            ItemKind::Let { name, .. } | ItemKind::Secret { name, .. } => Some(name),
            ItemKind::Function(function) => Some(&function.name),
            ItemKind::Pattern(pattern) => Some(&pattern.name),
            ItemKind::Topology(template) => Some(&template.name),
            ItemKind::Action(template) => Some(&template.name),
            ItemKind::Check(template) => Some(&template.name),
            ItemKind::Scenario(scenario) => Some(&scenario.name),
        }
    }

    /// The parameters between its parentheses.
    #[must_use]
    pub fn params(&self) -> &[ParamDecl] {
        match self {
            ItemKind::Use(_) | ItemKind::Let { .. } | ItemKind::Secret { .. } | ItemKind::Scenario(_) => &[],
            ItemKind::Function(function) => &function.params,
            ItemKind::Pattern(pattern) => &pattern.params,
            ItemKind::Topology(template) => &template.params,
            ItemKind::Action(template) => &template.params,
            ItemKind::Check(template) => &template.params,
        }
    }
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
