//! Addresses that the timeline takes away: whether the node that loses one has it then. In: the entries and their instants. Out:
//! problems. Two nodes with one address are none: that may be what is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::draft::Draft;
use super::moment_error::MomentError;
use crate::scenario::NodeId;
use crate::scenario::timeline::Action;

/// Who has which address.
type Holding = BTreeSet<(NodeId, IpAddr)>;

/// What an entry does to an address: who loses it, and who gets it.
#[derive(Clone, Copy)]
struct Change {
    address: IpAddr,
    from: Option<NodeId>,
    to: Option<NodeId>,
}

/// A change and the entry that makes it, or undoes it.
#[derive(Clone, Copy)]
struct Step {
    entry: usize,
    undo: bool,
    change: Change,
}

/// All changes: in the order of time those of addresses whose entries all have a known instant, and the others.
#[derive(Default)]
struct Changes {
    known: BTreeMap<i64, Vec<Step>>,
    unknown: Vec<Step>,
}

/// What an action does to an address, if anything.
fn change(action: &Action) -> Option<Change> {
    Some(match action {
        Action::AddAddress { prefix, node, .. } => Change { address: prefix.address, from: None, to: Some(*node) },
        Action::MoveAddress { prefix, from, to, .. } => Change { address: prefix.address, from: Some(*from), to: Some(*to) },
        Action::RemoveAddress { address, node } => Change { address: *address, from: Some(*node), to: None },
        _ => return None,
    })
}

impl Draft<'_, '_> {
    /// Reports an address that is taken from a node which does not have it then or, where instants are not known beforehand, which
    /// nothing ever gives it to.
    pub(super) fn check_taken_addresses(&mut self) {
        let written = self.written_addresses();
        let Changes { known, unknown } = self.changes();
        let (mut has, mut problems) = (written.clone(), Vec::new());
        for step in known.into_values().flatten() {
            let Change { address, from, to } = step.change;
            if from.is_some_and(|from| !has.remove(&(from, address))) {
                problems.extend(self.not_there(step, &has, "not at this time"));
            }
            has.extend(to.map(|to| (to, address)));
        }
        for step in &unknown {
            let others = unknown.iter().filter(|other| other.entry != step.entry);
            let mut ever = written.clone();
            ever.extend(others.filter_map(|other| Some((other.change.to?, other.change.address))));
            if step.change.from.is_some_and(|from| !ever.contains(&(from, step.change.address))) {
                problems.extend(self.not_there(*step, &ever, "no link gives it, and no entry"));
            }
        }
        problems.into_iter().for_each(|problem| self.context.raise(problem));
    }

    /// The addresses that the topology gives.
    fn written_addresses(&self) -> Holding {
        let topology = &self.scenario.topology;
        let written = topology.links.iter().flat_map(|link| &link.ends).map(|end| (end.node, &end.addresses));
        let on_others = topology.interfaces.iter().map(|interface| (interface.node, &interface.addresses));
        written.chain(on_others).flat_map(|(node, addresses)| addresses.iter().map(move |(prefix, _)| (node, prefix.address))).collect()
    }

    /// What the entries do to addresses. One that is undone does the opposite then.
    fn changes(&self) -> Changes {
        let entries = || self.scenario.timeline.iter().enumerate().filter_map(|(at, entry)| Some((at, entry, change(&entry.action)?)));
        let instant = |at: usize| self.moments.instants.get(at).copied().flatten();
        let open: BTreeSet<IpAddr> = entries().filter(|(at, ..)| instant(*at).is_none()).map(|(_, _, change)| change.address).collect();
        let mut changes = Changes::default();
        for (entry, said, change) in entries() {
            let lasts = said.lasts_ns.and_then(|ns| i64::try_from(ns).ok());
            let step = Step { entry, undo: false, change };
            let undone = Step { entry, undo: true, change: Change { from: change.to, to: change.from, ..change } };
            if let Some(begin) = instant(entry).filter(|_| !open.contains(&change.address)) {
                changes.known.entry(begin).or_default().push(step);
                if let Some(end) = lasts.and_then(|lasts| begin.checked_add(lasts)) {
                    changes.known.entry(end).or_default().push(undone);
                }
            } else {
                changes.unknown.push(step);
                changes.unknown.extend(lasts.map(|_| undone));
            }
        }
        changes
    }

    /// The problem of a step that takes an address away; of what only undoes another entry there is none.
    fn not_there(&self, step: Step, has: &Holding, label: &'static str) -> Option<MomentError> {
        let name = |id: NodeId| self.scenario.topology.nodes.get(id.index()).map(|node| node.name.clone());
        let owner = has.iter().find(|(_, address)| *address == step.change.address).and_then(|(owner, _)| name(*owner));
        let help = owner.map(|owner| format!("`{owner}` has it then"));
        let span = self.scenario.timeline.get(step.entry).filter(|_| !step.undo)?.span;
        Some(MomentError::AddressNotThere { address: step.change.address.to_string(), node: name(step.change.from?)?, span, label, help })
    }
}
