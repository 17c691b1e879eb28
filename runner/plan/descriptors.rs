//! How many file descriptors a run needs at most at once. In: the plan's parts. Out: a number that preflight holds against the
//! limits. Opens nothing.

use scn_grammar::scenario::StressId;
use scn_grammar::scenario::flow::{Change, Load};
use scn_grammar::scenario::timeline::{Action, Entry, Setting, StressSetting};

use super::turns;
use super::types::{Engine, PlannedFlow, PlannedLink, PlannedListener, PlannedNode, PlannedStress};

/// Both ends of a connection are ours.
const PER_CONNECTION: u64 = 2;

/// A host's namespace: its handle, its netlink socket, its thread's wake-up, and a probe socket.
const PER_NODE: u64 = 4;

/// A wire: a packet socket at each end.
const PER_WIRE: u64 = 2;

/// A connection that nobody answers is given up after so many seconds.
const OPENING_S: u64 = 5;

/// Standard streams, event loops, timers, the results folder's files, the fabric's namespace, and room for surprises.
const SLACK: u64 = 64;

/// Adds up.
pub(crate) fn descriptors(
    nodes: &[PlannedNode],
    links: &[PlannedLink],
    listeners: &[PlannedListener],
    (flows, stresses): (&[PlannedFlow], &[PlannedStress]),
    timeline: &[Entry],
) -> u64 {
    let connections = flows.iter().fold(0u64, |sum, flow| sum.saturating_add(alive(flow, timeline)));
    let connections =
        stresses.iter().zip(0..).fold(connections, |sum, (stress, id)| sum.saturating_add(streams(stress, StressId(id), timeline)));
    // A bridge opens no sockets for traffic, but has a namespace all the same.
    let bridges = nodes.iter().filter(|node| node.kind.is_bridge()).count() as u64;
    let namespaces = (nodes.len() as u64 - bridges) * PER_NODE + bridges * (PER_NODE - 1);
    let wires = links.iter().filter(|link| link.engine == Engine::Wire).count() as u64;
    let fixed = namespaces + wires * PER_WIRE + listeners.len() as u64 + SLACK;
    connections.saturating_mul(PER_CONNECTION).saturating_add(fixed)
}

/// Connections of a flow that are alive at once. Of those that the clock opens nobody knows how long they last: as many as are opened while one
/// of them may still wait for its connection; a run that meets more says so.
fn alive(flow: &PlannedFlow, timeline: &[Entry]) -> u64 {
    let Load { connections, total, opens_nano, opens_change, .. } = &flow.load;
    let connections = &turns::most_connections(timeline, flow.id).map_or(*connections, |set| set.max(*connections));
    let Some(opens) = opens_nano else { return *connections };
    let most = match opens_change {
        None => *opens,
        Some(Change::Ramp { to, .. }) => *opens.max(to),
        Some(Change::Steps { then, .. }) => then.iter().copied().fold(*opens, u64::max),
    };
    let set = timeline.iter().filter_map(|entry| match &entry.action {
        Action::Set { flows, setting: Setting::OpensNano(rate), .. } if flows.contains(&flow.id) => Some(*rate),
        _ => None,
    });
    let most = set.fold(most, u64::max);
    let opened = (most / 1_000_000_000 + 1).saturating_mul(OPENING_S).max(flow.load.burst);
    (*connections).min(total.unwrap_or(u64::MAX)).min(opened)
}

/// Streams alive at once, and as many that may still be ending.
fn streams(stress: &PlannedStress, id: StressId, timeline: &[Entry]) -> u64 {
    most_streams(stress, id, timeline).saturating_mul(2)
}

/// The most streams of a stress that are alive at once.
pub(crate) fn most_streams(stress: &PlannedStress, id: StressId, timeline: &[Entry]) -> u64 {
    let set = timeline.iter().filter_map(|entry| match &entry.action {
        Action::SetStress { stresses, setting: StressSetting::Streams(count), .. } if stresses.contains(&id) => Some(*count),
        _ => None,
    });
    set.fold(stress.stress.streams, u64::max)
}
