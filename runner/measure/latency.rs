//! Durations of transactions. `latency.*`: done minus intended start, so that waiting for the program or for a free connection
//! counts (no coordinated omission). `service.*`: done minus first byte sent. `lag.*`: how late the program itself was. In: a
//! series. Out: distributions.

use super::Window;
use super::distribution::Distribution;
use super::series::{Order, Series};

const NOTHING_DONE: &str = "no transaction was completed in the window";

/// Transactions that failed in the window have no latency; a reader should know of them.
fn without_latency(flow: &Series<'_>, window: Window) -> Option<String> {
    let failed = flow.rows(Order::Failed, window).len();
    (failed > 0).then(|| format!("{failed} failed transactions of the window are not in it"))
}

/// From the intended start to the end, of the transactions completed in a window. The truth may be less by the program's own
/// lag: a program in time would have sent that much earlier.
pub(super) fn latency(flow: &Series<'_>, window: Window) -> Distribution {
    let rows = flow.rows(Order::Done, window);
    let latency = |row: &u32| {
        let item = flow.item(*row);
        (item.done_ns - item.intended_ns).max(0)
    };
    let samples = rows.iter().map(|row| (latency(row), flow.item(*row).done_ns));
    let on_time = rows.iter().map(|row| (latency(row) - i64::from(flow.item(*row).lag_ns)).max(0));
    Distribution::new(samples, 1.0, NOTHING_DONE).at_least(on_time).noted(without_latency(flow, window))
}

/// From the first byte sent to the end, of the transactions completed in a window.
pub(super) fn service(flow: &Series<'_>, window: Window) -> Distribution {
    let items = flow.rows(Order::Done, window).iter().map(|row| flow.item(*row));
    let sent = items.filter(|item| item.sent_ns != scn_reports::record::flow::NEVER);
    let samples = sent.map(|item| ((item.done_ns - item.sent_ns).max(0), item.done_ns));
    Distribution::new(samples, 1.0, NOTHING_DONE).noted(without_latency(flow, window))
}

/// How late the program released the transactions that were due in a window.
pub(super) fn lag(flow: &Series<'_>, window: Window) -> Distribution {
    let items = flow.rows(Order::Intended, window).iter().map(|row| flow.item(*row));
    Distribution::new(items.map(|item| (i64::from(item.lag_ns), item.intended_ns)), 1.0, "no transaction was due in the window")
}
