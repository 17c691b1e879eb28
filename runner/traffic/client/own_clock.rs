//! Who carries transactions and waits: for the next start of the place's own clock, or for the end of a pause. In: the clock, the flow's turns. Out: starts, items of what
//! was not sent. Opens nothing.

use std::future::{Future as _, poll_fn};
use std::task::Poll;

use scn_reports::record::flow::ItemOutcome;

use super::lane::{Idle, Lane};
use super::{Clock, Place};
use crate::traffic::control::{Broken, Order, Start};
use crate::traffic::conversation::Conversation;
use crate::traffic::flow::{self, Run, START_PATIENCE_NS};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::worker::Worker;

/// What ended a wait for a start: of a flow that is paused it is no break that nothing comes.
pub(super) fn met_by(run: &Run, worker: &Worker, broken: Broken) -> Option<Idle> {
    (run.paused(worker).is_none() || !matches!(broken, Broken::TimedOut)).then_some(Idle::Broken(broken))
}

impl Lane<'_> {
    /// The next start of the place's own clock; of several who wait for it the first to see it takes it.
    pub(super) async fn own_start(&self, talk: &mut impl Conversation) -> Option<Idle> {
        let Place { worker, run, .. } = self.place;
        let free_ns = worker.pacer.now_ns();
        self.place.miss(|start, now| start.saturating_add(START_PATIENCE_NS) <= now, ItemOutcome::Dropped);
        let Some((number, intended_ns)) = self.place.own_due() else { return Some(Idle::Over) };
        worker.limit(self.control, talk.quiet().until(NEVER_DUE));
        // What is due at the flow's end begins no more.
        let until = if intended_ns < run.until_ns() { intended_ns } else { NEVER_DUE };
        let mut sleep = std::pin::pin!(worker.pacer.sleep_until(until));
        let version = run.turning.version();
        poll_fn(|context| {
            self.control.register(context);
            if self.is_over() {
                return Poll::Ready(Some(Idle::Over));
            }
            if version != run.turning.version() || !self.has_room(talk) {
                return Poll::Ready(None);
            }
            if let Poll::Ready(broken) = talk.poll_idle(context) {
                return Poll::Ready(met_by(run, worker, broken));
            }
            sleep.as_mut().poll(context).map(|()| {
                if !self.place.takes(number) {
                    return None;
                }
                // Waiting for the connection and standing still are no lateness of this program.
                let lag = worker.pacer.now_ns() - intended_ns.max(free_ns).max(run.thawed_ns.get());
                Some(Idle::Start(Start { intended_ns, lag_ns: u32::try_from(lag.max(0)).unwrap_or(u32::MAX) }))
            })
        })
        .await
    }

    /// Watches a connection while its flow is paused; what it met, if not the pause's end alone.
    pub(super) async fn paused(&self, talk: &mut impl Conversation) -> Option<Idle> {
        let (worker, run, control) = (self.place.worker, self.place.run, self.control);
        while let Some(until) = run.paused(worker) {
            // Whose flow is paused by order waits for nobody.
            worker.limit(control, NEVER_DUE);
            let version = run.turning.version();
            let mut sleep = std::pin::pin!(worker.pacer.sleep_until(until));
            let met = poll_fn(|context| {
                control.register(context);
                if self.is_over() {
                    return Poll::Ready(Some(Idle::Over));
                }
                if let Poll::Ready(broken) = talk.poll_idle(context) {
                    return Poll::Ready(Some(Idle::Broken(broken)));
                }
                if version != run.turning.version() {
                    return Poll::Ready(None);
                }
                sleep.as_mut().poll(context).map(|()| None)
            })
            .await;
            talk.heard();
            if met.is_some() {
                return met;
            }
        }
        None
    }
}

impl Place<'_> {
    /// The next start of its own clock: its number and when it is due, ns; `None`: it has none.
    fn own_due(&self) -> Option<(u64, i64)> {
        match &mut *self.clock.borrow_mut() {
            Clock::Own(starts, k) => Some((*k, starts.at(*k))),
            _ => None,
        }
    }

    /// Takes a start of its own clock, unless somebody has.
    fn takes(&self, number: u64) -> bool {
        let Clock::Own(_, k) = &mut *self.clock.borrow_mut() else { return false };
        let free = *k == number;
        *k += u64::from(free);
        free
    }

    /// Notes the place's own starts that come to nothing: those before the flow's end for which this holds of their instant and now.
    fn miss(&self, missed: impl Fn(i64, i64) -> bool, outcome: ItemOutcome) {
        let Clock::Own(starts, k) = &mut *self.clock.borrow_mut() else { return };
        let (now, end) = (self.worker.pacer.now_ns(), self.run.until_ns());
        while starts.at(*k) < end && missed(starts.at(*k), now) {
            let start = Start { intended_ns: starts.at(*k), lag_ns: 0 };
            flow::unsent(self.worker, self.run.flow, start, outcome);
            *k += 1;
        }
    }

    /// Starts that were due before the place ended are not forgotten.
    pub(super) fn forget_missed(&self) {
        // Of a total others may have made them.
        if self.worker.shared.plan.flows[self.run.flow].load.total.is_none() || self.control.order() != Order::Go {
            let end = self.run.until_ns();
            self.miss(|start, now| start.saturating_add(START_PATIENCE_NS) <= now.min(end), ItemOutcome::Dropped);
            self.miss(|start, now| start < now, self.run.fate_of_waiting(self.worker));
        }
    }
}
