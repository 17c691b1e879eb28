//! Statements, one a line, and their blocks. In: what `scan` found. Out: their lines with indentation, blank lines and comments. What a
//! statement says is none of its business, but for the words that tell whether a block holds options.

use super::gaps::Gap;
use super::printer::Printer;
use crate::syntax::scan::{Block, Statement};

/// A statement that begins with one of these on the line of a `}` goes on with what stands before the block.
const GOES_ON: &[&str] = &["as", "else", "for", "over"];
/// The blocks of these hold statements, each of which ends with its line. All others hold options.
const HOLDS_STATEMENTS: &[&str] = &["scenario", "topology", "timeline", "expect", "pattern", "action", "check", "repeat", "choose"];

impl Printer<'_> {
    /// Writes the statements and comments up to `end`, where their block or the text ends.
    pub fn statements(&mut self, statements: &[Statement], options: bool, end: usize) {
        let mut rest = statements;
        let mut stands_alone = false;
        while let Some(first) = rest.first() {
            let length = 1 + rest[1..].iter().take_while(|s| s.follows_block && self.goes_on(s)).count();
            let (row, others) = rest.split_at(length);
            let start = first.head.start;
            let parted = self.depth == 0 && (stands_alone || row.iter().any(|s| s.block.is_some()));
            self.comment_at_end_of_line(start);
            if parted && !self.pen.block_begins && !self.has_empty_line(self.documentation_before(start).unwrap_or(start)) {
                self.empty_line();
            }
            self.comments(start, 0);
            if self.new_lines(start) > 1 && !self.pen.block_begins {
                self.empty_line();
            }
            self.line(0);
            self.pen.block_begins = false;
            self.row(row, options);
            stands_alone = self.first_word(first) == "scn" || row.iter().any(|s| s.block.is_some());
            rest = others;
        }
        self.comments(end, 0);
    }

    /// Writes a statement and what goes on after its block. When that is too long, blocks on one line are opened.
    fn row(&mut self, row: &[Statement], options: bool) {
        let pen = self.pen;
        if !self.write_row(row, options, false) {
            self.take_back(pen);
            self.write_row(row, options, true);
        }
    }

    /// Gives whether it fits, or nothing can be done about it. `open`: every block is written over lines.
    fn write_row(&mut self, row: &[Statement], options: bool, open: bool) -> bool {
        let (mut too_long, mut flat) = (false, false);
        for (number, statement) in row.iter().enumerate() {
            if number > 0 {
                self.gap(statement.head.start, Gap::Written(if self.goes_on(statement) { 1 } else { 2 }));
            }
            self.head(statement, options);
            too_long |= self.is_too_long();
            if let Some(block) = &statement.block {
                self.gap(block.open, Gap::Written(1));
                let options = self.holds_options(statement, options);
                flat |= self.block(block, options, open);
                too_long |= self.is_too_long();
            }
        }
        !(too_long && flat)
    }

    /// Writes a block with its braces. Gives whether it stands on one line and could be opened.
    fn block(&mut self, block: &Block, options: bool, open: bool) -> bool {
        let close = block.close - 1;
        self.piece(block.open, block.open + 1, None);
        let empty = block.statements.is_empty() && self.comment_before(close).is_none();
        let flat = empty || (!open && self.is_flat(block));
        if flat {
            self.gap(block.statements.first().map_or(close, |first| first.head.start), Gap::One);
            self.write_row(&block.statements, options, false);
            if !empty {
                self.gap(close, Gap::One);
            }
        } else {
            self.depth += 1;
            self.pen.block_begins = true;
            self.statements(&block.statements, options, close);
            self.depth -= 1;
            self.pen.block_begins = false;
            self.line(0);
        }
        self.piece(close, block.close, None);
        flat && !empty
    }

    /// A block that its author wrote on one line, and whose statements can stand on one.
    fn is_flat(&self, block: &Block) -> bool {
        !self.text[block.open..block.close].contains('\n')
            && block.statements.iter().skip(1).all(|s| s.follows_block)
            && block.statements.iter().filter_map(|s| s.block.as_ref()).all(|inner| self.is_flat(inner))
    }

    fn holds_options(&self, statement: &Statement, options: bool) -> bool {
        match self.first_word(statement) {
            "for" | "if" | "else" => options,
            word => !HOLDS_STATEMENTS.contains(&word) && !word.starts_with(|c: char| c.is_ascii_digit()),
        }
    }

    fn goes_on(&self, statement: &Statement) -> bool {
        GOES_ON.contains(&self.first_word(statement))
    }

    fn first_word(&self, statement: &Statement) -> &str {
        let head = &self.text[statement.head.clone()];
        &head[..head.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()]
    }
}
