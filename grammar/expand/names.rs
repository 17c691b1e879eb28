//! What the names of a scenario's things stand for: nodes and their interfaces. In: names of the tree. Out: ids. Makes no thing.

use super::draft::Draft;
use super::error::ExpandError;
use crate::resolve::ResolveError;
use crate::scenario::NodeId;
use crate::syntax::tree::{Name, NodePath};

/// What a path of words stands for: nodes, perhaps with an interface of each.
#[derive(Debug, Clone)]
pub struct Point {
    /// The nodes, at least one.
    pub nodes: Vec<NodeId>,
    /// It was said with `[*]` or a range.
    pub many: bool,
    /// The interface that follows the node.
    pub interface: Option<Name>,
}

impl Draft<'_, '_> {
    /// The nodes that a path stands for; the flag: it was said with `[*]` or a range.
    pub fn nodes_of(&mut self, path: &NodePath) -> Option<(Vec<NodeId>, bool)> {
        let point = self.point_of(path)?;
        if let Some(interface) = &point.interface {
            let what = format!("an interface here (`{}`)", self.context.words(path.span));
            self.context.raise(ExpandError::NotInThisVersion { what, span: interface.span });
        }
        Some((point.nodes, point.many))
    }

    /// The one node that a path stands for.
    pub fn node_of(&mut self, path: &NodePath) -> Option<NodeId> {
        let (nodes, many) = self.nodes_of(path)?;
        match nodes.as_slice() {
            [one] if !many => Some(*one),
            _ => {
                self.context.raise(ResolveError::OnlyOne { name: self.context.words(path.span), span: path.span });
                None
            }
        }
    }

    /// Nodes, perhaps with an interface of each.
    pub fn point_of(&mut self, path: &NodePath) -> Option<Point> {
        let (first, rest) = path.parts.split_first()?;
        if let Some(third) = rest.get(1) {
            self.not_yet("a node of a node", third.span);
            return None;
        }
        let (nodes, many) = self.find_nodes(first)?;
        Some(Point { nodes, many, interface: rest.first().map(|interface| interface.name.clone()) })
    }
}
