//! What stands in a scenario, its parameters, and blocks of options. In: nothing. Out: the types.

use super::{
    Block, ExpectStatement, Expr, FlowDecl, Item, Name, ProcessDecl, ServiceDecl, StressDecl, TimelineStatement, TopologyStatement,
};
use crate::quantity::Dimension;
use crate::source::Span;

/// A scenario's declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioDecl {
    /// Its name.
    pub name: Name,
    /// What stands inside, in order.
    pub body: Block<ScenarioPart>,
}

/// What can stand in a scenario.
#[derive(Debug, Clone, PartialEq)]
pub enum ScenarioPart {
    /// `tags ha, smoke`.
    Tags(Vec<Name>),
    /// `needs tool haproxy, kernel netem`.
    Needs(Vec<Need>),
    /// `matrix family = [ipv4, ipv6]`.
    Matrix {
        /// The parameter that varies.
        name: Name,
        /// A list; words in it stand for themselves.
        values: Expr,
        /// All of it.
        span: Span,
    },
    /// `except family == ipv6 and clients > 1k`: the combinations of the matrix that are left out.
    Except {
        /// Known before anything runs.
        condition: Expr,
        /// All of it.
        span: Span,
    },
    /// `timeout 60s` and `tolerance 5ms`: the keyword and its value.
    Setting {
        /// `timeout` or `tolerance`.
        name: Name,
        /// Its value.
        value: Expr,
    },
    /// `param clients: count = 200`.
    Param(ParamDecl),
    /// A `let`, `fn`, `secret`, `pattern`, `action` or `check` of its own.
    Item(Item),
    /// `topology { ... }`.
    Topology(Block<TopologyStatement>),
    /// `service ...`.
    Service(ServiceDecl),
    /// `flow ...`.
    Flow(FlowDecl),
    /// `process ...`.
    Process(ProcessDecl),
    /// `stress ...`.
    Stress(StressDecl),
    /// `timeline { ... }`.
    Timeline(Block<TimelineStatement>),
    /// `expect { ... }`.
    Expect(Block<ExpectStatement>),
}

/// Something that the machine must have: `tool haproxy`, `kernel netem`.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// `tool` or `kernel`.
    pub kind: Name,
    /// A name or a text.
    pub what: crate::source::Spanned<String>,
    /// All of it.
    pub span: Span,
}

/// A parameter of a scenario or a template: `budget: duration = 1.5s`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamDecl {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// Its name.
    pub name: Name,
    /// The word after `:`.
    pub kind: Option<Name>,
    /// The value after `=`.
    pub default: Option<Expr>,
    /// All of it.
    pub span: Span,
}

/// `keyword value...` or `keyword { ... }` in a block of options: links, nodes, `over`, `reconnect`, `listen`.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeOption {
    /// The keyword.
    pub name: Name,
    /// Its values.
    pub values: Vec<Expr>,
    /// Its block (`forward { ... }`); empty if none.
    pub block: Block<TreeOption>,
    /// All of it.
    pub span: Span,
}

/// The words a parameter's type is written with. `None`: not a type.
#[must_use]
pub fn dimension_of_type_word(word: &str) -> Option<Dimension> {
    Some(match word {
        "count" => Dimension::Count,
        "number" => Dimension::Number,
        "duration" => Dimension::Duration,
        "size" => Dimension::Size,
        "bandwidth" => Dimension::Bandwidth,
        "rate" => Dimension::Rate,
        "ratio" => Dimension::Ratio,
        _ => return None,
    })
}
