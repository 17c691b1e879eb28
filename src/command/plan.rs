//! `scn plan`: the whole expansion of scenarios as text or JSON, and their networks as graph or picture.

use scn_reports::html::{self, Network};
use scn_runner::plan;
use scn_runner::plan::types::Plan;

use super::{print, refuse, show_problems, tell};
use crate::arguments::{PlanArguments, PlanFormat};
use crate::exit::Exit;
use crate::load;

/// Prints the plan of every selected scenario.
#[must_use]
pub fn plan(arguments: &PlanArguments) -> Exit {
    if arguments.schema {
        print(plan::schema::SCHEMA);
        return Exit::Pass;
    }
    let selection = &arguments.selection;
    let mut loaded = match load::load(selection) {
        Ok(loaded) => loaded,
        Err(why) => return refuse(&why),
    };
    let mut plans = Vec::new();
    for at in 0..loaded.scenarios.len() {
        let settings = plan::Settings { seed: arguments.seed, timing: arguments.timing.factor(), engine: arguments.engine.choice() };
        match plan::plan(&loaded.scenarios[at].1, &settings) {
            Ok(planned) => {
                loaded.add_once(planned.warnings);
                plans.push(planned.plan);
            }
            Err(problems) => loaded.add_once(problems),
        }
    }
    show_problems(&loaded.diagnostics, &loaded.sources, selection.message_format, false);
    if loaded.has_errors(selection.strict) {
        return Exit::Invalid;
    }
    if plans.is_empty() {
        tell(&loaded.nothing_selected());
        return Exit::NothingSelected;
    }
    match arguments.format {
        PlanFormat::Text => print(&plans.iter().map(plan::print::text).collect::<Vec<_>>().join("\n")),
        PlanFormat::Dot => print(&plans.iter().map(plan::dot::dot).collect::<String>()),
        PlanFormat::Svg => return picture(&plans),
        PlanFormat::Json => match serde_json::to_string_pretty(&plans) {
            Ok(text) => print(&format!("{text}\n")),
            Err(error) => {
                tell(&format!("internal error: the plan could not be written: {error}"));
                return Exit::Internal;
            }
        },
    }
    Exit::Pass
}

/// Prints the network of the only plan.
fn picture(plans: &[Plan]) -> Exit {
    let [plan] = plans else {
        return refuse(&format!("{} scenarios are selected, and a picture shows one: choose it with --filter", plans.len()));
    };
    let (nodes, links) = (plan::picture::nodes(plan), plan::picture::links(plan, Vec::new(), Vec::new()));
    let first = plan.flows.first().map_or(0, |flow| flow.from.index());
    match html::network(Network { name: &plan.scenario, nodes: &nodes, links: &links, first }) {
        Some(svg) => {
            print(&svg);
            Exit::Pass
        }
        None => {
            let most = html::MAX_NODES;
            refuse(&format!("`{}` has {} nodes, and a picture shows 1 to {most}: --format dot has no limit", plan.scenario, nodes.len()))
        }
    }
}
