//! From the layers of a described frame to its template. In: a frame, the ends of its flow. Out: bytes, what of them varies and how. Numbers are
//! those of IEEE 802.1Q, 802.1AB and 802.1AX, and of RFC 826, 791, 8200, 792, 4443, 768 and 9293.

use std::net::IpAddr;

use scn_grammar::scenario::frame::{
    Arp, Field, Frame, FramePayload, IcmpHeader, Ipv4, Ipv6, Lacp, LacpEnd, Lldp, Network as Layer, Segment as Carried, TcpFlags,
    TcpHeader, UdpHeader, VlanTag,
};
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::topology::Mac;

use super::described::Described;
use super::ends::End;
use super::mark::{MARK, Whose};
use super::sums;
use super::template::{Network, Patch, Payload, Segment, Template};
use super::values::{Held, Number};
use crate::traffic::draw::Key;

/// Types of Ethernet.
const LOCAL_EXPERIMENT: u16 = 0x88b5;
const VLAN: u16 = 0x8100;
const OUTER_VLAN: u16 = 0x88a8;
const ARP: u16 = 0x0806;
const LLDP: u16 = 0x88cc;
const SLOW_PROTOCOLS: u16 = 0x8809;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Protocols of IP.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const EXPERIMENT: u8 = 253;
/// Groups of the bridge next door.
const LLDP_GROUP: Mac = Mac([0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e]);
const LACP_GROUP: Mac = Mac([0x01, 0x80, 0xc2, 0x00, 0x00, 0x02]);
const NO_MAC: Mac = Mac([0; 6]);
/// What LLDP tells holds so long if nothing is said, s.
const LLDP_SECONDS: u16 = 120;
/// Bytes of a header of Ethernet.
const ETHERNET: usize = 14;
/// Ports if nothing is said.
const FROM_PORT: u64 = 49_152;
const DISCARD: u64 = 9;
/// What fits into a packet behind the largest headers, bytes.
const LARGEST_PAYLOAD: usize = 65_535 - 60;
/// Part of a flow's key that is no field.
const SIZES: u64 = u64::MAX;

/// Which checksums a field counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Nowhere,
    Network,
    Segment,
    Both,
}

/// Where a field stands: words, and how far above their end.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: usize,
    width: usize,
    shift: u32,
    bits: u32,
}

impl Place {
    /// The bits of its words that are the field's.
    fn mask(self) -> u128 {
        u128::MAX >> (128 - self.bits) << self.shift
    }
}

/// Whole words from a place on.
fn words(at: usize, width: usize) -> Place {
    Place { at, width, shift: 0, bits: width as u32 * 8 }
}

/// So many bits of a word, above its lowest so many.
fn bits(at: usize, shift: u32, bits: u32) -> Place {
    Place { at, width: 2, shift, bits }
}

/// A template under way.
pub(super) struct Headers<'a> {
    from: &'a End,
    to: &'a End,
    key: Key,
    bytes: Vec<u8>,
    certain: Vec<u8>,
    patches: Vec<Patch>,
    fields: u64,
    /// It is a description of others' frames: what is not said is anything.
    watch: bool,
}

/// The template of a flow's frames. `node`: the name of where it begins.
pub fn template(frame: &Frame, ends: (&End, &End), node: &str, whose: Whose, key: Key) -> Template {
    let (from, to) = ends;
    let mut headers = Headers { from, to, key, bytes: Vec::new(), certain: Vec::new(), patches: Vec::new(), fields: 0, watch: frame.watch };
    headers.ethernet(frame);
    let network = headers.network(frame, node);
    let segment = headers.segment(frame, network);
    headers.finish(frame, network, segment, whose)
}

impl Headers<'_> {
    /// Appends so many bytes of zero: where they begin.
    fn room(&mut self, length: usize) -> usize {
        let at = self.bytes.len();
        self.bytes.resize(at + length, 0);
        self.certain.resize(at + length, if self.watch { 0 } else { 0xff });
        at
    }

    /// Writes a number that is always the same.
    fn fixed(&mut self, place: Place, value: u128) {
        for byte in 0..place.width {
            let up = 8 * (place.width - 1 - byte) as u32;
            self.bytes[place.at + byte] |= (value << place.shift >> up) as u8;
        }
    }

    /// Writes a field, or sees to its being written.
    fn field<T: Number>(&mut self, place: Place, said: Option<&Field<T>>, default: &T, counts: Counts) {
        self.fields += 1;
        if self.watch && said.is_none() {
            return;
        }
        let held = said.map_or(Held::Fixed(default.number()), |field| Held::of(field, self.key.part(self.fields)));
        match held {
            Held::Fixed(value) => {
                self.fixed(place, value);
                self.said(place);
            }
            Held::Varying(values) => {
                let mask = place.mask();
                for byte in 0..place.width {
                    let up = 8 * (place.width - 1 - byte) as u32;
                    self.certain[place.at + byte] &= !((mask >> up) as u8);
                }
                let (network, segment) =
                    (matches!(counts, Counts::Network | Counts::Both), matches!(counts, Counts::Segment | Counts::Both));
                let Place { at, width, shift, .. } = place;
                self.patches.push(Patch { at, width, shift, mask, values, network, segment });
            }
        }
    }

    /// In a description of others' frames: these bits are as they stand there.
    fn said(&mut self, place: Place) {
        for byte in (0..place.width).filter(|_| self.watch) {
            let up = 8 * (place.width - 1 - byte) as u32;
            self.certain[place.at + byte] |= (place.mask() >> up) as u8;
        }
    }

    /// A field that the layers give where it is not said: of others' frames too, if there is such a layer.
    fn given(&mut self, place: Place, said: Option<&Field<u64>>, layers: (bool, u64), counts: Counts) {
        let (there, value) = layers;
        let implied = Field::Fixed(value);
        self.field(place, said.or((self.watch && there).then_some(&implied)), &value, counts);
    }

    /// Routers and bridges may change these bits, or lengths and checksums do.
    fn uncertain(&mut self, at: usize, mask: &[u8]) {
        if self.watch {
            return;
        }
        self.certain[at..].iter_mut().zip(mask).for_each(|(certain, mask)| *certain &= !mask);
    }

    fn ethernet(&mut self, frame: &Frame) {
        let said = frame.ethernet.as_ref();
        let at = self.room(ETHERNET);
        let group = match frame.network {
            Some(Layer::Lldp(_)) => Some(LLDP_GROUP),
            Some(Layer::Lacp(_)) => Some(LACP_GROUP),
            _ => None,
        };
        let (own, other) = (self.from.mac().unwrap_or(NO_MAC), group.or_else(|| self.to.mac()).unwrap_or(NO_MAC));
        self.field(words(at, 6), said.and_then(|said| said.destination.as_ref()), &other, Counts::Nowhere);
        self.field(words(at + 6, 6), said.and_then(|said| said.source.as_ref()), &own, Counts::Nowhere);
        let mut type_at = at + 12;
        for (place, tag) in frame.vlans.iter().enumerate() {
            let innermost = place + 1 == frame.vlans.len();
            let place = words(type_at, 2);
            match tag.ethertype {
                // The outermost tag is the kernel's to take off, and the filter's to ask for.
                None if self.watch && type_at > at + 12 => {
                    let either = Field::Choice(vec![u64::from(VLAN), u64::from(OUTER_VLAN)]);
                    self.field(place, Some(&either), &0, Counts::Nowhere);
                }
                said => {
                    self.fixed(place, u128::from(said.unwrap_or(if innermost { VLAN } else { OUTER_VLAN })));
                    if said.is_some() {
                        self.said(place);
                    }
                }
            }
            type_at = self.tag(tag);
        }
        let inside = match frame.network {
            None => LOCAL_EXPERIMENT,
            Some(Layer::Arp(_)) => ARP,
            Some(Layer::Lldp(_)) => LLDP,
            Some(Layer::Lacp(_)) => SLOW_PROTOCOLS,
            Some(Layer::Ipv4(_)) => IPV4,
            Some(Layer::Ipv6(_)) => IPV6,
        };
        let layers = (frame.network.is_some(), u64::from(inside));
        self.given(words(type_at, 2), said.and_then(|said| said.ethertype.as_ref()), layers, Counts::Nowhere);
    }

    /// A tag; where the type of what follows it stands.
    fn tag(&mut self, tag: &VlanTag) -> usize {
        let at = self.room(4);
        self.field(bits(at, 13, 3), tag.priority.as_ref(), &0, Counts::Nowhere);
        self.switch(bits(at, 12, 1), tag.drop_eligible);
        self.field(bits(at, 0, 12), Some(&tag.id), &0, Counts::Nowhere);
        at + 2
    }

    /// A bit that is off if nothing is said.
    fn switch(&mut self, place: Place, said: Option<bool>) {
        self.fixed(place, u128::from(said == Some(true)));
        if said.is_some() {
            self.said(place);
        }
    }

    fn network(&mut self, frame: &Frame, node: &str) -> Option<Network> {
        match frame.network.as_ref()? {
            Layer::Arp(arp) => self.arp(arp),
            Layer::Lldp(lldp) => self.lldp(lldp, node),
            Layer::Lacp(lacp) => self.lacp(lacp),
            Layer::Ipv4(ipv4) => return Some(self.ipv4(ipv4, frame.segment.as_ref())),
            Layer::Ipv6(ipv6) => return Some(self.ipv6(ipv6, frame.segment.as_ref())),
        }
        None
    }

    fn arp(&mut self, arp: &Arp) {
        let at = self.room(28);
        self.fixed(words(at, 2), 1);
        self.fixed(words(at + 2, 2), u128::from(IPV4));
        self.fixed(words(at + 4, 2), 0x0604);
        self.field(words(at + 6, 2), arp.operation.as_ref(), &1, Counts::Nowhere);
        let (own, other) = (self.from.mac().unwrap_or(NO_MAC), self.to.mac().unwrap_or(NO_MAC));
        let known = if arp.operation == Some(Field::Fixed(2)) { other } else { NO_MAC };
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        let (own_address, address) = (self.from.address(false).unwrap_or(nowhere), self.to.address(false).unwrap_or(nowhere));
        self.field(words(at + 8, 6), arp.sender_mac.as_ref(), &own, Counts::Nowhere);
        self.field(words(at + 14, 4), arp.sender_address.as_ref(), &own_address, Counts::Nowhere);
        self.field(words(at + 18, 6), arp.target_mac.as_ref(), &known, Counts::Nowhere);
        self.field(words(at + 24, 4), arp.target_address.as_ref(), &address, Counts::Nowhere);
    }

    /// A part of LLDP: its kind, its bytes.
    fn told(&mut self, kind: u16, bytes: &[u8]) {
        let at = self.room(2 + bytes.len());
        let head = (kind << 9 | bytes.len() as u16).to_be_bytes();
        self.bytes[at..at + 2].copy_from_slice(&head);
        self.bytes[at + 2..].copy_from_slice(bytes);
    }

    fn lldp(&mut self, lldp: &Lldp, node: &str) {
        // A name of the sender's own choice; the name of an interface.
        let (local, interface) = (7, 5);
        let named = |kind: u8, name: &str| [&[kind], name.as_bytes()].concat();
        let port = self.from.said.as_ref().map_or_else(String::new, |interface| interface.name.clone());
        self.told(1, &named(local, lldp.chassis.as_deref().unwrap_or(node)));
        self.told(2, &named(interface, lldp.port.as_deref().unwrap_or(&port)));
        self.told(3, &lldp.ttl_s.unwrap_or(LLDP_SECONDS).to_be_bytes());
        for (kind, text) in [(5, &lldp.system), (6, &lldp.description)] {
            if let Some(text) = text {
                self.told(kind, text.as_bytes());
            }
        }
        self.told(0, &[]);
    }

    fn lacp(&mut self, lacp: &Lacp) {
        let at = self.room(110);
        // The subtype of LACP, its version.
        self.fixed(words(at, 2), 0x0101);
        self.said(bits(at, 8, 8));
        let own = self.from.mac().unwrap_or(NO_MAC);
        self.lacp_end(at + 2, 1, &lacp.actor, own, 0x3d);
        self.lacp_end(at + 22, 2, &lacp.partner, NO_MAC, 0);
        // The collector's part; what ends it is zero.
        self.fixed(words(at + 42, 2), 0x0310);
    }

    fn lacp_end(&mut self, at: usize, kind: u128, end: &LacpEnd, system: Mac, state: u64) {
        self.fixed(words(at, 2), kind << 8 | 20);
        let place = |offset| words(at + offset, 2);
        self.field(place(2), end.system_priority.as_ref(), &65_535, Counts::Nowhere);
        self.field(words(at + 4, 6), end.system.as_ref(), &system, Counts::Nowhere);
        self.field(place(10), end.key.as_ref(), &1, Counts::Nowhere);
        self.field(place(12), end.port_priority.as_ref(), &255, Counts::Nowhere);
        self.field(place(14), end.port.as_ref(), &1, Counts::Nowhere);
        self.field(bits(at + 16, 8, 8), end.state.as_ref(), &state, Counts::Nowhere);
    }

    fn ipv4(&mut self, ipv4: &Ipv4, above: Option<&Carried>) -> Network {
        let at = self.room(20);
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        self.fixed(bits(at, 8, 8), 0x45);
        self.field(bits(at, 2, 6), ipv4.dscp.as_ref(), &0, Counts::Network);
        self.field(bits(at, 0, 2), ipv4.ecn.as_ref(), &0, Counts::Network);
        self.field(words(at + 4, 2), ipv4.identification.as_ref(), &0, Counts::Network);
        self.switch(bits(at + 6, 14, 1), ipv4.dont_fragment);
        self.field(bits(at + 8, 8, 8), ipv4.ttl.as_ref(), &64, Counts::Network);
        let layers = (above.is_some(), u64::from(protocol(above)));
        self.given(bits(at + 8, 0, 8), ipv4.protocol.as_ref(), layers, Counts::Network);
        let (own, other) = (self.from.address(false).unwrap_or(nowhere), self.to.address(false).unwrap_or(nowhere));
        self.field(words(at + 12, 4), ipv4.source.as_ref(), &own, Counts::Both);
        self.field(words(at + 16, 4), ipv4.destination.as_ref(), &other, Counts::Both);
        // Hardware addresses, congestion marks, lifetime and checksum; an identification of zero is the kernel's to choose.
        self.uncertain(0, &[0xff; 12]);
        self.uncertain(at + 1, &[0x03]);
        self.uncertain(at + 4, &[0xff; 2]);
        self.uncertain(at + 8, &[0xff]);
        self.uncertain(at + 10, &[0xff; 2]);
        Network { at, ipv6: false, fixed: 0 }
    }

    fn ipv6(&mut self, ipv6: &Ipv6, above: Option<&Carried>) -> Network {
        let at = self.room(40);
        let nowhere = IpAddr::from([0u16; 8]);
        self.fixed(bits(at, 12, 4), 6);
        self.field(bits(at, 6, 6), ipv6.dscp.as_ref(), &0, Counts::Nowhere);
        self.field(bits(at, 4, 2), ipv6.ecn.as_ref(), &0, Counts::Nowhere);
        self.field(Place { at, width: 4, shift: 0, bits: 20 }, ipv6.flow_label.as_ref(), &0, Counts::Nowhere);
        let layers = (above.is_some(), u64::from(protocol(above)));
        self.given(bits(at + 6, 8, 8), ipv6.next_header.as_ref(), layers, Counts::Nowhere);
        self.field(bits(at + 6, 0, 8), ipv6.hop_limit.as_ref(), &64, Counts::Nowhere);
        let (own, other) = (self.from.address(true).unwrap_or(nowhere), self.to.address(true).unwrap_or(nowhere));
        self.field(words(at + 8, 16), ipv6.source.as_ref(), &own, Counts::Segment);
        self.field(words(at + 24, 16), ipv6.destination.as_ref(), &other, Counts::Segment);
        self.uncertain(0, &[0xff; 12]);
        self.uncertain(at + 1, &[0x30]);
        self.uncertain(at + 7, &[0xff]);
        Network { at, ipv6: true, fixed: 0 }
    }

    fn segment(&mut self, frame: &Frame, network: Option<Network>) -> Option<Segment> {
        let carried = frame.segment.as_ref().filter(|_| network.is_some())?;
        Some(match carried {
            Carried::Icmp(icmp) => self.icmp(icmp, 8, false),
            Carried::Icmpv6(icmp) => self.icmp(icmp, 128, true),
            Carried::Udp(udp) => self.udp(udp),
            Carried::Tcp(tcp) => self.tcp(tcp),
        })
    }

    fn icmp(&mut self, icmp: &IcmpHeader, kind: u64, pseudo: bool) -> Segment {
        let at = self.room(8);
        self.field(bits(at, 8, 8), icmp.kind.as_ref(), &kind, Counts::Segment);
        self.field(bits(at, 0, 8), icmp.code.as_ref(), &0, Counts::Segment);
        self.field(words(at + 4, 2), icmp.identifier.as_ref(), &1, Counts::Segment);
        let counts = Field::Counting(1, 0xffff);
        self.field(words(at + 6, 2), icmp.sequence.as_ref().or((!self.watch).then_some(&counts)), &0, Counts::Segment);
        Segment { at, sum_at: at + 2, has_length: false, pseudo, fixed: 0 }
    }

    fn udp(&mut self, udp: &UdpHeader) -> Segment {
        let at = self.room(8);
        self.field(words(at, 2), udp.source.as_ref(), &FROM_PORT, Counts::Segment);
        self.field(words(at + 2, 2), udp.destination.as_ref(), &DISCARD, Counts::Segment);
        Segment { at, sum_at: at + 6, has_length: true, pseudo: true, fixed: 0 }
    }

    fn tcp(&mut self, tcp: &TcpHeader) -> Segment {
        let at = self.room(20);
        self.field(words(at, 2), tcp.source.as_ref(), &FROM_PORT, Counts::Segment);
        self.field(words(at + 2, 2), tcp.destination.as_ref(), &DISCARD, Counts::Segment);
        self.field(words(at + 4, 4), tcp.sequence.as_ref(), &0, Counts::Segment);
        self.field(words(at + 8, 4), tcp.acknowledgement.as_ref(), &0, Counts::Segment);
        let TcpFlags { fin, syn, rst, psh, ack, urg, ece, cwr } = tcp.flags.unwrap_or(TcpFlags { syn: true, ..TcpFlags::default() });
        let flags = [fin, syn, rst, psh, ack, urg, ece, cwr].iter().rev().fold(0, |flags, on| flags << 1 | u128::from(*on));
        self.fixed(words(at + 12, 2), 5 << 12 | flags);
        if tcp.flags.is_some() {
            self.said(bits(at + 12, 0, 8));
        }
        self.field(words(at + 14, 2), tcp.window.as_ref(), &65_535, Counts::Segment);
        Segment { at, sum_at: at + 16, has_length: false, pseudo: true, fixed: 0 }
    }

    /// The payload, and the sums of what is fixed.
    fn finish(mut self, frame: &Frame, network: Option<Network>, segment: Option<Segment>, whose: Whose) -> Template {
        let payload_at = self.bytes.len();
        let whole = matches!(frame.network, Some(Layer::Arp(_) | Layer::Lldp(_) | Layer::Lacp(_)));
        let payload = match &frame.payload {
            Some(FramePayload::Filled(size) | FramePayload::Random(size)) => Payload::Filling(size.clone()),
            Some(FramePayload::Bytes(bytes)) => {
                let at = self.room(bytes.len());
                self.bytes[at..].copy_from_slice(bytes);
                self.certain[at..].fill(0xff);
                Payload::Fixed
            }
            None if whole || self.watch => Payload::Fixed,
            None => Payload::Filling(Varying::Fixed(MARK as u64)),
        };
        let longest = match &payload {
            Payload::Fixed => self.bytes.len(),
            Payload::Filling(size) => payload_at + longest_payload(size),
        };
        let network = network.map(|mut network| {
            network.fixed = if network.ipv6 { 0 } else { sums::of_bytes(&self.bytes[network.at..network.at + 20]) };
            self.uncertain(network.at + if network.ipv6 { 4 } else { 2 }, &[0xff; 2]);
            network
        });
        let segment = segment.map(|mut segment| {
            segment.fixed = sums::of_bytes(&self.bytes[segment.at..]) + self.pseudo(&segment, network, frame);
            self.uncertain(segment.sum_at, &[0xff; 2]);
            if segment.has_length {
                self.uncertain(segment.at + 4, &[0xff; 2]);
            }
            segment
        });
        self.patches.shrink_to_fit();
        let numbers = frame.vlans.iter().map(|tag| match tag.id {
            Field::Fixed(id) => Some(id as u16),
            _ => None,
        });
        let (tags, key) = (numbers.collect(), self.key.part(SIZES));
        let Headers { bytes, certain, patches, .. } = self;
        let described = frame.watch.then(|| Described::of(frame));
        Template { bytes, certain, payload_at, patches, network, segment, payload, tags, whose, key, longest, described }
    }

    /// The fixed part of what a checksum counts of the header below.
    fn pseudo(&self, segment: &Segment, network: Option<Network>, frame: &Frame) -> sums::Sum {
        let Some(network) = network.filter(|_| segment.pseudo) else { return 0 };
        let (first, length) = if network.ipv6 { (8, 32) } else { (12, 8) };
        let addresses = network.at + first;
        sums::of_bytes(&self.bytes[addresses..addresses + length]) + sums::Sum::from(protocol(frame.segment.as_ref()))
    }
}

/// The longest payload that is drawn: what has no end of its own ends where a packet does.
fn longest_payload(size: &Varying) -> usize {
    usize::try_from(size.most()).unwrap_or(usize::MAX).min(LARGEST_PAYLOAD)
}

fn protocol(above: Option<&Carried>) -> u8 {
    match above {
        None => EXPERIMENT,
        Some(Carried::Icmp(_)) => ICMP,
        Some(Carried::Icmpv6(_)) => ICMPV6,
        Some(Carried::Udp(_)) => UDP,
        Some(Carried::Tcp(_)) => TCP,
    }
}
