//! Rates: `rate` (completed transactions per second), `goodput.*` (payload of completed transactions, each way, bit/s), and
//! `backends.skew` (largest share over mean share). In: a series. Out: numbers, exact for the window as cut.

use std::collections::BTreeMap;

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

/// Payload of the transactions completed in the window, bit/s. What a failed transaction had carried does not count.
pub(super) fn goodput(flow: &Series<'_>, window: Window, direction: Direction) -> Measured {
    let (mut bytes, mut samples, mut unknown) = (0u64, 0, 0u64);
    for item in done(flow, window) {
        samples += 1;
        let (carried, whole) = match direction {
            Direction::Forward => (item.forward_bytes, flow.record.forward_bytes),
            Direction::Back => (item.back_bytes, flow.record.back_bytes),
        };
        // An item has no room for more; what always is the same stands in the flow.
        let whole = if carried == u32::MAX { whole } else { Some(u64::from(carried)) };
        unknown += u64::from(whole.is_none());
        bytes = bytes.saturating_add(whole.unwrap_or(u64::from(carried)));
    }
    let measured = per_second(flow, window, bytes as f64 * 8.0, samples);
    if unknown == 0 {
        return measured;
    }
    let note = format!("{unknown} transactions carried more than {} bytes, how much more is not known", u32::MAX);
    Measured { above: f64::INFINITY, ..measured }.noted(Some(note))
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
