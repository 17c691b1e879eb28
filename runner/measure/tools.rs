//! What tools count that report stretches of time: `goodput.*`, `sent`, `received`, `lost`, `loss`, `reordered`, `delay_variation.*`, and
//! their `errors`. In: a series whose flow a tool made. Out: numbers with their error, or their steps. What a tool sends one by one, as
//! ping its echoes, is measured as the items of any flow.
//!
//! Of a report that a window cuts, the share that lies inside is the value, and all or nothing of it the limits. A report's instants may
//! be wrong by the tool record's `error_ns`: near a window's edge it may be wholly inside or outside. At the flow's own start and end
//! there is no doubt, for nothing lies beyond. Rates are over the time that the reports cover.

use scn_reports::record::tool::{Report, ToolRecord};

use super::distribution::Distribution;
use super::series::Series;
use super::{Measured, Steps, Window};

const NS_PER_S: f64 = 1e9;
const BITS_PER_BYTE: f64 = 8.0;

/// Reports of which something is summed, and what of each.
#[derive(Clone, Copy)]
struct Sum {
    of: fn(&Report) -> bool,
    what: fn(&Report) -> f64,
    /// Said when there are none.
    missing: &'static str,
}

const NO_RECEIVER: &str = "the receiving end told nothing";

/// How a counter is summed; `None`: it is none of these.
fn sum(name: &str) -> Option<Sum> {
    let received = |of: fn(&Report) -> bool, what| Sum { of, what, missing: NO_RECEIVER };
    Some(match name {
        "sent" => Sum { of: |r| r.datagrams && !r.receiver, what: |r| r.packets as f64, missing: "the sending end told nothing" },
        "received" => received(|r| r.datagrams && r.receiver, |r| r.packets as f64),
        "lost" => received(|r| r.datagrams && r.receiver, |r| r.lost as f64),
        "reordered" => received(|r| r.datagrams && r.receiver, |r| r.reordered as f64),
        _ => return None,
    })
}

/// What was received one way.
fn delivered(back: bool) -> Sum {
    let what = |r: &Report| r.bytes as f64;
    match back {
        true => Sum { of: |r| r.receiver && r.back, what, missing: NO_RECEIVER },
        false => Sum { of: |r| r.receiver && !r.back, what, missing: NO_RECEIVER },
    }
}

/// A sum over a window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Amount {
    value: f64,
    least: f64,
    most: f64,
    reports: u64,
}

/// A metric of a flow that a tool made with reports, or its errors; `None`: it is measured as of any flow.
pub(super) fn measure(name: &str, flow: &Series<'_>, window: Window) -> Option<Measured> {
    let tool = flow.record.tool.as_ref()?;
    if name == "errors" {
        return Some(Measured::exact(instants(flow, tool, window).len() as f64, 1));
    }
    if tool.reports.is_empty() && !flow.record.items.is_empty() {
        return None;
    }
    let counted = |sum: Sum| match amount(flow, tool, sum, window) {
        Some(amount) => measured(amount),
        None => nothing(flow, tool, sum.missing),
    };
    Some(match name {
        "goodput.forward" => goodput(flow, tool, false, window),
        "goodput.back" => goodput(flow, tool, true, window),
        "loss" => loss(flow, tool, window),
        "sent" | "received" | "lost" | "reordered" => counted(sum(name)?),
        _ => jitter(flow, tool, window).statistic(name.strip_prefix("delay_variation.")?),
    })
}

/// Every change of a counter in a window; `None`: it is counted as of any flow.
pub(super) fn steps(name: &str, flow: &Series<'_>, window: Window) -> Option<Steps> {
    let tool = flow.record.tool.as_ref()?;
    if name == "errors" {
        return Some(Steps::new(0.0, instants(flow, tool, window).into_iter().map(|at| (at, 1.0)).collect()));
    }
    if tool.reports.is_empty() && !flow.record.items.is_empty() {
        return None;
    }
    let sum = sum(name)?;
    let wide = at_edges(flow, window);
    let inside = |r: &&Report| (sum.of)(r) && (sum.what)(r) != 0.0 && r.to_ns > window.from_ns && r.from_ns < window.to_ns;
    let (mut changes, mut limits) = (Vec::new(), Vec::new());
    let error = error_ns(tool);
    for report in tool.reports.iter().filter(inside) {
        let (count, end) = ((sum.what)(report), report.to_ns.clamp(window.from_ns, window.to_ns - 1));
        changes.push((end, count));
        let sure = report.from_ns - error >= wide.from_ns && report.to_ns + error <= wide.to_ns;
        limits.push(((report.from_ns - error).max(window.from_ns), 0.0, count));
        limits.push(((report.to_ns + error).clamp(window.from_ns, window.to_ns - 1), if sure { count } else { 0.0 }, 0.0));
    }
    for report in tool.unsure.iter().filter(inside) {
        limits.push(((report.from_ns - error).max(window.from_ns), 0.0, (sum.what)(report)));
    }
    limits.sort_by_key(|(at, ..)| *at);
    let mut steps = Steps::new(0.0, changes);
    let (mut low, mut high) = (0.0, 0.0);
    for (at, more, most) in limits {
        (low, high) = (low + more, high + most);
        match steps.limits.last_mut() {
            Some(last) if last.0 == at => *last = (at, low, high),
            _ => steps.limits.push((at, low, high)),
        }
    }
    Some(steps)
}

fn measured(amount: Amount) -> Measured {
    Measured {
        below: (amount.value - amount.least).max(0.0),
        above: (amount.most - amount.value).max(0.0),
        ..Measured::exact(amount.value, amount.reports)
    }
}

/// No value, for a tool that failed in its words.
fn nothing(flow: &Series<'_>, tool: &ToolRecord, why: &str) -> Measured {
    match flow.record.failures.first() {
        Some(failure) => Measured::nothing(format!("{} failed: {}", tool.name, failure.what)),
        None => Measured::nothing(format!("{}: {why}", tool.name)),
    }
}

fn error_ns(tool: &ToolRecord) -> i64 {
    i64::try_from(tool.error_ns).unwrap_or(i64::MAX)
}

/// When errors happened in a window.
fn instants(flow: &Series<'_>, tool: &ToolRecord, window: Window) -> Vec<i64> {
    let counted = tool.errors_ns.iter().map(|at| flow.counted_at(*at));
    counted.filter(|at| (window.from_ns..window.to_ns).contains(at)).collect()
}

/// A window that has no edge where the flow itself begins and ends: nothing of it lies beyond.
fn at_edges(flow: &Series<'_>, window: Window) -> Window {
    let Some(running) = flow.running() else { return window };
    Window {
        from_ns: if window.from_ns <= running.from_ns { i64::MIN } else { window.from_ns },
        to_ns: if window.to_ns >= running.to_ns { i64::MAX } else { window.to_ns },
    }
}

/// What part of a report lies in a window, and whether all of it surely does, or some of it may.
fn share(report: &Report, window: Window, error: i64) -> (f64, bool, bool) {
    let length = (report.to_ns - report.from_ns).max(1);
    let inside = report.to_ns.min(window.to_ns).saturating_sub(report.from_ns.max(window.from_ns)).max(0);
    // A report without length lies where it begins.
    let at = report.to_ns <= report.from_ns && (window.from_ns..window.to_ns).contains(&report.from_ns);
    let part = if at { 1.0 } else { (inside as f64 / length as f64).min(1.0) };
    let sure = report.from_ns.saturating_sub(error) >= window.from_ns && report.to_ns.saturating_add(error) <= window.to_ns;
    let may = report.from_ns.saturating_sub(error) < window.to_ns && report.to_ns.saturating_add(error) > window.from_ns;
    (part, sure, may)
}

/// Sums up over a window; `None`: no report of the kind was ever made.
fn amount(flow: &Series<'_>, tool: &ToolRecord, sum: Sum, window: Window) -> Option<Amount> {
    let (window, error) = (at_edges(flow, window), error_ns(tool));
    let mut reports = tool.reports.iter().filter(|report| (sum.of)(report)).peekable();
    reports.peek()?;
    let mut total = Amount::default();
    for report in reports {
        let (count, (part, sure, may)) = ((sum.what)(report), share(report, window, error));
        total.value += count * part;
        total.least += if sure { count } else { 0.0 };
        total.most += if may { count } else { 0.0 };
        total.reports += u64::from(may);
    }
    for report in tool.unsure.iter().filter(|report| (sum.of)(report)) {
        total.most += if share(report, window, error).2 { (sum.what)(report) } else { 0.0 };
    }
    Some(total)
}

/// The time of a window that the reports of one way cover, and how much of it is in doubt, both ns.
fn covered(flow: &Series<'_>, tool: &ToolRecord, sum: Sum, window: Window) -> (i64, i64) {
    let (mut length, mut doubt) = (0, 0);
    for (from_ns, to_ns) in &flow.runs {
        let of_run = |r: &&Report| (sum.of)(r) && r.from_ns >= *from_ns && r.from_ns <= *to_ns;
        let first = tool.reports.iter().filter(of_run).map(|r| r.from_ns).min();
        let last = tool.reports.iter().filter(of_run).map(|r| r.to_ns).max();
        let (Some(first), Some(last)) = (first, last) else { continue };
        let common = window.common(Window { from_ns: first, to_ns: last });
        length += common.length_ns();
        // Only a window that ends among the reports has its length by their instants.
        let cut = (window.from_ns > first && window.from_ns < last) || (window.to_ns > first && window.to_ns < last);
        doubt += if cut && !common.is_empty() { error_ns(tool).min(common.length_ns()) } else { 0 };
    }
    (length, doubt)
}

/// Payload that arrived one way, over the time that the reports cover, bit/s.
fn goodput(flow: &Series<'_>, tool: &ToolRecord, back: bool, window: Window) -> Measured {
    let sum = delivered(back);
    let Some(amount) = amount(flow, tool, sum, window) else {
        return nothing(flow, tool, &format!("{} of payload that way", sum.missing));
    };
    let (length, doubt) = covered(flow, tool, sum, window);
    if length == 0 {
        return Measured::nothing(format!("{} told nothing of the window", tool.name));
    }
    let rate = |bytes: f64, ns: i64| bytes * BITS_PER_BYTE * NS_PER_S / ns.max(1) as f64;
    let value = rate(amount.value, length);
    let (least, most) = (rate(amount.least, length + doubt), rate(amount.most, length - doubt));
    Measured { below: (value - least).max(0.0), above: (most - value).max(0.0), ..Measured::exact(value, amount.reports) }
}

/// Lost over sent datagrams, as the receiving end tells.
fn loss(flow: &Series<'_>, tool: &ToolRecord, window: Window) -> Measured {
    let of = |name| sum(name).and_then(|sum| amount(flow, tool, sum, window));
    let (Some(lost), Some(received)) = (of("lost"), of("received")) else {
        return nothing(flow, tool, NO_RECEIVER);
    };
    let ratio = |lost: f64, received: f64| (lost + received > 0.0).then(|| (lost / (lost + received)).clamp(0.0, 1.0));
    let Some(value) = ratio(lost.value, received.value) else { return Measured::nothing("no datagram was sent in the window") };
    let least = ratio(lost.least, received.most).unwrap_or(0.0);
    let most = ratio(lost.most, received.least).unwrap_or(1.0);
    Measured { below: (value - least).max(0.0), above: (most - value).max(0.0), ..Measured::exact(value, received.reports) }
}

/// The tool's own jitter at the end of each report.
fn jitter(flow: &Series<'_>, tool: &ToolRecord, window: Window) -> Distribution {
    let inside = |r: &&Report| (window.from_ns..window.to_ns).contains(&flow.counted_at(r.to_ns));
    let told = tool.reports.iter().filter(|r| r.receiver && r.jitter_ns >= 0).filter(inside);
    Distribution::new(told.map(|r| (r.jitter_ns, r.to_ns)), 1.0, "the tool told no jitter in the window")
}

#[cfg(test)]
mod tests {
    use super::super::build::{self, S};
    use super::*;

    fn report(from_ns: i64, to_ns: i64, bytes: u64) -> Report {
        Report { from_ns, to_ns, back: false, receiver: true, datagrams: false, bytes, packets: 0, lost: 0, reordered: 0, jitter_ns: -1 }
    }

    fn record(error_ns: u64, reports: Vec<Report>) -> scn_reports::record::flow::FlowRecord {
        let tool = ToolRecord { name: "iperf3".to_owned(), error_ns, reports, ..ToolRecord::default() };
        scn_reports::record::flow::FlowRecord { tool: Some(tool), connections: Vec::new(), ..build::flow("f", 4 * S, 0) }
    }

    #[test]
    fn a_rate_is_over_the_time_that_the_reports_cover() {
        // 3 s of 1 MB each, begun 100 ms after the flow.
        let reports = (0..3).map(|i| report(S / 10 + i * S, S / 10 + (i + 1) * S, 1_000_000)).collect();
        let record = record(10_000_000, reports);
        let flow = Series::new(&record, &[]);
        let whole = measure("goodput.forward", &flow, flow.running().unwrap()).unwrap();
        assert_eq!((whole.value, whole.below, whole.above), (Some(8e6), 0.0, 0.0), "a whole run has no doubtful edge");
        let cut = measure("goodput.forward", &flow, Window { from_ns: S, to_ns: 2 * S }).unwrap();
        assert!((cut.value.unwrap() - 8e6).abs() < 1.0);
        assert!(cut.below >= 8e6 - 1.0 && cut.above >= 8e6, "two reports are cut: all or nothing of them may lie inside: {cut:?}");
        let before = measure("goodput.forward", &flow, Window { from_ns: 0, to_ns: S / 20 }).unwrap();
        assert_eq!(before.value, None);
        assert_eq!(measure("goodput.back", &flow, flow.running().unwrap()).unwrap().value, None, "nothing was told of that way");
        assert_eq!(measure("sent", &flow, flow.running().unwrap()).unwrap().value, None, "streams have no datagrams: absent, not zero");
    }

    #[test]
    fn a_report_near_an_edge_is_in_doubt() {
        let record = record(10_000_000, vec![report(0, S, 1000), report(S, 2 * S, 2000), report(2 * S, 3 * S, 4000)]);
        let flow = Series::new(&record, &[]);
        let middle = measure("goodput.forward", &flow, Window { from_ns: S, to_ns: 2 * S }).unwrap();
        assert_eq!(middle.value, Some(16_000.0));
        assert_eq!(middle.below, 16_000.0, "its neighbours' bytes may be its own, and its own those of its neighbours");
        assert!(middle.above >= 40_000.0, "{middle:?}");
    }

    #[test]
    fn datagrams_are_counted_by_both_ends() {
        let received =
            |at: i64, packets, lost| Report { datagrams: true, packets, lost, jitter_ns: 5, ..report(at * S, (at + 1) * S, 100) };
        let sent = |at: i64, packets| Report { receiver: false, lost: 0, jitter_ns: -1, ..received(at, packets, 0) };
        let record = record(0, vec![sent(0, 10), received(0, 8, 2), sent(1, 10), received(1, 10, 0)]);
        let flow = Series::new(&record, &[]);
        let whole = flow.running().unwrap();
        let value = |name| measure(name, &flow, whole).unwrap().value;
        assert_eq!((value("sent"), value("received"), value("lost")), (Some(20.0), Some(18.0), Some(2.0)));
        assert_eq!((value("loss"), value("delay_variation.max")), (Some(0.1), Some(5.0)));
        assert_eq!(measure("lost", &flow, Window { from_ns: S, to_ns: 2 * S }).unwrap().value, Some(0.0));
        let steps = steps("lost", &flow, whole).unwrap();
        assert_eq!(steps.changes, [(S, 2.0)]);
        assert_eq!((steps.limits_at(S / 2), steps.limits_at(S)), (Some((0.0, 2.0)), Some((2.0, 2.0))), "they were lost within the second");
    }

    #[test]
    fn errors_are_the_tools_own() {
        let mut record = record(0, Vec::new());
        let flow = Series::new(&record, &[]);
        assert_eq!(measure("errors", &flow, flow.running().unwrap()).unwrap().value, Some(0.0));
        assert_eq!(measure("goodput.forward", &flow, flow.running().unwrap()).unwrap().value, None);
        record.tool.as_mut().unwrap().errors_ns = vec![S];
        let flow = Series::new(&record, &[]);
        assert_eq!(measure("errors", &flow, flow.running().unwrap()).unwrap().value, Some(1.0));
        assert_eq!(steps("errors", &flow, flow.running().unwrap()).unwrap().changes, [(S, 1.0)]);
    }
}
