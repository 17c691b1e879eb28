//! `require`: expectations that stop the run at once. In: expectations, live values, the instants of events. Out: the first
//! violated one. What cannot be told while the run goes on is left to the judge.

use std::cell::RefCell;
use std::collections::BTreeMap;

use regex::Regex;
use scn_grammar::scenario::expect::{BinaryOperator, Condition, Expectation, Form, Kind, Metric, Shape, Subject, Value};
use scn_grammar::scenario::timeline::TimeRef;
use scn_grammar::scenario::{EventId, FlowId};

use crate::judge;

/// When an event happened.
type Happened<'a> = dyn Fn(EventId) -> Option<i64> + 'a;
/// A counter, gauge or truth at this moment; of a text whether it matches.
type Values<'a> = dyn Fn(&Metric, Option<&Regex>) -> Option<f64> + 'a;
/// Whether a flow runs at this moment. Asked after the values: what they show of a flow that just ended is not its own doing.
type Runs<'a> = dyn Fn(FlowId) -> bool + 'a;

/// The watched expectations.
#[derive(Debug)]
pub struct Requires<'a> {
    watched: Vec<Watched<'a>>,
}

#[derive(Debug)]
struct Watched<'a> {
    expectation: &'a Expectation,
    condition: judge::Live<'a>,
    /// Counters at the window's start: what came before does not count. `None`: the window is not open yet.
    baseline: RefCell<Option<BTreeMap<(Subject, String), f64>>>,
}

impl<'a> Requires<'a> {
    /// Those of a list that are `require` and can be violated before the end.
    #[must_use]
    pub fn new(expectations: &'a [Expectation]) -> Self {
        let watched = expectations.iter().filter(|e| e.kind == Kind::Require && can_be_told_early(e));
        let watched = watched.map(|expectation| {
            let condition = judge::Live::new(&expectation.condition);
            Watched { expectation, condition, baseline: RefCell::new(None) }
        });
        Requires { watched: watched.collect() }
    }

    /// Something that tells no changes is watched.
    #[must_use]
    pub fn is_looking(&self) -> bool {
        self.watched.iter().any(|watched| watched.condition.is_looked_at())
    }

    /// There is something to watch.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.watched.is_empty()
    }

    /// The next instant at which a window that counts from the start opens.
    #[must_use]
    pub fn next_edge(&self, now_ns: i64) -> Option<i64> {
        let edges = self.watched.iter().filter(|w| w.baseline.borrow().is_none());
        edges
            .filter_map(|w| w.expectation.from.filter(|from| from.event.is_none()))
            .map(|from| from.offset_ns)
            .filter(|at| *at > now_ns)
            .min()
    }

    /// The name of the first violated one; `looks`: those over what tells no changes are asked too.
    #[must_use]
    pub fn violated(&self, now_ns: i64, looks: bool, happened: &Happened<'_>, value: &Values<'_>, runs: &Runs<'_>) -> Option<String> {
        let mut asked = self.watched.iter().filter(|watched| looks || !watched.condition.is_looked_at());
        asked.find(|w| w.is_violated(now_ns, happened, value, runs)).map(|w| w.expectation.name.clone())
    }
}

impl Watched<'_> {
    fn is_violated(&self, now_ns: i64, happened: &Happened<'_>, value: &Values<'_>, runs: &Runs<'_>) -> bool {
        let instant = |at: TimeRef| at.event.map_or(Some(0), happened).map(|base| base.saturating_add(at.offset_ns));
        let open = self.expectation.from.is_none_or(|from| instant(from).is_some_and(|at| at <= now_ns));
        let closed = self.expectation.to.is_some_and(|to| instant(to).is_some_and(|at| at < now_ns));
        if !open || closed {
            return false;
        }
        let mut slot = self.baseline.borrow_mut();
        let key = |metric: &Metric| (metric.subject.clone(), metric.name.clone());
        if slot.is_none() {
            let counters = self.condition.metrics().filter(|metric| metric.shape == Shape::Counter && self.expectation.from.is_some());
            *slot = counters.map(|metric| Some((key(metric), value(metric, None)?))).collect();
        }
        // What could not be read at the beginning can't be told from what came before.
        let Some(baseline) = slot.as_ref() else { return false };
        let since = |metric: &Metric, regex: Option<&Regex>| {
            let before = baseline.get(&key(metric)).copied().unwrap_or(0.0);
            value(metric, regex).map(|now| if metric.shape == Shape::Counter { (now - before).max(0.0) } else { now })
        };
        let holds = self.condition.holds(&since);
        let violated = if self.expectation.form == Form::Never { holds == Some(true) } else { holds == Some(false) };
        violated && (self.expectation.form == Form::Whole || self.all_run(runs))
    }

    /// All flows of the condition run: only then is it judged what is at every moment.
    fn all_run(&self, runs: &Runs<'_>) -> bool {
        self.condition.metrics().filter_map(Metric::flow).all(runs)
    }
}

/// Whether a false condition at one moment means that the expectation is violated for good.
fn can_be_told_early(expectation: &Expectation) -> bool {
    match expectation.form {
        Form::Always | Form::Never => true,
        Form::Whole => only_worsens(&expectation.condition),
        Form::Within { .. } => false,
    }
}

/// A condition that, once false, stays false: counters against given upper limits.
fn only_worsens(condition: &Condition) -> bool {
    let counter = |value: &Value| matches!(value, Value::Metric(metric) if metric.shape == Shape::Counter);
    let given = |value: &Value| matches!(value, Value::Given(_));
    match condition {
        Condition::Compare { operator: BinaryOperator::Less | BinaryOperator::LessEqual, left, right } => counter(left) && given(right),
        Condition::Compare { operator: BinaryOperator::Greater | BinaryOperator::GreaterEqual, left, right } => {
            given(left) && counter(right)
        }
        // `x == 0` is false for good as soon as x counts; other equalities may still come true.
        Condition::Compare { operator: BinaryOperator::Equal, left, right } => {
            counter(left) && matches!(right, Value::Given(quantity) if quantity.value == 0)
        }
        Condition::All(conditions) => conditions.iter().all(only_worsens),
        Condition::Compare { .. } | Condition::Holds(_) | Condition::Matches { .. } | Condition::Any(_) | Condition::Not(_) => false,
    }
}
