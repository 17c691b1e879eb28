//! What a scenario wants to know of links and interfaces. In: expectations and the conditions of the timeline. Out: which are counted, and
//! problems with those that nothing can count. Counts nothing.

use std::collections::{BTreeMap, BTreeSet};

use scn_grammar::scenario::expect::{Expectation, Metric, Subject};
use scn_grammar::scenario::timeline::{Entry, When};
use scn_grammar::scenario::topology::NodeKind;
use scn_grammar::scenario::{LinkId, NodeId};
use scn_grammar::source::Span;

use super::engines::no_such_interface;
use super::errors::Findings;
use super::graph::Graph;

/// Every metric that is asked for, before the end or at it.
fn metrics<'a>(expectations: &'a [Expectation], timeline: &'a [Entry]) -> impl Iterator<Item = &'a Metric> {
    let awaited = timeline.iter().filter_map(|entry| match &entry.when {
        When::Condition { condition, .. } => Some(condition),
        _ => None,
    });
    expectations.iter().map(|expectation| &expectation.condition).chain(awaited).flat_map(|condition| condition.metrics())
}

/// The links whose packets are counted, each with the first place that asks for it.
#[must_use]
pub fn links(expectations: &[Expectation], timeline: &[Entry]) -> BTreeMap<LinkId, (String, Span)> {
    let mut links = BTreeMap::new();
    for metric in metrics(expectations, timeline) {
        if let Subject::Link(link) = metric.subject {
            links.entry(link).or_insert_with(|| (metric.name.clone(), metric.span));
        }
    }
    links
}

/// The interfaces whose counters are read: node and name.
#[must_use]
pub fn interfaces(expectations: &[Expectation], timeline: &[Entry]) -> BTreeSet<(NodeId, String)> {
    let of = |metric: &Metric| match &metric.subject {
        Subject::Interface(node, name) => Some((*node, name.clone())),
        _ => None,
    };
    metrics(expectations, timeline).filter_map(of).collect()
}

/// Refuses interfaces of this machine that the scenario does not name: which others stand there nobody knows before the run.
pub(crate) fn check_interfaces(expectations: &[Expectation], timeline: &[Entry], graph: &Graph<'_>, findings: &mut Findings) {
    for metric in metrics(expectations, timeline) {
        let Subject::Interface(node, name) = &metric.subject else { continue };
        let known = graph.interfaces[node.index()].iter().any(|interface| interface.name == *name);
        if graph.kind(node.index()) == NodeKind::ThisHost && !known {
            findings.add(no_such_interface(graph, *node, name, metric.span));
        }
    }
}
