//! The headers of frames. In: a layer as said. Out: its fields. Which layers follow each other is `frames`' question.

use super::draft::Draft;
use super::options::{Found, Known, Said};
use super::reading::Bounds;
use crate::quantity::{BILLION, Dimension};
use crate::scenario::frame::{Arp, Field, IcmpHeader, Ipv4, Ipv6, Lacp, LacpEnd, Lldp, TcpFlags, TcpHeader, UdpHeader};

pub(crate) const ARP_OPTIONS: Known =
    Known { what: "`arp`", once: &["operation", "sender_mac", "sender_address", "target_mac", "target_address"], many: &[] };
pub(crate) const LLDP_OPTIONS: Known = Known { what: "`lldp`", once: &["chassis", "port", "ttl", "system", "description"], many: &[] };
pub(crate) const LACP_OPTIONS: Known = Known { what: "`lacp`", once: &["actor", "partner"], many: &[] };
pub(crate) const LACP_END_OPTIONS: Known =
    Known { what: "an end of `lacp`", once: &["system", "system_priority", "key", "port_priority", "port", "state"], many: &[] };
pub(crate) const IPV4_OPTIONS: Known =
    Known { what: "`ipv4`", once: &["source", "destination", "ttl", "dscp", "ecn", "identification", "df", "protocol"], many: &[] };
pub(crate) const IPV6_OPTIONS: Known =
    Known { what: "`ipv6`", once: &["source", "destination", "hop_limit", "dscp", "ecn", "flow_label", "next_header"], many: &[] };
pub(crate) const ICMP_OPTIONS: Known = Known { what: "ICMP", once: &["type", "code", "identifier", "sequence"], many: &[] };
pub(crate) const UDP_OPTIONS: Known = Known { what: "`udp`", once: &["source", "destination"], many: &[] };
pub(crate) const TCP_HEADER_OPTIONS: Known =
    Known { what: "`tcp`", once: &["source", "destination", "sequence", "acknowledgement", "flags", "window"], many: &[] };
/// The words of `operation`.
pub(crate) const ARP_OPERATIONS: &[(&str, u64)] = &[("request", 1), ("reply", 2)];
/// The words of `flags`.
pub(crate) const TCP_FLAGS: &[(&str, &str)] =
    &[("fin", "fin"), ("syn", "syn"), ("rst", "rst"), ("psh", "psh"), ("ack", "ack"), ("urg", "urg"), ("ece", "ece"), ("cwr", "cwr")];

/// Texts of LLDP: at most so many bytes.
const LLDP_TEXT: usize = 255;

impl Draft<'_, '_> {
    pub(super) fn arp(&mut self, said: &Said<'_>) -> Arp {
        self.only_block(said, "arp { operation request }");
        let found = self.inner(said, &ARP_OPTIONS);
        let operation = found.get("operation").and_then(|said| {
            let value = said.option.values.first()?;
            let word = self.word_of(value, &said.scope);
            match word {
                Some(_) => self.choice(said, ARP_OPERATIONS).map(Field::Fixed),
                None => self.field(said, 0xffff),
            }
        });
        Arp {
            operation,
            sender_mac: self.mac_field(&found, "sender_mac"),
            sender_address: self.address_field(&found, "sender_address", 4),
            target_mac: self.mac_field(&found, "target_mac"),
            target_address: self.address_field(&found, "target_address", 4),
        }
    }

    pub(super) fn lldp(&mut self, said: &Said<'_>) -> Lldp {
        self.only_block(said, "lldp { chassis \"sw1\" }");
        let found = self.inner(said, &LLDP_OPTIONS);
        let seconds = Bounds(Dimension::Duration, 0, 65_535 * BILLION);
        let ttl = found.get("ttl").and_then(|said| self.amount(said, seconds, "ttl 120s"));
        let mut text = |name: &str| {
            let said = found.get(name)?;
            let text = self.text(said, &format!("{name} \"sw1\""))?;
            if text.len() > LLDP_TEXT {
                let (what, count, limit, span) = ("bytes of text in LLDP", text.len() as u64, LLDP_TEXT as u64, said.option.span);
                self.context.raise(super::error::ExpandError::TooLarge { what, count, limit, span });
                return None;
            }
            Some(text)
        };
        let (chassis, port, system, description) = (text("chassis"), text("port"), text("system"), text("description"));
        let ttl_s = ttl.and_then(|ns| u16::try_from(ns / BILLION.unsigned_abs()).ok());
        Lldp { chassis, port, ttl_s, system, description }
    }

    pub(super) fn lacp(&mut self, said: &Said<'_>) -> Lacp {
        self.only_block(said, "lacp { actor { key 1 } }");
        let found = self.inner(said, &LACP_OPTIONS);
        let mut end = |name: &str| {
            let Some(said) = found.get(name) else { return LacpEnd::default() };
            self.only_block(said, &format!("{name} {{ key 1 }}"));
            let inner = self.inner(said, &LACP_END_OPTIONS);
            LacpEnd {
                system: self.mac_field(&inner, "system"),
                system_priority: self.number_field(&inner, "system_priority", 0xffff),
                key: self.number_field(&inner, "key", 0xffff),
                port_priority: self.number_field(&inner, "port_priority", 0xffff),
                port: self.number_field(&inner, "port", 0xffff),
                state: self.number_field(&inner, "state", 0xff),
            }
        };
        Lacp { actor: end("actor"), partner: end("partner") }
    }

    pub(super) fn ipv4(&mut self, said: &Said<'_>) -> Ipv4 {
        self.only_block(said, "ipv4 { ttl 9 }");
        let found = self.inner(said, &IPV4_OPTIONS);
        Ipv4 {
            source: self.address_field(&found, "source", 4),
            destination: self.address_field(&found, "destination", 4),
            ttl: self.number_field(&found, "ttl", 255),
            dscp: self.number_field(&found, "dscp", 63),
            ecn: self.number_field(&found, "ecn", 3),
            identification: self.number_field(&found, "identification", 0xffff),
            dont_fragment: found.get("df").and_then(|said| self.switch(said)),
            protocol: self.number_field(&found, "protocol", 255),
        }
    }

    pub(super) fn ipv6(&mut self, said: &Said<'_>) -> Ipv6 {
        self.only_block(said, "ipv6 { hop_limit 9 }");
        let found = self.inner(said, &IPV6_OPTIONS);
        Ipv6 {
            source: self.address_field(&found, "source", 6),
            destination: self.address_field(&found, "destination", 6),
            hop_limit: self.number_field(&found, "hop_limit", 255),
            dscp: self.number_field(&found, "dscp", 63),
            ecn: self.number_field(&found, "ecn", 3),
            flow_label: self.number_field(&found, "flow_label", 0xf_ffff),
            next_header: self.number_field(&found, "next_header", 255),
        }
    }

    pub(super) fn icmp_header(&mut self, said: &Said<'_>) -> IcmpHeader {
        self.only_block(said, &format!("{} {{ type 8 }}", said.option.name.text));
        let found = self.inner(said, &ICMP_OPTIONS);
        IcmpHeader {
            kind: self.number_field(&found, "type", 255),
            code: self.number_field(&found, "code", 255),
            identifier: self.number_field(&found, "identifier", 0xffff),
            sequence: self.number_field(&found, "sequence", 0xffff),
        }
    }

    fn ports(&mut self, found: &Found<'_>) -> (Option<Field<u64>>, Option<Field<u64>>) {
        (self.number_field(found, "source", 0xffff), self.number_field(found, "destination", 0xffff))
    }

    pub(super) fn udp_header(&mut self, said: &Said<'_>) -> UdpHeader {
        self.only_block(said, "udp { destination 7 }");
        let found = self.inner(said, &UDP_OPTIONS);
        let (source, destination) = self.ports(&found);
        UdpHeader { source, destination }
    }

    pub(super) fn tcp_header(&mut self, said: &Said<'_>) -> TcpHeader {
        self.only_block(said, "tcp { destination 7  flags syn }");
        let found = self.inner(said, &TCP_HEADER_OPTIONS);
        let (source, destination) = self.ports(&found);
        let flags = found.get("flags").and_then(|said| {
            let mut flags = TcpFlags::default();
            for value in self.each_value(said, "flags syn, ack")? {
                match self.choice_of("flags", value, &said.scope, TCP_FLAGS)? {
                    "fin" => flags.fin = true,
                    "syn" => flags.syn = true,
                    "rst" => flags.rst = true,
                    "psh" => flags.psh = true,
                    "ack" => flags.ack = true,
                    "urg" => flags.urg = true,
                    "ece" => flags.ece = true,
                    _ => flags.cwr = true,
                }
            }
            Some(flags)
        });
        TcpHeader {
            source,
            destination,
            sequence: self.number_field(&found, "sequence", 0xffff_ffff),
            acknowledgement: self.number_field(&found, "acknowledgement", 0xffff_ffff),
            flags,
            window: self.number_field(&found, "window", 0xffff),
        }
    }
}
