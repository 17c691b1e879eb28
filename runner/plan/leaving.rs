//! Flows from an interface of a node, and to one. In: flows, interfaces, routes. Out: targets that are reached by the interface that is said,
//! or why they are not. Sends nothing.

use std::net::{IpAddr, SocketAddr};

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::flow::Flow;

use super::errors::PlanError;
use super::flows::Targets;
use super::network::{FAMILIES, Family};

impl Targets<'_> {
    /// To an interface, at its address; IPv4 if both ends have it and it leads there, else IPv6.
    pub(crate) fn find_interface(
        &mut self,
        flow: &Flow,
        (node, name): (NodeId, &str),
        (port, served): (u16, bool),
    ) -> Result<(SocketAddr, Vec<NodeId>), PlanError> {
        let mut failure = None;
        for family in FAMILIES {
            let address = self.position(node, name).and_then(|at| self.graph.address(node.index(), at, family));
            let Some(address) = address.filter(|_| self.starts_in(flow, family)) else { continue };
            let backends = if served { self.backends(address, port, flow.transport.kind()) } else { vec![node] };
            match self.reach(flow.from, &backends, address).and_then(|()| self.leave(flow, address, &backends)) {
                Ok(()) => return Ok((SocketAddr::new(address, port), backends)),
                Err(ends) => _ = failure.get_or_insert((address.to_string(), ends)),
            }
        }
        let none = || (format!("{}.{name}", self.graph.name(node)), "it has no address of a family that the flow starts in".to_owned());
        let (to, ends) = failure.unwrap_or_else(none);
        Err(self.unreachable(flow, to, ends))
    }

    /// A flow can start in this family.
    pub(crate) fn starts_in(&self, flow: &Flow, family: Family) -> bool {
        let by_source = flow.source.is_empty() || flow.source.iter().any(|prefix| Family::of(prefix.address) == family);
        let of_interface = |at: u32| self.graph.address(flow.from.index(), at, family).is_some();
        let speaks = match self.said(flow) {
            Some(at) => of_interface(at),
            None => self.graph.speaks(flow.from, family),
        };
        by_source && speaks
    }

    /// Of the interfaces by which a target can be reached, those on the wire of the interface that the flow is said to leave by, if there
    /// are such.
    pub(crate) fn facing(&self, flow: &Flow, mut candidates: Vec<(NodeId, u32)>, family: Family) -> Vec<(NodeId, u32)> {
        let Some(at) = self.said(flow) else { return candidates };
        let address = |(node, interface): &(NodeId, u32)| self.graph.address(node.index(), *interface, family);
        let near = |candidate: &(NodeId, u32)| address(candidate).is_some_and(|to| self.graph.on_wire(flow.from.index(), at, to));
        if candidates.iter().any(near) {
            candidates.retain(near);
        }
        candidates
    }

    /// Its packets get there by the interface that it is said to leave by, and answers find back to that; otherwise where the way ends.
    pub(crate) fn leave(&mut self, flow: &Flow, target: IpAddr, backends: &[NodeId]) -> Result<(), String> {
        let (Some(at), true) = (self.said(flow), self.routed) else { return Ok(()) };
        let name = format!("{}.{}", self.graph.name(flow.from), flow.from_interface.as_deref().unwrap_or_default());
        if backends.contains(&flow.from) {
            return Err(format!("the target is at the same node, which is never reached by `{name}`"));
        }
        if !self.walker.leads_by(flow.from, at, target) {
            return Err(format!("`{name}` has no route to {target}"));
        }
        let Some(source) = self.graph.address(flow.from.index(), at, Family::of(target)).filter(|_| flow.source.is_empty()) else {
            return Ok(());
        };
        let mut ends = None;
        for backend in backends {
            match self.walker.back(*backend, flow.from, source) {
                Ok(()) => return Ok(()),
                Err(why) => _ = ends.get_or_insert(why),
            }
        }
        ends.map_or(Ok(()), |ends| Err(format!("the way back to {source} of `{name}`: {ends}")))
    }

    /// The interface that a flow is said to leave by, where the plan knows its addresses.
    fn said(&self, flow: &Flow) -> Option<u32> {
        let known = !self.graph.kind(flow.from.index()).is_external();
        flow.from_interface.as_deref().filter(|_| known).and_then(|name| self.position(flow.from, name))
    }

    fn position(&self, node: NodeId, name: &str) -> Option<u32> {
        let at = self.graph.interfaces[node.index()].iter().position(|interface| interface.name == name)?;
        u32::try_from(at).ok()
    }
}
