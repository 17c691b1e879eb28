//! Who has which address, at the start and by the timeline. In: the graph and the timeline. Out: every holding, and the timeline
//! with the interface of each address filled in. What cannot be is reported with the entry.

use std::collections::BTreeMap;
use std::net::IpAddr;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::timeline::{Action, Entry};
use scn_grammar::scenario::topology::Prefix;
use scn_grammar::source::Span;

use super::engines::no_such_interface;
use super::errors::{Findings, PlanError};
use super::graph::Graph;
use super::network::{Family, Network, number, unusable};
use super::routes::{subnets_of, words};

/// A node that has an address at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holding {
    /// Who.
    pub(crate) node: NodeId,
    /// On which interface.
    pub(crate) interface: u32,
    /// From the start; otherwise an entry gives it.
    pub(crate) at_start: bool,
}

/// All holdings, by address; of one address in the order start, timeline.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    by_address: BTreeMap<IpAddr, Vec<Holding>>,
}

impl Holders {
    /// Those that have an address at some time.
    pub(crate) fn of(&self, address: IpAddr) -> &[Holding] {
        self.by_address.get(&address).map_or(&[], Vec::as_slice)
    }

    /// A node has an address at some time.
    pub(crate) fn has(&self, node: NodeId, address: IpAddr) -> bool {
        self.of(address).iter().any(|holding| holding.node == node)
    }

    /// A node has an address from the start.
    pub(crate) fn starts_with(&self, node: NodeId, address: IpAddr) -> bool {
        self.of(address).iter().any(|holding| holding.node == node && holding.at_start)
    }

    /// The address closest to this one, and who has it.
    pub(crate) fn nearest(&self, to: IpAddr) -> Option<(IpAddr, NodeId)> {
        let same = self.by_address.iter().filter(|(address, _)| Family::of(**address) == Family::of(to));
        let closest = same.min_by_key(|(address, _)| number(**address).abs_diff(number(to)))?;
        Some((*closest.0, closest.1.first()?.node))
    }

    fn add(&mut self, address: IpAddr, holding: Holding) {
        let list = self.by_address.entry(address).or_default();
        if !list.iter().any(|known| known.node == holding.node && known.interface == holding.interface) {
            list.push(holding);
        }
    }
}

/// Finds every holding and completes the timeline.
pub(crate) fn find_holders(timeline: &[Entry], graph: &Graph<'_>, findings: &mut Findings) -> (Holders, Vec<Entry>) {
    let mut holders = Holders::default();
    for (node, interfaces) in graph.interfaces.iter().enumerate() {
        for (interface, planned) in (0u32..).zip(interfaces) {
            for prefix in &planned.addresses {
                holders.add(prefix.address, Holding { node: super::names::node_id(node), interface, at_start: true });
            }
        }
    }
    let mut completed = timeline.to_vec();
    for entry in &mut completed {
        let (prefix, node, said) = match &mut entry.action {
            Action::AddAddress { prefix, node, interface } => (*prefix, *node, interface),
            Action::MoveAddress { prefix, to, interface, .. } => (*prefix, *to, interface),
            _ => continue,
        };
        match place(prefix, node, said.as_deref(), entry.span, graph) {
            Ok(interface) => {
                *said = Some(graph.interfaces[node.index()][interface as usize].name.clone());
                holders.add(prefix.address, Holding { node, interface, at_start: false });
            }
            Err(problem) => findings.add(problem),
        }
    }
    refuse_takes(timeline, &holders, graph, findings);
    (holders, completed)
}

/// The interface on which an address comes to a node.
fn place(prefix: Prefix, node: NodeId, said: Option<&str>, span: Span, graph: &Graph<'_>) -> Result<u32, PlanError> {
    let (index, name) = (node.index(), graph.name(node).to_owned());
    if graph.kind(index).is_bridge() {
        return Err(PlanError::NotAHost { name, what: "have an address", span, declared: graph.topology.nodes[index].span });
    }
    let interfaces = &graph.interfaces[index];
    if let Some(said) = said.filter(|said| interfaces.iter().all(|interface| interface.name != *said)) {
        return Err(no_such_interface(graph, node, said, span));
    }
    let network = Network::of(prefix);
    let named = |at: &u32| said.is_none_or(|said| interfaces[*at as usize].name == said);
    let subnets = |at: u32| graph.domain(index, at).map(|domain| graph.domains.list[domain].subnets).unwrap_or_default();
    let subnet = |at: u32| subnets(at)[network.family.index()];
    let fits = |subnet: Network| subnet == network || (network.is_single() && subnet.contains(prefix.address));
    let mut possible = (0u32..).take(interfaces.len()).filter(named);
    let Some(found) = possible.find(|at| subnet(*at).is_some_and(fits)) else {
        let place = said.map_or_else(|| format!("`{name}`"), |said| format!("`{said}` of `{name}`"));
        let subnets = match said {
            None => subnets_of(graph, index),
            Some(_) => (0u32..).take(interfaces.len()).filter(named).flat_map(subnets).flatten().collect(),
        };
        return Err(PlanError::NotOnSubnet { address: prefix.to_string(), place, subnets: words(&subnets), span });
    };
    let length = subnet(found).map_or(prefix.length, |subnet| subnet.length);
    match unusable(Prefix { length, ..prefix }) {
        Some(what) => Err(PlanError::NotAHostAddress { address: prefix.to_string(), what, span }),
        None => Ok(found),
    }
}

/// Nothing can be taken from a node that never has it.
fn refuse_takes(timeline: &[Entry], holders: &Holders, graph: &Graph<'_>, findings: &mut Findings) {
    for entry in timeline {
        let (address, node) = match &entry.action {
            Action::RemoveAddress { address, node } => (*address, *node),
            Action::MoveAddress { prefix, from, .. } => (prefix.address, *from),
            _ => continue,
        };
        if holders.has(node, address) {
            continue;
        }
        let others: Vec<&str> = holders.of(address).iter().map(|holding| graph.name(holding.node)).collect();
        let who = match others.as_slice() {
            [] => "no node ever has it".to_owned(),
            others => format!("these have it at some time: {}", others.join(", ")),
        };
        findings.add(PlanError::NotHeld {
            address: address.to_string(),
            node: graph.name(node).to_owned(),
            holders: who,
            span: entry.span,
        });
    }
}
