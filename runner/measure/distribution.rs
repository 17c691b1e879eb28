//! Distributions of durations and levels: minimum, mean, percentiles, maximum. In: samples, each perhaps with a lower limit and
//! perhaps without an upper one. Out: statistics with their error. Knows no flows.
//!
//! Percentiles are exact: the nearest rank of all samples, sorted; nothing is binned and nothing is averaged.

use scn_reports::record::packet::PacketWay;

use super::series::Series;
use super::{Measured, Window, connection, delay, latency};

/// Families of durations that have statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// From the intended start.
    Latency,
    /// From the first byte sent.
    Service,
    /// How late the program was.
    Lag,
    /// From `connect` to established.
    ConnectTime,
    /// From the beginning of a TLS handshake to its end.
    HandshakeTime,
    /// From a break to the successor's first transaction.
    ReconnectTime,
    /// From a datagram to its answer.
    RoundTrip,
    /// From a datagram's sending to its arrival.
    OneWay(PacketWay),
    /// That over its least; of the flow's own way if none is said.
    Variation(Option<PacketWay>),
}

impl Family {
    /// By the metric's name without the statistic.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "latency" => Family::Latency,
            "service" => Family::Service,
            "lag" => Family::Lag,
            "connect_time" => Family::ConnectTime,
            "handshake_time" => Family::HandshakeTime,
            "reconnect_time" => Family::ReconnectTime,
            "rtt" => Family::RoundTrip,
            "owd" | "forward.owd" => Family::OneWay(PacketWay::Forward),
            "back.owd" => Family::OneWay(PacketWay::Back),
            "delay_variation" => Family::Variation(None),
            "forward.delay_variation" => Family::Variation(Some(PacketWay::Forward)),
            "back.delay_variation" => Family::Variation(Some(PacketWay::Back)),
            _ => return None,
        })
    }

    pub(super) fn collect(self, flow: &Series<'_>, window: Window) -> Distribution {
        match self {
            Family::Latency => latency::latency(flow, window),
            Family::Service => latency::service(flow, window),
            Family::Lag => latency::lag(flow, window),
            Family::ConnectTime => connection::connect_time(flow, window),
            Family::HandshakeTime => connection::handshake_time(flow, window),
            Family::ReconnectTime => connection::reconnect_time(flow, window),
            Family::RoundTrip => delay::round_trip(flow, window),
            Family::OneWay(way) => delay::one_way(flow, window, way),
            Family::Variation(way) => delay::variation(flow, window, way),
        }
    }
}

/// Sorted samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Distribution {
    /// The samples, sorted.
    values: Vec<i64>,
    /// The least that each may truly have been, sorted; empty: the samples themselves.
    least: Vec<i64>,
    /// The most that each may truly have been, sorted, `i64::MAX` without a limit; empty: the samples themselves.
    most: Vec<i64>,
    /// One sample's unit in that of the result: 1 for ns, 1000 for us.
    scale: f64,
    /// The largest and its instant.
    worst: Option<(i64, i64)>,
    /// Said when there is no sample.
    empty: &'static str,
    /// Said with the value.
    note: Option<String>,
}

impl Distribution {
    /// Samples with their instants; `empty` says why there are none.
    pub(super) fn new(samples: impl Iterator<Item = (i64, i64)>, scale: f64, empty: &'static str) -> Self {
        let (mut values, mut worst) = (Vec::with_capacity(samples.size_hint().0), None);
        for (value, at) in samples {
            values.push(value);
            if worst.is_none_or(|(largest, _)| value > largest) {
                worst = Some((value, at));
            }
        }
        values.sort_unstable();
        Distribution { values, scale, worst, empty, ..Distribution::default() }
    }

    /// With the least that each sample may truly have been.
    pub(super) fn at_least(mut self, least: impl Iterator<Item = i64>) -> Self {
        self.least = least.collect();
        self.least.sort_unstable();
        if self.least == self.values {
            self.least.clear();
        }
        self
    }

    /// With the most that each sample may truly have been.
    pub(super) fn at_most(mut self, most: impl Iterator<Item = i64>) -> Self {
        self.most = most.collect();
        self.most.sort_unstable();
        self
    }

    /// With words for the reader.
    pub(super) fn noted(mut self, note: Option<String>) -> Self {
        self.note = note;
        self
    }

    /// How many samples.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// One of `min mean p50 p90 p95 p99 p999 max`.
    pub(super) fn statistic(&self, name: &str) -> Measured {
        let Some(value) = pick(&self.values, name) else {
            return Measured::nothing(if self.values.is_empty() {
                self.empty.to_owned()
            } else {
                format!("no statistic is called `{name}`")
            });
        };
        let below = pick(&self.least, name).map_or(0.0, |least| (value - least).max(0.0));
        let above = match pick(&self.most, name) {
            Some(most) if most >= i64::MAX as f64 / self.values.len() as f64 => f64::INFINITY,
            Some(most) => (most - value).max(0.0),
            None => 0.0,
        };
        Measured {
            value: Some(value * self.scale),
            below: below * self.scale,
            above: above * self.scale,
            samples: self.values.len() as u64,
            worst: self.worst.map(|(value, at)| (value as f64 * self.scale, at)),
            complete: true,
            note: self.note.clone(),
        }
    }
}

/// A statistic of sorted samples. Percentiles by nearest rank: the least sample that is not less than p percent of them.
fn pick(sorted: &[i64], name: &str) -> Option<f64> {
    let rank = |thousandths: usize| sorted.get((sorted.len() * thousandths).div_ceil(1000).max(1) - 1).map(|v| *v as f64);
    match name {
        "min" => sorted.first().map(|v| *v as f64),
        "max" => sorted.last().map(|v| *v as f64),
        "mean" if sorted.is_empty() => None,
        "mean" => Some(sorted.iter().map(|v| *v as f64).sum::<f64>() / sorted.len() as f64),
        "p50" => rank(500),
        "p90" => rank(900),
        "p95" => rank(950),
        "p99" => rank(990),
        "p999" => rank(999),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let hundred: Vec<i64> = (1..=100).collect();
        assert_eq!(pick(&hundred, "p50"), Some(50.0));
        assert_eq!(pick(&hundred, "p99"), Some(99.0));
        assert_eq!(pick(&hundred, "p999"), Some(100.0));
        assert_eq!(pick(&hundred, "mean"), Some(50.5));
        assert_eq!(pick(&[7], "p50"), Some(7.0));
        assert_eq!(pick(&[], "p50"), None);
    }

    #[test]
    fn a_sample_without_upper_limit_leaves_low_percentiles_alone() {
        let samples = Distribution::new([10, 20, 30].into_iter().map(|v| (v, 0)), 1.0, "none").at_most([10, 20, i64::MAX].into_iter());
        assert_eq!(samples.statistic("p50").above, 0.0);
        assert_eq!(samples.statistic("max").above, f64::INFINITY);
        assert_eq!(samples.statistic("mean").above, f64::INFINITY);
    }
}
