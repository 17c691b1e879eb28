//! Conditions made ready to be asked often: each metric is a position in a list. In: a condition. Out: its metrics, and its truth for
//! given values. Measures nothing.

use regex::Regex;
use scn_grammar::quantity::{Dimension, Quantity};
use scn_grammar::scenario::FlowId;
use scn_grammar::scenario::expect::{BinaryOperator, Condition, Fold, Metric, Shape, Subject, Value};

use super::evidence::Asked;
use super::range::{self, Range, Truth};

/// A condition over metrics by position.
#[derive(Debug)]
pub(super) struct Ready<'a> {
    /// The metrics in the order in which they are written, each once.
    pub metrics: Vec<Asked<'a>>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Compare(BinaryOperator, Term, Term),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// A measured truth, or a text that matches: 1 or 0.
    Holds(usize),
}

#[derive(Debug)]
struct Term {
    kind: TermKind,
    dimension: Dimension,
}

#[derive(Debug)]
enum TermKind {
    Given(Quantity),
    Metric(usize),
    Arithmetic(BinaryOperator, Box<Term>, Box<Term>),
    Fold(Fold, Vec<Term>),
}

impl<'a> Ready<'a> {
    pub fn new(condition: &'a Condition) -> Self {
        let mut metrics = Vec::new();
        let test = test(condition, &mut metrics);
        Ready { metrics, test }
    }

    /// The flows that it speaks of, each once.
    pub fn flows(&self) -> Vec<FlowId> {
        let mut flows: Vec<FlowId> = self.metrics.iter().filter_map(|metric| metric.flow()).collect();
        flows.sort_unstable();
        flows.dedup();
        flows
    }

    /// What it speaks of, each once.
    pub fn subjects(&self) -> Vec<&Subject> {
        let mut subjects: Vec<&Subject> = self.metrics.iter().map(|asked| &asked.metric.subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects
    }

    /// All metrics can be told at one moment.
    pub fn is_momentary(&self) -> bool {
        self.metrics.iter().all(|metric| metric.shape != Shape::Interval)
    }

    /// Whether it holds for these values, by the metrics' positions.
    pub fn holds(&self, values: &[Range]) -> Truth {
        holds(&self.test, values)
    }

    /// How far a plain comparison is from holding for these values; `None` for composed conditions.
    pub fn badness(&self, values: &[Range]) -> Option<f64> {
        let Test::Compare(operator, left, right) = &self.test else { return None };
        let (left, right) = (term_value(left, values).value, term_value(right, values).value);
        (!left.is_nan() && !right.is_nan()).then(|| range::badness(*operator, left, right))
    }

    /// The value that a metric is compared with for these values, if a plain comparison has it on one side alone.
    pub fn limit(&self, metric: usize, values: &[Range]) -> Option<f64> {
        let Test::Compare(_, left, right) = &self.test else { return None };
        let is_metric = |term: &Term| matches!(term.kind, TermKind::Metric(at) if at == metric);
        let other = if is_metric(left) { right } else { is_metric(right).then_some(left)? };
        Some(term_value(other, values).value).filter(|value| !value.is_nan())
    }

    /// `< 1500ms` for a plain comparison of a metric with a given value, else the whole condition. `name` says a thing's name.
    pub fn words(&self, name: &dyn Fn(&Subject) -> String) -> String {
        if let Test::Compare(operator, Term { kind: TermKind::Metric(_), .. }, right @ Term { kind: TermKind::Given(_), .. }) = &self.test {
            return format!("{} {}", operator.sign(), self.term_words(right, name));
        }
        self.test_words(&self.test, name)
    }

    fn test_words(&self, test: &Test, name: &dyn Fn(&Subject) -> String) -> String {
        let join = |tests: &[Test], word: &str| {
            let parts: Vec<String> = tests.iter().map(|t| self.test_words(t, name)).collect();
            format!("({})", parts.join(word))
        };
        match test {
            Test::Compare(operator, left, right) => {
                format!("{} {} {}", self.term_words(left, name), operator.sign(), self.term_words(right, name))
            }
            Test::All(tests) => join(tests, " and "),
            Test::Any(tests) => join(tests, " or "),
            Test::Not(test) => format!("not {}", self.test_words(test, name)),
            Test::Holds(at) => {
                let called = metric_name(&self.metrics[*at], name);
                let regex = self.metrics[*at].regex.as_ref();
                regex.map_or_else(|| called.clone(), |regex| format!("{called} matches /{regex}/"))
            }
        }
    }

    fn term_words(&self, term: &Term, name: &dyn Fn(&Subject) -> String) -> String {
        match &term.kind {
            TermKind::Given(quantity) => quantity.to_string(),
            TermKind::Metric(at) => metric_name(&self.metrics[*at], name),
            TermKind::Arithmetic(operator, left, right) => {
                format!("{} {} {}", self.term_words(left, name), operator.sign(), self.term_words(right, name))
            }
            TermKind::Fold(how, terms) => {
                let word = match how {
                    Fold::Min => "min",
                    Fold::Max => "max",
                    Fold::Sum => "sum",
                    Fold::Mean => "mean",
                    Fold::Median => "median",
                };
                let parts: Vec<String> = terms.iter().map(|t| self.term_words(t, name)).collect();
                format!("{word}({})", parts.join(", "))
            }
        }
    }
}

/// `steady.outage.max`.
pub(super) fn metric_name(metric: &Asked<'_>, name: &dyn Fn(&Subject) -> String) -> String {
    format!("{}.{}", name(&metric.subject), metric.name)
}

fn test<'a>(condition: &'a Condition, metrics: &mut Vec<Asked<'a>>) -> Test {
    match condition {
        Condition::Compare { operator, left, right } => Test::Compare(*operator, term(left, metrics), term(right, metrics)),
        Condition::Holds(metric) => Test::Holds(position(metric, None, metrics)),
        Condition::Matches { metric, regex } => Test::Holds(position(metric, Some(regex), metrics)),
        Condition::All(conditions) => Test::All(conditions.iter().map(|c| test(c, metrics)).collect()),
        Condition::Any(conditions) => Test::Any(conditions.iter().map(|c| test(c, metrics)).collect()),
        Condition::Not(condition) => Test::Not(Box::new(test(condition, metrics))),
    }
}

fn term<'a>(value: &'a Value, metrics: &mut Vec<Asked<'a>>) -> Term {
    match value {
        Value::Given(quantity) => Term { kind: TermKind::Given(*quantity), dimension: quantity.dimension },
        Value::Metric(metric) => Term { kind: TermKind::Metric(position(metric, None, metrics)), dimension: metric.dimension },
        Value::Arithmetic { operator, left, right, dimension } => {
            let kind = TermKind::Arithmetic(*operator, Box::new(term(left, metrics)), Box::new(term(right, metrics)));
            Term { kind, dimension: *dimension }
        }
        Value::Fold { fold, values } => {
            let terms: Vec<Term> = values.iter().map(|v| term(v, metrics)).collect();
            let dimension = terms.first().map_or(Dimension::Number, |t| t.dimension);
            Term { kind: TermKind::Fold(*fold, terms), dimension }
        }
    }
}

/// The place of a metric in the list.
fn position<'a>(metric: &'a Metric, regex: Option<&str>, metrics: &mut Vec<Asked<'a>>) -> usize {
    let same = |known: &Asked<'_>| {
        let alike = (&known.subject, &known.name, known.event) == (&metric.subject, &metric.name, metric.event);
        alike && known.regex.as_ref().map(Regex::as_str) == regex
    };
    metrics.iter().position(same).unwrap_or_else(|| {
        // The checker compiled it once, so it can be read.
        metrics.push(Asked { metric, regex: regex.and_then(|regex| Regex::new(regex).ok()) });
        metrics.len() - 1
    })
}

fn holds(test: &Test, values: &[Range]) -> Truth {
    match test {
        Test::Compare(operator, left, right) => range::compare(*operator, term_value(left, values), term_value(right, values)),
        Test::All(tests) => tests.iter().fold(Truth::Yes, |truth, t| truth.and(holds(t, values))),
        Test::Any(tests) => tests.iter().fold(Truth::No, |truth, t| truth.not().and(holds(t, values).not()).not()),
        Test::Not(test) => holds(test, values).not(),
        Test::Holds(at) => {
            let value = values.get(*at).copied().unwrap_or(Range::unknown());
            range::compare(BinaryOperator::Equal, value, Range::exact(1.0))
        }
    }
}

fn term_value(term: &Term, values: &[Range]) -> Range {
    match &term.kind {
        TermKind::Given(quantity) => Range::exact(quantity.natural()),
        TermKind::Metric(at) => values.get(*at).copied().unwrap_or(Range::unknown()),
        TermKind::Arithmetic(operator, left, right) => {
            let of = |term: &Term| (term_value(term, values), term.dimension);
            range::arithmetic(*operator, of(left), of(right), term.dimension)
        }
        TermKind::Fold(how, terms) => {
            let ranges: Vec<Range> = terms.iter().map(|t| term_value(t, values)).collect();
            range::fold(*how, &ranges)
        }
    }
}

/// A condition that is asked while a run goes on, made ready once.
#[derive(Debug)]
pub struct Live<'a> {
    ready: Ready<'a>,
}

impl<'a> Live<'a> {
    /// Of a condition over counters, gauges, truths and texts.
    #[must_use]
    pub fn new(condition: &'a Condition) -> Self {
        Live { ready: Ready::new(condition) }
    }

    /// It speaks of something that is no flow, whose changes are not told.
    #[must_use]
    pub fn is_looked_at(&self) -> bool {
        self.ready.metrics.iter().any(|metric| metric.flow().is_none())
    }

    /// Its metrics, each once.
    pub fn metrics(&self) -> impl Iterator<Item = &'a Metric> {
        self.ready.metrics.iter().map(|asked| asked.metric)
    }

    /// Whether it holds at this moment; `get` tells a counter, a gauge, a truth as 1 or 0, or whether a text matches. `None`: it cannot
    /// be told at one moment, or a value is not known.
    pub fn holds(&self, get: &dyn Fn(&Metric, Option<&Regex>) -> Option<f64>) -> Option<bool> {
        let value = |asked: &Asked<'_>| get(asked.metric, asked.regex.as_ref()).map_or(Range::unknown(), Range::exact);
        let values: Vec<Range> = self.ready.metrics.iter().map(value).collect();
        match self.ready.holds(&values) {
            Truth::Yes => Some(true),
            Truth::No => Some(false),
            Truth::Unknown => None,
        }
    }
}
