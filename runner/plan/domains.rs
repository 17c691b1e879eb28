//! Broadcast domains: what hears each other's broadcasts, by links, bridges, VLAN tags and bonds. In: topology and interfaces. Out: each
//! domain with its members, and who is next to whom. Bridges in a ring are refused, since frames would circle in it. Gives no addresses.

use std::collections::{BTreeMap, BTreeSet};

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::topology::{InterfaceKind, LinkKind, Prefix, Topology};
use scn_grammar::source::Span;

use super::errors::{Findings, PlanError};
use super::names::Interfaces;
use super::network::{Family, Network};

/// Interfaces that share their frames.
#[derive(Debug)]
pub(crate) struct Domain {
    /// Hosts and routers with the position of their interface, in the order of the links, then those on others.
    pub(crate) members: Vec<Member>,
    /// The first statement of it.
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
    /// What declares it.
    declared: Declared,
}

/// What declares an interface.
#[derive(Debug, Clone, Copy)]
enum Declared {
    /// The end of a link, as positions.
    End(usize, usize),
    /// A statement of its own.
    Statement(usize),
}

impl Member {
    /// The addresses that the file gives to it.
    pub(crate) fn written<'a>(&self, topology: &'a Topology) -> &'a [(Prefix, Span)] {
        match self.declared {
            Declared::End(link, side) => &topology.links[link].ends[side].addresses,
            Declared::Statement(statement) => &topology.interfaces[statement].addresses,
        }
    }

    /// Where it is declared.
    pub(crate) fn span(&self, topology: &Topology) -> Span {
        match self.declared {
            Declared::End(link, side) => topology.links[link].ends[side].span,
            Declared::Statement(statement) => topology.interfaces[statement].span,
        }
    }
}

/// Two interfaces that hear each other, with nothing but wire between them. A node beyond the topology's stands for a bridge as frames
/// of one VLAN see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joint {
    /// Node and position of its interface.
    pub(crate) ends: [(usize, u32); 2],
    /// Which domain.
    pub(crate) domain: usize,
    /// The wire is a tunnel.
    pub(crate) tunnel: bool,
}

/// All domains, in the order of their first links.
#[derive(Debug)]
pub(crate) struct Domains {
    /// The domains.
    pub(crate) list: Vec<Domain>,
    /// By node and position of the interface; `None`: another interface has taken this one over, or it is a bridge's.
    pub(crate) of_interface: Vec<Vec<Option<usize>>>,
    /// Who is next to whom.
    pub(crate) joints: Vec<Joint>,
    /// Nodes with those that stand for bridges as VLANs see them.
    pub(crate) nodes: usize,
}

/// Finds the domains.
pub(crate) fn find_domains(topology: &Topology, interfaces: &Interfaces, findings: &mut Findings) -> Domains {
    refuse_rings(topology, findings);
    let mut flood = Flood::new(topology, interfaces);
    for (link, declared) in topology.links.iter().enumerate() {
        for side in 0..2 {
            flood.from((link, flood.tags[link][side].clone()), declared.span);
        }
    }
    for (upper, spots) in flood.spots_of_uppers.clone() {
        let span = topology.interfaces[interfaces.uppers[upper].statement].span;
        spots.into_iter().for_each(|spot| flood.from(spot, span));
    }
    flood.members(interfaces)
}

/// Bridges that links join in a ring.
fn refuse_rings(topology: &Topology, findings: &mut Findings) {
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

/// A VLAN's tag as frames carry it: an outer one of a stack (802.1ad) or the innermost (802.1Q), and its number.
type Tag = (bool, u16);

/// Frames on a link that carry these tags, the outermost first.
type Spot = (usize, Vec<Tag>);

/// An interface that takes frames with these tags, by its position.
type Taker = (Vec<Tag>, u32);

/// A bond's frames with these tags on a link, and all the places where they are.
type Joined = (Vec<Tag>, Vec<Spot>);

/// The search for all that frames reach.
struct Flood<'a> {
    topology: &'a Topology,
    /// By link and side: the tags that the end puts on its frames.
    tags: Vec<[Vec<Tag>; 2]>,
    /// By link and side: who takes frames there, with which tags.
    takers: Vec<[Vec<Taker>; 2]>,
    /// By node, for bridges: link and side of each port.
    ports: Vec<Vec<(usize, usize)>>,
    /// By link: the spots that bonds join, each with the others.
    bonds: BTreeMap<usize, Vec<Joined>>,
    /// Interfaces on others, as positions in their list, with where their frames are.
    spots_of_uppers: Vec<(usize, Vec<Spot>)>,
    /// Which domain is where.
    seen: BTreeMap<Spot, usize>,
    /// Bridges as VLANs see them; empty tags: as they are.
    bridges: BTreeMap<(usize, Vec<Tag>), usize>,
    domains: Domains,
}

impl<'a> Flood<'a> {
    fn new(topology: &'a Topology, interfaces: &Interfaces) -> Self {
        let tags: Vec<[Vec<Tag>; 2]> =
            topology.links.iter().map(|link| [0, 1].map(|side| stack(&link.ends[side].settings.vlans))).collect();
        let mut takers: Vec<[Vec<Taker>; 2]> = vec![Default::default(); topology.links.len()];
        let mut ports = vec![Vec::new(); topology.nodes.len()];
        for (link, ends) in interfaces.of_link.iter().enumerate() {
            for (side, (node, position)) in ends.iter().enumerate() {
                if topology.nodes[node.index()].kind.is_bridge() {
                    ports[node.index()].push((link, side));
                }
                if !interfaces.covered.contains(&(*node, *position)) {
                    takers[link][side].push((tags[link][side].clone(), *position));
                }
            }
        }
        let nodes = topology.nodes.len();
        let domains = Domains { list: Vec::new(), of_interface: Vec::new(), joints: Vec::new(), nodes };
        let (bonds, seen, bridges) = Default::default();
        let mut flood = Flood { topology, tags, takers, ports, bonds, spots_of_uppers: Vec::new(), seen, bridges, domains };
        flood.add_uppers(interfaces);
        flood
    }

    /// Finds where the frames of interfaces on others are.
    fn add_uppers(&mut self, interfaces: &Interfaces) {
        // A VLAN on which another stands carries the outer tag of a stack.
        let is_vlan = |statement: usize| matches!(self.topology.interfaces[statement].kind, InterfaceKind::Vlan { .. });
        let under: BTreeSet<(NodeId, u32)> = interfaces
            .uppers
            .iter()
            .filter(|upper| is_vlan(upper.statement))
            .flat_map(|upper| upper.below.iter().map(|below| (upper.node, *below)))
            .collect();
        let mut spots: BTreeMap<(NodeId, u32), Vec<Spot>> = BTreeMap::new();
        for (index, upper) in interfaces.uppers.iter().enumerate() {
            let below = |below: &u32| match spots.get(&(upper.node, *below)) {
                Some(spots) => spots.clone(),
                None => {
                    let interface = &interfaces.of_node[upper.node.index()][*below as usize];
                    let (link, side) = (interface.link.index(), usize::from(interface.end));
                    vec![(link, self.tags[link][side].clone())]
                }
            };
            let mut own: Vec<Spot> = upper.below.iter().flat_map(below).collect();
            match self.topology.interfaces[upper.statement].kind {
                InterfaceKind::Vlan { id } => {
                    let tag = (under.contains(&(upper.node, upper.position)), id);
                    own.iter_mut().for_each(|(_, tags)| tags.push(tag));
                }
                InterfaceKind::Bond { .. } => {
                    for (link, tags) in &own {
                        self.bonds.entry(*link).or_default().push((tags.clone(), own.clone()));
                    }
                }
                InterfaceKind::Macvlan { .. } => {}
            }
            if !interfaces.covered.contains(&(upper.node, upper.position)) {
                for (link, tags) in &own {
                    let side = usize::from(self.topology.links[*link].ends[1].node == upper.node);
                    self.takers[*link][side].push((tags.clone(), upper.position));
                }
            }
            spots.insert((upper.node, upper.position), own.clone());
            self.spots_of_uppers.push((index, own));
        }
    }

    /// Finds all that frames reach from here, unless it was found before.
    fn from(&mut self, start: Spot, span: Span) {
        if self.seen.contains_key(&start) {
            return;
        }
        let domain = self.domains.list.len();
        self.domains.list.push(Domain { members: Vec::new(), span, subnets: [None, None] });
        let mut next = vec![start];
        while let Some(spot) = next.pop() {
            if self.seen.insert(spot.clone(), domain).is_some() {
                continue;
            }
            let [first, second] = [0, 1].map(|side| self.hears(&spot, side, &mut next));
            let pairs = first.iter().flat_map(|a| second.iter().map(move |b| [*a, *b]));
            let tunnel = self.topology.links[spot.0].kind != LinkKind::Wire;
            self.domains.joints.extend(pairs.map(|ends| Joint { ends, domain, tunnel }));
            for (tags, others) in self.bonds.get(&spot.0).into_iter().flatten() {
                let Some(rest) = spot.1.strip_prefix(tags.as_slice()) else { continue };
                next.extend(others.iter().map(|(link, tags)| (*link, [tags.as_slice(), rest].concat())));
            }
        }
    }

    /// Who hears such frames at one end of their link. A bridge passes them on.
    fn hears(&mut self, (link, tags): &Spot, side: usize, next: &mut Vec<Spot>) -> Vec<(usize, u32)> {
        let node = self.topology.links[*link].ends[side].node.index();
        if !self.topology.nodes[node].kind.is_bridge() {
            return self.takers[*link][side].iter().filter(|(taken, _)| taken == tags).map(|(_, position)| (node, *position)).collect();
        }
        let Some(rest) = tags.strip_prefix(self.tags[*link][side].as_slice()) else { return Vec::new() };
        let position = self.takers[*link][side].first().map_or(0, |(_, position)| *position);
        let key = (node, rest.to_vec());
        if let Some(bridge) = self.bridges.get(&key) {
            return vec![(*bridge, position)];
        }
        let bridge = if rest.is_empty() { node } else { self.domains.nodes };
        self.domains.nodes = self.domains.nodes.max(bridge + 1);
        next.extend(self.ports[node].iter().map(|(link, side)| (*link, [self.tags[*link][*side].as_slice(), rest].concat())));
        self.bridges.insert(key, bridge);
        vec![(bridge, position)]
    }

    /// Notes who is where.
    fn members(mut self, interfaces: &Interfaces) -> Domains {
        let mut of_interface: Vec<Vec<Option<usize>>> = interfaces.of_node.iter().map(|list| vec![None; list.len()]).collect();
        let mut join = |node: NodeId, interface: u32, spot: &Spot, declared: Declared| {
            if self.topology.nodes[node.index()].kind.is_bridge() || interfaces.covered.contains(&(node, interface)) {
                return;
            }
            let Some(domain) = self.seen.get(spot) else { return };
            of_interface[node.index()][interface as usize] = Some(*domain);
            self.domains.list[*domain].members.push(Member { node, interface, declared });
        };
        for (link, ends) in interfaces.of_link.iter().enumerate() {
            for (side, (node, position)) in ends.iter().enumerate() {
                join(*node, *position, &(link, self.tags[link][side].clone()), Declared::End(link, side));
            }
        }
        for (upper, spots) in &self.spots_of_uppers {
            let upper = &interfaces.uppers[*upper];
            if let Some(spot) = spots.first() {
                join(upper.node, upper.position, spot, Declared::Statement(upper.statement));
            }
        }
        self.domains.of_interface = of_interface;
        self.domains
    }
}

/// The tags of a stack as frames carry them.
fn stack(vlans: &[u16]) -> Vec<Tag> {
    vlans.iter().enumerate().map(|(at, id)| (at + 1 < vlans.len(), *id)).collect()
}
