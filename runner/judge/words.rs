//! Outcomes in words: what was measured, what had to hold. In: conditions and values. Out: texts. Decides nothing.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::expect::{Expectation, Form, Subject};
use scn_grammar::scenario::metrics::Measures;

use super::condition::{Ready, metric_name};
use super::evidence::Asked;
use super::moments::range;
use super::range::Range;
use crate::measure::{Context, Measured, show};

/// One metric with its value: `steady.outage.max = 353.2ms ± 2.5ms`. `text` shows what a text was that was to match.
fn metric(
    ready: &Ready<'_>,
    at: usize,
    measured: &Measured,
    values: &[Range],
    context: &Context,
    name: &dyn Fn(&Subject) -> String,
    text: &dyn Fn(&Asked<'_>) -> Option<String>,
) -> String {
    let metric = &ready.metrics[at];
    let event = metric.event.and_then(|id| context.names.get(id.index())).map(|event| format!("({event})")).unwrap_or_default();
    let called = format!("{}{event}", metric_name(metric, name));
    match (measured.value, metric.row().map(|row| row.measures)) {
        (Some(value), Some(Measures::Truth)) => format!("{called} is {}", value == 1.0),
        (Some(1.0), Some(Measures::Text)) => format!("{called} matches"),
        (Some(_), Some(Measures::Text)) => match text(metric) {
            Some(text) if text.is_empty() => format!("{called} is empty"),
            Some(text) => format!("{called} does not match: {text}"),
            None => format!("{called} does not match"),
        },
        (Some(value), _) => {
            let limit = ready.limit(at, values);
            format!("{called} = {}", show::with_error(value, measured.below, measured.above, metric.dimension, limit))
        }
        (None, _) => format!("{called}: nothing measured"),
    }
}

/// All metrics of a condition with their values.
pub(super) fn measured(
    ready: &Ready<'_>,
    measured: &[Measured],
    context: &Context,
    name: &dyn Fn(&Subject) -> String,
    text: &dyn Fn(&Asked<'_>) -> Option<String>,
) -> String {
    let values: Vec<Range> = measured.iter().map(range).collect();
    let parts: Vec<String> = measured.iter().enumerate().map(|(at, m)| metric(ready, at, m, &values, context, name, text)).collect();
    parts.join(", ")
}

/// What had to hold, its form in front or behind: `always >= 380/s`, `== 200 within 2s after failure and stays`.
pub(super) fn expected(expectation: &Expectation, ready: &Ready<'_>, context: &Context, name: &dyn Fn(&Subject) -> String) -> String {
    let condition = ready.words(name);
    match expectation.form {
        Form::Whole => condition,
        Form::Always => format!("always {condition}"),
        Form::Never => format!("never {condition}"),
        Form::Within { limit_ns, after, stays } => {
            let limit = show::value(limit_ns as f64, Dimension::Duration);
            let after = after.map_or_else(String::new, |at| {
                let event = at.event.and_then(|id| context.names.get(id.index()));
                let offset = |ns: i64| show::value(ns as f64, Dimension::Duration);
                match (event, at.offset_ns) {
                    (Some(event), 0) => format!(" after {event}"),
                    (Some(event), ns) if ns > 0 => format!(" after {event} + {}", offset(ns)),
                    (Some(event), ns) => format!(" after {event} - {}", offset(-ns)),
                    (None, ns) => format!(" after {}", show::instant(ns)),
                }
            });
            let stays = if stays { " and stays" } else { "" };
            format!("{condition} within {limit}{after}{stays}")
        }
    }
}
