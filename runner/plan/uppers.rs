//! Interfaces that stand on others. In: statements and the interfaces of links. Out: each among its node's interfaces, after those of
//! the links and after those it stands on, with a hardware address. Gives no IP addresses.

use std::collections::{BTreeMap, BTreeSet};

use scn_grammar::scenario::topology::{Interface, InterfaceKind, MacvlanMode, Topology};
use scn_grammar::scenario::{LinkId, NodeId};

use super::errors::{Findings, PlanError};
use super::names::{Interfaces, mac, node_id, refused};
use super::types::PlannedInterface;

/// The MTU of Ethernet, which every interface has that says nothing else, in bytes.
pub(crate) const ETHERNET_MTU: u32 = 1500;

/// An interface that stands on others.
#[derive(Debug, Clone)]
pub(crate) struct Upper {
    /// Its statement, as a position.
    pub(crate) statement: usize,
    /// Whose.
    pub(crate) node: NodeId,
    /// Its position among the node's interfaces.
    pub(crate) position: u32,
    /// The positions of those it stands on.
    pub(crate) below: Vec<u32>,
}

/// Adds every interface of a statement to those of its node.
pub(crate) fn add_uppers(topology: &Topology, interfaces: &mut Interfaces, findings: &mut Findings) {
    let mut named: BTreeMap<(NodeId, String), u32> = BTreeMap::new();
    if !topology.interfaces.is_empty() {
        for (index, list) in interfaces.of_node.iter().enumerate() {
            named.extend((0u32..).zip(list).map(|(position, interface)| ((node_id(index), interface.name.clone()), position)));
        }
    }
    interfaces.uppers_of = vec![Vec::new(); topology.nodes.len()];
    for statement in order(&topology.interfaces) {
        let declared = &topology.interfaces[statement];
        if let Some(reason) = refused(&declared.name) {
            findings.add(PlanError::InterfaceName { name: declared.name.clone(), reason, span: declared.span });
        }
        let list = &interfaces.of_node[declared.node.index()];
        let below: Option<Vec<u32>> = declared.on.iter().map(|name| named.get(&(declared.node, name.clone())).copied()).collect();
        let Some(below) = below.filter(|below| !below.is_empty()) else {
            let has: Vec<&str> = list.iter().map(|interface| interface.name.as_str()).collect();
            let node = topology.nodes[declared.node.index()].name.clone();
            findings.add(PlanError::NoSuchInterface { node, name: declared.on.join(", "), has: has.join(", "), span: declared.span });
            continue;
        };
        let position = u32::try_from(list.len()).expect("interfaces are counted in 32 bits");
        let mut made = upper(declared, position, list, &below);
        match (declared.kind, declared.settings.offload) {
            (InterfaceKind::Macvlan { .. }, None) => {}
            (InterfaceKind::Macvlan { .. }, Some(_)) => {
                let below = format!("{}.{}", topology.nodes[declared.node.index()].name, declared.on.join(", "));
                findings.add(PlanError::OffloadOfOther { name: declared.name.clone(), below, span: declared.span });
            }
            (_, said) => made.settings.offload = said.or(topology.nodes[declared.node.index()].settings.offload),
        }
        named.insert((declared.node, declared.name.clone()), position);
        if covers(declared.kind) {
            interfaces.covered.extend(below.iter().map(|below| (declared.node, *below)));
        }
        interfaces.of_node[declared.node.index()].push(made);
        interfaces.uppers_of[declared.node.index()].push(interfaces.uppers.len());
        interfaces.uppers.push(Upper { statement, node: declared.node, position, below });
    }
}

/// What stands below such an interface has no network of its own any more.
fn covers(kind: InterfaceKind) -> bool {
    matches!(kind, InterfaceKind::Bond { .. } | InterfaceKind::Macvlan { mode: MacvlanMode::Passthru })
}

/// One of them, above others of its node.
fn upper(declared: &Interface, position: u32, list: &[PlannedInterface], below: &[u32]) -> PlannedInterface {
    let lowest = below.first().map(|below| &list[*below as usize]);
    let inherited = match declared.kind {
        InterfaceKind::Macvlan { mode: MacvlanMode::Bridge | MacvlanMode::Vepa | MacvlanMode::Private } => None,
        InterfaceKind::Macvlan { mode: MacvlanMode::Passthru } | InterfaceKind::Vlan { .. } | InterfaceKind::Bond { .. } => {
            lowest.map(|lowest| lowest.mac)
        }
    };
    let own = || inherited.unwrap_or_else(|| mac(declared.node.index(), position));
    PlannedInterface {
        name: declared.name.clone(),
        named: true,
        link: lowest.map_or(LinkId(0), |lowest| lowest.link),
        end: lowest.map_or(0, |lowest| lowest.end),
        mac: declared.settings.mac.map_or_else(own, |mac| mac.0),
        addresses: Vec::new(),
        written: 0,
        settings: declared.settings.clone(),
    }
}

/// The statements, each after those of the interfaces below it, otherwise in the order of the text.
fn order(declared: &[Interface]) -> Vec<usize> {
    let by_name: BTreeMap<(NodeId, &str), usize> =
        declared.iter().enumerate().map(|(index, interface)| ((interface.node, interface.name.as_str()), index)).collect();
    let mut waits: Vec<usize> = vec![0; declared.len()];
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); declared.len()];
    for (index, interface) in declared.iter().enumerate() {
        for below in interface.on.iter().filter_map(|name| by_name.get(&(interface.node, name.as_str()))) {
            waits[index] += 1;
            above[*below].push(index);
        }
    }
    let mut ready: BTreeSet<usize> = (0..declared.len()).filter(|index| waits[*index] == 0).collect();
    let mut order = Vec::with_capacity(declared.len());
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for upper in std::mem::take(&mut above[next]) {
            waits[upper] -= 1;
            if waits[upper] == 0 {
                ready.insert(upper);
            }
        }
    }
    order
}

impl Interfaces {
    /// The largest packet of an interface, in bytes: what it says, or what the lowest below it has.
    pub(crate) fn mtu(&self, node: NodeId, position: u32) -> u32 {
        let mut at = position as usize;
        // Each step goes to an earlier interface.
        loop {
            if let Some(mtu) = self.of_node[node.index()][at].settings.mtu {
                return mtu;
            }
            let upper = at.checked_sub(self.linked[node.index()]).map(|at| &self.uppers[self.uppers_of[node.index()][at]]);
            match upper.and_then(|upper| upper.below.first()) {
                Some(below) => at = *below as usize,
                None => return ETHERNET_MTU,
            }
        }
    }
}
