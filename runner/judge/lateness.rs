//! The program's own lateness. In: the window of an expectation and what it measures. Out: why scn was too late to decide it, if it
//! was. Plain counts stand, and so does what holds or fails with the lateness counted as an error against it. What an entry of the timeline
//! that came late can have changed of a load is what came in a time as long as its lateness.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::expect::{BinaryOperator, Condition, Expectation, Form, Metric, Value};
use scn_reports::record::{EventRecord, Verdict};

use super::condition::Ready;
use super::evidence::{Asked, Evidence};
use super::moments::range;
use super::range::{Range, Truth};
use crate::measure::{self, Measured, Series, Window, show};

/// A stretch of time is looked at in so many pieces, about.
const PIECES: i64 = 1_000;

/// Families of metrics that depend on when the program acted.
const TIMED: &[&str] = &[
    "rate",
    "goodput",
    "latency",
    "service",
    "connect_time",
    "reconnect_time",
    "rtt",
    "owd",
    "delay_variation",
    "bandwidth",
    "queued",
    "queue",
    "delay",
];
/// Families whose error holds the program's lateness already: what is decided against that error stands.
const BOUNDED: &[&str] = &["outage", "failover_time", "reversion_time", "time_to_first_loss"];
/// Families that a late program makes smaller.
const LOAD: &[&str] = &["rate", "goodput", "bandwidth"];

fn is_of(metric: &Metric, families: &[&str]) -> bool {
    let name = ["forward.", "back."].iter().find_map(|way| metric.name.strip_prefix(way)).unwrap_or(&metric.name);
    name.split('.').next().is_some_and(|family| families.contains(&family))
}

/// Whether a late program may have caused a verdict. It makes latencies longer, bursts denser and load smaller, so it can
/// falsely fail what depends on time and is not bounded by an error of its own, and can falsely pass only a limit from above on
/// the load. Latencies are judged with the program's lag as their error, so passing in spite of it is passing.
pub(super) fn may_have_caused(verdict: Verdict, metrics: &[&Metric], expectation: &Expectation) -> bool {
    match verdict {
        Verdict::Fail => {
            let deadline = matches!(expectation.form, Form::Within { .. }) && !metrics.iter().any(|m| is_of(m, BOUNDED));
            deadline || metrics.iter().any(|metric| is_of(metric, TIMED))
        }
        Verdict::Pass => {
            let negative = expectation.form == Form::Never;
            metrics.iter().any(|metric| is_of(metric, LOAD)) && !is_floor(&expectation.condition, negative)
        }
        Verdict::Inconclusive | Verdict::Error => false,
    }
}

/// Whether a condition (or its contrary) only demands that a measured value on its left is large.
fn is_floor(condition: &Condition, negative: bool) -> bool {
    use BinaryOperator::{Greater, GreaterEqual, Less, LessEqual};
    match condition {
        Condition::Compare { operator, right: Value::Given(_), .. } => match operator {
            Greater | GreaterEqual => !negative,
            Less | LessEqual => negative,
            _ => false,
        },
        Condition::Compare { .. } | Condition::Holds(_) | Condition::Matches { .. } => false,
        Condition::All(conditions) | Condition::Any(conditions) => conditions.iter().all(|c| is_floor(c, negative)),
        Condition::Not(condition) => is_floor(condition, !negative),
    }
}

/// Why the program was too late with what flows were to do in a window; `None`: it was in time.
pub(super) fn of_flows(flows: &[&Series<'_>], window: Window, tolerance_ns: u64) -> Option<String> {
    let tolerance = tolerance_ns as f64;
    flows.iter().find_map(|flow| {
        let lag = measure::lag_p99(flow, flow.cut(window)).filter(|lag| *lag > tolerance)?;
        let (name, lag) = (&flow.record.name, show::value_beside(lag, Dimension::Duration, Some(tolerance)));
        let tolerance = show::value(tolerance, Dimension::Duration);
        Some(format!("scn itself was late: the p99 of {name}.lag was {lag}, the tolerance is {tolerance}"))
    })
}

/// The entries of the timeline that came too late in a window.
fn late(events: &[EventRecord], window: Window, tolerance_ns: u64) -> impl Iterator<Item = &EventRecord> {
    events.iter().filter(move |event| {
        let inside = event.asked_ns >= window.from_ns && event.asked_ns <= window.to_ns;
        inside && event.asked_ns.saturating_sub(event.planned_ns) as f64 > tolerance_ns as f64
    })
}

/// Why the program was too late with entries of the timeline in a window; `None`: it was in time.
pub(super) fn of_entries(events: &[EventRecord], window: Window, tolerance_ns: u64) -> Option<String> {
    late(events, window, tolerance_ns).next().map(|event| {
        let (by, tolerance) = ((event.asked_ns - event.planned_ns) as f64, tolerance_ns as f64);
        let late = show::value_beside(by, Dimension::Duration, Some(tolerance));
        let tolerance = show::value(tolerance, Dimension::Duration);
        format!("scn itself was late: `{}` came {late} after its time, the tolerance is {tolerance}", event.text)
    })
}

/// How late the entries came that were too late in a window and whose time was before an instant, all together, ns.
pub(super) fn together_ns(events: &[EventRecord], window: Window, before_ns: i64, tolerance_ns: u64) -> i64 {
    let before = late(events, window, tolerance_ns).filter(|event| event.planned_ns < before_ns);
    before.map(|event| event.asked_ns.saturating_sub(event.planned_ns)).fold(0, i64::saturating_add)
}

/// What depends on time in these metrics is a load, whose change by a late entry can be limited: it is what comes in the lateness.
pub(super) fn is_limited(metrics: &[&Metric]) -> bool {
    metrics.iter().any(|metric| is_of(metric, LOAD)) && metrics.iter().all(|metric| is_of(metric, LOAD) || !is_of(metric, TIMED))
}

/// Whether a condition holds for what was measured over a stretch of time, if as much as came in `late_ns` of it may be counted or not.
pub(super) fn holds(ready: &Ready<'_>, evidence: &Evidence<'_>, measured: &[Measured], stretch: Window, late_ns: i64) -> Truth {
    let widened = |(metric, measured): (&Asked<'_>, &Measured)| {
        let known = range(measured);
        if late_ns <= 0 || !is_of(metric.metric, LOAD) {
            return known;
        }
        let may = most(metric, evidence, stretch, late_ns);
        Range { low: (known.low - may).max(0.0), high: known.high + may, ..known }
    };
    let values: Vec<Range> = ready.metrics.iter().zip(measured).map(widened).collect();
    ready.holds(&values)
}

/// The most that came of a load in any time of this length in or next to a stretch of time, as a load over that stretch.
fn most(metric: &Asked<'_>, evidence: &Evidence<'_>, stretch: Window, late_ns: i64) -> f64 {
    let runs = evidence.runs(&metric.subject);
    let there_ns = |window: Window| -> f64 {
        runs.iter().map(|(from_ns, to_ns)| window.common(Window { from_ns: *from_ns, to_ns: *to_ns }).length_ns() as f64).sum()
    };
    let cut = evidence.cut(&metric.subject, stretch);
    if there_ns(cut) <= 0.0 {
        return f64::INFINITY;
    }
    let around = Window { from_ns: cut.from_ns.saturating_sub(late_ns), to_ns: cut.to_ns.saturating_add(late_ns) };
    // Any time of that length lies in two neighbouring pieces.
    let length_ns = late_ns.max(around.length_ns() / PIECES).max(1);
    let (mut most, mut before, mut from_ns) = (0.0_f64, 0.0, around.from_ns);
    while from_ns < around.to_ns {
        let piece = Window { from_ns, to_ns: from_ns.saturating_add(length_ns) };
        let there = there_ns(piece);
        let amount = if there > 0.0 { range(&evidence.measure(metric, piece)).high * there } else { 0.0 };
        most = most.max(before + amount);
        (before, from_ns) = (amount, piece.to_ns);
    }
    most / there_ns(cut)
}
