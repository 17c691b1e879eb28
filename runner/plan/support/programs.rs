//! What this version can't do to what runs on nodes. In: an action. Out: what is missing for it: faults strike programs under test, not the
//! services and flows of scn itself.

use scn_grammar::scenario::flow::Destination;
use scn_grammar::scenario::timeline::{Action, Victim};
use scn_grammar::scenario::{NodeId, Scenario};

/// What an action needs that is not there; `None`: it can be carried out.
pub(super) fn missing(scenario: &Scenario, action: &Action) -> Option<&'static str> {
    if let Action::Vanish(nodes) = action {
        let other = nodes.iter().any(|node| !only_programs(scenario, *node));
        return other.then_some("`vanish` of a node with services or flows");
    }
    let (Action::Kill(victims)
    | Action::Freeze(victims)
    | Action::Thaw(victims)
    | Action::Restart(victims)
    | Action::Signal { to: victims, .. }) = action
    else {
        return None;
    };
    victims.iter().find_map(|victim| match victim {
        Victim::Process(_) => None,
        Victim::Service(..) => Some("a fault of a service"),
        Victim::Node(node) => (!only_programs(scenario, *node)).then_some("a fault of a node with services or flows"),
    })
}

/// Nothing of scn itself runs on the node.
fn only_programs(scenario: &Scenario, node: NodeId) -> bool {
    let serves = scenario.services.iter().any(|service| service.nodes.contains(&node));
    let flows = scenario.flows.iter().any(|flow| flow.from == node || matches!(flow.to, Destination::Node(to, _) if to == node));
    !serves && !flows && scenario.stresses.iter().all(|stress| !stress.from.contains(&node))
}
