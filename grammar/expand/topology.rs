//! Nodes, links and routes, replicas made single. In: statements of a topology. Out: [`crate::scenario::topology::Topology`].
//! Addresses that are not written are the planner's.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::error::ExpandError;
use super::names::Point;
use super::options::{Known, Said};
use super::things::{Slot, ThingKind};
use super::value::Value;
use super::{LINK_LIMIT, NODE_LIMIT, ROUTE_LIMIT};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::NodeId;
use crate::scenario::topology::{End, Impairment, Link, Node, NodeKind, Prefix, Route};
use crate::source::Span;
use crate::syntax::tree::{self, Block, Expr, Indexed, LinkDecl, LinkEnd, NodePath, TopologyKind, TopologyStatement, TreeOption, plain};

/// A link delays by at most this, in ns.
const DELAY_LIMIT_NS: i64 = 600_000_000_000;
/// The kernel's longest interface name.
const INTERFACE_LENGTH: usize = 15;

pub(crate) const NODE_OPTIONS: Known = Known { what: "a node", once: &[], many: &[] };
pub(crate) const LINK_OPTIONS: Known = Known { what: "a link", once: &["delay", "forward", "back"], many: &[] };
pub(crate) const WAY_OPTIONS: Known = Known { what: "one way of a link", once: &["delay"], many: &[] };

impl Draft<'_, '_> {
    /// Declares the nodes of a topology.
    pub(super) fn nodes(&mut self, statements: &Block<TopologyStatement>) {
        for statement in plain(statements) {
            let TopologyKind::Nodes { kind, names, options } = &statement.kind else { continue };
            self.options(options, &NODE_OPTIONS);
            for indexed in names {
                self.node(*kind, indexed);
            }
        }
    }

    fn node(&mut self, kind: tree::NodeKind, indexed: &Indexed) {
        let kind = match kind {
            tree::NodeKind::Node => NodeKind::Host,
            tree::NodeKind::Router => NodeKind::Router,
            tree::NodeKind::Bridge => NodeKind::Bridge,
            _ => return self.not_yet("this kind of node", indexed.span),
        };
        let Some(slot) = self.declare(ThingKind::Node, indexed, NODE_LIMIT) else { return };
        let indices: Vec<Option<i64>> = slot.indices.as_ref().map_or(vec![None], |all| all.iter().copied().map(Some).collect());
        let there = self.scenario.topology.nodes.len();
        let count = (there + indices.len()) as u64;
        if count > NODE_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "nodes", count, limit: NODE_LIMIT, span: indexed.span });
            return;
        }
        self.define(&slot, position(there));
        for index in indices {
            self.scenario.topology.nodes.push(Node { name: slot.name(index), kind, span: indexed.span });
        }
    }

    /// The one node, which must not be a bridge: it is to do what `what` says.
    pub(super) fn host_of(&mut self, path: &NodePath, what: &'static str) -> Option<NodeId> {
        let id = self.node_of(path)?;
        self.is_host(id, path.span, what).then_some(id)
    }

    /// Reports a bridge where a host is needed.
    pub(super) fn is_host(&mut self, id: NodeId, span: Span, what: &'static str) -> bool {
        let node = &self.scenario.topology.nodes[id.index()];
        if node.kind == NodeKind::Bridge {
            let (name, declared) = (node.name.clone(), node.span);
            self.context.raise(ExpandError::NotAHost { name, what, span, declared });
            return false;
        }
        true
    }

    /// Makes the links and routes of a topology.
    pub(super) fn links(&mut self, statements: &Block<TopologyStatement>) {
        let mut made: BTreeMap<String, usize> = BTreeMap::new();
        let written =
            plain(statements).filter_map(|s| if let TopologyKind::Link(link) = &s.kind { Some(&link.name.as_ref()?.name) } else { None });
        let written: Vec<String> = written.map(|name| name.text.clone()).collect();
        let there = self.scenario.topology.links.iter().map(|link| link.name.clone());
        for name in written.into_iter().chain(there) {
            made.insert(name, 1);
        }
        for statement in plain(statements) {
            match &statement.kind {
                TopologyKind::Nodes { .. } => {}
                TopologyKind::Link(link) => self.link(link, statement.span, &mut made),
                TopologyKind::Route { node, to, via } => self.route(node, to, via, statement.span),
                TopologyKind::Interface(_) | TopologyKind::Process(_) | TopologyKind::Call { .. } => {
                    self.not_yet("this statement of a topology", statement.span);
                }
                TopologyKind::Routing(word) if word.text == "manual" => self.scenario.topology.routing_manual = true,
                TopologyKind::Routing(word) => {
                    let help = suggest(&word.text, ["manual"].into_iter());
                    self.context.raise(ResolveError::UnknownOption { what: "`routing`", name: word.text.clone(), span: word.span, help });
                }
            }
        }
    }

    fn link(&mut self, link: &LinkDecl, span: Span, made: &mut BTreeMap<String, usize>) {
        let (forward, back) = self.impairments(&link.options);
        let slot = match &link.name {
            Some(name) => match self.declare(ThingKind::Link, name, 1) {
                None => return,
                slot => slot,
            },
            None => None,
        };
        let [left, right] = &link.ends;
        let (from, to) = (self.point_of(&left.point), self.point_of(&right.point));
        self.check_interface(from.as_ref());
        self.check_interface(to.as_ref());
        let (first_addresses, second_addresses) = (self.addresses(left), self.addresses(right));
        let (Some(from), Some(to)) = (from, to) else { return };
        let (from_many, to_many) = (from.many, to.many);
        if from_many && to_many {
            self.context.raise(ExpandError::LinkOfMany { span: left.point.span, other: right.point.span });
            return;
        }
        let count = from.nodes.len().max(to.nodes.len());
        if (from_many || to_many)
            && count > 1
            && let Some(address) = left.addresses.first().or(right.addresses.first())
        {
            let many = if from_many { left } else { right };
            self.context.raise(ExpandError::AddressOfMany { span: many.point.span, address: address.span });
            return;
        }
        let there = self.scenario.topology.links.len();
        if (there + count) as u64 > LINK_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "links", count: (there + count) as u64, limit: LINK_LIMIT, span });
            return;
        }
        if let Some(slot) = &slot {
            if from_many || to_many {
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
            let name = self.link_name(slot.as_ref(), (a, b), (from_many || to_many).then_some(index + 1), made);
            let ends = [end(a, left, &from, &first_addresses), end(b, right, &to, &second_addresses)];
            self.scenario.topology.links.push(Link { name, named: link.name.is_some(), ends, forward, back, span });
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

    fn addresses(&mut self, end: &LinkEnd) -> Vec<(Prefix, Span)> {
        end.addresses.iter().filter_map(|expr| self.prefix_of(expr, true).map(|prefix| (prefix, expr.span))).collect()
    }

    /// Reports a name that no interface can have.
    fn check_interface(&mut self, point: Option<&Point>) {
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

    /// What a link does to packets, each way.
    fn impairments(&mut self, options: &Block<TreeOption>) -> (Impairment, Impairment) {
        let found = self.options(options, &LINK_OPTIONS);
        let both = found.get("delay").and_then(|said| self.delay(said.option));
        let mut ways = [both, both];
        for (way, name) in ways.iter_mut().zip(["forward", "back"]) {
            let Some(Said { option, .. }) = found.get(name) else { continue };
            if !option.values.is_empty() {
                let form = format!("{name} {{ delay 20ms }}");
                self.context.raise(ExpandError::OptionForm { name: name.into(), form, span: option.span });
            }
            let inner = self.options(&option.block, &WAY_OPTIONS);
            let Some(delay) = inner.get("delay") else { continue };
            if let Some(outer) = found.get("delay") {
                self.context.raise(ExpandError::OptionTwice { name: "delay".into(), span: delay.span(), first: outer.span() });
            }
            *way = self.delay(delay.option);
        }
        let impairment = |delay: Option<u64>| Impairment { delay_ns: delay.unwrap_or(0) };
        (impairment(ways[0]), impairment(ways[1]))
    }

    fn delay(&mut self, option: &TreeOption) -> Option<u64> {
        let value = self.single(option, &[], "delay 20ms")?;
        self.context.bounded("`delay`", value, crate::quantity::Dimension::Duration, (0, DELAY_LIMIT_NS), &self.scope)
    }
}

/// A position as an id keeps it; the limits keep lists shorter than 2^32.
pub(super) fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// One end of a link.
fn end(node: NodeId, written: &LinkEnd, point: &Point, addresses: &[(Prefix, Span)]) -> End {
    let interface = point.interface.as_ref().map(|name| name.text.clone());
    End { node, interface, addresses: addresses.to_vec(), span: written.span }
}
