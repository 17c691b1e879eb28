//! The headers of an Ethernet frame, as far as the model looks into them. In: a frame. Out: where its network layer begins, what it is,
//! and which flow it belongs to. Changes nothing, and takes every sequence of bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Two hardware addresses and a type.
const ETHERNET_BYTES: usize = 14;
/// A tag's bytes.
const TAG_BYTES: usize = 4;
/// More tags, and more IPv6 extension headers, than these are not looked through.
const MOST_NESTED: usize = 8;

/// Protocol numbers of IP.
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;
pub(super) const SCTP: u8 = 132;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Arp,
    Ipv4,
    Ipv6,
    /// Another type, by its number.
    Other(u16),
}

/// The headers of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Headers {
    /// Where the network layer begins.
    pub(super) at: usize,
    pub(super) network: Network,
    /// Source and destination of IP; IPv4 as its number.
    pub(super) addresses: [u128; 2],
    /// Of IP, behind extension headers.
    pub(super) protocol: u8,
    /// Source and destination of TCP, UDP and SCTP; of an echo its type, and its identifier. `None`: other protocols, later fragments.
    pub(super) ports: Option<[u16; 2]>,
    /// Type of ICMP and ICMPv6.
    pub(super) icmp_type: Option<u8>,
}

fn word(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?))
}

impl Headers {
    /// Reads a frame.
    pub(super) fn of(frame: &[u8]) -> Self {
        let mut at = ETHERNET_BYTES;
        let mut kind = word(frame, at - 2).unwrap_or(0);
        for _ in 0..MOST_NESTED {
            if !matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
                break;
            }
            at += TAG_BYTES;
            kind = word(frame, at - 2).unwrap_or(0);
        }
        let bare = Headers { at, network: Network::Other(kind), addresses: [0; 2], protocol: 0, ports: None, icmp_type: None };
        match kind {
            0x0806 => Headers { network: Network::Arp, ..bare },
            0x0800 => bare.ipv4(frame).unwrap_or(Headers { network: Network::Ipv4, ..bare }),
            0x86dd => bare.ipv6(frame).unwrap_or(Headers { network: Network::Ipv6, ..bare }),
            _ => bare,
        }
    }

    fn ipv4(self, frame: &[u8]) -> Option<Headers> {
        let header = frame.get(self.at..self.at + 20)?;
        let address = |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes).map(u128::from);
        let addresses = [address(12)?, address(16)?];
        let first = word(header, 6)? & 0x1fff == 0;
        let headers = Headers { network: Network::Ipv4, addresses, protocol: header[9], ..self };
        Some(headers.transport(frame, self.at + usize::from(header[0] & 0x0f) * 4, first))
    }

    fn ipv6(self, frame: &[u8]) -> Option<Headers> {
        let header = frame.get(self.at..self.at + 40)?;
        let address = |at: usize| header.get(at..at + 16).and_then(|bytes| bytes.try_into().ok()).map(u128::from_be_bytes);
        let addresses = [address(8)?, address(24)?];
        let (mut protocol, mut at, mut first) = (header[6], self.at + 40, true);
        for _ in 0..MOST_NESTED {
            let length = match protocol {
                // Hop by hop, routing, destination options.
                0 | 43 | 60 => usize::from(*frame.get(at + 1)?) * 8 + 8,
                // A fragment: the ports stand in the first only.
                44 => {
                    first &= word(frame, at + 2)? & 0xfff8 == 0;
                    8
                }
                // Authentication.
                51 => usize::from(*frame.get(at + 1)?) * 4 + 8,
                _ => break,
            };
            protocol = *frame.get(at)?;
            at += length;
        }
        let headers = Headers { network: Network::Ipv6, addresses, protocol, ..self };
        Some(headers.transport(frame, at, first))
    }

    fn transport(self, frame: &[u8], at: usize, first: bool) -> Headers {
        if !first {
            return self;
        }
        match self.protocol {
            TCP | UDP | SCTP => Headers { ports: word(frame, at).zip(word(frame, at + 2)).map(|(a, b)| [a, b]), ..self },
            ICMP | ICMPV6 => {
                let kind = frame.get(at).copied();
                let echo = kind.filter(|kind| matches!(kind, 0 | 8 | 128 | 129));
                let ports = echo.zip(word(frame, at + 4)).map(|(kind, identifier)| [u16::from(kind), identifier]);
                Headers { icmp_type: kind, ports, ..self }
            }
            _ => self,
        }
    }

    /// It is neighbour discovery (RFC 4861).
    pub(super) fn is_discovery(&self) -> bool {
        self.protocol == ICMPV6 && self.icmp_type.is_some_and(|kind| (133..=137).contains(&kind))
    }

    /// Source and destination of IP.
    pub(super) fn ip(&self) -> Option<[IpAddr; 2]> {
        match self.network {
            Network::Ipv4 => Some(self.addresses.map(|address| IpAddr::V4(Ipv4Addr::from(u32::try_from(address).unwrap_or(0))))),
            Network::Ipv6 => Some(self.addresses.map(|address| IpAddr::V6(Ipv6Addr::from(address)))),
            Network::Arp | Network::Other(_) => None,
        }
    }
}

/// Marks a packet that allows it as having met congestion (RFC 3168); false: it does not allow it.
pub(super) fn mark_congestion(frame: &mut [u8]) -> bool {
    let headers = Headers::of(frame);
    let at = headers.at;
    match headers.network {
        Network::Ipv4 if frame.len() >= at + 20 => {
            let before = word(frame, at).unwrap_or(0);
            if before & 0b11 == 0 {
                return false;
            }
            let after = before | 0b11;
            frame[at..at + 2].copy_from_slice(&after.to_be_bytes());
            // RFC 1624: the header's checksum without summing it all again.
            let sum = word(frame, at + 10).unwrap_or(0);
            let folded = u32::from(!sum) + u32::from(!before) + u32::from(after);
            let folded = (folded & 0xffff) + (folded >> 16);
            let folded = (folded & 0xffff) + (folded >> 16);
            let sum = !u16::try_from(folded).unwrap_or(u16::MAX);
            frame[at + 10..at + 12].copy_from_slice(&sum.to_be_bytes());
            true
        }
        Network::Ipv6 if frame.len() >= at + 40 => {
            // The traffic class lies across the first two bytes; its last two bits are these.
            if frame[at + 1] & 0b0011_0000 == 0 {
                return false;
            }
            frame[at + 1] |= 0b0011_0000;
            true
        }
        _ => false,
    }
}
