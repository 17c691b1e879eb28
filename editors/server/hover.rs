//! What a word means, for the little window over it. In: a document, its last check, a byte. Out: Markdown. A name: its declaration,
//! documentation and value; a literal: its other spellings; a metric: its unit and meaning; a word of the language: its form.

use std::ops::Range;

use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::quantity::{parse_literal, spellings};
use scn_grammar::source::{Sources, Span};
use scn_grammar::syntax::scan::Scan;
use scn_grammar::words::{self, Word, WordKind};

use crate::analysis::Analysis;
use crate::cursor::{Cursor, cursor, cut, is_word, path_before};
use crate::outline::{Declared, named, outline};

/// Markdown and the bytes it is about.
pub type Shown = (String, Range<usize>);

/// What stands at a byte.
#[must_use]
pub fn hover(text: &str, scan: &Scan, analysis: Option<&Analysis>, byte: usize) -> Option<Shown> {
    let at = cursor(text, scan, byte);
    if let Some(found) = problem(analysis, byte) {
        // Over a problem the editor shows the problem; what the word means stands below it.
        return meaning(text, scan, analysis, byte, &at).map(|(said, range)| (format!("{said}\n\n{found}"), range));
    }
    meaning(text, scan, analysis, byte, &at)
}

/// Where to read more about a problem at a byte.
fn problem(analysis: Option<&Analysis>, byte: usize) -> Option<String> {
    let analysis = analysis?;
    let covers = |d: &&Diagnostic| {
        d.primary.span.file == analysis.file && (d.primary.span.start as usize..=d.primary.span.end as usize).contains(&byte)
    };
    analysis.problems.iter().find(covers).map(|problem| format!("`scn explain {}` tells more.", problem.code))
}

fn meaning(text: &str, scan: &Scan, analysis: Option<&Analysis>, byte: usize, at: &Cursor<'_>) -> Option<Shown> {
    if at.quoted {
        return None;
    }
    if let Some(found) = literal(text, byte) {
        return Some(found);
    }
    if at.word.is_empty() {
        return None;
    }
    let word = &text[at.word.clone()];
    let outline = outline(text, scan);
    let own = outline.iter().find(|declared| declared.span.start <= byte && byte <= declared.span.end);
    if let Some(reference) = analysis.and_then(|analysis| analysis.reference_at(byte)) {
        let sources = &analysis?.sources;
        return Some((described(sources, reference.declared, reference.what, reference.value.as_deref()), at.word.clone()));
    }
    if let Some(own) = own {
        let value = analysis.and_then(|analysis| analysis.declared_at(byte)).and_then(|reference| reference.value.clone());
        return Some((declared(text, own, own.what, value.as_deref()), at.word.clone()));
    }
    if let Some(metric) = metric(text, &outline, at) {
        return Some((explained(&metric), at.word.clone()));
    }
    if let Some(known) = words::explain(&at.heads, word) {
        return Some((explained(&known), at.word.clone()));
    }
    named(&outline, word, byte)
        .filter(|_| !text[..at.word.start].ends_with('.'))
        .map(|one| (declared(text, one, one.what, None), at.word.clone()))
}

/// A literal with a unit, in its other spellings.
fn literal(text: &str, byte: usize) -> Option<Shown> {
    let part = |c: char| c.is_ascii_alphanumeric() || ".%/_".contains(c);
    let start = text[..byte].rfind(|c| !part(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let end = text[byte..].find(|c| !part(c)).map_or(text.len(), |at| byte + at);
    // Of a range the end that the byte stands in.
    let start = text[start..byte].rfind("..").map_or(start, |at| start + at + 2);
    let end = text[byte..end].find("..").map_or(end, |at| byte + at);
    let written = text.get(start..end).filter(|written| written.starts_with(|c: char| c.is_ascii_digit()))?;
    let quantity = parse_literal(written).ok()?;
    let mut ways = spellings(quantity);
    let canonical = quantity.to_string();
    if !ways.contains(&canonical) {
        ways.insert(0, canonical);
    }
    ways.retain(|way| way != written);
    let equals = ways.iter().map(|way| format!(" = `{way}`")).collect::<String>();
    Some((format!("`{written}`{equals}\n\na {}", quantity.dimension.word()), start..end))
}

/// What is declared at a place of any text.
fn described(sources: &Sources, place: Span, what: &'static str, value: Option<&str>) -> String {
    let text = &sources.get(place.file).text;
    let scan = cut(text);
    let outline = outline(text, &scan);
    match outline.iter().find(|declared| declared.span.start == place.start as usize) {
        Some(one) => declared(text, one, what, value),
        None => {
            let value = value.map(|value| format!(" = `{value}`")).unwrap_or_default();
            format!("`{}`, {what}{value}", sources.text(place))
        }
    }
}

/// The first lines of a declaration, its documentation and its value.
fn declared(text: &str, one: &Declared, what: &str, value: Option<&str>) -> String {
    let head: Vec<&str> = text.get(one.head.clone()).unwrap_or("").lines().map(str::trim_end).collect();
    let mut shown = format!("```scn\n{}\n```\n`{}`, {what}", head.join("\n"), one.name);
    if let Some(value) = value {
        shown.push_str(&format!(" = `{value}`"));
    }
    if !one.doc.is_empty() {
        shown.push_str("\n\n");
        shown.push_str(&one.doc.join("\n"));
    }
    shown
}

/// The metric that the word at a cursor is a part of.
fn metric(text: &str, outline: &[Declared], at: &Cursor<'_>) -> Option<Word> {
    let rest = text[at.word.end..].find(|c: char| !(is_word(c) || c == '.')).map_or(text.len(), |end| at.word.end + end);
    let path = path_before(text, rest);
    let (what, name) = measured(text, outline, &path, at.word.start)?;
    let all = words::metrics_of(what);
    let exact = all.iter().find(|metric| metric.name == name);
    exact.or_else(|| all.iter().find(|metric| metric.name.starts_with(&format!("{name}.")))).cloned()
}

/// What a path measures: of what sort of thing, and which metric or the beginning of one.
#[must_use]
pub fn measured(_text: &str, outline: &[Declared], path: &[&str], byte: usize) -> Option<(&'static str, String)> {
    let owners = |what: &str| !words::metrics_of(what).is_empty();
    // `site.wan.dropped`: the last word that names something measured.
    let mut at = path.iter().enumerate().take(3).filter_map(|(at, word)| {
        let one = named(outline, word, byte).or_else(|| outline.iter().find(|declared| at > 0 && declared.name == *word))?;
        owners(one.what).then_some((at, one.what))
    });
    let (at, what) = at.next_back()?;
    let mut rest = &path[at + 1..];
    if what == "a link" && rest.first().is_some_and(|way| ["forward", "back"].contains(way)) {
        rest = &rest[1..];
    }
    Some((what, rest.join(".")))
}

/// A word of the language.
fn explained(word: &Word) -> String {
    let form = match word.kind {
        WordKind::Metric => format!("`{}`, a metric: {}", word.name, word.form),
        _ => format!("```scn\n{}\n```", word.form),
    };
    format!("{form}\n\n{}", word.doc).trim_end().to_owned()
}
