//! Flows to more than one: to a multicast group (RFC 1112, RFC 4291) or a broadcast address (RFC 919). In: a flow's address, listeners,
//! broadcast domains. Out: the interface it leaves by and the nodes that receive it. Joins nothing: whoever opens the sockets does.
//!
//! Such datagrams stay on the sender's link: routers of a run forward none.

use std::net::{IpAddr, SocketAddr};

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::flow::Flow;
use scn_grammar::scenario::pattern::{Pattern, Side, Step, StepKind};
use scn_grammar::scenario::transport::TransportKind;

use super::errors::PlanError;
use super::flows::Targets;
use super::graph::Graph;
use super::network::{Family, Network};
use super::types::{PlannedInterface, PlannedListener};
use crate::traffic::is_identified;

/// More than one may receive what is sent there, whoever sends it.
pub(crate) fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

/// The broadcast address of the network that an interface has an address of.
fn is_broadcast_of(interface: &PlannedInterface, address: IpAddr) -> bool {
    let of = |network: Network| Family::of(address) == Family::V4 && !is_point(network) && network.contains(address);
    let last = |network: Network| Network::of(scn_grammar::scenario::topology::Prefix { address, length: 32 }).last() == network.last();
    interface.addresses.iter().map(|prefix| Network::of(*prefix)).any(|network| of(network) && last(network))
}

/// A network of one or two addresses has none to spare (RFC 3021).
fn is_point(network: Network) -> bool {
    let (first, last) = network.hosts();
    network.is_single() || last - first < 1 || last == network.last()
}

/// A node can listen on an address that is nobody's own: a group it joins, or a broadcast address of its networks.
pub(crate) fn can_listen(graph: &Graph<'_>, node: NodeId, address: IpAddr, over: TransportKind) -> bool {
    let broadcast = || graph.interfaces[node.index()].iter().any(|interface| is_broadcast_of(interface, address));
    over == TransportKind::Udp && (is_group(address) || broadcast())
}

/// A listener hears what is sent to a group: it listens on it, or on all addresses where no host needs to join.
fn hears(listener: &PlannedListener, target: SocketAddr) -> bool {
    let everyone = match target.ip() {
        IpAddr::V4(v4) => !v4.is_multicast() || v4.octets() == [224, 0, 0, 1],
        IpAddr::V6(v6) => v6.segments() == [0xff02, 0, 0, 0, 0, 0, 0, 1],
    };
    let there = listener.address == target.ip() || (listener.address.is_unspecified() && everyone);
    listener.listener.kind() == TransportKind::Udp && listener.port == target.port() && there
}

/// A flow's way to its receivers.
pub(crate) struct Spread {
    /// The nodes that receive it, in order.
    pub(crate) receivers: Vec<NodeId>,
    /// The sender's interface.
    pub(crate) interface: String,
}

impl Targets<'_> {
    /// Where a flow to this address goes if that is a group or a broadcast address; `None`: it is not.
    pub(crate) fn spread(&self, flow: &Flow, target: SocketAddr) -> Option<Result<Spread, PlanError>> {
        let own = &self.graph.interfaces[flow.from.index()];
        let near = |interface: &PlannedInterface| is_broadcast_of(interface, target.ip());
        let of_subnet = !is_group(target.ip()) && own.iter().any(near);
        let udp = flow.transport.kind() == TransportKind::Udp && flow.tool.is_none();
        if !udp || !(is_group(target.ip()) || of_subnet) {
            return None;
        }
        let said = |name: &String| flow.from_interface.as_ref().is_none_or(|said| said == name);
        let family = Family::of(target.ip());
        let speaks = |interface: &PlannedInterface| interface.addresses.iter().any(|prefix| Family::of(prefix.address) == family);
        let ways = (0u32..).zip(own).filter(|(_, interface)| said(&interface.name) && speaks(interface) && (!of_subnet || near(interface)));
        for (at, interface) in ways {
            let receivers = self.receivers(flow.from, at, target);
            if !receivers.is_empty() {
                return Some(self.plays(flow).map(|()| Spread { receivers, interface: interface.name.clone() }));
            }
        }
        let from = self.graph.name(flow.from).to_owned();
        let listen = if target.ip().is_multicast() { target.to_string() } else { format!(":{}", target.port()) };
        Some(Err(PlanError::NobodyReceives { target: target.to_string(), listen, from, span: flow.span }))
    }

    /// The nodes with listeners that hear it on the link behind an interface.
    fn receivers(&self, from: NodeId, at: u32, target: SocketAddr) -> Vec<NodeId> {
        let Some(domain) = self.graph.domain(from.index(), at) else { return Vec::new() };
        let on_it = |node: NodeId| {
            let interfaces = 0..u32::try_from(self.graph.interfaces[node.index()].len()).unwrap_or(u32::MAX);
            interfaces.into_iter().any(|at| {
                let speaks = self.graph.address(node.index(), at, Family::of(target.ip())).is_some();
                // A host drops what is sent to the broadcast address of a network that it is not in.
                let interface = &self.graph.interfaces[node.index()][at as usize];
                let takes = is_group(target.ip()) || is_broadcast_of(interface, target.ip());
                speaks && takes && self.graph.domain(node.index(), at) == Some(domain)
            })
        };
        let hearing = self.listeners.list.iter().filter(|listener| hears(listener, target) && on_it(listener.node));
        let mut nodes: Vec<NodeId> = hearing.map(|listener| listener.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// A pattern can be played with several at once.
    fn plays(&self, flow: &Flow) -> Result<(), PlanError> {
        let Some(pattern) = &flow.pattern else { return Ok(()) };
        let why = if !is_identified(&pattern.steps) {
            "who answered what can't be told by messages without a header: send filling of 32B or more"
        } else if !speaks_once(pattern) {
            "the client sends again after an answer or a pause, or by chance: each of the receivers would be another one to talk with"
        } else {
            return Ok(());
        };
        Err(PlanError::GroupPattern { flow: flow.name.clone(), pattern: pattern.name.clone(), why, span: flow.span })
    }
}

/// All that the client sends it sends at once, at the beginning, and it is sure what that is.
fn speaks_once(pattern: &Pattern) -> bool {
    fn sends(steps: &[Step]) -> bool {
        steps.iter().any(|step| match &step.kind {
            StepKind::Sends { by, .. } | StepKind::Echoes { by } => *by == Side::Client,
            StepKind::Repeat { steps, .. } => sends(steps),
            StepKind::Choose { branches } => branches.iter().any(|branch| sends(&branch.steps)),
            _ => false,
        })
    }
    use StepKind::{Expects, Sends};
    let at_once = |step: &&Step| matches!(&step.kind, Sends { by: Side::Client, .. } | Expects { by: Side::Server, .. });
    let first = pattern.steps.iter().take_while(at_once).count();
    first > 0 && !sends(&pattern.steps[first..])
}
