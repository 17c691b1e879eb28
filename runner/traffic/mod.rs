//! Sends and receives. In: a plan's flows and listeners, sockets from the lab, starts and stops from the engine. Out: counters of
//! this moment, and everything that was measured. Opens no socket and makes no plan.
//!
//! A few worker threads, each with an event loop of its own, carry the connections; both ends of a connection live on one worker.
//!
//! ```text
//! Traffic --Command--> worker --> flow --Start--> client ==socket== server
//!    ^                   |                          |                 |
//!    +---Notice, Live----+        series <--rows----+-----------------+
//! ```

mod accepting;
mod client;
mod control;
mod conversation;
mod ctraffic;
mod datagram;
mod deliveries;
mod draw;
mod flow;
mod frame;
mod frames;
mod gate;
mod http;
mod limits;
pub mod live;
mod multipath;
mod names;
mod openings;
mod origins;
mod paced_openings;
mod pacer;
mod pattern;
mod quic;
mod reconnect;
mod registry;
mod runs;
mod sctp_options;
pub mod secrets;
mod series;
mod server;
mod shared;
pub mod sockets;
mod starts;
pub mod stress;
pub mod strike;
mod tcp_info;
mod tcp_options;
#[cfg(test)]
mod tests;
mod timer;
pub mod tls;
mod told;
pub mod tools;
mod turning;
mod wire;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) use datagram::{is_identified, open_account};
use scn_grammar::scenario::pattern::{Pattern, Side};
use scn_grammar::scenario::transport::Listener;
use scn_grammar::scenario::{FlowId, NodeId, ServiceId, StressId};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

pub use client::CONNECT_LIMIT_NS;
pub(crate) use draw::Key;
pub use flow::{DRAIN_LIMIT_NS, START_PATIENCE_NS};
pub use pattern::program::Files;
pub use pattern::session::RESPONSE_LIMIT_NS;
pub use series::{FailureKind, FlowSeries};
pub use stress::StressSeries;

use crate::engine::clock::Clock;
use crate::plan::turns::Turn;
use crate::plan::types::{Plan, PlannedFlow, PlannedListener};
use live::Live;
use pattern::program::Program;
use secrets::Secrets;
use shared::{Command, FlowStart, Ongoing, Shared};
use sockets::{Sockets, Streams};
use worker::Programs;

/// More workers than this do not help on the machines that scenarios run on.
const MAX_WORKERS: usize = 4;
/// A port that is about to become free is tried so often, with a pause in between.
const PORT_TRIES: u32 = 100;
/// The same of one over QUIC, whose connections hold it until what was said on them has arrived.
const PORT_TRIES_OF_QUIC: u32 = 2_000;
const PORT_PAUSE: Duration = Duration::from_millis(1);
/// At the end each worker gets so long to hand over what it measured.
const FINISH_LIMIT: Duration = Duration::from_secs(5);

/// What traffic tells the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A flow did all it had to, or was stopped and has ended.
    FlowEnded(FlowId),
    /// A stress did all it had to, or was stopped and its streams have ended.
    StressEnded(StressId),
    /// A counter changed. Told only while somebody watches, and once until [`Traffic::live`] is asked again.
    Changed,
    /// A step of a transaction, where each is told.
    Told {
        /// When, whose and what.
        text: String,
    },
    /// Something of our own broke: no more descriptors, a thread that could not start. The run cannot be trusted.
    Broken {
        /// What, as a sentence.
        what: String,
    },
}

/// What to do about a port that somebody has.
fn if_taken(error: &std::io::Error) -> &'static str {
    let taken = error.kind() == std::io::ErrorKind::AddrInUse;
    if taken { ". Another program has the port: end it, or say another port in `listen`" } else { "" }
}

/// Why traffic could not be prepared.
#[derive(Debug, Error)]
pub enum TrafficError {
    /// A listener could not be opened.
    #[error("{listener} cannot listen on {address} at node {node}: {error}{}", if_taken(error))]
    Listen {
        /// The listener's name.
        listener: String,
        /// The node's name.
        node: String,
        /// Where.
        address: SocketAddr,
        /// The kernel's reason.
        error: std::io::Error,
    },
    /// The kernel refused a socket option.
    #[error("an option of {owner} cannot be had: {error}")]
    Option {
        /// The flow or listener.
        owner: String,
        /// Which, and the kernel's reason.
        error: std::io::Error,
    },
    /// A pattern cannot be carried out.
    #[error("the pattern of {owner} cannot be carried out: {why}")]
    Pattern {
        /// The flow or listener.
        owner: String,
        /// Why.
        why: String,
    },
    /// What a flow asks or a service answers over HTTP is no message.
    #[error("HTTP of {owner}: {why}")]
    Http {
        /// The flow or listener.
        owner: String,
        /// Why.
        why: String,
    },
    /// What a flow or a service says of TLS cannot be had.
    #[error("TLS of {owner}: {why}")]
    Tls {
        /// The flow or listener.
        owner: String,
        /// Why.
        why: String,
    },
    /// What a flow or a service says of QUIC cannot be had.
    #[error("QUIC of {owner}: {why}")]
    Quic {
        /// The flow or listener.
        owner: String,
        /// Why.
        why: String,
    },
    /// A worker thread could not be started.
    #[error("a traffic worker could not be started: {0}")]
    Thread(std::io::Error),
}

impl TrafficError {
    /// The same, with what it says of the scenario's texts free of their secrets.
    fn without(self, secrets: &Secrets) -> Self {
        match self {
            TrafficError::Pattern { owner, why } => TrafficError::Pattern { owner, why: secrets.mask(why) },
            TrafficError::Http { owner, why } => TrafficError::Http { owner, why: secrets.mask(why) },
            other => other,
        }
    }
}

/// Everything that was measured, by flow.
#[derive(Debug, Default)]
pub struct TrafficResult {
    /// In the order of the plan's flows.
    pub flows: Vec<FlowSeries>,
    /// In the order of the plan's stresses.
    pub stresses: Vec<StressSeries>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// The traffic of one run. Dropping it ends everything at once and throws the measurements away.
pub struct Traffic {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Opens the listeners and starts the workers; nothing is sent yet. `files` holds what every file holds that a pattern
    /// sends, and every certificate and key of TLS; `secrets` are the values that its texts are filled with.
    ///
    /// # Errors
    /// A listener that cannot be opened, a pattern that cannot be carried out, a thread that cannot be started.
    pub async fn prepare(
        plan: Arc<Plan>,
        files: &Files,
        secrets: &Secrets,
        sockets: Arc<dyn Sockets>,
        notices: mpsc::UnboundedSender<Notice>,
    ) -> Result<Traffic, TrafficError> {
        let plan = stress::with_kinds(plan);
        let programs = compile(&secrets.filled(&plan), files).map_err(|error| error.without(secrets))?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let shared = Arc::new(Shared::new(plan, sockets, notices));
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..cores.min(MAX_WORKERS)).map(|_| mpsc::unbounded_channel()).unzip();
        let _ = shared.workers.set(senders);
        let mut traffic = Traffic { shared: Arc::clone(&shared), threads: Vec::new() };
        let clock = Clock::starting_at(Instant::now());
        for (index, commands) in receivers.into_iter().enumerate() {
            let (shared, programs) = (Arc::clone(&shared), programs.clone());
            let thread = std::thread::Builder::new().name(format!("traffic-{index}"));
            let hidden = secrets.clone();
            let work = move || {
                secrets::hide(&hidden);
                worker::run(index, shared, programs, clock, commands);
            };
            let thread = thread.spawn(work).map_err(TrafficError::Thread)?;
            traffic.threads.push(thread);
        }
        datagram::try_options(&traffic.shared).await?;
        tcp_options::try_all(&traffic.shared).await?;
        for listener in 0..traffic.shared.plan.listeners.len() {
            traffic.open(listener).await?;
        }
        traffic.open_frames().await?;
        Ok(traffic)
    }

    /// The timeline's clock, given once just before the timeline starts.
    pub fn start_clock(&self, clock: Clock) {
        let _ = self.shared.clock.set(clock);
        self.all(|| Command::Clock(clock));
    }

    /// Starts a flow. `at_ns` is the intended instant: its schedule counts from there. What is under way of an earlier start that
    /// was stopped ends beside it. `false`: it runs already and goes on. Each start that is made tells its own end.
    pub fn start_flow(&self, flow: FlowId, at_ns: i64) -> bool {
        let Some(shared) = self.shared.flows.get(flow.index()) else { return false };
        let load = &self.shared.plan.flows[flow.index()].load;
        let workers = self.shared.spread(flow);
        let mut starts = shared.starts();
        if starts.ongoing.iter().any(|start| start.until_ns > at_ns) {
            let name = &self.shared.plan.flows[flow.index()].name;
            self.shared.warn(format!("flow {name} was started while it was running: it went on as it was"));
            return false;
        }
        starts.count += 1;
        let number = starts.count;
        let until_ns = flow::until(at_ns, load.duration_ns);
        starts.ongoing.push(Ongoing { number, workers, from_ns: at_ns, ended_ns: i64::MIN, until_ns, resting: 0, rested_ns: i64::MIN });
        shared.finished.store(false, Ordering::SeqCst);
        shared.frozen.store(false, Ordering::SeqCst);
        drop(starts);
        let tickets = Arc::new(AtomicU64::new(load.total.unwrap_or(0)));
        let start = FlowStart { at_ns, number, tickets, stream: None, names: Arc::default() };
        self.all(|| Command::Start(flow, start.clone()));
        true
    }

    /// Stops a flow: transactions under way get [`DRAIN_LIMIT_NS`] to end, then its connections close. Intended starts before
    /// `at_ns` are accounted for.
    pub fn stop_flow(&self, flow: FlowId, at_ns: i64) {
        let Some(shared) = self.shared.flows.get(flow.index()) else { return };
        shared.starts().ongoing.iter_mut().for_each(|start| start.until_ns = start.until_ns.min(at_ns));
        self.all(|| Command::Stop(flow, at_ns));
    }

    /// Does to a flow what the timeline says: nothing of it is due while it is paused, and what a setting makes of its schedule counts from the
    /// instant that was meant.
    pub fn turn_flow(&self, flow: FlowId, turn: Turn) {
        let Some(shared) = self.shared.flows.get(flow.index()) else { return };
        shared.turns().add(turn);
        self.all(|| Command::Turn(flow));
    }

    /// Closes a service's listeners on these nodes, and each of their connections after its current transaction.
    pub fn stop_service(&self, service: ServiceId, nodes: &[NodeId]) {
        self.listeners(service, nodes).into_iter().for_each(|listener| self.close(listener));
    }

    /// Closes a listener, and each of its connections after its current transaction.
    pub fn close(&self, listener: usize) {
        self.shared.listeners[listener].open.store(false, Ordering::SeqCst);
        self.all(|| Command::Unlisten(listener));
    }

    /// Opens a service's listeners on these nodes again.
    ///
    /// # Errors
    /// A listener that cannot be opened.
    pub async fn start_service(&self, service: ServiceId, nodes: &[NodeId]) -> Result<(), TrafficError> {
        for listener in self.listeners(service, nodes) {
            self.reopen(listener).await?;
        }
        Ok(())
    }

    /// Opens a listener again. A stop of just now may still be on its way to the worker that holds the port.
    async fn reopen(&self, listener: usize) -> Result<(), TrafficError> {
        let closing = !self.shared.listeners[listener].open.load(Ordering::SeqCst);
        let tries = if quic::listens(&self.shared.plan.listeners[listener].listener) { PORT_TRIES_OF_QUIC } else { PORT_TRIES };
        for _ in 0..tries {
            match self.open(listener).await {
                Err(TrafficError::Listen { error, .. }) if closing && error.kind() == std::io::ErrorKind::AddrInUse => {
                    tokio::time::sleep(PORT_PAUSE).await;
                }
                opened => return opened,
            }
        }
        self.open(listener).await
    }

    /// A flow's counters and gauges at this moment. Asking also arms the next [`Notice::Changed`].
    ///
    /// # Panics
    /// For a flow that the plan does not have.
    #[must_use]
    pub fn live(&self, flow: FlowId) -> &Live {
        self.shared.seen();
        &self.shared.flows[flow.index()].live
    }

    /// Whether [`Notice::Changed`] is sent when a counter of a flow changes: at once, but at most once a millisecond from each worker.
    pub fn watch(&self, on: bool) {
        self.shared.watch(on);
    }

    /// Every link is captured: each datagram crosses alone from now on, for a capture to show it.
    pub fn is_captured(&self) {
        self.shared.captured.store(true, Ordering::Relaxed);
    }

    /// Ends everything at once and collects what was measured. Takes at most a few seconds, whatever hangs.
    pub async fn finish(mut self) -> TrafficResult {
        let now_ns = self.shared.clock.get().map_or(0, Clock::now_ns);
        // What comes later is none of the run.
        self.look();
        let mut answers = Vec::new();
        for worker in self.workers() {
            let (answer, answered) = oneshot::channel();
            // A worker that broke has told so; its part is missing.
            let _ = worker.send(Command::Finish(answer));
            answers.push(answered);
        }
        let mut parts: Vec<Vec<series::Part>> = self.shared.plan.flows.iter().map(|_| Vec::new()).collect();
        let mut late = false;
        for (index, answer) in answers.into_iter().enumerate() {
            match tokio::time::timeout(FINISH_LIMIT, answer).await {
                Ok(Ok(worker)) => parts.iter_mut().zip(worker).for_each(|(parts, part)| parts.push(part)),
                Ok(Err(_)) | Err(_) => {
                    late = true;
                    self.shared.warn(format!("traffic worker {index} did not hand over what it measured: the series are not whole"));
                }
            }
        }
        let threads = std::mem::take(&mut self.threads);
        if !late {
            for thread in threads {
                // A panic of a worker was told by its missing part.
                let _ = thread.join();
            }
        }
        let until_ns = self.shared.ended_ns.load(Ordering::SeqCst);
        let planned = &self.shared.plan.flows;
        let flows = parts.into_iter().zip(&self.shared.flows).zip(planned).map(|((parts, shared), flow)| {
            let mut starts = shared.starts();
            let mut ran_ns = std::mem::take(&mut starts.ran_ns);
            // Only of workers that did not hand over.
            ran_ns.extend(starts.ongoing.iter().map(|start| (start.from_ns, start.ended_ns.max(start.from_ns))));
            ran_ns.sort_unstable();
            drop(starts);
            let frames = frames::carries(flow).then_some((frames::LIMIT_NS, until_ns));
            let datagrams = datagram::carries(flow).then(|| (datagram::response_limit(flow), until_ns)).or(frames);
            let (paused_ns, intervals_ns) = turning::told(flow, &shared.turns(), &ran_ns);
            let finished = shared.finished.load(Ordering::SeqCst) && !late;
            let watched_ns = flow.watches().then(|| turning::unpaused(&ran_ns, &paused_ns));
            let mut series = series::merge(parts, datagrams, watched_ns.as_deref());
            datagram::heed_what_was_heard(flow, &mut series);
            frames::heed_the_last(flow, &series.items, &mut ran_ns);
            FlowSeries { ran_ns, paused_ns, intervals_ns, finished, ..series }
        });
        let mut flows: Vec<FlowSeries> = flows.collect();
        let kinds = flows.split_off(self.shared.stresses.first().map_or(flows.len(), stress::Stress::first));
        let stresses = self.take_stresses(kinds, now_ns);
        TrafficResult { flows, stresses, warnings: self.shared.warnings() }
    }

    fn workers(&self) -> &[mpsc::UnboundedSender<Command>] {
        self.shared.workers.get().map_or(&[], Vec::as_slice)
    }

    fn all(&self, command: impl Fn() -> Command) {
        for worker in self.workers() {
            // A worker that broke has told so.
            let _ = worker.send(command());
        }
    }

    fn listeners(&self, service: ServiceId, nodes: &[NodeId]) -> Vec<usize> {
        let listeners = self.shared.plan.listeners.iter().enumerate();
        listeners.filter(|(_, l)| l.service == Some(service) && nodes.contains(&l.node)).map(|(position, _)| position).collect()
    }

    async fn open(&self, listener: usize) -> Result<(), TrafficError> {
        let planned = &self.shared.plan.listeners[listener];
        let address = SocketAddr::new(planned.address, planned.port);
        let closed = |error| {
            let (listener, node) = (planned.name.clone(), self.shared.node_name(planned.node).to_owned());
            TrafficError::Listen { listener, node, address, error }
        };
        let socket = match planned.listener {
            Listener::Udp { .. } | Listener::Quic { .. } => self.open_datagrams(listener).await?,
            _ => self.shared.sockets.stream_listener(planned.node, Streams::of(planned.listener.kind()), address).await.map_err(closed)?,
        };
        let refused = |error| TrafficError::Option { owner: planned.name.clone(), error };
        tcp_options::set_at(&planned.listener, &socket, address.is_ipv6()).map_err(refused)?;
        tcp_options::listen(&planned.listener, &socket).map_err(closed)?;
        let standing = &self.shared.listeners[listener];
        standing.frozen.store(false, Ordering::SeqCst);
        standing.silent.store(false, Ordering::SeqCst);
        standing.open.store(true, Ordering::SeqCst);
        let workers = self.workers();
        // A worker that broke has told so.
        let _ = workers[datagram::pour::home(&self.shared.plan, listener, workers.len())].send(Command::Listen(listener, socket));
        Ok(())
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.all(|| Command::Finish(oneshot::channel().0));
        }
    }
}

/// Compiles every pattern for the sides that play it.
fn compile(plan: &Plan, files: &Files) -> Result<Programs, TrafficError> {
    let wrong = |owner: &str| {
        let owner = owner.to_owned();
        |why| TrafficError::Pattern { owner, why }
    };
    let program = |pattern: &Pattern, side, owner: &str| Program::new(pattern, side, files).map_err(wrong(owner));
    let missing = |owner: &str| wrong(owner)("it has none".to_owned());
    let program = |pattern: Option<&Pattern>, side, owner: &str| program(pattern.ok_or_else(|| missing(owner))?, side, owner);
    let nothing = http::no_pattern();
    let played = |f: &PlannedFlow| {
        if let Some(program) = ctraffic::client(f) {
            return Ok(program);
        }
        let pattern = datagram::pattern(f);
        // What a tool makes it plays itself.
        let pattern = pattern.as_deref().or((http::carries(f) || frames::carries(f) || f.tool.is_some()).then_some(&nothing));
        program(pattern, Side::Client, &f.name)
    };
    let served = |l: &PlannedListener| match ctraffic::server(l) {
        Some(program) => Ok(program),
        None => program(l.pattern.as_ref().or(http::listens(l).then_some(&nothing)), Side::Server, &l.name),
    };
    let clients = plan.flows.iter().map(played).collect::<Result<_, _>>()?;
    let servers = plan.listeners.iter().map(served).collect::<Result<_, _>>()?;
    let http = http::Prepared::new(plan).map_err(|(owner, why)| TrafficError::Http { owner, why })?;
    let tls = tls::Prepared::new(plan, files).map_err(|(owner, why)| TrafficError::Tls { owner, why })?;
    let quic = quic::Prepared::new(plan, &tls).map_err(|(owner, why)| TrafficError::Quic { owner, why })?;
    Ok(Programs { clients, servers, http, tls, quic })
}
