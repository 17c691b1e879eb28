//! What a scenario says of several streams of one connection of QUIC that can't be carried out. In: flows. Out: what can't, in words. Sends nothing.

use scn_grammar::scenario::flow::{Flow, Phase};
use scn_grammar::scenario::pattern::{Close, Step, StepKind};

use super::datagrams;

/// Of a flow with so many streams.
pub(crate) fn beyond(flow: &Flow, streams: u64) -> Vec<&'static str> {
    if streams <= 1 {
        return Vec::new();
    }
    let pattern = flow.pattern.as_ref();
    let all = [
        (flow.load.phase == Phase::Random).then_some("`phase random` with `streams`"),
        flow.timeouts.idle_ns.map(|_| "`timeout { idle }` with `streams` over `quic`"),
        pattern.filter(|pattern| datagrams::server_begins(pattern)).map(|_| "a pattern that the server begins, with `streams` over `quic`"),
        pattern.filter(|pattern| resets(&pattern.steps)).map(|_| "a pattern that resets, with `streams` over `quic`"),
    ];
    all.into_iter().flatten().collect()
}

/// A step, or one inside it, ends the connection of all.
fn resets(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Closes { how, .. } => *how == Close::Reset,
        StepKind::Repeat { steps, .. } => resets(steps),
        StepKind::Choose { branches } => branches.iter().any(|branch| resets(&branch.steps)),
        _ => false,
    })
}
