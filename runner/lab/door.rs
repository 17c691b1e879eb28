//! The door: one thread that moves from namespace to namespace and makes sockets there, for all nodes of a lab. In: requests. Out:
//! sockets, and no change to any other thread. A move takes about 2 us and a socket about 10 us, so that one thread does for
//! hundreds of nodes.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use scn_grammar::scenario::NodeId;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::oneshot;

use super::error::LabError;
use super::namespace::Namespace;
use super::packet;
use super::process::{Query, Resolver};
use crate::traffic::open_account;
use crate::traffic::sockets::{Answer, Packets, Sockets, Streams};

/// A request.
enum Wanted {
    /// So many client sockets.
    Streams { over: Streams, ipv6: bool, count: usize, answer: oneshot::Sender<io::Result<Vec<OwnedFd>>> },
    /// A socket that will listen.
    Listener { over: Streams, address: SocketAddr, answer: oneshot::Sender<io::Result<OwnedFd>> },
    /// So many sockets of packets.
    Packets { kind: Packets, count: usize, answer: oneshot::Sender<io::Result<Vec<OwnedFd>>> },
    /// A bound socket of UDP.
    UdpListener { address: SocketAddr, answer: oneshot::Sender<io::Result<OwnedFd>> },
    /// What the kernel counts of UDP.
    AccountOfUdp { answer: oneshot::Sender<io::Result<Vec<File>>> },
    /// A socket of frames at an interface.
    Frames { interface: String, answer: oneshot::Sender<io::Result<OwnedFd>> },
}

/// A message to the thread; `None`: the lab closes.
type Message = Option<(usize, Wanted)>;

/// Hands out sockets in the nodes of a lab. Clones lead to the same thread. After the lab is gone it answers with errors.
#[derive(Clone)]
pub struct Door {
    messages: Sender<Message>,
    resolver: Option<Resolver>,
}

/// The thread behind the door.
pub(crate) struct DoorKeeper {
    door: Door,
    thread: Option<JoinHandle<()>>,
}

impl DoorKeeper {
    /// Starts the thread. The first namespaces are those of nodes; `congestion` is, for each of them, the congestion control that
    /// its sockets must be given one by one.
    pub(crate) fn start(namespaces: Arc<Vec<Namespace>>, congestion: Vec<Option<String>>) -> Result<Self, LabError> {
        let (messages, todo) = channel();
        let thread = std::thread::Builder::new().name("scn-door".to_owned()).spawn(move || serve(&namespaces, &congestion, &todo));
        let thread = thread.map_err(|cause| LabError::system("door", "start its thread", &cause))?;
        Ok(DoorKeeper { door: Door { messages, resolver: None }, thread: Some(thread) })
    }

    /// Another handle.
    pub(crate) fn door(&self) -> Door {
        self.door.clone()
    }

    /// Ends the thread, whoever still has a handle.
    pub(crate) fn stop(&mut self) -> Result<(), LabError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let _ = self.door.messages.send(None);
        thread.join().map_err(|_| LabError::Closed { thread: "door".to_owned(), why: "It panicked (a bug in scn)".to_owned() })
    }
}

impl Drop for DoorKeeper {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// Answers requests until the lab closes.
fn serve(namespaces: &[Namespace], congestion: &[Option<String>], todo: &Receiver<Message>) {
    let mut here = None;
    while let Ok(Some((slot, wanted))) = todo.recv() {
        let place = namespaces.get(slot).filter(|_| slot < congestion.len()).ok_or_else(|| io::Error::other("the lab has no such node"));
        let entered = match place {
            Ok(_) if here == Some(slot) => Ok(()),
            Ok(namespace) => namespace.enter(),
            Err(cause) => Err(cause),
        };
        here = entered.is_ok().then_some(slot);
        let control = congestion.get(slot).and_then(Option::as_deref);
        // Who asked may have gone; then the sockets close.
        match wanted {
            Wanted::Streams { over, ipv6, count, answer } => drop(answer.send(entered.and_then(|()| clients(over, ipv6, count, control)))),
            Wanted::Listener { over, address, answer } => drop(answer.send(entered.and_then(|()| listener(over, address, control)))),
            Wanted::Packets { kind, count, answer } => drop(answer.send(entered.and_then(|()| packets(kind, count)))),
            Wanted::UdpListener { address, answer } => drop(answer.send(entered.and_then(|()| udp_listener(address)))),
            Wanted::AccountOfUdp { answer } => drop(answer.send(entered.and_then(|()| open_account()))),
            Wanted::Frames { interface, answer } => drop(answer.send(entered.and_then(|()| packet::at(&interface).map(OwnedFd::from)))),
        }
    }
}

fn clients(over: Streams, ipv6: bool, count: usize, congestion: Option<&str>) -> io::Result<Vec<OwnedFd>> {
    let domain = if ipv6 { Domain::IPV6 } else { Domain::IPV4 };
    (0..count).map(|_| Ok(socket(over, domain, congestion)?.into())).collect()
}

/// A socket with its congestion control, which SCTP has none to choose of; accepted connections have their listener's.
fn socket(over: Streams, domain: Domain, congestion: Option<&str>) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(over.protocol()))?;
    if let Some(algorithm) = congestion.filter(|_| over != Streams::Sctp) {
        socket.set_tcp_congestion(algorithm.as_bytes())?;
    }
    Ok(socket)
}

fn packets(kind: Packets, count: usize) -> io::Result<Vec<OwnedFd>> {
    let domain = |ipv6| if ipv6 { Domain::IPV6 } else { Domain::IPV4 };
    let one = || match kind {
        Packets::Udp { ipv6 } => Socket::new(domain(ipv6), Type::DGRAM.nonblocking(), Some(Protocol::UDP)),
        Packets::Echo { ipv6: false } => Socket::new(Domain::IPV4, Type::RAW.nonblocking(), Some(Protocol::ICMPV4)),
        Packets::Echo { ipv6: true } => Socket::new(Domain::IPV6, Type::RAW.nonblocking(), Some(Protocol::ICMPV6)),
        // Of this protocol the kernel takes packets with their headers.
        Packets::Raw { ipv6 } => Socket::new(domain(ipv6), Type::RAW.nonblocking(), Some(Protocol::from(libc::IPPROTO_RAW))),
        Packets::Express => packet::express(),
    };
    (0..count).map(|_| Ok(one()?.into())).collect()
}

fn udp_listener(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if let IpAddr::V6(ip) = address.ip() {
        socket.set_only_v6(!ip.is_unspecified())?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn listener(over: Streams, address: SocketAddr, congestion: Option<&str>) -> io::Result<OwnedFd> {
    let socket = socket(over, Domain::for_address(address), congestion)?;
    socket.set_reuse_address(true)?;
    if let IpAddr::V6(ip) = address.ip() {
        socket.set_only_v6(!ip.is_unspecified())?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

impl Door {
    /// The same, which looks names up too.
    pub(crate) fn with(self, resolver: Option<Resolver>) -> Self {
        Door { resolver, ..self }
    }

    fn ask<T: Send + 'static>(&self, node: NodeId, wanted: impl FnOnce(oneshot::Sender<io::Result<T>>) -> Wanted) -> Answer<T> {
        let (answer, result) = oneshot::channel();
        let sent = self.messages.send(Some((node.index(), wanted(answer))));
        Box::pin(async move {
            let closed = || io::Error::new(io::ErrorKind::NotConnected, "the lab is closed");
            sent.map_err(|_| closed())?;
            result.await.map_err(|_| closed())?
        })
    }
}

impl Sockets for Door {
    fn streams(&self, node: NodeId, over: Streams, ipv6: bool, count: usize) -> Answer<Vec<OwnedFd>> {
        self.ask(node, |answer| Wanted::Streams { over, ipv6, count, answer })
    }

    fn stream_listener(&self, node: NodeId, over: Streams, address: SocketAddr) -> Answer<OwnedFd> {
        self.ask(node, |answer| Wanted::Listener { over, address, answer })
    }

    fn packets(&self, node: NodeId, kind: Packets, count: usize) -> Answer<Vec<OwnedFd>> {
        self.ask(node, |answer| Wanted::Packets { kind, count, answer })
    }

    fn udp_listener(&self, node: NodeId, address: SocketAddr) -> Answer<OwnedFd> {
        self.ask(node, |answer| Wanted::UdpListener { address, answer })
    }

    fn account_of_udp(&self, node: NodeId) -> Answer<Vec<File>> {
        self.ask(node, |answer| Wanted::AccountOfUdp { answer })
    }

    fn look_up(&self, node: NodeId, name: &str, limit: Duration) -> Answer<Vec<IpAddr>> {
        let (resolver, query) = (self.resolver.clone(), Query { node, name: name.to_owned(), limit });
        Box::pin(async move {
            let resolver = resolver.ok_or_else(|| io::Error::other("nobody looks names up in this lab (a bug in scn)"))?;
            resolver.look_up(query).await
        })
    }

    fn frames(&self, node: NodeId, interface: &str) -> Answer<OwnedFd> {
        let interface = interface.to_owned();
        self.ask(node, |answer| Wanted::Frames { interface, answer })
    }
}
