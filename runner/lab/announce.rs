//! Frames by which a node tells its neighbours where an address lives now. In: hardware address and address. Out: frames. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every neighbour.
const BROADCAST: [u8; 6] = [0xff; 6];
/// ff02::1 on Ethernet.
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
/// ff02::1.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Neighbour advertisement with one option.
const ADVERTISEMENT_BYTES: usize = 32;

/// What is sent for one address: gratuitous ARP as request and as reply, or an unsolicited neighbour advertisement.
pub(crate) fn frames(mac: [u8; 6], address: IpAddr) -> Vec<Vec<u8>> {
    match address {
        IpAddr::V4(address) => vec![gratuitous(mac, address, 1), gratuitous(mac, address, 2)],
        IpAddr::V6(address) => vec![advertisement(mac, address)],
    }
}

/// ARP for one's own address: operation 1 asks, 2 answers.
fn gratuitous(mac: [u8; 6], address: Ipv4Addr, operation: u8) -> Vec<u8> {
    let mut frame = ethernet(BROADCAST, mac, 0x0806);
    // Ethernet, IPv4, 6 and 4 bytes.
    frame.extend([0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend(mac);
    frame.extend(address.octets());
    frame.extend(if operation == 1 { [0; 6] } else { mac });
    frame.extend(address.octets());
    frame
}

/// ICMPv6 type 136, unsolicited, which overrides what neighbours knew.
fn advertisement(mac: [u8; 6], address: Ipv6Addr) -> Vec<u8> {
    let mut body = Vec::with_capacity(ADVERTISEMENT_BYTES);
    // Type, code, checksum, flags: override.
    body.extend([136, 0, 0, 0, 0x20, 0, 0, 0]);
    body.extend(address.octets());
    // Option 2: target's hardware address, 8 bytes in all.
    body.extend([2, 1]);
    body.extend(mac);
    let sum = checksum(address, ALL_NODES, &body);
    body[2..4].copy_from_slice(&sum.to_be_bytes());

    let mut frame = ethernet(ALL_NODES_MAC, mac, 0x86dd);
    // Version 6, length, ICMPv6, hop limit 255: neighbours accept nothing less.
    frame.extend([0x60, 0, 0, 0, 0, ADVERTISEMENT_BYTES as u8, 58, 255]);
    frame.extend(address.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(body);
    frame
}

fn ethernet(to: [u8; 6], from: [u8; 6], kind: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(96);
    frame.extend(to);
    frame.extend(from);
    frame.extend(kind.to_be_bytes());
    frame
}

/// The checksum of an ICMPv6 message, whose own field is zero or, to check it, filled.
fn checksum(from: Ipv6Addr, to: Ipv6Addr, body: &[u8]) -> u16 {
    let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let pseudo = from.octets().into_iter().chain(to.octets()).chain(length).chain([0, 0, 0, 58]);
    let bytes: Vec<u8> = pseudo.chain(body.iter().copied()).collect();
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

    #[test]
    fn an_arp_announcement_names_the_address_twice() {
        let frames = frames(MAC, "10.0.0.100".parse().unwrap());
        assert_eq!(frames.len(), 2);
        for frame in &frames {
            assert_eq!(frame.len(), 42);
            assert_eq!(frame[28..32], [10, 0, 0, 100]);
            assert_eq!(frame[38..42], [10, 0, 0, 100]);
        }
        assert_eq!((frames[0][21], frames[1][21]), (1, 2));
    }

    #[test]
    fn an_advertisement_has_a_right_checksum() {
        let address: Ipv6Addr = "fd00::7".parse().unwrap();
        let frame = &frames(MAC, address.into())[0];
        assert_eq!(frame.len(), 14 + 40 + 32);
        assert_eq!(frame[21], 255);
        // Summed with its own checksum in place, a message gives zero.
        assert_eq!(checksum(address, ALL_NODES, &frame[54..]), 0);
    }
}
