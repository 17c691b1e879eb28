//! A flow's numbers in words, for reports that only print them. In: a series and the events. Out: rows in a fixed order. Judges
//! nothing.

use scn_grammar::scenario::expect::{Metric, Subject};
use scn_grammar::scenario::metrics::{self, Measures, Owner, OwnerKind};
use scn_grammar::scenario::{EventId, FlowId};
use scn_grammar::source::Span;
use scn_reports::record::flow::Measurement;

use super::{Context, Measured, Series, Window, measure, show};

/// Rows that every flow has.
const ALWAYS: &[&str] = &[
    "sent",
    "received",
    "lost",
    "loss",
    "dropped",
    "failed_transactions",
    "corrupt",
    "misdelivered",
    "rate",
    "goodput.forward",
    "goodput.back",
    "latency.min",
    "latency.p50",
    "latency.p90",
    "latency.p99",
    "latency.p999",
    "latency.max",
    "service.p50",
    "service.p99",
    "service.max",
    "outage.max",
    "outage.tx.max",
    "outage.loss.max",
    "outage.rate.max",
    "outage.count",
    "outage.total",
];

/// Rows that every flow with connections has, after those.
const OF_CONNECTIONS: &[&str] = &[
    "connections",
    "failed_connects",
    "failed_connections",
    "reconnects",
    "resets",
    "timeouts",
    "lasting_connections",
    "connect_time.p50",
    "connect_time.p99",
    "connect_time.max",
    "backends",
];

/// Rows that appear where there is something to show.
const WHERE_KNOWN: &[&str] = &[
    "handshake_time.p50",
    "handshake_time.p99",
    "handshake_time.max",
    "reconnect_time.p50",
    "reconnect_time.max",
    "backends.skew",
    "tcp.client.rtt.p50",
    "tcp.client.rtt.p99",
    "tcp.client.min_rtt.min",
    "tcp.client.cwnd.p50",
    "tcp.client.retransmits",
    "tcp.server.rtt.p50",
    "tcp.server.rtt.p99",
    "tcp.server.retransmits",
    "lag.p50",
    "lag.p99",
    "lag.max",
];

/// Rows of flows that have none, where there is something to show.
const OF_DATAGRAMS: &[&str] = &[
    "late",
    "duplicates",
    "reordered",
    "forward.loss",
    "back.loss",
    "rtt.p50",
    "rtt.p99",
    "rtt.max",
    "owd.p50",
    "owd.p99",
    "owd.max",
    "back.owd.p50",
    "back.owd.p99",
    "back.owd.max",
    "delay_variation.p50",
    "delay_variation.p99",
    "delay_variation.max",
    "backends",
];

/// Rows of flows that only watch; those of outages where it is known how often frames are expected.
const OF_WATCHERS: &[&str] = &["received", "rate", "goodput.forward", "outage.max", "outage.rate.max", "outage.count", "outage.total"];

/// Rows of flows that tools make, where the tool tells them.
const OF_TOOLS: &[&str] = &[
    "sent",
    "received",
    "lost",
    "loss",
    "duplicates",
    "reordered",
    "rate",
    "goodput.forward",
    "goodput.back",
    "rtt.min",
    "rtt.p50",
    "rtt.p99",
    "rtt.max",
    "delay_variation.p50",
    "delay_variation.p99",
    "delay_variation.max",
    "outage.max",
    "outage.count",
    "outage.total",
    "tcp.client.rtt.p50",
    "tcp.client.rtt.p99",
    "tcp.client.cwnd.p50",
    "tcp.client.retransmits",
];

/// A row tells of what a tool made: what it is that the tool tells stands in the language's table.
fn is_told(tool: &str, metric: &Metric) -> bool {
    let row = metrics::find(OwnerKind::Flow, &metric.name);
    row.is_some_and(|row| matches!(row.owner, Owner::Flow(needs) if needs.tools.iter().any(|known| known.word() == tool)))
}

/// A metric by its full name, from the table.
pub(super) fn metric(name: &str, event: Option<EventId>) -> Option<Metric> {
    let row = metrics::find(OwnerKind::Flow, name)?;
    let Measures::Number(dimension) = row.measures else { return None };
    let (subject, span) = (Subject::Flow(FlowId(0)), Span::default());
    Some(Metric { subject, name: name.to_owned(), event, dimension, shape: row.shape, span })
}

fn row(name: String, metric: &Metric, measured: &Measured) -> Measurement {
    let definition = metrics::find(OwnerKind::Flow, &metric.name).map_or("", |row| row.doc).to_owned();
    let Some(value) = measured.value else {
        return Measurement { name, value: "n/a".to_owned(), error: String::new(), definition };
    };
    let dimension = metric.dimension;
    let text = match (measured.below.is_infinite(), measured.above.is_infinite()) {
        (false, false) => show::value(value, dimension),
        _ => show::with_error(value, measured.below, measured.above, dimension, None),
    };
    let error = match measured.error().is_finite() {
        true => show::error(measured.below, measured.above, dimension),
        false => String::new(),
    };
    Measurement { name, value: text, error, definition }
}

/// What a tool told: its errors always, everything else where it did.
fn of_tool(tool: &str, flow: &Series<'_>, context: &Context, window: Window) -> Vec<Measurement> {
    let names = OF_TOOLS.iter().map(|name| (*name, false)).chain([("errors", true)]);
    names
        .filter_map(|(name, always)| {
            let metric = metric(name, None).filter(|metric| is_told(tool, metric))?;
            let measured = measure(&metric, flow, context, window);
            (always || measured.value.is_some()).then(|| row(name.to_owned(), &metric, &measured))
        })
        .collect()
}

/// The rows of a flow over its whole running time; none if it never ran.
#[must_use]
pub fn summary(flow: &Series<'_>, context: &Context) -> Vec<Measurement> {
    let Some(window) = flow.running() else { return Vec::new() };
    let datagrams = flow.record.datagrams.is_some();
    if let Some(tool) = &flow.record.tool {
        return of_tool(&tool.name, flow, context, window);
    }
    if flow.record.datagrams.as_ref().is_some_and(|datagrams| datagrams.received_only) {
        let rows = OF_WATCHERS.iter().filter_map(|name| {
            let metric = metric(name, None)?;
            let measured = measure(&metric, flow, context, window);
            measured.value.map(|_| row((*name).to_owned(), &metric, &measured))
        });
        return rows.collect();
    }
    let always = ALWAYS.iter().chain(OF_CONNECTIONS.iter().filter(|_| !datagrams)).map(|name| (*name, true));
    let own = OF_DATAGRAMS.iter().filter(|_| datagrams);
    let known = own.chain(WHERE_KNOWN).map(|name| (*name, false));
    let mut rows: Vec<Measurement> = always
        .chain(known)
        .filter_map(|(name, always)| {
            let metric = metric(name, None)?;
            let measured = measure(&metric, flow, context, window);
            (always || measured.value.is_some()).then(|| row(name.to_owned(), &metric, &measured))
        })
        .collect();
    let after_outages = rows.iter().position(|row| row.name == "outage.total").map_or(rows.len(), |at| at + 1);
    let failovers = context.faults.iter().filter_map(|id| {
        let metric = metric("failover_time", Some(EventId(*id)))?;
        let measured = measure(&metric, flow, context, window);
        measured.value?;
        Some(row(format!("failover_time({})", context.names.get(*id as usize)?), &metric, &measured))
    });
    let failovers: Vec<Measurement> = failovers.collect();
    rows.splice(after_outages..after_outages, failovers);
    rows
}
