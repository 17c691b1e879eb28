//! `scn list`: scenarios with their tags.

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
            let scenarios: Vec<_> = loaded
                .scenarios
                .iter()
                .map(|(_, s)| {
                    let params: Vec<_> = s.params.iter().map(|p| serde_json::json!({"name": p.name, "value": p.value})).collect();
                    serde_json::json!({"file": s.file, "name": s.name, "tags": s.tags, "doc": s.doc, "params": params, "timeout_ns": s.timeout_ns})
                })
                .collect();
            print(&format!("{:#}\n", serde_json::json!({"format": "scn-list", "version": 1, "scenarios": scenarios})));
        }
    }
    if loaded.has_errors(selection.strict) {
        Exit::Invalid
    } else if loaded.scenarios.is_empty() {
        tell(&format!("no scenario was selected ({} found)", loaded.found));
        Exit::NothingSelected
    } else {
        Exit::Pass
    }
}
