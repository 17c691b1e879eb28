//! The user-space engine for links: everything that an impairment does to packets, cuts, partitions. In: outer ends in the fabric namespace,
//! what each way does. Out: frames carried by threads, and their accounts. Which packets are judged alone the plan decided: there offloads
//! are off at the nodes' ends. Elsewhere a frame may be many packets that are not cut apart yet, which delay does not mind.

pub(super) mod frame;
mod line;
pub(super) mod log;
pub(super) mod poller;
mod pump;
pub(super) mod receive;
mod send;
mod watch;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use scn_grammar::scenario::topology::Impairment;
use scn_reports::record::LinkAccount;
use scn_reports::record::counted::LinkSample;
use socket2::Socket;

use self::frame::Stored;
pub(super) use self::line::clock_ns;
use self::line::{Line, now_ns};
use self::log::Out;
use self::pump::{Order, Pump};
use super::capture::pcapng::Seen;
use super::error::LabError;
use super::namespace::Namespace;
use super::packet;
use crate::emulate::{Barrier, Nature, Way};

/// What a tap may hold while the pump is busy, bytes. Who is not root gets as much of it as the machine allows.
const TAP_BUFFER_BYTES: usize = 16 << 20;
/// The pump's priority where the machine allows it one.
const PRIORITY: libc::c_int = 10;
/// A pump does what it is asked between two batches of frames; this only bounds a bug.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Of the machine's cores every second may carry wires; the rest carries what runs over them.
const CORES_PER_PUMP: usize = 2;

/// A wire to be carried.
pub(crate) struct Span {
    /// The link's position in the plan.
    pub(crate) link: usize,
    /// Indexes of the outer ends in the fabric.
    pub(crate) outer: [u32; 2],
    /// What each way is.
    pub(crate) natures: [Nature; 2],
    /// What each way does at first.
    pub(crate) does: [Impairment; 2],
    /// Somebody asks for what it does over time.
    pub(crate) watched: bool,
}

/// A thread that carries some of the wires.
struct Shard {
    orders: Sender<Order>,
    bell: OwnedFd,
    thread: Option<JoinHandle<(io::Result<()>, Vec<Socket>)>>,
}

/// All wires of a lab and the threads that serve them.
pub(crate) struct Wires {
    /// By link: which shard has it, and as which of its lines.
    places: BTreeMap<usize, (usize, usize)>,
    shards: Vec<Shard>,
    /// Somebody asks for what some of them do over time.
    watched: bool,
    /// How the pumps are scheduled, for the record.
    pub(crate) scheduling: String,
}

fn failed(cause: &io::Error) -> LabError {
    LabError::system("wires", "start the pump", cause)
}

impl Wires {
    /// Opens the taps and starts the pumps, on threads of their own in the fabric.
    pub(crate) fn start(namespaces: &Arc<Vec<Namespace>>, fabric: usize, spans: Vec<Span>) -> Result<Self, LabError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = (cores / CORES_PER_PUMP).clamp(1, spans.len().max(1));
        let mut parts: Vec<Vec<Span>> = (0..count).map(|_| Vec::new()).collect();
        let (mut places, watched) = (BTreeMap::new(), spans.iter().any(|span| span.watched));
        for (number, span) in spans.into_iter().enumerate() {
            let part = &mut parts[number % count];
            places.insert(span.link, (number % count, part.len()));
            part.push(span);
        }
        let started: Vec<(Shard, &'static str)> =
            parts.into_iter().map(|part| Shard::start(namespaces, fabric, part)).collect::<Result<_, LabError>>()?;
        let scheduling = match started.first() {
            Some((_, scheduling)) => format!("{count} x {scheduling}"),
            None => "none".to_owned(),
        };
        Ok(Wires { places, shards: started.into_iter().map(|(shard, _)| shard).collect(), watched, scheduling })
    }

    /// Does something with a link's line on the pump's thread, between two frames; `None`: it is no wire.
    fn with<R: Send + 'static>(&self, link: usize, work: impl FnOnce(&mut Line) -> R + Send + 'static) -> Result<Option<R>, LabError> {
        let Some((shard, line)) = self.places.get(&link).copied() else { return Ok(None) };
        self.shards[shard].call(move |lines| work(&mut lines[line])).map(Some)
    }

    /// Cuts a wire or joins it.
    pub(crate) fn set_cut(&self, link: usize, cut: bool) -> Result<(), LabError> {
        self.with(link, move |line| line.ways.iter_mut().for_each(|way| way.set_cut(cut))).map(drop)
    }

    /// Sets what one way of a wire does, evenly over a time in ns.
    pub(crate) fn set(&self, link: usize, end: usize, does: Impairment, over_ns: u64) -> Result<(), LabError> {
        self.with(link, move |line| line.ways[end].set(does, over_ns, now_ns())).map(drop)
    }

    /// Sets the partitions that pass through each way of a wire.
    pub(crate) fn set_barriers(&self, link: usize, barriers: [Vec<Barrier>; 2]) -> Result<(), LabError> {
        self.with(link, move |line| line.ways.iter_mut().zip(barriers).for_each(|(way, barriers)| way.set_barriers(barriers))).map(drop)
    }

    /// The timeline begins at an instant: what is counted from the start is counted from there.
    pub(crate) fn begin(&self, at: Instant) -> Result<(), LabError> {
        let ahead = at.saturating_duration_since(Instant::now());
        let at_ns = now_ns() + u64::try_from(ahead.as_nanos()).unwrap_or(0);
        let begin = move |lines: &mut [Line]| lines.iter_mut().for_each(|line| line.begin(at_ns));
        // The kernel has counted a frame that waits to be read: it would be in the counts of the wire alone.
        self.shards.iter().for_each(|shard| shard.tell(Order::Clear));
        self.shards.iter().try_for_each(|shard| shard.call(begin))
    }

    /// No frame has come since the timeline began.
    pub(crate) fn at_rest(&self) -> Result<bool, LabError> {
        let rests = |lines: &mut [Line]| lines.iter().all(Line::at_rest);
        self.shards.iter().try_fold(true, |so_far, shard| Ok(so_far && shard.call(rests)?))
    }

    /// Frames that came to a wire so far, and those that a cut or a partition has taken.
    pub(crate) fn crossed(&self, link: usize) -> Result<Crossed, LabError> {
        let count = |line: &mut Line| {
            let counts = [*line.ways[0].counts(), *line.ways[1].counts()];
            Crossed { entered: counts.map(|way| way.entered), cut: counts.map(|way| way.cut) }
        };
        self.with(link, count).map(Option::unwrap_or_default)
    }

    /// A capture of a wire begins.
    pub(crate) fn capture(&self, link: usize, out: Out) -> Result<(), LabError> {
        self.with(link, move |line| line.capture(out)).map(drop)
    }

    /// It ends. Out: what it saw, by end; `None`: it had not begun.
    pub(crate) fn end_capture(&self, link: usize, file: usize) -> Result<Option<[Seen; 2]>, LabError> {
        self.with(link, move |line| line.end_capture(file)).map(Option::flatten)
    }

    /// The account of a link; `None`: it is no wire, or its pump is gone.
    pub(crate) fn account(&self, link: usize) -> Option<LinkAccount> {
        self.with(link, Line::account).ok().flatten()
    }

    /// Lets a sample be taken of every link that somebody asks for, before anything that is asked for later is done. Waits for nothing.
    pub(crate) fn look(&self) {
        let look = |lines: &mut [Line]| {
            let now = now_ns();
            lines.iter_mut().for_each(|line| line.look(now));
        };
        self.shards.iter().filter(|_| self.watched).for_each(|shard| shard.tell(Order::Do(Box::new(look))));
    }

    /// What a link that somebody asks for has counted at this moment, and at the first sample.
    pub(crate) fn counted(&self, link: usize) -> Option<[LinkSample; 2]> {
        self.with(link, Line::counted).ok().flatten().flatten()
    }

    /// The samples of a link; none if nobody asks for them.
    pub(crate) fn samples(&self, link: usize) -> Vec<LinkSample> {
        let samples = |line: &mut Line| line.watch.as_ref().map_or_else(Vec::new, |watch| watch.samples().to_vec());
        self.with(link, samples).ok().flatten().unwrap_or_default()
    }

    /// A pump has ended though nobody asked it to: its wires carry nothing any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.shards.iter().any(|shard| shard.thread.as_ref().is_some_and(JoinHandle::is_finished))
    }

    /// Ends the pumps.
    pub(crate) fn stop(&mut self) -> Result<(), LabError> {
        self.shards.iter().for_each(|shard| shard.tell(Order::Stop));
        let (mut taps, mut result) = (Vec::new(), Ok(()));
        for thread in self.shards.iter_mut().filter_map(|shard| shard.thread.take()) {
            let closed = |why: String| LabError::Closed { thread: "pump".to_owned(), why };
            let ended = match thread.join() {
                Ok((ended, left)) => {
                    taps.extend(left);
                    ended.map_err(|cause| closed(cause.to_string()))
                }
                Err(_) => Err(closed("It panicked (a bug in scn)".to_owned())),
            };
            result = result.and(ended);
        }
        packet::close_all(taps);
        result
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// What came to a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Crossed {
    /// Frames, by the end where they came in.
    pub(crate) entered: [u64; 2],
    /// Frames that a cut or a partition took, likewise.
    pub(crate) cut: [u64; 2],
}

impl Shard {
    fn start(namespaces: &Arc<Vec<Namespace>>, fabric: usize, spans: Vec<Span>) -> Result<(Self, &'static str), LabError> {
        let bell = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC | nix::fcntl::OFlag::O_NONBLOCK);
        let (heard, bell) = bell.map_err(|cause| failed(&cause.into()))?;
        let (orders, todo) = channel();
        let (sender, ready) = sync_channel(1);
        let namespaces = Arc::clone(namespaces);
        let thread = std::thread::Builder::new().name("scn-pump".to_owned()).spawn(move || {
            let made = open(&namespaces[fabric], spans, todo, heard);
            // The pump holds taps, not namespaces: those go when the lab lets go of them.
            drop(namespaces);
            match made {
                Ok(pump) => {
                    let _ = sender.send(Ok(prefer()));
                    pump.run()
                }
                Err(cause) => {
                    let _ = sender.send(Err(cause));
                    (Ok(()), Vec::new())
                }
            }
        });
        let thread = thread.map_err(|cause| failed(&cause))?;
        let scheduling = ready.recv().map_err(|_| failed(&io::Error::other("the thread ended")))?.map_err(|cause| failed(&cause))?;
        Ok((Shard { orders, bell, thread: Some(thread) }, scheduling))
    }

    fn tell(&self, order: Order) {
        // Whose end is gone needs no order.
        let _ = self.orders.send(order);
        // A full pipe rings as well.
        let _ = nix::unistd::write(&self.bell, &[1]);
    }

    fn call<R: Send + 'static>(&self, work: impl FnOnce(&mut [Line]) -> R + Send + 'static) -> Result<R, LabError> {
        let (sender, answer) = sync_channel(1);
        self.tell(Order::Do(Box::new(move |lines| {
            let _ = sender.send(work(lines));
        })));
        let closed = |_| LabError::Closed { thread: "pump".to_owned(), why: "It did not answer".to_owned() };
        answer.recv_timeout(ANSWER_WITHIN).map_err(closed)
    }
}

/// Opens the taps. Not promiscuous: a veth hands every frame to its taps anyway.
fn open(fabric: &Namespace, spans: Vec<Span>, orders: Receiver<Order>, bell: OwnedFd) -> io::Result<Pump> {
    fabric.enter()?;
    let mut lines = Vec::with_capacity(spans.len());
    for Span { outer, natures, does, watched, .. } in spans {
        let taps = [packet::tap(outer[0], TAP_BUFFER_BYTES)?, packet::tap(outer[1], TAP_BUFFER_BYTES)?];
        let ([first, second], [there, back]) = (natures, does);
        let now = now_ns();
        let ways: [Way<Stored>; 2] = [Way::new(first, there, now), Way::new(second, back, now)];
        lines.push(Line::new(taps, ways, watched));
    }
    Pump::new(lines, orders, bell)
}

/// Asks for the calling thread to go before ordinary ones, which only root may.
fn prefer() -> &'static str {
    // SAFETY: all zero bytes are a valid sched_param.
    let mut parameter = unsafe { std::mem::zeroed::<libc::sched_param>() };
    parameter.sched_priority = PRIORITY;
    // SAFETY: 0 is the calling thread; the parameter lives through the call.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameter) };
    if result == 0 { "real-time (SCHED_FIFO 10)" } else { "ordinary (no privilege for real-time)" }
}
