//! Conditions over measured values. In: expressions. Out: [`Condition`]s with every metric checked against the table, dimensions
//! checked, and what is known beforehand computed. Measures nothing.

use super::MEASURED_LIMIT;
use super::arithmetic::{comparable, is_comparison, result_dimension, verb};
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{DEPTH_LIMIT, bare};
use super::moment_error::MomentError;
use super::things::{ThingKind, Things};
use super::value::{Value as Known, article};
use crate::quantity::{Dimension, Quantity};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::expect::{Condition, Fold, METRICS, Metric, STATISTICS, Shape, TAKE_EVENT, Value};
use crate::scenario::{EventId, FlowId};
use crate::source::Span;
use crate::syntax::tree::{Argument, BinaryOperator, Expr, ExprKind, Index, Indexed};

/// Stands for a flow whose own problem was reported, so that the rest of a condition is checked too.
const WRONG_FLOW: FlowId = FlowId(u32::MAX);
/// Metrics of the language that this version has not, by their first word.
pub(crate) const LATER: &[&str] =
    &["late", "duplicates", "reordered", "handshake_time", "rtt", "owd", "delay_variation", "forward", "back", "streams"];
/// Functions that make one number of several.
const FOLDS: &[(&str, Fold)] = &[("min", Fold::Min), ("max", Fold::Max), ("sum", Fold::Sum), ("mean", Fold::Mean)];

/// The flow of which a condition says something about each: its words, and how many there are.
pub(super) struct Each {
    pub(super) words: String,
    pub(super) count: usize,
}

/// The fold that a call is, if it is one.
fn fold_of(path: &[Indexed]) -> Option<Fold> {
    let [Indexed { name, index: None, .. }] = path else { return None };
    FOLDS.iter().find(|(word, _)| *word == name.text).map(|(_, fold)| *fold)
}

/// The parts of an expression.
fn parts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Range(a, b) | ExprKind::Binary(_, a, b) => vec![a, b],
        ExprKind::If(a, b, c) => vec![a, b, c],
        ExprKind::Negative(a) | ExprKind::Not(a) | ExprKind::Parenthesis(a) => vec![a],
        ExprKind::List(all) => all.iter().collect(),
        ExprKind::Call(_, arguments) => arguments.iter().map(|argument| &argument.value).collect(),
        _ => Vec::new(),
    }
}

impl Draft<'_, '_> {
    /// A condition that an entry waits for: every moment is judged, `[*]` means all of them.
    pub(super) fn watched(&mut self, expr: &Expr) -> Option<Condition> {
        let condition = match self.each_flow(expr)? {
            None => self.condition(expr, None, 0)?,
            Some(each) => {
                let all: Vec<Option<Condition>> = (0..each.count).map(|index| self.condition(expr, Some(index), 0)).collect();
                Condition::All(all.into_iter().collect::<Option<_>>()?)
            }
        };
        self.only_moments(&condition, "when").then_some(condition)
    }

    /// The flow that a condition is about each of. The outer `None`: there are several, which was reported.
    pub(super) fn each_flow(&mut self, expr: &Expr) -> Option<Option<Each>> {
        let mut found: Option<&Indexed> = None;
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            let path = match &expr.kind {
                ExprKind::Call(path, _) if fold_of(path).is_some() => continue,
                ExprKind::Path(path) | ExprKind::Call(path, _) => path,
                _ => {
                    open.extend(parts(expr));
                    continue;
                }
            };
            let Some(first @ Indexed { index: Some(Index::All | Index::Range(..)), .. }) = path.first() else { continue };
            match found {
                Some(other) if self.context.words(other.span) != self.context.words(first.span) => {
                    let (a, b) = if first.span.start < other.span.start { (other, first) } else { (first, other) };
                    self.context.raise(MomentError::SeveralStars { span: a.span, other: b.span });
                    return None;
                }
                _ => found = Some(first),
            }
        }
        let Some(first) = found else { return Some(None) };
        if self.thing_kind(std::slice::from_ref(first)) != Some(ThingKind::Flow) {
            return Some(None);
        }
        let flows = self.things_of(std::slice::from_ref(first), &[ThingKind::Flow], "flow")?;
        Some(Some(Each { words: flows.words, count: flows.ids.len() }))
    }

    /// A condition; `pick` chooses among the flows of `[*]`.
    pub(super) fn condition(&mut self, expr: &Expr, pick: Option<usize>, depth: usize) -> Option<Condition> {
        let expr = bare(expr);
        if depth > DEPTH_LIMIT {
            self.context.raise(ExpandError::TooDeep { span: expr.span, limit: DEPTH_LIMIT });
            return None;
        }
        match &expr.kind {
            ExprKind::Broken => None,
            ExprKind::Binary(operator @ (BinaryOperator::And | BinaryOperator::Or), left, right) => {
                let (a, b) = (self.condition(left, pick, depth + 1), self.condition(right, pick, depth + 1));
                let both = vec![a?, b?];
                Some(if *operator == BinaryOperator::And { Condition::All(both) } else { Condition::Any(both) })
            }
            ExprKind::Not(inner) => Some(Condition::Not(Box::new(self.condition(inner, pick, depth + 1)?))),
            ExprKind::Binary(operator, left, right) if is_comparison(*operator) => {
                self.comparison(*operator, (left, right), expr.span, pick, depth)
            }
            ExprKind::Binary(BinaryOperator::Matches, ..) => {
                self.context.raise(ExpandError::NotInThisVersion { what: "`matches`".into(), span: expr.span });
                None
            }
            _ if self.is_measured(expr, 0) => {
                let (_, dimension) = self.measured(expr, pick, depth + 1)?;
                let help = Some("compare it with something: `== 0`, `< 20ms`".to_owned());
                let found = article(dimension.word());
                self.context.raise(ExpandError::WrongType { expected: "a condition".into(), found, span: expr.span, help });
                None
            }
            _ => {
                match self.context.evaluate(expr, &self.scope)? {
                    Known::Truth(_) => self.context.raise(MomentError::NothingMeasured { span: expr.span }),
                    other => self.context.wrong_type("a condition", &other, expr.span),
                }
                None
            }
        }
    }

    fn comparison(
        &mut self,
        operator: BinaryOperator,
        sides: (&Expr, &Expr),
        span: Span,
        pick: Option<usize>,
        depth: usize,
    ) -> Option<Condition> {
        let (left, right) = sides;
        if !self.is_measured(left, 0) && !self.is_measured(right, 0) {
            let fine = self.context.evaluate(left, &self.scope).is_some() & self.context.evaluate(right, &self.scope).is_some();
            if fine {
                self.context.raise(MomentError::NothingMeasured { span });
            }
            return None;
        }
        let (a, b) = (self.measured(left, pick, depth + 1), self.measured(right, pick, depth + 1));
        let ((a, a_dimension), (b, b_dimension)) = (a?, b?);
        if !comparable(a_dimension, b_dimension) {
            self.unlike(operator, (a_dimension, left.span), (b_dimension, right.span), span);
            return None;
        }
        Some(Condition::Compare { operator, left: a, right: b })
    }

    fn unlike(&mut self, operator: BinaryOperator, a: (Dimension, Span), b: (Dimension, Span), span: Span) {
        let (left, right) = (article(a.0.word()), article(b.0.word()));
        self.context.raise(ExpandError::DimensionMismatch {
            verb: verb(operator),
            left,
            right,
            operator: span,
            left_span: a.1,
            right_span: b.1,
        });
    }

    /// A path that can only mean something measured.
    fn is_metric(&self, path: &[Indexed]) -> bool {
        let Some(first) = path.first() else { return false };
        match self.thing_kind(path) {
            Some(kind) => kind == ThingKind::Flow || path.len() > 1,
            None if self.scope.find(self.context, &first.name.text).is_some() => false,
            None => {
                let modules = self.context.modules.get(self.scope.module);
                path.len() > 1 && modules.is_none_or(|m| !m.qualifiers.contains_key(&first.name.text) && first.name.text != "std")
            }
        }
    }

    /// Something in an expression is measured.
    fn is_measured(&self, expr: &Expr, depth: usize) -> bool {
        if depth > DEPTH_LIMIT {
            return false;
        }
        match &expr.kind {
            ExprKind::Path(path) => self.is_metric(path),
            ExprKind::Call(path, _) if path.len() > 1 && self.is_metric(path) => true,
            ExprKind::Call(path, _) if matches!(fold_of(path), Some(Fold::Sum | Fold::Mean)) => true,
            _ => parts(expr).into_iter().any(|part| self.is_measured(part, depth + 1)),
        }
    }

    /// A value, measured or known.
    fn measured(&mut self, expr: &Expr, pick: Option<usize>, depth: usize) -> Option<(Value, Dimension)> {
        let expr = bare(expr);
        if depth > DEPTH_LIMIT {
            self.context.raise(ExpandError::TooDeep { span: expr.span, limit: DEPTH_LIMIT });
            return None;
        }
        if !self.is_measured(expr, 0) {
            return match self.context.evaluate(expr, &self.scope)? {
                Known::Quantity(quantity) => Some((Value::Given(quantity), quantity.dimension)),
                other => {
                    self.context.wrong_type("a quantity", &other, expr.span);
                    None
                }
            };
        }
        match &expr.kind {
            ExprKind::Path(path) => self.metric(path, None, expr.span, pick),
            ExprKind::Call(path, arguments) => match fold_of(path) {
                Some(fold) => self.fold(fold, arguments, expr.span, pick, depth),
                None => self.metric(path, Some(arguments), expr.span, pick),
            },
            ExprKind::Negative(inner) => {
                let (value, dimension) = self.measured(inner, pick, depth + 1)?;
                let zero = Value::Given(Quantity::new(dimension, 0));
                Some((
                    Value::Arithmetic { operator: BinaryOperator::Subtract, left: Box::new(zero), right: Box::new(value), dimension },
                    dimension,
                ))
            }
            ExprKind::Binary(operator, left, right) => {
                let (a, b) = (self.measured(left, pick, depth + 1), self.measured(right, pick, depth + 1));
                let ((a, a_dimension), (b, b_dimension)) = (a?, b?);
                let Some(dimension) = result_dimension(*operator, a_dimension, b_dimension) else {
                    self.unlike(*operator, (a_dimension, left.span), (b_dimension, right.span), expr.span);
                    return None;
                };
                Some((Value::Arithmetic { operator: *operator, left: Box::new(a), right: Box::new(b), dimension }, dimension))
            }
            _ => {
                let what = "choosing by a measured value (`if`, `not` or a range within an expectation)".to_owned();
                self.context.raise(ExpandError::NotInThisVersion { what, span: expr.span });
                None
            }
        }
    }

    /// One number of several.
    fn fold(&mut self, fold: Fold, arguments: &[Argument], span: Span, pick: Option<usize>, depth: usize) -> Option<(Value, Dimension)> {
        let mut values: Vec<Value> = Vec::new();
        let mut kind: Option<(Dimension, Span)> = None;
        for argument in arguments {
            let picks: Vec<Option<usize>> = match self.each_flow(&argument.value)? {
                Some(each) => (0..each.count).map(Some).collect(),
                None => vec![pick],
            };
            for pick in picks {
                let (value, dimension) = self.measured(&argument.value, pick, depth + 1)?;
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

    /// A metric of a flow.
    fn metric(&mut self, path: &[Indexed], arguments: Option<&[Argument]>, span: Span, pick: Option<usize>) -> Option<(Value, Dimension)> {
        let first = path.first()?;
        let (flow, rest) = match self.thing_kind(path) {
            Some(ThingKind::Flow) => match self.thing_and_rest(path, &[ThingKind::Flow], "flow") {
                Some((Things { ids, many, .. }, rest)) => {
                    let place = if many { pick.unwrap_or(0) } else { 0 };
                    (ids.get(place).copied().map(FlowId), rest)
                }
                // What a flow that is itself wrong would measure is looked at all the same.
                None => (None, path.get(1..)?),
            },
            Some(kind) => {
                let what = format!("a metric of {} (`{}`)", kind.words(), first.name.text);
                self.context.raise(ExpandError::NotInThisVersion { what, span: first.span });
                return None;
            }
            None => {
                self.things_of(&path[..1], &[ThingKind::Flow], "flow");
                return None;
            }
        };
        if rest.is_empty() {
            self.context.raise(MomentError::NeedsMetric { flow: first.name.text.clone(), span: first.span });
            return None;
        }
        let name = rest.iter().map(|part| part.name.text.as_str()).collect::<Vec<_>>().join(".");
        let place = rest.first().zip(rest.last()).map_or(span, |(a, b)| a.span.to(b.span));
        let Some((_, dimension, shape)) = find_metric(&name) else {
            self.unknown_metric(name, place);
            return None;
        };
        let event = self.metric_event(&name, arguments, span)?;
        self.measured_values += 1;
        if self.measured_values > MEASURED_LIMIT {
            if self.measured_values == MEASURED_LIMIT + 1 {
                let (what, count) = ("measured values in conditions", self.measured_values);
                self.context.raise(ExpandError::TooLarge { what, count, limit: MEASURED_LIMIT, span });
            }
            return None;
        }
        let flow = flow.unwrap_or(WRONG_FLOW);
        Some((Value::Metric(Metric { flow, name, event, dimension, shape, span }), dimension))
    }

    /// The event a metric counts from. The outer `None`: wrong, which was reported.
    fn metric_event(&mut self, name: &str, arguments: Option<&[Argument]>, span: Span) -> Option<Option<EventId>> {
        let takes = TAKE_EVENT.contains(&name);
        match (takes, arguments) {
            (false, None) => Some(None),
            (true, Some([Argument { name: None, value }])) => {
                let time = self.instant(value)?;
                if time.event.is_none() || time.offset_ns != 0 {
                    self.context.raise(MomentError::MetricEvent { metric: name.into(), takes, span: value.span });
                    return None;
                }
                Some(time.event)
            }
            _ => {
                self.context.raise(MomentError::MetricEvent { metric: name.into(), takes, span });
                None
            }
        }
    }

    fn unknown_metric(&mut self, name: String, span: Span) {
        let family = format!("{name}.");
        let members: Vec<&str> = METRICS.iter().filter_map(|(metric, ..)| metric.strip_prefix(&family)).collect();
        let word = name.split('.').next().unwrap_or("");
        if !members.is_empty() {
            let all = if members == ["*"] { STATISTICS.join(", ") } else { members.join(", ").replace('*', STATISTICS[0]) };
            self.context.raise(MomentError::NeedsStatistic { metric: name, all, span });
        } else if LATER.contains(&word) {
            self.context.raise(ExpandError::NotInThisVersion { what: format!("the metric `{name}`"), span });
        } else {
            let all: Vec<String> = METRICS
                .iter()
                .flat_map(|(metric, ..)| match metric.strip_suffix('*') {
                    Some(family) => STATISTICS.iter().map(|s| format!("{family}{s}")).collect(),
                    None => vec![(*metric).to_owned()],
                })
                .collect();
            let help = suggest(&name, all.iter().map(String::as_str));
            self.context.raise(ResolveError::UnknownMetric { name, span, help });
        }
    }

    /// Reports metrics that need an interval in a condition that is judged at every moment.
    pub(super) fn only_moments(&mut self, condition: &Condition, who: &'static str) -> bool {
        let mut metrics = Vec::new();
        metrics_of(condition, &mut metrics);
        let wrong = metrics.into_iter().find(|metric| metric.shape == Shape::Interval);
        if let Some(metric) = wrong {
            let (metric, span) = (metric.name.clone(), metric.span);
            self.context.raise(MomentError::NeedsMoment { who, metric, span });
            return false;
        }
        true
    }
}

/// A metric's row in the table.
fn find_metric(name: &str) -> Option<(&'static str, Dimension, Shape)> {
    METRICS.iter().copied().find(|(metric, ..)| match metric.strip_suffix('*') {
        Some(family) => name.strip_prefix(family).is_some_and(|statistic| STATISTICS.contains(&statistic)),
        None => *metric == name,
    })
}

/// Every metric of a condition.
pub(super) fn metrics_of<'c>(condition: &'c Condition, found: &mut Vec<&'c Metric>) {
    match condition {
        Condition::Compare { left, right, .. } => [left, right].into_iter().for_each(|value| metrics_in(value, found)),
        Condition::All(all) | Condition::Any(all) => all.iter().for_each(|inner| metrics_of(inner, found)),
        Condition::Not(inner) => metrics_of(inner, found),
    }
}

fn metrics_in<'c>(value: &'c Value, found: &mut Vec<&'c Metric>) {
    match value {
        Value::Given(_) => {}
        Value::Metric(metric) => found.push(metric),
        Value::Arithmetic { left, right, .. } => [left, right].into_iter().for_each(|value| metrics_in(value, found)),
        Value::Fold { values, .. } => values.iter().for_each(|value| metrics_in(value, found)),
    }
}
