//! Interfaces: what the kernel counts of them, and whether they have a carrier. In: the samples of a record. Out: values over a window, or
//! every change in it. Between two samples a count lies between those of the two; that the carrier went and came meanwhile the kernel counts.

use scn_grammar::scenario::expect::{Metric, Subject};
use scn_reports::record::counted::KernelCount::{self, RxBytes, RxDropped, RxErrors, RxPackets, TxBytes, TxDropped, TxErrors, TxPackets};
use scn_reports::record::counted::{InterfaceRecord, InterfaceSample};
use scn_reports::record::{NodeRecord, RunRecord};

use super::sampled::{Counter, Course, Doubt, Known, Reading};
use super::{Measured, Steps, Window};

/// How a metric comes of samples.
#[derive(Debug, Clone, Copy)]
enum How {
    /// One of the counts.
    Count(KernelCount),
    /// The carrier.
    Carrier,
}

/// Every metric of an interface, and how it is measured.
const ROWS: &[(&str, How)] = &[
    ("rx_packets", How::Count(RxPackets)),
    ("tx_packets", How::Count(TxPackets)),
    ("rx_bytes", How::Count(RxBytes)),
    ("tx_bytes", How::Count(TxBytes)),
    ("rx_errors", How::Count(RxErrors)),
    ("tx_errors", How::Count(TxErrors)),
    ("rx_dropped", How::Count(RxDropped)),
    ("tx_dropped", How::Count(TxDropped)),
    ("carrier", How::Carrier),
];

/// The names of the rows.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(name, _)| *name)
}

fn how(name: &str) -> Option<How> {
    ROWS.iter().find(|(row, _)| *row == name).map(|(_, how)| *how)
}

/// A counter or the carrier at a moment, of the first sample and one of now.
#[must_use]
pub fn at_moment(metric: &Metric, [first, now]: &[InterfaceSample; 2]) -> Option<f64> {
    Some(match how(&metric.name)? {
        How::Count(what) => now.counts[what as usize].saturating_sub(first.counts[what as usize]) as f64,
        How::Carrier => f64::from(u8::from(now.carrier)),
    })
}

/// What a record says of interfaces.
#[derive(Debug, Clone, Copy)]
pub struct Interfaces<'a> {
    nodes: &'a [NodeRecord],
    interfaces: &'a [InterfaceRecord],
    /// The timeline's end, ns.
    end_ns: i64,
}

impl<'a> Interfaces<'a> {
    /// Of a record.
    #[must_use]
    pub fn new(record: &'a RunRecord) -> Self {
        let end_ns = i64::try_from(record.duration_ns).unwrap_or(i64::MAX);
        Interfaces { nodes: &record.nodes, interfaces: &record.interfaces, end_ns }
    }

    /// `r1.eth0`.
    #[must_use]
    pub fn name(&self, subject: &Subject) -> Option<String> {
        let Subject::Interface(node, name) = subject else { return None };
        self.nodes.get(node.index()).map(|node| format!("{}.{name}", node.name))
    }

    fn record(&self, subject: &Subject) -> Option<&'a InterfaceRecord> {
        let Subject::Interface(node, name) = subject else { return None };
        self.interfaces.iter().find(|interface| interface.node == node.0 && interface.name == *name)
    }

    /// From the first sample to the last one, or to where no more could be had, ns.
    #[must_use]
    pub fn there(&self, subject: &Subject) -> Option<(i64, i64)> {
        let record = self.record(subject)?;
        let lost = record.lost.as_ref().map(|_| self.end_ns);
        let last = record.samples.last()?.to_ns;
        Some((record.samples.first()?.from_ns, lost.map_or(last, |end| end.max(last))))
    }

    /// A value over a window, which is cut to the time in which there are samples.
    #[must_use]
    pub fn measure(&self, metric: &Metric, window: Window) -> Measured {
        let (Some(record), Some(how)) = (self.record(&metric.subject), how(&metric.name)) else {
            return Measured::nothing(format!("this version does not know how to measure `{}`", metric.name));
        };
        if let Some((at, why)) = record.lost.as_ref().filter(|(at, _)| *at < window.to_ns) {
            let at = super::show::instant(*at);
            return Measured::nothing(format!("the interface could not be read from {at} on: {why}"));
        }
        match how {
            How::Count(what) => {
                let counter = counter(&record.samples, what);
                counter.counted(window).measured(counter.readings(window))
            }
            How::Carrier => {
                let steps = carrier(&record.samples, window);
                let at = window.to_ns.saturating_sub(1);
                let (low, high) = steps.limits_at(at).unwrap_or((steps.last(), steps.last()));
                if steps.last().is_nan() {
                    return Measured::nothing("there is no sample of it in the window");
                }
                Known { value: steps.last(), low, high }.measured(1 + steps.changes.len() as u64)
            }
        }
    }

    /// Every change in a window.
    #[must_use]
    pub fn steps(&self, metric: &Metric, window: Window) -> Option<Steps> {
        let (record, how) = (self.record(&metric.subject)?, how(&metric.name)?);
        let mut steps = match how {
            How::Count(what) => counter(&record.samples, what).steps(window),
            How::Carrier => carrier(&record.samples, window),
        };
        if let Some((at, _)) = record.lost.as_ref().filter(|(at, _)| *at < window.to_ns) {
            let at = (*at).max(window.from_ns);
            steps.changes.retain(|(when, _)| *when < at);
            steps.limits.retain(|(when, ..)| *when < at);
            steps.changes.push((at, f64::NAN));
            steps.limits.push((at, f64::NEG_INFINITY, f64::INFINITY));
        }
        Some(steps)
    }
}

fn counter(samples: &[InterfaceSample], what: KernelCount) -> Counter {
    let reading = |sample: &InterfaceSample| Reading {
        from_ns: sample.from_ns,
        to_ns: sample.to_ns,
        count: sample.counts[what as usize] as f64,
        doubt: Doubt::default(),
    };
    Counter::new(samples.iter().map(reading).collect())
}

/// Whether there was a carrier: exact between two samples unless it came or went there.
fn carrier(samples: &[InterfaceSample], window: Window) -> Steps {
    let level = |sample: &InterfaceSample| f64::from(u8::from(sample.carrier));
    let known = |before: &InterfaceSample, after: Option<&InterfaceSample>| match after {
        // Some devices lose it without counting that.
        Some(after) if after.changes != before.changes || after.carrier != before.carrier => (level(before), 0.0, 1.0),
        _ => (level(before), level(before), level(before)),
    };
    let next = samples.partition_point(|sample| sample.to_ns <= window.from_ns);
    let at_start = match next.checked_sub(1) {
        Some(before) => known(&samples[before], samples.get(next)),
        // Within the first sample.
        None => samples.first().map_or((f64::NAN, f64::NEG_INFINITY, f64::INFINITY), |first| known(first, None)),
    };
    let mut course = Course::starting(window.from_ns, Known { value: at_start.0, low: at_start.1, high: at_start.2 });
    for at in next..samples.len() {
        let sample = &samples[at];
        if sample.to_ns >= window.to_ns {
            break;
        }
        if sample.to_ns > window.from_ns {
            course.put(sample.to_ns, known(sample, None));
            if sample.to_ns.saturating_add(1) < window.to_ns {
                course.put(sample.to_ns.saturating_add(1), known(sample, samples.get(at + 1)));
            }
        }
    }
    course.done()
}

#[cfg(test)]
mod tests {
    use scn_grammar::scenario::NodeId;
    use scn_grammar::scenario::metrics::{self, OwnerKind};

    use super::*;

    const MS: i64 = 1_000_000;

    fn metric(name: &str) -> Metric {
        let row = metrics::find(OwnerKind::Interface, name).unwrap();
        let subject = Subject::Interface(NodeId(0), "eth0".to_owned());
        Metric { subject, name: name.to_owned(), event: None, dimension: row.dimension(), shape: row.shape, span: Default::default() }
    }

    /// Samples of 50 us each: instant, packets received, carrier, changes.
    fn recorded(samples: &[(i64, u64, bool, u32)]) -> InterfaceRecord {
        let sample = |(at, packets, carrier, changes): &(i64, u64, bool, u32)| {
            let mut counts = [0; KernelCount::COUNT];
            counts[RxPackets as usize] = *packets;
            InterfaceSample { from_ns: at * MS, to_ns: at * MS + 50_000, counts, carrier: *carrier, changes: *changes }
        };
        InterfaceRecord { node: 0, name: "eth0".to_owned(), samples: samples.iter().map(sample).collect(), lost: None }
    }

    fn of(record: &InterfaceRecord) -> Interfaces<'_> {
        Interfaces { nodes: &[], interfaces: std::slice::from_ref(record), end_ns: 1_000_000_000 }
    }

    fn window(from_ms: i64, to_ms: i64) -> Window {
        Window { from_ns: from_ms * MS, to_ns: to_ms * MS }
    }

    #[test]
    fn what_came_before_the_first_sample_does_not_count() {
        let record = recorded(&[(-1, 7, true, 2), (100, 17, true, 2), (200, 20, true, 2)]);
        let interfaces = of(&record);
        let (from_ns, to_ns) = interfaces.there(&metric("rx_packets").subject).unwrap();
        let whole = Window { from_ns, to_ns: to_ns + 1 };
        let measured = interfaces.measure(&metric("rx_packets"), whole);
        assert_eq!((measured.value, measured.error(), measured.samples), (Some(13.0), 0.0, 3));
        assert_eq!(interfaces.measure(&metric("tx_packets"), whole).value, Some(0.0));
        let part = interfaces.measure(&metric("rx_packets"), window(100, 150));
        assert_eq!((part.below, part.above >= 2.0), (part.value.unwrap(), true), "{part:?}");
    }

    #[test]
    fn a_carrier_is_sure_between_samples_unless_it_changed() {
        let record = recorded(&[(-1, 0, true, 2), (100, 0, true, 2), (200, 0, false, 3), (300, 0, false, 5), (400, 0, true, 6)]);
        let interfaces = of(&record);
        let steps = interfaces.steps(&metric("carrier"), window(0, 500)).unwrap();
        assert_eq!(steps.start, 1.0);
        assert_eq!(steps.limits_at(50 * MS), Some((1.0, 1.0)));
        assert_eq!(steps.limits_at(150 * MS), Some((0.0, 1.0)), "it went somewhere here");
        assert_eq!(steps.limits_at(200 * MS + 50_000), Some((0.0, 0.0)));
        assert_eq!(steps.limits_at(250 * MS), Some((0.0, 1.0)), "it came and went between two samples that look alike");
        assert_eq!(steps.limits_at(450 * MS), Some((1.0, 1.0)));
        let sure = interfaces.measure(&metric("carrier"), window(0, 100));
        assert_eq!((sure.value, sure.error()), (Some(1.0), 0.0));
        let at_sample = Window { from_ns: 0, to_ns: 100 * MS + 50_001 };
        assert_eq!(interfaces.measure(&metric("carrier"), at_sample).error(), 0.0, "as it was at that very instant");
        let unsure = interfaces.measure(&metric("carrier"), window(0, 150));
        assert_eq!((unsure.value, unsure.below), (Some(1.0), 1.0));
    }

    #[test]
    fn what_could_not_be_read_is_not_known() {
        let mut record = recorded(&[(-1, 0, true, 2), (100, 5, true, 2)]);
        record.lost = Some((120 * MS, "No such device".to_owned()));
        let interfaces = of(&record);
        assert_eq!(interfaces.there(&metric("carrier").subject), Some((-MS, 1_000_000_000)));
        let lost = interfaces.measure(&metric("rx_packets"), window(0, 200));
        assert_eq!((lost.value, lost.note.as_deref()), (None, Some("the interface could not be read from 120ms on: No such device")));
        assert!(interfaces.measure(&metric("rx_packets"), window(0, 101)).value.is_some());
        let steps = interfaces.steps(&metric("carrier"), window(0, 500)).unwrap();
        assert!(steps.last().is_nan() && steps.limits_at(130 * MS) == Some((f64::NEG_INFINITY, f64::INFINITY)));
        assert_eq!(steps.limits_at(110 * MS), Some((1.0, 1.0)));
    }

    #[test]
    fn nothing_was_sampled() {
        let interfaces = Interfaces { nodes: &[], interfaces: &[], end_ns: 0 };
        assert_eq!(interfaces.there(&metric("carrier").subject), None);
        assert_eq!(interfaces.measure(&metric("carrier"), window(0, 1)).value, None);
    }

    #[test]
    fn a_moment_counts_from_the_first_sample() {
        let samples = recorded(&[(-1, 7, true, 2), (100, 17, false, 3)]).samples;
        let now = |name: &str| at_moment(&metric(name), &[samples[0], samples[1]]);
        assert_eq!((now("rx_packets"), now("tx_packets"), now("carrier")), (Some(10.0), Some(0.0), Some(0.0)));
    }
}
