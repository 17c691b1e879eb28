//! Routes that come, go and change. In: a route and nodes. Out: steps for the lab's thread. Touches no kernel.
//!
//! Every entry of the timeline lies upon those before it until it is undone: what lies on top holds. So a route that ends before
//! another one that began later takes nothing away from it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::topology::Prefix;

use super::bench::{Request, Step};
use super::error::LabError;
use super::faults::{Faults, Todo};
use super::messages;
use crate::plan::types::Plan;

/// The routes of all nodes: by node and destination, what the plan says and what entries have laid upon it. `None`: no route.
#[derive(Debug, Default)]
pub(crate) struct Routes(BTreeMap<(usize, Prefix), Vec<Option<IpAddr>>>);

impl Routes {
    /// Those of a plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let of_node = |(node, planned): (usize, &crate::plan::types::PlannedNode)| {
            planned.routes.iter().map(move |route| ((node, messages::subnet(route.to)), vec![Some(route.via)])).collect::<Vec<_>>()
        };
        Routes(plan.nodes.iter().enumerate().flat_map(of_node).collect())
    }

    /// What holds.
    fn top(&self, node: usize, to: Prefix) -> Option<IpAddr> {
        self.0.get(&(node, to)).and_then(|layers| layers.last().copied()).flatten()
    }
}

impl Faults {
    /// Nodes get a route, another one, or none.
    pub(super) fn route(&mut self, nodes: &[NodeId], to: Prefix, via: Option<IpAddr>) -> Todo {
        let (to, mut todo) = (messages::subnet(to), Todo::default());
        for node in nodes.iter().map(|node| node.index()) {
            let before = self.routes.top(node, to);
            self.routes.0.entry((node, to)).or_insert_with(|| vec![None]).push(via);
            if before == via {
                let what = via.map_or_else(|| "off".to_owned(), |via| format!("via {via}"));
                todo.warnings.push(format!("route {} {to} {what} had no effect: it was so already", self.nodes[node].name));
            }
            todo.steps.extend(self.changed(node, to, before, via));
        }
        todo
    }

    /// What an entry did to routes is undone: what lies below it, or above it by now, holds.
    pub(super) fn unroute(&mut self, nodes: &[NodeId], to: Prefix, via: Option<IpAddr>) -> Result<Todo, LabError> {
        let (to, mut todo) = (messages::subnet(to), Todo::default());
        for node in nodes.iter().map(|node| node.index()) {
            let before = self.routes.top(node, to);
            let layers = self.routes.0.get_mut(&(node, to)).filter(|layers| layers.len() > 1);
            // The lowest is the plan's.
            let found = layers.and_then(|layers| layers[1..].iter().rposition(|layer| *layer == via).map(|at| layers.remove(at + 1)));
            found.ok_or_else(|| LabError::Plan { what: format!("the end of a route to {to} that never began") })?;
            let now = self.routes.top(node, to);
            todo.steps.extend(self.changed(node, to, before, now));
        }
        Ok(todo)
    }

    /// A node's route changes: what is to be done for it.
    fn changed(&self, node: usize, to: Prefix, before: Option<IpAddr>, now: Option<IpAddr>) -> Option<Step> {
        let place = self.nodes[node].name.clone();
        let request = |message, doing| Request { message, place, doing };
        match (before, now) {
            (before, now) if before == now => None,
            (None, None) => None,
            (None, Some(via)) => {
                Some(Step::Netlink(node, vec![request(messages::route(to, via), format!("add the route to {to} via {via}"))]))
            }
            (Some(_), Some(via)) => {
                Some(Step::Replace(node, request(messages::route(to, via), format!("change the route to {to} to via {via}"))))
            }
            (Some(via), None) => {
                Some(Step::Netlink(node, vec![request(messages::no_route(to, via), format!("remove the route to {to} via {via}"))]))
            }
        }
    }
}
