//! The server's side of UDP: plays the pattern's server on each transaction that comes, and answers from the address that was asked.
//! In: a bound socket. Out: answers, notes of what came and went, and word to the client's end of what nothing answers.

use std::cell::RefCell;
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

use scn_grammar::scenario::pattern::Side;
use scn_reports::record::flow::NEVER;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::exchange::{Exchange, MESSAGES, Next, Stage};
use super::group;
use super::log::Note;
use super::post::{Letter, Post};
use super::seen::Seen;
use super::socket::{self, Arrivals, Way, set_number, thrown_away};
use crate::plan::datagrams;
use crate::plan::types::PlannedFlow;
use crate::traffic::Notice;
use crate::traffic::control::{Control, Role};
use crate::traffic::draw::Key;
use crate::traffic::frame::{self, Header, UNKNOWN_CONNECTION, UNKNOWN_FLOW};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::program::Program;
use crate::traffic::pattern::session::{Fault, Identity};
use crate::traffic::registry::Entry;
use crate::traffic::told;
use crate::traffic::worker::Worker;

/// Batches that are received before others get their turn.
const BATCHES_IN_A_ROW: u32 = 4;
/// Transactions that wait for another message of a client that may never send it; the oldest are forgotten.
const MOST_WAITING: usize = 65_536;
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

/// A dense flow comes here.
fn joins(worker: &Worker, listener: usize) -> bool {
    let plan = &worker.shared.plan;
    let planned = &plan.listeners[listener];
    let comes = |flow: &PlannedFlow| flow.target.port() == planned.port && flow.backends.contains(&planned.node);
    datagrams::may_be_joined(plan) && plan.flows.iter().any(|flow| comes(flow) && datagrams::is_dense(flow))
}

/// What is known of a client's socket.
struct Known {
    identity: Identity,
    /// The client's own word of it; `None`: it is known by its headers alone.
    entry: Option<Arc<Entry>>,
    /// Transactions that are over.
    over: Seen,
}

/// What a datagram says of itself.
struct Told {
    lane: Lane,
    number: u64,
    /// The place among the transaction's messages; `None`: it does not say.
    place: Option<u32>,
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
    node: u16,
    program: Rc<Program>,
    state: RefCell<State>,
    arrivals: RefCell<Arrivals>,
}

#[derive(Default)]
struct State {
    known: HashMap<Lane, Known>,
    known_order: VecDeque<Lane>,
    /// By the client's and the own address: what the client's end told.
    peers: HashMap<(SocketAddr, SocketAddr), Arc<Entry>>,
    /// Transactions under way, with the way back.
    under_way: HashMap<(Lane, u64), (Box<Exchange>, Way)>,
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
            node: planned.node.0 as u16,
            program: worker.program(Side::Server, listener),
            state: RefCell::default(),
            arrivals: RefCell::new(Arrivals::new()),
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
                    Poll::Pending => ready.as_mut().poll(context).map(|ready| Some(ready.ok())),
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
            self.worker.changed();
            tokio::task::yield_now().await;
        }
        self.control.socket.set(None);
        let lost = self.control.late_for(thrown_away(self.socket.as_fd()));
        if lost > 0 {
            let name = &self.worker.shared.plan.listeners[self.listener].name;
            self.worker.shared.warn(format!(
                "at least {lost} datagrams found no room in the socket of {name}: scn did not read them in time, which counts as loss; a larger \
                 `receive_buffer` of the service holds more"
            ));
        }
    }

    fn receive(&self) {
        let mut arrivals = self.arrivals.borrow_mut();
        for _ in 0..BATCHES_IN_A_ROW {
            let Ok(count) = self.socket.try_io(Interest::READABLE, || arrivals.receive(self.socket.as_fd())) else { return };
            for at in 0..count {
                if let Some(way) = arrivals.way(at).filter(|way| !self.only_groups || way.own.is_unspecified()) {
                    arrivals.pieces(at).for_each(|bytes| self.take_in(bytes, way, self.worker.pacer.now_ns()));
                }
            }
            self.flush(false);
        }
    }

    /// Whose a datagram is: by its header, else by the addresses.
    fn whose(&self, state: &mut State, bytes: &[u8], way: Way) -> Told {
        let shared = &self.worker.shared;
        let header = Header::decode(bytes).filter(|h| h.way == frame::Way::Forward && h.run == shared.run);
        if let Some(header) = header.filter(|header| (header.flow as usize) < shared.plan.flows.len()) {
            let (number, place) = (header.sequence / MESSAGES, (header.sequence % MESSAGES) as u32);
            return Told { lane: (header.flow, header.connection), number, place: Some(place), entry: None };
        }
        let own = SocketAddr::new(way.own, shared.plan.listeners[self.listener].port);
        let known = state.peers.get(&(way.peer, own)).cloned();
        let Some(entry) = known.or_else(|| shared.registry.find(way.peer, own)) else {
            // Whoever it is, it is served; each of its datagrams begins a transaction.
            state.strangers += 1;
            return Told { lane: (UNKNOWN_FLOW, UNKNOWN_CONNECTION), number: state.strangers, place: None, entry: None };
        };
        if state.peers.len() >= MOST_KNOWN {
            state.peers.clear();
        }
        state.peers.insert((way.peer, own), Arc::clone(&entry));
        let number = entry.begun.load(Ordering::Acquire).saturating_sub(1);
        Told { lane: (entry.flow, entry.connection), number, place: None, entry: Some(entry) }
    }

    fn known<'s>(&self, state: &'s mut State, told: &Told) -> &'s mut Known {
        if !state.known.contains_key(&told.lane) {
            if state.known.len() >= MOST_KNOWN
                && let Some(oldest) = state.known_order.pop_front()
            {
                state.known.remove(&oldest);
            }
            state.known_order.push_back(told.lane);
        }
        state.known.entry(told.lane).or_insert_with(|| {
            let shared = &self.worker.shared;
            let (flow, connection) = told.lane;
            let entry = told.entry.clone().or_else(|| shared.registry.find_number(flow, connection));
            let key = entry.as_ref().map_or(Key::of_seed(shared.plan.seed).part(u64::from(connection)), |entry| Key::from_bits(entry.key));
            let client = shared.plan.flows.get(flow as usize).map_or("", |flow| shared.node_name(flow.from));
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
            Known { identity, entry, over: Seen::default() }
        })
    }

    fn take_in(&self, bytes: &[u8], way: Way, at_ns: i64) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
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
        let over = !foreign && known.over.has(number);
        let identity = known.identity.clone();
        let under_way = state.under_way.remove(&(lane, number));
        let due = under_way.as_ref().map_or(0, |(exchange, _)| exchange.incoming);
        let place = told.place.unwrap_or(if over { 0 } else { due });
        if foreign {
            self.worker.shared.count_foreign_datagram();
        } else {
            let sequence = number.wrapping_mul(MESSAGES) + u64::from(place);
            let note = Note { connection: lane.1 + self.row_of(lane.0), back: false, sequence, at_ns, asked_ns: NEVER };
            self.worker.parts.borrow_mut()[lane.0 as usize].received(note);
        }
        if over {
            return self.copied(lane);
        }
        let fresh = under_way.is_none();
        let mut exchange = under_way.map(|(exchange, _)| exchange).unwrap_or_else(|| {
            let mut exchange = state.pool.pop().unwrap_or_else(|| Exchange::new(&self.program));
            exchange.begin(number, at_ns, 0);
            exchange
        });
        (state.post.way, state.post.lane) = (Some(way), lane);
        let stage = self.stage(&identity, at_ns);
        if fresh {
            forget_the_oldest(state, (lane, number));
            if let Err(fault) = exchange.go_on(&stage, &mut state.post) {
                return self.failed(state, lane, exchange, fault);
            }
        }
        if exchange.next == Next::Message && place == exchange.incoming {
            let result = exchange.receive(&stage, bytes, &mut state.post);
            return self.settle(state, lane, (exchange, way), result, at_ns);
        }
        if !exchange.keep(place, bytes) && !foreign {
            self.copied(lane);
        }
        let next = exchange.next;
        self.settle(state, lane, (exchange, way), Ok(next), at_ns);
    }

    fn stage<'a>(&'a self, identity: &'a Identity, now_ns: i64) -> Stage<'a> {
        Stage { program: &self.program, identity, seed: self.worker.shared.plan.seed, now_ns, limit_ns: i64::MAX }
    }

    /// Of a flow to a group: this node's place among the receivers, whose rows follow each other.
    fn row_of(&self, flow: u16) -> u32 {
        let planned = self.worker.shared.plan.flows.get(flow as usize);
        planned.and_then(|planned| group::place(planned, self.node)).unwrap_or(0)
    }

    fn copied(&self, lane: Lane) {
        if let Some(live) = self.worker.live(lane.0 as usize) {
            live.duplicates.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn settle(&self, state: &mut State, lane: Lane, under_way: (Box<Exchange>, Way), result: Result<Next, Box<Fault>>, at_ns: i64) {
        let (exchange, way) = under_way;
        let number = exchange.number;
        match result {
            Err(fault) => self.failed(state, lane, exchange, fault),
            Ok(Next::Nothing) => {
                if let Some(known) = state.known.get_mut(&lane) {
                    known.over.note(number);
                    if let Some(entry) = known.entry.as_ref().filter(|_| !exchange.sent_last) {
                        entry.inbox.tell(number, at_ns, self.node);
                        entry.waiting.wake();
                    }
                }
                state.pool.push(exchange);
            }
            Ok(next) => {
                if next == Next::Time {
                    state.pauses.push(Reverse((exchange.wake_ns, lane, number)));
                }
                state.under_way.insert((lane, number), (exchange, way));
            }
        }
    }

    #[expect(clippy::boxed_local, reason = "faults are large and rare: they travel in boxes")]
    fn failed(&self, state: &mut State, lane: Lane, exchange: Box<Exchange>, fault: Box<Fault>) {
        if let Some(known) = state.known.get_mut(&lane) {
            known.over.note(exchange.number);
        }
        state.pool.push(exchange);
        let connection = if lane.1 == UNKNOWN_CONNECTION { lane.1 } else { lane.1 + self.row_of(lane.0) };
        self.worker.fault(lane.0, connection, &self.program, *fault);
    }

    /// Goes on where a pause is over.
    fn go_on(&self) {
        let now = self.worker.pacer.now_ns();
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        while let Some(&Reverse((at, lane, number))) = state.pauses.peek() {
            if at > now {
                return;
            }
            state.pauses.pop();
            let Some((mut exchange, way)) = state.under_way.remove(&(lane, number)) else { continue };
            let identity = state.known.get(&lane).map(|known| known.identity.clone());
            let Some(identity) = identity.filter(|_| exchange.next == Next::Time && exchange.wake_ns == at) else {
                state.under_way.insert((lane, number), (exchange, way));
                continue;
            };
            (state.post.way, state.post.lane) = (Some(way), lane);
            let result = exchange.go_on(&self.stage(&identity, now), &mut state.post);
            self.settle(state, lane, (exchange, way), result, now);
        }
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
            let sent = match was_blocked {
                true => self.socket.try_io(Interest::WRITABLE, || state.post.send(self.socket.as_fd(), self.ipv6)),
                false => state.post.send(self.socket.as_fd(), self.ipv6),
            };
            match sent {
                Ok(count) => state.post.gone(count).iter().for_each(|letter| self.noted(letter)),
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

    fn noted(&self, letter: &Letter) {
        let (flow, connection) = letter.lane;
        if flow != UNKNOWN_FLOW {
            let sequence = letter.number.wrapping_mul(MESSAGES) + u64::from(letter.place);
            let note = Note { connection: connection + self.row_of(flow), back: true, sequence, at_ns: letter.at_ns, asked_ns: NEVER };
            self.worker.parts.borrow_mut()[flow as usize].sent(note);
        }
    }
}

/// Keeps those under way few: a client that gave up tells nobody.
fn forget_the_oldest(state: &mut State, newest: (Lane, u64)) {
    state.order.push_back(newest);
    if state.order.len() > MOST_WAITING
        && let Some(oldest) = state.order.pop_front()
        && let Some((exchange, _)) = state.under_way.remove(&oldest)
    {
        state.pool.push(exchange);
    }
}
