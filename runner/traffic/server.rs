//! The server's side: takes connections in and plays the pattern's server on each until the client ends it. In: listening sockets.
//! Out: answers, and what the server's end saw (tcp_info, wrong content, failed steps), put down to the flow it belongs to.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use scn_grammar::scenario::pattern::Side;
use scn_grammar::scenario::transport::TransportKind;
use scn_reports::record::flow::ConnectionEnd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

use super::Notice;
use super::accepting::{accept, poll_accept};
use super::client::CONNECT_LIMIT_NS;
use super::control::{Broken, Control, Order, Role};
use super::deliveries::{self, Delivery};
use super::draw::Key;
use super::frame::{UNKNOWN_CONNECTION, UNKNOWN_FLOW};
use super::http;
use super::pacer::NEVER_DUE;
use super::pattern::session::{Cut, Fault, Identity, Played, Session};
use super::registry::{Entry, anywhere};
use super::shared::Command;
use super::sockets::Streams;
use super::strike;
use super::tls::{self, Stream};
use super::wire::{Buffers, Transport, Wire};
use super::worker::Worker;

/// Pause after an accept that failed for lack of something, ns.
const ACCEPT_PAUSE_NS: i64 = 10_000_000;

/// Connections that may wait at a listener that closes; the kernel's own limit is lower on most machines.
const MOST_WAITING: usize = 65_536;

/// Serves a listening socket.
pub fn listen(worker: &Rc<Worker>, listener: usize, socket: OwnedFd) {
    let control = Rc::new(Control::new(Role::Listener(listener), None));
    let member = worker.enlist(&control);
    let task = Rc::clone(worker);
    let life = worker.shared.listeners[listener].life.load(Ordering::SeqCst);
    worker.spawn(async move {
        let accepting = async {
            if let Err(error) = accept_all(&task, (listener, life), &control, TcpListener::from(socket)).await {
                let name = &task.shared.plan.listeners[listener].name;
                task.shared.tell(Notice::Broken { what: format!("the listener of {name} failed: {error}") });
            }
        };
        control.carry(accepting).await;
        task.dismiss(member);
        if control.is_killed() {
            return;
        }
        // Only now that nobody can come any more: a client whose connection ended earlier would come back to be turned away.
        for worker in task.shared.workers.get().into_iter().flatten() {
            let _ = worker.send(Command::Drain(listener));
        }
    });
}

async fn accept_all(worker: &Rc<Worker>, (listener, life): (usize, u64), control: &Control, socket: TcpListener) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // SAFETY: the number of a listener stays the same, and is open, for as long as there is the listener.
    let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
    loop {
        let accepted = poll_fn(|context| match control.interrupted(context) {
            Some(_) => Poll::Ready(None),
            None => poll_accept(&socket, context).map(Some),
        });
        match accepted.await {
            None => {
                let socket = socket.into_inner();
                match control.silent.get() {
                    true => silence_rest(&socket),
                    // The kernel resets who waits.
                    false if control.is_killed() => {}
                    false => take_rest(worker, (listener, life), &socket),
                }
                return Ok(());
            }
            Some(Ok((stream, client))) => hand_over(worker, (listener, life), stream, client),
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => {
                let name = &worker.shared.plan.listeners[listener].name;
                worker.shared.warn(format!("the listener of {name} could not take a connection in: {error}"));
                worker.rest(control, worker.pacer.now_ns() + ACCEPT_PAUSE_NS).await;
            }
        }
    }
}

/// Takes in who has connected to a listener that is to close: the kernel would reset them.
fn take_rest(worker: &Rc<Worker>, listener: (usize, u64), socket: &TcpListener) {
    for _ in 0..MOST_WAITING {
        match accept(socket) {
            Ok((stream, client)) => hand_over(worker, listener, stream, client),
            Err(error) if is_passing(&error) => {}
            // Nobody waits any more.
            Err(_) => break,
        }
    }
}

/// Ends who has connected to a listener that vanishes; nobody hears of it.
fn silence_rest(socket: &TcpListener) {
    for _ in 0..MOST_WAITING {
        match accept(socket) {
            Ok((stream, _)) => strike::silence(stream.as_raw_fd()),
            Err(error) if is_passing(&error) => {}
            Err(_) => break,
        }
    }
}

/// The connection was gone before it was taken in; the listener is as well as before.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionReset)
}

/// Gives a connection to the worker that holds the client's end, so that a transaction crosses no threads; one of a stranger to any.
fn hand_over(worker: &Rc<Worker>, listener: (usize, u64), stream: std::net::TcpStream, client: SocketAddr) {
    // A peer that is gone already has no address: there is nobody to serve.
    let Ok(address) = stream.local_addr() else { return };
    let over_sctp = worker.shared.plan.listeners[listener.0].listener.kind() == TransportKind::Sctp;
    let address = if over_sctp { anywhere(address.port()) } else { address };
    let Some(workers) = worker.shared.workers.get() else { return };
    let index = worker.shared.registry.find(client, address).map_or(client.port() as usize % workers.len(), |entry| entry.worker);
    if index == worker.index {
        serve(worker, listener, stream, client, address);
    } else {
        // A worker that ended takes nobody in: the connection closes.
        let _ = workers[index].send(Command::Serve(listener, stream, client, address));
    }
}

/// Plays the server on a connection, which this worker or another one has accepted.
pub fn serve(worker: &Rc<Worker>, (listener, life): (usize, u64), stream: std::net::TcpStream, client: SocketAddr, address: SocketAddr) {
    let standing = &worker.shared.listeners[listener];
    let killed = standing.life.load(Ordering::SeqCst) != life;
    if killed && standing.silent.load(Ordering::SeqCst) {
        strike::silence(stream.as_raw_fd());
    }
    if killed || worker.finishing.get() {
        return;
    }
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return worker.shared.warn(format!("an accepted connection could not be served: {error}")),
    };
    let control = Rc::new(Control::new(Role::Server(listener), None));
    // Who vanishes must find it, before anything was done on it too.
    control.socket.set(Some(stream.as_raw_fd()));
    let member = worker.enlist(&control);
    if !standing.open.load(Ordering::SeqCst) {
        control.give(Order::Drain);
    }
    if standing.frozen.load(Ordering::SeqCst) {
        control.freeze(worker.pacer.now_ns(), 0);
    }
    let task = Rc::clone(worker);
    worker.spawn(async move {
        let serving = async {
            match secure(&task, listener, &control, stream, (client, address)).await {
                None => {}
                Some(stream) if http::listens(&task.shared.plan.listeners[listener]) => {
                    Box::pin(http::server::serve(&task, listener, &control, stream, (client, address))).await;
                }
                Some(stream) => Box::new(Serving::new(&task, listener, Rc::clone(&control), stream, (client, address))).run().await,
            }
        };
        control.carry(serving).await;
        task.dismiss(member);
    });
}

/// Does the TLS handshake, if the listener has one; what the server has against a client is told.
async fn secure(
    worker: &Rc<Worker>,
    listener: usize,
    control: &Rc<Control>,
    stream: TcpStream,
    (client, address): (SocketAddr, SocketAddr),
) -> Option<Stream> {
    let Some(server) = worker.tls.server(listener) else {
        let over = Streams::of(worker.shared.plan.listeners[listener].listener.kind());
        return match Stream::plain(stream, over, true) {
            Ok(stream) => Some(stream),
            Err(error) => {
                worker.shared.warn(format!("an accepted connection could not be served: {error}"));
                None
            }
        };
    };
    // A client that went away in the midst of it is not waited for.
    worker.limit(control, worker.pacer.now_ns().saturating_add(CONNECT_LIMIT_NS));
    let accepted = Box::pin(server.accept(stream, control)).await;
    worker.limit(control, NEVER_DUE);
    let broken = match accepted {
        Ok(stream) => return Some(stream),
        Err(broken) => broken,
    };
    let entry = worker.shared.registry.find(client, address);
    let whose = entry.as_ref().map_or((UNKNOWN_FLOW, UNKNOWN_CONNECTION), |entry| (entry.flow, entry.connection));
    if let Some(what) = tls::Server::objection(&broken, entry.is_none()) {
        let planned = &worker.shared.plan.listeners[listener];
        let step = format!("TLS handshake at {} on {}", planned.name, worker.shared.node_name(planned.node));
        let fault = Fault { step: u32::MAX, what, end: ConnectionEnd::Tls, corruption: None };
        worker.wrong(whose, (&step, Some(planned.span)), Side::Server, fault);
    }
    None
}

/// One connection at the server, or a stream of one.
pub struct Serving<'a, S> {
    worker: &'a Rc<Worker>,
    control: Rc<Control>,
    session: Session<S>,
    addresses: (SocketAddr, SocketAddr),
    entry: Option<Arc<Entry>>,
    node: u16,
    /// Its client is not answered: that a transaction was received whole is noted here.
    notes: bool,
}

impl<'a, S: Transport> Serving<'a, S> {
    /// Of a stream on which nothing was received yet.
    pub fn new(
        worker: &'a Rc<Worker>,
        listener: usize,
        control: Rc<Control>,
        stream: S,
        addresses: (SocketAddr, SocketAddr),
    ) -> Serving<'a, S> {
        let node = worker.shared.plan.listeners[listener].node;
        let identity = Identity {
            run: worker.shared.run,
            flow: UNKNOWN_FLOW,
            connection: UNKNOWN_CONNECTION,
            stream: 0,
            node: node.0 as u16,
            key: Key::of_seed(worker.shared.plan.seed).part(u64::from(addresses.0.port())),
            client_name: "".into(),
            server_name: worker.shared.node_name(node).into(),
            filling: None,
        };
        let wire = Wire::new(stream, Rc::clone(&control), Buffers::default());
        let session = Session::new(wire, worker.program(Side::Server, listener), Rc::clone(worker), identity);
        Serving { worker, control, session, addresses, entry: None, node: node.0 as u16, notes: false }
    }

    /// Of a connection that has several, the one with this number.
    pub fn of_stream(&mut self, number: u64) {
        self.session.identity.stream = number;
    }

    /// Plays the server until the client ends it.
    pub async fn run(mut self: Box<Self>) {
        // A connection that is over may be a former one of the same port: its client tells of the new one in this moment.
        self.look_up(|entry| !entry.is_over());
        self.attribute();
        let mut number = 0;
        while self.is_wanted(number).await {
            if number == 0 {
                self.look_again();
            }
            self.recognise();
            let played = self.session.play(number).await;
            if played.is_ok() {
                self.recognise();
                self.delivered(number);
            }
            match played {
                Ok(Played::Open) => number += 1,
                Ok(Played::Closed) | Err(Cut::Aborted) => break,
                Err(Cut::Fault(fault)) => {
                    self.recognise();
                    // A client that ends between two transactions, or before it said anything in one, does nothing wrong.
                    let gone = matches!(fault.end, ConnectionEnd::EarlyClose | ConnectionEnd::Reset);
                    if !(gone && self.session.progress.received_bytes == 0 && self.session.wire.waiting().is_empty()) {
                        let identity = &self.session.identity;
                        self.worker.fault(identity.flow, identity.connection, self.session.program(), *fault);
                    }
                    break;
                }
            }
        }
        self.recognise();
        if self.control.flow.get().is_none() {
            self.worker.shared.count_foreign();
        }
        self.worker.sample(&self.control);
        self.session.wire.close();
    }

    /// A transaction was received whole.
    fn delivered(&self, number: u64) {
        if let Some(flow) = self.control.flow.get().filter(|_| self.notes && self.entry.is_some()) {
            let (connection, number) = (self.control.connection.get(), u32::try_from(number).unwrap_or(u32::MAX));
            let delivery = Delivery { connection, number, at_ns: self.worker.pacer.now_ns() };
            self.worker.parts.borrow_mut()[flow].delivered(delivery);
        }
    }

    /// Finds out whom it serves: from the client's own word, else from a header that came.
    fn recognise(&mut self) {
        if self.entry.is_none() && self.control.flow.get().is_none() {
            self.look_up(|_| true);
        }
        if self.control.flow.get().is_none() {
            self.attribute();
        }
    }

    /// Something has come from the client, so that it has told of this connection by now. Before that a former one may have been found,
    /// of the same port.
    fn look_again(&mut self) {
        let before = self.entry.take();
        self.look_up(|_| true);
        match (&before, &self.entry) {
            (Some(before), Some(now)) if Arc::ptr_eq(before, now) => {}
            (_, Some(_)) => self.attribute(),
            (_, None) => self.entry = before,
        }
    }

    fn look_up(&mut self, is_it: impl Fn(&Entry) -> bool) {
        let found = self.worker.shared.registry.find(self.addresses.0, self.addresses.1);
        let Some(entry) = found.filter(|entry| is_it(entry)) else { return };
        entry.backend.store(self.node, Ordering::Relaxed);
        let identity = &mut self.session.identity;
        (identity.flow, identity.connection, identity.key) = (entry.flow, entry.connection, Key::from_bits(entry.key));
        self.entry = Some(entry);
    }

    /// What is measured here is that flow's and connection's from now on.
    fn attribute(&mut self) {
        let identity = &mut self.session.identity;
        let Some(flow) = self.worker.shared.plan.flows.get(identity.flow as usize) else { return };
        identity.client_name = self.worker.shared.node_name(flow.from).into();
        self.control.flow.set(Some(identity.flow as usize));
        self.control.connection.set(identity.connection);
        self.notes = deliveries::are_noted(&self.worker.shared.plan, flow);
    }

    /// Waits until the client begins the next transaction; `false`: there will be none.
    async fn is_wanted(&mut self, number: u64) -> bool {
        if self.control.order() != Order::Go {
            return false;
        }
        self.worker.limit(&self.control, NEVER_DUE);
        if !self.session.wire.waiting().is_empty() {
            return true;
        }
        if self.session.program().speaks_first {
            if number == 0 {
                return true;
            }
            let Some(entry) = self.entry.clone() else {
                // Nobody tells when a stranger begins. If it answers in the pattern, that paces the server; else once is enough.
                return self.session.program().receives;
            };
            return self.begun(&entry, number).await;
        }
        self.arrives().await.is_ok()
    }

    /// Waits for the first bytes of a transaction.
    async fn arrives(&mut self) -> Result<(), Broken> {
        let (control, wire) = (&self.control, &mut self.session.wire);
        poll_fn(|context| match wire.poll_more(context) {
            Poll::Pending if control.order() != Order::Go => Poll::Ready(Err(Broken::Aborted)),
            other => other,
        })
        .await
    }

    /// Waits until the client began so many transactions more than `number`: a server that speaks first has no other sign of it.
    async fn begun(&mut self, entry: &Entry, number: u64) -> bool {
        let (begun, waiting) = entry.begun_on(self.session.identity.stream);
        let mut arrives = std::pin::pin!(self.arrives());
        poll_fn(|context| {
            waiting.register(context.waker());
            if begun.load(Ordering::Acquire) > number {
                return Poll::Ready(true);
            }
            // Bytes before the server spoke are read by its next step; an end is an end.
            arrives.as_mut().poll(context).map(|arrived| arrived.is_ok())
        })
        .await
    }
}
