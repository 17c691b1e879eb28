//! Which metrics this version measures, and what each means. In: what is measured and a metric's name. Out: the sentence that reports show,
//! which stands in the table of the language. Measures nothing.

use scn_grammar::scenario::metrics::{self, METRICS, MetricRow, OwnerKind};

use super::{interfaces, links, stresses};

/// The measured rows of flows, by their names; `*` stands for a statistic.
pub const MEASURED: &[&str] = &[
    "sent",
    "received",
    "lost",
    "loss",
    "late",
    "duplicates",
    "reordered",
    "dropped",
    "corrupt",
    "misdelivered",
    "transactions",
    "failed_transactions",
    "errors",
    "rate",
    "goodput.forward",
    "goodput.back",
    "forward.sent",
    "forward.received",
    "forward.lost",
    "forward.loss",
    "forward.late",
    "forward.duplicates",
    "forward.reordered",
    "forward.owd.*",
    "forward.delay_variation.*",
    "back.sent",
    "back.received",
    "back.lost",
    "back.loss",
    "back.late",
    "back.duplicates",
    "back.reordered",
    "back.owd.*",
    "back.delay_variation.*",
    "connections",
    "active",
    "connecting",
    "failed_connects",
    "failed_connections",
    "lasting_connections",
    "reconnects",
    "resets",
    "timeouts",
    "latency.*",
    "service.*",
    "connect_time.*",
    "handshake_time.*",
    "reconnect_time.*",
    "rtt.*",
    "owd.*",
    "delay_variation.*",
    "lag.*",
    "outage.max",
    "outage.total",
    "outage.count",
    "outage.loss.max",
    "outage.tx.max",
    "outage.rate.max",
    "failover_time",
    "reversion_time",
    "time_to_first_loss",
    "backends",
    "backends.skew",
    "http.successes",
    "http.redirects",
    "http.client_errors",
    "http.server_errors",
    "tcp.client.rtt.*",
    "tcp.client.rttvar.*",
    "tcp.client.min_rtt.*",
    "tcp.client.cwnd.*",
    "tcp.client.retransmits",
    "tcp.client.bytes_acked",
    "tcp.client.bytes_received",
    "tcp.client.delivery_rate.*",
    "tcp.server.rtt.*",
    "tcp.server.rttvar.*",
    "tcp.server.min_rtt.*",
    "tcp.server.cwnd.*",
    "tcp.server.retransmits",
    "tcp.server.bytes_acked",
    "tcp.server.bytes_received",
    "tcp.server.delivery_rate.*",
];

/// The definition of a metric: `latency.p99`, `outage.max` of a flow. `None`: there is no such metric, or it is not measured.
#[must_use]
pub fn of(owner: OwnerKind, name: &str) -> Option<&'static str> {
    metrics::find(owner, name).filter(|row| is_measured(row)).map(|row| row.doc)
}

/// The rows that are measured, in the order of the table.
pub fn rows() -> impl Iterator<Item = &'static MetricRow> {
    METRICS.iter().filter(|row| is_measured(row))
}

fn is_measured(row: &MetricRow) -> bool {
    match row.owner.kind() {
        OwnerKind::Flow => MEASURED.contains(&row.name),
        OwnerKind::Link => links::names().any(|name| name == row.name),
        OwnerKind::Interface => interfaces::names().any(|name| name == row.name),
        OwnerKind::Process | OwnerKind::Output => true,
        OwnerKind::Stress => stresses::names().any(|name| name == row.name),
    }
}

/// A metric's row of a table, and which statistic of the row's family it is; a family's name ends in `*`.
pub(super) fn row<'n, H: Copy>(rows: &[(&str, H)], name: &'n str) -> Option<(H, &'n str)> {
    rows.iter().find_map(|(row, how)| match row.strip_suffix('*') {
        Some(family) => Some((*how, name.strip_prefix(family)?)),
        None => (*row == name).then_some((*how, "")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_measured_stands_in_the_table() {
        let rows = |owner| rows().filter(|row| row.owner.kind() == owner).count();
        assert_eq!(rows(OwnerKind::Flow), MEASURED.len(), "each name is of one row");
        assert_eq!(rows(OwnerKind::Link), links::names().count());
        assert_eq!(rows(OwnerKind::Interface), interfaces::names().count());
        for owner in [OwnerKind::Link, OwnerKind::Interface, OwnerKind::Process, OwnerKind::Stress, OwnerKind::Output] {
            assert_eq!(rows(owner), metrics::of(owner).count(), "all of {}", owner.words());
        }
        assert!(of(OwnerKind::Flow, "latency.p99").is_some() && of(OwnerKind::Flow, "latency.p98").is_none());
        assert!(of(OwnerKind::Flow, "stall.max").is_none(), "known to the language and not measured");
        assert!(of(OwnerKind::Link, "delay.p99").is_some() && of(OwnerKind::Stress, "sent").is_some());
    }
}
