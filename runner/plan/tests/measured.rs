//! Links and interfaces that a scenario wants to know of: engines, offloads, what nothing can count.

use super::files::plans;
use crate::plan::measured;
use crate::plan::types::Engine;

fn scenario(topology: &str, rest: &str) -> String {
    format!(
        "scn 1\nuse std.patterns (sym)\nscenario s {{\n topology {{\n{topology}\n }}\n flow f from a to b {{ pattern sym(64B)  rate 10/s  duration 1s }}\n{rest}\n}}\n"
    )
}

fn codes(text: &str) -> Vec<(&'static str, String)> {
    plans("example.scn", text).1.into_iter().map(|problem| (problem.code, problem.message)).collect()
}

#[test]
fn a_link_whose_packets_are_counted_is_a_wire_that_they_cross_alone() {
    let topology = " node a, b, c\n bridge lan\n link ab: a <-> b\n link bl: b <-> lan\n link cl: c <-> lan";
    let text = scenario(topology, " expect { f.loss == 0%\n bl.back.delivered > 0\n note a.eth0.rx_errors == 0 }");
    let (made, found) = plans("example.scn", &text);
    assert!(found.is_empty(), "{found:#?}");
    let links: Vec<(Engine, bool)> = made[0].links.iter().map(|link| (link.engine, link.packets_alone)).collect();
    assert_eq!(links, [(Engine::Direct, false), (Engine::Wire, true), (Engine::Direct, false)]);
    let counted = measured::links(&made[0].expectations, &made[0].timeline);
    assert_eq!(counted.keys().map(|link| link.index()).collect::<Vec<_>>(), [1]);
    let interfaces = measured::interfaces(&made[0].expectations, &made[0].timeline);
    assert_eq!(interfaces.iter().map(|(node, name)| (node.index(), name.as_str())).collect::<Vec<_>>(), [(0, "eth0")]);
}

#[test]
fn what_the_timeline_waits_for_is_counted_too() {
    let rest = " timeline {\n when ab.lost > 2 and not b.eth0.carrier within 1s  mark now\n }\n expect { f.loss == 0% }";
    let (made, found) = plans("example.scn", &scenario(" node a, b\n link ab: a <-> b", rest));
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(made[0].links[0].engine, Engine::Wire);
    assert_eq!(measured::interfaces(&made[0].expectations, &made[0].timeline).len(), 1);
}

#[test]
fn offloads_that_join_packets_are_refused_where_they_are_counted() {
    let text = scenario(" node a, b\n link ab: a <-> b { offload on }", " expect { ab.lost == 0 }");
    let found = codes(&text);
    let wanted = ("scn::plan::offload_on", "offload can't be on here: `ab` has its packets counted one by one".to_owned());
    assert!(!found.is_empty() && found.iter().all(|problem| *problem == wanted), "{found:?}");
    assert!(codes(&text.replace("ab.lost == 0", "a.eth0.tx_errors == 0")).is_empty());
}

#[test]
fn what_has_no_wire_is_counted_at_its_interfaces() {
    let tunnel = " node a, b\n link ab: a <-> b\n vxlan over: a.t <-> b.t { id 7 }";
    let found = codes(&scenario(tunnel, " expect { over.forward.lost == 0 }"));
    assert_eq!((found.len(), found[0].0), (1, "scn::expand::not_measured"), "{found:?}");
    assert!(codes(&scenario(tunnel, " expect { a.t.tx_errors == 0 }")).is_empty());
    let outside = " node a, b\n link ab: a <-> b\n host here\n bridge lan\n link a <-> lan\n link up: here.uplink0 <-> lan";
    let found = codes(&scenario(outside, " expect { up.lost == 0 }"));
    assert_eq!(
        found,
        [("scn::expand::not_measured", "the link `up` has no `lost`: `here.uplink0` stands on this machine already".to_owned())]
    );
    assert!(codes(&scenario(outside, " expect { here.uplink0.rx_errors == 0 }")).is_empty());
    let found = codes(&scenario(outside, " expect { here.other.rx_errors == 0 }"));
    assert_eq!((found.len(), found[0].0), (1, "scn::resolve::unknown_interface"), "{found:?}");
}
