//! Says what a statement should have had where it stopped making sense. In: the text, the place, what could have stood there.
//! Out: one problem in words for people. Reads no statements.

use std::ops::Range;

use super::nearest::nearest;
use super::parser::Wanted;
use super::problem::SyntaxError;
use crate::quantity::{LiteralError, parse_literal};
use crate::source::FileId;

/// How many alternatives a message lists.
const MOST_ALTERNATIVES: usize = 6;

/// Makes the problem of a statement in `head` that went wrong at `at`.
pub(super) fn explain(file: FileId, text: &str, head: Range<usize>, at: usize, wanted: &[Wanted]) -> SyntaxError {
    let at = at.min(head.end);
    let found = &text[at..head.end];
    let token = &found[..token_length(found)];
    if let Some(problem) = unit_after_blank(file, text, &head, at, token, wanted) {
        return problem;
    }
    let words = wanted_words(wanted);
    let help = nearest_keyword(token, wanted)
        .map(|near| format!("did you mean `{near}`?"))
        .or_else(|| help_for_character(text, at))
        .or_else(|| missing_end(token, wanted));
    let span = super::span(file, at, at + token.len());
    SyntaxError::Expected { span, wanted: words, found: found_words(text, token, at), help }
}

/// The alternatives: what the statement needs; only if it could have ended here, what could still have followed.
fn wanted_words(wanted: &[Wanted]) -> String {
    let is_end = |w: &Wanted| w.words == "the end of the statement";
    let needed: Vec<&str> = wanted.iter().filter(|w| !w.optional && !is_end(w)).map(|w| w.words.as_str()).collect();
    let mut shown = if needed.is_empty() {
        let mut more: Vec<&str> = wanted.iter().filter(|w| w.optional && !is_operator(w)).map(|w| w.words.as_str()).collect();
        more.truncate(MOST_ALTERNATIVES - 1);
        more.push("the end of the statement");
        more
    } else {
        needed
    };
    shown.truncate(MOST_ALTERNATIVES);
    match shown.as_slice() {
        [] => "something else".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn is_operator(wanted: &Wanted) -> bool {
    wanted.optional && matches!(wanted.keyword.as_deref(), Some("and" | "or" | "matches" | "not"))
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
    if first == '"' {
        return text[1..].find(['"', '\n']).map_or(text.len(), |end| end + 2);
    }
    for sign in ["<->", "->", "==", "!=", "<=", ">=", "..", "&&", "||"] {
        if text.starts_with(sign) {
            return sign.len();
        }
    }
    first.len_utf8()
}

fn nearest_keyword<'w>(token: &str, wanted: &'w [Wanted]) -> Option<&'w str> {
    nearest(token, wanted.iter().filter_map(|w| w.keyword.as_deref()))
}

/// Signs that other languages use.
pub(super) fn help_for_character(text: &str, at: usize) -> Option<String> {
    let rest = &text[at..];
    let help = match rest.chars().next()? {
        '“' | '”' | '„' | '«' | '»' => "texts stand in straight quotes: \"like this\"",
        '\'' | '‘' | '’' => "texts stand in double quotes: \"like this\"",
        '&' => "write `and`",
        '|' => "write `or`",
        '!' => "write `not`, or `!=` to compare",
        '=' if !rest.starts_with("==") => "`==` compares",
        '-' if rest.starts_with("->") => "a link is written `a <-> b`",
        '\u{a0}' => "this is a no-break space; write a plain blank",
        _ => return None,
    };
    Some(help.to_owned())
}

fn missing_end(token: &str, wanted: &[Wanted]) -> Option<String> {
    let could_end = wanted.iter().any(|w| w.words == "the end of the statement");
    let needs_more = wanted.iter().any(|w| !w.optional && w.words != "the end of the statement");
    (could_end && !needs_more && !token.is_empty()).then(|| "a new line or `;` ends a statement".to_owned())
}

/// A word after a number and a blank: a unit that should touch its number, or no unit at all.
pub(super) fn unit_after_blank(
    file: FileId,
    text: &str,
    head: &Range<usize>,
    at: usize,
    token: &str,
    wanted: &[Wanted],
) -> Option<SyntaxError> {
    if !token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '%') || nearest_keyword(token, wanted).is_some() {
        return None;
    }
    let needs_more = wanted.iter().any(|w| !w.optional && w.words != "the end of the statement");
    let before = text[head.start..at].trim_end();
    if needs_more || before.len() == at - head.start {
        return None;
    }
    let number = &before[before.rfind(|c: char| !(c.is_ascii_digit() || c == '.')).map_or(0, |i| i + 1)..];
    let number_starts = before.len() - number.len();
    let glued = before[..number_starts].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    if number.is_empty() || glued || parse_literal(number).is_err() {
        return None;
    }
    let word_and_rest = &text[at..head.end];
    let unit_end = word_and_rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '%'))).unwrap_or(word_and_rest.len());
    let unit = &word_and_rest[..unit_end];
    let span = super::span(file, at, at + unit.len());
    if parse_literal(&format!("{number}{unit}")).is_ok() {
        return Some(SyntaxError::BlankBeforeUnit { span, number: number.to_owned(), unit: unit.to_owned() });
    }
    let error = LiteralError::UnknownUnit { number: number.to_owned(), unit: unit.to_owned() };
    Some(SyntaxError::UnknownUnit { span, error })
}
