//! What networks, services, flows, processes and stresses become: every construct in a text, and what it must mean.

use super::checked;
use crate::diagnostics::short;
use crate::scenario::flow::{Arrivals, Change, Destination, Phase, Reconnect, ToolKind};
use crate::scenario::frame::{Field, FramePayload, Network, Segment};
use crate::scenario::pattern::Varying;
use crate::scenario::process::{Content, Probe, ProbeTarget, Signal};
use crate::scenario::stress::StressTransport;
use crate::scenario::text::TextPart;
use crate::scenario::topology::{
    BondMode, Delay, DropKind, InterfaceKind, LinkKind, Loss, LossSpan, MacvlanMode, NodeKind, Placement, QueueLimit, ReorderBy,
};
use crate::scenario::transport::{Body, Certificate, HttpVersion, Listener, TlsVersion, Transport, TransportKind, Verify, Wire};
use crate::scenario::{FlowId, NodeId, ProcessId, Scenario, ServiceId};

/// The scenario of these statements; `topology` and `rest` as they stand in it.
fn scenario(topology: &str, rest: &str) -> Scenario {
    let text = format!("scn 1\n\nuse std.patterns (sym)\n\nscenario s {{\ntopology {{\n{topology}\n}}\n{rest}\n}}\n");
    let (sources, mut found) = checked(&text);
    let wrong: Vec<_> = found.diagnostics.iter().filter(|d| d.severity == crate::diagnostics::Severity::Error).cloned().collect();
    assert!(wrong.is_empty(), "{}\n{text}", short(&wrong, &sources));
    found.scenarios.remove(0)
}

/// The flow of two linked nodes.
fn flow(statement: &str) -> crate::scenario::Flow {
    let mut made = scenario("node a, b\nlink a.eth0 10.0.0.1/24 <-> b.eth0 10.0.0.2/24", statement);
    made.flows.remove(0)
}

#[test]
fn nodes_of_all_kinds() {
    let made = scenario(
        "node a { mtu 1400  forwarding on  sysctl \"net.ipv4.tcp_ecn\" = 1  vlan [10, 20]  mac 02:00:00:00:00:01 }
         router r { forwarding off }
         bridge lan
         external bridge out { device \"br-25\" }
         host here
         remote east { placement ssh \"lab@east\" }
         link a <-> lan { offload off }
         link here.eth1 <-> out
         link lan <-> r { mtu 1300 }
         link east <-> r
         interface r.eth0 { mac 02:00:00:00:00:02  mtu 1200 }",
        "",
    );
    let kinds: Vec<NodeKind> = made.topology.nodes.iter().map(|node| node.kind).collect();
    let all = [NodeKind::Host, NodeKind::Router, NodeKind::Bridge, NodeKind::ExternalBridge, NodeKind::ThisHost, NodeKind::Remote];
    assert_eq!(kinds, all);
    let [a, r, _, out, _, east] = made.topology.nodes.as_slice() else { panic!() };
    assert!(a.forwarding && !r.forwarding);
    assert_eq!((a.settings.sysctls[0].key.as_str(), a.settings.sysctls[0].value.as_str()), ("net.ipv4.tcp_ecn", "1"));
    assert_eq!(out.device.as_deref(), Some("br-25"));
    assert_eq!(east.placement, Some(Placement::Ssh("lab@east".into())));
    let end = &made.topology.links[0].ends[0].settings;
    assert_eq!((end.mtu, end.offload, end.vlans.as_slice()), (Some(1_400), Some(false), &[10, 20][..]));
    assert_eq!(end.mac.unwrap().to_string(), "02:00:00:00:00:01");
    let nearest = &made.topology.links[2].ends[1].settings;
    assert_eq!((nearest.mtu, nearest.mac.unwrap().0[5]), (Some(1_200), 2));
    assert_eq!(made.topology.links[2].ends[0].settings.mtu, Some(1_300));
}

#[test]
fn interfaces_on_others_and_tunnels() {
    let made = scenario(
        "node a, b, c[1..2]
         link a.eth0 <-> b
         link a.up <-> b
         link c[*] <-> a
         vlan a.v10 10.1.0.1/24 on a.bond0 { id 10 }
         bond a.bond0 on a.eth0, a.up { mode lacp  miimon 50ms }
         macvlan b.m0 on b.eth0 { mode private  mac 02:00:00:00:00:09 }
         vlan c[*].v7 on c[*].eth0 { id 7 }
         vxlan overlay: a 10.8.0.1/24 <-> b 10.8.0.2/24 { id 42  port 4790 }
         vxlan a <-> b",
        "",
    );
    let kinds: Vec<_> = made.topology.interfaces.iter().map(|own| (own.name.as_str(), own.kind, own.on.join(","))).collect();
    assert_eq!(kinds[0], ("v10", InterfaceKind::Vlan { id: 10 }, "bond0".into()));
    assert_eq!(kinds[1], ("bond0", InterfaceKind::Bond { mode: BondMode::Lacp, miimon_ns: 50_000_000 }, "eth0,up".into()));
    assert_eq!(kinds[2], ("m0", InterfaceKind::Macvlan { mode: MacvlanMode::Private }, "eth0".into()));
    assert_eq!((kinds[3].0, kinds[4].0, kinds.len()), ("v7", "v7", 5));
    let tunnels: Vec<LinkKind> = made.topology.links.iter().map(|link| link.kind).filter(|kind| *kind != LinkKind::Wire).collect();
    assert_eq!(tunnels, [LinkKind::Vxlan { id: 42, port: 4_790 }, LinkKind::Vxlan { id: 2, port: 4_789 }]);
}

#[test]
fn every_impairment_each_way() {
    let made = scenario(
        "node a, b
         link a <-> b {
             forward { rate 10Mbit/s  overhead 24B  queue codel 100KiB { target 4ms  ecn on }  delay 20ms  jitter 2ms  distribution normal }
             back { rate 1Mbit/s  queue 50  delay 10ms..20ms  loss every 100  reorder 2% after 5ms }
             corrupt 0.1%  duplicate 1%  keep_order off  mtu_black_hole 1400B
             drop tcp 80  drop udp 5000..5010  drop nd
         }
         link a <-> b { loss gilbert_elliott(1%, r: 10%, bad: 50%)  delay pareto(1ms, 3)  reorder 1% }
         link a <-> b { loss list [3, 7..9]  delay trace \"d.txt\" }
         link a <-> b { loss list [1s..2s]  delay 20ms  jitter 2ms }
         link a <-> b { loss trace \"l.txt\"  delay 20ms  jitter 2ms  distribution pareto }
         link a <-> b { loss 2.5% }",
        "",
    );
    let links = &made.topology.links;
    let (forward, back) = (&links[0].forward, &links[0].back);
    assert_eq!((forward.rate_bps, forward.overhead_bytes, back.overhead_bytes), (Some(10_000_000), 24, 0));
    assert_eq!(forward.queue.limit, QueueLimit::Bytes(102_400));
    let codel = forward.queue.codel.unwrap();
    assert_eq!((codel.target_ns, codel.interval_ns, codel.ecn), (4_000_000, 100_000_000, true));
    assert_eq!(forward.delay, Delay::Drawn(Varying::Normal(20_000_000, 2_000_000)));
    assert_eq!((back.queue.limit, back.queue.codel), (QueueLimit::Packets(50), None));
    assert_eq!(back.delay, Delay::Drawn(Varying::Uniform(10_000_000, 20_000_000)));
    assert_eq!((&forward.loss, &back.loss), (&Loss::None, &Loss::Every { n: 100 }));
    assert_eq!(back.reorder.unwrap().by, ReorderBy::Time(5_000_000));
    for way in [forward, back] {
        assert_eq!((way.corrupt_nano, way.duplicate_nano, way.keep_order), (1_000_000, 10_000_000, false));
        assert_eq!(way.mtu_black_hole, Some(1_400));
        let drops: Vec<_> = way.drops.iter().map(|rule| (rule.kind, rule.ports)).collect();
        assert_eq!(drops, [(DropKind::Tcp, Some((80, 80))), (DropKind::Udp, Some((5_000, 5_010))), (DropKind::Nd, None)]);
    }
    let chain = Loss::GilbertElliott { p_nano: 10_000_000, r_nano: 100_000_000, good_nano: 0, bad_nano: 500_000_000 };
    assert_eq!(links[1].forward.loss, chain);
    assert_eq!(links[1].back.reorder.unwrap().by, ReorderBy::Packets(1));
    assert_eq!(links[1].back.delay, Delay::Drawn(Varying::Pareto(1_000_000, 3_000_000_000)));
    assert_eq!(links[2].forward.loss, Loss::List(vec![LossSpan::Packets(3, 3), LossSpan::Packets(7, 9)]));
    assert_eq!(links[2].forward.delay, Delay::Trace("d.txt".into()));
    assert_eq!(links[3].forward.loss, Loss::List(vec![LossSpan::Time(1_000_000_000, 2_000_000_000)]));
    assert_eq!(links[3].forward.delay, Delay::Drawn(Varying::Uniform(18_000_000, 22_000_000)));
    assert_eq!(links[4].forward.loss, Loss::Trace("l.txt".into()));
    // Mean 20 ms and deviation 2 ms: shape 1 + sqrt(101), scale mean * (shape - 1) / shape.
    let Delay::Drawn(Varying::Pareto(scale, shape)) = links[4].forward.delay else { panic!() };
    assert!(shape.abs_diff(11_049_875_621) <= 1 && scale.abs_diff(18_190_025) <= 1, "{scale} {shape}");
    assert_eq!(links[5].forward.loss, Loss::Random { ratio_nano: 25_000_000 });
}

#[test]
fn services_of_every_transport() {
    let made = scenario(
        "node a, b\nlink a <-> b",
        "service plain on b { listen tcp :80 { backlog 9  nodelay off }  serve sym }
         service safe on b { listen tls :443 { name \"x.org\", \"y.org\"  versions [1.3]  verify on }  serve sym }
         service filed on b { listen quic :444 { certificate \"c.pem\", \"k.pem\" }  serve sym }
         service dgram on b { listen udp :80 { wire ctraffic } }
         service web on b { listen http :8080 { path \"/\" { body 1KiB } path \"/x\" { status 404  body \"no\"  header \"k\" = \"v\" } tls { name \"w\" } } }
         service assoc on b { listen sctp :80  serve sym }
         service many on b { listen mptcp :81  serve sym }",
    );
    let kinds: Vec<TransportKind> = made.services.iter().map(|service| service.listener.kind()).collect();
    use TransportKind::{Http, Mptcp, Quic, Sctp, Tcp, Tls, Udp};
    assert_eq!(kinds, [Tcp, Tls, Quic, Udp, Http, Sctp, Mptcp]);
    let Listener::Tcp { socket, backlog, wire: Wire::Own } = &made.services[0].listener else { panic!() };
    assert_eq!((socket.nodelay, *backlog), (Some(false), Some(9)));
    let Listener::Tls { tls, .. } = &made.services[1].listener else { panic!() };
    assert_eq!((tls.names.len(), tls.versions.as_slice(), &tls.verify), (2, &[TlsVersion::V13][..], &Verify::On));
    assert_eq!((&tls.certificate, tls.resumption), (&Certificate::Auto, true));
    let Listener::Quic { tls, .. } = &made.services[2].listener else { panic!() };
    assert_eq!(tls.certificate, Certificate::Files { certificate: "c.pem".into(), key: "k.pem".into() });
    assert!(made.services[3].pattern.is_none() && made.services[0].pattern.is_some());
    let Listener::Http { paths, tls: Some(_), .. } = &made.services[4].listener else { panic!() };
    assert_eq!((paths[0].status, &paths[0].body), (200, &Some(Body::Filled(1_024))));
    assert_eq!((paths[1].status, paths[1].headers[0].0.as_str()), (404, "k"));
}

#[test]
fn loads_say_when_and_how_much() {
    let open = flow("flow f from a to b { rate 10/s..100/s within 5s  arrivals poisson  burst 3  phase random  connections 4 }");
    assert_eq!(open.load.rate_nano, Some(10_000_000_000));
    assert_eq!(open.load.rate_change, Some(Change::Ramp { to: 100_000_000_000, within_ns: 5_000_000_000 }));
    assert_eq!((open.load.arrivals, open.load.burst, open.load.phase), (Arrivals::Poisson, 3, Phase::Random));
    let steps = flow("flow f from a to b { opens [1/s, 2/s, 3/s] every 1s  total 9 }");
    assert_eq!((steps.load.opens_nano, steps.load.transactions), (Some(1_000_000_000), Some(1)));
    let then = vec![2_000_000_000, 3_000_000_000];
    assert_eq!(steps.load.opens_change, Some(Change::Steps { then, every_ns: 1_000_000_000 }));
    let datagrams = flow("flow f from a to b over udp { total 5  bandwidth 1Mbit/s  timeout { response 2s } }");
    assert_eq!((datagrams.load.transactions, datagrams.load.bandwidth_bps), (None, Some(1_000_000)));
    assert_eq!(datagrams.timeouts.response_ns, Some(2_000_000_000));
    let patient = flow(
        "flow f from a to b { reconnect { after 1s  growth 1.5  most 9s  jitter 10%  limit 4 }
             timeout { connect 2s  idle 3s }  source 10.1.0.0/16, 10.2.0.1  ports 2000..3000  peer none }",
    );
    let wanted =
        Reconnect { after_ns: 1_000_000_000, growth_nano: 1_500_000_000, most_ns: 9_000_000_000, jitter_nano: 100_000_000, limit: Some(4) };
    assert_eq!(patient.reconnect, Some(wanted));
    assert_eq!((patient.timeouts.connect_ns, patient.timeouts.idle_ns), (Some(2_000_000_000), Some(3_000_000_000)));
    let sources: Vec<String> = patient.source.iter().map(ToString::to_string).collect();
    assert_eq!((sources.join(" ").as_str(), patient.ports, patient.peer_none), ("10.1.0.0/16 10.2.0.1/32", Some((2_000, 3_000)), true));
    assert_eq!(flow("flow f from a to b { reconnect off }").reconnect, None);
    assert_eq!(flow("flow f from a to b").reconnect.unwrap().after_ns, 100_000_000);
}

#[test]
fn transports_have_their_options() {
    let tcp = flow("flow f from a to b { over tcp { congestion bbr  ecn on  mss 1400  dscp 46  keepalive 10s  send_buffer 1MiB } }");
    let Transport::Tcp { socket, .. } = tcp.transport else { panic!() };
    assert_eq!((socket.congestion.as_deref(), socket.ecn, socket.mss, socket.dscp), (Some("bbr"), Some(true), Some(1_400), Some(46)));
    assert_eq!((socket.keepalive_ns, socket.send_buffer), (Some(10_000_000_000), Some(1 << 20)));
    let tls = flow("flow f from a to b { over tls { name \"x.org\"  verify \"ca.pem\"  versions [1.2]  alpn \"h2\"  certificate auto } }");
    let Transport::Tls { tls, .. } = tls.transport else { panic!() };
    assert_eq!((tls.name.as_deref(), &tls.verify), (Some("x.org"), &Verify::File("ca.pem".into())));
    assert_eq!((tls.versions.as_slice(), tls.resumption, tls.certificate), (&[TlsVersion::V12][..], false, Some(Certificate::Auto)));
    let echo = flow("flow f from a to 10.0.0.2 over icmp { rate 10/s  size 56B..100B }");
    assert_eq!(echo.to, Destination::Address("10.0.0.2".parse().unwrap(), None));
    assert!(echo.pattern.is_none() && matches!(echo.load.size, Some(Varying::Uniform(56, 100))));
    let http =
        flow("flow f from a to b { over http { version 2  streams 9  body \"x\"  header \"k\" = \"v\"  status 201  tls { verify off } } }");
    let Transport::Http { http, tls: Some(tls), .. } = http.transport else { panic!() };
    let request = http.request.unwrap();
    assert_eq!((http.version, http.streams, request.method.as_str()), (HttpVersion::V2, 9, "POST"));
    assert_eq!((request.status, &tls.verify), (Some(201), &Verify::Off));
    let said = flow("flow f from a to b over http { pattern sym }");
    assert!(said.pattern.is_some() && matches!(said.transport, Transport::Http { http, .. } if http.request.is_none()));
    let tool = flow("flow f from a to b via iperf3 over udp { bandwidth 1Mbit/s  arguments \"--parallel 4\", \"-R\" }");
    let wanted = ["--parallel", "4", "-R"].map(str::to_owned).to_vec();
    assert_eq!((tool.tool.as_ref().unwrap().kind, &tool.tool.unwrap().arguments), (ToolKind::Iperf3, &wanted));
    assert_eq!(tool.transport.kind(), TransportKind::Udp);
    assert_eq!(flow("flow f from a to b via ping { rate 10/s }").transport.kind(), TransportKind::Icmp);
    let wire = flow("flow f from a to b { over tcp { wire ctraffic }  size 2KiB }");
    assert!(wire.pattern.is_none());
}

#[test]
fn frames_layer_by_layer() {
    let made = flow(
        "flow f from a.eth0 to b.eth0 over frames {
             frame {
                 ethernet { source 00:11:22:33:44:55  destination 66:77:88:99:aa:bb..66:77:88:99:aa:bf  ethertype hex\"0800\" }
                 vlan [10, 20]
                 vlan random 1..100 { priority 3 }
                 ipv4 { source 10.0.0.0/30  destination [10.0.0.2, 10.0.0.3]  ttl 9  df on }
                 udp { source 1000..1999  destination choice(7, 9) }
                 payload random 64B..128B
             }
             total 7
         }",
    );
    assert_eq!((made.from_interface.as_deref(), made.to), (Some("eth0"), Destination::Interface(NodeId(1), "eth0".into(), None)));
    let Transport::Frames(frame) = made.transport else { panic!() };
    let ethernet = frame.ethernet.unwrap();
    assert_eq!(ethernet.ethertype, Some(Field::Fixed(0x0800)));
    assert!(matches!(ethernet.destination, Some(Field::Counting(first, last)) if first.0[5] == 0xbb && last.0[5] == 0xbf));
    let ids: Vec<_> = frame.vlans.iter().map(|tag| tag.id.clone()).collect();
    assert_eq!(ids, [Field::Fixed(10), Field::Fixed(20), Field::Random(1, 100)]);
    assert_eq!(frame.vlans[2].priority, Some(Field::Fixed(3)));
    let Some(Network::Ipv4(ipv4)) = frame.network else { panic!() };
    let address = |last: u8| std::net::IpAddr::from([10, 0, 0, last]);
    assert_eq!(ipv4.source, Some(Field::Counting(address(0), address(3))));
    assert_eq!(ipv4.destination, Some(Field::Choice(vec![address(2), address(3)])));
    assert!(ipv4.dont_fragment == Some(true) && ipv4.ttl == Some(Field::Fixed(9)));
    let Some(Segment::Udp(udp)) = frame.segment else { panic!() };
    assert_eq!((udp.source, udp.destination), (Some(Field::Counting(1_000, 1_999)), Some(Field::Choice(vec![7, 9]))));
    assert_eq!(frame.payload, Some(FramePayload::Random(Varying::Uniform(64, 128))));
    let other = flow("flow f from a.eth0 to b over frames { frame { lacp { actor { key 7 } } } }");
    assert!(
        matches!(other.transport, Transport::Frames(frame) if matches!(&frame.network, Some(Network::Lacp(lacp)) if lacp.actor.key == Some(Field::Fixed(7))))
    );
    let routed = flow("flow f from a to 10.0.0.2 over frames { frame { ipv4 { ttl 3 } tcp { flags syn, ack } } }");
    let Transport::Frames(frame) = routed.transport else { panic!() };
    assert!(matches!(frame.segment, Some(Segment::Tcp(tcp)) if tcp.flags.is_some_and(|flags| flags.syn && flags.ack && !flags.fin)));
}

#[test]
fn processes_and_stress() {
    let made = scenario(
        "node a, b, c[1..2]\nlink a <-> b\nlink c[*] <-> b\nprocess inner on a { run \"sleep 1\" }",
        "let word = \"x\"
         process lb on a, c[*] {
             run \"lb ${word} -f ${dir}/a.cfg -n ${node.name}\"
             file \"conf/a.cfg\" = \"bind\"
             file \"b.bin\" = hex\"00ff\"
             env LANG = \"C\"
             ready tcp a:80 within 3s
             stop SIGINT within 2s
         }
         flow f from b to lb:80
         stress mix from c[*] to b.eth0 { streams 50  duration uniform(1s, 2s)  size 64B..1KiB  transports [tcp, icmp]  tools [ping]  ports 5001..5100 }",
    );
    let [inner, lb] = made.processes.as_slice() else { panic!() };
    assert_eq!((inner.name.as_str(), inner.stop.signal, lb.nodes.len()), ("inner", Signal::Term, 3));
    let literal = |text: &str| TextPart::Literal(text.to_owned());
    assert_eq!(lb.command.0, [literal("lb x -f "), TextPart::Dir, literal("/a.cfg -n "), TextPart::NodeName]);
    assert_eq!((lb.files[0].path.as_str(), &lb.files[1].content), ("conf/a.cfg", &Content::Bytes(vec![0, 255])));
    let ready = lb.ready.as_ref().unwrap();
    assert_eq!((&ready.probe, ready.within_ns), (&Probe::Tcp(ProbeTarget::Node(NodeId(0), 80)), 3_000_000_000));
    assert_eq!((lb.stop.signal, lb.stop.within_ns), (Signal::Int, 2_000_000_000));
    assert_eq!(made.flows[FlowId(0).index()].to, Destination::Process(ProcessId(1), 80));
    let mix = &made.stresses[0];
    assert_eq!((mix.from.len(), mix.streams, mix.ports), (2, 50, Some((5_001, 5_100))));
    assert_eq!(mix.to, Destination::Interface(NodeId(1), "eth0".into(), None));
    assert_eq!(
        (mix.transports.as_slice(), mix.tools.as_slice()),
        (&[StressTransport::Tcp, StressTransport::Icmp][..], &[ToolKind::Ping][..])
    );
}

#[test]
fn things_in_loops_and_instances_are_found() {
    let made = scenario(
        "bridge lan
         for i in 1..3 {
             node leaf[i]
             link port[i]: leaf[i] <-> lan { delay i * 1ms }
         }",
        "service store on leaf[1] { listen tcp :80  serve sym }
         flow f from leaf[2] to store
         let www = \"www.example.com\"
         flow g from leaf[*] to www:443 { over tcp { nodelay 1 < 2 } }",
    );
    let delays: Vec<_> = made.topology.links.iter().map(|link| link.forward.fixed_delay_ns().unwrap()).collect();
    assert_eq!(delays, [1_000_000, 2_000_000, 3_000_000]);
    assert_eq!(made.topology.links[2].name, "port[3]");
    assert_eq!((made.flows.len(), &made.flows[0].to), (4, &Destination::Service(ServiceId(0))));
    assert_eq!(made.flows[3].to, Destination::HostName("www.example.com".into(), Some(443)));
}

#[test]
fn what_people_wrote_checks() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/language/acceptance");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 9, "{files:?}");
    let mut wrong = String::new();
    for file in files {
        let (sources, found) = checked(&std::fs::read_to_string(&file).unwrap());
        let errors: Vec<_> = found.diagnostics.iter().filter(|d| d.severity == crate::diagnostics::Severity::Error).cloned().collect();
        if !errors.is_empty() {
            wrong.push_str(&format!("{}:\n{}", file.display(), short(&errors, &sources)));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn an_option_in_the_wrong_block_is_told_its_own() {
    let helps = |statement: &str| {
        let text = format!("scn 1\n\nscenario s {{\ntopology {{\nnode a, b\nlink a <-> b\n}}\n{statement}\nexpect {{ f.sent > 0 }}\n}}\n");
        let unknown = checked(&text).1.diagnostics.into_iter().filter(|d| d.code == "scn::resolve::unknown_option");
        unknown.map(|diagnostic| diagnostic.help.unwrap_or_default()).collect::<Vec<String>>()
    };
    let flow = |head: &str, options: &str| helps(&format!("flow f from a to b {head} {{ total 5  {options} }}"));
    assert_eq!(flow("over http", "path \"/\""), ["`path` is an option of `over http { }`"]);
    assert_eq!(flow("", "congestion bbr  ttl 9"), ["`congestion` is an option of `over tcp { }`", "`ttl` is an option of `over tcp { }`"]);
    assert_eq!(flow("via ping", "ttl 9"), ["`ttl` is an option of `over icmp { }`"]);
    assert_eq!(flow("over udp", "path \"/\""), ["`path` is an option in the block of `over`: http has it"]);
    let inside = "`rate` is an option of the flow: say it in the flow's own block";
    assert_eq!(helps("flow f from a to b { over tcp { rate 20/s }  total 5 }"), [inside]);
    assert_eq!(flow("", "conections 3"), ["did you mean `connections`?"]);
}
