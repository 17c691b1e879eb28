//! Nodes, links and listeners in words. In: a plan. Out: their lines. Addresses and routes that the planner gave are told, but are
//! of no interest to a review.

use std::collections::BTreeSet;

use scn_grammar::scenario::topology::{Impairment, NodeKind};

use super::super::types::{Engine, Plan, PlannedInterface, PlannedNode};
use super::{Line, duration, name, section};

/// A node's kind for people.
fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Host => "host",
        NodeKind::Router => "router",
        NodeKind::Bridge => "bridge",
        NodeKind::ExternalBridge => "external bridge",
        NodeKind::ThisHost => "host of its own (this machine)",
        NodeKind::Remote => "remote",
    }
}

/// Nodes with interfaces, addresses, routes and settings of their own.
pub(super) fn nodes(plan: &Plan) -> Vec<Line> {
    let common = [common_settings(plan, false), common_settings(plan, true)];
    let line = |node: &PlannedNode| {
        let mut below: Vec<Line> = node.interfaces.iter().map(|one| interface(plan, one)).collect();
        for route in &node.routes {
            let (to, via) = (format!("route {}", route.to), format!("via {}", route.via));
            below.push(if route.said {
                Line::new(to.clone(), via.clone(), format!("{to} {via} (as written)"))
            } else {
                Line::computed(format!("{to} {via}"))
            });
        }
        let shared = &common[usize::from(node.kind.is_bridge())];
        let own = node.sysctls.iter().filter(|setting| !shared.contains(setting));
        below.extend(own.map(|(name, value)| Line::computed(format!("sysctl {name} = {value}"))));
        let kind = kind(node.kind);
        Line::new(node.name.clone(), kind, format!("{kind} {}", node.name)).with(below)
    };
    plan.nodes.iter().map(line).collect()
}

fn interface(plan: &Plan, interface: &PlannedInterface) -> Line {
    let mac: Vec<String> = interface.mac.iter().map(|byte| format!("{byte:02x}")).collect();
    let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
    let link = plan.links.get(interface.link.index()).map_or("", |link| link.name.as_str());
    Line::computed(format!("{} on {link}  {}  {}", interface.name, mac.join(":"), addresses.join(", ")))
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
    plan.nodes.iter().filter(move |node| node.kind.is_bridge() == bridges)
}

/// Settings that stand once.
pub(super) fn settings(plan: &Plan) -> Vec<Line> {
    let mut sections = Vec::new();
    for (bridges, name) in [(false, "kernel settings of every host and router"), (true, "kernel settings of every bridge")] {
        let Some(first) = of_kind(plan, bridges).next() else { continue };
        let common = common_settings(plan, bridges);
        // In the order in which they are written to the kernel.
        let lines = first.sysctls.iter().filter(|setting| common.contains(setting));
        let lines = lines.map(|(name, value)| Line::computed(format!("{name} = {value}"))).collect();
        sections.push(Line { meaning: None, ..section(name, lines) });
    }
    sections
}

/// What a link does one way.
pub fn impairment(of: &Impairment) -> String {
    match of.fixed_delay_ns() {
        Some(0) | None => "nothing".to_owned(),
        Some(ns) => format!("delay {}", duration(ns)),
    }
}

/// Links with their engines.
pub(super) fn links(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for link in &plan.links {
        let ends = link.ends.map(|(node, at)| {
            let interface = plan.nodes.get(node.index()).and_then(|node| node.interfaces.get(at as usize));
            (interface, name(plan, node))
        });
        let end = |(interface, node): (Option<&PlannedInterface>, &str)| format!("{node}.{}", interface.map_or("?", |i| i.name.as_str()));
        let engine = match link.engine {
            Engine::Direct => "direct",
            Engine::Wire => "wire",
        };
        let does = match (&link.forward, &link.back) {
            (forward, back) if forward.is_nothing() && back == forward => String::new(),
            (forward, back) if forward == back => format!("  {}", impairment(forward)),
            (forward, back) => format!("  forward {}, back {}", impairment(forward), impairment(back)),
        };
        let between = format!("{} <-> {}", end(ends[0]), end(ends[1]));
        let words = format!("{}: {between}  {engine}{does}", link.name);
        lines.push(Line::new(link.name.clone(), format!("{between}{does}"), words));
    }
    lines
}

/// What listens.
pub(super) fn listeners(plan: &Plan) -> Vec<Line> {
    let line = |listener: &super::super::types::PlannedListener| {
        let place = if listener.address.is_unspecified() { "every address".to_owned() } else { listener.address.to_string() };
        let key = format!("{} on {}", listener.name, name(plan, listener.node));
        let says = format!("{} port {} of {place}{}", listener.listener.kind().word(), listener.port, serves(listener));
        let words = format!("{key}: {says}");
        if listener.service.is_some() { Line::new(key, says, words) } else { Line::computed(words) }
    };
    plan.listeners.iter().map(line).collect()
}

/// What a listener answers with.
fn serves(listener: &super::super::types::PlannedListener) -> String {
    listener.pattern.as_ref().map_or_else(String::new, |pattern| format!(", serves {}", pattern.name))
}
