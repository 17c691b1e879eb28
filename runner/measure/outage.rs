//! Outages (RFC 6414, timestamp-based, loss-based and rate-based methods). In: a series. Out: how long nothing came, with its error.
//!
//! T is the time between two items when all is well, as `regular` finds it. Of a flow to a group each receiver has gaps of its own. While a flow is paused nothing is offered that could come: a pause is an
//! edge, and no outage. What starts with the flow or after a pause has its way to go first: its connection's opening and its own, as the run's medians tell
//! them. A gap between two received items (or between one and the window's edge, or the flow's start or stop) is an outage of
//! *gap − T*. `outage.max` is the longest, whatever its size. Those of at least 3 T and 10 ms are counted and summed.
//!
//! The error is T (nothing is seen between two items), the links' own lateness, and the program's: the p99 of `lag` in the
//! window, or its maximum when that p99 exceeds T, for then the intended spacing does not hold; and how late the window's latest
//! entry of the timeline was, for what heals late lasts longer.

use super::distribution::Family;
use super::loss::{self, Disruption};
use super::series::{Order, Series};
use super::{Context, Measured, Window};

/// Shorter ones are not counted, ns.
const SHORTEST_COUNTED_NS: f64 = 10e6;
/// Shorter than as many regular gaps is not counted.
const SHORTEST_COUNTED_GAPS: f64 = 3.0;
/// Bins of the rate-derived outage, ns, unless that holds fewer than [`BIN_ITEMS`] items.
const BIN_NS: f64 = 10e6;
/// Items that a bin holds at least.
const BIN_ITEMS: f64 = 10.0;
/// A bin below this share of the offered load counts as outage.
const BELOW: f64 = 0.95;
/// More bins than this are not made: the bins get larger.
const MAX_BINS: f64 = 4e6;

/// Which end's timestamps an outage is derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// When items came back.
    Received,
    /// When those that came back were sent.
    Sent,
}

/// A gap between two neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Gap {
    /// The last item before it, or the edge, ns.
    pub from_ns: i64,
    /// The first item after it, or the edge, ns.
    pub to_ns: i64,
    /// The row of the item that ends it; `None`: an edge ends it.
    pub ended_by: Option<u32>,
    /// T of it, ns.
    pub regular_ns: f64,
    /// The least that counts as an outage there, ns.
    pub threshold_ns: f64,
    /// Its length less T, at least 0, ns.
    pub outage_ns: f64,
}

/// Calls with every gap of a window, in order, of one receiver after the other. The edges of the window and of the flow's runs are boundaries.
pub(super) fn gaps(flow: &Series<'_>, window: Window, by: By, mut visit: impl FnMut(Gap)) {
    let order = if by == By::Received { Order::Done } else { Order::DoneBySent };
    let (trip_ns, opening_ns) =
        if by == By::Received { (median_ns(flow, Family::Service), median_ns(flow, Family::ConnectTime)) } else { (0, 0) };
    let pieces = flow.offered(window);
    for (receiver, piece) in flow.receivers().flat_map(|receiver| pieces.iter().map(move |piece| (receiver, *piece))) {
        // What starts with the flow, or when a pause is over, has its way to go first.
        let resumed = flow.record.paused_ns.iter().any(|(_, to)| *to == piece.from_ns);
        let begun = flow.runs.iter().any(|(from, _)| *from == piece.from_ns);
        let way_ns = trip_ns + if begun { opening_ns } else { 0 };
        let mut last = if resumed || begun { piece.from_ns.saturating_add(way_ns).min(piece.to_ns) } else { piece.from_ns };
        let mut before = None;
        let mut gap = |from_ns: i64, to_ns: i64, before, ended_by| {
            let regular_ns = flow.regular_gap_of(piece, (before, ended_by), (from_ns, to_ns));
            let of_all = if flow.record.uneven { flow.regular_gap_between(from_ns, to_ns) } else { regular_ns };
            let threshold_ns = (SHORTEST_COUNTED_GAPS * of_all).max(SHORTEST_COUNTED_NS);
            let outage_ns = ((to_ns - from_ns) as f64 - regular_ns).max(0.0);
            visit(Gap { from_ns, to_ns, ended_by, regular_ns, threshold_ns, outage_ns });
        };
        for row in flow.rows(order, Window { to_ns: piece.to_ns.saturating_add(1), ..piece }) {
            let at = flow.instant(order, *row);
            if at >= last && flow.is_of(*row, receiver) {
                gap(last, at, before, Some(*row));
                (last, before) = (at, Some(*row));
            }
        }
        gap(last, piece.to_ns, before, None);
    }
}

/// How long something takes when all is well, ns: an item on its way, or a connection that is opened.
pub(super) fn median_ns(flow: &Series<'_>, family: Family) -> i64 {
    let median = flow.running().and_then(|running| flow.distribution(family, running).statistic("p50").value);
    median.map_or(0, |ns| ns as i64)
}

/// The error of one outage in a window, ns: the longest T there, the links' lateness and the program's.
pub(super) fn error_ns(flow: &Series<'_>, context: &Context, window: Window) -> f64 {
    let regular = resolution_ns(flow, window);
    regular + lateness_ns(flow, context, window, regular)
}

/// The links' and the program's lateness in a window, ns; `regular`: T.
fn lateness_ns(flow: &Series<'_>, context: &Context, window: Window, regular: f64) -> f64 {
    let mut lag = flow.distribution(Family::Lag, window);
    if lag.len() == 0
        && let Some(running) = flow.running()
    {
        lag = flow.distribution(Family::Lag, running);
    }
    let at = |statistic| lag.statistic(statistic).value.unwrap_or(0.0);
    let late = if at("p99") > regular { at("max") } else { at("p99") };
    let inside = context.late_entries.iter().filter(|(at, _)| *at >= window.from_ns && *at <= window.to_ns);
    let entries = inside.map(|(_, late)| *late as f64).fold(0.0, f64::max);
    context.wire_ns + late + entries
}

/// The longest time in which nothing was meant to be seen, ns.
fn resolution_ns(flow: &Series<'_>, window: Window) -> f64 {
    let pieces = if flow.record.uneven { flow.offered(window) } else { Vec::new() };
    let mean = flow.regular_gap_between(window.from_ns, window.to_ns);
    pieces.into_iter().map(|piece| flow.longest_intended_gap(piece)).fold(mean, f64::max)
}

/// Nothing was offered: there is nothing that could have come.
fn idle(flow: &Series<'_>, window: Window) -> Option<Measured> {
    if flow.record.items.is_empty() && flow.record.connections.is_empty() {
        return Some(Measured::nothing(format!("{} offered nothing", flow.record.name)));
    }
    if flow.running_ns(window) == 0 {
        return Some(Measured::nothing("the window is too short for an outage"));
    }
    flow.offered(window).is_empty().then(|| Measured::nothing(format!("{} was paused in the window", flow.record.name)))
}

/// `outage.max` and `outage.tx.max`: the longest gap less T.
pub(super) fn longest(flow: &Series<'_>, context: &Context, window: Window, by: By) -> Measured {
    if let Some(nothing) = idle(flow, window) {
        return nothing;
    }
    let mut longest: Option<Gap> = None;
    let (mut received, mut least, mut most) = (0, 0.0, 0.0);
    gaps(flow, window, by, |gap| {
        received += u64::from(gap.ended_by.is_some());
        // Where T changes, a shorter one may be the longest in truth.
        least = f64::max(least, gap.outage_ns - gap.regular_ns);
        most = f64::max(most, gap.outage_ns + gap.regular_ns);
        if longest.is_none_or(|known| gap.outage_ns > known.outage_ns) {
            longest = Some(gap);
        }
    });
    let Some(gap) = longest else { return Measured::nothing("the window is too short for an outage") };
    let dropped = flow.rows(Order::Dropped, window).len();
    let note = (dropped > 0).then(|| format!("{dropped} due transactions found no free connection and were not sent"));
    let mut measured = Measured::exact(gap.outage_ns, received).worst(Some((gap.outage_ns, gap.from_ns)));
    if flow.record.intervals_ns.is_empty() {
        (measured.below, measured.above) = (error_ns(flow, context, window), error_ns(flow, context, window));
    } else {
        let lateness = lateness_ns(flow, context, window, gap.regular_ns);
        (measured.below, measured.above) = (gap.outage_ns - least + lateness, most - gap.outage_ns + lateness);
    }
    measured.noted(note)
}

/// The outages that count, and those that could count or not count within the error.
#[derive(Default)]
struct Counted {
    outages: Vec<Gap>,
    /// Of them, those that perhaps do not count.
    doubtful: u64,
    /// Gaps that perhaps do, and as much as they would add, ns.
    nearly: u64,
    nearly_ns: f64,
    /// The errors of all that count, ns.
    error_ns: f64,
    received: u64,
}

fn counted(flow: &Series<'_>, context: &Context, window: Window) -> Counted {
    let (whole, changes) = (error_ns(flow, context, window), !flow.record.intervals_ns.is_empty());
    let lateness = lateness_ns(flow, context, window, resolution_ns(flow, window));
    let mut all = Counted::default();
    gaps(flow, window, By::Received, |gap| {
        let error = if changes { gap.regular_ns + lateness } else { whole };
        let threshold = gap.threshold_ns;
        all.received += u64::from(gap.ended_by.is_some());
        if gap.outage_ns >= threshold {
            all.doubtful += u64::from(gap.outage_ns - error < threshold);
            all.error_ns += error;
            all.outages.push(gap);
        } else if gap.outage_ns + error >= threshold && gap.outage_ns > error {
            all.nearly += 1;
            all.nearly_ns += gap.outage_ns + error;
        }
    });
    all
}

fn worst(outages: &[Gap]) -> Option<(f64, i64)> {
    outages.iter().max_by(|a, b| a.outage_ns.total_cmp(&b.outage_ns)).map(|gap| (gap.outage_ns, gap.from_ns))
}

/// `outage.count`: how many outages. Gaps within the error of the threshold may count or not.
pub(super) fn count(flow: &Series<'_>, context: &Context, window: Window) -> Measured {
    if let Some(nothing) = idle(flow, window) {
        return nothing;
    }
    let all = counted(flow, context, window);
    let measured = Measured::exact(all.outages.len() as f64, all.received).worst(worst(&all.outages));
    Measured { below: all.doubtful as f64, above: all.nearly as f64, ..measured }
}

/// `outage.total`: the sum of the counted outages, each with its error.
pub(super) fn total(flow: &Series<'_>, context: &Context, window: Window) -> Measured {
    if let Some(nothing) = idle(flow, window) {
        return nothing;
    }
    let all = counted(flow, context, window);
    let sum: f64 = all.outages.iter().map(|gap| gap.outage_ns).sum();
    let measured = Measured::about(sum, all.error_ns, all.received).worst(worst(&all.outages));
    Measured { above: measured.above + all.nearly_ns, ..measured }
}

/// `outage.loss.max`: the items lost in one disruption times T. Dropped items were never sent, so they are not in it. A closed loop that lost some
/// sent no more meanwhile.
pub(super) fn by_loss(flow: &Series<'_>, context: &Context, window: Window) -> Measured {
    let sent = flow.rows(Order::Sent, window).len() as u64;
    if sent == 0 {
        return Measured::nothing("nothing was sent in the window");
    }
    let disruptions = loss::disruptions(flow, window);
    let Some(most) = disruptions.iter().copied().reduce(|a, b: Disruption| if b.lost > a.lost { b } else { a }) else {
        return Measured::exact(0.0, sent);
    };
    if flow.record.interval_ns == 0 {
        let name = &flow.record.name;
        return Measured::nothing(format!("{name} is a closed loop, which waits while nothing comes: how many it lost tells no time"));
    }
    // Where T changes each item has its own.
    let changes = !flow.record.intervals_ns.is_empty();
    let regular =
        if changes { most.lost_ns as f64 / most.lost.max(1) as f64 } else { flow.regular_gap_between(most.first_ns, most.last_ns) };
    let outage = most.lost as f64 * regular;
    let error = if changes { regular + lateness_ns(flow, context, window, regular) } else { error_ns(flow, context, window) };
    let mut measured = Measured::about(outage, error, sent).worst(Some((outage, most.first_ns)));
    measured.above += most.unfinished as f64 * regular;
    let note = (disruptions.len() > 1).then(|| format!("the worst of {} disruptions", disruptions.len()));
    measured.noted(note)
}

/// `outage.rate.max`: the longest run of bins below 95 % of the offered load. A bin is 10 ms, or 10 T where that is more. A bin
/// counts as below when one item more would leave it there: regular arrivals differ by one from bin to bin. The offered load of
/// a closed loop is the median of its bins. The error is one bin on top of the usual one.
pub(super) fn by_rate(flow: &Series<'_>, context: &Context, window: Window) -> Measured {
    if let Some(nothing) = idle(flow, window) {
        return nothing;
    }
    if !flow.record.intervals_ns.is_empty() {
        return Measured::nothing(format!("the rate of {} changed while it ran", flow.record.name));
    }
    if flow.record.uneven {
        return Measured::nothing(format!(
            "{} starts its transactions in bursts or at random: their number in a bin tells no outage",
            flow.record.name
        ));
    }
    let open_loop = flow.record.interval_ns > 0;
    let all = flow.all(Order::Done).len().max(1) as f64 / f64::from(flow.receivers().end);
    let whole = flow.running().map_or(1, |running| offered_ns(flow, running)).max(1) as f64;
    let regular = if open_loop { flow.regular_gap_ns() } else { flow.regular_gap_ns().max(whole / all) };
    let bin = (regular * BIN_ITEMS).max(BIN_NS).max(whole / MAX_BINS).ceil() as i64;
    let bins = |receiver: u32, piece: Window| -> Vec<u32> {
        let mut bins = vec![0u32; usize::try_from(piece.length_ns() / bin).unwrap_or(0)];
        for row in flow.rows(Order::Done, piece).iter().filter(|row| flow.is_of(**row, receiver)) {
            let at = usize::try_from((flow.instant(Order::Done, *row) - piece.from_ns) / bin).unwrap_or(0);
            if let Some(count) = bins.get_mut(at) {
                *count += 1;
            }
        }
        bins
    };
    let offered = |receiver| if open_loop { bin as f64 / regular } else { median_of_bins(flow, &|piece| bins(receiver, piece)) };
    let (mut longest, mut seen) = ((0i64, 0i64), 0u64);
    let pieces = flow.offered(window);
    for (receiver, piece) in flow.receivers().flat_map(|receiver| pieces.iter().map(move |piece| (receiver, *piece))) {
        let (offered, mut run) = (offered(receiver), 0i64);
        for (at, count) in (0i64..).zip(bins(receiver, piece)) {
            seen += 1;
            run = if f64::from(count) + 1.0 < BELOW * offered { run + 1 } else { 0 };
            if run > longest.0 {
                longest = (run, piece.from_ns + (at + 1 - run) * bin);
            }
        }
    }
    if seen == 0 {
        return Measured::nothing(format!("the window is shorter than one bin of {bin} ns"));
    }
    let outage = (longest.0 * bin) as f64;
    Measured::about(outage, bin as f64 + error_ns(flow, context, window), seen).worst((longest.0 > 0).then_some((outage, longest.1)))
}

fn offered_ns(flow: &Series<'_>, window: Window) -> i64 {
    flow.offered(window).into_iter().map(Window::length_ns).sum()
}

fn median_of_bins(flow: &Series<'_>, bins: &dyn Fn(Window) -> Vec<u32>) -> f64 {
    let Some(running) = flow.running() else { return 0.0 };
    let mut counts: Vec<u32> = flow.offered(running).into_iter().flat_map(bins).collect();
    if counts.is_empty() {
        return 0.0;
    }
    let middle = counts.len() / 2;
    f64::from(*counts.select_nth_unstable(middle).1)
}
