//! Connections that are opened by the clock, whatever became of those before; their transactions follow each other. In: the starts of a run. Out: connections, each a task of its own;
//! `dropped` where as many were alive as the flow allows.

use std::rc::Rc;

use super::client;
use super::control::{Control, Start};
use super::flow::{self, Run, START_PATIENCE_NS, STARTS_IN_A_ROW};
use super::pacer::NEVER_DUE;
use super::starts::Starts;
use super::worker::Worker;

/// Opens the worker's share of the connections until there are no more, or the flow ends.
pub async fn carry_out(worker: &Rc<Worker>, run: &Rc<Run>, mut starts: Starts) {
    let load = &worker.shared.plan.flows[run.flow].load;
    let count = load.total.unwrap_or(u64::MAX);
    let own = |from| flow::own_start(from, load.total, run.part.0, run.part.1);
    let (mut k, mut in_a_row, mut opened) = (own(0), 0, 0);
    let mut at_ns = if k < count { starts.at(k) } else { NEVER_DUE };
    let mut version = run.turning.version();
    loop {
        if version != run.turning.version() {
            version = run.turning.version();
            at_ns = if k < count { starts.at(k) } else { NEVER_DUE };
        }
        let next = if k < count { at_ns } else { NEVER_DUE };
        let (now, end) = (worker.pacer.now_ns(), run.until_ns());
        run.drop_late(worker, now);
        let most = usize::try_from(run.connections(now)).unwrap_or(usize::MAX);
        let has_room = || run.places_left.get() < most && !run.frozen.get();
        while has_room() && now < end && run.paused_until(now).is_none() {
            let Some(start) = run.waiting.borrow_mut().pop_front() else { break };
            open(worker, run, start, opened * run.part.1 as u64 + run.part.0 as u64);
            opened += 1;
        }
        if next <= now && next < end {
            let start = Start { intended_ns: next, lag_ns: u32::try_from(now - next).unwrap_or(u32::MAX) };
            // What was due before a pause is opened though the pause has begun.
            if run.waiting.borrow().is_empty() && has_room() {
                open(worker, run, start, opened * run.part.1 as u64 + run.part.0 as u64);
                opened += 1;
            } else {
                run.waiting.borrow_mut().push_back(start);
            }
            k = own(k + 1);
            if k < count {
                at_ns = starts.at(k);
            }
            in_a_row += 1;
            if in_a_row == STARTS_IN_A_ROW {
                in_a_row = 0;
                tokio::task::yield_now().await;
            }
            continue;
        }
        in_a_row = 0;
        let oldest = run.waiting.borrow().front().map_or(NEVER_DUE, |start| start.intended_ns.saturating_add(START_PATIENCE_NS));
        let all_begun = k >= count && oldest == NEVER_DUE;
        if now >= end || (all_begun && run.places_left.get() == 0) {
            return;
        }
        run.event(worker, next.min(end).min(oldest)).await;
    }
}

/// One connection, from its opening to its end.
pub fn open(worker: &Rc<Worker>, run: &Rc<Run>, start: Start, number: u64) {
    let control = Rc::new(Control::new(run.role(), Some(run.flow)));
    let member = worker.enlist(&control);
    run.places_left.set(run.places_left.get() + 1);
    let (task, run) = (Rc::clone(worker), Rc::clone(run));
    worker.spawn(async move {
        control.carry(client::once(&task, &run, &control, number, start)).await;
        task.dismiss(member);
        run.place_over();
        // One that waits may be opened now.
        run.wake();
    });
}
