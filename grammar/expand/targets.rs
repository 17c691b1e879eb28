//! What verbs of the timeline act on: nodes, links, interfaces. In: operands. Out: ids. Acts on nothing.

use super::draft::Draft;
use super::evaluate::bare;
use super::things::ThingKind;
use super::verbs::{Wrong, flat};
use crate::resolve::ResolveError;
use crate::scenario::timeline::Target;
use crate::scenario::{LinkId, NodeId};
use crate::syntax::tree::{BinaryOperator, Expr, ExprKind, Indexed};

/// The words of a path; `None`: something else.
pub(super) fn words(expr: &Expr) -> Option<&[Indexed]> {
    match &bare(expr).kind {
        ExprKind::Path(parts) => Some(parts),
        _ => None,
    }
}

/// The two ends of `a--lan`: how a plan shows a link without a name.
fn unnamed_link(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match &expr.kind {
        ExprKind::Binary(BinaryOperator::Subtract, one, other) => match &other.kind {
            ExprKind::Negative(other) if words(one).is_some() && words(other).is_some() => Some((one, other)),
            _ => None,
        },
        _ => None,
    }
}

impl Draft<'_, '_> {
    /// Nodes, links or interfaces. The outer `None`: reported here. `Err`: not a name at all.
    pub(super) fn fault_targets(&mut self, expr: &Expr) -> Result<Option<Vec<Target>>, ()> {
        let Some(parts) = words(expr) else {
            if let Some((one, other)) = unnamed_link(expr) {
                let (what, name, span) = ("node or link".to_owned(), self.context.words(expr.span), expr.span);
                let (one, other) = (self.context.words(one.span), self.context.words(other.span));
                let help = Some(format!("only a link with a name can be spoken of: `link NAME: {one} <-> {other}`"));
                self.context.raise(ResolveError::UnknownTarget { what, name, span, help });
                return Ok(None);
            }
            return if matches!(expr.kind, ExprKind::Broken) { Ok(None) } else { Err(()) };
        };
        let Some((things, rest)) = self.thing_and_rest(parts, &[ThingKind::Node, ThingKind::Link], "node or link") else { return Ok(None) };
        let ids = things.ids.iter().copied();
        let targets: Vec<Target> = match (things.kind, rest) {
            (ThingKind::Link, []) => ids.map(|id| Target::Link(LinkId(id))).collect(),
            (_, []) => ids.map(|id| Target::Node(NodeId(id))).collect(),
            (ThingKind::Node, [interface]) if interface.index.is_none() => {
                let mut targets = Vec::new();
                for node in ids.map(NodeId) {
                    if self.interface(node, &interface.name).is_none() {
                        return Ok(None);
                    }
                    targets.push(Target::Interface(node, interface.name.text.clone()));
                }
                targets
            }
            (_, [first, ..]) => {
                let (what, name, span) = ("node or link".to_owned(), self.context.words(expr.span), first.span);
                self.context.raise(ResolveError::UnknownTarget { what, name, span, help: None });
                return Ok(None);
            }
        };
        Ok(Some(targets))
    }

    /// Nodes that are no bridges. The outer `None`: reported here. `Err`: not a name at all.
    pub(super) fn hosts_in(&mut self, expr: &Expr, can: &'static str) -> Result<Option<Vec<NodeId>>, ()> {
        let Some(things) = self.things_in(expr, &[ThingKind::Node], "node")? else { return Ok(None) };
        let nodes: Vec<NodeId> = things.ids.iter().copied().map(NodeId).collect();
        let fine = nodes.iter().all(|id| self.is_host(*id, expr.span, can));
        Ok(fine.then_some(nodes))
    }

    /// A node, perhaps with one of its interfaces. The outer `None`: reported here. `Err`: not a name at all.
    pub(super) fn node_and_interface(&mut self, expr: &Expr, what: &'static str) -> Result<Option<(NodeId, Option<String>)>, ()> {
        let Some(parts) = words(expr) else {
            return if matches!(expr.kind, ExprKind::Broken) { Ok(None) } else { Err(()) };
        };
        let Some((things, rest)) = self.thing_and_rest(parts, &[ThingKind::Node], "node") else { return Ok(None) };
        let id = match things.ids.first() {
            Some(id) if !things.many => NodeId(*id),
            _ => {
                self.context.raise(ResolveError::OnlyOne { name: self.context.words(expr.span), span: expr.span });
                return Ok(None);
            }
        };
        if !self.is_host(id, expr.span, what) {
            return Ok(None);
        }
        match rest {
            [] => Ok(Some((id, None))),
            [interface] => Ok(self.interface(id, &interface.name).map(|()| (id, Some(interface.name.text.clone())))),
            _ => Err(()),
        }
    }

    /// The nodes of something that stands on several: all of them, or those named after `on`. `does` is what it does there. The inner
    /// `None`: wrong, which was reported.
    pub(super) fn nodes_of_it(
        &mut self,
        it: &str,
        its_own: &[NodeId],
        does: &str,
        on: Option<&[&Expr]>,
    ) -> Result<Option<Vec<NodeId>>, Wrong> {
        let Some(on) = on else { return Ok(Some(its_own.to_vec())) };
        let mut nodes = Vec::new();
        for expr in flat(on) {
            let Some(more) = self.hosts_in(expr, "run anything")? else { return Ok(None) };
            if !self.context.sampling && more.iter().any(|node| !its_own.contains(node)) {
                let name_of = |node: &NodeId| Some(self.scenario.topology.nodes.get(node.index())?.name.clone());
                let names: Vec<String> = its_own.iter().filter_map(name_of).collect();
                let (name, span) = (self.context.words(expr.span), expr.span);
                let help = Some(format!("`{it}` {does} on {}", names.join(", ")));
                self.context.raise(ResolveError::UnknownNode { name, span, help });
                return Ok(None);
            }
            nodes.extend(more);
        }
        Ok(Some(nodes))
    }
}
