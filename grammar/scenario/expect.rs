//! What must hold: conditions over measured values, with their windows. Metric names were checked against [`crate::resolve`]'s table.

use serde::{Deserialize, Serialize};

use super::timeline::TimeRef;
use super::{EventId, FlowId};
use crate::quantity::{Dimension, Quantity};
use crate::source::Span;
pub use crate::syntax::tree::BinaryOperator;

/// One expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// Its text for people (holes filled), or its own words if it has none. Unique in the scenario.
    pub name: String,
    /// Its own words, on one line.
    pub words: String,
    /// What a violation does.
    pub kind: Kind,
    /// How the condition is held against time.
    pub form: Form,
    /// First instant that counts; `None`: the flow's start.
    pub from: Option<TimeRef>,
    /// Last instant that counts; `None`: the flow's end.
    pub to: Option<TimeRef>,
    /// Interval for rates, ratios and percentiles at every moment, in ns.
    pub sampled_every_ns: u64,
    /// What must hold.
    pub condition: Condition,
    /// The statement.
    pub span: Span,
}

/// What a violation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// All of them.
    All(Vec<Condition>),
    /// Any of them.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
}

/// A number with a dimension, measured or given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Given.
    Given(Quantity),
    /// Measured on a flow.
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
    /// `min`, `max`, `sum`, `mean` of several.
    Fold {
        /// Which.
        fold: Fold,
        /// Of what; at least one.
        values: Vec<Value>,
    },
}

/// How several values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// A measured value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// Which flow.
    pub flow: FlowId,
    /// The metric's full name as in the table: `outage.max`, `latency.p99`, `tcp.client.rtt.p99`, `goodput.forward`.
    pub name: String,
    /// The event it takes: `failover_time(failure)`.
    pub event: Option<EventId>,
    /// What it measures.
    pub dimension: Dimension,
    /// How it is told at one moment.
    pub shape: Shape,
    /// Where it is written.
    pub span: Span,
}

/// What a metric is over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A number that only grows while a window runs: judged at every change.
    Counter,
    /// A level that goes up and down: judged at every change.
    Gauge,
    /// Needs an interval: rates, ratios, percentiles, outages.
    Interval,
}

/// The metrics of a flow: name, dimension, shape. The one list that the checker, the reference and completion read; each
/// is computed in `runner/measure`. `*` stands for one of [`STATISTICS`].
pub const METRICS: &[(&str, Dimension, Shape)] = &[
    ("sent", Dimension::Count, Shape::Counter),
    ("received", Dimension::Count, Shape::Counter),
    ("lost", Dimension::Count, Shape::Counter),
    ("loss", Dimension::Ratio, Shape::Interval),
    ("dropped", Dimension::Count, Shape::Counter),
    ("corrupt", Dimension::Count, Shape::Counter),
    ("misdelivered", Dimension::Count, Shape::Counter),
    ("transactions", Dimension::Count, Shape::Counter),
    ("failed_transactions", Dimension::Count, Shape::Counter),
    ("errors", Dimension::Count, Shape::Counter),
    ("rate", Dimension::Rate, Shape::Interval),
    ("goodput.forward", Dimension::Bandwidth, Shape::Interval),
    ("goodput.back", Dimension::Bandwidth, Shape::Interval),
    ("connections", Dimension::Count, Shape::Counter),
    ("active", Dimension::Count, Shape::Gauge),
    ("connecting", Dimension::Count, Shape::Gauge),
    ("failed_connects", Dimension::Count, Shape::Counter),
    ("failed_connections", Dimension::Count, Shape::Counter),
    ("lasting_connections", Dimension::Count, Shape::Interval),
    ("reconnects", Dimension::Count, Shape::Counter),
    ("resets", Dimension::Count, Shape::Counter),
    ("timeouts", Dimension::Count, Shape::Counter),
    ("latency.*", Dimension::Duration, Shape::Interval),
    ("service.*", Dimension::Duration, Shape::Interval),
    ("connect_time.*", Dimension::Duration, Shape::Interval),
    ("reconnect_time.*", Dimension::Duration, Shape::Interval),
    ("lag.*", Dimension::Duration, Shape::Interval),
    ("outage.max", Dimension::Duration, Shape::Interval),
    ("outage.total", Dimension::Duration, Shape::Interval),
    ("outage.count", Dimension::Count, Shape::Interval),
    ("outage.loss.max", Dimension::Duration, Shape::Interval),
    ("outage.tx.max", Dimension::Duration, Shape::Interval),
    ("outage.rate.max", Dimension::Duration, Shape::Interval),
    ("failover_time", Dimension::Duration, Shape::Interval),
    ("reversion_time", Dimension::Duration, Shape::Interval),
    ("time_to_first_loss", Dimension::Duration, Shape::Interval),
    ("backends", Dimension::Count, Shape::Counter),
    ("backends.skew", Dimension::Ratio, Shape::Interval),
    ("tcp.client.rtt.*", Dimension::Duration, Shape::Interval),
    ("tcp.client.rttvar.*", Dimension::Duration, Shape::Interval),
    ("tcp.client.min_rtt.*", Dimension::Duration, Shape::Interval),
    ("tcp.client.cwnd.*", Dimension::Count, Shape::Interval),
    ("tcp.client.retransmits", Dimension::Count, Shape::Interval),
    ("tcp.client.bytes_acked", Dimension::Size, Shape::Interval),
    ("tcp.client.bytes_received", Dimension::Size, Shape::Interval),
    ("tcp.client.delivery_rate.*", Dimension::Bandwidth, Shape::Interval),
    ("tcp.server.rtt.*", Dimension::Duration, Shape::Interval),
    ("tcp.server.rttvar.*", Dimension::Duration, Shape::Interval),
    ("tcp.server.min_rtt.*", Dimension::Duration, Shape::Interval),
    ("tcp.server.cwnd.*", Dimension::Count, Shape::Interval),
    ("tcp.server.retransmits", Dimension::Count, Shape::Interval),
    ("tcp.server.bytes_acked", Dimension::Size, Shape::Interval),
    ("tcp.server.bytes_received", Dimension::Size, Shape::Interval),
    ("tcp.server.delivery_rate.*", Dimension::Bandwidth, Shape::Interval),
];

/// What can stand for `*` in [`METRICS`].
pub const STATISTICS: &[&str] = &["min", "mean", "p50", "p90", "p95", "p99", "p999", "max"];

/// Metrics that take an event in parentheses.
pub const TAKE_EVENT: &[&str] = &["failover_time", "reversion_time", "time_to_first_loss"];
