//! Statistics of durations that were kept as histograms: each value is known up to the width of its step. In: steps with counts, those of a
//! window whole and those at its edges. Out: a statistic with its error. Knows no links.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::Measured;
use super::sampled::Known;

/// The least that is told apart, ns.
pub(crate) const FINEST_NS: u64 = 1_024;
/// What lies beyond this is kept as this, ns.
pub(crate) const LONGEST_NS: u64 = 60_000_000_000;
/// Steps are a thousandth of their value wide.
pub(crate) const DIGITS: u8 = 3;

/// An empty histogram as those of links are kept.
///
/// # Panics
/// Never: the bounds are constants that it takes.
#[must_use]
pub(crate) fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(FINEST_NS, LONGEST_NS, DIGITS).expect("constant bounds that the histogram takes")
}

/// The counts of a window, and those of which only a part may belong to it.
#[derive(Debug)]
pub(super) struct Spread {
    inside: BTreeMap<u64, u64>,
    edges: BTreeMap<u64, u64>,
    /// The largest and the sample in which it came.
    worst: Option<(u64, i64)>,
    nothing: &'static str,
}

impl Spread {
    /// Nothing; `nothing` says why there is no value then.
    pub fn new(nothing: &'static str) -> Self {
        Spread { inside: BTreeMap::new(), edges: BTreeMap::new(), worst: None, nothing }
    }

    /// More steps, `whole` of the window or not, of a sample at an instant.
    pub fn add(&mut self, steps: &[(u64, u64)], whole: bool, at_ns: i64) {
        let to = if whole { &mut self.inside } else { &mut self.edges };
        for (value, count) in steps.iter().filter(|(_, count)| *count > 0) {
            let sum = to.entry(*value).or_insert(0);
            *sum = sum.saturating_add(*count);
            if self.worst.is_none_or(|(largest, _)| *value > largest) {
                self.worst = Some((*value, at_ns));
            }
        }
    }

    /// `min`, `mean`, `p50` and so on, in ns.
    pub fn statistic(&self, statistic: &str) -> Measured {
        let mut all = self.inside.clone();
        for (value, count) in &self.edges {
            let sum = all.entry(*value).or_insert(0);
            *sum = sum.saturating_add(*count);
        }
        let Some(value) = told(&all, statistic) else { return Measured::nothing(self.nothing) };
        // A step is named by its upper end, and no wider than this.
        let least = |value: f64| (value - (value / 1000.0).max(FINEST_NS as f64)).max(0.0);
        let mut known = Known { value, low: least(value), high: value };
        let edges: u64 = self.edges.values().fold(0, |sum, count| sum.saturating_add(*count));
        if let (Some(first), Some(last)) = (self.edges.keys().next(), self.edges.keys().next_back()) {
            // However many of those at the edges belong to it, and whichever: it is not less than with all of them as the least of them.
            let with = |value: u64| {
                let mut more = self.inside.clone();
                *more.entry(value).or_insert(0) += edges;
                told(&more, statistic)
            };
            for bound in [told(&self.inside, statistic), with(*first), with(*last)].into_iter().flatten() {
                known.low = known.low.min(least(bound));
                known.high = known.high.max(bound);
            }
        }
        let samples = all.values().fold(0u64, |sum, count| sum.saturating_add(*count));
        known.measured(samples).worst(self.worst.map(|(value, at)| (value as f64, at)))
    }
}

/// A statistic of counted values; percentiles are nearest ranks.
fn told(counts: &BTreeMap<u64, u64>, statistic: &str) -> Option<f64> {
    let total = counts.values().fold(0u64, |sum, count| sum.saturating_add(*count));
    if total == 0 {
        return None;
    }
    let rank = |share: f64| {
        let rank = (share * total as f64).ceil().clamp(1.0, total as f64) as u64;
        let mut seen = 0u64;
        let found = counts.iter().find(|(_, count)| {
            seen = seen.saturating_add(**count);
            seen >= rank
        });
        found.map(|(value, _)| *value as f64)
    };
    match statistic {
        "min" => counts.keys().next().map(|value| *value as f64),
        "max" => counts.keys().next_back().map(|value| *value as f64),
        "mean" => Some(counts.iter().map(|(value, count)| *value as f64 * *count as f64).sum::<f64>() / total as f64),
        "p50" => rank(0.5),
        "p90" => rank(0.9),
        "p95" => rank(0.95),
        "p99" => rank(0.99),
        "p999" => rank(0.999),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn statistics_know_the_width_of_their_step() {
        let mut histogram = empty();
        for n in 1..=1000u64 {
            histogram.record(n * MS).unwrap();
        }
        let steps: Vec<(u64, u64)> = histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
        let mut spread = Spread::new("");
        spread.add(&steps, true, 7);
        for (statistic, truth) in
            [("min", 1.0), ("p50", 500.0), ("p90", 900.0), ("p99", 990.0), ("p999", 999.0), ("max", 1000.0), ("mean", 500.5)]
        {
            let measured = spread.statistic(statistic);
            let (value, truth) = (measured.value.unwrap(), truth * MS as f64);
            assert!(value - measured.below <= truth && truth <= value + measured.above, "{statistic}: {measured:?}");
            assert!(measured.error() <= 0.002 * truth, "{statistic}: {measured:?}");
            assert_eq!(measured.samples, 1000);
        }
        assert_eq!(spread.statistic("max").worst.unwrap().1, 7);
        assert_eq!(spread.statistic("p98").value, None);
    }

    #[test]
    fn edges_are_an_error_as_large_as_what_they_may_do() {
        let mut spread = Spread::new("");
        spread.add(&[(10 * MS, 100)], true, 0);
        assert!(spread.statistic("p99").error() < 0.002 * 10.0 * MS as f64);
        spread.add(&[(10 * MS, 5), (50 * MS, 5)], false, 0);
        let p99 = spread.statistic("p99");
        assert_eq!(p99.value, Some(50.0 * MS as f64));
        assert!(p99.below >= 40.0 * MS as f64, "all of the late ones may have come outside: {p99:?}");
        let p50 = spread.statistic("p50");
        assert!(p50.value == Some(10.0 * MS as f64) && p50.error() < 0.002 * 10.0 * MS as f64, "none of them can move it: {p50:?}");
        let mean = spread.statistic("mean");
        assert!(mean.value.unwrap() - mean.below <= 10.0 * MS as f64 && mean.value.unwrap() + mean.above > 13.0 * MS as f64, "{mean:?}");
    }

    #[test]
    fn a_window_between_two_samples_has_the_limits_of_both() {
        let mut spread = Spread::new("");
        spread.add(&[(10 * MS, 5), (50 * MS, 5)], false, 0);
        let p50 = spread.statistic("p50");
        let (value, low, high) = (p50.value.unwrap(), p50.value.unwrap() - p50.below, p50.value.unwrap() + p50.above);
        assert!(low < 10.0 * MS as f64 && high == 50.0 * MS as f64, "{value} {low} {high}");
    }

    #[test]
    fn nothing_says_why() {
        let measured = Spread::new("no packet left").statistic("p99");
        assert_eq!((measured.value, measured.note.as_deref()), (None, Some("no packet left")));
    }
}
