//! Load in real namespaces, as root and as an ordinary user: what was meant to start, and from where, is in the packets as tshark reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use crate::built::{Place, finish, scenario, skip, until_told};
use crate::http::places;

/// Addresses and ports in turn, over all transports that have them; nobody of scn's answers the datagrams.
const ORIGINS: &str = r#"scn 1

use std.patterns (stream, sym)

pattern once {
    client sends 64B
    server sends 64B
    server closes
}

scenario origins {
    timeout 30s
    topology {
        node client, server
        link client 10.0.0.2/24 <-> server 10.0.0.1/24
    }
    service web on server { listen tcp :8080  serve sym(64B) }
    service brief on server { listen tcp :8081  serve once }
    flow reused from client to brief { pattern once  opens 1500/s  duration 1s  ports 21000..21007 }
    flow many  from client to web { pattern sym(64B)  total 8  source 10.1.0.0/30  ports 20000..20001 }
    flow held  from client to web { pattern sym(64B)  connections 3  rate 30/s  duration 500ms  source 10.2.0.0/24, 10.3.0.1 }
    flow lone  from client to web { pattern sym(64B)  total 4  ports 30000..30009 }
    flow grams from client to server:5000 over udp { pattern stream(64B)  peer none  total 5  source 10.4.0.1  ports 40000..40000 }
    flow pings from client to server over icmp { total 3  source 10.4.0.1 }
    expect {
        reused.transactions > 100         "a port that is free again is another connection's"
        reused.misdelivered == 0
        reused.failed_transactions == 0
        many.transactions == 8
        many.failed_connects == 0
        held.failed_connects == 0
        lone.transactions == 4
        grams.sent == 5
        pings.loss == 0%
    }
}
"#;

/// Whether packets can be read; otherwise the skip is said.
pub fn there_is_tshark() -> bool {
    let there = Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skip("there is no tshark");
    }
    there
}

/// Runs a scenario that must pass. Out: what was captured on its only link, or that of its node `client`.
pub fn captured(place: &Place, name: &str, text: &str) -> PathBuf {
    place.write(&format!("{name}.scn"), text);
    let ended = until_told(|| place.scn(&["run", &format!("{name}.scn"), "--capture", "all"]));
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
    let captures = place.path().join(format!("scn-results/{name}.{name}.captures"));
    let files: Vec<PathBuf> = std::fs::read_dir(captures).unwrap().map(|entry| entry.unwrap().path()).collect();
    let of_client = files.iter().find(|file| files.len() == 1 || file.to_string_lossy().contains("link-client"));
    of_client.expect("the client's link has a file").clone()
}

/// Of each packet that passes the filter a field or more.
pub fn fields(capture: &PathBuf, filter: &str, names: &[&str]) -> Vec<String> {
    fields_as(capture, &[], filter, names)
}

/// The same, with ports that are read otherwise than by their numbers: `tcp.port==8080,http2`.
pub fn fields_as(capture: &PathBuf, read: &[&str], filter: &str, names: &[&str]) -> Vec<String> {
    let mut tshark = Command::new("tshark");
    read.iter().for_each(|read| _ = tshark.args(["-d", read]));
    tshark.args(["-n", "-r"]).arg(capture).args(["-Y", filter, "-T", "fields"]);
    names.iter().for_each(|name| _ = tshark.args(["-e", name]));
    let ended = finish(&mut tshark);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.lines().map(str::to_owned).collect()
}

/// Connections as they are opened.
const OPENED: &str = "tcp.dstport == 8080 && tcp.flags.syn == 1 && tcp.flags.ack == 0 && !tcp.analysis.retransmission";

#[test]
fn the_loads_scenario_passes_and_tshark_counts_the_same() {
    if !there_is_tshark() {
        return;
    }
    for place in places() {
        let capture = captured(&place, "loads", &scenario("loads.scn"));
        // 20, 20, 50, 20 and 10 that are held, and twice 100 that the clock opens.
        assert_eq!(fields(&capture, OPENED, &["frame.number"]).len(), 320);
        assert_eq!(fields(&capture, "udp.length == 168", &["frame.number"]).len(), 100, "datagrams of 160 bytes");
    }
}

#[test]
fn connections_start_from_the_addresses_and_ports_in_turn() {
    if !there_is_tshark() {
        return;
    }
    for place in places() {
        let capture = captured(&place, "origins", ORIGINS);
        let mut opened: BTreeMap<String, usize> = BTreeMap::new();
        for from in fields(&capture, OPENED, &["ip.src", "tcp.srcport"]) {
            let (address, port) = from.split_once('\t').unwrap();
            // From these addresses the kernel chooses the port, any from 1024 on.
            let port = if address.starts_with("10.2.0.") { "" } else { port };
            *opened.entry(format!("{address}:{port}")).or_default() += 1;
        }
        let mut expected: BTreeMap<String, usize> = BTreeMap::new();
        for address in 0..4 {
            for port in [20_000, 20_001] {
                expected.insert(format!("10.1.0.{address}:{port}"), 1);
            }
        }
        expected.extend((0..3).map(|address| (format!("10.2.0.{address}:"), 1)));
        expected.extend((30_000..30_004).map(|port| (format!("10.0.0.2:{port}"), 1)));
        assert_eq!(opened, expected);
        assert_eq!(fields(&capture, "udp.dstport == 5000 && !icmp", &["ip.src", "udp.srcport"]), vec!["10.4.0.1\t40000"; 5]);
        assert_eq!(fields(&capture, "icmp.type == 8", &["ip.src"]), vec!["10.4.0.1"; 3]);
    }
}

#[test]
fn tshark_reads_ctraffics_wire_in_the_scenario_of_it() {
    if !there_is_tshark() {
        return;
    }
    /// Payloads begin with the name of who answers, `first` or `second`; no other byte but zeros is in them.
    fn called(payload: &str) -> &str {
        match payload.trim_end_matches('0') {
            "6669727374" => "first",
            "7365636f6e64" => "second",
            "" => "nobody",
            other => panic!("{other}"),
        }
    }
    for place in places() {
        let capture = captured(&place, "ctraffic", &scenario("ctraffic.scn"));
        let messages = fields(&capture, "tcp.dstport == 5003 && tcp.len > 0 && !tcp.analysis.retransmission", &["tcp.len", "tcp.payload"]);
        let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
        for message in &messages {
            let (length, payload) = message.split_once('\t').unwrap();
            assert_eq!(length, "1024");
            *asked.entry(called(payload)).or_default() += 1;
        }
        // The first message of each connection is all zero, and the next ones hold what came back.
        assert_eq!(asked["nobody"], 40, "{asked:?}");
        assert!(asked["first"] > 0 && asked["second"] > 0, "{asked:?}");
        let answers = fields(&capture, "udp.srcport == 5003", &["ip.src", "data.data"]);
        let names: BTreeSet<&str> =
            answers.iter().map(|answer| called(answer.strip_prefix("10.0.0.100\t").expect("the asked address"))).collect();
        assert_eq!(names, BTreeSet::from(["first", "second"]));
    }
}
