//! The steps of a pattern with everything filled in. In: a declaration and its names. Out: [`Step`]s; bare pauses know their
//! side. What both sides make of it is `talk`'s question.

use std::collections::BTreeMap;

use regex::RegexBuilder;

use super::Context;
use super::error::ExpandError;
use super::evaluate::{Scope, bare, word};
use super::value::Value;
use crate::quantity::{BILLION, Dimension, Quantity};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::pattern::{Close, Expected, Payload, Rest, Side, Step, StepKind, Template, TemplatePart, Varying};
use crate::source::Span;
use crate::syntax::tree::{self, Expr, ExprKind, Nested, PatternDecl, Text, TextPart};

/// The largest message, in bytes.
const SIZE_LIMIT: i64 = 1 << 30;
/// The longest pause, in ns.
const PAUSE_LIMIT: i64 = 24 * 3_600 * BILLION;
/// Steps of one transaction, repeats unrolled: at most so many.
const STEP_LIMIT: u64 = 10_000_000;
/// Repeats within repeats: at most so many.
const NESTING_LIMIT: usize = 16;
/// A compiled regex takes at most so many bytes.
const REGEX_SIZE: usize = 1 << 20;

/// A hole that no capture has filled yet.
struct Pending {
    name: String,
    side: Side,
    span: Span,
}

/// Steps being made.
pub(super) struct Steps<'c, 'a> {
    context: &'c mut Context<'a>,
    scope: Scope,
    captured: [BTreeMap<String, Span>; 2],
    pending: Vec<Pending>,
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

/// The step, if it stands under no `for` and no `if`.
fn statement(nested: &Nested<tree::Step>) -> Option<&tree::Step> {
    if let Nested::Statement(step) = nested { Some(step) } else { None }
}

/// Who acts first in a list of steps.
fn acts(steps: &[Nested<tree::Step>]) -> Option<Side> {
    steps.iter().filter_map(statement).find_map(|step| match &step.kind {
        tree::StepKind::Sends { by, .. }
        | tree::StepKind::Expects { by, .. }
        | tree::StepKind::Echoes { by }
        | tree::StepKind::Closes { by, .. } => Some(side_of(*by)),
        tree::StepKind::Pause { by, .. } => by.map(side_of),
        tree::StepKind::Repeat { steps, .. } => acts(steps),
        tree::StepKind::Choose { .. } => None,
    })
}

/// Steps with repeats unrolled.
fn unrolled(steps: &[Step]) -> u64 {
    steps.iter().fold(0, |sum: u64, step| {
        sum.saturating_add(match &step.kind {
            StepKind::Repeat { count, steps } => count.saturating_mul(unrolled(steps)),
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
            StepKind::Repeat { steps, .. } => weight(steps),
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

impl<'c, 'a> Steps<'c, 'a> {
    pub(super) fn new(context: &'c mut Context<'a>, scope: Scope) -> Self {
        Steps { context, scope, captured: [BTreeMap::new(), BTreeMap::new()], pending: Vec::new() }
    }

    /// The steps; `None`: one of them is wrong, which was reported.
    pub(super) fn make(mut self, declaration: &PatternDecl) -> Option<Vec<Step>> {
        let steps = self.list(&declaration.steps, None, 0);
        let fine = self.pending.is_empty();
        for pending in std::mem::take(&mut self.pending) {
            self.unfilled(pending);
        }
        let steps = steps.filter(|_| fine)?;
        let count = unrolled(&steps);
        if count > STEP_LIMIT {
            let what = "steps in one transaction";
            self.context.raise(ExpandError::TooLarge { what, count, limit: STEP_LIMIT, span: declaration.name.span });
            return None;
        }
        Some(steps)
    }

    /// Steps one after another; `after` acts after the last one.
    fn list(&mut self, steps: &[Nested<tree::Step>], after: Option<Side>, depth: usize) -> Option<Vec<Step>> {
        let mut made = Some(Vec::new());
        for (position, step) in steps.iter().enumerate() {
            let Some(step) = statement(step) else { continue };
            let next = acts(&steps[position + 1..]).or(after);
            let one = self.step(step, next, depth);
            made = made.zip(one).map(|(mut made, one)| {
                made.push(one);
                made
            });
        }
        made
    }

    fn step(&mut self, step: &tree::Step, next: Option<Side>, depth: usize) -> Option<Step> {
        let text = self.context.words(step.span);
        let kind = match &step.kind {
            tree::StepKind::Sends { by, sent, what } => {
                let payload = self.payload(side_of(*by), *sent == tree::SentAs::Random, what)?;
                StepKind::Sends { by: side_of(*by), payload, implicit: false }
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
                let by = by.map(side_of).or(next).unwrap_or(Side::Client);
                StepKind::Pause { by, duration: self.varying("a pause", duration, Dimension::Duration, (0, PAUSE_LIMIT))? }
            }
            tree::StepKind::Repeat { count, steps } => {
                if depth >= NESTING_LIMIT {
                    self.context.raise(ExpandError::TooDeep { span: step.span, limit: NESTING_LIMIT });
                    return None;
                }
                let most = i64::try_from(STEP_LIMIT).unwrap_or(i64::MAX);
                let count = self.context.bounded("`repeat`", count, Dimension::Count, (0, most), &self.scope);
                let steps = self.list(steps, acts(steps).or(next), depth + 1);
                let text = text.split('{').next().unwrap_or("").trim_end().to_owned();
                return Some(Step { span: step.span, text, kind: StepKind::Repeat { count: count?, steps: steps? } });
            }
            tree::StepKind::Choose { .. } => {
                self.context.raise(ExpandError::NotInThisVersion { what: "`choose`".into(), span: step.span });
                return None;
            }
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

    /// What is sent.
    fn payload(&mut self, by: Side, random: bool, what: &Expr) -> Option<Payload> {
        if let (ExprKind::Text(text), false) = (&bare(what).kind, random) {
            let template = self.template(by, text, what.span)?;
            return self.not_empty(template.0.is_empty(), "text", what.span).map(|()| Payload::Text(template));
        }
        match self.context.evaluate(what, &self.scope)? {
            Value::Text(text) if !random => {
                self.not_empty(text.is_empty(), "text", what.span)?;
                Some(Payload::Text(Template(vec![TemplatePart::Literal(text)])))
            }
            Value::Bytes(bytes) if !random => self.not_empty(bytes.is_empty(), "text", what.span).map(|()| Payload::Bytes(bytes)),
            value => {
                let size = self.varying_value(
                    "a message",
                    value,
                    what.span,
                    Dimension::Size,
                    (1, SIZE_LIMIT),
                    if random { "a size" } else { "a size, a text or bytes" },
                )?;
                Some(if random { Payload::Random(size) } else { Payload::Filled(size) })
            }
        }
    }

    fn not_empty(&mut self, empty: bool, what: &str, span: Span) -> Option<()> {
        if empty {
            let (least, most) = ("1B".into(), "1GiB".into());
            self.context.raise(ExpandError::OutOfRange {
                what: format!("a {what} that is sent or expected"),
                value: "empty".into(),
                least,
                most,
                span,
            });
            return None;
        }
        Some(())
    }

    /// What is waited for.
    fn expected(&mut self, by: Side, line: bool, what: Option<&Expr>) -> Option<Expected> {
        let Some(what) = what else { return Some(Expected::Any) };
        if let (ExprKind::Text(text), false) = (&bare(what).kind, line) {
            let template = self.template(by, text, what.span)?;
            return self.not_empty(template.0.is_empty(), "text", what.span).map(|()| Expected::Text(template));
        }
        match self.context.evaluate(what, &self.scope)? {
            Value::Regex(source) => {
                self.regex(by, &source, what.span)?;
                Some(if line { Expected::Line(source) } else { Expected::Regex(source) })
            }
            Value::Text(text) if line => Some(Expected::Line(format!("^{}$", regex::escape(&text)))),
            Value::Text(text) => {
                self.not_empty(text.is_empty(), "text", what.span)?;
                Some(Expected::Text(Template(vec![TemplatePart::Literal(text)])))
            }
            Value::Bytes(bytes) if !line => self.not_empty(bytes.is_empty(), "text", what.span).map(|()| Expected::Bytes(bytes)),
            Value::Quantity(quantity) if !line && quantity.dimension == Dimension::Size => {
                let size = self.context.bounded("a message", what, Dimension::Size, (1, SIZE_LIMIT), &self.scope)?;
                Some(Expected::Size(size))
            }
            other => {
                self.context.wrong_type(if line { "a regex or a text" } else { "a size, a text, bytes or a regex" }, &other, what.span);
                None
            }
        }
    }

    /// Compiles a regex and notes what it captures.
    fn regex(&mut self, by: Side, source: &str, span: Span) -> Option<()> {
        match RegexBuilder::new(source).size_limit(REGEX_SIZE).build() {
            Ok(regex) => {
                for name in regex.capture_names().flatten() {
                    if let Some(binding) = self.scope.find(self.context, name).filter(|b| b.value.is_ok()) {
                        let first = binding.span;
                        self.context.raise(ResolveError::Redefined { name: name.into(), span, first });
                    }
                    self.captured[by as usize].entry(name.to_owned()).or_insert(span);
                }
                Some(())
            }
            Err(error) => {
                let reason = match &error {
                    regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                    other => other.to_string().lines().last().unwrap_or("").trim_start_matches("error: ").to_owned(),
                };
                self.context.raise(ExpandError::BadRegex { reason, span });
                None
            }
        }
    }

    /// A text with its holes: constants are filled now, names and captures when it runs.
    fn template(&mut self, by: Side, text: &Text, span: Span) -> Option<Template> {
        let mut parts: Vec<TemplatePart> = Vec::new();
        let mut fine = true;
        for part in &text.parts {
            let made = match part {
                TextPart::Literal(literal) => Some(TemplatePart::Literal(literal.clone())),
                TextPart::Hole(expr) => self.hole(by, expr, span),
            };
            match (made, parts.last_mut()) {
                (None, _) => fine = false,
                (Some(TemplatePart::Literal(more)), Some(TemplatePart::Literal(before))) => before.push_str(&more),
                (Some(TemplatePart::Literal(nothing)), _) if nothing.is_empty() => {}
                (Some(part), _) => parts.push(part),
            }
        }
        fine.then_some(Template(parts))
    }

    fn hole(&mut self, by: Side, expr: &Expr, text_span: Span) -> Option<TemplatePart> {
        let span = if expr.span.start < expr.span.end { expr.span } else { text_span };
        if let ExprKind::Path(parts) = &bare(expr).kind
            && let [first, second] = parts.as_slice()
        {
            match (first.name.text.as_str(), second.name.text.as_str()) {
                ("client", "name") => return Some(TemplatePart::ClientName),
                ("server", "name") => return Some(TemplatePart::ServerName),
                ("client" | "server", _) => {
                    let help = Some(format!("did you mean `{}.name`?", first.name.text));
                    self.context.raise(ResolveError::UnknownName { name: self.context.words(span), span, help });
                    return None;
                }
                _ => {}
            }
        }
        if let Some(name) = word(bare(expr)) {
            let value = self.scope.find(self.context, name).is_some_and(|b| b.value.is_ok());
            if !value {
                if !self.captured[by as usize].contains_key(name) {
                    self.pending.push(Pending { name: name.to_owned(), side: by, span });
                }
                return Some(TemplatePart::Capture(name.to_owned()));
            }
        }
        self.context.evaluate(expr, &self.scope).map(|value| TemplatePart::Literal(value.to_string()))
    }

    /// Reports a hole that nothing before it fills.
    fn unfilled(&mut self, pending: Pending) {
        let Pending { name, side, span } = pending;
        let (own, others) = (&self.captured[side as usize], &self.captured[other(side) as usize]);
        let (side_name, other_name) = (side_word(side), side_word(other(side)));
        if let Some(place) = own.get(&name) {
            let captured = Some(*place);
            self.context.raise(ExpandError::CaptureBeforeUse { name, side: side_name, span, captured, help: None });
        } else if let Some(place) = others.get(&name) {
            let help = Some(format!("only the {other_name} knows it: each side knows what it captured itself"));
            let captured = Some(*place);
            self.context.raise(ExpandError::CaptureBeforeUse { name, side: side_name, span, captured, help });
        } else {
            let help = suggest(&name, own.keys().map(String::as_str)).filter(|help| help.starts_with("did"));
            let help = help.or_else(|| {
                Some(format!(
                    "a text knows parameters, `client.name`, `server.name` and what a regex of the same side captured: `(?<{name}>...)`"
                ))
            });
            self.context.raise(ResolveError::UnknownName { name, span, help });
        }
    }

    /// A value that may be drawn anew each time.
    fn varying(&mut self, what: &str, expr: &Expr, dimension: Dimension, bounds: (i64, i64)) -> Option<Varying> {
        let value = self.context.evaluate(expr, &self.scope)?;
        self.varying_value(what, value, expr.span, dimension, bounds, super::value::article(dimension.word()).as_str())
    }

    fn varying_value(
        &mut self,
        what: &str,
        value: Value,
        span: Span,
        dimension: Dimension,
        bounds: (i64, i64),
        expected: &str,
    ) -> Option<Varying> {
        let base = |q: Quantity| u64::try_from(q.value).unwrap_or(0);
        let (varying, least, most) = match &value {
            Value::Quantity(q) if q.dimension == dimension => (Varying::Fixed(base(*q)), q.value, q.value),
            Value::Range(a, b) if a.dimension == dimension => (Varying::Uniform(base(*a), base(*b)), a.value, b.value),
            Value::Random(d, varying) if *d == dimension => {
                let of = |v: u64| i64::try_from(v).unwrap_or(i64::MAX);
                let (least, most) = match varying {
                    Varying::Fixed(v) | Varying::Exponential(v) | Varying::Pareto(v, _) | Varying::Normal(v, _) => (of(*v), of(*v)),
                    Varying::Uniform(a, b) => (of(*a), of(*b)),
                    Varying::Choice(all) => (of(all.iter().copied().min().unwrap_or(0)), of(all.iter().copied().max().unwrap_or(0))),
                };
                (varying.clone(), least, most)
            }
            other => {
                self.context.wrong_type(expected, other, span);
                return None;
            }
        };
        if least < bounds.0 || most > bounds.1 {
            let shown = |v| Quantity::new(dimension, v).to_string();
            let wrong = if least < bounds.0 { least } else { most };
            let (value, least, most) = (shown(wrong), shown(bounds.0), shown(bounds.1));
            self.context.raise(ExpandError::OutOfRange { what: what.into(), value, least, most, span });
            return None;
        }
        Some(varying)
    }
}
