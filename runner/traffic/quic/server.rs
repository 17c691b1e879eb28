//! The server's side of QUIC: takes connections in at a socket and plays the pattern's server on their streams. In: a bound UDP socket. Out: answers, and what the server's
//! end saw. All connections of a listener are on the worker that has its socket.
//!
//! A listener that is closed takes nobody in any more; its connections end after their current transactions, and the socket with the last of them.

use std::cell::Cell;
use std::future::{Future as _, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use quinn::{Connecting, Connection, Endpoint, Incoming};
use scn_grammar::scenario::pattern::Side;
use scn_reports::record::flow::ConnectionEnd;

use super::driver::Driver;
use super::ends::{Gone, ORDERLY, told};
use super::stream::{Endings, Stream};
use super::udp::Udp;
use super::{LINGER_NS, streams};
use crate::traffic::Notice;
use crate::traffic::client::CONNECT_LIMIT_NS;
use crate::traffic::control::{Broken, Control, Order, Role};
use crate::traffic::datagram::Options;
use crate::traffic::frame::{UNKNOWN_CONNECTION, UNKNOWN_FLOW};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::session::Fault;
use crate::traffic::server::Serving;
use crate::traffic::worker::Worker;

/// A listener's socket with its connections.
struct Site {
    worker: Rc<Worker>,
    listener: usize,
    control: Rc<Control>,
    endpoint: Endpoint,
    /// Connections that are not over.
    open: Cell<usize>,
}

/// Serves a socket.
pub fn listen(worker: &Rc<Worker>, listener: usize, socket: OwnedFd) {
    let control = Rc::new(Control::new(Role::Server(listener), None));
    let (site, driver) = match site(worker, listener, &control, socket) {
        Ok(made) => made,
        Err(error) => {
            let name = &worker.shared.plan.listeners[listener].name;
            return worker.shared.tell(Notice::Broken { what: format!("the listener of {name} failed: {error}") });
        }
    };
    let member = worker.enlist(&control);
    let task = Rc::clone(worker);
    worker.spawn(async move {
        control.carry(site.serve(driver)).await;
        task.dismiss(member);
    });
    let door = Rc::new(Control::new(Role::Listener(listener), None));
    let member = worker.enlist(&door);
    let task = Rc::clone(worker);
    worker.spawn(async move {
        poll_fn(|context| door.interrupted(context).map_or(Poll::Pending, Poll::Ready)).await;
        task.dismiss(member);
        if !door.is_killed() {
            task.order(Role::Server(listener), Order::Drain);
        }
    });
}

fn site(worker: &Rc<Worker>, listener: usize, control: &Rc<Control>, socket: OwnedFd) -> io::Result<(Rc<Site>, Driver)> {
    let planned = &worker.shared.plan.listeners[listener];
    let server = worker.quic.server(listener).ok_or_else(|| io::Error::other("there is no configuration of QUIC for it"))?;
    let driver = Driver::default();
    let dscp = Options::of_listener(&planned.listener).dscp.unwrap_or_default();
    let udp = Arc::new(Udp::new(socket.into(), dscp)?);
    let endpoint = Endpoint::new_with_abstract_socket(server.endpoint, Some(server.config), udp, driver.runtime())?;
    let (worker, control) = (Rc::clone(worker), Rc::clone(control));
    Ok((Rc::new(Site { worker, listener, control, endpoint, open: Cell::new(0) }), driver))
}

impl Site {
    /// Receives and sends for all connections, and takes new ones in, until the listener is closed and the last of them is over.
    async fn serve(self: &Rc<Self>, mut driver: Driver) {
        {
            let accepting = async {
                while let Some(incoming) = self.endpoint.accept().await {
                    self.take(incoming);
                }
            };
            let mut accepting = pin!(accepting.fuse());
            poll_fn(|context| {
                self.control.register(context);
                if self.control.order() >= Order::Abort {
                    return Poll::Ready(());
                }
                driver.poll(context);
                // It ends with the socket alone.
                let _ = accepting.as_mut().poll(context);
                if self.control.order() != Order::Go && self.open.get() == 0 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        if !self.control.is_killed() {
            self.endpoint.close(ORDERLY, b"");
            driver.flush().await;
        }
    }

    /// Takes a connection in, or turns it away.
    fn take(self: &Rc<Self>, incoming: Incoming) {
        let (worker, listener) = (&self.worker, self.listener);
        let standing = &worker.shared.listeners[listener];
        if self.control.order() != Order::Go || !standing.open.load(Ordering::SeqCst) {
            return incoming.refuse();
        }
        let addresses = (incoming.remote_address(), self.address(incoming.local_ip()));
        let connecting = match incoming.accept() {
            Ok(connecting) => connecting,
            Err(error) => return self.object(&Gone::Connection(error), addresses),
        };
        let control = Rc::new(Control::new(Role::Server(listener), None));
        let member = worker.enlist(&control);
        if standing.frozen.load(Ordering::SeqCst) {
            control.freeze(worker.pacer.now_ns(), 0);
        }
        self.open.set(self.open.get() + 1);
        let site = Rc::clone(self);
        worker.spawn(async move {
            control.carry(site.connection(&control, connecting, addresses)).await;
            site.worker.dismiss(member);
            site.open.set(site.open.get() - 1);
            site.control.wake();
        });
    }

    /// A connection from its handshake to its end.
    async fn connection(&self, control: &Rc<Control>, mut connecting: Connecting, addresses: (SocketAddr, SocketAddr)) {
        // A client that went away in the midst of it is not waited for.
        self.worker.limit(control, self.worker.pacer.now_ns().saturating_add(CONNECT_LIMIT_NS));
        let shaken = poll_fn(|context| match control.interrupted(context) {
            Some(broken) => Poll::Ready(Err(broken)),
            None => Pin::new(&mut connecting).poll(context).map_err(|error| Broken::Io(Gone::Connection(error).error())),
        })
        .await;
        self.worker.limit(control, NEVER_DUE);
        match shaken {
            Ok(connection) => self.streams(control, connection, addresses).await,
            Err(Broken::Io(error)) => told(&error).into_iter().for_each(|gone| self.object(gone, addresses)),
            Err(_) => {}
        }
    }

    /// This end's address on a connection.
    fn address(&self, own: Option<IpAddr>) -> SocketAddr {
        let planned = &self.worker.shared.plan.listeners[self.listener];
        SocketAddr::new(own.unwrap_or(planned.address), planned.port)
    }

    /// Tells what this end has against a client.
    fn object(&self, gone: &Gone, (client, address): (SocketAddr, SocketAddr)) {
        let worker = &self.worker;
        let entry = worker.shared.registry.find(client, address);
        let whose = entry.as_ref().map_or((UNKNOWN_FLOW, UNKNOWN_CONNECTION), |entry| (entry.flow, entry.connection));
        if let Some(what) = gone.objection(entry.is_none()) {
            let planned = &worker.shared.plan.listeners[self.listener];
            let step = format!("QUIC handshake at {} on {}", planned.name, worker.shared.node_name(planned.node));
            let fault = Fault { step: u32::MAX, what, end: ConnectionEnd::Tls, corruption: None };
            worker.wrong(whose, (&step, Some(planned.span)), Side::Server, fault);
        }
    }

    /// Plays the server on each stream until the connection is over, or is to end.
    async fn streams(&self, control: &Rc<Control>, connection: Connection, addresses: (SocketAddr, SocketAddr)) {
        let entry = self.worker.shared.registry.find(addresses.0, addresses.1);
        let flow = entry.as_ref().and_then(|entry| self.worker.shared.plan.flows.get(entry.flow as usize));
        let count = flow.map_or(1, streams);
        let endings = Endings::of(count > 1);
        let mut at_work = FuturesUnordered::new();
        let begins = self.worker.program(Side::Server, self.listener).speaks_first;
        if begins && count == 1 {
            at_work.push(self.stream(Stream::unopened(&connection, &endings), 0, addresses));
        }
        // Opened in this order, so that both ends number them alike; the client sees one with its first bytes.
        for number in (0..count).filter(|_| begins && count > 1) {
            let Some(both) = connection.open_bi().now_or_never() else { break };
            let Ok(both) = both else { break };
            at_work.push(self.stream(Stream::open(&connection, both, &endings), number, addresses));
        }
        let theirs = futures_util::stream::unfold(&connection, |connection| async move {
            let both = if begins { Err(connection.closed().await) } else { connection.accept_bi().await };
            both.ok().map(|both| (both, connection))
        });
        let mut theirs = pin!(theirs.fuse());
        let mut lingers = false;
        poll_fn(|context| {
            control.register(context);
            let over = loop {
                match theirs.poll_next_unpin(context) {
                    Poll::Ready(Some(both)) => {
                        let number = both.0.id().index();
                        at_work.push(self.stream(Stream::open(&connection, both, &endings), number, addresses));
                    }
                    Poll::Ready(None) => break true,
                    Poll::Pending => break false,
                }
            };
            while let Poll::Ready(Some(())) = at_work.poll_next_unpin(context) {}
            let settled = endings.poll(context).is_ready();
            if control.order() >= Order::Abort || (at_work.is_empty() && over) {
                return Poll::Ready(());
            }
            if control.order() == Order::Go || !at_work.is_empty() {
                return Poll::Pending;
            }
            // The last word gets its time to arrive, and no more.
            if !lingers {
                lingers = true;
                self.worker.limit(control, self.worker.pacer.now_ns().saturating_add(LINGER_NS));
            }
            if settled || control.interrupted(context).is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        drop(at_work);
        if control.order() < Order::Abort {
            connection.close(ORDERLY, b"");
        }
    }

    /// Plays the server on a stream.
    async fn stream(&self, stream: Stream, number: u64, addresses: (SocketAddr, SocketAddr)) {
        let control = Rc::new(Control::new(Role::Server(self.listener), None));
        let member = self.worker.enlist(&control);
        if self.control.order() != Order::Go {
            control.give(Order::Drain);
        }
        let mut serving = Box::new(Serving::new(&self.worker, self.listener, Rc::clone(&control), stream, addresses));
        serving.of_stream(number);
        serving.run().await;
        self.worker.dismiss(member);
    }
}
