//! Connections that are opened by the clock, and transactions on them that are started by another. In: the starts of both. Out: connections, each a
//! task of its own; starts for those without work, or connections that keep clocks of their own. What no connection took in time is `dropped`, and
//! connections that could not be opened in time are failures.

use std::collections::VecDeque;
use std::rc::Rc;

use super::control::Start;
use super::flow::{self, Run, START_PATIENCE_NS, STARTS_IN_A_ROW};
use super::openings;
use super::pacer::NEVER_DUE;
use super::starts::Starts;
use super::worker::Worker;

/// A clock, and which of its starts that fall to this worker is the next.
struct Due {
    starts: Starts,
    /// How many there are in all, of all workers.
    count: u64,
    k: u64,
    at_ns: i64,
}

impl Due {
    fn new(starts: Starts, count: u64, own: &dyn Fn(u64) -> u64) -> Due {
        let mut due = Due { starts, count, k: own(0), at_ns: NEVER_DUE };
        due.look();
        due
    }

    /// Asks when the next one is due.
    fn look(&mut self) {
        self.at_ns = if self.is_over() { NEVER_DUE } else { self.starts.at(self.k) };
    }

    fn is_over(&self) -> bool {
        self.k >= self.count
    }

    /// The next one, if it is due before the flow's end.
    fn take(&mut self, now_ns: i64, end_ns: i64, own: &dyn Fn(u64) -> u64) -> Option<Start> {
        let at_ns = self.at_ns;
        if at_ns > now_ns || at_ns >= end_ns {
            return None;
        }
        self.k = own(self.k + 1);
        self.look();
        Some(Start { intended_ns: at_ns, lag_ns: u32::try_from(now_ns - at_ns).unwrap_or(u32::MAX) })
    }
}

/// Connections to be opened.
struct Opening<'w> {
    worker: &'w Rc<Worker>,
    run: &'w Rc<Run>,
    /// Those for which there was no room, the oldest first.
    waiting: VecDeque<Start>,
    opened: u64,
}

impl Opening<'_> {
    /// Opens those that wait, as many as there is room for; gives up those that waited too long. What was due before a pause is opened though the
    /// pause has begun, if there is room at once.
    fn open(&mut self, now_ns: i64, is_due: bool) {
        let (worker, run) = (self.worker, self.run);
        while self.waiting.front().is_some_and(|start| start.intended_ns.saturating_add(START_PATIENCE_NS) <= now_ns) {
            self.waiting.pop_front();
            let what = "as many as the flow allows were alive for too long".to_owned();
            worker.parts.borrow_mut()[run.flow].failure("open a connection", None, what, now_ns);
        }
        if run.paused_until(now_ns).is_some() && !(is_due && self.waiting.len() == 1) {
            return;
        }
        let most = usize::try_from(run.connections(now_ns)).unwrap_or(usize::MAX);
        while run.places_left.get() < most && !run.frozen.get() && now_ns < run.until_ns() {
            let Some(start) = self.waiting.pop_front() else { return };
            openings::open(worker, run, start, self.opened * run.part.1 as u64 + run.part.0 as u64);
            self.opened += 1;
        }
    }

    /// When the oldest is given up.
    fn oldest(&self) -> i64 {
        patience(self.waiting.front())
    }
}

fn patience(oldest: Option<&Start>) -> i64 {
    oldest.map_or(NEVER_DUE, |start| start.intended_ns.saturating_add(START_PATIENCE_NS))
}

/// Opens the worker's share of the connections and starts its share of the transactions, until there are no more, or the flow ends.
/// `transactions`: `None` where each connection keeps a clock of its own.
pub async fn carry_out(worker: &Rc<Worker>, run: &Rc<Run>, opens: Starts, transactions: Option<Starts>) {
    let load = &worker.shared.plan.flows[run.flow].load;
    let own = |from| flow::own_start(from, load.total, run.part.0, run.part.1);
    let connections = load.total.unwrap_or(u64::MAX);
    let mut opens = Due::new(opens, connections, &own);
    let most = load.total.map_or(u64::MAX, |total| total.saturating_mul(load.transactions.unwrap_or(1)));
    let mut transactions = transactions.map(|starts| Due::new(starts, most, &own));
    let mut opening = Opening { worker, run, waiting: VecDeque::new(), opened: 0 };
    let (mut in_a_row, mut version) = (0, run.turning.version());
    loop {
        if version != run.turning.version() {
            version = run.turning.version();
            opens.look();
            transactions.iter_mut().for_each(Due::look);
        }
        let (now, end) = (worker.pacer.now_ns(), run.until_ns());
        run.drop_late(worker, now);
        let due = opens.take(now, end, &own);
        opening.waiting.extend(due);
        opening.open(now, due.is_some());
        let start = transactions.as_mut().and_then(|transactions| transactions.take(now, end, &own));
        start.into_iter().for_each(|start| run.release(start));
        if due.is_some() || start.is_some() {
            in_a_row += 1;
            if in_a_row == STARTS_IN_A_ROW {
                in_a_row = 0;
                tokio::task::yield_now().await;
            }
            continue;
        }
        in_a_row = 0;
        let waiting = patience(run.waiting.borrow().front());
        let all_opened = opens.is_over() && opening.waiting.is_empty();
        let all_begun = transactions.as_ref().is_some_and(Due::is_over) && waiting == NEVER_DUE;
        if now >= end || (all_opened && (all_begun || run.places_left.get() == 0)) {
            return;
        }
        let next = transactions.as_ref().map_or(NEVER_DUE, |transactions| transactions.at_ns).min(opens.at_ns);
        run.event(worker, next.min(end).min(waiting).min(opening.oldest())).await;
    }
}
