//! Frames described layer by layer. In: the option `frame`. Out: a [`Frame`]. Builds no bytes.

use super::draft::Draft;
use super::net_error::NetError;
use super::options::{Found, Known, Said};
use super::reading::Bounds;
use super::value::{Type, Value};
use crate::quantity::Dimension;
use crate::scenario::frame::{Ethernet, Field, Frame, FramePayload, Network, Segment, VlanTag};
use crate::source::Span;
use crate::syntax::tree::TreeOption;

/// Bytes of a payload.
const PAYLOAD: Bounds = Bounds(Dimension::Size, 0, 65_535);
/// VLAN tags of one frame: at most so many.
const TAG_LIMIT: usize = 8;

/// The layers of a frame.
pub(crate) const FRAME_OPTIONS: Known = Known {
    what: "a frame",
    once: &["ethernet", "arp", "lldp", "lacp", "ipv4", "ipv6", "icmp", "icmpv6", "udp", "tcp", "payload"],
    many: &["vlan"],
};
pub(crate) const ETHERNET_OPTIONS: Known = Known { what: "`ethernet`", once: &["source", "destination", "ethertype"], many: &[] };
pub(crate) const VLAN_OPTIONS: Known = Known { what: "`vlan`", once: &["priority", "drop_eligible", "ethertype"], many: &[] };

/// Layers from the outside to the inside; layers of one number exclude each other, tags do not.
const RANKS: &[(&str, u8)] = &[
    ("ethernet", 0),
    ("vlan", 1),
    ("arp", 2),
    ("lldp", 2),
    ("lacp", 2),
    ("ipv4", 2),
    ("ipv6", 2),
    ("icmp", 3),
    ("icmpv6", 3),
    ("udp", 3),
    ("tcp", 3),
    ("payload", 4),
];

/// A frame, and where it needs an interface to leave by.
#[derive(Clone)]
pub(super) struct Described {
    /// The frame.
    pub frame: Frame,
    /// The first layer that no routing can send, with its word.
    pub bound: Option<(&'static str, Span)>,
    /// Where it is said.
    pub span: Span,
}

impl Draft<'_, '_> {
    /// The frame that `frame { ... }` describes.
    pub(super) fn frame(&mut self, said: &Said<'_>) -> Described {
        self.only_block(said, "frame { ipv4 { ttl 9 }  udp { destination 7 } }");
        let found = self.inner(said, &FRAME_OPTIONS);
        self.check_layers(&found);
        let ethernet = found.get("ethernet").map(|said| {
            let inner = self.inner(said, &ETHERNET_OPTIONS);
            Ethernet {
                source: self.mac_field(&inner, "source"),
                destination: self.mac_field(&inner, "destination"),
                ethertype: self.number_field(&inner, "ethertype", 0xffff),
            }
        });
        let vlans = self.tags(&found);
        let network = self.network(&found);
        let segment = self.segment(&found);
        let payload = found.get("payload").and_then(|said| self.frame_payload(said));
        let bound = ["ethernet", "vlan", "arp", "lldp", "lacp"].into_iter().find_map(|word| Some((word, found.all(word).first()?.span())));
        let frame = Frame { ethernet, vlans, network, segment, payload, watch: false };
        Described { frame, bound, span: said.span() }
    }

    /// The options of a layer's block.
    pub(super) fn inner<'o>(&mut self, said: &Said<'o>, known: &Known) -> Found<'o> {
        let option: &'o TreeOption = said.option;
        self.within_scope(&said.scope, |draft| draft.options(&option.block, known))
    }

    /// Reports layers that can't follow each other.
    fn check_layers(&mut self, found: &Found<'_>) {
        let said: Vec<(&str, u8, Span)> =
            RANKS.iter().filter_map(|(word, rank)| Some((*word, *rank, found.all(word).first()?.span()))).collect();
        for pair in said.windows(2) {
            let [(outer, a, first), (inner, b, second)] = pair else { continue };
            let (reason, help) = if a == b {
                (format!("`{outer}` stands in its place"), "one frame has one of them".to_owned())
            } else if first.file == second.file && first.start > second.start {
                (format!("it lies inside `{outer}`"), format!("write `{outer}` first: layers stand from the outside to the inside"))
            } else {
                continue;
            };
            self.context.raise(NetError::FrameLayer { layer: (*inner).into(), reason, span: *second, other: Some(*first), help });
        }
        let has = |word: &str| found.get(word).is_some();
        for (word, below) in [("icmp", &["ipv4"][..]), ("icmpv6", &["ipv6"]), ("udp", &["ipv4", "ipv6"]), ("tcp", &["ipv4", "ipv6"])] {
            let (Some(said), false) = (found.get(word), below.iter().any(|layer| has(layer))) else { continue };
            let needs = below.join("` or `");
            let (reason, help) = (format!("it needs `{needs}` around it"), format!("write `{} {{ }}` before it", below[0]));
            self.context.raise(NetError::FrameLayer { layer: word.into(), reason, span: said.span(), other: None, help });
        }
        let whole = ["arp", "lldp", "lacp"].into_iter().find_map(|word| Some((word, found.get(word)?.span())));
        if let (Some((word, other)), Some(payload)) = (whole, found.get("payload")) {
            let (reason, help) = (format!("`{word}` is whole without one"), "leave the payload out".to_owned());
            let (layer, span) = ("payload".to_owned(), payload.span());
            self.context.raise(NetError::FrameLayer { layer, reason, span, other: Some(other), help });
        }
    }

    /// `vlan 123`, `vlan 1..100`, `vlan 123 { priority 3 }`, `vlan [10, 20]`: a list is a stack, the outermost first.
    fn tags(&mut self, found: &Found<'_>) -> Vec<VlanTag> {
        let mut tags: Vec<VlanTag> = Vec::new();
        for said in found.all("vlan") {
            let inner = self.inner(said, &VLAN_OPTIONS);
            let priority = self.number_field(&inner, "priority", 7);
            let drop_eligible = inner.get("drop_eligible").and_then(|said| self.switch(said));
            let ethertype = match self.number_field(&inner, "ethertype", 0xffff) {
                Some(Field::Fixed(number)) => u16::try_from(number).ok(),
                Some(_) => {
                    self.wrong_form(said, "vlan 123 { ethertype hex\"88a8\" }");
                    None
                }
                None => None,
            };
            let plain = TreeOption { block: Vec::new(), ..said.option.clone() };
            let said = Said { option: &plain, scope: said.scope.clone() };
            let ids = match self.field::<u64>(&said, 4_095) {
                None => continue,
                // A list is a stack here, not a choice.
                Some(Field::Choice(ids)) => ids.into_iter().map(Field::Fixed).collect(),
                Some(one) => vec![one],
            };
            tags.extend(ids.into_iter().map(|id| VlanTag { id, priority: priority.clone(), drop_eligible, ethertype }));
        }
        if let (Some(said), true) = (found.all("vlan").first(), tags.len() > TAG_LIMIT) {
            let (what, count, limit, span) = ("VLAN tags of one frame", tags.len() as u64, TAG_LIMIT as u64, said.span());
            self.context.raise(super::error::ExpandError::TooLarge { what, count, limit, span });
            tags.truncate(TAG_LIMIT);
        }
        tags
    }

    fn network(&mut self, found: &Found<'_>) -> Option<Network> {
        if let Some(said) = found.get("arp") {
            return Some(Network::Arp(self.arp(said)));
        }
        if let Some(said) = found.get("lldp") {
            return Some(Network::Lldp(self.lldp(said)));
        }
        if let Some(said) = found.get("lacp") {
            return Some(Network::Lacp(self.lacp(said)));
        }
        if let Some(said) = found.get("ipv4") {
            return Some(Network::Ipv4(self.ipv4(said)));
        }
        found.get("ipv6").map(|said| Network::Ipv6(self.ipv6(said)))
    }

    fn segment(&mut self, found: &Found<'_>) -> Option<Segment> {
        if let Some(said) = found.get("icmp") {
            return Some(Segment::Icmp(self.icmp_header(said)));
        }
        if let Some(said) = found.get("icmpv6") {
            return Some(Segment::Icmpv6(self.icmp_header(said)));
        }
        if let Some(said) = found.get("udp") {
            return Some(Segment::Udp(self.udp_header(said)));
        }
        found.get("tcp").map(|said| Segment::Tcp(self.tcp_header(said)))
    }

    /// `payload 64B`, `payload random 64B..128B`, `payload "text"`, `payload hex"00"`.
    fn frame_payload(&mut self, said: &Said<'_>) -> Option<FramePayload> {
        let form = "payload 64B`, `payload random 64B` or `payload \"text\"";
        let (random, expr) = match said.option.values.as_slice() {
            [expr] => (false, expr),
            [word, expr] if self.word_of(word, &said.scope).as_deref() == Some("random") => (true, expr),
            _ => {
                self.wrong_form(said, form);
                return None;
            }
        };
        let value = self.context.evaluate(expr, &said.scope)?;
        let bytes = match value {
            Value::Text(text) if !random => text.into_bytes(),
            Value::Bytes(bytes) if !random => bytes,
            other if other.clone().as_type(Type::Of(Dimension::Size)).is_some() => {
                let size = self.varying_of("payload", expr, PAYLOAD, &said.scope)?;
                return Some(if random { FramePayload::Random(size) } else { FramePayload::Filled(size) });
            }
            other => {
                self.context.wrong_type(if random { "a size" } else { "a size, a text or bytes" }, &other, expr.span);
                return None;
            }
        };
        if bytes.len() > 65_535 {
            let (what, count, limit) = ("bytes of payload", bytes.len() as u64, 65_535);
            self.context.raise(super::error::ExpandError::TooLarge { what, count, limit, span: expr.span });
            return None;
        }
        Some(FramePayload::Bytes(bytes))
    }
}
