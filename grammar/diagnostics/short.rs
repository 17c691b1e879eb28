//! One line for each diagnostic, as editors and `grep` read it. In: diagnostics and their texts. Out: lines. Draws nothing.

use std::fmt::Write;

use super::lines::Lines;
use super::{Diagnostic, Severity};
use crate::source::Sources;

/// `file:line:column: error[code]: message (help)`, one line each.
#[must_use]
pub fn short(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut lines = Lines::default();
    let mut text = String::new();
    for diagnostic in diagnostics {
        let span = diagnostic.primary.span;
        let (start, _) = lines.places(sources, span);
        let severity = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
        let name = &sources.get(span.file).name;
        let message = diagnostic.message.replace('\n', " ");
        let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!(" ({})", help.replace('\n', " ")));
        // Writing to a String can't fail.
        let _ = writeln!(text, "{name}:{}:{}: {severity}[{}]: {message}{help}", start.line, start.column, diagnostic.code);
    }
    text
}
