//! Records for tests: a failover with an outage, a passing run, a run full of hostile texts, an empty and a broken one. Made from
//! nothing but arithmetic, so that they are the same on every machine. Not part of the program.

pub(crate) use odd::{broken, empty, hostile, network, scramble};

use super::counted::{InterfaceRecord, InterfaceSample, LinkSample, WaySample};
use super::flow::{Connection, ConnectionEnd, Failure, FlowRecord, Item, ItemOutcome, Measurement, NEVER, TcpSample};
use super::*;

mod odd;

const MS: i64 = 1_000_000;

/// Every record of this file.
pub(crate) fn all() -> Vec<RunRecord> {
    vec![failover(), passing(), hostile(), empty(), broken(), network()]
}

/// The next number of a small generator.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

const SOURCE: &str = r#"scn 1

use std.patterns (sym)

## Two hundred clients keep talking while a virtual address moves from the primary to the backup.
scenario vip_failover {
    tags ha, smoke
    timeout 30s

    param clients: count    = 200
    param budget:  duration = 1500ms

    topology {
        node client, primary, backup
        bridge lan

        link client  10.0.0.10/24                 <-> lan
        link primary 10.0.0.1/24, 10.0.0.100/24   <-> lan
        link backup  10.0.0.2/24                  <-> lan  { delay 2ms }
    }

    service store on primary, backup { listen tcp :5003  serve sym(1KiB) }

    flow steady from client to 10.0.0.100:5003 {
        pattern sym(1KiB)
        connections clients
        rate 400/s
        reconnect after 100ms
        sample tcp_info every 100ms
    }

    timeline {
        at 0s   start steady
        when steady.active == clients within 2s   mark ready
        at 3s   down primary   as failure
        failure + 200ms   move 10.0.0.100/24 from primary to backup
        at 8s   stop steady
    }

    expect {
        steady.outage.max < budget   "clients notice the failover for less than ${budget}"
        steady.active == clients within 2s after failure and stays
        always steady.rate >= 380/s before failure
        steady.latency.p99 < 20ms before failure
        steady.failed_connections >= clients
        steady.backends == 2
        never steady.corrupt > 0
        note steady.latency.p50 < 100us
    }
}
"#;

/// A failover that takes 353.2 ms where 1 ms was allowed.
pub(crate) fn failover() -> RunRecord {
    RunRecord {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: "0.1.0".to_owned(),
        scenario: ScenarioRecord {
            name: "vip_failover".to_owned(),
            doc: "Two hundred clients keep talking while a virtual address moves from the primary to the backup.".to_owned(),
            tags: vec!["ha".to_owned(), "smoke".to_owned()],
            file: "scenarios/failover.scn".to_owned(),
            source: SOURCE.to_owned(),
            lines: (6, 51),
            params: vec![("clients".to_owned(), "200".to_owned(), false), ("budget".to_owned(), "1ms".to_owned(), true)],
        },
        seed: 8_675_309,
        started: "2026-07-28T09:41:07.250Z".to_owned(),
        duration_ns: 8_012_000_000,
        setup_ns: 41_300_000,
        cleanup_ns: 12_900_000,
        ended: Ended::Complete,
        environment: [
            ("scn", "0.1.0"),
            ("kernel", "Linux 6.12.41"),
            ("cores", "2"),
            ("privileges", "user namespaces"),
            ("net.ipv4.tcp_congestion_control", "cubic"),
            ("open files", "20000"),
            ("command", "scn run scenarios/failover.scn -p budget=1ms"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        tolerance_ns: 5_000_000,
        nodes: vec![
            node("client", "host", &["eth0 10.0.0.10/24"]),
            node("primary", "host", &["eth0 10.0.0.1/24", "eth0 10.0.0.100/24"]),
            node("backup", "host", &["eth0 10.0.0.2/24"]),
            node("lan", "bridge", &[]),
        ],
        links: vec![
            link("client-lan", [0, 3], "direct", "", None),
            link("primary-lan", [1, 3], "direct", "", None),
            LinkRecord { samples: samples(), ..link("backup-lan", [2, 3], "wire", "delay 2ms", Some(account())) },
        ],
        flows: vec![steady()],
        stresses: Vec::new(),
        processes: Vec::new(),
        commands: Vec::new(),
        interfaces: vec![interface()],
        captures: vec![CaptureRecord {
            file: "failover.vip_failover.captures/backup.pcapng".to_owned(),
            of: "link backup-lan".to_owned(),
            whole: false,
            began_ns: 1_000 * MS,
            ended_ns: 4_000 * MS,
            came: 5214,
            packets: 5210,
            missed: 4,
            left_out: 0,
            shortened: false,
            bytes: 731_204,
            trouble: None,
        }],
        events: events(),
        expectations: expectations(),
        warnings: vec!["the program was 1.2ms late at 3.201s; its tolerance is 5ms".to_owned()],
        verdict: Some(Verdict::Fail),
        plan: serde_json::json!({ "version": 1, "nodes": ["client", "primary", "backup", "lan"] }),
    }
}

fn node(name: &str, kind: &str, addresses: &[&str]) -> NodeRecord {
    NodeRecord { name: name.to_owned(), kind: kind.to_owned(), addresses: addresses.iter().map(|a| (*a).to_owned()).collect() }
}

fn link(name: &str, ends: [u32; 2], engine: &str, impairment: &str, account: Option<LinkAccount>) -> LinkRecord {
    LinkRecord { name: name.to_owned(), ends, engine: engine.to_owned(), impairment: impairment.to_owned(), account, samples: Vec::new() }
}

/// What the kernel counted of the backup's interface, which lost its carrier once.
fn interface() -> InterfaceRecord {
    let sample = |at_ms: i64, packets: u64, carrier, changes| InterfaceSample {
        from_ns: at_ms * MS,
        to_ns: at_ms * MS + 20_000,
        counts: [packets, packets + 6, packets * 1100, packets * 1100 + 540, 0, 0, 0, 0],
        carrier,
        changes,
    };
    let samples = vec![sample(-2, 3, true, 2), sample(0, 4, true, 2), sample(100, 43, false, 3), sample(200, 81, true, 4)];
    InterfaceRecord { node: 2, name: "eth0".to_owned(), samples, lost: None }
}

/// What the backup's link had counted at two instants.
fn samples() -> Vec<LinkSample> {
    let way = |sent: u64, most_queued| WaySample {
        counts: [sent, sent - sent / 100, 0, sent / 100, 0, 0, 0, 0, sent * 1090],
        queued: 0,
        most_queued,
        most_at_ns: 20 * MS,
        delay: if sent == 0 { Vec::new() } else { vec![(2_002_943, sent - 3), (2_101_247, 2)] },
        lag: if sent == 0 { Vec::new() } else { vec![(51_199, sent - 1)] },
    };
    let at = |at_ms: i64, sent, most| LinkSample { at_ns: at_ms * MS, ways: [way(sent, most), way(sent / 2, 0)] };
    vec![at(0, 0, 0), at(100, 420, 7)]
}

fn account() -> LinkAccount {
    LinkAccount {
        entered: [5210, 5204],
        duplicated: [3, 0],
        delivered: [5199, 5204],
        lost: [11, 0],
        overflowed: [1, 0],
        dropped: [2, 0],
        corrupted: [4, 0],
        late_p50_ns: 22_000,
        late_p99_ns: 81_000,
        late_max_ns: 310_000,
        late: vec![(32_000, 10_100), (128_000, 299), (512_000, 4)],
        ..LinkAccount::default()
    }
}

fn event(name: Option<&str>, text: &str, kind: EventKind, planned_ms: i64, line: u32, late_us: i64) -> EventRecord {
    let planned_ns = planned_ms * MS;
    EventRecord {
        name: name.map(str::to_owned),
        text: text.to_owned(),
        kind,
        planned_ns,
        asked_ns: planned_ns + 40_000,
        done_ns: planned_ns + late_us * 1000,
        line,
        until_ns: None,
        error: None,
    }
}

fn events() -> Vec<EventRecord> {
    let mut failure = event(Some("failure"), "down primary", EventKind::Fault, 3000, 35, 900);
    failure.until_ns = Some(8_012 * MS);
    vec![
        event(None, "start steady", EventKind::Start, 0, 33, 120),
        event(Some("ready"), "mark ready", EventKind::Mark, 512, 34, 41),
        failure,
        event(None, "move 10.0.0.100/24 from primary to backup", EventKind::Change, 3200, 36, 1200),
        event(None, "stop steady", EventKind::Stop, 8000, 37, 300),
    ]
}

/// An expectation whose place is found in the source.
fn expectation(name: &str, words: &str, kind: ExpectationKind, outcome: Option<Outcome>) -> ExpectationRecord {
    let (line, text) = SOURCE.lines().enumerate().find(|(_, text)| text.contains(words)).expect("the words stand in the source");
    let column = text[..text.find(words).expect("they stand here")].chars().count() + 1;
    ExpectationRecord {
        name: name.to_owned(),
        words: words.to_owned(),
        kind,
        line: u32::try_from(line + 1).expect("a short source"),
        column: u32::try_from(column).expect("a short line"),
        length: u32::try_from(words.chars().count()).expect("short words"),
        outcome,
    }
}

fn outcome(verdict: Verdict, measured: &str, expected: &str, reason: &str) -> Option<Outcome> {
    Some(Outcome {
        verdict,
        measured: measured.to_owned(),
        expected: expected.to_owned(),
        reason: reason.to_owned(),
        samples: 3182,
        window_ns: Some((0, 8000 * MS)),
        decided_ns: None,
        worst: None,
        nearby: Vec::new(),
    })
}

fn expectations() -> Vec<ExpectationRecord> {
    use ExpectationKind::{Expect, Note};
    let mut list = vec![
        expectation(
            "clients notice the failover for less than 1ms",
            "steady.outage.max < budget",
            Expect,
            outcome(
                Verdict::Fail,
                "steady.outage.max = 353.2ms ± 2.5ms",
                "< 1ms",
                "the longest gap between two completed transactions is far above the budget",
            ),
        ),
        expectation(
            "steady.active == clients within 2s after failure and stays",
            "steady.active == clients within 2s after failure and stays",
            Expect,
            outcome(
                Verdict::Pass,
                "steady.active = 200, 0.512s after failure, and stayed",
                "== 200 within 2s after failure",
                "true in time, and remained so",
            ),
        ),
        expectation(
            "always steady.rate >= 380/s before failure",
            "always steady.rate >= 380/s before failure",
            Expect,
            outcome(Verdict::Pass, "steady.rate = 398.0/s at its lowest", ">= 380/s", "true in each of 3 intervals of 1s"),
        ),
        expectation(
            "steady.latency.p99 < 20ms before failure",
            "steady.latency.p99 < 20ms before failure",
            Expect,
            outcome(Verdict::Pass, "steady.latency.p99 = 1.31ms ± 0.05ms", "< 20ms", "below the bound by more than the error"),
        ),
        expectation(
            "steady.failed_connections >= clients",
            "steady.failed_connections >= clients",
            Expect,
            outcome(Verdict::Pass, "steady.failed_connections = 200", ">= 200", "as expected"),
        ),
        expectation(
            "steady.backends == 2",
            "steady.backends == 2",
            Expect,
            outcome(Verdict::Inconclusive, "steady.backends = n/a", "== 2", "no transaction says which server answered it"),
        ),
        expectation(
            "never steady.corrupt > 0",
            "never steady.corrupt > 0",
            Expect,
            outcome(Verdict::Pass, "steady.corrupt = 0", "never > 0", "never true in 0.000s..8.000s"),
        ),
        expectation(
            "steady.latency.p50 < 100us",
            "steady.latency.p50 < 100us",
            Note,
            outcome(Verdict::Fail, "steady.latency.p50 = 276us ± 50us", "< 100us", "above the bound"),
        ),
    ];
    if let Some(first) = list[0].outcome.as_mut() {
        first.decided_ns = Some(3_353_600_000);
        first.worst = Some(("353.2ms without an answer".to_owned(), 3_353_600_000));
        first.nearby = vec![2, 3];
    }
    if let Some(active) = list[1].outcome.as_mut() {
        active.decided_ns = Some(3_512 * MS);
    }
    list
}

/// The flow of the failover: 400/s, an outage from 3.000 s to 3.353 s.
fn steady() -> FlowRecord {
    let mut state = 7;
    let connections = connections(&mut state);
    let mut items: Vec<Item> = (0..3200).map(|i| item(i, &mut state)).collect();
    items.sort_by_key(|item| (item.done_ns == NEVER, item.done_ns));
    FlowRecord {
        name: "steady".to_owned(),
        doc: "The traffic of the office.".to_owned(),
        description: "client → 10.0.0.100:5003 over tcp, sym(1KiB), 200 connections, 400/s".to_owned(),
        from: 0,
        to: vec![1, 2],
        ran_ns: vec![(0, 8000 * MS)],
        paused_ns: Vec::new(),
        intervals_ns: Vec::new(),
        uneven: false,
        pause_ns: 0,
        to_each: false,
        interval_ns: 2_500_000,
        forward_bytes: Some(1024),
        back_bytes: Some(1024),
        finished: true,
        truncated_at_ns: None,
        items,
        connections,
        tcp: tcp(&mut state),
        failures: vec![
            Failure {
                step: "connect to 10.0.0.100:5003".to_owned(),
                what: "no route to host".to_owned(),
                line: 0,
                count: 12,
                first_ns: 3_120 * MS,
                last_ns: 3_198 * MS,
            },
            Failure {
                step: "client expects 1024 bytes".to_owned(),
                what: "connection reset by peer".to_owned(),
                line: 25,
                count: 3,
                first_ns: 3_001 * MS,
                last_ns: 3_204 * MS,
            },
        ],
        corrupt: Vec::new(),
        datagrams: None,
        tool: None,
        lookups: Vec::new(),
        summary: summary(),
    }
}

/// The instants of the longest gap between answers.
const GAP: (i64, i64) = (3_000_400_000, 3_353_600_000);

fn item(i: i64, state: &mut u64) -> Item {
    let intended_ns = i * 2_500_000;
    let lag = next(state) % 60_000;
    let sent_ns = intended_ns + i64::try_from(lag).expect("small");
    let tail = if next(state).is_multiple_of(60) { 1_100_000 } else { 0 };
    let service = 180_000 + i64::try_from(next(state) % 140_000).expect("small") + tail;
    let mut done_ns = sent_ns + service;
    let mut outcome = ItemOutcome::Done;
    let after = intended_ns >= GAP.1;
    if done_ns > GAP.0 && intended_ns < GAP.1 {
        if next(state).is_multiple_of(8) {
            return Item {
                intended_ns,
                sent_ns: NEVER,
                done_ns: NEVER,
                lag_ns: 0,
                connection: u32::MAX,
                backend: u16::MAX,
                outcome: ItemOutcome::Dropped,
                status: 0,
                forward_bytes: 0,
                back_bytes: 0,
            };
        }
        done_ns = GAP.1 + (done_ns - GAP.0) / 20;
        if i % 47 == 0 {
            (done_ns, outcome) = (intended_ns + 1_500_000, ItemOutcome::Failed);
        }
    } else if after {
        done_ns += 150_000;
    }
    Item {
        intended_ns,
        sent_ns,
        done_ns,
        lag_ns: u32::try_from(lag).expect("small"),
        connection: u32::try_from(i % 200).expect("small") + if after { 200 } else { 0 },
        backend: if after { 2 } else { 1 },
        outcome,
        status: 0,
        forward_bytes: 1024,
        back_bytes: if outcome == ItemOutcome::Done { 1024 } else { 0 },
    }
}

fn connections(state: &mut u64) -> Vec<Connection> {
    let mut list = Vec::new();
    for i in 0..400_u32 {
        let second = i >= 200;
        let opened_ns = if second { 3_205 * MS + i64::from(i - 200) * 300_000 } else { i64::from(i) * 2_500_000 };
        let established_ns = if second { 3_352 * MS + i64::from(i - 200) * 790_000 } else { opened_ns + 210_000 };
        let jitter = i64::try_from(next(state) % 100_000_000).expect("small");
        list.push(Connection {
            opened_ns,
            established_ns,
            handshake_ns: 0,
            closed_ns: if second { 8000 * MS } else { 3_100 * MS + jitter },
            end: match (second, i % 5) {
                (true, _) => ConnectionEnd::Closed,
                (false, 0) => ConnectionEnd::Reset,
                (false, _) => ConnectionEnd::Timeout,
            },
            successor_of: if second { i - 200 } else { u32::MAX },
            backend: if second { 2 } else { 1 },
            transactions: if second { 9 } else { 6 },
            local: format!("10.0.0.10:{}", 40_000 + i),
            remote: "10.0.0.100:5003".to_owned(),
        });
    }
    list
}

fn tcp(state: &mut u64) -> Vec<TcpSample> {
    let mut list = Vec::new();
    for tick in 0..80_i64 {
        for connection in [0_u32, 1, 2] {
            for server in [false, true] {
                list.push(TcpSample {
                    at_ns: tick * 100 * MS,
                    connection,
                    server,
                    rtt_us: 180 + u32::try_from(next(state) % 90).expect("small"),
                    rttvar_us: 40,
                    min_rtt_us: 120,
                    cwnd: 10,
                    ssthresh: 2_147_483_647,
                    retransmits: u32::try_from((tick - 30).clamp(0, 3)).expect("small"),
                    lost: 0,
                    unacked: u32::from(tick % 3 == 0),
                    reordering: 3,
                    bytes_acked: 1024 * u64::try_from(tick).expect("positive"),
                    bytes_received: 1024 * u64::try_from(tick).expect("positive"),
                    delivery_rate: 12_000_000,
                    pacing_rate: 24_000_000,
                    ca_state: if tick > 30 { 4 } else { 0 },
                    state: 1,
                });
            }
        }
    }
    list
}

fn summary() -> Vec<Measurement> {
    [
        ("sent", "3185", "", "Transactions whose first byte was handed to the kernel."),
        ("transactions", "3182", "", "Transactions completed as the pattern says."),
        ("failed_transactions", "3", "", "Transactions that were not as the pattern says, or whose connection broke."),
        ("dropped", "15", "", "Intended transactions that could not be sent on time; nothing was lost."),
        ("loss", "0.09%", "", "Failed transactions in proportion to those sent."),
        ("rate", "397.8/s", "", "Completed transactions per second while the flow ran."),
        ("goodput.forward", "3.26Mbit/s", "", "Payload delivered to the server per second."),
        ("goodput.back", "3.26Mbit/s", "", "Payload delivered to the client per second."),
        ("latency.p50", "276us", "50us", "Half of the transactions took at most this long from their intended start."),
        ("latency.p99", "312.4ms", "50us", "99 of 100 transactions took at most this long from their intended start."),
        ("latency.max", "353.3ms", "50us", "The longest time from a transaction's intended start to its end."),
        ("outage.max", "353.2ms", "2.5ms", "The longest gap between two completed transactions, less the usual interval."),
        ("outage.tx.max", "352.5ms", "2.5ms", "The same gap by the sender's instants."),
        ("outage.loss.max", "37.5ms", "2.5ms", "Lost transactions in a row times the interval between two."),
        ("outage.rate.max", "360ms", "10ms", "The longest time in which the rate stayed below 95% of what was offered."),
        ("failover_time", "353.6ms", "0.9ms", "From the fault to the first completed transaction after it."),
        ("connections", "400", "", "Connections opened in all."),
        ("failed_connections", "200", "", "Established connections that broke."),
        ("backends", "2", "", "Distinct servers that answered."),
    ]
    .map(|(name, value, error, definition)| Measurement {
        name: name.to_owned(),
        value: value.to_owned(),
        error: error.to_owned(),
        definition: definition.to_owned(),
    })
    .to_vec()
}

/// Two nodes, ten transactions, everything holds.
pub(crate) fn passing() -> RunRecord {
    let source = "scn 1\n\n## The shortest useful file: two nodes, a link, a flow, an expectation.\nscenario two_nodes {\n    topology {\n        node a, b\n        link a <-> b\n    }\n    flow hello from a to b { total 10 }\n    expect {\n        hello.transactions == 10\n        hello.loss == 0%\n    }\n}\n";
    let mut record = failover();
    record.scenario = ScenarioRecord {
        name: "two_nodes".to_owned(),
        doc: "The shortest useful file: two nodes, a link, a flow, an expectation.".to_owned(),
        tags: Vec::new(),
        file: "scenarios/two_nodes.scn".to_owned(),
        source: source.to_owned(),
        lines: (4, 14),
        params: Vec::new(),
    };
    record.captures = Vec::new();
    record.nodes = vec![
        node("a", "host", &["eth0 10.64.0.1/24", "eth0 fd5c:6e00:0:40::1/64"]),
        node("b", "host", &["eth0 10.64.0.2/24", "eth0 fd5c:6e00:0:40::2/64"]),
    ];
    record.links = vec![link("a-b", [0, 1], "direct", "", None)];
    record.duration_ns = 12_400_000;
    record.seed = 1;
    record.events = vec![event(None, "start hello", EventKind::Start, 0, 0, 80)];
    record.warnings.clear();
    record.verdict = Some(Verdict::Pass);
    let flow = &mut record.flows[0];
    flow.name = "hello".to_owned();
    flow.doc.clear();
    flow.description = "a → b over tcp, sym(64B), 10 connections in all".to_owned();
    flow.to = vec![1];
    flow.ran_ns = vec![(0, 12_300_000)];
    flow.interval_ns = 0;
    flow.items.truncate(10);
    flow.items.iter_mut().enumerate().for_each(|(at, item)| {
        let begin = i64::try_from(at).expect("ten") * 1_100_000;
        (item.intended_ns, item.sent_ns, item.done_ns) = (begin, begin + 30_000, begin + 400_000);
        item.outcome = ItemOutcome::Done;
    });
    flow.connections.truncate(10);
    for (at, connection) in flow.connections.iter_mut().enumerate() {
        let begin = i64::try_from(at).expect("ten") * 1_100_000;
        (connection.opened_ns, connection.established_ns, connection.closed_ns) = (begin, begin + 90_000, begin + 500_000);
        connection.end = ConnectionEnd::Closed;
        connection.transactions = 1;
    }
    flow.tcp.clear();
    flow.failures.clear();
    flow.summary.retain(|m| ["sent", "transactions", "failed_transactions", "rate"].contains(&m.name.as_str()));
    flow.summary.iter_mut().for_each(|m| m.value = if m.name == "rate" { "813.0/s".to_owned() } else { "10".to_owned() });
    flow.summary[2].value = "0".to_owned();
    let first = ExpectationRecord {
        name: "hello.transactions == 10".to_owned(),
        words: "hello.transactions == 10".to_owned(),
        kind: ExpectationKind::Expect,
        line: 11,
        column: 9,
        length: 24,
        outcome: outcome(Verdict::Pass, "hello.transactions = 10", "== 10", "as expected"),
    };
    let second = ExpectationRecord {
        name: "hello.loss == 0%".to_owned(),
        words: "hello.loss == 0%".to_owned(),
        line: 12,
        length: 16,
        outcome: outcome(Verdict::Pass, "hello.loss = 0%", "== 0%", "as expected"),
        ..first.clone()
    };
    record.expectations = vec![first, second];
    record
}
