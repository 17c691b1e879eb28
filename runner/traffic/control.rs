//! The handle by which a worker reaches one of its connection tasks: orders, time limits, starts to make, and the socket to read
//! tcp_info from; it can also make the task stand still. In: orders and limits. Out: wake-ups. Stays on its worker's thread, so it
//! needs no locks.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::os::fd::RawFd;
use std::task::{Context, Poll, Waker};

use super::pacer::NEVER_DUE;

/// What a task shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Go on.
    Go,
    /// Finish the current transaction, then close.
    Drain,
    /// End at once.
    Abort,
    /// End at once, as a process that is killed: nobody who waits is taken in any more.
    Kill,
}

/// Whose task it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A place of a flow: one connection after the other. The flow, and which of its runs.
    Client(usize, u64),
    /// A connection of a listener.
    Server(usize),
    /// A listener.
    Listener(usize),
    /// What sees a flow's frames arrive.
    Observer(usize),
}

/// One start of a transaction.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// When it was meant to be.
    pub intended_ns: i64,
    /// How late the pacer released it, ns.
    pub lag_ns: u32,
}

/// Why a wait ended without what was waited for.
#[derive(Debug)]
pub enum Broken {
    /// The peer ended its side.
    Eof,
    /// The kernel says so.
    Io(std::io::Error),
    /// The limit is over.
    TimedOut,
    /// The worker ordered it.
    Aborted,
}

/// A task's handle.
#[derive(Debug)]
pub struct Control {
    /// Whose it is.
    pub role: Role,
    /// The flow, once known.
    pub flow: Cell<Option<usize>>,
    /// The connection it serves now, as the client numbers them.
    pub connection: Cell<u32>,
    /// The socket of the connection it serves now; taken back before the socket is closed.
    pub socket: Cell<Option<RawFd>>,
    /// The start that it shall make next.
    pub start: Cell<Option<Start>>,
    /// It stands in the queue of connections without work.
    pub idle: Cell<bool>,
    /// It was killed without a word to its peers.
    pub silent: Cell<bool>,
    /// For how long it has stood still in all, ns; not yet what it stands still for now.
    pub stood_ns: Cell<i64>,
    order: Cell<Order>,
    /// Since when it stands still, ns, and what the kernel had thrown away at its socket by then.
    still: Cell<Option<(i64, u32)>>,
    /// What the kernel threw away at its socket while it stood still.
    missed: Cell<u32>,
    deadline_ns: Cell<i64>,
    expired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Control {
    /// A handle without orders.
    pub fn new(role: Role, flow: Option<usize>) -> Control {
        Control {
            role,
            flow: Cell::new(flow),
            connection: Cell::new(u32::MAX),
            socket: Cell::new(None),
            start: Cell::new(None),
            idle: Cell::new(false),
            silent: Cell::new(false),
            stood_ns: Cell::new(0),
            still: Cell::new(None),
            missed: Cell::new(0),
            order: Cell::new(Order::Go),
            deadline_ns: Cell::new(NEVER_DUE),
            expired: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    /// What the task shall do.
    pub fn order(&self) -> Order {
        self.order.get()
    }

    /// Gives an order; a stronger one stays.
    pub fn give(&self, order: Order) {
        if order > self.order.get() {
            self.order.set(order);
        }
        self.wake();
    }

    /// It was killed.
    pub fn is_killed(&self) -> bool {
        self.order.get() == Order::Kill
    }

    /// Carries a task on, but for the time in which it stands still: nothing of it happens then. Its end can be ordered all the same.
    ///
    /// The task has a place of its own in memory: an async function would keep it twice, as what it was given and as what it waits for.
    pub fn carry(&self, task: impl Future<Output = ()>) -> impl Future<Output = ()> {
        let mut task = Box::pin(task);
        poll_fn(move |context| {
            if self.stands_still() && self.order.get() < Order::Abort {
                self.register(context);
                return Poll::Pending;
            }
            task.as_mut().poll(context)
        })
    }

    /// It was told to stand still.
    pub fn stands_still(&self) -> bool {
        self.still.get().is_some()
    }

    /// Makes it stand still from now on; `thrown_away`: what the kernel has thrown away at its socket so far.
    pub fn freeze(&self, now_ns: i64, thrown_away: u32) {
        if !self.stands_still() {
            self.still.set(Some((now_ns, thrown_away)));
        }
    }

    /// Lets it go on. What it stood still for does not count for its limit, which comes out if there is one.
    pub fn thaw(&self, now_ns: i64, thrown_away: u32) -> Option<i64> {
        let (since_ns, before) = self.still.take()?;
        self.missed.set(self.missed.get() + thrown_away.saturating_sub(before));
        self.stood_ns.set(self.stood_ns.get() + (now_ns - since_ns));
        self.wake();
        let limit = self.deadline_ns.get();
        (limit != NEVER_DUE).then(|| limit.saturating_add(now_ns - since_ns))
    }

    /// Of so many datagrams that the kernel has thrown away at its socket, those that it was itself late for.
    pub fn late_for(&self, thrown_away: u32) -> u32 {
        let still = self.still.get().map_or(0, |(_, before)| thrown_away.saturating_sub(before));
        thrown_away.saturating_sub(self.missed.get() + still)
    }

    /// Wakes the task.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Remembers whom to wake.
    pub fn register(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    /// Remembers whom to wake, and tells whether a wait is over for another reason than what it waits for.
    pub fn interrupted(&self, context: &Context<'_>) -> Option<Broken> {
        self.register(context);
        if self.order.get() >= Order::Abort {
            return Some(Broken::Aborted);
        }
        if self.expired.get() { Some(Broken::TimedOut) } else { None }
    }

    /// Sets the limit of the coming waits. Call through [`super::worker::Worker::limit`], which sees to its being noticed.
    pub fn set_deadline(&self, at_ns: i64) {
        self.deadline_ns.set(at_ns);
        self.expired.set(false);
    }

    /// The limit; [`NEVER_DUE`] without.
    pub fn deadline_ns(&self) -> i64 {
        self.deadline_ns.get()
    }

    /// The limit is over.
    pub fn expire(&self) {
        self.deadline_ns.set(NEVER_DUE);
        self.expired.set(true);
        self.wake();
    }
}
