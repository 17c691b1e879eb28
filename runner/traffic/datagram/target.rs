//! Where a run of a datagram flow goes, if that is a name. In: the flow. Out: an address, as soon as the name has one. Sends nothing itself.

use std::net::SocketAddr;
use std::rc::Rc;

use futures_util::future::{Either, select};

use crate::plan::types::PlannedFlow;
use crate::traffic::flow::Run;
use crate::traffic::names;
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::worker::Worker;

/// Where a run goes: a name is looked up until it is found; `None`: the run was over before.
pub(super) async fn find_target(worker: &Rc<Worker>, run: &Rc<Run>) -> Option<SocketAddr> {
    let pause_ns = pause_after_failure(&worker.shared.plan.flows[run.flow]);
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
        let span = worker.shared.plan.flows[run.flow].span;
        worker.parts.borrow_mut()[run.flow].failure(&trouble.step, Some(span), trouble.what, worker.pacer.now_ns());
        let again_ns = pause_ns.map_or(NEVER_DUE, |pause| worker.pacer.now_ns().saturating_add(pause.max(names::KEPT_NS)));
        while worker.pacer.now_ns() < again_ns {
            if over() {
                return None;
            }
            run.event(worker, again_ns.min(run.until_ns())).await;
        }
    }
}

/// The pause before a new attempt, ns; `None`: there is none.
pub(super) fn pause_after_failure(planned: &PlannedFlow) -> Option<i64> {
    planned.reconnect.map(|reconnect| i64::try_from(reconnect.after_ns).unwrap_or(i64::MAX))
}
