//! `scn run --once`: each flow does one transaction, its steps are told as they happen, and nothing is judged.

use crate::built::Place;
use crate::http::places;

const LOADED: &str = r#"scn 1
use std.patterns (request_reply, sym)
pattern mail {
    server sends "220 ready\r\n"
    client expects "220 ready\r\n"
    client sends "HELO ${client.name}\r\n"
    server expects /^HELO (?<who>\S+)\r\n/
    server sends "250 hello ${who}\r\n"
    client expects line /^250/
}
scenario loaded {
    timeout 50s
    topology {
        node a, b
        link a 10.0.0.10/24 <-> b 10.0.0.1/24
    }
    service page on b { listen http :80 { path "/" { body 1KiB } } }
    flow mails from a to b:25 { pattern mail  connections 20  rate 400/s  duration 20s }
    flow pages from a to page { over http { path "/" }  connections 5 }
    flow asked from a to b over udp { pattern request_reply(100B, 200B)  rate 100/s }
    flow nobody from a to b:9 { peer none  connections 3 }
    flow late from a to b { pattern sym(64B)  connections 10 }
    timeline {
        when mails.active == 20 within 10s  mark full
        at 100ms  start late
        at 30s    stop mails, pages, asked, nobody, late
    }
    expect {
        mails.failed_transactions == 0
        pages.http.successes > 100
        require nobody.errors == 0
        note late.transactions > 0
    }
}
"#;

#[test]
fn each_flow_does_one_transaction_and_every_step_is_told() {
    for place in places() {
        place.write("loaded.scn", LOADED);
        let ended = place.scn(&["run", "--once", "loaded.scn"]);
        assert_eq!(ended.code, Some(3), "nothing is judged: {ended:?}");
        let mut rest = ended.stderr.as_str();
        for step in [
            "mails: connected from 10.0.0.10:",
            r#"mails: server sent 11B: "220 ready\r\n"  [server sends "220 ready\r\n"]"#,
            r#"mails: client received 11B: "220 ready\r\n""#,
            r#"mails: client sent 8B: "HELO a\r\n""#,
            r#"mails: server received 8B: "HELO a\r\n""#,
            r#"mails: client received 13B: "250 hello a\r\n""#,
            "mails: transaction done after ",
            "mails: connection closed in good order",
        ] {
            let at = rest.find(step).unwrap_or_else(|| panic!("{step} in:\n{}", ended.stderr));
            rest = &rest[at..];
        }
        for step in [
            "pages: client sent GET / with a body of 0B",
            "pages: transaction done after ",
            "asked: server received 100B from 10.0.0.10:",
            "asked: client received 200B: filling",
            "nobody: connect to 10.0.0.1:9: connection refused",
            "late: transaction done",
        ] {
            assert_eq!(ended.stderr.matches(step).count(), 1, "{step} in:\n{}", ended.stderr);
        }
        let record: serde_json::Value = serde_json::from_str(&place.read("scn-results/loaded.loaded.run.json")).unwrap();
        let judged = record["expectations"].as_array().unwrap();
        assert!(judged.iter().all(|one| one["outcome"]["verdict"] == "inconclusive"), "{judged:?}");
        assert_eq!((&record["verdict"], &record["ended"]["how"]), (&"inconclusive".into(), &"complete".into()));
        for flow in record["flows"].as_array().unwrap() {
            assert_eq!(flow["connections"]["rows"], 1, "{}", flow["name"]);
        }
        for report in ["report.html", "junit.xml"] {
            assert!(place.read(&format!("scn-results/{report}")).contains("--once"), "{report}");
        }
        assert_eq!(judged_again(&place), Some(3), "and a later judge does not judge either");
    }
}

fn judged_again(place: &Place) -> Option<i32> {
    place.scn(&["judge", "scn-results/loaded.loaded.run.json"]).code
}
