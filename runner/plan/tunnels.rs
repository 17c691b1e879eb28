//! What tunnels travel between. In: links, routes and addresses. Out: for each tunnel the two addresses of its packets and the largest
//! packet inside, or the word that its ends do not reach each other. Makes nothing.

use std::net::IpAddr;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::topology::LinkKind;

use super::addresses::primary;
use super::errors::{Findings, PlanError};
use super::graph::Graph;
use super::names::Interfaces;
use super::network::{FAMILIES, Family};
use super::types::Tunnel;
use super::walk::Walker;

/// What VXLAN adds to a packet besides the outer IP header: the inner Ethernet header, its own, and UDP's, in bytes.
const VXLAN_BYTES: u32 = 14 + 8 + 8;

/// By link: what it travels between, if it is a tunnel.
pub(crate) fn find_tunnels(
    graph: &Graph<'_>,
    interfaces: &Interfaces,
    walker: &mut Walker<'_>,
    findings: &mut Findings,
) -> Vec<Option<Tunnel>> {
    let links = &graph.topology.links;
    let mut tunnels = vec![None; links.len()];
    for (index, link) in links.iter().enumerate().filter(|(_, link)| link.kind != LinkKind::Wire) {
        let [(from, _), (to, own)] = interfaces.of_link[index];
        match addresses(graph, walker, from, (to, own)) {
            Ok(between) => {
                let mtu = |(node, address)| graph.holding(node, address).map_or(0, |position| interfaces.mtu(node, position));
                let header = if between[0].is_ipv4() { 20 } else { 40 };
                let below = mtu((from, between[0])).min(mtu((to, between[1])));
                tunnels[index] = Some(Tunnel { between, mtu: below.saturating_sub(VXLAN_BYTES + header) });
            }
            Err(ends) => {
                let [from, to] = [from, to].map(|node| graph.name(node).to_owned());
                findings.add(PlanError::Unreachable { flow: link.name.clone(), from, to: format!("`{to}`"), ends, span: link.span });
            }
        }
    }
    tunnels
}

/// The addresses by which the ends reach each other, IPv4 if there is a choice, and those on one wire before others.
fn addresses(graph: &Graph<'_>, walker: &mut Walker<'_>, from: NodeId, (to, own): (NodeId, u32)) -> Result<[IpAddr; 2], String> {
    let near = |position: u32| {
        let domain = graph.domain(to.index(), position);
        !graph.domains.of_interface[from.index()].iter().any(|other| other.is_some() && *other == domain)
    };
    let mut reason = format!("`{}` has no other address", graph.name(to));
    for family in FAMILIES {
        let all = (0u32..).zip(&graph.interfaces[to.index()]).filter(|(position, _)| *position != own);
        let mut possible: Vec<(bool, IpAddr)> =
            all.filter_map(|(position, interface)| Some((near(position), primary(&interface.addresses, family)?))).collect();
        possible.sort_by_key(|(far, _)| *far);
        for (_, target) in possible {
            match walker.both_ways(from, to, target) {
                Ok(()) => match walker.source(from.index(), target) {
                    Some(source) => return Ok([source, target]),
                    None => reason = format!("`{}` has no {} address to send from", graph.name(from), Family::of(target).word()),
                },
                Err(ends) => reason = ends,
            }
        }
    }
    Err(reason)
}
