//! What the kernel counts of interfaces, in the namespaces of their nodes: read on a grid from the timeline's start and whenever somebody asks.
//! In: interfaces. Out: samples, each between two instants. A thread of its own moves from namespace to namespace to open the sockets and
//! reads on the grid; a socket stays in its namespace, so who asks in between reads at once, and no fault waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// An interface.
struct Watched {
    node: NodeId,
    name: String,
    slot: usize,
    index: u32,
    samples: Samples<InterfaceSample>,
    lost: Option<(i64, String)>,
}

/// The interfaces of a lab, and the thread that reads them.
pub(super) struct Counters {
    places: BTreeMap<(NodeId, String), usize>,
    reader: Arc<Mutex<Reader>>,
    /// Wakes the thread; it ends when this is gone.
    wake: Option<Sender<()>>,
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
            let (slot, samples) = (node.index(), Samples::around_the_grid());
            watched.push(Watched { node: *node, name: name.clone(), slot, index, samples, lost: None });
        }
        let places = asked.into_iter().zip(0..).collect();
        let slots: BTreeSet<usize> = watched.iter().map(|watched| watched.slot).collect();
        let reader = Arc::new(Mutex::new(Reader { sockets: BTreeMap::new(), watched, start: None }));
        let (wake, woken) = channel();
        let (opened, answer) = sync_channel(1);
        let (namespaces, shared) = (Arc::clone(namespaces), Arc::clone(&reader));
        let thread = std::thread::Builder::new().name("scn-counters".to_owned()).spawn(move || {
            let sockets = open(&namespaces, &slots);
            // The namespaces of nodes go when the lab goes, not when this thread does.
            drop(namespaces);
            let _ = opened.send(sockets.map(|sockets| lock(&shared).sockets = sockets));
            serve(&shared, &woken);
        });
        let failed = |cause: &io::Error| LabError::system("counters", "open their sockets", cause);
        let thread = thread.map_err(|cause| LabError::system("counters", "start their thread", &cause))?;
        let counters = Counters { places, reader, wake: Some(wake), thread: Some(thread) };
        answer.recv().map_err(|_| failed(&io::Error::other("the thread ended")))?.map_err(|cause| failed(&cause))?;
        Ok(Some(counters))
    }

    /// The timeline begins at an instant: what came before is forgotten.
    pub(super) fn begin(&self, at: Instant) {
        lock(&self.reader).begin(at);
        if let Some(wake) = &self.wake {
            // A thread that is gone has nothing to be woken for.
            let _ = wake.send(());
        }
    }

    /// Nothing has crossed an interface since the timeline began.
    pub(super) fn at_rest(&self) -> bool {
        let mut reader = lock(&self.reader);
        let counts = |two: [InterfaceSample; 2]| two.map(|sample| sample.counts);
        (0..reader.watched.len()).filter_map(|place| reader.tell(place)).map(counts).all(|[first, now]| first == now)
    }

    /// Reads all of them now.
    pub(super) fn look(&self) {
        lock(&self.reader).look(|_| true);
    }

    /// What an interface counts at this moment, and the first sample. Keeps nothing.
    pub(super) fn counted(&self, node: NodeId, name: &str) -> Option<[InterfaceSample; 2]> {
        let place = *self.places.get(&(node, name.to_owned()))?;
        lock(&self.reader).tell(place)
    }

    /// What was read so far.
    pub(super) fn report(&self) -> Vec<InterfaceRecord> {
        lock(&self.reader).report()
    }

    /// Ends the thread.
    pub(super) fn stop(&mut self) -> Result<(), LabError> {
        self.wake = None;
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        // Its sockets would keep the namespaces.
        lock(&self.reader).sockets.clear();
        ended.map_err(|_| LabError::Closed { thread: "counters".to_owned(), why: "It panicked (a bug in scn)".to_owned() })
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// The reader, whoever broke while holding it: samples stand there whole at every moment.
fn lock(reader: &Mutex<Reader>) -> MutexGuard<'_, Reader> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A routing socket in each of these namespaces.
fn open(namespaces: &[Namespace], slots: &BTreeSet<usize>) -> io::Result<BTreeMap<usize, Netlink>> {
    let open = |slot: &usize| {
        namespaces[*slot].enter()?;
        Ok((*slot, Netlink::open()?))
    };
    slots.iter().map(open).collect()
}

/// Reads what is due until nobody can wake it any more.
fn serve(reader: &Mutex<Reader>, woken: &Receiver<()>) {
    loop {
        let wait = lock(reader).due_in();
        let heard = match wait {
            Some(wait) => woken.recv_timeout(wait),
            None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match heard {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => {
                let mut reader = lock(reader);
                let now_ns = reader.now_ns();
                reader.look(|watched| watched.samples.due_ns() <= now_ns);
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What is at hand.
struct Reader {
    sockets: BTreeMap<usize, Netlink>,
    watched: Vec<Watched>,
    start: Option<Instant>,
}

impl Reader {
    /// In how long the next sample is due; `None`: none is.
    fn due_in(&self) -> Option<Duration> {
        self.start?;
        let due_ns = self.watched.iter().filter(|watched| watched.lost.is_none()).map(|watched| watched.samples.due_ns()).min()?;
        Some(Duration::from_nanos(u64::try_from(due_ns.saturating_sub(self.now_ns())).unwrap_or(0)))
    }

    fn begin(&mut self, at: Instant) {
        self.start = Some(at);
        for watched in &mut self.watched {
            (watched.samples, watched.lost) = (Samples::around_the_grid(), None);
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
        let from_ns = self.now_ns();
        let socket = self.sockets.get_mut(&slot).ok_or("its namespace is gone")?;
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
