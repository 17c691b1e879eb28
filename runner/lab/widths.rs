//! The largest packet of every interface that a link makes. In: a plan. Out: bytes, by node and interface. Pure.
//!
//! A host has what the file says, or the kernel's default. A port of a bridge that says nothing takes whatever any interface of its
//! broadcast domain may send: bridges of the run are no narrower than the hosts behind them.

use crate::plan::types::Plan;

/// The kernel's default of an Ethernet interface, in bytes.
pub(crate) const DEFAULT: u32 = 1500;
/// The kernel's largest of a veth, in bytes.
const LARGEST: u32 = 65_535;
/// A VLAN's tag, in bytes.
pub(crate) const TAG: u32 = 4;

/// What an interface of a link has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Width {
    /// Its largest packet; `None`: the kernel's default.
    pub(crate) own: Option<u32>,
    /// The same of the wire's end below its tags.
    pub(crate) wire: Option<u32>,
}

/// By node and interface.
pub(crate) fn widths(plan: &Plan) -> Vec<Vec<Width>> {
    let said: bool = plan.nodes.iter().flat_map(|node| &node.interfaces).any(|one| one.settings.mtu.is_some());
    let widest = if said { widest(plan) } else { vec![DEFAULT; plan.nodes.len()] };
    let of_node = |(node, widest): (&crate::plan::types::PlannedNode, u32)| {
        let port = (node.kind.is_bridge() && widest > DEFAULT).then_some(widest);
        let width = |one: &crate::plan::types::PlannedInterface| {
            let own = one.settings.mtu.or(port);
            let tags = u32::try_from(one.settings.vlans.len()).unwrap_or(0) * TAG;
            let wire = if tags == 0 { own } else { Some((own.unwrap_or(DEFAULT) + tags).min(LARGEST)) };
            Width { own, wire }
        };
        node.interfaces.iter().map(width).collect()
    };
    plan.nodes.iter().zip(widest).map(of_node).collect()
}

/// By node: of a bridge, the largest packet of any interface in its broadcast domain.
fn widest(plan: &Plan) -> Vec<u32> {
    let mut widest = vec![DEFAULT; plan.nodes.len()];
    let is_bridge = |node: usize| plan.nodes[node].kind.is_bridge();
    let mut group: Vec<usize> = (0..plan.nodes.len()).collect();
    for [a, b] in
        plan.links.iter().map(|link| link.ends.map(|(node, _)| node.index())).filter(|ends| ends.iter().all(|end| is_bridge(*end)))
    {
        let (one, other) = (root(&mut group, a), root(&mut group, b));
        group[one.max(other)] = one.min(other);
    }
    for link in &plan.links {
        let mtu = |end: usize| plan.nodes[link.ends[end].0.index()].interfaces[link.ends[end].1 as usize].settings.mtu.unwrap_or(DEFAULT);
        let most = mtu(0).max(mtu(1));
        for (node, _) in link.ends.iter().filter(|(node, _)| is_bridge(node.index())) {
            let group = root(&mut group, node.index());
            widest[group] = widest[group].max(most);
        }
    }
    (0..plan.nodes.len()).map(|node| if is_bridge(node) { widest[root(&mut group, node)] } else { DEFAULT }).collect()
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
