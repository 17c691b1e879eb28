//! Flows from an interface and to one, as root and as an ordinary user: they go by its link, from its address, whatever becomes of the other.

use crate::built::Place;
use crate::http::{failures, passes, places};

/// Everything goes by the second link, for the first is dead.
const ENDS: &str = r#"scn 1
use std.patterns (request_reply, sym)
scenario ends {
    timeout 30s
    topology {
        node a, b
        link first: a.eth0 10.1.0.1/24 <-> b.eth0 10.1.0.2/24
        link second: a.eth1 10.2.0.1/24 <-> b.eth1 10.2.0.2/24
    }
    service store on b { listen tcp :5003  serve sym(64B) }
    service page on b { listen http :80 { path "/" { body 1KiB } } }
    flow held   from a.eth1 to b { pattern sym(64B)  rate 50/s  duration 900ms }
    flow met    from a to b.eth1 { pattern sym(64B)  total 3 }
    flow stored from a.eth1 to store { pattern sym(64B)  total 3 }
    flow said   from a to b.eth1:5003 { pattern sym(64B)  total 3 }
    flow paged  from a.eth1 to page { over http { path "/" }  total 3 }
    flow shaken from a.eth1 to b.eth1 over quic { pattern sym(64B)  total 3 }
    flow asked  from a.eth1 to b.eth1 over udp { pattern request_reply(64B, 64B)  rate 50/s  total 10 }
    flow pinged from a.eth1 to b.eth1 over icmp { rate 50/s  total 10 }
    flow here   from a.eth1 to 10.2.0.2:5003 { pattern sym(64B)  total 2  source 10.2.0.1  ports 30000..30009 }
    stress mix from a to b.eth1 { streams 2  total 4  duration 50ms  transports [tcp, udp, icmp] }
    timeline { at 0s silence first }
    expect {
        held.transactions == 45
        met.transactions == 3
        stored.transactions == 3
        said.transactions == 3
        paged.http.successes == 3
        shaken.transactions == 3
        asked.transactions == 10
        pinged.loss == 0%
        here.transactions == 2
        mix.failed == 0
    }
}
"#;

#[test]
fn flows_go_by_the_interfaces_that_they_say() {
    for place in places() {
        let Some(record) = passes(&place, "ends", ENDS) else { return };
        for flow in record["flows"].as_array().unwrap() {
            assert_eq!(failures(&record, flow["name"].as_str().unwrap()), [], "{}", flow["name"]);
            let texts = flow["connections"]["texts"].to_string();
            assert!(texts.contains("10.2.0.2") && !texts.contains("10.1.0."), "{}: {texts}", flow["name"]);
        }
    }
}

#[test]
fn a_way_that_does_not_lead_by_the_interface_is_refused() {
    let place = Place::new();
    let text = |flow: &str| {
        format!(
            "scn 1\nuse std.patterns (sym)\nscenario s {{\n topology {{\n node a, b\n link a.eth0 10.1.0.1/24 <-> b.eth0 10.1.0.2/24\n \
             link a.eth1 10.2.0.1/24 <-> b.eth1 10.2.0.2/24\n link a.eth2 fd00:3::1/64 <-> b.eth2 fd00:3::2/64\n }}\n \
             service store on b {{ listen tcp :5003  serve sym(64B) }}\n flow f {flow} {{ pattern sym(64B)  total 1 }}\n expect {{ f.transactions == 1 }}\n}}\n"
        )
    };
    for (flow, words) in [
        ("from a.eth1 to b.eth0", "`a.eth1` has no route to 10.1.0.2"),
        ("from a.eth0 to 10.2.0.2:5003", "`a.eth0` has no route to 10.2.0.2"),
        ("from a.eth2 to b.eth1", "it has no address of a family that the flow starts in"),
    ] {
        place.write("s.scn", text(flow));
        let ended = place.scn(&["plan", "s.scn"]);
        let told = format!("{}{}", ended.stdout, ended.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ended.code == Some(2) && told.contains("scn::plan::unreachable") && told.contains(words), "{flow}: {told}");
    }
}
