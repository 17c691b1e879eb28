//! The words of one statement. In: its tokens. Out: its lines: one, or as many as its author made inside parentheses. Knows no blocks.

use super::gaps::gaps;
use super::printer::Printer;
use super::tokens::{Kind, Token, spelling};
use crate::syntax::scan::Statement;

impl Printer<'_> {
    /// Writes a statement's words from where the pen stands. `options`: it stands among options.
    pub fn head(&mut self, statement: &Statement, options: bool) {
        let first = self.pen.next_token;
        let count = self.tokens[first..].iter().take_while(|token| token.start < statement.head.end).count();
        self.pen.next_token = first + count;
        let mut before = std::mem::take(&mut self.gaps);
        gaps(self.text, &self.tokens[first..first + count], options, &mut before);
        // How far in the line stands on which each open parenthesis was opened; the line with its end stands as far in.
        let (mut open, mut level): (Vec<usize>, usize) = (Vec::new(), 0);
        self.pen.source = statement.head.start;
        for (at, gap) in before.iter().enumerate() {
            let token = self.tokens[first + at];
            if !open.is_empty() && at + 1 < count && self.is_last_comma(first + at) {
                continue;
            }
            let new_line = self.new_lines(token.start) > 0;
            let inside = open.last().map_or(0, |outer| outer + 1);
            self.comments(token.start, inside);
            let outside = if token.kind == Kind::Close { open.pop() } else { None };
            if new_line {
                level = outside.unwrap_or(inside);
                let begins_or_ends =
                    token.kind == Kind::Close || at.checked_sub(1).is_some_and(|b| self.tokens[first + b].kind == Kind::Open);
                if self.new_lines(token.start) > 1 && !begins_or_ends {
                    self.empty_line();
                }
                self.line(level);
            } else {
                self.gap(token.start, *gap);
            }
            self.token(token);
            if token.kind == Kind::Open {
                open.push(level);
            }
        }
        self.gaps = before;
    }

    /// A comma before a closing bracket on the same line, which says nothing.
    fn is_last_comma(&self, at: usize) -> bool {
        let (Some(comma), Some(close)) = (self.tokens.get(at), self.tokens.get(at + 1)) else { return false };
        let opens = at.checked_sub(1).is_some_and(|before| self.tokens[before].kind == Kind::Open);
        comma.kind == Kind::Comma && close.kind == Kind::Close && !opens && !self.text[comma.end..close.start].contains('\n')
    }

    fn token(&mut self, token: Token) {
        let written = token.text(self.text);
        if token.kind == Kind::Literal && written.contains('\n') {
            self.long_text(token);
        } else {
            let spelling = spelling(written, token.kind);
            self.piece(token.start, token.end, spelling.as_deref());
        }
    }
}
