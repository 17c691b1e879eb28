//! Links: what came in, what became of it, how long it took, how late scn's own wire was. In: the samples of a record. Out: values over a
//! window, or every change in it. Between two samples a count lies between those of the two, which is the error of a window whose edge lies
//! there; samples are taken on a grid and at the named events of the timeline.

use scn_grammar::scenario::expect::{Metric, Subject};
use scn_reports::record::LinkRecord;
use scn_reports::record::counted::Counted::{self, Bytes, Corrupted, Cut, Delivered, Dropped, Duplicated, Lost, Reordered, Sent};
use scn_reports::record::counted::{LinkSample, WaySample};

use super::histogram::Spread;
use super::sampled::{Counter, Course, Doubt, Known, Reading};
use super::{Measured, Steps, Window, rows};

const NS_PER_S: f64 = 1e9;

/// How a metric comes of samples.
#[derive(Debug, Clone, Copy)]
enum How {
    /// One of the counts.
    Count(Counted),
    /// One count over another.
    Ratio(Counted, Counted),
    /// Eight times a count over the window's length.
    BitsPerSecond(Counted),
    /// Those that wait.
    Queued,
    /// The most that waited.
    MostQueued,
    /// A statistic of what a histogram holds.
    Spread(fn(&WaySample) -> &[(u64, u64)]),
}

/// Every metric of a link: its name, `*` for a statistic, and how it is measured.
const ROWS: &[(&str, How)] = &[
    ("sent", How::Count(Sent)),
    ("delivered", How::Count(Delivered)),
    ("dropped", How::Count(Dropped)),
    ("lost", How::Count(Lost)),
    ("cut", How::Count(Cut)),
    ("duplicated", How::Count(Duplicated)),
    ("corrupted", How::Count(Corrupted)),
    ("reordered", How::Count(Reordered)),
    ("loss", How::Ratio(Lost, Sent)),
    ("bandwidth", How::BitsPerSecond(Bytes)),
    ("queued", How::Queued),
    ("queue.max", How::MostQueued),
    ("delay.*", How::Spread(|way| &way.delay)),
    ("lag.*", How::Spread(|way| &way.lag)),
];

/// The names of the rows.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(name, _)| *name)
}

/// How a metric is measured, and which statistic it is.
fn how(name: &str) -> Option<(How, &str)> {
    rows::row(ROWS, name)
}

/// What a record says of links.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    links: &'a [LinkRecord],
}

impl<'a> Links<'a> {
    /// Of a record's links.
    #[must_use]
    pub fn new(links: &'a [LinkRecord]) -> Self {
        Links { links }
    }

    /// The link's name.
    #[must_use]
    pub fn name(&self, subject: &Subject) -> Option<String> {
        let Subject::Link(link) = subject else { return None };
        self.links.get(link.index()).map(|link| link.name.clone())
    }

    fn samples(&self, subject: &Subject) -> &'a [LinkSample] {
        let Subject::Link(link) = subject else { return &[] };
        self.links.get(link.index()).map_or(&[], |link| &link.samples)
    }

    /// From the first sample to the last one, ns.
    #[must_use]
    pub fn there(&self, subject: &Subject) -> Option<(i64, i64)> {
        let samples = self.samples(subject);
        Some((samples.first()?.at_ns, samples.last()?.at_ns))
    }

    /// A value over a window, which is cut to the time in which there are samples.
    #[must_use]
    pub fn measure(&self, metric: &Metric, window: Window) -> Measured {
        let (way, name) = metric.way_of_link();
        let Some((how, statistic)) = how(name) else {
            return Measured::nothing(format!("this version does not know how to measure `{}`", metric.name));
        };
        let view = View { samples: self.samples(&metric.subject), way };
        let samples = view.counter(Sent).readings(window);
        let counted = |what| view.counter(what).counted(window);
        match how {
            How::Count(what) => counted(what).measured(samples),
            How::Ratio(part, whole) => ratio(counted(part), counted(whole), samples),
            How::BitsPerSecond(what) => match window.length_ns() {
                0 => Measured::nothing("the window is too short to have a bandwidth"),
                length => {
                    let Known { value, low, high } = counted(what);
                    let bits = 8.0 * NS_PER_S / length as f64;
                    Known { value: value * bits, low: low * bits, high: high * bits }.measured(samples)
                }
            },
            How::Queued => {
                let steps = view.queued(window);
                let at = window.to_ns.saturating_sub(1);
                let (low, high) = steps.limits_at(at).unwrap_or((steps.last(), steps.last()));
                Known { value: steps.last(), low, high }.measured(samples)
            }
            How::MostQueued => view.most_queued(window).measured(samples),
            How::Spread(of) => view.spread(window, of).statistic(statistic),
        }
    }

    /// Every change in a window. `None`: it cannot be told at one moment.
    #[must_use]
    pub fn steps(&self, metric: &Metric, window: Window) -> Option<Steps> {
        let (way, name) = metric.way_of_link();
        let view = View { samples: self.samples(&metric.subject), way };
        match how(name)?.0 {
            How::Count(what) => Some(view.counter(what).steps(window)),
            How::Queued => Some(view.queued(window)),
            How::Ratio(..) | How::BitsPerSecond(_) | How::MostQueued | How::Spread(_) => None,
        }
    }
}

/// A counter or gauge at a moment, of the first sample and what is counted now. `None`: it needs a stretch of time.
#[must_use]
pub fn at_moment(metric: &Metric, [first, now]: &[LinkSample; 2]) -> Option<f64> {
    let (way, name) = metric.way_of_link();
    let of = |sample: &LinkSample, tell: &dyn Fn(&WaySample) -> u64| match way {
        Some(way) => tell(&sample.ways[way]),
        None => sample.ways.iter().map(tell).sum(),
    };
    match how(name)?.0 {
        How::Count(what) => {
            let count = |way: &WaySample| way.counts[what as usize];
            Some(of(now, &count).saturating_sub(of(first, &count)) as f64)
        }
        How::Queued => Some(of(now, &|way| way.queued) as f64),
        How::Ratio(..) | How::BitsPerSecond(_) | How::MostQueued | How::Spread(_) => None,
    }
}

/// One count over another, both of the same window.
fn ratio(part: Known, whole: Known, samples: u64) -> Measured {
    if whole.high == 0.0 {
        return Measured::nothing("no packet was given to the link in the window");
    }
    if whole.value == 0.0 {
        return Measured::nothing("how many packets were given to the link in the window lies within the error of measurement");
    }
    let high = if whole.low > 0.0 { (part.high / whole.low).min(1.0) } else { 1.0 };
    let value = part.value / whole.value;
    // What lies between two samples is rounded to whole packets, each count by itself.
    Known { value, low: (part.low / whole.high).min(value), high: high.max(value) }.measured(samples)
}

/// The samples of a link, both ways or one.
struct View<'a> {
    samples: &'a [LinkSample],
    way: Option<usize>,
}

impl<'a> View<'a> {
    fn ways(&self, sample: &'a LinkSample) -> impl Iterator<Item = &'a WaySample> {
        let way = self.way;
        sample.ways.iter().enumerate().filter(move |(at, _)| way.is_none_or(|way| way == *at)).map(|(_, sample)| sample)
    }

    fn counter(&self, what: Counted) -> Counter {
        let reading = |sample: &'a LinkSample| {
            let count: u64 = self.ways(sample).map(|way| way.counts[what as usize]).sum();
            Reading { from_ns: sample.at_ns, to_ns: sample.at_ns, count: count as f64, doubt: Doubt::default() }
        };
        Counter::new(self.samples.iter().map(reading).collect())
    }

    /// Samples with the one before, whose stretches meet a window.
    fn stretches(&self, window: Window) -> impl Iterator<Item = (&'a LinkSample, &'a LinkSample)> {
        let pairs = self.samples.windows(2).map(|pair| (&pair[0], &pair[1]));
        pairs.filter(move |(before, sample)| before.at_ns < window.to_ns && sample.at_ns > window.from_ns)
    }

    /// Those that wait for the rate: exact at samples and where it was most, between nothing and the most elsewhere.
    fn queued(&self, window: Window) -> Steps {
        let at_sample = |sample: &'a LinkSample| self.ways(sample).map(|way| way.queued).sum::<u64>() as f64;
        let most = |sample: &'a LinkSample| self.ways(sample).map(|way| way.most_queued).sum::<u64>() as f64;
        let before = self.samples.iter().rfind(|sample| sample.at_ns <= window.from_ns);
        let next = self.samples.iter().find(|sample| sample.at_ns > window.from_ns);
        let start = before.map_or(f64::NAN, at_sample);
        let open = |value: f64, high: f64| if high == 0.0 { (0.0, 0.0, 0.0) } else { (value.min(high), 0.0, high) };
        let at_start = match (before, next) {
            (Some(before), _) if before.at_ns == window.from_ns => Known::exact(start),
            (Some(_), Some(next)) => Known { value: start, low: 0.0, high: most(next) },
            (Some(_), None) => Known::exact(start),
            (None, _) => Known { value: f64::NAN, low: f64::NEG_INFINITY, high: f64::INFINITY },
        };
        let mut course = Course::starting(window.from_ns, at_start);
        let inside = |at: i64| at > window.from_ns && at < window.to_ns;
        for (before, sample) in self.stretches(window) {
            let (from, value, high) = (before.at_ns, at_sample(before), most(sample));
            if inside(from.saturating_add(1)) {
                course.put(from.saturating_add(1), open(value, high));
            }
            // The instant at which one way held most is exact for a link whose other way is not asked for, or held none.
            let mut ways = self.ways(sample).filter(|way| way.most_queued > 0);
            if let (Some(way), None) = (ways.next(), ways.next())
                && inside(way.most_at_ns)
                && way.most_at_ns > from
                && way.most_at_ns < sample.at_ns
            {
                course.put(way.most_at_ns, (high, high, high));
                if inside(way.most_at_ns.saturating_add(1)) {
                    course.put(way.most_at_ns.saturating_add(1), open(value, high));
                }
            }
            if inside(sample.at_ns) {
                let now = at_sample(sample);
                course.put(sample.at_ns, (now, now, now));
            }
        }
        course.done()
    }

    /// The most that waited at once in the queue of a way; of both ways that of the fuller one.
    fn most_queued(&self, window: Window) -> Known {
        let inside = |at: i64| (window.from_ns..window.to_ns).contains(&at);
        let (mut low, mut high) = (0u64, 0u64);
        for sample in self.samples.iter().filter(|sample| inside(sample.at_ns)) {
            low = self.ways(sample).map(|way| way.queued).fold(low, u64::max);
        }
        for (_, sample) in self.stretches(window) {
            for way in self.ways(sample) {
                high = high.max(way.most_queued);
                if inside(way.most_at_ns) {
                    low = low.max(way.most_queued);
                }
            }
        }
        Known { value: low as f64, low: low as f64, high: high.max(low) as f64 }
    }

    fn spread(&self, window: Window, of: fn(&WaySample) -> &[(u64, u64)]) -> Spread {
        let mut spread = Spread::new("no packet left the link in the window");
        for (before, sample) in self.stretches(window) {
            let whole = before.at_ns >= window.from_ns && sample.at_ns < window.to_ns;
            self.ways(sample).for_each(|way| spread.add(of(way), whole, sample.at_ns));
        }
        spread
    }
}

#[cfg(test)]
mod tests;
