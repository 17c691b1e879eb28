//! Statements of every kind. In: texts. Out: their trees.

use super::values::{short, short_path, short_text};
use super::*;
use crate::syntax::tree::{
    Block, Close, ExpectKind, ExpectStatement, FlowDecl, ItemKind, Nested, NodeKind, NodePath, Operand, Quantifier, ScenarioPart, SentAs,
    ServiceDecl, Side, StepKind, TargetKind, TimelineStatement, TopologyKind, TreeOption, UseFrom, WhenClause, WindowKind, plain,
};

fn parts(body: &str) -> Vec<ScenarioPart> {
    let document = good(&format!("scn 1\nscenario s {{\n{body}\n}}\n"));
    let ItemKind::Scenario(scenario) = document.items.into_iter().next().unwrap().kind else { panic!("a scenario") };
    statements(scenario.body)
}

/// What stands in a block under no `for` and no `if`; there is nothing else.
pub(super) fn statements<S>(block: Block<S>) -> Vec<S> {
    let plain = |nested| match nested {
        Nested::Statement(statement) => statement,
        _ => panic!("a `for` or an `if`"),
    };
    block.into_iter().map(plain).collect()
}

/// `client[2].eth0`.
pub(super) fn point(path: &NodePath) -> String {
    short_path(&path.parts)
}

fn points(paths: &[NodePath]) -> Vec<String> {
    paths.iter().map(point).collect()
}

fn flow(written: &str) -> FlowDecl {
    let Some(ScenarioPart::Flow(flow)) = parts(written).pop() else { panic!("a flow") };
    flow
}

fn service(written: &str) -> ServiceDecl {
    let Some(ScenarioPart::Service(service)) = parts(written).pop() else { panic!("a service") };
    service
}

fn entry(written: &str) -> TimelineStatement {
    let Some(ScenarioPart::Timeline(entries)) = parts(&format!("timeline {{\n{written}\n}}")).pop() else { panic!("a timeline") };
    let mut entries = statements(entries);
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

fn expectation(written: &str) -> ExpectStatement {
    let Some(ScenarioPart::Expect(all)) = parts(&format!("expect {{ {written} }}")).pop() else { panic!("expectations") };
    let mut all = statements(all);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn topology(written: &str) -> TopologyKind {
    let Some(ScenarioPart::Topology(all)) = parts(&format!("topology {{ {written} }}")).pop() else { panic!("a topology") };
    let mut all = statements(all);
    assert_eq!(all.len(), 1);
    all.remove(0).kind
}

pub(super) fn options(given: &Block<TreeOption>) -> String {
    let one = |o: &TreeOption| {
        let values: Vec<_> = o.values.iter().map(short).collect();
        let block = if o.block.is_empty() { String::new() } else { format!("{{{}}}", options(&o.block)) };
        format!("{}({}){block}", o.name.text, values.join(", "))
    };
    let nested = |n: &Nested<TreeOption>| match n {
        Nested::Statement(option) => one(option),
        Nested::For(inner) => format!("for {} in {} {{{}}}", inner.name.text, short(&inner.values), options(&inner.body)),
        Nested::If(inner) => {
            format!("if {} {{{}}} else {{{}}}", short(&inner.condition), options(&inner.then), options(&inner.otherwise))
        }
    };
    given.iter().map(nested).collect::<Vec<_>>().join(" ")
}

#[test]
fn top_level() {
    let document = good(
        "# first\nscn 1\nuse std.failover\nuse std.patterns (sym, echo)\nuse \"./t.scn\" as site\n\n## Words.\n##  more\nlet a = 1 # why\n\
         pattern p(size: size = 1KiB, `for`) { client sends size }\nscenario s { }\n",
    );
    assert_eq!(document.version.as_ref().unwrap().value, 1);
    let comments: Vec<&str> = document.comments.iter().map(|c| c.value.as_str()).collect();
    assert_eq!(comments, ["# first", "## Words.", "##  more", "# why"]);
    let ItemKind::Use(names) = &document.items[1].kind else { panic!("use") };
    assert!(matches!(&names.from, UseFrom::Module(path) if path.len() == 2 && path[1].text == "patterns"));
    assert_eq!(names.names.iter().map(|n| n.text.as_str()).collect::<Vec<_>>(), ["sym", "echo"]);
    let ItemKind::Use(file) = &document.items[2].kind else { panic!("use") };
    assert!(matches!(&file.from, UseFrom::File(path) if path.value == "./t.scn"));
    assert_eq!(file.alias.as_ref().unwrap().text, "site");
    assert_eq!(document.items[3].doc, ["Words.", " more"]);
    let ItemKind::Pattern(pattern) = &document.items[4].kind else { panic!("pattern") };
    assert_eq!(pattern.params[0].kind.as_ref().unwrap().text, "size");
    assert!(pattern.params[1].name.quoted && pattern.params[1].name.text == "for");
}

#[test]
fn steps() {
    let document = good(
        "scn 1\npattern p {\nclient sends 1KiB\nserver sends random 64B..1KiB\nclient expects line /^250/ within 2s\nserver expects any\n\
         server echoes; pause 1ms; client pauses uniform(1ms, 2ms)\nrepeat 3 { client sends \"a\"; server echoes }\nclient half closes\n\
         server closes\nclient resets\n}\n",
    );
    let ItemKind::Pattern(pattern) = &document.items[0].kind else { panic!("pattern") };
    let kinds: Vec<&StepKind> = plain(&pattern.steps).map(|s| &s.kind).collect();
    assert!(matches!(kinds[0], StepKind::Sends { by: Side::Client, sent: SentAs::Plain, .. }));
    assert!(matches!(kinds[1], StepKind::Sends { by: Side::Server, sent: SentAs::Random, .. }));
    assert!(matches!(kinds[2], StepKind::Expects { by: Side::Client, line: true, what: Some(_), within: Some(_) }));
    assert!(matches!(kinds[3], StepKind::Expects { line: false, what: None, within: None, .. }));
    assert!(matches!(kinds[4], StepKind::Echoes { by: Side::Server }));
    assert!(matches!(kinds[5], StepKind::Pause { by: None, .. }));
    assert!(matches!(kinds[6], StepKind::Pause { by: Some(Side::Client), .. }));
    assert!(matches!(kinds[7], StepKind::Repeat { steps, .. } if steps.len() == 2));
    assert!(matches!(kinds[8], StepKind::Closes { by: Side::Client, how: Close::Half }));
    assert!(matches!(kinds[9], StepKind::Closes { by: Side::Server, how: Close::Close }));
    assert!(matches!(kinds[10], StepKind::Closes { by: Side::Client, how: Close::Reset }));
}

#[test]
fn topologies() {
    let TopologyKind::Nodes { kind, names, options: given } = topology("router r1, client[1..50] { mtu 1400  sysctl \"net.x\" = 1 }")
    else {
        panic!("nodes")
    };
    assert_eq!(kind, NodeKind::Router);
    assert_eq!(short_path(&names), "r1.client[count:1..count:50]");
    assert_eq!(options(&given), "mtu(count:1400) sysctl(\"net.x\", count:1)");

    let link = "link wan: r1.eth0 10.9.0.1/30, 10.9.0.5/30 <-> client[*] { forward { delay 20ms  loss 1% }  back { delay 5ms }  mtu 1400 }";
    let TopologyKind::Link(link) = topology(link) else { panic!("a link") };
    assert_eq!(link.name.unwrap().name.text, "wan");
    assert_eq!(point(&link.ends[0].point), "r1.eth0");
    assert_eq!(link.ends[0].addresses.iter().map(short).collect::<Vec<_>>(), ["prefix 10.9.0.1/30", "prefix 10.9.0.5/30"]);
    assert_eq!(point(&link.ends[1].point), "client[*]");
    assert_eq!(options(&link.options), "forward(){delay(duration:20ms) loss(ratio:1%)} back(){delay(duration:5ms)} mtu(count:1400)");

    let TopologyKind::Route { to, via, .. } = topology("route client 0.0.0.0/0 via 10.0.0.254") else { panic!("a route") };
    assert_eq!((short(&to), short(&via)), ("prefix 0.0.0.0/0".into(), "address 10.0.0.254".into()));
    assert!(matches!(topology("routing manual"), TopologyKind::Routing(word) if word.text == "manual"));
}

#[test]
fn services() {
    let store = service("service store on primary, web[2] { listen tcp :5003  serve sym(1KiB) }");
    assert_eq!(points(&store.nodes), ["primary", "web[count:2]"]);
    let listen = store.listen.unwrap();
    assert_eq!((listen.transport.text.as_str(), short(&listen.port)), ("tcp", "count:5003".into()));
    assert_eq!(store.serve.unwrap().path[0].text, "sym");

    let www = service("service www on web { listen tls 10.0.0.1:443 { name \"x\"  alpn \"h2\"  certificate auto }  serve a.sym }");
    let listen = www.listen.unwrap();
    assert_eq!(short(&listen.address.unwrap()), "address 10.0.0.1");
    assert_eq!(options(&listen.options), "name(\"x\") alpn(\"h2\") certificate(auto)");
    assert_eq!(www.serve.unwrap().path.len(), 2);
    let six = service("service six on web { listen tcp [2001:db8::1]:80\nserve sym }").listen.unwrap();
    assert_eq!(short(&six.address.unwrap()), "address 2001:db8::1");
}

#[test]
fn flows() {
    let steady = flow(
        "## Doc.\nflow steady from client to 10.0.0.100:5003 {\nover tcp { congestion bbr  nodelay on }\npattern sym(1KiB)\nconnections clients\n\
         rate 400/s\nreconnect after 100ms\nsample tcp_info every 100ms\n}",
    );
    assert_eq!(steady.doc, ["Doc."]);
    assert!(matches!(&steady.to.kind, TargetKind::Address(address) if short(address) == "address 10.0.0.100"));
    assert_eq!(short(steady.to.port.as_ref().unwrap()), "count:5003");
    assert_eq!(options(&steady.over.unwrap().options), "congestion(bbr) nodelay(on)");
    assert_eq!(steady.pattern.unwrap().arguments.len(), 1);
    let all = "connections(clients) rate(rate:400/s) reconnect(after, duration:100ms) sample(tcp_info, every, duration:100ms)";
    assert_eq!(options(&steady.options), all);
    // The same on one line.
    let one = flow("flow f from a to b { connections clients  rate 400/s  reconnect after 100ms  sample tcp_info every 100ms }");
    assert_eq!(options(&one.options), all);

    let voice = flow("flow voice from a.eth1 to b:5060 over udp { pattern reply(1B, 2B)  rate 50/s  arrivals poisson }");
    assert_eq!(point(&voice.from), "a.eth1");
    assert!(matches!(&voice.to.kind, TargetKind::Name(name) if point(name) == "b"));
    assert_eq!(voice.over.unwrap().transport.text, "udp");
    assert_eq!(options(&voice.options), "rate(rate:50/s) arrivals(poisson)");

    let six = flow("flow six from client[*] to [2001:db8::1]:80");
    assert!(matches!(&six.to.kind, TargetKind::Address(address) if short(address) == "address 2001:db8::1"));
    assert!(six.to.port.is_some() && six.options.is_empty());
}

#[test]
fn timelines() {
    let moved = entry("failure + 200ms  move 10.0.0.100/24 from primary to backup");
    assert!(matches!(&moved.when, WhenClause::At(at) if short(at) == "(Add failure duration:200ms)"));
    let operands: Vec<String> = moved
        .verb
        .operands
        .iter()
        .map(|o| match o {
            Operand::Word(word) => word.text.clone(),
            Operand::Value(value) => short(value),
        })
        .collect();
    assert_eq!(operands, ["prefix 10.0.0.100/24", "from", "primary", "to", "backup"]);

    let ready = entry("when steady.active == clients within 5s  mark ready");
    assert_eq!(ready.name.unwrap().name.text, "ready");
    assert!(
        matches!(&ready.when, WhenClause::Condition { condition, within: Some(_) } if short(condition) == "(Equal steady.active clients)")
    );

    let down = entry("at 10s for 2s  down r1.eth0, client[2]  as failure");
    assert_eq!((short(&down.lasts.unwrap()), down.name.unwrap().name.text), ("duration:2s".into(), "failure".into()));
    assert_eq!(down.verb.operands.len(), 2);
    assert_eq!(short(&entry("at 2s pause mix for 1s as rest").lasts.unwrap()), "duration:1s");
    assert_eq!(entry("at 28s set steady.rate 200/s over 5s").verb.operands.len(), 4);
    assert_eq!(entry("at 20s partition [client] from [primary, backup]").verb.operands.len(), 3);
}

#[test]
fn expectations() {
    let named = expectation("steady.outage.max < budget   \"less than ${budget}\"");
    assert_eq!(short(&named.condition), "(Less steady.outage.max budget)");
    assert_eq!(short_text(&named.text.unwrap().value), "\"less than ${budget}\"");

    let within = expectation("steady.active == clients within 3s after failure and stays");
    assert!(matches!(&within.clauses[0].kind, WindowKind::Within { after: Some(after), stays: true, .. } if short(after) == "failure"));
    let during = expectation("require mix.sent == 0 during rest + 200ms .. rest + 900ms");
    assert_eq!(during.kind, ExpectKind::Require);
    assert!(matches!(&during.clauses[0].kind, WindowKind::During(from, _) if short(from) == "(Add rest duration:200ms)"));
    let always = expectation("note always steady.rate >= 95/s before failure sampled every 1s");
    assert_eq!((always.kind, always.quantifier), (ExpectKind::Note, Quantifier::Always));
    assert!(matches!(always.clauses[0].kind, WindowKind::Before(_)));
    assert!(matches!(always.clauses[1].kind, WindowKind::Sampled(_)));
    let never = expectation("never steady.resets > 0 after failure + 3s");
    assert_eq!(never.quantifier, Quantifier::Never);
    let call = expectation("failover.survives(steady, failure, budget)");
    assert_eq!(short(&call.condition), "failover.survives(steady, failure, budget)");
    // The words that begin an expectation can name a flow.
    assert_eq!(short(&expectation("note.loss == 0%").condition), "(Equal note.loss ratio:0%)");
}

#[test]
fn spans_cover_the_statement_and_nothing_more() {
    let text = "scn 1\nscenario s {\n  flow f from a to b {\n    over tcp { nodelay on }\n    total 5   # five\n  }\n}\n";
    let document = good(text);
    let shown = |span: Span| &text[span.start as usize..span.end as usize];
    let ItemKind::Scenario(scenario) = &document.items[0].kind else { panic!("a scenario") };
    let Nested::Statement(ScenarioPart::Flow(flow)) = &scenario.body[0] else { panic!("a flow") };
    assert!(shown(document.items[0].span).starts_with("scenario s {") && shown(document.items[0].span).ends_with('}'));
    assert_eq!(shown(flow.over.as_ref().unwrap().span), "over tcp { nodelay on }");
    assert_eq!(shown(plain(&flow.options).next().unwrap().span), "total 5");
    assert_eq!(shown(flow.to.span), "b");
    assert!(shown(flow.span).ends_with("five\n  }"));
}
