//! Computes what is known before anything runs. In: expressions and the names in scope. Out: values; problems go to the context.
//! `None` means that the problem was reported. Knows no metrics.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Context;
use super::arithmetic::{self, Trouble};
use super::error::ExpandError;
use super::things::ThingKind;
use super::value::{Type, Value};
use crate::quantity::{BILLION, Dimension, Quantity};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::topology::Prefix;
use crate::source::Span;
use crate::syntax::tree::{BinaryOperator, Expr, ExprKind, Indexed};

/// Expressions nested deeper are refused.
pub const DEPTH_LIMIT: usize = 200;
/// Steps of computing what is known beforehand, of one check: at most so many.
const WORK_LIMIT: u64 = 5_000_000;
/// A list holds at most so many values, those of lists in it counted.
const LIST_LIMIT: usize = 10_000;
/// Lists within lists: at most so many.
const LIST_DEPTH: usize = 64;

/// How many values some values are, those in lists counted, and how deep lists nest.
fn extent(values: &[Value]) -> (usize, usize) {
    values.iter().fold((0, 1), |(count, depth), value| match value {
        Value::List(inner) => {
            let (more, deeper) = extent(inner);
            (count + more + 1, depth.max(deeper + 1))
        }
        _ => (count + 1, depth),
    })
}

/// How much work it is to copy a value, in the unit of [`WORK_LIMIT`].
fn size(value: &Value) -> u64 {
    /// Bytes that are copied in about the time of one step.
    const BYTES: usize = 64;
    match value {
        Value::Text(text) | Value::Regex(text) => (text.len() / BYTES) as u64,
        Value::Bytes(bytes) => (bytes.len() / BYTES) as u64,
        Value::List(values) => values.iter().map(|value| 1 + size(value)).sum(),
        _ => 0,
    }
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The value; `None`: its problem was reported.
    pub value: Option<Value>,
    /// Where it was introduced.
    pub span: Span,
}

/// Names and what they stand for.
pub type Names = BTreeMap<String, Binding>;

/// Where names are looked up: layers from the outermost to the innermost, over those of a module.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The module whose names are visible too.
    pub module: usize,
    /// Names of the scenario, of a pattern's parameters.
    pub layers: Vec<Rc<Names>>,
    /// What the scenario declares is visible; its values are the first layer.
    pub inside: bool,
}

impl Scope {
    /// What a name stands for here.
    pub fn find<'s>(&'s self, context: &'s Context<'_>, name: &str) -> Option<&'s Binding> {
        self.layers.iter().rev().find_map(|layer| layer.get(name)).or_else(|| context.values.get(self.module)?.get(name))
    }

    /// Every name that is a value here.
    fn values<'s>(&'s self, context: &'s Context<'_>) -> impl Iterator<Item = &'s str> + Clone {
        let module = context.values.get(self.module);
        self.layers.iter().map(Rc::as_ref).chain(module.map(Rc::as_ref)).flat_map(|names| names.iter()).map(|(name, _)| name.as_str())
    }
}

/// Takes parentheses off.
#[must_use]
pub fn bare(expr: &Expr) -> &Expr {
    let mut inner = expr;
    while let ExprKind::Parenthesis(within) = &inner.kind {
        inner = within;
    }
    inner
}

/// The word of an expression that is a single word.
#[must_use]
pub fn word(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Path(parts) => match parts.as_slice() {
            [Indexed { name, index: None, .. }] => Some(&name.text),
            _ => None,
        },
        _ => None,
    }
}

impl Context<'_> {
    /// Counts steps of computing. `false`: there are too many, which is reported once.
    fn count_work(&mut self, steps: u64, span: Span) -> bool {
        let before = self.work;
        self.work = self.work.saturating_add(steps);
        if before <= WORK_LIMIT && self.work > WORK_LIMIT {
            let what = "steps of computing";
            self.raise(ExpandError::TooLarge { what, count: self.work, limit: WORK_LIMIT, span });
        }
        self.work <= WORK_LIMIT
    }

    /// Computes an expression.
    pub fn evaluate(&mut self, expr: &Expr, scope: &Scope) -> Option<Value> {
        self.evaluate_at(expr, scope, 0)
    }

    /// Computes an argument, so many levels down.
    pub(super) fn evaluate_deeper(&mut self, expr: &Expr, scope: &Scope, depth: usize) -> Option<Value> {
        self.evaluate_at(expr, scope, depth + 1)
    }

    fn evaluate_at(&mut self, expr: &Expr, scope: &Scope, depth: usize) -> Option<Value> {
        let span = expr.span;
        if self.is_full() || !self.count_work(1, span) {
            return None;
        }
        if depth > DEPTH_LIMIT {
            self.raise(ExpandError::TooDeep { span, limit: DEPTH_LIMIT });
            return None;
        }
        Some(match &expr.kind {
            ExprKind::Broken => return None,
            ExprKind::Quantity(quantity) => Value::Quantity(*quantity),
            ExprKind::Text(text) => self.text_value(text, scope, depth + 1)?,
            ExprKind::Bytes(bytes) => Value::Bytes(bytes.clone()),
            ExprKind::Regex(regex) => {
                self.regex(regex, span)?;
                Value::Regex(regex.clone())
            }
            ExprKind::Address(address) => Value::Address(*address),
            ExprKind::Prefix(address, length) => Value::Prefix(Prefix { address: *address, length: *length }),
            ExprKind::Mac(mac) => Value::Mac(*mac),
            ExprKind::Range(first, last) => self.range(first, last, span, scope, depth)?,
            ExprKind::List(items) => {
                let values: Vec<Option<Value>> = items.iter().map(|item| self.evaluate_at(item, scope, depth + 1)).collect();
                self.list(values.into_iter().collect::<Option<_>>()?, span)?
            }
            ExprKind::Path(parts) => self.path(parts, span, scope)?,
            ExprKind::Call(path, arguments) => self.call(path, arguments, span, scope, depth + 1)?,
            ExprKind::Negative(inner) => {
                let quantity = self.quantity_at(inner, scope, depth + 1)?;
                Value::Quantity(Quantity::new(quantity.dimension, self.fits(quantity.value.checked_neg(), span)?))
            }
            ExprKind::Not(inner) => Value::Truth(!self.truth(inner, scope, depth + 1)?),
            ExprKind::Binary(operator, left, right) => self.binary(*operator, left, right, span, scope, depth + 1)?,
            ExprKind::If(condition, yes, no) => {
                let (chosen, other) = if self.truth(condition, scope, depth + 1)? { (yes, no) } else { (no, yes) };
                if self.sampling {
                    self.evaluate_at(other, scope, depth + 1);
                }
                self.evaluate_at(chosen, scope, depth + 1)?
            }
            ExprKind::Parenthesis(inner) => self.evaluate_at(inner, scope, depth + 1)?,
        })
    }

    /// A list, if it is not too large.
    fn list(&mut self, values: Vec<Value>, span: Span) -> Option<Value> {
        let (count, depth) = extent(&values);
        if count > LIST_LIMIT {
            self.raise(ExpandError::TooLarge { what: "values in a list", count: count as u64, limit: LIST_LIMIT as u64, span });
            return None;
        }
        if depth > LIST_DEPTH {
            self.raise(ExpandError::TooDeep { span, limit: LIST_DEPTH });
            return None;
        }
        Some(Value::List(values))
    }

    fn range(&mut self, first: &Expr, last: &Expr, span: Span, scope: &Scope, depth: usize) -> Option<Value> {
        let (low, high) = (self.quantity_at(first, scope, depth + 1), self.quantity_at(last, scope, depth + 1));
        // `1..n/2`: a whole number beside a count is a count.
        let beside = |one: Quantity, other: Quantity| match (one.dimension, other.dimension) {
            (Dimension::Number, Dimension::Count) => arithmetic::whole(one.value).unwrap_or(one),
            _ => one,
        };
        let (low, high) = (beside(low?, high?), beside(high?, low?));
        if low.dimension != high.dimension {
            self.mismatch(BinaryOperator::Less, &Value::Quantity(low), &Value::Quantity(high), (span, first.span, last.span));
            return None;
        }
        if low.value > high.value {
            self.raise(ExpandError::BackwardRange { first: low.to_string(), last: high.to_string(), span });
            return None;
        }
        Some(Value::Range(low, high))
    }

    fn path(&mut self, parts: &[Indexed], span: Span, scope: &Scope) -> Option<Value> {
        if let [part] = parts {
            let found = scope.find(self, &part.name.text).cloned();
            return self.bound(found, &part.name.text, part, scope);
        }
        let (last, before) = parts.split_last()?;
        let qualifier = before.iter().map(|p| p.name.text.as_str()).collect::<Vec<_>>().join(".");
        if let Some(module) = self.modules.get(scope.module).and_then(|m| m.qualifiers.get(&qualifier)).copied() {
            let found = self.values.get(module).and_then(|names| names.get(&last.name.text)).cloned();
            if let Some(binding) = found.as_ref().filter(|_| last.name.text.starts_with('_')) {
                self.raise(ResolveError::Private { name: last.name.text.clone(), span, declared: binding.span });
                return None;
            }
            return self.bound(found, &last.name.text, last, &Scope { module, ..Scope::default() });
        }
        let first = parts.first()?;
        let words: Vec<&str> = parts.iter().map(|part| part.name.text.as_str()).collect();
        if let Some((what, declared)) = self.not_a_value(&words, scope) {
            self.raise(ResolveError::NotAValue { name: self.words(span), what, span, declared });
            return None;
        }
        let found = scope.find(self, &first.name.text).cloned();
        if self.bound(found, &first.name.text, first, scope).is_some() {
            let name = self.words(span);
            self.raise(ResolveError::UnknownName { name, span, help: None });
        }
        None
    }

    /// What words stand for if they name things, and where that is declared.
    pub(super) fn not_a_value(&self, words: &[&str], scope: &Scope) -> Option<(&'static str, Span)> {
        let (kind, used, declared) = match scope.find(self, words.first()?) {
            Some(Binding { value: Some(Value::Things(things)), span }) => (things.kind, 1, *span),
            Some(_) => return None,
            None => {
                let (key, used, _) = self.things.locate(words)?;
                let group = self.things.group(&key)?;
                (group.kind, used, group.span)
            }
        };
        let measured = used < words.len() && kind != ThingKind::Instance;
        Some((if measured { "measured while the scenario runs" } else { kind.words() }, declared))
    }

    /// The value of a name that was looked up.
    fn bound(&mut self, found: Option<Binding>, name: &str, part: &Indexed, scope: &Scope) -> Option<Value> {
        match found {
            Some(Binding { value, span: declared }) => {
                if part.index.is_some() {
                    self.raise(ResolveError::NotReplicated { name: name.into(), span: part.span, declared });
                    return None;
                }
                self.refer(part.span, declared, "a value", value.as_ref());
                if let Some(value) = &value {
                    self.note_secrets(value);
                    self.count_work(size(value), part.span);
                }
                value
            }
            None => {
                if let ("true" | "false", None, None) = (name, &part.index, self.not_a_value(&[name], scope)) {
                    return Some(Value::Truth(name == "true"));
                }
                if let Some((what, declared)) = self.not_a_value(&[name], scope) {
                    self.raise(ResolveError::NotAValue { name: name.into(), what, span: part.span, declared });
                    return None;
                }
                let help = suggest(name, scope.values(self));
                self.raise(ResolveError::UnknownName { name: name.into(), span: part.span, help });
                None
            }
        }
    }

    fn truth(&mut self, expr: &Expr, scope: &Scope, depth: usize) -> Option<bool> {
        match self.evaluate_at(expr, scope, depth)? {
            Value::Truth(truth) => Some(truth),
            other => {
                self.wrong_type("a condition", &other, expr.span);
                None
            }
        }
    }

    fn quantity_at(&mut self, expr: &Expr, scope: &Scope, depth: usize) -> Option<Quantity> {
        match self.evaluate_at(expr, scope, depth)? {
            Value::Quantity(quantity) => Some(quantity),
            other => {
                self.wrong_type("a quantity", &other, expr.span);
                None
            }
        }
    }

    fn fits<T>(&mut self, value: Option<T>, span: Span) -> Option<T> {
        if value.is_none() {
            self.raise(ExpandError::Overflow { span });
        }
        value
    }

    fn binary(&mut self, operator: BinaryOperator, left: &Expr, right: &Expr, span: Span, scope: &Scope, depth: usize) -> Option<Value> {
        if matches!(operator, BinaryOperator::And | BinaryOperator::Or) {
            let (a, b) = (self.truth(left, scope, depth), self.truth(right, scope, depth));
            let (a, b) = (a?, b?);
            return Some(Value::Truth(if operator == BinaryOperator::And { a && b } else { a || b }));
        }
        let (a, b) = self.operands(left, right, scope, depth);
        let (a, b) = (a?, b?);
        let places = (span, left.span, right.span);
        match (&a, &b) {
            (Value::Text(text), Value::Regex(regex)) if operator == BinaryOperator::Matches => {
                Some(Value::Truth(self.regex(regex, right.span)?.is_match(text)))
            }
            (Value::Quantity(x), Value::Quantity(y)) if arithmetic::is_comparison(operator) => match arithmetic::compare(*x, *y) {
                Ok(ordering) => Some(Value::Truth(arithmetic::holds(operator, ordering))),
                Err(trouble) => self.trouble(trouble, operator, &a, &b, places),
            },
            (Value::Quantity(x), Value::Quantity(y)) => match arithmetic::combine(operator, *x, *y) {
                Ok(quantity) => Some(Value::Quantity(quantity)),
                Err(trouble) => self.trouble(trouble, operator, &a, &b, places),
            },
            _ if std::mem::discriminant(&a) == std::mem::discriminant(&b)
                && matches!(operator, BinaryOperator::Equal | BinaryOperator::NotEqual) =>
            {
                Some(Value::Truth((a == b) == (operator == BinaryOperator::Equal)))
            }
            _ => self.trouble(Trouble::Dimensions, operator, &a, &b, places),
        }
    }

    /// Both sides of an operator. A word that nothing is called, beside a word of a matrix, is a word of a matrix too.
    fn operands(&mut self, left: &Expr, right: &Expr, scope: &Scope, depth: usize) -> (Option<Value>, Option<Value>) {
        let free = |context: &Self, expr: &Expr| {
            let text = word(bare(expr))?;
            (!context.words.is_empty() && scope.find(context, text).is_none()).then(|| text.to_owned())
        };
        match (free(self, left), free(self, right)) {
            (None, Some(text)) => match self.evaluate_at(left, scope, depth) {
                Some(word @ Value::Word(_)) => (Some(word), self.matrix_word(&text, right.span)),
                other => (other, self.evaluate_at(right, scope, depth)),
            },
            (Some(text), None) => match self.evaluate_at(right, scope, depth) {
                Some(word @ Value::Word(_)) => (self.matrix_word(&text, left.span), Some(word)),
                other => (self.evaluate_at(left, scope, depth), other),
            },
            _ => (self.evaluate_at(left, scope, depth), self.evaluate_at(right, scope, depth)),
        }
    }

    /// Reports why two values can't be combined. Places: the whole, left, right.
    fn trouble(&mut self, trouble: Trouble, operator: BinaryOperator, a: &Value, b: &Value, places: (Span, Span, Span)) -> Option<Value> {
        match trouble {
            Trouble::Dimensions => self.mismatch(operator, a, b, places),
            Trouble::Overflow => self.raise(ExpandError::Overflow { span: places.0 }),
            Trouble::DivisionByZero => self.raise(ExpandError::DivisionByZero { span: places.2 }),
        }
        None
    }

    /// Reports two values that do not go together. Places: the whole, left, right.
    pub fn mismatch(&mut self, operator: BinaryOperator, a: &Value, b: &Value, places: (Span, Span, Span)) {
        let (operator_span, left_span, right_span) = places;
        let (left, right, verb) = (a.words(), b.words(), arithmetic::verb(operator));
        self.raise(ExpandError::DimensionMismatch { verb, left, right, operator: operator_span, left_span, right_span });
    }

    /// Reports a value of the wrong type.
    pub fn wrong_type(&mut self, expected: impl Into<String>, found: &Value, span: Span) {
        let expected = expected.into();
        let help = match found {
            Value::Quantity(q) if q.dimension == Dimension::Number && expected == Type::Of(Dimension::Count).words() => {
                self.raise(ExpandError::NotWhole { value: q.to_string(), span });
                return;
            }
            Value::Quantity(q) if matches!(q.dimension, Dimension::Count | Dimension::Number) => {
                Some("write the unit too, as in `10ms`, `1KiB`, `50/s`, `2%`".to_owned())
            }
            _ => None,
        };
        let help = help.filter(|_| {
            !expected.contains("count") && !expected.contains("number") && !expected.contains("address") && !expected.contains("prefix")
        });
        self.raise(ExpandError::WrongType { expected, found: found.words(), span, help });
    }

    /// A value of a given dimension, in its base unit.
    pub fn base_units(&mut self, expr: &Expr, dimension: Dimension, scope: &Scope) -> Option<i64> {
        let value = self.evaluate(expr, scope)?;
        match value.clone().as_type(Type::Of(dimension)) {
            Some(Value::Quantity(quantity)) => Some(quantity.value),
            _ => {
                self.wrong_type(Type::Of(dimension).words(), &value, expr.span);
                None
            }
        }
    }

    /// A value of a given dimension between two bounds, both allowed, in its base unit.
    pub fn bounded(&mut self, what: &str, expr: &Expr, dimension: Dimension, bounds: (i64, i64), scope: &Scope) -> Option<u64> {
        let value = self.base_units(expr, dimension, scope)?;
        if value < bounds.0 || value > bounds.1 {
            let shown = |value| Quantity::new(dimension, value).to_string();
            let (least, most) = (shown(bounds.0), shown(bounds.1));
            self.raise(ExpandError::OutOfRange { what: what.into(), value: shown(value), least, most, span: expr.span });
            return None;
        }
        u64::try_from(value).ok()
    }

    /// A duration of at least so many ns and at most a day.
    pub fn duration(&mut self, what: &str, expr: &Expr, least: i64, scope: &Scope) -> Option<u64> {
        self.bounded(what, expr, Dimension::Duration, (least, 24 * 3_600 * BILLION), scope)
    }
}
