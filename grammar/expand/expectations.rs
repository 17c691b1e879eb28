//! Expectations: conditions with their windows and their names, those of checks where they are called. In: statements. Out:
//! [`Expectation`]s. Judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::EXPECTATION_LIMIT;
use super::draft::Draft;
use super::error::ExpandError;
use super::moments::Around;
use super::stars::{Picks, every_pick};
use super::windows::{Window, values_of};
use crate::resolve::ScenarioRef;
use crate::scenario::expect::{Expectation, Form, Kind};
use crate::source::Span;
use crate::syntax::tree::{Block, ExpectKind, ExpectStatement, Expr, Quantifier};

impl<'a> Draft<'_, 'a> {
    /// Takes expectations in.
    pub(super) fn expect(&mut self, statements: &'a Block<ExpectStatement>) {
        let before = self.context.errors;
        self.each(statements, |draft, statement| {
            if draft.is_check(&statement.condition) {
                draft.call_of_check(statement);
            } else {
                draft.moments.expects = true;
                draft.expectation(statement);
            }
        });
        self.moments.expects |= self.context.errors > before;
    }

    /// The expectations of a check: its word, its clauses and its text hold for all of them that say nothing else.
    fn call_of_check(&mut self, statement: &'a ExpectStatement) {
        if statement.quantifier != Quantifier::None {
            let message = "`always` and `never` are said of single expectations, and this calls a check".to_owned();
            let help = "say the word inside the check".to_owned();
            let (span, other) =
                (Span { end: statement.condition.span.start.max(statement.span.start), ..statement.span }, statement.condition.span);
            self.context.raise(ExpandError::OptionConflict { message, span, other, help });
            return;
        }
        let window = self.window(statement).map(|window| window.or(self.moments.window));
        let text = self.said_text(statement);
        let words = self.words_with(statement.condition.span, &[&statement.condition], None);
        let Some(called) = self.called_check(&statement.condition) else { return };
        let (Some(window), Some(text)) = (window, text) else { return };
        let kind = stricter(self.moments.kind, statement.kind);
        let text = text.or_else(|| self.moments.text.clone());
        let (outer_window, outer_kind) = (self.moments.window.replace(window), std::mem::replace(&mut self.moments.kind, kind));
        let outer_text = std::mem::replace(&mut self.moments.text, text);
        let frame = self.same_frame(&called.scope);
        self.within(&called, frame, |draft, body| {
            let scope = draft.scope.clone();
            draft.in_call(&scope, Around { words }, |draft| draft.expect(body));
        });
        self.moments.window = outer_window;
        self.moments.kind = outer_kind;
        self.moments.text = outer_text;
    }

    /// The text for people, holes filled. The outer `None`: one of them is wrong, which was reported.
    fn said_text(&mut self, statement: &ExpectStatement) -> Option<Option<String>> {
        match &statement.text {
            Some(text) => self.context.text(&text.value, &self.scope).map(Some),
            None => Some(None),
        }
    }

    fn expectation(&mut self, statement: &ExpectStatement) {
        if self.context.is_full() {
            return;
        }
        let window = self.window(statement).map(|window| window.or(self.moments.window));
        let text = self.said_text(statement);
        let Some(stars) = self.stars(&statement.condition) else { return };
        let count: usize = stars.iter().map(|star| star.ids.len()).product();
        let there = self.scenario.expectations.len();
        if (there + count) as u64 > EXPECTATION_LIMIT {
            let count = (there + count) as u64;
            self.context.raise(ExpandError::TooLarge { what: "expectations", count, limit: EXPECTATION_LIMIT, span: statement.span });
            return;
        }
        for picks in every_pick(&stars, &Picks::default()) {
            let Some(condition) = self.condition(&statement.condition, &picks, 0) else { return };
            let kind = stricter(self.moments.kind, statement.kind);
            if kind == ExpectKind::Require && !self.only_moments(&condition, "require") {
                return;
            }
            let (Some(window), Some(text)) = (&window, &text) else { continue };
            let words = self.words_of(statement, &picks);
            let made = Expectation {
                name: self.name_of(text.as_deref(), &words, &picks),
                words,
                kind: match kind {
                    ExpectKind::Plain => Kind::Collect,
                    ExpectKind::Require => Kind::Require,
                    ExpectKind::Note => Kind::Note,
                },
                form: form_of(window, statement.quantifier),
                called: self.calls_around(),
                from: window.from,
                to: window.to,
                sampled_every_ns: window.interval_ns(),
                condition,
                span: statement.span,
            };
            self.check_sampling(statement, made.form, &made.condition.metrics());
            self.lint(&made, window);
            self.scenario.expectations.push(made);
        }
    }

    /// What an expectation is called: its text, with the things that `[*]` stands for, or its own words; after the text of the call
    /// that it came of.
    fn name_of(&self, text: Option<&str>, words: &str, picks: &Picks) -> String {
        let things: Vec<String> = picks.ids().filter_map(|(kind, id)| self.thing_name(kind, id)).collect();
        let own = match text {
            None => words.to_owned(),
            Some(text) if things.is_empty() => text.to_owned(),
            Some(text) => format!("{text} ({})", things.join(", ")),
        };
        match &self.moments.text {
            Some(outer) => format!("{outer}: {own}"),
            None => own,
        }
    }

    /// The statement's own words, without its text, with the values of loops and parameters and the names of picked things.
    fn words_of(&self, statement: &ExpectStatement, picks: &Picks) -> String {
        let clauses = statement.clauses.iter().flat_map(values_of);
        let exprs: Vec<&Expr> = std::iter::once(&statement.condition).chain(clauses).collect();
        let whole = |span: Span| self.words_with(span, &exprs, Some(picks));
        let Some(text) = &statement.text else { return whole(statement.span).trim_end_matches(';').trim_end().to_owned() };
        let before = whole(Span { end: text.span.start.max(statement.span.start), ..statement.span });
        let after = whole(Span { start: text.span.end.min(statement.span.end), ..statement.span });
        format!("{before} {after}").trim().trim_end_matches(';').trim_end().to_owned()
    }

    /// Makes names unique and looks at the scenario as a whole.
    pub(super) fn finish(&mut self, declared: &ScenarioRef<'_>) {
        let mut uses: BTreeMap<String, usize> = BTreeMap::new();
        for expectation in &self.scenario.expectations {
            *uses.entry(expectation.name.clone()).or_default() += 1;
        }
        // Of one name in several calls, the call tells which; of one name in one call, its place.
        for expectation in &mut self.scenario.expectations {
            if let (Some(called), Some(2..)) = (&expectation.called, uses.get(&expectation.name)) {
                expectation.name = format!("{} ({called})", expectation.name);
            }
        }
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for expectation in &mut self.scenario.expectations {
            let base = expectation.name.clone();
            let count = last.entry(base.clone()).or_insert(1);
            while !taken.insert(expectation.name.clone()) {
                *count += 1;
                expectation.name = format!("{base} ({count})");
            }
        }
        self.lint_whole(declared);
    }
}

/// The word of an expectation inside a call that says one too: that of the call if it says one.
fn stricter(outer: ExpectKind, own: ExpectKind) -> ExpectKind {
    if outer == ExpectKind::Plain { own } else { outer }
}

/// How a condition is held against time.
fn form_of(window: &Window, quantifier: Quantifier) -> Form {
    match (window.within, quantifier) {
        (Some((limit_ns, after, stays)), Quantifier::None) => Form::Within { limit_ns, after, stays },
        (_, Quantifier::Always) => Form::Always,
        (_, Quantifier::Never) => Form::Never,
        (None, Quantifier::None) => Form::Whole,
    }
}
