//! What a lane waits for: transactions whose messages, words or pauses are to come, and what it means that a time is over. In: transactions,
//! instants. Out: failures, transactions that go on, the lane's next turn.

use std::rc::Rc;

use scn_reports::record::flow::{ItemOutcome, NEVER};

use super::exchange::{Exchange, Next};
use super::lane::{Lane, State};
use super::run::Lanes;
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::session::Fault;

/// Lost transactions that are remembered, for their answers to be called late.
const MOST_LOST: usize = 65_536;
/// In a lane's agenda: not a transaction, but that it may begin its next one.
const NEXT: u64 = u64::MAX;
/// The same of one that waits for the server.
const HELD: u64 = u64::MAX - 1;
/// Why nothing came, where the client did not look.
const STOOD_STILL: &str = ": its own client stood still";

impl State {
    /// Something is to be done at this instant.
    pub(super) fn remind(&mut self, at_ns: i64, key: u64) {
        self.agenda.push((at_ns, key));
        let (under_way, held) = (&self.under_way, self.held_until_ns);
        let waits = |key: &u64, at_ns: i64| under_way.get(key).is_some_and(|exchange| exchange.wake_ns == at_ns);
        self.agenda.tidy(under_way.len(), |(at_ns, key)| *key == NEXT || (*key == HELD && held == Some(*at_ns)) || waits(key, *at_ns));
    }

    /// Takes a transaction out, for good.
    pub(super) fn take_out(&mut self, key: u64) -> Option<Box<Exchange>> {
        let exchange = self.under_way.remove(&key)?;
        self.agenda.cancel((exchange.wake_ns, key));
        Some(exchange)
    }

    /// When the first datagram that waits for the kernel is dropped, with its transaction's number; [`NEVER_DUE`]: it waits on, or there is none.
    /// Each number is `each` exchanges.
    pub(super) fn first_expires(&self, each: u32) -> (i64, u64) {
        let Some(letter) = self.post.first().filter(|_| self.blocked) else { return (NEVER_DUE, NEXT) };
        let exchange = self.under_way.get(&letter.number.wrapping_mul(u64::from(each)));
        (exchange.map_or(NEVER_DUE, |exchange| exchange.expires_ns()), letter.number)
    }
}

impl Lane {
    /// Keeps a transaction until something comes for it, or its time is over. That of one whose messages the kernel has not all begins when these are
    /// handed to it.
    pub(super) fn wait(&self, lanes: &Lanes, exchange: Box<Exchange>) {
        let (key, wake_ns) = (exchange.key(lanes.each()), exchange.wake_ns);
        let mut state = self.state.borrow_mut();
        state.under_way.insert(key, exchange);
        if wake_ns != NEVER_DUE {
            state.remind(wake_ns, key);
            drop(state);
            lanes.look_at(self, wake_ns);
        }
    }

    /// It may begin its next transaction at this instant.
    pub(super) fn begins_at(&self, lanes: &Lanes, at_ns: i64) {
        self.state.borrow_mut().remind(at_ns, NEXT);
        lanes.look_at(self, at_ns);
    }

    /// What it began is on its way: it may begin its next one, unless it is as far ahead of the server as it may be.
    pub(super) fn is_free_or_held(self: &Rc<Self>, lanes: &Rc<Lanes>) {
        let Some(room) = lanes.room.filter(|_| self.is_full(lanes)) else { return lanes.is_free(self) };
        let until_ns = lanes.worker.pacer.now_ns().saturating_add(room.probe_ns);
        let mut state = self.state.borrow_mut();
        state.held_until_ns = Some(until_ns);
        state.remind(until_ns, HELD);
        drop(state);
        lanes.look_at(self, until_ns);
        // It looks for word without sleeping now.
        self.control.wake();
    }

    fn is_full(&self, lanes: &Lanes) -> bool {
        let state = self.state.borrow();
        lanes.room.is_some_and(|room| state.window.is_full(room.bytes, state.post.joins))
    }

    /// It waits for the server.
    pub(super) fn is_held(&self) -> bool {
        self.state.borrow().held_until_ns.is_some()
    }

    /// The server has taken more in: it waits no longer, if there is room now.
    pub(super) fn let_go(self: &Rc<Self>, lanes: &Rc<Lanes>) {
        if !self.is_held() || self.is_full(lanes) {
            return;
        }
        self.state.borrow_mut().held_until_ns = None;
        lanes.is_free(self);
    }

    /// Sees to everything whose time has come.
    pub(super) fn due(self: &Rc<Self>, lanes: &Rc<Lanes>, now_ns: i64) {
        self.drop_expired(lanes, now_ns);
        let next = loop {
            let first = self.state.borrow().agenda.first();
            let Some((at_ns, key)) = first else { break NEVER_DUE };
            if at_ns > now_ns {
                break at_ns;
            }
            self.state.borrow_mut().agenda.pop();
            if key == NEXT {
                lanes.begins_next(self);
            } else if key == HELD {
                // Once let go it may have been held again.
                let held = self.state.borrow_mut().held_until_ns.take_if(|until_ns| *until_ns == at_ns);
                if held.is_some() {
                    lanes.begins_next(self);
                }
            } else {
                self.time_is_over(lanes, key, now_ns);
            }
        };
        lanes.look_at(self, next);
        self.flush(lanes);
    }

    /// A transaction's wait or pause is over, if it still is the same one.
    fn time_is_over(self: &Rc<Self>, lanes: &Rc<Lanes>, key: u64, now_ns: i64) {
        let mut state = self.state.borrow_mut();
        if state.under_way.get(&key).is_none_or(|exchange| exchange.wake_ns > now_ns) {
            return;
        }
        let Some(mut exchange) = state.under_way.remove(&key) else { return };
        let stage = self.stage(lanes, now_ns);
        match exchange.next {
            Next::Time => {
                let result = exchange.go_on(&stage, &mut state.post);
                drop(state);
                self.settle(lanes, exchange, result);
            }
            Next::Nothing if !lanes.own_server => {
                drop(state);
                lanes.item(self, &exchange, ItemOutcome::Unfinished, NEVER);
                lanes.over(exchange);
                if !lanes.identified {
                    lanes.is_free(self);
                }
            }
            Next::Message | Next::Nothing => {
                let fault = exchange.late(&stage);
                drop(state);
                self.failed(lanes, exchange, fault);
            }
        }
    }

    /// What it means that an answer was not read in time.
    pub(super) fn too_late(&self, lanes: &Lanes, exchange: &Exchange, now_ns: i64) -> Box<Fault> {
        let mut fault = exchange.late(&self.stage(lanes, now_ns));
        if lanes.run.thawed_ns.get() > exchange.sent_ns {
            fault.what.push_str(STOOD_STILL);
        }
        fault
    }

    pub(super) fn remember_lost(&self, exchange: &Exchange, each: u32) {
        let mut state = self.state.borrow_mut();
        state.lost.insert(exchange.key(each), exchange.sent_ns);
        state.lost_order.push_back(exchange.key(each));
        if state.lost_order.len() > MOST_LOST
            && let Some(oldest) = state.lost_order.pop_front()
        {
            state.lost.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::exchange::tests::{played, stage};
    use super::*;
    use crate::traffic::pattern::program::Program;
    use crate::traffic::pattern::session::Identity;
    use crate::traffic::tests::sym;

    /// A transaction is written at this instant, and waits for the kernel.
    fn written(state: &mut State, sym: &(Program, Identity), number: u64, now_ns: i64) {
        let mut exchange = Exchange::new(&sym.0);
        exchange.begin(number, now_ns, 0);
        assert_eq!(exchange.go_on(&stage(sym, now_ns), &mut state.post).unwrap(), Next::Message);
        state.under_way.insert(exchange.key(1), exchange);
    }

    #[test]
    fn what_the_kernel_does_not_take_expires_in_its_order() {
        let sym = played(&sym(64));
        let mut state = State::default();
        written(&mut state, &sym, 0, 100);
        written(&mut state, &sym, 1, 300);
        assert_eq!(state.first_expires(1).0, NEVER_DUE, "the kernel takes what there is");
        state.blocked = true;
        assert_eq!(state.first_expires(1), (1100, 0));
        assert!(state.post.give_up().is_some() && state.take_out(0).is_some());
        assert_eq!(state.first_expires(1), (1300, 1));
        // A part of it was taken: it is sent to its end.
        state.under_way.get_mut(&1).unwrap().handed(0, 400, 1000);
        assert_eq!(state.first_expires(1).0, NEVER_DUE);
        assert!(state.post.give_up().is_some());
        assert_eq!(state.first_expires(1).0, NEVER_DUE, "nothing waits");
    }
}
