//! What the body and the output of a case say. In: a record and an expectation. Out: plain text, before it is made fit for XML.

use crate::record::capture::CaptureRecord;
use crate::record::{ExpectationRecord, RunRecord};
use crate::suite::Suite;
use crate::text::{self, Style};
use crate::{suite, words};

/// Without colour and of constant width: the same wherever it is written.
const STYLE: Style = Style { colour: false, width: 100, unicode: true };

/// One line: what was expected and measured.
pub(super) fn message(record: &RunRecord, expectation: &ExpectationRecord) -> String {
    match &expectation.outcome {
        Some(outcome) => {
            format!(
                "expected {}, measured {}: {}",
                words::visible(&outcome.expected),
                words::visible(&outcome.measured),
                words::visible(&outcome.reason)
            )
        }
        None => words::ending(&record.ended).unwrap_or_else(|| "it was not judged".to_owned()),
    }
}

/// The expectation drawn with its place and caret.
pub(super) fn of_expectation(record: &RunRecord, expectation: &ExpectationRecord) -> String {
    text::problem(record, expectation, STYLE)
}

/// What one needs to run it again, and what happened.
pub(super) fn of_run(record: &RunRecord) -> String {
    let mut out = format!("seed: {}\nagain: {}\n", record.seed, words::reproduce(record));
    out.push_str(&format!("scn: {}\n", words::visible(&record.program)));
    if let Some(ending) = words::ending(&record.ended) {
        out.push_str(&format!("ended: {ending}\n"));
    }
    for warning in &record.warnings {
        out.push_str(&format!("warning: {}\n", words::visible(warning)));
    }
    if !record.events.is_empty() {
        out.push_str("events:\n");
    }
    for event in record.events.iter().take(MAX_EVENTS) {
        out.push_str(&format!("  {}\n", text::event_words(event)));
    }
    if record.events.len() > MAX_EVENTS {
        out.push_str(&format!("  and {} more\n", record.events.len() - MAX_EVENTS));
    }
    for note in record.expectations.iter().filter(|e| !suite::counts(e)) {
        let measured = note.outcome.as_ref().map_or("not judged", |outcome| outcome.measured.as_str());
        out.push_str(&format!(
            "note: {} ({}): {}\n",
            words::visible(&note.name),
            words::verdict(suite::judged(note)),
            words::visible(measured)
        ));
    }
    out
}

/// The captures, as GitLab and Jenkins take them: each on a line of its own, as a path from where the report is read. The fullest comes first:
/// some readers show only one.
pub(super) fn attachments(suite: &Suite<'_>, record: &RunRecord) -> String {
    let mut files: Vec<&CaptureRecord> = record.captures.iter().filter(|capture| capture.bytes > 0).collect();
    files.sort_by_key(|capture| std::cmp::Reverse(capture.packets));
    let folder = suite.folder.trim_end_matches('/');
    let path = |capture: &CaptureRecord| if folder.is_empty() { capture.file.clone() } else { format!("{folder}/{}", capture.file) };
    let paths = files.into_iter().take(MAX_ATTACHMENTS).map(path);
    // Whose name would end the marker can't be said in it.
    paths.filter(|path| !path.contains(['[', ']', '|']) && !path.chars().any(char::is_control)).fold(String::new(), |mut out, path| {
        out.push_str(&format!("[[ATTACHMENT|{path}]]\n"));
        out
    })
}

/// Files named; readers keep some hundred characters of the end where the markers stand.
const MAX_ATTACHMENTS: usize = 4;
/// Events listed before the rest is only counted.
const MAX_EVENTS: usize = 100;
