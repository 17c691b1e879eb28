//! Addresses that the timeline takes away: whether the node that loses one can have it. In: the entries. Out: problems.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::draft::Draft;
use super::moment_error::MomentError;
use crate::scenario::NodeId;
use crate::scenario::timeline::Action;

impl Draft<'_, '_> {
    /// Reports an address that is taken from a node which nothing gives it to.
    pub(super) fn check_taken_addresses(&mut self) {
        let topology = &self.scenario.topology;
        let written = topology.links.iter().flat_map(|link| &link.ends).map(|end| (end.node, &end.addresses));
        let on_others = topology.interfaces.iter().map(|interface| (interface.node, &interface.addresses));
        let mut has: BTreeSet<(NodeId, IpAddr)> = written
            .chain(on_others)
            .flat_map(|(node, addresses)| addresses.iter().map(move |(prefix, _)| (node, prefix.address)))
            .collect();
        for entry in &self.scenario.timeline {
            match &entry.action {
                Action::AddAddress { prefix, node, .. } => drop(has.insert((*node, prefix.address))),
                Action::MoveAddress { prefix, to, .. } => drop(has.insert((*to, prefix.address))),
                _ => {}
            }
        }
        let mut problems = Vec::new();
        let mut told = BTreeSet::new();
        for entry in &self.scenario.timeline {
            let (address, node) = match &entry.action {
                Action::RemoveAddress { address, node } => (*address, *node),
                Action::MoveAddress { prefix, from, .. } => (prefix.address, *from),
                _ => continue,
            };
            if !has.contains(&(node, address)) && told.insert((entry.span, node, address)) {
                let name = |id: NodeId| self.scenario.topology.nodes.get(id.index()).map(|node| node.name.clone());
                let owner = has.iter().find(|(_, other)| *other == address).and_then(|(owner, _)| name(*owner));
                let help = owner.map(|owner| format!("`{owner}` has it"));
                let (address, node) = (address.to_string(), name(node).unwrap_or_default());
                problems.push(MomentError::AddressNotThere { address, node, span: entry.span, help });
            }
        }
        problems.into_iter().for_each(|problem| self.context.raise(problem));
    }
}
