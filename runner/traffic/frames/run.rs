//! One run of a flow of frames: sends them at their intended instants, many with one call, and waits until the fate of the last is known. In: start
//! and stop. Out: notes of what was sent, items that could not be, `FlowEnded`. What arrives is `receive`'s business.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::flow::Change;
use scn_grammar::scenario::timeline::Action;
use scn_reports::record::flow::{Connection, ConnectionEnd, ItemOutcome, NEVER};

use super::batch::{BATCH, Batch, Written};
use super::express::{Express, Interface};
use super::lane::Lane;
use super::log::Departure;
use super::mark::MOST_NUMBERS;
use super::shortcut::Shortcut;
use super::template::Template;
use super::{LIMIT_NS, routed};
use crate::plan::express;
use crate::plan::pace::Pace;
use crate::plan::types::{Plan, PlannedFlow};
use crate::traffic::Notice;
use crate::traffic::control::Start;
use crate::traffic::flow::{self, Run, START_PATIENCE_NS};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::registry::NOBODY;
use crate::traffic::sockets::Packets;
use crate::traffic::starts::Starts;
use crate::traffic::turning;
use crate::traffic::worker::Worker;

/// The receiver reads so much later than a frame comes, at most, before the frame counts as lost while the flow runs, ns. At the end its true
/// instant counts.
const READING_NS: i64 = 100_000_000;
/// A frame for which the kernel has no room at this moment is tried again so often.
const TRIES: u32 = 16;
/// A frame takes the kernel no longer than this, ns.
const MOST_EACH_NS: i64 = 10_000;
/// Starts that are dropped before others get their turn.
const DROPPED_IN_A_ROW: usize = 1024;
/// Frames per second that are made room for where nothing says how many there will be.
const UNPACED: u64 = 4_000_000;
/// The same of frames that others send.
const WATCHED: u64 = 20_000;

/// The sending end.
struct Sender<'w> {
    worker: &'w Rc<Worker>,
    run: &'w Rc<Run>,
    template: Arc<Template>,
    lane: Arc<Lane>,
    socket: OwnedFd,
    batch: Batch,
    /// The number of the next item, and of the first that is not sent.
    next: u64,
    count: u64,
    /// When the next one is due; `None`: as soon as the one before is sent.
    starts: Option<Starts>,
    at_ns: i64,
    /// Which course of the run that was asked for.
    version: u64,
    /// Somebody looks where the frames arrive.
    watched: bool,
    /// Frames of this run whose fate is to be sealed: item and instant.
    under_way: VecDeque<(u64, i64)>,
    /// Frames of this run whose fate is sealed.
    fates: u64,
    sent: u64,
    lost: u64,
    /// Those of which nobody knows whether they came.
    unknown: u64,
    last_ns: i64,
}

/// The most frames per second that a flow ever sends, or expects.
pub fn most_per_second(plan: &Plan, flow: &PlannedFlow, pace: Option<&Pace>) -> u64 {
    let Some(pace) = pace else { return if flow.watches() { WATCHED } else { UNPACED } };
    let set = plan.timeline.iter().filter_map(|entry| match &entry.action {
        Action::Set { flows, setting, .. } if flows.contains(&flow.id) => turning::rate_of(flow, setting),
        _ => None,
    });
    let said = match &pace.change {
        None => pace.rate_nano,
        Some(Change::Ramp { to, .. }) => pace.rate_nano.max(*to),
        Some(Change::Steps { then, .. }) => then.iter().copied().fold(pace.rate_nano, u64::max),
    };
    let most = set.max().unwrap_or(0).max(said);
    // Gaps that are drawn, and bursts, come closer than that for a while; what others send, as it likes.
    let least = if flow.watches() { WATCHED } else { 0 };
    (most / 1_000_000_000 + 1).saturating_mul(2).saturating_add(flow.load.burst).clamp(least, UNPACED)
}

/// Carries a run out.
pub async fn supervise(worker: &Rc<Worker>, run: &Rc<Run>) {
    let begins = || run.from_ns.min(run.until_ns());
    while worker.pacer.now_ns() < begins() {
        run.event(worker, begins()).await;
    }
    if worker.shared.plan.flows[run.flow].watches() {
        watch(worker, run).await;
    } else if !run.killed.get() {
        match Sender::open(worker, run).await {
            Ok(mut sender) => sender.carry_out().await,
            Err(error) => {
                let what = format!("flow {}: a socket: {error}", worker.shared.plan.flows[run.flow].name);
                worker.shared.tell(Notice::Broken { what });
            }
        }
    }
    flow::end(worker, run);
}

/// Sends nothing. What comes its receiving end notes, which stands there all the time: who watched when is told by the flow's starts and ends.
async fn watch(worker: &Rc<Worker>, run: &Rc<Run>) {
    let (planned, shared) = (&worker.shared.plan.flows[run.flow], &worker.shared.flows[run.flow]);
    let number = shared.next_connection.fetch_add(1, Ordering::Relaxed);
    let row = Connection { local: String::new(), ..row(worker, planned) };
    worker.parts.borrow_mut()[run.flow].connection(number, row);
    while !worker.finishing.get() && worker.pacer.now_ns() < run.until_ns() {
        run.event(worker, run.until_ns()).await;
    }
}

impl<'w> Sender<'w> {
    async fn open(worker: &'w Rc<Worker>, run: &'w Rc<Run>) -> io::Result<Sender<'w>> {
        let planned = &worker.shared.plan.flows[run.flow];
        let template = worker.frames(run.flow).ok_or_else(|| io::Error::other("the flow has no frame"))?;
        let routed = routed(planned);
        let sockets = &worker.shared.sockets;
        let socket = match (&planned.from_interface, routed) {
            (Some(interface), _) => sockets.frames(planned.from, interface).await?,
            (None, ipv6) => {
                let mut sockets = sockets.packets(planned.from, Packets::Raw { ipv6: ipv6 == Some(true) }, 1).await?;
                sockets.pop().ok_or_else(|| io::Error::other("the lab gave no socket"))?
            }
        };
        let shared = &worker.shared.flows[run.flow];
        let number = shared.next_connection.fetch_add(1, Ordering::Relaxed);
        let second = most_per_second(&worker.shared.plan, planned, run.pace.as_ref());
        let lane = Arc::new(Lane::new(number, second.saturating_mul(2)));
        shared.lanes().push(Arc::clone(&lane));
        shared.live.connections.fetch_add(1, Ordering::Relaxed);
        let count = planned.load.total.unwrap_or(MOST_NUMBERS).min(MOST_NUMBERS);
        let batch = Batch::new(&template, routed, short_way(worker, planned, &template, &socket).await);
        let mut starts = run.starts(worker);
        let at_ns = starts.as_mut().filter(|_| count > 0).map_or(NEVER_DUE, |starts| starts.at(0));
        let watched = !super::ends::arrive_at(&worker.shared.plan, planned).is_empty();
        let mut parts = worker.parts.borrow_mut();
        let part = &mut parts[run.flow];
        part.frames.alike = !template.is_identified();
        part.frames.unwatched = !watched;
        part.connection(number, row(worker, planned));
        drop(parts);
        let last_ns = run.from_ns;
        Ok(Sender {
            worker,
            run,
            template,
            lane,
            socket,
            batch,
            next: 0,
            count,
            starts,
            at_ns,
            version: run.turning.version(),
            watched,
            under_way: VecDeque::new(),
            fates: 0,
            sent: 0,
            lost: 0,
            unknown: 0,
            last_ns,
        })
    }

    /// Sends what is due until all is done, then waits for what is under way.
    async fn carry_out(&mut self) {
        let run = self.run;
        while self.next < self.count {
            self.look_again();
            let now = self.worker.pacer.now_ns();
            self.seal(now);
            if self.worker.finishing.get() {
                return;
            }
            if run.killed.get() {
                return self.drop_due(run.until_ns());
            }
            // What was due before the end is sent, though late, and not forgotten.
            let due_before = self.starts.is_some() && self.at_ns < run.until_ns();
            if now >= run.until_ns() && !due_before {
                break;
            }
            let next = match run.paused_until(now) {
                _ if run.frozen.get() => NEVER_DUE,
                // By the clock nothing is due in a pause; what was due before it is sent though the pause has begun.
                Some(until) if self.starts.is_none() => until,
                _ => self.send_due(now),
            };
            if next <= self.worker.pacer.now_ns() {
                // A rate that this worker cannot keep must not keep its other tasks waiting.
                tokio::task::yield_now().await;
                continue;
            }
            let until = if due_before { NEVER_DUE } else { run.until_ns() };
            run.event(self.worker, next.min(until).min(self.next_seal())).await;
        }
        let did_all = self.next >= self.count;
        self.wait_for_arrivals().await;
        if did_all && run.until_ns() > self.last_ns {
            // What was lost is known only later, which is no time in which the flow ran.
            run.stop(self.last_ns.max(run.from_ns));
        }
    }

    /// Asks anew when the next one is due, if the timeline has changed the course of the run.
    fn look_again(&mut self) {
        if self.version == self.run.turning.version() {
            return;
        }
        self.version = self.run.turning.version();
        if let Some(starts) = &mut self.starts {
            self.at_ns = starts.at(self.next);
        }
    }

    /// Sends at most a batch of what is due; when there is more to do.
    fn send_due(&mut self, now_ns: i64) -> i64 {
        let end = self.run.until_ns();
        let mut dropped = 0;
        while self.next < self.count && self.batch.count() < BATCH && dropped < DROPPED_IN_A_ROW {
            if self.sent.saturating_sub(self.settled()) >= self.lane.room() / 2 {
                // More is under way than can be told apart.
                break;
            }
            let due = if self.starts.is_some() { self.at_ns } else { now_ns };
            if due > now_ns || due >= end {
                break;
            }
            let item = self.next;
            self.next += 1;
            if let Some(starts) = &mut self.starts {
                self.at_ns = if self.next < self.count { starts.at(self.next) } else { NEVER_DUE };
            }
            let late = now_ns.saturating_sub(due);
            let lag_ns = u32::try_from(late).unwrap_or(u32::MAX);
            if late > START_PATIENCE_NS {
                // A rate that cannot be kept: too late to be what was asked for.
                dropped += 1;
                flow::unsent(self.worker, self.run.flow, Start { intended_ns: due, lag_ns }, ItemOutcome::Dropped);
                self.last_ns = self.last_ns.max(due);
                continue;
            }
            self.batch.write(&self.template, self.lane.number, item, due, lag_ns);
        }
        self.flush();
        if self.sent.saturating_sub(self.settled()) >= self.lane.room() / 2 {
            return self.next_seal();
        }
        if self.starts.is_some() { self.at_ns } else { now_ns }
    }

    /// Hands the batch to the kernel, and notes what it took.
    fn flush(&mut self) {
        let count = self.batch.count();
        let (mut first, mut tries) = (0, 0);
        while first < count {
            let before = self.worker.pacer.now_ns();
            match self.batch.send(self.socket.as_fd(), first) {
                Ok(taken) => {
                    self.note(first, taken, before, self.worker.pacer.now_ns());
                    (first, tries) = (first + taken, 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if tries < TRIES && is_full(&error) => {
                    tries += 1;
                    std::thread::yield_now();
                }
                Err(error) => {
                    self.not_sent(self.batch.written()[first], &error);
                    (first, tries) = (first + 1, 0);
                }
            }
        }
        self.batch.clear();
        self.worker.changed();
    }

    /// Notes frames that one call sent between two instants, one after the other.
    fn note(&mut self, first: usize, taken: usize, before_ns: i64, after_ns: i64) {
        let mut parts = self.worker.parts.borrow_mut();
        let part = &mut parts[self.run.flow];
        // A call in which this thread was interrupted says nothing of when its frames left; those that are matched by their order must not
        // seem to have left after they arrived.
        let each = if self.template.is_identified() { ((after_ns - before_ns) / taken.max(1) as i64).min(MOST_EACH_NS) } else { 0 };
        for (written, place) in self.batch.written()[first..first + taken].iter().zip(0i64..) {
            let Written { item, intended_ns, lag_ns, payload } = *written;
            let sent_ns = before_ns + place * each;
            self.under_way.push_back((item, sent_ns));
            part.departed(Departure { lane: self.lane.number, payload, item, intended_ns, sent_ns, lag_ns });
        }
        self.last_ns = self.last_ns.max(before_ns);
        self.sent += taken as u64;
        self.worker.shared.flows[self.run.flow].live.sent.fetch_add(taken as u64, Ordering::Relaxed);
    }

    /// The kernel did not send a frame.
    fn not_sent(&self, written: Written, error: &io::Error) {
        let planned = &self.worker.shared.plan.flows[self.run.flow];
        let step = match &planned.from_interface {
            Some(interface) => format!("send by {interface}"),
            None => "send".to_owned(),
        };
        let what = crate::traffic::datagram::of_kernel(error);
        self.worker.parts.borrow_mut()[self.run.flow].failure(&step, None, what, self.worker.pacer.now_ns());
        let start = Start { intended_ns: written.intended_ns, lag_ns: written.lag_ns };
        flow::unsent(self.worker, self.run.flow, start, ItemOutcome::Dropped);
    }

    /// Those whose fate is known.
    fn settled(&self) -> u64 {
        self.lane.arrived().saturating_add(self.lost).saturating_add(self.unknown)
    }

    /// When the fate of the oldest frame is sealed, ns.
    fn next_seal(&self) -> i64 {
        self.under_way.front().map_or(NEVER_DUE, |(_, sent_ns)| sent_ns.saturating_add(LIMIT_NS + READING_NS))
    }

    /// Seals the fate of frames that had their time.
    fn seal(&mut self, now_ns: i64) {
        let (mut lost, mut unknown) = (0, 0);
        while let Some((item, sent_ns)) = self.under_way.front().copied()
            && sent_ns.saturating_add(LIMIT_NS + READING_NS) <= now_ns
        {
            self.under_way.pop_front();
            let before = self.fates;
            self.fates += 1;
            let came = match self.template.is_identified() {
                true => self.lane.seal(item),
                false => self.settled() + lost + unknown > before,
            };
            match came {
                true => {}
                false if self.lane.may_have_missed(sent_ns, sent_ns.saturating_add(LIMIT_NS)) => unknown += 1,
                false => lost += 1,
            }
        }
        (self.lost, self.unknown) = (self.lost + lost, self.unknown + unknown);
        if lost > 0 && self.watched {
            let live = &self.worker.shared.flows[self.run.flow].live;
            live.lost.fetch_add(lost, Ordering::Relaxed);
            live.errors.fetch_add(lost, Ordering::Relaxed);
            self.worker.changed();
        }
    }

    /// Waits until the fate of all frames is known, or is not to be known any more.
    async fn wait_for_arrivals(&mut self) {
        let until = self.last_ns.saturating_add(LIMIT_NS + READING_NS);
        while self.watched && self.settled() < self.sent {
            let now = self.worker.pacer.now_ns();
            if now >= until || self.worker.finishing.get() || self.run.killed.get() {
                break;
            }
            let mut event = std::pin::pin!(self.run.event(self.worker, until));
            poll_fn(|context| {
                self.lane.sender.register(context.waker());
                if self.settled() >= self.sent {
                    return Poll::Ready(());
                }
                event.as_mut().poll(context)
            })
            .await;
        }
        self.seal(self.worker.pacer.now_ns());
    }

    /// What was due before the client was killed could not be sent.
    fn drop_due(&mut self, until_ns: i64) {
        let Some(starts) = &mut self.starts else { return };
        while self.next < self.count && self.at_ns < until_ns {
            flow::unsent(self.worker, self.run.flow, Start { intended_ns: self.at_ns, lag_ns: 0 }, ItemOutcome::Dropped);
            self.next += 1;
            self.at_ns = starts.at(self.next);
        }
    }
}

/// The short way to the interface that a packet socket is bound to, where nobody minds and the kernel has one. Until it has come, and without it,
/// frames are sent all the same, only not so many.
async fn short_way(worker: &Worker, planned: &PlannedFlow, template: &Arc<Template>, beside: &OwnedFd) -> Shortcut {
    let shared = &worker.shared;
    if shared.captured.load(Ordering::Relaxed) || !express::may_go(&shared.plan, planned) {
        return Shortcut::default();
    }
    let given = shared.sockets.packets(planned.from, Packets::Express, 1).await;
    let given = given.and_then(|mut sockets| sockets.pop().ok_or_else(|| io::Error::other("the lab gave no socket")));
    match given.and_then(|socket| Ok((socket, Interface::of(beside.as_fd())?))) {
        Ok((socket, interface)) => {
            let template = Arc::clone(template);
            Shortcut::made(&planned.name, move |unwanted| {
                Express::new(socket, interface, template.longest, |room| template.prepare(room), unwanted)
            })
        }
        Err(error) => {
            tracing::debug!(flow = planned.name, %error, "frames go the long way");
            Shortcut::default()
        }
    }
}

/// The kernel has no room at this moment.
fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN))
}

/// The flow's sending socket in its table of connections.
fn row(worker: &Worker, planned: &PlannedFlow) -> Connection {
    let (now_ns, shared) = (worker.pacer.now_ns(), &worker.shared);
    let named = |node: NodeId, interface: &str| format!("{}.{interface}", shared.node_name(node));
    let ends: Vec<String> = super::ends::arrive_at(&shared.plan, planned).iter().map(|(node, name)| named(*node, name)).collect();
    Connection {
        opened_ns: now_ns,
        established_ns: now_ns,
        handshake_ns: 0,
        closed_ns: NEVER,
        end: ConnectionEnd::Open,
        successor_of: u32::MAX,
        backend: NOBODY,
        transactions: 0,
        local: planned.from_interface.as_ref().map_or_else(String::new, |interface| named(planned.from, interface)),
        remote: ends.join(", "),
    }
}
