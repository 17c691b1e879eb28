//! Timelines. In: statements. Out: pieces of the tree. Does not know what verbs mean.

use super::build::Builder;
use super::expected;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Block, ExprKind, Indexed, Name, Nested, Operand, TimelineStatement, Verb, WhenClause};
use super::words::{Place, VERBS, belongs};

/// The words for how an entry begins.
const ENTRY: &str = "when something happens: `at 3s`, `failure + 200ms`, `every 1s from 5s to 20s` or `when` and a condition";
/// Verbs that take a block.
const BRACED: &[&str] = &["impair"];

impl Builder<'_> {
    /// The block of a timeline.
    pub fn timeline(&mut self, statement: &Statement) -> Block<TimelineStatement> {
        let statements = self.block(statement);
        self.nested(statements, Place::Timeline, &mut |builder, inner, out| {
            if inner.follows_block && matches!(builder.first_word(inner), "as" | "for" | "over") {
                builder.entry_tail(inner, out);
            } else if builder.no_tail(inner, out) {
                let (span, found) = (builder.first_word_span(inner), format!("`{}`", builder.first_word(inner)));
                let wanted = "`as` and a name, `for` and a duration or a new line".to_owned();
                builder.report(SyntaxError::Expected { span, wanted, found, help: None });
            } else if !builder.no_entry(inner) {
                out.extend(builder.entry(inner).map(Nested::Statement));
            } else {
                builder.options(builder.optional_block(inner));
            }
        })
    }

    /// `impair wan { ... } storm`: one word after the block of an entry.
    fn no_tail(&self, statement: &Statement, out: &Block<TimelineStatement>) -> bool {
        let word = self.first_word(statement);
        statement.follows_block && matches!(out.last(), Some(Nested::Statement(_))) && self.text[statement.head.clone()] == *word
    }

    /// Reports what begins like a statement of another place, or with a verb.
    fn no_entry(&mut self, statement: &Statement) -> bool {
        let word = self.first_word(statement);
        let after = &self.text[statement.head.start + word.len()..statement.head.end];
        let (blank, after) = (after.starts_with([' ', '\t']), after.trim_start());
        let next = &after[..after.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()];
        let open = after.is_empty() && statement.block.is_some();
        if statement.broken || Place::Timeline.statements().contains(&word) || VERBS.contains(&next) || !(blank || open) {
            return false;
        }
        let span = self.first_word_span(statement);
        if VERBS.contains(&word) && after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '`' | '"' | '[')) {
            let (wanted, found) = (ENTRY.to_owned(), format!("`{word}`"));
            let help = Some(format!("say when, such as `at 3s {word} {}`", next));
            self.report(SyntaxError::Expected { span, wanted, found, help });
            return true;
        }
        match belongs(word) {
            Some(belongs) if open || !next.is_empty() => {
                let word = word.to_owned();
                self.report(SyntaxError::Misplaced { span, word, place: Place::Timeline.words(), belongs });
                true
            }
            _ => false,
        }
    }

    fn entry(&mut self, statement: &Statement) -> Option<TimelineStatement> {
        let head = self.head(Kind::TimelineLine, statement);
        let options = self.options(self.optional_block(statement));
        let head = head?;
        let when = self.when(head.children.first()?)?;
        let mut verb = self.verb(head.child(Kind::Verb)?)?;
        verb.options = options;
        // `at 3 s start f`: no verb is called like a unit.
        if let Some((number, unit)) = expected::unit_after_blank(self.text, &statement.head, verb.span.start as usize)
            && expected::is_or_means_unit(number, unit)
        {
            self.report(expected::unit_problem(verb.name.span, number, unit));
            return None;
        }
        let lasts = self.only(&head, Kind::Lasts, "`for`").and_then(|l| self.value_in(l));
        let mut name = self.only(&head, Kind::AsName, "`as`").and_then(|a| self.indexed_in(a));
        if let Some(block) = &statement.block {
            if head.children.last().is_some_and(|c| c.kind != Kind::Verb) || !BRACED.contains(&verb.name.text.as_str()) {
                let span = self.bytes(block.open, block.open + 1);
                let before = head.children.last().filter(|c| c.kind != Kind::Verb).map(|c| self.words(c));
                let verb = &verb.name.text;
                let problem = match before.filter(|_| BRACED.contains(&verb.as_str())) {
                    Some(before) => SyntaxError::Expected {
                        span,
                        wanted: super::parser::END.to_owned(),
                        found: "`{`".to_owned(),
                        help: Some(format!("the block of `{verb}` stands before `{before}`")),
                    },
                    None => SyntaxError::UnexpectedBlock { span, after: format!("`{verb}`") },
                };
                self.report(problem);
                return None;
            }
            verb.span.end = self.whole(statement).end;
        }
        if verb.name.text == "mark" && !verb.name.quoted {
            let marked = self.marked(&mut verb)?;
            if let Some(second) = &name {
                self.report(SyntaxError::SaidTwice { span: second.span, first: marked.span, word: "the event's name" });
            }
            name = Some(marked);
        }
        Some(TimelineStatement { when, lasts, verb, name, span: self.whole(statement) })
    }

    /// `as storm`, `for 2s` and `over 5s` after the block of the entry before.
    fn entry_tail(&mut self, statement: &Statement, out: &mut Block<TimelineStatement>) {
        self.no_block(statement);
        let Some(tail) = self.head(Kind::EntryTail, statement) else { return };
        let name = self.only(&tail, Kind::AsName, "`as`");
        let lasts = self.only(&tail, Kind::Lasts, "`for`");
        let over = self.only(&tail, Kind::TailOver, "`over`").and_then(|over| Some((over.start, self.value_in(over)?)));
        // An entry that could not be read is reported.
        let Some(Nested::Statement(entry)) = out.last_mut() else { return };
        entry.span.end = self.whole(statement).end;
        if let Some(node) = name {
            let first = entry.name.as_ref().map(|n| n.span);
            self.once("`as`", node, first);
            entry.name = entry.name.take().or(self.indexed_in(node));
        }
        if let Some(node) = lasts {
            let first = entry.lasts.as_ref().map(|l| l.span);
            self.once("`for`", node, first);
            let new = self.value_in(node);
            entry.lasts = entry.lasts.take().or(new);
        }
        if let Some((start, duration)) = over {
            let word = Name { text: "over".to_owned(), span: self.bytes(start, start + "over".len()), quoted: false };
            entry.verb.operands.extend([Operand::Word(word), Operand::Value(duration)]);
        }
    }

    fn when(&mut self, node: &Node) -> Option<WhenClause> {
        let mut values = node.values();
        let value = self.expression(values.next()?);
        Some(match node.kind {
            Kind::Every => WhenClause::Every { period: value, from: self.expression(values.next()?), to: self.expression(values.next()?) },
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
        Some(Verb { name, operands, options: Vec::new(), span: self.span(node) })
    }

    /// The event of `mark NAME`; the name is no operand.
    fn marked(&mut self, verb: &mut Verb) -> Option<Indexed> {
        if let [Operand::Value(value)] = verb.operands.as_slice()
            && let ExprKind::Path(path) = &value.kind
            && let [only] = path.as_slice()
        {
            let name = only.clone();
            verb.operands.clear();
            return Some(name);
        }
        let span = verb.span;
        let wanted = "one name after `mark`, such as `mark ready`".to_owned();
        let found = format!("`{}`", self.text[span.start as usize..span.end as usize].trim());
        self.report(SyntaxError::Expected { span, wanted, found, help: None });
        None
    }
}
