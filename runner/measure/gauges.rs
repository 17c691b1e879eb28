//! Gauges: levels that go up and down. `active` (established and not ended) and `connecting` (opened, neither established nor
//! ended). In: a series. Out: the level at the window's last moment, or its steps, both exact.
//!
//! A flow's gauges exist while it runs: what its connections do once it was stopped is no change of level.

use scn_reports::record::flow::{Connection, NEVER};

use super::series::Series;
use super::{Measured, Steps, Window};

/// When a connection begins and ceases to count for a gauge; `NEVER` as an end: it never ceases.
fn stay(connection: &Connection, name: &str) -> Option<(i64, i64)> {
    match name {
        "active" => (connection.established_ns != NEVER).then_some((connection.established_ns, connection.closed_ns)),
        _ => {
            let end = if connection.established_ns == NEVER { connection.closed_ns } else { connection.established_ns };
            (connection.opened_ns != NEVER).then_some((connection.opened_ns, end))
        }
    }
}

/// Every change of a gauge in a window.
pub(super) fn steps(flow: &Series<'_>, name: &str, window: Window) -> Option<Steps> {
    if !matches!(name, "active" | "connecting") {
        return None;
    }
    let last = flow.runs.last().map_or(window.to_ns, |run| run.1);
    let first = flow.runs.first().map_or(window.from_ns, |run| run.0);
    let stopped = |at: i64| at >= last;
    let (mut start, mut differences) = (0.0, Vec::new());
    let mut change = |at: i64, by: f64| {
        if at < window.from_ns {
            start += by;
        } else if at < window.to_ns && !stopped(at) {
            differences.push((at, by));
        }
    };
    for (from, to) in flow.record.connections.iter().filter_map(|connection| stay(connection, name)) {
        change(from.max(first), 1.0);
        if to != NEVER {
            change(to.max(first), -1.0);
        }
    }
    Some(Steps::new(start, differences))
}

/// The level at the window's last moment.
pub(super) fn at_end(flow: &Series<'_>, name: &str, window: Window) -> Measured {
    match steps(flow, name, window) {
        Some(steps) => Measured::exact(steps.last(), 1 + steps.changes.len() as u64),
        None => Measured::nothing(format!("this version does not know how to measure `{name}`")),
    }
}
