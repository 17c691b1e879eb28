//! Addresses that clients start from beyond those of their node's interfaces. In: the flows' `source`. Out: each node's pools, checked
//! against everything else that has an address. Gives no addresses and routes nothing.

use std::net::IpAddr;

use scn_grammar::scenario::{NodeId, Scenario};
use scn_grammar::source::Span;

use super::domains::Domains;
use super::errors::{Findings, PlanError};
use super::names::Interfaces;
use super::network::Network;

/// A range of addresses that a node takes for its own, though no interface has them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pool {
    /// Whose.
    pub(crate) node: NodeId,
    /// Which.
    pub(crate) network: Network,
    /// The flow that says so.
    span: Span,
}

/// Every pool that a flow says, once, in the order of the addresses.
pub(crate) fn find_pools(scenario: &Scenario) -> Vec<Pool> {
    let of_flow = |flow: &scn_grammar::scenario::Flow| {
        let (node, span) = (flow.from, flow.span);
        flow.source.iter().map(move |prefix| Pool { node, network: Network::of(*prefix), span }).collect::<Vec<_>>()
    };
    let mut pools: Vec<Pool> = scenario.flows.iter().flat_map(of_flow).collect();
    pools.sort_by_key(|pool| (pool.network, pool.node, pool.span));
    pools.dedup_by_key(|pool| (pool.network, pool.node));
    pools
}

/// Leaves those that need something of the node: an address that one of its interfaces has from the start is no pool.
pub(crate) fn beyond_interfaces(pools: Vec<Pool>, interfaces: &Interfaces) -> Vec<Pool> {
    let has = |pool: &Pool, address: IpAddr| {
        let all = interfaces.of_node[pool.node.index()].iter().flat_map(|interface| &interface.addresses);
        all.into_iter().any(|prefix| prefix.address == address)
    };
    pools.into_iter().filter(|pool| !(pool.network.is_single() && has(pool, pool.network.prefix().address))).collect()
}

/// A pool lies inside a subnet of its node, where nobody else has an address of it, or apart from all subnets; and is one node's.
pub(crate) fn check_pools(pools: &[Pool], scenario: &Scenario, domains: &Domains, interfaces: &Interfaces, findings: &mut Findings) {
    let name = |node: NodeId| format!("`{}`", scenario.topology.nodes[node.index()].name);
    for (index, pool) in pools.iter().enumerate() {
        let declared = &scenario.topology.nodes[pool.node.index()];
        if declared.kind.is_external() {
            let holder = format!("{} stands outside of the run, and keeps the addresses that it has", name(pool.node));
            findings.add(PlanError::SourceInUse { network: pool.network.to_string(), holder, span: pool.span, other: declared.span });
        }
        // Sorted by their first address, and few: those that overlap stand behind.
        let twice = pools[index + 1..].iter().find(|other| other.node != pool.node && other.network.overlaps(pool.network));
        if let Some(other) = twice {
            let (network, holder) = (other.network.to_string(), format!("{} starts from {} too", name(pool.node), pool.network));
            findings.add(PlanError::SourceInUse { network, holder, span: other.span, other: pool.span });
        }
        for domain in &domains.list {
            let Some(subnet) = domain.subnet(pool.network.family).filter(|subnet| subnet.overlaps(pool.network)) else { continue };
            let own = domain.members.iter().any(|member| member.node == pool.node);
            let taken = domain.members.iter().filter(|member| member.node != pool.node).find_map(|member| {
                let addresses = &interfaces.of_node[member.node.index()][member.interface as usize].addresses;
                addresses.iter().find(|prefix| pool.network.contains(prefix.address)).map(|prefix| (member.node, *prefix))
            });
            let holder = match taken {
                Some((node, prefix)) => format!("{} has {}", name(node), prefix.address),
                None if !own => format!("it is of the subnet {subnet}, on which {} is not", name(pool.node)),
                None if subnet.length >= pool.network.length => format!("it is not smaller than the subnet {subnet}"),
                None => continue,
            };
            findings.add(PlanError::SourceInUse { network: pool.network.to_string(), holder, span: pool.span, other: domain.span });
        }
    }
}
