//! Both ends of a flow of frames: by which interface it leaves, where it arrives, and the addresses that its headers have if nothing is said. In:
//! a plan. Out: the ends. Asks no kernel.

use std::net::IpAddr;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::flow::Destination;
use scn_grammar::scenario::topology::{Mac, Prefix};

use crate::plan::types::{Plan, PlannedFlow, PlannedNode};

/// An interface, as headers name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: Mac,
    /// Its addresses.
    addresses: Vec<IpAddr>,
}

/// One end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct End {
    /// The interface that was said.
    pub said: Option<Interface>,
    /// All interfaces of the node that links make; of one that was said, that one alone.
    pub all: Vec<Interface>,
    /// The address that was said.
    pub address: Option<IpAddr>,
}

impl End {
    /// Its first address of a family.
    pub fn address(&self, ipv6: bool) -> Option<IpAddr> {
        let addresses = self.all.iter().flat_map(|interface| interface.addresses.iter().copied());
        self.address.into_iter().chain(addresses).find(|address| address.is_ipv6() == ipv6)
    }

    /// Its hardware address: that of the interface that was said, that has the address that was said, or of the first.
    pub fn mac(&self) -> Option<Mac> {
        let has = |interface: &&Interface| self.address.is_some_and(|address| interface.addresses.contains(&address));
        self.said.as_ref().or_else(|| self.all.iter().find(has)).or(self.all.first()).map(|interface| interface.mac)
    }
}

/// Where a flow begins.
pub fn from(plan: &Plan, flow: &PlannedFlow) -> End {
    end(plan, flow.from, flow.from_interface.as_deref())
}

/// Where a flow goes, with the node; more than one where several may have its address.
pub fn to(plan: &Plan, flow: &PlannedFlow) -> (Vec<NodeId>, End) {
    match &flow.to {
        Destination::Node(node, _) => (vec![*node], end(plan, *node, None)),
        Destination::Interface(node, interface, _) => (vec![*node], end(plan, *node, Some(interface))),
        Destination::Address(address, _) => {
            let has = |node: &&PlannedNode| node.interfaces.iter().any(|one| one.addresses.iter().any(|prefix| prefix.address == *address));
            let holders = plan.nodes.iter().zip(0u32..).filter(|(node, _)| has(node)).map(|(_, at)| NodeId(at));
            let holders: Vec<NodeId> = holders.collect();
            let all = holders.first().map_or_else(Vec::new, |node| end(plan, *node, None).all);
            (holders, End { said: None, all, address: Some(*address) })
        }
        // The checker lets no other through: frames have no port.
        _ => (Vec::new(), End::default()),
    }
}

/// The interfaces of a node at which frames arrive.
pub fn arrive_at(plan: &Plan, flow: &PlannedFlow) -> Vec<(NodeId, String)> {
    if flow.peer_none {
        return Vec::new();
    }
    let (nodes, end) = to(plan, flow);
    let of_node = |node: &NodeId| {
        let said = end.said.as_ref().map(|interface| vec![interface.name.clone()]);
        let all = || plan.nodes[node.index()].interfaces.iter().map(|interface| interface.name.clone()).collect();
        said.unwrap_or_else(all).into_iter().map(|name| (*node, name)).collect::<Vec<_>>()
    };
    nodes.iter().flat_map(of_node).collect()
}

fn end(plan: &Plan, node: NodeId, said: Option<&str>) -> End {
    let made = |name: &str, mac: [u8; 6], prefixes: &[Prefix]| Interface {
        name: name.to_owned(),
        mac: Mac(mac),
        addresses: prefixes.iter().map(|prefix| prefix.address).collect(),
    };
    let linked = plan.nodes[node.index()].interfaces.iter().map(|one| made(&one.name, one.mac, &one.addresses));
    let Some(name) = said else { return End { said: None, all: linked.collect(), address: None } };
    let uppers = plan.interfaces.iter().filter(|one| one.node == node).map(|one| made(&one.name, one.mac, &one.addresses));
    let said = linked.chain(uppers).find(|interface| interface.name == name);
    End { all: said.iter().cloned().collect(), said, address: None }
}
