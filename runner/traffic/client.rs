//! One place of a flow: opens a connection, runs transactions on it, and a successor when it ends. In: starts from the flow. Out: items,
//! connections, failures.

mod connect;
mod lane;
mod own_clock;
mod quic;
mod streams;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

use futures_util::task::AtomicWaker;
use scn_grammar::scenario::flow::Phase;
use scn_grammar::scenario::pattern::Side;
use scn_grammar::scenario::transport::TransportKind;
use scn_reports::record::flow::{Connection, ConnectionEnd, ItemOutcome, NEVER};

use super::Notice;
use super::control::{Control, Order, Start};
use super::conversation::Conversation;
use super::draw::Key;
use super::flow::{self, Run};
use super::http;
use super::limits::{self, Quiet};
use super::multipath;
use super::names;
use super::pacer::NEVER_DUE;
use super::pattern::session::{Identity, Session};
use super::quic::streams as streams_of;
use super::reconnect::Attempts;
use super::registry::{Begun, Entry, Inbox, NOBODY};
use super::starts::Starts;
use super::wire::{Buffers, Wire};
use super::worker::Worker;
use connect::{Established, Refusal};
use lane::Lane;

/// A connection that is not established after this long is given up, ns.
pub const CONNECT_LIMIT_NS: i64 = 5_000_000_000;

/// What is told of a connection, or a transaction, that ended with its client.
pub const KILLED: &str = "its own client was killed";

/// What a place keeps from one connection to the next.
struct Place<'a> {
    worker: &'a Rc<Worker>,
    run: &'a Rc<Run>,
    control: &'a Rc<Control>,
    key: Key,
    target: SocketAddr,
    /// The answer of a look-up that said so; 0: it was known.
    answer: u64,
    clock: RefCell<Clock>,
    buffers: Buffers,
    /// The broken connection that the next one succeeds.
    after: u32,
}

/// A connection while it is opened and used.
struct Open {
    number: u32,
    row: RefCell<Connection>,
    /// From where, once that is known.
    local: Option<SocketAddr>,
    entry: Arc<Entry>,
    /// Transactions that were begun.
    begun: Cell<u64>,
    /// Those, and those that somebody waits to begin.
    claimed: Cell<u64>,
    /// Those that are under way.
    under_way: Cell<u32>,
    /// It begins no other transaction.
    ending: Cell<bool>,
    /// It was counted as one that broke.
    broke: Cell<bool>,
    /// How it ended, as far as it is known.
    end: Cell<Option<ConnectionEnd>>,
    /// Who carries transactions on it in the place's stead.
    others: RefCell<Vec<Rc<Control>>>,
}

impl Open {
    fn new(number: u32, row: Connection, entry: Arc<Entry>) -> Open {
        Open {
            number,
            row: RefCell::new(row),
            local: None,
            entry,
            begun: Cell::new(0),
            claimed: Cell::new(0),
            under_way: Cell::new(0),
            ending: Cell::new(false),
            broke: Cell::new(false),
            end: Cell::new(None),
            others: RefCell::default(),
        }
    }

    /// Something has changed for those who carry transactions on it.
    fn wake_others(&self) {
        self.others.borrow().iter().for_each(|other| other.wake());
    }

    /// One of those who carry transactions on it has ended so. What is not in good order tells how the connection ended.
    fn note(&self, end: ConnectionEnd) {
        let orderly = |end| matches!(end, ConnectionEnd::Open | ConnectionEnd::Closed);
        if self.end.get().is_none_or(|known| orderly(known) && !orderly(end)) {
            self.end.set(Some(end));
        }
    }
}

/// What starts the transactions of a place.
enum Clock {
    /// The end of the one before.
    ClosedLoop,
    /// The flow's clock, which gives each start to a connection without work.
    OfFlow,
    /// One of its own, and the number of its next start.
    Own(Box<Starts>, u64),
    /// The flow's clock opened the connection, for a transaction that is meant to begin then; others follow in a closed loop.
    Opened(Option<Start>),
}

/// Opens connections one after the other until the flow ends.
pub async fn place(worker: &Rc<Worker>, run: &Rc<Run>, control: &Rc<Control>, number: u64) {
    let planned = &worker.shared.plan.flows[run.flow];
    let clock = match &run.pace {
        None => Clock::ClosedLoop,
        Some(_) if planned.load.phase == Phase::Even => Clock::OfFlow,
        Some(_) => match &run.turning.course {
            Some(course) => Clock::Own(Box::new(Starts::of_connection(&planned.load, Rc::clone(course), run.key(worker), number)), 0),
            None => Clock::ClosedLoop,
        },
    };
    let mut place = Place::new(worker, run, control, number, clock);
    let mut attempts = Attempts::new(planned.reconnect, place.key);
    let mut attempt = 0;
    loop {
        run.while_paused(worker, control).await;
        if control.order() != Order::Go || !run.ticket(worker) {
            break;
        }
        let (number, end, of_use) = place.attempt(attempt).await;
        attempt += 1;
        let broken = !matches!(end, ConnectionEnd::Closed | ConnectionEnd::Open);
        place.after = if broken { number } else { u32::MAX };
        if of_use || !broken {
            attempts.begin_anew();
        }
        let mut pause = run.interval_ns(worker.pacer.now_ns());
        if broken {
            match attempts.next() {
                Some(reconnect) => {
                    // An answer of a resolver is kept for a while: who asks before hears the same.
                    let asks = !of_use && planned.looked_up().is_some();
                    pause = pause.max(reconnect).max(if asks { names::KEPT_NS.unsigned_abs() } else { 0 });
                }
                None => {
                    place.give_up(&attempts).await;
                    break;
                }
            }
        }
        if pause > 0 {
            let until = worker.pacer.now_ns().saturating_add(i64::try_from(pause).unwrap_or(i64::MAX));
            worker.rest_while(control, until, |order| order == Order::Go).await;
        }
    }
    place.forget_missed();
}

/// Opens one connection: for a transaction that is meant to begin with it, or for those that another clock starts.
pub async fn once(worker: &Rc<Worker>, run: &Rc<Run>, control: &Rc<Control>, number: u64, start: Start) {
    let load = &worker.shared.plan.flows[run.flow].load;
    let clock = match &run.turning.transactions {
        None => Clock::Opened(Some(start)),
        Some(_) if load.phase == Phase::Even => Clock::OfFlow,
        Some(course) => {
            let mut starts = Starts::of_connection(load, Rc::clone(course), run.key(worker), number);
            let first = starts.first_from(start.intended_ns.min(run.until_ns()));
            Clock::Own(Box::new(starts), first)
        }
    };
    let mut place = Place::new(worker, run, control, number, clock);
    if control.order() == Order::Go {
        place.attempt(0).await;
    }
    place.forget_missed();
    // What no connection stood for did not happen, and is not forgotten.
    if let Clock::Opened(Some(start)) = place.clock.into_inner() {
        let outcome = if control.order() == Order::Go { ItemOutcome::Dropped } else { run.fate_of_waiting(worker) };
        flow::unsent(worker, run.flow, start, outcome);
    }
}

impl<'a> Place<'a> {
    fn new(worker: &'a Rc<Worker>, run: &'a Rc<Run>, control: &'a Rc<Control>, number: u64, clock: Clock) -> Place<'a> {
        let target = worker.shared.plan.flows[run.flow].target;
        let key = run.key(worker).part(number);
        Place { worker, run, control, key, target, answer: 0, clock: RefCell::new(clock), buffers: Buffers::default(), after: u32::MAX }
    }

    /// Opens no more connections. A flow that holds its connections goes on without this one.
    async fn give_up(&self, attempts: &Attempts) {
        let (worker, flow) = (self.worker, self.run.flow);
        if let Some(what) = attempts.given_up() {
            let step = format!("reconnect to {}", self.target);
            worker.parts.borrow_mut()[flow].failure(&step, None, what, worker.pacer.now_ns());
        }
        if worker.shared.plan.flows[flow].load.total.is_none() {
            worker.rest_while(self.control, NEVER_DUE, |order| order == Order::Go).await;
        }
    }

    /// One connection from `connect` to its end: its number, how it ended, and whether it carried a transaction.
    async fn attempt(&mut self, attempt: u64) -> (u32, ConnectionEnd, bool) {
        let (worker, flow) = (self.worker, self.run.flow);
        let shared = &worker.shared.flows[flow];
        let socket = self.begin().await;
        let opened = matches!(&*self.clock.borrow(), Clock::Opened(Some(_)));
        if !opened {
            // The flow may have been paused meanwhile.
            self.run.while_paused(worker, self.control).await;
        }
        let number = shared.next_connection.fetch_add(1, Ordering::Relaxed);
        shared.live.connections.fetch_add(1, Ordering::Relaxed);
        shared.live.connecting.fetch_add(1, Ordering::Relaxed);
        if self.after != u32::MAX {
            shared.live.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        worker.changed();
        let entry = Arc::new(Entry {
            flow: flow as u16,
            connection: number,
            key: self.key.part(attempt).bits(),
            worker: worker.index,
            backend: AtomicU16::new(NOBODY),
            begun: AtomicU64::new(0),
            streams: (1..streams_of(&worker.shared.plan.flows[flow])).map(|_| Begun::default()).collect(),
            waiting: AtomicWaker::new(),
            inbox: Inbox::default(),
            over: AtomicBool::default(),
        });
        let row = Connection {
            opened_ns: worker.pacer.now_ns(),
            established_ns: NEVER,
            handshake_ns: 0,
            closed_ns: NEVER,
            end: ConnectionEnd::Open,
            successor_of: self.after,
            backend: NOBODY,
            transactions: 0,
            local: String::new(),
            remote: if socket.is_err() { worker.shared.plan.flows[flow].place() } else { self.target.to_string() },
        };
        let mut open = Open::new(number, row, entry);
        let connected = match socket {
            Err(refusal) => Err(refusal),
            Ok(Ok(socket)) => self.establish(socket, &mut open).await,
            Ok(Err(error)) => {
                let what = format!("no socket for a connection: {error}");
                worker.shared.tell(Notice::Broken { what: format!("flow {}: {what}", worker.shared.plan.flows[flow].name) });
                Err(Some(Refusal { step: None, end: ConnectionEnd::Other, what }))
            }
        };
        shared.live.connecting.fetch_sub(1, Ordering::Relaxed);
        match connected {
            Ok(established) => {
                shared.live.active.fetch_add(1, Ordering::Relaxed);
                let row = open.row.get_mut();
                row.established_ns = worker.pacer.now_ns();
                if let Established::Quic(_) = established {
                    // Its handshake is what opens it.
                    row.handshake_ns = (row.established_ns - row.opened_ns).max(1);
                }
                worker.changed();
                self.tell_established(row);
                let end = self.transact(established, &open).await;
                open.row.get_mut().end = end;
                shared.live.active.fetch_sub(1, Ordering::Relaxed);
            }
            Err(None) => open.row.get_mut().end = if worker.finishing.get() { ConnectionEnd::Open } else { ConnectionEnd::Closed },
            Err(Some(refusal)) => self.refused(refusal, &mut open),
        }
        self.over(open)
    }

    /// Runs transactions on an established connection until it ends. What only some transports need has memory of its own, that those
    /// without it hold many connections in little: what is awaited where it is made would be part of this one's.
    async fn transact(&mut self, established: Established, open: &Open) -> ConnectionEnd {
        let (worker, flow) = (self.worker, self.run.flow);
        let planned = &worker.shared.plan.flows[flow];
        let identity = Identity {
            run: worker.shared.run,
            flow: flow as u16,
            connection: open.number,
            stream: 0,
            node: planned.from.0 as u16,
            key: Key::from_bits(open.entry.key),
            client_name: worker.shared.node_name(planned.from).into(),
            server_name: "".into(),
            filling: self.run.stream.as_ref().map(|stream| stream.size),
        };
        self.control.connection.set(open.number);
        let quiet = Quiet::of(planned, open.row.borrow().established_ns, self.control.stood_ns.get());
        let stream = match established {
            Established::Stream(stream) => stream,
            Established::Quic(link) => {
                let talks = Box::pin(self.over_quic(*link, open, &identity, quiet));
                return talks.await;
            }
        };
        if http::is_multiplexed(&planned.transport) {
            let carrier = Box::pin(http::Carrier::new(stream, worker.shared.flows[flow].server_takes.load(Ordering::Relaxed)));
            let talks = match carrier.await {
                Ok(carrier) => Box::pin(self.multiplex(carrier, open, &identity, quiet)),
                Err(broken) => return self.lane(open).idle_break(broken, Quiet::ENDLESS),
            };
            return talks.await;
        }
        if http::carries(planned) {
            let socket = stream.socket();
            let link = Box::pin(http::Link::alone(stream));
            let talks = match link.await {
                Ok(link) => {
                    let heard = Rc::new(Cell::new(quiet));
                    Box::pin(self.alone(open, http::Talk::new(worker, self.control, link, socket, identity, heard)))
                }
                Err(broken) => return self.lane(open).idle_break(broken, Quiet::ENDLESS),
            };
            return talks.await;
        }
        let wire = Wire::new(stream, Rc::clone(self.control), std::mem::take(&mut self.buffers));
        let mut session = Box::new(Session::new(wire, worker.program(Side::Client, flow), Rc::clone(worker), identity));
        session.patience_ns = limits::response(planned);
        session.quiet = quiet;
        self.alone(open, session).await
    }

    /// One transaction after the other.
    async fn alone(&mut self, open: &Open, talk: impl Conversation) -> ConnectionEnd {
        let talk = self.lane(open).converse(talk).await;
        let end = self.closes(open);
        self.buffers = talk.close();
        end
    }

    /// The place itself as the one who carries transactions.
    fn lane<'b>(&'b self, open: &'b Open) -> Lane<'b> {
        Lane { place: self, control: self.control, open, stream: 0 }
    }

    /// Nobody carries transactions on a connection any more: how it ended. Its socket is still open.
    fn closes(&self, open: &Open) -> ConnectionEnd {
        self.worker.sample(self.control);
        self.look_for_fallback();
        let end = open.end.get().unwrap_or(ConnectionEnd::Closed);
        open.row.borrow_mut().closed_ns = if end == ConnectionEnd::Open { NEVER } else { self.worker.pacer.now_ns() };
        self.control.connection.set(u32::MAX);
        end
    }

    /// Tells of a connection that was to be one of MPTCP and is none.
    fn look_for_fallback(&self) {
        let planned = &self.worker.shared.plan.flows[self.run.flow];
        if planned.transport.kind() == TransportKind::Mptcp && self.control.socket.get().and_then(multipath::fell_back) == Some(true) {
            let (name, target) = (&planned.name, self.target);
            self.worker
                .shared
                .warn(format!("flow {name}: connections to {target} fell back from MPTCP to TCP: the other end has no MPTCP"));
        }
    }

    /// Keeps the row of a connection that is over.
    fn over(&mut self, open: Open) -> (u32, ConnectionEnd, bool) {
        let (mut row, entry) = (open.row.into_inner(), open.entry);
        for (client, server) in open.local.map(|local| self.known_by(local)).unwrap_or_default() {
            self.worker.shared.registry.retire(client, server, &entry);
        }
        if row.closed_ns == NEVER && row.end != ConnectionEnd::Open {
            row.closed_ns = self.worker.pacer.now_ns();
        }
        if row.backend == NOBODY {
            row.backend = entry.backend();
        }
        let (end, of_use) = (row.end, row.transactions > 0);
        if !matches!(end, ConnectionEnd::Closed | ConnectionEnd::Open) {
            self.run.names.broke(self.answer, of_use);
        }
        self.tell_over(&row);
        self.worker.parts.borrow_mut()[self.run.flow].connection(open.number, row);
        self.worker.changed();
        (open.number, end, of_use)
    }
}
