//! Addresses that come, go and move. In: an address and nodes. Out: steps for the lab's thread. Touches no kernel.

use std::net::IpAddr;

use scn_grammar::scenario::topology::Prefix;

use super::bench::{Request, Step};
use super::error::LabError;
use super::faults::{Faults, Todo};
use super::messages;

impl Faults {
    /// A node gets an address.
    pub(super) fn add(&mut self, prefix: Prefix, node: usize, interface: Option<&str>) -> Result<Todo, LabError> {
        if self.holder(node, prefix.address).is_some() {
            let warning = format!("add {prefix} to {} had no effect: it has it already", self.nodes[node].name);
            return Ok(Todo { warnings: vec![warning], ..Todo::default() });
        }
        let at = self.place_for(prefix, node, interface)?;
        let steps = self.given(prefix, node, at);
        Ok(Todo { steps, ..Todo::default() })
    }

    /// A node loses an address.
    pub(super) fn remove(&mut self, address: IpAddr, node: usize) -> Result<Todo, LabError> {
        let (at, held) = self.holder(node, address).ok_or_else(|| self.not_there(node, address))?;
        Ok(Todo { steps: vec![self.taken(held, node, at)], ..Todo::default() })
    }

    /// An address goes from one node to another: first it goes, then it comes, then all are told.
    pub(super) fn relocate(&mut self, prefix: Prefix, from: usize, to: usize, interface: Option<&str>) -> Result<Todo, LabError> {
        let (at, held) = self.holder(from, prefix.address).ok_or_else(|| self.not_there(from, prefix.address))?;
        let there = self.place_for(prefix, to, interface)?;
        if (from, at) == (to, there) {
            let warning = format!("move {prefix} to {} had no effect: it is there already", self.nodes[to].name);
            return Ok(Todo { warnings: vec![warning], ..Todo::default() });
        }
        let mut steps = vec![self.taken(held, from, at)];
        if from == to || self.holder(to, prefix.address).is_none() {
            steps.extend(self.given(prefix, to, there));
        }
        Ok(Todo { steps, ..Todo::default() })
    }

    /// Where a node has an address.
    fn holder(&self, node: usize, address: IpAddr) -> Option<(usize, Prefix)> {
        let interfaces = self.nodes[node].interfaces.iter().enumerate();
        interfaces.flat_map(|(at, i)| i.addresses.iter().map(move |held| (at, *held))).find(|(_, held)| held.address == address)
    }

    fn not_there(&self, node: usize, address: IpAddr) -> LabError {
        let state = &self.nodes[node];
        let known: Vec<String> = state.interfaces.iter().flat_map(|i| i.addresses.iter().map(ToString::to_string)).collect();
        LabError::NoAddress { node: state.name.clone(), address: address.to_string(), known: known.join(", ") }
    }

    /// The interface that was named, or else the first whose subnet holds the address.
    fn place_for(&self, prefix: Prefix, node: usize, interface: Option<&str>) -> Result<usize, LabError> {
        if let Some(name) = interface {
            return self.position(node, name);
        }
        let state = &self.nodes[node];
        let mut interfaces = state.interfaces.iter();
        let near = |subnet: &Prefix| messages::holds(*subnet, prefix.address);
        interfaces
            .position(|i| i.addresses.iter().chain(&i.planned).any(near))
            .ok_or_else(|| LabError::NoSubnet { node: state.name.clone(), address: prefix.to_string() })
    }

    fn given(&mut self, prefix: Prefix, node: usize, at: usize) -> Vec<Step> {
        self.nodes[node].interfaces[at].addresses.push(prefix);
        let doing = format!("add address {prefix} to {}", self.nodes[node].interfaces[at].name);
        let message = messages::add_address(self.layout.interfaces[node][at], prefix);
        let request = Request { message, place: self.nodes[node].name.clone(), doing };
        let announcement = self.announcement_of(node, at, prefix.address);
        std::iter::once(Step::Netlink(node, vec![request])).chain(announcement).collect()
    }

    fn taken(&mut self, held: Prefix, node: usize, at: usize) -> Step {
        self.nodes[node].interfaces[at].addresses.retain(|address| *address != held);
        let doing = format!("remove address {held} from {}", self.nodes[node].interfaces[at].name);
        let message = messages::remove_address(self.layout.interfaces[node][at], held);
        Step::Netlink(node, vec![Request { message, place: self.nodes[node].name.clone(), doing }])
    }
}
