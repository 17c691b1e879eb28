//! What a verb of the timeline acts on: nodes, links, interfaces, flows, services. In: operands. Out: ids. Acts on nothing.

use super::draft::Draft;
use super::evaluate::bare;
use super::things::ThingKind;
use crate::resolve::ResolveError;
use crate::scenario::timeline::Target;
use crate::scenario::{FlowId, LinkId, NodeId, ServiceId};
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Indexed, Name, NodePath};

/// What `start` and `stop` act on.
pub(super) enum Startable {
    /// Flows.
    Flows(Vec<FlowId>),
    /// A service.
    Service(ServiceId),
}

/// The words of a path; `None`: something else.
pub(super) fn words(expr: &Expr) -> Option<&[Indexed]> {
    match &bare(expr).kind {
        ExprKind::Path(parts) => Some(parts),
        _ => None,
    }
}

/// A path of one word.
fn path_of(indexed: &Indexed) -> NodePath {
    NodePath { parts: vec![indexed.clone()], span: indexed.span }
}

impl Draft<'_, '_> {
    /// Nodes, a link or an interface. The outer `None`: reported here. `Err`: not a name at all.
    pub(super) fn fault_targets(&mut self, expr: &Expr) -> Result<Option<Vec<Target>>, ()> {
        match words(expr) {
            Some([one]) => Ok(self.node_or_link(one)),
            Some([node, interface]) => Ok(self.interfaces(node, &interface.name)),
            _ if matches!(expr.kind, ExprKind::Broken) => Ok(None),
            _ => Err(()),
        }
    }

    fn node_or_link(&mut self, indexed: &Indexed) -> Option<Vec<Target>> {
        let found = self.things_of(std::slice::from_ref(indexed), &[ThingKind::Node, ThingKind::Link], "node or link")?;
        let target = |id: &u32| if found.kind == ThingKind::Link { Target::Link(LinkId(*id)) } else { Target::Node(NodeId(*id)) };
        Some(found.ids.iter().map(target).collect())
    }

    fn interfaces(&mut self, node: &Indexed, interface: &Name) -> Option<Vec<Target>> {
        let (nodes, _) = self.nodes_of(&path_of(node))?;
        let mut targets = Vec::new();
        for id in nodes {
            self.interface(id, interface)?;
            targets.push(Target::Interface(id, interface.text.clone()));
        }
        Some(targets)
    }

    /// Flows or a service. The outer `None`: reported here. `Err`: not a name at all.
    pub(super) fn startable(&mut self, expr: &Expr) -> Result<Option<Startable>, ()> {
        let Some([indexed]) = words(expr) else {
            return if matches!(expr.kind, ExprKind::Broken) { Ok(None) } else { Err(()) };
        };
        let wanted = [ThingKind::Flow, ThingKind::Service];
        let Some(found) = self.things_of(std::slice::from_ref(indexed), &wanted, "flow or service") else { return Ok(None) };
        Ok(Some(match (found.kind, found.ids.first()) {
            (ThingKind::Service, Some(id)) => Startable::Service(ServiceId(*id)),
            _ => Startable::Flows(found.ids.iter().copied().map(FlowId).collect()),
        }))
    }

    /// A node, perhaps with one of its interfaces. The outer `None`: reported here. `Err`: not a name at all.
    pub(super) fn node_and_interface(&mut self, expr: &Expr, what: &'static str) -> Result<Option<(NodeId, Option<String>)>, ()> {
        let (node, interface) = match words(expr) {
            Some([node]) => (node, None),
            Some([node, interface]) => (node, Some(&interface.name)),
            _ if matches!(expr.kind, ExprKind::Broken) => return Ok(None),
            _ => return Err(()),
        };
        let Some(id) = self.node_of(&path_of(node)).filter(|id| self.is_host(*id, node.span, what)) else { return Ok(None) };
        match interface {
            Some(name) => Ok(self.interface(id, name).map(|()| (id, Some(name.text.clone())))),
            None => Ok(Some((id, None))),
        }
    }

    /// The nodes of a service that an entry names.
    pub(super) fn nodes_of_service(&mut self, service: ServiceId, expr: &Expr) -> Result<Option<Vec<NodeId>>, ()> {
        let Some([indexed]) = words(expr) else { return Err(()) };
        let Some((nodes, _)) = self.nodes_of(&path_of(indexed)) else { return Ok(None) };
        let declared = &self.scenario.services[service.index()];
        if nodes.iter().all(|node| declared.nodes.contains(node)) {
            return Ok(Some(nodes));
        }
        let names: Vec<String> = declared.nodes.iter().map(|n| self.scenario.topology.nodes[n.index()].name.clone()).collect();
        let (name, place): (String, Span) = (self.context.words(indexed.span), indexed.span);
        let help = Some(format!("`{}` stands on {}", declared.name, names.join(", ")));
        self.context.raise(ResolveError::UnknownNode { name, span: place, help });
        Ok(None)
    }
}
