//! The UDP socket below QUIC: each packet a datagram of its own, with the code point that the scenario says. In: packets from quinn, datagrams from the kernel. Out: the same,
//! and what the network says of a target that nobody serves. Makes no socket.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::io::Interest;

use crate::traffic::datagram::set_number;

/// Errors that are taken from a socket before others get their turn.
const MOST_ERRORS: u32 = 64;

/// A socket.
#[derive(Debug)]
pub struct Udp {
    io: tokio::net::UdpSocket,
    state: UdpSocketState,
    /// The code point, where the type of service has it.
    class: u8,
    /// How many packets one arrival may hold: quinn makes room for so many, for each socket.
    joined: usize,
    /// The kernel took no more when it was last tried.
    full: AtomicBool,
    said: Said,
}

/// What the network said last; 0: nothing.
#[derive(Debug, Default)]
struct Said {
    number: AtomicI32,
    waker: AtomicWaker,
}

impl Udp {
    /// Of a socket, with a code point for its packets.
    ///
    /// # Errors
    /// The kernel's, when it can't be watched.
    pub fn new(socket: std::net::UdpSocket, dscp: u8) -> io::Result<Udp> {
        let state = UdpSocketState::new((&socket).into())?;
        let io = tokio::net::UdpSocket::from_std(socket)?;
        let joined = state.gro_segments();
        Ok(Udp { io, state, class: dscp << 2, joined, full: AtomicBool::new(false), said: Said::default() })
    }

    /// Takes packets in one by one: for one connection alone the room for joined ones, 3 MB, would be too much.
    ///
    /// # Errors
    /// The kernel's.
    pub fn one_by_one(mut self) -> io::Result<Udp> {
        if self.joined > 1 {
            set_number(self.io.as_fd(), libc::IPPROTO_UDP, libc::UDP_GRO, 0)?;
            self.joined = 1;
        }
        Ok(self)
    }

    /// Waits until the network says that its packets do not arrive. Only a socket that is connected hears of it.
    pub async fn is_refused(&self) -> io::Error {
        loop {
            // What the kernel has heard it tells to whoever asks first, which may be who sends or receives.
            let told = poll_fn(|context| {
                self.said.waker.register(context.waker());
                match self.said.number.swap(0, Ordering::Relaxed) {
                    0 => Poll::Pending,
                    number => Poll::Ready(io::Error::from_raw_os_error(number)),
                }
            });
            tokio::select! {
                error = told => return error,
                _ = self.io.ready(Interest::ERROR) => {}
            }
            if let Ok(Some(error)) = self.io.take_error() {
                return error;
            }
            let taken: io::Result<()> = self.io.try_io(Interest::ERROR, || Err(io::ErrorKind::WouldBlock.into()));
            drop(taken);
        }
    }

    fn hears(&self, error: &io::Error) {
        if let Some(number) = error.raw_os_error() {
            self.said.number.store(number, Ordering::Relaxed);
            self.said.waker.wake();
        }
    }
}

impl AsyncUdpSocket for Udp {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller { socket: self, room: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match self.io.try_io(Interest::WRITABLE, || send(self.io.as_raw_fd(), transmit, self.class)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.full.store(true, Ordering::Relaxed);
                Err(error)
            }
            // It is lost, as it may be on any way: whoever sent it sends its content again, or gives up.
            Err(error) => {
                if matches!(error.raw_os_error(), Some(libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EACCES)) {
                    self.hears(&error);
                }
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn poll_recv(&self, context: &mut Context<'_>, rooms: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) -> Poll<io::Result<usize>> {
        let mut errors = 0;
        loop {
            ready!(self.io.poll_recv_ready(context))?;
            match self.io.try_io(Interest::READABLE, || self.state.recv((&self.io).into(), rooms, metas)) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It is of an earlier packet, and no end of the socket (RFC 9000, 14.2.1).
                Err(error) => {
                    self.hears(&error);
                    errors += 1;
                    if errors == MOST_ERRORS {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    fn max_receive_segments(&self) -> usize {
        self.joined
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

/// Sends one packet, from the address that it is to come from.
fn send(socket: i32, transmit: &Transmit<'_>, class: u8) -> io::Result<()> {
    let class = class | transmit.ecn.map_or(0, |ecn| ecn as u8);
    let wide = i32::from(class);
    // What is under IPv6 clothes travels as IPv4.
    let of_class = match transmit.destination.ip().to_canonical() {
        IpAddr::V4(_) => ControlMessage::Ipv4Tos(&class),
        IpAddr::V6(_) => ControlMessage::Ipv6TClass(&wide),
    };
    let to = SockaddrStorage::from(transmit.destination);
    let bytes = [IoSlice::new(transmit.contents)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let sent = match transmit.src_ip {
        None => sendmsg(socket, &bytes, &[of_class], flags, Some(&to)),
        Some(IpAddr::V4(own)) => {
            let source = libc::in_addr { s_addr: u32::from(own).to_be() };
            let from = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: libc::in_addr { s_addr: 0 } };
            sendmsg(socket, &bytes, &[of_class, ControlMessage::Ipv4PacketInfo(&from)], flags, Some(&to))
        }
        Some(IpAddr::V6(own)) => {
            let from = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: own.octets() }, ipi6_ifindex: 0 };
            sendmsg(socket, &bytes, &[of_class, ControlMessage::Ipv6PacketInfo(&from)], flags, Some(&to))
        }
    };
    sent.map(drop).map_err(io::Error::from)
}

/// Waits for room in the kernel, where there was none.
struct Poller {
    socket: Arc<Udp>,
    room: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>>,
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Poller")
    }
}

impl UdpPoller for Poller {
    fn poll_writable(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poller = self.get_mut();
        if poller.room.is_none() && !poller.socket.full.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let socket = &poller.socket;
        let room = poller.room.get_or_insert_with(|| {
            let socket = Arc::clone(socket);
            Box::pin(async move { socket.io.writable().await })
        });
        let ready = ready!(room.as_mut().poll(context));
        poller.room = None;
        poller.socket.full.store(false, Ordering::Relaxed);
        Poll::Ready(ready)
    }
}
