//! Where everything stands: which namespace a node has, which index an interface. In: a plan. Out: a layout, or the word that the
//! plan does not fit together. Pure.

use std::collections::BTreeMap;

use super::error::LabError;
use super::widths::{Width, widths};
use crate::plan::types::{Engine, Plan};

/// Indexes below this are the kernel's (`lo` is 1).
const FIRST_INDEX: u32 = 2;
/// The bridge device in a bridge's namespace. Its ports are named by the plan, `port0` and so on.
pub(crate) const BRIDGE_NAME: &str = "bridge";

/// The whole lab's places.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Names of the namespaces' owners: the nodes in the plan's order, then the fabric if there are wires.
    pub(crate) slots: Vec<String>,
    /// The slot of the namespace where wires have their outer ends.
    pub(crate) fabric: Option<usize>,
    /// For each node, the index of its bridge device.
    pub(crate) bridges: Vec<Option<u32>>,
    /// For each node, the indexes of its interfaces: those of its links, then those upon others.
    pub(crate) interfaces: Vec<Vec<u32>>,
    /// For each node, which of the plan's interfaces upon others are its own.
    pub(crate) uppers: Vec<Vec<usize>>,
    /// By node and interface of a link that carries tags: the indexes of what is below it, the wire's own end first.
    pub(crate) tags: BTreeMap<(usize, usize), Vec<u32>>,
    /// For each node, the largest packets of the interfaces of its links.
    pub(crate) widths: Vec<Vec<Width>>,
    /// For each link.
    pub(crate) links: Vec<LinkPlace>,
}

/// A link's places.
#[derive(Debug, Clone)]
pub(crate) struct LinkPlace {
    /// How it is made.
    pub(crate) engine: Engine,
    /// The two ends at the nodes.
    pub(crate) ends: [EndPlace; 2],
    /// The outer ends of a wire, by index in the fabric.
    pub(crate) outer: Option<[u32; 2]>,
}

/// An end at a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndPlace {
    /// The node's position, which is its slot too.
    pub(crate) node: usize,
    /// Position among the node's interfaces.
    pub(crate) interface: usize,
    /// Interface index.
    pub(crate) index: u32,
    /// The same of the wire's own end, where tags are put on what leaves.
    pub(crate) wire: u32,
    /// The bridge device that it is a port of.
    pub(crate) bridge: Option<u32>,
}

impl Layout {
    /// Gives every interface of the lab an index of its own.
    pub(crate) fn of(plan: &Plan) -> Result<Self, LabError> {
        let mut next = FIRST_INDEX;
        let mut fresh = || {
            next += 1;
            next - 1
        };
        let bridges: Vec<Option<u32>> = plan.nodes.iter().map(|node| node.kind.is_bridge().then(&mut fresh)).collect();
        let mut interfaces: Vec<Vec<u32>> = plan.nodes.iter().map(|node| node.interfaces.iter().map(|_| fresh()).collect()).collect();
        let mut tags = BTreeMap::new();
        for (node, planned) in plan.nodes.iter().enumerate() {
            let tagged = planned.interfaces.iter().enumerate().filter(|(_, interface)| !interface.settings.vlans.is_empty());
            tags.extend(tagged.map(|(at, interface)| ((node, at), interface.settings.vlans.iter().map(|_| fresh()).collect())));
        }
        let mut uppers = vec![Vec::new(); plan.nodes.len()];
        for (at, upper) in plan.interfaces.iter().enumerate() {
            let what = || format!("{} stands at node {}, which is not there", upper.name, upper.node.index());
            let own = interfaces.get_mut(upper.node.index()).ok_or_else(|| LabError::Plan { what: what() })?;
            own.push(fresh());
            uppers[upper.node.index()].push(at);
        }
        let mut links = Vec::with_capacity(plan.links.len());
        for link in &plan.links {
            let end = |at: usize| {
                let (node, position) = (link.ends[at].0.index(), link.ends[at].1 as usize);
                let index = interfaces.get(node).and_then(|all| all.get(position)).copied();
                let what = || format!("link {} ends at interface {position} of node {node}, which is not there", link.name);
                let index = index.ok_or_else(|| LabError::Plan { what: what() })?;
                let wire = tags.get(&(node, position)).and_then(|below: &Vec<u32>| below.first()).copied().unwrap_or(index);
                Ok(EndPlace { node, interface: position, index, wire, bridge: bridges[node] })
            };
            let ends = [end(0)?, end(1)?];
            let outer = (link.engine == Engine::Wire).then(|| [fresh(), fresh()]);
            links.push(LinkPlace { engine: link.engine, ends, outer });
        }
        let mut slots: Vec<String> = plan.nodes.iter().map(|node| node.name.clone()).collect();
        let fabric = links.iter().any(|link| link.outer.is_some()).then_some(slots.len());
        if fabric.is_some() {
            slots.push("fabric".to_owned());
        }
        Ok(Layout { slots, fabric, bridges, interfaces, uppers, tags, widths: widths(plan), links })
    }

    /// The index of an interface of a node by its name.
    pub(crate) fn index_of(&self, plan: &Plan, node: usize, name: &str) -> Option<u32> {
        let of_links = plan.nodes[node].interfaces.iter().map(|interface| &interface.name);
        let upon = self.uppers[node].iter().map(|upper| &plan.interfaces[*upper].name);
        of_links.chain(upon).zip(&self.interfaces[node]).find(|(known, _)| *known == name).map(|(_, index)| *index)
    }
}
