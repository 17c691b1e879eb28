//! Expressions and the names in them. In: nothing. Out: the types. Names are not looked up here.

use crate::quantity::Quantity;
use crate::source::Span;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: ExprKind,
}

/// Operators of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
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

impl BinaryOperator {
    /// As it is written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            BinaryOperator::Add => "+",
            BinaryOperator::Subtract => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Equal => "==",
            BinaryOperator::NotEqual => "!=",
            BinaryOperator::Less => "<",
            BinaryOperator::LessEqual => "<=",
            BinaryOperator::Greater => ">",
            BinaryOperator::GreaterEqual => ">=",
            BinaryOperator::And => "and",
            BinaryOperator::Or => "or",
            BinaryOperator::Matches => "matches",
        }
    }
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

/// `client[2]`, `client[2].eth0`, `site.hub`, `site.hub.eth0`: a node or an interface of one, both perhaps of an instance of a
/// topology. Which of them it is shows when names are looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePath {
    /// The words between the dots; at least one.
    pub parts: Vec<Indexed>,
    /// All of it.
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
