//! Scenarios of one transport each, in real namespaces, as root and as an ordinary user: tshark counts the same in what crossed their links.

use crate::built::{Place, scenario, skip, until_told};
use crate::http::{failures, places};
use crate::loads::{captured, fields_as, there_is_tshark};

#[test]
fn requests_of_http_2_are_counted_by_tshark() {
    if !there_is_tshark() {
        return;
    }
    for place in places() {
        let capture = captured(&place, "http2", &scenario("http2.scn"));
        let asked = "http2.type == 1 && tcp.dstport == 8080 && !tcp.analysis.retransmission";
        let paths = fields_as(&capture, &["tcp.port==8080,http2"], asked, &["http2.headers.path"]);
        let count = |path: &str| paths.iter().flat_map(|line| line.split(',')).filter(|found| *found == path).count();
        assert_eq!((count("/list"), count("/film"), count("/old"), count("/none")), (400, 1, 3, 3), "{paths:?}");
        let opened = "tcp.flags.syn == 1 && tcp.flags.ack == 0 && !tcp.analysis.retransmission";
        let opened = |port: &str| fields_as(&capture, &[], &format!("{opened} && tcp.dstport == {port}"), &["frame.number"]).len();
        assert_eq!((opened("8080"), opened("8443")), (1 + 1 + 3 + 3, 2));
        let spoken = "tls.handshake.type == 1 && tcp.dstport == 8443";
        assert_eq!(fields_as(&capture, &[], spoken, &["tls.handshake.extensions_alpn_str"]), ["h2", "h2"]);
    }
}

#[test]
fn connections_of_quic_are_counted_by_tshark() {
    if !there_is_tshark() {
        return;
    }
    for place in places() {
        let capture = captured(&place, "quic", &scenario("quic.scn"));
        let read = ["udp.port==443,quic", "udp.port==8443,quic", "udp.port==4430,quic"];
        let said = ["udp.dstport", "tls.handshake.extensions_server_name", "tls.handshake.extensions_alpn_str", "tls.handshake.random"];
        // A hello that was lost or answered late is said again, with the same random number.
        let mut hellos = fields_as(&capture, &read, "quic && tls.handshake.type == 1", &said);
        hellos.sort();
        hellos.dedup();
        let said = |port: &str, name: &str, alpn: &str| {
            hellos.iter().filter(|line| line.starts_with(&format!("{port}\t{name}\t{alpn}\t"))).count()
        };
        assert_eq!(said("443", "shop.example.com", "orders/1"), 40, "{hellos:?}");
        assert_eq!(said("443", "shop.example.com", "orders/2"), 2 + 1, "{hellos:?}");
        assert_eq!(said("8443", "press.example.com", ""), 3, "{hellos:?}");
        assert_eq!(said("443", "shop.example.org", "orders/1"), 3, "{hellos:?}");
        assert_eq!(said("443", "shop.example.com", "mail"), 3, "{hellos:?}");
        assert_eq!((said("4430", "", ""), hellos.len()), (3, 40 + 3 + 3 + 3 + 3 + 3), "{hellos:?}");
        let versions = fields_as(&capture, &read, "quic.long.packet_type == 0", &["quic.version"]);
        assert!(versions.iter().all(|version| version.split(',').all(|version| version == "0x00000001")), "{versions:?}");
        let refused = fields_as(&capture, &read, "icmp.type == 3 && icmp.code == 3 && udp.dstport == 4430", &["udp.srcport"]);
        assert!(refused.len() >= 3, "each attempt at a port that nobody serves is turned away: {refused:?}");
        assert_eq!(fields_as(&capture, &read, "_ws.malformed", &["frame.number"]), Vec::<String>::new());
        let record: serde_json::Value = serde_json::from_str(&place.read("scn-results/quic.quic.run.json")).unwrap();
        let told = |flow: &str| failures(&record, flow);
        assert!(told("misled")[0].1.contains("certificate not valid for name \"shop.example.org\""), "{:?}", told("misled"));
        assert!(told("foreign").iter().any(|(_, what)| what == "received fatal alert: NoApplicationProtocol"), "{:?}", told("foreign"));
        assert_eq!(told("nowhere"), [("connect to 10.1.0.1:4430".to_owned(), "connection refused".to_owned())]);
    }
}

/// Runs a scenario that must pass, with a capture of each link.
fn passes(place: &Place, name: &str, text: &str) -> bool {
    place.write(&format!("{name}.scn"), text);
    let ended = until_told(|| place.scn(&["run", &format!("{name}.scn"), "--capture", "all"]));
    if ended.code == Some(4) {
        skip(&format!("{name}: {}", ended.stdout));
        return false;
    }
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
    true
}

#[test]
fn connections_over_mptcp_have_a_way_over_each_link() {
    if !there_is_tshark() {
        return;
    }
    for place in places() {
        if !passes(&place, "mptcp", &scenario("mptcp.scn")) {
            return;
        }
        let captures = place.path().join("scn-results/mptcp.mptcp.captures");
        let opened = |link: &str, kind: &str| {
            let filter =
                format!("tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.options.mptcp.subtype == {kind} && !tcp.analysis.retransmission");
            fields_as(&captures.join(format!("link-{link}.pcapng")), &[], &filter, &["frame.number"]).len()
        };
        // MP_CAPABLE opens a connection, MP_JOIN another way of it (RFC 8684, 3.1 and 3.2).
        assert_eq!((opened("cable", "0"), opened("radio", "0"), opened("radio", "1")), (2, 0, 2));
    }
}

/// A flow over MPTCP to a server that has none, and one in a node that was told to have none.
const ONE_ENDED: &str = "scn 1
use std.patterns (sym)
scenario fallen {
    timeout 30s
    topology {
        node a, b
        link a 10.0.0.1/24 <-> b 10.0.0.2/24
    }
    service plain on b { listen tcp :5003  serve sym(64B) }
    flow f from a to b:5003 { over mptcp  pattern sym(64B)  total 2 }
    expect { f.transactions == 2 }
}
";

#[test]
fn what_a_node_or_its_peer_has_not_is_told() {
    let place = Place::new();
    place.write("fallen.scn", ONE_ENDED);
    let ended = until_told(|| place.scn(&["run", "fallen.scn"]));
    if ended.stderr.contains("CONFIG_MPTCP") {
        return;
    }
    let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = "warning: flow f: connections to 10.0.0.2:5003 fell back from MPTCP to TCP: the other end has no MPTCP";
    assert!(ended.code == Some(0) && said.contains(told), "{ended:?}");
    place.write("off.scn", ONE_ENDED.replace("node a, b\n", "node b\n        node a { sysctl \"net.mptcp.enabled\" = 0 }\n"));
    let ended = until_told(|| place.scn(&["run", "off.scn"]));
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("`over mptcp`: node a has no such sockets"), "{ended:?}");
}

/// A flow over SCTP: where the kernel has it the guest's scenario shows more.
#[test]
fn sctp_runs_or_is_refused_before_anything_is_made() {
    let place = Place::new();
    place.write("sctp.scn", ONE_ENDED.replace("listen tcp", "listen sctp").replace("over mptcp", "over sctp"));
    let ended = until_told(|| place.scn(&["run", "sctp.scn"]));
    if ended.code != Some(0) {
        assert!(ended.stderr.contains("a flow or service over SCTP") && ended.stderr.contains("CONFIG_IP_SCTP"), "{ended:?}");
    }
    let refused = |said: &str, what: &str| {
        place.write("s.scn", said);
        let ended = place.scn(&["run", "s.scn", "--message-format", "short"]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("not_in_this_version") && ended.stderr.contains(what), "{what}: {}", ended.stderr);
    };
    let whole = ONE_ENDED.replace("listen tcp", "listen sctp");
    refused(&whole.replace("over mptcp", "over sctp { streams 4 }"), "`streams` over `sctp`");
    let half = whole.replace("over mptcp  pattern sym(64B)", "over sctp  pattern half").replace("serve sym(64B)", "serve half");
    let pattern = "pattern half {\n client sends 5B\n client half closes\n server sends 5B\n}\nscenario";
    refused(&half.replace("use std.patterns (sym)\nscenario", pattern), "a pattern that half closes, over `sctp`");
    let vanishing = whole.replace("over mptcp", "over sctp").replace("    expect", "    timeline { at 1s  vanish b }\n    expect");
    refused(&vanishing, "`vanish` beside `mptcp` or `sctp`");
}
