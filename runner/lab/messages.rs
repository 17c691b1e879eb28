//! The netlink messages that the lab sends. In: names, indexes, addresses. Out: messages. Pure; sends nothing.

use std::borrow::Cow;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use scn_grammar::scenario::topology::Prefix;

/// One end of a veth pair, to be born in a namespace.
pub(crate) struct VethEnd<'a> {
    /// Interface name.
    pub(crate) name: Cow<'a, str>,
    /// Its index, unique in the whole lab: the kernel delays the news of a changed carrier by up to a second when both ends of a
    /// pair have the same index.
    pub(crate) index: u32,
    /// Where it is born.
    pub(crate) namespace: BorrowedFd<'a>,
    /// Hardware address.
    pub(crate) mac: [u8; 6],
    /// The largest packet, in bytes; `None`: the kernel's default.
    pub(crate) mtu: Option<u32>,
}

impl VethEnd<'_> {
    fn message(&self) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = self.index;
        message.attributes = vec![
            LinkAttribute::IfName(self.name.clone().into_owned()),
            LinkAttribute::Address(self.mac.to_vec()),
            LinkAttribute::NetNsFd(self.namespace.as_raw_fd()),
            // One queue: the default is one a core, which costs time and memory and brings nothing on links of our own.
            LinkAttribute::NumTxQueues(1),
            LinkAttribute::NumRxQueues(1),
        ];
        message.attributes.extend(self.mtu.map(LinkAttribute::Mtu));
        message
    }
}

/// A veth pair. The near end comes up at once and may be a port; the far end must be brought up afterwards (the kernel refuses
/// to open it before the pair is joined).
pub(crate) fn veth(near: &VethEnd<'_>, near_bridge: Option<u32>, far: &VethEnd<'_>) -> RouteNetlinkMessage {
    let mut message = near.message();
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    if let Some(bridge) = near_bridge {
        message.attributes.push(LinkAttribute::Controller(bridge));
    }
    message
        .attributes
        .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far.message())))]));
    RouteNetlinkMessage::NewLink(message)
}

/// A bridge that forwards from the first moment: no spanning tree, no snooping of multicast. It is made down.
pub(crate) fn bridge(name: &str, index: u32, mac: Option<[u8; 6]>, mtu: Option<u32>) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(vec![
                InfoBridge::StpState(BridgeStpState::Disabled),
                InfoBridge::ForwardDelay(0),
                InfoBridge::MulticastSnooping(false),
            ])),
        ]),
    ];
    message.attributes.extend(mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
    message.attributes.extend(mtu.map(LinkAttribute::Mtu));
    RouteNetlinkMessage::NewLink(message)
}

/// Brings an interface up or down.
pub(crate) fn set_up(index: u32, up: bool) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.change_mask = LinkFlags::Up;
    message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
    RouteNetlinkMessage::SetLink(message)
}

/// Makes an interface a port of a bridge (0: of none).
pub(crate) fn set_bridge(index: u32, bridge: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::Controller(bridge));
    RouteNetlinkMessage::SetLink(message)
}

/// Writes words at an interface.
pub(crate) fn set_alias(index: u32, words: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::IfAlias(words.to_owned()));
    RouteNetlinkMessage::SetLink(message)
}

/// Gives an interface a hardware address.
pub(crate) fn set_address(index: u32, mac: [u8; 6]) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::Address(mac.to_vec()));
    RouteNetlinkMessage::SetLink(message)
}

/// Makes a bridge keep what is meant for a hardware address to itself (it counts that as received), or no longer.
pub(crate) fn keep_frames_to(mac: [u8; 6], bridge: u32, kept: bool) -> RouteNetlinkMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = bridge;
    message.header.state = NeighbourState::Permanent;
    message.header.flags = NeighbourFlags::Own;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
    if kept { RouteNetlinkMessage::NewNeighbour(message) } else { RouteNetlinkMessage::DelNeighbour(message) }
}

/// Tells an interface where a neighbour is, as if it had heard so and not made sure: it uses that at once and asks by and by.
pub(crate) fn neighbour(index: u32, address: IpAddr, mac: [u8; 6]) -> RouteNetlinkMessage {
    let mut message = neighbour_message(index, address);
    message.header.state = NeighbourState::Stale;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
    RouteNetlinkMessage::NewNeighbour(message)
}

/// Makes an interface ask where a neighbour is, as if there were something to send.
pub(crate) fn ask(index: u32, address: IpAddr) -> RouteNetlinkMessage {
    let mut message = neighbour_message(index, address);
    message.header.flags = NeighbourFlags::Use;
    RouteNetlinkMessage::NewNeighbour(message)
}

/// Makes an interface forget a neighbour, or that it asks for it.
pub(crate) fn forget(index: u32, address: IpAddr) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelNeighbour(neighbour_message(index, address))
}

fn neighbour_message(index: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = index;
    message.attributes.push(NeighbourAttribute::Destination(address.into()));
    message
}

/// The part that adding and removing an address share.
fn address_message(index: u32, prefix: Prefix) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(prefix.address);
    message.header.prefix_len = prefix.length;
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(prefix.address));
    message.attributes.push(AddressAttribute::Address(prefix.address));
    message
}

/// Gives an interface an address; IPv6 without duplicate address detection, so that it can be used at once.
pub(crate) fn add_address(index: u32, prefix: Prefix) -> RouteNetlinkMessage {
    let mut message = address_message(index, prefix);
    match prefix.address {
        IpAddr::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
        IpAddr::V4(address) if prefix.length < 31 => {
            let last = u32::from(address) | !mask_v4(prefix.length);
            message.attributes.push(AddressAttribute::Broadcast(last.into()));
        }
        IpAddr::V4(_) => {}
    }
    RouteNetlinkMessage::NewAddress(message)
}

/// Takes an address away.
pub(crate) fn remove_address(index: u32, prefix: Prefix) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelAddress(address_message(index, prefix))
}

/// A route through a next hop.
pub(crate) fn route(to: Prefix, via: IpAddr) -> RouteNetlinkMessage {
    RouteNetlinkMessage::NewRoute(route_message(to, via))
}

/// The part that setting and taking a route share.
fn route_message(to: Prefix, via: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(to.address);
    message.header.destination_prefix_length = to.length;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    if to.length > 0 {
        message.attributes.push(RouteAttribute::Destination(network(to).into()));
    }
    message.attributes.push(RouteAttribute::Gateway(via.into()));
    message
}

/// Takes a route away.
pub(crate) fn no_route(to: Prefix, via: IpAddr) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelRoute(route_message(to, via))
}

/// Every address of a prefix is the node's own, by way of its loopback interface.
pub(crate) fn local(prefix: Prefix, loopback: u32) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(prefix.address);
    message.header.destination_prefix_length = prefix.length;
    message.header.table = libc::RT_TABLE_LOCAL;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Host;
    message.header.kind = RouteType::Local;
    message.attributes.push(RouteAttribute::Destination(network(prefix).into()));
    message.attributes.push(RouteAttribute::Oif(loopback));
    RouteNetlinkMessage::NewRoute(message)
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// A prefix without host bits.
pub(crate) fn subnet(of: Prefix) -> Prefix {
    Prefix { address: network(of), length: of.length }
}

/// The first address of a subnet; the kernel takes no other as a destination.
fn network(prefix: Prefix) -> IpAddr {
    match prefix.address {
        IpAddr::V4(address) => IpAddr::V4((u32::from(address) & mask_v4(prefix.length)).into()),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & mask_v6(prefix.length)).into()),
    }
}

fn mask_v4(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0)
}

fn mask_v6(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0)
}

/// The subnet of a prefix holds an address.
pub(crate) fn holds(subnet: Prefix, address: IpAddr) -> bool {
    network(subnet) == network(Prefix { address, length: subnet.length })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str, length: u8) -> Prefix {
        Prefix { address: text.parse().unwrap(), length }
    }

    #[test]
    fn a_subnet_holds_its_own_addresses_only() {
        assert!(holds(prefix("10.0.0.1", 24), "10.0.0.100".parse().unwrap()));
        assert!(!holds(prefix("10.0.0.1", 24), "10.0.1.100".parse().unwrap()));
        assert!(holds(prefix("10.0.0.1", 0), "192.0.2.1".parse().unwrap()));
        assert!(holds(prefix("10.0.0.1", 32), "10.0.0.1".parse().unwrap()));
        assert!(holds(prefix("fd00::1", 64), "fd00::ff".parse().unwrap()));
        assert!(!holds(prefix("fd00::1", 128), "fd00::2".parse().unwrap()));
        assert!(!holds(prefix("fd00::1", 64), "10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn broadcast_addresses_are_the_last_of_their_subnet() {
        let RouteNetlinkMessage::NewAddress(message) = add_address(2, prefix("10.0.5.1", 22)) else { panic!("an address") };
        assert!(message.attributes.contains(&AddressAttribute::Broadcast("10.0.7.255".parse().unwrap())));
    }
}
