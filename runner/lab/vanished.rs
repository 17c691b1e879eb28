//! Nodes that have vanished: their kernels answer nobody, as those of machines without power. In: actions. Out: steps that forbid a node to send,
//! or let it again. Ends no programs.

use std::collections::BTreeSet;

use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::timeline::{Action, Copies, Victim};

use super::bench::{Request, Step};

/// The rule stands before every other but that of the node's own addresses.
const PRIORITY: u32 = 1;

/// Which nodes have vanished.
#[derive(Debug, Default)]
pub(crate) struct Vanished(BTreeSet<NodeId>);

impl Vanished {
    /// What is to be done before an action's programs end or start. `name` says a node's name.
    pub(crate) fn plan(&mut self, action: &Action, name: &dyn Fn(NodeId) -> String) -> Vec<Step> {
        let (nodes, gone): (Vec<NodeId>, bool) = match action {
            Action::Vanish(nodes) => (nodes.clone(), true),
            Action::Restart(victims) => (victims.iter().flat_map(nodes_of).collect(), false),
            Action::StartService(_, nodes) => (nodes.clone(), false),
            Action::StartProcess(copies) => (copies.iter().flat_map(|copies: &Copies| copies.nodes.clone()).collect(), false),
            _ => return Vec::new(),
        };
        let mut steps = Vec::new();
        for node in nodes {
            let changes = if gone { self.0.insert(node) } else { self.0.remove(&node) };
            if changes {
                let requests = [AddressFamily::Inet, AddressFamily::Inet6].map(|family| request(family, gone, name(node)));
                steps.push(Step::Netlink(node.index(), requests.to_vec()));
            }
        }
        steps
    }
}

/// An action on what runs on nodes, which may be nothing of the lab's.
pub(crate) fn is_of_nodes(action: &Action) -> bool {
    matches!(
        action,
        Action::Kill(_)
            | Action::Signal { .. }
            | Action::Freeze(_)
            | Action::Thaw(_)
            | Action::Restart(_)
            | Action::Vanish(_)
            | Action::StartService(..)
    )
}

fn nodes_of(victim: &Victim) -> Vec<NodeId> {
    match victim {
        Victim::Process(copies) => copies.nodes.clone(),
        Victim::Service(_, nodes) => nodes.clone(),
        Victim::Node(node) => vec![*node],
    }
}

/// Nothing that the node's kernel would send finds a way.
fn request(family: AddressFamily, gone: bool, place: String) -> Request {
    let mut rule = RuleMessage::default();
    rule.header.family = family;
    rule.header.action = RuleAction::Blackhole;
    rule.attributes.push(RuleAttribute::Priority(PRIORITY));
    if gone {
        Request { message: RouteNetlinkMessage::NewRule(rule), place, doing: "let it send nothing".to_owned() }
    } else {
        Request { message: RouteNetlinkMessage::DelRule(rule), place, doing: "let it send again".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_comes_back_once() {
        let (node, name) = (NodeId(3), |node: NodeId| format!("n{}", node.0));
        let mut vanished = Vanished::default();
        assert_eq!(vanished.plan(&Action::Vanish(vec![node]), &name).len(), 1);
        assert!(vanished.plan(&Action::Vanish(vec![node]), &name).is_empty(), "it is gone already");
        assert!(vanished.plan(&Action::Kill(vec![Victim::Node(node)]), &name).is_empty());
        assert_eq!(vanished.plan(&Action::Restart(vec![Victim::Node(node)]), &name).len(), 1);
        assert!(vanished.plan(&Action::Restart(vec![Victim::Node(node)]), &name).is_empty());
    }
}
