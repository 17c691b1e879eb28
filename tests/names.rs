//! Flows to names, as root and as an ordinary user: looked up in the client's node, anew when what they led to broke, and told.

use crate::built::Place;
use crate::http::{passes, places};

/// What the resolver said of a flow's name, in its order: addresses, or why there are none.
fn lookups(record: &serde_json::Value, flow: &str) -> Vec<String> {
    let flow = record["flows"].as_array().unwrap().iter().find(|one| one["name"] == flow).unwrap();
    let text = |look: &serde_json::Value| {
        let found = look["found"].as_array().unwrap().iter().map(|found| found.as_str().unwrap());
        found.chain(look["failed"].as_str()).collect::<Vec<_>>().join(" ")
    };
    flow["lookups"].as_array().unwrap().iter().map(text).collect()
}

#[test]
fn the_names_scenario_passes_and_tells_what_was_found() {
    for place in places() {
        let Some(record) = passes(&place, "names", &crate::built::scenario("names.scn")) else { return };
        let moved = lookups(&record, "moved");
        assert_eq!(moved[1..], ["10.0.0.1", "10.0.0.2"], "{moved:?}");
        let unknown = moved[0].clone();
        assert!(!unknown.is_empty() && !unknown.starts_with("10."), "the resolver's own words: {unknown}");
        let failures = crate::http::failures(&record, "moved");
        assert!(failures.iter().any(|failure| format!("{failure:?}").contains("look up www.example.com in client")), "{failures:?}");
        for flow in ["browsed", "shaken", "quickly", "asking", "pinged"] {
            assert_eq!(lookups(&record, flow), ["10.0.0.1"], "{flow}");
            assert_eq!(crate::http::failures(&record, flow), [], "{flow}");
        }
        let page = place.read("scn-results/report.html");
        assert!(page.contains("its name was looked up") && page.contains(&unknown));
    }
}

/// A tool looks the name up itself, in the same surroundings.
const BY_TOOL: &str = r#"scn 1
let near = "web"
let nowhere = "nobody.invalid"
scenario by_tool {
    needs tool ping
    timeout 30s
    topology {
        node client, web
        link client 10.0.0.10/24 <-> web 10.0.0.1/24
    }
    flow pinged from client to near via ping { total 3  rate 50/s }
    flow lost from client to nowhere via ping { total 3  rate 50/s }
    expect {
        pinged.loss == 0%
        note lost.loss == 0%
    }
}
"#;

#[test]
fn tools_look_names_up_themselves() {
    let place = Place::new();
    let Some(record) = passes(&place, "by_tool", BY_TOOL) else { return };
    assert_eq!(crate::http::failures(&record, "pinged"), []);
    let lost = crate::http::failures(&record, "lost");
    assert!(format!("{lost:?}").contains("nobody.invalid"), "in its own words: {lost:?}");
}
