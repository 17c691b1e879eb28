//! What changed in meaning between two plans of one scenario. In: two outlines. Out: changes with the way to each, and their print for
//! a terminal and for a merge request. What the planner computed is left out: a reviewer asks what the file says now.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::outline::Line;
use super::print::shortened;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The way to it: `flows`, `steady`, `rate`.
    pub path: Vec<String>,
    /// What happened there.
    pub kind: ChangeKind,
}

/// What can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// New; what is said.
    Added(String),
    /// Gone; what was said.
    Removed(String),
    /// Said otherwise: before and now.
    Changed(String, String),
    /// The same lines in another order, which means something here.
    Reordered,
}

/// Every change between two outlines, in the order of the new one; what is gone stands at its old place's end.
#[must_use]
pub fn diff(old: &[Line], new: &[Line]) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(old, new, false, &mut Vec::new(), &mut changes);
    changes
}

fn compare(old: &[Line], new: &[Line], ordered: bool, path: &mut Vec<String>, changes: &mut Vec<Change>) {
    let said = |lines: &'_ [Line]| -> Vec<usize> { (0..lines.len()).filter(|at| lines[*at].meaning.is_some()).collect() };
    let before: BTreeMap<&str, (usize, &Line)> = said(old).into_iter().map(|at| (old[at].key.as_str(), (at, &old[at]))).collect();
    let mut last = None;
    let mut moved = false;
    for at in said(new) {
        let line = &new[at];
        path.push(line.key.clone());
        match before.get(line.key.as_str()) {
            None => changes.push(Change { path: path.clone(), kind: ChangeKind::Added(told(line)) }),
            Some((place, was)) => {
                moved |= last.is_some_and(|last| last > *place);
                last = Some(*place);
                if was.meaning != line.meaning {
                    let (a, b) = (was.meaning.clone().unwrap_or_default(), line.meaning.clone().unwrap_or_default());
                    changes.push(Change { path: path.clone(), kind: ChangeKind::Changed(a, b) });
                }
                compare(&was.below, &line.below, line.ordered, path, changes);
            }
        }
        path.pop();
    }
    let now: std::collections::BTreeSet<&str> = new.iter().filter(|line| line.meaning.is_some()).map(|line| line.key.as_str()).collect();
    for at in said(old) {
        if !now.contains(old[at].key.as_str()) {
            path.push(old[at].key.clone());
            changes.push(Change { path: path.clone(), kind: ChangeKind::Removed(told(&old[at])) });
            path.pop();
        }
    }
    if ordered && moved {
        changes.push(Change { path: path.clone(), kind: ChangeKind::Reordered });
    }
}

/// What a line says beyond its key.
fn told(line: &Line) -> String {
    let own = line.meaning.clone().unwrap_or_default();
    let below: Vec<&str> = line.below.iter().filter(|below| below.meaning.is_some()).map(|below| below.words.as_str()).collect();
    [own.as_str()].into_iter().chain(below).filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The changes for a terminal: one line each, `+` new, `-` gone, `~` otherwise.
#[must_use]
pub fn text(changes: &[Change]) -> String {
    let mut out = String::new();
    for change in changes {
        let path = change.path.iter().map(|part| part.trim()).collect::<Vec<_>>().join(" / ");
        // Writing into a string does not fail.
        _ = match &change.kind {
            ChangeKind::Added(what) => writeln!(out, "  + {path}{}", after(what)),
            ChangeKind::Removed(what) => writeln!(out, "  - {path}{}", after(what)),
            ChangeKind::Changed(old, new) => writeln!(out, "  ~ {path}: {} -> {}", shortened(old), shortened(new)),
            ChangeKind::Reordered => writeln!(out, "  ~ {path}: in another order"),
        };
    }
    out
}

fn after(what: &str) -> String {
    if what.is_empty() { String::new() } else { format!(": {}", shortened(what)) }
}

/// The changes for a comment at a merge request, as Markdown.
#[must_use]
pub fn markdown(changes: &[Change]) -> String {
    let mut out = String::new();
    for change in changes {
        let path: Vec<String> = change.path.iter().map(|part| code(part.trim())).collect();
        let path = path.join(" / ");
        // Writing into a string does not fail.
        _ = match &change.kind {
            ChangeKind::Added(what) => writeln!(out, "- **new** {path}{}", after(&escaped(what))),
            ChangeKind::Removed(what) => writeln!(out, "- **gone** {path}{}", after(&escaped(what))),
            ChangeKind::Changed(old, new) => writeln!(out, "- {path}: {} → {}", code(&shortened(old)), code(&shortened(new))),
            ChangeKind::Reordered => writeln!(out, "- {path}: in another order"),
        };
    }
    out
}

/// Words as code, whatever is in them.
pub(super) fn code(words: &str) -> String {
    let ticks = words.split(|c| c != '`').map(str::len).max().unwrap_or(0) + 1;
    let fence = "`".repeat(ticks);
    let blank = if words.starts_with('`') || words.ends_with('`') || words.is_empty() { " " } else { "" };
    format!("{fence}{blank}{}{blank}{fence}", words.replace('\n', " "))
}

/// Words in which Markdown sees nothing of its own.
fn escaped(words: &str) -> String {
    words.chars().fold(String::new(), |mut out, c| {
        if matches!(c, '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~') {
            out.push('\\');
        }
        out.push(if c == '\n' { ' ' } else { c });
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(rate: &str, steps: &[&str]) -> Vec<Line> {
        let steps = steps.iter().map(|step| Line::about(*step)).collect();
        let below = vec![Line::pair("rate", rate), Line::computed("at 10.0.0.1"), Line::pair("transaction", "talk").in_order(steps)];
        vec![Line::about("flows").with(vec![Line::new("f", "from a to b", "f from a to b").with(below)])]
    }

    #[test]
    fn the_way_to_each_change_is_told() {
        assert_eq!(diff(&flow("1/s", &["x", "y"]), &flow("1/s", &["x", "y"])), []);
        let changes = diff(&flow("1/s", &["x", "y"]), &flow("2/s", &["y", "x", "z"]));
        assert_eq!(
            text(&changes),
            "  ~ flows / f / rate: 1/s -> 2/s\n  + flows / f / transaction / z\n  ~ flows / f / transaction: in another order\n"
        );
        let gone = diff(&flow("1/s", &["x"]), &[Line::about("flows")]);
        assert_eq!(text(&gone), "  - flows / f: from a to b; rate 1/s; transaction talk\n");
    }

    #[test]
    fn equal_lines_count_by_their_number() {
        assert_eq!(text(&diff(&flow("1/s", &["x", "x"]), &flow("1/s", &["x"]))), "  - flows / f / transaction / x (2)\n");
    }

    #[test]
    fn what_the_planner_computed_is_no_change() {
        let line = |words: &str| vec![Line::about("nodes").with(vec![Line::computed(words)])];
        assert_eq!(diff(&line("eth0"), &line("eth1")), []);
    }

    #[test]
    fn markdown_takes_any_name() {
        let change = Change { path: vec!["`a`".into(), "b\nc".into()], kind: ChangeKind::Added("<b>*x*</b>".into()) };
        assert_eq!(markdown(&[change]), "- **new** `` `a` `` / `b c`: \\<b\\>\\*x\\*\\</b\\>\n");
        let change = Change { path: vec!["a".into()], kind: ChangeKind::Changed(String::new(), "``".into()) };
        assert_eq!(markdown(&[change]), "- `a`: `  ` → ``` `` ```\n");
    }
}
