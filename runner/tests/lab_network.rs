//! The lab on the real kernel: networks carry traffic, faults strike and heal, and nothing is left.

mod lab_capture;
mod lab_support;
mod lab_wire;
mod topology;

use std::time::{Duration, Instant};

use lab_support::{BOUND, Net, carrier_becomes, connect, echo, in_own_process, ip, kernel_descriptors, prefix, serve, threads};
use scn_grammar::scenario::impairment::{Impairment, Loss};
use scn_grammar::scenario::timeline::{Action, Target};
use scn_grammar::scenario::topology::NodeKind;
use scn_grammar::scenario::{LinkId, NodeId};
use scn_runner::lab::{KernelLab, LabError, State, doctor, preflight};
use scn_runner::plan::types::Engine::{Direct, Wire};
use scn_runner::traffic::sockets::Streams;

/// Long enough for a handshake, short enough to see that there is none.
const SHORT: Duration = Duration::from_millis(300);

/// Three hosts on a bridge; the second and third answer `2` and `3` on port 80.
fn office() -> (Net, [NodeId; 3], [LinkId; 3], NodeId) {
    let mut net = Net::new();
    let hosts = net.hosts(["client", "primary", "backup"]);
    let lan = net.node("lan", NodeKind::Bridge);
    let links = [
        net.link(Direct, [(hosts[0], &["10.0.0.10/24", "fd00::10/64"]), (lan, &[])]),
        net.link(Direct, [(hosts[1], &["10.0.0.1/24", "10.0.0.100/24", "fd00::1/64", "fd00::100/64"]), (lan, &[])]),
        net.link(Direct, [(lan, &[]), (hosts[2], &["10.0.0.2/24", "fd00::2/64"])]),
    ];
    (net, hosts, links, lan)
}

fn started(net: &Net, hosts: [NodeId; 3]) -> KernelLab {
    let lab = net.build();
    serve(&lab.door(), hosts[1], "[::]:80", 2);
    serve(&lab.door(), hosts[2], "[::]:80", 3);
    lab
}

#[test]
fn two_nodes_talk_over_both_families() {
    in_own_process("two_nodes_talk_over_both_families", || {
        let mut net = Net::new();
        let [a, b] = net.hosts(["a", "b"]);
        net.link(Direct, [(a, &["10.1.0.1/30", "fd00:1::1/64"]), (b, &["10.1.0.2/30", "fd00:1::2/64"])]);
        preflight(&net.0).unwrap();
        let lab = net.build();
        serve(&lab.door(), b, "[::]:80", 2);
        for target in ["10.1.0.2:80", "[fd00:1::2]:80"] {
            let (mut stream, word) = connect(&lab.door(), a, target, BOUND).unwrap();
            assert_eq!(word, 2);
            echo(&mut stream).unwrap();
        }
        assert_eq!(lab.accounts(), [None]);
        assert!(lab.destroy().is_empty());
    });
}

#[test]
fn routers_pass_packets_on() {
    in_own_process("routers_pass_packets_on", || {
        let mut net = Net::new();
        let [a, b] = net.hosts(["a", "b"]);
        let [r1, r2] = ["r1", "r2"].map(|name| net.node(name, NodeKind::Router));
        net.link(Direct, [(a, &["10.1.0.2/24", "fd00:1::2/64"]), (r1, &["10.1.0.1/24", "fd00:1::1/64"])]);
        net.link(Wire, [(r1, &["10.2.0.1/24", "fd00:2::1/64"]), (r2, &["10.2.0.2/24", "fd00:2::2/64"])]);
        net.link(Direct, [(r2, &["10.3.0.1/24", "fd00:3::1/64"]), (b, &["10.3.0.2/24", "fd00:3::2/64"])]);
        for (node, to, via) in [
            (a, "10.3.0.0/24", "10.1.0.1"),
            (a, "fd00:3::/64", "fd00:1::1"),
            (r1, "10.3.0.0/24", "10.2.0.2"),
            (r1, "fd00:3::/64", "fd00:2::2"),
            (r2, "10.1.0.0/24", "10.2.0.1"),
            (r2, "fd00:1::/64", "fd00:2::1"),
            (b, "0.0.0.0/0", "10.3.0.1"),
            (b, "::/0", "fd00:3::1"),
        ] {
            net.route(node, to, via);
        }
        let lab = net.build();
        serve(&lab.door(), b, "[::]:80", 2);
        for target in ["10.3.0.2:80", "[fd00:3::2]:80"] {
            echo(&mut connect(&lab.door(), a, target, BOUND).unwrap().0).unwrap();
        }
        let account = lab.accounts()[1].clone().unwrap();
        assert!(account.delivered[0] > 4 && account.delivered[1] > 4, "{account:?}");
        assert!(lab.environment().iter().any(|(name, value)| name == "sysctl net.ipv4.ip_forward" && value == "1 (on r1, r2)"));
    });
}

#[test]
fn bridges_join_each_other() {
    in_own_process("bridges_join_each_other", || {
        let mut net = Net::new();
        let [a, b, c] = net.hosts(["a", "b", "c"]);
        let [left, middle, right] = ["left", "middle", "right"].map(|name| net.node(name, NodeKind::Bridge));
        net.link(Direct, [(a, &["10.0.0.1/24"]), (left, &[])]);
        let joint = net.link(Direct, [(left, &[]), (middle, &[])]);
        let wire = net.link(Wire, [(middle, &[]), (right, &[])]);
        net.link(Wire, [(right, &[]), (b, &["10.0.0.2/24"])]);
        net.link(Direct, [(middle, &[]), (c, &["10.0.0.3/24"])]);
        let mut lab = net.build();
        let door = lab.door();
        serve(&door, b, "10.0.0.2:80", 2);
        serve(&door, c, "10.0.0.3:80", 3);
        for link in [joint, wire] {
            connect(&door, a, "10.0.0.2:80", BOUND).unwrap();
            lab.apply(&Action::Down(vec![Target::Link(link)])).unwrap();
            assert!(connect(&door, a, "10.0.0.2:80", SHORT).is_err());
            assert_eq!(lab.apply(&Action::Up(vec![Target::Link(link)])).unwrap().warnings, [""; 0]);
        }
        connect(&door, a, "10.0.0.2:80", BOUND).unwrap();
        connect(&door, a, "10.0.0.3:80", BOUND).unwrap();
    });
}

#[test]
fn down_takes_the_carrier_and_up_gives_it_back() {
    in_own_process("down_takes_the_carrier_and_up_gives_it_back", || {
        let (net, hosts, links, lan) = office();
        let mut lab = started(&net, hosts);
        let door = lab.door();
        let (mut stream, _) = connect(&door, hosts[0], "10.0.0.1:80", BOUND).unwrap();
        for target in [Target::Node(hosts[1]), Target::Link(links[1]), Target::Interface(hosts[1], "eth0".into())] {
            assert_eq!(lab.apply(&Action::Down(vec![target.clone()])).unwrap().warnings, [""; 0]);
            carrier_becomes(&door, hosts[1], "eth0", false);
            carrier_becomes(&door, hosts[0], "eth0", true);
            assert!(connect(&door, hosts[0], "10.0.0.1:80", SHORT).is_err());
            let again = lab.apply(&Action::Down(vec![target.clone()])).unwrap();
            assert!(again.warnings[0].contains("had no effect"), "{again:?}");
            assert_eq!(lab.apply(&Action::Up(vec![target])).unwrap().warnings, [""; 0]);
            carrier_becomes(&door, hosts[1], "eth0", true);
            connect(&door, hosts[0], "10.0.0.1:80", BOUND).unwrap();
            connect(&door, hosts[0], "[fd00::1]:80", BOUND).unwrap();
            connect(&door, hosts[1], "10.0.0.2:80", BOUND).unwrap();
            echo(&mut stream).unwrap();
        }
        // A bridge that is down is down for all.
        lab.apply(&Action::Down(vec![Target::Node(lan)])).unwrap();
        hosts.iter().for_each(|host| carrier_becomes(&door, *host, "eth0", false));
        // Two faults on one link: the second holds it when the first has gone.
        lab.apply(&Action::Down(vec![Target::Link(links[2])])).unwrap();
        let half = lab.apply(&Action::Up(vec![Target::Node(lan)])).unwrap();
        assert!(half.warnings[0].contains("another fault holds it"), "{half:?}");
        carrier_becomes(&door, hosts[0], "eth0", true);
        carrier_becomes(&door, hosts[2], "eth0", false);
        lab.apply(&Action::Up(vec![Target::Link(links[2])])).unwrap();
        connect(&door, hosts[0], "10.0.0.2:80", BOUND).unwrap();
        assert!(lab.apply(&Action::Up(vec![Target::Link(links[2])])).unwrap().warnings[0].contains("had no effect"));
    });
}

#[test]
fn silence_drops_without_a_sign() {
    in_own_process("silence_drops_without_a_sign", || {
        let (net, hosts, links, _) = office();
        let mut lab = started(&net, hosts);
        let door = lab.door();
        let (mut stream, _) = connect(&door, hosts[0], "10.0.0.1:80", BOUND).unwrap();
        lab.apply(&Action::Silence(vec![Target::Link(links[1])])).unwrap();
        carrier_becomes(&door, hosts[1], "eth0", true);
        assert!(connect(&door, hosts[0], "10.0.0.1:80", SHORT).is_err());
        stream.set_read_timeout(Some(SHORT)).unwrap();
        assert!(echo(&mut stream).is_err());
        lab.apply(&Action::Unsilence(vec![Target::Link(links[1])])).unwrap();
        connect(&door, hosts[0], "10.0.0.1:80", BOUND).unwrap();
        // A silent link stays silent when it goes down and comes up.
        lab.apply(&Action::Silence(vec![Target::Node(hosts[2])])).unwrap();
        lab.apply(&Action::Down(vec![Target::Node(hosts[2])])).unwrap();
        lab.apply(&Action::Up(vec![Target::Node(hosts[2])])).unwrap();
        carrier_becomes(&door, hosts[2], "eth0", true);
        assert!(connect(&door, hosts[0], "10.0.0.2:80", SHORT).is_err());
        lab.apply(&Action::Unsilence(vec![Target::Node(hosts[2])])).unwrap();
        connect(&door, hosts[0], "10.0.0.2:80", BOUND).unwrap();
    });
}

#[test]
fn a_silence_that_met_nothing_is_told() {
    in_own_process("a_silence_that_met_nothing_is_told", || {
        let (mut net, hosts, links, _) = office();
        let wire = net.link(Wire, [(hosts[0], &["10.1.0.1/24"]), (hosts[1], &["10.1.0.2/24"])]);
        for host in hosts {
            // Nobody speaks by itself.
            net.0.nodes[host.index()].interfaces.iter_mut().for_each(|i| i.addresses.retain(|prefix| prefix.address.is_ipv4()));
            net.0.nodes[host.index()].sysctls.push(("net.ipv6.conf.all.disable_ipv6".into(), "1".into()));
        }
        let mut lab = net.build();
        for link in [wire, links[2]] {
            let target = || vec![Target::Link(link)];
            lab.apply(&Action::Silence(target())).unwrap();
            assert_eq!(lab.effects().unwrap().len(), 1);
            let end = lab.apply(&Action::Unsilence(target())).unwrap();
            assert!(end.warnings[0].ends_with("had no effect: nothing came to cross it"), "{end:?}");
            assert!(lab.effects().unwrap().is_empty());
        }
    });
}

#[test]
fn neighbours_are_found_over_a_link_that_loses_or_it_is_told() {
    in_own_process("neighbours_are_found_over_a_link_that_loses_or_it_is_told", || {
        for (ratio_nano, found) in [(500_000_000, true), (1_000_000_000, false)] {
            let mut net = Net::new();
            let [near, far] = ["near", "far"].map(|name| net.node(name, NodeKind::Router));
            let link = net.link(Wire, [(near, &["10.2.0.1/24", "fd00:2::1/64"]), (far, &["10.2.0.2/24", "fd00:2::2/64"])]);
            let loses = || Impairment { loss: Loss::Random { ratio_nano }, ..Impairment::default() };
            net.impair(link, loses(), loses());
            net.route(near, "10.3.0.0/24", "10.2.0.2");
            net.route(near, "fd00:3::/64", "fd00:2::2");
            let lab = net.build();
            for words in
                ["no answer to ARP for 10.2.0.2 came to near.eth0", "no answer to neighbour discovery for fd00:2::2 came to near.eth0"]
            {
                let told = lab.warnings().iter().any(|warning| warning.starts_with(words));
                assert_eq!(told, !found, "{words}: {:?}", lab.warnings());
            }
            assert!(lab.destroy().is_empty());
        }
    });
}

#[test]
fn an_address_moves_and_neighbours_know() {
    in_own_process("an_address_moves_and_neighbours_know", || {
        let (net, hosts, ..) = office();
        let mut lab = started(&net, hosts);
        let door = lab.door();
        let who = |target: &str| connect(&door, hosts[0], target, BOUND).unwrap().1;
        for (address, target) in [("10.0.0.100/24", "10.0.0.100:80"), ("fd00::100/64", "[fd00::100]:80")] {
            assert_eq!(who(target), 2);
            let there = Action::MoveAddress { prefix: prefix(address), from: hosts[1], to: hosts[2], interface: None };
            assert_eq!(lab.apply(&there).unwrap().warnings, [""; 0]);
            assert_eq!(who(target), 3);
            assert!(matches!(lab.apply(&there), Err(LabError::NoAddress { .. })));
            let back = Action::MoveAddress { prefix: prefix(address), from: hosts[2], to: hosts[1], interface: Some("eth0".into()) };
            lab.apply(&back).unwrap();
            assert_eq!(who(target), 2);
        }
        // The first address of a subnet goes; the others stay.
        lab.apply(&Action::RemoveAddress { address: ip("10.0.0.1"), node: hosts[1] }).unwrap();
        assert_eq!(who("10.0.0.100:80"), 2);
        lab.apply(&Action::AddAddress { prefix: prefix("10.0.0.7/24"), node: hosts[1], interface: None }).unwrap();
        assert_eq!(who("10.0.0.7:80"), 2);
        let lost = lab.apply(&Action::AddAddress { prefix: prefix("192.0.2.1/24"), node: hosts[1], interface: None });
        assert!(lost.unwrap_err().to_string().contains("name the interface"));
        let unknown = Target::Interface(hosts[1], "eth9".into());
        assert!(lab.apply(&Action::Down(vec![unknown])).unwrap_err().to_string().contains("it has: eth0"));
        assert!(matches!(lab.apply(&Action::Mark), Err(LabError::NotTheLabs { .. })));
    });
}

#[test]
fn a_wire_delays_and_can_be_cut() {
    in_own_process("a_wire_delays_and_can_be_cut", || {
        let mut net = Net::new();
        let [a, b] = net.hosts(["a", "b"]);
        let wan = net.link(Wire, [(a, &["10.1.0.1/24", "fd00::1/64"]), (b, &["10.1.0.2/24", "fd00::2/64"])]);
        net.delay(wan, Duration::from_millis(10));
        let mut lab = net.build();
        let door = lab.door();
        serve(&door, b, "[::]:80", 2);
        let (mut stream, _) = connect(&door, a, "10.1.0.2:80", BOUND).unwrap();
        for _ in 0..5 {
            let start = Instant::now();
            echo(&mut stream).unwrap();
            let took = start.elapsed();
            assert!(took >= Duration::from_millis(20), "never early: {took:?}");
            assert!(took < BOUND);
        }
        let account = lab.accounts()[0].clone().unwrap();
        assert!(account.delivered[0] >= 7 && account.cut == [0, 0] && account.dropped == [0, 0], "{account:?}");

        lab.apply(&Action::Down(vec![Target::Link(wan)])).unwrap();
        carrier_becomes(&door, a, "eth0", false);
        carrier_becomes(&door, b, "eth0", false);
        lab.apply(&Action::Up(vec![Target::Link(wan)])).unwrap();
        connect(&door, a, "10.1.0.2:80", BOUND).unwrap();
        connect(&door, a, "[fd00::2]:80", BOUND).unwrap();
        echo(&mut stream).unwrap();

        lab.apply(&Action::Silence(vec![Target::Node(a)])).unwrap();
        carrier_becomes(&door, a, "eth0", true);
        assert!(connect(&door, a, "10.1.0.2:80", SHORT).is_err());
        assert!(lab.effects().unwrap().is_empty());
        assert_eq!(lab.apply(&Action::Unsilence(vec![Target::Node(a)])).unwrap().warnings, [""; 0]);
        connect(&door, a, "10.1.0.2:80", BOUND).unwrap();
        let account = lab.accounts()[0].clone().unwrap();
        assert!(account.cut[0] > 0, "{account:?}");
        assert!(lab.destroy().is_empty());
    });
}

#[test]
fn much_data_crosses_a_wire_whole() {
    in_own_process("much_data_crosses_a_wire_whole", || {
        use std::io::{Read, Write};
        const BYTES: usize = 8 << 20;
        let mut net = Net::new();
        let [a, b] = net.hosts(["a", "b"]);
        let wan = net.link(Wire, [(a, &["10.1.0.1/24"]), (b, &["10.1.0.2/24"])]);
        net.delay(wan, Duration::from_millis(1));
        let lab = net.build();
        let door = lab.door();
        lab_support::pour(&door, b, "10.1.0.2:80", BYTES);
        let socket = lab_support::socket(&door, a, false);
        socket.connect_timeout(&"10.1.0.2:80".parse::<std::net::SocketAddr>().unwrap().into(), BOUND).unwrap();
        let mut stream = std::net::TcpStream::from(socket);
        let mut came = Vec::new();
        stream.read_to_end(&mut came).unwrap();
        stream.flush().unwrap();
        assert_eq!(came.len(), BYTES);
        assert!(came.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
        let account = lab.accounts()[0].clone().unwrap();
        // Far fewer frames than packets: offloads are on.
        assert!(account.delivered[1] < (BYTES / 1500) as u64, "{account:?}");
    });
}

#[test]
fn nothing_is_left() {
    in_own_process("nothing_is_left", || {
        let (mut net, hosts, ..) = office();
        let [x, y] = net.hosts(["x", "y"]);
        net.link(Wire, [(x, &["10.9.0.1/24"]), (y, &["10.9.0.2/24"])]);
        let before = (kernel_descriptors(), threads());
        let lab = net.build();
        assert!(kernel_descriptors() > before.0);
        let door = lab.door();
        let kept = lab_support::socket(&door, hosts[0], false);
        assert!(lab.destroy().is_empty());
        drop(kept);
        assert_eq!(kernel_descriptors(), before.0);
        assert!(!threads().iter().any(|name| name.starts_with("scn-")), "{:?}", threads());
        let closed = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let refused = closed.block_on(scn_runner::traffic::sockets::Sockets::streams(&door, hosts[0], Streams::Tcp, false, 1));
        assert!(refused.unwrap_err().to_string().contains("closed"));

        // Dropped without a word.
        drop(net.build());
        assert_eq!(kernel_descriptors(), before.0);
        // Broken in the middle: an address twice.
        let twice = net.0.nodes[1].interfaces[0].addresses[0];
        net.0.nodes[1].interfaces[0].addresses.push(twice);
        let broken = KernelLab::build(&net.0, &Default::default(), &|_| {}).err().unwrap().to_string();
        assert!(broken.starts_with("primary: could not add address 10.0.0.1/24 to eth0: "), "{broken}");
        assert!(broken.contains("exists"), "{broken}");
        assert_eq!(kernel_descriptors(), before.0);
        assert!(!threads().iter().any(|name| name.starts_with("scn-")), "{:?}", threads());
    });
}

#[test]
fn what_the_machine_lacks_is_said_before() {
    in_own_process("what_the_machine_lacks_is_said_before", || {
        let (mut net, ..) = office();
        net.0.descriptors = 1 << 40;
        let refused = preflight(&net.0).unwrap_err().to_string();
        assert!(refused.contains(&(1u64 << 40).to_string()) && refused.contains("hard limit"), "{refused}");

        net.0.descriptors = 10;
        net.0.nodes[0].sysctls.push(("net.ipv4.no_such_setting".into(), "1".into()));
        net.0.nodes[0].sysctls.push(("net.ipv4.tcp_congestion_control".into(), "nonsense".into()));
        net.0.nodes[0].sysctls.push(("net.ipv4.conf.eth0.arp_notify".into(), "1".into()));
        preflight(&net.0).unwrap();
        let lab = net.build();
        let warnings = lab.warnings().join("\n");
        assert!(warnings.contains("this kernel has no net.ipv4.no_such_setting: not set to 1 on client"), "{warnings}");
        assert!(warnings.contains("net.ipv4.tcp_congestion_control stays"), "{warnings}");
        assert!(!warnings.contains("arp_notify"), "{warnings}");

        let findings = doctor();
        assert!(findings.iter().any(|finding| finding.name == "veth pairs" && finding.state == State::Ok), "{findings:?}");
    });
}
