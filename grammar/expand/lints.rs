//! Expectations that say nothing: repeated, always true, never true together, finer than the traffic. In: a scenario's
//! expectations. Out: warnings. Changes nothing.

use super::draft::Draft;
use super::moment_error::MomentError;
use super::timing::show_ns;
use super::windows::Window;
use crate::quantity::{BILLION, Dimension, Quantity};
use crate::resolve::ScenarioRef;
use crate::scenario::expect::{BinaryOperator, Condition, Expectation, Form, Kind, Metric, Value};
use crate::source::Span;

/// An expectation as the checks for repetition and contradiction see it.
#[derive(Debug, Clone)]
pub struct Shape {
    words: String,
    kind: Kind,
    span: Span,
    bounds: Option<Bounds>,
}

/// What one metric may be over one window, if an expectation says only that.
#[derive(Debug, Clone)]
struct Bounds {
    /// Metric, flow, window, form: expectations that agree in it are about the same number.
    about: String,
    least: (f64, bool),
    most: (f64, bool),
}

/// The operator with its sides exchanged.
fn flipped(operator: BinaryOperator) -> BinaryOperator {
    match operator {
        BinaryOperator::Less => BinaryOperator::Greater,
        BinaryOperator::LessEqual => BinaryOperator::GreaterEqual,
        BinaryOperator::Greater => BinaryOperator::Less,
        BinaryOperator::GreaterEqual => BinaryOperator::LessEqual,
        other => other,
    }
}

/// `metric operator value`, whichever way round it was written.
fn simple(condition: &Condition) -> Option<(&Metric, BinaryOperator, Quantity)> {
    match condition {
        Condition::Compare { operator, left: Value::Metric(metric), right: Value::Given(given) } => Some((metric, *operator, *given)),
        Condition::Compare { operator, left: Value::Given(given), right: Value::Metric(metric) } => {
            Some((metric, flipped(*operator), *given))
        }
        _ => None,
    }
}

/// The numbers that satisfy an expectation over its window as a whole; the flags: the bound itself is one of them.
fn bounds(expectation: &Expectation) -> Option<Bounds> {
    let (metric, operator, given) = simple(&expectation.condition)?;
    if expectation.form != Form::Whole {
        return None;
    }
    let value = given.natural();
    let (least, most) = match operator {
        BinaryOperator::Equal => ((value, true), (value, true)),
        BinaryOperator::Less => ((f64::NEG_INFINITY, false), (value, false)),
        BinaryOperator::LessEqual => ((f64::NEG_INFINITY, false), (value, true)),
        BinaryOperator::Greater => ((value, false), (f64::INFINITY, false)),
        BinaryOperator::GreaterEqual => ((value, true), (f64::INFINITY, false)),
        _ => return None,
    };
    let about = format!("{:?} {} {:?} {:?} {:?}", metric.subject, metric.name, metric.event, expectation.from, expectation.to);
    Some(Bounds { about, least, most })
}

/// Why an expectation always holds, if it does.
fn always_true(expectation: &Expectation) -> Option<String> {
    let (metric, operator, given) = simple(&expectation.condition)?;
    let below = |limit: i64| given.value < limit;
    let never = expectation.form == Form::Never;
    let holds = match (operator, never) {
        (BinaryOperator::GreaterEqual, false) | (BinaryOperator::Less, true) => below(1),
        (BinaryOperator::Greater, false) | (BinaryOperator::LessEqual, true) => below(0),
        _ => false,
    };
    if holds && !metric.name.ends_with("skew") {
        return Some(format!("`{}` is never less than 0", metric.name));
    }
    let whole = metric.name == "loss" && given.dimension == Dimension::Ratio;
    let all = match (operator, never) {
        (BinaryOperator::LessEqual, false) | (BinaryOperator::Greater, true) => given.value >= BILLION,
        (BinaryOperator::Less, false) | (BinaryOperator::GreaterEqual, true) => given.value > BILLION,
        _ => false,
    };
    (whole && all).then(|| format!("`{}` is never more than 100%", metric.name))
}

impl Draft<'_, '_> {
    /// Looks at one expectation, and at it beside those before.
    pub(super) fn lint(&mut self, expectation: &Expectation, window: &Window) {
        let span = expectation.span;
        let metrics = expectation.condition.metrics();
        self.check_window(expectation, window, &metrics);
        self.check_extent(expectation, window, &metrics);
        self.check_samples(window, &metrics);
        if let Some(reason) = always_true(expectation) {
            self.context.raise(MomentError::CannotFail { span, reason });
        }
        self.lint_budget(expectation);
        self.shapes.push(Shape { words: expectation.words.clone(), kind: expectation.kind, span, bounds: bounds(expectation) });
    }

    /// Warns of an outage's budget that the flow's own interval is too coarse for.
    fn lint_budget(&mut self, expectation: &Expectation) {
        let Some((metric, BinaryOperator::Less | BinaryOperator::LessEqual, budget)) = simple(&expectation.condition) else { return };
        if !metric.name.starts_with("outage.") || budget.dimension != Dimension::Duration || budget.value <= 0 {
            return;
        }
        // What others send nobody here can send more often.
        let flow = metric.flow().and_then(|flow| self.scenario.flows.get(flow.index())).filter(|flow| !flow.transport.watches());
        let Some(rate) = flow.and_then(|flow| flow.load.rate_nano).filter(|rate| *rate > 0) else { return };
        let second = 1_000_000_000u128;
        let interval = second * second / u128::from(rate);
        if interval * 10 > u128::from(budget.value.unsigned_abs()) {
            let wanted = 10 * second * second / u128::from(budget.value.unsigned_abs());
            let wanted = i64::try_from(wanted.div_ceil(second) * second).unwrap_or(i64::MAX);
            let interval = show_ns(i64::try_from(interval).unwrap_or(i64::MAX));
            let (budget, least) = (budget.to_string(), Quantity::new(Dimension::Rate, wanted).to_string());
            self.context.raise(MomentError::CoarseBudget { span: metric.span, interval, budget, least });
        }
    }

    /// Looks at a scenario as a whole.
    pub(super) fn lint_whole(&mut self, declared: &ScenarioRef<'_>) {
        if !self.moments.expects {
            let name = &declared.declaration.name;
            self.context.raise(MomentError::NoExpectations { name: name.text.clone(), span: name.span });
        }
        let mut seen: std::collections::BTreeMap<(&str, u8), Span> = std::collections::BTreeMap::new();
        let mut known: std::collections::BTreeMap<&str, Vec<(&Bounds, Span)>> = std::collections::BTreeMap::new();
        let mut problems = Vec::new();
        for shape in &self.shapes {
            if let Some(first) = seen.insert((&shape.words, shape.kind as u8), shape.span) {
                problems.push(MomentError::RepeatedExpectation { span: shape.span, first });
                continue;
            }
            let Some(bounds) = shape.bounds.as_ref().filter(|_| shape.kind != Kind::Note) else { continue };
            let others = known.entry(&bounds.about).or_default();
            if let Some((_, other)) = others.iter().find(|(other, _)| apart(bounds, other) || apart(other, bounds)) {
                problems.push(MomentError::Contradiction { span: shape.span, other: *other });
            }
            if others.len() < 100 {
                others.push((bounds, shape.span));
            }
        }
        problems.into_iter().for_each(|problem| self.context.raise(problem));
        if self.scenario.expectations.iter().any(wants_failures) {
            self.context.failures.clear();
        }
        self.context.raise_failures();
    }
}

/// Only a run with failed transactions meets it.
fn wants_failures(expectation: &Expectation) -> bool {
    let Some((metric, operator, given)) = simple(&expectation.condition) else { return false };
    let some = match operator {
        BinaryOperator::Greater => given.value >= 0,
        BinaryOperator::GreaterEqual | BinaryOperator::Equal => given.value > 0,
        _ => false,
    };
    match metric.name.as_str() {
        "failed_transactions" | "failed_connections" | "errors" | "timeouts" | "lost" | "loss" => some && expectation.form != Form::Never,
        "transactions" | "received" => operator == BinaryOperator::Equal && given.value == 0,
        _ => false,
    }
}

/// Everything the first allows is larger than what the second allows.
fn apart(a: &Bounds, b: &Bounds) -> bool {
    let ((low, low_in), (high, high_in)) = (a.least, b.most);
    low > high || (low == high && !(low_in && high_in))
}
