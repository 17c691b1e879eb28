//! `tcp.client.*` and `tcp.server.*`: what the kernel tells of its connections (tcp_info). In: a series' samples. Out: statistics of
//! the samples in a window (`rtt`, `cwnd`, `unacked` and the other levels), the increase over it (`retransmits`, `bytes_acked`,
//! `bytes_received`), summed over connections, those that broke included, or how long one had nothing acknowledged (`stall.max`).

use std::collections::BTreeMap;

use scn_reports::record::flow::{NEVER, TcpSample};

use super::distribution::Distribution;
use super::series::Series;
use super::{Measured, Window};

const NOT_SAMPLED: &str = "tcp_info was not sampled in the window";
/// The kernel's slow-start threshold while it has none.
const NO_THRESHOLD: u32 = 0x7fff_ffff;
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
        "ssthresh" => (|s| i64::from(s.ssthresh), 1.0),
        "unacked" => (|s| i64::from(s.unacked), 1.0),
        "lost" => (|s| i64::from(s.lost), 1.0),
        "reordering" => (|s| i64::from(s.reordering), 1.0),
        "ca_state" => (|s| i64::from(s.ca_state), 1.0),
        "delivery_rate" => (|s| i64::try_from(s.delivery_rate).unwrap_or(i64::MAX), BITS_PER_BYTE),
        "pacing_rate" => (|s| i64::try_from(s.pacing_rate).unwrap_or(i64::MAX), BITS_PER_BYTE),
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
    if rest == "stall.max" {
        return stall(flow, samples, window);
    }
    if let Some(of) = total(rest) {
        return increase(flow, samples, of, window);
    }
    let Some((level_name, statistic)) = rest.rsplit_once('.') else { return unknown() };
    let Some((of, scale)) = level(level_name) else { return unknown() };
    let inside = samples.filter(|s| (window.from_ns..window.to_ns).contains(&flow.counted_at(s.at_ns)));
    let mut sampled = inside.peekable();
    let nothing = if sampled.peek().is_some() { "the kernel had no estimate or no limit of it in the window" } else { NOT_SAMPLED };
    // Before the first round trip the kernel has no estimate: 0, or the largest number for the minimum. What it does not limit is told as
    // the largest number, or as 0 by the record.
    let estimated = |s: &&TcpSample| match level_name {
        "rtt" | "rttvar" => s.rtt_us != 0,
        "min_rtt" => s.min_rtt_us != 0 && s.min_rtt_us != u32::MAX,
        "ssthresh" => s.ssthresh < NO_THRESHOLD,
        "pacing_rate" => s.pacing_rate != 0,
        _ => true,
    };
    let told = sampled.filter(estimated);
    Distribution::new(told.map(|s| (of(s), s.at_ns)), scale, nothing).statistic(statistic)
}

/// The longest time in which a connection had segments under way and none was acknowledged. From the first sample that shows the standstill
/// to the last it is sure; it may have begun right after the sample before, and ended right before the next one.
fn stall<'s>(flow: &Series<'_>, samples: impl Iterator<Item = &'s TcpSample>, window: Window) -> Measured {
    let mut connections: BTreeMap<u32, Vec<&TcpSample>> = BTreeMap::new();
    let mut count = 0;
    for sample in samples {
        count += u64::from((window.from_ns..window.to_ns).contains(&flow.counted_at(sample.at_ns)));
        connections.entry(sample.connection).or_default().push(sample);
    }
    if count == 0 {
        return Measured::nothing(NOT_SAMPLED);
    }
    let (mut longest, mut most) = ((0i64, window.from_ns), 0i64);
    let at = |ns: i64| flow.counted_at(ns).clamp(window.from_ns, window.to_ns);
    for (connection, samples) in connections {
        let row = flow.record.connections.get(connection as usize);
        let opened = at(row.map_or(window.from_ns, |row| row.opened_ns));
        let closed = at(row.filter(|row| row.closed_ns != NEVER).map_or(window.to_ns, |row| row.closed_ns));
        let mut before = opened;
        let mut first = 0;
        while let Some(start) = samples.get(first) {
            let same = samples[first + 1..].iter().take_while(|next| next.bytes_acked == start.bytes_acked);
            // With nothing under way then and nothing acknowledged since nothing was sent.
            let last = first + same.take_while(|next| (next.unacked > 0) == (start.unacked > 0)).count();
            let (from, to) = (at(start.at_ns), at(samples[last].at_ns));
            let after = samples.get(last + 1).map_or(closed, |next| at(next.at_ns)).max(to);
            if start.unacked > 0 {
                most = most.max(after - before.min(from));
                if to - from > longest.0 {
                    longest = (to - from, from);
                }
            } else {
                most = most.max(after - to).max(from - before);
            }
            (before, first) = (to, last + 1);
        }
    }
    let value = longest.0 as f64;
    let worst = (longest.0 > 0).then_some((value, longest.1));
    Measured { above: (most as f64 - value).max(0.0), worst, ..Measured::exact(value, count) }
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
        let opened_ns = flow.record.connections.get(connection as usize).map_or(i64::MIN, |c| c.opened_ns);
        // What was opened after the window has nothing in it.
        if opened_ns >= window.to_ns {
            continue;
        }
        let opened_inside = opened_ns >= window.from_ns;
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
