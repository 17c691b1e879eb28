//! The plan as an outline: every line that `scn plan` prints, with the part of it that a reviewer cares about. In: a plan. Out: lines
//! within lines. `print` turns it into text and `diff` compares two of them, so that both speak of the same things.

mod conditions;
mod flows;
mod network;
mod steps;
mod times;

use scn_grammar::quantity::{Dimension, Quantity};
use scn_grammar::scenario::NodeId;

pub use network::impairment;

use super::types::Plan;

/// A line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// As it is printed, without indentation.
    pub words: String,
    /// What it is about, unique among the lines beside it: the same key in two plans is the same thing.
    pub key: String,
    /// What the scenario says about that; `None`: the planner computed it, and a review leaves it out.
    pub meaning: Option<String>,
    /// The lines under it.
    pub below: Vec<Line>,
    /// The order of the lines under it means something.
    pub ordered: bool,
}

impl Line {
    /// A line that says something about its key.
    pub fn new(key: impl Into<String>, meaning: impl Into<String>, words: impl Into<String>) -> Line {
        Line { words: words.into(), key: key.into(), meaning: Some(meaning.into()), below: Vec::new(), ordered: false }
    }

    /// A line `key value`.
    pub fn pair(key: &str, value: impl AsRef<str>) -> Line {
        let value = value.as_ref();
        Line::new(key, value, format!("{key} {value}"))
    }

    /// A line that only names what the lines under it are about.
    pub fn about(words: impl Into<String>) -> Line {
        let words = words.into();
        Line::new(words.clone(), "", words)
    }

    /// A line that the planner computed.
    pub fn computed(words: impl Into<String>) -> Line {
        let words = words.into();
        Line { key: words.clone(), words, meaning: None, below: Vec::new(), ordered: false }
    }

    /// With lines under it; their keys are made unique.
    #[must_use]
    pub fn with(mut self, below: Vec<Line>) -> Line {
        self.below = distinct(below);
        self
    }

    /// With lines under it whose order means something.
    #[must_use]
    pub fn in_order(self, below: Vec<Line>) -> Line {
        Line { ordered: true, ..self.with(below) }
    }
}

/// Numbers the second and later of equal keys.
fn distinct(mut lines: Vec<Line>) -> Vec<Line> {
    let mut seen: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for line in &mut lines {
        let count = seen.entry(line.key.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            line.key = format!("{} ({count})", line.key);
        }
    }
    lines
}

/// The outline of a plan: one line a section, all about the scenario that [`Plan::scenario`] names.
#[must_use]
pub fn outline(plan: &Plan) -> Vec<Line> {
    let mut sections = vec![
        section("run", run(plan)),
        section("nodes", network::nodes(plan)),
        section("links", network::links(plan)),
        section("listeners", network::listeners(plan)),
        section("flows", flows::flows(plan)),
    ];
    let schedule = times::schedule(plan);
    sections.push(Line { ordered: true, ..section("schedule", schedule) });
    sections.push(section("expectations", times::expectations(plan)));
    sections.extend(network::settings(plan));
    sections
}

/// A section with its lines.
fn section(name: &str, below: Vec<Line>) -> Line {
    Line::about(name).with(below)
}

/// What the run is about.
fn run(plan: &Plan) -> Vec<Line> {
    let said = if plan.timeout_said { "as written" } else { "the default" };
    let timeout = duration(plan.timeout_ns);
    let mut lines = vec![
        Line::computed(format!("seed {}", plan.seed)),
        Line::new("timeout", timeout.clone(), format!("timeout {timeout} ({said})")),
        Line::pair("tolerance", duration(plan.tolerance_ns)),
        Line::computed(format!("descriptors {} at most", plan.descriptors)),
    ];
    if !plan.tags.is_empty() {
        lines.push(Line::pair("tags", plan.tags.join(", ")));
    }
    for param in &plan.params {
        let words = format!("param {} = {}{}", param.name, param.value, if param.set { " (set)" } else { "" });
        lines.push(Line::new(format!("param {}", param.name), param.value.clone(), words));
    }
    lines
}

/// A time in ns for people.
fn duration(ns: u64) -> String {
    if ns == 0 {
        return "0s".to_owned();
    }
    quantity(Dimension::Duration, ns)
}

/// A number in its base unit for people.
fn quantity(dimension: Dimension, value: u64) -> String {
    Quantity::new(dimension, i64::try_from(value).unwrap_or(i64::MAX)).to_string()
}

/// A node's name.
fn name(plan: &Plan, node: NodeId) -> &str {
    plan.nodes.get(node.index()).map_or("?", |node| node.name.as_str())
}
