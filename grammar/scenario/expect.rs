//! What must hold: conditions over measured values, with their windows. In: nothing. Out: the types. Metric names were checked
//! against the table in [`super::metrics`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metrics::{self, MetricRow, OwnerKind};
pub use super::metrics::{METRICS, STATISTICS, Shape};
use super::timeline::TimeRef;
use super::{EventId, FlowId, LinkId, NodeId, ProcessId, StressId};
use crate::quantity::{Dimension, Quantity};
use crate::source::Span;
pub use crate::syntax::tree::BinaryOperator;

/// One expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expectation {
    /// Its text for people (holes filled), or its own words if it has none. Unique in the scenario.
    pub name: String,
    /// Its own words, on one line.
    pub words: String,
    /// What a violation does.
    pub kind: Kind,
    /// How the condition is held against time.
    pub form: Form,
    /// The call that it came of, as written, for people: `healthy(own, 18Mbit/s)`. `None`: it stands in the scenario's own `expect`.
    pub called: Option<String>,
    /// First instant that counts; `None`: the start of what is measured.
    pub from: Option<TimeRef>,
    /// Last instant that counts; `None`: the end of what is measured.
    pub to: Option<TimeRef>,
    /// Interval for rates, ratios and percentiles at every moment, in ns.
    pub sampled_every_ns: u64,
    /// What must hold.
    pub condition: Condition,
    /// The statement.
    pub span: Span,
}

/// What a violation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Fails the run, which goes on.
    Collect,
    /// Fails the run and stops it at once. Uses counters and gauges only.
    Require,
    /// Only reported.
    Note,
}

/// How a condition is held against time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Over the window as a whole.
    Whole,
    /// At every moment of the window.
    Always,
    /// At no moment of the window.
    Never,
    /// True no later than `limit_ns` after `after`; with `stays`, from then to the window's end.
    Within {
        /// How long it may take, ns.
        limit_ns: u64,
        /// Counted from here; `None`: the window's start.
        after: Option<TimeRef>,
        /// And stays true.
        stays: bool,
    },
}

/// A boolean over values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// `a < b`: both sides have the same dimension (count and number mix).
    Compare {
        /// One of the six comparisons.
        operator: BinaryOperator,
        /// Left.
        left: Value,
        /// Right.
        right: Value,
    },
    /// `lb.running`: a measured truth.
    Holds(Metric),
    /// `counters.output matches /errors 0/`: a measured text contains a match.
    Matches {
        /// The text.
        metric: Metric,
        /// The regex between the slashes; it was compiled once.
        regex: String,
    },
    /// All of them.
    All(Vec<Condition>),
    /// Any of them.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
}

impl Condition {
    /// Every metric in it, in the order in which they are written.
    #[must_use]
    pub fn metrics(&self) -> Vec<&Metric> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'c>(&'c self, found: &mut Vec<&'c Metric>) {
        match self {
            Condition::Compare { left, right, .. } => [left, right].into_iter().for_each(|value| value.collect(found)),
            Condition::Holds(metric) | Condition::Matches { metric, .. } => found.push(metric),
            Condition::All(all) | Condition::Any(all) => all.iter().for_each(|inner| inner.collect(found)),
            Condition::Not(inner) => inner.collect(found),
        }
    }
}

/// A number with a dimension, measured or given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Given.
    Given(Quantity),
    /// Measured.
    Metric(Metric),
    /// `a + b` and so on; the dimension is that of the result.
    Arithmetic {
        /// `Add`, `Subtract`, `Multiply` or `Divide`.
        operator: BinaryOperator,
        /// Left.
        left: Box<Value>,
        /// Right.
        right: Box<Value>,
        /// Of the result.
        dimension: Dimension,
    },
    /// `min`, `max`, `sum`, `mean`, `median` of several.
    Fold {
        /// Which.
        fold: Fold,
        /// Of what; at least one.
        values: Vec<Value>,
    },
}

impl Value {
    fn collect<'c>(&'c self, found: &mut Vec<&'c Metric>) {
        match self {
            Value::Given(_) => {}
            Value::Metric(metric) => found.push(metric),
            Value::Arithmetic { left, right, .. } => [left, right].into_iter().for_each(|value| value.collect(found)),
            Value::Fold { values, .. } => values.iter().for_each(|value| value.collect(found)),
        }
    }
}

/// How several values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Sum.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// The middle one; of an even number the mean of the two in the middle.
    Median,
}

/// A measured value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// What is measured.
    pub subject: Subject,
    /// The metric's full name as in the table: `outage.max`, `latency.p99`, `tcp.client.rtt.p99`, `goodput.forward`; of one way of
    /// a link `forward.dropped`.
    pub name: String,
    /// The event it takes: `failover_time(failure)`.
    pub event: Option<EventId>,
    /// What it measures; of a truth (1: true) and of a text `Count`.
    pub dimension: Dimension,
    /// How it is told at one moment.
    pub shape: Shape,
    /// Where it is written.
    pub span: Span,
}

impl Metric {
    /// The way of a link that its name begins with, 0 for `forward.` and 1 for `back.`, and the rest of the name.
    #[must_use]
    pub fn way_of_link(&self) -> (Option<usize>, &str) {
        let ways = ["forward.", "back."].into_iter().enumerate();
        let way =
            ways.filter(|_| self.subject.kind() == OwnerKind::Link).find_map(|(way, word)| Some((way, self.name.strip_prefix(word)?)));
        way.map_or((None, &self.name), |(way, rest)| (Some(way), rest))
    }

    /// The flow, if it is one that is measured.
    #[must_use]
    pub fn flow(&self) -> Option<FlowId> {
        match self.subject {
            Subject::Flow(flow) => Some(flow),
            _ => None,
        }
    }

    /// Its row of the table.
    #[must_use]
    pub fn row(&self) -> Option<&'static MetricRow> {
        metrics::find(self.subject.kind(), self.way_of_link().1)
    }
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A flow.
    Flow(FlowId),
    /// A link.
    Link(LinkId),
    /// An interface, by its name or the one that the planner gives.
    Interface(NodeId, String),
    /// A program under test, all its copies together.
    Process(ProcessId),
    /// A mix of streams.
    Stress(StressId),
    /// What the command gave that the entry with this event ran.
    Output(EventId),
}

impl Subject {
    /// The sort of thing.
    #[must_use]
    pub fn kind(&self) -> OwnerKind {
        match self {
            Subject::Flow(_) => OwnerKind::Flow,
            Subject::Link(_) => OwnerKind::Link,
            Subject::Interface(..) => OwnerKind::Interface,
            Subject::Process(_) => OwnerKind::Process,
            Subject::Stress(_) => OwnerKind::Stress,
            Subject::Output(_) => OwnerKind::Output,
        }
    }
}
