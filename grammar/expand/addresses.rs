//! Checks what is written about addresses and interfaces: each used once, each a host's, each in the subnet of its wire. In: the
//! links of a draft. Out: diagnostics. Gives no address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::draft::Draft;
use super::error::ExpandError;
use crate::scenario::topology::Prefix;
use crate::source::Span;

/// An address as written, and the end of a link that has it.
type Written = (Prefix, Span, usize);

/// The first address of a prefix: host bits zero.
#[must_use]
pub fn network(prefix: Prefix) -> IpAddr {
    let length = u32::from(prefix.length);
    match prefix.address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32u32.saturating_sub(length)).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(128u32.saturating_sub(length)).unwrap_or(0)).into()),
    }
}

/// The last address of a prefix: host bits one.
pub(super) fn last(prefix: Prefix) -> IpAddr {
    let length = u32::from(prefix.length);
    match prefix.address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() | u32::MAX.checked_shr(length).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() | u128::MAX.checked_shr(length).unwrap_or(0)).into()),
    }
}

/// Why an address can't be a host's.
fn unfit(prefix: Prefix) -> Option<&'static str> {
    let address = prefix.address;
    let widest = if address.is_ipv4() { 30 } else { 126 };
    if address.is_unspecified() {
        Some("the unspecified address")
    } else if address.is_loopback() {
        Some("a loopback address")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if prefix.length <= widest && address == network(prefix) {
        Some("the address of the subnet itself")
    } else if address.is_ipv4() && prefix.length <= widest && address == last(prefix) {
        Some("the broadcast address of its subnet")
    } else {
        None
    }
}

/// The first and the last address of a subnet that a host can have.
fn hosts(prefix: Prefix) -> (IpAddr, IpAddr) {
    match (network(prefix), last(prefix)) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (first, last) = (first.to_bits().saturating_add(1), last.to_bits().saturating_sub(1));
            (IpAddr::V4(first.into()), IpAddr::V4(last.into()))
        }
        (IpAddr::V6(first), last) => (IpAddr::V6(first.to_bits().saturating_add(1).into()), last),
        mixed => mixed,
    }
}

impl Draft<'_, '_> {
    /// Reports an address that no host can have.
    pub(super) fn check_host(&mut self, prefix: Prefix, span: Span) -> bool {
        let Some(what) = unfit(prefix) else { return true };
        let help = (what.contains("subnet") && prefix.length > 0).then(|| {
            let (first, end) = hosts(prefix);
            format!("the hosts of {}/{} are {first} to {end}", network(prefix), prefix.length)
        });
        self.context.raise(ExpandError::NotAHostAddress { address: prefix.address.to_string(), what: what.into(), span, help });
        false
    }

    /// Checks the written addresses and interfaces of all links.
    pub(super) fn check_addresses(&mut self) {
        let mut addresses: BTreeMap<IpAddr, Span> = BTreeMap::new();
        let mut interfaces: BTreeMap<(u32, &str), Span> = BTreeMap::new();
        let mut problems: Vec<ExpandError> = Vec::new();
        let nodes = &self.scenario.topology.nodes;
        for end in self.scenario.topology.links.iter().flat_map(|link| &link.ends) {
            let node = &nodes[end.node.index()];
            for (prefix, span) in &end.addresses {
                if node.kind.is_bridge() {
                    problems.push(ExpandError::NotAHost {
                        name: node.name.clone(),
                        what: "have an address",
                        span: *span,
                        declared: node.span,
                    });
                }
                if let Some(first) = addresses.insert(prefix.address, *span) {
                    problems.push(ExpandError::AddressTwice { address: prefix.address.to_string(), span: *span, first });
                }
            }
            if let Some(name) = &end.interface
                && let Some(first) = interfaces.insert((end.node.0, name), end.span)
            {
                problems.push(ExpandError::InterfaceTwice { node: node.name.clone(), name: name.clone(), span: end.span, first });
            }
        }
        for own in &self.scenario.topology.interfaces {
            for (prefix, span) in &own.addresses {
                if let Some(first) = addresses.insert(prefix.address, *span) {
                    problems.push(ExpandError::AddressTwice { address: prefix.address.to_string(), span: *span, first });
                }
            }
            if let Some(first) = interfaces.insert((own.node.0, &own.name), own.span) {
                let node = nodes[own.node.index()].name.clone();
                problems.push(ExpandError::InterfaceTwice { node, name: own.name.clone(), span: own.span, first });
            }
        }
        problems.extend(self.outside_subnets());
        for problem in problems {
            self.context.raise(problem);
        }
    }

    /// Addresses that share a wire with others and a subnet with none of them. Addresses of full length (`/32`) belong anywhere.
    fn outside_subnets(&self) -> Vec<ExpandError> {
        let mut problems = Vec::new();
        let mut wires: BTreeMap<(usize, bool), Vec<Written>> = BTreeMap::new();
        let wire_of = self.wires();
        for (position, link) in self.scenario.topology.links.iter().enumerate() {
            for (side, end) in link.ends.iter().enumerate() {
                let place = position * 2 + side;
                for (prefix, span) in &end.addresses {
                    let full = prefix.length == if prefix.address.is_ipv4() { 32 } else { 128 };
                    if !full {
                        wires.entry((wire_of[position], prefix.address.is_ipv4())).or_default().push((*prefix, *span, place));
                    }
                }
            }
        }
        for written in wires.values() {
            let mut subnets: BTreeMap<(IpAddr, u8), (Vec<usize>, Span, usize)> = BTreeMap::new();
            for (order, (prefix, span, end)) in written.iter().enumerate() {
                let (ends, ..) = subnets.entry((network(*prefix), prefix.length)).or_insert_with(|| (Vec::new(), *span, order));
                if ends.last() != Some(end) {
                    ends.push(*end);
                }
            }
            // The subnet of most ends, of these the first written, is the wire's.
            let Some((main, (main_ends, main_span, _))) =
                subnets.iter().max_by_key(|(_, (ends, _, order))| (ends.len(), usize::MAX - order))
            else {
                continue;
            };
            for (prefix, span, end) in written {
                let key = (network(*prefix), prefix.length);
                let alone = subnets.get(&key).is_some_and(|(ends, ..)| ends.len() == 1);
                if key != *main && alone && main_ends.iter().any(|other| other != end) {
                    let subnet = format!("{}/{}", main.0, main.1);
                    problems.push(ExpandError::OutsideSubnet { address: prefix.to_string(), subnet, span: *span, other: *main_span });
                }
            }
        }
        problems
    }

    /// For each link the number of its wire: bridges join links into one.
    fn wires(&self) -> Vec<usize> {
        let topology = &self.scenario.topology;
        let mut parent: Vec<usize> = (0..topology.links.len()).collect();
        let mut of_bridge: BTreeMap<u32, usize> = BTreeMap::new();
        for (position, link) in topology.links.iter().enumerate() {
            for end in &link.ends {
                if topology.nodes[end.node.index()].kind.is_bridge() {
                    let first = *of_bridge.entry(end.node.0).or_insert(position);
                    let (a, b) = (root(&mut parent, first), root(&mut parent, position));
                    parent[a.max(b)] = a.min(b);
                }
            }
        }
        (0..parent.len()).map(|link| root(&mut parent, link)).collect()
    }
}

/// The representative of a set, with the way to it halved.
fn root(parent: &mut [usize], start: usize) -> usize {
    let mut at = start;
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnet_and_broadcast_are_no_hosts() {
        let unfit_of = |address: &str, length| unfit(Prefix { address: address.parse().unwrap(), length });
        assert_eq!(unfit_of("10.0.0.0", 24), Some("the address of the subnet itself"));
        assert_eq!(unfit_of("10.0.0.255", 24), Some("the broadcast address of its subnet"));
        assert_eq!(unfit_of("10.0.0.0", 31), None);
        assert_eq!(unfit_of("10.0.0.1", 24), None);
        assert_eq!(unfit_of("10.0.0.7", 32), None);
        assert_eq!(unfit_of("2001:db8::", 64), Some("the address of the subnet itself"));
        assert_eq!(unfit_of("2001:db8::ffff", 64), None);
        assert_eq!(unfit_of("224.0.0.1", 0), Some("a multicast address"));
    }
}
