//! Where a start of a flow goes whose target is a name. In: the lab, which asks the resolver in the client's node. Out: addresses in turn, and
//! what was found for the record. Opens nothing.
//!
//! The name is looked up when the start first needs it, and anew when a connection to what was found broke or could not be opened: not before
//! [`KEPT_NS`] are over, so that many that break together ask once. After one that was of use the first address of the new answer is taken,
//! after one that was not the next.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::limits;
use super::worker::Worker;
use crate::plan::types::PlannedFlow;

/// What was found is not asked for anew for so long, ns.
pub const KEPT_NS: i64 = 100_000_000;

/// What the workers know of the name, for one start.
#[derive(Debug, Default)]
pub struct Names {
    found: Mutex<Option<Found>>,
    /// The latest answer that led to something that broke.
    doubted: AtomicU64,
    /// What it led to was of use.
    of_use: AtomicBool,
}

/// One answer.
#[derive(Debug, Clone)]
struct Found {
    /// Counts answers from 1.
    number: u64,
    at_ns: i64,
    /// Attempts in a row that were of no use.
    turn: usize,
    answer: Result<Vec<IpAddr>, Trouble>,
}

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What was asked, and where.
    pub step: String,
    /// What was said.
    pub what: String,
    /// Nothing was, within the limit of a connection.
    pub late: bool,
}

impl Names {
    /// Where to go now, and the number of the answer that says so. May be dropped: whoever waits next asks then.
    pub async fn target(&self, worker: &Worker, flow: usize) -> (u64, Result<SocketAddr, Trouble>) {
        let planned = &worker.shared.plan.flows[flow];
        let Some(name) = planned.looked_up() else { return (0, Ok(planned.target)) };
        let mut known = self.found.lock().await;
        let good = |found: &&Found| found.number > self.doubted.load(Ordering::SeqCst) || worker.pacer.now_ns() < found.at_ns + KEPT_NS;
        let found = match known.as_ref().filter(good) {
            Some(found) => found.clone(),
            None => {
                let answer = look_up(worker, planned, name).await;
                let at_ns = worker.pacer.now_ns();
                let told = answer.as_ref().map(Vec::as_slice).map_err(|trouble| trouble.what.as_str());
                worker.parts.borrow_mut()[flow].looked_up(at_ns, told);
                worker.tell_step(flow, || match told {
                    Ok(addresses) => format!("{name} is {}", addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
                    Err(why) => format!("{name}: {why}"),
                });
                let (number, turn) = known.as_ref().map_or((1, 0), |before| (before.number + 1, before.turn + 1));
                let turn = if self.of_use.swap(false, Ordering::SeqCst) { 0 } else { turn };
                known.insert(Found { number, at_ns, turn, answer }).clone()
            }
        };
        let target = found.answer.map(|addresses| SocketAddr::new(addresses[found.turn % addresses.len()], planned.target.port()));
        (found.number, target)
    }

    /// What this answer led to broke; it was of use, or not.
    pub fn broke(&self, number: u64, of_use: bool) {
        self.doubted.fetch_max(number, Ordering::SeqCst);
        if of_use {
            self.of_use.store(true, Ordering::SeqCst);
        }
    }
}

/// Asks the resolver. Out: at least one address, to which the flow can go from where it starts.
async fn look_up(worker: &Worker, planned: &PlannedFlow, name: &str) -> Result<Vec<IpAddr>, Trouble> {
    let limit_ns = limits::connect(planned);
    let trouble = |what: String, late| Trouble { step: format!("look up {name} in {}", worker.shared.node_name(planned.from)), what, late };
    let asked = worker.shared.sockets.look_up(planned.from, name, Duration::from_nanos(limit_ns.unsigned_abs())).await;
    let found = asked.map_err(|cause| match cause.kind() {
        std::io::ErrorKind::TimedOut => trouble(format!("no answer within {}", limits::in_words(limit_ns)), true),
        _ => trouble(cause.to_string(), false),
    })?;
    let starts =
        |address: &IpAddr| planned.source.is_empty() || planned.source.iter().any(|from| from.address.is_ipv6() == address.is_ipv6());
    let fit: Vec<IpAddr> = found.iter().copied().filter(starts).collect();
    if fit.is_empty() {
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        return Err(trouble(format!("{}: no address of the family that the flow starts from", told.join(", ")), false));
    }
    Ok(fit)
}
