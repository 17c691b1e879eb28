//! What is made inside a node once its links are there: tunnels, tags and interfaces upon others, then addresses, pools and routes.
//! In: a plan and its layout. Out: requests for the kernel. Sends nothing.

use netlink_packet_route::RouteNetlinkMessage;
use scn_grammar::scenario::topology::{InterfaceKind, LinkKind, NodeKind, Prefix};

use super::bench::Request;
use super::layout::{Layout, hidden_name};
use super::messages;
use super::stacks::{self, Fresh};
use super::widths::{DEFAULT, TAG};
use crate::plan::types::{Plan, PlannedInterface, PlannedUpper};

/// The loopback interface of every namespace.
const LOOPBACK: u32 = 1;

/// Requests of one node, in order.
struct Wishes<'a> {
    place: &'a str,
    requests: Vec<Request>,
}

impl Wishes<'_> {
    fn ask(&mut self, message: RouteNetlinkMessage, doing: String) {
        self.requests.push(Request { message, place: self.place.to_owned(), doing });
    }
}

/// Interfaces of a node that are no ends of plain links. They are made before the settings of interfaces are written.
pub(crate) fn stack(plan: &Plan, layout: &Layout, slot: usize) -> Vec<Request> {
    let Some(node) = plan.nodes.get(slot) else { return Vec::new() };
    let mut wishes = Wishes { place: &node.name, requests: Vec::new() };
    for (position, interface) in node.interfaces.iter().enumerate() {
        let tags = layout.tags.get(&(slot, position)).map_or(&[][..], Vec::as_slice);
        let (top, width) = (layout.interfaces[slot][position], layout.widths[slot][position]);
        let link = &plan.links[interface.link.index()];
        if let (LinkKind::Vxlan { id, port }, Some(tunnel)) = (link.kind, link.tunnel) {
            let end = usize::from(interface.end);
            let lowest = tags.first().copied().unwrap_or(top);
            let hidden = hidden_name(lowest);
            let named = layout.name(plan, slot, position);
            let name = if tags.is_empty() { named.as_ref() } else { &hidden };
            let fresh = Fresh { name, index: lowest, mac: layout.mac(plan, slot, position), mtu: width.wire.or(Some(tunnel.mtu)) };
            let message = stacks::vxlan(&fresh, id, port, tunnel.between[end], tunnel.between[1 - end]);
            wishes.ask(message, format!("make the end {} of the tunnel {}", interface.name, link.name));
        }
        for (depth, (below, id)) in tags.iter().zip(&interface.settings.vlans).enumerate() {
            let index = tags.get(depth + 1).copied().unwrap_or(top);
            let outer = index != top;
            let hidden = hidden_name(index);
            let named = layout.name(plan, slot, position);
            let name = if outer { &hidden } else { named.as_ref() };
            let fresh = Fresh { name, index, mac: layout.mac(plan, slot, position), mtu: width.own.filter(|_| !outer) };
            wishes.ask(messages::set_up(*below, true), format!("bring up what is below {}", interface.name));
            wishes.ask(stacks::vlan(&fresh, *below, *id, outer), format!("make {} with the tag {id}", interface.name));
        }
    }
    for (at, upper) in layout.uppers[slot].iter().enumerate() {
        let index = layout.interfaces[slot][node.interfaces.len() + at];
        wishes.upper(plan, layout, slot, &plan.interfaces[*upper], index);
    }
    wishes.requests
}

impl Wishes<'_> {
    /// An interface upon others.
    fn upper(&mut self, plan: &Plan, layout: &Layout, slot: usize, upper: &PlannedUpper, index: u32) {
        let below: Vec<u32> = upper.on.iter().filter_map(|name| layout.index_of(plan, slot, name)).collect();
        let Some(first) = below.first().copied() else { return };
        let fresh = Fresh { name: &upper.name, index, mac: upper.mac, mtu: Some(mtu(plan, layout, slot, upper)) };
        let doing = format!("make {} on {}", upper.name, upper.on.join(", "));
        match upper.kind {
            InterfaceKind::Vlan { id } => {
                let carries = |other: &PlannedUpper| matches!(other.kind, InterfaceKind::Vlan { .. }) && other.on.contains(&upper.name);
                let outer = layout.uppers[slot].iter().any(|other| carries(&plan.interfaces[*other]));
                self.ask(stacks::vlan(&fresh, first, id, outer), doing);
            }
            InterfaceKind::Macvlan { mode } => self.ask(stacks::macvlan(&fresh, first, mode), doing),
            InterfaceKind::Bond { mode, miimon_ns } => {
                self.ask(stacks::bond(&fresh, mode, miimon_ns), doing);
                for (member, name) in below.iter().zip(&upper.on) {
                    // The kernel takes members only while they are down.
                    self.ask(messages::set_up(*member, false), format!("take {name} down"));
                    self.ask(messages::set_bridge(*member, index), format!("make {name} a member of {}", upper.name));
                }
            }
        }
    }
}

/// The largest packet of an interface upon others, in bytes: what it says, or what the nearest below it says that does.
fn mtu(plan: &Plan, layout: &Layout, slot: usize, upper: &PlannedUpper) -> u32 {
    let own = || layout.uppers[slot].iter().map(|index| &plan.interfaces[*index]);
    let is_vlan = |of: &PlannedUpper| matches!(of.kind, InterfaceKind::Vlan { .. });
    let (mut at, mut tags) = (upper, 0);
    // Each step goes down by one interface; no interface stands on itself.
    let lowest = loop {
        if let Some(mtu) = at.settings.mtu {
            break mtu;
        }
        let name = at.on.first();
        let Some(next) = own().find(|other| Some(&other.name) == name) else {
            let link = plan.nodes[slot].interfaces.iter().find(|interface| Some(&interface.name) == name);
            break link.and_then(|interface| interface.settings.mtu).unwrap_or(DEFAULT);
        };
        // A wire takes one tag beyond its largest packet, no more.
        tags += if is_vlan(at) && is_vlan(next) { TAG } else { 0 };
        at = next;
    };
    lowest.saturating_sub(tags)
}

/// Which part of a node's inside is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// What needs nobody else.
    First,
    /// Tunnels and what leads over them, when everything below them carries frames: what a tunnel says by itself as soon as it is up
    /// would ask neighbours that are not there yet, and ask again a second later.
    Tunnels,
}

/// A node has tunnels: what stands upon others there, and its routes, wait for them.
pub(crate) fn has_tunnels(plan: &Plan, slot: usize) -> bool {
    let of_tunnel = |interface: &PlannedInterface| plan.links[interface.link.index()].kind != LinkKind::Wire;
    plan.nodes.get(slot).is_some_and(|node| node.interfaces.iter().any(of_tunnel))
}

/// The interfaces of a node that a stage brings up: name, addresses, index.
pub(crate) fn interfaces<'a>(
    plan: &'a Plan,
    layout: &'a Layout,
    slot: usize,
    stage: Stage,
) -> impl Iterator<Item = (&'a String, &'a Vec<Prefix>, u32)> {
    let node = &plan.nodes[slot];
    let waits = has_tunnels(plan, slot);
    let of_links = node.interfaces.iter().map(|one| (&one.name, &one.addresses, plan.links[one.link.index()].kind != LinkKind::Wire));
    let upon = layout.uppers[slot].iter().map(move |upper| (&plan.interfaces[*upper].name, &plan.interfaces[*upper].addresses, waits));
    let all = of_links.chain(upon).zip(&layout.interfaces[slot]);
    all.filter(move |((_, _, late), _)| *late == (stage == Stage::Tunnels)).map(|((name, addresses, _), index)| (name, addresses, *index))
}

/// Everything that comes after the interfaces and their settings: up, ports in their bridge, addresses, pools, routes.
pub(crate) fn inside(plan: &Plan, layout: &Layout, slot: usize, stage: Stage) -> Vec<Request> {
    let Some(node) = plan.nodes.get(slot) else { return Vec::new() };
    let mut wishes = Wishes { place: &node.name, requests: Vec::new() };
    let bridge = layout.bridges[slot];
    if bridge.is_none() && stage == Stage::First && !layout.host[slot] {
        wishes.ask(messages::set_up(LOOPBACK, true), "bring lo up".to_owned());
    }
    for (name, addresses, index) in interfaces(plan, layout, slot, stage) {
        if let Some(bridge) = bridge {
            wishes.ask(messages::set_bridge(index, bridge), format!("make {name} a port"));
        }
        // What stands already is up, and stays as it is otherwise.
        if layout.standing.contains(&index) {
            continue;
        }
        wishes.ask(messages::set_up(index, true), format!("bring {name} up"));
        for address in addresses {
            wishes.ask(messages::add_address(index, *address), format!("add address {address} to {name}"));
        }
    }
    if stage == Stage::First {
        for pool in &node.pools {
            wishes.ask(messages::local(*pool, LOOPBACK), format!("take {pool} for its own"));
        }
    }
    if (stage == Stage::Tunnels) == has_tunnels(plan, slot) {
        for route in &node.routes {
            wishes.ask(messages::route(route.to, route.via), format!("add the route to {} via {}", route.to, route.via));
        }
    }
    if let Some(bridge) = bridge.filter(|_| node.kind == NodeKind::Bridge) {
        wishes.ask(messages::set_up(bridge, true), "bring its bridge device up".to_owned());
    }
    wishes.requests
}
