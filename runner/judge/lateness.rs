//! The program's own lateness. In: the window of an expectation and what it measures. Out: why scn was too late to decide it, if it
//! was. A late program spoils what depends on time: latencies, outages, rates and deadlines. Plain counts stand.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::expect::{Form, Metric};
use scn_reports::record::EventRecord;

use crate::measure::{self, Series, Window, show};

/// Families of metrics that a late program falsifies.
const TIMED: &[&str] = &[
    "rate",
    "goodput",
    "latency",
    "service",
    "connect_time",
    "reconnect_time",
    "outage",
    "failover_time",
    "reversion_time",
    "time_to_first_loss",
];

/// Whether a metric depends on when the program acted.
pub(super) fn is_timed(metric: &Metric) -> bool {
    metric.name.split('.').next().is_some_and(|family| TIMED.contains(&family))
}

/// Whether an expectation depends on when the program acted.
pub(super) fn concerns(metrics: &[&Metric], form: Form) -> bool {
    metrics.iter().any(|metric| is_timed(metric)) || matches!(form, Form::Within { .. })
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
