//! Expectations. In: statements. Out: pieces of the tree. Does not know which metrics there are.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::scan::Statement;
use super::tree::{Block, ExpectKind, ExpectStatement, Nested, Quantifier, WindowClause, WindowKind};
use super::words::{Place, belongs};
use crate::source::Spanned;

impl Builder<'_> {
    /// The block of `expect`.
    pub fn expectations(&mut self, statement: &Statement) -> Block<ExpectStatement> {
        let statements = self.block(statement);
        self.nested(statements, Place::Expect, &mut |builder, inner, out| {
            if builder.no_expectation(inner) {
                return;
            }
            builder.no_block(inner);
            out.extend(builder.expectation(inner).map(Nested::Statement));
        })
    }

    /// Reports what begins like a statement of another place: a keyword and a name.
    fn no_expectation(&mut self, statement: &Statement) -> bool {
        let word = self.first_word(statement);
        let after = &self.text[statement.head.start + word.len()..statement.head.end];
        let next = after.trim_start();
        let named = next.len() < after.len() && next.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let next = &next[..next.bytes().take_while(|b| b.is_ascii_alphanumeric()).count()];
        let operator = matches!(next, "and" | "or" | "matches" | "during" | "before" | "after" | "within" | "sampled");
        let open = after.trim().is_empty() && statement.block.is_some();
        !statement.broken && (open || named && !operator) && belongs(word).is_some() && self.out_of_place(statement, Place::Expect, &[word])
    }

    fn expectation(&mut self, statement: &Statement) -> Option<ExpectStatement> {
        let head = self.head(Kind::ExpectLine, statement)?;
        let (mut kind, mut quantifier, mut condition, mut text) = (ExpectKind::Plain, Quantifier::None, None, None);
        let mut clauses = Vec::new();
        for child in &head.children {
            match child.kind {
                Kind::RequireWord => kind = ExpectKind::Require,
                Kind::NoteWord => kind = ExpectKind::Note,
                Kind::AlwaysWord => quantifier = Quantifier::Always,
                Kind::NeverWord => quantifier = Quantifier::Never,
                Kind::Text if condition.is_some() => text = Some(Spanned::new(self.text(child), self.span(child))),
                Kind::During | Kind::Before | Kind::After | Kind::WithinAfter | Kind::Sampled => {
                    let kind = self.window(child)?;
                    clauses.push(WindowClause { span: self.span(child), kind });
                }
                _ => condition = Some(self.expression(child)),
            }
        }
        let (doc, span) = (statement.doc.clone(), self.whole(statement));
        Some(ExpectStatement { doc, kind, quantifier, condition: condition?, clauses, text, span })
    }

    fn window(&mut self, node: &Node) -> Option<WindowKind> {
        let mut values = node.values();
        let first = self.expression(values.next()?);
        let second = values.next().map(|v| self.expression(v));
        Some(match node.kind {
            Kind::During => WindowKind::During(first, second?),
            Kind::Before => WindowKind::Before(first),
            Kind::After => WindowKind::After(first),
            Kind::WithinAfter => WindowKind::Within { limit: first, after: second, stays: node.child(Kind::Stays).is_some() },
            _ => WindowKind::Sampled(first),
        })
    }
}
