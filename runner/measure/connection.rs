//! Durations of connections. `connect_time.*`: from `connect` to established, less the TLS handshake, which `handshake_time.*` is; what a handshake alone opens has none. `reconnect_time.*`: from a break to the successor's
//! first completed transaction. `lasting_connections`: those that live through the window. In: a series. Out: numbers.

use std::collections::BTreeMap;

use scn_reports::record::flow::{Connection, ConnectionEnd, NEVER};

use super::distribution::Distribution;
use super::series::{Order, Series};
use super::{Measured, Window, counters};

/// Of the connections established in a window.
pub(super) fn connect_time(flow: &Series<'_>, window: Window) -> Distribution {
    let connected = established(flow, window).filter(|c| c.handshake_ns == 0 || c.handshake_ns < c.established_ns - c.opened_ns);
    let samples = connected.map(|c| ((c.established_ns - c.opened_ns - c.handshake_ns).max(0), c.established_ns));
    Distribution::new(samples, 1.0, "no connection was established in the window by more than a handshake")
}

/// Of the same, those with TLS.
pub(super) fn handshake_time(flow: &Series<'_>, window: Window) -> Distribution {
    let secured = established(flow, window).filter(|c| c.handshake_ns > 0);
    Distribution::new(secured.map(|c| (c.handshake_ns, c.established_ns)), 1.0, "no handshake was done in the window")
}

/// Connections established in a window.
fn established<'a>(flow: &'a Series<'_>, window: Window) -> impl Iterator<Item = &'a Connection> {
    let within = move |c: &&Connection| (window.from_ns..window.to_ns).contains(&flow.counted_at(c.established_ns));
    flow.record.connections.iter().filter(|c| c.established_ns != NEVER).filter(within)
}

/// Of the connections that broke in a window: until the first transaction of their successor, or of its successor if that one
/// failed too. One that was never replaced counts with the time until the flow's stop, without an upper limit.
pub(super) fn reconnect_time(flow: &Series<'_>, window: Window) -> Distribution {
    let connections = &flow.record.connections;
    let mut successor: BTreeMap<u32, u32> = BTreeMap::new();
    for (at, connection) in connections.iter().enumerate() {
        if connection.successor_of != u32::MAX {
            successor.insert(connection.successor_of, u32::try_from(at).unwrap_or(u32::MAX));
        }
    }
    let mut first_done: BTreeMap<u32, i64> = BTreeMap::new();
    for row in flow.all(Order::Done) {
        first_done.entry(flow.item(*row).connection).or_insert(flow.item(*row).done_ns);
    }
    let stop = flow.runs.last().map_or(0, |run| run.1);
    let (mut samples, mut most) = (Vec::new(), Vec::new());
    for (at, connection) in connections.iter().enumerate() {
        let Some(broken) = counters::broke(connection) else { continue };
        if !(window.from_ns..window.to_ns).contains(&flow.counted_at(broken)) {
            continue;
        }
        // A chain of successors is no longer than the list.
        let mut next = successor.get(&u32::try_from(at).unwrap_or(u32::MAX)).copied();
        let mut steps = connections.len();
        let mut restored = None;
        while let (Some(heir), None, 1..) = (next, restored, steps) {
            restored = first_done.get(&heir).copied();
            next = successor.get(&heir).copied();
            steps -= 1;
        }
        let took = (restored.unwrap_or(stop) - broken).max(0);
        samples.push((took, broken));
        most.push(if restored.is_some() { took } else { i64::MAX });
    }
    let lasting = most.iter().filter(|m| **m == i64::MAX).count();
    let note = (lasting > 0).then(|| format!("{lasting} broken connections were not replaced by one that completed a transaction"));
    let distribution = Distribution::new(samples.into_iter(), 1.0, "no connection broke in the window");
    if lasting > 0 { distribution.at_most(most.into_iter()).noted(note) } else { distribution }
}

/// Connections that live through a window: established before it and still open at its end, or closed only because the flow
/// was stopped. In a window that begins with the flow: opened before any connection of the flow had ended.
pub(super) fn lasting(flow: &Series<'_>, window: Window) -> Measured {
    let connections = &flow.record.connections;
    let begins_with_flow = flow.runs.first().is_some_and(|run| window.from_ns <= run.0);
    let first_end = connections.iter().map(|c| c.closed_ns).filter(|at| *at != NEVER).min().unwrap_or(i64::MAX);
    let stop = flow.runs.last().map_or(window.to_ns, |run| run.1);
    let lasts = connections.iter().filter(|c| {
        let early = if begins_with_flow { c.opened_ns <= first_end } else { c.established_ns <= window.from_ns };
        let planned = matches!(c.end, ConnectionEnd::Open | ConnectionEnd::Closed);
        let open_at_end = c.closed_ns == NEVER || c.closed_ns >= window.to_ns || (planned && c.closed_ns >= stop);
        c.established_ns != NEVER && c.established_ns < window.to_ns && early && open_at_end
    });
    Measured::exact(lasts.count() as f64, connections.len() as u64)
}
