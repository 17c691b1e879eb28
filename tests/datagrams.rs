//! Flows over UDP and ICMP echo in real namespaces, as root and as an ordinary user, and beside an observer that shares nothing with
//! scn but the wire.

use std::collections::BTreeSet;
use std::process::Command;

use crate::built::{Ended, Place, User, finish, is_root, scenario, skip, until_told};
use crate::observer;

/// Both users, where they can be had.
fn places() -> Vec<Place> {
    [User::Own, User::Ordinary].into_iter().filter_map(Place::of).collect()
}

fn assert_passes(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
}

fn record(place: &Place, name: &str) -> serde_json::Value {
    serde_json::from_str(&place.read(&format!("scn-results/{name}"))).expect("a record is JSON")
}

/// What went wrong in a flow: the words and how often.
fn failures(record: &serde_json::Value, flow: &str) -> Vec<(String, u64)> {
    let flows = record["flows"].as_array().unwrap();
    let flow = flows.iter().find(|f| f["name"] == flow).unwrap_or_else(|| panic!("no flow {flow}"));
    let all = flow["failures"].as_array().unwrap().iter();
    all.map(|failure| (failure["what"].as_str().unwrap().to_owned(), failure["count"].as_u64().unwrap())).collect()
}

/// A value of a flow's summary.
fn summary(record: &serde_json::Value, flow: &str, metric: &str) -> String {
    let flows = record["flows"].as_array().unwrap();
    let flow = flows.iter().find(|f| f["name"] == flow).unwrap();
    let row = flow["summary"].as_array().unwrap().iter().find(|row| row["name"] == metric);
    row.unwrap_or_else(|| panic!("no {metric} in {}", flow["summary"]))["value"].as_str().unwrap().to_owned()
}

#[test]
fn the_datagrams_scenario_passes() {
    for place in places() {
        place.write("datagrams.scn", scenario("datagrams.scn"));
        assert_passes(&until_told(|| place.scn(&["run", "datagrams.scn"])));
        let refused = failures(&record(&place, "datagrams.closed_port.run.json"), "queries");
        assert!(refused.iter().any(|(what, _)| what.starts_with("destination port unreachable, says 10.")), "{refused:?}");
    }
}

/// Three nodes in a row, dual stack, and flows that lose nothing.
const CLEAN: &str = "scn 1
use std.patterns (request_reply, stream, echo, datagram_test, mouse)
scenario clean {
    topology {
        node a, b
        router r
        link a 10.1.0.1/24, 2001:db8:1::1/64 <-> r 10.1.0.2/24, 2001:db8:1::2/64
        link r 10.2.0.1/24, 2001:db8:2::1/64 <-> b 10.2.0.2/24, 10.2.0.3/24, 2001:db8:2::2/64, 2001:db8:2::3/64
    }
    service answers on b { listen udp :7000  serve request_reply(100B, 300B) }
    flow ask4 from a to 10.2.0.3:7000 over udp { pattern request_reply(100B, 300B)  rate 500/s  total 500  connections 4 }
    flow ask6 from a to [2001:db8:2::3]:7000 over udp { pattern request_reply(100B, 300B)  rate 500/s  total 500 }
    flow one from a to b over udp { pattern stream(1200B)  rate 500/s  total 500 }
    flow texts from a to b over udp { pattern datagram_test  total 200  connections 2 }
    flow bytes from a to b over udp { pattern mouse  total 200 }
    flow echoes from a to b over udp { pattern echo(500B)  total 200  connections 2 }
    flow ping4 from a to 10.2.0.3 over icmp { rate 200/s  total 200  size 0B..1400B }
    flow ping6 from a to 2001:db8:2::3 over icmp { rate 200/s  total 200  size 3000B }
    flow options from a to b { over udp { ttl 9  dscp 46  mark 7  send_buffer 100KiB  receive_buffer 1MiB }  total 50 }
    expect {
        ask4.transactions == 500
        ask4.forward.received == 500
        ask4.back.received == 500
        ask6.transactions == 500
        ask6.forward.sent == 500
        ask6.back.sent == 500
        one.received == 500
        one.forward.received == 500
        texts.transactions == 200
        texts.back.received == 200
        bytes.transactions == 200
        echoes.transactions == 200
        ping4.received == 200
        ping6.received == 200
        options.transactions == 50
        ask4.loss == 0%
        ask4.forward.loss == 0%
        ask6.back.loss == 0%
        one.loss == 0%
        ping4.loss == 0%
        ping6.duplicates == 0
        ask4.corrupt == 0
        one.misdelivered == 0
    }
}
";

#[test]
fn a_clean_network_loses_nothing_and_both_ends_agree() {
    for place in places() {
        place.write("clean.scn", CLEAN);
        assert_passes(&until_told(|| place.scn(&["run", "clean.scn"])));
        let record = record(&place, "clean.clean.run.json");
        assert_eq!(record["warnings"], serde_json::json!([]));
        for flow in record["flows"].as_array().unwrap() {
            assert_eq!(flow["failures"], serde_json::json!([]), "{}", flow["name"]);
        }
    }
}

/// What a network says of packets that it does not deliver.
const REFUSING: &str = "scn 1
scenario refusing {
    topology {
        node a, b
        router r, s
        link a 10.1.0.1/24, 2001:db8:1::1/64 <-> r 10.1.0.2/24, 2001:db8:1::2/64
        link r 10.2.0.1/24, 2001:db8:2::1/64 <-> s 10.2.0.2/24, 2001:db8:2::2/64
        link s 10.3.0.1/24, 2001:db8:3::1/64 <-> b 10.3.0.2/24, 2001:db8:3::2/64
    }
    flow short4 from a to 10.3.0.2 { over icmp { ttl 1 }  rate 10/s  total 3 }
    flow short6 from a to 2001:db8:3::2 { over icmp { ttl 2 }  rate 10/s  total 3 }
    flow large4 from a to 10.3.0.2 { over icmp { df on }  size 1473B  rate 10/s  total 3 }
    flow large6 from a to 2001:db8:3::2 { over icmp { df on }  size 1453B  rate 10/s  total 3 }
    flow fits4 from a to 10.3.0.2 { over icmp { df on }  size 1472B  rate 10/s  total 3 }
    flow fits6 from a to 2001:db8:3::2 { over icmp { df on }  size 1452B  rate 10/s  total 3 }
    flow hops from a to b { over udp { ttl 1 }  rate 10/s  total 3 }
    expect {
        short4.loss == 100%
        short6.loss == 100%
        large4.loss == 100%
        large6.loss == 100%
        fits4.loss == 0%
        fits6.loss == 0%
        hops.loss == 100%
    }
}
";

#[test]
fn the_networks_own_words_are_told() {
    for place in places() {
        place.write("refusing.scn", REFUSING);
        assert_passes(&until_told(|| place.scn(&["run", "refusing.scn"])));
        let record = record(&place, "refusing.refusing.run.json");
        let said = |flow: &str| failures(&record, flow).into_iter().map(|(what, _)| what).collect::<BTreeSet<_>>();
        for (flow, what) in [
            ("short4", "time to live exceeded, says 10.1.0.2"),
            ("short6", "hop limit exceeded, says 2001:db8:2::2"),
            ("large4", "packet too big: 1500 bytes pass"),
            ("large6", "packet too big: 1500 bytes pass"),
            ("hops", "time to live exceeded, says 10.1.0.2"),
        ] {
            // A kernel says some of it only so often; what it does not say is silence.
            assert!(said(flow).contains(what), "{flow}: {:?}", said(flow));
        }
    }
}

#[test]
fn an_option_that_the_kernel_refuses_is_an_error_before_anything_is_sent() {
    let place = Place::new();
    let text = CLEAN.replace("receive_buffer 1MiB", "receive_buffer 1GiB");
    place.write("options.scn", text);
    let ended = place.scn(&["run", "options.scn"]);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("options") && ended.stderr.contains("`receive_buffer`"), "{ended:?}");
}

#[test]
fn what_datagrams_cannot_carry_is_refused() {
    let place = Place::new();
    for (pattern, words) in [
        ("client sends 70000B", "more than 65507B"),
        ("client sends \"a\"\n client closes", "closes"),
        ("server sends \"a\"\n client sends \"b\"", "server begins"),
    ] {
        let text = format!(
            "scn 1\nscenario s {{\n topology {{\n  node a, b\n  link a <-> b\n }}\n pattern p {{\n {pattern}\n }}\n flow f from a to b over udp {{ pattern p \
             total 1 }}\n expect {{ f.loss == 0% }}\n}}\n"
        );
        place.write("s.scn", text);
        let ended = place.scn(&["run", "s.scn"]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("not_in_this_version") && ended.stderr.contains(words), "{words}: {ended:?}");
    }
}

/// One way at 200 a second, and its link silent for a while. It begins when the observer has found the node: that is to see every datagram.
const OBSERVED: &str = "scn 1
use std.patterns (stream)
scenario observed {
    topology {
        node a, b
        link l: a 10.0.0.10/24 <-> b 10.0.0.20/24
    }
    flow f from a to b:9000 over udp { pattern stream(100B)  rate 200/s  duration 3s }
    timeline {
        at 500ms  start f
        at 1500ms for 500ms  silence l  as cut
    }
    expect {
        f.outage.max >= 450ms
        f.lost >= 90
    }
}
";

#[test]
fn an_observer_counts_the_same_datagrams_and_sees_the_same_outage() {
    if !is_root() {
        return skip("entering another process's network namespace needs root");
    }
    let place = Place::new();
    place.write("observed.scn", OBSERVED);
    let seen = std::cell::RefCell::new(Vec::new());
    let ended = until_told(|| {
        let child = place.command(&["run", "observed.scn"]);
        let (ended, arrivals) = observer::beside(child, [10, 0, 0, 20], |frame| is_datagram_to(frame, 9000));
        *seen.borrow_mut() = arrivals;
        ended
    });
    assert_passes(&ended);
    let seen = seen.into_inner();
    let record = record(&place, "observed.observed.run.json");
    assert_eq!(summary(&record, "f", "received"), seen.len().to_string(), "the observer saw as many datagrams as were counted");
    let expectations = record["expectations"].as_array().unwrap();
    let outage = expectations.iter().find(|e| e["words"].as_str().unwrap().contains("outage.max")).unwrap();
    let (reported, error) = observer::measured(outage["outcome"]["measured"].as_str().unwrap());
    let gap = seen.windows(2).map(|pair| pair[1] - pair[0]).max().expect("the observer saw traffic");
    let observed = gap.saturating_sub(std::time::Duration::from_millis(5));
    println!("reported {reported:?} ± {error:?}, observed {observed:?} over {} datagrams", seen.len());
    assert!(reported.abs_diff(observed) <= error, "reported {reported:?} ± {error:?}, observed {observed:?}");
}

#[test]
fn what_is_sent_as_fast_as_it_can_crosses_the_link_in_pieces() {
    if !is_root() {
        return skip("entering another process's network namespace needs root");
    }
    let place = Place::new();
    let dense = OBSERVED.replace("rate 200/s  duration 3s", "duration 500ms");
    let (network, _) = dense.split_once("        at 1500ms").unwrap();
    place.write("dense.scn", format!("{network}    }}\n    expect {{ f.corrupt == 0 }}\n}}\n"));
    let (ended, seen) = observer::beside(place.command(&["run", "dense.scn"]), [10, 0, 0, 20], |frame| is_datagram_to(frame, 9000));
    assert_passes(&ended);
    let record = record(&place, "dense.observed.run.json");
    assert!(!record["warnings"].to_string().contains("one by one"), "{}", record["warnings"]);
    let received: usize = summary(&record, "f", "received").parse().unwrap();
    assert!(!seen.is_empty() && seen.len() * 10 < received, "{received} datagrams in {} pieces", seen.len());
}

/// A receiver with room for a few datagrams, which come several at once.
const NARROW: &str = "scn 1
use std.patterns (stream)
scenario narrow {
    topology {
        node a, b
        link a 10.1.0.1/24 <-> b 10.1.0.2/24 { offload off }
    }
    service sink on b { listen udp :7000 { receive_buffer 4KiB }  serve stream(1000B) }
    flow f from a to sink over udp { pattern stream(1000B)  rate 100000/s  duration 200ms }
    expect { f.forward.loss <= 100% }
}
";

#[test]
fn what_finds_no_room_in_our_own_socket_makes_a_loss_uncertain() {
    let place = Place::new();
    place.write("narrow.scn", NARROW);
    assert_passes(&place.scn(&["run", "narrow.scn"]));
    let record = record(&place, "narrow.narrow.run.json");
    assert!(record["warnings"].to_string().contains("found no room in the socket of sink"), "{}", record["warnings"]);
    let flow = &record["flows"][0];
    let thrown_away: u64 = flow["datagrams"]["thrown_away"].as_array().unwrap().iter().map(|row| row["count"].as_u64().unwrap()).sum();
    let lost = flow["summary"].as_array().unwrap().iter().find(|row| row["name"] == "lost").unwrap();
    assert_eq!(lost["error"], format!("+0 −{thrown_away}"), "{lost}");
}

/// As fast as it can, to a server that stands still for a while.
const POURED: &str = "scn 1
use std.patterns (stream)
scenario poured {
    topology {
        node a, b
        link a 10.1.0.1/24 <-> b 10.1.0.2/24
    }
    service sink on b { listen udp :7000  serve stream(64B) }
    flow f from a to sink over udp { pattern stream(64B)  duration 1s }
    timeline { at 300ms  freeze b for 300ms }
    expect {
        f.loss == 0%
        f.outage.max > 280ms
    }
}
";

#[test]
fn what_is_sent_as_fast_as_it_can_waits_for_a_server_that_stands_still() {
    for place in places() {
        place.write("poured.scn", POURED);
        assert_passes(&until_told(|| place.scn(&["run", "poured.scn"])));
        let record = record(&place, "poured.poured.run.json");
        assert!(!record["warnings"].to_string().contains("found no room"), "{}", record["warnings"]);
    }
}

/// Whether a frame is an IPv4 UDP datagram to this port.
fn is_datagram_to(frame: &[u8], port: u16) -> bool {
    let Some(packet) = frame.get(14..).filter(|_| frame.get(12..14) == Some(&[8, 0])) else { return false };
    let header = usize::from(packet[0] & 15) * 4;
    packet.len() >= header + 8 && packet[9] == 17 && u16::from_be_bytes([packet[header + 2], packet[header + 3]]) == port
}

/// What tshark finds in a capture, a line a packet.
fn dissected(place: &Place, file: &str, arguments: &[&str]) -> Vec<String> {
    let path = place.path().join("scn-results").join(file);
    let ended = finish(Command::new("tshark").args(["-n", "-r"]).arg(path).args(arguments));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn every_receiver_of_a_group_is_counted_and_tshark_sees_the_same() {
    for place in places() {
        place.write("groups.scn", scenario("groups.scn"));
        assert_passes(&until_told(|| place.scn(&["run", "groups.scn"])));
        let record = record(&place, "groups.groups.run.json");
        let music = record["flows"].as_array().unwrap().iter().find(|flow| flow["name"] == "music").unwrap();
        assert_eq!(music["failures"], serde_json::json!([]));
        // The capture has each copy beside what it is a copy of.
        let seen = |filter: &str, field: &str| {
            let lines = dissected(&place, "groups.groups.captures/doubled.pcapng", &["-Y", filter, "-T", "fields", "-e", field]);
            (lines.len(), lines.into_iter().collect::<BTreeSet<String>>())
        };
        let only = |value: &str| BTreeSet::from([value.to_owned()]);
        assert_eq!(seen("ip.dst == 239.1.2.3 && udp", "eth.dst"), (200, only("01:00:5e:01:02:03")));
        assert_eq!(seen("ip.dst == 239.1.2.3 && udp", "ip.ttl"), (200, only("3")));
        assert_eq!(seen("ipv6.dst == ff05::1:3 && udp", "ipv6.hlim"), (200, only("4")));
        assert_eq!(seen("ipv6.dst == ff02::1:3 && udp", "ipv6.hlim"), (200, only("1")));
        assert_eq!(seen("ip.dst == 255.255.255.255 && udp", "eth.dst"), (200, only("ff:ff:ff:ff:ff:ff")));
        assert_eq!(seen("ip.dst == 10.0.0.255 && udp", "eth.dst"), (100, only("ff:ff:ff:ff:ff:ff")));
        // Each answer comes from the receiver's own address.
        assert_eq!(seen("udp.srcport == 5356 && ipv6", "ipv6.src"), (100, only("fe80::ff:fe03:0")));
        assert_eq!(seen("udp.srcport == 6000 && ip.dst == 10.0.0.1", "ip.src"), (230, only("10.0.0.3")));
    }
}
