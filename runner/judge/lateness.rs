//! The program's own lateness. In: the window of an expectation and what it measures. Out: why scn was too late to decide it, if it
//! was. Plain counts stand, and so does what holds or fails with the lateness counted as an error against it.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::expect::{BinaryOperator, Condition, Expectation, Form, Metric, Value};
use scn_reports::record::{EventRecord, Verdict};

use crate::measure::{self, Series, Window, show};

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

/// Why the program was too late in a window; `None`: it was in time.
pub(super) fn excuse(flows: &[&Series<'_>], events: &[EventRecord], window: Window, tolerance_ns: u64) -> Option<String> {
    let duration = |ns: f64| show::value(ns, Dimension::Duration);
    let tolerance = tolerance_ns as f64;
    for flow in flows {
        let Some(lag) = measure::lag_p99(flow, flow.cut(window)) else { continue };
        if lag > tolerance {
            let (name, lag) = (&flow.record.name, show::value_beside(lag, Dimension::Duration, Some(tolerance)));
            return Some(format!("scn itself was late: the p99 of {name}.lag was {lag}, the tolerance is {}", duration(tolerance)));
        }
    }
    let late = |event: &&EventRecord| {
        let inside = event.asked_ns >= window.from_ns && event.asked_ns <= window.to_ns;
        inside && event.asked_ns.saturating_sub(event.planned_ns) as f64 > tolerance
    };
    events.iter().find(late).map(|event| {
        let by = event.asked_ns - event.planned_ns;
        let late = show::value_beside(by as f64, Dimension::Duration, Some(tolerance));
        format!("scn itself was late: `{}` came {late} after its time, the tolerance is {}", event.text, duration(tolerance))
    })
}
