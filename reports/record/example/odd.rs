//! Odd records for tests: full of hostile texts, empty, broken, or with series of any numbers. Not part of the program.

use super::super::flow::{Connection, ConnectionEnd, Corruption, CorruptionKind, FlowRecord, Item, ItemOutcome, TcpSample};
use super::super::{Ended, RunRecord, Verdict};
use super::{MS, failover};
use crate::record::process::{CommandRecord, LifeRecord, Line, Output, ProcessRecord, Stream};

/// What no report may be broken by.
const HOSTILE: &str =
    "<script>alert(1)</script> ]]> \u{1b}[31mred\u{1b}[0m \0 \"quoted\" 'single' & &amp; \u{1f980} \u{202e}rtl \u{fffe} {{x}} `${y}`";

/// A run whose every text is hostile.
pub(crate) fn hostile() -> RunRecord {
    let mut record = failover();
    let bad = |text: &mut String| *text = format!("{HOSTILE} {text}");
    bad(&mut record.program);
    bad(&mut record.scenario.name);
    bad(&mut record.scenario.doc);
    bad(&mut record.scenario.file);
    record.scenario.tags.iter_mut().for_each(bad);
    record.scenario.source = record.scenario.source.lines().map(|line| format!("{line} # {HOSTILE}\n")).collect();
    for (name, value, _) in &mut record.scenario.params {
        bad(name);
        bad(value);
    }
    for (name, value) in &mut record.environment {
        bad(name);
        bad(value);
    }
    record.warnings.iter_mut().for_each(bad);
    record.ended = Ended::Failed(HOSTILE.to_owned());
    record.verdict = Some(Verdict::Error);
    for node in &mut record.nodes {
        bad(&mut node.name);
        bad(&mut node.kind);
        node.addresses.iter_mut().for_each(bad);
    }
    for link in &mut record.links {
        bad(&mut link.name);
        bad(&mut link.engine);
        bad(&mut link.impairment);
    }
    for event in &mut record.events {
        event.name.iter_mut().for_each(bad);
        bad(&mut event.text);
        event.error = Some(HOSTILE.to_owned());
    }
    for expectation in &mut record.expectations {
        bad(&mut expectation.name);
        bad(&mut expectation.words);
        if let Some(outcome) = &mut expectation.outcome {
            bad(&mut outcome.measured);
            bad(&mut outcome.expected);
            bad(&mut outcome.reason);
            outcome.worst.iter_mut().for_each(|(text, _)| bad(text));
        }
    }
    record.expectations[6].outcome = None;
    hostile_flow(&mut record.flows[0]);
    record
}

fn hostile_flow(flow: &mut FlowRecord) {
    let bad = |text: &mut String| *text = format!("{HOSTILE} {text}");
    bad(&mut flow.name);
    bad(&mut flow.doc);
    bad(&mut flow.description);
    flow.truncated_at_ns = Some(7_000 * MS);
    flow.finished = false;
    for failure in &mut flow.failures {
        bad(&mut failure.step);
        bad(&mut failure.what);
    }
    for connection in &mut flow.connections {
        bad(&mut connection.remote);
    }
    for measurement in &mut flow.summary {
        bad(&mut measurement.name);
        bad(&mut measurement.value);
        bad(&mut measurement.error);
        bad(&mut measurement.definition);
    }
    flow.corrupt.push(Corruption {
        at_ns: 5 * MS,
        connection: 3,
        server: true,
        kind: CorruptionKind::Misdelivered,
        offset: 17,
        detail: HOSTILE.to_owned(),
    });
}

/// A run in which nothing was there and nothing was judged.
pub(crate) fn empty() -> RunRecord {
    let mut record = failover();
    record.scenario.name = "nothing".to_owned();
    record.scenario.doc.clear();
    record.scenario.tags.clear();
    record.scenario.source.clear();
    record.scenario.lines = (0, 0);
    record.scenario.params.clear();
    record.scenario.file = "./nothing.scn".to_owned();
    record.duration_ns = 0;
    record.environment.clear();
    record.nodes.clear();
    record.links.clear();
    record.flows.clear();
    record.events.clear();
    record.expectations.clear();
    record.warnings.clear();
    record.verdict = None;
    record.plan = serde_json::Value::Null;
    record
}

/// A program that ended unasked, and what it wrote.
fn program() -> ProcessRecord {
    let line = |at_ns, stream, text: &str| Line { at_ns, stream, text: text.to_owned(), open: false };
    let lines =
        vec![line(-200_000_000, Stream::Output, "listening"), line(12_000_000, Stream::Errors, "cannot bind: \u{1b}[31maddress in use")];
    ProcessRecord {
        process: 0,
        name: "lb".to_owned(),
        node: 2,
        command: "haproxy -db -f ${dir}/haproxy.cfg".to_owned(),
        lives: vec![LifeRecord {
            started_ns: -250_000_000,
            ready_ns: Some(-190_000_000),
            ended_ns: Some(13_000_000),
            status: Some(1),
            asked: false,
        }],
        usage: vec![(-250_000_000, 1_000_000, 3_000_000), (0, 5_000_000, 12_000_000)],
        usage_until_ns: None,
        cpu_ns: 7_500_000,
        peak_memory: 12_345_678,
        output: Output { lines, left_out: 0, after: 2 },
    }
}

/// A command that the run's end cut.
fn command() -> CommandRecord {
    CommandRecord {
        event: Some("version".to_owned()),
        node: 2,
        text: "run on backup \"haproxy -v\"".to_owned(),
        started_ns: 1_000_000,
        ended_ns: None,
        status: None,
        output: Output::default(),
    }
}

/// A run that broke before anything could be judged; its flow has no series.
pub(crate) fn broken() -> RunRecord {
    let mut record = failover();
    record.scenario.name = "cut[family=ipv6,rate=0.5]".to_owned();
    record.ended = Ended::Failed("link `wan`: the kernel refused the veth pair: operation not permitted".to_owned());
    record.verdict = Some(Verdict::Error);
    record.duration_ns = 0;
    record.events.clear();
    record.processes = vec![program()];
    record.commands = vec![command()];
    let flow = &mut record.flows[0];
    flow.ran_ns.clear();
    flow.items.clear();
    flow.connections.clear();
    flow.tcp.clear();
    flow.failures.clear();
    flow.summary.clear();
    record.expectations.iter_mut().for_each(|e| e.outcome = None);
    record
}

/// Ten nodes: clients, a ring of routers with impaired and parallel links, a bridge, and a node that nothing reaches.
pub(crate) fn network() -> RunRecord {
    let mut record = failover();
    record.scenario.name = "ring".to_owned();
    let kinds = ["host", "host", "router", "router", "router", "router", "bridge", "host", "host", "host"];
    let names = ["client_1", "client_2", "r1", "r2", "r3", "r4", "lan", "web", "store", "lonely"];
    record.nodes = kinds
        .iter()
        .zip(names)
        .enumerate()
        .map(|(at, (kind, name))| crate::record::NodeRecord {
            name: name.to_owned(),
            kind: (*kind).to_owned(),
            addresses: (0..if *kind == "bridge" { 0 } else { 1 + at % 3 }).map(|i| format!("eth{i} 10.{at}.{i}.1/24")).collect(),
        })
        .collect();
    let links = [
        (0, 2, ""),
        (1, 2, ""),
        (2, 3, "delay 20ms, loss 0.1%"),
        (2, 3, ""),
        (2, 4, "rate 100Mbit/s"),
        (3, 4, ""),
        (3, 5, ""),
        (4, 5, "delay 5ms"),
    ];
    let more = [(5, 6, ""), (6, 7, ""), (6, 8, "")];
    record.links = links
        .iter()
        .chain(&more)
        .map(|(a, b, impairment)| crate::record::LinkRecord {
            name: format!("{}-{}", names[*a as usize], names[*b as usize]),
            ends: [*a, *b],
            engine: "wire".to_owned(),
            impairment: (*impairment).to_owned(),
            account: None,
            samples: Vec::new(),
        })
        .collect();
    record
}

/// Fills a flow's series with rows of any numbers, sometimes with none.
pub(crate) fn scramble(flow: &mut FlowRecord, state: &mut u64, round: usize) {
    let rows = if round.is_multiple_of(7) { 0 } else { usize::try_from(super::next(state) % 40).expect("small") };
    let mut wide = || match super::next(state) % 5 {
        0 => i64::MIN,
        1 => i64::MAX,
        2 => 0,
        _ => i64::try_from(super::next(state)).expect("31 bits") * if super::next(state).is_multiple_of(2) { 1 << 20 } else { -3 },
    };
    let narrow = |value: i64| u32::try_from(value & 0xffff_ffff).expect("32 bits");
    let short = |value: i64| u16::try_from(value & 0xffff).expect("16 bits");
    let outcomes = [ItemOutcome::Done, ItemOutcome::Failed, ItemOutcome::Dropped, ItemOutcome::Unfinished];
    flow.items = (0..rows)
        .map(|at| Item {
            intended_ns: wide(),
            sent_ns: wide(),
            done_ns: wide(),
            lag_ns: narrow(wide()),
            connection: narrow(wide()),
            backend: short(wide()),
            outcome: outcomes[at % 4],
            status: short(i64::try_from(at).expect("small") * 7919),
            forward_bytes: narrow(wide()),
            back_bytes: narrow(wide()),
        })
        .collect();
    flow.connections = (0..rows)
        .map(|at| Connection {
            opened_ns: wide(),
            established_ns: wide(),
            handshake_ns: wide(),
            closed_ns: wide(),
            end: if at % 2 == 0 { ConnectionEnd::Other } else { ConnectionEnd::Open },
            successor_of: narrow(wide()),
            backend: short(wide()),
            transactions: narrow(wide()),
            local: format!("local {}", at % 3),
            remote: String::new(),
        })
        .collect();
    let big = |value: i64| u64::from_ne_bytes(value.to_ne_bytes());
    flow.tcp = (0..rows)
        .map(|at| TcpSample {
            at_ns: wide(),
            connection: narrow(wide()),
            server: at % 2 == 0,
            rtt_us: narrow(wide()),
            ssthresh: narrow(wide()),
            bytes_acked: big(wide()),
            delivery_rate: big(wide()),
            pacing_rate: u64::MAX,
            ca_state: 255,
            state: 1,
            ..TcpSample::default()
        })
        .collect();
    flow.tcp.sort_by_key(|r| (r.at_ns, r.connection, r.server));
}
