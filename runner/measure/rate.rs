//! Rates: `rate` (completed transactions per second), `goodput.*` (payload of completed transactions, each way, bit/s), and
//! `backends.skew` (largest share over mean share). In: a series. Out: numbers, exact for the window as cut.

use std::collections::BTreeMap;

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

/// Transactions completed per second.
pub(super) fn rate(flow: &Series<'_>, window: Window) -> Measured {
    let done = flow.rows(Order::Done, window).len();
    per_second(flow, window, done as f64, done)
}

/// Payload of the transactions completed in the window, bit/s. What a failed transaction had carried does not count.
pub(super) fn goodput(flow: &Series<'_>, window: Window, direction: Direction) -> Measured {
    let done = flow.rows(Order::Done, window);
    let bytes = done.iter().map(|row| match direction {
        Direction::Forward => u64::from(flow.item(*row).forward_bytes),
        Direction::Back => u64::from(flow.item(*row).back_bytes),
    });
    per_second(flow, window, bytes.sum::<u64>() as f64 * 8.0, done.len())
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
