//! Places in a text as the protocol counts them: lines from 0, columns in UTF-16 units. In: a text. Out: bytes of it, and back. A place
//! beyond the end is the end: no place of a client is refused.

use lsp_types::{Position, Range};
use scn_grammar::source::Span;

/// Where the lines of a text begin.
#[derive(Debug, Clone)]
pub struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// Finds the lines of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Lines { starts: starts.collect() }
    }

    /// The line of a byte, from 0.
    #[must_use]
    pub fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// A byte as a position.
    #[must_use]
    pub fn position(&self, text: &str, byte: usize) -> Position {
        let byte = floor(text, byte);
        let line = self.line(byte);
        let before = text.get(self.starts[line]..byte).unwrap_or("");
        let column: usize = before.chars().map(char::len_utf16).sum();
        Position { line: number(line), character: number(column) }
    }

    /// A position as a byte: of one inside a character its beginning, of one beyond a line the line's end.
    #[must_use]
    pub fn byte(&self, text: &str, position: Position) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else { return text.len() };
        let end = self.starts.get(line + 1).map_or(text.len(), |next| next - 1);
        let (mut at, mut column) = (start, 0);
        for c in text.get(start..end).unwrap_or("").trim_end_matches('\r').chars() {
            column += c.len_utf16();
            if column > position.character as usize {
                break;
            }
            at += c.len_utf8();
        }
        at
    }

    /// Bytes as a range.
    #[must_use]
    pub fn range(&self, text: &str, start: usize, end: usize) -> Range {
        Range { start: self.position(text, start), end: self.position(text, end.max(start)) }
    }

    /// A span as a range.
    #[must_use]
    pub fn of_span(&self, text: &str, span: Span) -> Range {
        self.range(text, span.start as usize, span.end as usize)
    }
}

/// The beginning of the character at a byte, or the text's end.
fn floor(text: &str, byte: usize) -> usize {
    let byte = byte.min(text.len());
    (0..=byte).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_utf_16_units() {
        let text = "a\näö𝄞x\r\nend";
        let lines = Lines::of(text);
        let at = |line, character| lines.byte(text, Position { line, character });
        assert_eq!((at(1, 0), at(1, 1), at(1, 2), at(1, 4), at(1, 5)), (2, 4, 6, 10, 11));
        assert_eq!(at(1, 3), 6, "inside the clef: its beginning");
        assert_eq!(at(1, 900), 11, "before the line's end");
        assert_eq!((at(2, 3), at(2, 9), at(77, 0)), (16, 16, 16));
        for byte in [0, 1, 2, 4, 6, 10, 13, 16] {
            assert_eq!(lines.byte(text, lines.position(text, byte)), byte);
        }
        assert_eq!(lines.position(text, 999), Position { line: 2, character: 3 });
        assert_eq!(lines.position(text, 8), lines.position(text, 6), "inside a character");
    }
}
