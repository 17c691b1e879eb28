//! Windows of expectations: which part of the run counts, and how it is looked at. In: clauses. Out: a [`Window`]. Knows no condition.

use super::draft::Draft;
use super::error::ExpandError;
use crate::diagnostics::Severity;
use crate::quantity::{BILLION, Dimension};
use crate::scenario::timeline::TimeRef;
use crate::source::Span;
use crate::syntax::tree::{ExpectStatement, Expr, ExprKind, Quantifier, WindowClause, WindowKind};

/// The interval of rates, ratios and percentiles if the expectation does not say, in ns.
const SAMPLED_EVERY_NS: u64 = 1_000_000_000;

/// What the clauses of an expectation say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    /// First instant that counts.
    pub from: Option<TimeRef>,
    /// Last instant that counts.
    pub to: Option<TimeRef>,
    /// `within`: how long it may take, from when, and whether it stays.
    pub within: Option<(u64, Option<TimeRef>, bool)>,
    /// `sampled every`.
    pub sampled_every_ns: Option<u64>,
    /// Where the first clause of all stands.
    pub place: Option<Span>,
}

impl Window {
    /// The interval of what needs one, ns.
    pub fn interval_ns(&self) -> u64 {
        self.sampled_every_ns.unwrap_or(SAMPLED_EVERY_NS)
    }

    /// What this leaves open as another says it: the clauses after the call of a check. `within` leaves nothing open but the
    /// interval.
    pub fn or(self, outer: Option<Window>) -> Window {
        let Some(outer) = outer else { return self };
        let says_window = self.from.is_some() || self.to.is_some() || self.within.is_some();
        let window = if says_window { self } else { outer };
        Window { sampled_every_ns: self.sampled_every_ns.or(outer.sampled_every_ns), ..window }
    }
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

/// A clause has a piece that could not be read.
fn has_broken(clause: &WindowClause) -> bool {
    let broken = |expr: &Expr| matches!(expr.kind, ExprKind::Broken);
    match &clause.kind {
        WindowKind::During(a, b) => broken(a) || broken(b),
        WindowKind::Before(a) | WindowKind::After(a) | WindowKind::Sampled(a) => broken(a),
        WindowKind::Within { limit, after, .. } => broken(limit) || after.as_ref().is_some_and(broken),
    }
}

/// The expressions of a clause.
pub(super) fn values_of(clause: &WindowClause) -> Vec<&Expr> {
    match &clause.kind {
        WindowKind::During(a, b) => vec![a, b],
        WindowKind::Before(a) | WindowKind::After(a) | WindowKind::Sampled(a) => vec![a],
        WindowKind::Within { limit, after, .. } => std::iter::once(limit).chain(after).collect(),
    }
}

impl Draft<'_, '_> {
    /// What the clauses say. `None`: one of them is wrong, which was reported.
    pub(super) fn window(&mut self, statement: &ExpectStatement) -> Option<Window> {
        let before = self.context.problems.len();
        let mut window = Window { place: statement.clauses.first().map(|clause| clause.span), ..Window::default() };
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
        self.check_order(statement, &window);
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
                window.sampled_every_ns = self.context.bounded("`sampled every`", every, Dimension::Duration, bounds, &self.scope);
            }
        }
    }
}
