//! Addresses. In: domains and what the file says. Out: the subnet of each domain and the addresses of each interface. What the
//! file says is checked across each domain; ends without an address get the next free one. Computes no routes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::topology::{Prefix, Topology};
use scn_grammar::scenario::{Destination, Scenario};
use scn_grammar::source::Span;

use super::domains::{Domain, Domains, Member};
use super::errors::{Findings, PlanError};
use super::names::Interfaces;
use super::network::{FAMILIES, Family, Network, address, number, unusable};
use super::pool::Pool;
use super::sources;

/// The least MTU of an interface with IPv6 (RFC 8200, section 5), in bytes.
const IPV6_MTU: u32 = 1280;

/// Addresses that nobody gets by chance.
struct Reserved {
    /// Every address that the file names, and where first.
    named: BTreeMap<IpAddr, Span>,
    /// Ranges that clients start from, in the order of their addresses.
    pools: Vec<Network>,
}

/// Gives every interface its addresses.
pub(crate) fn give_addresses(scenario: &Scenario, domains: &mut Domains, interfaces: &mut Interfaces, findings: &mut Findings) {
    let topology = &scenario.topology;
    refuse_at_bridges(topology, findings);
    refuse_covered(topology, interfaces, findings);
    let pools = sources::find_pools(scenario).iter().map(|pool| pool.network).collect();
    let mut reserved = Reserved { named: BTreeMap::new(), pools };
    let mut places: Vec<[Option<Span>; 2]> = Vec::with_capacity(domains.list.len());
    for domain in &mut domains.list {
        places.push(said_subnets(topology, domain, findings));
        take_written(topology, domain, &places[places.len() - 1], &mut reserved.named, interfaces, findings);
    }
    refuse_overlaps(domains, &places, findings);
    if findings.failed() {
        return;
    }
    let mut avoided: Vec<Network> = domains.list.iter().flat_map(|domain| domain.subnets.into_iter().flatten()).collect();
    avoid_elsewhere(scenario, &mut avoided, &mut reserved.named);
    avoided.extend(reserved.pools.iter().copied());
    let mut pool = Pool::new(avoided);
    for (index, domain) in domains.list.iter_mut().enumerate() {
        let needy: Vec<Member> = domain.members.iter().copied().filter(|member| member.written(topology).is_empty()).collect();
        if needy.is_empty() {
            continue;
        }
        if domain.subnets == [None, None] {
            match pool.take(needy.len() as u64) {
                Ok([v4, v6]) => {
                    let narrow = domain.members.iter().any(|member| interfaces.mtu(member.node, member.interface) < IPV6_MTU);
                    domain.subnets = [Some(v4), Some(v6).filter(|_| !narrow)];
                }
                Err(pool) => {
                    findings.add(PlanError::PoolExhausted { pool, needed: needy.len() as u64, span: domain.span });
                    continue;
                }
            }
        }
        for family in FAMILIES {
            let Some(subnet) = domain.subnet(family) else { continue };
            let said = places[index][family.index()].unwrap_or(domain.span);
            let possible = |member: &&Member| family == Family::V4 || interfaces.mtu(member.node, member.interface) >= IPV6_MTU;
            let needy: Vec<Member> = needy.iter().filter(possible).copied().collect();
            fill(topology, subnet, said, &needy, &reserved, interfaces, findings);
        }
    }
}

/// Ports of bridges have no addresses.
fn refuse_at_bridges(topology: &Topology, findings: &mut Findings) {
    for end in topology.links.iter().flat_map(|link| &link.ends) {
        let node = &topology.nodes[end.node.index()];
        if let (true, Some((_, span))) = (node.kind.is_bridge(), end.addresses.first()) {
            findings.add(PlanError::NotAHost { name: node.name.clone(), what: "have an address", span: *span, declared: node.span });
        }
    }
}

/// Interfaces that others have taken over have no addresses.
fn refuse_covered(topology: &Topology, interfaces: &Interfaces, findings: &mut Findings) {
    if interfaces.covered.is_empty() {
        return;
    }
    let above = |node: NodeId, position: u32| {
        let upper = interfaces.uppers.iter().find(|upper| upper.node == node && upper.below.contains(&position));
        upper.map_or(Span::default(), |upper| topology.interfaces[upper.statement].span)
    };
    let of_links = topology.links.iter().zip(&interfaces.of_link).flat_map(|(link, ends)| link.ends.iter().zip(ends));
    let of_links = of_links.map(|(end, (node, position))| (*node, *position, &end.addresses));
    let of_uppers = interfaces.uppers.iter().map(|upper| (upper.node, upper.position, &topology.interfaces[upper.statement].addresses));
    for (node, position, addresses) in of_links.chain(of_uppers) {
        let Some((_, span)) = addresses.first().filter(|_| interfaces.covered.contains(&(node, position))) else { continue };
        let name = interfaces.of_node[node.index()][position as usize].name.clone();
        let above = above(node, position);
        findings.add(PlanError::CoveredAddress { node: topology.nodes[node.index()].name.clone(), name, span: *span, above });
    }
}

/// Finds the subnet of each family that a domain's addresses say; the first one counts.
fn said_subnets(topology: &Topology, domain: &mut Domain, findings: &mut Findings) -> [Option<Span>; 2] {
    let mut places = [None, None];
    for member in &domain.members {
        for (prefix, span) in member.written(topology) {
            let network = Network::of(*prefix);
            let family = network.family.index();
            if network.is_single() {
                continue;
            }
            match (domain.subnets[family], places[family]) {
                (Some(subnet), Some(said)) if subnet != network => {
                    findings.add(PlanError::OutsideSubnet { address: prefix.to_string(), subnet: subnet.to_string(), span: *span, said });
                }
                (Some(_), _) => {}
                (None, _) => {
                    domain.subnets[family] = Some(network);
                    places[family] = Some(*span);
                }
            }
        }
    }
    places
}

/// Takes over the written addresses of a domain.
fn take_written(
    topology: &Topology,
    domain: &Domain,
    places: &[Option<Span>; 2],
    named: &mut BTreeMap<IpAddr, Span>,
    interfaces: &mut Interfaces,
    findings: &mut Findings,
) {
    for member in &domain.members {
        let mtu = interfaces.mtu(member.node, member.interface);
        for (prefix, span) in member.written(topology) {
            let network = Network::of(*prefix);
            let subnet = domain.subnet(network.family);
            if let Some(what) =
                unusable(*prefix).or_else(|| subnet.and_then(|subnet| unusable(Prefix { length: subnet.length, ..*prefix })))
            {
                findings.add(PlanError::NotAHostAddress { address: prefix.to_string(), what, span: *span });
            }
            if network.family == Family::V6 && mtu < IPV6_MTU {
                findings.add(PlanError::MtuForIpv6 { address: prefix.to_string(), mtu, span: *span });
            }
            match (subnet, places[network.family.index()]) {
                (Some(subnet), Some(said)) if network.is_single() && !subnet.contains(prefix.address) => {
                    findings.add(PlanError::OutsideSubnet { address: prefix.to_string(), subnet: subnet.to_string(), span: *span, said });
                }
                (None, _) => findings.add(PlanError::NoSubnet { address: prefix.to_string(), span: *span }),
                _ => {}
            }
            match named.get(&prefix.address) {
                Some(first) => findings.add(PlanError::AddressTwice { address: prefix.address.to_string(), span: *span, first: *first }),
                None => _ = named.insert(prefix.address, *span),
            }
            let interface = &mut interfaces.of_node[member.node.index()][member.interface as usize];
            interface.addresses.push(*prefix);
            interface.written += 1;
        }
    }
}

/// Two domains share no address.
fn refuse_overlaps(domains: &Domains, places: &[[Option<Span>; 2]], findings: &mut Findings) {
    let mut all: Vec<(Network, Span)> = Vec::new();
    for (domain, places) in domains.list.iter().zip(places) {
        all.extend(domain.subnets.iter().zip(places).filter_map(|(subnet, place)| Some(((*subnet)?, (*place)?))));
    }
    all.sort();
    let mut widest: Option<(Network, Span)> = None;
    for (network, span) in all {
        match widest {
            Some((first, other)) if first.overlaps(network) => {
                // The later one in the text is the one to change.
                let ((first, other), (second, span)) =
                    if other < span { ((first, other), (network, span)) } else { ((network, span), (first, other)) };
                findings.add(PlanError::OverlappingSubnets { first: first.to_string(), second: second.to_string(), span, other });
            }
            _ => widest = Some((network, span)),
        }
    }
}

/// Addresses that the file names outside of links: nobody gets them by chance.
fn avoid_elsewhere(scenario: &Scenario, avoided: &mut Vec<Network>, named: &mut BTreeMap<IpAddr, Span>) {
    let mut name = |address: IpAddr, length: u8, span: Span| {
        named.entry(address).or_insert(span);
        // A route to a large part of the world does not occupy it.
        avoided.push(Network::new(address, length));
    };
    for route in &scenario.topology.routes {
        name(route.via, u8::MAX, route.span);
        if super::pool::lies_inside(Network::of(route.to)) {
            name(route.to.address, route.to.length, route.span);
        }
    }
    for entry in &scenario.timeline {
        match &entry.action {
            Action::AddAddress { prefix, .. } | Action::MoveAddress { prefix, .. } => name(prefix.address, u8::MAX, entry.span),
            Action::RemoveAddress { address, .. } => name(*address, u8::MAX, entry.span),
            _ => {}
        }
    }
    for service in &scenario.services {
        if let Some(address) = service.address {
            name(address, u8::MAX, service.span);
        }
    }
    for flow in &scenario.flows {
        if let Destination::Address(address, _) = &flow.to {
            let address = *address;
            name(address, u8::MAX, flow.span);
        }
    }
}

/// Gives members the next free addresses of a subnet.
fn fill(
    topology: &Topology,
    subnet: Network,
    said: Span,
    needy: &[Member],
    reserved: &Reserved,
    interfaces: &mut Interfaces,
    findings: &mut Findings,
) {
    let (mut next, last) = subnet.hosts();
    let lowest = address(subnet.family, next);
    let mut taken = reserved.named.range(lowest..).map(|(address, _)| *address).peekable();
    // One that is no smaller than the subnet is refused later, with a better reason than that nothing is left.
    let inside = |pool: &&Network| pool.overlaps(subnet) && pool.length > subnet.length;
    let mut pools = reserved.pools.iter().filter(inside).peekable();
    for member in needy {
        loop {
            if let Some(pool) = pools.peek().filter(|pool| pool.bits <= next) {
                next = next.max(pool.last().saturating_add(1));
                pools.next();
            } else if taken
                .next_if(|address| Family::of(*address) == subnet.family && number(*address) <= next)
                .is_some_and(|address| number(address) == next)
            {
                next += 1;
            } else if taken.peek().is_none_or(|address| Family::of(*address) != subnet.family || number(*address) > next) {
                break;
            }
        }
        if next > last {
            let node = topology.nodes[member.node.index()].name.clone();
            findings.add(PlanError::SubnetFull { subnet: subnet.to_string(), node, span: member.span(topology), said });
            return;
        }
        let given = Prefix { address: address(subnet.family, next), length: subnet.length };
        interfaces.of_node[member.node.index()][member.interface as usize].addresses.push(given);
        next += 1;
    }
}

/// The first address of an interface that says its subnet: the one by which neighbours reach it.
pub(crate) fn primary(addresses: &[Prefix], family: Family) -> Option<IpAddr> {
    addresses.iter().find(|prefix| Family::of(prefix.address) == family && prefix.length < family.bits()).map(|prefix| prefix.address)
}
