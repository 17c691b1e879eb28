//! Interfaces upon others, tunnels, tags and pools: who is in one broadcast domain with whom, and what routes lead there.

use scn_grammar::scenario::topology::Prefix;

use super::build::routes;
use crate::plan::sample;
use crate::plan::types::Plan;

/// Plans a topology with flows, or gives the codes of what is wrong.
fn planned(topology: &str, flows: &str) -> Result<Plan, Vec<&'static str>> {
    sample::plan(&format!("topology {{\n{topology}\n}}\n{flows}\nflow f0 from a to b {{ total 1 }}\nexpect {{ f0.transactions == 1 }}"))
}

fn good(topology: &str, flows: &str) -> Plan {
    planned(topology, flows).unwrap()
}

fn words(prefixes: &[Prefix]) -> Vec<String> {
    prefixes.iter().map(ToString::to_string).collect()
}

/// The addresses of an interface upon others.
fn upper(plan: &Plan, name: &str) -> Vec<String> {
    words(&plan.interfaces.iter().find(|upper| upper.name == name).unwrap().addresses)
}

#[test]
fn vlans_of_one_tag_are_one_subnet_across_a_bridge() {
    let net = "bridge lan\nnode a, b, c\nlink a <-> lan\nlink b <-> lan\nlink c <-> lan
        vlan a.v10 10.1.0.1/24 on a.eth0 { id 10 }\nvlan b.w 10.1.0.2/24 on b.eth0 { id 10 }\nvlan c.v10 on c.eth0 { id 10 }
        vlan c.v20 on c.eth0 { id 20 }\nvlan b.x on b.eth0 { id 20 }";
    let plan = good(net, "");
    assert_eq!(upper(&plan, "v10"), ["10.1.0.1/24"]);
    assert_eq!(words(&plan.interfaces[2].addresses), ["10.1.0.3/24"]);
    assert_eq!(upper(&plan, "v20"), ["10.128.0.9/30", "fd00:5c:0:2::1/64"]);
    assert_eq!(upper(&plan, "x"), ["10.128.0.10/30", "fd00:5c:0:2::2/64"]);
    // The tag is part of the wire: what carries it is a domain of its own.
    let apart = planned(
        "bridge lan\nnode a, b\nlink a <-> lan\nlink b <-> lan\nvlan a.v 10.1.0.1/24 on a.eth0 { id 10 }\nvlan b.v 10.1.0.2/24 on b.eth0 { id 11 }",
        "",
    );
    assert_eq!(apart.unwrap_err(), ["scn::plan::overlapping_subnets"]);
}

#[test]
fn routes_lead_over_interfaces_upon_others() {
    let net = "node a, b\nbridge trunk\nrouter r\nlink a <-> trunk\nlink b <-> trunk\nlink r <-> trunk
        vlan a.v10 10.1.0.2/24 on a.eth0 { id 10 }\nvlan b.v20 10.2.0.2/24 on b.eth0 { id 20 }
        vlan r.v10 10.1.0.1/24 on r.eth0 { id 10 }\nvlan r.v20 10.2.0.1/24 on r.eth0 { id 20 }\nrouting manual";
    // Without routes nothing leads from one tag to the other, but by the common wire below.
    good(net, "");
    let computed = net.replace("\nrouting manual", "");
    let plan = good(&computed, "");
    assert_eq!(routes(&plan, "a"), ["0.0.0.0/0 via 10.1.0.1", "::/0 via fd00:5c:0:1::3"]);
    // A router on a stick: nothing but tags.
    let stick = "node a, b\nbridge trunk\nrouter r\nlink a <-> trunk.port0\nlink b <-> trunk.port1\nlink r <-> trunk\ninterface trunk.port0 { vlan 10 }
        interface trunk.port1 { vlan 20 }\nvlan r.v10 10.1.0.1/24 on r.eth0 { id 10 }\nvlan r.v20 10.2.0.1/24 on r.eth0 { id 20 }";
    let refused = planned(stick, "");
    assert_eq!(refused.unwrap_err(), ["scn::plan::unreachable"], "a port that tags takes tagged frames only");
    let ends = stick
        .replace("interface trunk.port0 { vlan 10 }", "interface a.eth0 { vlan 10 }")
        .replace("interface trunk.port1 { vlan 20 }", "interface b.eth0 { vlan 20 }");
    let plan = good(&ends, "");
    assert_eq!(words(&plan.nodes[0].interfaces[0].addresses), ["10.1.0.2/24"]);
    assert_eq!(
        (routes(&plan, "a"), routes(&plan, "b")),
        (vec!["0.0.0.0/0 via 10.1.0.1".to_owned()], vec!["0.0.0.0/0 via 10.2.0.1".to_owned()])
    );
}

#[test]
fn both_ends_of_a_tagged_link_are_one_domain() {
    let plan = good("node a, b\nbridge lan, far\nlink a <-> lan\nlink lan <-> far { vlan [10, 20] }\nlink far <-> b { vlan 7 }", "");
    assert_eq!(words(&plan.nodes[1].interfaces[0].addresses), ["10.128.0.2/30", "fd00:5c:0:1::2/64"]);
    assert_eq!(planned("node a, b\nlink a <-> b.eth0\ninterface b.eth0 { vlan 5 }", "").unwrap_err(), ["scn::plan::unreachable"]);
}

#[test]
fn a_stack_has_an_outer_tag_of_its_own_kind() {
    let stack = "vlan N.outer on N.eth0 { id 10 }\nvlan N.inner on N.outer { id 20 }\n";
    let net = format!("node a, b\nlink a <-> b\n{}{}", stack.replace('N', "a"), stack.replace('N', "b"));
    let plan = good(&net, "");
    // eth0, outer and inner: three subnets with two hosts each.
    assert_eq!(words(&plan.interfaces[3].addresses), ["10.128.0.10/30", "fd00:5c:0:3::2/64"]);
    // The same stack as an option of the other end.
    let plan = good(&format!("node a, b\nlink a <-> b.eth0\ninterface b.eth0 {{ vlan [10, 20] }}\n{}", stack.replace('N', "a")), "");
    assert_eq!(words(&plan.nodes[1].interfaces[0].addresses), ["10.128.0.5/30", "fd00:5c:0:2::1/64"]);
    assert_eq!(upper(&plan, "inner"), ["10.128.0.6/30", "fd00:5c:0:2::2/64"]);
}

#[test]
fn a_bond_joins_its_members_and_takes_their_place() {
    let net = "node a, b\nlink a <-> b\nlink a <-> b\nbond a.bond0 10.0.0.1/24 on a.eth0, a.eth1\nbond b.bond0 on b.eth0, b.eth1\nvlan a.v on a.bond0 { id 5 }\nvlan b.v on b.bond0 { id 5 }";
    let plan = good(net, "");
    assert_eq!(upper(&plan, "bond0"), ["10.0.0.1/24"]);
    assert_eq!(words(&plan.interfaces[1].addresses), ["10.0.0.2/24"]);
    assert_eq!(words(&plan.interfaces[3].addresses), ["10.128.0.2/30", "fd00:5c:0:1::2/64"]);
    assert!(plan.nodes.iter().flat_map(|node| &node.interfaces).all(|member| member.addresses.is_empty()));
    assert_eq!(plan.interfaces[0].mac, plan.nodes[0].interfaces[0].mac);
}

#[test]
fn a_macvlan_is_a_neighbour_with_an_address_of_its_own() {
    let plan = good("node a, b\nlink a 10.0.0.1/24 <-> b\nmacvlan a.m on a.eth0\nmacvlan a.n on a.eth0 { mac 02:11:22:33:44:55 }", "");
    assert_eq!((upper(&plan, "m"), upper(&plan, "n")), (vec!["10.0.0.3/24".to_owned()], vec!["10.0.0.4/24".to_owned()]));
    assert_eq!((plan.interfaces[0].mac, plan.interfaces[1].mac), ([2, 0, 0, 1, 0, 1], [2, 0x11, 0x22, 0x33, 0x44, 0x55]));
}

#[test]
fn stacks_are_made_from_below() {
    let plan = good("node a, b\nlink a <-> b\nmacvlan a.m on a.v\nvlan a.v on a.eth0 { id 3 }", "");
    assert_eq!(plan.interfaces.iter().map(|upper| upper.name.as_str()).collect::<Vec<_>>(), ["v", "m"]);
    assert_eq!(planned("node a, b\nlink a <-> b\nvlan a.all on a.eth0 { id 3 }", "").unwrap_err(), ["scn::expand::interface_name"]);
}

#[test]
fn tunnels_know_what_they_travel_between() {
    let net = "node a, b\nrouter r\nlink a 10.1.0.2/24 <-> r 10.1.0.1/24 { mtu 1400 }\nlink r 10.2.0.1/24 <-> b 10.2.0.2/24\nvxlan t: a 10.8.0.1/24 <-> b 10.8.0.2/24 { id 42 }";
    let plan = good(net, "");
    let tunnel = plan.links[2].tunnel.unwrap();
    assert_eq!(tunnel.between.map(|address| address.to_string()), ["10.1.0.2", "10.2.0.2"]);
    assert_eq!(tunnel.mtu, 1350);
    assert_eq!(plan.flows[0].target.ip().to_string(), "10.8.0.2", "the tunnel is one link");
    // Packets of the tunnel are not led into it, though it is the shorter way.
    let mesh = "node c, d\nrouter a, m, b\nlink c <-> a\nlink b <-> d\nlink a 10.1.0.1/24 <-> m 10.1.0.2/24\nlink m 10.2.0.1/24 <-> b 10.2.0.2/24\nvxlan a 10.8.0.1/24 <-> b 10.8.0.2/24";
    let plan = good(mesh, "");
    assert!(routes(&plan, "a").contains(&"10.2.0.0/24 via 10.1.0.2".to_owned()), "{:?}", routes(&plan, "a"));
    assert_eq!(planned("node a, b, c\nlink a <-> c\nlink b <-> c\nvxlan a <-> b", "").unwrap_err(), ["scn::plan::unreachable"]);
}

#[test]
fn addresses_that_clients_start_from_are_routed_to_their_node() {
    let net = "node a, b, c\nrouter r\nbridge lan\nlink a 10.1.0.2/24 <-> lan\nlink c <-> lan\nlink r 10.1.0.1/24 <-> lan\nlink r 10.2.0.1/24 <-> b 10.2.0.2/24";
    let flow = |source: &str| format!("flow g from a to b {{ total 1  source {source} }}");
    let plan = good(net, &flow("[10.77.0.0/16, 2001:db8::/64]"));
    assert_eq!(words(&plan.nodes[0].pools), ["10.77.0.0/16", "2001:db8::/64"]);
    assert!(routes(&plan, "r").contains(&"10.77.0.0/16 via 10.1.0.2".to_owned()));
    assert_eq!(routes(&plan, "c"), ["0.0.0.0/0 via 10.1.0.1", "10.77.0.0/16 via 10.1.0.2"]);
    assert!(plan.nodes[0].sysctls.contains(&("net.ipv6.ip_nonlocal_bind".to_owned(), "1".to_owned())));
    // Inside the node's own subnet, where the planner then gives no address to others.
    let plan = good(&net.replace("link a 10.1.0.2/24", "link a 10.1.0.99/24"), &flow("10.1.0.2/31"));
    assert_eq!(words(&plan.nodes[2].interfaces[0].addresses), ["10.1.0.4/24"]);
    // An address that the node has anyway needs nothing.
    assert!(good(net, &flow("10.1.0.2")).nodes[0].pools.is_empty());
    for wrong in ["10.1.0.1", "10.1.0.0/24", "10.1.0.0/16", "10.2.0.128/25"] {
        assert_eq!(planned(net, &flow(wrong)).unwrap_err(), ["scn::plan::source_in_use"], "{wrong}");
    }
}

#[test]
fn addresses_that_nobody_can_answer_to_are_refused() {
    let net = |route: &str| {
        format!(
            "node a, b\nrouter r\nlink a 10.1.0.2/24 <-> r 10.1.0.1/24\nlink r 10.2.0.1/24 <-> b 10.2.0.2/24\nrouting manual
            route a 0.0.0.0/0 via 10.1.0.1\nroute b 0.0.0.0/0 via 10.2.0.1\n{route}"
        )
    };
    let flow = "flow g from a to b { total 1  source 10.77.0.0/16 }";
    assert_eq!(planned(&net(""), flow).unwrap_err(), ["scn::plan::no_way_back"]);
    good(&net("route r 10.77.0.0/16 via 10.1.0.2"), flow);
    // A range of the other family is of no use to this flow, and needs no way.
    good(&net("route r 10.77.0.0/16 via 10.1.0.2"), "flow g from a to b { total 1  source [10.77.0.0/16, 2001:db8::/64] }");
}

#[test]
fn programs_are_ready_at_addresses_that_are_there() {
    let net = |ready: &str| format!("node a, b\nlink a 10.0.0.1/24 <-> b 10.0.0.2/24\nprocess web on b {{ run \"x\"  ready {ready} }}");
    for fine in ["tcp 10.0.0.2:80", "tcp 10.0.0.1:80", "udp 10.0.0.2:53", "tcp 127.0.0.1:80", "tcp b:80", "log /up/"] {
        good(&net(fine), "");
    }
    for wrong in ["tcp 10.0.1.2:80", "udp 10.0.0.1:53", "udp 10.0.0.3:53"] {
        assert_eq!(planned(&net(wrong), "").unwrap_err(), ["scn::plan::ready_address"], "{wrong}");
    }
    let later = "flow g from a to b { duration 3s }\ntimeline { at 1s   add 10.0.0.9/24 to b }";
    assert_eq!(planned(&net("tcp 10.0.0.9:80"), later).unwrap_err(), ["scn::plan::ready_address"]);
}

#[test]
fn offloads_are_of_interfaces_that_have_them() {
    let net = |more: &str| format!("node a {{ offload off }}\nnode b\nlink a <-> b\n{more}");
    let plan = good(&net("vlan a.v on a.eth0 { id 3 }\nvlan a.w on a.eth0 { id 4  offload on }\nmacvlan a.m on a.eth0"), "");
    let said: Vec<Option<bool>> = plan.interfaces.iter().map(|upper| upper.settings.offload).collect();
    assert_eq!((said, plan.nodes[0].interfaces[0].settings.offload), (vec![Some(false), Some(true), None], Some(false)));
    assert_eq!(planned(&net("macvlan a.m on a.eth0 { offload off }"), "").unwrap_err(), ["scn::plan::offload_of_other"]);
}

#[test]
fn narrow_links_have_no_ipv6() {
    let plan = good("node a, b\nlink a <-> b { mtu 1000 }", "");
    assert_eq!(words(&plan.nodes[0].interfaces[0].addresses), ["10.128.0.1/30"]);
    assert_eq!(planned("node a { mtu 576 }\nnode b\nlink a fd00::1/64 <-> b", "").unwrap_err(), ["scn::plan::mtu_for_ipv6"]);
}

#[test]
fn routing_daemons_lead_where_no_route_is_written() {
    let net = |more: &str| {
        format!(
            "node a, b\nrouter r, s\nlink a 10.1.0.2/24 <-> r 10.1.0.1/24\nlink r <-> s\nlink s 10.2.0.1/24 <-> b 10.2.0.2/24
            route a 0.0.0.0/0 via 10.1.0.1\nroute b 0.0.0.0/0 via 10.2.0.1\n{more}"
        )
    };
    let daemon = "process bird on r, s { run \"bird -f\" }";
    good(&net(&format!("routing manual\n{daemon}")), "");
    assert_eq!(planned(&net("routing manual"), "").unwrap_err(), ["scn::plan::unreachable"], "nobody can have told the routers");
    let one = "routing manual\nprocess bird on s { run \"bird -f\" }";
    assert_eq!(planned(&net(one), "").unwrap_err(), ["scn::plan::unreachable"], "nor r, where none runs");
    let other = net(&format!("routing manual\n{daemon}")).replace("route b 0.0.0.0/0 via 10.2.0.1", "");
    assert_eq!(planned(&other, "").unwrap_err(), ["scn::plan::unreachable"], "b says nothing of a way back");
}
