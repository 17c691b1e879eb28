//! Every topology on the real kernel: interfaces upon others, tunnels, addresses of one family, pools, widths, settings, with traffic.

#![expect(clippy::unwrap_used, reason = "test code outside of test functions")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::lab_support::{BOUND, connect, echo, in_own_process, prefix, serve, socket};
use scn_grammar::check;
use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::timeline::Action;
use scn_grammar::source::Sources;
use scn_runner::lab::{Door, KernelLab, LabError, preflight};
use scn_runner::plan::types::Plan;
use scn_runner::plan::{Settings, plan};

/// Long enough for a handshake, short enough to see that there is none.
const SHORT: Duration = Duration::from_millis(300);

/// A neighbour that was not told of a move asks the old place again only after the kernel's 5 s (`delay_first_probe_time`).
const TOLD: Duration = Duration::from_secs(4);

/// The plan of a topology whose first two nodes are `a` and `b`.
fn planned(topology: &str, flow: &str) -> Plan {
    let text = format!(
        "scn 1\nscenario s {{\ntopology {{\n{topology}\n}}\nflow f from a to b {{ total 1  {flow} }}\nexpect {{ f.transactions == 1 }}\n}}\n"
    );
    let mut sources = Sources::default();
    let file = sources.add("test.scn", text);
    let checked = check(&mut sources, file, &BTreeMap::new(), &mut scn_grammar::LoadNothing);
    assert_eq!(checked.scenarios.len(), 1, "{:#?}", checked.diagnostics);
    plan(&checked.scenarios[0], &Settings { seed: 1, timing: 1, ..Settings::default() })
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
        .plan
}

fn built(plan: &Plan) -> KernelLab {
    preflight(plan).unwrap();
    KernelLab::build(plan, &std::sync::Arc::default(), &|_| {}).unwrap()
}

fn id(plan: &Plan, name: &str) -> NodeId {
    NodeId(u32::try_from(plan.nodes.iter().position(|node| node.name == name).unwrap()).unwrap())
}

/// An interface of a node asked by an ioctl: what the kernel writes behind the name.
fn asked(door: &Door, node: NodeId, interface: &str, request: libc::Ioctl) -> [u8; 16] {
    let socket = socket(door, node, false);
    let mut ifreq = [0u8; 40];
    ifreq[..interface.len()].copy_from_slice(interface.as_bytes());
    // SAFETY: the buffer has the size of `struct ifreq` and lives through the call; the name in it is closed by a zero.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, ifreq.as_mut_ptr()) };
    assert_eq!(result, 0, "{interface}: {}", std::io::Error::last_os_error());
    ifreq[16..32].try_into().unwrap()
}

fn mtu(door: &Door, node: NodeId, interface: &str) -> u32 {
    let [a, b, c, d, ..] = asked(door, node, interface, libc::SIOCGIFMTU as libc::Ioctl);
    u32::from_ne_bytes([a, b, c, d])
}

fn mac(door: &Door, node: NodeId, interface: &str) -> [u8; 6] {
    let [_, _, rest @ ..] = asked(door, node, interface, libc::SIOCGIFHWADDR as libc::Ioctl);
    rest[..6].try_into().unwrap()
}

/// A connection from one node to another that carries bytes both ways.
fn talks(door: &Door, from: NodeId, to: &str) {
    let (mut stream, word) = connect(door, from, to, BOUND).unwrap_or_else(|cause| panic!("{to}: {cause}"));
    assert_eq!(word, 7);
    echo(&mut stream).unwrap();
}

#[test]
fn macvlans_are_neighbours_of_their_own() {
    in_own_process("topology::macvlans_are_neighbours_of_their_own", || {
        let plan = planned(
            "node a, b\nbridge lan\nlink a 10.0.0.1/24 <-> lan\nlink b 10.0.0.2/24 <-> lan
            macvlan b.one 10.0.0.3/24, fd00::3/64 on b.eth0 { mac 02:00:00:aa:bb:01 }\nmacvlan b.two 10.0.0.4/24 on b.eth0 { mode private }
            macvlan a.own fd00::9/64 on a.eth0",
            "",
        );
        let lab = built(&plan);
        let (door, a, b) = (lab.door(), id(&plan, "a"), id(&plan, "b"));
        for address in ["10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80", "[fd00::3]:80"] {
            serve(&door, b, address, 7);
            talks(&door, a, address);
        }
        assert_eq!(mac(&door, b, "one"), [2, 0, 0, 0xaa, 0xbb, 1]);
        assert_eq!(mac(&door, b, "two"), plan.interfaces[1].mac);
        assert!(lab.destroy().is_empty());
    });
}

#[test]
fn tunnels_carry_both_families_over_a_router() {
    in_own_process("topology::tunnels_carry_both_families_over_a_router", || {
        for (wire, overhead) in [(["10.1.0.2/24", "10.2.0.2/24"], 50), (["fd00:1::2/64", "fd00:2::2/64"], 70)] {
            let [a, b] = wire;
            let plan = planned(
                &format!(
                    "node a, b\nrouter r\nlink a {a} <-> r\nlink r <-> b {b}\nvxlan t: a.t0 10.8.0.1/24, fd00:8::1/64 <-> b 10.8.0.2/24, fd00:8::2/64 {{ id 42 }}"
                ),
                "",
            );
            let lab = built(&plan);
            let (door, a, b) = (lab.door(), id(&plan, "a"), id(&plan, "b"));
            for address in ["10.8.0.2:80", "[fd00:8::2]:80"] {
                serve(&door, b, address, 7);
                talks(&door, a, address);
            }
            assert_eq!(mtu(&door, a, "t0"), 1500 - overhead);
        }
    });
}

#[test]
fn one_family_or_both() {
    in_own_process("topology::one_family_or_both", || {
        let plan = planned("node a, b\nrouter r\nlink a 2001:db8:1::2/64 <-> r\nlink r <-> b 2001:db8:2::2/64", "");
        let lab = built(&plan);
        assert!(plan.nodes.iter().flat_map(|node| &node.interfaces).flat_map(|i| &i.addresses).all(|prefix| prefix.address.is_ipv6()));
        let target = "[2001:db8:2::2]:80";
        serve(&lab.door(), id(&plan, "b"), target, 7);
        talks(&lab.door(), id(&plan, "a"), target);
        let plan = planned("node a, b\nrouter r\nlink a <-> r\nlink r <-> b", "");
        let lab = built(&plan);
        let b = id(&plan, "b");
        serve(&lab.door(), b, "[::]:80", 7);
        for prefix in &plan.nodes[b.index()].interfaces[0].addresses {
            talks(&lab.door(), id(&plan, "a"), &SocketAddr::new(prefix.address, 80).to_string());
        }
    });
}

#[test]
fn hosts_that_forward_are_routers_too() {
    in_own_process("topology::hosts_that_forward_are_routers_too", || {
        let net = "node a, b\nnode m { forwarding on }\nlink a <-> m\nlink m <-> b";
        let plan = planned(net, "");
        let lab = built(&plan);
        let target = SocketAddr::new(plan.nodes[1].interfaces[0].addresses[0].address, 80).to_string();
        serve(&lab.door(), id(&plan, "b"), &target, 7);
        talks(&lab.door(), id(&plan, "a"), &target);
        // A router that does not forward lets nothing through.
        let mut plan = plan;
        plan.nodes[2].sysctls.iter_mut().filter(|(name, _)| name == "net.ipv4.ip_forward").for_each(|(_, value)| *value = "0".into());
        let lab = built(&plan);
        serve(&lab.door(), id(&plan, "b"), &target, 7);
        assert!(connect(&lab.door(), id(&plan, "a"), &target, SHORT).is_err());
    });
}

/// Connects from an address that no interface has.
fn talks_from(door: &Door, node: NodeId, source: &str, to: &str) {
    let (source, to): (IpAddr, SocketAddr) = (source.parse().unwrap(), to.parse().unwrap());
    let socket = socket(door, node, to.is_ipv6());
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap_or_else(|cause| panic!("bind {source}: {cause}"));
    socket.connect_timeout(&to.into(), BOUND).unwrap_or_else(|cause| panic!("{source} to {to}: {cause}"));
    let mut stream = std::net::TcpStream::from(socket);
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    echo(&mut stream).unwrap();
}

#[test]
fn clients_start_from_any_address_of_a_pool() {
    in_own_process("topology::clients_start_from_any_address_of_a_pool", || {
        let plan = planned(
            "node a, b, c\nrouter r\nbridge lan\nlink a 10.1.0.2/24, fd00:1::2/64 <-> lan\nlink c <-> lan\nlink r 10.1.0.1/24, fd00:1::1/64 <-> lan
            link r 10.2.0.1/24, fd00:2::1/64 <-> b 10.2.0.2/24, fd00:2::2/64",
            "source [10.77.0.0/16, 10.1.0.128/25, 2001:db8:7::/64, fd00:1::1:0/112]",
        );
        let lab = built(&plan);
        let (door, a) = (lab.door(), id(&plan, "a"));
        for node in ["b", "c"] {
            let node = id(&plan, node);
            serve(&door, node, "[::]:80", 7);
            let addresses: Vec<IpAddr> = plan.nodes[node.index()].interfaces[0].addresses.iter().map(|prefix| prefix.address).collect();
            for source in ["10.77.0.1", "10.77.255.254", "10.1.0.200", "2001:db8:7::1", "2001:db8:7:0:ffff::", "fd00:1::1:77"] {
                let same = |address: &&IpAddr| address.is_ipv6() == source.contains(':');
                let target = addresses.iter().find(same).unwrap();
                talks_from(&door, a, source, &SocketAddr::new(*target, 80).to_string());
            }
        }
    });
}

#[test]
fn wide_links_carry_wide_packets_across_bridges() {
    in_own_process("topology::wide_links_carry_wide_packets_across_bridges", || {
        let net = "node a { mtu 9000 }\nnode b { mtu 9000 }\nnode c\nbridge x, y\nlink a 10.0.0.1/24 <-> x\nlink x <-> y\nlink y <-> b 10.0.0.2/24\nlink y <-> c 10.0.0.3/24";
        let plan = planned(net, "");
        let lab = built(&plan);
        let door = lab.door();
        assert_eq!(["a", "b", "c"].map(|node| mtu(&door, id(&plan, node), "eth0")), [9000, 9000, 1500]);
        // 8 kB in one packet that no one divides.
        crate::lab_support::pour(&door, id(&plan, "b"), "10.0.0.2:80", 8000);
        let socket = socket(&door, id(&plan, "a"), false);
        socket.connect_timeout(&"10.0.0.2:80".parse::<SocketAddr>().unwrap().into(), BOUND).unwrap();
        let mut stream = std::net::TcpStream::from(socket);
        stream.set_read_timeout(Some(BOUND)).unwrap();
        assert!(largest_segment(&stream) > 8000);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 8000);
        // The narrow neighbour says how much it takes.
        serve(&door, id(&plan, "c"), "10.0.0.3:80", 7);
        let (stream, _) = connect(&door, id(&plan, "a"), "10.0.0.3:80", BOUND).unwrap();
        assert!(largest_segment(&stream) < 1500);
    });
}

/// The most that one packet of a connection carries, in bytes.
fn largest_segment(stream: &std::net::TcpStream) -> u32 {
    socket2::SockRef::from(stream).tcp_mss().unwrap()
}

#[test]
fn hardware_addresses_and_settings_are_as_said() {
    in_own_process("topology::hardware_addresses_and_settings_are_as_said", || {
        let plan = planned(
            "node a { sysctl \"net.ipv4.tcp_ecn\" = 1  sysctl \"net.ipv4.ip_default_ttl\" = 33 }\nnode b { mac 02:12:34:56:78:9a }\nbridge lan { mac 02:aa:00:00:00:01 }
            link a <-> lan\nlink lan <-> b\ninterface a.eth0 { mac 02:00:00:00:00:77  sysctl \"net.ipv4.conf.eth0.proxy_arp\" = 1 }",
            "",
        );
        let lab = built(&plan);
        let door = lab.door();
        let [a, b, lan] = ["a", "b", "lan"].map(|node| id(&plan, node));
        assert_eq!(mac(&door, a, "eth0"), [2, 0, 0, 0, 0, 0x77]);
        assert_eq!(mac(&door, b, "eth0"), [2, 0x12, 0x34, 0x56, 0x78, 0x9a]);
        assert_eq!(mac(&door, lan, "bridge"), [2, 0xaa, 0, 0, 0, 1]);
        for (name, value) in
            [("net.ipv4.tcp_ecn", "1 (on a)"), ("net.ipv4.ip_default_ttl", "33 (on a)"), ("net.ipv4.conf.eth0.proxy_arp", "1 (on a)")]
        {
            assert!(lab.environment().contains(&(format!("sysctl {name}"), value.to_owned())), "{name}: {:?}", lab.environment());
        }
        let target = SocketAddr::new(plan.nodes[1].interfaces[0].addresses[0].address, 80).to_string();
        serve(&door, b, &target, 7);
        talks(&door, a, &target);
    });
}

#[test]
fn a_setting_that_cannot_be_is_refused_before_anything_is_made() {
    in_own_process("topology::a_setting_that_cannot_be_is_refused_before_anything_is_made", || {
        let wrong = |said: &str| preflight(&planned(&format!("node a {{ sysctl {said} }}\nnode b\nlink a <-> b"), "")).unwrap_err();
        assert!(matches!(wrong("\"net.ipv4.no_such_thing\" = 1"), LabError::Setting { place, .. } if place == "a"));
        let refused = wrong("\"net.ipv4.conf.eth0.rp_filter\" = \"many\"").to_string();
        assert!(refused.starts_with("a: `sysctl \"net.ipv4.conf.eth0.rp_filter\" = many` can't be set: the kernel says:"), "{refused}");
    });
}

/// Where the kernel makes such an interface the network carries traffic; where it does not, the reason names its option.
fn carries_or_names(topology: &str, option: &str) {
    let plan = planned(topology, "");
    match preflight(&plan) {
        Err(LabError::Feature { option: named, cause, .. }) => {
            assert_eq!(named, option);
            assert!(!cause.is_empty());
        }
        Err(other) => panic!("{other}"),
        Ok(_) => {
            let lab = built(&plan);
            let target = SocketAddr::new(plan.flows[0].target.ip(), 80).to_string();
            serve(&lab.door(), id(&plan, "b"), &target, 7);
            talks(&lab.door(), id(&plan, "a"), &target);
        }
    }
}

#[test]
fn tags_and_bonds_where_the_kernel_has_them() {
    in_own_process("topology::tags_and_bonds_where_the_kernel_has_them", || {
        carries_or_names("node a, b\nbridge lan\nlink a <-> lan { vlan 7 }\nlink lan <-> b { vlan [10, 20] }", "CONFIG_VLAN_8021Q");
        carries_or_names(
            "node a, b\nbridge lan\nlink a <-> lan\nlink lan <-> b\nvlan a.v 10.1.0.1/24 on a.eth0 { id 5 }\nvlan b.v 10.1.0.2/24 on b.eth0 { id 5 }\nrouting manual",
            "CONFIG_VLAN_8021Q",
        );
        carries_or_names(
            "node a, b\nlink a <-> b\nlink a <-> b\nbond a.bond0 on a.eth0, a.eth1\nbond b.bond0 on b.eth0, b.eth1",
            "CONFIG_BONDING",
        );
    });
}

#[test]
fn several_links_between_two_nodes_are_several_ways() {
    in_own_process("topology::several_links_between_two_nodes_are_several_ways", || {
        let plan = planned(
            "node a, b\nlink a 10.1.0.1/24 <-> b 10.1.0.2/24\nlink a 10.2.0.1/24 <-> b 10.2.0.2/24\nlink a 10.3.0.1/24 <-> b 10.3.0.2/24 { mtu 1400 }",
            "",
        );
        let lab = built(&plan);
        for address in ["10.1.0.2:80", "10.2.0.2:80", "10.3.0.2:80"] {
            serve(&lab.door(), id(&plan, "b"), address, 7);
            talks(&lab.door(), id(&plan, "a"), address);
        }
        assert_eq!(["eth0", "eth1", "eth2"].map(|name| mtu(&lab.door(), id(&plan, "b"), name)), [1500, 1500, 1400]);
    });
}

#[test]
fn routes_change_and_come_back_in_both_families() {
    in_own_process("topology::routes_change_and_come_back_in_both_families", || {
        let plan = planned(
            "node a, b\nrouter good, bad\nlink a 10.1.0.2/24, fd00:1::2/64 <-> good 10.1.0.1/24, fd00:1::1/64\nlink a 10.2.0.2/24, fd00:2::2/64 <-> bad 10.2.0.1/24, fd00:2::1/64
            link good <-> b 10.9.0.2/24, fd00:9::2/64\nroute a 10.9.0.0/16 via 10.1.0.1\nroute a fd00:9::/48 via fd00:1::1
            route bad 10.9.0.0/16 via 10.2.0.2\nroute bad fd00:9::/48 via fd00:2::2",
            "",
        );
        let mut lab = built(&plan);
        let (door, a, b) = (lab.door(), id(&plan, "a"), id(&plan, "b"));
        for (target, to, via) in [("10.9.0.2:80", "10.9.0.0/16", "10.2.0.1"), ("[fd00:9::2]:80", "fd00:9::/48", "fd00:2::1")] {
            serve(&door, b, target, 7);
            let fails = |door: &Door| assert!(connect(door, a, target, SHORT).is_err(), "{target}");
            let other = Action::Route { nodes: vec![a], to: prefix(to), via: Some(via.parse().unwrap()) };
            let off = Action::Route { nodes: vec![a], to: prefix(to), via: None };
            talks(&door, a, target);
            assert_eq!(lab.apply(&other).unwrap().warnings, [""; 0]);
            fails(&door);
            assert_eq!(lab.apply(&other).unwrap().warnings.len(), 1, "it is so already");
            lab.undo(&other).unwrap().unwrap();
            fails(&door);
            lab.undo(&other).unwrap().unwrap();
            talks(&door, a, target);
            lab.apply(&off).unwrap();
            fails(&door);
            lab.undo(&off).unwrap().unwrap();
            talks(&door, a, target);
        }
    });
}

#[test]
fn a_moved_ipv6_address_is_found_on_a_macvlan() {
    in_own_process("topology::a_moved_ipv6_address_is_found_on_a_macvlan", || {
        let plan = planned(
            "node a, b, c\nbridge lan\nlink a fd00::1/64 <-> lan\nlink b fd00::2/64 <-> lan\nlink c fd00::3/64 <-> lan\nmacvlan b.m fd00::4/64, fd00::100/64 on b.eth0",
            "",
        );
        let mut lab = built(&plan);
        let (door, a, b, c) = (lab.door(), id(&plan, "a"), id(&plan, "b"), id(&plan, "c"));
        for node in [b, c] {
            serve(&door, node, "[::]:80", 7);
        }
        let target = "[fd00::100]:80";
        talks(&door, a, target);
        let there = Action::MoveAddress { prefix: prefix("fd00::100/64"), from: b, to: c, interface: None };
        assert_eq!(lab.apply(&there).unwrap().warnings, [""; 0]);
        let (_, word) = connect(&door, a, target, TOLD).unwrap();
        assert_eq!(word, 7);
        let back = Action::MoveAddress { prefix: prefix("fd00::100/64"), from: c, to: b, interface: Some("m".into()) };
        assert_eq!(lab.apply(&back).unwrap().warnings, [""; 0]);
        connect(&door, a, target, TOLD).unwrap();
    });
}
