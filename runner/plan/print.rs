//! The plan on paper: what `scn plan` prints. In: a plan. Out: text for people, stable from run to run, and JSON for machines.
//! Leaves nothing out but what is the same everywhere, which stands once.

use std::fmt::Write;

use super::outline::{Line, outline};
use super::types::Plan;

/// Characters of a line; the rest of a longer one is counted.
const LONGEST: usize = 200;

/// The plan as text.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut out = format!("plan of {} ({})\n", plan.scenario, plan.file);
    for doc in plan.doc.lines() {
        add(&mut out, 1, doc);
    }
    for section in outline(plan) {
        out.push('\n');
        add(&mut out, 0, &section.words);
        if section.below.is_empty() {
            add(&mut out, 1, "none");
        }
        section.below.iter().for_each(|line| lines(&mut out, 1, line));
    }
    out
}

/// The plan as JSON.
///
/// # Panics
/// Never: a plan has string keys and integers only.
#[must_use]
pub fn json(plan: &Plan) -> String {
    serde_json::to_string_pretty(plan).expect("a plan has string keys and finite numbers only")
}

/// Adds a line and those under it; nothing of one that is only compared.
fn lines(out: &mut String, depth: usize, line: &Line) {
    if line.words.is_empty() {
        return;
    }
    add(out, depth, &line.words);
    line.below.iter().for_each(|below| lines(out, depth + 1, below));
}

/// Adds a line, indented by so many steps.
fn add(out: &mut String, depth: usize, words: &str) {
    // Writing into a string does not fail.
    _ = writeln!(out, "{:width$}{}", "", shortened(words.trim_end()), width = 2 * depth);
}

/// A long line without its end, and how long that is.
pub(super) fn shortened(words: &str) -> std::borrow::Cow<'_, str> {
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}... ({} more characters)", &words[..end], words[end..].chars().count()).into(),
        None => words.into(),
    }
}
