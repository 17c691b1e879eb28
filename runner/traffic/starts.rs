//! When an open loop means to start what it starts, fixed beforehand. In: a pace, how starts arrive. Out: an instant for each, in order. Waits for
//! nothing: `flow` and `client` do.

use std::cell::RefCell;
use std::rc::Rc;

use scn_grammar::scenario::flow::{Arrivals, Load, Phase};

use super::draw::Key;
use crate::plan::profile::Profile;

/// Parts of a run's key that are no connections.
const GAPS: u64 = u64::MAX;
const PHASES: u64 = u64::MAX - 1;
const OPENINGS: u64 = u64::MAX - 2;

/// A rate over time, which the timeline may change while it is followed.
pub type Course = Rc<RefCell<Profile>>;

/// The starts of a clock: that of a flow, or that of one of its connections.
#[derive(Debug)]
pub struct Starts {
    course: Course,
    burst: u64,
    /// So many clocks like this one make the flow's rate.
    clocks: f64,
    /// Where in their period those that this one stands for begin, in order; empty: all at once at its beginning.
    phases: Vec<f64>,
    /// The key of random gaps; `None`: all are alike.
    gaps: Option<Key>,
    /// Gaps drawn so far, and their sum where the mean is 1.
    drawn: (u64, f64),
}

impl Starts {
    /// Of a flow as a whole: `key` is that of its run, so that every worker has the same.
    pub fn of_flow(load: &Load, course: Course, key: Key) -> Starts {
        let mut starts = Starts::new(load, course, key);
        if load.phase == Phase::Random {
            starts.phases = (0..load.connections).map(|number| phase(key, number)).collect();
            starts.phases.sort_by(f64::total_cmp);
        }
        starts
    }

    /// Of a flow's connections where its transactions have a clock too, whose draws are others.
    pub fn of_openings(load: &Load, course: Course, key: Key) -> Starts {
        Starts::new(load, course, key.part(OPENINGS))
    }

    /// Of one of the flow's connections, by its number, that keeps a clock of its own.
    pub fn of_connection(load: &Load, course: Course, key: Key, number: u64) -> Starts {
        let mut starts = Starts::new(load, course, key.part(number));
        #[expect(clippy::cast_precision_loss, reason = "connections are counted in millions")]
        let clocks = load.connections.max(1) as f64;
        starts.clocks = clocks;
        starts.phases = vec![phase(key, number)];
        starts
    }

    fn new(load: &Load, course: Course, key: Key) -> Starts {
        let gaps = (load.arrivals == Arrivals::Poisson).then(|| key.part(GAPS));
        Starts { course, burst: load.burst.max(1), clocks: 1.0, phases: Vec::new(), gaps, drawn: (0, 0.0) }
    }

    /// The first start that is due at an instant or later: a connection that is opened then has those from there on.
    pub fn first_from(&mut self, from_ns: i64) -> u64 {
        if self.gaps.is_some() {
            return (0..u64::MAX).find(|k| self.at(*k) >= from_ns).unwrap_or(u64::MAX);
        }
        let (mut before, mut there) = (0, 1);
        while self.at(there) < from_ns {
            (before, there) = (there, there.saturating_mul(2));
        }
        while before < there {
            let middle = before + (there - before) / 2;
            match self.at(middle) < from_ns {
                true => before = middle + 1,
                false => there = middle,
            }
        }
        there
    }

    /// When the start number `k` is meant to be, ns. Asked for in rising order, and of one again when the course has changed.
    #[expect(clippy::cast_precision_loss, reason = "starts beyond 2^53 are never reached")]
    pub fn at(&mut self, k: u64) -> i64 {
        let burst = self.burst as f64;
        if let Some(key) = self.gaps {
            // A Poisson process in the time in which starts are due one by one (Lewis and Shedler 1979, time-scale transformation).
            let (mut count, mut sum) = self.drawn;
            while count <= k / self.burst {
                sum += key.part(count).gap();
                count += 1;
            }
            self.drawn = (count, sum);
            return self.course.borrow().due_ns(sum * burst * self.clocks);
        }
        let clocks = self.phases.len() as u64;
        if clocks == 0 {
            return self.course.borrow().start_ns(k / self.burst * self.burst);
        }
        let (round, place) = (k / (clocks * self.burst), k % (clocks * self.burst) / self.burst);
        let all = if clocks == 1 { self.clocks } else { clocks as f64 };
        self.course.borrow().due_ns((round as f64 + self.phases[place as usize]) * burst * all)
    }
}

/// Where in its first period a connection's clock begins.
fn phase(key: Key, number: u64) -> f64 {
    key.part(PHASES).part(number).unit(0)
}

#[cfg(test)]
mod tests {
    use scn_grammar::scenario::flow::Change;

    use super::*;

    const BILLION: u64 = 1_000_000_000;

    fn pace(rate: u64) -> Course {
        Rc::new(RefCell::new(Profile::new(7, rate * BILLION, None)))
    }

    fn of(load: &Load, course: Course, count: u64) -> Vec<i64> {
        let mut starts = Starts::of_flow(load, course, Key::of_seed(1).part(2));
        (0..count).map(|k| starts.at(k)).collect()
    }

    #[test]
    fn bursts_keep_the_rate() {
        let load = Load { burst: 4, ..Load::default() };
        let starts = of(&load, pace(100), 10);
        assert_eq!(starts[..9], [7, 7, 7, 7, 40_000_007, 40_000_007, 40_000_007, 40_000_007, 80_000_007]);
    }

    #[test]
    fn poisson_has_the_rate_and_the_spread_of_one() {
        let load = Load { arrivals: Arrivals::Poisson, ..Load::default() };
        let count = 100_000;
        let starts = of(&load, pace(1000), count);
        assert!(starts.is_sorted());
        let gaps: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // The standard errors of the mean and of the variance of exponential gaps of 1 ms; five of each.
        assert!((mean - 1.0).abs() < 5.0 / (count as f64).sqrt(), "{mean}");
        assert!((variance - 1.0).abs() < 5.0 * (8.0 / count as f64).sqrt(), "{variance}");
        // The same for every worker, whichever of them it asks for.
        let mut other = Starts::of_flow(&load, pace(1000), Key::of_seed(1).part(2));
        assert_eq!([5, 11, 999].map(|k| other.at(k)), [5, 11, 999].map(|k| starts[k as usize]));
    }

    #[test]
    fn poisson_follows_a_ramp() {
        let load = Load { arrivals: Arrivals::Poisson, ..Load::default() };
        let ramp = Change::Ramp { to: 3000 * BILLION, within_ns: 10 * BILLION };
        let course = Rc::new(RefCell::new(Profile::new(7, 1000 * BILLION, Some(&ramp))));
        let starts = of(&load, course, 20_000);
        // 7500 are due after 5 s; five standard deviations.
        let half = starts.partition_point(|at| *at < 5_000_000_007) as f64;
        assert!((half - 7500.0).abs() < 5.0 * 7500.0_f64.sqrt(), "{half}");
    }

    #[test]
    fn a_clock_is_joined_at_any_moment() {
        for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
            let load = Load { connections: 5, arrivals, phase: Phase::Random, ..Load::default() };
            let of = || Starts::of_connection(&load, pace(50), Key::of_seed(1).part(2), 3);
            for from_ns in [0, 7, 50_000_000, 100_000_007, 3_141_592_653] {
                let first = of().first_from(from_ns);
                assert!(of().at(first) >= from_ns, "{from_ns}: {first}");
                assert!(first == 0 || of().at(first - 1) < from_ns, "{from_ns}: {first}");
            }
        }
    }

    #[test]
    fn connections_with_clocks_of_their_own_share_the_rate() {
        let load = Load { connections: 5, phase: Phase::Random, ..Load::default() };
        let key = Key::of_seed(1).part(2);
        let mut all = Vec::new();
        for number in 0..5 {
            let mut own = Starts::of_connection(&load, pace(50), key, number);
            let starts: Vec<i64> = (0..10).map(|k| own.at(k)).collect();
            // Each has a period of 100 ms, and begins within its first.
            assert!((7..100_000_007).contains(&starts[0]));
            assert!(starts.windows(2).all(|pair| (pair[1] - pair[0] - 100_000_000).abs() <= 1));
            all.extend(starts);
        }
        all.sort_unstable();
        assert_eq!(of(&load, pace(50), 50), all, "the flow's clock is the sum of them");
        assert!(all.windows(2).any(|pair| (pair[1] - pair[0] - 20_000_000).abs() > 1_000_000), "they are not evenly spread");
    }
}
