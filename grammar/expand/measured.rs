//! Values of conditions: measured, given, and what is computed of them. In: expressions. Out: [`Value`]s with their dimension. Looks
//! metrics up by way of `subjects`; measures nothing.

use super::arithmetic::{comparable, result_dimension};
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{DEPTH_LIMIT, bare};
use super::moment_error::MomentError;
use super::stars::{FOLDS, Picks, every_pick, fold_of, parts};
use super::things::ThingKind;
use super::value::Value as Known;
use crate::quantity::{Dimension, Quantity};
use crate::scenario::expect::{Fold, Metric, Value};
use crate::scenario::metrics::{Measures, MetricRow};
use crate::source::Span;
use crate::syntax::tree::{Argument, BinaryOperator, Expr, ExprKind, Indexed};

impl Draft<'_, '_> {
    /// A path that can only mean something measured.
    fn is_metric(&self, path: &[Indexed]) -> bool {
        let Some(first) = path.first() else { return false };
        match self.thing_kind(path) {
            Some(ThingKind::Event) => path.len() > 1,
            Some(_) => true,
            None if self.scope.find(self.context, &first.name.text).is_some() => false,
            None => {
                let modules = self.context.modules.get(self.scope.module);
                path.len() > 1 && modules.is_none_or(|m| !m.qualifiers.contains_key(&first.name.text) && first.name.text != "std")
            }
        }
    }

    /// Something in an expression is measured.
    pub(super) fn is_measured(&self, expr: &Expr, depth: usize) -> bool {
        if depth > DEPTH_LIMIT {
            return false;
        }
        match &expr.kind {
            ExprKind::Path(path) => self.is_metric(path),
            ExprKind::Call(path, _) if path.len() > 1 && self.is_metric(path) => true,
            ExprKind::Call(path, _) if matches!(fold_of(path), Some(Fold::Sum | Fold::Mean | Fold::Median)) => true,
            _ => parts(expr).into_iter().any(|part| self.is_measured(part, depth + 1)),
        }
    }

    /// The metric that an expression is by itself. The outer `None`: it is something else; the inner: wrong, which was reported.
    pub(super) fn metric_in(&mut self, expr: &Expr, picks: &Picks) -> Option<Option<(Metric, &'static MetricRow)>> {
        match &bare(expr).kind {
            ExprKind::Path(path) if self.is_metric(path) => Some(self.metric(path, None, expr.span, picks)),
            ExprKind::Call(path, arguments) if path.len() > 1 && self.is_metric(path) => {
                Some(self.metric(path, Some(arguments), expr.span, picks))
            }
            _ => None,
        }
    }

    /// A number, measured or known, with its dimension.
    pub(super) fn measured(&mut self, expr: &Expr, picks: &Picks, depth: usize) -> Option<(Value, Dimension)> {
        let expr = bare(expr);
        if depth > DEPTH_LIMIT {
            self.context.raise(ExpandError::TooDeep { span: expr.span, limit: DEPTH_LIMIT });
            return None;
        }
        if !self.is_measured(expr, 0) {
            return self.known_number(expr);
        }
        if let Some(metric) = self.metric_in(expr, picks) {
            return self.number(metric?, expr.span);
        }
        match &expr.kind {
            ExprKind::Call(path, arguments) => match fold_of(path) {
                Some(fold) => self.fold(fold, arguments, expr.span, picks, depth),
                // Functions compute before the run: whatever is measured is no value there, and that is said.
                None => self.known_number(expr),
            },
            ExprKind::Negative(inner) => {
                let (value, dimension) = self.measured(inner, picks, depth + 1)?;
                let zero = Value::Given(Quantity::new(dimension, 0));
                let operator = BinaryOperator::Subtract;
                Some((Value::Arithmetic { operator, left: Box::new(zero), right: Box::new(value), dimension }, dimension))
            }
            ExprKind::Binary(operator, left, right) => {
                let (a, b) = (self.measured(left, picks, depth + 1), self.measured(right, picks, depth + 1));
                let ((a, a_dimension), (b, b_dimension)) = (a?, b?);
                let Some(dimension) = result_dimension(*operator, a_dimension, b_dimension) else {
                    self.unlike(*operator, (a_dimension, left.span), (b_dimension, right.span), expr.span);
                    return None;
                };
                Some((Value::Arithmetic { operator: *operator, left: Box::new(a), right: Box::new(b), dimension }, dimension))
            }
            ExprKind::If(chooser, yes, no) => {
                let chosen = if self.chooses(chooser)? { yes } else { no };
                self.measured(chosen, picks, depth + 1)
            }
            ExprKind::Not(_) | ExprKind::Range(..) | ExprKind::List(_) => {
                let found = match &expr.kind {
                    ExprKind::Not(_) => "a condition",
                    ExprKind::Range(..) => "a range",
                    _ => "a list",
                };
                self.context.raise(ExpandError::WrongType {
                    expected: "a quantity".into(),
                    found: found.into(),
                    span: expr.span,
                    help: None,
                });
                None
            }
            _ => None,
        }
    }

    /// A number that is known.
    fn known_number(&mut self, expr: &Expr) -> Option<(Value, Dimension)> {
        match self.context.evaluate(expr, &self.scope)? {
            Known::Quantity(quantity) => Some((Value::Given(quantity), quantity.dimension)),
            other => {
                self.context.wrong_type("a quantity", &other, expr.span);
                None
            }
        }
    }

    /// A metric as a number.
    fn number(&mut self, (metric, row): (Metric, &MetricRow), span: Span) -> Option<(Value, Dimension)> {
        let (found, help) = match row.measures {
            Measures::Number(dimension) => return Some((Value::Metric(metric), dimension)),
            Measures::Truth => {
                ("a condition", format!("it stands alone: `{}`, `not {}`", self.context.words(span), self.context.words(span)))
            }
            Measures::Text => ("a text", format!("say what it must contain: `{} matches /errors 0/`", self.context.words(span))),
        };
        self.context.raise(ExpandError::WrongType { expected: "a quantity".into(), found: found.into(), span, help: Some(help) });
        None
    }

    /// One number of several.
    fn fold(&mut self, fold: Fold, arguments: &[Argument], span: Span, picks: &Picks, depth: usize) -> Option<(Value, Dimension)> {
        let mut values: Vec<Value> = Vec::new();
        let mut kind: Option<(Dimension, Span)> = None;
        for argument in arguments {
            if let Some(name) = &argument.name {
                let word = FOLDS.iter().find(|(_, known)| *known == fold).map_or("", |(word, _)| *word);
                let (pattern, name, span, declared) = (word.to_owned(), name.text.clone(), name.span, span);
                self.context.raise(crate::resolve::ResolveError::UnknownArgument { pattern, name, span, declared, help: None });
                return None;
            }
            let stars = self.stars(&argument.value)?;
            for picks in every_pick(&stars, picks) {
                let (value, dimension) = self.measured(&argument.value, &picks, depth + 1)?;
                match kind {
                    Some((first, place)) if !comparable(first, dimension) => {
                        self.unlike(BinaryOperator::Less, (first, place), (dimension, argument.value.span), span);
                        return None;
                    }
                    Some(_) => {}
                    None => kind = Some((dimension, argument.value.span)),
                }
                values.push(value);
            }
        }
        let Some((dimension, _)) = kind else {
            self.context.raise(ExpandError::TooFewArguments { name: format!("{fold:?}").to_lowercase(), takes: 1, span });
            return None;
        };
        Some((Value::Fold { fold, values }, dimension))
    }

    /// Counts one more measured value. `false`: there are too many, which is reported once.
    pub(super) fn count_measured(&mut self, span: Span) -> bool {
        self.measured_values += 1;
        if self.measured_values == super::MEASURED_LIMIT + 1 {
            let (what, count, limit) = ("measured values in conditions", self.measured_values, super::MEASURED_LIMIT);
            self.context.raise(ExpandError::TooLarge { what, count, limit, span });
        }
        self.measured_values <= super::MEASURED_LIMIT
    }

    /// Reports that something measured is named without a metric.
    pub(super) fn needs_metric(&mut self, kind: ThingKind, words: &str, span: Span) {
        let what = kind.words().split_once(' ').map_or("", |(_, word)| word);
        let example = match kind {
            ThingKind::Link => "dropped",
            ThingKind::Process => "running",
            ThingKind::Stress => "sent",
            ThingKind::Node => "eth0.rx_packets",
            ThingKind::Event => "output",
            _ => "loss",
        };
        let (thing, example) = (format!("the {what} `{words}`"), format!("{words}.{example}"));
        self.context.raise(MomentError::NeedsMetric { thing, example, span });
    }
}
