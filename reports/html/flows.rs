//! A flow's numbers, failures, ends of connections and readings of tcp_info. In: a flow. Out: tables for the template. The numbers
//! are those of the record's summary; tcp_info is only sorted and counted.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::flow::{Connection, ConnectionEnd, Failure, FlowRecord, Measurement, TcpSample};
use crate::record::stress::{StreamRecord, StressRecord};
use crate::words;

/// Wrong contents listed.
const MAX_CORRUPT: usize = 20;

#[derive(Serialize)]
pub(super) struct FlowView {
    name: String,
    doc: String,
    description: String,
    ran: String,
    unfinished: bool,
    truncated: Option<String>,
    lookups: Option<String>,
    numbers: Vec<Number>,
    failures: Vec<FailureRow>,
    corrupt: Vec<CorruptRow>,
    ends: Vec<EndRow>,
    tcp: Vec<TcpRow>,
    tcp_samples: usize,
    streams: Vec<StreamRow>,
}

#[derive(Serialize)]
struct Number {
    name: String,
    value: String,
    error: String,
    definition: String,
}

#[derive(Serialize)]
struct FailureRow {
    step: String,
    line: u32,
    what: String,
    count: String,
    first: String,
    last: String,
}

#[derive(Serialize)]
struct CorruptRow {
    at: String,
    side: &'static str,
    offset: u32,
    detail: String,
}

#[derive(Serialize)]
struct EndRow {
    end: &'static str,
    count: String,
    first: String,
    last: String,
    remotes: String,
}

/// One of the last streams of a stress.
#[derive(Serialize)]
struct StreamRow {
    number: u64,
    over: String,
    size: String,
    began: String,
    ended: String,
    received: String,
    cause: String,
}

#[derive(Serialize)]
struct TcpRow {
    name: &'static str,
    definition: &'static str,
    unit: &'static str,
    client: String,
    server: String,
}

pub(super) fn view(flow: &FlowRecord) -> FlowView {
    FlowView {
        name: words::visible(&flow.name),
        doc: words::visible(&flow.doc),
        description: words::visible(&flow.description),
        ran: ran(&flow.ran_ns),
        unfinished: !flow.finished,
        truncated: flow.truncated_at_ns.map(|at| format!("{}: {}", words::instant(at), words::cut(flow))),
        lookups: words::lookups(flow),
        numbers: numbers(flow),
        failures: flow.failures.iter().map(failure).collect(),
        corrupt: flow
            .corrupt
            .iter()
            .take(MAX_CORRUPT)
            .map(|c| CorruptRow {
                at: words::instant(c.at_ns),
                side: if c.server { "server" } else { "client" },
                offset: c.offset,
                detail: words::visible(&c.detail),
            })
            .collect(),
        ends: ends(&flow.connections),
        tcp: if flow.tcp.is_empty() { Vec::new() } else { tcp(&flow.tcp) },
        tcp_samples: flow.tcp.len(),
        streams: Vec::new(),
    }
}

/// A mix of streams, in the form of a flow.
pub(super) fn stress(stress: &StressRecord) -> FlowView {
    let stream = |stream: &StreamRecord| StreamRow {
        number: stream.number,
        over: words::visible(&stream.transport),
        size: format!("{}B", words::count(stream.size)),
        began: words::instant(stream.began_ns),
        ended: words::instant(stream.ended_ns),
        received: stream.received.map_or_else(|| "n/a".to_owned(), words::count),
        cause: stream.cause.as_deref().map_or(String::new(), words::visible),
    };
    // Those that failed first: the others tell little.
    let (failed, fine): (Vec<&StreamRecord>, Vec<&StreamRecord>) = stress.streams.iter().rev().partition(|stream| stream.cause.is_some());
    FlowView {
        name: words::visible(&stress.name),
        doc: words::visible(&stress.doc),
        description: words::visible(&stress.description),
        ran: ran(&stress.ran_ns),
        unfinished: !stress.finished,
        truncated: None,
        lookups: None,
        numbers: stress.summary.iter().map(number).collect(),
        failures: stress.failures.iter().map(failure).collect(),
        corrupt: Vec::new(),
        ends: Vec::new(),
        tcp: Vec::new(),
        tcp_samples: 0,
        streams: failed.into_iter().chain(fine).take(MAX_STREAMS).map(stream).collect(),
    }
}

/// Streams listed.
const MAX_STREAMS: usize = 20;

fn ran(ran_ns: &[(i64, i64)]) -> String {
    let ran: Vec<String> =
        ran_ns.iter().take(20).map(|(from, to)| format!("{} to {}", words::instant(*from), words::instant(*to))).collect();
    if ran.is_empty() { "never".to_owned() } else { ran.join(", ") }
}

fn failure(failure: &Failure) -> FailureRow {
    FailureRow {
        step: words::visible(&failure.step),
        line: failure.line,
        what: words::visible(&failure.what),
        count: words::count(failure.count),
        first: words::instant(failure.first_ns),
        last: words::instant(failure.last_ns),
    }
}

fn number(row: &Measurement) -> Number {
    Number {
        name: words::visible(&row.name),
        value: words::visible(&row.value),
        error: words::error(&row.error).trim_start().to_owned(),
        definition: words::visible(&row.definition),
    }
}

fn numbers(flow: &FlowRecord) -> Vec<Number> {
    if flow.summary.is_empty() {
        let count =
            |(name, value)| Number { name, value, error: String::new(), definition: "Counted in the series of the record.".to_owned() };
        return crate::text::counts(flow).into_iter().map(count).collect();
    }
    flow.summary.iter().map(number).collect()
}

fn end_words(end: ConnectionEnd) -> &'static str {
    match end {
        ConnectionEnd::Open => "still open at the end",
        ConnectionEnd::Closed => "closed as planned",
        ConnectionEnd::Refused => "refused by the peer",
        ConnectionEnd::ConnectTimeout => "no answer to its opening",
        ConnectionEnd::Unreachable => "unreachable",
        ConnectionEnd::Reset => "reset by the peer",
        ConnectionEnd::EarlyClose => "closed by the peer too early",
        ConnectionEnd::Timeout => "no answer in time",
        ConnectionEnd::Mismatch => "not as the pattern says",
        ConnectionEnd::Other => "another error of the kernel, or its name was not found, or its own client was killed",
        ConnectionEnd::Tls => "refused in TLS",
    }
}

/// Connections by how they ended.
fn ends(connections: &[Connection]) -> Vec<EndRow> {
    let mut by_end: BTreeMap<ConnectionEnd, Vec<&Connection>> = BTreeMap::new();
    for connection in connections {
        by_end.entry(connection.end).or_default().push(connection);
    }
    by_end
        .into_iter()
        .map(|(end, list)| {
            let closed = || list.iter().map(|c| c.closed_ns).filter(|ns| *ns != crate::record::flow::NEVER);
            let mut remotes: Vec<&str> = list.iter().map(|c| c.remote.as_str()).collect();
            remotes.sort_unstable();
            remotes.dedup();
            let more = if remotes.len() > 3 { format!(" and {} more", remotes.len() - 3) } else { String::new() };
            EndRow {
                end: end_words(end),
                count: words::count(list.len() as u64),
                first: closed().min().map_or(String::new(), words::instant),
                last: closed().max().map_or(String::new(), words::instant),
                remotes: words::visible(&format!("{}{more}", remotes[..remotes.len().min(3)].join(", "))),
            }
        })
        .collect()
}

/// What is read from a sample, and how it is called.
type Reading = (&'static str, &'static str, &'static str, fn(&TcpSample) -> u64);

const READINGS: [Reading; 6] = [
    ("rtt", "Smoothed round-trip time.", "us", |s| s.rtt_us as u64),
    ("rttvar", "Mean deviation of the round-trip time.", "us", |s| s.rttvar_us as u64),
    ("cwnd", "Congestion window.", "segments", |s| s.cwnd as u64),
    ("unacked", "Sent and not acknowledged.", "segments", |s| s.unacked as u64),
    ("lost", "Thought lost.", "segments", |s| s.lost as u64),
    ("delivery_rate", "Delivery rate as the kernel reckons it.", "B/s", |s| s.delivery_rate),
];

/// Bytes with a prefix, other readings whole.
fn scaled(value: u64, unit: &str) -> String {
    match value {
        _ if !unit.starts_with('B') => words::count(value),
        0..10_000 => value.to_string(),
        10_000..10_000_000 => format!("{:.1}k", value as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1}M", value as f64 / 1e6),
        _ => format!("{:.1}G", value as f64 / 1e9),
    }
}

/// Least, median and most of the readings at both ends, and what the counters came to over all connections.
fn tcp(samples: &[TcpSample]) -> Vec<TcpRow> {
    let mut rows: Vec<TcpRow> = READINGS
        .iter()
        .map(|(name, definition, unit, read)| {
            let of = |server: bool| {
                let mut values: Vec<u64> = samples.iter().filter(|s| s.server == server).map(read).collect();
                values.sort_unstable();
                match (values.first(), values.get(values.len() / 2), values.last()) {
                    (Some(least), Some(median), Some(most)) => {
                        format!("{} · {} · {}", scaled(*least, unit), scaled(*median, unit), scaled(*most, unit))
                    }
                    _ => "not read".to_owned(),
                }
            };
            TcpRow { name, definition, unit, client: of(false), server: of(true) }
        })
        .collect();
    let total = |server: bool, unit: &str, read: fn(&TcpSample) -> u64| {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for sample in samples.iter().filter(|s| s.server == server) {
            let most = last.entry(sample.connection).or_insert(0);
            *most = (*most).max(read(sample));
        }
        scaled(last.values().fold(0, |sum: u64, value| sum.saturating_add(*value)), unit)
    };
    let counters: [Reading; 2] = [
        ("retransmits", "Segments sent again, over all connections.", "segments", |s| s.retransmits as u64),
        ("bytes_acked", "Bytes acknowledged, over all connections.", "B", |s| s.bytes_acked),
    ];
    for (name, definition, unit, read) in counters {
        rows.push(TcpRow { name, definition, unit, client: total(false, unit, read), server: total(true, unit, read) });
    }
    rows
}
