//! Broadcast domains: links joined by bridges. In: topology and interfaces. Out: each domain with its members. Bridges in a
//! ring are refused, since frames would circle in it. Gives no addresses.

use std::collections::BTreeMap;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::topology::Topology;
use scn_grammar::source::Span;

use super::errors::{Findings, PlanError};
use super::names::Interfaces;
use super::network::{Family, Network};

/// Links that share their frames.
#[derive(Debug)]
pub(crate) struct Domain {
    /// Hosts and routers with the position of their interface, in the order of the links.
    pub(crate) members: Vec<Member>,
    /// The first of its links.
    pub(crate) span: Span,
    /// Its subnet of each family, and where it was said; filled in when addresses are given.
    pub(crate) subnets: [Option<Network>; 2],
}

impl Domain {
    pub(crate) fn subnet(&self, family: Family) -> Option<Network> {
        self.subnets[family.index()]
    }
}

/// An interface in a domain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// Whose.
    pub(crate) node: NodeId,
    /// Which of the node's interfaces.
    pub(crate) interface: u32,
    /// Link and end, as positions.
    pub(crate) end: (usize, usize),
}

/// All domains, in the order of their first links.
#[derive(Debug)]
pub(crate) struct Domains {
    /// The domains.
    pub(crate) list: Vec<Domain>,
    /// By link: which domain.
    pub(crate) of_link: Vec<usize>,
}

/// Finds the domains.
pub(crate) fn find_domains(topology: &Topology, interfaces: &Interfaces, findings: &mut Findings) -> Domains {
    let is_bridge = |node: NodeId| topology.nodes[node.index()].kind.is_bridge();
    let mut parents: Vec<usize> = (0..topology.nodes.len()).collect();
    for link in &topology.links {
        let [a, b] = [link.ends[0].node, link.ends[1].node];
        if !(is_bridge(a) && is_bridge(b)) {
            continue;
        }
        let (root_a, root_b) = (root(&mut parents, a.index()), root(&mut parents, b.index()));
        if root_a == root_b {
            let name = |node: NodeId| topology.nodes[node.index()].name.clone();
            findings.add(PlanError::BridgeLoop { first: name(a), second: name(b), span: link.span });
        }
        parents[root_a.max(root_b)] = root_a.min(root_b);
    }
    let mut domains = Domains { list: Vec::new(), of_link: Vec::with_capacity(topology.links.len()) };
    let mut of_bridge: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, link) in topology.links.iter().enumerate() {
        let fresh = domains.list.len();
        let bridge = link.ends.iter().find(|end| is_bridge(end.node));
        let domain = match bridge {
            Some(end) => *of_bridge.entry(root(&mut parents, end.node.index())).or_insert(fresh),
            None => fresh,
        };
        if domain == fresh {
            domains.list.push(Domain { members: Vec::new(), span: link.span, subnets: [None, None] });
        }
        domains.of_link.push(domain);
        for (side, end) in link.ends.iter().enumerate() {
            if !is_bridge(end.node) {
                let interface = interfaces.of_link[index][side].1;
                domains.list[domain].members.push(Member { node: end.node, interface, end: (index, side) });
            }
        }
    }
    domains
}

/// The representative of a set, with the way to it shortened.
fn root(parents: &mut [usize], of: usize) -> usize {
    let mut at = of;
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}
