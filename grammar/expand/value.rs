//! Values that are known before anything runs. In: what the evaluator made. Out: one closed type with its words.
//! Computes nothing.

use std::fmt;
use std::net::IpAddr;

use super::arithmetic::whole;
use super::things::{ThingKind, Things};
use crate::quantity::{Dimension, Quantity};
use crate::scenario::pattern::Varying;
use crate::scenario::topology::Prefix;

/// A value of the language.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number with its dimension.
    Quantity(Quantity),
    /// Result of a comparison.
    Truth(bool),
    /// A text, holes filled.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A regex as written.
    Regex(String),
    /// An address.
    Address(IpAddr),
    /// An address and a length.
    Prefix(Prefix),
    /// A MAC address.
    Mac([u8; 6]),
    /// Both of one dimension, the first not larger.
    Range(Quantity, Quantity),
    /// Several.
    List(Vec<Value>),
    /// Drawn anew each time; base units of the dimension.
    Random(Dimension, Varying),
    /// A word of a matrix's list: `ipv4`.
    Word(String),
    /// A text with secrets in it.
    Masked(Vec<Masked>),
    /// What a parameter of a template stands for.
    Things(Things),
}

/// A piece of a text with secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Masked {
    /// As it stands.
    Plain(String),
    /// A secret, by its name in [`crate::scenario::Scenario::secrets`].
    Secret(String),
}

/// What a parameter can be declared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A quantity.
    Of(Dimension),
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// An address.
    Address,
    /// A prefix.
    Prefix,
    /// A regex.
    Regex,
    /// A MAC address.
    Mac,
    /// A list.
    List,
    /// What a comparison gives.
    Truth,
    /// Things of a scenario.
    Thing(ThingKind),
}

/// The words of [`Type`], for suggestions.
pub const TYPE_WORDS: &[&str] = &[
    "count",
    "number",
    "duration",
    "size",
    "bandwidth",
    "rate",
    "ratio",
    "text",
    "bytes",
    "regex",
    "address",
    "prefix",
    "mac",
    "list",
    "condition",
    "flow",
    "node",
    "link",
    "service",
    "process",
    "event",
    "stress",
];

/// `a` or `an` before a word.
#[must_use]
pub fn article(word: &str) -> String {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {word}", if vowel { "an" } else { "a" })
}

impl Type {
    /// The type of a word; `None`: no type is called so.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Type> {
        Some(match word {
            "text" => Type::Text,
            "bytes" => Type::Bytes,
            "address" => Type::Address,
            "prefix" => Type::Prefix,
            "regex" => Type::Regex,
            "mac" => Type::Mac,
            "list" => Type::List,
            "condition" => Type::Truth,
            _ => match ThingKind::TYPES.iter().find(|(name, _)| *name == word) {
                Some((_, kind)) => Type::Thing(*kind),
                None => Type::Of(crate::syntax::tree::dimension_of_type_word(word)?),
            },
        })
    }

    /// The word with its article.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Type::Of(dimension) => article(dimension.word()),
            Type::Text => "a text".into(),
            Type::Bytes => "bytes".into(),
            Type::Address => "an address".into(),
            Type::Prefix => "a prefix".into(),
            Type::Regex => "a regex".into(),
            Type::Mac => "a MAC address".into(),
            Type::List => "a list".into(),
            Type::Truth => "a condition".into(),
            Type::Thing(kind) => kind.words().into(),
        }
    }
}

impl Value {
    /// What it is, with an article.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Value::Quantity(q) => article(q.dimension.word()),
            Value::Truth(_) => "a condition".into(),
            Value::Text(_) => "a text".into(),
            Value::Bytes(_) => "bytes".into(),
            Value::Regex(_) => "a regex".into(),
            Value::Address(_) => "an address".into(),
            Value::Prefix(_) => "a prefix".into(),
            Value::Mac(_) => "a MAC address".into(),
            Value::Range(first, _) => format!("a range of {}s", first.dimension.word()),
            Value::List(_) => "a list".into(),
            Value::Random(dimension, _) => format!("a random {}", dimension.word()),
            Value::Word(word) => format!("the word `{word}`"),
            Value::Masked(_) => "a text with a secret".into(),
            Value::Things(things) if things.ids.len() == 1 => things.kind.words().into(),
            Value::Things(things) => format!("several (`{}`)", things.words),
        }
    }

    /// The value as a type wants it: a count may stand for a number, and a whole number for a count. `None`: it is of another type.
    #[must_use]
    pub fn as_type(self, wanted: Type) -> Option<Value> {
        match (wanted, self) {
            (Type::Of(Dimension::Number), Value::Quantity(q)) if q.dimension == Dimension::Count => {
                q.value.checked_mul(crate::quantity::BILLION).map(|v| Value::Quantity(Quantity::new(Dimension::Number, v)))
            }
            (Type::Of(Dimension::Count), Value::Quantity(q)) if q.dimension == Dimension::Number => whole(q.value).map(Value::Quantity),
            (Type::Of(dimension), Value::Quantity(q)) if q.dimension == dimension => Some(Value::Quantity(q)),
            (Type::Of(dimension), Value::Range(a, b)) if a.dimension == dimension => Some(Value::Range(a, b)),
            (Type::Of(dimension), Value::Random(d, v)) if d == dimension => Some(Value::Random(d, v)),
            (Type::Thing(kind), Value::Things(things)) if things.kind == kind => Some(Value::Things(things)),
            (Type::Text, value @ (Value::Text(_) | Value::Masked(_)))
            | (Type::Regex, value @ Value::Regex(_))
            | (Type::Mac, value @ Value::Mac(_))
            | (Type::List, value @ Value::List(_))
            | (Type::Truth, value @ Value::Truth(_))
            | (Type::Bytes, value @ Value::Bytes(_))
            | (Type::Address, value @ Value::Address(_))
            | (Type::Prefix, value @ Value::Prefix(_)) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Quantity(q) => q.fmt(f),
            Value::Truth(truth) => truth.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::Bytes(bytes) => {
                f.write_str("hex\"")?;
                for byte in bytes {
                    write!(f, "{byte:02x}")?;
                }
                f.write_str("\"")
            }
            Value::Regex(regex) => write!(f, "/{regex}/"),
            Value::Address(address) => address.fmt(f),
            Value::Prefix(prefix) => prefix.fmt(f),
            Value::Mac([a, b, c, d, e, g]) => write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"),
            Value::Range(first, last) => write!(f, "{first}..{last}"),
            Value::List(values) => {
                let shown: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", shown.join(", "))
            }
            Value::Random(dimension, varying) => show_random(*dimension, varying, f),
            Value::Word(word) => f.write_str(word),
            Value::Masked(pieces) => pieces.iter().try_for_each(|piece| match piece {
                Masked::Plain(text) => f.write_str(text),
                Masked::Secret(_) => f.write_str("***"),
            }),
            Value::Things(things) => f.write_str(&things.words),
        }
    }
}

/// Shows a distribution as it would be written.
fn show_random(dimension: Dimension, varying: &Varying, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown = |value: &u64| Quantity::new(dimension, i64::try_from(*value).unwrap_or(i64::MAX)).to_string();
    let number = |value: &u64| Quantity::new(Dimension::Number, i64::try_from(*value).unwrap_or(i64::MAX)).to_string();
    match varying {
        Varying::Fixed(value) => f.write_str(&shown(value)),
        Varying::Uniform(a, b) => write!(f, "uniform({}, {})", shown(a), shown(b)),
        Varying::Exponential(mean) => write!(f, "exponential({})", shown(mean)),
        Varying::Normal(mean, deviation) => write!(f, "normal({}, {})", shown(mean), shown(deviation)),
        Varying::Pareto(scale, shape) => write!(f, "pareto({}, {})", shown(scale), number(shape)),
        Varying::Choice(values) => write!(f, "choice({})", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
    }
}
