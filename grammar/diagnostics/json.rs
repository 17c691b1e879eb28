//! Diagnostics for machines. In: diagnostics and their texts. Out: one JSON object a line. A field is added with a new meaning
//! only; [`VERSION`] grows when one changes.

use serde::Serialize;

use super::lines::Lines;
use super::{Diagnostic, Label, Severity};
use crate::source::Sources;

/// The version of the form, in every object.
pub const VERSION: u32 = 1;

/// A place: lines and columns from 1 in characters, offsets from 0 in bytes; the end is one past the last.
#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    start: u32,
    end: u32,
    text: &'a str,
}

#[derive(Serialize)]
struct Object<'a> {
    version: u32,
    code: &'a str,
    severity: Severity,
    message: &'a str,
    #[serde(flatten)]
    primary: Place<'a>,
    labels: Vec<Place<'a>>,
    help: Option<&'a str>,
}

fn place<'a>(label: &'a Label, sources: &'a Sources, lines: &mut Lines) -> Place<'a> {
    let (start, end) = lines.places(sources, label.span);
    Place {
        file: &sources.get(label.span.file).name,
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        start: label.span.start,
        end: label.span.end,
        text: &label.text,
    }
}

/// One object for each diagnostic, each on a line of its own. `text` is what the label at the place says; `labels` are the
/// other places.
#[must_use]
pub fn json(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut lines = Lines::default();
    let mut text = String::new();
    for diagnostic in diagnostics {
        let object = Object {
            version: VERSION,
            code: diagnostic.code,
            severity: diagnostic.severity,
            message: &diagnostic.message,
            primary: place(&diagnostic.primary, sources, &mut lines),
            labels: diagnostic.secondary.iter().map(|label| place(label, sources, &mut lines)).collect(),
            help: diagnostic.help.as_deref(),
        };
        text.push_str(&serde_json::to_string(&object).expect("strings and numbers always serialise"));
        text.push('\n');
    }
    text
}
