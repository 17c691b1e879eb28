//! Names and hardware addresses of interfaces. In: nodes and links. Out: each node's interfaces in the order of its links, and
//! each link's ends as positions among them. Gives no IP addresses.

use std::collections::{BTreeMap, BTreeSet};

use scn_grammar::scenario::topology::{NodeKind, Topology};
use scn_grammar::scenario::{LinkId, NodeId};
use scn_grammar::source::Span;

use super::errors::{Findings, PlanError};
use super::types::PlannedInterface;
use super::uppers::{Upper, add_uppers};

/// Bytes of an interface's name, without the kernel's closing zero.
const LONGEST_NAME: usize = 15;

/// Ports that the kernel joins in one bridge.
const BRIDGE_PORTS: usize = 1023;

/// Interfaces of one host or router: what its part of the hardware address can tell apart.
const NODE_INTERFACES: usize = 1 << 16;

/// Interfaces of all nodes.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    /// By node: those of its links in their order, then those that stand on others.
    pub(crate) of_node: Vec<Vec<PlannedInterface>>,
    /// By node: how many of them are of links.
    pub(crate) linked: Vec<usize>,
    /// By link: node and position of each end.
    pub(crate) of_link: Vec<[(NodeId, u32); 2]>,
    /// Those that stand on others, each after those below it.
    pub(crate) uppers: Vec<Upper>,
    /// By node: its own among them.
    pub(crate) uppers_of: Vec<Vec<usize>>,
    /// Those that are no end of packets: members of bonds, and interfaces that stand on this machine already.
    pub(crate) covered: BTreeSet<(NodeId, u32)>,
}

/// Names every interface.
pub(crate) fn name_interfaces(topology: &Topology, findings: &mut Findings) -> Interfaces {
    let mut interfaces = Interfaces {
        of_node: vec![Vec::new(); topology.nodes.len()],
        of_link: vec![[(NodeId(0), 0); 2]; topology.links.len()],
        ..Interfaces::default()
    };
    let ends = ends_by_node(topology);
    for (index, node) in topology.nodes.iter().enumerate() {
        let bridge = node.kind.is_bridge();
        let limit = if bridge { BRIDGE_PORTS } else { NODE_INTERFACES };
        if ends[index].len() > limit {
            findings.add(PlanError::TooMany {
                what: format!("links of `{}`", node.name),
                count: ends[index].len() as u64,
                limit: limit as u64,
                span: node.span,
                instead: "spread the links over several bridges or routers and link those to each other",
            });
            continue;
        }
        let mut taken = written_names(topology, index, &ends[index], findings);
        let stem = if bridge { "port" } else { "eth" };
        let mut next = 0u32;
        for (position, (link, end)) in (0u32..).zip(ends[index].iter().copied()) {
            let said = &topology.links[link].ends[end];
            let name = said.interface.clone().unwrap_or_else(|| free_name(stem, &mut next, &mut taken));
            interfaces.of_link[link][end] = (node_id(index), position);
            if node.kind == NodeKind::ThisHost && said.interface.is_some() {
                interfaces.covered.insert((node_id(index), position));
            }
            interfaces.of_node[index].push(PlannedInterface {
                name,
                named: said.interface.is_some(),
                link: LinkId(u32::try_from(link).expect("links are counted in 32 bits")),
                end: u8::try_from(end).expect("a link has two ends"),
                mac: said.settings.mac.map_or_else(|| mac(index, position), |mac| mac.0),
                addresses: Vec::new(),
                written: 0,
                settings: said.settings.clone(),
            });
        }
    }
    interfaces.linked = interfaces.of_node.iter().map(Vec::len).collect();
    add_uppers(topology, &mut interfaces, findings);
    interfaces
}

/// A node's id by its position.
pub(crate) fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).expect("nodes are counted in 32 bits"))
}

/// The ends of links at each node, in the order of the links.
fn ends_by_node(topology: &Topology) -> Vec<Vec<(usize, usize)>> {
    let mut ends = vec![Vec::new(); topology.nodes.len()];
    for (index, link) in topology.links.iter().enumerate() {
        for (side, end) in link.ends.iter().enumerate() {
            ends[end.node.index()].push((index, side));
        }
    }
    ends
}

/// The names that the file gives to a node's interfaces.
fn written_names(topology: &Topology, node: usize, ends: &[(usize, usize)], findings: &mut Findings) -> BTreeSet<String> {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for (link, end) in ends.iter().copied() {
        let end = &topology.links[link].ends[end];
        let Some(name) = end.interface.as_deref() else { continue };
        if let Some(reason) = refused(name) {
            findings.add(PlanError::InterfaceName { name: name.to_owned(), reason, span: end.span });
        }
        if let Some(first) = seen.insert(name, end.span) {
            findings.add(PlanError::InterfaceTwice {
                node: topology.nodes[node].name.clone(),
                name: name.to_owned(),
                span: end.span,
                first,
            });
        }
    }
    seen.into_keys().map(str::to_owned).collect()
}

/// Why the kernel, or its tree of settings, does not take a name.
pub(crate) fn refused(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("it is empty"),
        "." | ".." => Some("it is the name of a folder"),
        "lo" => Some("every node has one already"),
        "all" | "default" => Some("the kernel's settings use it for every interface"),
        _ if name.len() > LONGEST_NAME => Some("it has more than 15 bytes"),
        _ if name.contains(|c: char| c == '/' || c == ':' || c == '%' || c.is_whitespace() || c.is_control()) => {
            Some("it has a character that the kernel refuses")
        }
        _ => None,
    }
}

/// The next name of a row that nobody has written.
fn free_name(stem: &str, next: &mut u32, taken: &mut BTreeSet<String>) -> String {
    loop {
        let name = format!("{stem}{next}");
        *next += 1;
        if taken.insert(name.clone()) {
            return name;
        }
    }
}

/// A locally administered address: node in three bytes from 1, interface in two.
pub(crate) fn mac(node: usize, position: u32) -> [u8; 6] {
    let [_, n2, n1, n0] = node_id(node + 1).0.to_be_bytes();
    let [_, _, i1, i0] = position.to_be_bytes();
    [0x02, n2, n1, n0, i1, i0]
}
