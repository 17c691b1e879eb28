//! `for` and `if` in blocks: each statement that stands, with the names of the loops around it in scope. In: blocks. Out: calls.
//! Always ends: the statements of all loops of a scenario together are bounded.

use std::rc::Rc;

use super::Context;
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Binding, DEPTH_LIMIT, Names, Scope};
use super::value::Value;
use crate::quantity::{Dimension, Quantity};
use crate::resolve::ResolveError;
use crate::source::Span;
use crate::syntax::tree::{Block, Expr, ForBlock, Name, Nested};

/// Statements that stand in loops and templates, each round counted, of all scenarios of a check: at most so many.
const UNROLL_TOTAL: u64 = 1_000_000;
/// Those of one variant of a scenario: at most so many.
pub const UNROLL_LIMIT: u64 = 200_000;
/// `for` and `if` within each other: at most so many.
const NESTING_LIMIT: usize = 64;

/// Whoever walks over blocks: where names are looked up, and where problems go.
pub trait Scoped<'a> {
    /// What all scenarios share.
    fn context(&mut self) -> &mut Context<'a>;
    /// Where names are looked up.
    fn scope(&mut self) -> &mut Scope;
}

impl<'a> Scoped<'a> for Draft<'_, 'a> {
    fn context(&mut self) -> &mut Context<'a> {
        self.context
    }

    fn scope(&mut self) -> &mut Scope {
        &mut self.scope
    }
}

/// Calls `visit` for every statement of a block that stands, in the order of the text, `for` unrolled and `if` decided.
pub fn each<'a, 'b, H: Scoped<'a>, S>(host: &mut H, block: &'b Block<S>, visit: &mut impl FnMut(&mut H, &'b S)) {
    let looped = !host.context().open.is_empty();
    each_at(host, block, 0, looped, visit);
}

fn each_at<'a, 'b, H: Scoped<'a>, S>(host: &mut H, block: &'b Block<S>, depth: usize, looped: bool, visit: &mut impl FnMut(&mut H, &'b S)) {
    for nested in block {
        if host.context().is_full() || (looped && !host.context().count_unrolled(place(nested))) {
            return;
        }
        match nested {
            Nested::Statement(statement) => visit(host, statement),
            Nested::For(inner) => {
                if nests(host, depth, inner.span) {
                    each_for(host, inner, depth, visit);
                }
            }
            Nested::If(inner) => {
                if !nests(host, depth, inner.span) {
                    continue;
                }
                let scope = host.scope().clone();
                let Some(chosen) = host.context().decide(&inner.condition, &scope) else { continue };
                match chosen {
                    Decided::Then => each_at(host, &inner.then, depth + 1, looped, visit),
                    Decided::Otherwise => each_at(host, &inner.otherwise, depth + 1, looped, visit),
                    Decided::Both => {
                        each_at(host, &inner.then, depth + 1, looped, visit);
                        each_at(host, &inner.otherwise, depth + 1, looped, visit);
                    }
                }
            }
        }
    }
}

fn each_for<'a, 'b, H: Scoped<'a>, S>(host: &mut H, inner: &'b ForBlock<S>, depth: usize, visit: &mut impl FnMut(&mut H, &'b S)) {
    let outer = host.scope().clone();
    let Some(values) = host.context().loop_values(&inner.name, &inner.values, &outer) else {
        // With sample values the list may be unknown; what stands in the loop is looked at all the same.
        if host.context().sampling {
            host.scope().layers.push(layer(&inner.name, None));
            each_at(host, &inner.body, depth + 1, true, visit);
            host.scope().layers.truncate(outer.layers.len());
        }
        return;
    };
    for value in values {
        if host.context().is_full() || !host.context().count_unrolled(Some(inner.span)) {
            break;
        }
        host.scope().layers.push(layer(&inner.name, Some(value)));
        each_at(host, &inner.body, depth + 1, true, visit);
        host.scope().layers.truncate(outer.layers.len());
    }
}

fn nests<'a, H: Scoped<'a>>(host: &mut H, depth: usize, span: Span) -> bool {
    let limit = NESTING_LIMIT.min(DEPTH_LIMIT);
    if depth >= limit {
        host.context().raise(ExpandError::TooDeep { span, limit });
    }
    depth < limit
}

/// Where a `for` or `if` stands.
fn place<S>(nested: &Nested<S>) -> Option<Span> {
    match nested {
        Nested::Statement(_) => None,
        Nested::For(inner) => Some(inner.span),
        Nested::If(inner) => Some(inner.span),
    }
}

/// A layer of scope with the name of a loop.
fn layer(name: &Name, value: Option<Value>) -> Rc<Names> {
    Rc::new(Names::from([(name.text.clone(), Binding { value, span: name.span })]))
}

/// Which part of an `if` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// What stands after the condition.
    Then,
    /// What stands after `else`.
    Otherwise,
    /// Both are looked at: a template is being checked with sample values.
    Both,
}

/// The values of a loop, one after the other.
#[derive(Debug)]
pub enum LoopValues {
    /// Whole numbers, both ends included.
    Counts(std::ops::RangeInclusive<i64>),
    /// A list.
    List(std::vec::IntoIter<Value>),
}

impl Iterator for LoopValues {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        match self {
            LoopValues::Counts(range) => range.next().map(|value| Value::Quantity(Quantity::new(Dimension::Count, value))),
            LoopValues::List(values) => values.next(),
        }
    }
}

impl Context<'_> {
    /// Counts one statement of a loop. `false`: there are too many, which is reported once.
    pub fn count_unrolled(&mut self, span: Option<Span>) -> bool {
        self.unrolled += 1;
        self.unrolled_ever += 1;
        let limit = if self.unrolled_ever > UNROLL_TOTAL { UNROLL_TOTAL } else { UNROLL_LIMIT };
        if self.unrolled == UNROLL_LIMIT + 1 || self.unrolled_ever == UNROLL_TOTAL + 1 {
            let (what, count) = ("statements in loops and templates", limit + 1);
            let span = span.or(self.last_loop).unwrap_or_default();
            self.raise(ExpandError::TooLarge { what, count, limit, span });
        }
        self.last_loop = span.or(self.last_loop);
        self.unrolled <= UNROLL_LIMIT && self.unrolled_ever <= UNROLL_TOTAL
    }

    /// Loops and templates of this scenario make no more: what they would make is too much, which was reported.
    pub(super) fn stop_unrolling(&mut self) {
        self.unrolled = self.unrolled.max(UNROLL_LIMIT + 1);
    }

    /// Begins to count anew, for another scenario or variant.
    pub(super) fn restart_unrolling(&mut self) {
        self.unrolled = 0;
    }

    /// Which part of an `if` stands. `None`: the condition is wrong, which was reported.
    pub fn decide(&mut self, condition: &Expr, scope: &Scope) -> Option<Decided> {
        let decided = match self.evaluate(condition, scope) {
            Some(Value::Truth(true)) => Some(Decided::Then),
            Some(Value::Truth(false)) => Some(Decided::Otherwise),
            Some(other) => {
                self.wrong_type("a condition", &other, condition.span);
                None
            }
            None => None,
        };
        if self.sampling { Some(Decided::Both) } else { decided }
    }

    /// The values of a loop, whose name must be new. `None`: wrong, which was reported.
    pub fn loop_values(&mut self, name: &Name, values: &Expr, scope: &Scope) -> Option<LoopValues> {
        let first = scope.find(self, &name.text).map(|binding| binding.span).filter(|first| *first != name.span);
        let first = first.or_else(|| self.modules.get(scope.module)?.place(&name.text));
        let first = first.or_else(|| Some(self.things.group(&format!("{}{}", self.things.frame().prefix, name.text))?.span));
        if let Some(first) = first {
            self.raise(ResolveError::Redefined { name: name.text.clone(), span: name.span, first });
            return None;
        }
        match self.evaluate(values, scope)? {
            Value::List(values) => Some(LoopValues::List(values.into_iter())),
            Value::Range(first, last) if first.dimension == Dimension::Count => Some(LoopValues::Counts(first.value..=last.value)),
            other => {
                self.wrong_type("a range of counts (`1..3`) or a list", &other, values.span);
                None
            }
        }
    }
}

impl<'a> Draft<'_, 'a> {
    /// Every statement of a block that stands, `for` unrolled (its name is in scope) and `if` decided.
    pub fn each<'b, S>(&mut self, block: &'b Block<S>, mut visit: impl FnMut(&mut Self, &'b S)) {
        each(self, block, &mut visit);
    }
}
