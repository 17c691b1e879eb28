//! Nodes that stand alone and services that nobody asks. In: the scenarios of a file. Out: warnings. A thing is told only if it is useless in
//! every variant of its scenario; what stands in another file is not told here.

use std::collections::{BTreeMap, BTreeSet};

use super::{LintError, Linted};
use crate::scenario::timeline::Action;
use crate::scenario::{Destination, NodeId, Scenario, Service, ServiceId};
use crate::source::Span;

/// Names of things by the place of their declaration.
type Found = BTreeMap<Span, BTreeSet<String>>;

/// Looks at every scenario.
pub(super) fn lint(file: &Linted<'_>, problems: &mut Vec<LintError>) {
    let mut by_declaration: BTreeMap<Span, Vec<&Scenario>> = BTreeMap::new();
    for scenario in file.scenarios {
        by_declaration.entry(scenario.span).or_default().push(scenario);
    }
    for variants in by_declaration.values() {
        for (span, names) in in_all(variants, alone) {
            let Some(name) = names.first().filter(|_| span.file == file.document.file) else { continue };
            problems.push(LintError::UnlinkedNode { name: name.clone(), more: names.len() - 1, span });
        }
        for (span, names) in in_all(variants, unreached) {
            let Some(name) = names.first().filter(|_| span.file == file.document.file) else { continue };
            problems.push(LintError::UnreachedService { name: name.clone(), span });
        }
    }
}

/// What is found in every variant.
fn in_all(variants: &[&Scenario], find: fn(&Scenario) -> Found) -> Found {
    let mut found: Option<Found> = None;
    for variant in variants {
        let mut here = find(variant);
        found = Some(match found {
            None => here,
            Some(before) => before
                .into_iter()
                .filter_map(|(span, names)| {
                    let both: BTreeSet<String> = names.intersection(&here.remove(&span)?).cloned().collect();
                    (!both.is_empty()).then_some((span, both))
                })
                .collect(),
        });
    }
    found.unwrap_or_default()
}

/// Nodes of the run's own without a link, on which nothing runs.
fn alone(scenario: &Scenario) -> Found {
    let mut busy: BTreeSet<NodeId> = BTreeSet::new();
    busy.extend(scenario.topology.links.iter().flat_map(|link| link.ends.iter().map(|end| end.node)));
    busy.extend(scenario.topology.interfaces.iter().map(|interface| interface.node));
    busy.extend(scenario.services.iter().flat_map(|service| service.nodes.iter().copied()));
    busy.extend(scenario.processes.iter().flat_map(|process| process.nodes.iter().copied()));
    busy.extend(scenario.stresses.iter().flat_map(|stress| stress.from.iter().copied()));
    busy.extend(scenario.flows.iter().map(|flow| flow.from));
    busy.extend(scenario.flows.iter().map(|flow| &flow.to).chain(scenario.stresses.iter().map(|stress| &stress.to)).filter_map(node_of));
    busy.extend(scenario.timeline.iter().filter_map(|entry| if let Action::Run { node, .. } = entry.action { Some(node) } else { None }));
    let mut found = Found::new();
    for (position, node) in scenario.topology.nodes.iter().enumerate() {
        let id = NodeId(u32::try_from(position).unwrap_or(u32::MAX));
        if !node.kind.is_external() && !busy.contains(&id) {
            found.entry(node.span).or_default().insert(node.name.clone());
        }
    }
    found
}

fn node_of(to: &Destination) -> Option<NodeId> {
    match to {
        Destination::Node(node, _) | Destination::Interface(node, ..) => Some(*node),
        Destination::Service(_) | Destination::Process(..) | Destination::Address(..) | Destination::HostName(..) => None,
    }
}

/// Services to which nothing goes, where only flows and streams could.
fn unreached(scenario: &Scenario) -> Found {
    let commands = scenario.timeline.iter().any(|entry| matches!(entry.action, Action::Run { .. }));
    let outside = scenario.topology.nodes.iter().any(|node| node.kind.is_external());
    if commands || outside || !scenario.processes.is_empty() {
        return Found::new();
    }
    let targets: Vec<&Destination> =
        scenario.flows.iter().map(|flow| &flow.to).chain(scenario.stresses.iter().map(|stress| &stress.to)).collect();
    let mut found = Found::new();
    for (position, service) in scenario.services.iter().enumerate() {
        let id = ServiceId(u32::try_from(position).unwrap_or(u32::MAX));
        if !targets.iter().any(|to| reaches(to, id, service)) {
            found.entry(service.span).or_default().insert(service.name.clone());
        }
    }
    found
}

/// A flow to there may arrive at the service.
fn reaches(to: &Destination, id: ServiceId, service: &Service) -> bool {
    let port_fits = |port: &Option<u16>| port.is_none_or(|port| port == service.port);
    match to {
        Destination::Service(service) => *service == id,
        Destination::Process(..) => false,
        Destination::Node(node, port) | Destination::Interface(node, _, port) => {
            port.is_some() && port_fits(port) && service.nodes.contains(node)
        }
        Destination::Address(_, port) | Destination::HostName(_, port) => port_fits(port),
    }
}
