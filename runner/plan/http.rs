//! What a scenario says over `http` that can't be carried out. In: patterns of flows and services. Out: what can't, in words.
//! Sends nothing.

use scn_grammar::scenario::pattern::{Pattern, Payload, Side, Step, StepKind};

/// A pattern that is no request and its answer.
pub(crate) fn beyond(pattern: Option<&Pattern>) -> Option<&'static str> {
    let fits = pattern.is_none_or(|pattern| is_an_exchange(&pattern.steps));
    (!fits).then_some("a pattern over `http` that is not one request as a text and then its answer")
}

/// The client sends a text and what belongs to it; then the server does, or the client reads what another server answers; that is all.
fn is_an_exchange(steps: &[Step]) -> bool {
    let (mut asked, mut read, mut answered) = (false, false, false);
    for step in steps {
        match &step.kind {
            StepKind::Pause { .. } | StepKind::Expects { by: Side::Server, .. } => {}
            StepKind::Expects { by: Side::Client, .. } => read = true,
            StepKind::Sends { by: Side::Client, payload, .. } => {
                if read || answered || !(asked || is_text(payload)) {
                    return false;
                }
                asked = true;
            }
            StepKind::Sends { by: Side::Server, payload, .. } => {
                if !asked || !(answered || is_text(payload)) {
                    return false;
                }
                answered = true;
            }
            StepKind::Echoes { .. } | StepKind::Repeat { .. } | StepKind::Choose { .. } | StepKind::Closes { .. } => return false,
        }
    }
    asked && (answered || read)
}

fn is_text(payload: &Payload) -> bool {
    matches!(payload, Payload::Text(_) | Payload::Bytes(_) | Payload::File(_))
}
