//! From text to syntax tree. In: one source text. Out: a [`tree::Document`] and every syntax error of the text. Looks up no names.
//!
//! ```text
//! text --scan--> statements and blocks --parser (pest), one statement at a time--> nodes --build_*--> tree
//! ```
//!
//! A statement that cannot be read is reported and left out; the others are read all the same.

mod build;
mod build_document;
mod build_expect;
mod build_expression;
mod build_flow;
mod build_nested;
mod build_options;
mod build_pattern;
mod build_process;
mod build_scenario;
mod build_service;
mod build_timeline;
mod build_topology;
mod expected;
mod hints;
pub(crate) mod literal;
pub mod nearest;
mod parser;
mod problem;
pub mod scan;
#[cfg(test)]
mod tests;
pub mod tree;
pub(crate) mod words;

use crate::diagnostics::Diagnostic;
use crate::source::{FileId, Span};
use build::Builder;
use problem::SyntaxError;
use tree::Document;

/// Every code of this stage, some more than once; each has a page.
pub const CODES: &[&str] = SyntaxError::CODES;
/// How many syntax errors of one text are told.
pub const MOST_ERRORS: usize = 50;

/// Reads a text. The document holds everything that could be read; the diagnostics, in the order of the text, say what could
/// not. A byte order mark at the start and `\r\n` for a new line are taken.
#[must_use]
pub fn parse(file: FileId, text: &str) -> (Document, Vec<Diagnostic>) {
    let from = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    if let Some(at) = text.find(|c: char| c < ' ' && !matches!(c, '\t' | '\r' | '\n')) {
        let document = Document { file, version: None, items: Vec::new(), comments: Vec::new() };
        return (document, vec![SyntaxError::NotText { span: span(file, at, at + 1), byte: text.as_bytes()[at] }.into()]);
    }
    let scan = scan::scan(file, text, from);
    let returned = lone_return(text);
    let mut builder = Builder::new(file, text, scan.stray);
    let document = builder.document(&scan.statements, &scan.comments);
    let mut problems = scan.problems;
    // What a line without an end leads to would only be noise.
    if let Some(at) = returned {
        problems.clear();
        builder.problems.clear();
        problems.push(SyntaxError::LoneReturn { span: span(file, at, at + 1) }.into());
    }
    problems.append(&mut builder.problems);
    problems.sort_by_key(|p| p.primary.span);
    problems.dedup();
    if problems.len() > MOST_ERRORS {
        let next = problems[MOST_ERRORS].primary.span;
        problems.truncate(MOST_ERRORS);
        problems.push(SyntaxError::TooMany { span: next, limit: MOST_ERRORS }.into());
    }
    (document, problems)
}

/// The first `\r` that no `\n` follows.
fn lone_return(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    text.match_indices('\r').map(|(at, _)| at).find(|at| bytes.get(at + 1) != Some(&b'\n'))
}

/// Bytes of a file. A text beyond 4 GiB has no places past that.
fn span(file: FileId, start: usize, end: usize) -> Span {
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { file, start: place(start), end: place(end) }
}
