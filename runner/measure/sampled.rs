//! Counters that are known only where they were read: their value between two readings lies between those of the two. In: readings. Out: a
//! window's count with its limits, and every change of it. Knows no links.

use super::{Measured, Steps, Window};

/// A count as it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// It had not been reached before this instant, ns.
    pub from_ns: i64,
    /// It was reached at this instant, ns.
    pub to_ns: i64,
    /// The count.
    pub count: f64,
    /// What is not known of it.
    pub doubt: Doubt,
}

/// How far a count may be from what had truly come when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Doubt {
    /// So much of it may have come later.
    pub below: f64,
    /// So much of what is counted later may have come before.
    pub above: f64,
    /// So much may have come, or never, that is counted nowhere; since the beginning.
    pub begun: f64,
    /// The part of that whose time was over.
    pub past: f64,
}

/// A count at an instant.
#[derive(Debug, Clone, Copy, Default)]
struct At {
    known: Known,
    begun: f64,
    past: f64,
}

impl At {
    /// What came between two instants. What may have come uncounted is none of it where its time was over before.
    fn since(self, from: At) -> Known {
        let (to, from, may) = (self.known, from.known, (self.begun - from.past).max(0.0));
        let value = to.value - from.value;
        Known { value, low: (to.low - from.high).max(0.0).min(value.max(0.0)), high: (to.high - from.low + may).max(value).max(0.0) }
    }
}

/// A value and where it truly lies.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Known {
    /// The most likely value.
    pub value: f64,
    /// Not less than this.
    pub low: f64,
    /// Not more than this.
    pub high: f64,
}

impl Known {
    /// Known exactly.
    pub fn exact(value: f64) -> Self {
        Known { value, low: value, high: value }
    }

    /// As a measurement that rests on so many readings.
    pub fn measured(self, samples: u64) -> Measured {
        Measured { below: self.value - self.low, above: self.high - self.value, ..Measured::exact(self.value, samples) }
    }
}

/// A count that only grows.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter(Vec<Reading>);

impl Counter {
    /// By its readings, in order.
    pub fn new(readings: Vec<Reading>) -> Self {
        Counter(readings)
    }

    /// The count at an instant, what happens at it not included: as if it grew evenly between two readings. What comes before the first
    /// reading and after the last is none of it.
    fn at(&self, at_ns: i64) -> At {
        let before = self.0.partition_point(|reading| reading.to_ns <= at_ns).checked_sub(1).map(|at| self.0[at]);
        // Within the first reading: it had been reached somewhere there.
        let before = before.or_else(|| self.0.first().filter(|first| first.from_ns < at_ns).copied());
        let after = self.0.get(self.0.partition_point(|reading| reading.from_ns < at_ns)).copied();
        let (Some(before), Some(after)) = (before.or(after), after.or(before)) else { return At::default() };
        let share = (at_ns - before.to_ns).max(0) as f64 / (after.from_ns - before.to_ns).max(1) as f64;
        let grown = (after.count - before.count).max(0.0);
        let value = if grown > 0.0 { (before.count + share.min(1.0) * grown).round() } else { before.count };
        let low = (before.count - before.doubt.below).min(value);
        let high = (after.count + after.doubt.above).max(value);
        At { known: Known { value, low, high }, begun: after.doubt.begun, past: before.doubt.past }
    }

    /// What is counted in a window.
    pub fn counted(&self, window: Window) -> Known {
        self.at(window.to_ns).since(self.at(window.from_ns))
    }

    /// Readings that tell something of a window.
    pub fn readings(&self, window: Window) -> u64 {
        self.0.iter().filter(|reading| (window.from_ns..=window.to_ns).contains(&reading.to_ns)).count() as u64
    }

    /// Every change in a window, counted from its start.
    pub fn steps(&self, window: Window) -> Steps {
        let start = self.at(window.from_ns);
        let at = |reading: &Reading| {
            let Reading { count, doubt, .. } = *reading;
            let known = Known { value: count, low: count - doubt.below, high: count + doubt.above };
            let Known { value, low, high } = At { known, begun: doubt.begun, past: doubt.past }.since(start);
            (value, low, high)
        };
        let mut course = Course::new(window.from_ns);
        for (position, reading) in self.0.iter().enumerate() {
            if reading.to_ns > window.from_ns && reading.to_ns < window.to_ns {
                course.put(reading.to_ns, at(reading));
            }
            // Up to the next reading anything may have happened that this one does not tell.
            let between = reading.to_ns.saturating_add(1).max(window.from_ns);
            let Some(next) = self.0.get(position + 1).filter(|next| between < window.to_ns && next.to_ns > window.from_ns) else {
                continue;
            };
            let (value, low, _) = if reading.to_ns < window.from_ns { (0.0, 0.0, 0.0) } else { at(reading) };
            let (.., high) = at(next);
            if high > course.last.2 {
                course.put(between.max(window.from_ns.saturating_add(1)), (value, low, high));
            }
        }
        course.done()
    }
}

/// Steps being made: what changes nothing leaves none.
pub(super) struct Course {
    steps: Steps,
    last: (f64, f64, f64),
}

impl Course {
    /// Begins at a window's start with nothing.
    pub fn new(from_ns: i64) -> Self {
        Course::starting(from_ns, Known::exact(0.0))
    }

    /// Begins at a window's start.
    pub fn starting(from_ns: i64, at: Known) -> Self {
        let last = (at.value, at.low, at.high);
        Course { steps: Steps { start: at.value, changes: Vec::new(), limits: vec![(from_ns, at.low, at.high)] }, last }
    }

    /// From an instant on the value is this: most likely, not less than, not more than. Instants come in order.
    pub fn put(&mut self, at_ns: i64, now: (f64, f64, f64)) {
        if same(now, self.last) {
            return;
        }
        match self.steps.changes.last_mut() {
            Some(last) if last.0 == at_ns => last.1 = now.0,
            _ => self.steps.changes.push((at_ns, now.0)),
        }
        match self.steps.limits.last_mut() {
            Some(last) if last.0 == at_ns => (last.1, last.2) = (now.1, now.2),
            _ => self.steps.limits.push((at_ns, now.1, now.2)),
        }
        self.last = now;
    }

    /// What was put.
    pub fn done(self) -> Steps {
        self.steps
    }
}

/// Alike, and what is not known is alike too.
fn same(a: (f64, f64, f64), b: (f64, f64, f64)) -> bool {
    [(a.0, b.0), (a.1, b.1), (a.2, b.2)].iter().all(|(a, b)| a.total_cmp(b).is_eq())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(readings: &[(i64, f64)]) -> Counter {
        Counter::new(
            readings.iter().map(|(at, count)| Reading { from_ns: *at, to_ns: *at, count: *count, doubt: Doubt::default() }).collect(),
        )
    }

    fn window(from_ns: i64, to_ns: i64) -> Window {
        Window { from_ns, to_ns }
    }

    #[test]
    fn windows_between_readings_are_exact() {
        let counter = counter(&[(-2, 7.0), (100, 7.0), (200, 17.0), (300, 17.0)]);
        assert_eq!(counter.counted(window(-2, 301)), Known::exact(10.0));
        assert_eq!(counter.counted(window(100, 200)), Known::exact(10.0));
        assert_eq!(counter.counted(window(0, 100)), Known::exact(0.0), "nothing happened around its edges");
        assert_eq!(counter.counted(window(250, 301)), Known::exact(0.0));
        assert_eq!(counter.counted(window(50, 260)), Known::exact(10.0), "edges where nothing happened are no error");
    }

    #[test]
    fn an_edge_between_readings_has_what_came_between_them_as_its_error() {
        let counter = counter(&[(0, 0.0), (100, 10.0), (200, 30.0)]);
        assert_eq!(counter.counted(window(0, 150)), Known { value: 20.0, low: 10.0, high: 30.0 });
        assert_eq!(counter.counted(window(50, 150)), Known { value: 15.0, low: 0.0, high: 30.0 });
        assert_eq!(counter.counted(window(150, 201)), Known { value: 10.0, low: 0.0, high: 20.0 });
        assert_eq!(counter.counted(window(110, 120)).low, 0.0, "never less than nothing");
        let measured = counter.counted(window(0, 150)).measured(counter.readings(window(0, 150)));
        assert_eq!((measured.value, measured.below, measured.above, measured.samples), (Some(20.0), 10.0, 10.0, 2));
    }

    #[test]
    fn a_reading_takes_its_time() {
        let reading = |from_ns, to_ns, count| Reading { from_ns, to_ns, count, doubt: Doubt::default() };
        let counter = Counter::new(vec![reading(0, 4, 1.0), reading(100, 104, 5.0), reading(200, 204, 9.0)]);
        assert_eq!(counter.counted(window(0, 102)), Known { value: 4.0, low: 0.0, high: 8.0 }, "inside the second reading");
        assert_eq!(counter.counted(window(0, 104)).high, 8.0, "the third may tell of what came right after it");
        assert_eq!(counter.counted(window(0, 205)), Known::exact(8.0));
        assert_eq!(counter.counted(window(2, 205)), Known { value: 8.0, low: 4.0, high: 8.0 });
    }

    #[test]
    fn nothing_was_read_and_nothing_is_counted() {
        assert_eq!(Counter::default().counted(window(0, 10)), Known::exact(0.0));
        assert_eq!(Counter::default().readings(window(0, 10)), 0);
        let one = counter(&[(5, 3.0)]);
        assert_eq!(one.counted(window(0, 10)), Known::exact(0.0));
    }

    #[test]
    fn steps_are_exact_at_readings_and_open_between_them() {
        let counter = counter(&[(0, 4.0), (100, 4.0), (200, 9.0), (300, 9.0)]);
        let steps = counter.steps(window(0, 301));
        assert_eq!((steps.start, steps.changes.clone()), (0.0, vec![(101, 0.0), (200, 5.0)]));
        assert_eq!(steps.limits, [(0, 0.0, 0.0), (101, 0.0, 5.0), (200, 5.0, 5.0)]);
        assert_eq!(steps.limits_at(100), Some((0.0, 0.0)));
        assert_eq!(steps.limits_at(150), Some((0.0, 5.0)));
        assert_eq!(steps.limits_at(999), Some((5.0, 5.0)));
    }

    #[test]
    fn steps_from_between_two_readings_carry_the_error_of_the_start() {
        let counter = counter(&[(0, 0.0), (100, 10.0), (200, 10.0), (300, 12.0)]);
        let steps = counter.steps(window(50, 301));
        assert_eq!(steps.limits_at(50), Some((0.0, 0.0)), "at the start nothing has been counted");
        assert_eq!(steps.limits_at(60), Some((0.0, 10.0)));
        assert_eq!(steps.limits_at(150), Some((0.0, 10.0)), "how much of the 10 came before the window nobody knows");
        assert_eq!(steps.limits_at(300), Some((2.0, 12.0)));
        assert_eq!(steps.last(), 7.0);
        let settled = counter.steps(window(150, 301));
        assert_eq!(settled.limits, [(150, 0.0, 0.0), (201, 0.0, 2.0), (300, 2.0, 2.0)], "a start where nothing happens is exact");
    }

    #[test]
    fn a_window_ends_before_its_last_instant() {
        let counter = counter(&[(0, 0.0), (100, 10.0)]);
        assert_eq!(counter.steps(window(0, 100)).last(), 0.0);
        assert_eq!(counter.steps(window(0, 101)).last(), 10.0);
        assert!(counter.steps(window(0, 1)).changes.is_empty());
    }

    #[test]
    fn what_is_in_doubt_at_a_start_may_come_after_it() {
        let reading =
            |at, count, below, above| Reading { from_ns: at, to_ns: at, count, doubt: Doubt { below, above, ..Doubt::default() } };
        let counter = Counter::new(vec![
            reading(0, 0.0, 0.0, 0.0),
            reading(100, 5.0, 5.0, 5.0),
            reading(200, 10.0, 0.0, 0.0),
            reading(300, 10.0, 0.0, 0.0),
        ]);
        assert_eq!(counter.counted(window(100, 200)), Known { value: 5.0, low: 0.0, high: 10.0 });
        for from in [100, 150] {
            let steps = counter.steps(window(from, 301));
            assert_eq!(steps.limits_at(from), Some((0.0, 0.0)));
            assert_eq!(steps.limits_at(from + 1), Some((0.0, 10.0)), "from {from}");
            assert_eq!(steps.limits_at(250), Some((0.0, 10.0)), "how much of it came before nobody knows");
        }
        assert_eq!(counter.steps(window(200, 301)).limits, [(200, 0.0, 0.0)]);
    }
}
