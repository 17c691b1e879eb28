//! Links, tunnels and routes, replicas made single. In: statements of a topology. Out: [`crate::scenario::topology::Topology`].
//! Addresses that are not written are the planner's.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::Scope;
use super::names::Point;
use super::net_error::NetError;
use super::options::{Found, Known};
use super::reading::Bounds;
use super::things::{Frame, Slot, ThingKind};
use super::value::Value;
use super::{LINK_LIMIT, ROUTE_LIMIT};
use crate::quantity::Dimension;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::NodeId;
use crate::scenario::topology::{End, Impairment, Link, LinkKind, NodeKind, Prefix, Route, Settings};
use crate::source::Span;
use crate::syntax::tree::{self, Block, Expr, LinkDecl, LinkEnd, NodePath, TopologyKind, TopologyStatement};

/// What stands in a link's block.
pub(crate) const LINK_OPTIONS: Known = Known {
    what: "a link",
    once: &[
        "rate",
        "overhead",
        "queue",
        "delay",
        "jitter",
        "distribution",
        "keep_order",
        "reorder",
        "loss",
        "duplicate",
        "corrupt",
        "mtu_black_hole",
        "forward",
        "back",
        "mtu",
        "vlan",
        "offload",
    ],
    many: &["drop"],
};
/// What stands in a tunnel's block.
pub(crate) const VXLAN_OPTIONS: Known = Known { what: "a tunnel", once: &["id", "port", "mtu", "offload"], many: &[] };
/// The UDP port of VXLAN.
const VXLAN_PORT: u16 = 4_789;

/// A statement of a topology that stands, and where its names are looked up.
pub(super) struct Standing<'a> {
    statement: &'a TopologyStatement,
    scope: Scope,
    frame: Frame,
}

impl<'a> Draft<'_, 'a> {
    /// Makes the nodes of a topology, and gives its other statements that stand, `for` unrolled, `if` decided, instances of templates
    /// opened.
    pub(super) fn stand(&mut self, statements: &'a Block<TopologyStatement>, standing: &mut Vec<Standing<'a>>) {
        // Nodes first: they can be arguments of templates.
        self.each(statements, |draft, statement| {
            if let TopologyKind::Nodes { kind, names, options } = &statement.kind {
                draft.nodes(*kind, names, options, &statement.doc);
            }
        });
        self.each(statements, |draft, statement| {
            if matches!(statement.kind, TopologyKind::Nodes { .. }) {
                return;
            }
            if let TopologyKind::Call { call, name } = &statement.kind {
                draft.topology_call(call, name.as_ref(), true, |draft, body| draft.stand(body, standing));
                return;
            }
            let (scope, frame) = (draft.scope.clone(), draft.context.things.frame().clone());
            standing.push(Standing { statement, scope, frame });
        });
    }

    /// Makes everything of the topologies but the nodes, which are there: first what joins them, then what stands on that.
    pub(super) fn topology(&mut self, standing: &[Standing<'a>]) {
        let mut made: BTreeMap<String, usize> = BTreeMap::new();
        for one in standing {
            if let TopologyKind::Link(LinkDecl { name: Some(name), .. }) = &one.statement.kind {
                made.insert(name.name.text.clone(), 1);
            }
        }
        self.each_standing(standing, |draft, statement| {
            if let TopologyKind::Link(link) = &statement.kind {
                draft.link(link, statement, &mut made);
            }
        });
        self.check_tunnels();
        self.name_ends();
        self.each_standing(standing, |draft, statement| {
            if let TopologyKind::Interface(interface) = &statement.kind
                && interface.kind.text != "interface"
            {
                draft.interface_on(interface, statement.span);
            }
        });
        self.check_stacks();
        let mut set = BTreeMap::new();
        self.each_standing(standing, |draft, statement| match &statement.kind {
            TopologyKind::Interface(interface) if interface.kind.text == "interface" => draft.interface_options(interface, &mut set),
            TopologyKind::Route { node, to, via } => draft.route(node, to, via, statement.span),
            TopologyKind::Routing(word) if word.text == "manual" => draft.scenario.topology.routing_manual = true,
            TopologyKind::Routing(word) => {
                let help = suggest(&word.text, ["manual"].into_iter());
                draft.context.raise(ResolveError::UnknownOption { what: "`routing`", name: word.text.clone(), span: word.span, help });
            }
            _ => {}
        });
        self.settle();
        self.check_addresses();
    }

    /// Takes in the programs that topologies bring along.
    pub(super) fn topology_processes(&mut self, standing: &[Standing<'a>]) {
        self.each_standing(standing, |draft, statement| {
            if let TopologyKind::Process(process) = &statement.kind {
                draft.process(process);
            }
        });
    }

    /// Calls `visit` for each statement where it stands.
    fn each_standing(&mut self, standing: &[Standing<'a>], mut visit: impl FnMut(&mut Self, &'a TopologyStatement)) {
        for one in standing {
            if self.context.is_full() {
                return;
            }
            self.in_frame(one.frame.clone(), |draft| draft.within_scope(&one.scope, |draft| visit(draft, one.statement)));
        }
    }

    fn link(&mut self, link: &LinkDecl, statement: &TopologyStatement, made: &mut BTreeMap<String, usize>) {
        let span = statement.span;
        let (kind, found) = self.link_kind(link);
        let (forward, back) = if kind == LinkKind::Wire { self.both_ways(&found) } else { Default::default() };
        let settings = self.settings(&found);
        let slot = match &link.name {
            Some(name) => match self.declare(ThingKind::Link, name, 1) {
                None => return,
                slot => slot,
            },
            None => None,
        };
        let [left, right] = &link.ends;
        let (from, to) = (self.point_of(&left.point), self.point_of(&right.point));
        self.check_interface_name(from.as_ref());
        self.check_interface_name(to.as_ref());
        let (first_addresses, second_addresses) = (self.addresses(left), self.addresses(right));
        let (Some(from), Some(to)) = (from, to) else { return };
        let Some(count) = self.link_count(link, (&from, &to), span) else { return };
        let many = from.many || to.many;
        let there = self.scenario.topology.links.len();
        if let Some(slot) = &slot {
            if many {
                self.define_many(slot, position(there), &(1..=i64::try_from(count).unwrap_or(i64::MAX)).collect::<Vec<_>>());
            } else {
                self.define(slot, position(there));
            }
        }
        for index in 0..count {
            let (a, b) = (from.nodes[index.min(from.nodes.len() - 1)], to.nodes[index.min(to.nodes.len() - 1)]);
            if a == b {
                let name = self.scenario.topology.nodes[a.index()].name.clone();
                self.context.raise(ExpandError::LinkToItself { name, span: left.point.span, other: right.point.span });
                return;
            }
            let ends = [end(a, left, &from, &first_addresses, &settings), end(b, right, &to, &second_addresses, &settings)];
            if !self.ends_fit(kind, &ends, &forward, &back) {
                return;
            }
            let name = self.link_name(slot.as_ref(), (a, b), many.then_some(index + 1), made);
            let (doc, named) = (statement.doc.join("\n"), link.name.is_some());
            let (forward, back) = (forward.clone(), back.clone());
            self.scenario.topology.links.push(Link { name, named, doc, kind, ends, forward, back, span });
        }
    }

    fn link_kind<'o>(&mut self, link: &'o LinkDecl) -> (LinkKind, Found<'o>) {
        if link.kind == tree::LinkKind::Wire {
            return (LinkKind::Wire, self.options(&link.options, &LINK_OPTIONS));
        }
        let found = self.options(&link.options, &VXLAN_OPTIONS);
        let tunnels = self.scenario.topology.links.iter().filter(|link| link.kind != LinkKind::Wire).count();
        let id = found.get("id").and_then(|said| self.small(said, 0, 0xff_ffff, "id 42")).unwrap_or(position(tunnels + 1));
        let bounds = Bounds(Dimension::Count, 1, 65_535);
        let port = found.get("port").and_then(|said| self.amount(said, bounds, "port 4789")).and_then(|port| u16::try_from(port).ok());
        (LinkKind::Vxlan { id, port: port.unwrap_or(VXLAN_PORT) }, found)
    }

    /// How many links a statement makes. `None`: too many, or several at both ends, which was reported.
    fn link_count(&mut self, link: &LinkDecl, (from, to): (&Point, &Point), span: Span) -> Option<usize> {
        let [left, right] = &link.ends;
        if from.many && to.many {
            self.context.raise(ExpandError::LinkOfMany { span: left.point.span, other: right.point.span });
            return None;
        }
        let count = from.nodes.len().max(to.nodes.len());
        if (from.many || to.many)
            && count > 1
            && let Some(address) = left.addresses.first().or(right.addresses.first())
        {
            let many = if from.many { left } else { right };
            self.context.raise(ExpandError::AddressOfMany { span: many.point.span, address: address.span });
            return None;
        }
        let all = (self.scenario.topology.links.len() + count) as u64;
        if all > LINK_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "links", count: all, limit: LINK_LIMIT, span });
            return None;
        }
        Some(count)
    }

    /// Reports ends that a link of this kind can't have.
    fn ends_fit(&mut self, kind: LinkKind, ends: &[End; 2], forward: &Impairment, back: &Impairment) -> bool {
        for (end, other) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
            let node = &self.scenario.topology.nodes[end.node.index()];
            let (name, declared, span) = (node.name.clone(), node.span, end.span);
            if kind != LinkKind::Wire && node.kind.is_bridge() {
                self.context.raise(ExpandError::NotAHost { name, what: "end a tunnel", span, declared });
                return false;
            }
            let Some(interface) = end.interface.as_ref().filter(|_| node.kind == NodeKind::ThisHost) else { continue };
            let bridge = self.scenario.topology.nodes[other.node.index()].kind.is_bridge();
            let (reason, help) = if !bridge {
                let help = format!("link it to a bridge, or write `{name}` alone: then the link has an interface of its own");
                ("an interface that stands already is put into a bridge and nowhere else", help)
            } else if !end.addresses.is_empty() || end.settings != Settings::default() {
                ("an interface that stands already keeps its addresses and settings", "leave them out here".to_owned())
            } else if !forward.is_nothing() || !back.is_nothing() {
                let help = "say it of a link between that bridge and another".to_owned();
                ("an interface that stands already is no wire of the run's", help)
            } else {
                continue;
            };
            let what = format!("`{name}.{interface}`");
            self.context.raise(NetError::External { what, reason: reason.into(), span, declared, help });
            return false;
        }
        true
    }

    /// Reports tunnels of one number at one node.
    fn check_tunnels(&mut self) {
        let mut seen: BTreeMap<(u32, u32, u16), Span> = BTreeMap::new();
        let mut problems = Vec::new();
        for link in &self.scenario.topology.links {
            let LinkKind::Vxlan { id, port } = link.kind else { continue };
            for end in &link.ends {
                if let Some(first) = seen.insert((end.node.0, id, port), link.span) {
                    let place = format!("`{}`", self.scenario.topology.nodes[end.node.index()].name);
                    problems.push(NetError::IdTwice { what: "VXLAN", id, place, span: link.span, first });
                }
            }
        }
        for problem in problems {
            self.context.raise(problem);
        }
    }

    /// The written name, or one made of the ends, unique in the scenario.
    fn link_name(&self, slot: Option<&Slot>, ends: (NodeId, NodeId), index: Option<usize>, made: &mut BTreeMap<String, usize>) -> String {
        if let Some(slot) = slot {
            let own = slot.indices.as_ref().and_then(|indices| indices.first().copied());
            return slot.name(index.and_then(|index| i64::try_from(index).ok()).or(own));
        }
        let nodes = &self.scenario.topology.nodes;
        let base = format!("{}--{}", nodes[ends.0.index()].name, nodes[ends.1.index()].name);
        loop {
            let count = made.entry(base.clone()).or_insert(0);
            *count += 1;
            let name = if *count == 1 { base.clone() } else { format!("{base}-{count}") };
            if name == base || !made.contains_key(&name) {
                return name;
            }
        }
    }

    pub(super) fn addresses(&mut self, end: &LinkEnd) -> Vec<(Prefix, Span)> {
        end.addresses.iter().filter_map(|expr| self.prefix_of(expr, true).map(|prefix| (prefix, expr.span))).collect()
    }

    /// A prefix; with `host`, one whose address can be a host's.
    pub(super) fn prefix_of(&mut self, expr: &Expr, host: bool) -> Option<Prefix> {
        match self.context.evaluate(expr, &self.scope)? {
            Value::Prefix(prefix) => (!host || self.check_host(prefix, expr.span)).then_some(prefix),
            Value::Address(address) => {
                let help = Some(format!("say how long the subnet is: `{address}/{}`", if address.is_ipv4() { 24 } else { 64 }));
                self.context.raise(ExpandError::WrongType {
                    expected: "a prefix".into(),
                    found: "an address".into(),
                    span: expr.span,
                    help,
                });
                None
            }
            other => {
                self.context.wrong_type("a prefix", &other, expr.span);
                None
            }
        }
    }

    fn route(&mut self, node: &NodePath, to: &Expr, via: &Expr, span: Span) {
        let nodes = self.nodes_of(node);
        let target = self.prefix_of(to, false);
        let next = match self.context.evaluate(via, &self.scope) {
            Some(Value::Address(address)) => Some(address),
            Some(other) => {
                self.context.wrong_type("an address", &other, via.span);
                None
            }
            None => None,
        };
        let (Some((nodes, _)), Some(target), Some(next)) = (nodes, target, next) else { return };
        if target.address.is_ipv4() != next.is_ipv4() {
            self.context.raise(ExpandError::MixedFamilies { span: to.span, other: via.span });
            return;
        }
        let count = (self.scenario.topology.routes.len() + nodes.len()) as u64;
        if count > ROUTE_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "routes", count, limit: ROUTE_LIMIT, span });
            return;
        }
        for id in nodes {
            if !self.is_host(id, node.span, "have routes") {
                return;
            }
            self.scenario.topology.routes.push(Route { node: id, to: target, via: next, span });
        }
    }

    /// Gives the ends of links what their nodes say of all interfaces, and checks what one interface alone can have.
    fn settle(&mut self) {
        let mut addressed: BTreeSet<NodeId> = BTreeSet::new();
        let mut problems = Vec::new();
        let topology = &mut self.scenario.topology;
        for end in topology.links.iter_mut().flat_map(|link| &mut link.ends) {
            let node = &topology.nodes[end.node.index()];
            if node.kind.is_bridge() {
                continue;
            }
            let outer = &node.settings;
            end.settings.mtu = end.settings.mtu.or(outer.mtu);
            end.settings.offload = end.settings.offload.or(outer.offload);
            if end.settings.vlans.is_empty() {
                end.settings.vlans.clone_from(&outer.vlans);
            }
            if outer.mac.is_some() && end.settings.mac.is_none() {
                if !addressed.insert(end.node) {
                    let message = format!("`{}` has several interfaces and one hardware address", node.name);
                    let help = format!("write `interface {}.eth0 {{ mac ... }}` for each", node.name);
                    problems.push(ExpandError::OptionConflict { message, span: node.span, other: end.span, help });
                }
                end.settings.mac = outer.mac;
            }
        }
        for problem in problems {
            self.context.raise(problem);
        }
    }
}

/// A position as an id keeps it; the limits keep lists shorter than 2^32.
pub(super) fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// One end of a link.
fn end(node: NodeId, written: &LinkEnd, point: &Point, addresses: &[(Prefix, Span)], settings: &Settings) -> End {
    let interface = point.interface.as_ref().map(|name| name.text.clone());
    End { node, interface, addresses: addresses.to_vec(), settings: settings.clone(), span: written.span }
}
