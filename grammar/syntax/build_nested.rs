//! Blocks of statements with the `for` and `if` that may stand in every one of them. In: statements, and what reads one of
//! their sort. Out: blocks of the tree. Expands nothing.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Block, Expr, ForBlock, IfBlock, Nested};
use super::words::Place;

/// How many `else if` may follow one another.
const ELSE_IFS: usize = 64;

/// Reads one statement into a block.
pub(super) type One<'o, 'a, S> = &'o mut dyn FnMut(&mut Builder<'a>, &Statement, &mut Block<S>);

/// A word that governs a block in every place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    For,
    If,
    Else,
}

impl<'a> Builder<'a> {
    /// Statements of a place, those under `for` and `if` too.
    pub fn nested<S>(&mut self, statements: &[Statement], place: Place, one: One<'_, 'a, S>) -> Block<S> {
        let mut out = Vec::with_capacity(statements.len());
        // The last of `out` is an `if` that an `else` may follow, after so many others.
        let mut chain: Option<usize> = None;
        for statement in statements {
            if self.full() {
                break;
            }
            let before = out.len();
            match self.control(statement, place) {
                Some(Control::For) => {
                    let head = self.head(Kind::ForLine, statement);
                    let head = head.as_ref().and_then(|h| h.child(Kind::ForHead));
                    self.for_block(head, statement, place, one, &mut out);
                }
                Some(Control::If) => {
                    let head = self.head(Kind::IfLine, statement);
                    let head = head.as_ref().and_then(|h| h.child(Kind::IfHead));
                    self.if_block(head, statement, place, one, &mut out);
                }
                Some(Control::Else) => {
                    chain = self.else_block(chain, statement, place, one, &mut out);
                    continue;
                }
                None => one(self, statement, &mut out),
            }
            chain = (out.len() > before && matches!(out.last(), Some(Nested::If(_)))).then_some(0);
        }
        out
    }

    /// Whether a statement begins with `for`, `if` or `else`, and not with a name that is written so.
    fn control(&self, statement: &Statement, place: Place) -> Option<Control> {
        let word = self.first_word(statement);
        let control = match word {
            "for" => Control::For,
            "if" => Control::If,
            "else" => return Some(Control::Else),
            _ => return None,
        };
        let after = &self.text[statement.head.start + word.len()..statement.head.end];
        let member = after.starts_with(['.', '[']);
        let keyword = match (control, place) {
            // A condition can begin with `if a then b else c`.
            (Control::If, Place::Expect) => statement.block.is_some(),
            // `impair wan { ... } for 2s`: the rest of an entry.
            (Control::For, Place::Timeline) => statement.block.is_some() || !statement.follows_block,
            _ => true,
        };
        (keyword && !member).then_some(control)
    }

    /// What a line ends with: `loss 1%  for i in 1..3 { ... }`. `None`: no block of its own kind stands there.
    pub fn trailing<S>(&mut self, node: &Node, statement: &Statement, place: Place, one: One<'_, 'a, S>, out: &mut Block<S>) -> Option<()> {
        match node.kind {
            Kind::ForHead => self.for_block(Some(node), statement, place, one, out),
            Kind::IfHead => self.if_block(Some(node), statement, place, one, out),
            _ => return None,
        }
        Some(())
    }

    /// `for NAME in VALUES { ... }`; without a head its problem is reported, and what stands inside is read for its own.
    fn for_block<S>(&mut self, head: Option<&Node>, statement: &Statement, place: Place, one: One<'_, 'a, S>, out: &mut Block<S>) {
        let body = self.inner(statement, "`for`", place, one);
        let Some(head) = head else { return };
        let span = self.bytes(head.start, statement.whole().end);
        if let (Some(name), Some(values)) = (self.name_in(head), self.value_in(head)) {
            out.push(Nested::For(ForBlock { name, values, body, span }));
        }
    }

    /// `if CONDITION { ... }`; a condition that could not be read is [`super::tree::ExprKind::Broken`].
    fn if_block<S>(&mut self, head: Option<&Node>, statement: &Statement, place: Place, one: One<'_, 'a, S>, out: &mut Block<S>) {
        let then = self.inner(statement, "`if`", place, one);
        let span = self.bytes(head.map_or(statement.head.start, |h| h.start), statement.whole().end);
        let condition = self.condition(head, statement);
        out.push(Nested::If(IfBlock { condition, then, otherwise: Vec::new(), span }));
    }

    fn condition(&mut self, head: Option<&Node>, statement: &Statement) -> Expr {
        let read = head.and_then(|h| self.value_in(h));
        read.unwrap_or_else(|| self.broken(statement.head.start, statement.head.end))
    }

    /// `else { ... }` or `else if CONDITION { ... }` after an `if`. Gives whether another may follow.
    fn else_block<S>(
        &mut self,
        chain: Option<usize>,
        statement: &Statement,
        place: Place,
        one: One<'_, 'a, S>,
        out: &mut Block<S>,
    ) -> Option<usize> {
        let head = self.head(Kind::ElseLine, statement);
        let body = self.inner(statement, "`else`", place, one);
        let span = self.first_word_span(statement);
        let Some(before) = chain else {
            self.report(SyntaxError::ElseWithoutIf { span });
            return None;
        };
        if before == ELSE_IFS {
            self.report(SyntaxError::TooDeep { span, what: "a chain of `else if`", limit: ELSE_IFS });
            return None;
        }
        let end = self.whole(statement).end;
        let mut last = out.last_mut();
        for _ in 0..before {
            last = match last {
                Some(Nested::If(outer)) => {
                    outer.span.end = end;
                    outer.otherwise.last_mut()
                }
                _ => None,
            };
        }
        let Some(Nested::If(last)) = last else { return None };
        last.span.end = end;
        // What cannot be read may have been an `else if`.
        let head = head?;
        let Some(head) = head.child(Kind::IfHead) else {
            last.otherwise = body;
            return None;
        };
        let span = self.bytes(head.start, statement.whole().end);
        let condition = self.condition(Some(head), statement);
        last.otherwise = vec![Nested::If(IfBlock { condition, then: body, otherwise: Vec::new(), span })];
        Some(before + 1)
    }

    /// What stands in the braces of a `for` or an `if`.
    fn inner<S>(&mut self, statement: &Statement, word: &str, place: Place, one: One<'_, 'a, S>) -> Block<S> {
        let Some(block) = &statement.block else {
            self.missing_block(statement, word.to_owned());
            return Vec::new();
        };
        self.inside += 1;
        let body = self.nested(&block.statements, place, one);
        self.inside -= 1;
        body
    }
}
