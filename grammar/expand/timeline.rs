//! Entries of the timeline. In: statements. Out: [`Entry`]s and [`Event`]s. The verbs and the times have files of their own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::ENTRY_LIMIT;
use super::draft::Draft;
use super::error::ExpandError;
use super::moment_error::MomentError;
use super::things::ThingKind;
use super::topology::position;
use crate::scenario::timeline::{Action, Entry, Event, When};
use crate::scenario::{EventId, NodeId};
use crate::syntax::tree::{Block, TimelineStatement, WhenClause, plain};

impl Draft<'_, '_> {
    /// Makes the names of all events known, so that entries may refer to later ones.
    pub(super) fn name_events(&mut self, statements: &Block<TimelineStatement>) {
        for name in plain(statements).filter_map(|statement| statement.name.as_ref()) {
            if let Some(slot) = self.declare(ThingKind::Event, name, 1) {
                self.define(&slot, position(self.scenario.events.len()));
                self.scenario.events.push(Event { name: slot.name(None), span: name.name.span });
            }
        }
    }

    /// Takes the entries in.
    pub(super) fn timeline(&mut self, statements: &Block<TimelineStatement>) {
        let count = (self.scenario.timeline.len() + statements.len()) as u64;
        if count > ENTRY_LIMIT {
            if let Some(first) = plain(statements).next() {
                self.context.raise(ExpandError::TooLarge { what: "entries of a timeline", count, limit: ENTRY_LIMIT, span: first.span });
            }
            return;
        }
        for statement in plain(statements) {
            self.entry(statement);
        }
        self.check_taken_addresses();
    }

    fn entry(&mut self, statement: &TimelineStatement) {
        if self.context.is_full() {
            return;
        }
        let when = match &statement.when {
            WhenClause::At(expr) => self.instant(expr).map(When::At),
            WhenClause::Every { period, .. } => {
                self.not_yet("`every`", period.span);
                None
            }
            WhenClause::Condition { condition, within } => {
                let condition = self.watched(condition);
                let limit = match within {
                    Some(expr) => self.context.duration("`within`", expr, 1, &self.scope).map(Some),
                    None => Some(None),
                };
                condition.zip(limit).map(|(condition, within_ns)| When::Condition { condition, within_ns })
            }
        };
        let action = self.action(&statement.verb);
        let lasts = match &statement.lasts {
            Some(expr) => self.context.duration("`for`", expr, 1, &self.scope).map(Some),
            None => Some(None),
        };
        if let (Some(expr), Some(Action::Mark)) = (&statement.lasts, &action) {
            self.context.raise(MomentError::NothingToUndo { verb: "mark".into(), span: expr.span });
        }
        let event = statement.name.as_ref().map(|indexed| &indexed.name).and_then(|name| {
            let position_of = self.scenario.events.iter().position(|event| event.span == name.span)?;
            let id = EventId(position(position_of));
            (self.scenario.events[id.index()].span == name.span).then_some(id)
        });
        let (Some(when), Some(action), Some(lasts_ns)) = (when, action, lasts) else { return };
        let text = match (&action, &statement.name) {
            (Action::Mark, Some(name)) => format!("mark {}", name.name.text),
            _ => self.context.words(statement.verb.span),
        };
        self.scenario.timeline.push(Entry { when, action, lasts_ns, event, text, span: statement.span });
    }

    /// Reports an address that is taken from a node which nothing gives it to.
    fn check_taken_addresses(&mut self) {
        let written = self.scenario.topology.links.iter().flat_map(|link| &link.ends);
        let mut has: BTreeSet<(NodeId, IpAddr)> =
            written.flat_map(|end| end.addresses.iter().map(|(prefix, _)| (end.node, prefix.address))).collect();
        for entry in &self.scenario.timeline {
            match &entry.action {
                Action::AddAddress { prefix, node, .. } => drop(has.insert((*node, prefix.address))),
                Action::MoveAddress { prefix, to, .. } => drop(has.insert((*to, prefix.address))),
                _ => {}
            }
        }
        let mut problems = Vec::new();
        for entry in &self.scenario.timeline {
            let (address, node) = match &entry.action {
                Action::RemoveAddress { address, node } => (*address, *node),
                Action::MoveAddress { prefix, from, .. } => (prefix.address, *from),
                _ => continue,
            };
            if !has.contains(&(node, address)) {
                let nodes = &self.scenario.topology.nodes;
                let owner = has.iter().find(|(_, other)| *other == address).map(|(owner, _)| &nodes[owner.index()].name);
                let help = owner.map(|owner| format!("`{owner}` has it"));
                let (address, node) = (address.to_string(), nodes[node.index()].name.clone());
                problems.push(MomentError::AddressNotThere { address, node, span: entry.span, help });
            }
        }
        problems.into_iter().for_each(|problem| self.context.raise(problem));
    }
}
