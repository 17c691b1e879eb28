//! What every builder of tree pieces needs: reading a statement's words, names, places, reports. In: statements of `scan`.
//! Out: nodes of `parser`, or a problem. Knows no statement's meaning.

use super::expected;
use super::hints;
use super::parser::{self, Failure, Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Name, TextPart};
use super::words::{EVERYWHERE, Place, belongs};
use super::{MOST_ERRORS, nearest::nearest};
use crate::diagnostics::Diagnostic;
use crate::source::{FileId, Span};

/// Builds one document.
pub(super) struct Builder<'a> {
    pub file: FileId,
    pub text: &'a str,
    pub problems: Vec<Diagnostic>,
    /// A stray `}` was found: what seems out of place may only be closed off too early.
    pub stray: bool,
    /// How many `for` and `if` are open around the statement that is read.
    pub inside: usize,
}

impl<'a> Builder<'a> {
    pub fn new(file: FileId, text: &'a str, stray: bool) -> Self {
        Builder { file, text, problems: Vec::new(), stray, inside: 0 }
    }

    pub fn report(&mut self, problem: SyntaxError) {
        if self.problems.len() <= MOST_ERRORS {
            self.problems.push(problem.into());
        }
    }

    /// So many errors that reading on is of no use.
    pub fn full(&self) -> bool {
        self.problems.len() > MOST_ERRORS
    }

    pub fn bytes(&self, start: usize, end: usize) -> Span {
        super::span(self.file, start, end)
    }

    pub fn span(&self, node: &Node) -> Span {
        self.bytes(node.start, node.end)
    }

    /// A statement with its block.
    pub fn whole(&self, statement: &Statement) -> Span {
        let whole = statement.whole();
        self.bytes(whole.start, whole.end)
    }

    pub fn head_span(&self, statement: &Statement) -> Span {
        self.bytes(statement.head.start, statement.head.end)
    }

    pub fn words(&self, node: &Node) -> &'a str {
        &self.text[node.start..node.end]
    }

    /// The first word of a statement; empty if it does not begin with one.
    pub fn first_word(&self, statement: &Statement) -> &'a str {
        let head = &self.text[statement.head.clone()];
        &head[..head.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()]
    }

    pub fn first_word_span(&self, statement: &Statement) -> Span {
        let word = self.first_word(statement).len();
        let first = self.text[statement.head.clone()].chars().next().map_or(0, char::len_utf8);
        self.bytes(statement.head.start, statement.head.start + if word > 0 { word } else { first })
    }

    /// Reads a statement's words. `None`: reported.
    pub fn head(&mut self, entry: Kind, statement: &Statement) -> Option<Node> {
        if statement.broken || self.full() {
            return None;
        }
        self.read(entry, statement.head.start, statement.head.end)
    }

    /// Reads some bytes by a rule. `None`: reported.
    pub fn read(&mut self, entry: Kind, start: usize, end: usize) -> Option<Node> {
        match parser::parse(entry, &self.text[start..end], start) {
            Ok(node) => Some(node),
            Err(Failure::TooDeep) => {
                let span = self.bytes(start, start + 1);
                let limit = usize::from(parser::EXPRESSION_DEPTH);
                self.report(SyntaxError::TooDeep { span, what: "an expression", limit });
                None
            }
            Err(Failure::Expected { at, wanted }) => {
                let problem = expected::explain(self.file, self.text, entry, start..end, at, &wanted);
                self.report(problem);
                None
            }
        }
    }

    pub fn name(&self, node: &Node) -> Name {
        let words = self.words(node);
        let quoted = words.starts_with('`');
        Name { text: words.trim_matches('`').to_owned(), span: self.span(node), quoted }
    }

    /// The first child that is a name.
    pub fn name_in(&self, node: &Node) -> Option<Name> {
        node.child(Kind::Name).map(|n| self.name(n))
    }

    pub fn names_in(&self, node: &Node) -> Vec<Name> {
        node.children.iter().filter(|c| c.kind == Kind::Name).map(|n| self.name(n)).collect()
    }

    /// The statements of a block that must be there.
    pub fn block<'s>(&mut self, statement: &'s Statement) -> &'s [Statement] {
        match &statement.block {
            Some(block) => &block.statements,
            None => {
                let after = format!("`{}`", self.text[statement.head.clone()].split_whitespace().next().unwrap_or(""));
                self.missing_block(statement, after);
                &[]
            }
        }
    }

    /// Reports a block that is not there, unless the words before it have a problem already.
    pub fn missing_block(&mut self, statement: &Statement, after: String) {
        let span = self.head_span(statement);
        let told = |p: &Diagnostic| p.primary.span.start >= span.start && p.primary.span.end <= span.end;
        if !statement.broken && !self.problems.last().is_some_and(told) {
            self.report(SyntaxError::MissingBlock { span, after });
        }
    }

    /// The statements of a block that may be there.
    pub fn optional_block<'s>(&self, statement: &'s Statement) -> &'s [Statement] {
        statement.block.as_ref().map_or(&[], |b| &b.statements)
    }

    pub fn no_block(&mut self, statement: &Statement) {
        if let Some(block) = &statement.block {
            let span = self.bytes(block.open, block.open + 1);
            let word = self.first_word(statement);
            let after = if word.is_empty() { "this statement".to_owned() } else { format!("`{word}`") };
            self.report(SyntaxError::UnexpectedBlock { span, after });
        }
    }

    /// Reports a statement whose first word begins one elsewhere and cannot begin one here.
    pub fn out_of_place(&mut self, statement: &Statement, place: Place, words: &[&str]) -> bool {
        let word = self.first_word(statement);
        let Some(belongs) = belongs(word).filter(|_| words.contains(&word)) else { return false };
        let (span, word) = (self.first_word_span(statement), word.to_owned());
        self.report(SyntaxError::Misplaced { span, word, place: place.words(), belongs });
        true
    }

    /// A text without holes. `wanted`: what should stand there, for the message.
    pub fn plain_text(&mut self, node: &Node, wanted: &str) -> Option<String> {
        let text = self.text(node);
        match text.parts.as_slice() {
            [] => Some(String::new()),
            [TextPart::Literal(literal)] => Some(literal.clone()),
            _ => {
                let (span, found) = (self.span(node), format!("`{}`", self.words(node)));
                self.report(SyntaxError::Expected { span, wanted: wanted.to_owned(), found, help: None });
                None
            }
        }
    }

    /// The statement that a word begins which begins none.
    fn meant(&self, statement: &Statement, place: Place) -> Option<&'static str> {
        let (word, words) = (self.first_word(statement), place.statements());
        let everywhere = if place == Place::Top { &[] } else { EVERYWHERE };
        let stands = |meant: &&str| meant.split(' ').all(|m| words.contains(&m) || everywhere.contains(&m));
        let near = || nearest(word, words.iter().copied().chain(everywhere.iter().copied()));
        hints::of_foreign_word(word).filter(stands).or_else(near)
    }

    /// Reports a statement whose first word begins none in this place.
    pub fn unknown_statement(&mut self, statement: &Statement, place: Place) {
        if statement.broken {
            return;
        }
        let (span, word) = (self.first_word_span(statement), self.first_word(statement));
        let words = place.statements();
        let after = &self.text[statement.head.start + word.len()..statement.head.end];
        let is_expectation = after.starts_with(['.', '[']) && after.contains(['<', '>', '=']);
        if is_expectation && place != Place::Expect {
            self.report(SyntaxError::ExpectationOutside { span: self.head_span(statement), place: place.words() });
        } else if word.is_empty() {
            let wanted = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
            let found = format!("`{}`", self.text[statement.head.clone()].chars().next().unwrap_or(' '));
            let help = hints::of_character(self.text, statement.head.start);
            self.report(SyntaxError::Expected { span, wanted: format!("one of {wanted}"), found, help });
        } else if let Some(belongs) = belongs(word) {
            let word = word.to_owned();
            self.report(SyntaxError::Misplaced { span, word, place: place.words(), belongs });
        } else {
            let near = self.meant(statement, place).map(str::to_owned);
            let word = word.to_owned();
            self.report(SyntaxError::UnknownStatement { span, word, place: place.words(), nearest: near, words });
        }
    }
}
