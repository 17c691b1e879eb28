//! The plan on paper: what `scn plan` prints. In: a plan. Out: text for people, stable from run to run, and JSON for machines.
//! Leaves nothing out but what is the same everywhere, which stands once.

mod steps;
mod times;

use std::collections::BTreeSet;
use std::fmt::Write;

use scn_grammar::quantity::{Dimension, Quantity};
use scn_grammar::scenario::topology::{Impairment, NodeKind};
use scn_grammar::scenario::{Load, NodeId};

use super::types::{Engine, Plan, PlannedFlow, PlannedNode};

/// The plan as text.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    head(plan, &mut out);
    nodes(plan, &mut out);
    links(plan, &mut out);
    listeners(plan, &mut out);
    section("flows", plan.flows.is_empty(), &mut out);
    for planned in &plan.flows {
        flow(plan, planned, &mut out);
    }
    times::schedule(plan, &mut out);
    times::expectations(plan, &mut out);
    settings(plan, &mut out);
    out
}

/// The plan as JSON.
///
/// # Panics
/// Never: a plan has string keys and integers only.
#[must_use]
pub fn json(plan: &Plan) -> String {
    serde_json::to_string_pretty(plan).expect("a plan has string keys and finite numbers only")
}

/// Adds a line, indented by so many steps.
fn line(out: &mut String, depth: usize, words: impl AsRef<str>) {
    // Writing into a string does not fail.
    _ = writeln!(out, "{:width$}{}", "", words.as_ref().trim_end(), width = 2 * depth);
}

/// Starts a section.
fn section(name: &str, empty: bool, out: &mut String) {
    out.push('\n');
    line(out, 0, name);
    if empty {
        line(out, 1, "none");
    }
}

/// A time in ns for people.
fn duration(ns: u64) -> String {
    if ns == 0 {
        return "0s".to_owned();
    }
    quantity(Dimension::Duration, ns)
}

/// A number in its base unit for people.
fn quantity(dimension: Dimension, value: u64) -> String {
    Quantity::new(dimension, i64::try_from(value).unwrap_or(i64::MAX)).to_string()
}

/// What the run is about.
fn head(plan: &Plan, out: &mut String) {
    line(out, 0, format!("plan of {} ({})", plan.scenario, plan.file));
    for doc in plan.doc.lines() {
        line(out, 1, doc);
    }
    section("run", false, out);
    line(out, 1, format!("seed {}", plan.seed));
    line(out, 1, format!("timeout {} ({})", duration(plan.timeout_ns), if plan.timeout_said { "as written" } else { "the default" }));
    line(out, 1, format!("tolerance {}", duration(plan.tolerance_ns)));
    line(out, 1, format!("descriptors {} at most", plan.descriptors));
    if !plan.tags.is_empty() {
        line(out, 1, format!("tags {}", plan.tags.join(", ")));
    }
    for param in &plan.params {
        line(out, 1, format!("param {} = {}{}", param.name, param.value, if param.set { " (set)" } else { "" }));
    }
}

/// A node's kind for people.
fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Host => "host",
        NodeKind::Router => "router",
        NodeKind::Bridge => "bridge",
    }
}

/// Nodes with interfaces, addresses, routes and settings of their own.
fn nodes(plan: &Plan, out: &mut String) {
    section("nodes", plan.nodes.is_empty(), out);
    let common = [common_settings(plan, false), common_settings(plan, true)];
    for node in &plan.nodes {
        line(out, 1, format!("{} {}", kind(node.kind), node.name));
        for interface in &node.interfaces {
            let mac: Vec<String> = interface.mac.iter().map(|byte| format!("{byte:02x}")).collect();
            let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
            let link = plan.links.get(interface.link.index()).map_or("", |link| link.name.as_str());
            line(out, 2, format!("{} on {link}  {}  {}", interface.name, mac.join(":"), addresses.join(", ")));
        }
        for route in &node.routes {
            line(out, 2, format!("route {} via {}{}", route.to, route.via, if route.said { " (as written)" } else { "" }));
        }
        let shared = &common[usize::from(node.kind == NodeKind::Bridge)];
        for (name, value) in node.sysctls.iter().filter(|setting| !shared.contains(setting)) {
            line(out, 2, format!("sysctl {name} = {value}"));
        }
    }
}

/// Settings that all bridges, or all other nodes, have.
fn common_settings(plan: &Plan, bridges: bool) -> BTreeSet<&(String, String)> {
    let mut of_kind = of_kind(plan, bridges);
    let first: BTreeSet<_> = of_kind.next().map(|node| node.sysctls.iter().collect()).unwrap_or_default();
    of_kind.fold(first, |mut common, node| {
        let own: BTreeSet<_> = node.sysctls.iter().collect();
        common.retain(|setting| own.contains(setting));
        common
    })
}

/// Bridges, or all other nodes.
fn of_kind(plan: &Plan, bridges: bool) -> impl Iterator<Item = &PlannedNode> {
    plan.nodes.iter().filter(move |node| (node.kind == NodeKind::Bridge) == bridges)
}

/// Settings that stand once.
fn settings(plan: &Plan, out: &mut String) {
    for (bridges, name) in [(false, "kernel settings of every host and router"), (true, "kernel settings of every bridge")] {
        let Some(first) = of_kind(plan, bridges).next() else { continue };
        let common = common_settings(plan, bridges);
        section(name, common.is_empty(), out);
        // In the order in which they are written to the kernel.
        for (name, value) in first.sysctls.iter().filter(|setting| common.contains(setting)) {
            line(out, 1, format!("{name} = {value}"));
        }
    }
}

/// A node's name.
fn name(plan: &Plan, node: NodeId) -> &str {
    plan.nodes.get(node.index()).map_or("?", |node| node.name.as_str())
}

/// What a link does one way.
fn impairment(of: Impairment) -> String {
    let Impairment { delay_ns } = of;
    if delay_ns == 0 { "nothing".to_owned() } else { format!("delay {}", duration(delay_ns)) }
}

/// Links with their engines.
fn links(plan: &Plan, out: &mut String) {
    section("links", plan.links.is_empty(), out);
    for link in &plan.links {
        let end = |(node, at): (NodeId, u32)| {
            let interface = plan.nodes.get(node.index()).and_then(|node| node.interfaces.get(at as usize));
            format!("{}.{}", name(plan, node), interface.map_or("?", |interface| interface.name.as_str()))
        };
        let engine = match link.engine {
            Engine::Direct => "direct",
            Engine::Wire => "wire",
        };
        let does = match (link.forward, link.back) {
            (forward, back) if forward == Impairment::default() && back == forward => String::new(),
            (forward, back) if forward == back => format!("  {}", impairment(forward)),
            (forward, back) => format!("  forward {}, back {}", impairment(forward), impairment(back)),
        };
        line(out, 1, format!("{}: {} <-> {}  {engine}{does}", link.name, end(link.ends[0]), end(link.ends[1])));
    }
}

/// What listens.
fn listeners(plan: &Plan, out: &mut String) {
    section("listeners", plan.listeners.is_empty(), out);
    for listener in &plan.listeners {
        let place = if listener.address.is_unspecified() { "every address".to_owned() } else { listener.address.to_string() };
        let words = format!("{} on {}: tcp port {} of {place}, serves", listener.name, name(plan, listener.node), listener.port);
        line(out, 1, format!("{words} {}", listener.pattern.name));
    }
}

/// One flow in full.
fn flow(plan: &Plan, flow: &PlannedFlow, out: &mut String) {
    let backends: Vec<&str> = flow.backends.iter().map(|node| name(plan, *node)).collect();
    line(out, 1, format!("{} from {} to {}, answered by {}", flow.name, name(plan, flow.from), flow.target, backends.join(", ")));
    for doc in flow.doc.lines() {
        line(out, 2, format!("## {doc}"));
    }
    for words in load(flow) {
        line(out, 2, words);
    }
    line(out, 2, format!("transaction {}", flow.pattern.name));
    steps::print(&flow.pattern.steps, 3, out);
}

fn transactions_words(count: u64) -> String {
    format!("{count} {}", if count == 1 { "transaction" } else { "transactions" })
}

/// How much, and when, in words.
fn load(flow: &PlannedFlow) -> Vec<String> {
    let Load { connections, total, transactions, rate_nano, interval_ns, duration_ns } = flow.load;
    let held = format!("{connections} {} at once", if connections == 1 { "connection" } else { "connections" });
    let mut words = vec![match (total, transactions) {
        (None, None) => format!("{held}, held, repeating the transaction"),
        (None, Some(each)) => format!("{held}, each replaced after {}", transactions_words(each)),
        (Some(total), each) => format!("{held}, {total} in all, each for {}", transactions_words(each.unwrap_or(1))),
    }];
    words.push(match rate_nano {
        None => "closed loop: a transaction starts when the one before it ends".to_owned(),
        Some(rate) => {
            let every = if flow.interval_ns == 0 { String::new() } else { format!(", one every {}", duration(flow.interval_ns)) };
            format!("open loop: transactions start at {}{every}", quantity(Dimension::Rate, rate))
        }
    });
    if interval_ns > 0 {
        words.push(format!("at least {} between a connection and its successor", duration(interval_ns)));
    }
    words.push(format!("a broken connection is opened anew after {}", duration(flow.reconnect_after_ns)));
    if let Some(every) = flow.sample_tcp_info_ns {
        words.push(format!("tcp_info is read every {}", duration(every)));
    }
    words.push(if flow.starts_at_zero { "starts at 0s".to_owned() } else { "started by the timeline".to_owned() });
    words.extend(duration_ns.map(|length| format!("ends {} after its start", duration(length))));
    words
}
