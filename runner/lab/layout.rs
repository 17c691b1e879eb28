//! Where everything stands: which namespace a node has, which index an interface. In: a plan. Out: a layout, or the word that the
//! plan does not fit together. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use scn_grammar::scenario::topology::{LinkKind, NodeKind};

use super::error::LabError;
use super::machine::{self, Machine};
use super::widths::{DEFAULT, Width, widths};
use crate::plan::types::{Engine, Plan, PlannedNode};

/// Indexes below this are the kernel's (`lo` is 1).
const FIRST_INDEX: u32 = 2;
/// The bridge device in a bridge's namespace. Its ports are named by the plan, `port0` and so on.
pub(crate) const BRIDGE_NAME: &str = "bridge";

/// The first byte of the highest hardware addresses that are locally administered.
const HIGHEST_MAC: u8 = 0xfe;

/// The whole lab's places.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Names of the namespaces' owners: the nodes in the plan's order, then the fabric if there are wires.
    pub(crate) slots: Vec<String>,
    /// The slot of the namespace where wires have their outer ends.
    pub(crate) fabric: Option<usize>,
    /// For each node, the index of its bridge device.
    pub(crate) bridges: Vec<Option<u32>>,
    /// For each node, the indexes of its interfaces: those of its links, then those upon others.
    pub(crate) interfaces: Vec<Vec<u32>>,
    /// For each node, which of the plan's interfaces upon others are its own.
    pub(crate) uppers: Vec<Vec<usize>>,
    /// By node and interface of a link that carries tags: the indexes of what is below it, the wire's own end first.
    pub(crate) tags: BTreeMap<(usize, usize), Vec<u32>>,
    /// For each node, the largest packets of the interfaces of its links.
    pub(crate) widths: Vec<Vec<Width>>,
    /// For each link.
    pub(crate) links: Vec<LinkPlace>,
    /// For each node: it stands in the machine's own network.
    pub(crate) host: Vec<bool>,
    /// Indexes of interfaces that stand there already.
    pub(crate) standing: BTreeSet<u32>,
    /// What is made there: wires' ends, tunnels, bridges.
    pub(crate) on_machine: Vec<Made>,
}

/// An interface that is made in the machine's own network, under a name that nobody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Its name.
    pub(crate) name: String,
    /// Its index.
    pub(crate) index: u32,
    /// Its hardware address.
    pub(crate) mac: [u8; 6],
}

/// A link's places.
#[derive(Debug, Clone)]
pub(crate) struct LinkPlace {
    /// How it is made.
    pub(crate) engine: Engine,
    /// The two ends at the nodes.
    pub(crate) ends: [EndPlace; 2],
    /// The outer ends of a link that a wire or the kernel carries, by index in the fabric.
    pub(crate) outer: Option<[u32; 2]>,
    /// No wire is made for it and no fault strikes it: a tunnel, or an interface that stands already.
    pub(crate) fixed: bool,
}

/// An end at a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndPlace {
    /// The node's position, which is its slot too.
    pub(crate) node: usize,
    /// Position among the node's interfaces.
    pub(crate) interface: usize,
    /// Interface index.
    pub(crate) index: u32,
    /// The same of the wire's own end, where tags are put on what leaves.
    pub(crate) wire: u32,
    /// The bridge device that it is a port of.
    pub(crate) bridge: Option<u32>,
}

impl Layout {
    /// Gives every interface of the lab an index of its own.
    pub(crate) fn of(plan: &Plan, machine: &Machine) -> Result<Self, LabError> {
        let mut next = machine.first_index.max(FIRST_INDEX);
        let mut fresh = || {
            next += 1;
            next - 1
        };
        let bridge = |(at, node): (usize, &PlannedNode)| {
            node.kind.is_bridge().then(|| machine.bridges.get(&at).map_or_else(&mut fresh, |standing| standing.index))
        };
        let bridges: Vec<Option<u32>> = plan.nodes.iter().enumerate().map(bridge).collect();
        let mut interfaces: Vec<Vec<u32>> = plan.nodes.iter().map(|node| node.interfaces.iter().map(|_| fresh()).collect()).collect();
        let standing = attach(plan, machine, &mut interfaces);
        let mut tags = BTreeMap::new();
        for (node, planned) in plan.nodes.iter().enumerate() {
            let tagged = planned.interfaces.iter().enumerate().filter(|(_, interface)| !interface.settings.vlans.is_empty());
            tags.extend(tagged.map(|(at, interface)| ((node, at), interface.settings.vlans.iter().map(|_| fresh()).collect())));
        }
        let mut uppers = vec![Vec::new(); plan.nodes.len()];
        for (at, upper) in plan.interfaces.iter().enumerate() {
            let what = || format!("{} stands at node {}, which is not there", upper.name, upper.node.index());
            let own = interfaces.get_mut(upper.node.index()).ok_or_else(|| LabError::Plan { what: what() })?;
            own.push(fresh());
            uppers[upper.node.index()].push(at);
        }
        let mut links = Vec::with_capacity(plan.links.len());
        for link in &plan.links {
            let end = |at: usize| {
                let (node, position) = (link.ends[at].0.index(), link.ends[at].1 as usize);
                let index = interfaces.get(node).and_then(|all| all.get(position)).copied();
                let what = || format!("link {} ends at interface {position} of node {node}, which is not there", link.name);
                let index = index.ok_or_else(|| LabError::Plan { what: what() })?;
                let wire = tags.get(&(node, position)).and_then(|below: &Vec<u32>| below.first()).copied().unwrap_or(index);
                Ok(EndPlace { node, interface: position, index, wire, bridge: bridges[node] })
            };
            let ends: [EndPlace; 2] = [end(0)?, end(1)?];
            let outer = (link.engine != Engine::Direct).then(|| [fresh(), fresh()]);
            let fixed = link.kind != LinkKind::Wire || standing.contains(&ends[0].index);
            links.push(LinkPlace { engine: link.engine, ends, outer, fixed });
        }
        let mut slots: Vec<String> = plan.nodes.iter().map(|node| node.name.clone()).collect();
        let fabric = links.iter().any(|link| link.outer.is_some()).then_some(slots.len());
        if fabric.is_some() {
            slots.push("fabric".to_owned());
        }
        let joins = |node: usize| interfaces[node].iter().any(|index| standing.contains(index));
        let host = plan.nodes.iter().enumerate().map(|(at, node)| machine::touches(node) || joins(at)).collect();
        let (widths, on_machine) = (all_widths(plan, machine), Vec::new());
        let mut layout = Layout { slots, fabric, bridges, interfaces, uppers, tags, widths, links, host, standing, on_machine };
        layout.on_machine = layout.made(plan);
        Ok(layout)
    }

    /// What is made in the machine's own network.
    fn made(&self, plan: &Plan) -> Vec<Made> {
        let mut made = Vec::new();
        for (at, node) in plan.nodes.iter().enumerate().filter(|(at, _)| self.host[*at]) {
            if let (NodeKind::Bridge, Some(index)) = (node.kind, self.bridges[at]) {
                made.push(Made { name: machine_name(index), index, mac: self.bridge_mac(plan, at).unwrap_or_default() });
            }
        }
        for end in self.links.iter().flat_map(|link| &link.ends).filter(|end| self.host[end.node] && !self.standing.contains(&end.index)) {
            let name = if end.wire == end.index { machine_name(end.index) } else { hidden_name(end.wire) };
            made.push(Made { name, index: end.wire, mac: self.mac(plan, end.node, end.interface) });
        }
        made
    }

    /// The name of a node's bridge device.
    pub(crate) fn bridge_name(&self, node: usize, index: u32) -> String {
        if self.host[node] { machine_name(index) } else { BRIDGE_NAME.to_owned() }
    }

    /// The hardware address of a node's bridge device, if it is not the kernel's choice.
    pub(crate) fn bridge_mac(&self, plan: &Plan, node: usize) -> Option<[u8; 6]> {
        let said = plan.nodes[node].settings.mac.map(|mac| mac.0);
        // On the machine it must be known beforehand, and stay.
        let [a, b, c, d] = self.bridges[node].unwrap_or(0).to_be_bytes();
        said.or_else(|| self.host[node].then_some([HIGHEST_MAC, 0, a, b, c, d]))
    }

    /// The name of an interface of a link.
    pub(crate) fn name<'a>(&self, plan: &'a Plan, node: usize, at: usize) -> Cow<'a, str> {
        match self.host[node] {
            true => Cow::Owned(machine_name(self.interfaces[node][at])),
            false => Cow::Borrowed(plan.nodes[node].interfaces[at].name.as_str()),
        }
    }

    /// The hardware address of an interface of a link. A port on the machine has one that never becomes its bridge's: that is the
    /// lowest of its ports'.
    pub(crate) fn mac(&self, plan: &Plan, node: usize, at: usize) -> [u8; 6] {
        let planned = plan.nodes[node].interfaces[at].mac;
        let [_, b, c, d, e, f] = planned;
        if self.host[node] && self.bridges[node].is_some() { [HIGHEST_MAC, b, c, d, e, f] } else { planned }
    }

    /// The index of an interface of a node by its name.
    pub(crate) fn index_of(&self, plan: &Plan, node: usize, name: &str) -> Option<u32> {
        let of_links = plan.nodes[node].interfaces.iter().map(|interface| &interface.name);
        let upon = self.uppers[node].iter().map(|upper| &plan.interfaces[*upper].name);
        of_links.chain(upon).zip(&self.interfaces[node]).find(|(known, _)| *known == name).map(|(_, index)| *index)
    }
}

/// Gives both ends of a link to an interface that stands already its index. Out: these indexes.
fn attach(plan: &Plan, machine: &Machine, interfaces: &mut [Vec<u32>]) -> BTreeSet<u32> {
    for link in plan.links.iter().filter(|_| !machine.interfaces.is_empty()) {
        let ends = link.ends.map(|(node, position)| (node.index(), position as usize));
        let Some(standing) = ends.iter().find_map(|end| machine.interfaces.get(end)) else { continue };
        for (node, position) in ends {
            if let Some(index) = interfaces.get_mut(node).and_then(|all| all.get_mut(position)) {
                *index = standing.index;
            }
        }
    }
    machine.interfaces.values().map(|standing| standing.index).collect()
}

/// The widths of a plan, with ports of the machine's bridges no narrower than those: else the bridge would become as narrow.
fn all_widths(plan: &Plan, machine: &Machine) -> Vec<Vec<Width>> {
    let mut all = widths(plan);
    for (node, bridge) in machine.bridges.iter().filter(|(_, bridge)| bridge.mtu > DEFAULT) {
        for width in &mut all[*node] {
            let least = |mtu: Option<u32>| Some(mtu.unwrap_or(DEFAULT).max(bridge.mtu));
            *width = Width { own: least(width.own), wire: least(width.wire) };
        }
    }
    all
}

/// The name of an interface that the file does not know: no name of the language has this sign.
pub(crate) fn hidden_name(index: u32) -> String {
    format!("~{index}")
}

/// The name of an interface that is made on the machine, whose index no other has.
fn machine_name(index: u32) -> String {
    format!("scn{index}")
}
