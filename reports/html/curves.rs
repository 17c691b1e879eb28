//! Series as curves: few enough points to draw. In: a flow's items and connections. Out: values in bins of time. These are
//! pictures of the series; the numbers of a report are those of the record's summaries.

use crate::record::flow::{FlowRecord, ItemOutcome, NEVER};

/// No curve has more bins than this; a bin gives at most two points.
pub(super) const MAX_BINS: usize = 300;
/// Bins are widened until so many items fall into one on average, so that a curve shows the flow and not its grain.
const WANTED_ITEMS: usize = 8;
/// Bins are not widened beyond this few.
const LEAST_BINS: usize = 12;

/// With fewer completions there is no usual time between two.
const LEAST_ENDS: usize = 5;

/// A flow's curves, bin by bin. `None`: nothing to show there.
#[derive(Debug, Default)]
pub(super) struct Curves {
    /// Width of a bin, ns.
    pub bin_ns: i64,
    /// Completed transactions per second.
    pub done: Vec<Option<f64>>,
    /// Failed and dropped transactions in the bin.
    pub lost: Vec<u32>,
    /// Median latency from the intended start, ns; by the bin of the intended start.
    pub median: Vec<Option<i64>>,
    /// The slowest, ns.
    pub slowest: Vec<Option<i64>>,
    /// The longest time in which nothing was completed while the flow ran, ns, if it is out of proportion.
    pub gap: Option<(i64, i64)>,
}

/// 1, 2 or 5 times a power of ten, at least `least`.
pub(super) fn nice(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-12).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= least * 0.999_999).unwrap_or(10.0 * power)
}

/// The end of an axis that shows values up to `most`: a round number, not far above.
pub(super) fn ceiling(most: f64) -> f64 {
    let power = 10f64.powf(most.max(1e-12).log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|end| *end >= most).unwrap_or(10.0 * power)
}

/// The curves of a flow over `span_ns` from the timeline's start.
pub(super) fn of(flow: &FlowRecord, span_ns: i64) -> Curves {
    let span = span_ns.max(1);
    let mut bin_ns = nice((span as f64 / MAX_BINS as f64).max(1.0)) as i64;
    while flow.items.len() as i64 / (span / bin_ns).max(1) < WANTED_ITEMS as i64 && span / bin_ns > LEAST_BINS as i64 {
        bin_ns = nice(bin_ns as f64 * 1.5) as i64;
    }
    let bins = usize::try_from(span / bin_ns + 1).unwrap_or(1).min(MAX_BINS + 1);
    let bin_of = |ns: i64| usize::try_from(ns / bin_ns).ok().filter(|bin| ns >= 0 && *bin < bins);

    let mut done = vec![0u32; bins];
    let mut lost = vec![0u32; bins];
    let mut latencies: Vec<Vec<i64>> = vec![Vec::new(); bins];
    for item in &flow.items {
        match item.outcome {
            ItemOutcome::Done => {
                bin_of(item.done_ns).into_iter().for_each(|bin| done[bin] += 1);
                let latency = item.done_ns.saturating_sub(item.intended_ns);
                // Of what others sent nobody knows how long it was under way.
                let known = bin_of(item.intended_ns).filter(|_| item.sent_ns != NEVER);
                known.into_iter().for_each(|bin| latencies[bin].push(latency));
            }
            ItemOutcome::Failed | ItemOutcome::Dropped => {
                let when = if item.done_ns == NEVER { item.intended_ns } else { item.done_ns };
                bin_of(when).into_iter().for_each(|bin| lost[bin] += 1);
            }
            ItemOutcome::Unfinished => {}
        }
    }
    let windows: Vec<(i64, i64)> = flow.ran_ns.iter().map(|(start, stop)| ((*start).clamp(0, span), (*stop).clamp(0, span))).collect();
    let share = |bin: usize| {
        let from = (bin as i64).saturating_mul(bin_ns);
        let to = from.saturating_add(bin_ns);
        let ran: i64 = windows.iter().map(|(start, stop)| ((*stop).min(to) - (*start).max(from)).max(0)).fold(0, i64::saturating_add);
        ran as f64 / bin_ns as f64
    };
    for list in &mut latencies {
        list.sort_unstable();
    }
    Curves {
        bin_ns,
        done: done
            .iter()
            .enumerate()
            .map(|(bin, count)| {
                let share = share(bin);
                (share > 0.4).then(|| f64::from(*count) / (share.min(1.0) * bin_ns as f64 / 1e9))
            })
            .collect(),
        lost,
        median: latencies.iter().map(|list| list.get(list.len() / 2).copied()).collect(),
        slowest: latencies.iter().map(|list| list.last().copied()).collect(),
        gap: gap(flow, &windows, bin_ns),
    }
}

/// The longest time in which nothing was completed while the flow ran, when it is many times the usual; also when nothing was
/// completed any more.
fn gap(flow: &FlowRecord, windows: &[(i64, i64)], bin_ns: i64) -> Option<(i64, i64)> {
    let mut ends: Vec<i64> = flow.items.iter().filter(|item| item.outcome == ItemOutcome::Done).map(|item| item.done_ns).collect();
    if ends.len() < LEAST_ENDS {
        return None;
    }
    ends.sort_unstable();
    let mut gaps: Vec<(i64, i64)> = Vec::new();
    for (start, stop) in windows.iter().filter(|(start, stop)| start < stop) {
        let inside = ends[ends.partition_point(|end| end < start)..].iter().take_while(|end| *end <= stop);
        let mut last = *start;
        for end in inside.chain([stop]) {
            gaps.push((last, *end));
            last = *end;
        }
    }
    let length = |gap: &(i64, i64)| gap.1 - gap.0;
    let total = gaps.iter().map(length).fold(0, i64::saturating_add);
    let longest = gaps.iter().max_by_key(|gap| length(gap)).copied()?;
    // The longest itself does not count as usual.
    let usual = (total - length(&longest)) / (gaps.len().max(2) as i64 - 1);
    (length(&longest) > usual.saturating_mul(8).max(bin_ns)).then_some(longest)
}

/// How many connections were open, as steps: from this instant on, so many. At most `max` steps; where there were more, the least
/// and the most of each slice of time are kept.
pub(super) fn active(flow: &FlowRecord, span_ns: i64, max: usize) -> Vec<(i64, i64)> {
    let mut changes: Vec<(i64, i64)> = Vec::new();
    for connection in flow.connections.iter().filter(|connection| connection.established_ns != NEVER) {
        changes.push((connection.established_ns, 1));
        if connection.closed_ns != NEVER {
            changes.push((connection.closed_ns, -1));
        }
    }
    changes.sort_unstable();
    let mut steps: Vec<(i64, i64)> = Vec::new();
    let mut open = 0;
    for (at, change) in changes {
        open += change;
        match steps.last_mut() {
            Some(last) if last.0 == at => last.1 = open,
            _ => steps.push((at, open)),
        }
    }
    if steps.len() <= max {
        return steps;
    }
    let slices = (max / 3).max(1) as i128;
    let slice_of = |at: i64| i128::from(at.clamp(0, span_ns.max(0))) * slices / i128::from(span_ns.max(1));
    let mut thin: Vec<(i64, i64)> = Vec::new();
    for slice in steps.chunk_by(|a, b| slice_of(a.0) == slice_of(b.0)) {
        let least = slice.iter().min_by_key(|step| step.1);
        let most = slice.iter().max_by_key(|step| step.1);
        let mut kept: Vec<(i64, i64)> = least.into_iter().chain(most).chain(slice.last()).copied().collect();
        kept.sort_by_key(|step| step.0);
        kept.dedup();
        thin.extend(kept);
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn the_outage_is_an_empty_stretch() {
        let record = example::failover();
        let curves = of(&record.flows[0], 8_012_000_000);
        assert!(curves.done.len() <= MAX_BINS + 1);
        let at = |ms: i64| curves.done[usize::try_from(ms * 1_000_000 / curves.bin_ns).unwrap()].unwrap();
        assert_eq!(at(3_200), 0.0);
        assert!((at(1_000) - 400.0).abs() < 50.0);
        let (from, to) = curves.gap.unwrap();
        assert!((3_000_000_000..3_010_000_000).contains(&from) && (3_350_000_000..3_360_000_000).contains(&to));
    }

    #[test]
    fn what_others_sent_has_no_latency() {
        let mut record = example::failover();
        record.flows[0].items.iter_mut().for_each(|item| item.sent_ns = NEVER);
        let curves = of(&record.flows[0], 8_012_000_000);
        assert!(curves.median.iter().chain(&curves.slowest).all(Option::is_none) && curves.done.iter().flatten().any(|rate| *rate > 0.0));
    }

    #[test]
    fn an_outage_without_end_lasts_to_the_stop() {
        let mut record = example::failover();
        record.flows[0].items.retain(|item| item.done_ns < 3_000_000_000);
        let (from, to) = of(&record.flows[0], 8_012_000_000).gap.unwrap();
        assert!((2_990_000_000..3_000_000_000).contains(&from), "{from}");
        assert_eq!(to, 8_000_000_000);
    }

    #[test]
    fn connections_go_up_down_and_up_again() {
        let record = example::failover();
        let steps = active(&record.flows[0], 8_012_000_000, 100);
        assert!(steps.len() <= 110, "{}", steps.len());
        assert_eq!(steps.iter().map(|s| s.1).max(), Some(200));
        assert!(steps.iter().any(|s| s.0 > 3_100_000_000 && s.1 < 5));
    }

    #[test]
    fn nothing_has_no_curves() {
        let record = example::broken();
        let curves = of(&record.flows[0], 0);
        assert!(curves.done.iter().all(Option::is_none) && curves.gap.is_none());
        assert!(active(&record.flows[0], 0, 100).is_empty());
    }

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(
            [ceiling(216.0), ceiling(640.0), ceiling(1.0), ceiling(0.07)].map(|end| (end * 100.0).round()),
            [24_000.0, 80_000.0, 100.0, 8.0]
        );
    }

    #[test]
    fn nice_steps() {
        assert_eq!([nice(0.3), nice(1.0), nice(3.4), nice(70.0)], [0.5, 1.0, 5.0, 100.0]);
    }
}
