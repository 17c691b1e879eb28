//! Where a run of a datagram flow goes, if that is a name. In: the flow. Out: an address, as soon as the name has one. Sends nothing itself.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{Either, select};
use scn_reports::record::flow::{Connection, ConnectionEnd, NEVER};

use crate::plan::types::PlannedFlow;
use crate::traffic::flow::{self, Run};
use crate::traffic::names::{self, Trouble};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::registry::NOBODY;
use crate::traffic::worker::Worker;

/// Where a run goes: a name is looked up until it is found; `None`: the run was over before.
pub(super) async fn find_target(worker: &Rc<Worker>, run: &Rc<Run>) -> Option<SocketAddr> {
    let pause_ns = pause_after_failure(&worker.shared.plan.flows[run.flow]);
    let mut attempts = 0;
    loop {
        let over = || run.killed.get() || worker.finishing.get() || worker.pacer.now_ns() >= run.until_ns();
        let mut asking = std::pin::pin!(run.names.target(worker, run.flow));
        let (answer, target) = loop {
            match select(asking.as_mut(), std::pin::pin!(run.event(worker, run.until_ns()))).await {
                Either::Left((answered, _)) => break answered,
                Either::Right(_) if over() => return None,
                Either::Right(_) => {}
            }
        };
        let trouble = match target {
            Ok(target) => return Some(target),
            Err(trouble) => trouble,
        };
        run.names.broke(answer, false);
        refused(worker, run, trouble);
        attempts += 1;
        // Of a number of items each attempt stands for one, as a connection does: a name that is never found ends the run.
        let total = worker.shared.plan.flows[run.flow].load.total.map(|total| flow::share(total, run.part.0, run.part.1));
        if total.is_some_and(|share| attempts >= share) {
            run.stop(worker.pacer.now_ns());
            return None;
        }
        let again_ns = pause_ns.map_or(NEVER_DUE, |pause| worker.pacer.now_ns().saturating_add(pause.max(names::KEPT_NS)));
        while worker.pacer.now_ns() < again_ns {
            if over() {
                return None;
            }
            run.event(worker, again_ns.min(run.until_ns())).await;
        }
    }
}

/// A name without an address: nothing could be opened that would go there.
fn refused(worker: &Rc<Worker>, run: &Rc<Run>, trouble: Trouble) {
    let (planned, shared) = (&worker.shared.plan.flows[run.flow], &worker.shared.flows[run.flow]);
    let count = |counter: &AtomicU64| _ = counter.fetch_add(1, Ordering::Relaxed);
    [&shared.live.connections, &shared.live.failed_connects, &shared.live.errors].into_iter().for_each(count);
    if trouble.late {
        count(&shared.live.timeouts);
    }
    let (now, number) = (worker.pacer.now_ns(), shared.next_connection.fetch_add(1, Ordering::Relaxed));
    let row = Connection {
        opened_ns: now,
        established_ns: NEVER,
        handshake_ns: 0,
        closed_ns: now,
        end: if trouble.late { ConnectionEnd::ConnectTimeout } else { ConnectionEnd::Other },
        successor_of: u32::MAX,
        backend: NOBODY,
        transactions: 0,
        local: String::new(),
        remote: format!("{}:{}", planned.looked_up().unwrap_or_default(), planned.target.port()),
    };
    let part = &mut worker.parts.borrow_mut()[run.flow];
    part.connection(number, row);
    part.failure(&trouble.step, Some(planned.span), trouble.what, now);
}

/// The pause before a new attempt, ns; `None`: there is none.
pub(super) fn pause_after_failure(planned: &PlannedFlow) -> Option<i64> {
    planned.reconnect.map(|reconnect| i64::try_from(reconnect.after_ns).unwrap_or(i64::MAX))
}
