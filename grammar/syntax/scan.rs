//! Cuts a text into statements and blocks. In: a text. Out: a tree of [`Statement`]s with their places and documentation, the
//! comments, and what is wrong with braces and quotes. Aware of texts, regexes and comments; knows no keywords' meaning.

use std::ops::Range;

use super::MOST_ERRORS;
use super::problem::SyntaxError;
use super::words::belongs;
use crate::diagnostics::Diagnostic;
use crate::source::{FileId, Span};

/// How deep blocks may nest.
pub(super) const BLOCK_DEPTH: usize = 64;
/// How deep parentheses, brackets and `if`s may nest in one statement.
pub(super) const NESTING_DEPTH: usize = 64;
/// How long a statement may be, in bytes.
pub(super) const STATEMENT_LENGTH: usize = 1 << 20;

/// A statement: its words, and its block if it has one.
#[derive(Debug, Default)]
pub struct Statement {
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// Its words without the block, without blanks around them.
    pub head: Range<usize>,
    /// What stands in braces after the words.
    pub block: Option<Block>,
    /// A problem inside the words is already reported: they are not to be read.
    pub broken: bool,
    /// It stands on one line with the closing brace of the statement before it.
    pub follows_block: bool,
}

impl Statement {
    /// All of it, the block too.
    #[must_use]
    pub fn whole(&self) -> Range<usize> {
        self.head.start..self.block.as_ref().map_or(self.head.end, |b| b.close)
    }
}

/// Statements in braces.
#[derive(Debug, Default)]
pub struct Block {
    /// The byte of `{`.
    pub open: usize,
    /// One past the byte of `}`.
    pub close: usize,
    /// What stands inside.
    pub statements: Vec<Statement>,
}

/// What a text consists of.
#[derive(Debug, Default)]
pub struct Scan {
    /// Those that stand in no block.
    pub statements: Vec<Statement>,
    /// Where comments stand, each to the end of its line.
    pub comments: Vec<Range<usize>>,
    /// The tokens of all heads, in order: words, texts, regexes and single signs. The parser cuts numbers and addresses further.
    pub tokens: Vec<Range<usize>>,
    /// What is wrong with braces and quotes.
    pub problems: Vec<Diagnostic>,
    /// A `}` closed nothing: a brace before it closed too much.
    pub stray: bool,
    unclosed: bool,
}

/// Cuts a text. When a block is not closed, it is cut again with the indentation as a guide to where the brace is missing.
#[must_use]
pub fn scan(file: FileId, text: &str, from: usize) -> Scan {
    let first = Scanner::new(file, text, from, false).run();
    if !first.unclosed {
        return first;
    }
    let guided = Scanner::new(file, text, from, true).run();
    if guided.stray { first } else { guided }
}

/// A block that is still open.
struct Open {
    head: Statement,
    open: usize,
    indent: usize,
    statements: Vec<Statement>,
}

struct Scanner<'a> {
    file: FileId,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    by_indent: bool,
    line_start: usize,
    /// Indentation of the line where the pending statement begins.
    indent: usize,
    blank_so_far: bool,
    blocks: Vec<Open>,
    /// Blocks that are open beyond [`BLOCK_DEPTH`].
    beyond: usize,
    pending: Option<Statement>,
    /// Parentheses and brackets open in the pending statement.
    nesting: Vec<usize>,
    ifs: usize,
    /// What stands before can be divided: a `/` after it is no regex.
    operand: bool,
    after_block: bool,
    docs: Vec<String>,
    text_open: bool,
    out: Scan,
}

impl<'a> Scanner<'a> {
    fn new(file: FileId, text: &'a str, from: usize, by_indent: bool) -> Self {
        Scanner {
            file,
            text,
            bytes: text.as_bytes(),
            at: from,
            by_indent,
            line_start: from,
            indent: 0,
            blank_so_far: true,
            blocks: Vec::new(),
            beyond: 0,
            pending: None,
            nesting: Vec::new(),
            ifs: 0,
            operand: false,
            after_block: false,
            docs: Vec::new(),
            text_open: false,
            out: Scan::default(),
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        super::span(self.file, start, end)
    }

    fn report(&mut self, problem: SyntaxError) {
        if self.out.problems.len() <= MOST_ERRORS {
            self.out.problems.push(problem.into());
        }
    }

    fn run(mut self) -> Scan {
        while self.at < self.bytes.len() {
            self.step();
        }
        self.end_statement();
        self.finish()
    }

    fn step(&mut self) {
        let start = self.at;
        match self.bytes[start] {
            b' ' | b'\t' | b'\r' => self.at += 1,
            b'\n' => {
                if !self.nesting.is_empty() && self.statement_follows() {
                    self.close_nesting();
                }
                if self.nesting.is_empty() {
                    self.end_statement();
                    self.after_block = false;
                }
                self.at += 1;
                self.line_start = self.at;
                self.blank_so_far = true;
            }
            b';' if self.nesting.is_empty() => {
                self.end_statement();
                self.after_block = false;
                self.at += 1;
                self.blank_so_far = false;
            }
            b'#' => self.comment(),
            b'{' => self.open_block(),
            b'}' => self.close_block(),
            b'(' | b'[' => self.open_nesting(),
            b')' | b']' => {
                self.nesting.pop();
                self.token(start, start + 1, true);
            }
            b'"' => self.text(start, start, true),
            b'`' => {
                let end = self.bytes[start + 1..].iter().position(|b| !is_word(*b));
                let closed = end.map(|e| start + 1 + e).filter(|e| self.bytes[*e] == b'`');
                self.token(start, closed.map_or(start + 1, |e| e + 1), true);
            }
            b'/' if !self.operand && !self.in_use() => self.regex(),
            byte if is_word(byte) => self.word(),
            // `100% / 3` divides.
            b'%' => self.token(start, start + 1, true),
            // `::/0` is a prefix.
            b':' => self.token(start, start + 1, self.text[..start].ends_with(':')),
            byte if byte < 0x80 => self.token(start, start + 1, false),
            _ => {
                let len = self.text[start..].chars().next().map_or(1, char::len_utf8);
                self.token(start, start + len, false);
            }
        }
    }

    /// Takes bytes into the pending statement.
    fn token(&mut self, start: usize, end: usize, operand: bool) {
        self.at = end;
        self.operand = operand;
        if self.beyond > 0 {
            return;
        }
        if self.pending.is_none() {
            self.begin_statement(start);
        }
        self.blank_so_far = false;
        self.out.tokens.push(start..end);
        if let Some(pending) = &mut self.pending {
            pending.head.end = end;
        }
    }

    fn begin_statement(&mut self, start: usize) {
        self.indent = self.line_indent();
        if self.by_indent && self.blank_so_far {
            self.close_by_indent(start, self.indent);
        }
        let doc = std::mem::take(&mut self.docs);
        let follows_block = std::mem::take(&mut self.after_block);
        self.ifs = 0;
        self.pending = Some(Statement { doc, head: start..start, follows_block, ..Statement::default() });
    }

    /// Blanks at the start of the present line.
    fn line_indent(&self) -> usize {
        self.bytes[self.line_start..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
    }

    /// Closes the blocks whose heads stand at least as far to the right as this line.
    fn close_by_indent(&mut self, at: usize, indent: usize) {
        while let Some(block) = self.blocks.last()
            && indent <= block.indent
        {
            let noticed = self.span(at, at + self.text[at..].chars().next().map_or(1, char::len_utf8));
            let open = self.span(block.open, block.open + 1);
            self.report(SyntaxError::UnclosedBlock { open, noticed: Some(noticed) });
            self.pop_block(at);
        }
    }

    /// The next line is no further to the right than the pending statement and begins with a keyword: the parenthesis that
    /// is open was forgotten.
    fn statement_follows(&self) -> bool {
        let line = &self.text[self.at + 1..];
        let words = line.trim_start_matches([' ', '\t']);
        let length = words.bytes().take_while(|b| is_word(*b)).count();
        let blank = words.as_bytes().get(length).is_some_and(|b| *b == b' ');
        line.len() - words.len() <= self.indent && blank && belongs(&words[..length]).is_some()
    }

    fn mark_broken(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.broken = true;
        }
    }

    fn comment(&mut self) {
        let start = self.at;
        let line = self.text[start..].find('\n').map_or(&self.text[start..], |end| &self.text[start..start + end]);
        self.at = start + line.len();
        let line = line.trim_end_matches([' ', '\t', '\r']);
        self.out.comments.push(start..start + line.len());
        if let Some(doc) = line.strip_prefix("##")
            && self.blank_so_far
            && self.pending.is_none()
        {
            self.docs.push(doc.strip_prefix(' ').unwrap_or(doc).to_owned());
        }
    }

    /// A text from `start`, its quotes from `quote`. `escapes`: a backslash takes the next character's meaning away.
    fn text(&mut self, start: usize, quote: usize, escapes: bool) {
        let long = self.bytes[quote..].starts_with(b"\"\"\"");
        let mut at = quote + if long { 3 } else { 1 };
        loop {
            match self.bytes.get(at) {
                Some(b'\\') if escapes && self.bytes.get(at + 1).is_some_and(|b| long || *b != b'\n') => at += 2,
                Some(b'"') if !long => break at += 1,
                Some(b'"') if self.bytes[at..].starts_with(b"\"\"\"") => break at += 3,
                Some(b'\n') if !long => return self.unterminated(start, at),
                Some(_) => at += 1,
                None => return self.unterminated(start, at),
            }
        }
        self.token(start, at, true);
    }

    fn unterminated(&mut self, start: usize, end: usize) {
        let mut end = end.min(self.bytes.len());
        let long = self.text[start..end].trim_start_matches(['r', 'h', 'e', 'x']).starts_with("\"\"\"");
        if !long {
            end = self.before_braces(start, end);
        }
        self.token(start, end, true);
        if self.beyond > 0 {
            return;
        }
        let shown = if long { start + 3 } else { start + self.text[start..end].trim_end().len() };
        let span = self.span(start, shown);
        self.report(if long { SyntaxError::UnterminatedLongText { span } } else { SyntaxError::UnterminatedText { span } });
        self.text_open |= long;
        self.mark_broken();
    }

    /// `use ./x.scn`: a path that stands in no quotes.
    fn in_use(&self) -> bool {
        let word = |head: &[u8]| head.starts_with(b"use") && !head.get(3).is_some_and(|byte| is_word(*byte));
        self.pending.as_ref().is_some_and(|pending| self.bytes.get(pending.head.start..).is_some_and(word))
    }

    /// Where a literal that is not closed on its line ends, if it may have swallowed the braces that close the line's blocks.
    fn before_braces(&self, start: usize, end: usize) -> usize {
        let opened = self.blocks.iter().rev().take_while(|block| block.open >= self.line_start).count();
        let mut at = start + self.text[start..end].trim_end().len();
        for _ in 0..opened {
            match self.text[start..at].strip_suffix('}') {
                Some(rest) => at = start + rest.trim_end().len(),
                None => break,
            }
        }
        at.max(start + 1)
    }

    fn regex(&mut self) {
        let start = self.at;
        let mut at = start + 1;
        loop {
            match self.bytes.get(at) {
                Some(b'\\') if self.bytes.get(at + 1).is_some_and(|b| *b != b'\n') => at += 2,
                Some(b'/') => break,
                None | Some(b'\n') => {
                    at = self.before_braces(start, at);
                    self.token(start, at, true);
                    if self.beyond == 0 {
                        self.report(SyntaxError::UnterminatedRegex { span: self.span(start, at) });
                        self.mark_broken();
                    }
                    return;
                }
                Some(_) => at += 1,
            }
        }
        self.token(start, at + 1, true);
    }

    fn word(&mut self) {
        let start = self.at;
        let length = self.bytes[start..].iter().take_while(|b| is_word(**b)).count();
        let word = &self.text[start..start + length];
        if self.bytes.get(start + length) == Some(&b'"') && matches!(word, "r" | "hex") {
            return self.text(start, start + length, false);
        }
        // Of a range, `..` is no dot of a member.
        let member = self.text[..start].ends_with('.') && !self.text[..start].ends_with("..");
        let before_value = matches!(
            word,
            "expects" | "sends" | "line" | "matches" | "log" | "and" | "or" | "not" | "if" | "then" | "else" | "within" | "choice"
        );
        self.token(start, start + length, member || !before_value);
        if word == "if" && !member {
            self.ifs += 1;
            if self.ifs == NESTING_DEPTH + 1 {
                self.too_deep(start, start + length, "an expression", NESTING_DEPTH);
            }
        }
    }

    fn too_deep(&mut self, start: usize, end: usize, what: &'static str, limit: usize) {
        if self.pending.as_ref().is_none_or(|p| !p.broken) {
            self.report(SyntaxError::TooDeep { span: self.span(start, end), what, limit });
        }
        self.mark_broken();
    }

    fn open_nesting(&mut self) {
        let start = self.at;
        self.token(start, start + 1, false);
        if self.beyond > 0 {
            return;
        }
        self.nesting.push(start);
        if self.nesting.len() == NESTING_DEPTH + 1 {
            self.too_deep(start, start + 1, "an expression", NESTING_DEPTH);
        }
    }

    /// A brace ends what a parenthesis began.
    fn close_nesting(&mut self) {
        if let Some(open) = self.nesting.last().copied() {
            if self.pending.as_ref().is_some_and(|p| !p.broken) {
                let noticed = (self.at < self.bytes.len()).then(|| self.span(self.at, self.at + 1));
                let bracket = char::from(self.bytes[open]);
                self.report(SyntaxError::UnclosedParenthesis { open: self.span(open, open + 1), bracket, noticed });
            }
            self.mark_broken();
        }
        self.nesting.clear();
    }

    fn end_statement(&mut self) {
        self.operand = false;
        if self.at >= self.bytes.len() {
            self.close_nesting();
        }
        if let Some(mut statement) = self.pending.take() {
            self.check_length(&mut statement);
            self.statements().push(statement);
        }
    }

    fn check_length(&mut self, statement: &mut Statement) {
        if statement.head.len() > STATEMENT_LENGTH && !statement.broken {
            let start = statement.head.start;
            self.report(SyntaxError::TooLong { span: self.span(start, start + 1), limit: STATEMENT_LENGTH });
            statement.broken = true;
        }
    }

    fn statements(&mut self) -> &mut Vec<Statement> {
        match self.blocks.last_mut() {
            Some(block) => &mut block.statements,
            None => &mut self.out.statements,
        }
    }

    fn open_block(&mut self) {
        let at = self.at;
        self.close_nesting();
        self.operand = false;
        if self.beyond > 0 {
            self.beyond += 1;
            self.at += 1;
            return;
        }
        if self.pending.is_none() {
            self.begin_brace(at);
        }
        if self.blocks.len() == BLOCK_DEPTH {
            self.too_deep(at, at + 1, "a block", BLOCK_DEPTH);
            self.end_statement();
            self.beyond = 1;
        } else if let Some(mut head) = self.pending.take() {
            self.check_length(&mut head);
            self.blocks.push(Open { head, open: at, indent: self.indent, statements: Vec::new() });
        }
        self.after_block = false;
        self.docs.clear();
        self.blank_so_far = false;
        self.at = at + 1;
    }

    /// A `{` without words before it on its line: it belongs to the statement before it, if that has no block yet.
    fn begin_brace(&mut self, at: usize) {
        let span = self.span(at, at + 1);
        let before = self.statements().pop_if(|s| s.block.is_none() && !s.broken);
        match before {
            Some(statement) => {
                self.report(SyntaxError::BraceOnOwnLine { span, head: self.span(statement.head.start, statement.head.end) });
                self.indent = self.line_indent();
                self.pending = Some(statement);
            }
            None => {
                self.report(SyntaxError::BlockWithoutHead { span });
                self.begin_statement(at);
                self.mark_broken();
            }
        }
    }

    fn close_block(&mut self) {
        let at = self.at;
        self.close_nesting();
        self.end_statement();
        self.docs.clear();
        self.at = at + 1;
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        if self.by_indent && self.blank_so_far {
            let indent = self.line_indent();
            while self.blocks.len() > 1 && self.blocks.last().is_some_and(|b| indent < b.indent) {
                let open = self.blocks.last().map_or(at, |b| b.open);
                let (open, noticed) = (self.span(open, open + 1), Some(self.span(at, at + 1)));
                self.report(SyntaxError::UnclosedBlock { open, noticed });
                self.pop_block(at);
            }
        }
        self.blank_so_far = false;
        if self.blocks.is_empty() {
            self.report(SyntaxError::StrayBrace { span: self.span(at, at + 1) });
            self.out.stray = true;
            return;
        }
        self.pop_block(at + 1);
        self.after_block = true;
    }

    fn pop_block(&mut self, close: usize) {
        if let Some(Open { mut head, open, statements, .. }) = self.blocks.pop() {
            head.block = Some(Block { open, close, statements });
            self.statements().push(head);
        }
    }

    fn finish(mut self) -> Scan {
        self.out.unclosed = !self.blocks.is_empty() && !self.text_open;
        let end = self.bytes.len();
        if self.out.unclosed
            && let Some(open) = self.blocks.last().map(|b| b.open)
        {
            self.report(SyntaxError::UnclosedBlock { open: self.span(open, open + 1), noticed: None });
        }
        while !self.blocks.is_empty() {
            self.pop_block(end);
        }
        self.out
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
