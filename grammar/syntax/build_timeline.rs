//! Timelines and expectations. In: statements. Out: pieces of the tree. Does not know which verbs and metrics there are.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{
    ExpectKind, ExpectStatement, ExprKind, Name, Operand, Quantifier, TimelineStatement, Verb, WhenClause, WindowClause, WindowKind,
};
use super::words::Place;
use crate::source::Spanned;

impl Builder<'_> {
    /// The block of a timeline.
    pub fn timeline(&mut self, statement: &Statement) -> Vec<TimelineStatement> {
        let mut entries = Vec::new();
        for inner in self.block(statement) {
            // `impair wan { ... } as storm`: the rest of the entry before.
            if self.is_later(inner, Place::Timeline) || (inner.follows_block && self.first_word(inner) == "as") {
                continue;
            }
            if let Some(entry) = self.entry(inner) {
                entries.push(entry);
            }
        }
        entries
    }

    fn entry(&mut self, statement: &Statement) -> Option<TimelineStatement> {
        let head = self.head(Kind::TimelineLine, statement)?;
        let when = self.when(head.children.first()?)?;
        let verb_node = head.child(Kind::Verb)?;
        let mut verb = self.verb(verb_node)?;
        if let Some(block) = &statement.block {
            if verb.name.text == "impair" {
                self.not_yet(verb.name.span, "`impair`");
            } else {
                let span = self.bytes(block.open, block.open + 1);
                self.report(SyntaxError::UnexpectedBlock { span, after: format!("`{}`", verb.name.text) });
            }
            return None;
        }
        let lasts = self.only(&head, Kind::Lasts, "`for`").and_then(|l| self.value_in(l));
        let mut name = self.only(&head, Kind::AsName, "`as`").and_then(|a| self.name_in(a));
        if verb.name.text == "mark" && !verb.name.quoted {
            let marked = self.marked(&mut verb)?;
            if let Some(second) = &name {
                self.report(SyntaxError::SaidTwice { span: second.span, first: marked.span, word: "the event's name" });
            }
            name = Some(marked);
        }
        Some(TimelineStatement { when, lasts, verb, name, span: self.whole(statement) })
    }

    /// The one child of a kind; reports a second.
    fn only<'n>(&mut self, node: &'n Node, kind: Kind, word: &'static str) -> Option<&'n Node> {
        let mut all = node.children.iter().filter(|c| c.kind == kind);
        let first = all.next()?;
        if let Some(second) = all.next() {
            let (span, first) = (self.span(second), self.span(first));
            self.report(SyntaxError::SaidTwice { span, first, word });
        }
        Some(first)
    }

    fn when(&mut self, node: &Node) -> Option<WhenClause> {
        let value = self.value_in(node)?;
        Some(match node.kind {
            Kind::Condition => WhenClause::Condition { condition: value, within: self.value_of(node, Kind::Within) },
            _ => WhenClause::At(value),
        })
    }

    fn verb(&mut self, node: &Node) -> Option<Verb> {
        let name = self.name_in(node)?;
        let mut operands = Vec::with_capacity(node.children.len());
        for child in &node.children[1..] {
            operands.push(match child.kind {
                Kind::OperandWord => Operand::Word(self.name(child)),
                _ => Operand::Value(self.expression(child)),
            });
        }
        Some(Verb { name, operands, span: self.span(node) })
    }

    /// The event of `mark NAME`; the name is no operand.
    fn marked(&mut self, verb: &mut Verb) -> Option<Name> {
        if let [Operand::Value(value)] = verb.operands.as_slice()
            && let ExprKind::Path(path) = &value.kind
            && let [only] = path.as_slice()
            && only.index.is_none()
        {
            let name = only.name.clone();
            verb.operands.clear();
            return Some(name);
        }
        let span = verb.span;
        let wanted = "one name after `mark`, such as `mark ready`".to_owned();
        let found = format!("`{}`", self.text[span.start as usize..span.end as usize].trim());
        self.report(SyntaxError::Expected { span, wanted, found, help: None });
        None
    }

    /// The block of `expect`.
    pub fn expectations(&mut self, statement: &Statement) -> Vec<ExpectStatement> {
        let mut expectations = Vec::new();
        for inner in self.block(statement) {
            if self.is_later(inner, Place::Expect) {
                continue;
            }
            self.no_block(inner);
            if let Some(expectation) = self.expectation(inner) {
                expectations.push(expectation);
            }
        }
        expectations
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
