//! How a lane hands its datagrams to the kernel: what the kernel takes, what it does not send, what it says of earlier ones instead. In:
//! written datagrams. Out: notes of what was sent, items that could not be.

use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;

use scn_reports::record::flow::{ItemOutcome, NEVER};
use tokio::io::Interest;

use super::errors;
use super::exchange::{MESSAGES, Next};
use super::lane::{Lane, State};
use super::log::Note;
use super::run::Lanes;
use crate::traffic::control::Start;
use crate::traffic::pacer::NEVER_DUE;

/// What the kernel did not take for so long that its answer would have been late.
const NOT_TAKEN: &str = "the kernel had no room for it within the limit of its answer";
/// An error of the network that was noted before the datagram in hand was sent is read, and the datagram sent again, so often.
const MOST_ERRORS: usize = 64;

impl Lane {
    /// A start that nothing could be sent for.
    pub(super) fn not_sent(self: &Rc<Self>, lanes: &Lanes, start: Start, error: &io::Error) {
        self.dropped(lanes, start, errors::of_kernel(error, None).0);
        lanes.is_free_later(self);
    }

    fn dropped(&self, lanes: &Lanes, start: Start, what: String) {
        let step = format!("send to {}", self.remote(lanes));
        lanes.worker.parts.borrow_mut()[lanes.run.flow].failure(&step, None, what, lanes.worker.pacer.now_ns());
        lanes.unsent(start, ItemOutcome::Dropped);
        lanes.happened(start.intended_ns);
    }

    /// Sends what was written, as far as the kernel takes it.
    pub fn flush(self: &Rc<Self>, lanes: &Rc<Lanes>) {
        let (blocked, expires_ns) = self.expires(lanes);
        if blocked {
            lanes.look_at(self, expires_ns);
        } else {
            self.flush_when(lanes, false);
        }
    }

    /// Whether the kernel takes no more now, and when the first that waits for it is dropped, ns.
    fn expires(&self, lanes: &Lanes) -> (bool, i64) {
        let state = self.state.borrow();
        (state.blocked, state.first_expires(lanes.each()).0)
    }

    /// Drops what has waited for the kernel too long. It was not sent, so that it is not lost.
    pub(super) fn drop_expired(self: &Rc<Self>, lanes: &Rc<Lanes>, now_ns: i64) {
        loop {
            let (at_ns, number) = self.state.borrow().first_expires(lanes.each());
            if at_ns > now_ns {
                return;
            }
            self.give_up(lanes, &io::ErrorKind::WouldBlock.into(), NOT_TAKEN.to_owned());
            let mut state = self.state.borrow_mut();
            while state.post.first().is_some_and(|letter| letter.number == number) {
                state.post.give_up();
            }
        }
    }

    pub(super) fn flush_when(self: &Rc<Self>, lanes: &Rc<Lanes>, was_blocked: bool) {
        let mut errors = 0;
        while self.state.borrow().post.waiting() > 0 {
            let mut state = self.state.borrow_mut();
            let now = lanes.worker.pacer.now_ns();
            let sent = match was_blocked {
                true => self.socket.try_io(Interest::WRITABLE, || state.post.send(self.socket.as_fd(), self.ipv6)),
                false => state.post.send(self.socket.as_fd(), self.ipv6),
            };
            if let Some(refused) = state.post.refusal() {
                lanes.one_by_one(&refused);
            }
            match sent {
                Ok(count) => {
                    state.blocked = false;
                    let limit_ns = self.handed(lanes, &mut state, count, now);
                    drop(state);
                    lanes.look_at(self, limit_ns);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.blocked = true;
                    drop(state);
                    lanes.look_at(self, self.expires(lanes).1);
                    self.control.wake();
                    return;
                }
                Err(error) => {
                    drop(state);
                    errors += 1;
                    // The kernel tells of an earlier datagram's fate by the next call, whatever that is for.
                    let earlier = errors::next(self.socket.as_fd());
                    match earlier {
                        Ok(said) if said.local => self.give_up(lanes, &error, said.what),
                        Ok(said) if errors <= MOST_ERRORS => self.refused(lanes, said),
                        _ if errors == 1 && is_of_before(&error) => {}
                        _ => self.give_up(lanes, &error, errors::of_kernel(&error, None).0),
                    }
                }
            }
        }
        // What the kernel had no room for may have been given up.
        self.state.borrow_mut().blocked = false;
        lanes.worker.changed();
    }

    /// Notes the last datagrams that the kernel took, from this instant on, a nanosecond each to keep their order; when the first of
    /// their limits is over.
    fn handed(&self, lanes: &Lanes, state: &mut State, count: usize, at_ns: i64) -> i64 {
        let each = u64::from(lanes.each());
        let part = &mut lanes.worker.parts.borrow_mut()[lanes.run.flow];
        let (mut begun, mut first) = (0, NEVER_DUE);
        for (at, at_ns) in (0..count).zip(at_ns..) {
            let letter = state.post.gone(count)[at];
            begun += u64::from(letter.place == 0) * each;
            for (row, receiver) in self.rows(lanes).zip(0..each) {
                if lanes.own_server {
                    let sequence = letter.number.wrapping_mul(MESSAGES) + u64::from(letter.place);
                    part.sent(Note { connection: row, back: false, sequence, at_ns, asked_ns: NEVER });
                }
                let key = letter.number.wrapping_mul(each) + receiver;
                let Some(exchange) = state.under_way.get_mut(&key) else { continue };
                if exchange.handed(letter.place, at_ns, lanes.limit_ns) {
                    let limit_ns = exchange.wake_ns;
                    first = first.min(limit_ns);
                    state.remind(limit_ns, key);
                }
            }
        }
        lanes.worker.transactions_sent(self.identity.flow, begun);
        first
    }

    /// The kernel does not send a datagram.
    fn give_up(self: &Rc<Self>, lanes: &Rc<Lanes>, error: &io::Error, what: String) {
        let mut state = self.state.borrow_mut();
        let Some(letter) = state.post.give_up() else { return };
        let first = letter.number.wrapping_mul(u64::from(lanes.each()));
        // Those with a group's other receivers share its fate.
        let others = || (1..u64::from(lanes.each())).map(|other| first + other);
        let Some(mut exchange) = state.take_out(first) else { return };
        drop(state);
        let now = lanes.worker.pacer.now_ns();
        if letter.place > 0 || error.raw_os_error() == Some(libc::EMSGSIZE) {
            if letter.place == 0 {
                lanes.worker.transaction_sent(self.identity.flow);
            }
            let end = errors::of_kernel(error, None).1;
            for key in others() {
                let Some(other) = self.state.borrow_mut().take_out(key) else { continue };
                let fault = other.failed(&self.stage(lanes, now), what.clone(), end);
                self.failed(lanes, other, fault);
            }
            let fault = exchange.failed(&self.stage(lanes, now), what, end);
            return self.failed(lanes, exchange, fault);
        }
        let start = Start { intended_ns: exchange.intended_ns, lag_ns: exchange.lag_ns };
        let was_free = lanes.identified && exchange.next == Next::Nothing;
        exchange.sent_ns = NEVER;
        let others: Vec<_> = others().filter_map(|key| self.state.borrow_mut().take_out(key)).collect();
        others.into_iter().for_each(|other| lanes.over(other));
        lanes.over(exchange);
        self.dropped(lanes, start, what);
        if !was_free {
            lanes.is_free_later(self);
        }
    }
}

/// An error that may be of an earlier datagram.
fn is_of_before(error: &io::Error) -> bool {
    use libc::{ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, ENOPROTOOPT, EOPNOTSUPP, EPROTO};
    let known = [ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, ENOPROTOOPT, EOPNOTSUPP, EPROTO];
    error.raw_os_error().is_some_and(|number| known.contains(&number))
}
