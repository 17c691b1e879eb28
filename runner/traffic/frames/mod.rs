//! Flows of raw frames. In: a flow's plan, packet sockets from the lab. Out: items, what became of each frame.
//!
//! A frame is made of a template that is made once: of each item only what varies is written. Whoever sends by an interface hands the kernel whole
//! frames; whoever sends from a node hands it packets, which the kernel routes. Where they arrive a packet socket with a filter takes this flow's
//! frames alone, known by the identity that stands at the beginning of the payload. A frame without room for one (ARP, LLDP, LACP, a payload of
//! given bytes or of less than 16) is known by everything in it that does not vary: then frames are counted and not told apart. A flow that only
//! watches has the receiving end alone, and its template holds nothing but what is said of the frames of others.
//!
//! ```text
//! run --template--> batch --sendmmsg--> interface ===> interface --filter--> ring --> receive
//!  |                  +--shortcut, express--^                                            |
//!  ^   departures, what could not be sent                                     arrivals   |
//!  +-------------------------- lane: what has come -------------------------------------+      both --> log --> items, packets
//! ```

mod batch;
mod described;
mod ends;
mod exchange;
mod express;
mod filter;
mod headers;
pub mod lane;
pub mod log;
mod mark;
pub mod receive;
mod ring;
pub mod run;
mod shortcut;
mod sums;
mod template;
#[cfg(test)]
mod tests;
mod values;

use std::io;
use std::sync::Arc;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::frame::Network;
use scn_grammar::scenario::transport::Transport;
use scn_reports::record::flow::{Item, ItemOutcome};

pub use ring::Ring;
pub use template::Template;

use super::draw::Key;
use super::shared::{Command, Shared};
use super::{Traffic, TrafficError};
use crate::plan::pace::Pace;
use crate::plan::types::{Plan, PlannedFlow};

/// All rings of a run together take no more of the kernel's memory, bytes.
const MOST_BYTES: u64 = 1 << 30;
/// A frame that has not come after this long is lost, ns.
pub const LIMIT_NS: i64 = 1_000_000_000;

/// Whether a flow is one of these.
pub fn carries(flow: &PlannedFlow) -> bool {
    flow.tool.is_none() && matches!(flow.transport, Transport::Frames(_))
}

/// A flow that has begun all that it had to begin ran until the last of it arrived, of which its sender does not hear.
pub fn heed_the_last(flow: &PlannedFlow, items: &[Item], ran_ns: &mut [(i64, i64)]) {
    let Some(total) = flow.load.total.filter(|_| carries(flow)) else { return };
    for at in 0..ran_ns.len() {
        let ((from_ns, to_ns), next) = (ran_ns[at], ran_ns.get(at + 1).map_or(i64::MAX, |next| next.0));
        let (mut begun, mut last_ns) = (0, to_ns);
        for item in items.iter().filter(|item| (from_ns..=to_ns).contains(&item.intended_ns)) {
            begun += 1;
            last_ns = if item.outcome == ItemOutcome::Done { last_ns.max(item.done_ns) } else { last_ns };
        }
        if begun >= total {
            // What comes at an instant is in what ends after it.
            ran_ns[at].1 = last_ns.saturating_add(i64::from(last_ns > to_ns)).min(next);
        }
    }
}

/// Whether the kernel routes what a flow sends, as packets of IPv6 (`true`) or of IPv4.
fn routed(flow: &PlannedFlow) -> Option<bool> {
    let Transport::Frames(frame) = &flow.transport else { return None };
    flow.from_interface.is_none().then_some(matches!(frame.network, Some(Network::Ipv6(_))))
}

/// The templates of all flows of frames, by flow.
pub fn templates(plan: &Plan, run: u32) -> Vec<Option<Arc<Template>>> {
    plan.flows.iter().zip(0u64..).map(|(flow, number)| template(plan, flow, run, number).map(Arc::new)).collect()
}

fn template(plan: &Plan, flow: &PlannedFlow, run: u32, number: u64) -> Option<Template> {
    let Transport::Frames(frame) = &flow.transport else { return None };
    let (from, (_, to)) = (ends::from(plan, flow), ends::to(plan, flow));
    let node = &plan.nodes[flow.from.index()].name;
    let whose = mark::Whose { run, flow: number as u16 };
    Some(headers::template(frame, (&from, &to), node, whose, Key::of_seed(plan.seed).part(number)))
}

/// A receiving end that is to be looked after: the flow, where it is, its ring.
pub struct Watched {
    /// The flow.
    pub flow: usize,
    /// The node.
    pub node: NodeId,
    /// The interface.
    pub interface: String,
    /// The ring.
    pub ring: Ring,
}

impl Traffic {
    /// Opens the receiving ends of all flows of frames, before anything is sent.
    pub(super) async fn open_frames(&self) -> Result<(), TrafficError> {
        let shared: &Shared = &self.shared;
        let workers = self.workers();
        let mut bytes = 0;
        for (flow, planned) in shared.plan.flows.iter().enumerate().filter(|(_, planned)| carries(planned)) {
            let Some(template) = &shared.frames[flow] else { continue };
            let refused = |error| TrafficError::Option { owner: planned.name.clone(), error };
            let pace = Pace::of_transactions(&planned.load, None, &planned.transport);
            let places = ends::arrive_at(&shared.plan, planned);
            // What comes by several interfaces has together the room that it would have at one.
            let rings = places.len();
            let each = run::most_per_second(&shared.plan, planned, pace.as_ref()) / rings.max(1) as u64;
            for (node, interface) in places {
                let socket = shared.sockets.frames(node, &interface).await.map_err(refused)?;
                let ring = receive::ring(socket, template, each, rings).map_err(refused)?;
                bytes += ring.bytes();
                if bytes > MOST_BYTES {
                    let what = format!(
                        "the room for frames that arrive would be more than {} MiB; say by which interface they come: `to {}.{interface}`",
                        MOST_BYTES >> 20,
                        shared.node_name(node)
                    );
                    return Err(refused(io::Error::other(what)));
                }
                // Another worker than the one that sends, where there is another.
                let worker = &workers[(flow + 1) % workers.len()];
                let _ = worker.send(Command::Watch(Watched { flow, node, interface, ring }));
            }
        }
        Ok(())
    }
}
