//! Secrets: texts that only the run knows. In: declarations. Out: values that hold the secret's name, never its content. Reads no
//! environment.

use super::Context;
use super::error::ExpandError;
use super::evaluate::Scope;
use super::value::{Masked, Value};
use crate::scenario::Secret;
use crate::source::Span;
use crate::syntax::tree::{Name, Text, TextPart};

/// Secrets of one check: at most so many.
const SECRET_LIMIT: usize = 1_000;

impl Context<'_> {
    /// The value of a `secret NAME from env VARIABLE`.
    pub(super) fn secret(&mut self, name: &Name, variable: &Name) -> Option<Value> {
        let same = |secret: &&Secret| secret.variable == variable.text && secret.name.split(' ').next() == Some(&name.text);
        if let Some(known) = self.secrets.iter().find(same) {
            return Some(Value::Masked(vec![Masked::Secret(known.name.clone())]));
        }
        if self.secrets.len() >= SECRET_LIMIT {
            let (what, count) = ("secrets", self.secrets.len() as u64 + 1);
            self.raise(ExpandError::TooLarge { what, count, limit: SECRET_LIMIT as u64, span: name.span });
            return None;
        }
        // Two libraries may each have a secret of one name, from different variables.
        let taken = self.secrets.iter().any(|secret| secret.name == name.text);
        let key = if taken { format!("{} from {}", name.text, variable.text) } else { name.text.clone() };
        self.secrets.push(Secret { name: key.clone(), variable: variable.text.clone() });
        Some(Value::Masked(vec![Masked::Secret(key)]))
    }

    /// Notes the secrets of a value that is being used.
    pub(super) fn note_secrets(&mut self, value: &Value) {
        if let Value::Masked(pieces) = value {
            for piece in pieces {
                if let Masked::Secret(name) = piece {
                    self.used_secrets.insert(name.clone());
                }
            }
        }
    }

    /// The secrets that the scenario being expanded uses.
    pub(super) fn secrets_in_use(&mut self) -> Vec<Secret> {
        let used = std::mem::take(&mut self.used_secrets);
        self.secrets.iter().filter(|secret| used.contains(&secret.name)).cloned().collect()
    }

    /// Fills the holes of a text that people will read.
    pub fn text(&mut self, text: &Text, scope: &Scope) -> Option<String> {
        match self.text_value(text, scope, 0)? {
            Value::Text(text) => Some(text),
            _ => {
                let span = text.parts.iter().find_map(|part| if let TextPart::Hole(expr) = part { Some(expr.span) } else { None });
                self.raise(ExpandError::SecretShown { span: span.unwrap_or_default() });
                None
            }
        }
    }

    /// A text with its holes filled: with secrets in it, its pieces.
    pub(super) fn text_value(&mut self, text: &Text, scope: &Scope, depth: usize) -> Option<Value> {
        /// A text made of others has at most so many bytes.
        const TEXT_LIMIT: usize = 1 << 20;
        let mut pieces: Vec<Masked> = Vec::new();
        let (mut fine, mut length) = (true, 0);
        for part in &text.parts {
            let (more, span): (Vec<Masked>, Option<Span>) = match part {
                TextPart::Literal(literal) => (vec![Masked::Plain(literal.clone())], None),
                TextPart::Hole(expr) => match self.evaluate_deeper(expr, scope, depth) {
                    Some(Value::Masked(pieces)) => (pieces, Some(expr.span)),
                    Some(value) => (vec![Masked::Plain(value.to_string())], Some(expr.span)),
                    None => {
                        fine = false;
                        continue;
                    }
                },
            };
            for piece in more {
                match (piece, pieces.last_mut()) {
                    (Masked::Plain(more), Some(Masked::Plain(text))) => {
                        length += more.len();
                        text.push_str(&more);
                    }
                    (piece, _) => {
                        length += if let Masked::Plain(text) = &piece { text.len() } else { 1 };
                        pieces.push(piece);
                    }
                }
            }
            // Texts made of texts grow fast.
            if let (Some(span), true) = (span, length > TEXT_LIMIT) {
                self.raise(ExpandError::TooLarge { what: "bytes of text", count: length as u64, limit: TEXT_LIMIT as u64, span });
                return None;
            }
        }
        if !fine {
            return None;
        }
        Some(match pieces.as_mut_slice() {
            [] => Value::Text(String::new()),
            [Masked::Plain(text)] => Value::Text(std::mem::take(text)),
            _ => Value::Masked(pieces),
        })
    }
}
