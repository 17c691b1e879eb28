//! Socket options of flows and services over TCP, TLS and HTTP, as root and as an ordinary user: what tshark reads in the packets and `ss`
//! in the kernel.

use std::path::Path;
use std::process::Command;

use crate::built::{Place, finish, skip};
use crate::http::{failures, places};

/// Services say their own options; the peer of `seen` has those of the flow.
const OPTIONS: &str = r#"scn 1
use std.patterns (sym)
scenario options {
    needs tool ss
    timeout 30s
    topology {
        node a, b, c
        link wire: a 10.1.0.1/24 <-> b 10.1.0.2/24
        link side: c 10.2.0.1/24 <-> b 10.2.0.2/24
    }
    service far on b {
        listen tcp :5000 { dscp 10  ttl 33  mss 1200  congestion reno  backlog 7  user_timeout 20s }
        serve sym(4KiB)
    }
    service safe on b { listen tls :5001 { dscp 12 }  serve sym(4KiB) }
    flow near from a to far {
        over tcp { dscp 46  ttl 9  mss 1000  congestion reno  nodelay off  ecn on  keepalive 7s  user_timeout 3s  mark 7  send_buffer 64KiB  receive_buffer 64KiB }
        pattern sym(4KiB)  rate 50/s  duration 1s
    }
    flow hidden from a to safe { over tls { dscp 20 }  pattern sym(4KiB)  total 3 }
    flow seen   from a to b:5002 { over http { dscp 8 }  total 3 }
    flow plain  from c to b:5003 { total 3 }
    timeline {
        at 400ms  run on b "ss -tlni sport = :5000" as waiting
        at 400ms  run on b "ss -tnioe sport = :5000" as accepted
        at 400ms  run on a "ss -tnioem dport = :5000" as connected
    }
    expect {
        near.transactions == 50
        near.errors == 0
        hidden.transactions == 3
        seen.transactions == 3
        plain.transactions == 3
        waiting.output matches /LISTEN +0 +7 /
        accepted.output matches / reno /
        connected.output matches / reno /
        connected.output matches /timer:\(keepalive,[1-6]\./
        connected.output matches / ecn /
        connected.output matches /fwmark:0x7/
        connected.output matches /skmem:\(r[0-9]+,rb131072,t[0-9]+,tb131072/
    }
}
"#;

/// What tshark shows of packets that carry data or open a connection: the fields, each row once.
fn rows(file: &Path, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-r"]).arg(file).args(["-Y", &format!("({filter}) && (tcp.len > 0 || tcp.flags.syn == 1)"), "-T", "fields"]);
    for field in fields {
        tshark.args(["-e", field]);
    }
    let ended = finish(&mut tshark);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut rows: Vec<String> = ended.stdout.lines().map(|line| line.replace('\t', " ")).collect();
    rows.sort();
    rows.dedup();
    rows
}

#[test]
fn options_are_those_of_the_packets_and_of_the_kernel() {
    if !Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return skip("there is no tshark");
    }
    for place in places() {
        place.write("options.scn", OPTIONS);
        let ended = crate::built::until_told(|| place.scn(&["run", "options.scn", "--capture", "all"]));
        assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
        let record: serde_json::Value = serde_json::from_str(&place.read("scn-results/options.options.run.json")).unwrap();
        for flow in ["near", "hidden", "seen", "plain"] {
            assert_eq!(failures(&record, flow), [], "{flow}");
        }
        let of = |link: &str| place.path().join(format!("scn-results/options.options.captures/link-{link}.pcapng"));
        let (wire, side) = (of("wire"), of("side"));
        let marks = |file: &Path, filter: &str| rows(file, filter, &["ip.dsfield.dscp", "ip.ttl"]);
        assert_eq!(marks(&wire, "tcp.dstport == 5000"), ["46 9"]);
        assert_eq!(marks(&wire, "tcp.srcport == 5000"), ["10 33"]);
        assert_eq!(marks(&wire, "tcp.dstport == 5001"), ["20 64"]);
        assert_eq!(marks(&wire, "tcp.srcport == 5001"), ["12 64"]);
        assert_eq!(marks(&wire, "tcp.dstport == 5002"), ["8 64"]);
        assert_eq!(marks(&wire, "tcp.srcport == 5002"), ["8 64"], "the peer has the flow's own");
        assert_eq!(marks(&side, "tcp.port == 5003"), ["0 64"]);
        let opened = |file: &Path, filter: &str| {
            rows(file, &format!("tcp.flags.syn == 1 && {filter}"), &["tcp.options.mss_val", "tcp.flags.ece", "tcp.flags.cwr"])
        };
        assert_eq!(opened(&wire, "tcp.dstport == 5000"), ["1000 1 1"]);
        assert_eq!(opened(&wire, "tcp.srcport == 5000"), ["1200 1 0"]);
        assert_eq!(opened(&side, "tcp.dstport == 5003"), ["1460 0 0"]);
        // What carries data may be marked on its way, both ways.
        assert_eq!(rows(&wire, "tcp.len > 0 && tcp.port == 5000", &["ip.dsfield.ecn"]), ["2"]);
        assert_eq!(rows(&side, "tcp.len > 0", &["ip.dsfield.ecn"]), ["0"]);
    }
}

#[test]
fn what_the_kernel_does_not_have_stops_the_run_before_its_traffic() {
    let place = Place::new();
    let text = |flow: &str| {
        format!(
            "scn 1\nscenario s {{\n topology {{ node a, b\n link a <-> b }}\n flow f from a to b {{ {flow}  total 1 }}\n expect {{ f.transactions == 1 }}\n}}\n"
        )
    };
    for (flow, words) in [
        ("over tcp { congestion nosuch }", "an option of f cannot be had: `congestion nosuch`: this kernel has no such algorithm"),
        ("over tls { keepalive 1500ms }", "an option of f cannot be had: `keepalive`: 1500ms are no whole seconds"),
        (
            "over http { send_buffer 1GiB }",
            "an option of f cannot be had: `send_buffer`: 1073741824 bytes were asked for, the kernel allows ",
        ),
    ] {
        place.write("s.scn", text(flow));
        let ended = place.scn(&["run", "s.scn"]);
        assert!(ended.code == Some(5) && ended.stdout.contains(words) | ended.stderr.contains(words), "{flow}: {ended:?}");
    }
}
