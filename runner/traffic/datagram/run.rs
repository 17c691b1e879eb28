//! One run of a datagram flow on one worker: starts its transactions at their intended instants, sees to their time limits, ends it.
//! In: start and stop. Out: items, `FlowEnded`. What a socket does stands in `lane`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use scn_grammar::scenario::pattern::Side;
use scn_reports::record::flow::{Item, ItemOutcome, NEVER};

use super::awake::awake;
use super::errors;
use super::exchange::Exchange;
use super::group;
use super::lane::Lane;
use super::post::MOST_TOGETHER;
use super::pour::{self, Room};
use super::socket::{self, Arrivals};
use super::target::{find_target, pause_after_failure};
use super::upcoming::Upcoming;
use super::{Options, Packets, is_identified, is_unwatched, own_server, packets, pattern, response_limit};
use crate::plan::datagrams;
use crate::traffic::Notice;
use crate::traffic::control::{Order, Start};
use crate::traffic::flow::{self, DRAIN_LIMIT_NS, Run, START_PATIENCE_NS};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::program::Program;
use crate::traffic::registry::Told;
use crate::traffic::worker::Worker;

/// Transactions that are started before others get their turn.
const STARTS_IN_A_ROW: u32 = 16;
/// The same where many go to the kernel in one piece.
const JOINED_STARTS_IN_A_ROW: u32 = 256;
/// Starts that share one reading of the clock, by which they are due or late.
const STARTS_A_READING: u32 = 16;
/// Sockets that a flow left behind and still listens on.
const MOST_LEFT_BEHIND: usize = 64;

/// One run of a datagram flow on one worker.
pub struct Lanes {
    pub(super) worker: Rc<Worker>,
    pub(super) run: Rc<Run>,
    pub(super) program: Rc<Program>,
    pub(super) options: Options,
    pub(super) kind: Packets,
    /// Where its datagrams go.
    pub(super) target: SocketAddr,
    /// Each message tells its transaction: many are under way on one lane.
    pub(super) identified: bool,
    /// The program's own server answers, and takes notes.
    pub(super) own_server: bool,
    /// The nodes that receive what goes to a group; empty: one alone answers.
    pub(super) receivers: Vec<u16>,
    /// Many datagrams go to the kernel, and come from it, in one piece.
    pub(super) joins: bool,
    /// How far each socket may be ahead of the server; `None`: it does not heed it.
    pub(super) room: Option<Room>,
    /// How long an answer may take, ns.
    pub(super) limit_ns: i64,
    /// Without a rate: a lane begins the next one when it is done.
    closed_loop: bool,
    interval_ns: i64,
    /// Open loop: how long before a start it sleeps no more, ns.
    awake_ns: i64,
    /// Closed loop: the pause after one that failed, ns.
    reconnect_ns: i64,
    pub(super) arrivals: RefCell<Arrivals>,
    lanes: RefCell<Vec<Rc<Lane>>>,
    left_behind: RefCell<VecDeque<Rc<Lane>>>,
    /// Lanes that wait for a start, the longest first.
    idle: RefCell<VecDeque<Rc<Lane>>>,
    /// When the first thing is to be done of each lane that has any: the instant, the lane's number.
    agenda: RefCell<BTreeSet<(i64, u32)>>,
    /// Room for what servers tell.
    pub(super) told: RefCell<Vec<Told>>,
    /// Payload written and not flushed, and that of the last start, bytes.
    written: Cell<(u64, u64)>,
    #[expect(clippy::vec_box, reason = "an exchange is large and goes to and fro")]
    pool: RefCell<Vec<Box<Exchange>>>,
    pub(super) under_way: Cell<u64>,
    /// Lanes to be opened in place of those left behind.
    wanted: Cell<u32>,
    turn: Cell<usize>,
    /// The last sending or arrival, ns.
    last_ns: Cell<i64>,
    /// It has begun all that it had to.
    did_all: Cell<bool>,
    /// When the last of the items was sent that nothing came for in time, ns; [`NEVER`]: there is none.
    awaited_ns: Cell<i64>,
}

/// Carries a run out. `workers` share the flow.
pub async fn supervise(worker: &Rc<Worker>, run: &Rc<Run>) {
    let begins = || run.from_ns.min(run.until_ns());
    while worker.pacer.now_ns() < begins() {
        run.event(worker, begins()).await;
    }
    run.begin(worker);
    let found = find_target(worker, run).await;
    let planned = &worker.shared.plan.flows[run.flow];
    let lanes = Rc::new(Lanes::new(worker, run, found.unwrap_or(planned.target)));
    let mut share = flow::share(planned.load.connections.max(1), run.part.0, run.part.1);
    if let Some(total) = planned.load.total {
        share = share.min(flow::share(total, run.part.0, run.part.1).max(1));
    }
    if found.is_some() && !run.killed.get() {
        worker.parts.borrow_mut()[run.flow].frames.unwatched |= is_unwatched(planned, lanes.own_server);
        lanes.open(usize::try_from(share).unwrap_or(usize::MAX)).await;
    }
    lanes.carry_out().await;
    worker.order(run.role(), Order::Abort);
    lanes.close();
    if lanes.did_all.get() {
        flow::rest(worker, run, lanes.end_ns());
    }
    flow::end(worker, run);
}

impl Lanes {
    fn new(worker: &Rc<Worker>, run: &Rc<Run>, target: SocketAddr) -> Lanes {
        let plan = &worker.shared.plan;
        let planned = &plan.flows[run.flow];
        let program = worker.program(Side::Client, run.flow);
        let steps = pattern(planned);
        let own_server = own_server(plan, planned, target);
        Lanes {
            worker: Rc::clone(worker),
            run: Rc::clone(run),
            options: Options::of_flow(&planned.transport),
            kind: packets(planned, target),
            target,
            identified: matches!(packets(planned, target), Packets::Echo { .. })
                || steps.is_some_and(|pattern| is_identified(&pattern.steps)),
            own_server,
            joins: datagrams::is_dense(planned) && datagrams::may_be_joined(plan) && !worker.shared.captured.load(Ordering::Relaxed),
            room: pour::room(plan, planned).filter(|_| own_server && run.stream.is_none()),
            receivers: group::receivers(planned),
            limit_ns: response_limit(planned).saturating_add(program.allowance_ns),
            program,
            closed_loop: run.pace.is_none(),
            interval_ns: i64::try_from(planned.load.interval_ns).unwrap_or(i64::MAX),
            awake_ns: awake(&worker.shared.plan, planned),
            reconnect_ns: pause_after_failure(planned).unwrap_or(0),
            arrivals: RefCell::new(Arrivals::new()),
            lanes: RefCell::default(),
            left_behind: RefCell::default(),
            idle: RefCell::default(),
            agenda: RefCell::default(),
            told: RefCell::default(),
            written: Cell::default(),
            pool: RefCell::default(),
            under_way: Cell::new(0),
            wanted: Cell::new(0),
            turn: Cell::new(0),
            last_ns: Cell::new(run.from_ns),
            did_all: Cell::new(false),
            awaited_ns: Cell::new(NEVER),
        }
    }

    /// Opens so many lanes.
    async fn open(self: &Rc<Self>, count: usize) {
        let planned = &self.worker.shared.plan.flows[self.run.flow];
        let sockets = match self.worker.shared.sockets.packets(planned.from, self.kind, count).await {
            Ok(sockets) => sockets,
            Err(error) => {
                let what = format!("flow {}: {count} sockets: {error}", planned.name);
                self.worker.shared.tell(Notice::Broken { what });
                return;
            }
        };
        for socket in sockets {
            match Lane::open(self, socket) {
                Ok(lane) => {
                    self.lanes.borrow_mut().push(Rc::clone(&lane));
                    self.idle.borrow_mut().push_back(lane);
                }
                Err(error) => {
                    let what = format!("flow {}: a socket: {error}", planned.name);
                    self.worker.shared.tell(Notice::Broken { what });
                    return;
                }
            }
        }
    }

    /// Starts what is due, ends what is late, until all is done.
    async fn carry_out(self: &Rc<Self>) {
        let load = &self.worker.shared.plan.flows[self.run.flow].load;
        let count = load.total.unwrap_or(u64::MAX);
        let own = |from| flow::own_start(from, load.total, self.run.part.0, self.run.part.1);
        let (mut over, mut limit, mut looked) = (false, NEVER_DUE, false);
        let mut upcoming = Upcoming::new(count, &own, self.run.starts(&self.worker));
        let mut version = self.run.turning.version();
        loop {
            if version != self.run.turning.version() {
                version = self.run.turning.version();
                upcoming.look();
            }
            let now = self.worker.pacer.now_ns();
            let pause = self.run.paused_until(now);
            let frozen = self.run.frozen.get();
            if !frozen {
                self.due(now);
            }
            // What was due before the end is sent, though late, and not forgotten.
            let due_before = upcoming.at_ns < self.run.until_ns();
            if !over && now >= self.run.until_ns() && !due_before {
                over = true;
                limit = self.run.until_ns().max(self.run.from_ns).saturating_add(DRAIN_LIMIT_NS.max(self.limit_ns.saturating_mul(2)));
                self.forget_waiting();
            }
            if self.run.killed.get() && !self.closed_loop {
                self.drop_due(&mut upcoming);
            }
            if self.worker.finishing.get() || self.run.killed.get() || now >= limit {
                return;
            }
            let mut next = NEVER_DUE;
            if !over && self.closed_loop && (frozen || pause.is_some()) {
                // It begins nothing.
                next = pause.unwrap_or(NEVER_DUE);
            } else if !over && self.closed_loop {
                over = !self.begin_idle();
                self.did_all.set(over);
                // What needs no answer would otherwise keep the worker from its servers.
                tokio::task::yield_now().await;
            } else if !over {
                next = self.begin_due(&mut upcoming);
                over = upcoming.k >= count && self.run.waiting.borrow().is_empty();
                self.did_all.set(over);
            }
            self.leaves_its_place(over);
            let mut lingers = NEVER_DUE;
            if over && self.under_way.get() == 0 {
                lingers = self.lingers_until();
                if now >= lingers && looked {
                    return;
                }
                flow::rest(&self.worker, &self.run, self.end_ns());
                if now >= lingers {
                    // What has come by now is not lost because this worker was late: the sockets' own tasks take it in first.
                    looked = true;
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            while !over && self.wanted.get() > 0 {
                self.wanted.set(self.wanted.get() - 1);
                self.open(1).await;
            }
            let due = if frozen { NEVER_DUE } else { self.agenda.borrow().first().map_or(NEVER_DUE, |(at, _)| *at) };
            let until = if over { limit } else { self.run.until_ns() };
            let next = next.saturating_sub(self.awake_ns);
            if next <= self.worker.pacer.now_ns() {
                // Neither a rate that this worker cannot keep nor a start that is near must keep its sockets waiting.
                tokio::task::yield_now().await;
            }
            self.run.event(&self.worker, next.min(due).min(until).min(self.oldest()).min(lingers)).await;
        }
    }

    /// The place of a stream whose time is over is another's.
    fn leaves_its_place(&self, over: bool) {
        if let Some(stream) = self.run.stream.as_ref().filter(|_| over) {
            self.worker.stream_leaves(stream);
        }
    }

    /// When it ended: what was lost is known only later, which is no time in which it ran.
    fn end_ns(&self) -> i64 {
        if self.did_all.get() { self.last_ns.get() } else { self.run.until_ns() }
    }

    /// Nothing came for an item within its limit.
    pub(super) fn may_come_late(&self, sent_ns: i64) {
        let last = self.awaited_ns.get();
        self.awaited_ns.set(if last == NEVER { sent_ns } else { last.max(sent_ns) });
    }

    /// Until when it listens on for what comes late, and for copies of that: as long again as an answer may take.
    fn lingers_until(&self) -> i64 {
        let last = self.awaited_ns.get();
        if last == NEVER { i64::MIN } else { last.saturating_add(self.limit_ns.saturating_mul(2)) }
    }

    /// When the oldest start that waits for a lane is dropped.
    fn oldest(&self) -> i64 {
        self.run.waiting.borrow().front().map_or(NEVER_DUE, |start| start.intended_ns.saturating_add(START_PATIENCE_NS))
    }

    /// What was due before the client was killed could not be sent.
    fn drop_due(&self, upcoming: &mut Upcoming<'_>) {
        while upcoming.at_ns < self.run.until_ns() {
            let start = Start { intended_ns: upcoming.at_ns, lag_ns: 0 };
            self.unsent(start, ItemOutcome::Dropped);
            upcoming.pass();
        }
    }

    /// Open loop: begins what is due; when the next one is.
    fn begin_due(self: &Rc<Self>, upcoming: &mut Upcoming<'_>) -> i64 {
        let mut now = self.worker.pacer.now_ns();
        for begun in 1..=self.starts_in_a_row() {
            let next = upcoming.at_ns;
            if next > now || begun % STARTS_A_READING == 0 {
                now = self.worker.pacer.now_ns();
            }
            if next > now || next >= self.run.until_ns() {
                self.serve_waiting(now);
                self.flush();
                return next;
            }
            upcoming.pass();
            let start = Start { intended_ns: next, lag_ns: u32::try_from(now - next).unwrap_or(u32::MAX) };
            if now.saturating_sub(next) > START_PATIENCE_NS {
                // A rate that cannot be kept: too late to be what was asked for.
                self.unsent(start, ItemOutcome::Dropped);
                self.happened(next);
                continue;
            }
            match self.lane() {
                Some(lane) => {
                    lane.begin(self, start, now);
                    if self.is_much() {
                        break;
                    }
                }
                None => self.run.waiting.borrow_mut().push_back(start),
            }
        }
        self.serve_waiting(self.worker.pacer.now_ns());
        self.flush();
        i64::MIN
    }

    /// The lane for the next start; `None`: each is at work, or stands still.
    fn lane(&self) -> Option<Rc<Lane>> {
        if self.run.frozen.get() {
            return None;
        }
        if !self.identified {
            return self.idle.borrow_mut().pop_front();
        }
        let lanes = self.lanes.borrow();
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        lanes.get(turn % lanes.len().max(1)).cloned()
    }

    fn serve_waiting(self: &Rc<Self>, now_ns: i64) {
        self.run.drop_late(&self.worker, now_ns);
        // What was due before a pause is begun though the pause has begun; what waited then waits on.
        while self.run.paused_until(now_ns).is_none() && !self.run.waiting.borrow().is_empty() {
            let Some(lane) = self.lane() else { return };
            let start = self.run.waiting.borrow_mut().pop_front();
            if let Some(start) = start {
                lane.begin(self, start, now_ns);
            }
        }
    }

    /// Closed loop: each idle lane begins its next one; `false`: there is no next one.
    fn begin_idle(self: &Rc<Self>) -> bool {
        let mut now = self.worker.pacer.now_ns();
        for begun in 1..=self.starts_in_a_row() {
            if begun % STARTS_A_READING == 0 {
                now = self.worker.pacer.now_ns();
            }
            // By the reading that the start gets: between two of them much time may pass.
            if self.run.paused_until(now).is_some() {
                break;
            }
            let Some(lane) = self.idle.borrow_mut().pop_front() else { break };
            if !self.run.ticket(&self.worker) {
                self.flush();
                return false;
            }
            lane.begin(self, Start { intended_ns: now, lag_ns: 0 }, now);
            if self.is_much() {
                break;
            }
        }
        self.flush();
        if !self.idle.borrow().is_empty() {
            self.run.wake();
        }
        true
    }

    /// Sends what was written.
    fn flush(self: &Rc<Self>) {
        if self.run.frozen.get() {
            return;
        }
        self.written.take();
        let lanes = self.lanes.borrow().clone();
        lanes.iter().for_each(|lane| lane.flush(self));
    }

    /// Sees to everything whose time has come.
    fn due(self: &Rc<Self>, now_ns: i64) {
        loop {
            let first = self.agenda.borrow().first().copied();
            let Some((_, number)) = first.filter(|(at, _)| *at <= now_ns) else { return };
            self.agenda.borrow_mut().pop_first();
            let Some(lane) = self.find(number) else { continue };
            lane.looked_at_ns.set(NEVER_DUE);
            lane.due(self, now_ns);
        }
    }

    fn find(&self, number: u32) -> Option<Rc<Lane>> {
        let is = |lane: &&Rc<Lane>| lane.number == number;
        self.lanes.borrow().iter().find(is).or(self.left_behind.borrow().iter().find(is)).cloned()
    }

    /// Looks at a lane at this instant, if not before.
    pub(super) fn look_at(&self, lane: &Lane, at_ns: i64) {
        let planned = lane.looked_at_ns.get();
        if at_ns >= planned {
            return;
        }
        let mut agenda = self.agenda.borrow_mut();
        let earlier = agenda.first().is_none_or(|(first, _)| at_ns < *first);
        agenda.remove(&(planned, lane.number));
        agenda.insert((at_ns, lane.number));
        lane.looked_at_ns.set(at_ns);
        if earlier {
            self.run.wake();
        }
    }

    /// A lane's pause is over.
    pub(super) fn begins_next(&self, lane: &Rc<Lane>) {
        self.idle.borrow_mut().push_back(Rc::clone(lane));
        self.run.wake();
    }

    /// A lane may begin its next transaction.
    pub(super) fn is_free(&self, lane: &Rc<Lane>) {
        if self.closed_loop && self.interval_ns > 0 {
            lane.begins_at(self, self.worker.pacer.now_ns().saturating_add(self.interval_ns));
        } else if self.closed_loop || !self.identified {
            self.begins_next(lane);
        }
    }

    /// The same after a transaction that failed or could not be sent: in a closed loop the pause is that before a broken connection
    /// is opened anew, so that a refusal is not asked for as fast as it can be had.
    pub(super) fn is_free_later(&self, lane: &Rc<Lane>) {
        if self.closed_loop {
            let pause = self.reconnect_ns.max(self.interval_ns);
            lane.begins_at(self, self.worker.pacer.now_ns().saturating_add(pause));
        } else {
            self.is_free(lane);
        }
    }

    /// A lane begins no more transactions, and what still comes on it is only counted; another takes its place.
    pub(super) fn leave_behind(&self, lane: &Rc<Lane>) {
        self.lanes.borrow_mut().retain(|other| !Rc::ptr_eq(other, lane));
        let mut left = self.left_behind.borrow_mut();
        left.push_back(Rc::clone(lane));
        if left.len() > MOST_LEFT_BEHIND
            && let Some(oldest) = left.pop_front()
        {
            oldest.close(self);
        }
        self.wanted.set(self.wanted.get() + 1);
        self.run.wake();
    }

    /// A place for a transaction.
    pub(super) fn exchange(&self) -> Box<Exchange> {
        self.under_way.set(self.under_way.get() + 1);
        self.pool.borrow_mut().pop().unwrap_or_else(|| Exchange::new(&self.program))
    }

    /// A transaction is over; its place is free.
    pub(super) fn over(&self, exchange: Box<Exchange>) {
        self.pool.borrow_mut().push(exchange);
        self.under_way.set(self.under_way.get() - 1);
        if self.under_way.get() == 0 {
            self.run.wake();
        }
    }

    /// Something was sent, or came.
    pub(super) fn happened(&self, at_ns: i64) {
        self.last_ns.set(self.last_ns.get().max(at_ns));
    }

    /// A start has written so many bytes.
    pub(super) fn wrote(&self, bytes: u64) {
        self.written.set((self.written.get().0 + bytes, bytes));
    }

    /// With another start there would be more than goes in one piece: more at once than a receiver's socket has room for would be lost there.
    fn is_much(&self) -> bool {
        let (written, last) = self.written.get();
        self.joins && written + last > MOST_TOGETHER as u64
    }

    fn starts_in_a_row(&self) -> u32 {
        if self.joins { JOINED_STARTS_IN_A_ROW } else { STARTS_IN_A_ROW }
    }

    /// The kernel can do that with a socket; where it can't, the record says so.
    pub(super) fn can_join(&self, socket: &OwnedFd) -> bool {
        let can = socket::can_send_joined(socket.as_fd()).and_then(|()| socket::receive_joined(socket.as_fd()));
        if let Err(error) = &can {
            self.one_by_one(error);
        }
        can.is_ok()
    }

    /// The kernel takes no pieces.
    pub(super) fn one_by_one(&self, error: &io::Error) {
        let name = &self.worker.shared.plan.flows[self.run.flow].name;
        let why = errors::of_kernel(error, None).0;
        self.worker
            .shared
            .warn(format!("flow {name} sends its datagrams one by one, for the kernel does not cut them (UDP_SEGMENT): {why}"));
    }

    /// What one start comes to: an item with each of a group's receivers.
    pub(super) fn each(&self) -> u32 {
        u32::try_from(self.receivers.len()).unwrap_or(u32::MAX).max(1)
    }

    /// A start that was not made.
    pub(super) fn unsent(&self, start: Start, outcome: ItemOutcome) {
        (0..self.each()).for_each(|_| flow::unsent(&self.worker, self.run.flow, start, outcome));
    }

    /// Notes an item.
    pub(super) fn item(&self, lane: &Lane, exchange: &Exchange, outcome: ItemOutcome, done_ns: i64) {
        self.worker.item(self.run.flow, self.row(lane, exchange, outcome, done_ns));
    }

    /// An item of a transaction that is over.
    pub(super) fn row(&self, lane: &Lane, exchange: &Exchange, outcome: ItemOutcome, done_ns: i64) -> Item {
        let whole = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let done = outcome == ItemOutcome::Done;
        if done {
            self.happened(done_ns);
        }
        self.happened(exchange.sent_ns);
        Item {
            intended_ns: exchange.intended_ns,
            sent_ns: exchange.sent_ns,
            done_ns: if outcome == ItemOutcome::Unfinished { NEVER } else { done_ns },
            lag_ns: exchange.lag_ns,
            connection: lane.number + exchange.receiver,
            backend: if done { lane.answered(self, exchange) } else { u16::MAX },
            outcome,
            status: 0,
            forward_bytes: if done { whole(exchange.sent_bytes) } else { 0 },
            back_bytes: whole(exchange.received_bytes),
        }
    }

    fn forget_waiting(&self) {
        for start in self.run.waiting.take() {
            self.unsent(start, self.run.fate_of_waiting(&self.worker));
        }
    }

    /// Ends all lanes; the fate of what is under way was not seen.
    fn close(&self) {
        self.forget_waiting();
        let all: Vec<Rc<Lane>> = self.lanes.take().into_iter().chain(self.left_behind.take()).collect();
        all.iter().for_each(|lane| lane.close(self));
        self.idle.take();
    }
}
