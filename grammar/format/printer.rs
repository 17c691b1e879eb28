//! The text that is being written: where the pen stands, columns, new lines, comments. In: places of the source to go on from. Out: the
//! formatted text. Knows no statements.

use std::ops::Range;

use super::INDENT;
use super::gaps::Gap;
use super::tokens::{Token, tokens};
use crate::syntax::scan::{Scan, Statement};

/// Writes one text.
pub(super) struct Printer<'a> {
    pub text: &'a str,
    /// All tokens of the text; those from `next_token` on are not written yet.
    pub tokens: Vec<Token>,
    comments: &'a [Range<usize>],
    pub pen: Pen,
    pub depth: usize,
    /// Gaps of the statement that is being written; kept for its room only.
    pub gaps: Vec<Gap>,
    out: String,
}

/// Where the writing stands; can be put back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    /// The byte of the source after what was written last.
    pub source: usize,
    pub next_token: usize,
    next_comment: usize,
    /// Nothing but a brace was written since the block began: no blank line may follow.
    pub block_begins: bool,
    /// Length of the present line, in characters.
    column: usize,
    /// How many characters further to the right this line stands than it did in the source, from its first character on.
    shift: isize,
    /// Blanks at the start of the present line.
    pub indent: usize,
    written: usize,
}

impl<'a> Printer<'a> {
    pub fn new(text: &'a str, from: usize, scan: &'a Scan) -> Self {
        let pen = Pen { source: from, next_token: 0, next_comment: 0, block_begins: true, column: 0, shift: 0, indent: 0, written: 0 };
        Printer {
            text,
            tokens: tokens(text, &scan.tokens),
            comments: &scan.comments,
            pen,
            depth: 0,
            gaps: Vec::new(),
            out: String::with_capacity(text.len() + text.len() / 8),
        }
    }

    /// Writes all of it.
    pub fn print(mut self, statements: &[Statement]) -> String {
        self.statements(statements, false, self.text.len());
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    /// Takes back what was written since the pen stood there.
    pub fn take_back(&mut self, pen: Pen) {
        self.out.truncate(pen.written);
        self.pen = pen;
    }

    /// Whether the present line is longer than it should be.
    pub fn is_too_long(&self) -> bool {
        self.pen.column > super::WIDTH
    }

    fn push(&mut self, words: &str) {
        self.out.push_str(words);
        self.pen.written = self.out.len();
        self.pen.column += words.chars().count();
    }

    /// Writes the piece of the source from `start` to `end`, perhaps in another spelling.
    pub fn piece(&mut self, start: usize, end: usize, spelling: Option<&str>) {
        let written = &self.text[start..end];
        if let Some(spelling) = spelling {
            self.pen.shift += signed(spelling.len()) - signed(written.len());
        }
        self.push(spelling.unwrap_or(written));
        self.pen.source = end;
    }

    /// Writes the blanks before the piece of the source that begins at `to`.
    pub fn gap(&mut self, to: usize, gap: Gap) {
        let between = &self.text[self.pen.source..to];
        let blanks = match gap {
            Gap::None => 0,
            Gap::One => 1,
            // The column is kept although something before it on the line became longer or shorter.
            Gap::Written(least) if between.len() > 1 && between.bytes().all(|b| b == b' ') => {
                let column = (signed(between.len()) - self.pen.shift).max(2);
                usize::try_from(column).unwrap_or(2).max(least)
            }
            Gap::Written(least) => between.len().min(1).max(least),
        };
        self.pen.shift += signed(blanks) - signed(between.len());
        self.blanks(blanks);
    }

    /// Writes a text over lines.
    pub fn lines(&mut self, token: Token, lines: &str) {
        self.push(lines);
        self.pen.column = lines.chars().rev().take_while(|c| *c != '\n').count();
        self.pen.shift = 0;
        self.pen.source = token.end;
    }

    fn blanks(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
        self.pen.written = self.out.len();
        self.pen.column += count;
    }

    /// Begins a line, `levels` further in than the present block.
    pub fn line(&mut self, levels: usize) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.pen.indent = INDENT * (self.depth + levels);
        (self.pen.column, self.pen.shift) = (0, 0);
        self.blanks(self.pen.indent);
    }

    /// An empty line.
    pub fn empty_line(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    /// New lines in the source from the pen up to `to`, at most two: enough for an empty line.
    pub fn new_lines(&self, to: usize) -> usize {
        self.text[self.pen.source..to].bytes().filter(|b| *b == b'\n').take(2).count()
    }

    /// The next comment, if it begins before `to`.
    pub fn comment_before(&self, to: usize) -> Option<Range<usize>> {
        self.comments.get(self.pen.next_comment).filter(|comment| comment.start < to).cloned()
    }

    /// Where the documentation begins that stands before `to`.
    pub fn documentation_before(&self, to: usize) -> Option<usize> {
        let mut comments = self.comments[self.pen.next_comment..].iter().map(|comment| comment.start).take_while(|start| *start < to);
        comments.find(|start| self.text[*start..].starts_with("##"))
    }

    /// Whether the author left a line empty from the pen up to `to`, among the comments there.
    pub fn has_empty_line(&self, to: usize) -> bool {
        let mut from = self.pen.source;
        let comments = self.comments[self.pen.next_comment..].iter().take_while(|comment| comment.start < to);
        comments.map(|comment| (comment.start, comment.end)).chain([(to, to)]).any(|(start, end)| {
            let between = &self.text[std::mem::replace(&mut from, end)..start];
            between.bytes().filter(|b| *b == b'\n').take(2).count() == 2
        })
    }

    /// Writes the comments before `to`, each at the end of the line where it stood or on a line of its own, `levels` further in than the
    /// block.
    pub fn comments(&mut self, to: usize, levels: usize) {
        self.comment_at_end_of_line(to);
        while let Some(comment) = self.comment_before(to) {
            self.begin_line_of(&comment, levels);
            self.comment(&comment);
        }
    }

    /// Writes the comment before `to` that stands on one line with what was written last.
    pub fn comment_at_end_of_line(&mut self, to: usize) {
        if let Some(comment) = self.comment_before(to)
            && self.new_lines(comment.start) == 0
            && !self.out.is_empty()
        {
            self.gap(comment.start, Gap::Written(1));
            self.comment(&comment);
        }
    }

    fn comment(&mut self, comment: &Range<usize>) {
        self.pen.next_comment += 1;
        self.piece(comment.start, comment.end, None);
    }

    fn begin_line_of(&mut self, comment: &Range<usize>, levels: usize) {
        if self.new_lines(comment.start) > 1 && !self.pen.block_begins {
            self.empty_line();
        }
        self.line(levels);
        self.pen.block_begins = false;
        // A `##` after a `;` documents nothing. Alone on its line it would document what follows.
        let between = &self.text[self.pen.source..comment.start];
        let line = &between[between.rfind('\n').map_or(0, |at| at + 1)..];
        if line.contains(';') && self.text[comment.start..].starts_with("##") {
            self.push("; ");
        }
    }
}

fn signed(length: usize) -> isize {
    isize::try_from(length).unwrap_or(isize::MAX)
}
