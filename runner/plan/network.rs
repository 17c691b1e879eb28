//! Arithmetic of networks: both families as one 128-bit number. In: prefixes. Out: containment, overlap, the n-th host.
//! Knows no nodes and gives nothing away.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use scn_grammar::scenario::topology::Prefix;

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Both, in the order in which a target is preferred.
pub(crate) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Family {
    pub(crate) fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// Bits of an address.
    pub(crate) fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }

    /// As a position in a pair.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }

    /// The route to everywhere.
    pub(crate) fn everywhere(self) -> Network {
        Network { family: self, bits: 0, length: 0 }
    }
}

/// The address as a number.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The number as an address.
pub(crate) fn address(family: Family, bits: u128) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).expect("an IPv4 number has 32 bits"))),
        Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

/// A subnet: host bits are zero. Ordered by place, a larger network before those inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network {
    /// Whose addresses.
    pub(crate) family: Family,
    /// The first address, as a number.
    pub(crate) bits: u128,
    /// Bits of the prefix.
    pub(crate) length: u8,
}

impl Network {
    /// The network of an address and a length; a length too long for its family counts as a single address.
    pub(crate) fn new(of: IpAddr, length: u8) -> Network {
        let family = Family::of(of);
        let length = length.min(family.bits());
        Network { family, bits: number(of) & !host_mask(family, length), length }
    }

    pub(crate) fn of(prefix: Prefix) -> Network {
        Network::new(prefix.address, prefix.length)
    }

    /// The last address, as a number.
    pub(crate) fn last(self) -> u128 {
        self.bits | host_mask(self.family, self.length)
    }

    pub(crate) fn contains(self, of: IpAddr) -> bool {
        Family::of(of) == self.family && (self.bits..=self.last()).contains(&number(of))
    }

    pub(crate) fn overlaps(self, other: Network) -> bool {
        self.family == other.family && self.bits <= other.last() && other.bits <= self.last()
    }

    /// A single address.
    pub(crate) fn is_single(self) -> bool {
        self.length == self.family.bits()
    }

    /// The lowest and the highest number that a host may have: IPv4 keeps the network's and the broadcast address back,
    /// IPv6 the routers' anycast address; a network of two addresses keeps nothing back.
    pub(crate) fn hosts(self) -> (u128, u128) {
        if self.family.bits() - self.length <= 1 {
            return (self.bits, self.last());
        }
        match self.family {
            Family::V4 => (self.bits + 1, self.last() - 1),
            Family::V6 => (self.bits + 1, self.last()),
        }
    }

    /// As a prefix with zero host bits.
    pub(crate) fn prefix(self) -> Prefix {
        Prefix { address: address(self.family, self.bits), length: self.length }
    }

    /// The network of twice the size that holds this one, and whether this is its lower half.
    pub(crate) fn parent(self) -> Option<(Network, bool)> {
        let length = self.length.checked_sub(1)?;
        let parent = Network { family: self.family, bits: self.bits & !host_mask(self.family, length), length };
        Some((parent, parent.bits == self.bits))
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.prefix().fmt(f)
    }
}

/// Ones where the host's part of an address is.
fn host_mask(family: Family, length: u8) -> u128 {
    match u32::from(family.bits() - length) {
        128 => u128::MAX,
        host => (1u128 << host) - 1,
    }
}

/// Why nobody can have this address on a network of this length; `None`: it can be had.
pub(crate) fn unusable(prefix: Prefix) -> Option<&'static str> {
    let of = prefix.address;
    let network = Network::of(prefix);
    if of.is_unspecified() {
        return Some("the unspecified address");
    }
    if of.is_loopback() {
        return Some("a loopback address");
    }
    if of.is_multicast() {
        return Some("a multicast address");
    }
    match of {
        IpAddr::V4(v4) if v4.is_broadcast() => return Some("the broadcast address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => return Some("a link-local address"),
        _ => {}
    }
    let (first, last) = network.hosts();
    if number(of) < first {
        return Some("the network's own address");
    }
    if number(of) > last {
        return Some("the broadcast address of its network");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
    }

    #[test]
    fn knows_what_lies_inside() {
        let lan = Network::of(prefix("10.0.0.10/24"));
        assert_eq!(lan.to_string(), "10.0.0.0/24");
        assert!(lan.contains("10.0.0.255".parse().unwrap()));
        assert!(!lan.contains("10.0.1.0".parse().unwrap()));
        assert!(!lan.contains("::1".parse().unwrap()));
        assert!(lan.overlaps(Network::of(prefix("10.0.0.0/8"))));
        assert!(!lan.overlaps(Network::of(prefix("10.0.1.0/24"))));
        assert_eq!(Family::V6.everywhere().last(), u128::MAX);
    }

    #[test]
    fn keeps_back_what_no_host_may_have() {
        assert!(unusable(prefix("10.0.0.0/24")).is_some());
        assert!(unusable(prefix("10.0.0.255/24")).is_some());
        assert!(unusable(prefix("10.0.0.0/31")).is_none());
        assert!(unusable(prefix("10.0.0.1/31")).is_none());
        assert!(unusable(prefix("2001:db8::/64")).is_some());
        assert!(unusable(prefix("2001:db8::/127")).is_none());
        assert!(unusable(prefix("2001:db8::1/128")).is_none());
        assert!(unusable(prefix("fe80::1/64")).is_some());
        assert!(unusable(prefix("224.0.0.1/24")).is_some());
    }
}
