//! From samples to numbers, one file a metric family. In: a flow's series, a window, the events' instants. Out: values with
//! their error. Pure: no clock, no files, and it decides nothing.
//!
//! | file | metrics |
//! | --- | --- |
//! | `counters` | everything that is counted, and `backends` |
//! | `gauges` | `active`, `connecting` |
//! | `loss` | `loss`, disruptions (RFC 7680, RFC 3357) |
//! | `rate` | `rate`, `goodput.*`, `backends.skew` |
//! | `latency` | `latency.*`, `service.*`, `lag.*` |
//! | `connection` | `connect_time.*`, `handshake_time.*`, `reconnect_time.*`, `lasting_connections` |
//! | `outage` | `outage.*` (RFC 6414) |
//! | `failover` | `failover_time`, `reversion_time`, `time_to_first_loss` (RFC 6414) |
//! | `tcp` | `tcp.*` |
//! | `packets` | `late`, `duplicates`, `reordered`, `forward.*`, `back.*` (RFC 7680, 5560, 4737) |
//! | `delay` | `rtt.*`, `owd.*`, `delay_variation.*`, each way too (RFC 2681, 7679, 5481) |
//! | `sight` | what of a flow of frames nobody could see |
//! | `tools` | what real tools report of stretches of time, and their `errors` |
//! | `programs` | everything of programs under test and of commands |
//! | `links` | everything of links, from samples (`sampled`) and histograms (`histogram`) |
//! | `interfaces` | everything of interfaces, from samples |
//! | `stresses` | everything of mixes of streams, from samples and histograms |
//!
//! An event belongs to the instant at which it happens: a transaction is *sent* at `sent_ns`, *done* or *failed* at `done_ns`,
//! *lost* at `sent_ns`, *dropped* at `intended_ns`. What happens after a flow was stopped counts at the stop.

mod connection;
mod counters;
mod delay;
mod distribution;
mod failover;
mod gauges;
pub(crate) mod histogram;
pub mod interfaces;
mod latency;
pub mod links;
mod loss;
mod outage;
mod packets;
pub mod programs;
mod rate;
mod regular;
mod rows;
mod sampled;
mod series;
pub mod show;
mod sight;
mod steps;
pub mod stresses;
mod summary;
mod tcp;
mod tools;

#[cfg(test)]
pub(crate) mod build;
#[cfg(test)]
mod tests;

use scn_grammar::scenario::expect::{Metric, Shape};
use scn_reports::record::packet::PacketWay;

pub use series::Series;
pub use steps::Steps;
pub use summary::summary;

/// A stretch of time, from the first instant that counts to the first that does not, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// First instant that counts, ns.
    pub from_ns: i64,
    /// First instant after it that does not count, ns.
    pub to_ns: i64,
}

impl Window {
    /// Its length, ns; 0 for an empty one.
    #[must_use]
    pub fn length_ns(self) -> i64 {
        self.to_ns.saturating_sub(self.from_ns).max(0)
    }

    /// Nothing can happen in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.to_ns <= self.from_ns
    }

    /// What two windows share.
    #[must_use]
    pub fn common(self, other: Window) -> Window {
        Window { from_ns: self.from_ns.max(other.from_ns), to_ns: self.to_ns.min(other.to_ns) }
    }
}

/// When an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happening {
    /// When the program asked for it, ns. This is the event's instant.
    pub asked_ns: i64,
    /// When the kernel had done it, ns. The true effect lies between the two.
    pub done_ns: i64,
}

impl Happening {
    /// How far the effect may lie behind the event's instant, ns.
    #[must_use]
    pub fn width_ns(self) -> i64 {
        self.done_ns.saturating_sub(self.asked_ns).max(0)
    }
}

/// What a metric needs to know besides its flow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Context {
    /// The scenario's events by their ids; `None`: it did not happen.
    pub events: Vec<Option<Happening>>,
    /// Their names, by their ids.
    pub names: Vec<String>,
    /// Events that are faults: their failover time stands in the summary.
    pub faults: Vec<u32>,
    /// How late the emulated links were at their worst hundredth, ns: a part of an outage's error.
    pub wire_ns: f64,
    /// Entries of the timeline that came late: when they were asked for, and by how much, both ns. What an entry heals late lasts
    /// that much longer, so the lateness is a part of an outage's error too.
    pub late_entries: Vec<(i64, i64)>,
    /// The run was cut: windows that reach a flow's end were not seen whole unless the flow had finished.
    pub cut: bool,
}

/// A measured value in its natural unit: count, ns, bytes, bit/s, 1/s, or a share of 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The value; `None`: there was nothing to measure.
    pub value: Option<f64>,
    /// The truth may lie this far below the value, same unit. Infinite: no lower limit is known.
    pub below: f64,
    /// The truth may lie this far above the value, same unit. Infinite: no upper limit is known.
    pub above: f64,
    /// How many samples it rests on.
    pub samples: u64,
    /// The worst sample and its instant, ns.
    pub worst: Option<(f64, i64)>,
    /// The window was seen whole: the series is not truncated in it and the run was not cut in it.
    pub complete: bool,
    /// What a reader should know about it.
    pub note: Option<String>,
}

impl Measured {
    /// A value without error.
    #[must_use]
    pub fn exact(value: f64, samples: u64) -> Self {
        Measured { value: Some(value), below: 0.0, above: 0.0, samples, worst: None, complete: true, note: None }
    }

    /// A value whose truth lies no further than `error` from it.
    #[must_use]
    pub fn about(value: f64, error: f64, samples: u64) -> Self {
        Measured { below: error, above: error, ..Measured::exact(value, samples) }
    }

    /// No value, and why.
    #[must_use]
    pub fn nothing(why: impl Into<String>) -> Self {
        Measured { value: None, below: 0.0, above: 0.0, samples: 0, worst: None, complete: true, note: Some(why.into()) }
    }

    /// The larger side of the error.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.below.max(self.above)
    }

    /// With the worst sample.
    #[must_use]
    fn worst(mut self, worst: Option<(f64, i64)>) -> Self {
        self.worst = worst;
        self
    }

    /// With a note.
    #[must_use]
    fn noted(mut self, note: Option<String>) -> Self {
        self.note = note;
        self
    }
}

/// Where the value of a window can still go when the window was not seen to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Only up.
    Up,
    /// Only down.
    Down,
    /// Either way.
    Either,
}

/// Where a metric's value can still go while its window runs on.
#[must_use]
pub fn growth(name: &str, shape: Shape) -> Growth {
    let grows = shape == Shape::Counter
        || name.starts_with("outage.")
        || name.ends_with(".max")
        || (name.starts_with("tcp.") && (name.ends_with(".retransmits") || name.contains(".bytes_")))
        || matches!(name, "failover_time" | "reversion_time");
    match name {
        _ if grows => Growth::Up,
        "lasting_connections" => Growth::Down,
        _ if name.ends_with(".min") => Growth::Down,
        _ => Growth::Either,
    }
}

/// Measures one metric over one window. The window was cut to the flow's running time ([`Series::cut`]).
///
/// Counters count what happened in the window. Gauges are told at the window's last moment. All others are defined in
/// their row of [`scn_grammar::scenario::metrics`].
#[must_use]
pub fn measure(metric: &Metric, flow: &Series<'_>, context: &Context, window: Window) -> Measured {
    if window.is_empty() {
        return Measured::nothing(format!("{} did not run in the window", flow.record.name));
    }
    if let Some(why) = sight::blind(flow, &metric.name) {
        return Measured::nothing(why);
    }
    let mut measured = value(metric, flow, context, window);
    if measured.value.is_some() {
        sight::widen(&mut measured, flow, &metric.name, window);
    }
    if !flow.saw_whole(window, context.cut) {
        measured.complete = false;
        match growth(&metric.name, metric.shape) {
            Growth::Up => measured.above = f64::INFINITY,
            Growth::Down => measured.below = f64::INFINITY,
            Growth::Either => (measured.below, measured.above) = (f64::INFINITY, f64::INFINITY),
        }
    }
    measured
}

fn value(metric: &Metric, flow: &Series<'_>, context: &Context, window: Window) -> Measured {
    let name = metric.name.as_str();
    if let Some(measured) = tools::measure(name, flow, window) {
        return measured;
    }
    let event = || metric.event.and_then(|id| Some((context.names.get(id.index())?.as_str(), *context.events.get(id.index())?)));
    match name {
        "active" | "connecting" => gauges::at_end(flow, name, window),
        "loss" => loss::ratio(flow, window),
        "forward.loss" => packets::loss(flow, PacketWay::Forward, window),
        "back.loss" => packets::loss(flow, PacketWay::Back, window),
        "rate" => rate::rate(flow, window),
        "goodput.forward" => rate::goodput(flow, window, rate::Direction::Forward),
        "goodput.back" => rate::goodput(flow, window, rate::Direction::Back),
        "backends.skew" => rate::skew(flow, window),
        "lasting_connections" => connection::lasting(flow, window),
        "outage.max" => outage::longest(flow, context, window, outage::By::Received),
        "outage.tx.max" => outage::longest(flow, context, window, outage::By::Sent),
        "outage.total" => outage::total(flow, context, window),
        "outage.count" => outage::count(flow, context, window),
        "outage.loss.max" => outage::by_loss(flow, context, window),
        "outage.rate.max" => outage::by_rate(flow, context, window),
        "failover_time" => failover::restored_after(flow, context, window, event(), failover::After::Fault),
        "reversion_time" => failover::restored_after(flow, context, window, event(), failover::After::Restoral),
        "time_to_first_loss" => failover::first_loss_after(flow, context, window, event()),
        _ => {
            if let Some(rest) = name.strip_prefix("tcp.") {
                return tcp::measure(flow, rest, window);
            }
            if let Some((family, statistic)) = name.rsplit_once('.')
                && let Some(family) = distribution::Family::of(family)
            {
                return flow.distribution(family, window).statistic(statistic);
            }
            packets::count(flow, name, window).unwrap_or_else(|| counters::count(flow, name, window))
        }
    }
}

/// The p99 of the program's own lateness in a window, ns; `None`: nothing was due in it.
#[must_use]
pub fn lag_p99(flow: &Series<'_>, window: Window) -> Option<f64> {
    flow.distribution(distribution::Family::Lag, window).statistic("p99").value
}

/// Every change of a counter or gauge in a window. A counter counts from the window's start. `None`: the metric cannot be told
/// at one moment.
#[must_use]
pub fn steps(metric: &Metric, flow: &Series<'_>, window: Window) -> Option<Steps> {
    if sight::blind(flow, &metric.name).is_some() {
        return None;
    }
    // Where some of it may have been missed no single moment can be told.
    let mut doubt = Measured::exact(0.0, 0);
    sight::widen(&mut doubt, flow, &metric.name, window);
    if doubt.below > 0.0 || doubt.above > 0.0 {
        return None;
    }
    if metric.shape == Shape::Counter
        && let Some(steps) = tools::steps(&metric.name, flow, window)
    {
        return Some(steps);
    }
    match metric.shape {
        Shape::Counter => match packets::counted(flow, &metric.name, window) {
            Some(instants) => Some(Steps::new(0.0, instants.into_iter().map(|at| (at, 1.0)).collect())),
            None => counters::steps(flow, &metric.name, window),
        },
        Shape::Gauge => gauges::steps(flow, &metric.name, window),
        Shape::Interval => None,
    }
}
