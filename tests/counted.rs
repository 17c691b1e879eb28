//! What is counted at links and interfaces, and what programs are while a run goes on: real runs, held against what others counted of the same.

use serde_json::Value;

use crate::built::{Ended, Place, User, scenario, skip, until_told};

/// Both users, where they can be had.
fn places() -> Vec<Place> {
    [User::Own, User::Ordinary].into_iter().filter_map(Place::of).collect()
}

fn assert_passes(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
}

fn run(place: &Place, body: &str) -> Ended {
    let patterns = if body.contains("sym(") { "use std.patterns (sym)\n\n" } else { "" };
    place.write("counted.scn", format!("scn 1\n\n{patterns}scenario counted {{\n{body}\n}}\n"));
    place.scn(&["run", "--seed", "7", "--timing", "ci", "counted.scn"])
}

fn record(place: &Place) -> Value {
    serde_json::from_str(&place.read("scn-results/counted.counted.run.json")).expect("a record is JSON")
}

/// 900 packets there and those that came back again, over a link that loses some there, delays both ways and has a rate there.
const IMPAIRED: &str = "
    timeout 30s
    needs tool ip
    topology {
        node a, b
        link wan: a 10.0.0.1/24 <-> b 10.0.0.2/24 { forward { delay 10ms  loss 5%  rate 2Mbit/s  queue 20 } back { delay 5ms } }
    }
    flow steady from a to b over udp { pattern sym(500B)  rate 300/s }
    timeline {
        at 0s      start steady
        at 3s      stop steady
        at 3500ms  run on a \"ip -s -json link show dev eth0\"  as there
        at 3600ms  run on b \"ip -s -json link show dev eth0\"  as back
        at 4s      mark over
    }
    expect {
        wan.forward.lost >= steady.forward.lost
        wan.forward.lost <= steady.forward.lost + 5
        wan.forward.lost > 15
        wan.forward.loss > 1%
        wan.forward.loss < 10%
        wan.back.lost == 0
        wan.back.loss == 0%
        wan.lost == wan.forward.lost
        wan.forward.sent == a.eth0.tx_packets
        wan.forward.delivered == b.eth0.rx_packets
        wan.back.sent == b.eth0.tx_packets
        wan.forward.delivered >= wan.forward.sent - wan.forward.lost
        wan.forward.delivered <= wan.forward.sent - wan.forward.lost + 5
        wan.back.delivered >= wan.back.sent
        wan.back.delivered <= wan.back.sent + 5
        wan.duplicated == 0
        wan.corrupted == 0
        wan.reordered == 0
        wan.cut == 0
        wan.dropped == 0
        wan.forward.delay.min >= 10ms
        wan.forward.delay.p99 >= 12ms
        wan.back.delay.min >= 5ms
        wan.forward.bandwidth > 600kbit/s
        wan.forward.queue.max <= 20
        wan.back.queue.max == 0
        always wan.forward.queued <= 20
        always wan.back.loss == 0% during 0s..3s
        a.eth0.tx_errors == 0
        a.eth0.rx_dropped == 0
        b.eth0.rx_bytes > 300kB
        always a.eth0.carrier
    }
";

/// The eight counts of `ip -s -json link`, in the order of the record.
fn told_by_ip(output: &Value) -> Vec<u64> {
    let text: String = output["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    let told: Value = serde_json::from_str(&text).expect("ip writes JSON");
    let count = |way: &str, what: &str| told[0]["stats64"][way][what].as_u64().unwrap();
    ["packets", "bytes", "errors", "dropped"].iter().flat_map(|what| [count("rx", what), count("tx", what)]).collect()
}

#[test]
fn what_crosses_a_link_is_counted_alike_by_the_wire_the_flow_the_kernel_and_ip() {
    for place in places() {
        let ended = until_told(|| run(&place, IMPAIRED));
        if ended.code == Some(4) {
            skip(&ended.stdout);
            continue;
        }
        assert_passes(&ended);
        let record = record(&place);
        let link = &record["links"][0];
        let samples = link["samples"].as_array().unwrap();
        assert!(samples.len() >= 40, "ten a second and those of the events: {}", samples.len());
        let last = &samples[samples.len() - 1]["ways"];
        for (at, place) in [(0, "entered"), (1, "delivered"), (3, "lost")] {
            // What comes after the run's end is none of it; here that is no more than what ends it.
            let (counted, account) = (last[0]["counts"][at].as_u64().unwrap(), link["account"][place][0].as_u64().unwrap());
            assert!(counted <= account && account - counted <= account / 20, "{place}: {link}");
        }
        for (command, node) in [(0, 0), (1, 1)] {
            let ran = &record["commands"][command];
            let told = told_by_ip(&ran["output"]);
            let interface = record["interfaces"].as_array().unwrap().iter().find(|one| one["node"] == node).unwrap();
            let (mut before, mut after) = (None, None);
            for sample in interface["samples"].as_array().unwrap() {
                let counts: Vec<u64> = sample["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
                if sample["to_ns"].as_i64() < ran["started_ns"].as_i64() {
                    before = Some(counts);
                } else if sample["from_ns"].as_i64() > ran["ended_ns"].as_i64() {
                    after = after.or(Some(counts));
                }
            }
            let (before, after) = (before.expect("a sample before"), after.expect("a sample after"));
            for ((told, before), after) in told.iter().zip(&before).zip(&after) {
                assert!(before <= told && told <= after, "ip: {told}, between {before} and {after}; {interface}");
            }
            assert!(told[0] > 700 && told[2] > 300_000, "{told:?}");
        }
    }
}

#[test]
fn a_bottleneck_is_told_by_its_link() {
    for place in places() {
        place.write("bottleneck.scn", scenario("bottleneck.scn"));
        assert_passes(&until_told(|| place.scn(&["run", "--timing", "ci", "bottleneck.scn"])));
    }
}

/// A cable that is pulled and plugged again, and what waits for it.
const PULLED: &str = "
    timeout 30s
    topology {
        node a, b
        link ab: a <-> b
    }
    flow steady from a to b over udp { pattern sym(100B)  rate 100/s }
    timeline {
        at 0s      start steady
        when ab.forward.delivered >= 20 within 10s  down ab  as pulled
        when not b.eth0.carrier within 5s           mark seen
        seen + 100ms                                up ab    as plugged
        when b.eth0.carrier and ab.back.delivered > 20 within 10s  mark back
        back + 300ms                                stop steady
    }
    expect {
        b.eth0.carrier
        not b.eth0.carrier within 1s after pulled
        always b.eth0.carrier before pulled
        always not b.eth0.carrier during seen..plugged
        b.eth0.rx_packets >= 20 before pulled
        b.eth0.rx_packets == 0 during seen..plugged
        ab.delivered == 0 during seen..plugged
        never ab.lost > 0
    }
";

#[test]
fn the_timeline_waits_for_what_links_and_interfaces_show() {
    for place in places() {
        assert_passes(&until_told(|| run(&place, PULLED)));
        let record = record(&place);
        assert_eq!(record["links"][0]["engine"], "wire");
        let names: Vec<&str> = record["events"].as_array().unwrap().iter().filter_map(|event| event["name"].as_str()).collect();
        assert_eq!(names, ["pulled", "seen", "plugged", "back"]);
    }
}

#[test]
fn a_requirement_over_an_interface_stops_the_run() {
    let place = Place::new();
    let body = "topology {\n node a, b\n link ab: a <-> b\n}\nflow steady from a to b { rate 50/s }\ntimeline {\n at 0s start steady\n at 300ms down ab\n \
                at 20s stop steady\n}\nexpect { require always a.eth0.carrier }";
    let ended = run(&place, body);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let record = record(&place);
    assert_eq!((&record["ended"]["how"], &record["ended"]["why"]), (&"required".into(), &"require always a.eth0.carrier".into()));
    assert!(record["duration_ns"].as_u64().unwrap() < 10_000_000_000, "it did not wait for the end: {}", record["duration_ns"]);
}

/// A program that counts aloud, is killed when it has counted far enough, and comes back; a command that ends with 3.
const COUNTING: &str = r#"
    timeout 60s
    topology {
        node a, b
        link a <-> b
    }
    process clock on b {
        run "i=0; while :; do i=$((i+1)); echo tick $i; echo odd >&2; sleep 0.05; done"
        ready log /tick 1/ within 10s
    }
    flow steady from a to b { rate 20/s }
    timeline {
        at 0s  start steady
        when clock.log matches /tick 10\n/ and clock.memory > 100kB within 20s  kill clock  as death
        when not clock.running and clock.exits == 1 and clock.exit == 137 within 10s  mark dead
        dead + 50ms    start clock
        when clock.running within 10s  mark alive
        alive + 50ms   run on a "echo done; exit 3"  as asked
        when asked.status == 3 and asked.output matches /^done\n/ and not asked.log matches /odd/ within 10s  mark told
        told + 50ms    stop steady
    }
    expect {
        clock.running
        clock.exits == 1
        clock.exit == 137
        not clock.running within 5s after death
        asked.status == 3
        require clock.exits <= 1
        require never clock.output matches /odd/
        require always asked.status == 3
    }
"#;

#[test]
fn the_timeline_waits_for_what_programs_and_commands_are() {
    for place in places() {
        assert_passes(&until_told(|| run(&place, COUNTING)));
        let record = record(&place);
        let at = |name: &str| {
            let event = record["events"].as_array().unwrap().iter().find(|event| event["name"] == name).unwrap();
            event["asked_ns"].as_i64().unwrap()
        };
        let process = &record["processes"][0];
        let line = process["output"]["lines"].as_array().unwrap().iter().find(|line| line["text"] == "tick 10").unwrap();
        assert!(at("death") >= line["at_ns"].as_i64().unwrap(), "not before the line was there");
        assert!(at("dead") >= process["lives"][0]["ended_ns"].as_i64().unwrap() && at("told") > at("asked"));
        let html = place.read("scn-results/report.html");
        assert!(html.contains("<h3>Programs under test</h3>") && html.contains("<summary>clock on b: "), "the page has programs");
        assert!(html.contains(" ! odd\n"), "and what they wrote");
        assert!(html.contains("ended with signal 9") || html.contains("ended with signal 15"), "and how they ended");
        let results: Value = serde_json::from_str(&place.read("scn-results/results.json")).expect("results are JSON");
        let clock = &results["scenarios"][0]["run"]["processes"][0];
        assert_eq!((&clock["name"], &clock["restarts"], &clock["failed"]), (&"clock".into(), &1.into(), &false.into()));
    }
}

#[test]
fn a_requirement_over_a_log_stops_the_run() {
    let place = Place::new();
    let body = "timeout 60s\ntopology {\n node a, b\n link a <-> b\n}\nprocess p on b { run \"sleep 0.5; echo panic: no route; sleep 99\" }\nflow steady from a to b { rate 20/s }\n\
                timeline {\n at 0s start steady\n at 40s stop steady\n}\nexpect { require never p.log matches /panic/ }";
    let ended = run(&place, body);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let record = record(&place);
    assert_eq!(record["ended"]["how"], "required");
    assert!(record["duration_ns"].as_u64().unwrap() < 30_000_000_000, "it did not wait for the end: {}", record["duration_ns"]);
}
