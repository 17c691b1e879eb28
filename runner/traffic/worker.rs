//! One worker: a thread with its own event loop, its timer, its connections and what it measured. In: commands. Out: its part of
//! every flow. Shares nothing with other workers on the way of a transaction but counters.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};

use scn_grammar::scenario::FlowId;
use scn_grammar::scenario::pattern::Side;
use scn_grammar::scenario::transport::Listener;
use scn_grammar::source::Span;
use scn_reports::record::flow::{Corruption, CorruptionKind, Item, ItemOutcome, NEVER};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use super::Notice;
use super::control::{Control, Order, Role};
use super::datagram;
use super::deliveries;
use super::flow::{self, DRAIN_LIMIT_NS, Run};
use super::frame::UNKNOWN_FLOW;
use super::frames;
use super::http;
use super::live::Live;
use super::pacer::{NEVER_DUE, Pacer};
use super::pattern::program::Program;
use super::pattern::session::Fault;
use super::quic;
use super::registry::NOBODY;
use super::series::Part;
use super::server;
use super::shared::{Command, Shared};
use super::stress::Stress;
use super::strike;
use super::tcp_info;
use super::tls;
use crate::engine::clock::Clock;

/// Changes are told at most this often by one worker, ns.
const TELL_EVERY_NS: i64 = 1_000_000;
/// Tasks get so long to end when everything ends, ns.
const FINISH_LIMIT_NS: i64 = 1_000_000_000;
/// Between two looks at what is still read, ns.
const LOOK_AGAIN_NS: i64 = 1_000_000;

/// A worker's own state; lives and dies on its thread.
pub struct Worker {
    /// Its position.
    pub index: usize,
    /// Its timer and clock.
    pub pacer: Pacer,
    /// What all workers know.
    pub shared: Arc<Shared>,
    /// Everything ends.
    pub finishing: Cell<bool>,
    /// What it measured, flow by flow.
    pub parts: RefCell<Vec<Part>>,
    clients: Vec<Rc<Program>>,
    servers: Vec<Rc<Program>>,
    http: http::Prepared,
    /// Both ends of TLS.
    pub tls: tls::Prepared,
    /// Both ends of QUIC.
    pub quic: quic::Prepared,
    members: RefCell<BTreeMap<u64, Rc<Control>>>,
    next_member: Cell<u64>,
    runs: RefCell<Vec<Rc<Run>>>,
    tasks: Cell<usize>,
    all_ended: RefCell<Option<Waker>>,
    sweep_ns: Cell<i64>,
    sweeper: RefCell<Option<Waker>>,
    told_ns: Cell<i64>,
    tell_pending: Cell<bool>,
}

/// Compiled patterns: the clients' of all flows, the servers' of all listeners.
#[derive(Clone)]
pub struct Programs {
    /// By flow.
    pub clients: Vec<Program>,
    /// By listener.
    pub servers: Vec<Program>,
    /// What is asked and answered over HTTP without a pattern.
    pub http: http::Prepared,
    /// Both ends of TLS.
    pub tls: tls::Prepared,
    /// Both ends of QUIC.
    pub quic: quic::Prepared,
}

/// A worker's whole life.
pub fn run(index: usize, shared: Arc<Shared>, programs: Programs, clock: Clock, commands: mpsc::UnboundedReceiver<Command>) {
    let broken = |error: io::Error| shared.tell(Notice::Broken { what: format!("traffic worker {index} cannot run: {error}") });
    // QUIC's timers are those of tokio.
    let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => return broken(error),
    };
    if let Err(error) = runtime.block_on(serve(index, Arc::clone(&shared), programs, clock, commands)) {
        broken(error);
    }
}

async fn serve(
    index: usize,
    shared: Arc<Shared>,
    programs: Programs,
    clock: Clock,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> io::Result<()> {
    let worker = Rc::new(Worker::new(index, shared, programs, clock)?);
    let timer = Rc::clone(&worker);
    tokio::task::spawn_local(async move {
        let error = timer.pacer.drive().await;
        timer.shared.tell(Notice::Broken { what: format!("the timer of traffic worker {index} failed: {error}") });
    });
    let sweeper = Rc::clone(&worker);
    tokio::task::spawn_local(async move { sweeper.sweep().await });
    while let Some(command) = commands.recv().await {
        match command {
            Command::Clock(clock) => {
                worker.pacer.set_clock(clock);
                if worker.index == 0 && !worker.shared.stresses.is_empty() {
                    let watcher = Rc::clone(&worker);
                    tokio::task::spawn_local(async move { watcher.watch_stresses().await });
                }
            }
            Command::Start(flow, start) => flow::start(&worker, flow, start),
            Command::Stop(flow, at_ns) => {
                worker.runs.borrow().iter().filter(|run| run.flow == flow.index()).for_each(|run| run.stop(at_ns))
            }
            Command::Turn(flow) => worker.runs_of(flow).iter().for_each(|run| run.turn(&worker)),
            Command::StopStream(flow, number, at_ns) => {
                worker.runs_of(flow).iter().filter(|run| run.number == number).for_each(|run| run.stop(at_ns));
            }
            Command::Listen(listener, socket) => match worker.shared.plan.listeners[listener].listener {
                Listener::Udp { .. } => datagram::server::listen(&worker, listener, socket),
                Listener::Quic { .. } => quic::server::listen(&worker, listener, socket),
                _ => server::listen(&worker, listener, socket),
            },
            Command::Watch(watched) => frames::receive::listen(&worker, watched),
            Command::Unlisten(listener) => worker.order(Role::Listener(listener), Order::Abort),
            Command::Drain(listener) => worker.order(Role::Server(listener), Order::Drain),
            Command::Serve(listener, stream, client, address) => server::serve(&worker, listener, stream, client, address),
            Command::Strike(whom, blow, at_ns, done) => strike::strike(&worker, whom, blow, at_ns, done),
            Command::Finish(answer) => {
                worker.finish().await;
                let _ = answer.send(worker.parts.take());
                break;
            }
        }
    }
    Ok(())
}

impl Worker {
    fn new(index: usize, shared: Arc<Shared>, programs: Programs, clock: Clock) -> io::Result<Worker> {
        let workers = shared.workers.get().map_or(1, Vec::len);
        // Of streams nothing is kept one by one.
        let streams = shared.stresses.first().map_or(usize::MAX, Stress::first);
        let part = |flow: usize| match shared.plan.flows.get(flow) {
            // A flow of frames is all on one worker.
            Some(planned) if frames::carries(planned) => Part::new(1),
            // With few connections it is not on all.
            Some(planned) if flow < streams => Part::new(shared.spread(planned.id)),
            _ => Part::of_streams(workers),
        };
        let parts = (0..shared.plan.flows.len()).map(part).collect();
        Ok(Worker {
            index,
            pacer: Pacer::new(clock)?,
            shared,
            finishing: Cell::new(false),
            parts: RefCell::new(parts),
            clients: programs.clients.into_iter().map(Rc::new).collect(),
            servers: programs.servers.into_iter().map(Rc::new).collect(),
            http: programs.http,
            tls: programs.tls,
            quic: programs.quic,
            members: RefCell::default(),
            next_member: Cell::new(0),
            runs: RefCell::default(),
            tasks: Cell::new(0),
            all_ended: RefCell::new(None),
            sweep_ns: Cell::new(NEVER_DUE),
            sweeper: RefCell::new(None),
            told_ns: Cell::new(i64::MIN / 2),
            tell_pending: Cell::new(false),
        })
    }

    /// The program of a flow's client, or of a listener.
    pub fn program(&self, side: Side, position: usize) -> Rc<Program> {
        Rc::clone(if side == Side::Client { &self.clients[position] } else { &self.servers[position] })
    }

    /// The request that a flow says by options.
    pub fn request(&self, flow: usize) -> Option<Arc<http::Request>> {
        self.http.requests.get(flow).cloned().flatten()
    }

    /// The frame of a flow.
    pub fn frames(&self, flow: usize) -> Option<Arc<frames::Template>> {
        self.shared.frames.get(flow).cloned().flatten()
    }

    /// What a listener answers by path.
    pub fn answers(&self, listener: usize) -> Option<Arc<http::Answers>> {
        self.http.answers.get(listener).cloned().flatten()
    }

    /// A flow's counters; `None` for a flow that is not known.
    pub fn live(&self, flow: usize) -> Option<&Live> {
        self.shared.flows.get(flow).map(|flow| &flow.live)
    }

    /// Runs a task that ends when its control is told to abort.
    pub fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) {
        self.tasks.set(self.tasks.get() + 1);
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            task.await;
            worker.tasks.set(worker.tasks.get() - 1);
            if worker.tasks.get() == 0
                && let Some(waker) = worker.all_ended.borrow_mut().take()
            {
                waker.wake();
            }
        });
    }

    /// Takes a task's handle in; the number is for [`Worker::dismiss`].
    pub fn enlist(&self, control: &Rc<Control>) -> u64 {
        let number = self.next_member.get();
        self.next_member.set(number + 1);
        self.members.borrow_mut().insert(number, Rc::clone(control));
        number
    }

    /// Forgets a task.
    pub fn dismiss(&self, number: u64) {
        self.members.borrow_mut().remove(&number);
    }

    /// Gives an order to every task of a role.
    pub fn order(&self, role: Role, order: Order) {
        self.members.borrow().values().filter(|control| control.role == role).for_each(|control| control.give(order));
    }

    /// The handles of all tasks.
    pub fn members(&self) -> Vec<Rc<Control>> {
        self.members.borrow().values().cloned().collect()
    }

    /// The runs of flows that are not forgotten.
    pub fn runs(&self) -> Vec<Rc<Run>> {
        self.runs.borrow().clone()
    }

    /// The runs of a flow that are not over.
    pub fn runs_of(&self, flow: FlowId) -> Vec<Rc<Run>> {
        self.runs.borrow().iter().filter(|run| run.flow == flow.index() && !run.over.get()).cloned().collect()
    }

    /// Takes a run of a flow in, forgetting those that are over.
    pub fn add_run(&self, run: &Rc<Run>) {
        let mut runs = self.runs.borrow_mut();
        runs.retain(|run| !run.over.get());
        runs.push(Rc::clone(run));
    }

    /// Sets a task's time limit, and sees to its being noticed.
    pub fn limit(&self, control: &Control, at_ns: i64) {
        control.set_deadline(at_ns);
        if at_ns < self.sweep_ns.get() {
            self.sweep_ns.set(at_ns);
            if let Some(waker) = self.sweeper.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// Notices limits that are over. It wakes at the earliest limit that was set; most were met and renewed by then, so that a
    /// transaction costs no timer of its own.
    async fn sweep(&self) {
        loop {
            let until = self.sweep_ns.get();
            let mut sleep = std::pin::pin!(self.pacer.sleep_until(until));
            poll_fn(|context| {
                if self.sweep_ns.get() < until {
                    return Poll::Ready(());
                }
                *self.sweeper.borrow_mut() = Some(context.waker().clone());
                sleep.as_mut().poll(context)
            })
            .await;
            if self.sweep_ns.get() < until {
                continue;
            }
            let now = self.pacer.now_ns();
            let mut next = NEVER_DUE;
            for control in self.members.borrow().values().filter(|control| !control.stands_still()) {
                if control.deadline_ns() <= now {
                    control.expire();
                } else {
                    next = next.min(control.deadline_ns());
                }
            }
            self.sweep_ns.set(next);
        }
    }

    /// Waits until an instant; `false`: it was told to abort before.
    pub async fn rest(&self, control: &Control, until_ns: i64) -> bool {
        self.rest_while(control, until_ns, |order| order < Order::Abort).await
    }

    /// Waits until an instant, as long as the orders allow it.
    pub async fn rest_while(&self, control: &Control, until_ns: i64, allowed: impl Fn(Order) -> bool) -> bool {
        let mut sleep = std::pin::pin!(self.pacer.sleep_until(until_ns));
        poll_fn(|context| {
            control.register(context);
            if !allowed(control.order()) {
                return Poll::Ready(false);
            }
            sleep.as_mut().poll(context).map(|()| true)
        })
        .await
    }

    /// Something that can be read has changed.
    pub fn changed(self: &Rc<Self>) {
        if !self.shared.is_watched() || self.tell_pending.get() {
            return;
        }
        let now = self.pacer.now_ns();
        if now - self.told_ns.get() >= TELL_EVERY_NS {
            self.told_ns.set(now);
            self.shared.tell_changed();
            return;
        }
        self.tell_pending.set(true);
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            worker.pacer.sleep_until(worker.told_ns.get() + TELL_EVERY_NS).await;
            worker.tell_pending.set(false);
            worker.told_ns.set(worker.pacer.now_ns());
            worker.shared.tell_changed();
        });
    }

    /// A client sent the first byte of a transaction.
    pub fn transaction_sent(self: &Rc<Self>, flow: u16) {
        self.transactions_sent(flow, 1);
    }

    /// The same of several.
    pub fn transactions_sent(self: &Rc<Self>, flow: u16, count: u64) {
        if let Some(live) = self.live(flow as usize) {
            live.sent.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// So many transactions ended as the pattern says; each item of them is kept with [`Worker::keep`].
    pub fn items_done(self: &Rc<Self>, flow: usize, count: u64) {
        if let Some(live) = self.live(flow).filter(|_| count > 0) {
            live.received.fetch_add(count, Ordering::Relaxed);
            live.transactions.fetch_add(count, Ordering::Relaxed);
            self.changed();
        }
    }

    /// A transaction ended, or never was.
    pub fn item(self: &Rc<Self>, flow: usize, item: Item) {
        self.tell_item(flow, &item);
        if let Some(live) = self.live(flow) {
            if item.done_ns != NEVER {
                live.answered(item.status);
            }
            match item.outcome {
                ItemOutcome::Done => {
                    live.received.fetch_add(1, Ordering::Relaxed);
                    live.transactions.fetch_add(1, Ordering::Relaxed);
                }
                ItemOutcome::Failed => {
                    live.lost.fetch_add(1, Ordering::Relaxed);
                    live.failed_transactions.fetch_add(1, Ordering::Relaxed);
                    live.errors.fetch_add(1, Ordering::Relaxed);
                }
                ItemOutcome::Dropped => {
                    live.dropped.fetch_add(1, Ordering::Relaxed);
                }
                ItemOutcome::Unfinished => {}
            }
        }
        self.keep(flow, item);
        self.changed();
    }

    /// Keeps an item that is counted already.
    pub fn keep(&self, flow: usize, item: Item) {
        if let Some(stress) = self.stress_of(flow) {
            stress.item(&item);
        }
        let now_ns = if item.done_ns > i64::MIN { item.done_ns } else { item.intended_ns };
        self.parts.borrow_mut()[flow].item(item, now_ns);
    }

    /// Keeps what was wrong with a step of a pattern, at either end.
    pub fn fault(self: &Rc<Self>, flow: u16, connection: u32, program: &Program, fault: Fault) {
        let (step, span) = program.step(fault.step);
        self.wrong((flow, connection), (&step, span), program.side, fault);
    }

    /// Keeps what was wrong with a transaction of a flow and a connection, at this end, in a step with its place.
    pub fn wrong(self: &Rc<Self>, (flow, connection): (u16, u32), (step, span): (&str, Option<Span>), end: Side, fault: Fault) {
        let now = self.pacer.now_ns();
        if flow == UNKNOWN_FLOW || flow as usize >= self.shared.flows.len() {
            self.shared.warn(format!("a connection of no flow of this scenario failed: {step}: {}", fault.what));
            return;
        }
        if let (Some((kind, offset, detail)), Some(live)) = (fault.corruption, self.live(flow as usize)) {
            let counter = if kind == CorruptionKind::Misdelivered { &live.misdelivered } else { &live.corrupt };
            counter.fetch_add(1, Ordering::Relaxed);
            let server = end == Side::Server;
            let corruption = Corruption { at_ns: now, connection, server, kind, offset, detail };
            self.parts.borrow_mut()[flow as usize].corruption(corruption);
        }
        self.parts.borrow_mut()[flow as usize].failure(step, span, fault.what, now);
        self.changed();
    }

    /// Reads tcp_info of a task's connection into its flow.
    pub fn sample(&self, control: &Control) {
        let (Some(flow), Some(socket)) = (control.flow.get(), control.socket.get()) else { return };
        if control.connection.get() == u32::MAX {
            return;
        }
        // The socket is open: the task takes it out of its control before it closes it, on this same thread.
        let Some(mut sample) = tcp_info::read_raw(socket) else { return };
        sample.at_ns = self.pacer.now_ns();
        sample.connection = control.connection.get();
        sample.server = matches!(control.role, Role::Server(_));
        self.parts.borrow_mut()[flow].tcp(sample);
    }

    /// Reads tcp_info of all connections of a flow on this worker.
    pub fn sample_flow(&self, flow: usize) {
        let members = self.members.borrow();
        members.values().filter(|control| control.flow.get() == Some(flow)).for_each(|control| self.sample(control));
    }

    /// The node that answered, from the header or from who accepted; told once.
    pub fn backend(self: &Rc<Self>, flow: usize, known: u16, header: u16, accepted: u16) -> u16 {
        let backend = if header == NOBODY { accepted } else { header };
        if backend != NOBODY && backend != known {
            self.shared.answered(flow, backend);
        }
        backend
    }

    /// Reads on what flows that are over have sent and nothing answers, as long as a transaction under way may take: their clients see no more
    /// of it than that their kernels took it.
    async fn read_to_the_end(&self) {
        let plan = &self.shared.plan;
        let over = |flow: usize| self.shared.flows[flow].starts().ongoing.is_empty();
        let noted: Vec<bool> = plan.flows.iter().enumerate().map(|(at, flow)| deliveries::are_noted(plan, flow) && over(at)).collect();
        let reads = |control: &Rc<Control>| {
            let of_flow = control.flow.get().is_some_and(|flow| noted[flow]);
            matches!(control.role, Role::Server(_)) && of_flow && !control.stands_still()
        };
        let limit = self.pacer.now_ns().saturating_add(DRAIN_LIMIT_NS);
        while self.pacer.now_ns() < limit && self.members.borrow().values().any(reads) {
            self.pacer.sleep_until(self.pacer.now_ns().saturating_add(LOOK_AGAIN_NS)).await;
        }
    }

    /// Ends every task.
    async fn finish(&self) {
        self.read_to_the_end().await;
        self.finishing.set(true);
        self.shared.ended_ns.fetch_min(self.pacer.now_ns(), Ordering::SeqCst);
        self.runs.borrow().iter().for_each(|run| run.stop(i64::MIN));
        self.members.borrow().values().for_each(|control| control.give(Order::Abort));
        let limit = self.pacer.now_ns().saturating_add(FINISH_LIMIT_NS);
        let mut sleep = std::pin::pin!(self.pacer.sleep_until(limit));
        poll_fn(|context| {
            if self.tasks.get() == 0 {
                return Poll::Ready(());
            }
            *self.all_ended.borrow_mut() = Some(context.waker().clone());
            sleep.as_mut().poll(context)
        })
        .await;
        if self.tasks.get() > 0 {
            self.shared.warn(format!("{} connections did not end within 1s at the end of the run", self.tasks.get()));
        }
    }
}
