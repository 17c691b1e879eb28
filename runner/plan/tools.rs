//! Whether tools can do what flows ask of them. In: a planned flow. Out: arguments that scn gives the tool itself, and what the tool cannot do.
//! Whether a tool is there the machine tells before a run.

use super::errors::PlanError;
use super::types::PlannedFlow;
use crate::traffic::tools;

/// Everything that is wrong with what a flow asks of its tool.
pub(crate) fn check(flow: &PlannedFlow) -> Vec<PlanError> {
    let Some(tool) = &flow.tool else { return Vec::new() };
    let (word, span) = (tool.kind.word(), flow.span);
    let clash = |(argument, why)| PlanError::ToolArgument { tool: word, argument, why, span };
    let limit = |(what, instead)| PlanError::ToolLimit { tool: word, what, instead, span };
    tools::clashes(flow).into_iter().map(clash).chain(tools::beyond(flow).into_iter().map(limit)).collect()
}
