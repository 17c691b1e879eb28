//! How many file descriptors a run needs at most at once. In: the plan's parts. Out: a number that preflight holds against the
//! limits. Opens nothing.

use super::types::{Engine, PlannedFlow, PlannedLink, PlannedListener, PlannedNode};

/// Both ends of a connection are ours.
const PER_CONNECTION: u64 = 2;

/// A host's namespace: its handle, its netlink socket, its thread's wake-up, and a probe socket.
const PER_NODE: u64 = 4;

/// A wire: a packet socket at each end.
const PER_WIRE: u64 = 2;

/// Standard streams, event loops, timers, the results folder's files, the fabric's namespace, and room for surprises.
const SLACK: u64 = 64;

/// Adds up.
pub(crate) fn descriptors(nodes: &[PlannedNode], links: &[PlannedLink], listeners: &[PlannedListener], flows: &[PlannedFlow]) -> u64 {
    let connections = flows.iter().fold(0u64, |sum, flow| sum.saturating_add(flow.load.connections));
    // A bridge opens no sockets for traffic, but has a namespace all the same.
    let bridges = nodes.iter().filter(|node| node.kind.is_bridge()).count() as u64;
    let namespaces = (nodes.len() as u64 - bridges) * PER_NODE + bridges * (PER_NODE - 1);
    let wires = links.iter().filter(|link| link.engine == Engine::Wire).count() as u64;
    let fixed = namespaces + wires * PER_WIRE + listeners.len() as u64 + SLACK;
    connections.saturating_mul(PER_CONNECTION).saturating_add(fixed)
}
