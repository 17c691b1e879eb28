//! An expectation that did not pass, drawn like a syntax error: its place, its line with a caret, what was expected and measured,
//! when, and the events near it. In: a record and the expectation. Out: text for [`super::render`].

use super::{Style, Tone, tone};
use crate::record::{EventRecord, ExpectationRecord, RunRecord};
use crate::words;
use crate::{excerpt, suite};

/// Columns of the left words: `expected  `.
const LABEL: usize = 10;

pub(crate) fn draw(record: &RunRecord, expectation: &ExpectationRecord, style: Style) -> String {
    let verdict = suite::judged(expectation);
    let title = format!("{} {}: ", words::symbol(verdict, style.unicode), words::verdict(verdict));
    let mut out = String::new();
    for (at, part) in words::wrap(&format!("{title}{}", words::visible(&expectation.words)), style.width()).iter().enumerate() {
        let part = part.strip_prefix(title.trim_end()).filter(|_| at == 0).map_or_else(
            || style.paint(Tone::Strong, part),
            |rest| format!("{}{}", style.paint(tone(verdict), title.trim_end()), style.paint(Tone::Strong, rest)),
        );
        out.push_str(&style.plain(&part));
        out.push('\n');
    }
    place(&mut out, record, expectation, style);
    if expectation.name != expectation.words {
        labelled(&mut out, style, "named", &words::visible(&expectation.name));
    }
    facts(&mut out, record, expectation, style);
    out
}

/// The file, the line and the caret.
fn place(out: &mut String, record: &RunRecord, expectation: &ExpectationRecord, style: Style) {
    let gutter = expectation.line.to_string().len().max(2);
    let place = format!("{}:{}:{}", words::visible(&record.scenario.file), expectation.line, expectation.column);
    out.push_str(&format!("{}{} {}\n", " ".repeat(gutter), style.paint(Tone::Faint, "-->"), place));
    let Some(excerpt) = excerpt::of(record, expectation, style.width().saturating_sub(gutter + 4)) else { return };
    let bar = style.paint(Tone::Faint, style.bar());
    let caret = "^".repeat(excerpt.length);
    let number = style.paint(Tone::Faint, &format!("{:>gutter$}", excerpt.line));
    out.push_str(&format!("{} {bar}\n", " ".repeat(gutter)));
    out.push_str(&format!("{number} {bar} {}\n", style.plain(&excerpt.text)));
    let caret = style.paint(tone(suite::judged(expectation)), &caret);
    out.push_str(&format!("{} {bar} {}{caret}\n", " ".repeat(gutter), " ".repeat(excerpt.indent)));
}

/// What was expected and measured, why, when, and what happened near it.
fn facts(out: &mut String, record: &RunRecord, expectation: &ExpectationRecord, style: Style) {
    let Some(outcome) = &expectation.outcome else {
        let why = words::ending(&record.ended).unwrap_or_else(|| "nobody judged it; `scn judge` on the record does".to_owned());
        labelled(out, style, "reason", &why);
        return;
    };
    labelled(out, style, "expected", &words::visible(&outcome.expected));
    labelled(out, style, "measured", &words::visible(&outcome.measured));
    labelled(out, style, "reason", &words::visible(&outcome.reason));
    let window = outcome.window_ns.map(|(from, to)| format!("from {} to {}", words::instant(from), words::instant(to)));
    let samples = words::plural(usize::try_from(outcome.samples).unwrap_or(usize::MAX), "sample");
    let judged = window.map_or_else(|| samples.clone(), |window| format!("{window}, {samples}"));
    match outcome.decided_ns {
        Some(at) => labelled(out, style, "decided", &format!("at {}; judged {judged}", words::instant(at))),
        None => labelled(out, style, "judged", &judged),
    }
    if let Some((worst, at)) = &outcome.worst {
        labelled(out, style, "worst", &format!("{} at {}", words::visible(worst), words::instant(*at)));
    }
    let nearby = outcome.nearby.iter().filter_map(|at| record.events.get(*at as usize));
    for (at, event) in nearby.enumerate() {
        labelled(out, style, if at == 0 { "nearby" } else { "" }, &event_words(event));
    }
}

/// `3.000s  down primary (failure)`
pub(crate) fn event_words(event: &EventRecord) -> String {
    let name = event.name.as_ref().map(|name| format!(" ({})", words::visible(name))).unwrap_or_default();
    let error = event.error.as_ref().map(|error| format!("; could not be done: {}", words::visible(error))).unwrap_or_default();
    format!("{}  {}{name}{error}", words::instant(event.asked_ns), words::visible(&event.text))
}

fn labelled(out: &mut String, style: Style, label: &str, text: &str) {
    let room = style.width().saturating_sub(LABEL + 3);
    for (at, part) in words::wrap(&style.plain(text), room).iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        out.push_str(&format!("   {}{part}\n", style.paint(Tone::Faint, &format!("{label:<LABEL$}"))));
    }
}
