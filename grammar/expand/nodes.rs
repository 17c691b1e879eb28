//! Nodes and what is set at them. In: statements of a topology. Out: [`Node`]s. Links are `topology`'s.

use super::NODE_LIMIT;
use super::draft::Draft;
use super::error::ExpandError;
use super::net_error::NetError;
use super::options::{Found, Known, Said};
use super::things::ThingKind;
use super::topology::position;
use super::value::Value;
use crate::quantity::Dimension;
use crate::scenario::NodeId;
use crate::scenario::topology::{Node, NodeKind, Placement, Settings, Sysctl};
use crate::source::Span;
use crate::syntax::tree::{self, Block, Indexed, TreeOption};

/// Kernel settings of one node or interface: at most so many.
const SYSCTL_LIMIT: usize = 1_000;
/// VLAN tags of one interface: at most so many.
const TAG_LIMIT: usize = 8;
/// The kernel's longest interface name.
pub(super) const INTERFACE_LENGTH: usize = 15;

pub(crate) const NODE_OPTIONS: Known =
    Known { what: "a node", once: &["mac", "vlan", "mtu", "offload", "forwarding", "placement"], many: &["sysctl"] };
pub(crate) const BRIDGE_OPTIONS: Known = Known { what: "a bridge", once: &["mac", "mtu"], many: &[] };
pub(crate) const EXTERNAL_OPTIONS: Known = Known { what: "an external bridge", once: &["device"], many: &[] };
pub(crate) const HOST_OPTIONS: Known = Known { what: "this machine's own network", once: &[], many: &[] };
pub(crate) const REMOTE_OPTIONS: Known = Known { what: "a remote", once: &["placement"], many: &[] };

impl Draft<'_, '_> {
    /// Declares nodes.
    pub(super) fn nodes(&mut self, kind: tree::NodeKind, names: &[Indexed], options: &Block<TreeOption>, doc: &[String]) {
        let (kind, known) = match kind {
            tree::NodeKind::Node => (NodeKind::Host, &NODE_OPTIONS),
            tree::NodeKind::Router => (NodeKind::Router, &NODE_OPTIONS),
            tree::NodeKind::Bridge => (NodeKind::Bridge, &BRIDGE_OPTIONS),
            tree::NodeKind::ExternalBridge => (NodeKind::ExternalBridge, &EXTERNAL_OPTIONS),
            tree::NodeKind::Host => (NodeKind::ThisHost, &HOST_OPTIONS),
            tree::NodeKind::Remote => (NodeKind::Remote, &REMOTE_OPTIONS),
        };
        let found = self.options(options, known);
        let settings = self.settings(&found);
        let forwarding = found.get("forwarding").and_then(|said| self.switch(said)).unwrap_or(kind == NodeKind::Router);
        let placement = found.get("placement").and_then(|said| self.placement(said));
        let device = found.get("device").and_then(|said| self.device(said));
        for indexed in names {
            if kind == NodeKind::Remote && found.get("placement").is_none() {
                let what = format!("the remote `{}`", indexed.name.text);
                let form = "placement ssh \"lab@east.example\"";
                self.context.raise(ExpandError::Incomplete { what, missing: "stands on", span: indexed.span, form });
            }
            let made = Node {
                name: String::new(),
                doc: doc.join("\n"),
                kind,
                forwarding,
                settings: settings.clone(),
                device: device.clone(),
                placement: placement.clone(),
                span: indexed.span,
            };
            self.node(indexed, &made);
        }
    }

    fn node(&mut self, indexed: &Indexed, made: &Node) {
        let Some(slot) = self.declare(ThingKind::Node, indexed, NODE_LIMIT) else { return };
        let indices: Vec<Option<i64>> = slot.indices.as_ref().map_or(vec![None], |all| all.iter().copied().map(Some).collect());
        let there = self.scenario.topology.nodes.len();
        let count = (there + indices.len()) as u64;
        if count > NODE_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "nodes", count, limit: NODE_LIMIT, span: indexed.span });
            return;
        }
        if made.kind == NodeKind::ThisHost {
            let other = self.scenario.topology.nodes.iter().find(|node| node.kind == NodeKind::ThisHost).map(|node| node.span);
            let other = other.or_else(|| (indices.len() > 1).then_some(indexed.span));
            if let Some(other) = other {
                let message = "this machine has one network of its own".to_owned();
                let help = "declare it once and use its name".to_owned();
                self.context.raise(ExpandError::OptionConflict { message, span: indexed.span, other, help });
                return;
            }
        }
        self.define(&slot, position(there));
        for index in indices {
            self.scenario.topology.nodes.push(Node { name: slot.name(index), ..made.clone() });
        }
    }

    /// `placement ssh "lab@east.example"`.
    fn placement(&mut self, said: &Said<'_>) -> Option<Placement> {
        let [how, target] = said.option.values.as_slice() else {
            self.wrong_form(said, "placement ssh \"lab@east.example\"");
            return None;
        };
        self.choice_of("placement", how, &said.scope, &[("ssh", ())])?;
        let text = self.text_of(target, &said.scope)?;
        if text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace) {
            let help = Some("write it as for ssh: \"lab@east.example\"".to_owned());
            let what = "the target of ssh".to_owned();
            self.context.raise(NetError::UnknownChoice { what, name: text, span: target.span, help });
            return None;
        }
        Some(Placement::Ssh(text))
    }

    /// `device "br-lan"`.
    fn device(&mut self, said: &Said<'_>) -> Option<String> {
        let name = self.text(said, "device \"br-lan\"")?;
        let reason = if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '/' || c == ':') {
            "it is empty or has a blank, `/` or `:`"
        } else if name.len() > INTERFACE_LENGTH {
            "it is longer than 15 characters"
        } else {
            return Some(name);
        };
        self.context.raise(ExpandError::InterfaceName { name, reason, span: said.option.span });
        None
    }

    /// What is set at a node, a link's ends or an interface.
    pub(super) fn settings(&mut self, found: &Found<'_>) -> Settings {
        Settings {
            mac: found.get("mac").and_then(|said| self.mac(said)),
            mtu: found.get("mtu").and_then(|said| self.small(said, 68, 65_535, "mtu 1400")),
            vlans: found.get("vlan").map(|said| self.vlan_ids(said)).unwrap_or_default(),
            offload: found.get("offload").and_then(|said| self.switch(said)),
            sysctls: self.sysctls(found),
        }
    }

    /// `vlan 123`, `vlan [10, 20]`.
    fn vlan_ids(&mut self, said: &Said<'_>) -> Vec<u16> {
        let values = self.each_value(said, "vlan 123").unwrap_or_default();
        if values.len() > TAG_LIMIT {
            let (what, count, limit) = ("VLAN tags of one interface", values.len() as u64, TAG_LIMIT as u64);
            self.context.raise(ExpandError::TooLarge { what, count, limit, span: said.option.span });
            return Vec::new();
        }
        let id = |draft: &mut Self, value| {
            let bounds = super::reading::Bounds(Dimension::Count, 1, 4_094);
            u16::try_from(draft.amount_of("vlan", value, bounds, &said.scope)?).ok()
        };
        values.into_iter().filter_map(|value| id(self, value)).collect()
    }

    /// `sysctl "net.ipv4.tcp_ecn" = 1`, several times.
    fn sysctls(&mut self, found: &Found<'_>) -> Vec<Sysctl> {
        let mut made: Vec<Sysctl> = Vec::new();
        for said in found.all("sysctl") {
            let [key, value] = said.option.values.as_slice() else {
                self.wrong_form(said, "sysctl \"net.ipv4.tcp_ecn\" = 1");
                continue;
            };
            let written = self.text_of(key, &said.scope).and_then(|text| self.sysctl_key(text, key.span));
            let content = match self.context.evaluate(value, &said.scope) {
                Some(Value::Quantity(quantity)) if quantity.dimension == Dimension::Count => Some(quantity.value.to_string()),
                Some(Value::Text(text)) => Some(text),
                Some(Value::Truth(truth)) => Some(u8::from(truth).to_string()),
                Some(other) => {
                    self.context.wrong_type("a count or a text", &other, value.span);
                    None
                }
                None => None,
            };
            let (Some(written), Some(content)) = (written, content) else { continue };
            if let Some(first) = made.iter().find(|known| known.key == written) {
                let first = first.span;
                self.context.raise(ExpandError::OptionTwice { name: written, span: key.span, first });
            } else {
                made.push(Sysctl { key: written, value: content, span: key.span });
            }
        }
        if let (Some(said), true) = (found.all("sysctl").first(), made.len() > SYSCTL_LIMIT) {
            let (what, count, limit) = ("kernel settings of one node", made.len() as u64, SYSCTL_LIMIT as u64);
            self.context.raise(ExpandError::TooLarge { what, count, limit, span: said.span() });
            made.truncate(SYSCTL_LIMIT);
        }
        made
    }

    /// A key under `net.`: no other belongs to a network namespace.
    fn sysctl_key(&mut self, key: String, span: Span) -> Option<String> {
        let fine = key.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-/".contains(c)))
            && !key.contains("..")
            && !key.contains('/');
        if fine && key.starts_with("net.") {
            return Some(key);
        }
        let help = Some("write a setting under `net`, such as \"net.ipv4.tcp_ecn\": no other belongs to a node".to_owned());
        self.context.raise(NetError::UnknownChoice { what: "the setting of a node".into(), name: key, span, help });
        None
    }

    /// Reports a bridge where a host is needed.
    pub(super) fn is_host(&mut self, id: NodeId, span: Span, what: &'static str) -> bool {
        let node = &self.scenario.topology.nodes[id.index()];
        if node.kind.is_bridge() {
            let (name, declared) = (node.name.clone(), node.span);
            self.context.raise(ExpandError::NotAHost { name, what, span, declared });
            return false;
        }
        true
    }
}
