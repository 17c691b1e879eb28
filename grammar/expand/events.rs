//! The first look at a timeline: which statements stand, which events they name and what they call, so that entries may refer to
//! later ones. In: statements. Out: [`Spoken`] statements. Says nothing of what they do.

use super::ENTRY_LIMIT;
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Scope, bare};
use super::moment_error::MomentError;
use super::moments::Around;
use super::things::{Frame, ThingKind};
use super::topology::position;
use crate::quantity::{Dimension, Quantity};
use crate::scenario::EventId;
use crate::scenario::timeline::{Event, TimeRef};
use crate::source::Span;
use crate::syntax::tree::{Block, Expr, ExprKind, Index, Indexed, Operand, TimelineStatement, Verb, WhenClause};

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
    /// What it calls, once for each time; empty: it calls nothing, or the call is wrong.
    pub calls: Vec<CalledEntry<'t>>,
}

/// One call of an action.
pub(super) struct CalledEntry<'t> {
    /// Where its names are looked up, its parameters among them.
    pub scope: Scope,
    /// Where the names that it declares are.
    pub frame: Frame,
    /// As written, with the values of loops and parameters.
    pub words: String,
    /// Its statements.
    pub inside: Vec<Spoken<'t>>,
}

impl<'a> Draft<'_, 'a> {
    /// The statements of a timeline that stand, with the events that they name declared.
    pub(super) fn spoken(&mut self, statements: &'a Block<TimelineStatement>) -> Vec<Spoken<'a>> {
        let mut spoken: Vec<Spoken<'a>> = Vec::new();
        self.each(statements, |draft, statement| {
            let mut one = Spoken { statement, scope: draft.scope.clone(), times: None, events: None, calls: Vec::new() };
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
        let index = slot.indices.as_ref().and_then(|indices| indices.first().copied());
        let id = self.event(slot.name(index), true, name.name.span);
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

    /// Finds the action that a statement calls, and looks at its statements, once for each time.
    fn look_at_call(&mut self, one: &mut Spoken<'a>) {
        let Some(written) = called_expression(&one.statement.verb) else { return };
        let Some(called) = self.called_action(written) else { return };
        let words = self.words_with(written.span, &[written], None);
        let count = one.times.as_ref().map_or(1, Vec::len);
        for number in (1..).take(count) {
            let repeated = one.statement.name.as_ref().filter(|_| one.times.is_some()).map(|name| numbered(name, number));
            let name = repeated.as_ref().or(one.statement.name.as_ref());
            let Some(frame) = self.action_frame(&called, name) else { return };
            let around = Around { words: words.clone() };
            let inside = self.within(&called, frame.clone(), |draft, body| {
                let scope = called.scope.clone();
                draft.in_call(&scope, around, |draft| draft.spoken(body))
            });
            let Some(inside) = inside else { return };
            one.calls.push(CalledEntry { scope: called.scope.clone(), frame, words: words.clone(), inside });
        }
    }
}

/// What `call` is followed by, if that is one value.
pub(super) fn called_expression(verb: &Verb) -> Option<&Expr> {
    match verb.operands.as_slice() {
        [Operand::Value(expr)] => Some(expr).filter(|expr| matches!(bare(expr).kind, ExprKind::Call(..) | ExprKind::Path(_))),
        _ => None,
    }
}

/// A name with an index: what `every` makes of it.
fn numbered(name: &Indexed, number: i64) -> Indexed {
    let count = Expr { span: name.span, kind: ExprKind::Quantity(Quantity::new(Dimension::Count, number)) };
    Indexed { index: Some(Index::One(count)), ..name.clone() }
}
