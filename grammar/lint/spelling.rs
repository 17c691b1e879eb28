//! Spellings that the language takes and `scn fmt` rewrites. In: the pieces of a file. Out: warnings with their fix.

use super::words::Words;
use super::{LintError, Linted};
use crate::format::bit_rate;
use crate::source::Span;

/// Looks at every number.
pub(super) fn lint(file: &Linted<'_>, words: &Words<'_>, problems: &mut Vec<LintError>) {
    for piece in &words.pieces {
        let Some(old) = file.text.get(piece.clone()) else { continue };
        if !old.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        if let Some(new) = bit_rate(old) {
            let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
            let span = Span { file: file.document.file, start: at(piece.start), end: at(piece.end) };
            problems.push(LintError::OldSpelling { old: old.to_owned(), new, span });
        }
    }
}
