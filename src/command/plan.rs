//! `scn plan`: the whole expansion of scenarios, as text or JSON.

use scn_runner::plan;

use super::{print, refuse, show_problems, tell};
use crate::arguments::{Format, PlanArguments};
use crate::exit::Exit;
use crate::load;

/// Prints the plan of every selected scenario.
#[must_use]
pub fn plan(arguments: &PlanArguments) -> Exit {
    let selection = &arguments.selection;
    let mut loaded = match load::load(selection) {
        Ok(loaded) => loaded,
        Err(why) => return refuse(&why),
    };
    let mut plans = Vec::new();
    for (_, scenario) in &loaded.scenarios {
        match plan::plan(scenario, &plan::Settings { seed: arguments.seed, timing: arguments.timing.factor() }) {
            Ok(planned) => {
                loaded.diagnostics.extend(planned.warnings);
                plans.push(planned.plan);
            }
            Err(problems) => loaded.diagnostics.extend(problems),
        }
    }
    show_problems(&loaded.diagnostics, &loaded.sources, selection.message_format, false);
    if loaded.has_errors(selection.strict) {
        return Exit::Invalid;
    }
    if plans.is_empty() {
        tell("no scenario was selected");
        return Exit::NothingSelected;
    }
    match arguments.format {
        Format::Text => print(&plans.iter().map(plan::print::text).collect::<Vec<_>>().join("\n")),
        Format::Json => match serde_json::to_string_pretty(&plans) {
            Ok(text) => print(&format!("{text}\n")),
            Err(error) => {
                tell(&format!("internal error: the plan could not be written: {error}"));
                return Exit::Internal;
            }
        },
    }
    Exit::Pass
}
