//! Laws that hold for every plan, and the work that a large one takes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use scn_grammar::scenario::topology::NodeKind;
use scn_grammar::scenario::{Destination, NodeId};

use super::build::{Build, build};
use crate::plan::network::Network;
use crate::plan::print;

/// A connected topology: each node after the first is linked to an earlier one; bridges form no ring, since there are no
/// further links between them.
fn topology(kinds: &[u8], parents: &[usize], extra: &[(usize, usize)]) -> Build {
    let mut lab = build("", "");
    for (index, kind) in kinds.iter().enumerate() {
        lab.node(&format!("n{index}"), [NodeKind::Router, NodeKind::Host, NodeKind::Bridge][usize::from(*kind) % 3]);
    }
    let join = |lab: &mut Build, a: usize, b: usize| {
        let ends = [a, b].map(|node| lab.end(NodeId(u32::try_from(node).unwrap()), None, &[]));
        lab.join(ends);
    };
    for (index, parent) in parents.iter().enumerate().take(kinds.len()).skip(1) {
        join(&mut lab, index, parent % index);
    }
    for (a, b) in extra {
        let (a, b) = (a % kinds.len(), b % kinds.len());
        let bridges = kinds[a] % 3 == 2 && kinds[b] % 3 == 2;
        if a != b && !bridges {
            join(&mut lab, a, b);
        }
    }
    lab
}

/// Nodes that a chain of links joins to the first without passing through a host.
fn joined(lab: &Build, from: usize) -> BTreeSet<usize> {
    let topology = &lab.scenario.topology;
    let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
    while let Some(node) = open.pop() {
        if node != from && topology.nodes[node].kind == NodeKind::Host {
            continue;
        }
        for link in &topology.links {
            let ends = [link.ends[0].node.index(), link.ends[1].node.index()];
            for (here, there) in [(ends[0], ends[1]), (ends[1], ends[0])] {
                if here == node && seen.insert(there) {
                    open.push(there);
                }
            }
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_is_sound(
        kinds in prop::collection::vec(0u8..3, 2..14),
        parents in prop::collection::vec(0usize..100, 14),
        extra in prop::collection::vec((0usize..14, 0usize..14), 0..6),
        ends in (0usize..14, 0usize..14),
    ) {
        let lab = topology(&kinds, &parents, &extra);
        let planned = lab.plan().unwrap();
        let plan = &planned.plan;
        // Addresses are unique, and so are hardware addresses and names on a node.
        let all: Vec<_> = plan.nodes.iter().flat_map(|node| &node.interfaces).collect();
        let addresses: Vec<_> = all.iter().flat_map(|interface| &interface.addresses).collect();
        prop_assert_eq!(addresses.iter().map(|prefix| prefix.address).collect::<BTreeSet<_>>().len(), addresses.len());
        prop_assert_eq!(all.iter().map(|interface| interface.mac).collect::<BTreeSet<_>>().len(), all.len());
        for node in &plan.nodes {
            prop_assert_eq!(node.interfaces.iter().map(|interface| &interface.name).collect::<BTreeSet<_>>().len(), node.interfaces.len());
            // Every next hop is a neighbour.
            let subnets: Vec<_> = node.interfaces.iter().flat_map(|interface| &interface.addresses).map(|prefix| Network::of(*prefix)).collect();
            prop_assert!(node.routes.iter().all(|route| subnets.iter().any(|subnet| subnet.contains(route.via))));
        }
        // The two ends of a link without a bridge are on one subnet.
        for link in &plan.links {
            let [one, other] = link.ends.map(|(node, at)| &plan.nodes[node.index()].interfaces[at as usize].addresses);
            if let (Some(one), Some(other)) = (one.first(), other.first()) {
                prop_assert!(Network::of(*one).contains(other.address));
            }
        }
        // The same scenario gives the same plan; the plan survives its JSON form.
        let again = lab.plan().unwrap().plan;
        prop_assert_eq!(print::text(plan), print::text(&again));
        prop_assert_eq!(print::json(plan), print::json(&again));
        prop_assert_eq!(&serde_json::from_str::<crate::plan::types::Plan>(&print::json(plan)).unwrap(), plan);
        // Two nodes reach each other, both ways, exactly if links join them.
        let (from, to) = (ends.0 % kinds.len(), ends.1 % kinds.len());
        if plan.nodes[from].kind != NodeKind::Bridge && plan.nodes[to].kind != NodeKind::Bridge && from != to {
            let reachable = joined(&lab, from).contains(&to);
            let name = |node: usize| plan.nodes[node].name.clone();
            prop_assert_eq!(topology(&kinds, &parents, &extra).talk(&name(from), &name(to)).plan().is_ok(), reachable);
            prop_assert_eq!(topology(&kinds, &parents, &extra).talk(&name(to), &name(from)).plan().is_ok(), reachable);
        }
    }
}

/// Hosts behind routers on a backbone, and a flow from each to one of them.
fn campus(routers: usize, hosts_each: usize, bridged: bool) -> Build {
    let mut lab = build("bridge backbone; host server", "server - backbone");
    for router in 0..routers {
        let gate = lab.node(&format!("r{router}"), NodeKind::Router);
        let ends = [lab.end(gate, None, &[]), lab.end(NodeId(0), None, &[])];
        lab.join(ends);
        let lan = if bridged { lab.node(&format!("lan{router}"), NodeKind::Bridge) } else { gate };
        if bridged {
            let ends = [lab.end(gate, None, &[]), lab.end(lan, None, &[])];
            lab.join(ends);
        }
        for host in 0..hosts_each {
            let node = lab.node(&format!("h{router}_{host}"), NodeKind::Host);
            let ends = [lab.end(node, None, &[]), lab.end(lan, None, &[])];
            lab.join(ends);
            let span = lab.scenario.topology.nodes[0].span;
            lab = lab.flow(&format!("f[{}]", router * hosts_each + host), &format!("h{router}_{host}"), Destination::Node(NodeId(1), None));
            lab.scenario.flows.last_mut().unwrap().span = span;
        }
    }
    lab
}

#[test]
fn ten_thousand_nodes_take_few_steps() {
    for (bridged, limit) in [(true, 100_000), (false, 5_000_000)] {
        let lab = campus(20, 500, bridged);
        assert!(lab.scenario.topology.nodes.len() > 10_000);
        let planned = lab.plan().unwrap();
        assert!(planned.work < limit, "bridged {bridged}: {} steps", planned.work);
        assert_eq!(planned.plan.listeners.len(), 1, "replicas share a peer");
    }
}

#[test]
fn a_mesh_that_no_kernel_could_hold_is_refused_early() {
    let mut chain = build("", "");
    for index in 0..3000u32 {
        chain.node(&format!("r{index}"), NodeKind::Router);
        if index > 0 {
            let ends = [chain.end(NodeId(index - 1), None, &[]), chain.end(NodeId(index), None, &[])];
            chain.join(ends);
        }
    }
    assert_eq!(chain.codes(), ["scn::plan::too_many"]);
}
