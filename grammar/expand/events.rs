//! The first look at a timeline: which statements stand, which events they name and what they call, so that entries may refer to
//! later ones. In: statements. Out: [`Spoken`] statements. Says nothing of what they do.

use std::collections::BTreeSet;

use super::ENTRY_LIMIT;
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::Scope;
use super::moment_error::MomentError;
use super::things::{Frame, ThingKind};
use super::topology::position;
use crate::quantity::Dimension;
use crate::resolve::ResolveError;
use crate::scenario::EventId;
use crate::scenario::timeline::{Event, TimeRef};
use crate::source::Span;
use crate::syntax::tree::{Block, Expr, Indexed, TimelineStatement, WhenClause};

/// A statement of a timeline that stands.
pub(super) struct Spoken<'t> {
    /// What is written.
    pub statement: &'t TimelineStatement,
    /// Where its names are looked up.
    pub scope: Scope,
    /// The instants of `every`; `None`: it acts once.
    pub times: Option<Vec<TimeRef>>,
    /// The events it names, one for each time; `None`: it names none, or its name is wrong.
    pub events: Option<Vec<EventId>>,
    /// The index of the first event's name, which the names inside a call take over.
    pub index: Option<i64>,
    /// What it calls, once for each time; empty: it calls nothing, or the call is wrong.
    pub calls: Vec<Called<'t>>,
}

/// One call of an action.
pub(super) struct Called<'t> {
    /// Names of the template's parameters.
    pub scope: Scope,
    /// Where the names that it declares are.
    pub frame: Frame,
    /// As written, with values.
    pub words: String,
    /// Where the template is declared.
    pub declared: Span,
    /// Its statements.
    pub inside: Vec<Spoken<'t>>,
}

impl<'a> Draft<'_, 'a> {
    /// The statements of a timeline that stand, with the events that they name declared.
    pub(super) fn look_at(&mut self, statements: &'a Block<TimelineStatement>) -> Vec<Spoken<'a>> {
        let mut spoken: Vec<Spoken<'a>> = Vec::new();
        self.each(statements, |draft, statement| {
            let mut one = Spoken { statement, scope: draft.scope.clone(), times: None, events: None, index: None, calls: Vec::new() };
            if !matches!(statement.when, WhenClause::Every { .. }) {
                draft.name_once(&mut one);
            }
            spoken.push(one);
        });
        for one in &mut spoken {
            if let WhenClause::Every { period, from, to } = &one.statement.when {
                let scope = one.scope.clone();
                one.times = self.within_scope(&scope, |draft| draft.instants_of(period, from, to));
                self.name_each(one);
            }
        }
        for one in &mut spoken {
            if one.statement.verb.name.text == "call" {
                let scope = one.scope.clone();
                self.within_scope(&scope, |draft| draft.look_at_call(one));
            }
        }
        spoken
    }

    fn event(&mut self, name: String, named: bool, span: Span) -> EventId {
        let id = EventId(position(self.scenario.events.len()));
        self.scenario.events.push(Event { name, named, span });
        id
    }

    /// An event that nobody named: an entry has it because others of the same statement wait for it.
    pub(super) fn unnamed_event(&mut self, words: &str, span: Span) -> EventId {
        self.event(words.to_owned(), false, span)
    }

    /// Declares the event of a statement that acts once.
    fn name_once(&mut self, one: &mut Spoken<'_>) {
        let Some(name) = &one.statement.name else { return };
        let Some(slot) = self.declare(ThingKind::Event, name, ENTRY_LIMIT) else { return };
        if slot.indices.as_ref().is_some_and(|indices| indices.len() != 1) {
            self.one_event(name);
            return;
        }
        one.index = slot.indices.as_ref().and_then(|indices| indices.first().copied());
        let id = self.event(slot.name(one.index), true, name.name.span);
        self.define(&slot, id.0);
        self.note_run(one.statement, id);
        one.events = Some(vec![id]);
    }

    /// Declares the events `tick[1]`, `tick[2]`... of an `every`.
    fn name_each(&mut self, one: &mut Spoken<'_>) {
        let Some(name) = &one.statement.name else { return };
        let Some(slot) = self.declare(ThingKind::Event, name, ENTRY_LIMIT) else { return };
        if slot.indices.is_some() {
            self.one_event(name);
            return;
        }
        let Some(times) = &one.times else { return };
        let indices: Vec<i64> = (1..).take(times.len()).collect();
        let ids: Vec<EventId> = indices.iter().map(|index| self.event(slot.name(Some(*index)), true, name.name.span)).collect();
        if let Some(first) = ids.first() {
            self.define_many(&slot, first.0, &indices);
        }
        ids.iter().for_each(|id| self.note_run(one.statement, *id));
        one.events = Some(ids);
    }

    fn note_run(&mut self, statement: &TimelineStatement, id: EventId) {
        if statement.verb.name.text == "run" {
            self.moments.runs.insert(id);
        }
    }

    fn one_event(&mut self, name: &Indexed) {
        let form = format!("`as {}`; what `every` makes gets indices by itself, and what a `for` makes one index", name.name.text);
        self.context.raise(ExpandError::OptionForm { name: "as".into(), form, span: name.span });
    }

    /// The instants of `every PERIOD from A to B`, the last included.
    fn instants_of(&mut self, period: &Expr, from: &Expr, to: &Expr) -> Option<Vec<TimeRef>> {
        let length = self.context.duration("`every`", period, 1, &self.scope);
        let (first, last) = (self.instant(from), self.instant(to));
        let (length, first, last) = (length?, first?, last?);
        if first.event != last.event {
            self.context.raise(MomentError::Uncountable { from: from.span, to: to.span });
            return None;
        }
        let span = from.span.to(to.span);
        let Some(room) = last.offset_ns.checked_sub(first.offset_ns).and_then(|room| u64::try_from(room).ok()) else {
            let (first, last) = (self.context.words(from.span), self.context.words(to.span));
            self.context.raise(ExpandError::BackwardRange { first, last, span });
            return None;
        };
        let count = room / length + 1;
        if count > ENTRY_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "entries of a timeline", count, limit: ENTRY_LIMIT, span });
            return None;
        }
        let step = i64::try_from(length).unwrap_or(i64::MAX);
        // The last offset is not beyond `last`, so nothing here is too large.
        let at = |number: i64| TimeRef { offset_ns: first.offset_ns.saturating_add(step.saturating_mul(number)), ..first };
        Some((0..).map(at).take(usize::try_from(count).unwrap_or(0)).collect())
    }

    /// Reports the kinds of names that an entry's `as` gives and that nothing can refer to.
    pub(super) fn declared_events(&self) -> BTreeSet<EventId> {
        (0..).map(EventId).take(self.scenario.events.len()).collect()
    }
}

/// A name of an action's entry that the caller's `as` stands before.
pub(super) fn frame_of(name: Option<&Indexed>, index: Option<i64>, around: &Frame, number: usize, outer: bool) -> Frame {
    let Some(name) = name else {
        // A name that nobody can write.
        let prefix = format!("{}call {number}.", around.prefix);
        return Frame { shown: prefix.clone(), prefix, indexed: around.indexed.clone(), at: around.at.clone(), outer };
    };
    let word = &name.name.text;
    let own = index.map_or_else(String::new, |index| format!("[{index}]"));
    Frame {
        prefix: format!("{}{word}.", around.prefix),
        shown: format!("{}{word}{own}.", around.shown),
        indexed: around.indexed.iter().copied().chain([index.is_some()]).collect(),
        at: around.at.iter().copied().chain(index).collect(),
        outer,
    }
}

#[expect(unused_imports, reason = "replaced when calls are there")]
use ResolveError as _Unused;
