//! Interfaces, subnets, addresses and routes.

use super::build::{addresses, build, routes};
use crate::plan::types::Engine;
use scn_grammar::scenario::timeline::{Action, Target};
use scn_grammar::scenario::topology::{Impairment, Loss, NodeKind};
use scn_grammar::scenario::{LinkId, NodeId};

#[test]
fn two_nodes_get_both_families() {
    let plan = build("host a, b", "a - b").good();
    assert_eq!(addresses(&plan, "a"), ["10.128.0.1/30", "fd00:5c:0:1::1/64"]);
    assert_eq!(addresses(&plan, "b"), ["10.128.0.2/30", "fd00:5c:0:1::2/64"]);
    assert_eq!(plan.nodes[0].interfaces[0].name, "eth0");
    assert_eq!(plan.nodes[0].interfaces[0].mac, [2, 0, 0, 1, 0, 0]);
    assert!(routes(&plan, "a").is_empty());
    assert_eq!(plan.links[0].engine, Engine::Direct);
}

#[test]
fn names_avoid_those_that_are_written() {
    let plan = build("host a, b; bridge lan", "a - b; a.eth0 - b; a - lan; b.uplink - lan; a - lan").good();
    let names = |node: usize| plan.nodes[node].interfaces.iter().map(|interface| interface.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names(0), ["eth1", "eth0", "eth2", "eth3"]);
    assert_eq!(names(1), ["eth0", "eth1", "uplink"]);
    assert_eq!(names(2), ["port0", "port1", "port2"]);
}

#[test]
fn refuses_names_that_the_kernel_refuses() {
    assert_eq!(build("host a, b", "a.sixteen_letters_ - b").codes(), ["scn::expand::interface_name"]);
    assert_eq!(build("host a, b", "a.lo - b").codes(), ["scn::expand::interface_name"]);
    assert_eq!(build("host a, b", "a.eth0 - b; a.eth0 - b").codes(), ["scn::expand::interface_twice"]);
}

#[test]
fn written_subnets_fill_up_the_others() {
    let plan = build("host a, b, c; bridge x, y", "a 10.0.0.2/24, 2001:db8::1/64 - x; x - y; b - y; c - y").good();
    assert_eq!(addresses(&plan, "b"), ["10.0.0.1/24", "2001:db8::2/64"]);
    assert_eq!(addresses(&plan, "c"), ["10.0.0.3/24", "2001:db8::3/64"]);
    let one_family = build("host a, b", "a 10.0.0.2/24 - b").good();
    assert_eq!(addresses(&one_family, "b"), ["10.0.0.1/24"]);
}

#[test]
fn point_to_point_subnets_have_two_hosts() {
    let plan = build("host a, b", "a 10.0.0.0/31, fd01::/127 - b").good();
    assert_eq!(addresses(&plan, "b"), ["10.0.0.1/31", "fd01::1/127"]);
    let full = build("host a, b, c; bridge lan", "a 10.0.0.0/31 - lan; b - lan; c - lan");
    assert_eq!(full.codes(), ["scn::plan::subnet_full"]);
}

#[test]
fn wrong_addresses_are_refused_across_a_domain() {
    let across = build("host a, b; bridge x, y", "a 10.0.0.1/24 - x; x - y; y - b 10.0.1.1/24");
    assert_eq!(across.problem().code, "scn::expand::outside_subnet");
    assert_eq!(across.problem().secondary.len(), 1);
    assert_eq!(build("host a, b", "a 10.0.0.1/24 - b 10.0.0.2/16").codes(), ["scn::expand::outside_subnet"]);
    assert_eq!(build("host a, b", "a 10.0.0.1/24 - b 10.0.0.1/24").codes(), ["scn::expand::address_twice"]);
    assert_eq!(build("host a, b", "a 10.0.0.0/24 - b 10.0.0.255/24").codes(), ["scn::expand::not_a_host_address"; 2]);
    assert_eq!(build("host a; bridge lan", "a - lan 10.0.0.1/24").codes(), ["scn::expand::not_a_host"]);
    assert_eq!(build("host a, b", "a 10.0.0.1/32 - b").codes(), ["scn::plan::no_subnet"]);
    let overlap = build("host a, b, c", "a 10.0.0.1/24 - b; b 10.0.0.129/25 - c");
    assert_eq!(overlap.codes(), ["scn::plan::overlapping_subnets"]);
}

#[test]
fn a_single_address_may_stand_beside_its_subnet() {
    let plan = build("host a, b", "a 10.0.0.9/32, 10.0.0.1/24 - b").good();
    assert_eq!(addresses(&plan, "b"), ["10.0.0.2/24"]);
}

#[test]
fn the_pool_keeps_off_what_the_file_uses() {
    let plan = build("host a, b, c", "a 10.128.0.1/24 - b; b - c").good();
    assert_eq!(addresses(&plan, "c")[0], "10.128.1.2/30");
    let full = build("host a, b, c, d, e", "a 10.0.0.1/8 - b; b 172.16.0.1/12 - c; c 100.64.0.1/10 - d; d - e");
    assert_eq!(full.codes(), ["scn::plan::pool_exhausted"]);
}

#[test]
fn bridges_form_no_ring_and_have_a_limit() {
    assert_eq!(build("bridge x, y, z", "x - y; y - z; z - x").codes(), ["scn::plan::bridge_loop"]);
    let mut crowd = build("bridge lan", "");
    for index in 0..1024 {
        let node = crowd.node(&format!("n{index}"), NodeKind::Host);
        let ends = [crowd.end(node, None, &[]), crowd.end(scn_grammar::scenario::NodeId(0), None, &[])];
        crowd.join(ends);
    }
    assert_eq!(crowd.codes(), ["scn::plan::too_many"]);
}

#[test]
fn a_host_with_one_router_has_a_default_route() {
    let plan = build("host a, b; router r; bridge lan", "a 10.1.0.2/24 - lan; r 10.1.0.1/24 - lan; r 10.2.0.1/24 - b 10.2.0.2/24").good();
    assert_eq!(routes(&plan, "a"), ["0.0.0.0/0 via 10.1.0.1"]);
    assert_eq!(routes(&plan, "b"), ["0.0.0.0/0 via 10.2.0.1"]);
    assert!(routes(&plan, "r").is_empty());
    let forward = |node: usize| plan.nodes[node].sysctls.iter().find(|(name, _)| name == "net.ipv4.ip_forward").unwrap().1.clone();
    assert_eq!((forward(0), forward(2)), ("0".to_owned(), "1".to_owned()));
}

#[test]
fn routes_take_the_fewest_links_and_the_first_router() {
    // a - r1 - r3 - b and a - r2 - r3 - b: equal, the lower id wins; c hangs on r2.
    let plan = build(
        "host a, b, c; router r1, r2, r3; bridge lan",
        "a 10.0.0.9/24 - lan; r1 10.0.0.1/24 - lan; r2 10.0.0.2/24 - lan; r1 10.1.3.1/30 - r3 10.1.3.2/30; r2 10.2.3.1/30 - r3 10.2.3.2/30;\
         r3 10.3.0.1/24 - b 10.3.0.9/24; r2 10.4.0.1/24 - c 10.4.0.9/24",
    )
    .good();
    assert_eq!(
        routes(&plan, "a"),
        ["10.1.3.0/30 via 10.0.0.1", "10.2.3.0/30 via 10.0.0.2", "10.3.0.0/24 via 10.0.0.1", "10.4.0.0/24 via 10.0.0.2"]
    );
    assert_eq!(routes(&plan, "r1"), ["10.2.3.0/30 via 10.1.3.2", "10.3.0.0/24 via 10.1.3.2", "10.4.0.0/24 via 10.0.0.2"]);
    assert_eq!(routes(&plan, "r3"), ["10.0.0.0/24 via 10.1.3.1", "10.4.0.0/24 via 10.2.3.1"]);
}

#[test]
fn written_routes_replace_computed_ones() {
    let links = "a 10.1.0.2/24 - r 10.1.0.1/24; r 10.2.0.1/24 - b 10.2.0.2/24";
    let plan = build("host a, b; router r", links).route("a", "10.2.0.0/16", "10.1.0.1").good();
    assert_eq!(routes(&plan, "a"), ["10.2.0.0/16 via 10.1.0.1"]);
    assert_eq!(routes(&plan, "b"), ["0.0.0.0/0 via 10.2.0.1"]);
    assert_eq!(build("host a, b; router r", links).route("a", "0.0.0.0/0", "10.2.0.1").codes(), ["scn::plan::next_hop"]);
    let twice = build("host a, b; router r", links).route("a", "10.2.0.0/16", "10.1.0.1").route("a", "10.2.0.1/16", "10.1.0.1");
    assert_eq!(twice.codes(), ["scn::plan::route_twice"]);
    let mut manual = build("host a, b; router r", links);
    manual.scenario.topology.routing_manual = true;
    assert!(manual.good().nodes.iter().all(|node| node.routes.is_empty()));
}

#[test]
fn routes_of_the_timeline_are_ways_too() {
    let links = "a 10.1.0.2/24 - r 10.1.0.1/24; r 10.2.0.1/24 - b 10.2.0.2/24";
    let without = || {
        let mut manual = build("host a, b; router r", links).route("b", "10.1.0.0/16", "10.2.0.1").talk("a", "b");
        manual.scenario.topology.routing_manual = true;
        manual
    };
    assert_eq!(without().codes(), ["scn::plan::unreachable"]);
    let set = |to: &str, via: &str| Action::Route { nodes: vec![NodeId(0)], to: super::build::prefix(to), via: Some(via.parse().unwrap()) };
    let plan = without().at(0, set("10.2.0.0/16", "10.1.0.1")).good();
    assert!(plan.nodes[0].routes.is_empty(), "the plan begins without it");
    assert_eq!(without().at(0, set("10.2.0.0/16", "10.3.0.1")).codes(), ["scn::plan::unreachable", "scn::plan::next_hop"]);
}

#[test]
fn long_lists_of_routes_are_aggregated_exactly() {
    let mut star = build("router hub, out; host far", "hub - out; out - far");
    for index in 0..256 {
        let node = star.node(&format!("n{index}"), NodeKind::Host);
        let ends = [star.end(node, None, &[]), star.end(scn_grammar::scenario::NodeId(0), None, &[])];
        star.join(ends);
    }
    let plan = star.good();
    let list = routes(&plan, "out");
    assert!(list.len() < 64, "{list:?}");
    assert!(list.contains(&"10.128.0.8/29 via 10.128.0.1".to_owned()), "{list:?}");
    assert!(routes(&plan, "hub").contains(&"10.128.0.4/30 via 10.128.0.2".to_owned()));
}

#[test]
fn engines_follow_impairments_and_faults() {
    let mut lab = build("host a, b, c; bridge lan", "a - b; b - c; c - lan; a - lan");
    lab.scenario.topology.links[0].forward = Impairment::delaying(1);
    let c = lab.id("c");
    let lab = lab.at(0, Action::Down(vec![Target::Node(c)]));
    let engines = |lab: &super::build::Build| lab.good().links.iter().map(|link| link.engine).collect::<Vec<_>>();
    assert_eq!(engines(&lab), [Engine::Wire, Engine::Wire, Engine::Direct, Engine::Direct]);
    // A cut between nodes is made at their links, a bridge between them or not.
    let apart = build("host a, b, c; bridge lan", "a - lan; b - lan; c - lan");
    let apart = apart.at(0, Action::Isolate(vec![NodeId(1)]));
    assert_eq!(engines(&apart), [Engine::Direct, Engine::Wire, Engine::Direct]);
}

#[test]
fn packets_cross_alone_where_something_is_done_to_single_ones() {
    let lossy = || Impairment { loss: Loss::Every { n: 9 }, ..Impairment::default() };
    let mut lab = build("host a, b, c", "a - b; b - c; c - a; a - b");
    lab.scenario.topology.links[0].forward = Impairment::delaying(1);
    lab.scenario.topology.links[1].back = lossy();
    let impair = |link: u32, does: Impairment| Action::Impair {
        targets: vec![Target::Link(LinkId(link))],
        forward: None,
        back: Some(does),
        over_ns: 0,
    };
    // By the timeline: one that only delays, and one that loses.
    let lab = lab.at(0, impair(2, Impairment::delaying(5))).at(1, impair(3, lossy()));
    let plan = lab.good();
    assert_eq!(plan.links.iter().map(|link| link.packets_alone).collect::<Vec<_>>(), [false, true, false, true]);
    assert!(plan.links.iter().all(|link| link.engine == Engine::Wire));
    let printed = crate::plan::print::text(&plan);
    assert_eq!(printed.matches("offload off at both ends").count(), 2, "{printed}");
}
