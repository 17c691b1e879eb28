//! A described frame in words, layer by layer. In: a frame. Out: one line a layer with the fields that are said; what is not said is
//! computed when a frame is sent.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::frame::{
    Arp, Ethernet, Field, Frame, FramePayload, IcmpHeader, Ipv4, Ipv6, Lacp, LacpEnd, Lldp, Network, Segment, TcpFlags, TcpHeader,
    UdpHeader, VlanTag,
};

use super::Line;
use super::words::{hex, varying};

/// The layers, from the outside.
pub(super) fn frame(frame: &Frame) -> Vec<Line> {
    let Frame { ethernet, vlans, network, segment, payload, watch } = frame;
    let watches =
        watch.then(|| Line::new("watch", "on", "only watches: sends nothing, and counts the frames of others that are so".to_owned()));
    let mut lines: Vec<Line> = watches.into_iter().collect();
    lines.extend(ethernet.iter().map(|of| layer("ethernet", ethernet_fields(of))));
    lines.extend(vlans.iter().map(|tag| layer("vlan", vlan(tag))));
    lines.extend(network.as_ref().map(packet));
    lines.extend(segment.as_ref().map(carried));
    lines.extend(payload.as_ref().map(|payload| Line::pair("payload", payload_words(payload))));
    lines
}

/// The words of the fields of a layer.
#[derive(Default)]
struct Fields(Vec<String>);

impl Fields {
    fn field<T: std::fmt::Display>(mut self, name: &str, of: Option<&Field<T>>) -> Self {
        self.0.extend(of.map(|of| format!("{name} {}", field(of)).trim_start().to_owned()));
        self
    }

    fn word(mut self, name: &str, of: Option<impl std::fmt::Display>) -> Self {
        self.0.extend(of.map(|of| format!("{name} {of}")));
        self
    }

    fn switch(mut self, name: &str, on: Option<bool>) -> Self {
        self.0.extend(on.map(|on| if on { name.to_owned() } else { format!("{name} off") }));
        self
    }
}

fn layer(name: &str, Fields(fields): Fields) -> Line {
    Line::pair(name, fields.join(", "))
}

fn field<T: std::fmt::Display>(of: &Field<T>) -> String {
    match of {
        Field::Fixed(value) => value.to_string(),
        Field::Counting(from, to) => format!("{from}..{to}"),
        Field::Random(from, to) => format!("random {from}..{to}"),
        Field::Choice(values) => format!("choice({})", values.iter().map(T::to_string).collect::<Vec<_>>().join(", ")),
    }
}

fn ethernet_fields(of: &Ethernet) -> Fields {
    let Ethernet { source, destination, ethertype } = of;
    Fields::default().field("source", source.as_ref()).field("destination", destination.as_ref()).field("ethertype", ethertype.as_ref())
}

fn vlan(of: &VlanTag) -> Fields {
    let VlanTag { id, priority, drop_eligible, ethertype } = of;
    Fields::default()
        .field("", Some(id))
        .field("priority", priority.as_ref())
        .switch("drop_eligible", *drop_eligible)
        .word("ethertype", ethertype.map(|of| format!("{of:#06x}")))
}

fn packet(of: &Network) -> Line {
    match of {
        Network::Arp(of) => layer("arp", arp(of)),
        Network::Lldp(of) => layer("lldp", lldp(of)),
        Network::Lacp(Lacp { actor, partner }) => {
            Line::about("lacp").with(vec![layer("actor", lacp(actor)), layer("partner", lacp(partner))])
        }
        Network::Ipv4(of) => layer("ipv4", ipv4(of)),
        Network::Ipv6(of) => layer("ipv6", ipv6(of)),
    }
}

fn arp(of: &Arp) -> Fields {
    let Arp { operation, sender_mac, sender_address, target_mac, target_address } = of;
    Fields::default()
        .field("operation", operation.as_ref())
        .field("sender_mac", sender_mac.as_ref())
        .field("sender_address", sender_address.as_ref())
        .field("target_mac", target_mac.as_ref())
        .field("target_address", target_address.as_ref())
}

fn lldp(of: &Lldp) -> Fields {
    let Lldp { chassis, port, ttl_s, system, description } = of;
    let text = |of: &Option<String>| of.as_deref().map(super::words::quoted);
    Fields::default()
        .word("chassis", text(chassis))
        .word("port", text(port))
        .word("ttl", ttl_s.map(|seconds| format!("{seconds}s")))
        .word("system", text(system))
        .word("description", text(description))
}

fn lacp(of: &LacpEnd) -> Fields {
    let LacpEnd { system, system_priority, key, port_priority, port, state } = of;
    Fields::default()
        .field("system", system.as_ref())
        .field("system_priority", system_priority.as_ref())
        .field("key", key.as_ref())
        .field("port_priority", port_priority.as_ref())
        .field("port", port.as_ref())
        .field("state", state.as_ref())
}

fn ipv4(of: &Ipv4) -> Fields {
    let Ipv4 { source, destination, ttl, dscp, ecn, identification, dont_fragment, protocol } = of;
    Fields::default()
        .field("source", source.as_ref())
        .field("destination", destination.as_ref())
        .field("ttl", ttl.as_ref())
        .field("dscp", dscp.as_ref())
        .field("ecn", ecn.as_ref())
        .field("identification", identification.as_ref())
        .switch("df", *dont_fragment)
        .field("protocol", protocol.as_ref())
}

fn ipv6(of: &Ipv6) -> Fields {
    let Ipv6 { source, destination, hop_limit, dscp, ecn, flow_label, next_header } = of;
    Fields::default()
        .field("source", source.as_ref())
        .field("destination", destination.as_ref())
        .field("hop_limit", hop_limit.as_ref())
        .field("dscp", dscp.as_ref())
        .field("ecn", ecn.as_ref())
        .field("flow_label", flow_label.as_ref())
        .field("next_header", next_header.as_ref())
}

fn carried(of: &Segment) -> Line {
    match of {
        Segment::Icmp(of) => layer("icmp", icmp(of)),
        Segment::Icmpv6(of) => layer("icmpv6", icmp(of)),
        Segment::Udp(UdpHeader { source, destination }) => {
            layer("udp", Fields::default().field("source", source.as_ref()).field("destination", destination.as_ref()))
        }
        Segment::Tcp(of) => layer("tcp", tcp(of)),
    }
}

fn icmp(of: &IcmpHeader) -> Fields {
    let IcmpHeader { kind, code, identifier, sequence } = of;
    Fields::default()
        .field("type", kind.as_ref())
        .field("code", code.as_ref())
        .field("identifier", identifier.as_ref())
        .field("sequence", sequence.as_ref())
}

fn tcp(of: &TcpHeader) -> Fields {
    let TcpHeader { source, destination, sequence, acknowledgement, flags, window } = of;
    Fields::default()
        .field("source", source.as_ref())
        .field("destination", destination.as_ref())
        .field("sequence", sequence.as_ref())
        .field("acknowledgement", acknowledgement.as_ref())
        .word("flags", flags.map(flag_words))
        .field("window", window.as_ref())
}

fn flag_words(flags: TcpFlags) -> String {
    let TcpFlags { fin, syn, rst, psh, ack, urg, ece, cwr } = flags;
    let all = [("fin", fin), ("syn", syn), ("rst", rst), ("psh", psh), ("ack", ack), ("urg", urg), ("ece", ece), ("cwr", cwr)];
    let set: Vec<&str> = all.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    format!("[{}]", set.join(", "))
}

fn payload_words(payload: &FramePayload) -> String {
    match payload {
        FramePayload::Filled(size) => varying(size, Dimension::Size),
        FramePayload::Random(size) => format!("random {}", varying(size, Dimension::Size)),
        FramePayload::Bytes(bytes) => hex(bytes),
    }
}
