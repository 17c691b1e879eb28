//! Expectations: conditions with their windows and their names. In: statements. Out: [`Expectation`]s. Judges nothing.

use std::collections::BTreeSet;

use super::EXPECTATION_LIMIT;
use super::draft::Draft;
use super::error::ExpandError;
use crate::diagnostics::Severity;
use crate::quantity::{BILLION, Dimension};
use crate::resolve::ScenarioRef;
use crate::scenario::expect::{Expectation, Form, Kind};
use crate::scenario::timeline::TimeRef;
use crate::source::Span;
use crate::syntax::tree::{Block, ExpectKind, ExpectStatement, Quantifier, WindowClause, WindowKind, plain};

/// The interval of rates, ratios and percentiles if the expectation does not say, in ns.
const SAMPLED_EVERY_NS: u64 = 1_000_000_000;

/// What the clauses of an expectation say.
struct Window {
    from: Option<TimeRef>,
    to: Option<TimeRef>,
    within: Option<(u64, Option<TimeRef>, bool)>,
    sampled_every_ns: u64,
}

/// Which part of a window a clause says: two clauses of one part exclude each other.
fn role(kind: &WindowKind) -> &'static [&'static str] {
    match kind {
        WindowKind::During(..) => &["start", "end"],
        WindowKind::Before(_) => &["end"],
        WindowKind::After(_) => &["start"],
        WindowKind::Within { .. } => &["limit"],
        WindowKind::Sampled(_) => &["interval"],
    }
}

impl Draft<'_, '_> {
    /// Takes the expectations in.
    pub(super) fn expect(&mut self, statements: &Block<ExpectStatement>) {
        for statement in plain(statements) {
            self.expectation(statement);
        }
    }

    fn expectation(&mut self, statement: &ExpectStatement) {
        if self.context.is_full() {
            return;
        }
        let window = self.window(statement);
        let text = match &statement.text {
            Some(text) => self.context.text(&text.value, &self.scope).map(Some),
            None => Some(None),
        };
        let Some(each) = self.each_flow(&statement.condition) else { return };
        let count = each.as_ref().map_or(1, |each| each.count);
        let there = self.scenario.expectations.len();
        if (there + count) as u64 > EXPECTATION_LIMIT {
            let count = (there + count) as u64;
            self.context.raise(ExpandError::TooLarge { what: "expectations", count, limit: EXPECTATION_LIMIT, span: statement.span });
            return;
        }
        let words = self.words_of(statement);
        for index in 0..count {
            let Some(condition) = self.condition(&statement.condition, each.as_ref().map(|_| index), 0) else { return };
            if statement.kind == ExpectKind::Require && !self.only_moments(&condition, "require") {
                return;
            }
            let (Some(window), Some(text)) = (&window, &text) else { continue };
            let (mut words, mut name) = (words.clone(), text.clone());
            if let Some(each) = &each {
                let flow = self.nth_name(&each.words, index);
                words = words.replace(&each.words, &flow);
                name = name.map(|text| format!("{text} ({flow})"));
            }
            let form = match (&window.within, statement.quantifier) {
                (Some((limit_ns, after, stays)), _) => Form::Within { limit_ns: *limit_ns, after: *after, stays: *stays },
                (None, Quantifier::Always) => Form::Always,
                (None, Quantifier::Never) => Form::Never,
                (None, Quantifier::None) => Form::Whole,
            };
            let kind = match statement.kind {
                ExpectKind::Plain => Kind::Collect,
                ExpectKind::Require => Kind::Require,
                ExpectKind::Note => Kind::Note,
            };
            let made = Expectation {
                name: name.unwrap_or_else(|| words.clone()),
                words,
                kind,
                form,
                from: window.from,
                to: window.to,
                sampled_every_ns: window.sampled_every_ns,
                condition,
                span: statement.span,
            };
            self.lint(&made);
            self.scenario.expectations.push(made);
        }
    }

    /// The name of one of the flows that `f[*]` stands for.
    fn nth_name(&self, words: &str, index: usize) -> String {
        let (name, inside) = words.split_once('[').unwrap_or((words, ""));
        let from = inside.split_once("..").and_then(|(first, _)| first.trim().parse::<usize>().ok()).unwrap_or(1);
        format!("{name}[{}]", from + index)
    }

    /// The statement's own words, without its text.
    fn words_of(&self, statement: &ExpectStatement) -> String {
        let end = statement.text.as_ref().map_or(statement.span.end, |text| text.span.start);
        let inner = Span { end: end.max(statement.span.start), ..statement.span };
        let before = self.context.words(inner);
        let after =
            statement.text.as_ref().map(|text| self.context.words(Span { start: text.span.end.min(statement.span.end), ..statement.span }));
        let whole = format!("{before} {}", after.unwrap_or_default());
        whole.trim().trim_end_matches(';').trim_end().to_owned()
    }

    /// What the clauses say. `None`: one of them is wrong, which was reported.
    fn window(&mut self, statement: &ExpectStatement) -> Option<Window> {
        let before = self.context.problems.len();
        let mut window = Window { from: None, to: None, within: None, sampled_every_ns: SAMPLED_EVERY_NS };
        for (position, clause) in statement.clauses.iter().enumerate() {
            let parts = role(&clause.kind);
            let taken = statement.clauses[..position].iter().find(|other| role(&other.kind).iter().any(|part| parts.contains(part)));
            if let Some(other) = taken {
                let part = parts.iter().find(|part| role(&other.kind).contains(part)).copied().unwrap_or("part");
                let (message, help) = (format!("the window's {part} is said twice"), "keep one of the two".to_owned());
                self.context.raise(ExpandError::OptionConflict { message, span: clause.span, other: other.span, help });
            }
            self.clause(clause, &mut window);
        }
        let within = statement.clauses.iter().find(|clause| matches!(clause.kind, WindowKind::Within { .. }));
        if let (Some(clause), Quantifier::Always | Quantifier::Never) = (within, statement.quantifier) {
            let word = if statement.quantifier == Quantifier::Always { "always" } else { "never" };
            let message = format!("`{word}` is about every moment, `within` about one of them");
            let help = "leave one of them out; `within D after E and stays` holds from then on".to_owned();
            let first = Span { end: statement.condition.span.start.max(statement.span.start), ..statement.span };
            self.context.raise(ExpandError::OptionConflict { message, span: clause.span, other: first, help });
        }
        let fine = !self.context.problems[before..].iter().any(|problem| problem.severity == Severity::Error);
        let broken = statement.clauses.iter().any(has_broken);
        (fine && !broken).then_some(window)
    }

    fn clause(&mut self, clause: &WindowClause, window: &mut Window) {
        match &clause.kind {
            WindowKind::During(from, to) => {
                window.from = self.instant(from);
                window.to = self.instant(to);
                if let (Some(a), Some(b)) = (window.from, window.to)
                    && a.event == b.event
                    && a.offset_ns >= b.offset_ns
                {
                    let (first, last) = (self.context.words(from.span), self.context.words(to.span));
                    self.context.raise(ExpandError::BackwardRange { first, last, span: clause.span });
                }
            }
            WindowKind::Before(event) => window.to = self.instant(event),
            WindowKind::After(event) => window.from = self.instant(event),
            WindowKind::Within { limit, after, stays } => {
                let after = after.as_ref().map(|event| self.instant(event));
                let limit = self.context.duration("`within`", limit, 1, &self.scope);
                window.within = limit.map(|limit| (limit, after.flatten(), *stays));
            }
            WindowKind::Sampled(every) => {
                let bounds = (10_000_000, 3_600 * BILLION);
                let every = self.context.bounded("`sampled every`", every, Dimension::Duration, bounds, &self.scope);
                window.sampled_every_ns = every.unwrap_or(SAMPLED_EVERY_NS);
            }
        }
    }

    /// Makes names unique and looks at the scenario as a whole.
    pub(super) fn finish(&mut self, declared: &ScenarioRef<'_>) {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let mut last: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
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

/// A clause has a piece that could not be read.
fn has_broken(clause: &WindowClause) -> bool {
    let broken = |expr: &crate::syntax::tree::Expr| matches!(expr.kind, crate::syntax::tree::ExprKind::Broken);
    match &clause.kind {
        WindowKind::During(a, b) => broken(a) || broken(b),
        WindowKind::Before(a) | WindowKind::After(a) | WindowKind::Sampled(a) => broken(a),
        WindowKind::Within { limit, after, .. } => broken(limit) || after.as_ref().is_some_and(broken),
    }
}
