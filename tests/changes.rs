//! Flows that are paused and changed while they run, and random streams, in real namespaces as root and as an ordinary user: what was sent and when is
//! in the packets as tshark reads them.

use serde_json::Value;

use crate::built::{Place, scenario, until_told};
use crate::http::places;
use crate::loads::{captured, fields, there_is_tshark};
use crate::tools::{is_there, there_are_tools};

/// A stress whose server is killed under it, and comes back.
const KILLED: &str = r#"scn 1

scenario killed {
    timeout 30s
    topology {
        node sut, client[1..2]
        bridge lan
        link sut 10.0.0.1/24 <-> lan
        link client[1] 10.0.0.2/24 <-> lan
        link client[2] 10.0.0.3/24 <-> lan
    }
    stress mix from client[*] to sut {
        streams 6
        duration uniform(100ms, 300ms)
        size 64B..2KiB
        rate 50/s
        transports [tcp]
        ports 5001..5009
    }
    timeline {
        at 500ms   kill sut        as failure
        at 1s      restart sut     as back
        at 2s      stop mix
        at 2100ms  pause mix
    }
    expect {
        mix.failed == 0     before failure
        mix.failed > 0      during failure .. back
        mix.received > 0    after back + 200ms
    }
}
"#;

/// Streams that a tool makes, one of whose servers is killed under it.
const DESERTED: &str = r#"scn 1

scenario deserted {
    timeout 30s
    topology {
        node sut, client
        link sut 10.0.0.1/24 <-> client 10.0.0.2/24
    }
    stress mix from client to sut {
        streams 3
        duration uniform(1s, 2s)
        rate 50/s
        transports [tcp]
        tools [iperf3]
    }
    timeline {
        at 0s      start mix
        at 1s      kill sut        as failure
        at 1500ms  restart sut     as back
        at 3s      stop mix
    }
    expect {
        mix.failed == 0       before failure
        mix.failed > 0        during failure .. back
        mix.streams > 5
    }
}

scenario rare {
    timeout 10s
    topology {
        node sut, client
        link sut <-> client
    }
    stress mix from client to sut { transports [tcp]  tools [netperf]  duration 1s  streams 1  total 1 }
    expect { mix.failed == 0 }
}
"#;

/// What no live count of a tool can decide, and what a tool can't do.
const UNTOLD: &str = r#"scn 1

scenario untold {
    topology {
        node sut, client
        link sut <-> client
    }
    stress mix from client to sut { transports [icmp]  tools [ping]  rate 10/s }
    timeline {
        at 0s                       start mix
        when mix.streams > 3        mark begun
        when mix.sent > 3           mark flowing
        at 3s                       set mix.rate 5/s
        at 4s                       stop mix
    }
    expect { mix.failed == 0 }
}
"#;

fn record(place: &Place, path: &str) -> Value {
    serde_json::from_str(&place.read(path)).expect("a record is JSON")
}

#[test]
fn pauses_and_settings_are_in_the_packets() {
    if !there_is_tshark() {
        return;
    }
    for place in places() {
        let capture = captured(&place, "pauses", &scenario("pauses.scn"));
        let count = |filter: &str| fields(&capture, filter, &["frame.number"]).len();
        assert_eq!(count("icmp.type == 8"), 75);
        assert_eq!(count("udp.dstport == 5000 && !icmp"), 200);
        let opened = "tcp.dstport == 8080 && tcp.flags.syn == 1 && tcp.flags.ack == 0 && !tcp.analysis.retransmission";
        // Ten that stay, those by the clock, and two that become six.
        assert_eq!(count(opened), 10 + 75 + 6);
        // 64 bytes, or what headers are with it, of the three flows over TCP: 225, 75 and 40 requests.
        assert_eq!(count("tcp.dstport == 8080 && tcp.len == 64 && !tcp.analysis.retransmission"), 225 + 75 + 40);
        let record = record(&place, "scn-results/pauses.pauses.run.json");
        let steady = &record["flows"][0];
        assert_eq!(steady["paused_ns"], serde_json::json!([[500_000_000, 1_000_000_000]]));
        assert!(steady["intervals_ns"].as_array().is_some_and(|all| !all.is_empty()), "{steady}");
        assert_eq!(record["warnings"], serde_json::json!([]));
    }
}

#[test]
fn a_stress_is_random_by_its_seed_alone_and_silent_when_paused() {
    for place in places() {
        place.write("stress.scn", scenario("stress.scn"));
        let mut drawn: Vec<Vec<Value>> = Vec::new();
        for _ in 0..2 {
            let ended = until_told(|| place.scn(&["run", "stress.scn", "--seed", "7"]));
            assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
            let record = record(&place, "scn-results/stress.stress.run.json");
            let mut streams: Vec<Value> = record["stresses"][0]["streams"].as_array().expect("streams").clone();
            streams.sort_by_key(|stream| stream["number"].as_u64());
            // How far a run comes hangs on the time, what it meets there does not.
            let of = |stream: &Value| serde_json::json!([stream["number"], stream["transport"], stream["size"]]);
            drawn.push(streams.iter().take(16).map(of).collect());
        }
        assert_eq!(drawn[0], drawn[1]);
        assert_eq!(drawn[0].len(), 16);
        let results = record(&place, "scn-results/results.json");
        assert_eq!(results["scenarios"][0]["run"]["stresses"][0]["name"], "mix");
        let page = place.read("scn-results/report.html");
        assert!(page.contains("Stresses") && page.contains("Why it failed"));
    }
}

#[test]
fn a_killed_server_fails_streams_which_tell_why() {
    for place in places() {
        place.write("killed.scn", KILLED);
        let ended = until_told(|| place.scn(&["run", "killed.scn"]));
        assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
        let record = record(&place, "scn-results/killed.killed.run.json");
        let mix = &record["stresses"][0];
        let causes: Vec<&str> = mix["streams"].as_array().expect("streams").iter().filter_map(|stream| stream["cause"].as_str()).collect();
        assert!(causes.iter().any(|cause| cause.contains("10.0.0.1:5001") && cause.contains("refused")), "{causes:?}");
        assert!(!mix["failures"].as_array().expect("failures").is_empty());
        assert!(ended.stdout.contains("what went wrong in mix"), "{}", ended.stdout);
        let warning = "pause mix had no effect: so it was already, or it does not run";
        assert_eq!(record["warnings"], serde_json::json!([warning]));
    }
}

#[test]
fn streams_of_tools_are_runs_of_their_own() {
    if !there_are_tools() {
        return;
    }
    for place in places() {
        place.write("stress_tools.scn", scenario("stress_tools.scn"));
        let ended = until_told(|| place.scn(&["run", "stress_tools.scn", "--seed", "7"]));
        assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
        let record = record(&place, "scn-results/stress_tools.stress_tools.run.json");
        assert_eq!(record["warnings"], serde_json::json!([]));
        let mix = &record["stresses"][0];
        let streams = mix["streams"].as_array().expect("streams");
        let over =
            |what: &str| streams.iter().filter(|stream| stream["transport"].as_str().is_some_and(|over| over.starts_with(what))).count();
        for maker in ["tcp from", "iperf3 over tcp from client[", "udp from", "iperf3 over udp from", "icmp from", "ping over icmp from"] {
            assert!(over(maker) > 0, "{maker}: {streams:#?}");
        }
        let ended_ns = |stream: &Value| stream["ended_ns"].as_i64().expect("an instant");
        assert!(streams.iter().all(|stream| ended_ns(stream) > stream["began_ns"].as_i64().expect("an instant")));
        // Of the counts all is told that the streams told one by one, and nothing is in doubt any more.
        let last = mix["samples"].as_array().and_then(|samples| samples.last()).expect("samples");
        let received: u64 = streams.iter().filter_map(|stream| stream["received"].as_u64()).sum();
        assert_eq!((last["counts"][0].as_u64(), last["counts"][3].as_u64()), (Some(streams.len() as u64), Some(received)));
        assert_eq!(last["active"], 0);
        let page = place.read("scn-results/report.html");
        assert!(page.contains("iperf3 over tcp from client["), "the last streams are listed");
    }
}

#[test]
fn a_tool_that_fails_is_a_failed_stream_in_its_words() {
    if !there_are_tools() {
        return;
    }
    let place = Place::new();
    place.write("deserted.scn", DESERTED);
    let ended = until_told(|| place.scn(&["run", "deserted.scn", "--filter", "deserted"]));
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
    let record = record(&place, "scn-results/deserted.deserted.run.json");
    let failures = record["stresses"][0]["failures"].as_array().expect("failures");
    let of_tool =
        |words: &str| failures.iter().any(|one| one["step"] == "iperf3" && one["what"].as_str().is_some_and(|what| what.contains(words)));
    assert!(of_tool("control socket has closed unexpectedly") || of_tool("Connection refused"), "{failures:?}");
    if !is_there("netperf") {
        let ended = place.scn(&["run", "deserted.scn", "--filter", "rare"]);
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert!(all.contains("stress `mix` starts `netperf`, which is not on this machine's search path"), "{all}");
    }
    place.write("untold.scn", UNTOLD);
    let ended = place.scn(&["run", "untold.scn", "--message-format", "short"]);
    let all = format!("{} {}", ended.stdout, ended.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ended.code, Some(2), "{all}");
    assert!(all.contains("the metric `sent` of a stress with streams made by ping in a condition of the timeline"), "{all}");
    assert!(all.contains("`set` of the rate of a stress with streams made by tools") && !all.contains("the metric `streams`"), "{all}");
}
