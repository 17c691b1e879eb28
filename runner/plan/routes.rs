//! Routes along the fewest links. In: the graph with its addresses, and the routes as written. Out: each node's routes. One
//! search for each subnet and family, over routers and bridges only, so that ten thousand hosts cost no more than their routers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use scn_grammar::scenario::Scenario;
use scn_grammar::source::Span;

use super::errors::{Findings, PlanError};
use super::graph::{Edge, Graph};
use super::network::{FAMILIES, Family, Network};
use super::types::PlannedRoute;

/// Computed routes of one plan at most: more would take the kernel minutes and gigabytes.
const ROUTES: usize = 2_000_000;
/// Links looked at in the search for them at most: about a second. Every subnet is searched for over all routers, so that in a full mesh
/// this grows with the fourth power of the routers; a hundred are fine.
const WORK: u64 = 50_000_000;

/// A list with more routes than this is written with larger networks where they lead the same way.
const AGGREGATE_ABOVE: usize = 64;

/// A next hop: the router, and its address on the shared subnet.
type Gate = (usize, IpAddr);

/// Routes of every node; `work` counts the edges looked at.
pub(crate) fn give_routes(scenario: &Scenario, graph: &Graph<'_>, work: &mut u64, findings: &mut Findings) -> Vec<Vec<PlannedRoute>> {
    let mut routes = said_routes(scenario, graph, findings);
    if scenario.topology.routing_manual {
        return routes;
    }
    let computes: Vec<bool> = (0..routes.len()).map(|node| routes[node].is_empty() && !graph.kind(node).is_bridge()).collect();
    for family in FAMILIES {
        let mut search = Search::new(graph, family, &computes);
        for domain in 0..graph.domains.list.len() {
            search.domain(domain, work);
            let (what, count, limit) = match search.stored {
                stored if stored > ROUTES => ("computed routes", stored as u64, ROUTES as u64),
                _ if *work > WORK => ("links to look at for routes", *work, WORK),
                _ => continue,
            };
            findings.add(PlanError::TooMany {
                what: what.to_owned(),
                count,
                limit,
                span: scenario.span,
                instead: "use fewer routers or larger subnets, or say `routing manual` and write the routes",
            });
            return routes;
        }
        search.hand_over(&mut routes);
    }
    routes
}

/// The routes that the file says, checked.
fn said_routes(scenario: &Scenario, graph: &Graph<'_>, findings: &mut Findings) -> Vec<Vec<PlannedRoute>> {
    let mut routes = vec![Vec::new(); scenario.topology.nodes.len()];
    let mut seen: BTreeMap<(usize, Network), Span> = BTreeMap::new();
    for route in &scenario.topology.routes {
        let (index, name) = (route.node.index(), graph.name(route.node).to_owned());
        if graph.kind(index).is_bridge() {
            let declared = scenario.topology.nodes[index].span;
            findings.add(PlanError::NotAHost { name, what: "have a route", span: route.span, declared });
            continue;
        }
        let (to, via) = (Network::of(route.to), route.via);
        let subnets = subnets_of(graph, index);
        let own = graph.interfaces[index].iter().flat_map(|interface| &interface.addresses).any(|prefix| prefix.address == via);
        if own || !subnets.iter().any(|subnet| subnet.contains(via)) {
            findings.add(PlanError::NextHop { via: via.to_string(), node: name.clone(), subnets: words(&subnets), span: route.span });
        }
        if let Some(first) = seen.insert((index, to), route.span) {
            findings.add(PlanError::RouteTwice { node: name, to: to.to_string(), span: route.span, first });
        }
        routes[index].push(PlannedRoute { to: to.prefix(), via, said: true });
    }
    routes
}

/// The subnets that a node's interfaces are on.
pub(crate) fn subnets_of(graph: &Graph<'_>, node: usize) -> BTreeSet<Network> {
    let prefixes = graph.interfaces[node].iter().flat_map(|interface| &interface.addresses);
    prefixes.map(|prefix| Network::of(*prefix)).filter(|network| !network.is_single()).collect()
}

/// Networks for people.
pub(crate) fn words(networks: &BTreeSet<Network>) -> String {
    if networks.is_empty() {
        return "no subnet at all".to_owned();
    }
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Hosts that see the same neighbours, and so have the same routes.
#[derive(Debug)]
struct Group {
    /// The ways out of one of them.
    edges: Vec<(usize, Edge)>,
    /// All of them.
    members: Vec<usize>,
    /// Where to, and by which next hop.
    routes: Vec<(Network, Gate)>,
}

/// The search of one family.
struct Search<'a> {
    graph: &'a Graph<'a>,
    family: Family,
    computes: &'a [bool],
    groups: Vec<Group>,
    /// By node: routes of a router.
    routers: Vec<Vec<(Network, Gate)>>,
    /// By node: the default route of a host with one router.
    defaults: Vec<Option<IpAddr>>,
    /// By node: links to the subnet at hand, and the next hop (none for those on the subnet). `None`: not reached.
    reached: Vec<Option<(u32, Option<Gate>)>>,
    /// Routes so far.
    stored: usize,
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph<'a>, family: Family, computes: &'a [bool]) -> Search<'a> {
        let nodes = graph.edges.len();
        let mut search = Search {
            graph,
            family,
            computes,
            groups: Vec::new(),
            routers: vec![Vec::new(); nodes],
            defaults: vec![None; nodes],
            reached: vec![None; nodes],
            stored: 0,
        };
        search.sort_hosts();
        search
    }

    /// Gives hosts with a single router its address, and puts the others into groups.
    fn sort_hosts(&mut self) {
        let (graph, family) = (self.graph, self.family);
        let gates = single_gates(graph, family);
        let mut groups: BTreeMap<Vec<(usize, Option<u32>)>, usize> = BTreeMap::new();
        for node in 0..graph.edges.len() {
            if graph.kind(node).is_bridge() || graph.routes(node) || !self.computes[node] {
                continue;
            }
            let edges: Vec<(usize, Edge)> =
                graph.edges[node].iter().filter(|edge| graph.usable(node, edge, family)).map(|edge| (node, *edge)).collect();
            let own: BTreeSet<usize> = edges.iter().map(|(_, edge)| edge.domain).collect();
            let gate = own.first().filter(|_| own.len() == 1).map(|domain| gates[*domain]);
            match gate {
                None if edges.is_empty() => {}
                Some(Gates::None) => {}
                Some(Gates::One(router, address)) => {
                    let leads_on = graph.edges[router].iter().any(|edge| !own.contains(&edge.domain));
                    self.defaults[node] = Some(address).filter(|_| leads_on);
                }
                Some(Gates::Several) | None => {
                    // Neighbours that are bridges are the same for all; a link to a router has addresses of its own.
                    let point = |edge: &Edge| (!graph.kind(edge.to).is_bridge()).then_some(edge.there);
                    let key = edges.iter().map(|(_, edge)| (edge.to, point(edge))).collect();
                    let group = *groups.entry(key).or_insert(self.groups.len());
                    if group == self.groups.len() {
                        self.groups.push(Group { edges, members: Vec::new(), routes: Vec::new() });
                    }
                    self.groups[group].members.push(node);
                }
            }
        }
    }

    /// Finds the ways to one subnet from everywhere.
    fn domain(&mut self, domain: usize, work: &mut u64) {
        let graph = self.graph;
        let Some(subnet) = graph.domains.list[domain].subnet(self.family) else { return };
        let mut visited = self.flood(domain, work);
        visited.sort_unstable();
        for node in &visited {
            let Some((_, Some(gate))) = self.reached[*node] else { continue };
            if graph.routes(*node) && self.computes[*node] {
                self.routers[*node].push((subnet, gate));
                self.stored += 1;
            }
        }
        if !visited.is_empty() {
            for group in &mut self.groups {
                *work += group.edges.len() as u64;
                if group.edges.iter().any(|(_, edge)| edge.domain == domain) {
                    continue;
                }
                let best = group.edges.iter().filter_map(|(_, edge)| step(graph, self.family, &self.reached, edge.to, edge.there)).min();
                if let Some((_, gate)) = best {
                    group.routes.push((subnet, gate));
                    self.stored += group.members.len();
                }
            }
        }
        for node in visited {
            self.reached[node] = None;
        }
    }

    /// Fills in `reached` from the routers of a domain outwards; gives the nodes that it reached.
    fn flood(&mut self, domain: usize, work: &mut u64) -> Vec<usize> {
        let (graph, family) = (self.graph, self.family);
        let mut visited: Vec<usize> = Vec::new();
        for member in &graph.domains.list[domain].members {
            let node = member.node.index();
            let attached = graph.routes(node) && graph.address(node, member.interface, family).is_some();
            if attached && self.reached[node].is_none() {
                self.reached[node] = Some((0, None));
                visited.push(node);
            }
        }
        let mut from = 0;
        while from < visited.len() {
            let node = visited[from];
            from += 1;
            for edge in &graph.core[node] {
                *work += 1;
                if !graph.usable(node, edge, family) {
                    continue;
                }
                let Some((distance, gate)) = step(graph, family, &self.reached, node, edge.here) else { continue };
                match &mut self.reached[edge.to] {
                    Some((known, Some(best))) if *known == distance => *best = gate.min(*best),
                    Some(_) => {}
                    fresh @ None => {
                        *fresh = Some((distance, Some(gate)));
                        visited.push(edge.to);
                    }
                }
            }
        }
        visited
    }

    /// Turns what was found into routes.
    fn hand_over(self, routes: &mut [Vec<PlannedRoute>]) {
        let planned = |list: Vec<(Network, IpAddr)>| list.into_iter().map(|(to, via)| PlannedRoute { to: to.prefix(), via, said: false });
        let everywhere = self.family.everywhere();
        for (node, via) in self.defaults.into_iter().enumerate() {
            routes[node].extend(planned(via.map(|via| (everywhere, via)).into_iter().collect()));
        }
        for (node, list) in self.routers.into_iter().enumerate() {
            routes[node].extend(planned(aggregated(list)));
        }
        for group in self.groups {
            let one_way = group.routes.first().copied().filter(|first| group.routes.iter().all(|route| route.1 == first.1));
            let list = match one_way {
                Some((_, (_, via))) => vec![(everywhere, via)],
                None => aggregated(group.routes),
            };
            for member in group.members {
                routes[member].extend(planned(list.clone()));
            }
        }
    }
}

/// What a node that enters `node` by its interface `entered` gets: links to the subnet, and the next hop.
fn step(graph: &Graph<'_>, family: Family, reached: &[Option<(u32, Option<Gate>)>], node: usize, entered: u32) -> Option<(u32, Gate)> {
    let (distance, gate) = reached[node]?;
    if graph.kind(node).is_bridge() {
        return Some((distance + 1, gate?));
    }
    Some((distance + 1, (node, graph.address(node, entered, family)?)))
}

/// Routers of a domain.
#[derive(Debug, Clone, Copy)]
enum Gates {
    None,
    One(usize, IpAddr),
    Several,
}

/// The routers of each domain.
fn single_gates(graph: &Graph<'_>, family: Family) -> Vec<Gates> {
    let routers = |domain: usize| {
        let members = graph.domains.list[domain].members.iter();
        let routers = members.filter(|member| graph.routes(member.node.index()));
        let mut with =
            routers.filter_map(|member| Some((member.node.index(), graph.address(member.node.index(), member.interface, family)?)));
        match (with.next(), with.next()) {
            (None, _) => Gates::None,
            (Some((router, address)), None) => Gates::One(router, address),
            (Some(_), Some(_)) => Gates::Several,
        }
    };
    (0..graph.domains.list.len()).map(routers).collect()
}

/// Sorted, and in a long list neighbouring halves that lead the same way made one. Covers exactly what it covered before.
fn aggregated(mut list: Vec<(Network, Gate)>) -> Vec<(Network, IpAddr)> {
    list.sort_unstable();
    let merge = list.len() > AGGREGATE_ABOVE;
    let mut stack: Vec<(Network, Gate)> = Vec::new();
    for route in list {
        stack.push(route);
        while let (true, [.., lower, upper]) = (merge, stack.as_slice()) {
            let (Some((parent, true)), Some((other, false))) = (lower.0.parent(), upper.0.parent()) else { break };
            if parent != other || lower.1 != upper.1 {
                break;
            }
            let gate = lower.1;
            stack.truncate(stack.len() - 2);
            stack.push((parent, gate));
        }
    }
    stack.into_iter().map(|(to, (_, via))| (to, via)).collect()
}
