//! One run of a flow on one worker: opens its places, releases starts at their intended instants, ends it. In: start and stop. Out:
//! starts for connections, `FlowEnded`. What a place does with its connections stands in `client`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

use scn_grammar::scenario::FlowId;
use scn_grammar::scenario::flow::Phase;
use scn_reports::record::flow::{Item, ItemOutcome, NEVER};

use super::Notice;
use super::client;
use super::control::{Control, Order, Role, Start};
use super::datagram;
use super::draw::Key;
use super::frames;
use super::names::Names;
use super::openings;
use super::paced_openings;
use super::pacer::NEVER_DUE;
use super::quic;
use super::shared::FlowStart;
use super::sockets::{Packets, Streams};
use super::starts::Starts;
use super::stress::Stream;
use super::turning::Turning;
use super::worker::Worker;
use crate::plan::pace::Pace;
use crate::plan::types::PlannedFlow;

/// A start that finds no free connection waits this long from its intended instant; then it is dropped.
pub const START_PATIENCE_NS: i64 = 1_000_000_000;
/// A flow that is stopped gives its transactions this long to end.
pub const DRAIN_LIMIT_NS: i64 = 1_000_000_000;
/// Sockets asked for at once where connections are short.
const SOCKETS_AT_ONCE: usize = 16;
/// Starts that are released before others get their turn.
pub const STARTS_IN_A_ROW: u32 = 256;

/// One run of a flow on one worker.
pub struct Run {
    /// The flow.
    pub flow: usize,
    /// Which of the flow's starts it belongs to: distinguishes it from other runs, and is part of the key of draws.
    pub number: u64,
    /// Which part of the flow it is, of so many: the first is 0.
    pub part: (usize, usize),
    /// The stream of a stress that it is; `None`: it is of a flow that the file says.
    pub stream: Option<Stream>,
    tickets: Arc<AtomicU64>,
    /// What a name means that it goes to.
    pub names: Arc<Names>,
    /// When it started, ns.
    pub from_ns: i64,
    /// How fast its transactions or items start; `None`: in a closed loop.
    pub pace: Option<Pace>,
    /// What the timeline does to it.
    pub turning: Turning,
    /// It is over on this worker.
    pub over: Cell<bool>,
    /// Its client was killed.
    pub killed: Cell<bool>,
    /// Its client stands still.
    pub frozen: Cell<bool>,
    /// When it last ceased to stand still, ns.
    pub thawed_ns: Cell<i64>,
    /// Connections without work, the longest idle first.
    pub idle: RefCell<VecDeque<Rc<Control>>>,
    /// Starts without a connection, the oldest first.
    pub waiting: RefCell<VecDeque<Start>>,
    /// The first of its places are open.
    pub has_opened: Cell<bool>,
    sockets: RefCell<Vec<OwnedFd>>,
    until_ns: Cell<i64>,
    /// When it had done all that it had to, ns; [`NEVER_DUE`]: it has not yet.
    rested_ns: Cell<i64>,
    own_tickets: Cell<Option<u64>>,
    /// Places that open connections, or of `opens` connections that are alive.
    pub places_left: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    woken: Cell<bool>,
}

/// How many workers a flow is spread over.
pub fn spread(workers: usize, connections: u64) -> usize {
    usize::try_from(connections).unwrap_or(usize::MAX).clamp(1, workers.max(1))
}

/// How many of `count` numbers from 0 on fall to one of so many workers.
pub fn share(count: u64, index: usize, workers: usize) -> u64 {
    let (index, workers) = (index as u64, workers as u64);
    count / workers + u64::from(index < count % workers)
}

/// The first start from `k` on that falls to one of so many workers. With a total of connections, each worker gets as many starts
/// as the connections that it may open can take, however many transactions each of them runs. `u64::MAX`: none.
pub fn own_start(k: u64, total: Option<u64>, index: usize, workers: usize) -> u64 {
    let (index, workers) = (index as u64, workers as u64);
    let Some(total) = total else {
        return k + (workers + index - k % workers) % workers;
    };
    if index >= total {
        return u64::MAX;
    }
    let (round, place) = (k / total, k % total);
    let next = place + (workers + index - place % workers) % workers;
    if next < total { round * total + next } else { (round + 1) * total + index }
}

/// When a start of a flow is over by the flow's own `duration`, ns.
pub fn until(from_ns: i64, duration_ns: Option<u64>) -> i64 {
    duration_ns.map_or(NEVER_DUE, |duration| from_ns.saturating_add_unsigned(duration))
}

/// Starts a flow on this worker, if it has a share in it.
pub fn start(worker: &Rc<Worker>, flow: FlowId, start: FlowStart) {
    let planned = &worker.shared.plan.flows[flow.index()];
    let all = worker.shared.workers.get().map_or(1, Vec::len).max(1);
    let frames = frames::carries(planned);
    // A stream is all on the worker that is told of it. A flow of frames has one socket, and several flows of them share the workers.
    let part = match (&start.stream, frames) {
        (Some(_), _) => (0, 1),
        (None, true) => ((worker.index + all - flow.index() % all) % all, 1),
        (None, false) => (worker.index, worker.shared.spread(flow)),
    };
    if part.0 >= part.1 {
        return;
    }
    let load = &planned.load;
    let pace = Pace::of_transactions(load, planned.pattern.as_ref(), &planned.transport);
    // A worker opens as many connections as it has starts for; those with clocks of their own take their starts with them.
    let dispatched = pace.is_some() && load.phase == Phase::Even;
    let own_tickets = if dispatched { load.total.map(|total| share(total, part.0, part.1)) } else { None };
    let run = Rc::new(Run {
        flow: flow.index(),
        number: start.number,
        part,
        turning: Turning::new(planned, start.at_ns),
        has_opened: Cell::new(false),
        tickets: start.tickets,
        names: start.names,
        from_ns: start.at_ns,
        pace,
        over: Cell::new(false),
        killed: Cell::new(false),
        frozen: Cell::new(false),
        thawed_ns: Cell::new(i64::MIN),
        idle: RefCell::default(),
        waiting: RefCell::default(),
        sockets: RefCell::default(),
        rested_ns: Cell::new(NEVER_DUE),
        until_ns: Cell::new(until(start.at_ns, start.stream.as_ref().map_or(load.duration_ns, |stream| Some(stream.duration_ns)))),
        stream: start.stream,
        own_tickets: Cell::new(own_tickets),
        places_left: Cell::new(0),
        waker: RefCell::new(None),
        woken: Cell::new(false),
    });
    worker.add_run(&run);
    run.turn(worker);
    let task = Rc::clone(worker);
    let datagrams = datagram::carries(planned);
    worker.spawn(async move {
        match (datagrams, frames) {
            (_, true) => frames::run::supervise(&task, &run).await,
            (true, false) => datagram::run::supervise(&task, &run).await,
            (false, false) => supervise(&task, &run).await,
        }
    });
}

impl Run {
    /// Stops at this instant, at once if it is past.
    pub fn stop(&self, at_ns: i64) {
        if at_ns < self.until_ns.get() {
            self.until_ns.set(at_ns);
        }
        self.wake();
    }

    /// Ends at once, as from this instant on, with its client's process.
    pub fn kill(&self, at_ns: i64) {
        self.killed.set(true);
        self.stop(at_ns);
    }

    /// Stands still: what is due meanwhile waits, and is dropped when it has waited too long.
    pub fn freeze(&self) {
        self.frozen.set(true);
    }

    /// Goes on, with what waits.
    pub fn thaw(&self, now_ns: i64) {
        self.frozen.set(false);
        self.thawed_ns.set(now_ns);
        for start in self.waiting.take() {
            self.release(start);
        }
        self.wake();
    }

    /// Takes back a start that its connection could not make: one that is idle makes it.
    pub fn give_back(&self, start: Start) {
        self.waiting.borrow_mut().push_front(start);
        for start in self.waiting.take() {
            self.release(start);
        }
        self.wake();
    }

    /// What becomes of a start that waits when the run ends.
    pub fn fate_of_waiting(&self, worker: &Worker) -> ItemOutcome {
        if self.killed.get() || !worker.finishing.get() { ItemOutcome::Dropped } else { ItemOutcome::Unfinished }
    }

    /// It begins now.
    pub fn begin(&self, worker: &Rc<Worker>) {
        if let Some(stream) = &self.stream {
            worker.stream_began(stream);
        }
    }

    /// When it stops, ns.
    pub fn until_ns(&self) -> i64 {
        self.until_ns.get()
    }

    /// The key of its draws.
    pub fn key(&self, worker: &Worker) -> Key {
        Key::of_seed(worker.shared.plan.seed).part(self.flow as u64).part(self.number)
    }

    /// The starts of the flow as a whole; `None`: its connections make their own.
    pub fn starts(&self, worker: &Worker) -> Option<Starts> {
        let load = &worker.shared.plan.flows[self.flow].load;
        if self.turning.transactions.is_some() {
            return Some(Starts::of_openings(load, Rc::clone(self.turning.course.as_ref()?), self.key(worker)));
        }
        Some(Starts::of_flow(load, Rc::clone(self.turning.course.as_ref()?), self.key(worker)))
    }

    /// The role of its places.
    pub fn role(&self) -> Role {
        Role::Client(self.flow, self.number)
    }

    /// May one more connection be opened? With a total each attempt takes one of it, also one that fails.
    pub fn ticket(&self, worker: &Worker) -> bool {
        if let Some(left) = self.own_tickets.get() {
            self.own_tickets.set(Some(left.saturating_sub(1)));
            return left > 0;
        }
        if worker.shared.plan.flows[self.flow].load.total.is_none() {
            return true;
        }
        self.tickets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// A place opens no more connections.
    pub fn place_over(&self) {
        self.places_left.set(self.places_left.get() - 1);
        if self.places_left.get() == 0 {
            self.wake();
        }
    }

    /// A socket in the client's node, for a target of this family.
    pub async fn socket(&self, worker: &Worker, ipv6: bool) -> std::io::Result<OwnedFd> {
        if let Some(socket) = self.sockets.borrow_mut().pop() {
            return Ok(socket);
        }
        let flow = &worker.shared.plan.flows[self.flow];
        let count = match flow.load.opens_nano {
            // The next one may go to an address of the other family.
            _ if flow.looked_up().is_some() => 1,
            Some(_) => SOCKETS_AT_ONCE,
            None if flow.load.total.is_some() => self.places_left.get().clamp(1, SOCKETS_AT_ONCE),
            None => 1,
        };
        let mut sockets = sockets(worker, flow, ipv6, count).await?;
        let socket = sockets.pop().ok_or_else(|| std::io::Error::other("the lab gave no socket"))?;
        self.sockets.borrow_mut().extend(sockets);
        Ok(socket)
    }

    /// Has the run looked at anew.
    pub fn wake(&self) {
        self.woken.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Waits until an instant, or until something happened to the run.
    pub async fn event(&self, worker: &Worker, until_ns: i64) {
        let mut sleep = std::pin::pin!(worker.pacer.sleep_until(until_ns));
        poll_fn(|context| {
            if self.woken.take() {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            sleep.as_mut().poll(context)
        })
        .await;
    }

    /// Hands a start to the connection that is idle longest; without one it waits.
    pub fn release(&self, start: Start) {
        while !self.frozen.get()
            && let Some(control) = self.next_idle()
        {
            if control.idle.replace(false) && control.order() == Order::Go {
                control.start.set(Some(start));
                control.wake();
                return;
            }
        }
        self.waiting.borrow_mut().push_back(start);
    }

    fn next_idle(&self) -> Option<Rc<Control>> {
        self.idle.borrow_mut().pop_front()
    }

    /// Drops the starts that have waited too long.
    pub fn drop_late(&self, worker: &Rc<Worker>, now_ns: i64) {
        loop {
            let oldest = self.waiting.borrow().front().copied();
            let Some(start) = oldest.filter(|start| start.intended_ns.saturating_add(START_PATIENCE_NS) <= now_ns) else { return };
            self.waiting.borrow_mut().pop_front();
            unsent(worker, self.flow, start, ItemOutcome::Dropped);
        }
    }
}

/// An item that no connection took.
pub fn unsent(worker: &Rc<Worker>, flow: usize, start: Start, outcome: ItemOutcome) {
    let item = Item {
        intended_ns: start.intended_ns,
        sent_ns: NEVER,
        done_ns: NEVER,
        lag_ns: start.lag_ns,
        connection: u32::MAX,
        backend: u16::MAX,
        outcome,
        status: 0,
        forward_bytes: 0,
        back_bytes: 0,
    };
    worker.item(flow, item);
}

async fn supervise(worker: &Rc<Worker>, run: &Rc<Run>) {
    while worker.pacer.now_ns() < run.from_ns.min(run.until_ns.get()) {
        run.event(worker, run.from_ns.min(run.until_ns.get())).await;
    }
    let planned = &worker.shared.plan.flows[run.flow];
    run.begin(worker);
    if planned.load.opens_nano.is_none() {
        let mut places = run.connections(worker.pacer.now_ns());
        if let Some(total) = planned.load.total {
            places = places.min(share(total, run.part.0, run.part.1));
        }
        open_places(worker, run, usize::try_from(places).unwrap_or(usize::MAX)).await;
        run.has_opened.set(true);
    }
    if let Some(interval) = planned.sample_tcp_info_ns {
        let (worker, run) = (Rc::clone(worker), Rc::clone(run));
        let interval = i64::try_from(interval.max(1)).unwrap_or(i64::MAX);
        tokio::task::spawn_local(async move { sample(&worker, &run, interval).await });
    }
    let starts = run.starts(worker);
    if let (true, Some(starts)) = (planned.load.opens_nano.is_some(), starts) {
        match &run.turning.transactions {
            None => openings::carry_out(worker, run, starts).await,
            Some(course) => {
                let of_flow =
                    (planned.load.phase == Phase::Even).then(|| Starts::of_flow(&planned.load, Rc::clone(course), run.key(worker)));
                paced_openings::carry_out(worker, run, starts, of_flow).await;
            }
        }
    } else if let (Phase::Even, Some(starts)) = (planned.load.phase, run.starts(worker)) {
        dispatch(worker, run, starts).await;
    } else {
        while run.places_left.get() > 0 && worker.pacer.now_ns() < run.until_ns.get() {
            run.event(worker, run.until_ns.get()).await;
        }
    }
    drain(worker, run).await;
    end(worker, run);
}

/// So many sockets of a flow's connections.
async fn sockets(worker: &Worker, flow: &PlannedFlow, ipv6: bool, count: usize) -> std::io::Result<Vec<OwnedFd>> {
    let sockets = &worker.shared.sockets;
    if quic::carries(flow) {
        return sockets.packets(flow.from, Packets::Udp { ipv6 }, count).await;
    }
    sockets.streams(flow.from, Streams::of(flow.transport.kind()), ipv6, count).await
}

/// Opens so many places, with one request for their sockets if it is known what these are.
pub async fn open_places(worker: &Rc<Worker>, run: &Rc<Run>, count: usize) {
    let planned = &worker.shared.plan.flows[run.flow];
    if count == 0 || worker.finishing.get() || run.killed.get() {
        return;
    }
    let beforehand = if planned.looked_up().is_some() { 0 } else { count };
    match sockets(worker, planned, planned.target.is_ipv6(), beforehand).await {
        Ok(sockets) => run.sockets.borrow_mut().extend(sockets),
        Err(error) => {
            let what = format!("flow {}: {count} sockets for its connections: {error}", planned.name);
            worker.shared.tell(Notice::Broken { what });
            return;
        }
    }
    // Those that come with the run's end, or after it, would be told of it by nobody.
    let late = run.has_opened.get() && worker.pacer.now_ns() >= run.until_ns.get();
    if run.killed.get() || run.over.get() || worker.finishing.get() || late {
        return run.sockets.borrow_mut().clear();
    }
    run.places_left.set(run.places_left.get() + count);
    for _ in 0..count {
        let control = Rc::new(Control::new(run.role(), Some(run.flow)));
        if run.frozen.get() {
            control.freeze(worker.pacer.now_ns(), 0);
        }
        let number = run.add_place(&control);
        let member = worker.enlist(&control);
        let (task, run) = (Rc::clone(worker), Rc::clone(run));
        worker.spawn(async move {
            control.carry(client::place(&task, &run, &control, number)).await;
            task.dismiss(member);
            run.remove_place(&control);
            run.place_over();
        });
    }
}

/// Releases the worker's share of the starts: of each `workers` in a row, one.
async fn dispatch(worker: &Rc<Worker>, run: &Rc<Run>, mut starts: Starts) {
    let load = &worker.shared.plan.flows[run.flow].load;
    let count = load.total.map_or(u64::MAX, |total| total.saturating_mul(load.transactions.unwrap_or(1)));
    let own = |from| own_start(from, load.total, run.part.0, run.part.1);
    let mut k = own(0);
    let mut at_ns = if k < count { starts.at(k) } else { NEVER_DUE };
    let (mut in_a_row, mut version) = (0, run.turning.version());
    loop {
        if version != run.turning.version() {
            version = run.turning.version();
            at_ns = if k < count { starts.at(k) } else { NEVER_DUE };
        }
        if in_a_row == STARTS_IN_A_ROW {
            // A rate that this worker cannot keep must keep neither its connections nor its commands waiting.
            in_a_row = 0;
            run.drop_late(worker, worker.pacer.now_ns());
            tokio::task::yield_now().await;
        }
        let next = if k < count { at_ns } else { NEVER_DUE };
        let (now, end) = (worker.pacer.now_ns(), run.until_ns.get());
        if next <= now && next < end {
            run.release(Start { intended_ns: next, lag_ns: u32::try_from(now - next).unwrap_or(u32::MAX) });
            k = own(k + 1);
            if k < count {
                at_ns = starts.at(k);
            }
            in_a_row += 1;
            continue;
        }
        in_a_row = 0;
        run.drop_late(worker, now);
        let has_none_left = run.has_opened.get() && run.places_left.get() == 0;
        if now >= end || (has_none_left && (run.stream.is_some() || load.total.is_some())) {
            return;
        }
        let oldest = run.waiting.borrow().front().map_or(NEVER_DUE, |start| start.intended_ns.saturating_add(START_PATIENCE_NS));
        if k >= count && oldest == NEVER_DUE {
            return;
        }
        run.event(worker, next.min(end).min(oldest)).await;
    }
}

/// Lets the connections end: those at work after their transaction.
async fn drain(worker: &Rc<Worker>, run: &Rc<Run>) {
    for start in run.waiting.take() {
        unsent(worker, run.flow, start, run.fate_of_waiting(worker));
    }
    let order = if worker.finishing.get() { Order::Abort } else { Order::Drain };
    worker.order(run.role(), order);
    let mut limit = NEVER_DUE;
    while run.places_left.get() > 0 {
        let now = worker.pacer.now_ns();
        if limit == NEVER_DUE && now >= run.until_ns.get() {
            limit = now.saturating_add(DRAIN_LIMIT_NS);
        }
        if now >= limit {
            worker.order(run.role(), Order::Abort);
            limit = NEVER_DUE - 1;
        }
        run.event(worker, if limit == NEVER_DUE { run.until_ns.get() } else { limit }).await;
    }
    // Connections that ended may have given back what they had taken.
    for start in run.waiting.take() {
        unsent(worker, run.flow, start, run.fate_of_waiting(worker));
    }
    run.sockets.borrow_mut().clear();
}

/// Tells that the flow is over on this worker; the last one tells the engine.
pub fn end(worker: &Rc<Worker>, run: &Rc<Run>) {
    run.over.set(true);
    if let Some(stream) = &run.stream {
        return worker.stream_ended(run.flow, stream);
    }
    let shared = &worker.shared.flows[run.flow];
    let now = worker.pacer.now_ns();
    // Of a flow that was stopped the end is the stop, not the end of what it left behind.
    let ended = if worker.finishing.get() { now } else { now.min(run.until_ns.get()) };
    let ended = ended.min(run.rested_ns.get()).max(run.from_ns);
    let mut starts = shared.starts();
    let Some(at) = starts.ongoing.iter().position(|start| start.number == run.number) else { return };
    let ongoing = &mut starts.ongoing[at];
    ongoing.ended_ns = ongoing.ended_ns.max(ended);
    ongoing.workers -= 1;
    if run.rested_ns.get() != NEVER_DUE {
        ongoing.resting -= 1;
    }
    if ongoing.workers > 0 {
        ongoing.rest();
        return;
    }
    let over = starts.ongoing.remove(at);
    starts.ran_ns.push((over.from_ns, over.ended_ns));
    let last = starts.ongoing.is_empty();
    drop(starts);
    if !worker.finishing.get() {
        shared.finished.store(last, Ordering::SeqCst);
        worker.shared.tell(Notice::FlowEnded(FlowId(u32::try_from(run.flow).unwrap_or(u32::MAX))));
    }
}

/// It has done all that it had to by this instant, and only listens on: a new start may begin beside it.
pub fn rest(worker: &Rc<Worker>, run: &Rc<Run>, at_ns: i64) {
    if run.rested_ns.get() != NEVER_DUE {
        return;
    }
    let at_ns = at_ns.max(run.from_ns);
    run.rested_ns.set(at_ns);
    let mut starts = worker.shared.flows[run.flow].starts();
    if let Some(ongoing) = starts.ongoing.iter_mut().find(|start| start.number == run.number) {
        ongoing.resting += 1;
        ongoing.rested_ns = ongoing.rested_ns.max(at_ns);
        ongoing.rest();
    }
}

/// Reads tcp_info of the flow's connections at both ends, at even intervals from its start.
async fn sample(worker: &Rc<Worker>, run: &Rc<Run>, interval_ns: i64) {
    let mut next = run.from_ns.saturating_add(interval_ns);
    while !run.over.get() {
        worker.pacer.sleep_until(next).await;
        if run.over.get() {
            return;
        }
        worker.sample_flow(run.flow);
        let now = worker.pacer.now_ns();
        // Instants that were missed are not made up for.
        while next <= now {
            next = next.saturating_add(interval_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_falls_to_one_worker_that_has_a_connection_for_it() {
        for (total, transactions, workers) in [(5, 3, 2), (2, 4, 3), (7, 1, 4), (1, 9, 4), (6, 3, 2), (3, 2, 1)] {
            let count = total * transactions;
            let mut taken = vec![0; count as usize];
            for index in 0..workers {
                let mut k = own_start(0, Some(total), index, workers);
                let mut own = 0;
                while k < count {
                    taken[k as usize] += 1;
                    own += 1;
                    k = own_start(k + 1, Some(total), index, workers);
                }
                assert_eq!(own, share(total, index, workers) * transactions, "worker {index} of {workers}, {total} x {transactions}");
            }
            assert!(taken.iter().all(|times| *times == 1), "{total} x {transactions} over {workers}: {taken:?}");
        }
    }

    #[test]
    fn without_a_total_starts_go_round() {
        let of = |index| {
            (0..3).scan(0, move |k, _| {
                let at = own_start(*k, None, index, 3);
                *k = at + 1;
                Some(at)
            })
        };
        assert_eq!(of(0).collect::<Vec<_>>(), [0, 3, 6]);
        assert_eq!(of(2).collect::<Vec<_>>(), [2, 5, 8]);
    }
}
