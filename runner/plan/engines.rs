//! How each link is made. In: links, the faults of the timeline, what is measured. Out: an engine for each link, and whether each packet crosses
//! it alone. Also refuses faults that strike nothing, and metrics that nothing counts. Makes nothing.

use std::collections::BTreeMap;

use scn_grammar::scenario::timeline::{Action, Cut, Entry, Target};
use scn_grammar::scenario::topology::{Impairment, Link, LinkKind, NodeKind};
use scn_grammar::scenario::{LinkId, NodeId};
use scn_grammar::source::Span;

use super::errors::{Findings, PlanError};
use super::graph::Graph;
use super::types::{Engine, Stages};

/// How a link is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Making {
    pub(crate) engine: Engine,
    /// Something is done to single packets, so offloads that join them are off.
    pub(crate) packets_alone: bool,
    /// What the kernel is to do, where it is the engine.
    pub(crate) stages: [Stages; 2],
}

/// Chooses the engine of each link: the wire where something touches packets now or later, or where a fault strikes a link that no bridge
/// ends (a bridge's port can be taken away without the node's help), or where packets are counted, each alone. `counted`: links whose metrics
/// are asked for, with the metric and its place.
pub(crate) fn choose_engines(
    timeline: &[Entry],
    counted: &BTreeMap<LinkId, (String, Span)>,
    graph: &Graph<'_>,
    findings: &mut Findings,
) -> Vec<Making> {
    let links = &graph.topology.links;
    let mut struck = vec![false; links.len()];
    let mut changed = vec![false; links.len()];
    let mut alone: Vec<bool> = links.iter().map(|link| touches_single(&link.forward) || touches_single(&link.back)).collect();
    for entry in timeline {
        for target in targets(&entry.action) {
            for link in links_of(target, entry, graph, findings) {
                if let Some(problem) = beyond_faults(&links[link], entry, graph) {
                    // A node's faults strike the rest of its links.
                    if !matches!(target, Target::Node(_)) {
                        findings.add(problem);
                    }
                    continue;
                }
                struck[link] = true;
                if let Action::Impair { forward, back, .. } = &entry.action {
                    changed[link] = true;
                    alone[link] |= [forward, back].into_iter().flatten().any(touches_single);
                }
            }
        }
        // What is cut off from each other is kept apart where its packets enter and leave.
        for node in cut_off(&entry.action) {
            graph.linked(node).iter().for_each(|interface| changed[interface.link.index()] = true);
        }
    }
    for (link, _) in links.iter().zip(&alone).filter(|(_, alone)| **alone) {
        offload_is_on(link, "does something to single packets", findings);
    }
    for (link, asked) in counted {
        if !alone[link.index()] {
            offload_is_on(&links[link.index()], "has its packets counted one by one", findings);
        }
        uncounted(&links[link.index()], asked, graph).into_iter().for_each(|problem| findings.add(problem));
        (alone[link.index()], changed[link.index()]) = (true, true);
    }
    let bridged = |link: &Link| link.ends.iter().any(|end| graph.kind(end.node.index()).is_bridge());
    let impaired = |link: &Link| !link.forward.is_nothing() || !link.back.is_nothing();
    for (link, changed) in links.iter().zip(&mut changed) {
        *changed &= link.kind == LinkKind::Wire && standing(link, graph).is_none();
    }
    let making = |(((link, struck), changed), packets_alone)| {
        let wire = impaired(link) || changed || (struck && !bridged(link));
        Making { engine: if wire { Engine::Wire } else { Engine::Direct }, packets_alone, stages: [Stages::default(); 2] }
    };
    links.iter().zip(struck).zip(changed).zip(alone).map(making).collect()
}

/// Refuses offloads that a link has no use for: what it does or tells is of single packets.
fn offload_is_on(link: &Link, does: &'static str, findings: &mut Findings) {
    let on = link.ends.iter().filter(|end| end.settings.offload == Some(true));
    on.for_each(|end| findings.add(PlanError::OffloadOn { link: link.name.clone(), does, span: end.span }));
}

/// Why nothing counts a link's packets; `None`: its wire does. Of tunnels the checker has said so.
fn uncounted(link: &Link, (metric, span): &(String, Span), graph: &Graph<'_>) -> Option<PlanError> {
    let interface = standing(link, graph)?;
    Some(PlanError::LinkNotCounted { link: link.name.clone(), metric: metric.clone(), interface, span: *span })
}

/// It does more than to delay all packets by the same time: what several packets in one would meet, each of them would not.
fn touches_single(of: &Impairment) -> bool {
    of.fixed_delay_ns().is_none_or(|ns| *of != Impairment::delaying(ns))
}

/// The interface of a link that stands on this machine already.
fn standing(link: &Link, graph: &Graph<'_>) -> Option<String> {
    let of_host = link.ends.iter().find(|end| graph.kind(end.node.index()) == NodeKind::ThisHost)?;
    of_host.interface.as_ref().map(|name| format!("{}.{name}", graph.name(of_host.node)))
}

/// Why no fault strikes a link; `None`: one can.
fn beyond_faults(link: &Link, entry: &Entry, graph: &Graph<'_>) -> Option<PlanError> {
    let (span, declared) = (entry.span, link.span);
    if link.kind != LinkKind::Wire {
        return Some(PlanError::TunnelStruck { link: link.name.clone(), span, declared });
    }
    standing(link, graph).map(|interface| PlanError::OutsideStruck { interface, span, declared })
}

/// The nodes that an action cuts off.
fn cut_off(action: &Action) -> Vec<NodeId> {
    match action {
        Action::Partition(Cut { from, to, one_way: _ }) => from.iter().chain(to).copied().collect(),
        Action::Isolate(nodes) => nodes.clone(),
        _ => Vec::new(),
    }
}

/// What an action strikes, or heals.
fn targets(action: &Action) -> &[Target] {
    match action {
        Action::Down(targets)
        | Action::Up(targets)
        | Action::Silence(targets)
        | Action::Unsilence(targets)
        | Action::Impair { targets, .. }
        | Action::Restore(targets) => targets,
        _ => &[],
    }
}

/// The links of a target, as positions.
fn links_of(target: &Target, entry: &Entry, graph: &Graph<'_>, findings: &mut Findings) -> Vec<usize> {
    match target {
        Target::Link(link) => vec![link.index()],
        Target::Node(node) => {
            let links: Vec<usize> = graph.linked(*node).iter().map(|interface| interface.link.index()).collect();
            if links.is_empty() {
                let declared = graph.topology.nodes[node.index()].span;
                findings.add(PlanError::NothingToStrike { node: graph.name(*node).to_owned(), span: entry.span, declared });
            }
            links
        }
        Target::Interface(node, name) => {
            let all = graph.linked(*node);
            let found = all.iter().find(|interface| interface.name == *name);
            if found.is_none() {
                findings.add(no_such_interface(graph, *node, name, entry.span));
            }
            found.map(|interface| interface.link.index()).into_iter().collect()
        }
    }
}

/// The problem of an interface that a node does not have.
pub(crate) fn no_such_interface(
    graph: &Graph<'_>,
    node: scn_grammar::scenario::NodeId,
    name: &str,
    span: scn_grammar::source::Span,
) -> PlanError {
    let names: Vec<&str> = graph.interfaces[node.index()].iter().map(|interface| interface.name.as_str()).collect();
    let has = if names.is_empty() { "none: no link ends there".to_owned() } else { names.join(", ") };
    PlanError::NoSuchInterface { node: graph.name(node).to_owned(), name: name.to_owned(), has, span }
}
