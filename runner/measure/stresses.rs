//! Mixes of random streams: how many there were, what their messages did, how long those took. In: the samples of a record. Out: values over a window,
//! or every change in it. Between two samples a count lies between those of the two, which is the error of a window whose edge lies there;
//! samples are taken on a grid and at the named events of the timeline.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::expect::{Metric, Subject};
use scn_grammar::scenario::metrics::{self, Measures, OwnerKind};
use scn_reports::record::flow::Measurement;
use scn_reports::record::stress::StressCount::{self, BackBytes, Failed, ForwardBytes, Lost, Received, Sent, Streams};
use scn_reports::record::stress::{StressRecord, StressSample};

use super::histogram::Spread;
use super::sampled::{Counter, Course, Doubt, Known, Reading};
use super::{Measured, Steps, Window, rows, show};

const NS_PER_S: f64 = 1e9;

/// How a metric comes of samples.
#[derive(Debug, Clone, Copy)]
enum How {
    /// One of the counts.
    Count(StressCount),
    /// One count over another.
    Ratio(StressCount, StressCount),
    /// So many times a count over the time that it ran in the window.
    PerSecond(StressCount, f64),
    /// Those alive.
    Active,
    /// A statistic of how long messages took.
    Latency,
}

/// Every metric of a stress: its name, `*` for a statistic, and how it is measured.
const ROWS: &[(&str, How)] = &[
    ("streams", How::Count(Streams)),
    ("active", How::Active),
    ("failed", How::Count(Failed)),
    ("sent", How::Count(Sent)),
    ("received", How::Count(Received)),
    ("lost", How::Count(Lost)),
    ("loss", How::Ratio(Lost, Sent)),
    ("rate", How::PerSecond(Received, 1.0)),
    ("goodput.forward", How::PerSecond(ForwardBytes, 8.0)),
    ("goodput.back", How::PerSecond(BackBytes, 8.0)),
    ("latency.*", How::Latency),
];

/// The numbers of a report, in its order.
const SHOWN: &[&str] = &[
    "streams",
    "failed",
    "sent",
    "received",
    "lost",
    "loss",
    "rate",
    "goodput.forward",
    "goodput.back",
    "latency.p50",
    "latency.p99",
    "latency.max",
];

/// The names of the rows.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(name, _)| *name)
}

fn how(name: &str) -> Option<(How, &str)> {
    rows::row(ROWS, name)
}

/// What a record says of stresses.
#[derive(Debug, Clone, Copy)]
pub struct Stresses<'a> {
    stresses: &'a [StressRecord],
}

impl<'a> Stresses<'a> {
    /// Of a record's stresses.
    #[must_use]
    pub fn new(stresses: &'a [StressRecord]) -> Self {
        Stresses { stresses }
    }

    fn of(&self, subject: &Subject) -> Option<&'a StressRecord> {
        let Subject::Stress(stress) = subject else { return None };
        self.stresses.get(stress.index())
    }

    /// The stress's name.
    #[must_use]
    pub fn name(&self, subject: &Subject) -> Option<String> {
        self.of(subject).map(|stress| stress.name.clone())
    }

    /// When it ran: starts and stops, ns.
    #[must_use]
    pub fn runs(&self, subject: &Subject) -> Vec<(i64, i64)> {
        self.of(subject).map_or_else(Vec::new, |stress| stress.ran_ns.clone())
    }

    /// It was stopped for the run's end alone, or never came to its end.
    #[must_use]
    pub fn was_cut(&self, subject: &Subject) -> bool {
        self.of(subject).is_some_and(|stress| !stress.finished)
    }

    /// A value over a window, which is cut to the time in which it ran.
    #[must_use]
    pub fn measure(&self, metric: &Metric, window: Window) -> Measured {
        match self.of(&metric.subject) {
            Some(stress) => measure(&metric.name, stress, window),
            None => Measured::nothing("the record has no such stress"),
        }
    }

    /// Every change in a window. `None`: it cannot be told at one moment.
    #[must_use]
    pub fn steps(&self, metric: &Metric, window: Window) -> Option<Steps> {
        let stress = self.of(&metric.subject)?;
        match how(&metric.name)?.0 {
            How::Count(what) => Some(counter(stress, what).steps(window)),
            How::Active => Some(active(stress, window)),
            How::Ratio(..) | How::PerSecond(..) | How::Latency => None,
        }
    }
}

/// What comes after a stop counts at the stop.
fn counted_at(stress: &StressRecord, at_ns: i64) -> i64 {
    match stress.ran_ns.partition_point(|run| run.0 <= at_ns) {
        0 => stress.ran_ns.first().map_or(at_ns, |run| run.0),
        after => at_ns.min(stress.ran_ns[after - 1].1),
    }
}

fn counter(stress: &StressRecord, what: StressCount) -> Counter {
    let reading = |sample: &StressSample| {
        let at = |instant| counted_at(stress, instant);
        let known = sample.doubts.iter().find(|doubt| doubt.count == what as usize).copied().unwrap_or_default();
        let doubt = Doubt { below: known.below as f64, above: known.above as f64, begun: known.begun as f64, past: known.past as f64 };
        Reading { from_ns: at(sample.from_ns), to_ns: at(sample.to_ns), count: sample.counts[what as usize] as f64, doubt }
    };
    let mut readings: Vec<Reading> = Vec::with_capacity(stress.samples.len());
    for reading in stress.samples.iter().map(reading) {
        // Of several that count at one stop the last tells all.
        match readings.last_mut() {
            Some(last) if last.to_ns == reading.to_ns => *last = reading,
            _ => readings.push(reading),
        }
    }
    Counter::new(readings)
}

fn measure(name: &str, stress: &StressRecord, window: Window) -> Measured {
    let Some((how, statistic)) = how(name) else {
        return Measured::nothing(format!("this version does not know how to measure `{name}`"));
    };
    let counted = |what| counter(stress, what).counted(window);
    if let Some(why) = nothing_could_happen(name, stress, counted(Sent)) {
        return Measured::nothing(why);
    }
    let samples = counter(stress, Sent).readings(window);
    match how {
        How::Count(what) => counted(what).measured(samples),
        How::Ratio(part, whole) => ratio(counted(part), counted(whole), samples),
        How::PerSecond(what, times) => {
            let runs = stress.ran_ns.iter().map(|(from_ns, to_ns)| window.common(Window { from_ns: *from_ns, to_ns: *to_ns }).length_ns());
            match runs.sum::<i64>() {
                0 => Measured::nothing("the window is too short to have a rate"),
                length => {
                    let Known { value, low, high } = counted(what);
                    let per = times * NS_PER_S / length as f64;
                    Known { value: value * per, low: low * per, high: high * per }.measured(samples)
                }
            }
        }
        How::Active => {
            let steps = active(stress, window);
            let (low, high) = steps.limits_at(window.to_ns.saturating_sub(1)).unwrap_or((steps.last(), steps.last()));
            Known { value: steps.last(), low, high }.measured(samples)
        }
        How::Latency => {
            let mut spread = Spread::new("no message came back in the window");
            for (before, sample) in stretches(stress, window) {
                let whole = before.to_ns >= window.from_ns && sample.from_ns < window.to_ns;
                spread.add(&sample.latency, whole, sample.to_ns);
            }
            spread.statistic(statistic)
        }
    }
}

/// None of what goes wrong is no good news where nothing could have gone wrong.
fn nothing_could_happen(name: &str, stress: &StressRecord, sent: Known) -> Option<&'static str> {
    let last = stress.samples.last();
    match name {
        _ if last.is_none() => Some("nothing was counted"),
        "failed" if last.is_some_and(|sample| sample.counts[Streams as usize] == 0) => Some("no stream began"),
        "lost" if sent.high == 0.0 => Some("nothing was sent that could be lost"),
        _ => None,
    }
}

/// Samples with the one before, whose stretches meet a window.
fn stretches(stress: &StressRecord, window: Window) -> impl Iterator<Item = (&StressSample, &StressSample)> {
    let pairs = stress.samples.windows(2).map(|pair| (&pair[0], &pair[1]));
    pairs.filter(move |(before, sample)| before.from_ns < window.to_ns && sample.to_ns > window.from_ns)
}

/// Those alive: exact at samples, between them no fewer than the fewest and no more than the most.
fn active(stress: &StressRecord, window: Window) -> Steps {
    let before = stress.samples.iter().rfind(|sample| sample.to_ns <= window.from_ns);
    let next = stress.samples.iter().find(|sample| sample.to_ns > window.from_ns);
    let start = before.map_or(0.0, |sample| sample.active as f64);
    let (low, high) = next.map_or((start, start), |next| (next.least_active as f64, next.most_active as f64));
    let mut course = Course::starting(window.from_ns, Known { value: start, low: low.min(start), high: high.max(start) });
    let inside = |at: i64| at > window.from_ns && at < window.to_ns;
    for (before, sample) in stretches(stress, window) {
        let open = before.to_ns.saturating_add(1);
        if inside(open) {
            course.put(open, (before.active as f64, sample.least_active as f64, sample.most_active as f64));
        }
        if inside(sample.to_ns) {
            course.put(sample.to_ns, (sample.active as f64, sample.active as f64, sample.active as f64));
        }
    }
    course.done()
}

fn ratio(part: Known, whole: Known, samples: u64) -> Measured {
    if whole.high == 0.0 {
        return Measured::nothing("nothing was sent in the window");
    }
    if whole.value == 0.0 {
        return Measured::nothing("how much was sent in the window lies within the error of measurement");
    }
    let high = if whole.low > 0.0 { (part.high / whole.low).min(1.0) } else { 1.0 };
    let value = (part.value / whole.value).min(1.0);
    Known { value, low: (part.low / whole.high).min(value), high: high.max(value) }.measured(samples)
}

/// The numbers of a stress over all its running time, in words; none if it never ran.
#[must_use]
pub fn summary(stress: &StressRecord) -> Vec<Measurement> {
    let (Some(first), Some(last)) = (stress.ran_ns.first(), stress.ran_ns.last()) else { return Vec::new() };
    let window = Window { from_ns: first.0, to_ns: last.1.saturating_add(1) };
    let row = |name: &&str| {
        let measured = measure(name, stress, window);
        let dimension =
            metrics::find(OwnerKind::Stress, name).map(|row| row.measures).map_or(Dimension::Count, |measures| match measures {
                Measures::Number(dimension) => dimension,
                Measures::Truth | Measures::Text => Dimension::Count,
            });
        Measurement {
            name: (*name).to_owned(),
            value: measured.value.map_or_else(|| "n/a".to_owned(), |value| show::value(value, dimension)),
            error: if measured.value.is_some() { show::error(measured.below, measured.above, dimension) } else { String::new() },
            definition: metrics::find(OwnerKind::Stress, name).map_or("", |row| row.doc).to_owned(),
        }
    };
    SHOWN.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use scn_reports::record::stress::Doubt as StressDoubt;

    use super::*;

    const MS: i64 = 1_000_000;

    fn sample(at_ms: i64, sent: u64, active: u64) -> StressSample {
        let mut counts = [0; StressCount::COUNT];
        counts[Sent as usize] = sent;
        counts[Received as usize] = sent;
        counts[ForwardBytes as usize] = 100 * sent;
        StressSample {
            from_ns: at_ms * MS,
            to_ns: at_ms * MS + 1_000,
            counts,
            doubts: Vec::new(),
            active,
            least_active: active.saturating_sub(1),
            most_active: active,
            latency: vec![(2_047, 3)],
        }
    }

    /// 100 messages each 100 ms until a pause from 300 to 600 ms; stopped at 1 s.
    fn stress() -> StressRecord {
        let sent = [(0, 0), (100, 100), (200, 200), (300, 300), (400, 305), (500, 305), (600, 305), (700, 400), (1_000, 700), (1_100, 702)];
        let samples = sent.into_iter().map(|(at, sent)| sample(at, sent, if (400..=600).contains(&at) { 0 } else { 5 })).collect();
        StressRecord { name: "mix".to_owned(), ran_ns: vec![(0, 1_000 * MS)], finished: true, samples, ..StressRecord::default() }
    }

    fn of(name: &str, from_ms: i64, to_ms: i64) -> Measured {
        measure(name, &stress(), Window { from_ns: from_ms * MS, to_ns: to_ms * MS })
    }

    #[test]
    fn a_pause_is_silent_and_surely_so() {
        let silent = of("sent", 420, 580);
        assert_eq!((silent.value, silent.below, silent.above), (Some(0.0), 0.0, 0.0));
        let edge = of("sent", 350, 580);
        assert_eq!((edge.below + edge.value.unwrap(), edge.value.unwrap() + edge.above >= 5.0), (edge.value.unwrap() * 2.0, true));
        assert_eq!(of("rate", 420, 580).value, Some(0.0));
        assert_eq!((of("loss", 420, 580).value, of("lost", 420, 580).value), (None, None), "nothing was sent that could be lost");
        assert_eq!(of("failed", 420, 580).value, None, "no stream began");
    }

    #[test]
    fn what_tools_told_is_in_doubt_around_its_edges_alone() {
        let mut record = stress();
        let doubt = |below, above, begun, past| vec![StressDoubt { count: Sent as usize, below, above, begun, past }];
        // At 200 ms 40 of the 200 may have come later, and 20 of those that came later before; at 700 ms something went on of which nobody told.
        record.samples[2].doubts = doubt(40, 20, 0, 0);
        record.samples[7].doubts = doubt(0, 0, 500, 0);
        record.samples[8].doubts = doubt(0, 0, 500, 500);
        record.samples[9].doubts = doubt(0, 0, 500, 500);
        let sent = |from_ms: i64, to_ms: i64| {
            let measured = measure("sent", &record, Window { from_ns: from_ms * MS, to_ns: to_ms * MS });
            (measured.value.unwrap(), measured.below, measured.above)
        };
        assert_eq!(sent(420, 580), (0.0, 0.0, 0.0), "behind all that is in doubt");
        let (value, below, above) = sent(201, 401);
        assert!((100.0..=110.0).contains(&value) && below >= 20.0 && above >= 40.0, "{value} {below} {above}");
        assert_eq!(sent(0, 401), (305.0, 0.0, 0.0), "all of it");
        let (value, below, above) = sent(620, 1_050);
        assert!(value > 370.0 && below <= 95.0 && above >= 500.0, "{value} {below} {above}");
        record.samples.push(StressSample { doubts: doubt(0, 0, 500, 500), ..sample(1_200, 702, 5) });
        record.ran_ns = vec![(0, 3_000 * MS)];
        let behind = measure("sent", &record, Window { from_ns: 1_110 * MS, to_ns: 1_190 * MS });
        assert_eq!((behind.value, behind.below, behind.above), (Some(0.0), 0.0, 0.0), "what may have come is over");
    }

    #[test]
    fn what_comes_after_the_stop_counts_at_the_stop() {
        let all = of("sent", 0, 1_001);
        assert_eq!((all.value, all.error()), (Some(702.0), 0.0));
        assert_eq!(of("goodput.forward", 0, 1_001).value, Some(702.0 * 100.0 * 8.0));
    }

    #[test]
    fn active_lies_between_the_fewest_and_the_most() {
        let steps = active(&stress(), Window { from_ns: 0, to_ns: 1_000 * MS });
        assert_eq!(steps.limits_at(150 * MS), Some((4.0, 5.0)));
        assert_eq!(steps.limits_at(500 * MS), Some((0.0, 0.0)));
        assert_eq!(steps.limits_at(650 * MS), Some((4.0, 5.0)));
        assert_eq!(of("latency.p99", 0, 1_001).value, Some(2_047.0));
        assert_eq!(names().count(), metrics::of(OwnerKind::Stress).count());
    }
}
