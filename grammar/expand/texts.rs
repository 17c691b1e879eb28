//! Texts that keep holes until they are used: commands, files, headers. In: expressions. Out: a [`Text`]. Fills no secret in.

use super::draft::Draft;
use super::evaluate::{Scope, bare, word};
use super::value::{Masked, Value};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::text::{Text, TextPart};
use crate::syntax::tree::{self, Expr, ExprKind};

/// Who uses a text: what its holes may name beside values and secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// A process: `${dir}` and `${node.name}`.
    Process,
    /// Everything else.
    Other,
}

impl Draft<'_, '_> {
    /// A text whose values are filled in and whose other holes are kept.
    pub(super) fn kept_text(&mut self, expr: &Expr, scope: &Scope, user: User) -> Option<Text> {
        let mut parts = Vec::new();
        match &bare(expr).kind {
            ExprKind::Text(text) => {
                let made: Vec<Option<()>> = text.parts.iter().map(|part| self.text_part(part, scope, user, &mut parts)).collect();
                made.into_iter().collect::<Option<Vec<()>>>()?;
            }
            _ => match self.context.evaluate(expr, scope)? {
                value @ (Value::Text(_) | Value::Masked(_)) => add(value, &mut parts),
                other => {
                    self.context.wrong_type("a text", &other, expr.span);
                    return None;
                }
            },
        }
        Some(Text(parts))
    }

    fn text_part(&mut self, part: &tree::TextPart, scope: &Scope, user: User, parts: &mut Vec<TextPart>) -> Option<()> {
        let hole = match part {
            tree::TextPart::Literal(literal) => {
                add(Value::Text(literal.clone()), parts);
                return Some(());
            }
            tree::TextPart::Hole(expr) => expr,
        };
        if user == User::Process {
            if word(bare(hole)) == Some("dir") && scope.find(self.context, "dir").is_none() {
                parts.push(TextPart::Dir);
                return Some(());
            }
            if let ExprKind::Path(words) = &bare(hole).kind
                && let [first, second] = words.as_slice()
                && first.name.text == "node"
                && scope.find(self.context, "node").is_none()
            {
                if second.name.text == "name" {
                    parts.push(TextPart::NodeName);
                    return Some(());
                }
                let help = suggest(&second.name.text, ["name"].into_iter());
                self.context.raise(ResolveError::UnknownName { name: self.context.words(hole.span), span: hole.span, help });
                return None;
            }
        }
        let value = self.context.evaluate(hole, scope)?;
        add(value, parts);
        Some(())
    }
}

/// Puts a value at the end of a text.
fn add(value: Value, parts: &mut Vec<TextPart>) {
    let mut plain = |more: String| match parts.last_mut() {
        Some(TextPart::Literal(before)) => before.push_str(&more),
        _ if more.is_empty() => {}
        _ => parts.push(TextPart::Literal(more)),
    };
    match value {
        Value::Masked(pieces) => {
            for piece in pieces {
                match piece {
                    Masked::Plain(text) => add(Value::Text(text), parts),
                    Masked::Secret(name) => parts.push(TextPart::Secret(name)),
                }
            }
        }
        other => plain(other.to_string()),
    }
}
