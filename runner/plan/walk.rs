//! Walks a packet along the routes of a plan. In: the graph and every node's routes. Out: that it arrives, or in words where it
//! ends. Sends nothing: what a fault or an impairment does to it is the run's business.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use scn_grammar::scenario::NodeId;

use super::graph::Graph;
use super::network::{Family, Network};
use super::types::PlannedRoute;

/// A packet's hop limit.
const HOPS: usize = 64;

/// What a node's table says of a destination.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// On the wire of this interface.
    Wire(u32),
    /// By this next hop.
    Hop(IpAddr),
}

/// The tables of the nodes that packets have come by.
pub(crate) struct Walker<'a> {
    graph: &'a Graph<'a>,
    routes: &'a [Vec<PlannedRoute>],
    /// Who has an address at the start, and on which interface.
    holders: BTreeMap<IpAddr, (usize, u32)>,
    tables: BTreeMap<usize, Table>,
    /// Nodes whose programs may set routes that no plan knows.
    led: BTreeSet<usize>,
    /// What entries of the timeline make of the routes.
    later: Option<Box<Walker<'a>>>,
}

/// One node's table: networks, and the lengths that occur, longest first.
#[derive(Debug, Default)]
struct Table {
    ways: BTreeMap<Network, Way>,
    lengths: BTreeSet<std::cmp::Reverse<u8>>,
}

impl Table {
    fn find(&self, of: IpAddr) -> Option<Way> {
        let possible = |length: &u8| *length <= Family::of(of).bits();
        self.lengths.iter().map(|length| length.0).filter(possible).find_map(|length| self.ways.get(&Network::new(of, length)).copied())
    }
}

impl<'a> Walker<'a> {
    pub(crate) fn new(graph: &'a Graph<'a>, routes: &'a [Vec<PlannedRoute>]) -> Walker<'a> {
        let mut holders = BTreeMap::new();
        for (node, interfaces) in graph.interfaces.iter().enumerate() {
            for (position, interface) in (0u32..).zip(interfaces) {
                holders.extend(interface.addresses.iter().map(|prefix| (prefix.address, (node, position))));
            }
        }
        Walker { graph, routes, holders, tables: BTreeMap::new(), led: BTreeSet::new(), later: None }
    }

    /// Where one of these nodes has no route, a program of its own may make one: the way cannot be told beforehand, and is not denied.
    pub(crate) fn led_by(self, led: BTreeSet<usize>) -> Walker<'a> {
        Walker { led, ..self }
    }

    /// A way that there is only by the routes of the timeline is a way too.
    pub(crate) fn or(self, later: Walker<'a>) -> Walker<'a> {
        Walker { later: Some(Box::new(later)), ..self }
    }

    /// There and back: from a node to an address that `to` has, and from there to the address that the kernel picks for the
    /// sender. The error says where it ends.
    pub(crate) fn both_ways(&mut self, from: NodeId, to: NodeId, target: IpAddr) -> Result<(), String> {
        let found = self.there_and_back(from, to, target);
        let later = self.later.as_mut().filter(|_| found.is_err());
        if later.is_some_and(|later| later.both_ways(from, to, target).is_ok()) { Ok(()) } else { found }
    }

    /// Back: from a node to an address that `to` takes for its own. The error says where it ends.
    pub(crate) fn back(&mut self, from: NodeId, to: NodeId, source: IpAddr) -> Result<(), String> {
        let found = self.one_way(from.index(), to.index(), source);
        let later = self.later.as_mut().filter(|_| found.is_err());
        if later.is_some_and(|later| later.back(from, to, source).is_ok()) { Ok(()) } else { found }
    }

    /// A node has a way to an address by this interface, as far as it can be told.
    pub(crate) fn leads_by(&self, node: NodeId, interface: u32, target: IpAddr) -> bool {
        let on_wire = |address| self.graph.on_wire(node.index(), interface, address);
        let routed = self.routes[node.index()].iter().any(|route| Network::of(route.to).contains(target) && on_wire(route.via));
        let later = || self.later.as_ref().is_some_and(|later| later.leads_by(node, interface, target));
        on_wire(target) || routed || self.led.contains(&node.index()) || later()
    }

    fn there_and_back(&mut self, from: NodeId, to: NodeId, target: IpAddr) -> Result<(), String> {
        if from == to {
            return Ok(());
        }
        self.one_way(from.index(), to.index(), target)?;
        let source = self.source(from.index(), target);
        if source.is_none() && self.led.contains(&from.index()) {
            return Ok(());
        }
        let source =
            source.ok_or_else(|| format!("`{}` has no {} address to send from", self.graph.name(from), Family::of(target).word()))?;
        self.one_way(to.index(), from.index(), source).map_err(|ends| format!("the way back: {ends}"))
    }

    /// From a node to an address of another, as far as it can be told.
    fn one_way(&mut self, from: usize, to: usize, target: IpAddr) -> Result<(), String> {
        let graph = self.graph;
        let name = |node: usize| &graph.topology.nodes[node].name;
        let mut at = from;
        for _ in 0..HOPS {
            if at == to {
                return Ok(());
            }
            if at != from && !graph.routes(at) {
                return Err(format!("it ends at `{}`, which does not forward", name(at)));
            }
            match self.table(at).find(target) {
                None if self.led.contains(&at) => return Ok(()),
                None => return Err(format!("it ends at `{}`, which has no route to {target}", name(at))),
                Some(Way::Wire(interface)) => {
                    let domain = self.domain(at, interface);
                    let there = self.is_on(to, domain);
                    let ends =
                        || format!("it ends at `{}`, whose neighbours on {} are not `{}`", name(at), self.subnet(domain, target), name(to));
                    return if there { Ok(()) } else { Err(ends()) };
                }
                Some(Way::Hop(via)) => {
                    let domain = match self.table(at).find(via) {
                        Some(Way::Wire(interface)) => self.domain(at, interface),
                        _ => return Err(format!("it ends at `{}`, whose next hop {via} is no neighbour", name(at))),
                    };
                    match self.holders.get(&via) {
                        Some((next, interface)) if self.domain(*next, *interface) == domain => at = *next,
                        _ => return Err(format!("it ends at `{}`, whose next hop {via} no node has", name(at))),
                    }
                }
            }
        }
        Err(format!("it goes round in a ring of routers by `{}`", name(at)))
    }

    /// The address that the kernel sends from: of the interface that the packet leaves by.
    pub(crate) fn source(&mut self, from: usize, target: IpAddr) -> Option<IpAddr> {
        let graph = self.graph;
        let mut way = self.table(from).find(target)?;
        if let Way::Hop(via) = way {
            way = self.table(from).find(via)?;
        }
        let Way::Wire(interface) = way else { return None };
        graph.address(from, interface, Family::of(target))
    }

    /// A node has an interface in a domain. Looks through the shorter of the two lists.
    fn is_on(&self, node: usize, domain: Option<usize>) -> bool {
        let Some(domain) = domain else { return false };
        let (own, members) = (&self.graph.domains.of_interface[node], &self.graph.domains.list[domain].members);
        if own.len() < members.len() { own.contains(&Some(domain)) } else { members.iter().any(|member| member.node.index() == node) }
    }

    fn domain(&self, node: usize, interface: u32) -> Option<usize> {
        self.graph.domain(node, interface)
    }

    fn subnet(&self, domain: Option<usize>, target: IpAddr) -> String {
        let domain = domain.map(|domain| &self.graph.domains.list[domain]);
        domain.and_then(|domain| domain.subnet(Family::of(target))).map_or_else(|| "no subnet".to_owned(), |subnet| subnet.to_string())
    }

    /// A node's table, made when it is first asked for.
    fn table(&mut self, node: usize) -> &Table {
        let (graph, routes) = (self.graph, self.routes);
        self.tables.entry(node).or_insert_with(|| {
            let mut table = Table::default();
            let mut add = |network: Network, way: Way| {
                table.lengths.insert(std::cmp::Reverse(network.length));
                table.ways.entry(network).or_insert(way);
            };
            for (position, interface) in (0u32..).zip(&graph.interfaces[node]) {
                for prefix in &interface.addresses {
                    let network = Network::of(*prefix);
                    if !network.is_single() {
                        add(network, Way::Wire(position));
                    }
                }
            }
            for route in &routes[node] {
                add(Network::of(route.to), Way::Hop(route.via));
            }
            table
        })
    }
}
