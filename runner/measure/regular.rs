//! T, the time between two items when all is well. In: a series. Out: T of a run, between two instants, or between two items, ns. It judges no gap.
//!
//! - Open loop: the time between two intended starts, the longest where the timeline changed the rate. Where starts come in bursts or at random it
//!   is, for each gap, the longest time between two starts that were meant to be in it: a pause that was intended is no outage.
//! - Closed loop: the median gap between two received items of the run. The items of several connections may come together: then T is the gap that half
//!   of the time lies in, but never more than one connection needs for a transaction and its successor, so that no outage makes itself regular.

use super::Window;
use super::distribution::Family;
use super::series::{Order, Series};

impl Series<'_> {
    /// T, at least 1 ns; the longest where it changed, the mean where starts have no equal distance.
    pub(crate) fn regular_gap_ns(&self) -> f64 {
        if let Some((_, longest)) = self.record.intervals_ns.iter().max_by_key(|(_, interval)| *interval) {
            return *longest as f64;
        }
        if self.record.interval_ns > 0 {
            return self.record.interval_ns as f64;
        }
        *self.closed_loop_gap.get_or_init(|| self.of_closed_loop())
    }

    /// T where it may have changed: the longest between two instants.
    pub(crate) fn regular_gap_between(&self, from_ns: i64, to_ns: i64) -> f64 {
        let known = &self.record.intervals_ns;
        if known.is_empty() {
            return self.regular_gap_ns();
        }
        let first = known.partition_point(|(at, _)| *at <= from_ns).saturating_sub(1);
        let inside = known[first..].iter().enumerate().take_while(|(at, (instant, _))| *at == 0 || *instant < to_ns);
        inside.map(|(_, (_, interval))| *interval as f64).fold(1.0, f64::max)
    }

    /// T of a gap between two items of a stretch, by their rows; `None`: the stretch's own edge.
    pub(crate) fn regular_gap_of(&self, piece: Window, (before, after): (Option<u32>, Option<u32>), (from_ns, to_ns): (i64, i64)) -> f64 {
        let mean = self.regular_gap_between(from_ns, to_ns);
        if !self.record.uneven && self.record.intervals_ns.is_empty() {
            return mean;
        }
        let intended = |row: Option<u32>, edge_ns: i64| row.map_or(edge_ns, |row| self.item(row).intended_ns);
        let (one, other) = (intended(before, piece.from_ns), intended(after, piece.to_ns));
        let meant = self.longest_intended_gap(Window { from_ns: one.min(other), to_ns: one.max(other) });
        // What is told of a rate that changes is the longest of each stretch of it.
        if self.record.uneven { meant.max(mean) } else { meant.min(mean) }
    }

    /// The longest time between two neighbours among a window's edges and the starts that were meant to be in it, ns.
    pub(crate) fn longest_intended_gap(&self, window: Window) -> f64 {
        let all = self.all(Order::Intended);
        let at = |row: u32| self.item(row).intended_ns;
        let first = all.partition_point(|row| at(*row) < window.from_ns);
        let starts = all[first..].iter().map(|row| at(*row)).take_while(|at| *at < window.to_ns);
        let (mut longest, mut last) = (1, window.from_ns);
        for at in starts.chain([window.to_ns]) {
            longest = longest.max(at.saturating_sub(last));
            last = at;
        }
        longest as f64
    }

    fn of_closed_loop(&self) -> f64 {
        let done = self.all(Order::Done);
        let mut gaps: Vec<i64> = done.windows(2).map(|pair| self.item(pair[1]).done_ns - self.item(pair[0]).done_ns).collect();
        if gaps.is_empty() {
            return 1.0;
        }
        gaps.sort_unstable();
        let whole: i64 = gaps.iter().fold(0, |sum, gap| sum.saturating_add(*gap));
        let mut passed = 0i64;
        let half_of_time = gaps.iter().copied().find(|gap| {
            passed = passed.saturating_add(*gap);
            passed >= whole / 2
        });
        let median = gaps[gaps.len() / 2];
        median.max(half_of_time.unwrap_or(median).min(self.cycle_ns())).max(1) as f64
    }

    /// From a transaction's begin to that of the next one on the same connection or its successor, when all is well, ns.
    fn cycle_ns(&self) -> i64 {
        let Some(running) = self.running() else { return 0 };
        let median = |family| self.distribution(family, running).statistic("p50").value.map_or(0, |ns| ns as i64);
        let pause_ns = i64::try_from(self.record.pause_ns).unwrap_or(i64::MAX);
        median(Family::Service).saturating_add(median(Family::ConnectTime)).saturating_add(pause_ns)
    }

    /// Those that an item goes to: each node of a group, which has rows of its own, or one alone.
    pub(crate) fn receivers(&self) -> std::ops::Range<u32> {
        0..self.each()
    }

    /// Whether a row is one of a receiver.
    pub(crate) fn is_of(&self, row: u32, receiver: u32) -> bool {
        self.each() == 1 || self.item(row).connection % self.each() == receiver
    }

    fn each(&self) -> u32 {
        if self.record.to_each { u32::try_from(self.record.to.len()).unwrap_or(u32::MAX).max(1) } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use scn_reports::record::flow::{Connection, FlowRecord, Item};

    use super::super::build::{MS, S, done, flow, lost, open, regular};
    use super::super::tests::{value, whole};

    /// Twenty at once every 200 ms, but for those between two instants.
    fn bursts(silent_ns: std::ops::Range<i64>) -> FlowRecord {
        let mut record = flow("f", 4 * S, 10 * MS);
        record.uneven = true;
        for at in (0..4 * S).step_by(200_000_000) {
            let item = if silent_ns.contains(&at) { lost(at, S) } else { done(at, MS) };
            record.items.extend([item; 20]);
        }
        record.items.sort_by_key(|item| item.done_ns);
        record
    }

    #[test]
    fn a_pause_between_bursts_is_no_outage() {
        let healthy = bursts(0..0);
        assert_eq!((value(&healthy, "outage.max"), value(&healthy, "outage.count")), (Some(0.0), Some(0.0)));
        assert_eq!(whole(&healthy, "outage.max").error(), 200e6, "nothing is seen between two");
        // Two bursts are missing: 600 ms from one to the next.
        let failed = bursts(S..S + 400 * MS);
        assert_eq!((value(&failed, "outage.max"), value(&failed, "outage.count")), (Some(400e6), Some(1.0)));
        assert_eq!(value(&failed, "outage.rate.max"), None);
    }

    #[test]
    fn random_starts_make_no_outage_by_their_distances() {
        let mut record = flow("f", 2 * S, 10 * MS);
        record.uneven = true;
        record.items = [3, 5, 90, 91, 180, 600, 601, 700].map(|at| done(at * MS, MS)).to_vec();
        record.items.extend(regular(710 * MS, 2 * S, 10 * MS, MS));
        assert_eq!((value(&record, "outage.max"), value(&record, "outage.count")), (Some(0.0), Some(0.0)));
        // What was meant to come in the long distance was lost.
        record.items.extend((200..600).step_by(100).map(|at| lost(at * MS, S)));
        record.items.sort_by_key(|item| item.done_ns);
        assert_eq!(value(&record, "outage.max"), Some(320e6), "601 - 181 less the 100 between two starts");
    }

    #[test]
    fn the_way_of_the_first_is_no_outage() {
        let mut record = flow("f", 2 * S, 10 * MS);
        record.items = regular(0, 2 * S, 10 * MS, 300 * MS);
        assert_eq!((value(&record, "outage.max"), value(&record, "outage.count")), (Some(0.0), Some(0.0)));
        // A connection has to be opened before.
        record.connections = vec![Connection { established_ns: 200 * MS, ..open(0) }];
        record.items = regular(200 * MS, 2 * S, 10 * MS, 300 * MS);
        assert_eq!((value(&record, "outage.max"), value(&record, "outage.count")), (Some(0.0), Some(0.0)));
        // What does not come at first is one none the less.
        record.items = regular(S, 2 * S, 10 * MS, 300 * MS);
        assert_eq!((value(&record, "outage.max"), value(&record, "outage.count")), (Some(790e6), Some(1.0)), "1.3 s less 0.5 s less T");
    }

    #[test]
    fn answers_that_come_together_are_regular() {
        // Ten connections over 100 ms, in step; then evenly spread.
        let together = |from: i64, to: i64| -> Vec<Item> {
            let rounds = (from..to).step_by(100_000_000);
            rounds.flat_map(|at| (0..10).map(move |n| done(at + n * 100_000, 100 * MS - 1))).collect()
        };
        let mut record = flow("f", 5 * S, 0);
        record.items = together(0, 2 * S);
        record.items.extend(together(3 * S, 5 * S - 100 * MS));
        let longest = whole(&record, "outage.max");
        assert_eq!(value(&record, "outage.count"), Some(1.0));
        assert!((longest.value.unwrap() - 1e9).abs() <= longest.error() && longest.error() <= 100e6, "{longest:?}");
        let mut spread = flow("f", 4 * S, 0);
        spread.items = regular(0, 4 * S, 10 * MS, 100 * MS).into_iter().filter(|item| !(S..2 * S).contains(&item.sent_ns)).collect();
        assert_eq!(whole(&spread, "outage.max").error(), 10e6, "though each takes ten times as long");
        // An outage of most of the run is none the less one.
        let mut dead = flow("f", 20 * S, 0);
        dead.items = regular(0, S, 4 * MS, 3 * MS);
        dead.items.push(done(19 * S, 3 * MS));
        assert!(value(&dead, "outage.max").unwrap() > 17.9e9);
    }

    #[test]
    fn each_receiver_of_a_group_has_outages_of_its_own() {
        let mut record = flow("f", 2 * S, 10 * MS);
        record.to_each = true;
        for at in (0..2 * S).step_by(10_000_000) {
            let silent = (S..S + 500 * MS).contains(&at);
            record.items.push(Item { connection: 0, ..done(at, MS) });
            record.items.push(Item { connection: 1, ..if silent { lost(at, S) } else { done(at, MS) } });
        }
        record.items.sort_by_key(|item| item.done_ns);
        assert_eq!(value(&record, "outage.max"), Some(500e6));
        assert_eq!((value(&record, "outage.count"), value(&record, "outage.loss.max")), (Some(1.0), Some(500e6)));
        let by_rate = whole(&record, "outage.rate.max");
        assert!((by_rate.value.unwrap() - 500e6).abs() <= by_rate.error(), "{by_rate:?}");
    }
}
