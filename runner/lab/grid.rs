//! Samples of what is counted while a run goes on: taken on a grid from the timeline's start, and between two of its instants where something
//! happens; bounded. In: samples. Out: all of them, thinned out where there were too many. Counts nothing.

use std::collections::BTreeMap;

use scn_reports::record::counted::{InterfaceSample, LinkSample, Steps, WaySample};
use scn_reports::record::stress::StressSample;

/// Between two samples of the grid, ns.
const SPACING_NS: i64 = 100_000_000;
/// What is read around an instant of the grid is read so long before it, ns: a thread may be woken late.
const BEFORE_NS: i64 = 2_000_000;
/// So many samples are kept of one thing; then the grid is twice as wide, and with each further sample two of the older ones become one: all at
/// once would keep frames waiting. Those of named events, which windows begin and end at, stay while they are no more than half of all.
const MOST_SAMPLES: usize = 10_000;

/// A sample that can take the place of itself and the one before.
pub(crate) trait Join {
    /// Takes a later one up, and stands where that one stood.
    fn join(&mut self, after: Self);
}

/// Samples of one thing. Instants are in ns after the timeline's start.
#[derive(Debug, Clone)]
pub(crate) struct Samples<T> {
    kept: Vec<T>,
    /// Which of them were taken between two instants of the grid, and how many.
    between: Vec<bool>,
    between_count: usize,
    most: usize,
    spacing_ns: i64,
    /// One is taken so long before each instant of the grid, too; 0: none is.
    before_ns: i64,
    due_ns: i64,
    /// Where the next two stand that become one; 0: nothing had to yet.
    next_pair: usize,
}

impl<T> Default for Samples<T> {
    fn default() -> Self {
        Samples {
            kept: Vec::new(),
            between: Vec::new(),
            between_count: 0,
            most: MOST_SAMPLES,
            spacing_ns: SPACING_NS,
            before_ns: 0,
            due_ns: 0,
            next_pair: 0,
        }
    }
}

impl<T> Samples<T> {
    /// Of what can only be read after an instant of the grid, and so is read shortly before it as well.
    pub(crate) fn around_the_grid() -> Self {
        Samples { before_ns: BEFORE_NS, ..Samples::default() }
    }
}

impl<T> Samples<T> {
    /// Of what is read so often, ns.
    pub(crate) fn every(spacing_ns: i64) -> Self {
        Samples { spacing_ns, ..Samples::default() }
    }
}

impl<T: Join + Clone> Samples<T> {
    /// When the next one of the grid is due.
    pub(crate) fn due_ns(&self) -> i64 {
        self.due_ns
    }

    /// Those that are kept, in order.
    pub(crate) fn kept(&self) -> &[T] {
        &self.kept
    }

    /// The same, for what is known of them later.
    pub(crate) fn kept_mut(&mut self) -> &mut [T] {
        &mut self.kept
    }

    /// One more, of an instant.
    pub(crate) fn put(&mut self, at_ns: i64, sample: T) {
        if self.kept.len() >= self.most {
            self.join_two();
        }
        let between = at_ns < self.due_ns;
        self.kept.push(sample);
        self.between.push(between);
        self.between_count += usize::from(between);
        if !between {
            let grid = (at_ns.div_euclid(self.spacing_ns) + 1).saturating_mul(self.spacing_ns);
            let before = grid.saturating_sub(self.before_ns);
            self.due_ns = if at_ns < before { before } else { grid };
        }
    }

    /// Makes one of two. The first sample stays: what is counted begins there.
    fn join_two(&mut self) {
        if self.next_pair == 0 || self.next_pair + 1 >= self.kept.len() {
            self.next_pair = 1;
            self.spacing_ns = self.spacing_ns.saturating_mul(2);
        }
        let spares = self.between_count <= self.most / 2;
        while spares && self.between.get(self.next_pair) == Some(&true) {
            self.next_pair += 1;
        }
        if self.next_pair + 1 < self.kept.len() {
            let after = self.kept.remove(self.next_pair + 1);
            self.kept[self.next_pair].join(after);
            // It stands where the later one stood.
            self.between_count -= usize::from(self.between.remove(self.next_pair));
            self.next_pair += 1;
        }
    }
}

impl Join for InterfaceSample {
    fn join(&mut self, after: Self) {
        *self = after;
    }
}

impl Join for StressSample {
    fn join(&mut self, after: Self) {
        let (least_active, most_active) = (self.least_active.min(after.least_active), self.most_active.max(after.most_active));
        let latency = join_steps(std::mem::take(&mut self.latency), after.latency);
        *self = StressSample {
            least_active,
            most_active,
            latency,
            from_ns: after.from_ns,
            to_ns: after.to_ns,
            counts: after.counts,
            doubts: after.doubts,
            active: after.active,
        };
    }
}

impl Join for LinkSample {
    fn join(&mut self, after: Self) {
        self.at_ns = after.at_ns;
        for (way, after) in self.ways.iter_mut().zip(after.ways) {
            *way = join_ways(std::mem::take(way), after);
        }
    }
}

fn join_ways(before: WaySample, after: WaySample) -> WaySample {
    let (most_queued, most_at_ns) = if before.most_queued >= after.most_queued {
        (before.most_queued, before.most_at_ns)
    } else {
        (after.most_queued, after.most_at_ns)
    };
    WaySample {
        most_queued,
        most_at_ns,
        delay: join_steps(before.delay, after.delay),
        lag: join_steps(before.lag, after.lag),
        counts: after.counts,
        queued: after.queued,
    }
}

fn join_steps(before: Steps, after: Steps) -> Steps {
    let mut all: BTreeMap<u64, u64> = before.into_iter().collect();
    for (value, count) in after {
        *all.entry(value).or_insert(0) += count;
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_ns: i64, most_queued: u64) -> LinkSample {
        let way = WaySample { most_queued, most_at_ns: at_ns - 1, delay: vec![(5, 1), (at_ns.unsigned_abs(), 2)], ..WaySample::default() };
        LinkSample { at_ns, ways: [way, WaySample::default()] }
    }

    #[test]
    fn the_grid_counts_from_the_start() {
        let mut samples = Samples::default();
        assert_eq!(samples.due_ns(), 0);
        samples.put(-2_000_000, sample(-2_000_000, 0));
        assert_eq!(samples.due_ns(), 0, "what comes before the start is none of the grid");
        samples.put(40_000, sample(40_000, 0));
        assert_eq!(samples.due_ns(), SPACING_NS);
        samples.put(30_000_000, sample(30_000_000, 0));
        assert_eq!(samples.due_ns(), SPACING_NS, "one in between moves nothing");
        samples.put(3 * SPACING_NS, sample(3 * SPACING_NS, 0));
        assert_eq!(samples.due_ns(), 4 * SPACING_NS, "a late one takes the place of those it missed");
    }

    #[test]
    fn what_is_read_late_is_read_before_the_grid_as_well() {
        let mut samples = Samples::around_the_grid();
        let mut due = Vec::new();
        for late in [0, 40_000, 40_000, 40_000, 40_000] {
            let at = samples.due_ns() + late;
            samples.put(at, sample(at, 0));
            due.push(samples.due_ns());
        }
        let (grid, before) = (SPACING_NS, SPACING_NS - BEFORE_NS);
        assert_eq!(due, [before, grid, grid + before, 2 * grid, 2 * grid + before]);
        samples.put(3 * grid + 1, sample(3 * grid + 1, 0));
        assert_eq!(samples.due_ns(), 3 * grid + before, "one that comes too late stands for both");
    }

    #[test]
    fn too_many_are_thinned_out_and_nothing_is_lost() {
        let mut samples = Samples { most: 6, ..Samples::default() };
        for at in 0..6 {
            samples.put(at * SPACING_NS, sample(at * SPACING_NS, if at == 3 { 9 } else { 1 }));
        }
        samples.put(6 * SPACING_NS, sample(6 * SPACING_NS, 1));
        let instants = |samples: &Samples<LinkSample>| samples.kept().iter().map(|sample| sample.at_ns / SPACING_NS).collect::<Vec<i64>>();
        assert_eq!((instants(&samples), samples.due_ns()), (vec![0, 2, 3, 4, 5, 6], 8 * SPACING_NS));
        for at in [8, 10] {
            samples.put(at * SPACING_NS, sample(at * SPACING_NS, 1));
        }
        assert_eq!((instants(&samples), samples.due_ns()), (vec![0, 2, 4, 6, 8, 10], 12 * SPACING_NS));
        let joined = &samples.kept()[2].ways[0];
        assert_eq!((joined.most_queued, joined.most_at_ns), (9, 3 * SPACING_NS - 1));
        assert_eq!(joined.delay, [(5, 2), (300_000_000, 2), (400_000_000, 2)]);
    }

    #[test]
    fn one_that_was_taken_at_an_event_stays() {
        let mut samples = Samples { most: 6, ..Samples::default() };
        for at in [0, 10, 20, 25, 30, 40, 50, 60, 80] {
            let at_ns = at * SPACING_NS / 10;
            samples.put(at_ns, sample(at_ns, 1));
        }
        let instants =
            |samples: &Samples<LinkSample>| samples.kept().iter().map(|sample| sample.at_ns * 10 / SPACING_NS).collect::<Vec<i64>>();
        assert_eq!(instants(&samples), [0, 20, 25, 40, 60, 80]);
    }
}
