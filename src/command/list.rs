//! `scn list`: scenarios with their tags.

use scn_grammar::diagnostics::lines::Lines;
use scn_grammar::scenario::{Param, Scenario};
use scn_grammar::source::Sources;
use serde_json::{Value, json};

use super::{print, refuse, show_problems, tell};
use crate::arguments::{Format, ListArguments};
use crate::exit::Exit;
use crate::load;

/// Lists the selected scenarios. Files with problems are told about, the others still listed.
#[must_use]
pub fn list(arguments: &ListArguments) -> Exit {
    let selection = &arguments.selection;
    let loaded = match load::load(selection) {
        Ok(loaded) => loaded,
        Err(why) => return refuse(&why),
    };
    show_problems(&loaded.diagnostics, &loaded.sources, selection.message_format, false);
    match arguments.format {
        Format::Text => {
            let lines = loaded.scenarios.iter().map(|(_, s)| {
                let tags = if s.tags.is_empty() { String::new() } else { format!("  [{}]", s.tags.join(", ")) };
                let doc = s.doc.lines().next().map_or_else(String::new, |line| format!("  {line}"));
                format!("{}  {}{tags}{doc}\n", s.file, s.name)
            });
            print(&lines.collect::<String>());
        }
        Format::Json => {
            let mut lines = Lines::default();
            let scenarios: Vec<_> = loaded.scenarios.iter().map(|(_, s)| listed(s, &loaded.sources, &mut lines)).collect();
            print(&format!("{:#}\n", json!({"format": "scn-list", "version": 1, "scenarios": scenarios})));
        }
    }
    if loaded.has_errors(selection.strict) {
        Exit::Invalid
    } else if loaded.scenarios.is_empty() {
        tell(&loaded.nothing_selected());
        Exit::NothingSelected
    } else {
        Exit::Pass
    }
}

/// One variant of a scenario for programs. `line` is that of its declaration, from 1; the reference describes every field.
fn listed(scenario: &Scenario, sources: &Sources, lines: &mut Lines) -> Value {
    let pairs = |params: &[Param]| -> Vec<Value> { params.iter().map(|p| json!({ "name": p.name, "value": p.value })).collect() };
    let needs: Vec<Value> = scenario.needs.iter().map(|need| json!({ "kind": need.kind, "name": need.what })).collect();
    json!({
        "file": scenario.file,
        "line": lines.places(sources, scenario.span).0.line,
        "name": scenario.name,
        "declared": scenario.declared_name(),
        "tags": scenario.tags,
        "doc": scenario.doc,
        "params": pairs(&scenario.params),
        "matrix": pairs(&scenario.matrix),
        "needs": needs,
        "timeout_ns": scenario.timeout_ns,
        "counts": {
            "nodes": scenario.topology.nodes.len(),
            "links": scenario.topology.links.len(),
            "services": scenario.services.len(),
            "processes": scenario.processes.len(),
            "flows": scenario.flows.len(),
            "stresses": scenario.stresses.len(),
            "entries": scenario.timeline.len(),
            "expectations": scenario.expectations.len(),
        },
    })
}
