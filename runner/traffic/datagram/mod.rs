//! Flows of datagrams: UDP, and ICMP echo. In: a flow's plan, sockets from the lab. Out: items, what became of each datagram. Has no
//! connections: a *lane* is a client's socket, and each message of a transaction is a datagram.
//!
//! A transaction is known by the header of its filling, so that many are under way on one lane, as the rate demands. Where a message
//! has no header (a text, or filling of less than 32 bytes) a lane carries one transaction at a time, and after one that failed the
//! flow goes on with another socket, so that what comes late is not taken for the next answer.
//!
//! An item is lost when its answer does not come within [`RESPONSE_LIMIT_NS`], or what the flow's `timeout { response }` says. What
//! nothing answers has arrived when the server, in the same process, has received it.
//!
//! ```text
//! run (starts, time limits) --> lane --datagrams--> server
//!        ^                      |  ^                  |
//!        +----what is over------+  +--Inbox: arrived--+        both ends --> Log --> packets
//! ```

mod agenda;
mod awake;
mod errors;
mod exchange;
mod group;
pub mod icmp;
mod lane;
pub mod log;
pub mod options;
mod overflow;
mod post;
pub mod pour;
mod receivers;
mod row;
pub mod run;
mod seen;
mod sending;
pub mod server;
mod socket;
mod take;
mod target;
mod upcoming;
mod waiting;
mod window;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::pattern::{Pattern, Payload, Side, Step, StepKind};
use scn_grammar::scenario::transport::{Listener, Transport, TransportKind};
use scn_reports::record::flow::{ItemOutcome, NEVER};
use std::borrow::Cow;
use std::net::SocketAddr;

pub use options::Options;
pub use overflow::{Overflows, open_account};
pub use socket::{set_number, thrown_away};

use super::frame::HEADER;
use super::quic;
use super::shared::Shared;
use super::sockets::Packets;
use super::{FlowSeries, Traffic, TrafficError};
use crate::plan::datagrams;
use crate::plan::types::{Plan, PlannedFlow};

/// An item without an answer after this long is lost, ns.
pub const RESPONSE_LIMIT_NS: i64 = 1_000_000_000;

/// An error of the program's own kernel, in words.
pub fn of_kernel(error: &std::io::Error) -> String {
    errors::of_kernel(error, None).0
}

/// Whether a flow is one of these.
pub fn carries(flow: &PlannedFlow) -> bool {
    matches!(flow.transport.kind(), TransportKind::Udp | TransportKind::Icmp)
}

/// How long a flow waits for an answer, ns.
pub fn response_limit(flow: &PlannedFlow) -> i64 {
    flow.timeouts.response_ns.map_or(RESPONSE_LIMIT_NS, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

/// What a flow plays: of an echo flow the pattern is the transport's own.
pub fn pattern(flow: &PlannedFlow) -> Option<Cow<'_, Pattern>> {
    match flow.transport {
        Transport::Icmp(_) => Some(Cow::Owned(icmp::pattern(&flow.load, &flow.host(), flow.span))),
        _ => flow.pattern.as_ref().map(Cow::Borrowed),
    }
}

/// The server at the other end is the program's own, where the flow goes to this target.
pub fn own_server(plan: &Plan, flow: &PlannedFlow, target: SocketAddr) -> bool {
    let serves = |node: &NodeId| {
        let here = |listener: &&crate::plan::types::PlannedListener| listener.node == *node && listener.port == target.port();
        plan.listeners.iter().filter(here).any(|listener| matches!(listener.listener, Listener::Udp { .. }))
    };
    let found = flow.looked_up().map(|_| plan.holders(target.ip()));
    let nodes = found.as_ref().unwrap_or(&flow.backends);
    matches!(flow.transport, Transport::Udp { .. }) && !nodes.is_empty() && nodes.iter().all(serves)
}

/// Nobody of scn's sees what a flow sends: nothing answers it, and the server is not the program's own. It may still be heard of: see [`heed_what_was_heard`].
fn is_unwatched(flow: &PlannedFlow, own_server: bool) -> bool {
    let one_way = flow.pattern.as_ref().is_some_and(datagrams::is_one_way);
    one_way && !own_server && flow.transport.kind() == TransportKind::Udp
}

/// Where something was heard of what a flow of datagrams sent, or nothing was sent at all, no more than that is to be known.
pub fn heed_what_was_heard(flow: &PlannedFlow, series: &mut FlowSeries) {
    let Some(seen) = series.datagrams.as_mut().filter(|_| flow.transport.kind() == TransportKind::Udp) else { return };
    let mut sent = series.items.iter().filter(|item| item.sent_ns != NEVER).peekable();
    seen.unwatched &= sent.peek().is_some() && sent.all(|item| item.outcome == ItemOutcome::Unfinished);
}

/// Every message of a pattern can be told from all others by its header.
pub fn is_identified(steps: &[Step]) -> bool {
    fn walk(steps: &[Step], whole: &mut bool) {
        for step in steps {
            match &step.kind {
                StepKind::Sends { payload: Payload::Filled(size) | Payload::Random(size), .. } => *whole &= size.least() >= HEADER as u64,
                StepKind::Sends { .. } => *whole = false,
                // An echo is what it echoes; of the client's it is the server's header that comes back to the server.
                StepKind::Echoes { by } => *whole &= *by == Side::Server,
                StepKind::Repeat { steps, .. } => walk(steps, whole),
                StepKind::Choose { branches } => branches.iter().for_each(|branch| walk(&branch.steps, whole)),
                StepKind::Expects { .. } | StepKind::Pause { .. } | StepKind::Closes { .. } => {}
            }
        }
    }
    let mut whole = true;
    walk(steps, &mut whole);
    whole
}

/// The sockets that a flow sends by to a target.
fn packets(flow: &PlannedFlow, target: SocketAddr) -> Packets {
    let ipv6 = target.is_ipv6();
    if flow.transport.kind() == TransportKind::Icmp { Packets::Echo { ipv6 } } else { Packets::Udp { ipv6 } }
}

/// Tries the options of every flow on a socket of its own, so that what the kernel refuses is known before anything is sent; from then on its node's
/// account of what found no room is kept.
pub async fn try_options(shared: &Shared) -> Result<(), TrafficError> {
    for flow in shared.plan.flows.iter().filter(|flow| carries(flow) || quic::carries(flow)) {
        if flow.transport.kind() == TransportKind::Udp {
            shared.overflows.watch(&*shared.sockets, flow.from).await;
        }
        let refused = |error| TrafficError::Option { owner: flow.name.clone(), error };
        let sockets = shared.sockets.packets(flow.from, packets(flow, flow.target), 1).await.map_err(refused)?;
        for socket in &sockets {
            Options::of_flow(&flow.transport).set(socket, flow.target.is_ipv6()).map_err(refused)?;
            group::prepare(flow, socket).map_err(refused)?;
        }
    }
    Ok(())
}

impl Traffic {
    /// Opens the socket of a service over UDP or QUIC.
    pub(super) async fn open_datagrams(&self, listener: usize) -> Result<std::os::fd::OwnedFd, TrafficError> {
        let planned = &self.shared.plan.listeners[listener];
        let address = SocketAddr::new(planned.address, planned.port);
        let bound = SocketAddr::new(group::bound(planned.address), planned.port);
        if matches!(planned.listener, Listener::Udp { .. }) {
            self.shared.overflows.watch(&*self.shared.sockets, planned.node).await;
        }
        let socket = self.shared.sockets.udp_listener(planned.node, bound).await.map_err(|error| TrafficError::Listen {
            listener: planned.name.clone(),
            node: self.shared.node_name(planned.node).to_owned(),
            address,
            error,
        })?;
        let refused = |error| TrafficError::Option { owner: planned.name.clone(), error };
        Options::of_listener(&planned.listener).set(&socket, address.is_ipv6()).map_err(refused)?;
        // QUIC asks for what it needs to know of a packet, and has room for no more.
        if matches!(planned.listener, Listener::Udp { .. }) {
            server::tell_addresses(&socket, address.is_ipv6()).map_err(refused)?;
            group::join(&self.shared.plan, planned, &socket).map_err(refused)?;
        }
        Ok(socket)
    }
}
