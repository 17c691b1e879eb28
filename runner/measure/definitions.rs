//! What each metric means, one sentence, with the standard that names it. In: a metric's name. Out: the sentence that reports show.

/// The definitions. `*` stands for a statistic.
const DEFINITIONS: &[(&str, &str)] = &[
    ("sent", "Transactions whose first byte was handed to the kernel."),
    ("received", "Transactions that came back whole and verified."),
    ("lost", "Transactions that were sent and failed, counted when they were sent (RFC 7680)."),
    ("loss", "Lost over sent transactions (RFC 7680); those whose fate was not seen are its error."),
    ("dropped", "Due transactions that found no free connection in time: never sent, not lost."),
    ("corrupt", "Payloads with a wrong byte or of another transaction."),
    ("misdelivered", "Payloads of another run, flow or connection."),
    ("transactions", "Transactions completed as the pattern says."),
    ("failed_transactions", "Transactions that were not as the pattern says, or whose connection broke."),
    ("errors", "Failed transactions, failed connects and failed connections together."),
    ("rate", "Transactions completed per second of the flow's running time."),
    ("goodput.forward", "Payload of completed transactions from client to server, bits per second."),
    ("goodput.back", "Payload of completed transactions from server to client, bits per second."),
    ("connections", "Connections opened in all, attempts included."),
    ("active", "Connections established and not ended, at one moment."),
    ("connecting", "Connections being opened, at one moment."),
    ("failed_connects", "Attempts that never became a connection: refused, unreachable, without answer."),
    ("failed_connections", "Established connections that ended otherwise than planned."),
    ("lasting_connections", "Connections that lived through the whole window."),
    ("reconnects", "Connections opened in place of broken ones."),
    ("resets", "Connections that the peer reset."),
    ("timeouts", "Connections given up for lack of an answer."),
    ("latency.*", "From a transaction's intended start to its end; waiting for a free connection counts."),
    ("service.*", "From a transaction's first byte sent to its end."),
    ("connect_time.*", "From `connect` to the connection being established."),
    ("reconnect_time.*", "From a connection's break to the first completed transaction of its successor."),
    ("lag.*", "How late scn itself released transactions."),
    ("outage.max", "Longest time without a received transaction, less the regular time between two (RFC 6414, timestamp-based, receiver)."),
    ("outage.total", "Sum of the outages of at least 3 regular gaps and 10 ms (RFC 6414)."),
    ("outage.count", "Number of outages of at least 3 regular gaps and 10 ms (RFC 6414)."),
    ("outage.loss.max", "Transactions lost in one disruption times the regular time between two (RFC 6414, packet-loss-based; RFC 3357)."),
    (
        "outage.tx.max",
        "Longest time between the sending of two transactions that came back, less the regular time (RFC 6414, timestamp-based, sender).",
    ),
    ("outage.rate.max", "Longest time with less than 95 % of the offered rate, in bins (RFC 6412, rate-derived)."),
    ("failover_time", "From the event to the sending of the first transaction that came back after the disruption (RFC 6414)."),
    ("reversion_time", "From the restoring event to the first transaction that came back after the disruption (RFC 6414)."),
    ("time_to_first_loss", "From the event to the sending of the first lost transaction."),
    ("backends", "Distinct nodes that answered."),
    ("backends.skew", "Largest share of the answers over the mean share of the nodes that answered."),
    ("tcp.client.rtt.*", "Smoothed round-trip time by the client's kernel (RFC 6298)."),
    ("tcp.client.rttvar.*", "Mean deviation of the round-trip time by the client's kernel (RFC 6298)."),
    ("tcp.client.min_rtt.*", "Least round-trip time seen by the client's kernel."),
    ("tcp.client.cwnd.*", "Congestion window of the client, segments (RFC 5681)."),
    ("tcp.client.retransmits", "Segments that the client's kernel sent again."),
    ("tcp.client.bytes_acked", "Bytes that the client's kernel had acknowledged (RFC 4898)."),
    ("tcp.client.bytes_received", "Bytes that the client's kernel received (RFC 4898)."),
    ("tcp.client.delivery_rate.*", "Delivery rate by the client's kernel."),
    ("tcp.server.rtt.*", "Smoothed round-trip time by the server's kernel (RFC 6298)."),
    ("tcp.server.rttvar.*", "Mean deviation of the round-trip time by the server's kernel (RFC 6298)."),
    ("tcp.server.min_rtt.*", "Least round-trip time seen by the server's kernel."),
    ("tcp.server.cwnd.*", "Congestion window of the server, segments (RFC 5681)."),
    ("tcp.server.retransmits", "Segments that the server's kernel sent again."),
    ("tcp.server.bytes_acked", "Bytes that the server's kernel had acknowledged (RFC 4898)."),
    ("tcp.server.bytes_received", "Bytes that the server's kernel received (RFC 4898)."),
    ("tcp.server.delivery_rate.*", "Delivery rate by the server's kernel."),
];

/// The definition of a metric: `latency.p99`, `outage.max`. `None`: there is no such metric.
#[must_use]
pub fn of(name: &str) -> Option<&'static str> {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(family) => name.strip_prefix(family).is_some_and(|rest| scn_grammar::scenario::metrics::STATISTICS.contains(&rest)),
        None => pattern == name,
    };
    DEFINITIONS.iter().find(|(pattern, _)| matches(pattern)).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scn_grammar::scenario::metrics::{METRICS, OwnerKind};

    #[test]
    fn every_metric_is_defined_and_nothing_else() {
        let known: Vec<&str> = METRICS.iter().map(|(name, _, _)| *name).collect();
        let defined: Vec<&str> = DEFINITIONS.iter().map(|(name, _)| *name).collect();
        for name in &known {
            assert!(defined.contains(name), "{name} has no definition");
        }
        for name in &defined {
            assert!(known.contains(name), "{name} is no metric");
        }
        assert!(of("latency.p99").is_some() && of("latency.p98").is_none());
    }
}
