//! The server's side of UDP: plays the pattern's server on each transaction that comes, and answers from the address that was asked.
//! In: a bound socket. Out: answers, notes of what came and went, and word to the client's end of what nothing answers.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use rustc_hash::FxHashMap;
use scn_grammar::scenario::pattern::Side;
use scn_reports::record::flow::NEVER;
use scn_reports::record::packet::Missed;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::exchange::{Exchange, MESSAGES, Next, Stage};
use super::group;
use super::log::Note;
use super::post::Post;
use super::pour;
use super::seen::Seen;
use super::socket::{self, Arrivals, Way, set_number, thrown_away};
use super::window::LOOK_NS;
use crate::plan::datagrams;
use crate::traffic::Notice;
use crate::traffic::control::{Control, Role};
use crate::traffic::draw::Key;
use crate::traffic::frame::{self, Header, UNKNOWN_CONNECTION, UNKNOWN_FLOW};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::program::Program;
use crate::traffic::pattern::session::{Fault, Identity};
use crate::traffic::registry::{Entry, Told as Complete};
use crate::traffic::told;
use crate::traffic::worker::Worker;

/// Batches that are received before others get their turn.
const BATCHES_IN_A_ROW: u32 = 4;
/// Transactions that wait for another message of a client that may never send it; the oldest are forgotten.
const MOST_WAITING: usize = 65_536;
/// What found no room is asked for no more often, ns.
const LOOK_EVERY_NS: i64 = 10_000_000;
/// Clients' sockets that are known; the oldest are forgotten, and known again when they send.
const MOST_KNOWN: usize = 262_144;

/// A flow's socket: the flow, and the client's number of it.
type Lane = (u16, u32);

/// Makes the kernel tell which address each datagram was sent to. A socket of IPv6 may take IPv4 too.
pub fn tell_addresses(socket: &OwnedFd, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_number(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
    }
    set_number(socket.as_fd(), libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
}

/// Serves a bound socket until the listener is closed.
pub fn listen(worker: &Rc<Worker>, listener: usize, socket: OwnedFd) {
    let control = Rc::new(Control::new(Role::Listener(listener), None));
    let member = worker.enlist(&control);
    let task = Rc::clone(worker);
    worker.spawn(async move {
        match UdpSocket::from_std(socket.into()) {
            Ok(socket) => {
                let server = Server::new(&task, listener, Rc::clone(&control), socket);
                // Where the kernel can't, they come and go one by one.
                let fast = joins(&task, listener) && socket::receive_joined(server.socket.as_fd()).is_ok();
                server.state.borrow_mut().post.joins = fast && socket::can_send_joined(server.socket.as_fd()).is_ok();
                control.socket.set(Some(server.socket.as_raw_fd()));
                control.carry(server.serve()).await;
            }
            Err(error) => {
                let name = &task.shared.plan.listeners[listener].name;
                task.shared.tell(Notice::Broken { what: format!("the socket of {name} failed: {error}") });
            }
        }
        task.dismiss(member);
    });
}

/// The flows of datagrams that come here.
fn flows(worker: &Worker, listener: usize) -> impl Iterator<Item = usize> {
    let plan = &worker.shared.plan;
    (0..plan.flows.len()).filter(move |flow| pour::comes(&plan.listeners[listener], &plan.flows[*flow]))
}

/// A dense flow comes here.
fn joins(worker: &Worker, listener: usize) -> bool {
    let plan = &worker.shared.plan;
    datagrams::may_be_joined(plan) && flows(worker, listener).any(|flow| datagrams::is_dense(&plan.flows[flow]))
}

/// What is known of a client's socket.
struct Known {
    identity: Identity,
    /// Its row in the flow's table of connections: of a flow to a group each receiver has one.
    row: u32,
    /// The client's own word of it; `None`: it is known by its headers alone.
    entry: Option<Arc<Entry>>,
    /// Transactions that are over.
    over: RefCell<Seen>,
}

/// A transaction that waits for another message, or for the end of a pause.
struct UnderWay {
    exchange: Box<Exchange>,
    way: Way,
    /// It stands among those that are forgotten in their order.
    listed: bool,
}

/// What a client is to be told when the datagrams in hand are all taken in.
#[derive(Default)]
struct Word {
    to: Option<Arc<Entry>>,
    complete: Vec<Complete>,
}

impl Word {
    fn tell(&mut self, to: &Arc<Entry>, complete: Complete) {
        if !self.to.as_ref().is_some_and(|known| Arc::ptr_eq(known, to)) {
            self.deliver(to.worker);
            self.to = Some(Arc::clone(to));
        }
        self.complete.push(complete);
    }

    /// Whether there was something for a client on another worker than this one.
    fn deliver(&mut self, worker: usize) -> bool {
        let Some(entry) = self.to.as_ref().filter(|_| !self.complete.is_empty()) else { return false };
        entry.inbox.tell(&mut self.complete);
        entry.waiting.wake();
        entry.worker != worker
    }
}

/// What a datagram says of itself.
struct Told {
    lane: Lane,
    number: u64,
    /// The place among the transaction's messages; `None`: it does not say.
    place: Option<u32>,
    header: Option<Header>,
    entry: Option<Arc<Entry>>,
}

struct Server {
    worker: Rc<Worker>,
    listener: usize,
    control: Rc<Control>,
    socket: UdpSocket,
    ipv6: bool,
    /// What is sent to the node itself is not meant for it.
    only_groups: bool,
    /// The flows that come here.
    flows: Vec<usize>,
    /// When it was last asked what the kernel had thrown away, ns, and how much that was.
    looked: Cell<(i64, u32)>,
    node: u16,
    program: Rc<Program>,
    state: RefCell<State>,
    arrivals: RefCell<Arrivals>,
    /// A client that heeds it sends as fast as it can.
    is_poured: bool,
    /// Until when it looks for more without sleeping, ns.
    awake_until_ns: Cell<i64>,
}

#[derive(Default)]
struct State {
    known: FxHashMap<Lane, Rc<Known>>,
    known_order: VecDeque<Lane>,
    /// The one that sent last.
    last: Option<(Lane, Rc<Known>)>,
    word: Word,
    /// By the client's and the own address: what the client's end told.
    peers: HashMap<(SocketAddr, SocketAddr), Arc<Entry>>,
    under_way: FxHashMap<(Lane, u64), UnderWay>,
    order: VecDeque<(Lane, u64)>,
    pauses: BinaryHeap<Reverse<(i64, Lane, u64)>>,
    #[expect(clippy::vec_box, reason = "an exchange is large and goes to and fro")]
    pool: Vec<Box<Exchange>>,
    post: Post,
    strangers: u64,
    blocked: bool,
}

impl Server {
    fn new(worker: &Rc<Worker>, listener: usize, control: Rc<Control>, socket: UdpSocket) -> Server {
        let planned = &worker.shared.plan.listeners[listener];
        Server {
            worker: Rc::clone(worker),
            listener,
            control,
            socket,
            ipv6: planned.address.is_ipv6(),
            only_groups: group::is_of_link(planned.address),
            flows: flows(worker, listener).collect(),
            looked: Cell::new((worker.pacer.now_ns(), 0)),
            node: planned.node.0 as u16,
            program: worker.program(Side::Server, listener),
            state: RefCell::default(),
            arrivals: RefCell::new(Arrivals::new()),
            is_poured: pour::comes_poured(&worker.shared.plan, planned),
            awake_until_ns: Cell::new(i64::MIN),
        }
    }

    async fn serve(self) {
        loop {
            let blocked = self.state.borrow().blocked;
            let interest = if blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let mut ready = std::pin::pin!(self.socket.ready(interest));
            let due = self.state.borrow().pauses.peek().map_or(NEVER_DUE, |Reverse((at, ..))| *at);
            let mut sleep = std::pin::pin!(self.worker.pacer.sleep_until(due));
            let met = poll_fn(|context| {
                if self.control.interrupted(context).is_some() {
                    return Poll::Ready(None);
                }
                match sleep.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Some(None)),
                    Poll::Pending => {
                        let ready = ready.as_mut().poll(context).map(|ready| Some(ready.ok()));
                        if ready.is_pending() && self.awake_until_ns.get() > self.worker.pacer.now_ns() {
                            context.waker().wake_by_ref();
                        }
                        ready
                    }
                }
            })
            .await;
            let Some(ready) = met else { break };
            self.go_on();
            if let Some(ready) = ready {
                if ready.is_writable() && blocked {
                    self.flush(true);
                }
                if ready.is_readable() {
                    self.receive();
                }
            }
            self.flush(false);
            if self.worker.pacer.now_ns().saturating_sub(self.looked.get().0) >= LOOK_EVERY_NS {
                self.look();
            }
            self.worker.changed();
            tokio::task::yield_now().await;
        }
        self.control.socket.set(None);
        let lost = self.look();
        if lost > 0 {
            let name = &self.worker.shared.plan.listeners[self.listener].name;
            self.worker.shared.warn(format!(
                "at least {lost} datagrams found no room in the socket of {name}: scn did not read them in time, and counts them as lost though they \
                 came; a larger `receive_buffer` of the service holds more"
            ));
        }
    }

    fn receive(&self) {
        let mut arrivals = self.arrivals.borrow_mut();
        for _ in 0..BATCHES_IN_A_ROW {
            let Ok(count) = self.socket.try_io(Interest::READABLE, || arrivals.receive(self.socket.as_fd())) else { return };
            let mut state = self.state.borrow_mut();
            for at in 0..count {
                if let Some(way) = arrivals.way(at).filter(|way| !self.only_groups || way.own.is_unspecified()) {
                    // What comes as one came at once; a nanosecond each keeps the order.
                    let now = self.worker.pacer.now_ns();
                    arrivals.pieces(at).zip(now..).for_each(|(bytes, at_ns)| self.take_in(&mut state, bytes, way, at_ns));
                }
            }
            // A client on another core goes on meanwhile.
            if state.word.deliver(self.worker.index) && self.is_poured {
                self.awake_until_ns.set(self.worker.pacer.now_ns().saturating_add(LOOK_NS));
            }
            drop(state);
            self.flush(false);
        }
    }

    /// Notes what the kernel has thrown away since it was looked at last; how much in all.
    fn look(&self) -> u32 {
        let (now, (from_ns, before)) = (self.worker.pacer.now_ns(), self.looked.get());
        let lost = self.control.late_for(thrown_away(self.socket.as_fd()));
        // What came with a wrong checksum is the network's.
        let shared = &self.worker.shared;
        let lost = shared.overflows.limit(shared.plan.listeners[self.listener].node, lost);
        self.looked.set((now, lost));
        if lost > before {
            // Whose they were nobody knows.
            let missed = Missed { from_ns, to_ns: now, count: u64::from(lost - before) };
            let mut parts = self.worker.parts.borrow_mut();
            self.flows.iter().for_each(|flow| parts[*flow].thrown_away(missed));
        }
        lost
    }

    /// Whose a datagram is: by its header, else by the addresses.
    fn whose(&self, state: &mut State, bytes: &[u8], way: Way) -> Told {
        let shared = &self.worker.shared;
        let header = Header::decode(bytes).filter(|h| h.way == frame::Way::Forward && h.run == shared.run);
        if let Some(header) = header.filter(|header| (header.flow as usize) < shared.plan.flows.len()) {
            let (number, place) = (header.sequence / MESSAGES, (header.sequence % MESSAGES) as u32);
            let lane = (header.flow, header.connection);
            return Told { lane, number, place: Some(place), header: Some(header), entry: None };
        }
        let own = SocketAddr::new(way.own, shared.plan.listeners[self.listener].port);
        let known = state.peers.get(&(way.peer, own)).cloned();
        let Some(entry) = known.or_else(|| shared.registry.find(way.peer, own)) else {
            // Whoever it is, it is served; each of its datagrams begins a transaction.
            state.strangers += 1;
            return Told { lane: (UNKNOWN_FLOW, UNKNOWN_CONNECTION), number: state.strangers, place: None, header: None, entry: None };
        };
        if state.peers.len() >= MOST_KNOWN {
            state.peers.clear();
        }
        state.peers.insert((way.peer, own), Arc::clone(&entry));
        let number = entry.begun.load(Ordering::Acquire).saturating_sub(1);
        Told { lane: (entry.flow, entry.connection), number, place: None, header: None, entry: Some(entry) }
    }

    fn known(&self, state: &mut State, told: &Told) -> Rc<Known> {
        if let Some((_, known)) = state.last.as_ref().filter(|(lane, _)| *lane == told.lane) {
            return Rc::clone(known);
        }
        if !state.known.contains_key(&told.lane) {
            if state.known.len() >= MOST_KNOWN
                && let Some(oldest) = state.known_order.pop_front()
            {
                state.known.remove(&oldest);
            }
            state.known_order.push_back(told.lane);
        }
        let known = Rc::clone(state.known.entry(told.lane).or_insert_with(|| Rc::new(self.know(told))));
        state.last = Some((told.lane, Rc::clone(&known)));
        known
    }

    fn know(&self, told: &Told) -> Known {
        let shared = &self.worker.shared;
        let (flow, connection) = told.lane;
        let entry = told.entry.clone().or_else(|| shared.registry.find_number(flow, connection));
        let key = entry.as_ref().map_or(Key::of_seed(shared.plan.seed).part(u64::from(connection)), |entry| Key::from_bits(entry.key));
        let planned = shared.plan.flows.get(flow as usize);
        let client = planned.map_or("", |flow| shared.node_name(flow.from));
        let identity = Identity {
            run: shared.run,
            flow,
            connection,
            stream: 0,
            node: self.node,
            key,
            client_name: client.into(),
            server_name: shared.node_name(shared.plan.listeners[self.listener].node).into(),
            filling: None,
        };
        let place = planned.and_then(|planned| group::place(planned, self.node)).unwrap_or(0);
        Known { identity, row: connection.saturating_add(place), entry, over: RefCell::default() }
    }

    fn take_in(&self, state: &mut State, bytes: &[u8], way: Way, at_ns: i64) {
        let told = self.whose(state, bytes, way);
        let (lane, number) = (told.lane, told.number);
        let foreign = lane.0 == UNKNOWN_FLOW;
        self.worker.tell_step(lane.0 as usize, || {
            let from = SocketAddr::new(way.peer.ip().to_canonical(), way.peer.port());
            format!("server received {}B from {from}: {}", bytes.len(), told::payload(bytes))
        });
        let known = self.known(state, &told);
        if let Some(entry) = &known.entry {
            entry.backend.store(self.node, Ordering::Relaxed);
        }
        let over = !foreign && known.over.borrow().has(number);
        let under_way = if state.under_way.is_empty() { None } else { state.under_way.remove(&(lane, number)) };
        let due = under_way.as_ref().map_or(0, |under_way| under_way.exchange.incoming);
        let place = told.place.unwrap_or(if over { 0 } else { due });
        if foreign {
            self.worker.shared.count_foreign_datagram();
        } else {
            let sequence = number.wrapping_mul(MESSAGES) + u64::from(place);
            let note = Note { connection: known.row, back: false, sequence, at_ns, asked_ns: NEVER };
            self.worker.parts.borrow_mut()[lane.0 as usize].received(note);
        }
        if over {
            return self.copied(lane);
        }
        let fresh = under_way.is_none();
        let mut under_way = under_way.unwrap_or_else(|| {
            let mut exchange = state.pool.pop().unwrap_or_else(|| Exchange::new(&self.program));
            exchange.begin(number, at_ns, 0);
            UnderWay { exchange, way, listed: false }
        });
        under_way.way = way;
        (state.post.way, state.post.lane) = (Some(way), lane);
        let stage = self.stage(&known.identity, at_ns);
        if fresh && let Err(fault) = under_way.exchange.go_on(&stage, &mut state.post) {
            return self.failed(state, lane, under_way.exchange, fault);
        }
        if under_way.exchange.next == Next::Message && place == under_way.exchange.incoming {
            let result = under_way.exchange.receive(&stage, (bytes, told.header), &mut state.post);
            return self.settle(state, lane, under_way, result, at_ns);
        }
        if !under_way.exchange.keep(place, bytes) && !foreign {
            self.copied(lane);
        }
        let next = under_way.exchange.next;
        self.settle(state, lane, under_way, Ok(next), at_ns);
    }

    fn stage<'a>(&'a self, identity: &'a Identity, now_ns: i64) -> Stage<'a> {
        Stage { program: &self.program, identity, seed: self.worker.shared.plan.seed, now_ns, limit_ns: i64::MAX }
    }

    fn copied(&self, lane: Lane) {
        if let Some(live) = self.worker.live(lane.0 as usize) {
            live.duplicates.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn settle(&self, state: &mut State, lane: Lane, mut under_way: UnderWay, result: Result<Next, Box<Fault>>, at_ns: i64) {
        let number = under_way.exchange.number;
        match result {
            Err(fault) => self.failed(state, lane, under_way.exchange, fault),
            Ok(Next::Nothing) => {
                if let Some(known) = state.known_of(lane) {
                    known.over.borrow_mut().note(number);
                    if let Some(entry) = known.entry.as_ref().filter(|_| !under_way.exchange.sent_last) {
                        state.word.tell(entry, Complete { number, at_ns, node: self.node });
                    }
                }
                state.pool.push(under_way.exchange);
            }
            Ok(next) => {
                if next == Next::Time {
                    state.pauses.push(Reverse((under_way.exchange.wake_ns, lane, number)));
                }
                if !std::mem::replace(&mut under_way.listed, true) {
                    state.forget_the_oldest((lane, number));
                }
                state.under_way.insert((lane, number), under_way);
            }
        }
    }

    #[expect(clippy::boxed_local, reason = "faults are large and rare: they travel in boxes")]
    fn failed(&self, state: &mut State, lane: Lane, exchange: Box<Exchange>, fault: Box<Fault>) {
        let known = state.known_of(lane);
        if let Some(known) = &known {
            known.over.borrow_mut().note(exchange.number);
        }
        state.pool.push(exchange);
        let connection = known.map_or(lane.1, |known| known.row);
        self.worker.fault(lane.0, connection, &self.program, *fault);
    }

    /// Goes on where a pause is over.
    fn go_on(&self) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if state.pauses.is_empty() {
            return;
        }
        let now = self.worker.pacer.now_ns();
        while let Some(&Reverse((at, lane, number))) = state.pauses.peek() {
            if at > now {
                break;
            }
            state.pauses.pop();
            let Some(mut under_way) = state.under_way.remove(&(lane, number)) else { continue };
            let still = under_way.exchange.next == Next::Time && under_way.exchange.wake_ns == at;
            let Some(known) = state.known_of(lane).filter(|_| still) else {
                state.under_way.insert((lane, number), under_way);
                continue;
            };
            (state.post.way, state.post.lane) = (Some(under_way.way), lane);
            let result = under_way.exchange.go_on(&self.stage(&known.identity, now), &mut state.post);
            self.settle(state, lane, under_way, result, now);
        }
        state.word.deliver(self.worker.index);
    }

    /// Sends what was written, as far as the kernel takes it.
    fn flush(&self, was_blocked: bool) {
        let mut state = self.state.borrow_mut();
        if state.blocked && !was_blocked {
            return;
        }
        state.blocked = false;
        state.post.joins &= !self.worker.shared.captured.load(Ordering::Relaxed);
        while state.post.waiting() > 0 {
            let now = self.worker.pacer.now_ns();
            let sent = match was_blocked {
                true => self.socket.try_io(Interest::WRITABLE, || state.post.send(self.socket.as_fd(), self.ipv6)),
                false => state.post.send(self.socket.as_fd(), self.ipv6),
            };
            match sent {
                Ok(count) => self.noted(&mut state, count, now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.blocked = true;
                    return;
                }
                Err(error) => {
                    if let Some(letter) = state.post.give_up().filter(|letter| letter.lane.0 != UNKNOWN_FLOW) {
                        let name = &self.worker.shared.plan.listeners[self.listener].name;
                        let (step, what) = (format!("answer of {name}"), super::errors::of_kernel(&error, None).0);
                        let now = self.worker.pacer.now_ns();
                        self.worker.parts.borrow_mut()[letter.lane.0 as usize].failure(&step, None, what, now);
                    }
                }
            }
        }
    }

    /// Notes the last datagrams that the kernel took, from this instant on, a nanosecond each to keep their order.
    fn noted(&self, state: &mut State, count: usize, at_ns: i64) {
        for (at, at_ns) in (0..count).zip(at_ns..) {
            let letter = state.post.gone(count)[at];
            let (flow, connection) = letter.lane;
            if flow != UNKNOWN_FLOW {
                let connection = state.known_of(letter.lane).map_or(connection, |known| known.row);
                let sequence = letter.number.wrapping_mul(MESSAGES) + u64::from(letter.place);
                let note = Note { connection, back: true, sequence, at_ns, asked_ns: NEVER };
                self.worker.parts.borrow_mut()[flow as usize].sent(note);
            }
        }
    }
}

impl State {
    fn known_of(&self, lane: Lane) -> Option<Rc<Known>> {
        let last = self.last.as_ref().filter(|(known, _)| *known == lane).map(|(_, known)| known);
        last.or_else(|| self.known.get(&lane)).map(Rc::clone)
    }

    /// Keeps those under way few: a client that gave up tells nobody.
    fn forget_the_oldest(&mut self, newest: (Lane, u64)) {
        self.order.push_back(newest);
        if self.order.len() > MOST_WAITING
            && let Some(oldest) = self.order.pop_front()
            && let Some(under_way) = self.under_way.remove(&oldest)
        {
            self.pool.push(under_way.exchange);
        }
    }
}
