//! A client's socket: sends the datagrams of its transactions, finds out whose answer each datagram is, tells late ones and copies
//! from it. In: starts, datagrams, the network's errors. Out: items and notes. Knows no rates.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use rustc_hash::FxHashMap;
use scn_reports::record::flow::{Connection, ConnectionEnd, Corruption, CorruptionKind, ItemOutcome, NEVER};
use scn_reports::record::packet::{Packet, PacketFate, PacketWay};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::agenda::Agenda;
use super::errors::{self, Said};
use super::exchange::{Exchange, MESSAGES, Next, Stage};
use super::group;
use super::log::Note;
use super::post::Post;
use super::row::{entry, row};
use super::run::Lanes;
use super::socket::{set_number, thrown_away};
use super::window::{LOOK_NS, Window};
use super::{Packets, icmp};
use crate::traffic::control::{Control, Start};
use crate::traffic::draw::Key;
use crate::traffic::frame::{Header, Way};
use crate::traffic::origins;
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::session::{Fault, Identity, shown};
use crate::traffic::registry::{Entry, NOBODY};
use crate::traffic::told;

/// Batches that are received before others get their turn.
const BATCHES_IN_A_ROW: u32 = 4;
/// Datagrams that wait for the kernel to take them; what comes on top is not sent.
const MOST_WAITING: usize = 1024;
/// Transactions of a flow on a worker whose fate is not known yet: so many more than that are not begun.
const MOST_UNDER_WAY: u64 = 1 << 20;

/// A datagram that came, and whose it is.
struct Answer<'a> {
    /// The exchange, as [`Exchange::key`] has it.
    key: u64,
    /// The connection's number.
    row: u32,
    /// The place of the message in the transaction, if its header tells.
    place: Option<u32>,
    header: Option<Header>,
    payload: &'a [u8],
}

/// One socket of a flow.
pub struct Lane {
    /// Its number among the flow's.
    pub number: u32,
    pub(super) socket: UdpSocket,
    pub(super) ipv6: bool,
    /// Of echoes: their identifier.
    pub(super) identifier: Option<u16>,
    pub(super) identity: Identity,
    pub(super) entry: Arc<Entry>,
    pub(super) control: Rc<Control>,
    pub(super) member: u64,
    /// What the kernel had thrown away at the socket before it was filtered: nothing that was meant for it.
    pub(super) strange: u32,
    pub(super) row: RefCell<Option<Connection>>,
    /// The node that answered last.
    pub(super) backend: Cell<u16>,
    /// When the run will look at it, ns; [`NEVER_DUE`]: it will not.
    pub(super) looked_at_ns: Cell<i64>,
    pub(super) state: RefCell<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Transactions that are not over, by their numbers.
    pub(super) under_way: FxHashMap<u64, Box<Exchange>>,
    /// When their limits and pauses are over, and when the next one may begin.
    pub(super) agenda: Agenda,
    /// When lost ones were sent.
    pub(super) lost: FxHashMap<u64, i64>,
    pub(super) lost_order: VecDeque<u64>,
    next: u64,
    /// Datagrams on their way.
    pub(super) post: Post,
    /// The kernel takes no more now.
    pub(super) blocked: bool,
    left_behind: bool,
    /// How far it is ahead of the server.
    pub(super) window: Window,
    /// When the server told something last, ns.
    told_ns: i64,
    /// It waits for the server, but no longer than until this instant, ns.
    pub(super) held_until_ns: Option<i64>,
    /// Of each row.
    pub(super) transactions: Vec<u32>,
}

impl Lane {
    /// Makes a lane of a socket and begins to listen on it.
    pub fn open(lanes: &Rc<Lanes>, socket: OwnedFd) -> io::Result<Rc<Lane>> {
        let (worker, flow) = (&lanes.worker, lanes.run.flow);
        let (plan, shared) = (&worker.shared.plan, &worker.shared.flows[flow]);
        let planned = &plan.flows[flow];
        let number = shared.next_connection.fetch_add(lanes.each(), Ordering::Relaxed);
        let ipv6 = lanes.target.is_ipv6();
        lanes.options.set(&socket, ipv6)?;
        group::prepare(planned, &socket)?;
        origins::bind(planned, &socket, ipv6, number / lanes.each())?;
        let (level, option) = if ipv6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { (libc::IPPROTO_IP, libc::IP_RECVERR) };
        set_number(socket.as_fd(), level, option, 1)?;
        let echo = matches!(lanes.kind, Packets::Echo { .. });
        // Each echo socket of a run has an identifier of its own, or the replies of one would be those of another.
        let identifier = echo.then(|| worker.shared.next_echo.fetch_add(1, Ordering::Relaxed));
        if let Some(identifier) = identifier {
            icmp::filter(&SockRef::from(&socket), socket.as_fd(), ipv6, identifier)?;
        }
        let strange = thrown_away(socket.as_fd());
        let key = Key::of_seed(plan.seed).part(flow as u64).part(lanes.run.number).part(u64::from(number));
        let entry = Arc::new(entry(flow, number, key, worker.index));
        let identity = Identity {
            run: worker.shared.run,
            flow: flow as u16,
            connection: number,
            stream: 0,
            node: planned.from.0 as u16,
            key,
            client_name: worker.shared.node_name(planned.from).into(),
            server_name: "".into(),
            filling: lanes.run.stream.as_ref().map(|stream| stream.size),
        };
        let control = Rc::new(Control::new(lanes.run.role(), Some(flow)));
        let remote = if echo { lanes.target.ip().to_string() } else { lanes.target.to_string() };
        let row = row(worker.pacer.now_ns(), remote);
        let mut post = Post::new(if echo { icmp::HEADER } else { 0 });
        post.lane = (flow as u16, number);
        post.joins = lanes.joins && lanes.can_join(&socket);
        post.way = planned.spread_by.is_some().then(|| group::way(planned));
        let lane = Rc::new(Lane {
            number,
            socket: UdpSocket::from_std(socket.into())?,
            ipv6,
            identifier,
            identity,
            entry,
            member: worker.enlist(&control),
            control,
            strange,
            row: RefCell::new(Some(row)),
            backend: Cell::new(NOBODY),
            looked_at_ns: Cell::new(NEVER_DUE),
            state: RefCell::new(State { post, transactions: vec![0; lanes.each() as usize], ..State::default() }),
        });
        shared.live.connections.fetch_add(u64::from(lanes.each()), Ordering::Relaxed);
        // Without a way there yet it is tried again before each sending.
        let _ = lane.connect(lanes);
        lane.control.socket.set(Some(lane.socket.as_raw_fd()));
        if lanes.run.frozen.get() {
            lane.control.freeze(worker.pacer.now_ns(), 0);
        }
        let (task, lanes) = (Rc::clone(&lane), Rc::clone(lanes));
        worker.spawn(async move { task.control.carry(task.listen(&lanes)).await });
        Ok(lane)
    }

    /// Fixes the target, if that is not done; only then is the own address known.
    fn connect(&self, lanes: &Lanes) -> io::Result<()> {
        let mut row = self.row.borrow_mut();
        let Some(row) = row.as_mut().filter(|row| row.local.is_empty()) else { return Ok(()) };
        let planned = &lanes.worker.shared.plan.flows[lanes.run.flow];
        let target = lanes.target;
        let socket = SockRef::from(&self.socket);
        let Some(local) = (match planned.spread_by {
            Some(_) => group::bind(&lanes.worker.shared.plan, planned, &socket)?,
            None => {
                socket.connect(&target.into())?;
                socket.local_addr()?.as_socket()
            }
        }) else {
            return Ok(());
        };
        if self.identifier.is_some() {
            row.local = local.ip().to_string();
        } else {
            row.local = local.to_string();
            lanes.worker.shared.registry.insert(local, target, Arc::clone(&self.entry));
            lanes.worker.shared.registry.insert_number(&self.entry);
        }
        Ok(())
    }

    pub(super) fn stage<'a>(&'a self, lanes: &'a Lanes, now_ns: i64) -> Stage<'a> {
        let seed = lanes.worker.shared.plan.seed;
        Stage { program: &lanes.program, identity: &self.identity, seed, now_ns, limit_ns: lanes.limit_ns }
    }

    /// Begins a transaction; what it sends is written, and goes with the next [`Lane::flush`].
    pub fn begin(self: &Rc<Self>, lanes: &Rc<Lanes>, start: Start, now_ns: i64) {
        if let Err(error) = self.connect(lanes) {
            return self.not_sent(lanes, start, &error);
        }
        if self.state.borrow().post.waiting() >= MOST_WAITING {
            return self.not_sent(lanes, start, &io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        if lanes.under_way.get() >= MOST_UNDER_WAY {
            let what = format!("{MOST_UNDER_WAY} transactions wait already for what becomes of them");
            return self.not_sent(lanes, start, &io::Error::other(what));
        }
        let mut exchange = lanes.exchange();
        let mut state = self.state.borrow_mut();
        let number = state.next;
        state.next += 1;
        self.entry.begun.store(state.next, Ordering::Release);
        exchange.begin(number, start.intended_ns, start.lag_ns);
        let stage = self.stage(lanes, now_ns);
        let result = exchange.go_on(&stage, &mut state.post);
        self.complete(&mut state);
        drop(state);
        lanes.worker.tell_step(lanes.run.flow, || format!("client sends {}B to {}", exchange.sent_bytes, self.remote(lanes)));
        lanes.wrote(exchange.sent_bytes);
        self.with_the_others(lanes, &exchange);
        self.settle(lanes, exchange, result);
    }

    /// Writes the header of an echo that was just written.
    fn complete(&self, state: &mut State) {
        if let (Some(identifier), Some((number, packet))) = (self.identifier, state.post.last()) {
            icmp::write_header(packet, self.ipv6, identifier, number as u16);
        }
    }

    pub(super) fn remote(&self, lanes: &Lanes) -> String {
        let target = lanes.target;
        if self.identifier.is_some() { target.ip().to_string() } else { target.to_string() }
    }

    /// What follows after a transaction was played on.
    pub(super) fn settle(self: &Rc<Self>, lanes: &Rc<Lanes>, mut exchange: Box<Exchange>, result: Result<Next, Box<Fault>>) {
        match result {
            Err(fault) => self.failed(lanes, exchange, fault),
            Ok(Next::Nothing) if !exchange.sent_last => self.done_and_free(lanes, exchange, lanes.worker.pacer.now_ns()),
            Ok(Next::Nothing) => {
                exchange.await_word(lanes.limit_ns);
                if let Some(told) = exchange.told.take_if(|told| told.at_ns <= exchange.wake_ns) {
                    exchange.peer_node = told.node;
                    return self.done_and_free(lanes, exchange, told.at_ns);
                }
                self.state.borrow_mut().window.wrote(exchange.number, exchange.outgoing, exchange.sent_bytes);
                self.wait(lanes, exchange);
                if lanes.identified {
                    self.is_free_or_held(lanes);
                }
            }
            Ok(Next::Message | Next::Time) => self.wait(lanes, exchange),
        }
    }

    /// What was done as the pattern says, with nothing left to wait for.
    fn done_and_free(self: &Rc<Self>, lanes: &Rc<Lanes>, exchange: Box<Exchange>, at_ns: i64) {
        let number = exchange.number;
        self.done(lanes, exchange, at_ns);
        lanes.worker.items_done(lanes.run.flow, 1);
        if !self.others_wait(lanes, number) {
            lanes.is_free(self);
        }
    }

    /// Keeps what was done as the pattern says, uncounted.
    fn done(&self, lanes: &Lanes, exchange: Box<Exchange>, at_ns: i64) {
        let mut state = self.state.borrow_mut();
        if let Some(transactions) = state.transactions.get_mut(exchange.receiver as usize) {
            *transactions = transactions.saturating_add(1);
        }
        drop(state);
        let item = lanes.row(self, &exchange, ItemOutcome::Done, at_ns);
        lanes.worker.tell_item(lanes.run.flow, &item);
        lanes.worker.keep(lanes.run.flow, item);
        lanes.run.is_answered();
        lanes.over(exchange);
    }

    #[expect(clippy::boxed_local, reason = "faults are large and rare: they travel in boxes")]
    pub(super) fn failed(self: &Rc<Self>, lanes: &Rc<Lanes>, mut exchange: Box<Exchange>, fault: Box<Fault>) {
        let now = lanes.worker.pacer.now_ns();
        if exchange.sent_ns == NEVER {
            // What is written is counted when it goes.
            if exchange.outgoing == 0 {
                lanes.worker.transaction_sent(self.identity.flow);
            }
            exchange.sent_ns = now;
        }
        self.state.borrow_mut().window.over(exchange.number);
        self.remember_lost(&exchange, lanes.each());
        if fault.end == ConnectionEnd::Timeout {
            lanes.may_come_late(exchange.sent_ns);
        }
        lanes.item(self, &exchange, ItemOutcome::Failed, now);
        let step = lanes.program.step(fault.step).0;
        lanes.worker.tell_step(lanes.run.flow, || format!("{step}: {}", fault.what));
        lanes.run.fails(&step, &fault.what);
        let connection = self.number + exchange.receiver;
        lanes.worker.fault(self.identity.flow, connection, &lanes.program, *fault);
        // A lane that is free already has waited for the server's word alone.
        let free = lanes.identified && exchange.next == Next::Nothing && exchange.sent_last;
        let free = free || self.others_wait(lanes, exchange.number);
        lanes.over(exchange);
        if !lanes.identified {
            self.state.borrow_mut().left_behind = true;
            lanes.leave_behind(self);
        } else if !free {
            lanes.is_free_later(self);
        }
    }

    /// The node that answered; told once.
    pub fn answered(&self, lanes: &Lanes, exchange: &Exchange) -> u16 {
        let backend = lanes.worker.backend(lanes.run.flow, self.backend.get(), exchange.peer_node, self.entry.backend());
        self.backend.set(backend);
        backend
    }

    /// Receives until it is told to end.
    async fn listen(self: &Rc<Self>, lanes: &Rc<Lanes>) {
        loop {
            let blocked = self.state.borrow().blocked;
            let interest = Interest::READABLE | Interest::ERROR;
            let mut ready = std::pin::pin!(self.socket.ready(if blocked { interest | Interest::WRITABLE } else { interest }));
            let met = poll_fn(|context| {
                if self.control.interrupted(context).is_some() {
                    return Poll::Ready(None);
                }
                self.entry.waiting.register(context.waker());
                if self.entry.inbox.has_some() || self.state.borrow().blocked != blocked {
                    return Poll::Ready(Some(None));
                }
                let ready = ready.as_mut().poll(context).map(|ready| Some(ready.ok()));
                if ready.is_pending() && self.is_held() && lanes.worker.pacer.now_ns() < self.state.borrow().told_ns + LOOK_NS {
                    context.waker().wake_by_ref();
                }
                ready
            })
            .await;
            let Some(ready) = met else { return };
            self.arrived(lanes);
            if let Some(ready) = ready {
                if ready.is_error() {
                    while let Ok(said) = self.socket.try_io(Interest::ERROR, || errors::next(self.socket.as_fd())) {
                        self.refused(lanes, said);
                    }
                }
                if ready.is_readable() {
                    self.receive(lanes);
                }
                if blocked && ready.is_writable() {
                    self.flush_when(lanes, true);
                }
            }
            self.flush(lanes);
            tokio::task::yield_now().await;
        }
    }

    fn receive(self: &Rc<Self>, lanes: &Rc<Lanes>) {
        let mut arrivals = lanes.arrivals.borrow_mut();
        for _ in 0..BATCHES_IN_A_ROW {
            let Ok(count) = self.socket.try_io(Interest::READABLE, || arrivals.receive(self.socket.as_fd())) else { return };
            for at in 0..count {
                // What comes as one came at once; a nanosecond each keeps the order.
                let now = lanes.worker.pacer.now_ns();
                arrivals.pieces(at).zip(now..).for_each(|(bytes, at_ns)| self.take_in(lanes, bytes, at_ns));
            }
        }
    }

    /// What the server says that it has received.
    fn arrived(self: &Rc<Self>, lanes: &Rc<Lanes>) {
        let mut all = lanes.told.take();
        self.entry.inbox.take(&mut all);
        let mut done = 0;
        for told in all.drain(..) {
            let mut state = self.state.borrow_mut();
            state.window.over(told.number);
            state.told_ns = told.at_ns;
            let Some(key) = self.key(lanes, told.number, told.node) else { continue };
            let exchange = match state.under_way.remove(&key) {
                Some(mut exchange) if exchange.next != Next::Nothing => {
                    exchange.told = Some(told);
                    state.under_way.insert(key, exchange);
                    continue;
                }
                exchange => exchange,
            };
            let late = match &exchange {
                Some(exchange) => {
                    state.agenda.cancel((exchange.wake_ns, key));
                    false
                }
                None => state.lost.remove(&key).is_some(),
            };
            drop(state);
            match exchange {
                Some(mut exchange) if told.at_ns <= exchange.wake_ns => {
                    exchange.peer_node = told.node;
                    self.done(lanes, exchange, told.at_ns);
                    done += 1;
                    if !lanes.identified {
                        lanes.is_free(self);
                    }
                }
                Some(exchange) => {
                    let fault = self.too_late(lanes, &exchange, told.at_ns);
                    self.failed(lanes, exchange, fault);
                    self.state.borrow_mut().lost.remove(&key);
                    self.came_late(lanes, told.at_ns);
                }
                None if late => self.came_late(lanes, told.at_ns),
                None => {}
            }
        }
        lanes.told.replace(all);
        lanes.worker.items_done(lanes.run.flow, done);
        self.let_go(lanes);
    }

    fn came_late(&self, lanes: &Lanes, at_ns: i64) {
        lanes.worker.shared.flows[lanes.run.flow].live.late.fetch_add(1, Ordering::Relaxed);
        lanes.worker.parts.borrow_mut()[lanes.run.flow].late(at_ns);
        lanes.worker.changed();
    }

    /// Whose answer a datagram is.
    fn whose<'a>(&self, lanes: &Lanes, bytes: &'a [u8]) -> Option<Answer<'a>> {
        let next = self.state.borrow().next;
        if let Some(identifier) = self.identifier {
            let (low, payload) = icmp::reply(bytes, self.ipv6, identifier)?;
            return Some(Answer { key: self.nearest(low)?, row: self.number, place: None, header: None, payload });
        }
        if !lanes.identified {
            return next.checked_sub(1).map(|key| Answer { key, row: self.number, place: None, header: None, payload: bytes });
        }
        let Some(header) = Header::decode(bytes) else {
            self.wrong(lanes, CorruptionKind::Content, format!("a datagram without a whole header came: {}", shown(bytes)));
            return None;
        };
        let number = header.sequence / MESSAGES;
        let key = self.key(lanes, number, header.node);
        let strange = header.run != self.identity.run || header.flow != self.identity.flow || header.connection != self.number;
        let Some(key) = key.filter(|_| !strange && number < next) else {
            let detail = format!(
                "expected run {:08x} flow {} socket {}, came run {:08x} flow {} socket {} transaction {number}",
                self.identity.run, self.identity.flow, self.number, header.run, header.flow, header.connection
            );
            self.wrong(lanes, CorruptionKind::Misdelivered, detail);
            return None;
        };
        let place = (header.way == Way::Back).then_some((header.sequence % MESSAGES) as u32);
        Some(Answer { key, row: self.number + (key % u64::from(lanes.each())) as u32, place, header: Some(header), payload: bytes })
    }

    /// The last transaction whose number ends in these 16 bits.
    fn nearest(&self, low: u16) -> Option<u64> {
        let last = self.state.borrow().next.checked_sub(1)?;
        last.checked_sub(u64::from((last as u16).wrapping_sub(low)))
    }

    /// Something came that belongs to no transaction.
    fn wrong(&self, lanes: &Lanes, kind: CorruptionKind, detail: String) {
        let (flow, now) = (lanes.run.flow, lanes.worker.pacer.now_ns());
        let live = &lanes.worker.shared.flows[flow].live;
        let counter = if kind == CorruptionKind::Content { &live.corrupt } else { &live.misdelivered };
        counter.fetch_add(1, Ordering::Relaxed);
        let part = &mut lanes.worker.parts.borrow_mut()[flow];
        part.corruption(Corruption { at_ns: now, connection: self.number, server: false, kind, offset: 0, detail });
        part.failure(&format!("receive from {}", self.remote(lanes)), None, "the payload of no transaction of this flow".to_owned(), now);
    }

    fn take_in(self: &Rc<Self>, lanes: &Rc<Lanes>, bytes: &[u8], at_ns: i64) {
        let Some(answer) = self.whose(lanes, bytes) else { return };
        let Answer { key, place, payload, header, .. } = answer;
        lanes.worker.tell_step(lanes.run.flow, || format!("client received {}B: {}", payload.len(), told::payload(payload)));
        let mut state = self.state.borrow_mut();
        let exchange = state.under_way.remove(&key);
        let was_lost = if exchange.is_none() { state.lost.remove(&key) } else { None };
        let Some(mut exchange) = exchange else {
            drop(state);
            let (sent, fate) = was_lost.map_or((at_ns, PacketFate::Copy), |sent| (sent, PacketFate::Late));
            self.note(lanes, &answer, place.unwrap_or(0), at_ns, NEVER, (sent, fate));
            match fate {
                PacketFate::Late => self.came_late(lanes, at_ns),
                _ => self.copied(lanes),
            }
            return;
        };
        if exchange.next == Next::Message && exchange.wake_ns < at_ns {
            // Its time is over, though nobody has looked: a client that stood still.
            state.agenda.cancel((exchange.wake_ns, key));
            drop(state);
            let fault = self.too_late(lanes, &exchange, at_ns);
            self.failed(lanes, exchange, fault);
            return self.take_in(lanes, bytes, at_ns);
        }
        let due = exchange.incoming;
        let place = place.unwrap_or(due);
        let new = place >= due && exchange.next != Next::Nothing;
        let asked = if new { std::mem::replace(&mut exchange.asked_ns, NEVER) } else { NEVER };
        if new && exchange.next == Next::Message && place == due {
            let sent = exchange.sent_ns;
            let stage = self.stage(lanes, at_ns);
            state.agenda.cancel((exchange.wake_ns, key));
            let result = exchange.receive(&stage, (payload, header), &mut state.post);
            drop(state);
            self.note(lanes, &answer, place, at_ns, asked, (sent, PacketFate::Arrived));
            return self.settle(lanes, exchange, result);
        }
        let kept = new && exchange.keep(place, payload);
        state.under_way.insert(key, exchange);
        drop(state);
        self.note(lanes, &answer, place, at_ns, asked, (at_ns, if kept { PacketFate::Arrived } else { PacketFate::Copy }));
        if !kept {
            self.copied(lanes);
        }
    }

    fn copied(&self, lanes: &Lanes) {
        lanes.worker.shared.flows[lanes.run.flow].live.duplicates.fetch_add(1, Ordering::Relaxed);
        lanes.worker.changed();
    }

    /// Notes what came, for the other end's notes to be held against it; without these, as a round trip.
    fn note(&self, lanes: &Lanes, answer: &Answer<'_>, place: u32, at_ns: i64, asked_ns: i64, round: (i64, PacketFate)) {
        let (connection, number) = (answer.row, answer.key / u64::from(lanes.each()));
        let part = &mut lanes.worker.parts.borrow_mut()[lanes.run.flow];
        if lanes.own_server {
            let sequence = number.wrapping_mul(MESSAGES) + u64::from(place);
            part.received(Note { connection, back: true, sequence, at_ns, asked_ns });
        } else {
            let (sent_ns, fate) = round;
            part.round(Packet { way: PacketWay::Round, fate, connection, sent_ns, received_ns: at_ns, asked_ns });
        }
    }

    /// The network says that a datagram did not arrive.
    pub(super) fn refused(self: &Rc<Self>, lanes: &Rc<Lanes>, said: Said) {
        // Of what went in one piece the network speaks once: from now on of each.
        if std::mem::replace(&mut self.state.borrow_mut().post.joins, false) {
            let name = &lanes.worker.shared.plan.flows[lanes.run.flow].name;
            lanes
                .worker
                .shared
                .warn(format!("flow {name} sends its datagrams one by one since the network refused some: it speaks of each alone"));
        }
        let number = match self.identifier {
            Some(identifier) => icmp::quoted(&said.quoted, identifier).and_then(|(low, _)| self.nearest(low)),
            None if lanes.identified => Header::decode(&said.quoted)
                .filter(|header| header.run == self.identity.run && header.connection == self.number)
                .map(|header| header.sequence / MESSAGES),
            None => self.state.borrow().next.checked_sub(1),
        };
        let keys = number.into_iter().flat_map(|number| (0..u64::from(lanes.each())).map(move |at| (number, at)));
        for (number, at) in keys {
            let exchange = self.state.borrow_mut().take_out(number * u64::from(lanes.each()) + at);
            if let Some(exchange) = exchange {
                let fault = exchange.failed(&self.stage(lanes, lanes.worker.pacer.now_ns()), said.what.clone(), said.end);
                self.failed(lanes, exchange, fault);
            }
        }
    }
}
