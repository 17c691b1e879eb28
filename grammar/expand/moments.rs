//! What the timeline and the expectations know of themselves while they are expanded. In: nothing. Out: the type. Decides nothing.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::evaluate::Scope;
use super::windows::Window;
use crate::scenario::EventId;
use crate::scenario::timeline::TimeRef;
use crate::syntax::tree::ExpectKind;

/// A call of an action or a check around what is being expanded.
#[derive(Debug, Clone)]
pub(super) struct Around {
    /// As written, with the values of parameters and loops: `flap(wan)`.
    pub words: String,
}

/// State of the timeline and the expectations.
#[derive(Debug)]
pub struct Moments {
    /// Events of entries that run a command: they have its output.
    pub(super) runs: BTreeSet<EventId>,
    /// The instant that times without an event count from: a call's. `None`: the timeline's start.
    pub(super) base: Option<TimeRef>,
    /// Calls around, the outermost first.
    pub(super) around: Vec<Around>,
    /// Layers of scope whose names are shown as they are written; those of inner ones by their values.
    pub(super) plain_layers: usize,
    /// What the clauses after the call of a check say for what is inside it.
    pub(super) window: Option<Window>,
    /// The word before it, `require` or `note`.
    pub(super) kind: ExpectKind,
    /// The text after it.
    pub(super) text: Option<String>,
    /// Something is expected, or what was to be expected is wrong, which was reported.
    pub(super) expects: bool,
    /// When each entry acts, in ns after the start, if that is known.
    pub(super) instants: Vec<Option<i64>>,
}

impl Default for Moments {
    fn default() -> Self {
        Moments {
            runs: BTreeSet::new(),
            base: None,
            around: Vec::new(),
            // The scenario's own layer.
            plain_layers: 1,
            window: None,
            kind: ExpectKind::Plain,
            text: None,
            expects: false,
            instants: Vec::new(),
        }
    }
}

impl Draft<'_, '_> {
    /// The calls around, in words.
    pub(super) fn calls_around(&self) -> Option<String> {
        let around = &self.moments.around;
        (!around.is_empty()).then(|| around.iter().map(|call| call.words.as_str()).collect::<Vec<_>>().join(", "))
    }

    /// Does something inside a call: with the names of its template and as one of its statements.
    pub(super) fn in_call<R>(&mut self, scope: &Scope, around: Around, run: impl FnOnce(&mut Self) -> R) -> R {
        let plain = std::mem::replace(&mut self.moments.plain_layers, scope.layers.len().saturating_sub(1));
        self.moments.around.push(around);
        let result = self.within_scope(scope, run);
        self.moments.around.pop();
        self.moments.plain_layers = plain;
        result
    }
}
