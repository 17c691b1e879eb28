//! Says what a statement should have had where it stopped making sense. In: the text, the place, what could have stood there.
//! Out: one problem in words for people. Reads no statements.

use std::ops::Range;

use super::hints;
use super::nearest::nearest;
use super::parser::{END, Kind, Wanted};
use super::problem::SyntaxError;
use crate::quantity::{LiteralError, nearest_unit, parse_literal};
use crate::source::{FileId, Span};

/// How many alternatives a message lists.
const MOST_ALTERNATIVES: usize = 7;

/// Makes the problem of a statement in `head`, read by the rule of `entry`, that went wrong at `at`.
pub(super) fn explain(file: FileId, text: &str, entry: Kind, head: Range<usize>, at: usize, wanted: &[Wanted]) -> SyntaxError {
    let at = at.min(head.end);
    let found = &text[at..head.end];
    let token = &found[..token_length(found)];
    if could_end(wanted)
        && nearest_keyword(token, wanted).is_none()
        && let Some((number, unit)) = unit_after_blank(text, &head, at)
        && ((!entry.has_block() && entry != Kind::ScnLine) || is_or_means_unit(number, unit))
    {
        return unit_problem(super::span(file, at, at + unit.len()), number, unit);
    }
    let help = nearest_keyword(token, wanted)
        .map(|near| format!("did you mean `{near}`?"))
        .or_else(|| hints::of_statement(text, entry, &head, at, token, wanted))
        .or_else(|| hints::of_character(text, at))
        .or_else(|| missing_end(entry, token, wanted));
    let span = super::span(file, at, at + token.len());
    SyntaxError::Expected { span, wanted: wanted_words(entry, wanted), found: found_words(text, token, at), help }
}

/// What could have stood there; of a statement that could have ended, that it could.
fn wanted_words(entry: Kind, wanted: &[Wanted]) -> String {
    let major: Vec<&str> = wanted.iter().filter(|w| !w.minor && w.words != END).map(|w| w.words.as_str()).collect();
    let minor = wanted.iter().filter(|w| w.minor).map(|w| w.words.as_str());
    let mut shown = if could_end(wanted) || !major.is_empty() { major } else { minor.collect() };
    shown.truncate(MOST_ALTERNATIVES);
    if could_end(wanted) {
        shown.push(if entry.has_block() { "`{`" } else { END });
    }
    match shown.as_slice() {
        [] => "something else".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

pub(super) fn could_end(wanted: &[Wanted]) -> bool {
    wanted.iter().any(|w| w.words == END)
}

fn found_words(text: &str, token: &str, at: usize) -> String {
    if !token.is_empty() {
        return format!("`{token}`");
    }
    match text[at..].trim_start_matches([' ', '\t', '\r']).chars().next() {
        None => "the end of the file".to_owned(),
        Some('\n' | '#') => "the end of the line".to_owned(),
        Some(other) => format!("`{other}`"),
    }
}

/// Length of the word, number, text or sign at the start.
fn token_length(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if is_word(first) {
        let number = first.is_ascii_digit();
        return text.find(|c: char| !(is_word(c) || number && matches!(c, '.' | '/' | '%' | ':'))).unwrap_or(text.len());
    }
    if text.starts_with("\"\"\"") {
        return text.find('\n').unwrap_or(text.len());
    }
    if first == '"' {
        return text[1..].find(['"', '\n']).map_or(text.len(), |end| end + 2);
    }
    for sign in ["<->", "<-->", "<--", "-->", "->", "<-", "<>", "==", "!=", "<=", ">=", "=<", "=>", "..", "&&", "||", "//", "/*"] {
        if text.starts_with(sign) {
            return sign.len();
        }
    }
    first.len_utf8()
}

fn nearest_keyword<'w>(token: &str, wanted: &'w [Wanted]) -> Option<&'w str> {
    nearest(token, wanted.iter().filter_map(|w| w.keyword.as_deref()))
}

fn missing_end(entry: Kind, token: &str, wanted: &[Wanted]) -> Option<String> {
    (could_end(wanted) && !token.is_empty() && !entry.has_block()).then(|| "a new line or `;` ends a statement".to_owned())
}

/// A word at `at` that follows a number and a blank: the number and the word, with `/s` if that follows.
pub(super) fn unit_after_blank<'t>(text: &'t str, head: &Range<usize>, at: usize) -> Option<(&'t str, &'t str)> {
    let before = text[head.start..at].trim_end();
    let number = &before[before.rfind(|c: char| !(c.is_ascii_digit() || c == '.')).map_or(0, |i| i + 1)..];
    let glued = before[..before.len() - number.len()].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    if number.is_empty() || glued || before.len() == at - head.start || parse_literal(number).is_err() {
        return None;
    }
    let rest = &text[at..head.end];
    let unit = &rest[..rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '%'))).unwrap_or(rest.len())];
    unit.starts_with(|c: char| c.is_ascii_alphabetic() || c == '%').then_some((number, unit))
}

/// The problem of a unit that does not touch its number.
pub(super) fn unit_problem(span: Span, number: &str, unit: &str) -> SyntaxError {
    let (number, unit) = (number.to_owned(), unit.to_owned());
    if parse_literal(&format!("{number}{unit}")).is_ok() {
        SyntaxError::BlankBeforeUnit { span, number, unit }
    } else {
        SyntaxError::literal(span, LiteralError::UnknownUnit { number, unit })
    }
}

/// A unit, or what is not quite one: `ms`, `sec`.
pub(super) fn is_or_means_unit(number: &str, word: &str) -> bool {
    parse_literal(&format!("{number}{word}")).is_ok() || nearest_unit(word).is_some()
}
