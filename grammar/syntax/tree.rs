//! The syntax tree: what a text says, every piece with its span, comments kept. In: nothing. Out: the types.
//! Names are not looked up here and quantities keep the dimension their unit says.

use crate::quantity::{Dimension, Quantity};
use crate::source::{FileId, Span, Spanned};

/// A word that names something. Backticks are taken off; `quoted` remembers them for the formatter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The word.
    pub text: String,
    /// Where.
    pub span: Span,
    /// It stood in backticks and is never a keyword.
    pub quoted: bool,
}

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

/// A pattern's declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternDecl {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<ParamDecl>,
    /// Its steps.
    pub steps: Vec<Step>,
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
    /// `client sends X`. `random` stands before the size if said.
    Sends {
        /// Who.
        by: Side,
        /// `random` was said.
        random: bool,
        /// A size, a range of sizes, a text or bytes.
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
        steps: Vec<Step>,
    },
    /// `client closes`, `resets`, `half closes`.
    Closes {
        /// Who.
        by: Side,
        /// How.
        how: Close,
    },
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

/// A scenario's declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioDecl {
    /// Its name.
    pub name: Name,
    /// What stands inside, in order.
    pub body: Vec<ScenarioPart>,
}

/// What can stand in a scenario.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a tree is made once and short-lived; plain variants read better than boxes")]
pub enum ScenarioPart {
    /// `tags ha, smoke`.
    Tags(Vec<Name>),
    /// `timeout 60s` and `tolerance 5ms`: the keyword and its value.
    Setting {
        /// `timeout` or `tolerance`.
        name: Name,
        /// Its value.
        value: Expr,
    },
    /// `param clients: count = 200`.
    Param(ParamDecl),
    /// A `let` or `pattern` of its own.
    Item(Item),
    /// `topology { ... }`.
    Topology(Vec<TopologyStatement>),
    /// `service ...`.
    Service(ServiceDecl),
    /// `flow ...`.
    Flow(FlowDecl),
    /// `timeline { ... }`.
    Timeline(Vec<TimelineStatement>),
    /// `expect { ... }`.
    Expect(Vec<ExpectStatement>),
}

/// `client`, `client[7]`, `client[*]`, `client[1..50]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Indexed {
    /// The word.
    pub name: Name,
    /// In brackets.
    pub index: Option<Index>,
    /// Both.
    pub span: Span,
}

/// What can stand in brackets after a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Index {
    /// `[*]`.
    All,
    /// `[7]` or `[n]`.
    One(Expr),
    /// `[1..50]`.
    Range(Expr, Expr),
}

/// One statement of a topology.
#[derive(Debug, Clone, PartialEq)]
pub struct TopologyStatement {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// All of it.
    pub span: Span,
    /// What it says.
    pub kind: TopologyKind,
}

/// What can be said in a topology.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a tree is made once and short-lived; plain variants read better than boxes")]
pub enum TopologyKind {
    /// `node a, b { options }`, `router r`, `bridge lan`.
    Nodes {
        /// The keyword.
        kind: NodeKind,
        /// The names.
        names: Vec<Indexed>,
        /// `{ ... }`.
        options: Vec<TreeOption>,
    },
    /// `link [NAME:] end <-> end [{ options }]`.
    Link(LinkDecl),
    /// `route client 0.0.0.0/0 via 10.0.0.254`.
    Route {
        /// Whose table.
        node: Indexed,
        /// Where to: a prefix.
        to: Expr,
        /// The next hop: an address.
        via: Expr,
    },
    /// `routing manual`: the word.
    Routing(Name),
}

/// Kinds of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A host.
    Node,
    /// A host that forwards.
    Router,
    /// A bridge made for the run.
    Bridge,
}

/// A link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkDecl {
    /// `wan:`.
    pub name: Option<Name>,
    /// The two ends.
    pub ends: [LinkEnd; 2],
    /// `{ ... }`.
    pub options: Vec<TreeOption>,
}

/// One end of a link: `primary.eth0 10.0.0.1/24, 10.0.0.100/24`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkEnd {
    /// Which node.
    pub node: Indexed,
    /// `.eth0`.
    pub interface: Option<Name>,
    /// Prefixes.
    pub addresses: Vec<Expr>,
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
    pub block: Vec<TreeOption>,
    /// All of it.
    pub span: Span,
}

/// `service store on primary, backup { listen tcp :5003  serve sym(1KiB) }`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceDecl {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// Its name.
    pub name: Name,
    /// The nodes it stands on.
    pub nodes: Vec<Indexed>,
    /// `listen TRANSPORT [ADDRESS]:PORT`.
    pub listen: Option<Listen>,
    /// `serve PATTERN(args)`.
    pub serve: Option<Call>,
    /// All of it.
    pub span: Span,
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
    pub options: Vec<TreeOption>,
    /// All of it.
    pub span: Span,
}

/// `sym(1KiB)`, `std.patterns.sym(size: 1KiB)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The words before the parenthesis.
    pub path: Vec<Name>,
    /// What stands in it.
    pub arguments: Vec<Argument>,
    /// All of it.
    pub span: Span,
}

/// An argument, by place or by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// `size:`.
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
}

/// A flow.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowDecl {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// Its name.
    pub name: Name,
    /// Where it starts.
    pub from: Indexed,
    /// `.eth0` of the start.
    pub from_interface: Option<Name>,
    /// Where it goes.
    pub to: Target,
    /// `over tcp { ... }` in the head or the body.
    pub over: Option<Over>,
    /// `pattern sym(1KiB)`.
    pub pattern: Option<Call>,
    /// Everything else: `connections 200`, `rate 100/s`, `reconnect after 100ms`, `sample tcp_info every 100ms`.
    /// `values` hold the words too (`after`, `tcp_info`, `every` as [`ExprKind::Path`]).
    pub options: Vec<TreeOption>,
    /// All of it.
    pub span: Span,
}

/// A transport and its options.
#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    /// `tcp`.
    pub transport: Name,
    /// `{ ... }`.
    pub options: Vec<TreeOption>,
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
    /// A node or a service.
    Name(Indexed),
    /// An address (an [`ExprKind::Address`]).
    Address(Expr),
}

/// One statement of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineStatement {
    /// When.
    pub when: WhenClause,
    /// `for D`.
    pub lasts: Option<Expr>,
    /// What.
    pub verb: Verb,
    /// `as NAME`; `mark NAME` puts the name here too.
    pub name: Option<Name>,
    /// All of it.
    pub span: Span,
}

/// When a statement acts.
#[derive(Debug, Clone, PartialEq)]
pub enum WhenClause {
    /// `at 3s`, `failure + 200ms`: an expression of durations and event names.
    At(Expr),
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

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: ExprKind,
}

/// Operators of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinaryOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `and`
    And,
    /// `or`
    Or,
    /// `matches`
    Matches,
}

/// Kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A literal with a unit. A bare integer is a `Count`, a bare decimal a `Number`.
    Quantity(Quantity),
    /// `"text ${x}"`, raw texts and texts over lines too.
    Text(Text),
    /// `hex"00 ff"`.
    Bytes(Vec<u8>),
    /// `/^250/`: the regex between the slashes.
    Regex(String),
    /// An IPv4 or IPv6 address.
    Address(std::net::IpAddr),
    /// `10.0.0.1/24`: the address as written and the length.
    Prefix(std::net::IpAddr, u8),
    /// A MAC address.
    Mac([u8; 6]),
    /// `a..b`.
    Range(Box<Expr>, Box<Expr>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `steady.outage.max`, `client[2].x`, `clients`. The first part may carry an index.
    Path(Vec<Indexed>),
    /// `min(a, b)`, `uniform(a, b)`, `steady.failover_time(failure)`: the path and its arguments.
    Call(Vec<Indexed>, Vec<Argument>),
    /// `-x`.
    Negative(Box<Expr>),
    /// `not x`.
    Not(Box<Expr>),
    /// `a + b`.
    Binary(BinaryOperator, Box<Expr>, Box<Expr>),
    /// `if c then a else b`.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `( x )`, kept so that a formatter can keep it.
    Parenthesis(Box<Expr>),
    /// A piece that could not be read; its diagnostic is already given, so later stages stay silent about it.
    Broken,
}

/// A text with holes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Text {
    /// Literal pieces (escapes resolved) and `${...}` in turn.
    pub parts: Vec<TextPart>,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum TextPart {
    /// As it stands, escapes resolved.
    Literal(String),
    /// `${expr}`.
    Hole(Expr),
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
