//! The topology as a graph of nodes with numbered interfaces. In: topology, interfaces with addresses, domains. Out: neighbours,
//! subnets of interfaces, and the search for the nearest of several. Changes nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::topology::{NodeKind, Topology};

use super::addresses::primary;
use super::domains::Domains;
use super::names::Interfaces;
use super::network::{Family, Network};
use super::types::PlannedInterface;

/// One way out of a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    /// The node at this end.
    pub(crate) from: usize,
    /// The node at the other end.
    pub(crate) to: usize,
    /// The interface at this end.
    pub(crate) here: u32,
    /// The interface at the other end.
    pub(crate) there: u32,
    /// The broadcast domain of the link.
    pub(crate) domain: usize,
    /// It leads through a tunnel, whose packets need a way of their own.
    pub(crate) tunnel: bool,
}

/// The topology, ready to be searched.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    /// The nodes as written.
    pub(crate) topology: &'a Topology,
    /// Broadcast domains.
    pub(crate) domains: &'a Domains,
    /// Interfaces by node, those of links first.
    pub(crate) interfaces: &'a [Vec<PlannedInterface>],
    /// By node: how many of them are of links.
    linked: &'a [usize],
    /// Edges by node, in the order of its interfaces. Behind the topology's nodes stand bridges as VLANs see them.
    pub(crate) edges: Vec<Vec<Edge>>,
    /// Edges among routers and bridges only: what a route can lead through.
    pub(crate) core: Vec<Vec<Edge>>,
    /// There are tunnels.
    pub(crate) tunnels: bool,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(topology: &'a Topology, domains: &'a Domains, interfaces: &'a Interfaces) -> Graph<'a> {
        let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); domains.nodes];
        for joint in &domains.joints {
            for [here, there] in [[joint.ends[0], joint.ends[1]], [joint.ends[1], joint.ends[0]]] {
                edges[here.0].push(Edge {
                    from: here.0,
                    to: there.0,
                    here: here.1,
                    there: there.1,
                    domain: joint.domain,
                    tunnel: joint.tunnel,
                });
            }
        }
        edges.iter_mut().for_each(|list| list.sort_unstable_by_key(|edge| (edge.here, edge.to, edge.there)));
        let forwards = |node: usize| topology.nodes.get(node).is_none_or(|node| node.kind.is_bridge() || node.forwarding);
        let core = edges.iter().enumerate();
        let core = core
            .map(|(node, list)| if forwards(node) { list.iter().copied().filter(|edge| forwards(edge.to)).collect() } else { Vec::new() });
        let core = core.collect();
        Graph {
            topology,
            domains,
            interfaces: &interfaces.of_node,
            linked: &interfaces.linked,
            edges,
            core,
            tunnels: domains.joints.iter().any(|joint| joint.tunnel),
        }
    }

    pub(crate) fn kind(&self, node: usize) -> NodeKind {
        self.topology.nodes.get(node).map_or(NodeKind::Bridge, |node| node.kind)
    }

    /// The interfaces that links make at a node.
    pub(crate) fn linked(&self, node: NodeId) -> &[PlannedInterface] {
        &self.interfaces[node.index()][..self.linked[node.index()]]
    }

    /// The broadcast domain of an interface; `None`: another interface has taken it over.
    pub(crate) fn domain(&self, node: usize, interface: u32) -> Option<usize> {
        self.domains.of_interface[node][interface as usize]
    }

    /// A host or router that passes packets on.
    pub(crate) fn routes(&self, node: usize) -> bool {
        !self.kind(node).is_bridge() && self.topology.nodes[node].forwarding
    }

    /// A route can lead through it.
    pub(crate) fn forwards(&self, node: usize) -> bool {
        self.kind(node).is_bridge() || self.routes(node)
    }

    /// The interface that has an address at the start.
    pub(crate) fn holding(&self, node: NodeId, address: IpAddr) -> Option<u32> {
        let has = |interface: &PlannedInterface| interface.addresses.iter().any(|prefix| prefix.address == address);
        self.interfaces[node.index()].iter().position(has).and_then(|position| u32::try_from(position).ok())
    }

    pub(crate) fn name(&self, node: NodeId) -> &str {
        &self.topology.nodes[node.index()].name
    }

    /// The address by which neighbours reach an interface.
    pub(crate) fn address(&self, node: usize, interface: u32, family: Family) -> Option<IpAddr> {
        primary(&self.interfaces[node][interface as usize].addresses, family)
    }

    /// An address is in a network of an interface.
    pub(crate) fn on_wire(&self, node: usize, interface: u32, address: IpAddr) -> bool {
        self.interfaces[node][interface as usize].addresses.iter().any(|prefix| Network::of(*prefix).contains(address))
    }

    /// A packet of this family can take this edge: each end is a bridge or has an address.
    pub(crate) fn usable(&self, from: usize, edge: &Edge, family: Family) -> bool {
        let carries = |node: usize, interface: u32| self.kind(node).is_bridge() || self.address(node, interface, family).is_some();
        carries(from, edge.here) && carries(edge.to, edge.there)
    }

    /// A node has an address of this family.
    pub(crate) fn speaks(&self, node: NodeId, family: Family) -> bool {
        self.interfaces[node.index()].iter().any(|interface| primary(&interface.addresses, family).is_some())
    }

    /// For every node, which of these interfaces is the fewest links away; the lowest node, then the lowest interface, among
    /// equals. `None`: no chain of links joins them. Counts the edges it looks at.
    pub(crate) fn nearest(&self, candidates: &[(NodeId, u32)], work: &mut u64) -> Vec<Option<(NodeId, u32)>> {
        let mut best: Vec<Option<(NodeId, u32)>> = vec![None; self.edges.len()];
        let mut depth: Vec<u32> = vec![u32::MAX; self.edges.len()];
        let mut level: Vec<usize> = Vec::new();
        let chosen: BTreeSet<(NodeId, u32)> = candidates.iter().copied().collect();
        for candidate in &chosen {
            offer(&mut best, &mut depth, &mut level, candidate.0.index(), 0, *candidate);
        }
        let mut next = Vec::new();
        for node in level {
            let Some(own) = best[node] else { continue };
            for edge in &self.edges[node] {
                *work += 1;
                let label = Some((own.0, edge.here)).filter(|label| chosen.contains(label)).unwrap_or(own);
                offer(&mut best, &mut depth, &mut next, edge.to, 1, label);
            }
        }
        let mut distance = 1;
        while !next.is_empty() {
            level = std::mem::take(&mut next);
            distance += 1;
            for node in level {
                let Some(label) = best[node].filter(|_| self.kind(node).is_bridge() || self.routes(node)) else { continue };
                for edge in &self.edges[node] {
                    *work += 1;
                    offer(&mut best, &mut depth, &mut next, edge.to, distance, label);
                }
            }
        }
        best
    }
}

/// Reaches a node at this distance, or improves the label of one that was reached at the same distance.
fn offer<T: Copy + Ord>(best: &mut [Option<T>], depth: &mut [u32], level: &mut Vec<usize>, node: usize, distance: u32, label: T) {
    if depth[node] == u32::MAX {
        depth[node] = distance;
        level.push(node);
    } else if depth[node] < distance {
        return;
    }
    best[node] = Some(best[node].map_or(label, |other| other.min(label)));
}
