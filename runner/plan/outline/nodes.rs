//! Nodes in words: interfaces, those upon others, settings, routes. In: a plan. Out: their lines. Addresses and routes that the planner
//! gave are told, but are of no interest to a review.

use std::collections::{BTreeMap, BTreeSet};

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::topology::{BondMode, InterfaceKind, Mac, MacvlanMode, NodeKind, Placement, Prefix, Settings, Sysctl};

use super::super::types::{Plan, PlannedInterface, PlannedNode, PlannedRoute, PlannedUpper};
use super::words::{doc, duration, on_off, option};
use super::{Line, section};

/// A node's kind for people.
fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Host => "node",
        NodeKind::Router => "router",
        NodeKind::Bridge => "bridge",
        NodeKind::ExternalBridge => "external bridge",
        NodeKind::ThisHost => "this machine, as",
        NodeKind::Remote => "remote",
    }
}

/// Nodes with interfaces, addresses, routes and settings of their own.
pub(super) fn nodes(plan: &Plan) -> Vec<Line> {
    let common = [common_settings(plan, false), common_settings(plan, true)];
    let mut upper: BTreeMap<NodeId, Vec<&PlannedUpper>> = BTreeMap::new();
    for interface in &plan.interfaces {
        upper.entry(interface.node).or_default().push(interface);
    }
    let line = |(id, planned): (u32, &PlannedNode)| {
        let shared = &common[usize::from(planned.kind.is_bridge())];
        node(plan, planned, upper.get(&NodeId(id)).map_or(&[], Vec::as_slice), shared)
    };
    (0u32..).zip(&plan.nodes).map(line).collect()
}

fn node(plan: &Plan, node: &PlannedNode, upper: &[&PlannedUpper], shared: &BTreeSet<&(String, String)>) -> Line {
    let PlannedNode { name, doc: says, kind: is, forwarding, settings, device, placement, interfaces, routes, pools, sysctls } = node;
    let mut below: Vec<Line> = doc(says).collect();
    option(&mut below, "device", device.as_deref(), str::to_owned);
    option(&mut below, "placement", placement.as_ref(), |Placement::Ssh(place)| format!("ssh {place}"));
    if *forwarding != (*is == NodeKind::Router) {
        below.push(Line::pair("forwarding", on_off(*forwarding)));
    }
    below.extend(settings_of(settings, &Settings::default()));
    below.extend(interfaces.iter().map(|one| interface(plan, one, settings)));
    below.extend(upper.iter().map(|one| interface_upon(one)));
    below.extend(routes.iter().map(route));
    below.extend(pools.iter().map(|pool| Line::computed(format!("takes {pool} for its own: clients start from there"))));
    let written: BTreeSet<&str> = settings.sysctls.iter().map(|sysctl| sysctl.key.as_str()).collect();
    let own = sysctls.iter().filter(|setting| !shared.contains(setting) && !written.contains(setting.0.as_str()));
    below.extend(own.map(|(name, value)| Line::computed(format!("sysctl {name} = {value}"))));
    let is = kind(*is);
    Line::new(name.clone(), is, format!("{is} {name}")).with(below)
}

fn route(route: &PlannedRoute) -> Line {
    let PlannedRoute { to, via, said } = route;
    let (to, via) = (format!("route {to}"), format!("via {via}"));
    match said {
        true => Line::new(to.clone(), via.clone(), format!("{to} {via} (as written)")),
        false => Line::computed(format!("{to} {via}")),
    }
}

fn interface(plan: &Plan, interface: &PlannedInterface, of_node: &Settings) -> Line {
    let PlannedInterface { name, named, link, end: _, mac, addresses, written, settings } = interface;
    let link = plan.links.get(link.index()).map_or("", |link| link.name.as_str());
    let words = format!("{name} on {link}  {}  {}", Mac(*mac), list(addresses));
    let said = list(&addresses[..addresses.len().min(*written as usize)]);
    let meaning = [if *named { name.as_str() } else { "" }, &said].join(" ").trim().to_owned();
    Line::new(format!("on {link}"), meaning, words).with(settings_of(settings, of_node))
}

fn list(addresses: &[Prefix]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn interface_upon(interface: &PlannedUpper) -> Line {
    let PlannedUpper { node: _, name, kind, on, mac, addresses, written, settings } = interface;
    let is = match kind {
        InterfaceKind::Vlan { id } => format!("vlan {id}"),
        InterfaceKind::Macvlan { mode } => format!("macvlan, {}", macvlan(*mode)),
        InterfaceKind::Bond { mode, miimon_ns } => format!("bond, {}, looked at every {}", bond(*mode), duration(*miimon_ns)),
    };
    let says = format!("{is}, on {}", on.join(", "));
    let words = format!("{name}: {says}  {}  {}", Mac(*mac), list(addresses));
    let said = format!("{says}  {}", list(&addresses[..addresses.len().min(*written as usize)]));
    Line::new(name.clone(), said.trim_end(), words).with(settings_of(settings, &Settings::default()))
}

fn macvlan(mode: MacvlanMode) -> &'static str {
    match mode {
        MacvlanMode::Bridge => "bridge",
        MacvlanMode::Vepa => "vepa",
        MacvlanMode::Private => "private",
        MacvlanMode::Passthru => "passthru",
    }
}

fn bond(mode: BondMode) -> &'static str {
    match mode {
        BondMode::BalanceRr => "balance_rr",
        BondMode::ActiveBackup => "active_backup",
        BondMode::BalanceXor => "balance_xor",
        BondMode::Broadcast => "broadcast",
        BondMode::Lacp => "lacp",
        BondMode::BalanceTlb => "balance_tlb",
        BondMode::BalanceAlb => "balance_alb",
    }
}

/// What is set, as far as the node around it does not say it already.
fn settings_of(settings: &Settings, around: &Settings) -> Vec<Line> {
    let Settings { mac, mtu, vlans, offload, sysctls } = settings;
    let mut lines = Vec::new();
    option(&mut lines, "mac", mac.filter(|_| *mac != around.mac), |mac| mac.to_string());
    option(&mut lines, "mtu", mtu.filter(|_| *mtu != around.mtu), |mtu| mtu.to_string());
    if *vlans != around.vlans {
        lines.push(Line::pair("vlan", vlans.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")));
    }
    option(&mut lines, "offload", offload.filter(|_| *offload != around.offload), |on| on_off(on).to_owned());
    lines.extend(sysctls.iter().map(|Sysctl { key, value, span: _ }| Line::pair(&format!("sysctl {key} ="), value)));
    lines
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
    for (bridges, name) in [(false, "kernel settings of every node and router"), (true, "kernel settings of every bridge")] {
        let Some(first) = of_kind(plan, bridges).next() else { continue };
        let common = common_settings(plan, bridges);
        // In the order in which they are written to the kernel.
        let lines = first.sysctls.iter().filter(|setting| common.contains(setting));
        let lines = lines.map(|(name, value)| Line::computed(format!("{name} = {value}"))).collect();
        sections.push(Line { meaning: None, ..section(name, lines) });
    }
    sections
}
