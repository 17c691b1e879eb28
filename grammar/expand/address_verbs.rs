//! Verbs on addresses and routes. In: operands. Out: [`Action`]s.

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{bare, word};
use super::value::Value;
use super::verbs::{Done, Wrong};
use crate::scenario::timeline::Action;
use crate::syntax::tree::{Expr, ExprKind};

/// What a bridge can't.
const HAVE: &str = "have an address";

impl Draft<'_, '_> {
    pub(super) fn add(&mut self, what: &Expr, node: &Expr) -> Done {
        let prefix = self.prefix_of(what, true);
        let to = self.node_and_interface(node, HAVE)?;
        let (Some(prefix), Some((node, interface))) = (prefix, to) else { return Err(Wrong::Reported) };
        Ok(vec![Action::AddAddress { prefix, node, interface }])
    }

    pub(super) fn remove(&mut self, what: &Expr, node: &Expr) -> Done {
        let address = match &bare(what).kind {
            ExprKind::Address(address) => Some(*address),
            _ => match self.context.evaluate(what, &self.scope) {
                Some(Value::Address(address)) => Some(address),
                Some(Value::Prefix(prefix)) => Some(prefix.address),
                Some(other) => {
                    self.context.wrong_type("an address or a prefix", &other, what.span);
                    None
                }
                None => None,
            },
        };
        let from = self.node_and_interface(node, HAVE)?;
        let (Some(address), Some((node, _))) = (address, from) else { return Err(Wrong::Reported) };
        Ok(vec![Action::RemoveAddress { address, node }])
    }

    pub(super) fn move_address(&mut self, what: &Expr, from: &Expr, to: &Expr) -> Done {
        let prefix = self.prefix_of(what, true);
        let source = self.node_and_interface(from, HAVE)?;
        let target = self.node_and_interface(to, HAVE)?;
        let (Some(prefix), Some((from_node, _)), Some((to_node, interface))) = (prefix, source, target) else {
            return Err(Wrong::Reported);
        };
        if from_node == to_node {
            let message = "this moves an address to where it is".to_owned();
            let help = "name another node after `to`".to_owned();
            self.context.raise(ExpandError::OptionConflict { message, span: to.span, other: from.span, help });
            return Err(Wrong::Reported);
        }
        Ok(vec![Action::MoveAddress { prefix, from: from_node, to: to_node, interface }])
    }

    /// `route NODE PREFIX via ADDRESS` and `route NODE PREFIX off`, as one row of values.
    pub(super) fn set_route(&mut self, node: &Expr, to: &Expr, rest: &[&Expr]) -> Done {
        match rest {
            [off] if word(off) == Some("off") => self.route_via(node, to, None),
            [said, via] if word(said) == Some("via") => self.route_via(node, to, Some(via)),
            _ => Err(Wrong::Form),
        }
    }

    pub(super) fn route_via(&mut self, node: &Expr, to: &Expr, via: Option<&Expr>) -> Done {
        let nodes = self.hosts_in(node, "have a route")?;
        let target = self.prefix_of(to, false);
        let next = match via.map(|via| (self.context.evaluate(via, &self.scope), via)) {
            None => Some(None),
            Some((Some(Value::Address(address)), _)) => Some(Some(address)),
            Some((Some(other), via)) => {
                self.context.wrong_type("an address", &other, via.span);
                None
            }
            Some((None, _)) => None,
        };
        let (Some(nodes), Some(target), Some(next)) = (nodes, target, next) else { return Err(Wrong::Reported) };
        if let (Some(address), Some(via)) = (next, via)
            && address.is_ipv4() != target.address.is_ipv4()
        {
            self.context.raise(ExpandError::MixedFamilies { span: via.span, other: to.span });
            return Err(Wrong::Reported);
        }
        Ok(vec![Action::Route { nodes, to: target, via: next }])
    }
}
