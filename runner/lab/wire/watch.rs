//! What is remembered of a wire over time where somebody asks for it: samples of its counts and queues, and how long packets took and how late
//! they were between two samples. In: packets that left, looks at the wire. Out: samples. A wire that nobody asks for has none.

use hdrhistogram::Histogram;
use scn_reports::record::counted::{Counted, LinkSample, Steps, WaySample};

use super::super::grid::Samples;
use crate::emulate::{Counts, Waiting};
use crate::measure::histogram;

/// One way between two samples.
struct Between {
    bytes: u64,
    delay: Histogram<u64>,
    lag: Histogram<u64>,
}

/// What is remembered.
pub(crate) struct Watch {
    began_ns: Option<u64>,
    last_ns: i64,
    ways: [Between; 2],
    samples: Samples<LinkSample>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        let between = || Between { bytes: 0, delay: histogram::empty(), lag: histogram::empty() };
        Watch { began_ns: None, last_ns: i64::MIN, ways: [between(), between()], samples: Samples::default() }
    }

    /// The timeline begins at an instant on the monotonic clock; what was seen before is forgotten.
    pub(crate) fn begin(&mut self, at_ns: u64) {
        *self = Watch { began_ns: Some(at_ns), ..Watch::new() };
    }

    /// When the next sample is due, on the monotonic clock; `None`: the timeline has not begun.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        self.began_ns.map(|began| began.saturating_add_signed(self.samples.due_ns()))
    }

    /// A frame of so many bytes left one way, so long after it came.
    pub(crate) fn left(&mut self, way: usize, bytes: usize, delay_ns: u64) {
        self.ways[way].bytes += bytes as u64;
        self.ways[way].delay.saturating_record(delay_ns);
    }

    /// A frame was sent so much later than meant.
    pub(crate) fn late(&mut self, way: usize, ns: u64) {
        self.ways[way].lag.saturating_record(ns);
    }

    /// Takes a sample; nothing has happened since `at_ns`.
    pub(crate) fn look(&mut self, at_ns: u64, seen: [(Counts, Waiting); 2]) {
        let Some(began) = self.began_ns else { return };
        let since = |ns: u64| i64::try_from(i128::from(ns) - i128::from(began)).unwrap_or(i64::MAX);
        let (before, at_ns) = (self.last_ns, since(at_ns));
        let sample = |(between, (counts, waiting)): (&mut Between, (Counts, Waiting))| {
            let sample = WaySample {
                counts: counted(&counts, between.bytes),
                queued: waiting.now,
                most_queued: waiting.most,
                // Packets come with the instant of their arrival, which may lie before the sample at which nobody had read them yet.
                most_at_ns: since(waiting.most_at_ns).clamp(before.saturating_add(1).min(at_ns), at_ns),
                delay: steps(&between.delay),
                lag: steps(&between.lag),
            };
            between.delay.reset();
            between.lag.reset();
            sample
        };
        let [first, second] = &mut self.ways;
        let [there, back] = seen;
        let ways = [sample((first, there)), sample((second, back))];
        self.samples.put(at_ns, LinkSample { at_ns, ways });
        self.last_ns = at_ns;
    }

    /// What was sampled so far.
    pub(crate) fn samples(&self) -> &[LinkSample] {
        self.samples.kept()
    }

    /// What is counted at this moment, and where counting began. Keeps nothing.
    pub(crate) fn now(&self, seen: [(Counts, Waiting); 2]) -> Option<[LinkSample; 2]> {
        let way = |way: usize| {
            let (counts, waiting) = &seen[way];
            WaySample { counts: counted(counts, self.ways[way].bytes), queued: waiting.now, ..WaySample::default() }
        };
        Some([self.samples.kept().first()?.clone(), LinkSample { at_ns: self.last_ns, ways: [way(0), way(1)] }])
    }
}

fn counted(counts: &Counts, bytes: u64) -> [u64; Counted::COUNT] {
    let mut all = [0; Counted::COUNT];
    for (what, count) in [
        (Counted::Sent, counts.entered),
        (Counted::Delivered, counts.delivered),
        (Counted::Dropped, counts.overflowed + counts.managed),
        (Counted::Lost, counts.lost),
        (Counted::Cut, counts.cut + counts.filtered + counts.oversized),
        (Counted::Duplicated, counts.duplicated),
        (Counted::Corrupted, counts.corrupted),
        (Counted::Reordered, counts.reordered),
        (Counted::Bytes, bytes),
    ] {
        all[what as usize] = count;
    }
    all
}

fn steps(histogram: &Histogram<u64>) -> Steps {
    if histogram.is_empty() {
        return Vec::new();
    }
    histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_count_from_the_start_and_hold_what_came_since_the_last() {
        let mut watch = Watch::new();
        assert_eq!(watch.due_ns(), None);
        watch.left(0, 100, 5);
        watch.begin(1_000_000_000);
        assert_eq!(watch.due_ns(), Some(1_000_000_000));
        let seen = |entered, most| {
            let waiting = Waiting { now: 1, most, most_at_ns: 0 };
            [(Counts { entered, lost: 1, cut: 2, filtered: 3, oversized: 4, ..Counts::default() }, waiting), Default::default()]
        };
        watch.look(998_000_000, seen(3, 2));
        watch.left(0, 1514, 10_000_000);
        watch.late(0, 50_000);
        watch.look(1_000_000_000, seen(5, 7));
        watch.look(1_100_000_000, seen(6, 1));
        let samples = watch.samples();
        assert_eq!(samples.iter().map(|sample| sample.at_ns).collect::<Vec<_>>(), [-2_000_000, 0, 100_000_000]);
        let [first, second, third] = [0, 1, 2].map(|at: usize| &samples[at].ways[0]);
        assert_eq!((first.counts[Counted::Sent as usize], first.counts[Counted::Bytes as usize]), (3, 0), "what left before is forgotten");
        assert_eq!((second.counts[Counted::Bytes as usize], second.counts[Counted::Cut as usize]), (1514, 9));
        assert!(first.delay.is_empty() && second.delay.len() == 1 && second.lag.len() == 1 && third.delay.is_empty());
        assert_eq!((second.most_queued, second.most_at_ns, third.most_at_ns), (7, -1_999_999, 1), "an instant lies after the last sample");
        assert_eq!(watch.due_ns(), Some(1_200_000_000));
        let [base, now] = watch.now(seen(9, 1)).unwrap();
        assert_eq!((base.ways[0].counts[0], now.ways[0].counts[0], watch.samples().len()), (3, 9, 3));
    }
}
