//! The line of an expectation with its caret. In: a record and one of its expectations. Out: the line as it is shown and the
//! columns to underline. Draws nothing.

use crate::record::{ExpectationRecord, RunRecord};
use crate::words::{column, visible};

/// A line of the source, ready to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line's number, from 1.
    pub line: u32,
    /// The line with tabs as four spaces and without control characters; cut at both ends if it was too wide.
    pub text: String,
    /// Columns before the underline.
    pub indent: usize,
    /// Columns of the underline, at least 1.
    pub length: usize,
}

/// The excerpt for an expectation, at most `width` columns; `None` when the source has no such line.
#[must_use]
pub fn of(record: &RunRecord, expectation: &ExpectationRecord, width: usize) -> Option<Excerpt> {
    let index = (expectation.line as usize).checked_sub(1)?;
    let source = record.scenario.source.lines().nth(index)?;
    let begin = (expectation.column as usize).saturating_sub(1);
    let end = begin + (expectation.length as usize).max(1);
    let width = width.max(20);

    let pieces: Vec<(String, usize)> = source.chars().take(MAX_CHARACTERS).map(shown).collect();
    let columns_to = |at: usize| pieces.iter().take(at).map(|(_, columns)| columns).sum::<usize>();
    let (mut from, total) = (0, columns_to(pieces.len()));
    if total > width && columns_to(end.min(pieces.len())) > width {
        from = begin.saturating_sub(LEAD).min(pieces.len());
    }
    let (mut text, mut used, mut to) = (if from > 0 { "…".to_owned() } else { String::new() }, usize::from(from > 0), from);
    for (piece, columns) in &pieces[from..] {
        if used + columns >= width && total > width {
            text.push('…');
            break;
        }
        text.push_str(piece);
        used += columns;
        to += 1;
    }
    let indent = usize::from(from > 0) + columns_to(begin.clamp(from, to)) - columns_to(from);
    let length = columns_to(end.clamp(from, to)) - columns_to(begin.clamp(from, to));
    Some(Excerpt { line: expectation.line, text: text.trim_end().to_owned(), indent, length: length.max(1) })
}

/// Characters of a line that are looked at.
const MAX_CHARACTERS: usize = 4000;
/// Characters kept before the underline of a line that is cut.
const LEAD: usize = 8;

fn shown(c: char) -> (String, usize) {
    if c == '\t' {
        return ("    ".to_owned(), 4);
    }
    let text = visible(&c.to_string());
    let columns = text.chars().map(column).sum();
    (text, columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    fn excerpt(source: &str, column: u32, length: u32, width: usize) -> Excerpt {
        let mut record = example::failover();
        record.scenario.source = source.to_owned();
        let expectation = ExpectationRecord { line: 1, column, length, ..record.expectations[0].clone() };
        of(&record, &expectation, width).unwrap()
    }

    #[test]
    fn the_caret_stands_under_its_words() {
        let e = excerpt("\ta é🦀 wanted rest", 7, 6, 80);
        assert_eq!((e.text.as_str(), e.indent, e.length), ("    a é🦀 wanted rest", 10, 6));
    }

    #[test]
    fn a_wide_line_is_cut_around_the_caret() {
        let line = format!("{}wanted{}", "x".repeat(300), "y".repeat(300));
        let e = excerpt(&line, 301, 6, 40);
        assert!(e.text.contains("wanted"), "{e:?}");
        assert!(e.text.chars().count() <= 41);
        assert_eq!(&e.text.chars().skip(e.indent).take(e.length).collect::<String>(), "wanted");
    }

    #[test]
    fn a_place_outside_the_source_has_no_excerpt() {
        let mut record = example::failover();
        record.scenario.source.clear();
        assert_eq!(of(&record, &record.expectations[0], 80), None);
    }
}
