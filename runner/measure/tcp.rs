//! `tcp.client.*` and `tcp.server.*`: what the kernel tells of its connections (tcp_info). In: a series' samples. Out: statistics of
//! the samples in a window (`rtt`, `rttvar`, `min_rtt`, `cwnd`, `delivery_rate`), or the increase over it (`retransmits`,
//! `bytes_acked`, `bytes_received`), summed over connections, those that broke included.

use std::collections::BTreeMap;

use scn_reports::record::flow::TcpSample;

use super::distribution::Distribution;
use super::series::Series;
use super::{Measured, Window};

const NOT_SAMPLED: &str = "tcp_info was not sampled in the window";
const NS_PER_US: f64 = 1000.0;
const BITS_PER_BYTE: f64 = 8.0;

/// Reads a number of a sample.
type Reading<T> = fn(&TcpSample) -> T;

/// A level at a sample, and its unit in that of the metric.
fn level(name: &str) -> Option<(Reading<i64>, f64)> {
    Some(match name {
        "rtt" => (|s| i64::from(s.rtt_us), NS_PER_US),
        "rttvar" => (|s| i64::from(s.rttvar_us), NS_PER_US),
        "min_rtt" => (|s| i64::from(s.min_rtt_us), NS_PER_US),
        "cwnd" => (|s| i64::from(s.cwnd), 1.0),
        "delivery_rate" => (|s| i64::try_from(s.delivery_rate).unwrap_or(i64::MAX), BITS_PER_BYTE),
        _ => return None,
    })
}

/// A number that only grows over a connection's life.
fn total(name: &str) -> Option<Reading<u64>> {
    Some(match name {
        "retransmits" => |s| u64::from(s.retransmits),
        "bytes_acked" => |s| s.bytes_acked,
        "bytes_received" => |s| s.bytes_received,
        _ => return None,
    })
}

/// `client.rtt.p99`, `server.retransmits`.
pub(super) fn measure(flow: &Series<'_>, name: &str, window: Window) -> Measured {
    let unknown = || Measured::nothing(format!("this version does not know how to measure `tcp.{name}`"));
    let Some((end, rest)) = name.split_once('.') else { return unknown() };
    let samples = flow.record.tcp.iter().filter(move |s| s.server == (end == "server"));
    if let Some(of) = total(rest) {
        return increase(flow, samples, of, window);
    }
    let Some((level_name, statistic)) = rest.rsplit_once('.') else { return unknown() };
    let Some((of, scale)) = level(level_name) else { return unknown() };
    let inside = samples.filter(|s| (window.from_ns..window.to_ns).contains(&flow.counted_at(s.at_ns)));
    // Before the first round trip the kernel has no estimate: 0, or the largest number for the minimum.
    let estimated = |s: &&TcpSample| match level_name {
        "rtt" | "rttvar" => s.rtt_us != 0,
        "min_rtt" => s.min_rtt_us != 0 && s.min_rtt_us != u32::MAX,
        _ => true,
    };
    let told = inside.filter(estimated);
    Distribution::new(told.map(|s| (of(s), s.at_ns)), scale, NOT_SAMPLED).statistic(statistic)
}

/// The readings around a window's edges of one connection.
#[derive(Default, Clone, Copy)]
struct Readings {
    before: Option<u64>,
    first: Option<u64>,
    last: Option<u64>,
    after: Option<u64>,
}

/// How much a number grew over a window. Between two readings the growth has no instant: what may belong to the other side of an
/// edge is the error.
fn increase<'s>(flow: &Series<'_>, samples: impl Iterator<Item = &'s TcpSample>, of: Reading<u64>, window: Window) -> Measured {
    let mut readings: BTreeMap<u32, Readings> = BTreeMap::new();
    let mut count = 0;
    for sample in samples {
        let (at, value) = (flow.counted_at(sample.at_ns), of(sample));
        let reading = readings.entry(sample.connection).or_default();
        if at < window.from_ns {
            reading.before = reading.before.max(Some(value));
        } else if at < window.to_ns {
            count += 1;
            reading.first = Some(reading.first.map_or(value, |first| first.min(value)));
            reading.last = reading.last.max(Some(value));
        } else {
            reading.after = Some(reading.after.map_or(value, |after| after.min(value)));
        }
    }
    if count == 0 {
        return Measured::nothing(NOT_SAMPLED);
    }
    let (mut value, mut least, mut most) = (0u64, 0u64, 0u64);
    for (connection, r) in readings {
        let opened_inside = flow.record.connections.get(connection as usize).is_some_and(|c| c.opened_ns >= window.from_ns);
        // Nothing had been sent before the connection was opened; without an earlier reading of an older one, all may be old.
        let before = if opened_inside { Some(0) } else { r.before };
        let first = if opened_inside { Some(0) } else { r.first.or(r.after) };
        let (low, high) = (before.unwrap_or(0), r.after.or(r.last).or(r.before).unwrap_or(0));
        let last = r.last.or(before).unwrap_or(0);
        value += last.saturating_sub(before.or(first).unwrap_or(0));
        least += last.saturating_sub(first.unwrap_or(last));
        most += high.saturating_sub(low);
    }
    let measured = Measured::exact(value as f64, count);
    Measured { below: value.saturating_sub(least) as f64, above: most.saturating_sub(value) as f64, ..measured }
}
