//! Listeners, targets, the timeline and its ends.

use super::build::{build, flow_id, prefix};
use crate::plan::schedule::{Acts, moments};
use scn_grammar::scenario::expect::Condition;
use scn_grammar::scenario::timeline::{Action, Target, TimeRef, When};
use scn_grammar::scenario::{Destination, EventId, ServiceId};

fn condition() -> When {
    When::Condition { condition: Condition::All(Vec::new()), within_ns: None }
}

fn after(event: u32, ms: i64) -> When {
    When::At(TimeRef { event: Some(EventId(event)), offset_ns: ms * 1_000_000 })
}

#[test]
fn a_flow_to_a_node_gets_a_peer() {
    let lab = build("host a, b", "a - b").talk("a", "b").talk("a", "b");
    let to_port = Destination::Node(lab.id("b"), Some(20_000));
    let plan = lab.flow("g", "a", to_port).good();
    let listeners: Vec<_> = plan.listeners.iter().map(|listener| (listener.name.as_str(), listener.port)).collect();
    assert_eq!(listeners, [("peer of f0", 20_001), ("peer of f1", 20_002), ("peer of g", 20_000)]);
    assert_eq!(plan.flows[0].target.to_string(), "10.128.0.2:20001");
    assert_eq!(plan.flows[0].backends, [plan.listeners[0].node]);
    assert!(plan.nodes[1].sysctls.contains(&("net.ipv4.ip_local_reserved_ports".into(), "20000,20001,20002".into())));
}

#[test]
fn replicas_share_a_peer() {
    let mut lab = build("host a, b", "a - b").talk("a", "b").talk("a", "b");
    for (index, flow) in lab.scenario.flows.iter_mut().enumerate() {
        flow.name = format!("f[{index}]");
        flow.span = Default::default();
    }
    let plan = lab.good();
    assert_eq!(plan.listeners.len(), 1);
    assert_eq!(plan.listeners[0].name, "peer of f");
    assert_eq!(plan.flows[1].target, plan.flows[0].target);
}

#[test]
fn a_service_is_reached_at_its_nearest_node() {
    let lab = build("host a, far, near; router r", "a - r; r - far; a - near").service("s", &["far", "near"], None, 80);
    let plan = lab.flow("f", "a", Destination::Service(ServiceId(0))).good();
    assert_eq!(plan.flows[0].target.to_string(), "10.128.0.10:80");
    assert_eq!(plan.flows[0].backends.len(), 1);
    assert_eq!(plan.listeners.len(), 2);
}

#[test]
fn ipv6_where_ipv4_is_not_common() {
    let lab = build("host a, b", "a 10.0.0.1/24, fd01::1/64 - b fd01::2/64").talk("a", "b").talk("b", "b");
    let plan = lab.good();
    assert_eq!(plan.flows[0].target.to_string(), "[fd01::2]:20000");
    assert_eq!(plan.flows[1].target.to_string(), "[fd01::2]:20001");
    let none = build("host a, b", "a 10.0.0.1/24 - b fd01::2/64").talk("a", "b");
    assert_eq!(none.codes(), ["scn::plan::unreachable"]);
}

#[test]
fn an_address_may_come_later() {
    let lab = || {
        let links = "c 10.0.0.10/24 - lan; p 10.0.0.1/24, 10.0.0.100/24 - lan; b 10.0.0.2/24 - lan";
        build("host c, p, b; bridge lan", links).service("store", &["p", "b"], None, 5003)
    };
    let to = |text: &str, port| Destination::Address(text.parse().unwrap(), Some(port));
    let base = lab();
    let (p, b) = (base.id("p"), base.id("b"));
    let moved = Action::MoveAddress { prefix: prefix("10.0.0.100/24"), from: p, to: b, interface: None };
    let plan = base.flow("f", "c", to("10.0.0.100", 5003)).at(100, moved).good();
    assert_eq!(plan.flows[0].backends, [p, b]);
    assert!(matches!(&plan.timeline[0].action, Action::MoveAddress { interface: Some(name), .. } if name == "eth0"));
    let nobody = lab().flow("f", "c", to("10.0.0.99", 5003)).problem();
    assert_eq!(nobody.code, "scn::plan::no_such_address");
    assert!(nobody.help.unwrap().contains("10.0.0.100 of `p`"));
    let silent = lab().flow("f", "c", to("10.0.0.1", 80)).problem();
    assert_eq!(silent.code, "scn::plan::nobody_listens");
    assert!(silent.help.unwrap().contains("`p` on tcp 5003"));
}

#[test]
fn a_service_on_an_address_that_comes_later_may_bind_it() {
    let links = "p 10.0.0.1/24, 10.0.0.100/24 - lan; b 10.0.0.2/24 - lan";
    let base = build("host p, b; bridge lan", links).service("s", &["p", "b"], Some("10.0.0.100"), 80);
    assert_eq!(base.codes(), ["scn::plan::listen_address"]);
    let (from, to) = (base.id("p"), base.id("b"));
    let moved = Action::MoveAddress { prefix: prefix("10.0.0.100/24"), from, to, interface: None };
    let plan = base.at(100, moved).good();
    let binds = |node: usize| plan.nodes[node].sysctls.iter().any(|(name, _)| name == "net.ipv4.ip_nonlocal_bind");
    assert_eq!((binds(0), binds(1)), (false, true));
}

#[test]
fn listeners_and_bridges_clash() {
    let lab = || build("host a, b; bridge lan", "a - lan; b - lan");
    assert_eq!(lab().service("s", &["a"], None, 80).service("t", &["a"], None, 80).codes(), ["scn::expand::port_twice"]);
    assert_eq!(lab().talk("a", "lan").codes(), ["scn::expand::not_a_host"]);
    assert_eq!(lab().talk("lan", "a").codes(), ["scn::expand::not_a_host"]);
}

#[test]
fn unreachable_says_where_it_ends() {
    let apart = build("host a, b, c, d", "a - b; c - d").talk("a", "c").problem();
    assert_eq!(apart.code, "scn::plan::unreachable");
    assert!(apart.message.contains("`a`, which has no route"), "{}", apart.message);
    let through_host = build("host a, b, c", "a 10.1.0.1/24 - b 10.1.0.2/24; b 10.2.0.2/24 - c 10.2.0.3/24");
    let through_host = through_host.route("a", "10.2.0.0/24", "10.1.0.2").talk("a", "c").problem();
    assert!(through_host.message.contains("`b`, which does not forward"), "{}", through_host.message);
    let mut one_way = build("host a, b; router r", "a 10.1.0.1/24 - r 10.1.0.2/24; r 10.2.0.2/24 - b 10.2.0.3/24");
    one_way.scenario.topology.routing_manual = true;
    let one_way = one_way.route("a", "0.0.0.0/0", "10.1.0.2").talk("a", "b").problem();
    assert!(one_way.message.contains("the way back: it ends at `b`"), "{}", one_way.message);
    let ring = build("host a; router r, s; host b", "a 10.1.0.1/24 - r 10.1.0.2/24; r 10.2.0.1/24 - s 10.2.0.2/24; s - b 10.3.0.1/24");
    let ring = ring.route("r", "10.3.0.0/24", "10.2.0.2").route("s", "10.3.0.128/25", "10.2.0.1").talk("a", "b");
    assert!(ring.plan().is_err(), "s has no way back to a");
}

#[test]
fn a_flow_to_its_own_node() {
    assert_eq!(build("host a, b", "a - b").talk("a", "a").good().flows[0].target.to_string(), "10.128.0.1:20000");
    assert_eq!(build("host a", "").talk("a", "a").good().flows[0].target.to_string(), "127.0.0.1:20000");
}

#[test]
fn faults_strike_something() {
    let lab = || build("host a, b, alone", "a - b");
    let id = lab().id("alone");
    assert_eq!(lab().at(0, Action::Down(vec![Target::Node(id)])).codes(), ["scn::plan::nothing_to_strike"]);
    let a = lab().id("a");
    let wrong = lab().at(0, Action::Silence(vec![Target::Interface(a, "eth1".into())]));
    assert_eq!(wrong.codes(), ["scn::resolve::unknown_interface"]);
}

#[test]
fn addresses_come_to_where_they_belong() {
    let lab = || build("host a, b", "a 10.0.0.1/24 - b 10.0.0.2/24");
    let (a, b) = (lab().id("a"), lab().id("b"));
    let add = |text: &str| Action::AddAddress { prefix: prefix(text), node: b, interface: None };
    assert_eq!(lab().at(0, add("10.0.1.9/24")).codes(), ["scn::plan::not_on_subnet"]);
    assert_eq!(lab().at(0, add("10.0.0.255/24")).codes(), ["scn::expand::not_a_host_address"]);
    assert!(lab().at(0, add("10.0.0.9/32")).plan().is_ok());
    let take = |address: &str, node| Action::RemoveAddress { address: address.parse().unwrap(), node };
    assert_eq!(lab().at(0, take("10.0.0.1", b)).codes(), ["scn::expand::address_not_there"]);
    assert!(lab().at(0, take("10.0.0.1", a)).plan().is_ok());
    let moved = Action::MoveAddress { prefix: prefix("10.0.0.1/24"), from: a, to: b, interface: Some("eth3".into()) };
    assert_eq!(lab().at(0, moved).codes(), ["scn::resolve::unknown_interface"]);
}

#[test]
fn a_flow_ends_somehow() {
    let lab = || {
        let lab = build("host a, b", "a - b");
        let to = Destination::Node(lab.id("b"), None);
        lab.flow_with("f", "a", to, |_| {})
    };
    assert_eq!(lab().codes(), ["scn::plan::endless_flow"]);
    assert_eq!(lab().at(0, Action::Start(vec![flow_id(0)])).codes(), ["scn::plan::endless_flow"]);
    assert!(lab().at(1000, Action::Mark).plan().is_ok());
    assert!(lab().at(0, Action::Start(vec![flow_id(0)])).at(1000, Action::Stop(vec![flow_id(0)])).plan().is_ok());
    assert_eq!(lab().at(2000, Action::Start(vec![flow_id(0)])).at(1000, Action::Mark).codes(), ["scn::plan::endless_flow"]);
    assert!(lab().entry(condition(), Action::Mark, None).plan().is_ok());
}

#[test]
fn a_short_timeout_is_a_warning() {
    let warned = |lab: super::build::Build| lab.plan().unwrap().warnings.iter().map(|warning| warning.code).collect::<Vec<_>>();
    let lab = || build("host a, b", "a - b");
    assert!(warned(lab().at(61_000, Action::Mark)).is_empty(), "the check of the file tells it");
    assert!(warned(lab().at(59_000, Action::Mark)).is_empty());
    let to = Destination::Node(lab().id("b"), None);
    let slow = lab().flow_with("f", "a", to, |load| (load.total, load.rate_nano) = (Some(100), Some(1_000_000_000)));
    assert_eq!(warned(slow), ["scn::plan::timeout_too_short"]);
}

#[test]
fn the_schedule_knows_what_can_be_known() {
    let lab = build("host a, b", "a - b")
        .entry(When::At(TimeRef { event: None, offset_ns: 5 }), Action::Mark, Some("first"))
        .entry(after(0, 1), Action::Mark, Some("second"))
        .entry(condition(), Action::Mark, Some("ready"))
        .entry(after(2, 2), Action::Mark, Some("late"))
        .entry(after(3, 1), Action::Mark, None);
    let found: Vec<_> = moments(&lab.good().timeline).iter().map(|moment| (moment.acts, moment.earliest_ns)).collect();
    let late = (Acts::After(2, 2_000_000), 3_000_005);
    assert_eq!(
        found,
        [(Acts::At(5), 5), (Acts::At(1_000_005), 1_000_005), (Acts::Condition, 1_000_005), late, (Acts::After(3, 1_000_000), 4_000_005)]
    );
}

#[test]
fn impossible_instants_are_refused() {
    let lab = || build("host a, b", "a - b");
    let ring = lab().entry(after(1, 1), Action::Mark, Some("x")).entry(after(0, 1), Action::Mark, Some("y"));
    assert_eq!(ring.codes(), ["scn::plan::circular_time"]);
    let blocked = lab().entry(after(1, 1), Action::Mark, Some("x")).entry(condition(), Action::Mark, Some("ready"));
    assert_eq!(blocked.codes(), ["scn::plan::circular_time"]);
    assert_eq!(
        lab().entry(condition(), Action::Mark, Some("x")).entry(after(0, -1), Action::Mark, None).codes(),
        ["scn::plan::unknowable_time"]
    );
    assert_eq!(lab().at(1, Action::Mark).at(-1, Action::Mark).codes(), ["scn::plan::unknowable_time"]);
}
