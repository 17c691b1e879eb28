//! Nodes, links and routes, replicas made single. In: statements of a topology. Out: [`crate::scenario::topology::Topology`].
//! Addresses that are not written are the planner's.

use std::collections::BTreeMap;

use super::draft::{Draft, Group};
use super::error::ExpandError;
use super::names::Point;
use super::options::Known;
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

pub(crate) const NODE_OPTIONS: Known =
    Known { what: "a node", built: &[], later: &["mac", "vlan", "mtu", "sysctl", "forwarding", "offload", "placement"] };
pub(crate) const LINK_OPTIONS: Known = Known {
    what: "a link",
    built: &["delay", "forward", "back"],
    later: &["rate", "jitter", "distribution", "loss", "duplicate", "reorder", "corrupt", "queue", "mtu", "mac", "vlan", "offload"],
};
pub(crate) const WAY_OPTIONS: Known = Known {
    what: "one way of a link",
    built: &["delay"],
    later: &["rate", "jitter", "distribution", "loss", "duplicate", "reorder", "corrupt", "queue", "mtu"],
};

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
        let (what, kind) = match kind {
            tree::NodeKind::Node => ("a node", NodeKind::Host),
            tree::NodeKind::Router => ("a router", NodeKind::Router),
            tree::NodeKind::Bridge => ("a bridge", NodeKind::Bridge),
            _ => return self.not_yet("this kind of node", indexed.span),
        };
        let range = self.declared_range(indexed, "nodes", NODE_LIMIT);
        if !self.introduce(&indexed.name.text, indexed.name.span, Err(what)) {
            return;
        }
        let Some(range) = range else { return };
        let (count, lowest) = range.map_or((1, 0), |(first, last)| (last.abs_diff(first) + 1, first));
        let there = self.scenario.topology.nodes.len() as u64;
        if there + count > NODE_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "nodes", count: there + count, limit: NODE_LIMIT, span: indexed.span });
            return;
        }
        let group = Group { first: position(self.scenario.topology.nodes.len()), range, span: indexed.span };
        self.node_groups.insert(indexed.name.text.clone(), group);
        for offset in 0..count {
            let name = match range {
                None => indexed.name.text.clone(),
                Some(_) => format!("{}[{}]", indexed.name.text, lowest.unsigned_abs() + offset),
            };
            self.scenario.topology.nodes.push(Node { name, kind, span: indexed.span });
        }
    }

    /// The nodes an indexed name stands for; the flag: it was said with `[*]` or a range.
    pub(super) fn find_nodes(&mut self, indexed: &Indexed) -> Option<(Vec<NodeId>, bool)> {
        let Some(group) = self.node_groups.get(&indexed.name.text).copied() else {
            // A node whose declaration is wrong was reported there.
            let known = self.scope.find(self.context, &indexed.name.text);
            if known.is_none_or(|b| !matches!(b.value, Err("a node" | "a router" | "a bridge"))) {
                let help = suggest(&indexed.name.text, self.node_groups.keys().map(String::as_str));
                self.context.raise(ResolveError::UnknownNode { name: indexed.name.text.clone(), span: indexed.name.span, help });
            }
            return None;
        };
        let (members, many) = self.members(group, indexed)?;
        Some((members.into_iter().map(NodeId).collect(), many))
    }

    /// The one node an indexed name stands for.
    pub(super) fn find_node(&mut self, indexed: &Indexed) -> Option<NodeId> {
        let (nodes, many) = self.find_nodes(indexed)?;
        match nodes.as_slice() {
            [one] if !many => Some(*one),
            _ => {
                self.context.raise(ResolveError::OnlyOne { name: self.context.words(indexed.span), span: indexed.span });
                None
            }
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
        if let Some(Indexed { name, .. }) = &link.name
            && !self.introduce(&name.text, name.span, Err("a link"))
        {
            return;
        }
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
        if let Some(Indexed { name, .. }) = &link.name {
            let range = (from_many || to_many).then(|| (1, i64::try_from(count).unwrap_or(i64::MAX)));
            self.link_groups.insert(name.text.clone(), Group { first: position(there), range, span: name.span });
        }
        for index in 0..count {
            let (a, b) = (from.nodes[index.min(from.nodes.len() - 1)], to.nodes[index.min(to.nodes.len() - 1)]);
            if a == b {
                let name = self.scenario.topology.nodes[a.index()].name.clone();
                self.context.raise(ExpandError::LinkToItself { name, span: left.point.span, other: right.point.span });
                return;
            }
            let name = self.link_name(link, (a, b), (from_many || to_many).then_some(index + 1), made);
            let ends = [end(a, left, &from, &first_addresses), end(b, right, &to, &second_addresses)];
            self.scenario.topology.links.push(Link { name, named: link.name.is_some(), ends, forward, back, span });
        }
    }

    /// The written name, or one made of the ends, unique in the scenario.
    fn link_name(&self, link: &LinkDecl, ends: (NodeId, NodeId), index: Option<usize>, made: &mut BTreeMap<String, usize>) -> String {
        if let Some(Indexed { name, .. }) = &link.name {
            return index.map_or_else(|| name.text.clone(), |index| format!("{}[{index}]", name.text));
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
        let both = found.get("delay").and_then(|option| self.delay(option));
        let mut ways = [both, both];
        for (way, name) in ways.iter_mut().zip(["forward", "back"]) {
            let Some(option) = found.get(name) else { continue };
            if !option.values.is_empty() {
                let form = format!("{name} {{ delay 20ms }}");
                self.context.raise(ExpandError::OptionForm { name: name.into(), form, span: option.span });
            }
            let inner = self.options(&option.block, &WAY_OPTIONS);
            let Some(delay) = inner.get("delay") else { continue };
            if let Some(outer) = found.get("delay") {
                self.context.raise(ExpandError::OptionTwice { name: "delay".into(), span: delay.name.span, first: outer.name.span });
            }
            *way = self.delay(delay);
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
