//! Flows that send as fast as they can to a server of scn's own: where that server works, and how much it has room for. In: a plan. Out: a worker, a room.
//! Sends nothing.

use scn_grammar::scenario::transport::{Listener, TransportKind};

use super::post::MOST_TOGETHER;
use super::{carries, is_identified};
use crate::plan::datagrams;
use crate::plan::types::{Plan, PlannedFlow, PlannedListener};

/// What the kernel gives a socket of which nothing is said, at least, bytes.
const USUAL_BUFFER: u64 = 212_992;
/// The part of a buffer that may be on its way: the kernel counts more than the bytes, and gives back late what was read.
const PART: (u64, u64) = (3, 5);
/// Bytes that may be on their way: one piece that is read and one that waits.
const MOST_BYTES: u64 = 2 * MOST_TOGETHER as u64;
/// One transaction in this time is begun while the server says nothing, so that the end of an outage is seen, ns.
const PROBE_NS: i64 = 1_000_000;

/// How far a socket of a flow may be ahead of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// By so many bytes.
    pub bytes: u64,
    /// When it is, it begins another one so often, ns.
    pub probe_ns: i64,
}

/// Whether a flow may come to a listener. Where a name leads nobody knows before.
pub fn comes(listener: &PlannedListener, flow: &PlannedFlow) -> bool {
    let may_come = flow.backends.contains(&listener.node) || flow.looked_up().is_some();
    may_come && flow.target.port() == listener.port && carries(flow)
}

/// The flow starts the next transaction when the last one is sent, and what it sends is there at once.
fn is_poured(plan: &Plan, flow: &PlannedFlow) -> bool {
    let load = &flow.load;
    let unpaced = load.rate_nano.is_none() && load.bandwidth_bps.is_none() && load.interval_ns == 0;
    let identified = flow.pattern.as_ref().is_some_and(|pattern| is_identified(&pattern.steps));
    unpaced && identified && flow.transport.kind() == TransportKind::Udp && flow.spread_by.is_none() && datagrams::is_prompt(plan)
}

/// Those listeners that a flow which is poured comes to.
fn servers<'p>(plan: &'p Plan, flow: &'p PlannedFlow) -> impl Iterator<Item = &'p PlannedListener> {
    let is_own = |listener: &&PlannedListener| matches!(listener.listener, Listener::Udp { .. });
    plan.listeners.iter().filter(is_own).filter(move |listener| comes(listener, flow))
}

/// The room that each socket of a flow has; `None`: it does not heed the server. Flows that come to one server share what that has.
pub fn room(plan: &Plan, flow: &PlannedFlow) -> Option<Room> {
    if !is_poured(plan, flow) {
        return None;
    }
    let buffer = |listener: &PlannedListener| match &listener.listener {
        Listener::Udp { socket, .. } => socket.receive_buffer.unwrap_or(USUAL_BUFFER).min(USUAL_BUFFER),
        _ => USUAL_BUFFER,
    };
    let least = servers(plan, flow).map(buffer).min()?;
    let shares = |other: &&PlannedFlow| is_poured(plan, other) && servers(plan, flow).any(|listener| comes(listener, other));
    let sockets = plan.flows.iter().filter(shares).map(|other| other.load.connections.max(1)).sum::<u64>().max(1);
    let bytes = (least * PART.0 / PART.1).min(MOST_BYTES) / sockets;
    Some(Room { bytes, probe_ns: PROBE_NS.saturating_mul(i64::try_from(sockets).unwrap_or(i64::MAX)) })
}

/// A flow that is poured comes to a listener.
pub fn comes_poured(plan: &Plan, listener: &PlannedListener) -> bool {
    matches!(listener.listener, Listener::Udp { .. }) && plan.flows.iter().any(|flow| comes(listener, flow) && is_poured(plan, flow))
}

/// The worker of so many that a listener stands on. What a flow of one socket pours out unanswered is taken in beside it, not by turns with it: its client
/// is on the first worker. What is answered stays on one worker, where neither end has to wake the other.
pub fn home(plan: &Plan, listener: usize, workers: usize) -> usize {
    let planned = &plan.listeners[listener];
    let unanswered = |flow: &PlannedFlow| flow.pattern.as_ref().is_some_and(datagrams::is_one_way);
    let alone = |flow: &PlannedFlow| flow.load.connections <= 1 && unanswered(flow) && is_poured(plan, flow);
    let apart = matches!(planned.listener, Listener::Udp { .. }) && plan.flows.iter().any(|flow| comes(planned, flow) && alone(flow));
    if apart && workers > 1 { 1 + listener % (workers - 1) } else { listener % workers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    /// The plan of a network with these flows, from `a` to services on `b`.
    fn plan(link: &str, flows: &str) -> Plan {
        let text = format!(
            "pattern one {{ client sends 64B }}\npattern both {{\nclient sends 64B\nserver sends 64B\n}}\npattern word {{ client sends \"hello\" }}\n\
             topology {{\nnode a, b\nlink a 10.1.0.1/24 <-> b 10.1.0.2/24{link}\n}}\n\
             service big on b {{ listen udp :7000  serve one }}\n\
             service small on b {{ listen udp :7001 {{ receive_buffer 40kB }}  serve one }}\n{flows}\nexpect {{ f.sent > 0 }}"
        );
        sample::plan(&text).expect("it can be planned")
    }

    fn rooms(link: &str, flows: &str) -> Vec<Option<Room>> {
        let plan = plan(link, flows);
        plan.flows.iter().map(|flow| room(&plan, flow)).collect()
    }

    #[test]
    fn what_has_no_rate_heeds_the_server_and_shares_its_room() {
        let bytes = |flows: &str| rooms("", flows).into_iter().map(|room| room.map(|room| room.bytes)).collect::<Vec<_>>();
        assert_eq!(bytes("flow f from a to big over udp { duration 1s }"), [Some(127_795)]);
        assert_eq!(bytes("flow f from a to small over udp { duration 1s }"), [Some(24_000)]);
        let shared = "flow f from a to big over udp { connections 3  duration 1s }\nflow g from a to big over udp { duration 1s }";
        assert_eq!(bytes(shared), [Some(127_795 / 4); 2]);
        assert_eq!(rooms("", shared)[0].map(|room| room.probe_ns), Some(4_000_000), "one a millisecond in all");
        for load in ["rate 100k/s", "interval 10ms", "bandwidth 1Mbps"] {
            assert_eq!(bytes(&format!("flow f from a to big over udp {{ {load}  duration 1s }}")), [None], "{load}");
        }
        assert_eq!(
            rooms(" { delay 5ms }", "flow f from a to big over udp { duration 1s }"),
            [None],
            "what takes its time is not waited for"
        );
    }

    #[test]
    fn one_socket_that_is_not_answered_has_its_server_on_another_worker() {
        let homes = |flows: &str, workers| [0, 1].map(|listener| home(&plan("", flows), listener, workers));
        assert_eq!(homes("flow f from a to big over udp { duration 1s }", 2), [1, 1]);
        assert_eq!(homes("flow f from a to big over udp { duration 1s }", 4), [1, 1]);
        assert_eq!(homes("flow f from a to big over udp { duration 1s }", 1), [0, 0]);
        assert_eq!(homes("flow f from a to big over udp { connections 2  duration 1s }", 2), [0, 1]);
        assert_eq!(homes("flow f from a to big over udp { rate 1k/s  duration 1s }", 2), [0, 1]);
        assert_eq!(homes("flow f from a to big over udp { pattern word  duration 1s }", 2), [0, 1], "one at a time");
        assert_eq!(homes("flow f from a to big over udp { pattern both  duration 1s }", 2), [0, 1]);
    }
}
