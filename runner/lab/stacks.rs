//! The netlink messages for interfaces that stand on others: VLANs, macvlans, bonds, VXLAN tunnels, and addresses without an interface.
//! In: names, indexes, options. Out: messages. Pure; sends nothing.

use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BondMode as KernelBondMode, InfoBond, InfoData, InfoKind, InfoMacVlan, InfoVlan, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage,
    MacVlanMode, VlanProtocol,
};
use scn_grammar::scenario::topology::{BondMode, MacvlanMode};

/// Nanoseconds in a millisecond, in which the kernel counts a bond's `miimon`.
const NS_PER_MS: u64 = 1_000_000;

/// What every new interface has, whatever it is.
pub(crate) struct Fresh<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its index, unique in the whole lab.
    pub(crate) index: u32,
    /// Its hardware address.
    pub(crate) mac: [u8; 6],
    /// The largest packet, in bytes; `None`: the kernel's own.
    pub(crate) mtu: Option<u32>,
}

impl Fresh<'_> {
    /// A message that makes it, down.
    fn message(&self, below: Option<u32>, kind: InfoKind, data: InfoData) -> RouteNetlinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = self.index;
        message.attributes = vec![LinkAttribute::IfName(self.name.to_owned()), LinkAttribute::Address(self.mac.to_vec())];
        message.attributes.extend(below.map(LinkAttribute::Link));
        message.attributes.extend(self.mtu.map(LinkAttribute::Mtu));
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)]));
        RouteNetlinkMessage::NewLink(message)
    }
}

/// The frames of one tag on the interface below: of 802.1ad if the tag is an outer one of a stack, else of 802.1Q.
pub(crate) fn vlan(fresh: &Fresh<'_>, below: u32, id: u16, outer: bool) -> RouteNetlinkMessage {
    let protocol = if outer { VlanProtocol::Ieee8021Ad } else { VlanProtocol::Ieee8021Q };
    fresh.message(Some(below), InfoKind::Vlan, InfoData::Vlan(vec![InfoVlan::Id(id), InfoVlan::Protocol(protocol)]))
}

/// A hardware address of its own on the wire of the interface below.
pub(crate) fn macvlan(fresh: &Fresh<'_>, below: u32, mode: MacvlanMode) -> RouteNetlinkMessage {
    let mode = match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
    };
    fresh.message(Some(below), InfoKind::MacVlan, InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)]))
}

/// Several interfaces as one. The members join it afterwards, while they are down.
pub(crate) fn bond(fresh: &Fresh<'_>, mode: BondMode, miimon_ns: u64) -> RouteNetlinkMessage {
    let mode = match mode {
        BondMode::BalanceRr => KernelBondMode::BalanceRr,
        BondMode::ActiveBackup => KernelBondMode::ActiveBackup,
        BondMode::BalanceXor => KernelBondMode::BalanceXor,
        BondMode::Broadcast => KernelBondMode::Broadcast,
        BondMode::Lacp => KernelBondMode::Ieee8023Ad,
        BondMode::BalanceTlb => KernelBondMode::BalanceTlb,
        BondMode::BalanceAlb => KernelBondMode::BalanceAlb,
    };
    let miimon = u32::try_from(miimon_ns.div_ceil(NS_PER_MS)).unwrap_or(u32::MAX);
    fresh.message(None, InfoKind::Bond, InfoData::Bond(vec![InfoBond::Mode(mode), InfoBond::MiiMon(miimon)]))
}

/// A VXLAN tunnel from an address of this node to one of another.
pub(crate) fn vxlan(fresh: &Fresh<'_>, id: u32, port: u16, local: IpAddr, remote: IpAddr) -> RouteNetlinkMessage {
    let mut data = vec![InfoVxlan::Id(id), InfoVxlan::Port(port)];
    data.push(match local {
        IpAddr::V4(local) => InfoVxlan::Local(local),
        IpAddr::V6(local) => InfoVxlan::Local6(local),
    });
    data.push(match remote {
        IpAddr::V4(remote) => InfoVxlan::Group(remote),
        IpAddr::V6(remote) => InfoVxlan::Group6(remote),
    });
    fresh.message(None, InfoKind::Vxlan, InfoData::Vxlan(data))
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{NetlinkMessage, NetlinkPayload};

    use super::*;

    const FRESH: Fresh<'_> = Fresh { name: "x", index: 9, mac: [2, 0, 0, 0, 0, 7], mtu: Some(1400) };

    /// The message as bytes behind `struct nlmsghdr` (16 bytes) and `struct ifinfomsg` (16 bytes).
    fn attributes(message: RouteNetlinkMessage) -> Vec<u8> {
        let mut message = NetlinkMessage::from(message);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        assert_eq!(bytes[20..24], 9u32.to_ne_bytes(), "the index");
        let again = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes).unwrap();
        assert!(matches!(again.payload, NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(_))));
        bytes.split_off(32)
    }

    /// The value of the attribute of this kind, as `include/uapi/linux/if_link.h` numbers them.
    fn value(attributes: &[u8], kind: u16) -> &[u8] {
        let mut rest = attributes;
        while rest.len() >= 4 {
            let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
            if u16::from_ne_bytes([rest[2], rest[3]]) & 0x3fff == kind {
                return &rest[4..length];
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        panic!("no attribute {kind} in {attributes:?}");
    }

    const IFLA_ADDRESS: u16 = 1;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_MTU: u16 = 4;
    const IFLA_LINK: u16 = 5;
    const IFLA_LINKINFO: u16 = 18;

    /// Kind and data of a message, its general attributes looked at.
    fn kind_and_data(message: RouteNetlinkMessage, below: Option<u32>) -> (Vec<u8>, Vec<u8>) {
        let all = attributes(message);
        assert_eq!(value(&all, IFLA_IFNAME), b"x\0");
        assert_eq!(value(&all, IFLA_ADDRESS), [2, 0, 0, 0, 0, 7]);
        assert_eq!(value(&all, IFLA_MTU), 1400u32.to_ne_bytes());
        if let Some(below) = below {
            assert_eq!(value(&all, IFLA_LINK), below.to_ne_bytes());
        }
        let info = value(&all, IFLA_LINKINFO);
        let kind = value(info, 1).strip_suffix(b"\0").unwrap_or_default();
        (kind.to_vec(), value(info, 2).to_vec())
    }

    #[test]
    fn vlans_say_their_tag_and_its_protocol() {
        for (outer, protocol) in [(false, [0x81, 0x00]), (true, [0x88, 0xa8])] {
            let (kind, data) = kind_and_data(vlan(&FRESH, 4, 123, outer), Some(4));
            assert_eq!(kind, b"vlan");
            // IFLA_VLAN_ID, IFLA_VLAN_PROTOCOL (big endian).
            assert_eq!(value(&data, 1), 123u16.to_ne_bytes());
            assert_eq!(value(&data, 5), protocol);
        }
    }

    #[test]
    fn bonds_say_their_mode_and_how_often_they_look() {
        let modes = [
            (BondMode::BalanceRr, 0),
            (BondMode::ActiveBackup, 1),
            (BondMode::BalanceXor, 2),
            (BondMode::Broadcast, 3),
            (BondMode::Lacp, 4),
            (BondMode::BalanceTlb, 5),
            (BondMode::BalanceAlb, 6),
        ];
        for (mode, number) in modes {
            let (kind, data) = kind_and_data(bond(&FRESH, mode, 100_000_000), None);
            assert_eq!(kind, b"bond");
            // IFLA_BOND_MODE, IFLA_BOND_MIIMON.
            assert_eq!((value(&data, 1), value(&data, 3)), ([number].as_slice(), 100u32.to_ne_bytes().as_slice()));
        }
    }

    #[test]
    fn macvlans_say_their_mode() {
        // MACVLAN_MODE_PRIVATE, _VEPA, _BRIDGE, _PASSTHRU.
        for (mode, number) in [(MacvlanMode::Private, 1), (MacvlanMode::Vepa, 2), (MacvlanMode::Bridge, 4), (MacvlanMode::Passthru, 8u32)] {
            let (kind, data) = kind_and_data(macvlan(&FRESH, 4, mode), Some(4));
            assert_eq!(kind, b"macvlan");
            assert_eq!(value(&data, 1), number.to_ne_bytes());
        }
    }

    #[test]
    fn tunnels_say_both_addresses_in_their_family() {
        let (kind, data) = kind_and_data(vxlan(&FRESH, 42, 4789, "10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()), None);
        assert_eq!(kind, b"vxlan");
        // IFLA_VXLAN_ID, _GROUP, _LOCAL, _PORT (big endian).
        assert_eq!((value(&data, 1), value(&data, 2)), (42u32.to_ne_bytes().as_slice(), [10, 0, 0, 2].as_slice()));
        assert_eq!((value(&data, 4), value(&data, 15)), ([10, 0, 0, 1].as_slice(), 4789u16.to_be_bytes().as_slice()));
        let (_, data) = kind_and_data(vxlan(&FRESH, 42, 4789, "fd00::1".parse().unwrap(), "fd00::2".parse().unwrap()), None);
        // IFLA_VXLAN_GROUP6, _LOCAL6.
        assert_eq!((value(&data, 16)[15], value(&data, 17)[15]), (2, 1));
    }
}
