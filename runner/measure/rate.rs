//! Rates: `rate` (completed transactions per second), `goodput.*` (payload of completed transactions, each way, bit/s), and
//! `backends.skew` (largest share over mean share). In: a series. Out: numbers, exact for the
//! window as cut but for the payload that its edges cut.

use std::collections::{BTreeMap, BTreeSet};

use scn_reports::record::flow::Item;

use super::series::{Order, Series};
use super::{Measured, Window};

const NS_PER_S: f64 = 1e9;

/// Which way payload goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From client to server.
    Forward,
    /// From server to client.
    Back,
}

/// Per second of the time that the flow ran in the window.
fn per_second(flow: &Series<'_>, window: Window, amount: f64, samples: usize) -> Measured {
    match flow.running_ns(window) {
        0 => Measured::nothing("the window is too short to have a rate"),
        running => Measured::exact(amount * NS_PER_S / running as f64, samples as u64),
    }
}

/// The transactions completed in the window while the flow ran. What it had started and what ended only after its stop is no part of a
/// rate: the time in which it ended is not counted either.
fn done<'a>(flow: &'a Series<'_>, window: Window) -> impl Iterator<Item = &'a Item> {
    flow.rows(Order::Done, window).iter().map(|row| flow.item(*row)).filter(|item| flow.counted_at(item.done_ns) == item.done_ns)
}

/// Transactions completed per second.
pub(super) fn rate(flow: &Series<'_>, window: Window) -> Measured {
    let done = done(flow, window).count();
    per_second(flow, window, done as f64, done)
}

/// Payload of the transactions completed in the window, bit/s. What a failed transaction had carried does not count. Of what was under way at the
/// window's edges any part may have come on either side of them, which is the error.
pub(super) fn goodput(flow: &Series<'_>, window: Window, direction: Direction) -> Measured {
    let (mut bytes, mut samples, mut unknown) = (0u64, 0, 0u64);
    for item in done(flow, window) {
        samples += 1;
        let whole = carried(flow, item, direction);
        unknown += u64::from(whole.is_none());
        bytes = bytes.saturating_add(whole.unwrap_or(u64::from(u32::MAX)));
    }
    let mut measured = per_second(flow, window, bytes as f64 * 8.0, samples);
    if measured.value.is_none() {
        return measured;
    }
    let before = under_way(flow, window.from_ns, direction, |item| item.done_ns < window.to_ns);
    let after = under_way(flow, window.to_ns, direction, |_| true);
    let share = 8.0 * NS_PER_S / flow.running_ns(window) as f64;
    (measured.below, measured.above) = (before as f64 * share, after as f64 * share);
    if unknown == 0 {
        return measured;
    }
    let note = format!("{unknown} transactions carried more than {} bytes, how much more is not known", u32::MAX);
    Measured { above: f64::INFINITY, ..measured }.noted(Some(note))
}

/// What an item carried one way, bytes; `None`: more than it has room for, and how much is not known.
fn carried(flow: &Series<'_>, item: &Item, direction: Direction) -> Option<u64> {
    let (carried, whole) = match direction {
        Direction::Forward => (item.forward_bytes, flow.record.forward_bytes),
        Direction::Back => (item.back_bytes, flow.record.back_bytes),
    };
    // What always is the same stands in the flow.
    if carried == u32::MAX { whole } else { Some(u64::from(carried)) }
}

/// Bytes of what came whole only after an instant at which the flow ran, and was sent before it. Datagrams come at once.
fn under_way(flow: &Series<'_>, edge_ns: i64, direction: Direction, counts: impl Fn(&Item) -> bool) -> u64 {
    if flow.record.datagrams.is_some() || !flow.runs.iter().any(|(from, to)| *from < edge_ns && edge_ns < *to) {
        return 0;
    }
    let until_ns = edge_ns.saturating_add(flow.longest_service_ns()).saturating_add(1);
    let mut connections = BTreeSet::new();
    let rows = flow.rows(Order::Done, Window { from_ns: edge_ns, to_ns: until_ns });
    let items = rows.iter().map(|row| flow.item(*row)).filter(|item| item.sent_ns < edge_ns);
    // What is sent one way comes one after the other on its connection.
    let next = items.filter(|item| direction == Direction::Back || item.back_bytes > 0 || connections.insert(item.connection));
    next.filter(|item| counts(item)).map(|item| carried(flow, item, direction).unwrap_or(u64::from(u32::MAX))).fold(0, u64::saturating_add)
}

/// The largest share of the completed transactions that one node answered, over the mean share of those that answered: 1 when all
/// answered alike. No standard defines it.
pub(super) fn skew(flow: &Series<'_>, window: Window) -> Measured {
    let mut answers: BTreeMap<u16, u64> = BTreeMap::new();
    for row in flow.rows(Order::Done, window) {
        let backend = flow.item(*row).backend;
        if backend != u16::MAX {
            *answers.entry(backend).or_default() += 1;
        }
    }
    let (total, largest) = (answers.values().sum::<u64>(), answers.values().max().copied().unwrap_or(0));
    if total == 0 {
        return Measured::nothing("no node answered in the window");
    }
    Measured::exact(largest as f64 * answers.len() as f64 / total as f64, total)
}
