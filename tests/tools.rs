//! Flows that real tools make, in real namespaces: what they tell is in the packets as tshark counts them, and their failures are told in
//! their own words.

use std::path::Path;

use scn_reports::record::flow::FlowRecord;
use scn_reports::record::{self, RunRecord};

use crate::built::{Place, scenario, skip};
use crate::http::{passes, places};
use crate::loads::{captured, fields, there_is_tshark};

/// iperf3 speaks of its test on a connection of its own, iperf 2 before its payload: no more bytes than this.
const CONTROL_BYTES: u64 = 16 << 10;

/// A server that a fault ends, an argument that the tool does not know, and a tool that few machines have.
const FAILURES: &str = r#"scn 1

scenario deserted {
    timeout 20s
    topology {
        node client, server
        link client <-> server
    }
    flow bulk from client to server via iperf3 { duration 3s  bandwidth 8Mbit/s }
    flow lost from client to server via ping { rate 20/s  duration 1s }
    timeline { at 500ms  kill server }
    expect {
        bulk.errors == 0
        bulk.goodput.forward > 1Mbit/s
        lost.loss == 0%
    }
}

scenario wrong {
    timeout 20s
    topology {
        node client, server
        link client <-> server
    }
    flow bulk  from client to server via iperf3 { duration 1s  arguments "--nonsense" }
    flow older from client to server via iperf { duration 1s  arguments "--nonsense" }
    flow lost  from client to server via ping { duration 1s  arguments "-M nonsense" }
    expect {
        bulk.errors == 0
        bulk.goodput.forward > 1Mbit/s
        older.errors == 0
        lost.errors == 0
        lost.loss == 0%
    }
}

scenario rare {
    timeout 20s
    topology {
        node client, server
        link client <-> server
    }
    flow bulk from client to server via netperf { duration 1s }
    expect { bulk.goodput.forward > 1Mbit/s }
}
"#;

/// Whether a program is on the search path.
pub fn is_there(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Whether the tools are there; otherwise the skip is said.
pub fn there_are_tools() -> bool {
    let missing: Vec<&str> = ["iperf3", "iperf", "ping"].into_iter().filter(|tool| !is_there(tool)).collect();
    if !missing.is_empty() {
        skip(&format!("not installed: {}", missing.join(", ")));
    }
    missing.is_empty()
}

fn read(place: &Place, name: &str) -> RunRecord {
    record::read(place.read(&format!("scn-results/{name}.run.json")).as_bytes()).unwrap()
}

fn flow<'a>(record: &'a RunRecord, name: &str) -> &'a FlowRecord {
    record.flows.iter().find(|flow| flow.name == name).unwrap()
}

/// Bytes of payload that a flow's receiving end tells.
fn received(record: &RunRecord, name: &str) -> u64 {
    flow(record, name).tool.iter().flat_map(|tool| &tool.reports).filter(|report| report.receiver).map(|report| report.bytes).sum()
}

/// The port of a flow's server.
fn port(record: &RunRecord, name: &str) -> String {
    let target = flow(record, name).description.split(' ').nth(2).unwrap();
    target.rsplit(':').next().unwrap().to_owned()
}

/// Bytes of TCP payload that pass a filter, those that were sent again not counted twice.
fn payload(capture: &Path, filter: &str) -> u64 {
    let filter = format!("{filter} && tcp.len > 0 && !tcp.analysis.retransmission");
    fields(&capture.to_path_buf(), &filter, &["tcp.len"]).iter().map(|bytes| bytes.parse::<u64>().unwrap()).sum()
}

#[test]
fn tools_tell_what_tshark_counts() {
    if !there_is_tshark() || !there_are_tools() {
        return;
    }
    for place in places() {
        let capture = captured(&place, "tools", &scenario("tools.scn"));
        let record = read(&place, "tools.tools");
        for (name, way) in [("bulk", "dst"), ("older", "dst"), ("steady", "dst"), ("back", "src")] {
            let (told, seen) = (received(&record, name), payload(&capture, &format!("tcp.{way}port == {}", port(&record, name))));
            // What a stopped tool had sent last arrives when its server counts no more.
            let under_way = if name == "steady" { 2 * (128 << 10) } else { 0 };
            assert!(told <= seen && seen <= told + CONTROL_BYTES + under_way, "{name}: {told} bytes told, {seen} in the packets");
        }
        for name in ["voice", "grams"] {
            let told = flow(&record, name).tool.iter().flat_map(|tool| &tool.reports).filter(|report| report.receiver);
            let told: u64 = told.map(|report| report.packets).sum();
            let filter = format!("udp.dstport == {} && udp.length == 1008", port(&record, name));
            let seen = fields(&capture, &filter, &["frame.number"]).len() as u64;
            // iperf 2 says its end in a datagram of the same size, as often as it takes.
            let last = if name == "grams" { 10 } else { 0 };
            assert!(told <= seen && seen <= told + last, "{name}: {told} datagrams told, {seen} in the packets");
        }
        assert_eq!(fields(&capture, "icmp.type == 8 && data.len == 192", &["frame.number"]).len(), 50, "of 200 bytes 8 are a time");
    }
}

#[test]
fn failures_are_told_in_the_tools_words() {
    if !there_are_tools() {
        return;
    }
    let place = Place::new();
    place.write("failures.scn", FAILURES);
    let ended = place.scn(&["run", "failures.scn", "--timing", "ci"]);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    let deserted = read(&place, "failures.deserted");
    let words: Vec<&str> = flow(&deserted, "bulk").failures.iter().map(|failure| failure.what.as_str()).collect();
    assert!(words.iter().any(|words| words.contains("control socket has closed unexpectedly")), "{words:?}\n{all}");
    assert!(words.iter().any(|words| words.contains("signal 9")), "{words:?}");
    assert_eq!(verdicts(&deserted), ["fail", "inconclusive", "pass"], "ping's partner is the kernel\n{all}");
    let wrong = read(&place, "failures.wrong");
    for (name, words) in [("bulk", "unrecognized option '--nonsense'"), ("older", "unrecognized option `--nonsense'"), ("lost", "nonsense")]
    {
        let failures = &flow(&wrong, name).failures;
        assert!(failures.iter().any(|failure| failure.what.contains(words)), "{name}: {failures:?}");
    }
    // iperf 2 goes on in spite of it; the others have measured nothing, which is neither good nor zero.
    assert_eq!(verdicts(&wrong), ["fail", "inconclusive", "fail", "fail", "inconclusive"], "{all}");
    if !is_there("netperf") {
        let told = "flow `bulk` starts `netperf`, which is not on this machine's search path";
        assert!(all.contains(told) && all.contains("needs tool netperf"), "{all}");
    }
}

fn verdicts(record: &RunRecord) -> Vec<String> {
    let word = |verdict: record::Verdict| format!("{verdict:?}").to_lowercase();
    record.expectations.iter().map(|expectation| word(expectation.outcome.as_ref().unwrap().verdict)).collect()
}

#[test]
fn a_metric_that_a_tool_does_not_tell_is_refused_with_those_that_it_tells() {
    let place = Place::new();
    let text = "scn 1\nscenario s {\n topology {\n node a, b\n link a <-> b\n }\n flow f from a to b via iperf3 { duration 1s }\n \
                expect { f.sent > 0 }\n}\n";
    let ended = place.write("s.scn", text).scn(&["check", "s.scn"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let all = format!("{} {}", ended.stdout, ended.stderr);
    let all = all.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        all.contains("`iperf3` over tcp does not tell it") && all.contains("iperf3 over tcp tells `errors`, `goodput.forward`"),
        "{all}"
    );
}

#[test]
fn tools_run_beside_a_flow_and_a_stress() {
    for place in places() {
        passes(&place, "streams", &scenario("streams.scn"));
    }
}
