//! A condition over time: moments with its truth. Counters and gauges make a new moment at every change; everything else is measured
//! over whole intervals. In: a condition, the flows, a window. Out: moments in order. Decides nothing.

use scn_grammar::scenario::expect::{Shape, Subject};

use super::condition::Ready;
use super::evidence::{Asked, Evidence};
use super::range::{Range, Truth};
use crate::measure::{self, Growth, Measured, Steps, Window};

/// More intervals than this are not measured; what lies behind them is unknown.
const MAX_INTERVALS: usize = 1_000_000;

/// A stretch of time over which a condition's truth is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    /// Its first instant, ns.
    pub from_ns: i64,
    /// The first instant after it, ns.
    pub to_ns: i64,
    /// The instant as of which the truth counts, ns: the first of a change, the last of an interval.
    pub since_ns: i64,
    /// The condition's truth.
    pub truth: Truth,
    /// How far a plain comparison is from holding; not a number if that cannot be told.
    pub badness: f64,
}

/// What is asked.
pub(super) struct Question<'a> {
    /// The condition.
    pub ready: &'a Ready<'a>,
    /// What is measured.
    pub evidence: &'a Evidence<'a>,
    /// From where counters count, to the last instant seen: cut at every flow's start and stop.
    pub window: Window,
    /// The first instant that is judged; not before the window.
    pub judged_from_ns: i64,
    /// Length of an interval, ns.
    pub every_ns: i64,
}

/// A measured value as a range. Nothing that is measured is negative.
pub(super) fn range(measured: &Measured) -> Range {
    measured.value.map_or(Range::unknown(), |value| Range {
        value,
        low: if measured.below.is_infinite() { f64::NEG_INFINITY } else { (value - measured.below).max(0.0) },
        high: value + measured.above,
    })
}

impl Question<'_> {
    /// The moments of the window.
    pub fn moments(&self) -> Vec<Moment> {
        if self.ready.is_momentary() { self.changes() } else { self.intervals() }
    }

    /// The stretches in which all things were there. A stop's own instant ends them, but what happened at the stop still counts.
    fn pieces(&self) -> Vec<Window> {
        let judged = Window { from_ns: self.judged_from_ns.max(self.window.from_ns), ..self.window };
        self.ready.subjects().into_iter().fold(vec![judged], |pieces, subject| {
            let runs = self.evidence.runs(subject);
            let cut = |piece: &Window| -> Vec<Window> {
                let runs = runs.iter().map(|(from_ns, stop)| piece.common(Window { from_ns: *from_ns, to_ns: stop.saturating_add(1) }));
                runs.filter(|piece| !piece.is_empty()).collect()
            };
            pieces.iter().flat_map(cut).collect()
        })
    }

    /// The metrics' values at one moment: that of a change, or over an interval.
    pub fn values(&self, moment: &Moment) -> Vec<Measured> {
        let of = |metric: &Asked<'_>| {
            if self.ready.is_momentary() {
                let until = Window { from_ns: self.window.from_ns, to_ns: moment.from_ns.saturating_add(1) };
                let steps = self.evidence.steps(metric, until);
                let value = Some(steps.last()).filter(|value| !value.is_nan());
                let (low, high) = steps.limits_at(moment.from_ns).unwrap_or((steps.last(), steps.last()));
                let (below, above) = value.map_or((0.0, 0.0), |value| (value - low, high - value));
                return Measured { value, below, above, ..Measured::exact(0.0, 1 + steps.changes.len() as u64) };
            }
            let from_ns = if metric.shape == Shape::Interval { moment.from_ns } else { self.window.from_ns };
            self.evidence.measure(metric, Window { from_ns, to_ns: moment.to_ns })
        };
        self.ready.metrics.iter().map(of).collect()
    }

    /// One moment a change of any counter or gauge, and one at the window's edge.
    fn changes(&self) -> Vec<Moment> {
        let steps: Vec<Steps> = self.ready.metrics.iter().map(|metric| self.evidence.steps(metric, self.window)).collect();
        let lost: Vec<Option<(i64, Growth)>> = self.ready.metrics.iter().map(|m| self.lost_after(m)).collect();
        let mut instants: Vec<i64> = steps.iter().flat_map(|s| s.changes.iter().map(|(at, _)| *at)).collect();
        instants.extend(lost.iter().flatten().map(|(at, _)| *at));
        instants.sort_unstable();
        instants.dedup();
        let mut next = vec![0usize; steps.len()];
        let range = |steps: &Steps, at_ns: i64, value: f64| {
            let (low, high) = steps.limits_at(at_ns).unwrap_or((value, value));
            Range { value, low, high }
        };
        let mut values: Vec<Range> = steps.iter().map(|s| range(s, self.window.from_ns, s.start)).collect();
        let mut moments = Vec::with_capacity(instants.len() + 1);
        for piece in self.pieces() {
            let inside = instants.partition_point(|at| *at <= piece.from_ns)..instants.partition_point(|at| *at < piece.to_ns);
            let starts = std::iter::once(piece.from_ns).chain(instants[inside.clone()].iter().copied());
            let ends = instants[inside.clone()].iter().copied().chain(std::iter::once(piece.to_ns));
            for (from_ns, to_ns) in starts.zip(ends) {
                for (at, value) in values.iter_mut().enumerate() {
                    while let Some((_, level)) = steps[at].changes.get(next[at]).filter(|(when, _)| *when <= from_ns) {
                        *value = range(&steps[at], from_ns, *level);
                        next[at] += 1;
                    }
                    match lost[at] {
                        Some((after, Growth::Up)) if after <= from_ns => value.high = f64::INFINITY,
                        Some((after, _)) if after <= from_ns => *value = Range { value: value.value, ..Range::unknown() },
                        _ => {}
                    }
                }
                let badness = self.ready.badness(&values).unwrap_or(f64::NAN);
                moments.push(Moment { from_ns, to_ns, since_ns: from_ns, truth: self.ready.holds(&values), badness });
            }
        }
        moments
    }

    /// The instant after which a truncated series tells only a limit of a counter, or nothing of a gauge.
    fn lost_after(&self, metric: &Asked<'_>) -> Option<(i64, Growth)> {
        let Subject::Flow(flow) = metric.subject else { return None };
        let at = self.evidence.flows.get(flow.index())?.record.truncated_at_ns?;
        Some((at.max(self.window.from_ns), measure::growth(&metric.name, metric.shape)))
    }

    /// One moment a whole interval, from the window's start; those that an edge cuts do not count.
    fn intervals(&self) -> Vec<Moment> {
        let every = self.every_ns.max(1);
        let mut moments = Vec::new();
        for piece in self.pieces() {
            // The stop's own instant is no time in which something could be measured.
            let mut from_ns = piece.from_ns;
            while from_ns.saturating_add(every) <= piece.to_ns {
                if moments.len() == MAX_INTERVALS {
                    let (to_ns, truth) = (piece.to_ns, Truth::Unknown);
                    moments.push(Moment { from_ns, to_ns, since_ns: to_ns, truth, badness: f64::NAN });
                    return moments;
                }
                let (to_ns, unknown) = (from_ns + every, Truth::Unknown);
                let mut moment = Moment { from_ns, to_ns, since_ns: to_ns, truth: unknown, badness: f64::NAN };
                let values: Vec<Range> = self.values(&moment).iter().map(range).collect();
                moment.truth = self.ready.holds(&values);
                moment.badness = self.ready.badness(&values).unwrap_or(f64::NAN);
                moments.push(moment);
                from_ns = to_ns;
            }
        }
        moments
    }
}
