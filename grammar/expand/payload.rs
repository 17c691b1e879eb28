//! What a step sends and waits for: sizes, texts with holes, bytes, regexes, files, and what each side has captured. In: expressions of
//! a step. Out: [`Payload`]s and [`Expected`]s. The order of the steps is made in `steps`.

use std::collections::BTreeMap;

use super::error::ExpandError;
use super::evaluate::{bare, word};
use super::pattern_error::PatternError;
use super::steps::{Steps, other, side_word};
use super::value::{Masked, Value};
use crate::quantity::{Dimension, Quantity};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::pattern::{Expected, Payload, PayloadFile, Side, Template, TemplatePart, Varying};
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, SentAs, Text, TextPart};

/// The largest message, in bytes.
const SIZE_LIMIT: i64 = 1 << 30;
/// The longest path of a file that is sent, in bytes.
const PATH_LIMIT: usize = 4096;

/// What one side captured, and where.
pub(super) type Captured = BTreeMap<String, Span>;

/// A hole that no capture has filled yet.
pub(super) struct Pending {
    name: String,
    side: Side,
    span: Span,
}

/// A text with secrets as parts of a template.
fn masked(pieces: Vec<Masked>) -> Vec<TemplatePart> {
    let part = |piece| match piece {
        Masked::Plain(text) => TemplatePart::Literal(text),
        Masked::Secret(name) => TemplatePart::Secret(name),
    };
    pieces.into_iter().map(part).collect()
}

impl Steps<'_, '_> {
    /// What is sent.
    pub(super) fn payload(&mut self, by: Side, sent: SentAs, what: &Expr) -> Option<Payload> {
        if sent == SentAs::File {
            return self.file(what);
        }
        let random = sent == SentAs::Random;
        if let (ExprKind::Text(text), false) = (&bare(what).kind, random) {
            let template = self.template(by, text, what.span)?;
            return self.not_empty(template.0.is_empty(), "text", what.span).map(|()| Payload::Text(template));
        }
        match self.context.evaluate(what, &self.scope)? {
            Value::Text(text) if !random => {
                self.not_empty(text.is_empty(), "text", what.span)?;
                Some(Payload::Text(Template(vec![TemplatePart::Literal(text)])))
            }
            Value::Masked(pieces) if !random => Some(Payload::Text(Template(masked(pieces)))),
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

    /// A file that is sent. A path that stands here counts from this text, one that was handed in from the text of the call.
    fn file(&mut self, what: &Expr) -> Option<Payload> {
        let path = match self.context.evaluate(what, &self.scope)? {
            Value::Text(path) => path,
            other => {
                self.context.wrong_type("a file's path, a text,", &other, what.span);
                return None;
            }
        };
        self.not_empty(path.is_empty(), "path", what.span)?;
        if path.len() > PATH_LIMIT || path.contains('\0') {
            let reason = if path.contains('\0') { "a byte 0" } else { "more than 4096 bytes" };
            self.context.raise(PatternError::BadPath { reason, span: what.span });
            return None;
        }
        let written_here = matches!(bare(what).kind, ExprKind::Text(_));
        let beside = if written_here { what.span.file } else { self.caller };
        Some(Payload::File(PayloadFile { path, beside }))
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
    pub(super) fn expected(&mut self, by: Side, line: bool, what: Option<&Expr>) -> Option<Expected> {
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
            Value::Masked(pieces) if !line => Some(Expected::Text(Template(masked(pieces)))),
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
    /// Notes what a regex captures.
    fn regex(&mut self, by: Side, source: &str, span: Span) -> Option<()> {
        for name in self.context.regex(source, span)?.capture_names().flatten() {
            if let Some(binding) = self.scope.find(self.context, name) {
                let first = binding.span;
                self.context.raise(ResolveError::Redefined { name: name.to_owned(), span, first });
            }
            self.captured[by as usize].entry(name.to_owned()).or_insert(span);
            self.ever[by as usize].entry(name.to_owned()).or_insert(span);
        }
        Some(())
    }

    /// A text with its holes: constants are filled now, names and captures when it runs.
    fn template(&mut self, by: Side, text: &Text, span: Span) -> Option<Template> {
        let mut parts: Vec<TemplatePart> = Vec::new();
        let mut fine = true;
        for part in &text.parts {
            let made = match part {
                TextPart::Literal(literal) => Some(vec![TemplatePart::Literal(literal.clone())]),
                TextPart::Hole(expr) => self.hole(by, expr, span),
            };
            fine &= made.is_some();
            for part in made.into_iter().flatten() {
                match (part, parts.last_mut()) {
                    (TemplatePart::Literal(more), Some(TemplatePart::Literal(before))) => before.push_str(&more),
                    (TemplatePart::Literal(nothing), _) if nothing.is_empty() => {}
                    (part, _) => parts.push(part),
                }
            }
        }
        fine.then_some(Template(parts))
    }

    fn hole(&mut self, by: Side, expr: &Expr, text_span: Span) -> Option<Vec<TemplatePart>> {
        let span = if expr.span.start < expr.span.end { expr.span } else { text_span };
        if let ExprKind::Path(parts) = &bare(expr).kind
            && let [first, second] = parts.as_slice()
        {
            match (first.name.text.as_str(), second.name.text.as_str()) {
                ("client", "name") => return Some(vec![TemplatePart::ClientName]),
                ("server", "name") => return Some(vec![TemplatePart::ServerName]),
                ("client" | "server", _) => {
                    let help = Some(format!("did you mean `{}.name`?", first.name.text));
                    self.context.raise(ResolveError::UnknownName { name: self.context.words(span), span, help });
                    return None;
                }
                _ => {}
            }
        }
        if let Some(name) = word(bare(expr)) {
            let value = self.scope.find(self.context, name).is_some();
            if !value {
                if !self.captured[by as usize].contains_key(name) {
                    self.pending.push(Pending { name: name.to_owned(), side: by, span });
                }
                return Some(vec![TemplatePart::Capture(name.to_owned())]);
            }
        }
        self.context.evaluate(expr, &self.scope).map(|value| match value {
            Value::Masked(pieces) => masked(pieces),
            value => vec![TemplatePart::Literal(value.to_string())],
        })
    }

    /// Reports a hole that nothing before it fills.
    pub(super) fn unfilled(&mut self, pending: Pending) {
        let Pending { name, side, span } = pending;
        let (own, others) = (&self.ever[side as usize], &self.ever[other(side) as usize]);
        let (side_name, other_name) = (side_word(side), side_word(other(side)));
        if let Some(place) = own.get(&name) {
            let captured = Some(*place);
            let help = (place.start < span.start && place.file == span.file).then(|| {
                "behind a `choose` a name is known if every way of it captures it, behind a `repeat` if that goes round".to_owned()
            });
            self.context.raise(ExpandError::CaptureBeforeUse { name, side: side_name, span, captured, help });
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
    pub(super) fn varying(&mut self, what: &str, expr: &Expr, dimension: Dimension, bounds: (i64, i64)) -> Option<Varying> {
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
