//! The plan as an outline: every line that `scn plan` prints, with the part of it that a reviewer cares about. In: a plan. Out: lines
//! within lines. `print` turns it into text and `diff` compares two of them, so that both speak of the same things.

mod actions;
mod conditions;
mod flows;
mod frames;
mod http;
mod links;
mod listeners;
mod load;
mod nodes;
mod processes;
mod steps;
mod times;
mod transports;
mod words;

use scn_grammar::scenario::{Need, NeedKind, NodeId, Param, Secret};

pub use links::impairment;
pub use load::tempo;
pub use processes::stress_words;

use super::types::Plan;
use words::duration;

/// A line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// As it is printed, without indentation; empty: it is not, nor what is under it.
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

    /// A line that is compared and not printed.
    pub fn hidden(key: impl Into<String>) -> Line {
        Line { words: String::new(), ..Line::about(key) }
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
    // Every field of a plan stands in one of the sections, or beside its name here.
    let Plan {
        version: _,
        scenario: _,
        doc: _,
        tags: _,
        file: _,
        span: _,
        params: _,
        matrix: _,
        seed: _,
        timeout_ns: _,
        timeout_said: _,
        tolerance_ns: _,
        needs: _,
        secrets: _,
        descriptors: _,
        nodes: _,
        interfaces: _,
        links: _,
        listeners: _,
        flows: _,
        processes,
        stresses,
        events: _,
        timeline: _,
        expectations: _,
        // Said when it runs.
        once: _,
    } = plan;
    let mut sections = vec![
        section("run", run(plan)),
        section("nodes", nodes::nodes(plan)),
        section("links", links::links(plan)),
        section("listeners", listeners::listeners(plan)),
    ];
    if !processes.is_empty() {
        sections.push(section("processes", processes::processes(plan)));
    }
    sections.push(section("flows", flows::flows(plan)));
    if !stresses.is_empty() {
        sections.push(section("stress", processes::stresses(plan)));
    }
    sections.push(Line { ordered: true, ..section("schedule", times::schedule(plan)) });
    sections.push(section("expectations", times::expectations(plan)));
    sections.extend(nodes::settings(plan));
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
    for Param { name, value, set } in &plan.params {
        let words = format!("param {name} = {value}{}", if *set { " (set)" } else { "" });
        lines.push(Line::new(format!("param {name}"), value.clone(), words));
    }
    for Param { name, value, set: _ } in &plan.matrix {
        lines.push(Line::new(format!("matrix {name}"), value.clone(), format!("matrix {name} = {value}")));
    }
    for Need { kind, what, span: _ } in &plan.needs {
        let kind = match kind {
            NeedKind::Tool => "tool",
            NeedKind::Kernel => "kernel",
        };
        lines.push(Line::about(format!("needs {kind} {what}")));
    }
    for Secret { name, variable } in &plan.secrets {
        lines.push(Line::new(format!("secret {name}"), variable.clone(), format!("secret {name} = *** (of the environment's {variable})")));
    }
    lines
}

/// A node's name.
fn name(plan: &Plan, node: NodeId) -> &str {
    plan.nodes.get(node.index()).map_or("?", |node| node.name.as_str())
}
