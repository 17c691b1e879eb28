//! Texts over lines. In: a `"""` token. Out: its lines one step further in than the statement's, where the language takes that indentation
//! off again. Reads no escapes and no holes.

use super::INDENT;
use super::printer::Printer;
use super::tokens::Token;
use crate::syntax::literal::long_lines;

impl Printer<'_> {
    /// Writes a text over lines.
    pub fn long_text(&mut self, token: Token) {
        let written = token.text(self.text);
        let quotes = written.find('"').unwrap_or(0) + 3;
        let (start, end) = (token.start + quotes, token.end - 3);
        let lines = long_lines(self.text, start, end);
        let first_line = &self.text[start..end][..self.text[start..end].find('\n').unwrap_or(0)];
        let opening = first_line.trim().is_empty();
        let counted = &lines[usize::from(!opening).min(lines.len())..];
        // Without a line that has words no indentation is common to all, and none is taken off.
        if !counted.is_empty() && counted.iter().all(|(from, to, _)| self.text[*from..*to].trim().is_empty()) {
            self.lines(token, &without_returns(written));
            return;
        }
        let indent = " ".repeat(self.pen.indent + INDENT);
        let mut out = self.text[token.start..start].to_owned();
        for (number, (from, to, _)) in lines.iter().enumerate() {
            if number > 0 || opening {
                out.push('\n');
                out.push_str(if from < to { &indent } else { "" });
            }
            out.push_str(&self.text[*from..*to]);
        }
        // The quotes stand alone on the last line.
        if lines.last().is_none_or(|(_, _, line_ends)| *line_ends) {
            out.push('\n');
            out.push_str(&indent);
        }
        out.push_str("\"\"\"");
        self.lines(token, &out);
    }
}

/// Line ends of other systems count as new lines.
fn without_returns(written: &str) -> String {
    let (lines, last) = written.rsplit_once('\n').unwrap_or(("", written));
    let lines = lines.split('\n').map(|line| line.trim_end_matches('\r').to_owned() + "\n");
    lines.chain([last.to_owned()]).collect()
}
