//! What all workers of a run know together. In: the plan and the doors. Out: counters, notices, the registry of connections. Nothing
//! here is locked for each transaction.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use scn_grammar::scenario::{FlowId, NodeId};
use tokio::sync::{mpsc, oneshot};

use super::Notice;
use super::datagram::Overflows;
use super::frames::lane::Lane;
use super::frames::{self, Template, Watched};
use super::http;
use super::live::Live;
use super::names::Names;
use super::registry::Registry;
use super::secrets;
use super::series::Part;
use super::sockets::Sockets;
use super::stress::made::Makes;
use super::stress::{self, Stream, Stress};
use super::strike::{Blow, Struck};
use crate::engine::clock::Clock;
use crate::plan::turns::{self, Turns};
use crate::plan::types::Plan;

/// Warnings of one run that are kept.
const MAX_WARNINGS: usize = 100;

/// What a worker is told.
pub enum Command {
    /// The timeline's clock.
    Clock(Clock),
    /// A flow starts.
    Start(FlowId, FlowStart),
    /// A flow stops, at this instant.
    Stop(FlowId, i64),
    /// The timeline did something to a flow: its turns are others.
    Turn(FlowId),
    /// A stream of a stress stops, at this instant: a run of this flow.
    StopStream(FlowId, u64, i64),
    /// A listener is open.
    Listen(usize, OwnedFd),
    /// A listener closes; then its connections are to end.
    Unlisten(usize),
    /// Connections of a listener end, each after its current transaction.
    Drain(usize),
    /// A listener took a connection in: the listener and which of its lives, the socket, the client's address, the server's.
    Serve((usize, u64), TcpStream, SocketAddr, SocketAddr),
    /// Something strikes, meant for this instant; answered when it is done.
    Strike(Arc<Struck>, Blow, i64, oneshot::Sender<bool>),
    /// A flow's frames arrive here.
    Watch(Watched),
    /// End everything, hand over what was measured.
    Finish(oneshot::Sender<Vec<Part>>),
}

/// One start of a flow, as all workers know it.
#[derive(Debug, Clone)]
pub struct FlowStart {
    /// The intended instant, ns.
    pub at_ns: i64,
    /// Counts the flow's starts from 1.
    pub number: u64,
    /// Connections that it may still open, when there is a total.
    pub tickets: Arc<AtomicU64>,
    /// The stream of a stress that it is.
    pub stream: Option<Stream>,
    /// What a name means that it goes to.
    pub names: Arc<Names>,
}

/// A start of a flow that has not come to its end.
#[derive(Debug, Clone, Copy)]
pub struct Ongoing {
    /// Which one.
    pub number: u64,
    /// Workers on which it has not ended.
    pub workers: usize,
    /// When it began, ns.
    pub from_ns: i64,
    /// The latest end among the workers, ns.
    pub ended_ns: i64,
    /// When it has done what it had to, or was told to stop, ns: what is under way then ends beside a new start.
    pub until_ns: i64,
    /// Workers that have done all that they had to, and only listen on.
    pub resting: usize,
    /// When the last of these had, ns.
    pub rested_ns: i64,
}

impl Ongoing {
    /// Where all workers only listen on it is over, but for what comes late.
    pub fn rest(&mut self) {
        if self.resting == self.workers {
            self.until_ns = self.until_ns.min(self.rested_ns);
        }
    }
}

/// The starts of a flow.
#[derive(Debug, Default)]
pub struct Starts {
    /// How many there were.
    pub count: u64,
    /// Those that have not come to their end.
    pub ongoing: Vec<Ongoing>,
    /// Those that have: start and stop, ns.
    pub ran_ns: Vec<(i64, i64)>,
}

/// What workers know of one flow together.
#[derive(Default)]
pub struct FlowShared {
    /// Its counters.
    pub live: Live,
    /// The number of the next connection.
    pub next_connection: AtomicU32,
    /// Its starts and their ends.
    pub starts: Mutex<Starts>,
    /// It ended by itself or was stopped, and did not start again.
    pub finished: AtomicBool,
    /// Its client stands still.
    pub frozen: AtomicBool,
    /// What the timeline does to it, as far as that is known.
    pub turns: Mutex<Turns>,
    /// Requests at once on a connection, as its server last said (HTTP/2).
    pub server_takes: AtomicUsize,
    /// Nodes that answered.
    backends: Mutex<BTreeSet<u16>>,
    /// Of a flow of frames: its starts, as both ends know them.
    lanes: Mutex<Vec<Arc<Lane>>>,
}

impl FlowShared {
    /// What the timeline does to it.
    pub fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its starts.
    pub fn starts(&self) -> MutexGuard<'_, Starts> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The starts of a flow of frames.
    pub fn lanes(&self) -> MutexGuard<'_, Vec<Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a listener is.
#[derive(Debug, Default)]
pub struct Standing {
    /// It is open. A connection that was on its way to another worker when it closed is not served.
    pub open: AtomicBool,
    /// It stands still, and its connections with it.
    pub frozen: AtomicBool,
    /// It was killed so often: a connection that was on its way to another worker then ends.
    pub life: AtomicU64,
    /// Nobody is to hear of its end.
    pub silent: AtomicBool,
}

/// What workers know of a run together.
pub struct Shared {
    /// What to do.
    pub plan: Arc<Plan>,
    /// Where sockets come from.
    pub sockets: Arc<dyn Sockets>,
    /// The run's mark in every header.
    pub run: u32,
    /// Connections by their addresses.
    pub registry: Registry,
    /// The flows.
    pub flows: Vec<FlowShared>,
    /// The frames of those that send frames.
    pub frames: Vec<Option<Arc<Template>>>,
    /// The mixes of streams.
    pub stresses: Vec<Stress>,
    /// The listeners.
    pub listeners: Vec<Standing>,
    /// What found no room in the nodes that send and receive datagrams.
    pub overflows: Overflows,
    /// The identifier of the next echo socket.
    pub next_echo: AtomicU16,
    /// The timeline's clock, once it is known.
    pub clock: OnceLock<Clock>,
    /// When the first worker ended everything, ns; `i64::MAX`: none has.
    pub ended_ns: AtomicI64,
    /// Every worker.
    pub workers: OnceLock<Vec<mpsc::UnboundedSender<Command>>>,
    /// Somebody captures what crosses the links: each datagram is to cross alone.
    pub captured: AtomicBool,
    /// Who makes the streams of tools.
    pub maker: OnceLock<Arc<dyn Makes>>,
    notices: mpsc::UnboundedSender<Notice>,
    watched: AtomicBool,
    told: AtomicBool,
    warnings: Mutex<BTreeSet<String>>,
    foreign: AtomicU64,
    foreign_datagrams: AtomicU64,
}

impl Shared {
    /// At the beginning of a run.
    pub fn new(plan: Arc<Plan>, sockets: Arc<dyn Sockets>, notices: mpsc::UnboundedSender<Notice>) -> Shared {
        let run = (plan.seed ^ plan.seed >> 32) as u32 ^ std::process::id().rotate_left(16);
        let known = turns::known(&plan.timeline, plan.flows.len());
        let flows = known
            .into_iter()
            .map(|turns| FlowShared {
                turns: Mutex::new(turns),
                server_takes: AtomicUsize::new(http::UNTOLD_STREAMS),
                ..FlowShared::default()
            })
            .collect();
        let stresses = stress::of_plan(&plan);
        let listeners = plan.listeners.iter().map(|_| Standing::default()).collect();
        let frames = frames::templates(&plan, run);
        Shared {
            frames,
            plan,
            sockets,
            run,
            registry: Registry::default(),
            flows,
            stresses,
            listeners,
            overflows: Overflows::default(),
            next_echo: AtomicU16::new(run as u16),
            clock: OnceLock::new(),
            ended_ns: AtomicI64::new(i64::MAX),
            workers: OnceLock::new(),
            captured: AtomicBool::new(false),
            maker: OnceLock::new(),
            notices,
            watched: AtomicBool::new(false),
            told: AtomicBool::new(false),
            warnings: Mutex::default(),
            foreign: AtomicU64::new(0),
            foreign_datagrams: AtomicU64::new(0),
        }
    }

    /// Whether changes are told; see [`Shared::take_changed`].
    pub fn watch(&self, on: bool) {
        self.told.store(false, Ordering::SeqCst);
        self.watched.store(on, Ordering::SeqCst);
    }

    /// Somebody wants to know of changes.
    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Tells of a change, once until [`Shared::seen`].
    pub fn tell_changed(&self) {
        if !self.told.swap(true, Ordering::SeqCst) {
            self.tell(Notice::Changed);
        }
    }

    /// Counters are about to be read: the next change is told again.
    pub fn seen(&self) {
        self.told.store(false, Ordering::SeqCst);
    }

    /// On how many workers a flow runs. One whose connections the timeline counts is all on one, so that each start finds a connection.
    pub fn spread(&self, flow: FlowId) -> usize {
        let counted = turns::most_connections(&self.plan.timeline, flow).is_some();
        let workers = self.workers.get().map_or(1, Vec::len);
        if counted { 1 } else { super::flow::spread(workers, self.plan.flows[flow.index()].load.connections) }
    }

    /// Tells one of the workers, always the same for a number.
    pub fn send(&self, number: u64, command: Command) {
        let Some(workers) = self.workers.get().filter(|workers| !workers.is_empty()) else { return };
        let at = usize::try_from(number % workers.len() as u64).unwrap_or(0);
        // A worker that broke has told so.
        let _ = workers[at].send(command);
    }

    /// Tells the engine; if it is gone, nobody needs to know.
    pub fn tell(&self, notice: Notice) {
        let _ = self.notices.send(notice);
    }

    /// Keeps a warning for the record; the same one only once.
    pub fn warn(&self, what: String) {
        let what = secrets::masked(what);
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.len() < MAX_WARNINGS {
            warnings.insert(what);
        }
    }

    /// A connection came from somebody who is no flow of ours.
    pub fn count_foreign(&self) {
        self.foreign.fetch_add(1, Ordering::Relaxed);
    }

    /// The same of a datagram.
    pub fn count_foreign_datagram(&self) {
        self.foreign_datagrams.fetch_add(1, Ordering::Relaxed);
    }

    /// The warnings so far, in order.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.warnings.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        for (count, what) in [(&self.foreign, "connections"), (&self.foreign_datagrams, "datagrams")] {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                warnings
                    .push(format!("{count} {what} came from peers that are no flow of this scenario; they were served and not measured"));
            }
        }
        warnings
    }

    /// A node answered on a flow.
    pub fn answered(&self, flow: usize, node: u16) {
        let Some(flow) = self.flows.get(flow) else { return };
        let mut backends = flow.backends.lock().unwrap_or_else(PoisonError::into_inner);
        if backends.insert(node) {
            flow.live.backends.store(backends.len() as u64, Ordering::Relaxed);
        }
    }

    /// A node's name; empty if there is none of this number.
    pub fn node_name(&self, node: NodeId) -> &str {
        self.plan.nodes.get(node.index()).map_or("", |node| node.name.as_str())
    }
}
