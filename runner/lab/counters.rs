//! The thread that reads what the kernel counts of interfaces, in the namespaces of their nodes: on a grid from the timeline's start and
//! whenever it is told to. In: interfaces. Out: samples, each between two instants. Moves from namespace to namespace, so nothing else runs
//! on it, and no fault waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use scn_grammar::scenario::NodeId;
use scn_reports::record::counted::{InterfaceRecord, InterfaceSample, KernelCount};

use super::error::LabError;
use super::grid::Samples;
use super::layout::Layout;
use super::namespace::Namespace;
use super::netlink::Netlink;
use crate::plan::measured;
use crate::plan::types::Plan;

/// The kernel answers in some 20 us; this only bounds a bug.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What the thread is told.
enum Order {
    /// The timeline begins at an instant: what came before is forgotten.
    Begin(Instant, Sender<()>),
    /// To read all of them now.
    Look(Sender<()>),
    /// What one counts at this moment, and the first sample; keeps nothing.
    Tell(usize, Sender<Option<[InterfaceSample; 2]>>),
    /// What was read so far.
    Report(Sender<Vec<InterfaceRecord>>),
}

/// An interface.
struct Watched {
    node: NodeId,
    name: String,
    slot: usize,
    index: u32,
    samples: Samples<InterfaceSample>,
    lost: Option<(i64, String)>,
}

/// The thread's handle.
pub(super) struct Counters {
    places: BTreeMap<(NodeId, String), usize>,
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Counters {
    /// Starts the thread if a plan asks for any interface's counters.
    pub(super) fn start(plan: &Plan, layout: &Layout, namespaces: &Arc<Vec<Namespace>>) -> Result<Option<Self>, LabError> {
        let asked: BTreeSet<(NodeId, String)> = measured::interfaces(&plan.expectations, &plan.timeline);
        if asked.is_empty() {
            return Ok(None);
        }
        let mut watched = Vec::new();
        for (node, name) in &asked {
            let what = || format!("the metrics of {}.{name} are asked for, which is not there", plan.nodes[node.index()].name);
            let index = layout.index_of(plan, node.index(), name).ok_or_else(|| LabError::Plan { what: what() })?;
            let (slot, samples) = (node.index(), Samples::default());
            watched.push(Watched { node: *node, name: name.clone(), slot, index, samples, lost: None });
        }
        let places = asked.into_iter().zip(0..).collect();
        let (orders, todo) = channel();
        let namespaces = Arc::clone(namespaces);
        let thread = std::thread::Builder::new().name("scn-counters".to_owned()).spawn(move || {
            Reader { namespaces, sockets: BTreeMap::new(), watched, start: None }.serve(&todo);
        });
        let thread = thread.map_err(|cause| LabError::system("counters", "start their thread", &cause))?;
        Ok(Some(Counters { places, orders: Some(orders), thread: Some(thread) }))
    }

    fn ask<T>(&self, order: impl FnOnce(Sender<T>) -> Order) -> Option<T> {
        let (tell, told) = channel();
        self.orders.as_ref()?.send(order(tell)).ok()?;
        told.recv_timeout(ANSWER_WITHIN).ok()
    }

    /// The timeline begins at an instant.
    pub(super) fn begin(&self, at: Instant) {
        self.ask(|tell| Order::Begin(at, tell));
    }

    /// Reads all of them now.
    pub(super) fn look(&self) {
        self.ask(Order::Look);
    }

    /// What an interface counts at this moment, and the first sample.
    pub(super) fn counted(&self, node: NodeId, name: &str) -> Option<[InterfaceSample; 2]> {
        let place = *self.places.get(&(node, name.to_owned()))?;
        self.ask(|tell| Order::Tell(place, tell)).flatten()
    }

    /// What was read so far.
    pub(super) fn report(&self) -> Vec<InterfaceRecord> {
        self.ask(Order::Report).unwrap_or_default()
    }

    /// Ends the thread.
    pub(super) fn stop(&mut self) -> Result<(), LabError> {
        self.orders = None;
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        ended.map_err(|_| LabError::Closed { thread: "counters".to_owned(), why: "It panicked (a bug in scn)".to_owned() })
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// What the thread has at hand.
struct Reader {
    namespaces: Arc<Vec<Namespace>>,
    sockets: BTreeMap<usize, Netlink>,
    watched: Vec<Watched>,
    start: Option<Instant>,
}

impl Reader {
    fn serve(mut self, todo: &Receiver<Order>) {
        loop {
            // Who asked may have gone.
            match self.next(todo) {
                Ok(Order::Begin(at, tell)) => {
                    self.begin(at);
                    let _ = tell.send(());
                }
                Ok(Order::Look(tell)) => {
                    self.look(|_| true);
                    let _ = tell.send(());
                }
                Ok(Order::Tell(place, tell)) => drop(tell.send(self.tell(place))),
                Ok(Order::Report(tell)) => drop(tell.send(self.report())),
                Err(RecvTimeoutError::Timeout) => {
                    let now_ns = self.now_ns();
                    self.look(|watched| watched.samples.due_ns() <= now_ns);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The next order, or that samples are due.
    fn next(&self, todo: &Receiver<Order>) -> Result<Order, RecvTimeoutError> {
        let due_ns = self.watched.iter().filter(|watched| watched.lost.is_none()).map(|watched| watched.samples.due_ns()).min();
        match (self.start, due_ns) {
            (Some(_), Some(due_ns)) => {
                let wait = u64::try_from(due_ns.saturating_sub(self.now_ns())).unwrap_or(0);
                todo.recv_timeout(Duration::from_nanos(wait))
            }
            _ => todo.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn begin(&mut self, at: Instant) {
        self.start = Some(at);
        for watched in &mut self.watched {
            (watched.samples, watched.lost) = (Samples::default(), None);
        }
        self.look(|_| true);
    }

    fn now_ns(&self) -> i64 {
        let Some(start) = self.start else { return 0 };
        let now = Instant::now();
        let distance = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        now.checked_duration_since(start).map_or_else(|| -distance(start - now), distance)
    }

    /// Takes a sample of those that are meant.
    fn look(&mut self, is_meant: impl Fn(&Watched) -> bool) {
        for at in 0..self.watched.len() {
            if self.watched[at].lost.is_some() || !is_meant(&self.watched[at]) {
                continue;
            }
            match self.read(at) {
                Ok(sample) => self.watched[at].samples.put(sample.to_ns, sample),
                Err(why) => self.watched[at].lost = Some((self.now_ns(), why)),
            }
        }
    }

    fn tell(&mut self, at: usize) -> Option<[InterfaceSample; 2]> {
        let first = *self.watched.get(at)?.samples.kept().first()?;
        Some([first, self.read(at).ok()?])
    }

    fn read(&mut self, at: usize) -> Result<InterfaceSample, String> {
        let Watched { slot, index, .. } = self.watched[at];
        if !self.sockets.contains_key(&slot) {
            let opened = self.namespaces[slot].enter().and_then(|()| Netlink::open());
            self.sockets.insert(slot, opened.map_err(|cause| cause.to_string())?);
        }
        let from_ns = self.now_ns();
        let socket = self.sockets.get_mut(&slot).ok_or("its namespace cannot be entered")?;
        let link = socket.link(index).map_err(|refusal| refusal.to_string())?;
        let to_ns = self.now_ns();
        let (counts, changes) = told(&link).ok_or("the kernel does not tell its counters")?;
        Ok(InterfaceSample { from_ns, to_ns, counts, carrier: link.header.flags.contains(LinkFlags::LowerUp), changes })
    }

    fn report(&self) -> Vec<InterfaceRecord> {
        let record = |watched: &Watched| InterfaceRecord {
            node: watched.node.0,
            name: watched.name.clone(),
            samples: watched.samples.kept().to_vec(),
            lost: watched.lost.clone(),
        };
        self.watched.iter().map(record).collect()
    }
}

/// The kernel's counts of an interface, and how often its carrier has changed.
fn told(link: &LinkMessage) -> Option<([u64; KernelCount::COUNT], u32)> {
    let stats = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Stats64(stats) => Some(stats),
        _ => None,
    })?;
    let changes = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::CarrierChanges(changes) => Some(*changes),
        _ => None,
    })?;
    let mut counts = [0; KernelCount::COUNT];
    for (what, count) in [
        (KernelCount::RxPackets, stats.rx_packets),
        (KernelCount::TxPackets, stats.tx_packets),
        (KernelCount::RxBytes, stats.rx_bytes),
        (KernelCount::TxBytes, stats.tx_bytes),
        (KernelCount::RxErrors, stats.rx_errors),
        (KernelCount::TxErrors, stats.tx_errors),
        (KernelCount::RxDropped, stats.rx_dropped),
        (KernelCount::TxDropped, stats.tx_dropped),
    ] {
        counts[what as usize] = count;
    }
    Some((counts, changes))
}
