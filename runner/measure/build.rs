//! Synthetic flow records for tests: regular items, gaps, connections. In: calls that read like a story. Out: a record.

use scn_reports::record::flow::{Connection, ConnectionEnd, FlowRecord, Item, ItemOutcome, NEVER, TcpSample};

/// One millisecond, ns.
pub const MS: i64 = 1_000_000;
/// One second, ns.
pub const S: i64 = 1_000_000_000;

/// A record of a flow that ran from 0 for `length_ns`, with an open loop of `interval_ns` (0: closed).
pub fn flow(name: &str, length_ns: i64, interval_ns: i64) -> FlowRecord {
    FlowRecord {
        name: name.to_owned(),
        doc: String::new(),
        description: String::new(),
        from: 0,
        to: vec![1, 2],
        ran_ns: vec![(0, length_ns)],
        paused_ns: Vec::new(),
        interval_ns: u64::try_from(interval_ns).unwrap(),
        intervals_ns: Vec::new(),
        uneven: false,
        pause_ns: 0,
        to_each: false,
        forward_bytes: Some(1000),
        back_bytes: Some(500),
        finished: true,
        truncated_at_ns: None,
        items: Vec::new(),
        connections: Vec::new(),
        tcp: Vec::new(),
        failures: Vec::new(),
        corrupt: Vec::new(),
        datagrams: None,
        tool: None,
        lookups: Vec::new(),
        summary: Vec::new(),
    }
}

/// An item sent on time that comes back after `service_ns` from node 1.
pub fn done(at_ns: i64, service_ns: i64) -> Item {
    Item {
        intended_ns: at_ns,
        sent_ns: at_ns,
        done_ns: at_ns + service_ns,
        lag_ns: 0,
        connection: 0,
        backend: 1,
        outcome: ItemOutcome::Done,
        status: 0,
        forward_bytes: 1000,
        back_bytes: 500,
    }
}

/// An item sent on time that fails after `after_ns`.
pub fn lost(at_ns: i64, after_ns: i64) -> Item {
    Item { outcome: ItemOutcome::Failed, backend: u16::MAX, back_bytes: 0, ..done(at_ns, after_ns) }
}

/// An item that found no free connection.
pub fn dropped(at_ns: i64) -> Item {
    Item { outcome: ItemOutcome::Dropped, sent_ns: NEVER, done_ns: NEVER, backend: u16::MAX, connection: u32::MAX, ..done(at_ns, 0) }
}

/// An item whose fate was not seen.
pub fn unfinished(at_ns: i64) -> Item {
    Item { outcome: ItemOutcome::Unfinished, done_ns: NEVER, backend: u16::MAX, ..done(at_ns, 0) }
}

/// A connection that was established 1 ms after its opening and outlives the record.
pub fn open(at_ns: i64) -> Connection {
    Connection {
        opened_ns: at_ns,
        established_ns: at_ns + MS,
        handshake_ns: 0,
        closed_ns: NEVER,
        end: ConnectionEnd::Open,
        successor_of: u32::MAX,
        backend: 1,
        transactions: 0,
        local: "10.0.0.10:40000".to_owned(),
        remote: "10.0.0.100:5003".to_owned(),
    }
}

/// The same, ended.
pub fn ended(at_ns: i64, closed_ns: i64, end: ConnectionEnd) -> Connection {
    Connection { closed_ns, end, ..open(at_ns) }
}

/// An attempt that never became a connection.
pub fn refused(at_ns: i64, closed_ns: i64, end: ConnectionEnd) -> Connection {
    Connection { established_ns: NEVER, ..ended(at_ns, closed_ns, end) }
}

/// A sample of the client's tcp_info.
pub fn sample(at_ns: i64, connection: u32, rtt_us: u32, retransmits: u32) -> TcpSample {
    TcpSample { at_ns, connection, rtt_us, min_rtt_us: rtt_us, retransmits, ..TcpSample::default() }
}

/// Items every `interval_ns` in `[from, to)`, each of `service_ns`.
pub fn regular(from_ns: i64, to_ns: i64, interval_ns: i64, service_ns: i64) -> Vec<Item> {
    (from_ns..to_ns).step_by(usize::try_from(interval_ns).unwrap()).map(|at| done(at, service_ns)).collect()
}

/// The realistic failover of the acceptance scenario: 200 connections, 400/s, T = 2.5 ms, failure at 3 s. Items sent since then
/// hang until each connection is reset 3.4 s after the start; each successor is established 100 ms later; the flow is stopped at 8 s.
pub fn failover() -> FlowRecord {
    let t = 2_500_000;
    let (failure, reset, back, stop) = (3 * S, 3 * S + 400 * MS, 3 * S + 501 * MS, 8 * S);
    let mut record = flow("steady", stop, t);
    record.items = regular(2 * t, failure, t, MS);
    // Until the resets each item takes a connection that is free; all of the 200 are taken after 0.5 s.
    record.items.extend((failure..reset).step_by(2_500_000).map(|at| lost(at, reset - at)));
    record.items.extend((reset..back).step_by(2_500_000).map(dropped));
    let after = regular(reset + 102_500_000 - (reset % t), stop, t, MS);
    record.items.extend(after.into_iter().map(|item| Item { backend: 2, ..item }));
    record.items.sort_by_key(|item| if item.done_ns == NEVER { i64::MAX } else { item.done_ns });
    record.connections = (0..200).map(|n| ended(n * 10_000, reset + n * 1000, ConnectionEnd::Reset)).collect();
    record.connections.extend((0..200u32).map(|n| {
        let opened = reset + 100 * MS + i64::from(n) * 1000;
        Connection { successor_of: n, backend: 2, ..ended(opened, stop + MS, ConnectionEnd::Closed) }
    }));
    record
}
