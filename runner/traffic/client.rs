//! One place of a flow: opens a connection, runs transactions on it, and a successor when it ends. In: starts from the flow. Out: items,
//! connections, failures.

mod own_clock;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use scn_grammar::scenario::flow::Phase;
use scn_grammar::scenario::pattern::Side;
use scn_reports::record::flow::{Connection, ConnectionEnd, Item, ItemOutcome, NEVER};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::Notice;
use super::control::{Broken, Control, Order, Start};
use super::conversation::Conversation;
use super::draw::Key;
use super::flow::{self, Run};
use super::http;
use super::limits::{self, Quiet};
use super::origins;
use super::pacer::NEVER_DUE;
use super::pattern::session::{Cut, Identity, Played, Session, end_of, in_words};
use super::reconnect::Attempts;
use super::registry::{Entry, Inbox, NOBODY};
use super::starts::Starts;
use super::tcp_options;
use super::tls::Stream;
use super::wire::{Buffers, Wire};
use super::worker::Worker;

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
    clock: Clock,
    buffers: Buffers,
    /// The broken connection that the next one succeeds.
    after: u32,
}

/// A connection while it is opened and used.
struct Open {
    number: u32,
    row: Connection,
    entry: Arc<Entry>,
}

/// Why an attempt failed.
struct Refusal {
    /// What failed, if not the connection itself.
    step: Option<String>,
    end: ConnectionEnd,
    what: String,
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

/// What an idle connection met.
enum Idle {
    Start(Start),
    Broken(Broken),
    /// The timeline did something to the flow: what comes next may be otherwise.
    Turned,
    Over,
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
                Some(reconnect) => pause = pause.max(reconnect),
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

/// Opens one connection, for a transaction that is meant to begin with it.
pub async fn once(worker: &Rc<Worker>, run: &Rc<Run>, control: &Rc<Control>, number: u64, start: Start) {
    let mut place = Place::new(worker, run, control, number, Clock::Opened(Some(start)));
    if control.order() == Order::Go {
        place.attempt(0).await;
    }
    // What no connection stood for did not happen, and is not forgotten.
    if let Clock::Opened(Some(start)) = place.clock {
        let outcome = if control.order() == Order::Go { ItemOutcome::Dropped } else { run.fate_of_waiting() };
        flow::unsent(worker, run.flow, start, outcome);
    }
}

impl<'a> Place<'a> {
    fn new(worker: &'a Rc<Worker>, run: &'a Rc<Run>, control: &'a Rc<Control>, number: u64, clock: Clock) -> Place<'a> {
        let target = worker.shared.plan.flows[run.flow].target;
        let key = run.key(worker).part(number);
        Place { worker, run, control, key, target, clock, buffers: Buffers::default(), after: u32::MAX }
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
        let socket = self.run.socket(worker).await;
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
            waiting: AtomicWaker::new(),
            inbox: Inbox::default(),
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
            remote: self.target.to_string(),
        };
        let mut open = Open { number, row, entry };
        let connected = match socket {
            Ok(socket) => match self.connect(socket, &mut open).await {
                Ok(stream) => self.secure(stream, &mut open).await,
                Err(refusal) => Err(refusal),
            },
            Err(error) => {
                let what = format!("no socket for a connection: {error}");
                worker.shared.tell(Notice::Broken { what: format!("flow {}: {what}", worker.shared.plan.flows[flow].name) });
                Err(Some(Refusal { step: None, end: ConnectionEnd::Other, what }))
            }
        };
        shared.live.connecting.fetch_sub(1, Ordering::Relaxed);
        match connected {
            Ok(stream) => {
                shared.live.active.fetch_add(1, Ordering::Relaxed);
                open.row.established_ns = worker.pacer.now_ns();
                worker.changed();
                open.row.end = self.transact(stream, &mut open).await;
                shared.live.active.fetch_sub(1, Ordering::Relaxed);
            }
            Err(None) => open.row.end = if worker.finishing.get() { ConnectionEnd::Open } else { ConnectionEnd::Closed },
            Err(Some(refusal)) => self.refused(refusal, &mut open),
        }
        self.over(open)
    }

    /// Opens a connection; `Err(None)`: it was told to give up.
    async fn connect(&self, socket: OwnedFd, open: &mut Open) -> Result<TcpStream, Option<Refusal>> {
        let socket = socket2::Socket::from(socket);
        let number = socket.as_raw_fd();
        let failed = |error: io::Error| Some(refusal(&error));
        let planned = &self.worker.shared.plan.flows[self.run.flow];
        if let Some(options) = tcp_options::of_flow(&planned.transport) {
            tcp_options::set(options, &SockRef::from(&socket), self.target.is_ipv6()).map_err(failed)?;
        }
        origins::bind(planned, &socket, open.number).map_err(failed)?;
        if let Some(local) = self.connect_and_tell(&socket, open).map_err(failed)? {
            open.row.local = local.to_string();
        }
        let stream = TcpStream::from_std(socket.into()).map_err(failed)?;
        // Who vanishes must find it.
        self.control.socket.set(Some(number));
        self.worker.limit(self.control, self.worker.pacer.now_ns().saturating_add(limits::connect(planned)));
        let ready = poll_fn(|context| match self.control.interrupted(context) {
            // An order to close is reason enough to give up an attempt.
            None if self.control.order() != Order::Go => Poll::Ready(Err(Broken::Aborted)),
            None => stream.poll_write_ready(context).map_err(Broken::Io),
            Some(broken) => Poll::Ready(Err(broken)),
        })
        .await;
        self.control.socket.set(None);
        match ready {
            Ok(()) => {}
            Err(Broken::Aborted) => return Err(None),
            Err(Broken::Io(error)) => return Err(failed(error)),
            Err(Broken::TimedOut | Broken::Eof) => {
                let what = format!("no answer within {}", limits::in_words(limits::connect(planned)));
                return Err(Some(Refusal { step: None, end: ConnectionEnd::ConnectTimeout, what }));
            }
        }
        match stream.take_error() {
            Ok(None) => Ok(stream),
            Ok(Some(error)) | Err(error) => Err(failed(error)),
        }
    }

    /// Does the TLS handshake, if the flow has one, within the limit of the connection; `Err(None)`: it was told to give up.
    async fn secure(&self, stream: TcpStream, open: &mut Open) -> Result<Stream, Option<Refusal>> {
        let Some(client) = self.worker.tls.client(self.run.flow) else { return Ok(Stream::Plain(stream)) };
        let begun_ns = self.worker.pacer.now_ns();
        match client.connect(stream, self.control).await {
            Ok(stream) => {
                open.row.handshake_ns = (self.worker.pacer.now_ns() - begun_ns).max(1);
                Ok(stream)
            }
            Err(broken) => {
                let refusal = client.refusal(broken, limits::connect(&self.worker.shared.plan.flows[self.run.flow]));
                Err(refusal.map(|(end, what)| Refusal { step: Some(client.step(self.target)), end, what }))
            }
        }
    }

    /// Begins to connect, and tells the registry by which address.
    fn connect_and_tell(&self, socket: &socket2::Socket, open: &Open) -> io::Result<Option<SocketAddr>> {
        let registry = &self.worker.shared.registry;
        let may_hear_first = !self.worker.program(Side::Client, self.run.flow).speaks_first;
        let held = may_hear_first.then(|| registry.hold());
        match socket.connect(&self.target.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let Some(local) = socket.local_addr().ok().and_then(|local| local.as_socket()) else { return Ok(None) };
        let entry = Arc::clone(&open.entry);
        match held {
            Some(held) => held.insert(local, self.target, entry),
            None => registry.insert(local, self.target, entry),
        }
        Ok(Some(local))
    }

    fn refused(&self, refusal: Refusal, open: &mut Open) {
        let live = &self.worker.shared.flows[self.run.flow].live;
        live.failed_connects.fetch_add(1, Ordering::Relaxed);
        live.errors.fetch_add(1, Ordering::Relaxed);
        match refusal.end {
            ConnectionEnd::ConnectTimeout => drop(live.timeouts.fetch_add(1, Ordering::Relaxed)),
            ConnectionEnd::Reset => drop(live.resets.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        open.row.end = refusal.end;
        let span = refusal.step.is_some().then(|| self.worker.shared.plan.flows[self.run.flow].span);
        let step = refusal.step.unwrap_or_else(|| format!("connect to {}", self.target));
        self.run.fails(&step, &refusal.what);
        self.worker.parts.borrow_mut()[self.run.flow].failure(&step, span, refusal.what, self.worker.pacer.now_ns());
    }

    /// Runs transactions on an established connection until it ends.
    async fn transact(&mut self, stream: Stream, open: &mut Open) -> ConnectionEnd {
        let (worker, flow) = (self.worker, self.run.flow);
        let plan = &worker.shared.plan;
        let planned = &plan.flows[flow];
        let identity = Identity {
            run: worker.shared.run,
            flow: flow as u16,
            connection: open.number,
            node: planned.from.0 as u16,
            key: Key::from_bits(open.entry.key),
            client_name: worker.shared.node_name(planned.from).into(),
            server_name: "".into(),
            filling: self.run.stream.as_ref().map(|stream| stream.size),
        };
        self.control.connection.set(open.number);
        if http::carries(planned) {
            return match http::Talk::new(worker, self.control, stream, identity).await {
                Ok(talk) => self.converse(talk, open).await,
                Err(broken) => self.idle_break(broken, Quiet::ENDLESS),
            };
        }
        let wire = Wire::new(stream, Rc::clone(self.control), std::mem::take(&mut self.buffers));
        let mut session = Session::new(wire, worker.program(Side::Client, flow), Rc::clone(worker), identity);
        session.patience_ns = limits::response(planned);
        session.quiet = Quiet::of(planned, open.row.established_ns);
        self.converse(session, open).await
    }

    /// The same, whatever is below the transactions.
    async fn converse(&mut self, mut talk: impl Conversation, open: &mut Open) -> ConnectionEnd {
        let worker = self.worker;
        let load = &worker.shared.plan.flows[self.run.flow].load;
        let most = load.transactions.or(load.total.map(|_| 1));
        let end = loop {
            if most.is_some_and(|most| u64::from(open.row.transactions) >= most) {
                break ConnectionEnd::Closed;
            }
            let start = match self.next_start(&mut talk).await {
                Idle::Start(start) => start,
                Idle::Turned => continue,
                Idle::Over => break self.ordered_end(),
                // One that was never of use is no end in good order: the next attempt waits as after any that broke.
                Idle::Broken(Broken::Eof) if talk.may_end() && open.row.transactions > 0 => break ConnectionEnd::Closed,
                Idle::Broken(broken) => break self.idle_break(broken, talk.quiet()),
            };
            if let Some(end) = self.transaction(&mut talk, open, start).await {
                break end;
            }
            if self.control.order() != Order::Go {
                break self.ordered_end();
            }
        };
        worker.sample(self.control);
        open.row.closed_ns = if end == ConnectionEnd::Open { NEVER } else { worker.pacer.now_ns() };
        self.control.connection.set(u32::MAX);
        self.buffers = talk.close();
        end
    }

    /// One transaction; the end of the connection if it ends with it.
    async fn transaction(&self, talk: &mut impl Conversation, open: &mut Open, start: Start) -> Option<ConnectionEnd> {
        let (worker, flow) = (self.worker, self.run.flow);
        if !talk.speaks_first() {
            open.entry.begun.fetch_add(1, Ordering::Release);
            open.entry.waiting.wake();
        }
        let played = talk.play(u64::from(open.row.transactions)).await;
        let done_ns = worker.pacer.now_ns();
        open.row.backend = worker.backend(flow, open.row.backend, talk.peer_node(), open.entry.backend());
        if open.row.backend != NOBODY {
            talk.know_server(worker.shared.plan.nodes.get(open.row.backend as usize).map_or("", |node| node.name.as_str()));
        }
        let progress = talk.progress();
        let whole = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut item = Item {
            intended_ns: start.intended_ns,
            sent_ns: progress.sent_ns,
            done_ns,
            lag_ns: start.lag_ns,
            connection: open.number,
            backend: open.row.backend,
            outcome: ItemOutcome::Done,
            forward_bytes: whole(progress.sent_bytes),
            back_bytes: whole(progress.received_bytes),
        };
        match played {
            Ok(played) => {
                open.row.transactions += 1;
                self.run.is_answered();
                worker.item(flow, item);
                (played == Played::Closed).then_some(ConnectionEnd::Closed)
            }
            Err(Cut::Aborted) => {
                // How much of it the server received cannot be told.
                item.forward_bytes = 0;
                worker.item(flow, if self.control.is_killed() { self.lost_by_kill(item) } else { unfinished(item) });
                Some(self.ordered_end())
            }
            Err(Cut::Fault(fault)) => {
                if item.sent_ns == NEVER {
                    worker.transaction_sent(flow as u16);
                    item.sent_ns = done_ns;
                }
                item = Item { outcome: ItemOutcome::Failed, forward_bytes: 0, ..item };
                worker.item(flow, item);
                let end = fault.end;
                self.broken(end);
                let (step, span) = talk.step(fault.step);
                self.run.fails(&step, &fault.what);
                worker.wrong((flow as u16, open.number), (&step, span), Side::Client, *fault);
                Some(end)
            }
        }
    }

    /// An established connection broke.
    fn broken(&self, end: ConnectionEnd) {
        let live = &self.worker.shared.flows[self.run.flow].live;
        live.failed_connections.fetch_add(1, Ordering::Relaxed);
        live.errors.fetch_add(1, Ordering::Relaxed);
        match end {
            ConnectionEnd::Reset => drop(live.resets.fetch_add(1, Ordering::Relaxed)),
            ConnectionEnd::Timeout => drop(live.timeouts.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        self.worker.changed();
    }

    /// A connection without work broke.
    fn idle_break(&self, broken: Broken, quiet: Quiet) -> ConnectionEnd {
        let (end, what) = match broken {
            Broken::Eof => (ConnectionEnd::EarlyClose, "the peer closed the connection between two transactions".to_owned()),
            Broken::Io(error) => {
                let end = end_of(&error);
                (end, format!("{} between two transactions", in_words(end, &error)))
            }
            Broken::TimedOut => match quiet.broken(self.worker.pacer.now_ns()) {
                Some(what) => (ConnectionEnd::Timeout, what),
                None => return self.ordered_end(),
            },
            Broken::Aborted => return self.ordered_end(),
        };
        self.broken(end);
        let step = format!("connection to {}", self.target);
        self.run.fails(&step, &what);
        self.worker.parts.borrow_mut()[self.run.flow].failure(&step, None, what, self.worker.pacer.now_ns());
        end
    }

    /// How a connection ends that was told to.
    fn ordered_end(&self) -> ConnectionEnd {
        if self.worker.finishing.get() {
            return ConnectionEnd::Open;
        }
        if !self.control.is_killed() {
            return ConnectionEnd::Closed;
        }
        self.broken(ConnectionEnd::Other);
        let step = format!("connection to {}", self.target);
        self.run.fails(&step, KILLED);
        self.worker.parts.borrow_mut()[self.run.flow].failure(&step, None, KILLED.to_owned(), self.worker.pacer.now_ns());
        ConnectionEnd::Other
    }

    /// The transaction that a client was killed in.
    fn lost_by_kill(&self, item: Item) -> Item {
        if item.sent_ns == NEVER {
            // It took the start and had not sent anything yet.
            return Item { outcome: ItemOutcome::Dropped, done_ns: NEVER, connection: u32::MAX, ..item };
        }
        Item { outcome: ItemOutcome::Failed, ..item }
    }

    /// The next start: at once in a closed loop, else when one is due. Meanwhile the socket is watched: a peer that goes away is
    /// seen when it does.
    async fn next_start(&mut self, talk: &mut impl Conversation) -> Idle {
        if self.control.order() != Order::Go {
            return Idle::Over;
        }
        if let Some(met) = self.paused(talk).await {
            return met;
        }
        if talk.quiet().is_limited() {
            self.worker.limit(self.control, talk.quiet().until(NEVER_DUE));
        }
        // What is over already takes no start: who may end it between two transactions loses none by it.
        if talk.may_end()
            && let Some(broken) = poll_fn(|context| Poll::Ready(ended(talk, context))).await
        {
            return Idle::Broken(broken);
        }
        match &mut self.clock {
            Clock::OfFlow => self.flows_start(talk).await,
            Clock::Own(..) => self.own_start(talk).await,
            Clock::Opened(first) if first.is_some() => first.take().map_or(Idle::Over, Idle::Start),
            Clock::ClosedLoop | Clock::Opened(_) => Idle::Start(Start { intended_ns: self.worker.pacer.now_ns(), lag_ns: 0 }),
        }
    }

    /// The next start that the flow's clock gives to this connection.
    async fn flows_start(&self, talk: &mut impl Conversation) -> Idle {
        if let Some(start) = self.run.waiting.borrow_mut().pop_front() {
            return Idle::Start(start);
        }
        self.control.idle.set(true);
        self.run.idle.borrow_mut().push_back(Rc::clone(self.control));
        self.worker.limit(self.control, talk.quiet().until(NEVER_DUE));
        let version = self.run.turning.version();
        let met = poll_fn(|context| {
            self.control.register(context);
            if let Some(start) = self.control.start.take() {
                if talk.may_end()
                    && let Some(broken) = ended(talk, context)
                {
                    self.run.waiting.borrow_mut().push_front(start);
                    return Poll::Ready(Idle::Broken(broken));
                }
                return Poll::Ready(Idle::Start(start));
            }
            if self.control.order() != Order::Go {
                return Poll::Ready(Idle::Over);
            }
            if version != self.run.turning.version() {
                return Poll::Ready(Idle::Turned);
            }
            talk.poll_idle(context).map(|broken| own_clock::met_by(self.run, self.worker, broken))
        })
        .await;
        if self.control.idle.replace(false) {
            self.run.idle.borrow_mut().retain(|other| !Rc::ptr_eq(other, self.control));
        }
        met
    }

    /// Keeps the row of a connection that is over.
    fn over(&mut self, mut open: Open) -> (u32, ConnectionEnd, bool) {
        if let Ok(local) = open.row.local.parse() {
            self.worker.shared.registry.retire(local, self.target, &open.entry);
        }
        if open.row.closed_ns == NEVER && open.row.end != ConnectionEnd::Open {
            open.row.closed_ns = self.worker.pacer.now_ns();
        }
        if open.row.backend == NOBODY {
            open.row.backend = open.entry.backend();
        }
        let (end, of_use) = (open.row.end, open.row.transactions > 0);
        self.worker.parts.borrow_mut()[self.run.flow].connection(open.number, open.row);
        self.worker.changed();
        (open.number, end, of_use)
    }
}

/// A transaction whose end was not seen.
fn unfinished(item: Item) -> Item {
    Item { outcome: ItemOutcome::Unfinished, done_ns: NEVER, ..item }
}

/// Why the kernel refused to connect.
fn refusal(error: &io::Error) -> Refusal {
    let end = match error.raw_os_error() {
        Some(libc::ETIMEDOUT) => ConnectionEnd::ConnectTimeout,
        _ => end_of(error),
    };
    let what = if end == ConnectionEnd::ConnectTimeout { "no answer".to_owned() } else { in_words(end, error) };
    Refusal { step: None, end, what }
}

/// Whether a connection without work is over.
fn ended(talk: &mut impl Conversation, context: &mut Context<'_>) -> Option<Broken> {
    match talk.poll_idle(context) {
        Poll::Ready(broken) => Some(broken),
        Poll::Pending => None,
    }
}
