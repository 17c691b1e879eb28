//! The functions of the language: `min`, `max` and the distributions. In: arguments. Out: values. Draws nothing: a distribution
//! is kept as such until the run.

use super::Context;
use super::arithmetic;
use super::error::ExpandError;
use super::evaluate::Scope;
use super::value::Value;
use crate::quantity::{BILLION, Dimension, Quantity};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::pattern::Varying;
use crate::source::Span;
use crate::syntax::tree::{Argument, BinaryOperator, Expr, Indexed};

/// Functions of constants.
pub(crate) const FUNCTIONS: &[&str] = &["min", "max", "uniform", "exponential", "normal", "pareto", "choice"];
/// At most so many alternatives of a `choice`.
const CHOICE_LIMIT: usize = 1_000;

impl Context<'_> {
    /// Computes a call.
    pub(super) fn call(&mut self, path: &[Indexed], arguments: &[Argument], span: Span, scope: &Scope, depth: usize) -> Option<Value> {
        let name = path.iter().map(|p| p.name.text.as_str()).collect::<Vec<_>>().join(".");
        let place = path.first().map_or(span, |p| p.span);
        if !FUNCTIONS.contains(&name.as_str()) {
            let words: Vec<&str> = path.iter().map(|part| part.name.text.as_str()).collect();
            match self.not_a_value(&words, scope) {
                Some((what, declared)) if path.len() > 1 => self.raise(ResolveError::NotAValue { name, what, span, declared }),
                _ => self.raise(ResolveError::UnknownFunction { help: suggest(&name, FUNCTIONS.iter().copied()), name, span: place }),
            }
            return None;
        }
        let (least, most) = match name.as_str() {
            "uniform" | "normal" | "pareto" => (2, 2),
            "exponential" => (1, 1),
            _ => (1, CHOICE_LIMIT),
        };
        if arguments.len() < least {
            self.raise(ExpandError::TooFewArguments { name, takes: least, span });
            return None;
        }
        if let Some(extra) = arguments.get(most) {
            self.raise(ExpandError::TooManyArguments { name, takes: most, span: extra.value.span });
            return None;
        }
        let values = self.quantities(&name, arguments, scope, depth)?;
        match name.as_str() {
            "min" | "max" => self.extreme(name == "max", &values, span),
            _ => self.distribution(&name, &values, span),
        }
    }

    /// The arguments of a function, all quantities.
    fn quantities<'e>(&mut self, name: &str, arguments: &'e [Argument], scope: &Scope, depth: usize) -> Option<Vec<(Quantity, &'e Expr)>> {
        let mut values = Some(Vec::new());
        for argument in arguments {
            if let Some(label) = &argument.name {
                let help = Some(format!("`{name}` takes its arguments by place"));
                self.raise(ResolveError::UnknownName { name: label.text.clone(), span: label.span, help });
                values = None;
            }
            let quantity = match self.evaluate_deeper(&argument.value, scope, depth) {
                Some(Value::Quantity(quantity)) => Some((quantity, &argument.value)),
                Some(other) => {
                    self.wrong_type("a quantity", &other, argument.value.span);
                    None
                }
                None => None,
            };
            values = values.zip(quantity).map(|(mut values, quantity)| {
                values.push(quantity);
                values
            });
        }
        values
    }

    fn extreme(&mut self, largest: bool, values: &[(Quantity, &Expr)], span: Span) -> Option<Value> {
        let (mut best, mut place) = *values.first()?;
        for (value, expr) in &values[1..] {
            match arithmetic::compare(*value, best) {
                Ok(ordering) if (largest && ordering.is_gt()) || (!largest && ordering.is_lt()) => (best, place) = (*value, *expr),
                Ok(_) => {}
                Err(arithmetic::Trouble::Overflow) => {
                    self.raise(ExpandError::Overflow { span });
                    return None;
                }
                Err(_) => {
                    self.mismatch(BinaryOperator::Less, &Value::Quantity(best), &Value::Quantity(*value), (span, place.span, expr.span));
                    return None;
                }
            }
        }
        Some(Value::Quantity(best))
    }

    fn distribution(&mut self, name: &str, values: &[(Quantity, &Expr)], span: Span) -> Option<Value> {
        let (first, place) = *values.first()?;
        for (position, (value, expr)) in values.iter().enumerate() {
            let shape = name == "pareto" && position == 1;
            if shape && !matches!(value.dimension, Dimension::Number | Dimension::Count) {
                self.wrong_type("a number", &Value::Quantity(*value), expr.span);
                return None;
            }
            if !shape && value.dimension != first.dimension {
                self.mismatch(BinaryOperator::Less, &Value::Quantity(first), &Value::Quantity(*value), (span, place.span, expr.span));
                return None;
            }
            if value.value < 0 || (shape && value.value == 0) {
                let (least, most) = (if shape { "more than 0" } else { "0" }.to_owned(), "any".to_owned());
                self.raise(ExpandError::OutOfRange {
                    what: format!("an argument of `{name}`"),
                    value: value.to_string(),
                    least,
                    most,
                    span: expr.span,
                });
                return None;
            }
        }
        let units: Vec<u64> = values.iter().filter_map(|(value, _)| u64::try_from(value.value).ok()).collect();
        let varying = match (name, units.as_slice()) {
            ("uniform", [low, high]) if low > high => {
                let (a, b) = (first.to_string(), values.get(1).map(|(v, _)| v.to_string()).unwrap_or_default());
                self.raise(ExpandError::BackwardRange { first: a, last: b, span });
                return None;
            }
            ("uniform", [low, high]) => Varying::Uniform(*low, *high),
            ("exponential", [mean]) => Varying::Exponential(*mean),
            ("normal", [mean, deviation]) => Varying::Normal(*mean, *deviation),
            ("pareto", [scale, shape]) => {
                let whole = values.get(1).is_some_and(|(v, _)| v.dimension == Dimension::Count);
                let factor = if whole { BILLION.unsigned_abs() } else { 1 };
                match shape.checked_mul(factor) {
                    Some(shape) => Varying::Pareto(*scale, shape),
                    None => {
                        self.raise(ExpandError::Overflow { span });
                        return None;
                    }
                }
            }
            _ => Varying::Choice(units),
        };
        Some(Value::Random(first.dimension, varying))
    }
}
