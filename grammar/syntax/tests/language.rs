//! Statements of the whole language: templates, programs, networks, `for` and `if` in every block. In: texts. Out: their trees.

use super::statements::{options, point, statements};
use super::values::{short, short_path};
use super::*;
use crate::syntax::tree::{
    Block, IfBlock, ItemKind, LinkKind, Nested, NodeKind, ProcessPart, ReadyKind, ScenarioPart, SentAs, ServicePart, StepKind, TargetKind,
    TopologyKind, WhenClause, each, plain,
};

fn items(text: &str) -> Vec<ItemKind> {
    good(&format!("scn 1\n{text}\n")).items.into_iter().map(|item| item.kind).collect()
}

fn body(text: &str) -> Block<ScenarioPart> {
    match items(&format!("scenario s {{\n{text}\n}}")).pop() {
        Some(ItemKind::Scenario(scenario)) => scenario.body,
        _ => panic!("a scenario"),
    }
}

fn only<S>(block: Block<S>) -> S {
    let mut all = statements(block);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn in_topology(text: &str) -> Vec<TopologyKind> {
    let ScenarioPart::Topology(block) = only(body(&format!("topology {{\n{text}\n}}"))) else { panic!("a topology") };
    statements(block).into_iter().map(|statement| statement.kind).collect()
}

/// An `if` whose other side is not another one.
fn ways<S>(nested: &Nested<S>) -> &IfBlock<S> {
    match nested {
        Nested::If(block) => block,
        _ => panic!("an `if`"),
    }
}

#[test]
fn declarations() {
    let all = items(
        "fn twice(d: duration, n = 2) = d * n\nsecret token from env TOKEN\naction a(x: flow) { at 3s start x }\n\
         check c(f: flow) { f.loss == 0% }\ntopology t(n: count) { node a[1..n] }",
    );
    assert!(matches!(&all[0], ItemKind::Function(f) if f.params.len() == 2 && short(&f.value) == "(Multiply d n)"));
    assert!(matches!(&all[1], ItemKind::Secret { name, variable } if (name.text.as_str(), variable.text.as_str()) == ("token", "TOKEN")));
    assert!(matches!(&all[2], ItemKind::Action(t) if t.body.len() == 1 && t.params[0].name.text == "x"));
    assert!(matches!(&all[3], ItemKind::Check(t) if t.body.len() == 1));
    assert!(matches!(&all[4], ItemKind::Topology(t) if t.name.text == "t" && t.body.len() == 1));
}

#[test]
fn settings_of_a_scenario() {
    let all = statements(body(
        "needs tool haproxy, kernel \"sch_netem\"\nmatrix family = [ipv4, ipv6]\nexcept family == ipv6 and n > 1k\nfn f(a) = a\ncheck c { a == 1 }",
    ));
    let ScenarioPart::Needs(needs) = &all[0] else { panic!("needs") };
    let shown: Vec<_> = needs.iter().map(|n| format!("{} {}", n.kind.text, n.what.value)).collect();
    assert_eq!(shown, ["tool haproxy", "kernel sch_netem"]);
    assert!(matches!(&all[1], ScenarioPart::Matrix { values, .. } if short(values) == "[ipv4, ipv6]"));
    assert!(matches!(&all[2], ScenarioPart::Except { .. }));
    assert!(matches!(&all[3], ScenarioPart::Item(_)) && matches!(&all[4], ScenarioPart::Item(_)));
}

#[test]
fn networks() {
    let all = in_topology(
        "external bridge virbr25\nhost here\nremote east { placement ssh \"lab@east\" }\nvxlan tun[i]: a 10.0.0.1/24 <-> b { id 42 }\n\
         vlan a.v123 10.0.0.1/24 on a.eth0 { id 123 }\nbond a.bond0 on a.eth0, a.eth1\ninterface a.eth0 { mac 00:11:22:33:44:55 }\n\
         dual_homed(4) as site[i]\nlib.pair(2)\nroute site.hub 0.0.0.0/0 via 10.0.0.254",
    );
    let kinds: Vec<_> = all.iter().filter_map(|k| if let TopologyKind::Nodes { kind, .. } = k { Some(*kind) } else { None }).collect();
    assert_eq!(kinds, [NodeKind::ExternalBridge, NodeKind::Host, NodeKind::Remote]);
    let TopologyKind::Link(tunnel) = &all[3] else { panic!("a tunnel") };
    assert_eq!((tunnel.kind, short_path(std::slice::from_ref(tunnel.name.as_ref().unwrap()))), (LinkKind::Vxlan, "tun[i]".into()));
    let TopologyKind::Interface(vlan) = &all[4] else { panic!("a vlan") };
    assert_eq!((vlan.kind.text.as_str(), point(&vlan.end.point), point(&vlan.on[0])), ("vlan", "a.v123".into(), "a.eth0".into()));
    assert_eq!((vlan.end.addresses.len(), options(&vlan.options)), (1, "id(count:123)".into()));
    assert!(matches!(&all[5], TopologyKind::Interface(bond) if bond.on.len() == 2 && bond.end.addresses.is_empty()));
    assert!(matches!(&all[6], TopologyKind::Interface(interface) if interface.on.is_empty()));
    assert!(matches!(&all[7], TopologyKind::Call { call, name: Some(_) } if call.arguments.len() == 1));
    assert!(matches!(&all[8], TopologyKind::Call { call, name: None } if call.path.len() == 2));
    assert!(matches!(&all[9], TopologyKind::Route { node, .. } if point(node) == "site.hub"));
}

#[test]
fn an_address_can_begin_with_colons() {
    let all = in_topology("link a ::1/64 <-> b ::2/64\nlink w: a ::1/64 <-> b");
    let ends = |kind: &TopologyKind| match kind {
        TopologyKind::Link(link) => (link.name.is_some(), link.ends[0].addresses.iter().map(short).collect::<Vec<_>>()),
        _ => panic!("a link"),
    };
    assert_eq!(ends(&all[0]), (false, vec!["prefix ::1/64".to_owned()]));
    assert_eq!(ends(&all[1]), (true, vec!["prefix ::1/64".to_owned()]));
}

#[test]
fn programs() {
    let text = "process lb[1] on edge, site.hub {\n run \"x ${dir}\"  file \"a.cfg\" = \"b\"  env LANG = \"C\"\n ready tcp 10.0.0.1:80 within 5s\n \
                ready log /listening/\n ready run \"curl\"\n ready udp lb:53\n stop SIGTERM within 2s\n nice 3\n}";
    let ScenarioPart::Process(process) = only(body(text)) else { panic!("a process") };
    assert_eq!(process.nodes.iter().map(point).collect::<Vec<_>>(), ["edge", "site.hub"]);
    let parts = statements(process.body);
    assert!(matches!(&parts[0], ProcessPart::Run { command, .. } if short(command) == "\"x ${dir}\""));
    assert!(matches!(&parts[1], ProcessPart::File { .. }) && matches!(&parts[2], ProcessPart::Env { .. }));
    assert!(matches!(&parts[3], ProcessPart::Ready { kind: ReadyKind::Tcp(_), within: Some(_), .. }));
    assert!(matches!(&parts[4], ProcessPart::Ready { kind: ReadyKind::Log(_), within: None, .. }));
    assert!(matches!(&parts[5], ProcessPart::Ready { kind: ReadyKind::Run(_), .. }));
    assert!(matches!(&parts[6], ProcessPart::Ready { kind: ReadyKind::Udp(target), .. } if matches!(target.kind, TargetKind::Name(_))));
    assert!(matches!(&parts[7], ProcessPart::Stop { signal, within: Some(_), .. } if signal.text == "SIGTERM"));
    assert!(matches!(&parts[8], ProcessPart::Option(_)));
}

#[test]
fn flows_and_stress() {
    let ScenarioPart::Flow(flow) = only(body(
        "flow f[i] from a to site.hub.eth0 via iperf3 { rate 5/s  if x { over tcp { nodelay on }  pattern sym(1B) } else { over udp }  total 5 }",
    )) else {
        panic!("a flow")
    };
    assert_eq!(flow.via.unwrap().text, "iperf3");
    assert!(matches!(&flow.to.kind, TargetKind::Name(name) if point(name) == "site.hub.eth0"));
    assert!(flow.over.is_none() && flow.pattern.is_none());
    assert_eq!(
        options(&flow.options),
        "rate(rate:5/s) if x {over(tcp){nodelay(on)} pattern(sym(size:1B))} else {over(udp)} total(count:5)"
    );
    let ScenarioPart::Stress(mix) = only(body("stress mix from client[*] to sut { streams 50 }")) else { panic!("stress") };
    assert_eq!((point(&mix.from), options(&mix.options)), ("client[*]".into(), "streams(count:50)".into()));
    let ScenarioPart::Service(www) = only(body("service www on web { if tls { listen tls :443 } else { listen tcp :80 }  serve sym }"))
    else {
        panic!("a service")
    };
    assert!(www.listen.is_none() && www.serve.is_some());
    let inner = ways(&www.under[0]);
    assert!(matches!(&inner.then[0], Nested::Statement(ServicePart::Listen(listen)) if listen.transport.text == "tls"));
    assert_eq!(inner.otherwise.len(), 1);
}

#[test]
fn steps_of_chance_and_files() {
    let all =
        items("pattern p {\n choose { 70% { client sends 5B } 30% { server sends file \"x.bin\" } }\n for i in 1..3 { client echoes }\n}");
    let ItemKind::Pattern(pattern) = &all[0] else { panic!("a pattern") };
    let StepKind::Choose { branches } = &plain(&pattern.steps).next().unwrap().kind else { panic!("a choice") };
    assert_eq!(branches.iter().map(|b| short(&b.ratio)).collect::<Vec<_>>(), ["ratio:70%", "ratio:30%"]);
    assert!(matches!(&plain(&branches[1].steps).next().unwrap().kind, StepKind::Sends { sent: SentAs::File, .. }));
    assert!(matches!(&pattern.steps[1], Nested::For(_)));
}

#[test]
fn entries() {
    let text = "timeline {\n at 4s for 2s impair slow { forward { loss 50% } } as storm\n at 8s impair slow { loss 1% } for 2s as rain[i]\n \
                every 1s from a + 5s to 20s mark tick[i]\n at 9s down to\n at 9s move 10.0.0.1/24 from to to from\n}";
    let ScenarioPart::Timeline(block) = only(body(text)) else { panic!("a timeline") };
    let all = statements(block);
    assert_eq!(options(&all[0].verb.options), "forward(){loss(ratio:50%)}");
    assert_eq!(all[0].name.as_ref().unwrap().name.text, "storm");
    assert!(all[1].lasts.is_some() && all[1].name.as_ref().unwrap().index.is_some());
    assert!(matches!(&all[2].when, WhenClause::Every { from, .. } if short(from) == "(Add a duration:5s)"));
    assert_eq!((all[3].verb.operands.len(), all[4].verb.operands.len()), (1, 5));
}

#[test]
fn chains_of_conditions() {
    let part = only(body("topology { if a { node x } else if b { node y } else { for i in [1, 2] { node z[i] } } node w }"));
    let ScenarioPart::Topology(block) = part else { panic!("a topology") };
    let first = ways(&block[0]);
    let second = ways(&first.otherwise[0]);
    assert!(matches!(&second.otherwise[0], Nested::For(inner) if short(&inner.values) == "[count:1, count:2]"));
    let mut seen = 0;
    each(&block, &mut |_| seen += 1);
    assert_eq!(seen, 4);
    assert_eq!(first.span.end, second.span.end);
    // An expectation can begin with an expression of the same words.
    let part = only(body("expect { if a then b > 2 else c\n for.loss == 0%\n for i in 1..3 { f[i].loss == 0% } }"));
    let ScenarioPart::Expect(block) = part else { panic!("expectations") };
    assert!(matches!(block.as_slice(), [Nested::Statement(_), Nested::Statement(_), Nested::For(_)]));
    let long = format!("if a {{ }} {}", "else if b { } ".repeat(100));
    assert_eq!(problems(&format!("scn 1\nscenario s {{ topology {{ {long} }} }}"))[0].0, "too_deep");
}

#[test]
fn keywords_are_names_where_nothing_else_can_stand() {
    good(
        "scn 1\nscenario link {\n topology { node link, route, via, `if`; link link: link <-> route }\n flow rate from from to to:80 over over { total 1 }\n \
          timeline { flow + 3s mark at; at 3s start note }\n expect { note.loss == 0%; flow == 3 }\n}\n",
    );
}

#[test]
fn what_a_message_repeats_is_cut() {
    let long = "9".repeat(100_000);
    for text in [format!("let a = {long}"), format!("let a = {long}x"), format!("let a = 1 {long}"), format!("{}1", "x".repeat(100_000))] {
        let (_, found) = parse(FileId(0), &format!("scn 1\n{text}\n"));
        let said = found[0].message.len() + found[0].help.as_ref().map_or(0, String::len);
        assert!(said < 1_000, "{said}");
    }
    let deep = format!("scn 1\nlet a = \"${{{}1}}\"\n", "(".repeat(100_000));
    assert_eq!(problems(&deep)[0].0, "too_deep");
}
