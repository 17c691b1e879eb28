//! Interfaces: their names, what is set at those that links make, and those that stand on others. In: statements of a topology.
//! Out: [`Interface`]s and settings of ends. Gives no address.

use std::collections::{BTreeMap, BTreeSet};

use super::LINK_LIMIT;
use super::draft::Draft;
use super::error::ExpandError;
use super::names::Point;
use super::net_error::NetError;
use super::nodes::INTERFACE_LENGTH;
use super::options::{Found, Known};
use super::reading::Bounds;
use crate::quantity::Dimension;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::NodeId;
use crate::scenario::topology::{BondMode, Interface, InterfaceKind, MacvlanMode, NodeKind};
use crate::source::Span;
use crate::syntax::tree::{InterfaceDecl, Name};

/// Members of one bond: at most so many.
const MEMBER_LIMIT: usize = 64;
/// A bond looks at the carrier this often if nothing is said, ns.
const DEFAULT_MIIMON_NS: u64 = 100_000_000;

pub(crate) const INTERFACE_OPTIONS: Known = Known { what: "an interface", once: &["mac", "vlan", "mtu", "offload"], many: &["sysctl"] };
pub(crate) const VLAN_OPTIONS: Known = Known { what: "a VLAN", once: &["id", "mac", "mtu", "offload"], many: &["sysctl"] };
pub(crate) const MACVLAN_OPTIONS: Known = Known { what: "a macvlan", once: &["mode", "mac", "mtu", "offload"], many: &["sysctl"] };
pub(crate) const BOND_OPTIONS: Known = Known { what: "a bond", once: &["mode", "miimon", "mac", "mtu", "offload"], many: &["sysctl"] };
/// The words of a macvlan's `mode`.
pub(crate) const MACVLAN_MODES: &[(&str, MacvlanMode)] =
    &[("bridge", MacvlanMode::Bridge), ("vepa", MacvlanMode::Vepa), ("private", MacvlanMode::Private), ("passthru", MacvlanMode::Passthru)];
/// The words of a bond's `mode`.
pub(crate) const BOND_MODES: &[(&str, BondMode)] = &[
    ("active_backup", BondMode::ActiveBackup),
    ("balance_rr", BondMode::BalanceRr),
    ("balance_xor", BondMode::BalanceXor),
    ("broadcast", BondMode::Broadcast),
    ("lacp", BondMode::Lacp),
    ("balance_tlb", BondMode::BalanceTlb),
    ("balance_alb", BondMode::BalanceAlb),
];

/// An interface that a link makes.
#[derive(Debug, Clone)]
pub struct NamedEnd {
    /// Its name, written or given.
    pub name: String,
    /// The link.
    pub link: usize,
    /// Which end of the link.
    pub side: usize,
}

impl Draft<'_, '_> {
    /// Reports a name that no interface can have.
    pub(super) fn check_interface_name(&mut self, point: Option<&Point>) {
        if let Some(name) = point.and_then(|point| point.interface.as_ref()) {
            let reason = match name.text.as_str() {
                "lo" => Some("it is the loopback's"),
                text if text.len() > INTERFACE_LENGTH => Some("it is longer than 15 characters"),
                _ => None,
            };
            if let Some(reason) = reason {
                self.context.raise(ExpandError::InterfaceName { name: name.text.clone(), reason, span: name.span });
            }
        }
    }

    /// Checks that a node has an interface.
    pub(super) fn interface(&mut self, node: NodeId, interface: &Name) -> Option<()> {
        let declared = &self.scenario.topology.nodes[node.index()];
        // What stands on a machine is not known here.
        if matches!(declared.kind, NodeKind::ThisHost | NodeKind::Remote) {
            return Some(());
        }
        let known = self.interface_names(node);
        if known.contains(&interface.text) {
            return Some(());
        }
        let help = suggest(&interface.text, known.iter().map(String::as_str));
        let name = self.scenario.topology.nodes[node.index()].name.clone();
        self.context.raise(ResolveError::UnknownInterface { node: name, name: interface.text.clone(), span: interface.span, help });
        None
    }

    /// The interfaces of a node: those of links and those on others.
    fn interface_names(&self, node: NodeId) -> BTreeSet<String> {
        let on = self.scenario.topology.interfaces.iter().filter(|interface| interface.node == node);
        let names = self.ends.get(&node).into_iter().flatten().map(|end| end.name.clone());
        names.chain(on.map(|interface| interface.name.clone())).collect()
    }

    /// Names the interfaces that links make: those written, and `eth0`, `eth1` and so on (at a bridge `port0`, `port1`) for the
    /// rest, in the order of the links, as the planner does.
    pub(super) fn name_ends(&mut self) {
        let topology = &self.scenario.topology;
        let mut written: BTreeMap<NodeId, BTreeSet<&str>> = BTreeMap::new();
        for end in topology.links.iter().flat_map(|link| &link.ends) {
            written.entry(end.node).or_default().extend(end.interface.as_deref());
        }
        let mut next: BTreeMap<NodeId, usize> = BTreeMap::new();
        let mut ends: BTreeMap<NodeId, Vec<NamedEnd>> = BTreeMap::new();
        for (link, made) in topology.links.iter().enumerate() {
            for (side, end) in made.ends.iter().enumerate() {
                let stem = if topology.nodes[end.node.index()].kind.is_bridge() { "port" } else { "eth" };
                let taken = &written[&end.node];
                let name = end.interface.clone().unwrap_or_else(|| {
                    let number = next.entry(end.node).or_default();
                    loop {
                        let name = format!("{stem}{number}");
                        *number += 1;
                        if !taken.contains(name.as_str()) {
                            return name;
                        }
                    }
                });
                ends.entry(end.node).or_default().push(NamedEnd { name, link, side });
            }
        }
        self.ends = ends;
    }

    /// `vlan a.v123 10.0.0.1/24 on a.eth0 { id 123 }`, `macvlan`, `bond`.
    pub(super) fn interface_on(&mut self, declared: &InterfaceDecl, span: Span) {
        let Some((kind, found)) = self.interface_kind(declared) else { return };
        let settings = self.settings(&found);
        let addresses = self.addresses(&declared.end);
        let own = self.point_of(&declared.end.point);
        let below: Vec<Option<Point>> = declared.on.iter().map(|path| self.point_of(path)).collect();
        self.check_interface_name(own.as_ref());
        let (Some(own), Some(below), Some(kind)) = (own, below.into_iter().collect::<Option<Vec<Point>>>(), kind) else { return };
        let Some(name) = own.interface.clone() else {
            let form = format!("{} NODE.NAME on NODE.eth0", declared.kind.text);
            self.context.raise(ExpandError::OptionForm { name: declared.kind.text.clone(), form, span: declared.end.point.span });
            return;
        };
        if own.many && own.nodes.len() > 1 && !declared.end.addresses.is_empty() {
            let address = declared.end.addresses.first().map_or(span, |address| address.span);
            self.context.raise(ExpandError::AddressOfMany { span: declared.end.point.span, address });
            return;
        }
        let one = !matches!(kind, InterfaceKind::Bond { .. });
        let limit = if one { 1 } else { MEMBER_LIMIT };
        if below.len() > limit {
            let (what, count, limit) = ("interfaces below one", below.len() as u64, limit as u64);
            self.context.raise(ExpandError::TooLarge { what, count, limit, span });
            return;
        }
        let count = (self.scenario.topology.interfaces.len() + own.nodes.len()) as u64;
        if count > LINK_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "interfaces", count, limit: LINK_LIMIT, span });
            return;
        }
        for (index, node) in own.nodes.iter().enumerate() {
            let Some(on) = self.names_below(declared, (*node, index), &below, &name) else { return };
            let (name, settings, addresses) = (name.text.clone(), settings.clone(), addresses.clone());
            self.scenario.topology.interfaces.push(Interface { node: *node, name, kind, on, addresses, settings, span });
        }
    }

    /// The names of the interfaces below one, which are of the same node.
    fn names_below(
        &mut self,
        declared: &InterfaceDecl,
        (node, index): (NodeId, usize),
        below: &[Point],
        name: &Name,
    ) -> Option<Vec<String>> {
        let own = &self.scenario.topology.nodes[node.index()];
        if own.kind.is_bridge() {
            self.is_host(node, declared.end.point.span, "have such an interface");
            return None;
        }
        if own.kind == NodeKind::ThisHost {
            let (what, reason) =
                (format!("`{}`", self.context.words(declared.end.point.span)), "interfaces of this machine are never changed");
            let (span, declared) = (declared.end.point.span, own.span);
            let help = "use a `node` linked to what you need".to_owned();
            self.context.raise(NetError::External { what, reason: reason.into(), span, declared, help });
            return None;
        }
        let mut on = Vec::new();
        for (point, path) in below.iter().zip(&declared.on) {
            let same = if point.nodes.len() == 1 { point.nodes.first() } else { point.nodes.get(index) };
            let (Some(same), Some(interface)) = (same, &point.interface) else {
                let form = format!("{} {} on NODE.eth0", declared.kind.text, self.context.words(declared.end.point.span));
                self.context.raise(ExpandError::OptionForm { name: declared.kind.text.clone(), form, span: path.span });
                return None;
            };
            if *same != node {
                let other = self.scenario.topology.nodes[same.index()].name.clone();
                let (interface, span) = (name.text.clone(), name.span);
                self.context.raise(NetError::OtherNode { interface, node: other, span, other: path.span });
                return None;
            }
            on.push(interface.text.clone());
        }
        Some(on)
    }

    /// What an interface on others is. The inner `None`: a piece of it is wrong, which was reported.
    fn interface_kind<'o>(&mut self, declared: &'o InterfaceDecl) -> Option<(Option<InterfaceKind>, Found<'o>)> {
        match declared.kind.text.as_str() {
            "vlan" => {
                let found = self.options(&declared.options, &VLAN_OPTIONS);
                let id = match found.get("id") {
                    Some(said) => self.small(said, 1, 4_094, "id 123"),
                    None => {
                        let what = format!("the VLAN `{}`", self.context.words(declared.end.point.span));
                        let (missing, span, form) = ("tags its frames with", declared.end.point.span, "id 123");
                        self.context.raise(ExpandError::Incomplete { what, missing, span, form });
                        None
                    }
                };
                Some((id.map(|id| InterfaceKind::Vlan { id }), found))
            }
            "macvlan" => {
                let found = self.options(&declared.options, &MACVLAN_OPTIONS);
                let mode = found.get("mode").map_or(Some(MacvlanMode::Bridge), |said| self.choice(said, MACVLAN_MODES));
                Some((mode.map(|mode| InterfaceKind::Macvlan { mode }), found))
            }
            "bond" => {
                let found = self.options(&declared.options, &BOND_OPTIONS);
                let mode = found.get("mode").map_or(Some(BondMode::ActiveBackup), |said| self.choice(said, BOND_MODES));
                let time = Bounds(Dimension::Duration, 1_000_000, 10_000_000_000);
                let miimon_ns = found.get("miimon").and_then(|said| self.amount(said, time, "miimon 100ms")).unwrap_or(DEFAULT_MIIMON_NS);
                Some((mode.map(|mode| InterfaceKind::Bond { mode, miimon_ns }), found))
            }
            _ => None,
        }
    }

    /// Reports interfaces on what is not there, on each other, of one number, in two bonds.
    pub(super) fn check_stacks(&mut self) {
        let stacked = self.scenario.topology.interfaces.clone();
        let mut tags: BTreeMap<(NodeId, &str, u16), Span> = BTreeMap::new();
        let mut members: BTreeMap<(NodeId, &str), Span> = BTreeMap::new();
        let mut of_node: BTreeMap<NodeId, Vec<&Interface>> = BTreeMap::new();
        for interface in &stacked {
            of_node.entry(interface.node).or_default().push(interface);
        }
        for interface in &stacked {
            let beside = &of_node[&interface.node];
            for below in &interface.on {
                let of_links = self.ends.get(&interface.node).into_iter().flatten().map(|end| end.name.as_str());
                let known = of_links.chain(beside.iter().map(|other| other.name.as_str()));
                if !known.clone().any(|name| name == below) {
                    let help = suggest(below, known.filter(|name| *name != interface.name));
                    let node = self.scenario.topology.nodes[interface.node.index()].name.clone();
                    self.context.raise(ResolveError::UnknownInterface { node, name: below.clone(), span: interface.span, help });
                }
                let twice = match interface.kind {
                    InterfaceKind::Vlan { id } => {
                        tags.insert((interface.node, below, id), interface.span).map(|first| ("VLAN", u32::from(id), first))
                    }
                    _ => None,
                };
                if let Some((what, id, first)) = twice {
                    let place = format!("`{below}`");
                    self.context.raise(NetError::IdTwice { what, id, place, span: interface.span, first });
                }
                if matches!(interface.kind, InterfaceKind::Bond { .. })
                    && let Some(other) = members.insert((interface.node, below), interface.span)
                {
                    let message = format!("`{below}` is in two bonds, or in one twice");
                    let help = "name each interface in one bond, once".to_owned();
                    self.context.raise(ExpandError::OptionConflict { message, span: interface.span, other, help });
                }
            }
            if stands_on_itself(interface, beside) {
                let message = format!("`{}` stands on itself", interface.name);
                let help = "let the lowest stand on an interface of a link".to_owned();
                self.context.raise(ExpandError::OptionConflict { message, span: interface.span, other: interface.span, help });
            }
        }
    }

    /// `interface a.eth0 { mac ... }`: what is set at an interface that a link makes.
    pub(super) fn interface_options(&mut self, declared: &InterfaceDecl, set: &mut BTreeMap<(NodeId, String), Span>) {
        let found = self.options(&declared.options, &INTERFACE_OPTIONS);
        let settings = self.settings(&found);
        let point = self.point_of(&declared.end.point);
        if let Some(address) = declared.end.addresses.first() {
            let message = "addresses are said where the link is".to_owned();
            let help = "write the address at the end of the link".to_owned();
            let (span, other) = (address.span, declared.end.point.span);
            self.context.raise(ExpandError::OptionConflict { message, span, other, help });
        }
        let Some(point) = point else { return };
        let Some(name) = &point.interface else {
            let form = format!("interface {}.eth0 {{ mtu 1400 }}", self.context.words(declared.end.point.span));
            self.context.raise(ExpandError::OptionForm { name: "interface".into(), form, span: declared.end.point.span });
            return;
        };
        if let (true, Some(said)) = (point.nodes.len() > 1, found.get("mac")) {
            let message = "several interfaces can't have one hardware address".to_owned();
            let help = "name one interface, as in `interface client[1].eth0`".to_owned();
            self.context.raise(ExpandError::OptionConflict { message, span: said.span(), other: declared.end.point.span, help });
            return;
        }
        for node in point.nodes {
            let at = self.ends.get(&node).into_iter().flatten().find(|end| end.name == name.text).map(|end| (end.link, end.side));
            let outside = self.scenario.topology.nodes[node.index()].kind == NodeKind::ThisHost;
            let Some((link, side)) = at.filter(|_| !outside) else {
                self.no_such_end(node, name, declared);
                continue;
            };
            if let Some(first) = set.insert((node, name.text.clone()), declared.end.span) {
                let (name, span) = (name.text.clone(), declared.end.span);
                self.context.raise(ExpandError::OptionTwice { name, span, first });
                continue;
            }
            let own = &mut self.scenario.topology.links[link].ends[side].settings;
            own.mac = settings.mac.or(own.mac);
            own.mtu = settings.mtu.or(own.mtu);
            own.offload = settings.offload.or(own.offload);
            if !settings.vlans.is_empty() {
                own.vlans.clone_from(&settings.vlans);
            }
            own.sysctls.extend(settings.sysctls.iter().cloned());
        }
    }

    /// Reports options of an interface that no link makes.
    fn no_such_end(&mut self, node: NodeId, name: &Name, declared: &InterfaceDecl) {
        let topology = &self.scenario.topology;
        let there = &topology.nodes[node.index()];
        if there.kind == NodeKind::ThisHost {
            let (what, reason) = (format!("`{}.{}`", there.name, name.text), "interfaces of this machine are never changed".to_owned());
            let (span, declared, help) = (declared.end.point.span, there.span, "leave it out".to_owned());
            self.context.raise(NetError::External { what, reason, span, declared, help });
            return;
        }
        if let Some(own) = topology.interfaces.iter().find(|own| own.node == node && own.name == name.text) {
            let message = format!("`{}` has a statement of its own", name.text);
            let (span, other, help) = (name.span, own.span, "say its options there".to_owned());
            self.context.raise(ExpandError::OptionConflict { message, span, other, help });
            return;
        }
        self.interface(node, name);
    }
}

/// What stands below an interface leads back to it; `beside` are those of its node.
fn stands_on_itself(interface: &Interface, beside: &[&Interface]) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut next: Vec<&str> = interface.on.iter().map(String::as_str).collect();
    while let Some(name) = next.pop() {
        if name == interface.name {
            return true;
        }
        if seen.insert(name) {
            let below = beside.iter().filter(|other| other.name == name);
            next.extend(below.flat_map(|other| other.on.iter().map(String::as_str)));
        }
    }
    false
}
