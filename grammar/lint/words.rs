//! The words of a file and what each was found to mean. In: a file. Out: every place where a name may be used. Reads no comment, and of
//! texts only what stands in `${...}`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::Linted;
use crate::source::{FileId, Span};
use crate::syntax::scan::scan;

/// A word of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    /// Where, with its backticks if it has them.
    pub span: Span,
    /// It follows a dot: a member of what stands before.
    pub after_dot: bool,
    /// A dot follows.
    pub before_dot: bool,
}

/// Every word by what it says.
pub(super) struct Words<'a> {
    by_text: BTreeMap<&'a str, Vec<Word>>,
    looked_up: &'a BTreeSet<(Span, Span)>,
    /// The pieces of the file's statements: words, texts, regexes and single signs.
    pub pieces: Vec<Range<usize>>,
}

impl<'a> Words<'a> {
    /// Those of a file.
    pub fn of(file: &Linted<'a>) -> Self {
        let id = file.document.file;
        let from = if file.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut words = Words { by_text: BTreeMap::new(), looked_up: file.looked_up, pieces: scan(id, file.text, from).tokens };
        for piece in words.pieces.clone() {
            let Some(text) = file.text.get(piece.clone()) else { continue };
            if is_name(text) {
                words.add(file.text, id, piece);
            } else if text.starts_with('"') {
                for hole in holes(text) {
                    for word in names(&text[hole.clone()]) {
                        let from = piece.start + hole.start;
                        words.add(file.text, id, from + word.start..from + word.end);
                    }
                }
            }
        }
        words
    }

    fn add(&mut self, text: &'a str, file: FileId, place: Range<usize>) {
        let (before, after) = (&text.as_bytes()[..place.start], &text.as_bytes()[place.end..]);
        let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        let word = Word {
            span: Span { file, start: at(place.start), end: at(place.end) },
            after_dot: before.ends_with(b".") && !before.ends_with(b".."),
            before_dot: after.starts_with(b".") && !after.starts_with(b".."),
        };
        self.by_text.entry(text[place].trim_matches('`')).or_default().push(word);
    }

    /// Where a word stands.
    pub fn places(&self, text: &str) -> &[Word] {
        self.by_text.get(text).map_or(&[], Vec::as_slice)
    }

    /// Something inside `within` uses what is declared at `declared` by this name, or may do so.
    pub fn is_used(&self, name: &str, declared: Span, within: impl Fn(Span) -> bool) -> bool {
        self.places(name).iter().any(|word| {
            let means = self.meanings(word.span);
            let may = if means.is_empty() { !word.after_dot } else { means.contains(&declared) };
            may && word.span != declared && within(word.span)
        })
    }

    /// What a word was found to mean; empty: nobody looked it up.
    fn meanings(&self, place: Span) -> Vec<Span> {
        let least = Span { file: FileId(0), start: 0, end: 0 };
        self.looked_up.range((place, least)..).take_while(|(word, _)| *word == place).map(|(_, declared)| *declared).collect()
    }
}

/// A word, perhaps in backticks.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '`')
}

/// The places between `${` and `}`, as far as a look from outside tells.
fn holes(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("${").map(|(at, open)| {
        let from = at + open.len();
        from..text[from..].find('}').map_or(text.len(), |length| from + length)
    })
}

/// The places of names in a text.
fn names(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_ascii_alphanumeric() || matches!(c, '_' | '`'), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    found.retain(|word| is_name(&text[word.clone()]));
    found
}
