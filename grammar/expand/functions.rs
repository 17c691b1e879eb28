//! Functions: those of the language (`min`, `max`, the distributions) and those of files (`fn`). In: arguments. Out: values. Draws
//! nothing: a distribution is kept as such until the run.

use std::rc::Rc;

use super::Context;
use super::arithmetic;
use super::calls::{FUNCTION, Given, Written};
use super::error::ExpandError;
use super::evaluate::Scope;
use super::templates::Open;
use super::value::Value;
use crate::quantity::{BILLION, Dimension, Quantity};
use crate::resolve::ResolveError;
use crate::scenario::pattern::Varying;
use crate::source::Span;
use crate::syntax::tree::{Argument, BinaryOperator, Expr, FunctionDecl, Indexed};

/// Functions of constants.
pub(crate) const FUNCTIONS: &[&str] = &["min", "max", "round", "floor", "ceil", "uniform", "exponential", "normal", "pareto", "choice"];
/// Functions that conditions and options have besides.
pub(crate) const ELSEWHERE: &[&str] = &["sum", "mean", "median", "gilbert_elliott"];
/// Calls of functions that files declare, of one check: at most so many.
const CALL_LIMIT: u64 = 200_000;
/// At most so many alternatives of a `choice`.
const CHOICE_LIMIT: usize = 1_000;

impl Context<'_> {
    /// Computes a call.
    pub(super) fn call(&mut self, path: &[Indexed], arguments: &[Argument], span: Span, scope: &Scope, depth: usize) -> Option<Value> {
        let name = path.iter().map(|p| p.name.text.as_str()).collect::<Vec<_>>().join(".");
        if !FUNCTIONS.contains(&name.as_str()) {
            let words: Vec<&str> = path.iter().map(|part| part.name.text.as_str()).collect();
            if let Some((what, declared)) = self.not_a_value(&words, scope).filter(|_| path.len() > 1) {
                self.raise(ResolveError::NotAValue { name, what, span, declared });
                return None;
            }
            let written = Written { path: path.iter().map(|part| &part.name).collect(), arguments, span };
            return self.own_function(&written, scope, depth);
        }
        let (least, most) = match name.as_str() {
            "uniform" | "normal" | "pareto" => (2, 2),
            "exponential" | "round" | "floor" | "ceil" => (1, 1),
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
            "round" | "floor" | "ceil" => self.rounded(&name, values.first()?),
            _ => self.distribution(&name, &values, span),
        }
    }

    /// The value of a function that a file declares.
    fn own_function(&mut self, written: &Written<'_>, scope: &Scope, depth: usize) -> Option<Value> {
        let (found, mut inner) = self.find_declared(&written.path, &FUNCTION, scope)?;
        let FunctionDecl { name, params, value } = found.declaration;
        if let Some(from) = self.open.iter().position(|open| open.declared == name.span) {
            let way = self.open[from..].iter().map(|open| open.name.as_str()).chain([name.text.as_str()]);
            let chain = way.collect::<Vec<_>>().join(" -> ");
            self.raise(ResolveError::CallCycle { what: "a function", chain, span: written.span, declared: name.span });
            return None;
        }
        self.function_calls += 1;
        if self.function_calls > CALL_LIMIT {
            if self.function_calls == CALL_LIMIT + 1 {
                let (what, count) = ("calls of functions", self.function_calls);
                self.raise(ExpandError::TooLarge { what, count, limit: CALL_LIMIT, span: written.span });
            }
            return None;
        }
        let chosen = self.match_arguments(name, params, written.arguments)?;
        let evaluated = chosen.into_iter().map(|argument| match argument {
            None => Given::Default,
            Some(argument) => Given::Value(self.evaluate_deeper(&argument.value, scope, depth), argument.value.span),
        });
        let given: Vec<Given> = evaluated.collect();
        let (names, fine) = self.bind(name, params, given, written.span, &inner);
        if !fine {
            return None;
        }
        inner.layers.push(Rc::new(names));
        self.open.push(Open { declared: name.span, name: name.text.clone() });
        let result = self.evaluate_deeper(value, &inner, depth);
        self.open.pop();
        result
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

    /// A number as the count beside it.
    fn rounded(&mut self, name: &str, (value, expr): &(Quantity, &Expr)) -> Option<Value> {
        let number = match value.dimension {
            Dimension::Count => return Some(Value::Quantity(*value)),
            Dimension::Number => value.value,
            _ => {
                self.wrong_type("a number", &Value::Quantity(*value), expr.span);
                return None;
            }
        };
        let count = match name {
            "floor" => number.div_euclid(BILLION),
            "ceil" => number.div_euclid(BILLION) + i64::from(number.rem_euclid(BILLION) > 0),
            // Halves go away from zero.
            _ => number.signum() * ((number.unsigned_abs() + BILLION.unsigned_abs() / 2) / BILLION.unsigned_abs()).cast_signed(),
        };
        Some(Value::Quantity(Quantity::new(Dimension::Count, count)))
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
