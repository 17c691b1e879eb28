//! What changed in meaning between two versions of scenarios and libraries. In: the plans and declarations of both sides. Out: the
//! scenarios and declarations that are new, gone or different, as text, Markdown and JSON. What the planner computed does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use scn_grammar::declarations::Declaration;
use serde::Serialize;

use super::diff::{self, Change};
use super::outline::{Line, outline};
use super::types::Plan;

/// One version.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// The plans of its scenarios.
    pub plans: Vec<Plan>,
    /// What its libraries declare: the file, as both sides name it, and the declarations.
    pub libraries: Vec<(String, Vec<Declaration>)>,
}

/// Everything that changed, in the order of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Review {
    /// Scenarios.
    pub scenarios: Vec<Part>,
    /// Libraries, by their files.
    pub libraries: Vec<Part>,
}

/// A scenario or a library that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// How it is not.
    pub kind: PartKind,
    /// What changed in it; nothing of one that is new or gone.
    pub changes: Vec<Change>,
}

/// How a part is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// It was not there.
    New,
    /// It is not there any more.
    Gone,
    /// It is different.
    Changed,
}

impl PartKind {
    fn word(self) -> &'static str {
        match self {
            PartKind::New => "new",
            PartKind::Gone => "gone",
            PartKind::Changed => "changed",
        }
    }
}

/// Compares two versions.
#[must_use]
pub fn review(old: &Side, new: &Side) -> Review {
    Review { scenarios: parts(&scenarios(old), &scenarios(new)), libraries: parts(&libraries(old), &libraries(new)) }
}

/// The outline of each scenario, by its name; a name that several files use is told with its file.
fn scenarios(side: &Side) -> BTreeMap<String, Vec<Line>> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    side.plans.iter().for_each(|plan| *count.entry(&plan.scenario).or_default() += 1);
    let name = |plan: &Plan| match count[plan.scenario.as_str()] {
        1 => plan.scenario.clone(),
        _ => format!("{} ({})", plan.scenario, plan.file),
    };
    side.plans.iter().map(|plan| (name(plan), outline(plan))).collect()
}

/// The declarations of each library as an outline.
fn libraries(side: &Side) -> BTreeMap<String, Vec<Line>> {
    let line = |declaration: &Declaration| {
        let Declaration { name, head, body } = declaration;
        let body = body.iter().map(|line| Line::about(line.clone())).collect();
        Line::new(name.clone(), head.clone(), head.clone()).in_order(body)
    };
    side.libraries.iter().map(|(file, all)| (file.clone(), Line::about("").with(all.iter().map(line).collect()).below)).collect()
}

fn parts(old: &BTreeMap<String, Vec<Line>>, new: &BTreeMap<String, Vec<Line>>) -> Vec<Part> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let part = |name: &String| {
        let (kind, changes) = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => (PartKind::Changed, diff::diff(old, new)),
            (None, _) => (PartKind::New, Vec::new()),
            (_, None) => (PartKind::Gone, Vec::new()),
        };
        (kind != PartKind::Changed || !changes.is_empty()).then(|| Part { name: name.clone(), kind, changes })
    };
    names.into_iter().filter_map(part).collect()
}

impl Review {
    /// Nothing means anything else than before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scenarios.is_empty() && self.libraries.is_empty()
    }

    fn parts(&self) -> impl Iterator<Item = (&'static str, &Part)> {
        let scenarios = self.scenarios.iter().map(|part| ("scenario", part));
        scenarios.chain(self.libraries.iter().map(|part| ("library", part)))
    }

    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (what, part) in self.parts() {
            // Writing into a string does not fail.
            _ = writeln!(out, "{} {what} {}", part.kind.word(), part.name);
            out.push_str(&diff::text(&part.changes));
        }
        out
    }

    /// For a comment at a merge request.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for (what, part) in self.parts() {
            let blank = if out.is_empty() { "" } else { "\n" };
            _ = writeln!(out, "{blank}### {} {what} {}", part.kind.word(), diff::code(&part.name));
            if !part.changes.is_empty() {
                out.push('\n');
                out.push_str(&diff::markdown(&part.changes));
            }
        }
        if out.is_empty() { "No scenario means anything else than before.\n".to_owned() } else { out }
    }

    /// For programs.
    ///
    /// # Panics
    /// Never: a review has string keys only.
    #[must_use]
    pub fn json(&self) -> String {
        let whole = serde_json::json!({"format": "scn-diff", "version": 1, "scenarios": self.scenarios, "libraries": self.libraries});
        format!("{whole:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::build::build;
    use super::*;

    fn named(name: &str, change: impl FnOnce(&mut Plan)) -> Plan {
        let mut plan = build("host a, b", "a - b").talk("a", "b").good();
        plan.scenario = name.to_owned();
        change(&mut plan);
        plan
    }

    fn side(plans: Vec<Plan>, libraries: &[(&str, &str)]) -> Side {
        let of = |text: &str| scn_grammar::declarations::declarations(scn_grammar::source::FileId(0), text).unwrap();
        Side { plans, libraries: libraries.iter().map(|(file, text)| ((*file).to_owned(), of(text))).collect() }
    }

    #[test]
    fn equal_sides_differ_in_nothing() {
        let one = side(vec![named("x", |_| {})], &[("a.scn", "scn 1\nlet a = 1\n")]);
        let other = side(vec![named("x", |plan| plan.seed = 9)], &[("a.scn", "scn 1\n\n# told\nlet a=1\n")]);
        assert!(review(&one, &other).is_empty());
        assert_eq!(review(&one, &other).text(), "");
    }

    #[test]
    fn what_is_new_gone_and_different_is_told() {
        let old = side(
            vec![named("stays", |_| {}), named("goes", |_| {})],
            &[("l.scn", "scn 1\npattern p(n: size) { client sends n; server sends n }\nlet a = 1\n")],
        );
        let slower = |plan: &mut Plan| plan.flows[0].load.rate_nano = Some(5_000_000_000);
        let new = side(
            vec![named("stays", slower), named("comes", |_| {})],
            &[("l.scn", "scn 1\npattern p(n: size, m: size = 1B) { client sends n; server sends m }\n"), ("m.scn", "scn 1\nlet b = 2\n")],
        );
        let review = review(&old, &new);
        assert_eq!(
            review.text(),
            "new scenario comes\ngone scenario goes\nchanged scenario stays\n\
             \x20 ~ flows / f0 / rate: closed loop: a transaction starts when the one before it ends -> 5/s\n\
             changed library l.scn\n\
             \x20 ~ pattern p: pattern p(n: size) -> pattern p(n: size, m: size = 1B)\n\
             \x20 + pattern p / server sends m\n\
             \x20 - pattern p / server sends n\n\
             \x20 - let a: let a = 1\n\
             new library m.scn\n"
        );
        assert!(review.markdown().starts_with("### new scenario `comes`\n\n### gone scenario `goes`\n"), "{}", review.markdown());
        let json: serde_json::Value = serde_json::from_str(&review.json()).unwrap();
        assert_eq!(json["scenarios"][2]["changes"][0]["path"][2], "rate");
        assert_eq!(json["libraries"][1]["kind"], "new");
    }

    #[test]
    fn scenarios_of_one_name_are_told_apart_by_their_files() {
        let in_file = |file: &str| named("x", |plan| plan.file = file.to_owned());
        let old = side(vec![in_file("a.scn"), in_file("b.scn")], &[]);
        let new = side(vec![in_file("a.scn"), in_file("c.scn")], &[]);
        assert_eq!(review(&old, &new).text(), "gone scenario x (b.scn)\nnew scenario x (c.scn)\n");
    }
}
