//! How a place's connection is opened: target, socket, `connect`, TLS handshake. In: a socket from the lab. Out: a stream, or why there is none.
//! Runs no transaction.

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use scn_grammar::scenario::pattern::Side;
use scn_grammar::scenario::transport::TransportKind;
use scn_reports::record::flow::{Connection, ConnectionEnd, NEVER};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::{Open, Place};
use crate::traffic::control::{Broken, Order};
use crate::traffic::http;
use crate::traffic::limits;
use crate::traffic::names::Trouble;
use crate::traffic::origins;
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::session::{end_of, in_words};
use crate::traffic::quic;
use crate::traffic::registry::anywhere;
use crate::traffic::sockets::Streams;
use crate::traffic::tcp_options;
use crate::traffic::tls::{self, Stream};
use crate::traffic::told;

/// Why an attempt failed.
pub(super) struct Refusal {
    /// What failed, if not the connection itself.
    pub step: Option<String>,
    pub end: ConnectionEnd,
    pub what: String,
}

/// What a connection is when it is established.
pub(super) enum Established {
    /// Over TCP, MPTCP or SCTP, with TLS or without.
    Stream(Stream),
    /// QUIC.
    Quic(Box<quic::Link>),
}

impl Place<'_> {
    /// Opens a connection, with its handshake; `Err(None)`: it was told to give up.
    pub(super) async fn establish(&self, socket: OwnedFd, open: &mut Open) -> Result<Established, Option<Refusal>> {
        if quic::carries(&self.worker.shared.plan.flows[self.run.flow]) {
            return self.shake_hands(socket, open).await.map(|link| Established::Quic(Box::new(link)));
        }
        let stream = self.connect(socket, open).await?;
        self.secure(stream, open).await.map(Established::Stream)
    }

    /// Finds out where to connect to, and asks for a socket; `Err(None)`: it was told to give up.
    pub(super) async fn begin(&mut self) -> Result<io::Result<OwnedFd>, Option<Refusal>> {
        self.find_target().await?;
        Ok(self.run.socket(self.worker, self.target.is_ipv6()).await)
    }

    /// The target, if that is a name; `Err(None)`: it was told to give up.
    async fn find_target(&mut self) -> Result<(), Option<Refusal>> {
        let (worker, run) = (self.worker, self.run);
        if worker.shared.plan.flows[run.flow].looked_up().is_none() {
            return Ok(());
        }
        // The look-up has its own limit.
        worker.limit(self.control, NEVER_DUE);
        let mut asking = std::pin::pin!(run.names.target(worker, run.flow));
        let answered = poll_fn(|context| match self.control.interrupted(context) {
            None if self.control.order() == Order::Go => asking.as_mut().poll(context).map(Some),
            _ => Poll::Ready(None),
        });
        let (answer, target) = answered.await.ok_or(None)?;
        self.answer = answer;
        let refused = |trouble: Trouble| {
            let end = if trouble.late { ConnectionEnd::ConnectTimeout } else { ConnectionEnd::Other };
            Some(Refusal { step: Some(trouble.step), end, what: trouble.what })
        };
        self.target = target.map_err(refused)?;
        Ok(())
    }

    /// Opens a connection; `Err(None)`: it was told to give up.
    async fn connect(&self, socket: OwnedFd, open: &mut Open) -> Result<TcpStream, Option<Refusal>> {
        let mut socket = socket2::Socket::from(socket);
        let failed = |error: io::Error| Some(refusal(&error));
        let planned = &self.worker.shared.plan.flows[self.run.flow];
        let ports = planned.ports.map_or(1, |(first, last)| u32::from(last) - u32::from(first) + 1);
        let mut tried = 0;
        loop {
            tried = self.start_from(&socket, open.number, tried).map_err(failed)?;
            match self.connect_and_tell(&socket, open) {
                // A connection that still ends has the port, which shows when it is known where to.
                Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) && tried < ports => {}
                told => break told.map_err(failed)?,
            }
            socket = self.run.socket(self.worker, self.target.is_ipv6()).await.map_err(failed)?.into();
        }
        let number = socket.as_raw_fd();
        self.worker.limit(self.control, self.worker.pacer.now_ns().saturating_add(limits::connect(planned)));
        // On a short way it is established by now, which the event loop would tell a turn later.
        let established = Streams::of(planned.transport.kind()) == Streams::Tcp && socket.peer_addr().is_ok();
        let stream = TcpStream::from_std(socket.into()).map_err(failed)?;
        if established && self.control.order() == Order::Go {
            return Ok(stream);
        }
        // Who vanishes must find it.
        self.control.socket.set(Some(number));
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

    /// Sets a socket's options, and binds it where the flow says what it starts from, after so many ports that were taken. Out: ports tried in all.
    fn start_from(&self, socket: &socket2::Socket, connection: u32, tried: u32) -> io::Result<u32> {
        let planned = &self.worker.shared.plan.flows[self.run.flow];
        if let Some(options) = tcp_options::of_flow(&planned.transport) {
            tcp_options::set(options, Streams::of(planned.transport.kind()), &SockRef::from(socket), self.target.is_ipv6())?;
        }
        origins::bind_after(planned, socket, self.target.is_ipv6(), connection, tried)
    }

    /// Does the TLS handshake, if the flow has one, within the limit of the connection; `Err(None)`: it was told to give up.
    async fn secure(&self, stream: TcpStream, open: &mut Open) -> Result<Stream, Option<Refusal>> {
        let Some(client) = self.worker.tls.client(self.run.flow) else {
            let over = Streams::of(self.worker.shared.plan.flows[self.run.flow].transport.kind());
            return Stream::plain(stream, over, false).map_err(|error| Some(refusal(&error)));
        };
        let begun_ns = self.worker.pacer.now_ns();
        match Box::pin(client.connect(stream, self.control)).await {
            Ok(stream) => {
                open.row.get_mut().handshake_ns = (self.worker.pacer.now_ns() - begun_ns).max(1);
                let multiplexed = http::is_multiplexed(&self.worker.shared.plan.flows[self.run.flow].transport);
                match tls::Client::objection_to(&stream).filter(|_| multiplexed) {
                    Some(what) => Err(Some(Refusal { step: Some(client.step(self.target)), end: ConnectionEnd::Tls, what })),
                    None => Ok(stream),
                }
            }
            Err(broken) => {
                let refusal = client.refusal(broken, limits::connect(&self.worker.shared.plan.flows[self.run.flow]));
                Err(refusal.map(|(end, what)| Refusal { step: Some(client.step(self.target)), end, what }))
            }
        }
    }

    /// Begins to connect, and tells by which address.
    pub(super) fn connect_and_tell(&self, socket: &socket2::Socket, open: &mut Open) -> io::Result<()> {
        let registry = &self.worker.shared.registry;
        let may_hear_first = !self.worker.program(Side::Client, self.run.flow).speaks_first;
        let held = may_hear_first.then(|| registry.hold());
        match socket.connect(&self.target.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let Some(local) = socket.local_addr().ok().and_then(|local| local.as_socket()) else { return Ok(()) };
        let mut held = held.unwrap_or_else(|| registry.hold());
        for (client, server) in self.known_by(local) {
            held.insert(client, server, Arc::clone(&open.entry));
        }
        drop(held);
        open.local = Some(local);
        open.row.get_mut().local = local.to_string();
        Ok(())
    }

    /// Between which addresses a server may see a connection of this client's. One of SCTP is between all addresses of both ends, of which
    /// either may be shown: the client's port tells it from others.
    pub(super) fn known_by(&self, local: SocketAddr) -> Vec<(SocketAddr, SocketAddr)> {
        let plan = &self.worker.shared.plan;
        let flow = &plan.flows[self.run.flow];
        if flow.transport.kind() != TransportKind::Sctp {
            return vec![(local, self.target)];
        }
        let of_node = plan.nodes[flow.from.index()].interfaces.iter().flat_map(|interface| &interface.addresses);
        let upon = plan.interfaces.iter().filter(|upper| upper.node == flow.from).flat_map(|upper| &upper.addresses);
        let addresses = of_node.chain(upon).map(|prefix| prefix.address).chain([local.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        addresses.map(|address| (SocketAddr::new(address, local.port()), anywhere(self.target.port()))).collect()
    }

    /// Tells of a connection that is established, where that is told.
    pub(super) fn tell_established(&self, row: &Connection) {
        self.worker.tell_step(self.run.flow, || {
            let took = told::time(row.established_ns - row.opened_ns);
            let shaken = match row.handshake_ns {
                0 => String::new(),
                ns => format!(", of which {} for the handshake", told::time(ns)),
            };
            format!("connected from {} to {} in {took}{shaken}", row.local, row.remote)
        });
    }

    /// Tells of the end of one.
    pub(super) fn tell_over(&self, row: &Connection) {
        self.worker.tell_step(self.run.flow, || match row.end {
            ConnectionEnd::Open | ConnectionEnd::Closed => "connection closed in good order".to_owned(),
            _ if row.established_ns == NEVER => format!("no connection to {}", row.remote),
            _ => "connection broken".to_owned(),
        });
    }

    pub(super) fn refused(&self, refusal: Refusal, open: &mut Open) {
        let live = &self.worker.shared.flows[self.run.flow].live;
        live.failed_connects.fetch_add(1, Ordering::Relaxed);
        live.errors.fetch_add(1, Ordering::Relaxed);
        match refusal.end {
            ConnectionEnd::ConnectTimeout => drop(live.timeouts.fetch_add(1, Ordering::Relaxed)),
            ConnectionEnd::Reset => drop(live.resets.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        open.row.get_mut().end = refusal.end;
        let span = refusal.step.is_some().then(|| self.worker.shared.plan.flows[self.run.flow].span);
        let step = refusal.step.unwrap_or_else(|| format!("connect to {}", self.target));
        self.worker.tell_step(self.run.flow, || format!("{step}: {}", refusal.what));
        self.run.fails(&step, &refusal.what);
        self.worker.parts.borrow_mut()[self.run.flow].failure(&step, span, refusal.what, self.worker.pacer.now_ns());
    }
}

/// Why the kernel refused to connect.
pub(super) fn refusal(error: &io::Error) -> Refusal {
    let end = match error.raw_os_error() {
        Some(libc::ETIMEDOUT) => ConnectionEnd::ConnectTimeout,
        _ => end_of(error),
    };
    let what = match error.raw_os_error() {
        _ if end == ConnectionEnd::ConnectTimeout => "no answer".to_owned(),
        Some(libc::EADDRNOTAVAIL) => "no port to start from: connections that are open, or still end, have it".to_owned(),
        _ => in_words(end, error),
    };
    Refusal { step: None, end, what }
}
