//! The scenario's source with the verdicts beside its expectations. In: a record. Out: lines for the template.

use serde::Serialize;

use super::view::{Badge, badge};
use crate::record::RunRecord;
use crate::words;

/// Lines shown; a longer file shows the scenario's own lines only.
const MAX_LINES: usize = 600;
/// Characters of a line that are shown.
const MAX_CHARACTERS: usize = 400;

#[derive(Serialize)]
pub(super) struct SourceView {
    lines: Vec<Line>,
    /// Lines of the file that are not shown.
    hidden: usize,
}

#[derive(Serialize)]
struct Line {
    number: usize,
    text: String,
    /// Worst verdict of its expectations, as a class; empty: none.
    class: &'static str,
    verdicts: Vec<Mark>,
}

#[derive(Serialize)]
struct Mark {
    badge: Badge,
    measured: String,
}

pub(super) fn view(record: &RunRecord) -> SourceView {
    let source = &record.scenario.source;
    let total = source.lines().count();
    let (first, last) = if total <= MAX_LINES {
        (1, total)
    } else {
        let first = (record.scenario.lines.0 as usize).max(1);
        (first, (record.scenario.lines.1 as usize).min(first + MAX_LINES - 1).min(total))
    };
    let lines: Vec<Line> = source
        .lines()
        .enumerate()
        .map(|(at, text)| (at + 1, text))
        .skip_while(|(number, _)| *number < first)
        .take_while(|(number, _)| *number <= last)
        .map(|(number, text)| line(record, number, text))
        .collect();
    SourceView { hidden: total - lines.len(), lines }
}

fn line(record: &RunRecord, number: usize, text: &str) -> Line {
    let here: Vec<_> = record.expectations.iter().filter(|e| e.line as usize == number).collect();
    let verdicts: Vec<Mark> = here
        .iter()
        .map(|e| Mark { badge: badge(e), measured: e.outcome.as_ref().map_or(String::new(), |o| words::visible(value(&o.measured))) })
        .collect();
    let worst = here.iter().max_by_key(|e| crate::suite::counts(e).then(|| crate::suite::judged(e)));
    let text = text.replace('\t', "    ");
    Line { number, text: words::visible(&words::shortened(&text, MAX_CHARACTERS)), class: worst.map_or("", |e| badge(e).class), verdicts }
}

/// What was measured without the metric's name, which already stands on the line.
fn value(measured: &str) -> &str {
    measured.split_once(" = ").map_or(measured, |(_, value)| value)
}
