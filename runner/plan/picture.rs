//! A plan's network as records and pages show it: nodes with their addresses, links with what they do. In: a plan. Out: the parts of a
//! record that the picture is drawn from. Draws nothing.

use scn_grammar::scenario::topology::{Impairment, NodeKind};
use scn_reports::record::counted::LinkSample;
use scn_reports::record::{LinkAccount, LinkRecord, NodeRecord};

use super::outline::impairment;
use super::types::{Engine, Plan, PlannedLink, PlannedNode};

/// Every node, in the plan's order, with the addresses it has at the start.
#[must_use]
pub fn nodes(plan: &Plan) -> Vec<NodeRecord> {
    let mut nodes: Vec<NodeRecord> = plan.nodes.iter().map(node).collect();
    for upper in &plan.interfaces {
        if let Some(node) = nodes.get_mut(upper.node.index()) {
            node.addresses.extend(upper.addresses.iter().map(|address| format!("{} {address}", upper.name)));
        }
    }
    nodes
}

fn node(node: &PlannedNode) -> NodeRecord {
    let kind = match node.kind {
        NodeKind::Host | NodeKind::ThisHost | NodeKind::Remote => "host",
        NodeKind::Router => "router",
        NodeKind::Bridge | NodeKind::ExternalBridge => "bridge",
    };
    let addresses = node.interfaces.iter().flat_map(|i| i.addresses.iter().map(|a| format!("{} {a}", i.name))).collect();
    NodeRecord { name: node.name.clone(), kind: kind.to_owned(), addresses }
}

/// Every link, in the plan's order, with the account of what passed and the samples of it where there are any.
#[must_use]
pub fn links(plan: &Plan, accounts: Vec<Option<LinkAccount>>, samples: Vec<Vec<LinkSample>>) -> Vec<LinkRecord> {
    let accounts = accounts.into_iter().chain(std::iter::repeat(None));
    let counted = accounts.zip(samples.into_iter().chain(std::iter::repeat_with(Vec::new)));
    plan.links.iter().zip(counted).map(|(planned, (account, samples))| link(planned, account, samples)).collect()
}

fn link(link: &PlannedLink, account: Option<LinkAccount>, samples: Vec<LinkSample>) -> LinkRecord {
    let impairment = does(link);
    LinkRecord {
        name: link.name.clone(),
        ends: link.ends.map(|(node, _)| node.0),
        engine: engine(link.engine).to_owned(),
        impairment,
        account,
        samples,
    }
}

/// An engine by its word.
pub(super) fn engine(engine: Engine) -> &'static str {
    match engine {
        Engine::Direct => "direct",
        Engine::Wire => "wire",
        Engine::Kernel => "kernel",
    }
}

/// What a link does to packets, in words; empty: nothing.
pub(super) fn does(link: &PlannedLink) -> String {
    let words = |of: &Impairment| if of.is_nothing() { String::new() } else { impairment(of) };
    match (words(&link.forward), words(&link.back)) {
        (forward, back) if forward == back => forward,
        (forward, back) => format!("forward {{ {forward} }} back {{ {back} }}"),
    }
}
