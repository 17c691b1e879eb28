//! Who carries transactions on a connection, one at a time: the place itself, or one of those that share a connection of several
//! streams. In: starts from the flow. Out: items, failures. Opens no connection.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use scn_grammar::scenario::pattern::Side;
use scn_reports::record::flow::{ConnectionEnd, Item, ItemOutcome, NEVER};

use super::{Clock, KILLED, Open, Place, own_clock};
use crate::traffic::control::{Broken, Control, Order, Start};
use crate::traffic::conversation::Conversation;
use crate::traffic::limits::Quiet;
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::session::{Cut, Played, end_of, in_words};
use crate::traffic::registry::NOBODY;

/// One who carries transactions.
pub(super) struct Lane<'a> {
    pub place: &'a Place<'a>,
    pub control: &'a Rc<Control>,
    pub open: &'a Open,
    /// Which of those who share the connection.
    pub stream: u64,
}

/// What an idle connection met.
pub(super) enum Idle {
    Start(Start),
    /// The peer takes fewer at once than it did.
    NoRoom,
    Broken(Broken),
    Over,
}

impl Lane<'_> {
    /// Carries transactions until the connection ends, or has had all of its own. The connection is still there then.
    pub async fn converse<C: Conversation>(&self, mut talk: C) -> C {
        let load = &self.place.worker.shared.plan.flows[self.place.run.flow].load;
        let most = load.transactions.or(load.total.map(|_| 1));
        let open = self.open;
        let end = loop {
            let met = match self.claim(&mut talk, most).await {
                Ok(true) => self.next_start(&mut talk).await,
                Ok(false) => {
                    // Others may be at work on the last of them.
                    open.note(ConnectionEnd::Closed);
                    return talk;
                }
                Err(met) => met,
            };
            let start = match met {
                Idle::Start(start) => start,
                Idle::NoRoom => {
                    open.claimed.set(open.claimed.get() - 1);
                    open.wake_others();
                    continue;
                }
                Idle::Over => break self.ordered_end(),
                // Those at work tell what became of it.
                Idle::Broken(_) if open.under_way.get() > 0 => break ConnectionEnd::Closed,
                // One that was never of use is no end in good order: the next attempt waits as after any that broke.
                Idle::Broken(Broken::Eof) if talk.may_end() && open.row.borrow().transactions > 0 => break ConnectionEnd::Closed,
                Idle::Broken(broken) => break self.idle_break(broken, talk.quiet()),
            };
            let number = open.begun.replace(open.begun.get() + 1);
            if most == Some(number + 1) {
                open.wake_others();
            }
            open.under_way.set(open.under_way.get() + 1);
            let ended = self.transaction(&mut talk, number, start).await;
            open.under_way.set(open.under_way.get() - 1);
            if talk.most_at_once() <= self.stream {
                // Those before it may have waited for its end.
                open.wake_others();
            }
            if let Some(end) = ended {
                break end;
            }
            if self.control.order() != Order::Go {
                break self.ordered_end();
            }
        };
        open.note(end);
        open.ending.set(true);
        open.wake_others();
        talk
    }

    /// Waits until there is a transaction for this one to begin, and claims it; `false`: all that the connection has are begun.
    async fn claim(&self, talk: &mut impl Conversation, most: Option<u64>) -> Result<bool, Idle> {
        let (open, most) = (self.open, most.unwrap_or(u64::MAX));
        let claimed = poll_fn(|context| {
            if open.begun.get() >= most {
                return Poll::Ready(Ok(false));
            }
            if self.has_room(talk) && open.claimed.get() < most {
                return Poll::Ready(Ok(true));
            }
            self.control.register(context);
            if self.is_over() {
                return Poll::Ready(Err(Idle::Over));
            }
            talk.poll_idle(context).map(|broken| Err(Idle::Broken(broken)))
        })
        .await;
        if let Ok(true) = claimed {
            open.claimed.set(open.claimed.get() + 1);
        }
        claimed
    }

    /// The peer takes as many at once as come before this one or are under way, and this one.
    pub(super) fn has_room(&self, talk: &mut impl Conversation) -> bool {
        talk.most_at_once() > self.stream.max(self.open.under_way.get().into())
    }

    /// One transaction; the end of the connection if it ends with it.
    async fn transaction(&self, talk: &mut impl Conversation, number: u64, start: Start) -> Option<ConnectionEnd> {
        let (worker, flow, open) = (self.place.worker, self.place.run.flow, self.open);
        if !talk.speaks_first() {
            let (begun, waiting) = open.entry.begun_on(self.stream);
            begun.fetch_add(1, Ordering::Release);
            waiting.wake();
        }
        let played = talk.play(number).await;
        let done_ns = worker.pacer.now_ns();
        let backend = worker.backend(flow, open.row.borrow().backend, talk.peer_node(), open.entry.backend());
        open.row.borrow_mut().backend = backend;
        if backend != NOBODY {
            talk.know_server(worker.shared.plan.nodes.get(backend as usize).map_or("", |node| node.name.as_str()));
        }
        let progress = talk.progress();
        let whole = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut item = Item {
            intended_ns: start.intended_ns,
            sent_ns: progress.sent_ns,
            done_ns,
            lag_ns: start.lag_ns,
            connection: open.number,
            backend,
            outcome: ItemOutcome::Done,
            status: talk.status(),
            forward_bytes: whole(progress.sent_bytes),
            back_bytes: whole(progress.received_bytes),
        };
        match played {
            Ok(played) => {
                open.row.borrow_mut().transactions += 1;
                self.place.run.is_answered();
                worker.item(flow, item);
                (played == Played::Closed).then_some(ConnectionEnd::Closed)
            }
            Err(Cut::Aborted) => {
                // How much of it the server received cannot be told.
                item.forward_bytes = 0;
                worker.item(flow, if self.control.is_killed() { lost_by_kill(item) } else { unfinished(item) });
                Some(self.ordered_end())
            }
            Err(Cut::Fault(fault)) => {
                if item.sent_ns == NEVER {
                    worker.transaction_sent(flow as u16);
                    item.sent_ns = done_ns;
                }
                item = Item { outcome: ItemOutcome::Failed, forward_bytes: 0, ..item };
                worker.item(flow, item);
                let end = fault.end;
                self.broken(end);
                let (step, span) = talk.step(fault.step);
                worker.tell_step(flow, || format!("{step}: {}", fault.what));
                self.place.run.fails(&step, &fault.what);
                worker.wrong((flow as u16, open.number), (&step, span), Side::Client, *fault);
                Some(end)
            }
        }
    }

    /// An established connection broke.
    fn broken(&self, end: ConnectionEnd) {
        if self.open.broke.replace(true) {
            return;
        }
        let live = &self.place.worker.shared.flows[self.place.run.flow].live;
        live.failed_connections.fetch_add(1, Ordering::Relaxed);
        live.errors.fetch_add(1, Ordering::Relaxed);
        match end {
            ConnectionEnd::Reset => drop(live.resets.fetch_add(1, Ordering::Relaxed)),
            ConnectionEnd::Timeout => drop(live.timeouts.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        self.place.worker.changed();
    }

    /// A connection without work broke.
    pub fn idle_break(&self, broken: Broken, quiet: Quiet) -> ConnectionEnd {
        let (end, what) = match broken {
            Broken::Eof => (ConnectionEnd::EarlyClose, "the peer closed the connection between two transactions".to_owned()),
            Broken::Io(error) => {
                let end = end_of(&error);
                (end, format!("{} between two transactions", in_words(end, &error)))
            }
            Broken::TimedOut => match quiet.broken(self.place.worker.pacer.now_ns()) {
                Some(what) => (ConnectionEnd::Timeout, what),
                None => return self.ordered_end(),
            },
            Broken::Aborted => return self.ordered_end(),
        };
        self.broken(end);
        let step = format!("connection to {}", self.place.target);
        self.place.run.fails(&step, &what);
        self.place.worker.parts.borrow_mut()[self.place.run.flow].failure(&step, None, what, self.place.worker.pacer.now_ns());
        end
    }

    /// How a connection ends that was told to.
    fn ordered_end(&self) -> ConnectionEnd {
        if self.place.worker.finishing.get() {
            return ConnectionEnd::Open;
        }
        if !self.control.is_killed() {
            return ConnectionEnd::Closed;
        }
        if self.open.broke.get() {
            return ConnectionEnd::Other;
        }
        self.broken(ConnectionEnd::Other);
        let step = format!("connection to {}", self.place.target);
        self.place.run.fails(&step, KILLED);
        self.place.worker.parts.borrow_mut()[self.place.run.flow].failure(&step, None, KILLED.to_owned(), self.place.worker.pacer.now_ns());
        ConnectionEnd::Other
    }

    /// The next start: at once in a closed loop, else when one is due. Meanwhile the socket is watched: a peer that goes away is
    /// seen when it does.
    async fn next_start(&self, talk: &mut impl Conversation) -> Idle {
        loop {
            if self.is_over() {
                return Idle::Over;
            }
            // The transaction for which the clock opened the connection is under way.
            let opened = matches!(&*self.place.clock.borrow(), Clock::Opened(Some(_)));
            if !opened && let Some(met) = self.paused(talk).await {
                return met;
            }
            if !self.has_room(talk) {
                return Idle::NoRoom;
            }
            if talk.quiet().is_limited() {
                self.place.worker.limit(self.control, talk.quiet().until(NEVER_DUE));
            }
            // What is over already takes no start: who may end it between two transactions loses none by it.
            if talk.may_end()
                && let Some(broken) = poll_fn(|context| Poll::Ready(ended(talk, context))).await
            {
                return Idle::Broken(broken);
            }
            let (of_flow, first) = match &mut *self.place.clock.borrow_mut() {
                Clock::OfFlow => (true, None),
                Clock::Own(..) => (false, None),
                Clock::Opened(first) => (false, first.take().or_else(|| self.at_once())),
                Clock::ClosedLoop => (false, self.at_once()),
            };
            let met = match first {
                Some(start) => return Idle::Start(start),
                None if of_flow => self.flows_start(talk).await,
                None if self.has_own_clock() => self.own_start(talk).await,
                None => continue,
            };
            // If nothing, the timeline did something to the flow: what comes next may be otherwise.
            if let Some(met) = met {
                return met;
            }
        }
    }

    /// No other transaction shall begin.
    pub fn is_over(&self) -> bool {
        self.control.order() != Order::Go || self.open.ending.get()
    }

    /// A start of a closed loop; `None`: its flow is paused by the same reading of the clock.
    fn at_once(&self) -> Option<Start> {
        let intended_ns = self.place.worker.pacer.now_ns();
        self.place.run.paused_until(intended_ns).is_none().then_some(Start { intended_ns, lag_ns: 0 })
    }

    /// Its starts are fixed beforehand, and not those of all.
    fn has_own_clock(&self) -> bool {
        matches!(&*self.place.clock.borrow(), Clock::Own(..))
    }

    /// The next start that the flow's clock gives to this connection.
    async fn flows_start(&self, talk: &mut impl Conversation) -> Option<Idle> {
        if let Some(start) = self.place.run.waiting.borrow_mut().pop_front() {
            return Some(Idle::Start(start));
        }
        self.control.idle.set(true);
        self.place.run.idle.borrow_mut().push_back(Rc::clone(self.control));
        self.place.worker.limit(self.control, talk.quiet().until(NEVER_DUE));
        let version = self.place.run.turning.version();
        let met = poll_fn(|context| {
            self.control.register(context);
            if let Some(start) = self.control.start.take() {
                let over = match talk.may_end().then(|| ended(talk, context)).flatten() {
                    Some(broken) => Idle::Broken(broken),
                    None if self.open.ending.get() => Idle::Over,
                    None if !self.has_room(talk) => Idle::NoRoom,
                    None => return Poll::Ready(Some(Idle::Start(start))),
                };
                self.place.run.give_back(start);
                return Poll::Ready(Some(over));
            }
            if self.is_over() {
                return Poll::Ready(Some(Idle::Over));
            }
            if version != self.place.run.turning.version() || !self.has_room(talk) {
                return Poll::Ready(None);
            }
            talk.poll_idle(context).map(|broken| own_clock::met_by(self.place.run, self.place.worker, broken))
        })
        .await;
        if self.control.idle.replace(false) {
            self.place.run.idle.borrow_mut().retain(|other| !Rc::ptr_eq(other, self.control));
        }
        met
    }
}

/// The transaction that a client was killed in.
fn lost_by_kill(item: Item) -> Item {
    if item.sent_ns == NEVER {
        // It took the start and had not sent anything yet.
        return Item { outcome: ItemOutcome::Dropped, done_ns: NEVER, connection: u32::MAX, ..item };
    }
    Item { outcome: ItemOutcome::Failed, ..item }
}

/// A transaction whose end was not seen.
fn unfinished(item: Item) -> Item {
    Item { outcome: ItemOutcome::Unfinished, done_ns: NEVER, ..item }
}

/// Whether a connection without work is over.
fn ended(talk: &mut impl Conversation, context: &mut Context<'_>) -> Option<Broken> {
    match talk.poll_idle(context) {
        Poll::Ready(broken) => Some(broken),
        Poll::Pending => None,
    }
}
