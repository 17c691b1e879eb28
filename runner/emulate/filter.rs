//! Packets that never pass by what they are: drop rules. In: headers and rules. Out: whether one of them takes the packet.

use scn_grammar::scenario::topology::{DropKind, DropRule};

use super::headers::{Headers, ICMP, ICMPV6, Network, SCTP, TCP, UDP};

/// A rule takes the packet.
pub(super) fn takes(rules: &[DropRule], headers: &Headers) -> bool {
    rules.iter().any(|rule| is_of(rule.kind, headers) && has_port(rule.ports, headers))
}

fn is_of(kind: DropKind, headers: &Headers) -> bool {
    match kind {
        DropKind::Arp => headers.network == Network::Arp,
        DropKind::Nd => headers.is_discovery(),
        DropKind::Ipv4 => headers.network == Network::Ipv4,
        DropKind::Ipv6 => headers.network == Network::Ipv6,
        DropKind::Icmp => is_ip(headers) && matches!(headers.protocol, ICMP | ICMPV6) && !headers.is_discovery(),
        DropKind::Tcp => is_ip(headers) && headers.protocol == TCP,
        DropKind::Udp => is_ip(headers) && headers.protocol == UDP,
        DropKind::Sctp => is_ip(headers) && headers.protocol == SCTP,
    }
}

fn is_ip(headers: &Headers) -> bool {
    matches!(headers.network, Network::Ipv4 | Network::Ipv6)
}

/// Later fragments have no ports, so a rule with ports leaves them; without its first fragment no packet arrives all the same.
fn has_port(range: Option<(u16, u16)>, headers: &Headers) -> bool {
    let Some((from, to)) = range else { return true };
    headers.ports.is_some_and(|ports| ports.iter().any(|port| (from..=to).contains(port)))
}
