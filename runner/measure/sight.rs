//! What the receiving end of a flow of frames could see: nothing where nobody looks, how many but not which where all frames are alike, and less
//! than came where its kernel had no room. In: a series. Out: why a metric has no value, and how far the truth may lie from one that it has.

use scn_reports::record::flow::ItemOutcome;

use super::series::{Order, Series};
use super::{Measured, Window};

/// Known at the sending end alone.
const OF_SENDER: &[&str] = &["sent", "dropped"];
/// What needs to know which frame came.
const OF_WHICH: &[&str] = &[
    "late",
    "duplicates",
    "reordered",
    "corrupt",
    "misdelivered",
    "outage.tx.max",
    "outage.loss.max",
    "failover_time",
    "reversion_time",
    "time_to_first_loss",
];
const OF_WHICH_FAMILIES: &[&str] = &["owd", "delay_variation", "latency", "service"];

/// The family of a metric that has statistics.
fn family(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Why a metric of a flow cannot be known; `None`: it can.
pub(super) fn blind(flow: &Series<'_>, name: &str) -> Option<String> {
    let datagrams = flow.record.datagrams.as_ref()?;
    if datagrams.unwatched && !OF_SENDER.contains(&name) && family(name) != "lag" {
        return Some(format!("nobody of scn's looks where the frames of {} arrive", flow.record.name));
    }
    let which = OF_WHICH.contains(&name) || OF_WHICH_FAMILIES.contains(&family(name));
    (datagrams.alike && which)
        .then(|| format!("the frames of {} have no room for an identity of 16 bytes: which of them came is not known", flow.record.name))
}

/// Widens a value by what was not seen.
pub(super) fn widen(measured: &mut Measured, flow: &Series<'_>, name: &str, window: Window) {
    let Some(datagrams) = &flow.record.datagrams else { return };
    let loses = matches!(name, "lost" | "loss" | "errors" | "failed_transactions");
    let whole = flow.running().is_some_and(|running| window.from_ns <= running.from_ns && running.to_ns <= window.to_ns);
    if datagrams.alike && loses && !whole && flow.record.items.iter().any(|item| item.outcome == ItemOutcome::Failed) {
        (measured.below, measured.above) = (f64::INFINITY, f64::INFINITY);
        measured.note = Some("frames that are all alike were lost: in which part of the run is not known".to_owned());
        return;
    }
    let inside = |from_ns: i64, to_ns: i64| from_ns < window.to_ns && window.from_ns <= to_ns;
    let missed: u64 = datagrams.missed.iter().filter(|missed| inside(missed.from_ns, missed.to_ns)).map(|missed| missed.count).sum();
    if missed == 0 || OF_SENDER.contains(&name) || family(name) == "lag" {
        return;
    }
    match name {
        "lost" | "errors" | "failed_transactions" => measured.above += flow.rows(Order::Unfinished, window).len() as f64,
        // The share of those whose fate was not seen is its error already.
        "loss" => {}
        "received" | "transactions" | "duplicates" | "reordered" | "late" | "corrupt" | "misdelivered" => measured.above += missed as f64,
        _ if name.starts_with("outage.") => measured.below = f64::INFINITY,
        _ => (measured.below, measured.above) = (f64::INFINITY, f64::INFINITY),
    }
    measured.note = Some(format!("{missed} frames found no room at the receiver: scn did not read them in time"));
}
