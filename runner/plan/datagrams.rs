//! What a scenario says over `udp` that has no meaning without a connection, or that no datagram holds. In: patterns and conditions.
//! Out: what can't be carried out, in words. Sends nothing.

use scn_grammar::scenario::expect::{Condition, Metric, Shape};
use scn_grammar::scenario::pattern::{Pattern, Payload, Side, Step, StepKind, Varying};
use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::transport::Transport;

use super::measured;
use super::types::{Engine, Plan, PlannedFlow};
use crate::traffic::live::Live;

/// A flow that begins its transactions nearer to each other than this sends several at once anyway, ns.
const NEAR_NS: u64 = 50_000;

/// The largest payload of a datagram over IPv4, bytes.
const LARGEST_DATAGRAM: u64 = 65_507;

/// Datagrams may leave a node of this run many in one piece, which the kernel cuts where it must: nothing on a link acts on single packets,
/// counts or captures them, and no node is told to do without offloads.
pub(crate) fn may_be_joined(plan: &Plan) -> bool {
    let off = plan.nodes.iter().flat_map(|node| &node.interfaces).any(|interface| interface.settings.offload == Some(false));
    let captured = plan.timeline.iter().any(|entry| matches!(entry.action, Action::Capture { .. }));
    let counted = !measured::interfaces(&plan.expectations, &plan.timeline).is_empty();
    is_prompt(plan) && plan.interfaces.is_empty() && !off && !captured && !counted
}

/// What is sent is there at once: no link keeps it for a while, or acts on single packets.
pub(crate) fn is_prompt(plan: &Plan) -> bool {
    plan.links.iter().all(|link| link.engine == Engine::Direct && !link.packets_alone)
}

/// A flow that gains by it: as fast as it can, or nearly.
pub(crate) fn is_dense(flow: &PlannedFlow) -> bool {
    matches!(flow.transport, Transport::Udp { .. }) && is_near(flow)
}

/// What a flow sends follows each other as fast as can be, or nearly.
pub(crate) fn is_near(flow: &PlannedFlow) -> bool {
    let paced = flow.load.rate_nano.is_some() || flow.load.bandwidth_bps.is_some();
    !paced || (1..=NEAR_NS).contains(&flow.interval_ns)
}

/// A step, or one inside it, ends the connection.
fn closes(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Closes { .. } => true,
        StepKind::Repeat { steps, .. } => closes(steps),
        StepKind::Choose { branches } => branches.iter().any(|branch| closes(&branch.steps)),
        _ => false,
    })
}

/// The sides that may be the first to send.
fn speaks_first(steps: &[Step]) -> Vec<Side> {
    for step in steps {
        let first = match &step.kind {
            StepKind::Sends { by, .. } | StepKind::Echoes { by } => vec![*by],
            StepKind::Repeat { steps, .. } => speaks_first(steps),
            StepKind::Choose { branches } => branches.iter().flat_map(|branch| speaks_first(&branch.steps)).collect(),
            _ => Vec::new(),
        };
        if !first.is_empty() {
            return first;
        }
    }
    Vec::new()
}

/// The server may be the first to send.
pub(crate) fn server_begins(pattern: &Pattern) -> bool {
    speaks_first(&pattern.steps).contains(&Side::Server)
}

/// Which of both is the first to send is drawn.
pub(crate) fn either_begins(pattern: &Pattern) -> bool {
    let first = speaks_first(&pattern.steps);
    first.contains(&Side::Server) && first.contains(&Side::Client)
}

/// The server sends nothing.
pub(crate) fn is_one_way(pattern: &Pattern) -> bool {
    fn only_client(steps: &[Step]) -> bool {
        steps.iter().all(|step| match &step.kind {
            StepKind::Sends { by, .. } | StepKind::Echoes { by } => *by == Side::Client,
            StepKind::Repeat { steps, .. } => only_client(steps),
            StepKind::Choose { branches } => branches.iter().all(|branch| only_client(&branch.steps)),
            StepKind::Expects { .. } | StepKind::Pause { .. } | StepKind::Closes { .. } => true,
        })
    }
    only_client(&pattern.steps)
}

/// The longest message of filling, text or bytes, as far as it is known beforehand.
fn longest(steps: &[Step]) -> u64 {
    let of = |step: &Step| match &step.kind {
        StepKind::Sends { payload: Payload::Filled(size) | Payload::Random(size), .. } => match size {
            Varying::Fixed(_) | Varying::Uniform(..) | Varying::Choice(_) => size.most(),
            // A draw without an end is told by the kernel if it ever is too long.
            _ => 0,
        },
        StepKind::Sends { payload: Payload::Bytes(bytes), .. } => bytes.len() as u64,
        StepKind::Repeat { steps, .. } => longest(steps),
        StepKind::Choose { branches } => branches.iter().map(|branch| longest(&branch.steps)).max().unwrap_or(0),
        _ => 0,
    };
    steps.iter().map(of).max().unwrap_or(0)
}

/// Messages of a size that no datagram holds.
pub(crate) fn too_long(size: Option<&Varying>) -> Option<String> {
    size.filter(|size| size.most() > LARGEST_DATAGRAM).map(|_| format!("a message of more than {LARGEST_DATAGRAM}B over `udp`"))
}

/// What of a pattern can't be played over datagrams.
pub(crate) fn beyond(pattern: Option<&Pattern>) -> Vec<String> {
    let Some(pattern) = pattern else { return Vec::new() };
    let mut found = Vec::new();
    if closes(&pattern.steps) {
        found.push("a pattern that closes, over `udp`".to_owned());
    }
    if server_begins(pattern) {
        found.push("a pattern that the server begins, over `udp`".to_owned());
    }
    if longest(&pattern.steps) > LARGEST_DATAGRAM {
        found.push(format!("a message of more than {LARGEST_DATAGRAM}B over `udp`"));
    }
    found
}

/// Counters in a condition of the timeline that only the whole run tells.
pub(crate) fn untold(condition: &Condition) -> Vec<&str> {
    let untold = |metric: &&Metric| metric.flow().is_some() && metric.shape != Shape::Interval && !Live::knows(&metric.name);
    condition.metrics().into_iter().filter(untold).map(|metric| metric.name.as_str()).collect()
}
