//! The steps of a pattern with everything filled in. In: a declaration and its names. Out: [`Step`]s; `for` and `if` are gone, bare
//! pauses know their side. What is sent and expected is made in `payload`; what both sides make of it is `talk`'s question.

use super::Context;
use super::error::ExpandError;
use super::evaluate::Scope;
use super::pattern_error::PatternError;
use super::payload::{Captured, Pending};
use super::unroll::{self, Scoped};
use crate::quantity::{BILLION, Dimension, Quantity};
use crate::scenario::pattern::{Branch, Close, Expected, Payload, Rest, Side, Step, StepKind, Template, TemplatePart, Varying};
use crate::source::{FileId, Span};
use crate::syntax::tree::{self, Block, Expr, PatternDecl};

/// The longest pause, in ns.
const PAUSE_LIMIT: i64 = 24 * 3_600 * BILLION;
/// Steps of one transaction, repeats unrolled: at most so many.
const STEP_LIMIT: u64 = 10_000_000;
/// Steps that are written, `for`s unrolled: at most so many.
const WRITTEN_LIMIT: u64 = 10_000;
/// Repeats and choices within each other: at most so many.
const NESTING_LIMIT: usize = 16;

/// Steps being made.
pub(super) struct Steps<'c, 'a> {
    pub(super) context: &'c mut Context<'a>,
    pub(super) scope: Scope,
    /// The text of the call that needs the pattern.
    pub(super) caller: FileId,
    /// What each side knows at this step.
    pub(super) captured: [Captured; 2],
    /// What each side captures anywhere.
    pub(super) ever: [Captured; 2],
    pub(super) pending: Vec<Pending>,
    written: u64,
}

/// `client` or `server`.
#[must_use]
pub(super) fn side_word(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

/// The other end.
#[must_use]
pub(super) fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

fn side_of(side: tree::Side) -> Side {
    match side {
        tree::Side::Client => Side::Client,
        tree::Side::Server => Side::Server,
    }
}

/// Who acts first in a list of steps.
fn acts(steps: &[Step]) -> Option<Side> {
    steps.iter().find_map(|step| match &step.kind {
        StepKind::Sends { by, .. } | StepKind::Expects { by, .. } | StepKind::Echoes { by } | StepKind::Closes { by, .. } => Some(*by),
        StepKind::Pause { by, .. } => (!is_bare_pause(step)).then_some(*by),
        StepKind::Repeat { steps, .. } => acts(steps),
        StepKind::Choose { branches } => branches.iter().find_map(|branch| acts(&branch.steps)),
    })
}

/// The pause of nobody in particular: `pause D`, not `client pauses D`.
fn is_bare_pause(step: &Step) -> bool {
    matches!(step.kind, StepKind::Pause { .. }) && step.text.starts_with("pause")
}

/// Gives each bare pause to the side that acts next; `after` acts after the last step. Gives who acts first.
fn direct(steps: &mut [Step], after: Option<Side>) -> Option<Side> {
    let mut next = after;
    for step in steps.iter_mut().rev() {
        let bare = is_bare_pause(step);
        match &mut step.kind {
            StepKind::Pause { by, .. } if bare => *by = next.unwrap_or(Side::Client),
            StepKind::Repeat { steps, .. } => {
                let again = acts(steps).or(next);
                next = direct(steps, again).or(next);
            }
            StepKind::Choose { branches } => {
                let firsts: Vec<Option<Side>> = branches.iter_mut().map(|branch| direct(&mut branch.steps, next)).collect();
                next = firsts.into_iter().flatten().next().or(next);
            }
            _ => next = acts(std::slice::from_ref(step)).or(next),
        }
    }
    next
}

/// Steps with repeats unrolled.
fn unrolled(steps: &[Step]) -> u64 {
    steps.iter().fold(0, |sum: u64, step| {
        sum.saturating_add(match &step.kind {
            StepKind::Repeat { count, steps } => count.most().saturating_mul(unrolled(steps)),
            StepKind::Choose { branches } => branches.iter().map(|branch| unrolled(&branch.steps)).max().unwrap_or(0),
            _ => 1,
        })
    })
}

/// About how many bytes steps take.
pub(super) fn weight(steps: &[Step]) -> u64 {
    let template = |Template(parts): &Template| -> usize {
        parts.iter().map(|part| if let TemplatePart::Literal(text) = part { 64 + text.len() } else { 64 }).sum()
    };
    let varying = |varying: &Varying| if let Varying::Choice(all) = varying { 8 * all.len() } else { 0 };
    steps.iter().fold(0, |sum: u64, step| {
        let own = match &step.kind {
            StepKind::Repeat { count, steps } => weight(steps).saturating_add(varying(count) as u64),
            StepKind::Choose { branches } => {
                branches.iter().fold(0, |sum: u64, branch| sum.saturating_add(size_of_val(branch) as u64 + weight(&branch.steps)))
            }
            StepKind::Sends { payload: Payload::File(file), .. } => file.path.len() as u64,
            StepKind::Sends { payload: Payload::Text(text), .. } | StepKind::Expects { what: Expected::Text(text), .. } => {
                template(text) as u64
            }
            StepKind::Sends { payload: Payload::Bytes(bytes), .. } | StepKind::Expects { what: Expected::Bytes(bytes), .. } => {
                bytes.len() as u64
            }
            StepKind::Sends { payload: Payload::Filled(size) | Payload::Random(size), .. } => varying(size) as u64,
            StepKind::Expects { what: Expected::Regex(regex) | Expected::Line(regex), .. } => regex.len() as u64,
            StepKind::Pause { duration, .. } => varying(duration) as u64,
            _ => 0,
        };
        sum.saturating_add(size_of::<Step>() as u64 + step.text.len() as u64 + own)
    })
}

impl<'a> Scoped<'a> for Steps<'_, 'a> {
    fn context(&mut self) -> &mut Context<'a> {
        self.context
    }

    fn scope(&mut self) -> &mut Scope {
        &mut self.scope
    }
}

impl<'c, 'a> Steps<'c, 'a> {
    pub(super) fn new(context: &'c mut Context<'a>, scope: Scope, caller: FileId) -> Self {
        Steps { context, scope, caller, captured: Default::default(), ever: Default::default(), pending: Vec::new(), written: 0 }
    }

    /// The steps; `None`: one of them is wrong, which was reported.
    pub(super) fn make(mut self, declaration: &PatternDecl) -> Option<Vec<Step>> {
        let steps = self.block(&declaration.steps, 0);
        let fine = self.pending.is_empty();
        for pending in std::mem::take(&mut self.pending) {
            self.unfilled(pending);
        }
        let mut steps = steps.filter(|_| fine)?;
        let count = unrolled(&steps);
        if count > STEP_LIMIT {
            let what = "steps in one transaction";
            self.context.raise(ExpandError::TooLarge { what, count, limit: STEP_LIMIT, span: declaration.name.span });
            return None;
        }
        direct(&mut steps, None);
        Some(steps)
    }

    /// The steps of a block, `for` unrolled and `if` decided; those under a `for` or an `if` nest no deeper than others.
    fn block(&mut self, block: &Block<tree::Step>, depth: usize) -> Option<Vec<Step>> {
        let mut made = Some(Vec::new());
        let before = self.context.errors;
        unroll::each(self, block, &mut |steps: &mut Self, step: &tree::Step| {
            let one = if steps.is_written_out(step) { steps.step(step, depth) } else { None };
            made = made.take().zip(one).map(|(mut made, one)| {
                made.push(one);
                made
            });
        });
        // A wrong `for` or `if` calls nobody.
        made.filter(|_| self.context.errors == before)
    }

    /// Counts a step; `false`: the pattern has too many, which was reported.
    fn is_written_out(&mut self, step: &tree::Step) -> bool {
        self.written += 1;
        if self.written == WRITTEN_LIMIT + 1 {
            let (what, count) = ("steps in a pattern", self.written);
            self.context.raise(ExpandError::TooLarge { what, count, limit: WRITTEN_LIMIT, span: step.span });
        }
        self.written <= WRITTEN_LIMIT
    }

    fn step(&mut self, step: &tree::Step, depth: usize) -> Option<Step> {
        let text = self.context.words(step.span);
        let kind = match &step.kind {
            tree::StepKind::Sends { by, sent, what } => {
                let payload = self.payload(side_of(*by), *sent, what)?;
                let implicit = matches!(payload, Payload::File(_));
                StepKind::Sends { by: side_of(*by), payload, implicit }
            }
            tree::StepKind::Expects { by, line, what, within } => {
                let by = side_of(*by);
                let within_ns = match within {
                    Some(expr) => Some(self.context.bounded("`within`", expr, Dimension::Duration, (1, PAUSE_LIMIT), &self.scope)?),
                    None => None,
                };
                StepKind::Expects { by, what: self.expected(by, *line, what.as_ref())?, within_ns, rest: Rest::Nothing }
            }
            tree::StepKind::Echoes { by } => StepKind::Echoes { by: side_of(*by) },
            tree::StepKind::Pause { by, duration } => {
                let by = by.map_or(Side::Client, side_of);
                StepKind::Pause { by, duration: self.varying("a pause", duration, Dimension::Duration, (0, PAUSE_LIMIT))? }
            }
            tree::StepKind::Repeat { count, steps } => return self.repeat(step.span, &text, count, steps, depth),
            tree::StepKind::Choose { branches } => return self.choose(step.span, branches, depth),
            tree::StepKind::Closes { by, how } => StepKind::Closes {
                by: side_of(*by),
                how: match how {
                    tree::Close::Close => Close::Close,
                    tree::Close::Reset => Close::Reset,
                    tree::Close::Half => Close::Half,
                },
            },
        };
        Some(Step { span: step.span, text, kind })
    }

    /// `false`: too deep, which was reported.
    fn may_nest(&mut self, span: Span, depth: usize) -> bool {
        if depth >= NESTING_LIMIT {
            self.context.raise(ExpandError::TooDeep { span, limit: NESTING_LIMIT });
        }
        depth < NESTING_LIMIT
    }

    fn repeat(&mut self, span: Span, text: &str, count: &Expr, steps: &Block<tree::Step>, depth: usize) -> Option<Step> {
        if !self.may_nest(span, depth) {
            return None;
        }
        let most = i64::try_from(STEP_LIMIT).unwrap_or(i64::MAX);
        let count = self.varying("`repeat`", count, Dimension::Count, (0, most));
        let before = self.captured.clone();
        let steps = self.block(steps, depth + 1);
        let count = count?;
        if count.least() == 0 && count.most() > 0 {
            // Whether it goes round at all is not known: what it captures may be missing behind it.
            self.captured = before;
        }
        let text = text.split('{').next().unwrap_or("").trim_end().to_owned();
        Some(Step { span, text, kind: StepKind::Repeat { count, steps: steps? } })
    }

    fn choose(&mut self, span: Span, branches: &[tree::Branch], depth: usize) -> Option<Step> {
        if !self.may_nest(span, depth) {
            return None;
        }
        let before = self.captured.clone();
        let mut after: Option<[Captured; 2]> = None;
        let mut made = Some(Vec::new());
        for branch in branches {
            self.captured = before.clone();
            let share_nano = self.context.bounded("the share of a way", &branch.ratio, Dimension::Ratio, (1, BILLION), &self.scope);
            let steps = self.block(&branch.steps, depth + 1);
            after = Some(match after {
                None => self.captured.clone(),
                Some([a, b]) => [both(a, &self.captured[0]), both(b, &self.captured[1])],
            });
            let one = share_nano.zip(steps).map(|(share_nano, steps)| Branch { span: branch.ratio.span, share_nano, steps });
            made = made.zip(one).map(|(mut made, one)| {
                made.push(one);
                made
            });
        }
        self.captured = after.unwrap_or(before);
        let branches = self.whole(made?, span)?;
        Some(Step { span, text: "choose".to_owned(), kind: StepKind::Choose { branches } })
    }

    /// Branches whose ratios make 100 %; what rounding left goes to the last.
    fn whole(&mut self, mut branches: Vec<Branch>, span: Span) -> Option<Vec<Branch>> {
        if branches.len() < 2 {
            self.context.raise(PatternError::SingleBranch { span });
            return None;
        }
        let sum = branches.iter().fold(0u64, |sum, branch| sum.saturating_add(branch.share_nano));
        let (all, rounding) = (BILLION.unsigned_abs(), branches.len() as u64);
        let last = branches.last_mut()?;
        if sum.abs_diff(all) > rounding || last.share_nano.saturating_add(all) <= sum {
            let sum = Quantity::new(Dimension::Ratio, i64::try_from(sum).unwrap_or(i64::MAX)).to_string();
            self.context.raise(PatternError::BranchRatios { sum, span: last.span });
            return None;
        }
        last.share_nano = last.share_nano + all - sum;
        Some(branches)
    }
}

/// What both know.
fn both(mut a: Captured, b: &Captured) -> Captured {
    a.retain(|name, _| b.contains_key(name));
    a
}
