//! Entries of the timeline. In: statements that stand. Out: [`Entry`]s. The verbs, the times and the events have files of their own.

use super::ENTRY_LIMIT;
use super::draft::Draft;
use super::error::ExpandError;
use super::events::{CalledEntry, Spoken};
use super::moment_error::MomentError;
use super::moments::Around;
use super::timing::show_ns;
use crate::scenario::EventId;
use crate::scenario::timeline::{Action, Entry, TimeRef, When};
use crate::source::Span;
use crate::syntax::tree::WhenClause;

impl<'a> Draft<'_, 'a> {
    /// Takes what happens in; the names of all its events are known. Then looks at the timeline as a whole.
    pub(super) fn timeline(&mut self, spoken: &[Spoken<'a>]) {
        self.entries(spoken);
        self.check_captures();
        self.check_times();
        self.check_taken_addresses();
        self.check_effects();
    }

    fn entries(&mut self, spoken: &[Spoken<'a>]) {
        for one in spoken {
            if self.context.is_full() {
                return;
            }
            let scope = one.scope.clone();
            self.within_scope(&scope, |draft| draft.entry(one));
        }
    }

    fn entry(&mut self, one: &Spoken<'a>) {
        let statement = one.statement;
        let whens = self.whens(one);
        let lasts = match &statement.lasts {
            Some(expr) => self.context.duration("`for`", expr, 1, &self.scope).map(Some),
            None => Some(None),
        };
        let calls = statement.verb.name.text == "call";
        let actions = if calls { self.is_call(&statement.verb).then(|| vec![Action::Mark]) } else { self.actions(&statement.verb) };
        let (Some(whens), Some(actions), Some(lasts_ns)) = (whens, actions, lasts) else { return };
        let text = match (&statement.name, actions.as_slice()) {
            (Some(name), [Action::Mark]) if !calls => format!("mark {}", self.context.words(name.span)),
            _ => self.verb_words(&statement.verb),
        };
        if let (Some(expr), false) = (&statement.lasts, calls)
            && !actions.iter().all(Action::has_undo)
        {
            self.context.raise(MomentError::NothingToUndo { verb: statement.verb.name.text.clone(), span: expr.span });
            return;
        }
        for (number, when) in whens.into_iter().enumerate() {
            let event = one.events.as_ref().and_then(|events| events.get(number).copied());
            if !calls {
                self.act(when, &actions, lasts_ns, event, &text, statement.span);
            } else if let Some(called) = one.calls.get(number) {
                let undo = lasts_ns.zip(statement.lasts.as_ref().map(|expr| expr.span));
                self.call(when, called, undo, event, &text, statement.span);
            }
        }
    }

    /// When a statement acts: once, or at each instant of `every`.
    fn whens(&mut self, one: &Spoken<'_>) -> Option<Vec<When>> {
        match &one.statement.when {
            WhenClause::At(expr) => self.instant(expr).map(|time| vec![When::At(time)]),
            WhenClause::Every { .. } => Some(one.times.as_ref()?.iter().copied().map(When::At).collect()),
            WhenClause::Condition { condition, within } => {
                let condition = self.watched(condition);
                let limit = match within {
                    Some(expr) => self.context.duration("`within`", expr, 1, &self.scope).map(Some),
                    None => Some(None),
                };
                condition.zip(limit).map(|(condition, within_ns)| vec![When::Condition { condition, within_ns }])
            }
        }
    }

    /// Makes the entries of one statement at one time: the first waits as the statement says, the others act with it.
    fn act(&mut self, when: When, actions: &[Action], lasts_ns: Option<u64>, event: Option<EventId>, text: &str, span: Span) {
        let waits = matches!(when, When::Condition { .. });
        let event = if waits && actions.len() > 1 { Some(event.unwrap_or_else(|| self.unnamed_event(text, span))) } else { event };
        let with = match &when {
            When::At(time) => *time,
            When::Condition { .. } => TimeRef { event, offset_ns: 0 },
        };
        let mut first = Some((when, event));
        for action in actions {
            let (when, event) = first.take().unwrap_or((When::At(with), None));
            self.push(Entry { when, action: action.clone(), lasts_ns, event, text: text.to_owned(), called: self.calls_around(), span });
        }
    }

    fn push(&mut self, entry: Entry) {
        let count = self.scenario.timeline.len() as u64 + 1;
        if count == ENTRY_LIMIT + 1 {
            let (what, span) = ("entries of a timeline", entry.span);
            self.context.raise(ExpandError::TooLarge { what, count, limit: ENTRY_LIMIT, span });
            self.context.stop_unrolling();
        }
        // What is beyond the limit is an error already; one entry more than it keeps that from being said again.
        if count <= ENTRY_LIMIT + 1 {
            self.scenario.timeline.push(entry);
        }
    }

    /// The entries of an action, whose times count from the calling entry.
    fn call(&mut self, when: When, called: &CalledEntry<'a>, undo: Option<(u64, Span)>, event: Option<EventId>, text: &str, span: Span) {
        let waits = matches!(when, When::Condition { .. });
        let event = if waits { Some(event.unwrap_or_else(|| self.unnamed_event(text, span))) } else { event };
        let base = match &when {
            When::At(time) => *time,
            When::Condition { .. } => TimeRef { event, offset_ns: 0 },
        };
        if event.is_some() {
            self.act(when, &[Action::Mark], None, event, text, span);
        }
        let start = self.scenario.timeline.len();
        let around = Around { words: called.words.clone() };
        let outer = self.moments.base.replace(base);
        self.in_call(&called.scope, around, |draft| draft.in_frame(called.frame.clone(), |draft| draft.entries(&called.inside)));
        self.moments.base = outer;
        if let Some((lasts_ns, place)) = undo {
            self.undo_call(start, base, lasts_ns, &called.words, place);
        }
    }

    /// Undoes what entries of a call did, so long after the call.
    fn undo_call(&mut self, start: usize, base: TimeRef, lasts_ns: u64, words: &str, span: Span) {
        let (mut any, mut trouble) = (false, None);
        for entry in self.scenario.timeline.iter_mut().skip(start).filter(|entry| entry.action.has_undo()) {
            any = true;
            if entry.lasts_ns.is_some() {
                continue;
            }
            let after = match &entry.when {
                When::At(time) if time.event == base.event => time.offset_ns.checked_sub(base.offset_ns),
                _ => None,
            };
            let left = after.map(|after| i128::from(lasts_ns) - i128::from(after));
            match left {
                Some(left) if left > 0 => entry.lasts_ns = u64::try_from(left).ok(),
                Some(_) => {
                    trouble = Some((format!("`{}` only acts {} after the call", entry.text, show_ns(after.unwrap_or(0))), entry.span))
                }
                None => trouble = Some((format!("when `{}` acts is not counted from the call", entry.text), entry.span)),
            }
        }
        if let Some((reason, entry)) = trouble {
            self.context.raise(MomentError::UndoInCall { call: words.to_owned(), reason, span, entry });
        } else if !any && self.scenario.timeline.len() > start {
            self.context.raise(MomentError::NothingToUndo { verb: words.to_owned(), span });
        }
    }
}
