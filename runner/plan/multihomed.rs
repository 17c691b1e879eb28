//! What a scenario says over `mptcp` and `sctp` that can't be carried out. In: flows, services, patterns, actions. Out: what can't, in words.
//! Sends nothing.

use scn_grammar::scenario::Scenario;
use scn_grammar::scenario::pattern::{Close, Pattern, Step, StepKind};
use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::transport::{Transport, TransportKind};

/// Of a flow.
pub(crate) fn flow(transport: &Transport, pattern: Option<&Pattern>) -> Vec<&'static str> {
    let Transport::Sctp { streams, .. } = transport else { return Vec::new() };
    let all = [(*streams > 1).then_some("`streams` over `sctp`"), half_closed(pattern)];
    all.into_iter().flatten().collect()
}

/// Of a service.
pub(crate) fn service(kind: TransportKind, pattern: Option<&Pattern>) -> Option<&'static str> {
    half_closed(pattern).filter(|_| kind == TransportKind::Sctp)
}

/// An association of SCTP ends as a whole (RFC 9260, 9).
fn half_closed(pattern: Option<&Pattern>) -> Option<&'static str> {
    pattern.is_some_and(|pattern| half_closes(&pattern.steps)).then_some("a pattern that half closes, over `sctp`")
}

fn half_closes(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Closes { how, .. } => *how == Close::Half,
        StepKind::Repeat { steps, .. } => half_closes(steps),
        StepKind::Choose { branches } => branches.iter().any(|branch| half_closes(&branch.steps)),
        _ => false,
    })
}

/// Of an action: the kernel can end a socket without a word only where it is one of TCP or UDP.
pub(crate) fn action(action: &Action, scenario: &Scenario) -> Option<&'static str> {
    let speaks = |kind: TransportKind| matches!(kind, TransportKind::Mptcp | TransportKind::Sctp);
    let flows = scenario.flows.iter().any(|flow| flow.tool.is_none() && speaks(flow.transport.kind()));
    let services = || scenario.services.iter().any(|service| speaks(service.listener.kind()));
    (matches!(action, Action::Vanish(_)) && (flows || services())).then_some("`vanish` beside `mptcp` or `sctp`")
}
